"""What training did, as a table: one row an epoch."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from faceattr.checkpoint import read_checkpoint, write_atomically
from faceattr.errors import DataError, TrainingError


class History:
    """One row an epoch: every loss, every metric, learning rate, seconds, images per second.

    Args:
        rows: dictionaries with ``epoch`` (from 1), ``loss`` (the sum), each loss by its name,
            metrics of the validation faces as ``valid_...``, ``lr`` (of the last step),
            ``seconds`` (the whole epoch) and ``images_per_second`` (training alone).
        record: how the run came about, see :func:`faceattr.record.run_record`.
    """

    def __init__(self, rows: Iterable[Mapping] = (), record: Mapping | None = None):
        self.rows: list[dict] = [dict(row) for row in rows]
        self.record: dict = dict(record or {})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[float]:
        """One column; NaN in epochs that do not have it.

        Raises:
            TrainingError: no epoch has it; the message lists the columns.
        """
        if not any(name in row for row in self.rows):
            raise TrainingError(
                f"no column {name!r} in the history: choose one of {', '.join(self.columns)}"
                if self.rows
                else f"no column {name!r}: the history is empty"
            )
        return [row.get(name, math.nan) for row in self.rows]

    @property
    def columns(self) -> list[str]:
        """Names of all columns, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def best(self, metric: str, mode: str = "auto") -> dict:
        """The row in which a column was best; see :func:`sign` for ``mode``. NaN is never best."""
        values = [sign(metric, mode) * v for v in self[metric]]
        ranked = [-math.inf if math.isnan(v) else v for v in values]
        return self.rows[max(range(len(ranked)), key=ranked.__getitem__)]

    def frame(self) -> pd.DataFrame:
        """The table, indexed by epoch."""
        table = pd.DataFrame(self.rows, columns=self.columns or ["epoch", "loss"])
        return table.set_index("epoch")

    def save(self, path: str | os.PathLike) -> Path:
        """Write the table as CSV, whole or not at all (the record stays in the checkpoints)."""
        return write_atomically(path, self.frame().to_csv().encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> History:
        """Read a CSV that :meth:`save` wrote, or the history inside a checkpoint or its folder.

        Raises:
            DataError: the file is missing or is no history. CheckpointError: a torn checkpoint.
        """
        path = Path(path)
        if path.is_dir() and (path / "last.safetensors").is_file():
            path = path / "last.safetensors"
        if path.is_dir() or path.suffix == ".safetensors":
            header = read_checkpoint(path)[1]
            return cls(header["history"] or (), header["record"])
        try:
            with open(path, newline="", encoding="utf-8") as file:
                table = list(csv.DictReader(file))
            rows = [{name: _number(text) for name, text in row.items() if text} for row in table]
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"cannot read the history {path} ({error}): give a CSV that History.save wrote"
            ) from error
        if not all("epoch" in row for row in rows):
            raise DataError(f"{path} has no column 'epoch': give a CSV that History.save wrote")
        return cls(rows)

    def __repr__(self) -> str:
        if not self.rows:
            return "History(no epoch yet)"
        last = self.rows[-1]
        shown = ", ".join(f"{name}={value:.4g}" for name, value in last.items() if name != "epoch")
        return f"History({len(self)} epochs; last: {shown})"

    def _repr_html_(self) -> str:
        seconds = sum(row.get("seconds", 0.0) for row in self.rows)
        table = self.frame().to_html(max_rows=12, border=0, float_format="{:.4g}".format)
        return f"<p>{len(self)} epochs in {seconds:.3g} s</p>{table}"


def sign(metric: str, mode: str = "auto") -> int:
    """1 where larger is better, -1 where smaller is.

    ``mode`` is ``max``, ``min`` or ``auto``: names ending in ``loss`` or ``error`` fall, all
    others rise.

    Raises:
        TrainingError: another mode.
    """
    if mode not in ("auto", "max", "min"):
        raise TrainingError(f"unknown mode {mode!r}: choose max, min or auto")
    if mode == "auto":
        mode = "min" if metric.endswith(("loss", "error")) else "max"
    return 1 if mode == "max" else -1


def _number(text: str) -> float:
    value = float(text)
    return int(value) if text.isdigit() else value
