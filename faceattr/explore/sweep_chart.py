"""The sweep explorer's static form: one chart that sorts the attributes by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair

if TYPE_CHECKING:
    from faceattr.explore.sweep_explorer import Sweep

#: Colours of agreement within a person, from 0 (of a moment) to 1 (of the person).
COLOURS = ("#E69F00", "#8f8f8f", "#0072B2")

# Pixels: an attribute, the width of the curves, the numbers left of them, the width of the gains.
_LINE, _CURVES, _MARGIN, _GAINS = 11, 238, 36, 236


def sweep_chart(view: Sweep, step: int):
    """Curves on the left, names and differences on the right; a slider chooses lambda.

    Args:
        view: the sweep.
        step: place of the lambda shown first, among those of the sweep.
    """
    alt = altair()
    slider = alt.param(
        name="step",
        value=step,
        bind=alt.binding_range(
            min=0, max=len(view.lambdas) - 1, step=1, name=f"λ from {_spoken(view)}, step "
        ),
    )
    same = alt.param(
        name="same", value=False, bind=alt.binding_checkbox(name="One scale for all λ ")
    )
    reach = {
        "lows": np.minimum(view.low.min(1), 0).round(3).tolist(),
        "highs": np.maximum(view.high.max(1), 0).round(3).tolist(),
    }
    ends = [alt.param(name=name, value=value) for name, value in reach.items()]
    left = alt.vconcat(*(_curve(alt, view, metric) for metric in view.headings), spacing=6)
    left = left.resolve_scale(color="independent")  # or no panel keeps its legend
    right = alt.hconcat(_names(alt, view), _gains(alt, view), spacing=6)
    return (
        alt.vconcat(_sentence(alt, view), alt.hconcat(left, right, spacing=14), spacing=4)
        .resolve_scale(color="independent")
        .add_params(slider, same, *ends)
        .properties(
            datasets={"attributes": _rows(view), "curves": _points(view), "steps": _steps(view)},
            title="How much identity?",
            description=(
                f"Left, {len(view.headings)} curves against lambda with intervals: "
                f"{', '.join(view.headings.values())}. Right, dots with intervals: what each of "
                f"{len(view.names)} attributes gains over lambda = 0, largest first, coloured by "
                "how far its labels agree within a person. A slider chooses lambda."
            ),
        )
        .configure(**theme.vega_config())
    )


def _spoken(view: Sweep) -> str:
    return f"{view.lambdas[0]:g} to {view.lambdas[-1]:g}"


def _rows(view: Sweep) -> list[dict]:
    """One row an attribute: its gains ``g``, lower ends ``l`` and upper ends ``h``, by step."""
    return [
        {
            "name": pretty(name),
            "agreement": round(float(view.agreement[j]), 3),
            **{
                key: np.round(values[:, j], 3).tolist()
                for key, values in (("g", view.gain), ("l", view.low), ("h", view.high))
            },
        }
        for j, name in enumerate(view.names)
    ]


def _points(view: Sweep) -> list[dict]:
    """One row a point of a curve: ``k`` the step, ``x`` its place, ``v`` with ``l`` and ``h``."""
    return [
        {
            "k": view.lambdas.index(float(row["lambda"])),
            "x": round(view.places[float(row["lambda"])], 4),
            "where": row["where"],
            "metric": row["metric"],
            **{key: round(float(row[c]), 5) for key, c in zip("vlh", ("value", "low", "high"),
                                                              strict=True)},
        }
        for row in view.curves.to_dict("records")
    ]  # fmt: skip


def _steps(view: Sweep) -> list[dict]:
    """One row a lambda: its place, and what it does in words."""
    return [
        {"k": k, "x": round(place, 4), "text": view.sentence(k)}
        for k, place in enumerate(view.places.values())
    ]


def _sentence(alt, view: Sweep):
    return (
        alt.Chart(alt.NamedData(name="steps"))
        .transform_filter("datum.k === step")
        .mark_text(align="left", baseline="middle", fontSize=13, color=theme.INK)
        .encode(x=alt.value(-_MARGIN), y=alt.value(9), text=alt.Text("text", type="nominal"))
        .properties(width=_CURVES + _GAINS + 190, height=18)
    )


def _curve(alt, view: Sweep, metric: str):
    last = metric == list(view.headings)[-1]
    at = [round(place, 4) for place in view.places.values()]
    labels = json.dumps([f"{value:g}" for value in view.lambdas])
    x = alt.X(
        "x:Q",
        title="λ" if last else None,
        scale=alt.Scale(domain=[at[0] - 0.15, at[-1] + 0.15], nice=False, zero=False),
        axis=alt.Axis(
            values=at,
            labelExpr=f"{labels}[indexof({json.dumps(at)}, datum.value)]",
            labelOverlap=False,
            grid=False,
            domainColor=theme.MUTED,
        ),
    )
    y = alt.Y(
        "v:Q",
        title=None,
        scale=alt.Scale(zero=False),
        axis=alt.Axis(
            format="~%" if metric in view.percent else ".2f", tickCount=4, gridColor=theme.GRID,
            domain=False, minExtent=_MARGIN,
        ),
    )  # fmt: skip
    colour = alt.Color(
        "where:N",
        scale=alt.Scale(domain=view.series, range=list(theme.SERIES[: len(view.series)])),
        legend=alt.Legend(orient="bottom", direction="vertical", title=None, labelLimit=0)
        if last
        else None,
    )
    points = alt.Chart(alt.NamedData(name="curves")).transform_filter(
        f"datum.metric === {json.dumps(metric)}"
    )
    here = alt.Chart(alt.NamedData(name="steps")).transform_filter("datum.k === step")
    number = ".2%" if metric in view.percent else ".3f"
    tips = [
        alt.Tooltip("where:N", title="test set"),
        alt.Tooltip("v:Q", format=number, title="value"),
        alt.Tooltip("l:Q", format=number, title="from"),
        alt.Tooltip("h:Q", format=number, title="to"),
    ]
    rule = here.mark_rule(color=theme.MUTED, strokeDash=[4, 3]).encode(x=x)
    bars = points.mark_rule(opacity=0.7).encode(x=x, y=alt.Y("l:Q"), y2="h:Q", color=colour)
    first = int(0 in view.places)  # dotted from zero on, where the axis is broken
    how = {"x": x, "y": y, "color": colour}
    line = points.transform_filter(f"datum.k >= {first}").mark_line(strokeWidth=1.6).encode(**how)
    broken = points.transform_filter(f"datum.k <= {first}").mark_line(
        strokeWidth=1.4, strokeDash=[2, 3]
    )
    size = alt.condition("datum.k === step", alt.value(110), alt.value(26))
    dots = points.mark_point(filled=True, opacity=1).encode(
        x=x, y=y, color=colour, size=size, tooltip=tips
    )
    title = alt.TitleParams(view.headings[metric], fontSize=12, offset=4, anchor="start")
    return alt.layer(rule, bars, line, broken.encode(**how), dots).properties(
        width=_CURVES, height=108, title=title
    )


def _ranked(alt):
    """The attributes; ``gain``, ``low`` and ``high`` are those at the chosen lambda."""
    return (
        alt.Chart(alt.NamedData(name="attributes"))
        .transform_calculate(gain="datum.g[step]", low="datum.l[step]", high="datum.h[step]")
        .transform_window(rank="row_number()", sort=[{"field": "gain", "order": "descending"}])
        .transform_calculate(middle=f"(datum.rank - 0.5) * {_LINE}")
    )


def _y(alt):
    return alt.Y("middle:Q", scale=None, axis=None)


def _names(alt, view: Sweep):
    return (
        _ranked(alt)
        .mark_text(align="right", baseline="middle", fontSize=9.5, color=theme.INK)
        .encode(x=alt.value(118), y=_y(alt), text=alt.Text("name", type="nominal"))
        .properties(width=120, height=_LINE * len(view.names))
    )


def _gains(alt, view: Sweep):
    low, high = float(min(view.low.min(), 0)), float(max(view.high.max(), 0))
    x = alt.X(
        "gain:Q",
        title="points of accuracy, difference from λ = 0",
        scale=alt.Scale(
            domainMin=alt.ExprRef(f"same ? {low:.3f} : lows[step]"),
            domainMax=alt.ExprRef(f"same ? {high:.3f} : highs[step]"),
            nice=False,
            zero=False,
        ),
        axis=alt.Axis(
            tickCount=5,
            gridColor=theme.GRID,
            domain=False,
            labelExpr="datum.value === 0 ? '0' : format(datum.value, '+~g')",
        ),
    )
    colour = alt.Color(
        "agreement:Q",
        scale=alt.Scale(domain=[0, 0.5, 1], range=list(COLOURS), interpolate="rgb"),
        legend=alt.Legend(
            orient="bottom", title="agreement of the labels within a person", titleLimit=0,
            values=[0, 0.5, 1],
        ),
    )  # fmt: skip
    tips = [
        alt.Tooltip("name:N", title="attribute"),
        alt.Tooltip("gain:Q", format="+.2f", title="points"),
        alt.Tooltip("low:Q", format="+.2f", title="from"),
        alt.Tooltip("high:Q", format="+.2f", title="to"),
        alt.Tooltip("agreement:Q", format=".2f"),
    ]
    zero = (
        alt.Chart(alt.InlineData(values=[{"gain": 0}]))
        .mark_rule(color=theme.INK)
        .encode(x=x)
    )  # fmt: skip
    ranked = _ranked(alt)
    bars = ranked.mark_rule(strokeWidth=1.8).encode(
        x=alt.X("low:Q"), x2="high:Q", y=_y(alt), color=colour
    )
    dots = ranked.mark_point(filled=True, opacity=1, size=46).encode(
        x=x, y=_y(alt), color=colour, tooltip=tips
    )
    return alt.layer(zero, bars, dots).properties(width=_GAINS, height=_LINE * len(view.names))
