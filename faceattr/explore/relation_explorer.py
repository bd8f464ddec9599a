"""The relation explorer: who listens to whom, beside which labels go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, GROUPS, group_of, pretty
from faceattr.clusters import cluster_order
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, png, widgets
from faceattr.explore.relation_chart import BLUE, RED, VIEWS, relation_chart


@dataclass
class Relations:
    """What both forms of the explorer show.

    Attributes:
        weights: ``(S, M, M)`` of S seeds: row j is an output, column k what it listens to.
        correlation: ``(M, M)`` phi of the labels.
        names: the M attribute names.
        orders: name of an order to the attributes' columns in that order.
    """

    weights: np.ndarray
    correlation: np.ndarray
    names: tuple[str, ...]
    orders: dict[str, list[int]]

    @property
    def reach(self) -> tuple[float, float]:
        """Ends of the two colour scales, weights and correlations: all but a few entries fit."""
        off = ~np.eye(len(self.names), dtype=bool)
        ends = [
            np.quantile(np.abs(m[off]), 0.995) for m in (self.weights.mean(0), self.correlation)
        ]
        return tuple(float(end) or 1.0 for end in ends)

    def sentences(self, j: int, k: int) -> list[str]:
        """Both numbers of a pair in both directions, and how far they differ."""
        first, second = pretty(self.names[j]), pretty(self.names[k])
        lines = []
        for a, b, output, source in ((j, k, first, second), (k, j, second, first)):
            each = self.weights[:, a, b]
            seeds = f" (seeds {', '.join(f'{v:+.3f}' for v in each)})" if len(each) > 1 else ""
            lines.append(f"{output} listens to {source}: {each.mean():+.3f}{seeds}")
        return [*lines, f"labels of both: correlation {self.correlation[j, k]:+.2f}"]


def relation_explorer(
    relation,
    correlation,
    *,
    names: Sequence[str] = ATTRIBUTES,
    start: tuple[str, str] | None = None,
    form: str = "auto",
):
    """Hover a pair; see its weights in both directions, and how its labels go together.

    Left the relation layer's weights, right the correlation of labels, both without their
    diagonals and in one order: by group, by clustering, or CelebA's. A second view of the left
    one shows what is not symmetric in it, half the difference of the two directions.

    Args:
        relation: ``(M, M)`` weights, or ``(S, M, M)`` of S seeds; row j is an output, column k
            what it listens to.
        correlation: ``(M, M)`` phi of the labels.
        names: the M attribute names.
        start: the pair shown first, output and source; by default the largest weight's.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: matrices that do not fit each other or the names, or hold NaN; a pair of one.
        UnknownNameError: no such attribute or form.
        MissingDependencyError: ipywidgets, altair or scipy is needed and not installed.
    """
    weights, labels = np.asarray(relation, dtype=float), np.asarray(correlation, dtype=float)
    weights, names = weights[None] if weights.ndim == 2 else weights, tuple(names)
    square = (len(names), len(names))
    if weights.shape[1:] != square or labels.shape != square or len(names) < 2:
        raise DataError(
            f"weights {weights.shape} and correlations {labels.shape} for {len(names)} names: give "
            "(M, M) or (seeds, M, M), and (M, M)"
        )
    if not (np.isfinite(weights).all() and np.isfinite(labels).all()):
        raise DataError("a weight or a correlation is not a number: leave that attribute out")
    if start is None:
        off = np.where(np.eye(len(names), dtype=bool), -np.inf, weights.mean(0))
        pair = tuple(int(place) for place in np.unravel_index(off.argmax(), square))
    else:
        if missing := [name for name in start if name not in names]:
            raise UnknownNameError(
                f"no attribute {missing[0]!r} here: choose two of {', '.join(names)}"
            )
        pair = tuple(names.index(name) for name in start)
    if pair[0] == pair[1]:
        raise DataError(f"{names[pair[0]]} twice is no pair: choose two attributes")
    view = Relations(weights, labels, names, _orders(names, labels))
    return choose(form, lambda: _live(view, pair), lambda: relation_chart(view, pair))


def _orders(names: tuple[str, ...], correlation: np.ndarray) -> dict[str, list[int]]:
    """Orders of rows and columns by name."""
    groups = list(GROUPS)
    by_group = sorted(range(len(names)), key=lambda j: (groups.index(group_of(names[j])), j))
    return {
        "by group": by_group,
        "by clustering": cluster_order(correlation),
        "as in CelebA": list(range(len(names))),
    }


def _live(view: Relations, pair: tuple[int, int]):
    w = widgets()
    options = [(pretty(name), j) for j, name in enumerate(view.names)]
    output = w.Dropdown(options=options, value=pair[0], description="Output")
    source = w.Dropdown(options=options, value=pair[1], description="listens to")
    order = w.Dropdown(options=list(view.orders), description="Sorted")
    shown = w.Dropdown(options=list(VIEWS), description="Left")
    matrices = [w.Image(format="png", width=_CELL * len(view.names)) for _ in range(2)]
    lines = [w.Label() for _ in range(3)]

    def redraw() -> None:
        mean = view.weights.mean(0)
        left = mean if shown.value == VIEWS[0] else (mean - mean.T) / 2
        places = view.orders[order.value]
        marks = [(places.index(output.value), places.index(source.value))]
        marks += [marks[0][::-1]]
        for image, matrix, reach in zip(
            matrices, (left, view.correlation), view.reach, strict=True
        ):
            image.value = png(_painted(matrix[np.ix_(places, places)], reach, marks))
        same = output.value == source.value
        words = ["Choose two different attributes.", "", ""] if same else None
        words = words or view.sentences(output.value, source.value)
        for label, text in zip(lines, words, strict=True):
            label.value = text

    for control in (output, source, order, shown):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    controls = w.VBox([w.HBox([output, source]), w.HBox([order, shown])])
    stage = w.VBox([controls, w.HBox(matrices), *lines])
    stage.output, stage.source, stage.order, stage.shown = output, source, order, shown
    stage.matrices, stage.lines = matrices, lines
    return stage


_CELL = 8  # pixels


def _painted(matrix: np.ndarray, reach: float, marks: Sequence[tuple[int, int]]) -> Image.Image:
    """A matrix in blue and red, its diagonal grey, the marked cells framed."""
    ends = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (BLUE, theme.PAPER, RED)]
    level = np.clip(matrix / reach, -1, 1)
    pixels = np.stack([np.interp(level, [-1, 0, 1], c) for c in np.transpose(ends)], axis=-1)
    np.fill_diagonal(pixels[..., 0], 0xE2)
    np.fill_diagonal(pixels[..., 1], 0xE0)
    np.fill_diagonal(pixels[..., 2], 0xDA)
    large = np.kron(pixels.round().astype(np.uint8), np.ones((_CELL, _CELL, 1), np.uint8))
    for row, column in marks:
        y, x = row * _CELL, column * _CELL
        block = large[y : y + _CELL, x : x + _CELL]
        block[[0, -1]], block[:, [0, -1]] = 0, 0
    return Image.fromarray(large)
