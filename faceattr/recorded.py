"""Recorded runs: reports that lie in a folder, one a run, and how each of them came about.

A table in the book that was too expensive to compute while the book is built is read from here. A
run that has not been recorded yet is missing, not an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from faceattr.evaluation import combine
from faceattr.report import Report


@dataclass(frozen=True)
class Recorded:
    """Runs of some methods, as far as they are recorded.

    Attributes:
        runs: method to run (its file's stem) to report. A method without any run is not there.
        missing: stems of the runs that are not recorded.
    """

    runs: dict[str, dict[str, Report]]
    missing: list[str]

    @classmethod
    def read(cls, folder: str | os.PathLike, methods: Mapping[str, Sequence[str]]) -> Recorded:
        """Read ``folder/STEM.json`` of every run that is there.

        Args:
            folder: where the reports lie.
            methods: method to the stems of its runs, such as
                ``{"SNet3": ["celeba_snet3_seed0", "celeba_snet3_seed1"]}``.

        Raises:
            DataError: a file is torn or no report.
        """
        paths = {s: Path(folder) / f"{s}.json" for stems in methods.values() for s in stems}
        there = {stem: Report.load(path) for stem, path in paths.items() if path.is_file()}
        runs = {
            method: {stem: there[stem] for stem in stems if stem in there}
            for method, stems in methods.items()
        }
        missing = [stem for stem in paths if stem not in there]
        return cls({method: found for method, found in runs.items() if found}, missing)

    def together(self) -> dict[str, Report]:
        """One report a method: its only run, or the mean of several.

        The interval of a mean is over people and runs where all runs hold predictions on the same
        faces, otherwise over runs alone (Student's t); see :func:`faceattr.evaluation.combine`.
        """
        reports = {}
        for method, runs in self.runs.items():
            several = list(runs.values())
            faces = {None if r.scored is None else r.scored.fingerprint for r in several}
            how = "bootstrap" if len(faces) == 1 and None not in faces else "t"
            reports[method] = combine(several, interval=how) if len(several) > 1 else several[0]
        return reports

    def origins(self) -> pd.DataFrame:
        """What somebody needs to know to repeat each run: one row a run, from its own record.

        ``minutes`` are by the clock. ``command`` trained the network and ``evaluation`` made the
        report; where a report does not say how its network was trained, command, commit, seconds
        and host are the evaluation's as well.
        """
        rows = {}
        for runs in self.runs.values():
            for stem, report in runs.items():
                made = report.record.get("training") or report.record
                settings = made.get("settings") or {}
                seconds = made.get("seconds")
                rows[stem] = {
                    "seed": made.get("seed"),
                    "epochs": settings.get("epochs"),
                    "precision": settings.get("precision"),
                    "parameters": made.get("parameters"),
                    "minutes": None if seconds is None else round(seconds / 60, 1),
                    "test faces": report.record.get("faces"),
                    "test people": report.record.get("people"),
                    "commit": made.get("commit"),
                    "host": made.get("host"),
                    "data": made.get("data"),
                    "command": made.get("command"),
                    "evaluation": report.record.get("command"),
                }
        return pd.DataFrame.from_dict(rows, orient="index", dtype=object).rename_axis("run")
