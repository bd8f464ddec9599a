"""The threshold explorer's static form: one chart that counts and sorts faces by itself.

The page holds the scores of a few faces and the counts of all, for every attribute and threshold;
the chart's own expressions pick what the menu and the slider ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair, enlarged, jpeg_uri, picture

#: The four boxes: label, answer, title. Whoever has the attribute is in one of the first two.
BOXES = (
    (1, 1, "found"),
    (1, 0, "missed"),
    (0, 1, "false alarms"),
    (0, 0, "passed over"),
)
#: Thresholds of the static form, in percent.
STEPS = tuple(range(2, 99, 2))

#: Faces that a box shows: in a row, and rows.
COLUMNS, ROWS = 4, 3

_SIDE, _GAP, _HEAD = 40, 16, 22  # pixels: a face, between two boxes, a box's title


@dataclass
class Tallies:
    """What both forms of the explorer show.

    Attributes:
        images: ``(N, 3, H, W)``.
        said: ``(N, M)`` int, scores in thousandths, rounded up.
        labels: ``(N, M)`` in {0, 1}, -1 where unknown.
        names: the M attribute names.
    """

    images: Tensor
    said: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]

    def counts(self, percent: int) -> np.ndarray:
        """Faces in each of :data:`BOXES` per attribute at a threshold, ``(4, M)``."""
        answer = self.said > 10 * percent
        return np.stack([((self.labels == y) & (answer == a)).sum(0) for y, a, _ in BOXES])

    def nearest(self, column: int, percent: int, label: int, answer: int) -> np.ndarray:
        """Rows of one box, the ones nearest to the threshold first."""
        said = self.said[:, column]
        inside = (self.labels[:, column] == label) & ((said > 10 * percent) == answer)
        rows = inside.nonzero()[0]
        return rows[np.argsort(np.abs(said[rows] - 10 * percent), kind="stable")]


def threshold_chart(view: Tallies, rows: Sequence[int], start: str):
    """The static form: the curve and the four boxes as one chart, alive without a kernel.

    Args:
        view: faces, scores, labels.
        rows: the faces whose pictures it holds.
        start: the attribute shown first.
    """
    alt = altair()
    attribute = alt.param(
        name="attribute",
        value=view.names.index(start),
        bind=alt.binding_select(
            options=list(range(len(view.names))),
            labels=[pretty(name) for name in view.names],
            name="Attribute ",
        ),
    )
    threshold = alt.param(
        name="threshold",
        value=50,
        bind=alt.binding_range(
            min=STEPS[0], max=STEPS[-1], step=STEPS[1] - STEPS[0], name="Threshold in percent "
        ),
    )
    curve, boxes = _curve(alt, view), _boxes(alt, view, rows)
    return (
        alt.hconcat(curve, boxes, spacing=26)
        .add_params(attribute, threshold)
        .properties(
            title="When does perhaps become yes?",
            description=(
                "Left, precision against recall of one attribute over all thresholds, with a dot "
                "at the chosen one. Right, four boxes of faces: found, missed, false alarm, passed "
                "over. A menu chooses the attribute, a slider the threshold."
            ),
        )
        .configure(**theme.vega_config())
    )


def _tallied(alt, view: Tallies):
    """Counts at every threshold; ``found``, ``missed``, ``alarms``, ``passed`` are the chosen
    attribute's."""
    table = [
        {"t": t, **dict(zip("abcd", (row.tolist() for row in view.counts(t)), strict=True))}
        for t in STEPS
    ]
    columns = {"found": "a", "missed": "b", "alarms": "c", "passed": "d"}
    return alt.Chart(alt.InlineData(values=table)).transform_calculate(
        **{word: f"datum.{letter}[attribute]" for word, letter in columns.items()}
    )


