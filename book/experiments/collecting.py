"""From reports of single runs to what a chapter reads: means, intervals, paired differences.

An experiment leaves one report with predictions for every seed and network,
``FOLDER/seed0/NAME.json``. :func:`collect` combines the seeds of each network and compares
networks on the same resamples of people and seeds; :func:`write` puts the numbers, and nothing of a
single face, under ``book/results``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceattr.comparison import COMPARED
from faceattr.errors import DataError
from faceattr.evaluation import combine
from faceattr.files import write_atomically
from faceattr.record import run_record
from faceattr.report import Report

#: What is kept of a report: what models differ in, and what the labels alone give.
KEPT = (*COMPARED, "prevalence", "majority_accuracy")
#: A hundred-thousandth is a tenth of a face of a thousand in one of forty attributes.
DIGITS = 6


def read_reports(folder: Path, names: Iterable[str]) -> dict[str, dict[int, Report]]:
    """Network to seed to report, of every ``seedK`` folder there.

    Raises:
        DataError: no seed at all, or a network that one of the seeds lacks; all are named.
    """
    places = {
        int(match[1]): place
        for place in folder.glob("seed*")
        if (match := re.fullmatch(r"seed(\d+)", place.name))
    }
    if not places:
        raise DataError(f"no run under {folder}: run the experiment with --seed 0 first")
    paths = {n: {s: places[s] / f"{n}.json" for s in sorted(places)} for n in names}
    missing = [
        f"{path.parent.name}/{path.name}"
        for row in paths.values()
        for path in row.values()
        if not path.is_file()
    ]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}: run these seeds to their end, which goes on "
            "where they stopped, or move away the folder of a seed that is not wanted"
        )
    return {n: {s: Report.load(p) for s, p in row.items()} for n, row in paths.items()}


def together(runs: Sequence[Report]) -> Report:
    """One report of all seeds; a single run is its own."""
    return combine(runs) if len(runs) > 1 else runs[0]


def collect(
    folder: Path,
    networks: Iterable[str],
    differences: Iterable[str],
    *,
    bootstrap: int = 1000,
    **more,
) -> dict[str, Any]:
    """Everything that a chapter asks of an experiment, JSON-able.

    Args:
        folder: of all its seeds.
        networks: the names of their reports.
        differences: pairs as ``"paw - whole-only"``.
        bootstrap: resamples behind each difference; a network's own are those of its reports.
        more: further entries of the record.

    Returns:
        ``record`` (how it came about, ``seeds``); ``networks``: name to ``parameters``, ``runs``
        (seed, seconds of training, means), ``mean`` and ``attributes`` over seeds;
        ``differences``: pair to ``mean`` and ``attributes``, with ``_low``, ``_high`` and
        ``_better``, the share of resamples in which the first was ahead.

    Raises:
        DataError: a report is missing, or two are on different faces; a difference names a
            network that is not there.
    """
    reports = read_reports(folder, networks)
    pairs = {name: name.split(" - ") for name in differences}
    for name, pair in pairs.items():
        if len(pair) != 2 or not set(pair) <= set(reports):
            raise DataError(f"difference {name!r}: write two of {', '.join(reports)} with ' - '")
    whole = {name: together(list(runs.values())) for name, runs in reports.items()}
    first = next(iter(reports.values()))
    about = next(iter(first.values())).record
    record = run_record(
        seed=list(first), data=about["data"], seconds=sum(map(_seconds, _all(reports))), **more
    )
    kept = ("faces", "people", "size", "resampled", "resamples", "training")
    record |= {"seeds": list(first), **{key: about[key] for key in kept if key in about}}
    return rounded(
        {
            "record": record,
            "networks": {
                name: {
                    "parameters": runs[record["seeds"][0]].record["parameters"],
                    "runs": [
                        {"seed": seed, "seconds": _seconds(run), "mean": _points(run)}
                        for seed, run in runs.items()
                    ],
                    **_tables(whole[name].to_dict(), KEPT),
                }
                for name, runs in reports.items()
            },
            "differences": {
                name: _tables(whole[a].compare(whole[b], bootstrap=bootstrap).to_dict(), COMPARED)
                for name, (a, b) in pairs.items()
            },
        }
    )


def write(path: Path, results: Mapping[str, Any]) -> Path:
    """Write results as JSON, whole or not at all."""
    return write_atomically(path, json.dumps(results, indent=1, allow_nan=False).encode() + b"\n")


def rounded(value: Any) -> Any:
    """Numbers of :data:`DIGITS` digits behind the point, None for what is not finite."""
    if isinstance(value, Mapping):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return round(float(value), DIGITS) if math.isfinite(value) else None
    return value


def _all(reports: Mapping[str, Mapping[int, Report]]) -> list[Report]:
    return [report for runs in reports.values() for report in runs.values()]


def _seconds(report: Report) -> int:
    """Of training the network, as the experiment noted them in the report."""
    return report.record["training_seconds"]


def _points(report: Report) -> dict[str, float]:
    return {metric: float(report.mean[metric]) for metric in COMPARED}


def _tables(found: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """``mean`` and ``attributes`` of what a report or a comparison gives, these metrics alone."""
    wanted = [f"{m}{end}" for m in metrics for end in ("", "_low", "_high", "_better")]

    def row(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in wanted if name in values}

    attributes = {name: row(values) for name, values in found["attributes"].items()}
    return {"mean": row(found["mean"]), "attributes": attributes}
