"""Figures of graphs of tasks, one beside another, every task in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.collections import LineCollection

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, GROUPS, pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled
from faceattr.taskgraph.circle import as_matrix, circle


@styled
def plot_graphs(
    graphs: Mapping[str, np.ndarray],
    *,
    names: Sequence[str] = ATTRIBUTES,
    groups: Mapping[str, Sequence[str]] = GROUPS,
    truth: np.ndarray | None = None,
    threshold: float = 0.1,
) -> Picture:
    """Draw graphs of the same tasks on circles, two in a row.

    See which edges stay inside a group, and where two graphs differ: no task moves. With a truth,
    solid green edges are in it and dashed orange ones are not.

    Args:
        graphs: heading to weights ``(M, M)``, tensors or arrays; their sizes count, signs do not.
        names: of the M tasks. groups: group to its members, for order and colours.
        truth: ``(M, M)`` bool, the edges that there are.
        threshold: edges weaker than this share of a graph's strongest are left out.

    Raises:
        DataError: no graph, one of other tasks, or weights that are not finite.
    """
    if not graphs:
        raise DataError("there is nothing to draw: give one graph at least")
    ring = circle(names, groups)
    count = len(ring.names)
    weights = {name: as_matrix(graph, count, name) for name, graph in graphs.items()}
    true = None if truth is None else as_matrix(truth, count, "truth") > 0
    rows = -(-len(weights) // 2)
    picture = Picture(theme.WIDTH, rows * 3.75)
    panels = picture.subplots(rows, min(2, len(weights)), squeeze=False).ravel()
    for axes in panels[len(weights) :]:
        axes.set_axis_off()
    said = []
    for axes, (name, weight) in zip(panels, weights.items(), strict=False):
        kept = np.triu(weight > threshold, 1)
        words = _edges(axes, ring, weight, kept, true)
        _tasks(axes, ring)
        axes.text(0, 1.8, f"{name}\n", fontsize=9, fontweight="bold", ha="center", va="center")
        axes.text(0, 1.72, words, fontsize=8.5, ha="center", va="center")
        said.append(f"{name}, {words}")
    picture.alt = (
        f"{len(weights)} graph{'s' * (len(weights) > 1)} of {count} tasks on circles, tasks of "
        f"{len(ring.groups)} groups side by side: {join(said)}."
    )
    return picture


def _edges(axes, ring, weight, kept, true) -> str:
    """Draw the edges that are kept; say how many, and how many of them are true."""
    ends = np.argwhere(kept)
    kinds = [(kept, theme.INK, "solid")]
    if true is not None:
        kinds = [(kept & ~true, theme.WRONG, (0, (3, 1.5))), (kept & true, theme.RIGHT, "solid")]
    for chosen, colour, line in kinds:
        pairs = np.argwhere(chosen)
        lines = [[(ring.x[i], ring.y[i]), (ring.x[j], ring.y[j])] for i, j in pairs]
        sizes = weight[tuple(pairs.T)]
        axes.add_collection(
            LineCollection(
                lines, colors=colour, linewidths=0.5 + 2 * sizes, linestyles=line,
                alpha=0.35 + 0.5 * sizes if len(sizes) else None, zorder=1,
            )
        )  # fmt: skip
    words = f"{len(ends)} edge{'s' * (len(ends) != 1)}"
    if true is None:
        return words
    return f"{words}, {int((kept & true).sum())} of {int(np.triu(true, 1).sum())} true"


def _tasks(axes, ring) -> None:
    """Dots in their groups' colours, names outside of them."""
    colours = [ring.colour(j) for j in range(len(ring.names))]
    axes.scatter(ring.x, ring.y, s=20, c=colours, edgecolors=theme.PAPER, linewidths=0.5, zorder=3)
    for j, name in enumerate(ring.names):
        left = 90 < ring.angle[j] < 270
        axes.text(
            1.07 * ring.x[j], 1.07 * ring.y[j], pretty(name), fontsize=5.6, color=colours[j],
            rotation=ring.angle[j] - 180 * left, rotation_mode="anchor", va="center",
            ha="right" if left else "left",
        )  # fmt: skip
    axes.set(xlim=(-1.8, 1.8), ylim=(-1.7, 1.95), aspect="equal")
    axes.set_axis_off()
