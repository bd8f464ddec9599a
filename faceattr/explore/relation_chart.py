"""The relation explorer's static form: two matrices that share a pair, an order and a hover."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair

if TYPE_CHECKING:
    from faceattr.explore.relation_explorer import Relations

#: What the left matrix may show.
VIEWS = ("weights", "asymmetry")
#: Ends of both colour scales: below and above zero.
BLUE, RED = "#2166ac", "#b2182b"

_WIDE, _HIGH, _NAMES = 7, 9, 112  # pixels: a cell, the column of names


def relation_chart(view: Relations, pair: tuple[int, int]):
    """Names and two matrices side by side, with three lines of words about the hovered pair.

    Args:
        view: weights, correlations, names, orders.
        pair: output and source shown first.
    """
    alt = altair()
    order = alt.param(
        name="order",
        value=0,
        bind=alt.binding_select(
            options=list(range(len(view.orders))), labels=list(view.orders), name="Sorted "
        ),
    )
    shown = alt.param(
        name="shown",
        value=VIEWS[0],
        bind=alt.binding_select(options=list(VIEWS), name="Left "),
    )
    places = alt.param(
        name="places",
        value=[np.argsort(columns).tolist() for columns in view.orders.values()],
    )
    words = alt.param(name="words", value=[pretty(name) for name in view.names])
    chosen = alt.selection_point(
        name="pair", on="pointerover", fields=["j", "k"], empty=False, clear=False,
        value=[{"j": pair[0], "k": pair[1]}],
    )  # fmt: skip
    cells = _cells(alt, view)
    weights, labels = view.reach
    left = _matrix(alt, view, cells, chosen, "left", weights, "weight: row listens to column")
    right = _matrix(alt, view, cells, chosen, "r", labels, "label correlation (phi)")
    with warnings.catch_warnings():
        # One selection in two views is what is meant here; Altair asks whether it is.
        warnings.filterwarnings("ignore", "Automatically deduplicated selection", UserWarning)
        matrices = alt.hconcat(_names(alt, view), left, right, spacing=8)
    matrices = matrices.resolve_scale(color="independent")
    return (
        alt.vconcat(matrices, _sentences(alt, view, cells, chosen), spacing=4)
        .add_params(order, shown, places, words)
        .properties(
            datasets={"pairs": _pairs(view)},  # stored, and looked at by Altair, once
            title="Who listens to whom?",
            description=(
                f"Two matrices of {len(view.names)} by {len(view.names)} attributes in one order: "
                "left the weights of the attribute relation layer, right the correlations of "
                "labels. Pointing at a cell frames the pair in both and writes its numbers in both "
                "directions below. Two menus choose the order and whether the left one shows "
                "weights or what is not symmetric in them."
            ),
        )
        .configure(**theme.vega_config())
    )


def _pairs(view: Relations) -> list[dict]:
    """One row a pair ``j, k``: ``s`` its weights seed by seed, ``t`` those of the other direction,
    ``r`` the correlation of labels."""
    weights, count = np.round(view.weights, 3), len(view.names)
    return [
        {
            "j": j,
            "k": k,
            "s": weights[:, j, k].tolist(),
            "t": weights[:, k, j].tolist(),
            "r": round(float(view.correlation[j, k]), 2),
        }
        for j in range(count)
        for k in range(count)
        if j != k
    ]


def _cells(alt, view: Relations):
    """The pairs; ``a`` and ``m`` are the mean weights of both directions, ``left`` what the left
    matrix shows, ``x0`` to ``y1`` where the cell is, in pixels."""
    count = len(view.weights)
    seeds = range(count)
    mean = {key: " + ".join(f"datum.{key}[{s}]" for s in seeds) for key in "st"}
    return alt.Chart(alt.NamedData(name="pairs")).transform_calculate(
        a=f"({mean['s']}) / {count}",
        m=f"({mean['t']}) / {count}",
        left=(
            f"shown === '{VIEWS[0]}' ? ({mean['s']}) / {count} : "
            f"(({mean['s']}) - ({mean['t']})) / {2 * count}"
        ),
        x0=f"places[order][datum.k] * {_WIDE}",
        x1=f"(places[order][datum.k] + 1) * {_WIDE}",
        y0=f"places[order][datum.j] * {_HIGH}",
        y1=f"(places[order][datum.j] + 1) * {_HIGH}",
    )


def _names(alt, view: Relations):
    rows = [{"j": j} for j in range(len(view.names))]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .transform_calculate(
            y=f"(places[order][datum.j] + 0.5) * {_HIGH}", text="words[datum.j]"
        )
        .mark_text(align="right", baseline="middle", fontSize=8.5, color=theme.INK)
        .encode(
            x=alt.value(_NAMES - 2),
            y=alt.Y("y:Q", scale=None, axis=None),
            text=alt.Text("text", type="nominal"),
        )
        .properties(width=_NAMES, height=_HIGH * len(view.names))
    )  # fmt: skip


def _matrix(alt, view: Relations, cells, chosen, field: str, reach: float, title: str):
    place = {
        "x": alt.X("x0:Q", scale=None, axis=None), "x2": "x1:Q",
        "y": alt.Y("y0:Q", scale=None, axis=None), "y2": "y1:Q",
    }  # fmt: skip
    colour = alt.Color(
        f"{field}:Q",
        scale=alt.Scale(
            domain=[-reach, 0, reach],
            range=[BLUE, theme.PAPER, RED],
            interpolate="rgb",
            clamp=True,
            nice=False,
        ),
        legend=alt.Legend(
            orient="bottom", title=title, gradientLength=200, tickCount=5, titleLimit=0
        ),
    )
    rects = cells.mark_rect(strokeWidth=0).encode(**place, color=colour).add_params(chosen)
    width, height = _WIDE * len(view.names), _HIGH * len(view.names)
    frame = {"fillOpacity": 0, "strokeWidth": 1.6}
    both = (
        "(datum.j === pair.j[0] && datum.k === pair.k[0])"
        " || (datum.j === pair.k[0] && datum.k === pair.j[0])"
    )
    marks = cells.transform_filter(f"pair.j && ({both})").mark_rect(
        stroke=theme.INK, tooltip=None, **frame
    )
    return alt.layer(rects, marks.encode(**place)).properties(width=width, height=height)


def _sentences(alt, view: Relations, cells, chosen):
    """Three lines about the pair, in words."""

    def seeds(key: str) -> str:
        parts = [f"format(datum.{key}[{s}], '+.3f')" for s in range(len(view.weights))]
        return " + ', ' + ".join(parts)

    def line(output: str, source: str, mean: str, key: str) -> str:
        text = f"words[datum.{output}] + ' listens to ' + words[datum.{source}] + ': '"
        text += f" + format(datum.{mean}, '+.3f')"
        if len(view.weights) > 1:
            text += f" + '   (seeds ' + {seeds(key)} + ')'"
        return text

    texts = (
        line("j", "k", "a", "s"),
        line("k", "j", "m", "t"),
        "'labels of both: correlation ' + format(datum.r, '+.2f')",
    )
    chosen_row = cells.transform_filter(chosen)
    layers = [
        chosen_row.transform_calculate(text=text)
        .mark_text(align="left", baseline="middle", fontSize=13, color=theme.INK)
        .encode(
            x=alt.value(0), y=alt.value(12 + 20 * row), text=alt.Text("text", type="nominal")
        )
        for row, text in enumerate(texts)
    ]  # fmt: skip
    return alt.layer(*layers).properties(width=_NAMES + 2 * _WIDE * len(view.names) + 16, height=68)
