"""How well a model does, attribute by attribute, with intervals: :class:`Report`."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from faceattr.attributes import pretty
from faceattr.bootstrap import (
    Estimate,
    choose,
    estimates,
    from_row,
    mean_estimate,
    resampled,
    to_row,
)
from faceattr.checkpoint import write_atomically
from faceattr.comparison import Comparison, compare
from faceattr.errors import DataError, UnknownNameError
from faceattr.metrics import METRICS, reliability
from faceattr.scored import Scored

#: The metrics of a report.
SHOWN: tuple[str, ...] = (*METRICS, "calibration_error")
#: Version of the file that :meth:`Report.save` writes.
FORMAT = 1


class Report:
    """Metrics per attribute and on average, all as fractions, with 95% bootstrap intervals.

    Every entry is an :class:`faceattr.bootstrap.Estimate`: a float with ``.low`` and ``.high``.
    What is undefined (average precision of an attribute that no test face has) is NaN; a mean
    leaves it out, and its ``.count`` says how many attributes it is over.

    Attributes:
        mean: metric to its mean over attributes. The metrics are
            :data:`faceattr.metrics.METRICS` and ``calibration_error``, which has no interval
            (resampling biases it upwards).
        attributes: attribute name to metric to estimate.
        groups: group name to metric to the mean over the group, where groups were asked for.
        support: attribute name to ``(labelled faces, positive faces)``.
        record: how it came about: model, data, faces, people, what was resampled.
        scored: logits and labels behind it; None if a file was saved without.
    """

    def __init__(
        self,
        attributes: Mapping[str, Mapping[str, Estimate]],
        mean: Mapping[str, Estimate],
        support: Mapping[str, tuple[int, int]],
        record: Mapping[str, Any],
        *,
        groups: Mapping[str, Mapping[str, Estimate]] | None = None,
        members: Mapping[str, Sequence[str]] | None = None,
        scored: Scored | None = None,
    ):
        self.attributes = {name: dict(row) for name, row in attributes.items()}
        self.mean = dict(mean)
        self.support = dict(support)
        self.record = dict(record)
        self.groups = {name: dict(row) for name, row in (groups or {}).items()}
        self.members = {name: tuple(names) for name, names in (members or {}).items()}
        self.scored = scored

    @classmethod
    def of(
        cls,
        scored: Scored,
        *,
        bootstrap: int = 1000,
        seed: int = 0,
        by: str = "auto",
        groups: Mapping[str, Sequence[str]] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Report:
        """Compute a report from what models said; :func:`faceattr.evaluation.evaluate` does so.

        Args:
            scored: logits and labels. Several runs give the mean over them.
            bootstrap: resamples behind the intervals; 0 leaves them NaN.
            seed: of the resamples.
            by: what is drawn again: ``"identity"``, ``"image"`` or ``"auto"``.
            groups: further means, such as ``faceattr.GROUPS``: group to attribute names.
            record: further entries of the record.

        Raises:
            DataError: no faces, or ``by`` does not fit the data.
            UnknownNameError: a group names an attribute that is not there.
        """
        if not len(scored):
            raise DataError("no faces to report on: the data set is empty")
        names = scored.names
        columns = {group: _columns(names, members) for group, members in (groups or {}).items()}
        by = choose(scored, by)
        (samples,) = resampled([scored], bootstrap, seed=seed, by=by)
        points = scored.point()
        samples["calibration_error"] = np.empty((0, len(names)))
        table = {metric: estimates(points[metric], samples[metric]) for metric in samples}

        def means(chosen: Sequence[int]) -> dict[str, Estimate]:
            return {m: mean_estimate(points[m], samples[m], chosen) for m in samples}

        known, positive = (scored.labels >= 0).sum(0), (scored.labels == 1).sum(0)
        details = {
            "faces": len(scored),
            "people": None if scored.groups is None else int(scored.groups.max()) + 1,
            "runs": scored.runs,
            "resampled": by,
            "resamples": bootstrap,
            "bootstrap_seed": seed,
            "interval": "95%; percentile for an attribute, basic for a mean",
        }
        return cls(
            {name: {m: table[m][j] for m in table} for j, name in enumerate(names)},
            means(range(len(names))),
            {n: (int(known[j]), int(positive[j])) for j, n in enumerate(names)},
            {**(record or {}), **details},
            groups={group: means(chosen) for group, chosen in columns.items()},
            members=groups,
            scored=scored,
        )

    def frame(self, *, intervals: bool = True, mean: bool = True) -> pd.DataFrame:
        """One row an attribute and, last, ``mean``; columns are metrics, ``_low``, ``_high``.

        ``faces`` and ``positives`` count the labelled and the positive test faces.
        """
        rows = {}
        for name, row in {**self.attributes, **({"mean": self.mean} if mean else {})}.items():
            rows[name] = line = {}
            for metric, value in row.items():
                line[metric] = float(value)
                if intervals and metric in METRICS:
                    line[f"{metric}_low"], line[f"{metric}_high"] = value.low, value.high
            line["faces"], line["positives"] = self.support.get(name, (math.nan, math.nan))
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("attribute")

    def compare(self, other: Report, *, bootstrap: int = 1000, seed: int = 0) -> Comparison:
        """How much higher this report is than another on the same faces (paired bootstrap).

        Raises:
            DataError: one of them holds no predictions, or they are on different faces.
        """
        return compare(self, other, bootstrap=bootstrap, seed=seed)

    def where(self, chosen: Tensor, name: str = "chosen faces") -> Report:
        """The report on some of the faces: ``(N,)`` bool in the order of the data set.

        Does it do as well for everyone? ``report.where(data.attributes[:, index("Young")] == 0)``.
        """
        scored = self._predictions("look at some of the faces")
        chosen = torch.as_tensor(chosen)
        if chosen.shape != (len(scored),) or chosen.dtype != torch.bool:
            raise DataError(
                f"where() takes one True or False for each of the {len(scored)} faces, got "
                f"{chosen.dtype} of shape {tuple(chosen.shape)}"
            )
        return Report.of(
            scored.rows(chosen),
            bootstrap=self.record["resamples"],
            seed=self.record["bootstrap_seed"],
            by="auto" if self.record["resampled"] == "identity" else "image",
            groups=self.members,
            record={**self.record, "where": name},
        )

    def reliability(self, attribute: str | None = None, *, bins: int = 10) -> pd.DataFrame:
        """Does it happen as often as it says? A reliability diagram as a table, all runs together.

        Args:
            attribute: one attribute; None pools all.
            bins: bins of equal width over the probability.

        Returns:
            Columns ``low``, ``high``, ``faces``, ``probability`` (its mean), ``positives`` (share).
        """
        scored = self._predictions("draw a reliability diagram")
        names = scored.names
        column = slice(None) if attribute is None else _columns(names, [attribute])
        said = scored.probabilities[:, :, column]  # (S, N, k)
        truth = scored.labels[:, column].expand_as(said)
        return pd.DataFrame(reliability(said.flatten(), truth.flatten(), bins))

    def to_dict(self) -> dict[str, Any]:
        """One JSON-able object: ``mean``, ``attributes``, ``record`` (and ``groups`` if any).

        ``mean["accuracy"]`` is a number, ``mean["accuracy_low"]`` and ``mean["accuracy_high"]``
        its interval, ``mean["accuracy_count"]`` over how many attributes; the rows of
        ``attributes`` are alike. None stands for what is undefined.
        """
        support = {n: {"faces": f, "positives": p} for n, (f, p) in self.support.items()}
        whole = {
            "mean": to_row(self.mean),
            "attributes": {n: to_row(row, **support[n]) for n, row in self.attributes.items()},
            "record": self.record,
        }
        if self.groups:
            whole["groups"] = {
                name: to_row(row, attributes=list(self.members[name]))
                for name, row in self.groups.items()
            }
        return whole

    def save(self, path: str | os.PathLike, *, predictions: bool = True) -> Path:
        """Write one JSON file, whole or not at all.

        Args:
            path: the file.
            predictions: keep logits, labels and who-is-who codes, so that the loaded report can be
                compared: some 90 bytes a face, no picture, name or identity number.

        Raises:
            TrainingError: the disk is full or the folder cannot be written.
        """
        whole = {"format": "faceattr report", "version": FORMAT, **self.to_dict()}
        if predictions and self.scored is not None:
            whole["predictions"] = self.scored.pack()
        return write_atomically(path, json.dumps(whole, indent=1, allow_nan=False).encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> Report:
        """Read a file that :meth:`save` wrote.

        Raises:
            DataError: it is missing, torn, no report, or from a newer version.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"no report at {path}: report.save({str(path)!r}) writes one")
        try:
            whole = json.loads(path.read_text())
            if whole["format"] != "faceattr report":
                raise ValueError(f"format {whole['format']!r}")
            if whole["version"] > FORMAT:
                raise DataError(
                    f"{path} was written by a newer faceattr (report version {whole['version']}, "
                    f"this one reads up to {FORMAT}): pip install -U faceattr"
                )
            rows = whole["attributes"]
            packed = whole.get("predictions")
            groups = whole.get("groups", {})
            return cls(
                {name: from_row(row, SHOWN) for name, row in rows.items()},
                from_row(whole["mean"], SHOWN),
                {name: (row["faces"], row["positives"]) for name, row in rows.items()},
                whole["record"],
                groups={name: from_row(row, SHOWN) for name, row in groups.items()},
                members={name: row["attributes"] for name, row in groups.items()},
                scored=None if packed is None else Scored.unpack(tuple(rows), packed),
            )
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
            raise DataError(
                f"{path} is torn or no report ({type(error).__name__}: {error}): "
                "evaluate again and save"
            ) from error

    def _predictions(self, purpose: str) -> Scored:
        if self.scored is None:
            raise DataError(
                f"a report without predictions cannot {purpose}: save it with "
                "report.save(path, predictions=True), or evaluate again"
            )
        return self.scored

    def __repr__(self) -> str:
        accuracy, balanced = self.mean["accuracy"], self.mean["balanced_accuracy"]
        return (
            f"Report({self.record.get('faces')} faces, {len(self.attributes)} attributes: "
            f"accuracy {accuracy!r}, balanced {balanced!r})"
        )

    def _repr_html_(self) -> str:
        """A table in percent, the means first, each with its interval."""
        rows = {"Mean": self.mean, **{pretty(n): row for n, row in self.attributes.items()}}
        table = pd.DataFrame(
            {name: {m: v.percent() for m, v in rows[name].items()} for name in rows}
        )
        return table.T.rename(columns=lambda m: pretty(m).capitalize()).to_html(border=0)


def _columns(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Positions of attributes in a report."""
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UnknownNameError(
            f"no attribute {missing[0]!r} in this report: it has {', '.join(names)}"
        )
    return [names.index(name) for name in wanted]
