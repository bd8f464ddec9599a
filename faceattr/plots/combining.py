"""Figures of the layers that combine PaW's subnets: region switch and attribute relation."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.ticker import NullLocator

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.errors import DataError
from faceattr.optional import require
from faceattr.plots.looking import _name as write_names
from faceattr.plots.picture import Picture, styled


def part_and_whole(switch) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each attribute's own part, and of the whole image: ``(S, M)`` each.

    Args:
        switch: ``(S, M + 1, M)`` region switch weights of S seeds, row 0 the whole image.

    Raises:
        DataError: another shape.
    """
    weights = np.asarray(switch, dtype=float)
    if weights.ndim != 3 or weights.shape[1] != weights.shape[2] + 1:
        raise DataError(
            f"switch weights of shape {weights.shape}: give (seeds, M + 1, M), the whole image in "
            "row 0 and a part for each attribute below it"
        )
    return weights[:, 1:].diagonal(axis1=1, axis2=2), weights[:, 0]


@styled
def plot_part_and_whole(
    switch,
    *,
    names: Sequence[str] = ATTRIBUTES,
    order: Sequence[int] | None = None,
    title: str = "Whom does each attribute listen to?",
) -> Picture:
    """Draw PaW's Figure 5: for each attribute the weight of its part and of the whole image.

    See where the blue bar is longer, and whether the whiskers, lowest and highest seed, let you
    say so.

    Args:
        switch: ``(S, M + 1, M)`` weights of S seeds, row 0 the whole image.
        names: the M attribute names.
        order: rows from the top; by default from the largest part weight to the smallest.
        title: of the figure.

    Raises:
        DataError: another shape.
    """
    part, whole = part_and_whole(switch)
    order = list(np.argsort(-part.mean(0), kind="stable") if order is None else order)
    picture = Picture(theme.WIDTH, 1.2 + 0.2 * len(order))
    axes = picture.subplots()
    at = np.arange(len(order))[::-1]
    for k, (label, values) in enumerate({"its own part": part, "whole image": whole}.items()):
        y = at + 0.2 - 0.4 * k
        chosen = values[:, order]
        axes.barh(
            y, chosen.mean(0), height=0.38, color=theme.SERIES[k], label=label,
            hatch=None if k == 0 else "////", edgecolor=theme.PAPER, linewidth=0,
        )  # fmt: skip
        if len(chosen) > 1:
            axes.hlines(y, chosen.min(0), chosen.max(0), color=theme.INK, linewidth=0.9)
    equal = 1 / (len(names) + 1)
    axes.axvline(equal, color=theme.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        "all equal", (equal, 1), xycoords=("data", "axes fraction"), xytext=(3, 2),
        textcoords="offset points", fontsize=8, color=theme.MUTED,
    )  # fmt: skip
    axes.set_yticks(at, [pretty(names[j]) for j in order], fontsize=8.5)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"weight in the region switch layer, mean over {len(part)} seed(s)")
    axes.set_title(title, pad=14)
    picture.legend(loc="outside upper right", ncols=2)
    ahead = int((part.mean(0) > whole.mean(0)).sum())
    gap = part.mean(0) - whole.mean(0)
    most, least = pretty(names[int(gap.argmax())]), pretty(names[int(gap.argmin())])
    picture.alt = (
        f"Two bars for each of {len(order)} attributes: the weight of its part (mean "
        f"{part.mean():.3f}) and of the whole image (mean {whole.mean():.3f}). The part's is the "
        f"larger one for {ahead}; most in favour of the part is {most}, of the whole {least}."
    )
    return picture


