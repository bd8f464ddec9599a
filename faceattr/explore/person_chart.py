"""The person explorer's static form: a strip of pictures, and matrices with counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair, jpeg_uri
from faceattr.explore.person_table import everybody, table

if TYPE_CHECKING:
    from faceattr.explore.person_explorer import People

#: What may be marked in the matrices.
MARKED = ("what departs from this person's usual answer", "what differs from the label")
#: What a cell may say.
KINDS = ("no", "yes", "no, marked", "yes, marked")
#: Their colours.
COLOURS = ("#e2e0da", theme.SERIES[0], "#f0b48a", theme.SERIES[1])

_HIGH, _NAMES, _FULL, _GAP, _FACE = 9, 112, 716, 10, 48  # pixels; _FACE of a stored face


def person_chart(view: People, people: Sequence[int], start: int):
    """Names and matrices side by side, then a table and all people; menus choose.

    Args:
        view: labels, predictions, pictures.
        people: those whom the chart holds.
        start: the person shown first.
    """
    alt = altair()
    person = alt.param(
        name="person",
        value=people.index(start),
        bind=alt.binding_select(
            options=list(range(len(people))),
            labels=[view.called(p) for p in people],
            name="Person ",
        ),
    )
    marked = alt.param(
        name="marked",
        value=0,
        bind=alt.binding_select(
            options=list(range(len(MARKED))), labels=list(MARKED), name="Marked "
        ),
    )
    panels = [_panel(alt, view, people, q) for q in range(len(view.panels))]
    rows = [alt.hconcat(_names(alt, view), *panels, spacing=_GAP)]
    tables = {"cells": _cells(view, people), "people": _people(view, people)}
    if view.images is not None:
        rows.insert(0, _faces(alt, view, people))
        tables["faces"] = [
            {"p": i, "url": jpeg_uri(view.strip(p, _FACE), quality=70)}
            for i, p in enumerate(people)
        ]
    rows.append(alt.hconcat(table(alt, view), everybody(alt, view), spacing=_GAP))
    return (
        alt.vconcat(*rows, spacing=8)
        .resolve_scale(color="independent")
        .add_params(person, marked)
        .properties(
            datasets=tables,
            title="One person, many pictures",
            description=(
                f"{len(view.panels)} matrices of {len(view.names)} attributes by the pictures of "
                f"one person: {', '.join(view.panels)}. A cell says yes or no; what departs from "
                "the person's usual answer, or from the label, is marked and counted below. A "
                "table says how far the person's pictures agree, dots say it of all people. Two "
                "menus choose the person and what is marked."
            ),
        )
        .configure(**theme.vega_config())
    )


def _cells(view: People, people: Sequence[int]) -> list[dict]:
    """One row a person ``p`` and attribute in line ``m``: in ``c`` a string a panel with a digit a
    picture, tenths of probability (5 and more: yes), and in ``u`` the usual answers."""
    rows = []
    for i, person in enumerate(people):
        tenths = {  # 0.5 is a no, and the upper end of its tenth
            panel: np.clip(np.ceil(10 * values[view.rows[person]]).astype(int) - 1, 0, 9)
            for panel, values in view.panels.items()
        }
        for m, j in enumerate(view.order):
            rows.append({
                "p": i,
                "m": m,
                "c": ["".join(map(str, tenths[panel][:, j])) for panel in view.panels],
                "u": "".join(str(int(view.usual(panel, person)[j])) for panel in view.panels),
            })  # fmt: skip
    return rows


def _people(view: People, people: Sequence[int]) -> list[dict]:
    """One row a person: lines of the table ``t``, and correlations ``r`` by panel."""
    return [
        {
            "p": i,
            "name": view.called(person),
            "t": view.table(person),
            "r": [
                round(mean, 3) if np.isfinite(mean := view.correlation[panel][person]) else None
                for panel in view.panels
            ],
        }
        for i, person in enumerate(people)
    ]


def _width(view: People, most: int) -> int:
    """Of a cell, in pixels."""
    count = len(view.panels)
    return min(16, (_FULL - _NAMES - count * _GAP) // (count * most))


def _names(alt, view: People):
    rows = [{"m": m, "text": pretty(view.names[j])} for m, j in enumerate(view.order)]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .transform_calculate(y=f"(datum.m + 0.5) * {_HIGH}")
        .mark_text(align="right", baseline="middle", fontSize=8.5, color=theme.INK)
        .encode(
            x=alt.value(_NAMES),
            y=alt.Y("y:Q", scale=None, axis=None),
            text=alt.Text("text", type="nominal"),
        )
        .properties(width=_NAMES, height=_HIGH * len(view.order))
    )


def _panel(alt, view: People, people: Sequence[int], q: int):
    """One matrix with the numbers of pictures above and the counts of marks below."""
    most = max(len(view.rows[p]) for p in people)
    wide, high = _width(view, most), _HIGH * len(view.order)
    names = json.dumps([pretty(view.names[j]) for j in view.order])
    cells = (
        alt.Chart(alt.NamedData(name="cells"))
        .transform_filter("datum.p === person")
        .transform_calculate(k="sequence(length(datum.c[0]))")
        .transform_flatten(["k"])
        .transform_calculate(
            tenth=f"toNumber(datum.c[{q}][datum.k])",
            truth="datum.c[0][datum.k] >= '5'",
        )
        .transform_calculate(said="datum.tenth >= 5")
        .transform_calculate(
            mark=f"datum.said !== (marked === 0 ? datum.u[{q}] === '1' : datum.truth) ? 1 : 0"
        )
        .transform_calculate(
            kind=f"{json.dumps(KINDS)}[2 * datum.mark + (datum.said ? 1 : 0)]",
            x0=f"datum.k * {wide} + 0.5",
            x1=f"(datum.k + 1) * {wide} - 0.5",
            y0=f"datum.m * {_HIGH} + 0.5",
            y1=f"(datum.m + 1) * {_HIGH} - 0.5",
            attribute=f"{names}[datum.m]",
            number="datum.k + 1",
            label="datum.truth ? 'yes' : 'no'",
            said_words="(datum.said ? 'yes' : 'no') + ' (' + 10 * datum.tenth + ' to '"
            " + 10 * (datum.tenth + 1) + '%)'",
        )
    )
    tips = [
        alt.Tooltip("attribute:N"),
        alt.Tooltip("number:Q", title="picture"),
        alt.Tooltip("label:N"),
        *([alt.Tooltip("said_words:N", title="network")] if q else []),
    ]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(KINDS), range=list(COLOURS)),
        legend=alt.Legend(orient="top", title=None, symbolType="square", labelLimit=0),
    )
    rects = cells.mark_rect().encode(
        x=alt.X("x0:Q", scale=None, axis=None), x2="x1:Q",
        y=alt.Y("y0:Q", scale=None, axis=None), y2="y1:Q", color=colour, tooltip=tips,
    )  # fmt: skip
    text = {"fontSize": 9, "baseline": "middle", "color": theme.INK}
    sums = cells.transform_aggregate(n="sum(mark)", groupby=["k"]).transform_calculate(
        x=f"(datum.k + 0.5) * {wide}", number="datum.k + 1"
    )
    x = alt.X("x:Q", scale=None, axis=None)
    above = sums.mark_text(**text).encode(x=x, y=alt.value(-6), text="number:Q")
    below = sums.mark_text(fontWeight="bold", **text).encode(x=x, y=alt.value(high + 8), text="n:Q")
    title = alt.TitleParams(list(view.panels)[q], fontSize=12, anchor="start", offset=14)
    return alt.layer(rects, above, below).properties(width=wide * most, height=high, title=title)


def _faces(alt, view: People, people: Sequence[int]):
    """The strip of the chosen person's pictures, numbered."""
    most = max(len(view.rows[p]) for p in people)
    side = (_FULL - 6) // most
    high, wide = view.images.shape[-2:]
    ratio = high / wide
    sizes = json.dumps([len(view.rows[p]) for p in people])
    strip = (
        alt.Chart(alt.NamedData(name="faces"))
        .transform_filter("datum.p === person")
        .mark_image(
            align="left", baseline="top", aspect=False, height=round(side * ratio),
            width=alt.expr(f"{sizes}[person] * {side}"),
        )
        .encode(x=alt.value(0), y=alt.value(0), url=alt.Url("url", type="nominal"))
    )  # fmt: skip
    numbers = (
        alt.Chart(alt.InlineData(values=[{"k": k} for k in range(most)]))
        .transform_filter(f"datum.k < {sizes}[person]")
        .transform_calculate(x=f"(datum.k + 0.5) * {side}", number="datum.k + 1")
        .mark_text(fontSize=9, baseline="top", color=theme.INK)
        .encode(
            x=alt.X("x:Q", scale=None, axis=None),
            y=alt.value(round(side * ratio) + 3),
            text="number:Q",
        )
    )
    return alt.layer(strip, numbers).properties(width=side * most, height=round(side * ratio) + 14)
