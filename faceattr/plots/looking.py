"""Figures about heat maps without faces: what a score goes with, and what moves an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled

_SCORES = {
    "pointing": "share of faces whose highest point hits",
    "energy": "share of positive heat inside",
    "box_iou": "IoU of the boxes",
}


@styled
def plot_score_over(
    report: pd.DataFrame,
    over: Mapping[str, float],
    groups: Mapping[str, Sequence[str]],
    *,
    label: str,
    score: str = "pointing",
    log: bool = False,
    line: tuple[float, str] | None = None,
    labelled: Sequence[str] = (),
    title: str | None = None,
) -> Picture:
    """Draw each attribute's score over something else, a stalk down to its better baseline.

    See that a dot may be high for a reason that has nothing to do with looking, and that the
    stalk says how much of it the model has earned. A dashed stalk rises to a baseline above it.

    Args:
        report: from :func:`faceattr.localization.localization_report`.
        over: attribute name to a number in [0, 1], such as its region's share of the picture.
        groups: kinds of attributes, name to attributes: one colour and mark each.
        label: of the horizontal axis.
        score: ``pointing``, ``energy`` or ``box_iou``.
        log: draw the horizontal axis on a log scale.
        line: a place on that axis and its name, drawn as a line.
        labelled: attributes whose names are written beside their dots.
        title: of the figure.

    Raises:
        DataError: no such score, or no attribute of the groups was scored.
    """
    scores = list(report.index.get_level_values(0).unique())
    if score not in scores:
        raise DataError(f"no score {score!r}: the report has {', '.join(scores)}")
    table = report.loc[score]
    known = {
        kind: [n for n in names if n in over and table["model"].notna().get(n, False)]
        for kind, names in groups.items()
    }
    every = [name for names in known.values() for name in names]
    if not every:
        raise DataError("there is nothing to draw: no attribute of these groups was scored")
    floor = table[["centre", "mean_map"]].max(axis=1)

    at = _spread({name: over[name] for name in every}) if log else over
    picture = Picture(theme.WIDTH, 4.3)
    axes = picture.subplots()
    for k, (kind, names) in enumerate(known.items()):
        colour = theme.SERIES[k % len(theme.SERIES)]
        for name in names:
            x, y, low = at[name], table.loc[name, "model"], floor[name]
            style = "-" if y >= low else (0, (2, 2))
            axes.vlines(x, low, y, color=colour, linewidth=1.1, alpha=0.55, linestyle=style)
        x, y = [at[name] for name in names], table.loc[names, "model"]
        axes.plot(x, floor[names], "_", color=theme.MUTED, markersize=7)
        axes.plot(x, y, "os^D"[k % 4], color=colour, markersize=5, label=f"{kind} ({len(names)})")
    axes.plot([], [], "_", color=theme.MUTED, markersize=7, label="better of both baselines")
    if line is not None:
        axes.axvline(line[0], color=theme.INK, linewidth=1, linestyle=":")
        axes.annotate(
            line[1], (line[0], 1), xycoords=("data", "axes fraction"), xytext=(3, -3),
            textcoords="offset points", va="top", fontsize=8, color=theme.MUTED,
        )  # fmt: skip
    if log:
        axes.set_xscale("log")
        ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1) if t >= 0.6 * min(over.values())]
        axes.set_xticks(ticks)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    axes.set_ylim(-0.04, 1.06)
    axes.set_xlabel(label)
    axes.set_ylabel(_SCORES.get(score, score))
    axes.set_title(title or "Score and baseline")
    _name(axes, {n: (at[n], table.loc[n, "model"]) for n in labelled if n in every})
    picture.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    means = [
        f"{kind}: {table.loc[names, 'model'].mean():.2f} against {floor[names].mean():.2f}"
        for kind, names in known.items()
        if names
    ]
    picture.alt = (
        f"Dots for {len(every)} attributes: {_SCORES.get(score, score)}, over {label}, each with "
        f"a stalk to its better baseline. Means of model and baseline by kind: {join(means)}."
    )
    return picture


def _spread(values: Mapping[str, float], apart: float = 1.03) -> dict[str, float]:
    """Numbers moved a little so that equal ones can be told apart on a log axis."""
    moved: dict[str, float] = {}
    for value in sorted(set(values.values())):
        equal = [name for name in values if values[name] == value]
        for k, name in enumerate(equal):
            moved[name] = value * apart ** (k - (len(equal) - 1) / 2)
    return moved


def _name(axes, places: Mapping[str, tuple[float, float]], size: float = 8) -> None:
    """Write names beside their places, each pushed up until it covers no other."""
    axes.get_xlim()  # settles the scale, so that data become pixels as they will be drawn
    taken: list[tuple[float, float, float]] = []  # left, right, bottom in points
    pixel = 72 / axes.figure.dpi
    for name, place in sorted(places.items(), key=lambda item: item[1][1]):
        x, y = axes.transData.transform(place) * pixel
        wide, up = 0.58 * size * len(name), 3.0
        while any(
            left < x + 5 + wide and x + 5 < right and abs(y + up - bottom) < 1.15 * size
            for left, right, bottom in taken
        ):
            up += 2
        taken.append((x + 5, x + 5 + wide, y + up))
        axes.annotate(
            pretty(name), place, xytext=(5, up), textcoords="offset points", fontsize=size
        )


@styled
def plot_effects(
    effects: pd.DataFrame,
    *,
    label: str = "change of the score, in its standard deviations",
    title: str = "What moves a score",
) -> Picture:
    """Draw how much switching one thing (rows) moves another's score (columns), as numbers.

    See whether the diagonal, where an attribute moves its own score, is the darkest of its
    column.

    Args:
        effects: switched attribute by row, score by column.
        label: what the numbers are.
        title: of the figure.

    Raises:
        DataError: nothing to draw.
    """
    if effects.empty:
        raise DataError("there is nothing to draw: the table of effects is empty")
    values = effects.to_numpy(dtype=float)
    rows, columns = values.shape
    reach = max(float(np.nanmax(np.abs(values))), 1e-9)
    picture = Picture(theme.WIDTH, 1.5 + 0.36 * rows)
    axes = picture.subplots()
    colours = axes.imshow(
        values, cmap=matplotlib.colormaps[theme.SIGNED], vmin=-reach, vmax=reach, aspect="auto"
    )
    for i in range(rows):
        for j in range(columns):
            own = effects.index[i] == effects.columns[j]
            strong = abs(values[i, j]) > 0.6 * reach
            axes.text(
                j, i, f"{values[i, j]:+.2f}", ha="center", va="center", fontsize=8.5,
                color="white" if strong else theme.INK, fontweight="bold" if own else "normal",
            )  # fmt: skip
    names = [pretty(name).replace(" ", "\n") for name in effects.columns]
    axes.set_xticks(range(columns), names, fontsize=8)
    axes.set_yticks(range(rows), [pretty(name) for name in effects.index], fontsize=8.5)
    axes.set_xlabel("score of")
    axes.set_ylabel("switched on")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = picture.colorbar(colours, ax=axes, shrink=0.9, aspect=18, pad=0.01)
    bar.set_label(label, fontsize=8)
    bar.outline.set_visible(False)
    axes.set_title(title)
    words = []
    for j, name in enumerate(effects.columns):
        top = effects.index[int(np.nanargmax(np.abs(values[:, j])))]
        words.append(f"{pretty(name)} by {pretty(top)}")
    picture.alt = (
        f"Table of {rows} switched attributes by {columns} scores: {label}. Each score is moved "
        f"most: {join(words)}."
    )
    return picture
