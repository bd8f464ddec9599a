"""Figures of labels: how frequent, how they go together, how stable within a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from torch import Tensor

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.clusters import cluster_order
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_prevalence(
    prevalence: Tensor | Mapping[str, Tensor],
    *,
    names: Sequence[str] = ATTRIBUTES,
    title: str = "How many faces carry each attribute",
) -> Picture:
    """Draw one row an attribute, rarest at the bottom; see how few are near a half.

    Args:
        prevalence: ``(M,)`` shares in [0, 1], or several sources by name
            (``{"CelebA": ..., "SynthFaces": ...}``): the first is a bar, the others are marks.
        names: the M attribute names.
        title: of the figure.
    """
    picture, (values, *_) = _rows(prevalence, names, title, "share of faces", percent=True)
    rare = int((values < 0.1).sum())
    picture.alt += f" {rare} of {len(names)} attributes are on fewer than one face in ten."
    return picture


@styled
def plot_agreement(
    agreement: Tensor | Mapping[str, Tensor],
    *,
    names: Sequence[str] = ATTRIBUTES,
    title: str = "How far two pictures of one person share a label",
) -> Picture:
    """Draw within-person agreement, one row an attribute; see what belongs to the person.

    Args:
        agreement: ``(M,)`` intra-class correlations (1: always the same label on all pictures of
            a person, 0: no more alike than two strangers), or several sources by name.
        names: the M attribute names.
        title: of the figure.
    """
    return _rows(agreement, names, title, "within-person agreement (intra-class correlation)")[0]


@styled
def plot_correlation(
    correlation: Tensor | Mapping[str, Tensor],
    *,
    names: Sequence[str] = ATTRIBUTES,
    order: Sequence[int] | None = None,
    title: str = "Which attributes go together",
) -> Picture:
    """Draw the correlation of every pair; see the blocks: beards, make-up, age, hair.

    Args:
        correlation: ``(M, M)`` in [-1, 1], or two sources by name: the first fills the lower
            left triangle, the second the upper right one, so that equal sources look symmetric.
        names: the M attribute names.
        order: rows and columns in this order; by default :func:`cluster_order` of the first.
        title: of the figure.

    Raises:
        DataError: more than two sources, or not ``(M, M)``.
    """
    sources = _named(correlation)
    matrices = list(sources.values())
    if len(matrices) > 2 or any(m.shape != (len(names), len(names)) for m in matrices):
        raise DataError(
            f"a correlation figure takes one or two matrices of {len(names)} x {len(names)}, "
            f"got {', '.join(str(m.shape) for m in matrices)}"
        )
    order = list(cluster_order(matrices[0]) if order is None else order)
    first, second = (m[np.ix_(order, order)] for m in (matrices[0], matrices[-1]))
    shown = np.tril(first, -1) + np.triu(second, 1)
    np.fill_diagonal(shown, np.nan)

    picture = Picture(theme.WIDTH, theme.WIDTH)
    axes = picture.subplots()
    steps = matplotlib.colormaps[theme.SIGNED].resampled(41)  # a colour for each 0.05
    colours = axes.imshow(shown, cmap=steps, vmin=-1, vmax=1)
    labels = [pretty(names[j]) for j in order]
    axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=7.2)
    axes.set_yticks(range(len(names)), labels, fontsize=7.2)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = picture.colorbar(colours, ax=axes, location="bottom", shrink=0.45, aspect=30, pad=0.01)
    bar.set_label("correlation of labels (phi)")
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)
    which = list(sources)
    if len(which) == 2:
        title = f"{title}\n{which[0]} (lower left), {which[1]} (upper right)"
    axes.set_title(title)
    picture.alt = f"Matrix of {len(names)} by {len(names)} attributes. {_extremes(first, labels)}"
    if len(which) == 2:
        gap = np.abs(first - second)[np.triu_indices(len(names), 1)]
        picture.alt += (
            f" {join(which)} differ by {gap.mean():.2f} on average, {gap.max():.2f} at most."
        )
    return picture


def _extremes(matrix: np.ndarray, labels: list[str]) -> str:
    rows, columns = np.triu_indices(len(labels), 1)
    pairs = matrix[rows, columns]
    high, low = np.nanargmax(pairs), np.nanargmin(pairs)
    words = [f"{labels[rows[k]]} and {labels[columns[k]]} ({pairs[k]:+.2f})" for k in (high, low)]
    return f"Highest correlation: {words[0]}; lowest: {words[1]}."


def _named(values) -> dict[str, np.ndarray]:
    sources = values if isinstance(values, Mapping) else {"": values}
    return {name: np.asarray(value, dtype=float) for name, value in sources.items()}


def _rows(values, names, title, label, percent=False) -> tuple[Picture, list[np.ndarray]]:
    """One row an attribute, sorted by the first source: a bar, then marks for the others."""
    sources = _named(values)
    columns = list(sources.values())
    if any(column.shape != (len(names),) for column in columns):
        raise DataError(
            f"one value for each of {len(names)} attributes is needed, got "
            f"{', '.join(str(column.shape) for column in columns)}"
        )
    order = np.argsort(np.nan_to_num(columns[0], nan=-1), kind="stable")
    picture = Picture(theme.WIDTH, 1.1 + 0.178 * len(names))
    axes = picture.subplots()
    at = np.arange(len(names))
    for k, (source, column) in enumerate(sources.items()):
        if k == 0:
            axes.barh(at, column[order], height=0.66, color=theme.SERIES[0], label=source)
            continue
        marker, colour = "Ds^v"[(k - 1) % 4], theme.SERIES[k % len(theme.SERIES)]
        axes.plot(
            column[order], at, marker, color=colour, markeredgecolor=theme.PAPER, label=source
        )
    axes.set_yticks(at, [pretty(names[j]) for j in order], fontsize=8.5)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(label)
    axes.set_title(title)
    if percent:
        axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
        axes.set_xlim(0, 1)
    if len(sources) > 1:
        axes.legend(loc="lower right")
    first = columns[0][order]
    form = "{:.0%}" if percent else "{:.2f}"
    low, high = (f"{pretty(names[order[k]])} ({form.format(first[k])})" for k in (0, -1))
    picture.alt = f"Bars, one for each of {len(names)} attributes: {label}, from {low} to {high}."
    if len(sources) > 1:
        gaps = [np.nanmax(np.abs(column - columns[0])) for column in columns[1:]]
        each = zip(list(sources)[1:], gaps, strict=True)
        words = [f"{name} differs by at most {form.format(gap)}" for name, gap in each]
        picture.alt += f" The bars are {list(sources)[0]}'s; {join(words)}."
    return picture, columns
