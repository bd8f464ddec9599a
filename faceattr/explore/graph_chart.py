"""The graph explorer's static form: one chart in which only the edges change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair

if TYPE_CHECKING:
    from faceattr.explore.graph_explorer import Graphs

_SIDE, _RADIUS = 520, 150  # pixels
#: Weaker edges, as shares of the strongest, are left out of the page.
_LEAST = 0.004


def graph_chart(view: Graphs, start: str, threshold: int):
    """A menu of graphs, a slider for the threshold, and a circle of tasks to point at.

    Args:
        view: graphs and places.
        start: the graph shown first. threshold: in percent.
    """
    from faceattr.explore.graph_explorer import STEPS

    alt = altair()
    graphs = list(view.weights)
    graph = alt.param(
        name="graph",
        value=graphs.index(start),
        bind=alt.binding_select(options=list(range(len(graphs))), labels=graphs, name="Graph "),
    )
    percent = alt.param(
        name="percent",
        value=threshold,
        bind=alt.binding_range(
            min=STEPS[0],
            max=STEPS[-1],
            step=STEPS.step,
            name="Threshold, percent of the strongest ",
        ),
    )
    pointed = alt.selection_point(
        name="task", on="pointerover", clear="pointerout", fields=["j"], empty=False
    )
    return (
        alt.layer(_edges(alt, view), *_tasks(alt, view, pointed), _sentence(alt))
        .add_params(graph, percent)
        .properties(
            width=_SIDE,
            height=_SIDE + 34,
            datasets={"edges": _edge_rows(view), "words": _word_rows(view, STEPS)},
            title="Which attributes are tied?",
            description=(
                f"{len(view.ring.names)} attributes on a circle, group by group, with the edges of "
                f"one of {len(graphs)} graphs between them: {', '.join(graphs)}. A menu chooses "
                "the graph and a slider the threshold; attributes stay where they are. Pointing "
                "at an attribute leaves its own edges alone."
            ),
        )
        .configure(**theme.vega_config())
    )


def _edge_rows(view: Graphs) -> list[dict]:
    """One row an edge: ``g`` its graph, ``i`` and ``j`` its tasks, ``w`` its size, ``t`` true?"""
    rows = []
    for g, weight in enumerate(view.weights.values()):
        for i, j in np.argwhere(np.triu(weight > _LEAST, 1)).tolist():
            row = {"g": g, "i": i, "j": j, "w": round(float(weight[i, j]), 3)}
            if view.truth is not None:
                row["t"] = int(view.truth[i, j])
            rows.append(row)
    return rows


def _word_rows(view: Graphs, steps: range) -> list[dict]:
    return [
        {"g": g, "p": p, "text": view.sentence(name, p)}
        for g, name in enumerate(view.weights)
        for p in steps
    ]


def _places(view: Graphs) -> tuple[list[float], list[float]]:
    x, y = _SIDE / 2 + _RADIUS * view.ring.x, _SIDE / 2 - _RADIUS * view.ring.y
    return x.round(1).tolist(), y.round(1).tolist()


def _edges(alt, view: Graphs):
    x, y = (json.dumps(places) for places in _places(view))
    words = json.dumps([pretty(name) for name in view.ring.names])
    chart = (
        alt.Chart(alt.NamedData(name="edges"))
        .transform_filter("datum.g === graph && datum.w > percent / 100")
        .transform_filter("!isDefined(task.j) || datum.i === task.j[0] || datum.j === task.j[0]")
        .transform_calculate(
            x0=f"{x}[datum.i]", x1=f"{x}[datum.j]", y0=f"{y}[datum.i]", y1=f"{y}[datum.j]",
            first=f"{words}[datum.i]", second=f"{words}[datum.j]",
        )
    )  # fmt: skip
    true = "datum.t === 1" if view.truth is not None else "true"
    colours = (theme.RIGHT, theme.WRONG) if view.truth is not None else (theme.INK, theme.INK)
    return chart.mark_rule(opacity=0.65).encode(
        x=alt.X("x0:Q", scale=None, axis=None), x2="x1:Q",
        y=alt.Y("y0:Q", scale=None, axis=None), y2="y1:Q",
        color=alt.condition(true, alt.value(colours[0]), alt.value(colours[1])),
        strokeDash=alt.condition(true, alt.value([1, 0]), alt.value([5, 3])),
        strokeWidth=alt.StrokeWidth(
            "w:Q", scale=alt.Scale(domain=[0, 1], range=[0.6, 4]), legend=None
        ),
        tooltip=[
            alt.Tooltip("first:N", title="attribute"), alt.Tooltip("second:N", title="and"),
            alt.Tooltip("w:Q", format=".2f", title="share of the strongest"),
        ],
    )  # fmt: skip


def _tasks(alt, view: Graphs, pointed):
    """Dots, and names turned outwards: one layer a name, for Vega-Lite turns text by a number."""
    ring, (x, y) = view.ring, _places(view)
    rows = [
        {
            "j": j,
            "name": pretty(name),
            "group": ring.groups[ring.group[j]],
            "colour": ring.colour(j),
            "x": x[j],
            "y": y[j],
            "tx": round(_SIDE / 2 + 1.06 * _RADIUS * float(ring.x[j]), 1),
            "ty": round(_SIDE / 2 - 1.06 * _RADIUS * float(ring.y[j]), 1),
            "turn": round(float(-ring.angle[j] + 180 * (90 < ring.angle[j] < 270)), 1),
            "left": bool(90 < ring.angle[j] < 270),
        }
        for j, name in enumerate(ring.names)
    ]
    data = alt.Chart(alt.InlineData(values=rows))
    where = {"x": alt.X("x:Q", scale=None, axis=None), "y": alt.Y("y:Q", scale=None, axis=None)}
    colour = alt.Color("colour:N", scale=None, legend=None)
    tips = [alt.Tooltip("name:N", title="attribute"), alt.Tooltip("group:N", title="group")]
    # pointing leaves a task's own edges; leaving it brings all back
    dots = (
        data.mark_point(filled=True, opacity=1)
        .encode(
            **where, color=colour, tooltip=tips,
            size=alt.condition(pointed, alt.value(190), alt.value(85)),
        )
        .add_params(pointed)
    )  # fmt: skip
    layers = [dots]
    for side, align in ((False, "left"), (True, "right")):
        layers.append(
            data.transform_filter(f"datum.left === {json.dumps(side)}")
            .mark_text(
                align=align, baseline="middle", fontSize=9.5, angle=alt.ExprRef("datum.turn")
            )
            .encode(
                x=alt.X("tx:Q", scale=None, axis=None), y=alt.Y("ty:Q", scale=None, axis=None),
                text=alt.Text("name", type="nominal"), color=colour, tooltip=tips,
            )
        )  # fmt: skip
    return layers


def _sentence(alt):
    return (
        alt.Chart(alt.NamedData(name="words"))
        .transform_filter("datum.g === graph && datum.p === percent")
        .mark_text(align="left", baseline="middle", fontSize=12, color=theme.INK, lineBreak="\n")
        .encode(
            x=alt.value(0), y=alt.value(_SIDE + 6), text=alt.Text("text", type="nominal")
        )
    )  # fmt: skip
