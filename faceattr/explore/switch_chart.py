"""The switch explorer's static form: one chart that sorts the subnets by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair, enlarged, jpeg_uri, picture

if TYPE_CHECKING:
    from faceattr.explore.switch_explorer import Listening

#: What a subnet may be to an attribute.
KINDS = ("whole image", "its own part", "part of another attribute")

_LINE, _WIDE, _FACE = 11, 190, 300  # pixels: a bar with its gap, the longest bar, the face
_COLOURS = (theme.SERIES[1], theme.SERIES[0], "#9aa0a6")  # of KINDS


def switch_chart(view: Listening, start: str, largest: int):
    """Names, bars and a face with squares, side by side; menus choose attribute and face.

    Args:
        view: weights, faces, squares.
        start: the attribute shown first.
        largest: how many squares are drawn.
    """
    alt = altair()
    columns = list(range(len(view.names)))
    attribute = alt.param(
        name="attribute",
        value=view.names.index(start),
        bind=alt.binding_select(
            options=columns, labels=[pretty(name) for name in view.names], name="Attribute "
        ),
    )
    face = alt.param(
        name="face",
        value=0,
        bind=alt.binding_select(
            options=list(range(len(view.rows))),
            labels=[f"face {row}" for row in view.rows],
            name="Face ",
        ),
    )
    ranked, tables = _ranked(alt, view), {"subnets": _subnets(view), "faces": _faces(view)}
    names, bars = _names(alt, view, ranked), _bars(alt, view, ranked)
    return (
        alt.hconcat(names, bars, _face(alt, view, ranked, largest), spacing=8)
        .add_params(attribute, face)
        .properties(
            datasets=tables,  # stored, and looked at by Altair, once for all layers
            title="Whom does it listen to?",
            description=(
                f"Left, bars for the weights of {len(view.names) + 1} subnets in the region switch "
                "layer for one attribute, largest first: the whole image, the attribute's own part "
                f"and the other parts in colours of their own. Right, a face with the squares of "
                f"the first {largest}. Two menus choose attribute and face."
            ),
        )
        .configure(**theme.vega_config())
    )


def _subnets(view: Listening) -> list[dict]:
    """One row a subnet: its weights for all attributes, and its squares on all faces shown."""
    mean, low, high = view.weights.mean(0), view.weights.min(0), view.weights.max(0)
    return [
        {
            "i": i,
            "name": view.subnet(i),
            **{
                key: np.round(values[i], 4).tolist()
                for key, values in (("w", mean), ("l", low), ("h", high))
            },
            "b": np.round(view.boxes[view.rows, i], 3).tolist(),
        }
        for i in range(len(view.names) + 1)
    ]


def _faces(view: Listening) -> list[dict]:
    """One row a face: its picture as text."""
    return [
        {"f": f, "url": jpeg_uri(enlarged(picture(view.images[row]), _FACE // 2))}
        for f, row in enumerate(view.rows)
    ]


def _ranked(alt, view: Listening):
    """The subnets; ``weight``, ``low``, ``high``, ``kind`` and ``rank`` are those for the
    attribute chosen, ``x0`` to ``y1`` the square on the face chosen, in pixels."""
    height = _height(view)
    kinds = "datum.i === 0 ? '{}' : datum.i === attribute + 1 ? '{}' : '{}'".format(*KINDS)
    return (
        alt.Chart(alt.NamedData(name="subnets"))
        .transform_calculate(
            weight="datum.w[attribute]",
            low="datum.l[attribute]",
            high="datum.h[attribute]",
            kind=kinds,
            x0=f"datum.b[face][0] * {_FACE}",
            y0=f"datum.b[face][1] * {height}",
            x1=f"datum.b[face][2] * {_FACE}",
            y1=f"datum.b[face][3] * {height}",
        )
        .transform_window(
            rank="row_number()", sort=[{"field": "weight", "order": "descending"}]
        )
        .transform_calculate(
            top=f"(datum.rank - 1) * {_LINE} + 1",
            bottom=f"datum.rank * {_LINE} - 1",
            middle=f"(datum.rank - 0.5) * {_LINE}",
            label="datum.rank + '. ' + datum.name",
        )
    )  # fmt: skip


def _height(view: Listening) -> int:
    high, wide = view.images.shape[-2:]
    return round(_FACE * high / wide)


def _full(view: Listening) -> int:
    return _LINE * (len(view.names) + 1)


def _colour(alt):
    return alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(KINDS), range=list(_COLOURS)),
        legend=alt.Legend(orient="top", title=None, labelLimit=0, symbolType="square"),
    )


def _y(alt, field: str):
    return alt.Y(f"{field}:Q", scale=None, axis=None)


def _names(alt, view: Listening, ranked):
    mark = {"align": "right", "baseline": "middle", "color": theme.INK}
    plain = ranked.transform_filter(f"datum.kind === '{KINDS[2]}'").mark_text(fontSize=9, **mark)
    bold = ranked.transform_filter(f"datum.kind !== '{KINDS[2]}'").mark_text(
        fontSize=9.5, fontWeight="bold", **mark
    )
    how = {"x": alt.value(128), "y": _y(alt, "middle"), "text": alt.Text("label", type="nominal")}
    return alt.layer(plain.encode(**how), bold.encode(**how)).properties(
        width=130, height=_full(view)
    )


def _bars(alt, view: Listening, ranked):
    reach = [min(0.0, float(view.weights.min())), max(0.0, float(view.weights.max()))]
    x = alt.X(
        "weight:Q",
        scale=alt.Scale(domain=reach, nice=True),
        axis=alt.Axis(title="weight", tickCount=4, gridColor=theme.GRID, domain=False),
    )
    tips = [
        alt.Tooltip("name:N", title="subnet"),
        alt.Tooltip("weight:Q", format="+.4f", title="mean weight"),
        alt.Tooltip("low:Q", format="+.4f", title="lowest seed"),
        alt.Tooltip("high:Q", format="+.4f", title="highest seed"),
    ]
    bars = ranked.transform_calculate(zero="0").mark_bar().encode(
        x=x, x2="zero:Q", y=_y(alt, "top"), y2="bottom:Q", color=_colour(alt), tooltip=tips
    )  # fmt: skip
    layers = [bars]
    if len(view.weights) > 1:
        layers.append(
            ranked.mark_rule(color=theme.INK, strokeWidth=1).encode(
                x=alt.X("low:Q"), x2="high:Q", y=_y(alt, "middle")
            )
        )
    return alt.layer(*layers).properties(width=_WIDE, height=_full(view))


def _face(alt, view: Listening, ranked, largest: int):
    height = _height(view)
    shown = (
        alt.Chart(alt.NamedData(name="faces"))
        .transform_filter("datum.f === face")
        .mark_image(width=_FACE, height=height, align="left", baseline="top", aspect=False)
        .encode(x=alt.value(0), y=alt.value(0), url=alt.Url("url", type="nominal"))
    )
    first = ranked.transform_filter(f"datum.rank <= {largest}")
    box = {
        "x": alt.X("x0:Q", scale=None, axis=None), "x2": "x1:Q",
        "y": _y(alt, "y0"), "y2": "y1:Q",
    }  # fmt: skip
    under = first.mark_rect(fillOpacity=0, stroke="white", strokeWidth=5).encode(**box)
    tips = [alt.Tooltip("label:N", title="subnet"), alt.Tooltip("weight:Q", format="+.4f")]
    over = [
        first.transform_filter(f"datum.kind === '{kind}'")
        .mark_rect(fillOpacity=0, strokeWidth=2.5, stroke=colour)
        .encode(**box, tooltip=tips)
        for kind, colour in zip(KINDS, _COLOURS, strict=True)
    ]
    place = {"x": box["x"], "y": box["y"], "text": alt.Text("rank", type="quantitative")}
    digit = {"dx": 9, "dy": 11, "fontSize": 14, "fontWeight": "bold"}
    halo = first.mark_text(stroke="white", strokeWidth=4, color="white", **digit).encode(**place)
    number = first.mark_text(color=theme.INK, **digit).encode(**place)
    return alt.layer(shown, under, *over, halo, number).properties(width=_FACE, height=height)
