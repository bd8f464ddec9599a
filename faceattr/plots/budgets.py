"""Figures over the number of labelled faces, and over the weights of penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from faceattr import theme
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled
from faceattr.sweep import check_table

_MARKS = "os^Dvp"
#: Columns of a table of curves, beside what they are drawn over.
CURVE = ("method", "value", "low", "high")


@styled
def plot_budgets(
    frame: pd.DataFrame,
    *,
    label: str = "mean accuracy",
    percent: bool = True,
    references: Mapping[str, float | Mapping[str, float]] | None = None,
    axis: str = "labelled faces",
    bars: str | None = "95% intervals",
    title: str | None = None,
) -> Picture:
    """Draw curves with intervals over the number of labelled faces, a series a method.

    See where the curves part, and whether they part more on the left, where labels are few.

    Args:
        frame: one row for each number and method: columns ``faces``, ``method``, ``value``,
            ``low``, ``high``; and ``where``, a panel each, if there is more than one.
        label: what the values are.
        percent: they are shares (differences of shares are drawn in points, around zero).
        references: words to the height of a dashed line, in every panel, or to panel and height.
        axis: what the faces are.
        bars: what ``low`` and ``high`` are, for the alt text; None where they are the value.
        title: of the figure.

    Raises:
        DataError: a column is missing, there is no row, or a number of faces is not above 0.
    """
    check_table(frame, ("faces", *CURVE), what="the table of budgets")
    if not (frame["faces"] > 0).all():
        raise DataError("a number of labelled faces is not above 0: it has no place on this axis")
    panels = list(dict.fromkeys(frame["where"])) if "where" in frame else [""]
    picture = Picture(theme.WIDTH, 3.5 + (0.2 if title else 0))
    drawn = picture.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    said = []
    for axes, where in zip(drawn, panels, strict=True):
        rows = frame[frame["where"] == where] if where else frame
        told = _curves(axes, rows, "faces", percent)
        said.append((f"{where}: " if where else "") + "; ".join(told))
        axes.set_xscale("log")
        at = sorted(rows["faces"].unique())
        axes.set_xticks(at, [f"{int(v):,}" for v in at], fontsize=8)
        axes.minorticks_off()
        axes.set_xlabel(axis)
        axes.set_title(where, fontsize=9.5)
    _finish(
        picture, dict(zip(panels, drawn, strict=True)), frame, label, percent, references, title
    )
    picture.alt = f"{_curves_with(bars)}, {label} over {axis}. {'. '.join(said)}."
    return picture


@styled
def plot_settings(
    frame: pd.DataFrame,
    *,
    label: str = "mean accuracy",
    percent: bool = True,
    references: Mapping[str, float | Mapping[str, float]] | None = None,
    chosen: Mapping[str, float] | None = None,
    bars: str | None = "95% intervals",
    title: str | None = None,
) -> Picture:
    """Draw Figure 7: a metric over each weight of a penalty, a panel a weight.

    See how wide the range is in which the curve is flat.

    Args:
        frame: one row a point: columns ``setting`` (such as ``gamma``), ``at``, ``method``,
            ``value``, ``low``, ``high``.
        label, percent, references, bars, title: as :func:`plot_budgets`.
        chosen: setting to the value that the paper takes, marked with a line.

    Raises:
        DataError: a column is missing, there is no row, or a setting is not above 0.
    """
    check_table(frame, ("setting", "at", *CURVE), what="the table of settings")
    if not (frame["at"] > 0).all():
        raise DataError("a setting is not above 0: it has no place on this axis")
    settings = list(dict.fromkeys(frame["setting"]))
    picture = Picture(theme.WIDTH, 3.2 + (0.2 if title else 0))
    drawn = picture.subplots(1, len(settings), squeeze=False, sharey=True)[0]
    said = []
    for axes, setting in zip(drawn, settings, strict=True):
        rows = frame[frame["setting"] == setting]
        said.append(f"{setting}: {'; '.join(_curves(axes, rows, 'at', percent))}")
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xlabel(setting)
        if setting in (chosen or {}):
            axes.axvline(chosen[setting], color=theme.MUTED, linewidth=1, linestyle=":", zorder=1)
            axes.annotate(
                "the paper's", (chosen[setting], 0.02), xycoords=("data", "axes fraction"),
                rotation=90, fontsize=7.5, color=theme.MUTED, ha="right", va="bottom",
            )  # fmt: skip
    _finish(
        picture, dict(zip(settings, drawn, strict=True)), frame, label, percent, references, title
    )
    picture.alt = f"{_curves_with(bars)}, {label}. {'. '.join(said)}."
    return picture


def _curves(axes, rows: pd.DataFrame, over: str, percent: bool) -> list[str]:
    """One series a method; what its ends are, in words."""
    scale, said = 100 if percent else 1, []
    methods = list(dict.fromkeys(rows["method"]))
    for k, method in enumerate(methods):
        part = rows[rows["method"] == method].sort_values(over)
        aside = 1.03 ** (k - (len(methods) - 1) / 2)  # so that intervals do not cover each other
        x, colour = part[over].to_numpy(float) * aside, theme.SERIES[k % 6]
        value, low, high = (scale * part[c].to_numpy(float) for c in ("value", "low", "high"))
        axes.vlines(x, low, high, color=colour, linewidth=1.4, alpha=0.6)
        line = "-" if k < 6 else "--"
        axes.plot(x, value, _MARKS[k % 6] + line, color=colour, label=method, markersize=4.5)
        ends = [f"{v:.1f} at {n:g}" if percent else f"{v:.2f} at {n:g}"
                for v, n in zip(value, part[over], strict=True)]  # fmt: skip
        said.append(f"{method} {ends[0]}" + (f", {ends[-1]}" if len(ends) > 1 else ""))
    return said


def _finish(picture, panels: Mapping, frame, label, percent, references, title) -> None:
    """Lines to compare with, words, one legend."""
    for panel, axes in panels.items():
        if (frame["low"] < 0).any():
            axes.axhline(0, color=theme.INK, linewidth=1, zorder=1)
        for words, height in (references or {}).items():
            height = height.get(panel) if isinstance(height, Mapping) else height
            if height is None:
                continue
            height = 100 * height if percent else height
            axes.axhline(height, color=theme.MUTED, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
            axes.annotate(
                words, (0.99, height), xycoords=("axes fraction", "data"), xytext=(0, 2),
                textcoords="offset points", ha="right", fontsize=7.5, color=theme.MUTED,
            )  # fmt: skip
        axes.grid(axis="x", visible=False)
    unit = ", points" if (frame["low"] < 0).any() else ", %"
    drawn = list(panels.values())
    drawn[0].set_ylabel(label + (unit if percent else ""))
    found = {}
    for axes in drawn:
        found |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    widest = 0.085 * max(map(len, found)) + 0.6  # inches that an entry takes
    picture.legend(
        found.values(), found.keys(), loc="outside lower center",
        ncols=max(1, min(4, len(found), int(theme.WIDTH / widest))),
    )  # fmt: skip
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")


def _curves_with(bars: str | None) -> str:
    return "Curves" if bars is None else f"Curves with {bars}"


@styled
def plot_roc(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    levels: Sequence[float] = (1e-3, 1e-2),
    title: str = "Is this one person?",
) -> Picture:
    """Draw ROC curves: pairs of one person accepted, over pairs of two people accepted.

    See who accepts more at the left, where false alarms are rare; the axis is logarithmic there.

    Args:
        curves: words to ``far`` and ``tar``, ``(K,)`` each, ascending.
        levels: false accept rates that are marked.
        title: of the figure.

    Raises:
        DataError: no curve, or one that is empty, whose parts differ in length or leave [0, 1], or
            whose far falls.
    """
    if not curves:
        raise DataError("there is nothing to draw: give one curve at least")
    picture = Picture(theme.WIDTH, 3.9)
    axes = picture.subplots()
    lines, told = ("-", "--", ":", "-."), []
    least = 1e-3
    for k, (words, curve) in enumerate(curves.items()):
        far, tar = (np.asarray(curve.get(part, ()), dtype=float) for part in ("far", "tar"))
        shares = (
            far.shape == tar.shape and ((far >= 0) & (far <= 1) & (tar >= 0) & (tar <= 1)).all()
        )
        if not (shares and far.size and (np.diff(far) >= 0).all()):
            raise DataError(
                f"the curve of {words!r} is none: give far and tar, shares, as many, far ascending"
            )
        begin = tar[far <= least].max(initial=0)  # of a curve that jumps over the left end
        axes.step(
            [least, *far[far > least]], 100 * np.append(begin, tar[far > least]), where="post",
            color=theme.SERIES[k % 6], label=words,
            linestyle=lines[k // 6 % 4] if len(curves) > 6 else "-",
        )  # fmt: skip
        at = [f"{100 * tar[far <= level].max(initial=0):.1f}% at {level:g}" for level in levels]
        told.append(f"{words}: {join(at)}")
    chance = np.geomspace(least, 1, 50)
    axes.plot(chance, 100 * chance, color=theme.MUTED, linewidth=1, linestyle=":", label="chance")
    for level in levels:
        axes.axvline(level, color=theme.GRID, linewidth=1.2, zorder=0)
    axes.set_xscale("log")
    axes.set(xlim=(least, 1), ylim=(0, 101), xlabel="false accept rate",
             ylabel="true accept rate, %")  # fmt: skip
    axes.set_title(title)
    picture.legend(loc="outside right upper", fontsize=8)
    picture.alt = (
        f"{len(curves)} ROC curves, true accept rate over false accept rate. {'; '.join(told)}."
    )
    return picture
