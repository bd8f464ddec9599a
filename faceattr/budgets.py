"""Results over numbers of labelled faces: curves, differences, and what their intervals say.

An experiment that hands out labels names its networks ``METHOD-COUNT``, such as ``groups-500``, and
collects their means and paired differences in one JSON file for each kind of faces.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from faceattr.errors import DataError
from faceattr.verdicts import points, verdict

_ENDS = {"value": "", "low": "_low", "high": "_high"}
_WORDS = {
    "yes": "clearly ahead",
    "no, the reverse": "clearly behind",
    "cannot tell": "not to be told apart",
}


@dataclass(frozen=True)
class Budgets:
    """Collected results of one experiment on several kinds of faces.

    Attributes:
        kinds: kind of faces to its results: ``record`` with ``budgets``, ``networks``,
            ``differences``, ``facts``.
    """

    kinds: dict[str, dict]

    @classmethod
    def read(cls, paths: Mapping[str, str | os.PathLike]) -> Budgets:
        """Read the files that are there.

        Args:
            paths: kind of faces to its file.

        Raises:
            DataError: none is there, or one is torn or of another experiment.
        """
        kinds = {}
        for kind, path in paths.items():
            if not Path(path).is_file():
                continue
            try:
                kinds[kind] = json.loads(Path(path).read_text())
                (
                    kinds[kind]["record"]["budgets"],
                    kinds[kind]["networks"],
                    kinds[kind]["differences"],
                )
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path} holds no results over numbers of labelled faces ({error!r}): collect "
                    "the experiment again"
                ) from error
        if not kinds:
            raise DataError(f"no results at {', '.join(map(str, paths.values()))}: collect them")
        return cls(kinds)

    def counts(self, kind: str) -> list[int]:
        """The numbers of labelled faces."""
        return self.kinds[kind]["record"]["budgets"]

    def mean(self, kind: str, name: str) -> dict | None:
        """Means of a network over attributes and seeds; None where it was not run."""
        return self.kinds[kind]["networks"].get(name, {}).get("mean")

    def difference(self, kind: str, first: str, rival: str, count: int) -> dict | None:
        """Mean difference of two methods at a number of faces; None where nobody compared them."""
        name = f"{first}-{count} - {rival}-{count}"
        return self.kinds[kind]["differences"].get(name, {}).get("mean")

    def majority(self) -> dict[str, float]:
        """Kind of faces to the accuracy of the majority label."""
        return {
            kind: next(iter(run["networks"].values()))["mean"]["majority_accuracy"]
            for kind, run in self.kinds.items()
        }

    def curves(self, methods: Mapping[str, str], metric: str = "accuracy") -> pd.DataFrame:
        """A metric over numbers of faces, for :func:`faceattr.plots.budgets.plot_budgets`.

        Args:
            methods: method to what it is called. metric: which.

        Returns:
            One row a point: ``where``, ``faces``, ``method``, ``value``, ``low``, ``high``.
        """
        return pd.DataFrame(
            self._point(kind, count, words, row, metric)
            for kind in self.kinds
            for method, words in methods.items()
            for count in self.counts(kind)
            if (row := self.mean(kind, f"{method}-{count}"))
        )

    def gains(
        self, first: str, rivals: Mapping[str, str], metric: str = "accuracy"
    ) -> pd.DataFrame:
        """Differences of one method to its rivals, as :meth:`curves` has a metric."""
        return pd.DataFrame(
            self._point(kind, count, words, row, metric)
            for kind in self.kinds
            for rival, words in rivals.items()
            for count in self.counts(kind)
            if (row := self.difference(kind, first, rival, count))
        )

    @staticmethod
    def _point(kind: str, count: int, words: str, row: Mapping, metric: str) -> dict:
        ends = {name: row[f"{metric}{end}"] for name, end in _ENDS.items()}
        return {"where": kind, "faces": count, "method": words, **ends}

    def compared(
        self, pairs: Mapping[str, tuple[str, str]], metrics: Sequence[str] = ("accuracy",)
    ) -> pd.DataFrame:
        """Verdicts on differences, as text: a row a number of faces, a column a pair and metric.

        Args:
            pairs: what a difference is called to first and second method.
            metrics: of each pair.
        """
        rows = {}
        for kind in self.kinds:
            for count in self.counts(kind):
                rows[kind, f"{count:,}"] = cells = {}
                for metric in metrics:
                    for words, (first, rival) in pairs.items():
                        row = self.difference(kind, first, rival, count)
                        cells[f"{metric.replace('_', ' ')}, {words}"] = (
                            f"{verdict(row, metric)}: {points(row, metric)}" if row else ""
                        )
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["faces", "labelled"])

    def answer(self, first: str, rival: str, metric: str = "accuracy") -> str:
        """Where the first is ahead of the second and where behind, in a line a kind of faces."""
        lines = []
        for kind in self.kinds:
            found: dict[str, list[str]] = {said: [] for said in _WORDS}
            for count in self.counts(kind):
                if row := self.difference(kind, first, rival, count):
                    found[verdict(row, metric)].append(f"{count:,}")
            parts = [f"{_WORDS[said]} at {', '.join(at)}" for said, at in found.items() if at]
            if parts:
                lines.append(f"- {kind}: {'; '.join(parts)} labelled faces")
        return "\n".join(lines)

    def answers(self, questions: Mapping[str, tuple[str, str]], metric: str = "accuracy") -> str:
        """:meth:`answer` for several pairs, each under what it is called, in Markdown."""
        return "\n\n".join(
            f"**{words}:**\n\n{self.answer(first, rival, metric)}"
            for words, (first, rival) in questions.items()
        )
