"""A sweep over lambda as a table, and the axis on which such a table is drawn."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from faceattr.errors import DataError

#: Columns of a sweep in long form: one row for each lambda, test set and metric.
SWEEP = ("lambda", "where", "metric", "value", "low", "high")


def check_table(frame: pd.DataFrame, columns: Iterable[str], *, what: str) -> None:
    """Refuse a table that lacks a column or a row.

    Args:
        frame: the table.
        columns: those it must have.
        what: what the table is called in the message.

    Raises:
        DataError: a column is missing, or there is no row.
    """
    if missing := [column for column in columns if column not in frame]:
        raise DataError(f"no column {missing[0]!r} in {what}: it has {', '.join(map(str, frame))}")
    if frame.empty:
        raise DataError(f"there is nothing to draw: {what} has no row")


def lambda_axis(values: Iterable[float], *, gap: float = 0.75) -> dict[float, float]:
    """Where each lambda stands: at its decimal logarithm, and zero at a place of its own.

    Zero has no logarithm. It stands ``gap`` decades left of the smallest other value, and the
    axis must be drawn broken there.

    Args:
        values: lambdas, in any order, with repetitions.
        gap: decades between zero and the smallest value above it.

    Returns:
        lambda to its place, ascending.

    Raises:
        DataError: no value, or one that is negative or not a number.
    """
    known = sorted({float(value) for value in values})
    if not known or not np.isfinite(known).all() or known[0] < 0:
        raise DataError(f"lambdas {known}: give one at least, none of them below zero")
    above = [value for value in known if value > 0]
    zero = np.log10(above[0]) - gap if above else 0.0
    return {value: float(np.log10(value)) if value else float(zero) for value in known}
