"""A figure of paired differences: what one network gains over another on each attribute."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, styled


@styled
def plot_gains(
    gains: pd.DataFrame,
    *,
    metric: str = "accuracy",
    printed: Mapping[str, float] | None = None,
    title: str = "What it gains, attribute by attribute",
) -> Picture:
    """Draw paired differences with their intervals, largest first, the mean apart at the bottom.

    See which intervals keep clear of zero, and how few attributes may carry a mean.

    Args:
        gains: one row an attribute and a last one ``mean``; columns ``metric``, ``metric_low``,
            ``metric_high``, shares (0.01 is a point).
        metric: the column to draw.
        printed: attribute name to the difference that a paper reports, drawn as grey marks.
        title: of the figure.

    Raises:
        DataError: a column is missing, or there is no attribute.
    """
    columns = [metric, f"{metric}_low", f"{metric}_high"]
    if missing := [column for column in columns if column not in gains]:
        raise DataError(f"no column {missing[0]!r}: the table has {', '.join(gains)}")
    rows = gains.drop(index="mean", errors="ignore").sort_values(metric, ascending=True)
    if rows.empty:
        raise DataError("there is nothing to draw: the table holds no attribute")
    order = [*(["mean"] if "mean" in gains.index else []), *rows.index]
    at = np.arange(len(order), dtype=float)
    at[0] -= 0.6 if order[0] == "mean" else 0
    value, low, high = (100 * gains.loc[order, c].to_numpy(dtype=float) for c in columns)
    picture = Picture(theme.WIDTH, 1.2 + 0.178 * len(order))
    axes = picture.subplots()
    clear = np.where(low > 0, 1, np.where(high < 0, -1, 0))
    kinds = {
        1: ("clearly above zero", "o", theme.SERIES[0]),
        0: ("cannot tell", "s", theme.SERIES[5]),
        -1: ("clearly below zero", "v", theme.SERIES[1]),
    }
    axes.axvline(0, color=theme.INK, linewidth=1)
    for kind, (words, mark, colour) in kinds.items():
        these = clear == kind
        axes.hlines(at[these], low[these], high[these], color=colour, linewidth=1.4, alpha=0.75)
        axes.plot(value[these], at[these], mark, color=colour, markersize=4.5, label=words)
    if printed:
        marks = [100 * printed.get(name, np.nan) for name in order]
        axes.plot(
            marks, at, "|", color=theme.MUTED, markersize=9, markeredgewidth=2, label="the paper's"
        )
    axes.set_yticks(at, [pretty(name) for name in order], fontsize=8.5)
    for tick, name in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_fontweight("bold" if name == "mean" else "normal")
    axes.set_ylim(at[0] - 0.7, at[-1] + 0.7)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"difference of {metric.replace('_', ' ')} in points, with 95% intervals")
    axes.set_title(title)
    picture.legend(loc="outside lower center", ncols=4)
    inside = clear[1:] if order[0] == "mean" else clear
    picture.alt = (
        f"Dots with intervals for {len(rows)} attributes: differences of "
        f"{metric.replace('_', ' ')}. {int((inside > 0).sum())} lie clearly above zero, "
        f"{int((inside < 0).sum())} clearly below. Largest: {pretty(rows.index[-1])}; smallest: "
        f"{pretty(rows.index[0])}."
    )
    if order[0] == "mean":
        picture.alt += f" The mean is {value[0]:+.2f} points [{low[0]:+.2f}, {high[0]:+.2f}]."
    return picture