@styled
def plot_weight_over_region(
    values,
    share: Sequence[float],
    *,
    names: Sequence[str] = ATTRIBUTES,
    labelled: Sequence[str] = (),
    label: str = "weight of the part minus weight of the whole",
    title: str = "Do small regions favour the part?",
) -> Picture:
    """Draw something of each attribute over the size of its true region, a whisker over seeds.

    Args:
        values: ``(S, M)``, one row a seed.
        share: ``(M,)`` the region's share of the face, in (0, 1]; NaN where it has none.
        names: the M attribute names.
        labelled: attributes whose names are written beside their dots.
        label: what the values are.
        title: of the figure.

    Raises:
        DataError: shapes that do not fit, or fewer than three regions.
    """
    values, share = np.atleast_2d(np.asarray(values, dtype=float)), np.asarray(share, dtype=float)
    if values.shape[1:] != share.shape or len(names) != len(share):
        raise DataError(
            f"values {values.shape}, regions {share.shape} and {len(names)} names: give (S, M), "
            "(M,) and M"
        )
    known = np.isfinite(share) & (share > 0) & np.isfinite(values).all(0)
    if known.sum() < 3:
        raise DataError(f"only {known.sum()} attributes have a region: nothing to correlate")
    mean, x = values.mean(0), np.where(known, share, np.nan)
    picture = Picture(theme.WIDTH, 3.7)
    axes = picture.subplots()
    axes.axhline(0, color=theme.MUTED, linewidth=1)
    if len(values) > 1:
        axes.vlines(x, values.min(0), values.max(0), color=theme.SERIES[0], alpha=0.45, lw=1.3)
    axes.plot(x, mean, "o", color=theme.SERIES[0], markersize=5)
    axes.set_xscale("log")
    axes.set_xticks([t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if t >= 0.6 * np.nanmin(x)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    axes.set_xlabel("true region's share of the face's box")
    axes.set_ylabel(label, fontsize=8.5)
    axes.set_title(title)
    left, right = axes.get_xlim()
    axes.set_xlim(left, right * (right / left) ** 0.12)  # room for the names of large regions
    places = {
        name: (x[list(names).index(name)], mean[list(names).index(name)]) for name in labelled
    }
    write_names(axes, {name: place for name, place in places.items() if np.isfinite(place[0])})
    stats = require("scipy.stats", purpose="figures with a rank correlation")
    rank = stats.spearmanr(mean[known], share[known]).statistic
    picture.alt = (
        f"Dots for {known.sum()} attributes: {label}, over the true region's share of the face's "
        f"box. Spearman's rank correlation is {rank:+.2f}."
    )
    return picture


@styled
def plot_relation(
    relation,
    correlation,
    *,
    names: Sequence[str] = ATTRIBUTES,
    order: Sequence[int] | None = None,
    title: str = "What the relation layer learned, and what the labels say",
) -> Picture:
    """Draw PaW's Figure 6 beside the correlation of labels, diagonals left out.

    See whether the same blocks stand in both, and whether the left one is as symmetric as the
    right one.

    Args:
        relation: ``(M, M)`` weights: row j is an output, column k what it listens to.
        correlation: ``(M, M)`` phi of the labels.
        names: the M attribute names.
        order: of rows and columns; by default as they come.
        title: of the figure.

    Raises:
        DataError: not two matrices of M x M.
    """
    count = len(names)
    pair = [np.array(m, dtype=float) for m in (relation, correlation)]
    if any(m.shape != (count, count) for m in pair):
        raise DataError(
            f"matrices of shapes {pair[0].shape} and {pair[1].shape} for {count} names: give two "
            f"of {count} x {count}"
        )
    order = list(range(count) if order is None else order)
    picture = Picture(theme.WIDTH, 0.9 + 0.128 * count)
    panels = picture.subplots(1, 2, sharey=True)
    texts = ("weight: row listens to column", "label correlation (phi)")
    for axes, matrix, text in zip(panels, pair, texts, strict=True):
        shown = matrix[np.ix_(order, order)]
        np.fill_diagonal(shown, np.nan)
        reach = float(np.nanquantile(np.abs(shown), 0.995)) or 1.0
        colours = matplotlib.colormaps[theme.SIGNED].with_extremes(bad=theme.GRID)
        image = axes.imshow(shown, cmap=colours, vmin=-reach, vmax=reach, aspect="auto")
        axes.set_title(text, fontsize=9)
        axes.set_xticks([])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        bar = picture.colorbar(image, ax=axes, location="bottom", shrink=0.8, aspect=30, pad=0.02)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
    panels[0].set_yticks(range(count), [pretty(names[j]) for j in order], fontsize=7)
    picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    off = ~np.eye(count, dtype=bool)
    weights, labels = (m[off] for m in pair)
    top, low = (divmod(int(p), count) for p in _extremes(pair[0], off))
    picture.alt = (
        f"Two matrices of {count} by {count} attributes in one order: weights of the relation "
        f"layer, and correlations of labels. Off the diagonal they correlate by "
        f"{np.corrcoef(weights, labels)[0, 1]:+.2f}. The largest weight is that of "
        f"{pretty(names[top[1]])} for {pretty(names[top[0]])} ({pair[0][top]:+.3f}), the smallest "
        f"that of {pretty(names[low[1]])} for {pretty(names[low[0]])} ({pair[0][low]:+.3f})."
    )
    return picture


def _extremes(matrix: np.ndarray, where: np.ndarray) -> tuple[int, int]:
    """Flat places of the highest and the lowest entry among those ``where`` is true."""
    return (
        int(np.where(where, matrix, -np.inf).argmax()),
        int(np.where(where, matrix, np.inf).argmin()),
    )