def _curve(alt, view: Tallies):
    tallied = _tallied(alt, view).transform_calculate(
        recall="datum.found / (datum.found + datum.missed)",
        precision="datum.found / (datum.found + datum.alarms)",
        prevalence="(datum.found + datum.missed)"
        " / (datum.found + datum.missed + datum.alarms + datum.passed)",
    )
    drawn = tallied.transform_filter("datum.found + datum.alarms > 0")
    axis = alt.Axis(format="%", values=[0, 0.5, 1], gridColor=theme.GRID, domain=False)
    whole = alt.Scale(domain=[0, 1])
    x = alt.X("recall:Q", title="recall: share of its wearers found", axis=axis, scale=whole)
    y = alt.Y("precision:Q", title="precision: share of yes that is right", axis=axis, scale=whole)
    floor = tallied.transform_filter("datum.t === threshold").mark_rule(
        color=theme.MUTED, strokeDash=[5, 4], strokeWidth=1.5
    )
    line = drawn.mark_line(color=theme.SERIES[0], strokeWidth=2).encode(x=x, y=y, order="t:Q")
    dot = drawn.transform_filter("datum.t === threshold").mark_point(
        color=theme.SERIES[1], filled=True, opacity=1, size=130
    )
    return (
        alt.layer(floor.encode(y=alt.Y("prevalence:Q")), line, dot.encode(x=x, y=y))
        .properties(width=190, height=2 * (_HEAD + ROWS * (_SIDE + 2)) + _GAP)
    )  # fmt: skip


def _boxes(alt, view: Tallies, rows: Sequence[int]):
    width, height = COLUMNS * (_SIDE + 2), ROWS * (_SIDE + 2)
    left, top = f"(1 - {{0}}) * {width + _GAP}", f"(1 - {{0}}) * {height + _HEAD + _GAP}"
    pool = [
        {
            "url": jpeg_uri(enlarged(picture(view.images[row]), 48), quality=72),
            "p": view.said[row].tolist(),
            "y": view.labels[row].tolist(),
        }
        for row in rows
    ]
    faces = (
        alt.Chart(alt.InlineData(values=pool))
        .transform_calculate(
            said="datum.p[attribute]",
            label="datum.y[attribute]",
            answer="datum.p[attribute] > 10 * threshold ? 1 : 0",
            far="abs(datum.p[attribute] - 10 * threshold)",
        )
        .transform_filter("datum.label >= 0")
        .transform_window(rank="row_number()", sort=[{"field": "far"}], groupby=["label", "answer"])
        .transform_filter(f"datum.rank <= {COLUMNS * ROWS}")
        .transform_calculate(
            x=left.format("datum.answer") + f" + (datum.rank - 1) % {COLUMNS} * {_SIDE + 2}",
            y=top.format("datum.label")
            + f" + {_HEAD} + floor((datum.rank - 1) / {COLUMNS}) * {_SIDE + 2}",
            score="datum.said / 1000",
        )
    )
    x, y = alt.X("x:Q", scale=None, axis=None), alt.Y("y:Q", scale=None, axis=None)
    layers = [
        faces.mark_image(width=_SIDE, height=_SIDE, align="left", baseline="top").encode(
            x=x, y=y, url=alt.Url("url", type="nominal"), tooltip=alt.Tooltip("score:Q", format="%")
        )
    ]
    fields = ("found", "missed", "alarms", "passed")
    for (label, answer, title), field in zip(BOXES, fields, strict=True):
        words = (
            _tallied(alt, view)
            .transform_filter("datum.t === threshold")
            .transform_calculate(text=f"'{title}: ' + datum.{field}")
            .mark_text(
                align="left",
                baseline="middle",
                fontSize=13,
                fontWeight="bold",
                color=theme.RIGHT if label == answer else theme.WRONG,
            )
        )
        place = ((1 - answer) * (width + _GAP), (1 - label) * (height + _HEAD + _GAP) + _HEAD / 2)
        layers.append(
            words.encode(
                x=alt.value(place[0]), y=alt.value(place[1]), text=alt.Text("text", type="nominal")
            )
        )
    return alt.layer(*layers).properties(
        width=2 * width + _GAP, height=2 * (_HEAD + height) + _GAP
    )  # fmt: skip
