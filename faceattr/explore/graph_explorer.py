"""The graph explorer: which attributes does a graph of tasks join, at which threshold?"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, GROUPS, pretty
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, widgets
from faceattr.explore.graph_chart import graph_chart
from faceattr.taskgraph import clusters
from faceattr.taskgraph.circle import Circle, as_matrix, circle

#: Thresholds of the slider: percent of a graph's strongest edge.
STEPS = range(0, 100, 5)


@dataclass
class Graphs:
    """What both forms of the explorer show.

    Attributes:
        weights: graph to ``(M, M)`` sizes of its edges, as shares of its largest.
        ring: places of the tasks.
        truth: ``(M, M)`` bool, or None.
    """

    weights: dict[str, np.ndarray]
    ring: Circle
    truth: np.ndarray | None

    def kept(self, graph: str, percent: int) -> np.ndarray:
        """Edges above a threshold, ``(M, M)`` bool."""
        return self.weights[graph] > percent / 100

    def sentence(self, graph: str, percent: int) -> str:
        """How many edges, in how many parts; in a second line how many of them are true."""
        kept = self.kept(graph, percent)
        count = int(kept.sum()) // 2
        parts = len(self.parts(graph, percent))
        words = (
            f"{count} edge{'s' * (count != 1)} above {percent}% of the strongest, "
            f"{parts} cluster{'s' * (parts != 1)} of two or more"
        )
        if self.truth is None:
            return words
        hits, there = int((kept & self.truth).sum()) // 2, int(self.truth.sum()) // 2
        precision = f"precision {hits / count:.0%}" if count else "precision undefined"
        recall = f"recall {hits / there:.0%}" if there else "recall undefined"
        return f"{words}\n{hits} of the {there} true edges among them: {precision}, {recall}"

    def parts(self, graph: str, percent: int) -> list[list[str]]:
        """Clusters of two tasks or more, the largest first."""
        joined = torch.from_numpy(self.kept(graph, percent))
        return [part for part in clusters(joined, self.ring.names) if len(part) > 1]


def graph_explorer(
    graphs: Mapping[str, np.ndarray],
    *,
    truth: np.ndarray | None = None,
    names: Sequence[str] = ATTRIBUTES,
    groups: Mapping[str, Sequence[str]] = GROUPS,
    start: str | None = None,
    threshold: int = 10,
    form: str = "auto",
):
    """Choose a graph and a threshold; see its edges come and go while every task stays in place.

    Tasks stand on a circle, group by group. Point at one to see its own edges alone. With a truth,
    edges that are in it are solid and green, others dashed and orange.

    Args:
        graphs: words to weights ``(M, M)``, arrays or tensors, such as the labels' own graph and
            those of several steps; sizes count, signs do not.
        truth: ``(M, M)`` bool, the edges that there are.
        names: of the M tasks. groups: group to its members.
        start: the graph shown first; the first one by default.
        threshold: shown first, in percent of a graph's strongest edge: a multiple of 5 below 100.
            The paper drops what is below 0.1.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: no graph, one of other tasks, or weights that are not finite; a threshold that
            the slider does not have.
        UnknownNameError: no such graph or form.
        MissingDependencyError: ipywidgets, altair or networkx is needed and not installed.
    """
    if not graphs:
        raise DataError("there is nothing to show: give one graph at least")
    ring = circle(names, groups)
    count = len(ring.names)
    weights = {name: as_matrix(graph, count, name) for name, graph in graphs.items()}
    true = None if truth is None else as_matrix(truth, count, "truth") > 0
    if start is not None and start not in weights:
        raise UnknownNameError(f"no graph {start!r} here: choose one of {', '.join(weights)}")
    if threshold not in STEPS:
        raise DataError(f"threshold={threshold}: give a multiple of 5 from 0 to {STEPS[-1]}")
    view, first = Graphs(weights, ring, true), start or next(iter(weights))
    return choose(
        form, lambda: _live(view, first, threshold), lambda: graph_chart(view, first, threshold)
    )


def _live(view: Graphs, start: str, threshold: int):
    w = widgets()
    graph = w.Dropdown(options=list(view.weights), value=start, description="Graph")
    percent = w.IntSlider(
        value=threshold, min=STEPS[0], max=STEPS[-1], step=STEPS.step, description="Threshold %"
    )
    everyone = [("all", -1), *((pretty(name), j) for j, name in enumerate(view.ring.names))]
    task = w.Dropdown(options=everyone, value=-1, description="Edges of")
    picture, note, parts = w.HTML(), w.Label(), w.HTML()

    def redraw() -> None:
        picture.value = _drawn(view, graph.value, percent.value, task.value)
        note.value = view.sentence(graph.value, percent.value).replace("\n", "; ")
        found = view.parts(graph.value, percent.value)
        parts.value = "<br>".join(
            html.escape(", ".join(pretty(name) for name in part)) for part in found
        )

    for control in (graph, percent, task):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = w.VBox([w.HBox([graph, percent, task]), note, w.HBox([picture, parts])])
    shown.graph, shown.percent, shown.task = graph, percent, task
    shown.picture, shown.note, shown.parts = picture, note, parts
    return shown


_SIDE, _RADIUS = 560, 165  # pixels of the live form


def _drawn(view: Graphs, graph: str, percent: int, task: int) -> str:
    """A graph as an SVG."""
    ring, weight = view.ring, view.weights[graph]
    x, y = _SIDE / 2 + _RADIUS * ring.x, _SIDE / 2 - _RADIUS * ring.y
    shown = []
    for i, j in np.argwhere(np.triu(view.kept(graph, percent), 1)):
        if task not in (-1, i, j):
            continue
        true = view.truth is None or view.truth[i, j]
        colour = theme.INK if view.truth is None else (theme.RIGHT if true else theme.WRONG)
        dash = "" if true else ' stroke-dasharray="5 3"'
        words = f"{pretty(ring.names[i])} and {pretty(ring.names[j])}: {weight[i, j]:.2f}"
        shown.append(
            f'<path d="M{x[i]:.1f} {y[i]:.1f}L{x[j]:.1f} {y[j]:.1f}" stroke="{colour}" '
            f'stroke-width="{0.6 + 3 * weight[i, j]:.2f}" opacity="0.7"{dash}>'
            f"<title>{html.escape(words)}</title></path>"
        )
    for j, name in enumerate(ring.names):
        left = 90 < ring.angle[j] < 270
        turn = -ring.angle[j] + 180 * left
        at = f"{_SIDE / 2 + 1.06 * _RADIUS * ring.x[j]:.1f} "
        at += f"{_SIDE / 2 - 1.06 * _RADIUS * ring.y[j]:.1f}"
        shown.append(
            f'<circle cx="{x[j]:.1f}" cy="{y[j]:.1f}" r="{7 if j == task else 5}" '
            f'fill="{ring.colour(j)}"/><text transform="translate({at}) rotate({turn:.1f})" '
            f'dy="3.5" text-anchor="{"end" if left else "start"}" fill="{ring.colour(j)}">'
            f"{html.escape(pretty(name))}</text>"
        )
    return (
        f'<svg width="{_SIDE}" height="{_SIDE}" font-family="sans-serif" font-size="10.5" '
        f'style="background:{theme.PAPER}">{"".join(shown)}</svg>'
    )
