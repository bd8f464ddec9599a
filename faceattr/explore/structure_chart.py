"""The structure explorer's static form: a grid to step through, and the coefficients of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair

if TYPE_CHECKING:
    from faceattr.explore.structure_explorer import Structure

#: Ends of the coefficients' colours: below and above zero.
BLUE, RED = "#2166ac", "#b2182b"
#: In cells: width of a row of groups, gaps beside, above and below a group.
_WIDEST, _GAP, _HEAD, _FOOT = 19, 1.2, 1.3, 6.4
_CELL = 14  # pixels


def placed(view: Structure) -> tuple[list, list, tuple[float, float]]:
    """Where the coefficients stand, in cells.

    Returns:
        Left upper corner of each; labels ``(x, y, words, turned)``; width and height of all.
    """
    deep: dict[int, int] = {}
    for group, row, _ in view.cells:
        deep[group] = max(deep.get(group, 0), row + 1)
    corner, left, top, tallest = {}, 0.0, 0.0, 0
    for group, (heading, names) in enumerate(view.groups.items()):
        wide = max(len(names), 0.55 * len(heading))
        if left and left + wide > _WIDEST:
            left, top, tallest = 0.0, top + _HEAD + tallest + _FOOT, 0
        corner[group] = (left, top + _HEAD)
        left, tallest = left + wide + _GAP, max(tallest, deep[group])
    places = [(corner[g][0] + j, corner[g][1] + i) for g, i, j in view.cells]
    labels = []
    for g, (group, names) in enumerate(view.groups.items()):
        x, y = corner[g]
        labels.append((x, y - 0.3, group, False))
        labels += [(x + j + 0.25, y + deep[g] + 0.3, name, True) for j, name in enumerate(names)]
    return places, labels, (_WIDEST + 1.0, top + _HEAD + tallest + _FOOT)


def structure_chart(view: Structure, at: tuple[int, int]):
    """Three tables on the left, the coefficients on the right, two sliders.

    Args:
        view: the grid, and coefficients.
        at: places of the gamma and lambda shown first.
    """
    alt = altair()
    params = [
        alt.param(
            name=name,
            value=place,
            bind=alt.binding_range(
                min=0, max=len(values) - 1, step=1,
                name=f"{words} from {values[0]:g} to {values[-1]:g}, step ",
            ),
        )
        for name, place, values, words in (
            ("g", at[0], view.gammas, "gamma"), ("k", at[1], view.lams, "lambda"),
        )
    ]  # fmt: skip
    left = alt.vconcat(*_tables(alt, view), spacing=8).resolve_scale(color="independent")
    body = alt.hconcat(left, _pattern(alt, view), spacing=22) if view.cells else left
    return (
        alt.vconcat(_sentence(alt, view), body, spacing=8)
        .add_params(*params)
        .properties(
            title="How much structure?",
            description=(
                f"Three tables over {len(view.gammas)} values of gamma and {len(view.lams)} of "
                "lambda: the share of coefficients that are 0, the rank of the basis tasks, mean "
                "accuracy. Two sliders choose a place, which is framed"
                + (
                    "; beside them the coefficients of every group there."
                    if view.cells
                    else "."
                )
            ),
        )
        .configure(**theme.vega_config())
    )  # fmt: skip


def _grid(view: Structure):
    return [(g, k) for g in range(len(view.gammas)) for k in range(len(view.lams))]


def _sentence(alt, view: Structure):
    rows = [{"a": g, "b": k, "text": view.sentence(g, k)} for g, k in _grid(view)]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .transform_filter("datum.a === g && datum.b === k")
        .mark_text(align="left", baseline="top", fontSize=12, color=theme.INK, lineBreak="\n")
        .encode(x=alt.value(0), y=alt.value(2), text=alt.Text("text", type="nominal"))
        .properties(width=520, height=32)
    )


def _tables(alt, view: Structure):
    from faceattr.explore.structure_explorer import PANELS, said

    for column, heading in PANELS.items():
        table = view.tables[column]
        rows = [
            {
                "a": g,
                "b": k,
                "gamma": f"{view.gammas[g]:g}",
                "lambda": f"{view.lams[k]:g}",
                "v": round(float(table[g, k]), 5),
                "text": said(column, table[g, k]),
            }
            for g, k in _grid(view)
        ]
        cells = alt.Chart(alt.InlineData(values=rows))
        axis = {"labelAngle": 0, "domain": False, "ticks": False}
        order = {"x": [f"{v:g}" for v in view.gammas], "y": [f"{v:g}" for v in view.lams]}
        last = column == list(PANELS)[-1]
        where = {
            "x": alt.X("gamma:N", sort=order["x"], title="gamma" if last else None,
                       axis=alt.Axis(**axis)),
            "y": alt.Y("lambda:N", sort=order["y"], title="lambda", axis=alt.Axis(**axis)),
        }  # fmt: skip
        ends = [float(table.min()), float(table.max() + 0.33 * (np.ptp(table) or 1.0))]
        shades = alt.Scale(domain=ends, range=[theme.PAPER, theme.SERIES[4]], interpolate="rgb")
        here = "datum.a === g && datum.b === k"
        yield alt.layer(
            cells.mark_rect().encode(**where, color=alt.Color("v:Q", scale=shades, legend=None)),
            cells.mark_text(fontSize=11, color=theme.INK).encode(**where, text="text:N"),
            cells.transform_filter(here).mark_rect(
                fillOpacity=0, stroke=theme.INK, strokeWidth=2
            ).encode(**where),
        ).properties(
            width=44 * len(view.gammas), height=21 * len(view.lams),
            title=alt.TitleParams(heading, fontSize=12, anchor="start", offset=3),
        )  # fmt: skip


def _pattern(alt, view: Structure):
    places, labels, (wide, high) = placed(view)
    steps = len(view.lams)
    flat = view.patterns.reshape(-1, len(view.cells))
    rows = [
        {
            "x": x * _CELL,
            "y": y * _CELL,
            "x1": (x + 1) * _CELL,
            "y1": (y + 1) * _CELL,
            "v": [float(f"{value:.3g}") for value in flat[:, c]],
        }
        for c, (x, y) in enumerate(places)
    ]
    cells = alt.Chart(alt.InlineData(values=rows)).transform_calculate(
        value=f"datum.v[g * {steps} + k]"
    )
    x, y = alt.X("x:Q", scale=None, axis=None), alt.Y("y:Q", scale=None, axis=None)
    reach = view.reach
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(
            domain=[-reach, 0, reach], range=[BLUE, theme.PAPER, RED], interpolate="rgb",
            clamp=True, nice=False,
        ),
        legend=alt.Legend(
            orient="bottom", title="coefficient; crosses are exactly 0", titleLimit=0,
            gradientLength=200, tickCount=3,
        ),
    )  # fmt: skip
    tip = [alt.Tooltip("value:Q", format=".3g", title="coefficient")]
    layers = [
        cells.mark_rect(stroke=theme.GRID).encode(x=x, y=y, x2="x1:Q", y2="y1:Q", color=colour,
                                                  tooltip=tip),
        cells.transform_filter("datum.value === 0")
        .transform_calculate(mx=f"datum.x + {_CELL / 2}", my=f"datum.y + {_CELL / 2}")
        .mark_text(text="×", fontSize=11, color=theme.MUTED)
        .encode(x=alt.X("mx:Q", scale=None, axis=None), y=alt.Y("my:Q", scale=None, axis=None)),
    ]  # fmt: skip
    for turned in (False, True):
        words = [
            {"x": a * _CELL, "y": b * _CELL, "text": pretty(text)}
            for a, b, text, t in labels
            if t == turned
        ]
        layers.append(
            alt.Chart(alt.InlineData(values=words))
            .mark_text(
                align="left", baseline="middle", fontSize=9 if turned else 11,
                angle=90 if turned else 0, fontWeight="normal" if turned else "bold",
                color=theme.INK, dx=0, dy=-3 if turned else 0,
            )
            .encode(x=x, y=y, text=alt.Text("text", type="nominal"))
        )  # fmt: skip
    return alt.layer(*layers).properties(width=wide * _CELL, height=high * _CELL)
