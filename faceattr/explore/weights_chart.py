"""The weights explorer's static form: one chart with menus for scheme, epoch and attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair

if TYPE_CHECKING:
    from faceattr.explore.weights_explorer import Weights

#: Shares of the weight below this are drawn here, at the bottom of the axis.
LEAST = 1e-4

_WIDE, _HIGH = 178, 230  # pixels of a panel


def weights_chart(view: Weights, start: str, column: int):
    """Weights, losses, and one against the other in the chosen epoch.

    Args:
        view: weights and losses of all schemes.
        start: the scheme shown first.
        column: the attribute drawn in colour at first.
    """
    alt = altair()
    names = [pretty(name) for name in view.names]
    menus = [
        alt.param(
            name="scheme",
            value=start,
            bind=alt.binding_select(options=view.schemes, name="Scheme "),
        ),
        alt.param(
            name="epoch",
            value=1,
            bind=alt.binding_range(min=1, max=view.epochs, step=1, name="Epoch "),
        ),
        alt.param(
            name="attribute",
            value=column,
            bind=alt.binding_select(
                options=list(range(len(names))), labels=names, name="Attribute "
            ),
        ),
    ]
    panels = alt.hconcat(_paths(alt, view, "w"), _paths(alt, view, "l"), _against(alt, view),
                         spacing=18)  # fmt: skip
    return (
        alt.vconcat(_sentence(alt), panels, spacing=4)
        .add_params(*menus)
        .properties(
            datasets={"attributes": _rows(view), "sentences": _sentences(view)},
            title="Who gets the weight?",
            description=(
                f"Three panels for {len(names)} attributes. Left, lines: share of the weight over "
                f"epochs, on a log scale, a dotted line at 1/{len(names)}. Middle, lines: mean "
                "loss over epochs. Right, dots: weight against loss in the chosen epoch. Menus "
                "choose the weighting scheme and an attribute drawn in colour, a slider the epoch."
            ),
        )
        .configure(**theme.vega_config())
    )


def _rows(view: Weights) -> list[dict]:
    """One row a scheme and attribute: its weights ``w`` and losses ``l`` by epoch."""
    return [
        {
            "s": scheme,
            "j": j,
            "name": pretty(name),
            "w": [float(f"{v:.3g}") for v in view.share[scheme][:, j]],
            "l": np.round(view.loss[scheme][:, j], 4).tolist(),
            **({} if view.prevalence is None else {"p": round(float(view.prevalence[j]), 3)}),
        }
        for scheme in view.schemes
        for j, name in enumerate(view.names)
    ]


def _sentences(view: Weights) -> list[dict]:
    return [
        {"s": scheme, "e": epoch, "text": view.sentence(scheme, epoch)}
        for scheme in view.schemes
        for epoch in range(1, view.epochs + 1)
    ]


def _sentence(alt):
    return (
        alt.Chart(alt.NamedData(name="sentences"))
        .transform_filter("datum.s === scheme && datum.e === epoch")
        .mark_text(align="left", baseline="middle", fontSize=12, color=theme.INK)
        .encode(x=alt.value(-34), y=alt.value(9), text=alt.Text("text", type="nominal"))
        .properties(width=3 * _WIDE, height=18)
    )


def _chosen(alt):
    """The chosen scheme's attributes."""
    return alt.Chart(alt.NamedData(name="attributes")).transform_filter("datum.s === scheme")


def _weight_axis(alt, field: str):
    return alt.Y(
        f"{field}:Q",
        title=None,
        scale=alt.Scale(type="log", domain=[LEAST, 1], nice=False, clamp=True),
        axis=alt.Axis(
            values=[1, 0.1, 0.01, 0.001, LEAST], gridColor=theme.GRID, domain=False,
            labelExpr=f"(datum.value > {LEAST} ? '' : '≤') + format(datum.value, '~g')",
            labelOverlap=False,
        ),
    )  # fmt: skip


def _loss_scale(alt, view: Weights):
    high = max(float(loss.max()) for loss in view.loss.values())
    return alt.Scale(domain=[0, high], nice=True)


def _tips(alt, view: Weights) -> list:
    tips = [
        alt.Tooltip("name:N", title="attribute"),
        alt.Tooltip("weight:Q", format=".4f", title="share of the weight"),
        alt.Tooltip("loss:Q", format=".3f", title="mean loss"),
    ]
    if view.prevalence is not None:
        tips.append(alt.Tooltip("p:Q", format=".0%", title="worn by"))
    return tips


def _even(alt, view: Weights, field: str):
    """The dotted line of equal weight."""
    rows = alt.InlineData(values=[{field: 1 / len(view.names)}])
    rule = alt.Chart(rows).mark_rule(color=theme.INK, strokeDash=[2, 3])
    return rule.encode(y=_weight_axis(alt, field))


def _paths(alt, view: Weights, letter: str):
    """Lines over epochs: of the weights (``w``) or of the losses (``l``)."""
    field = {"w": "weight", "l": "loss"}[letter]
    rows = (
        _chosen(alt)
        .transform_flatten(["w", "l"])
        .transform_window(k="row_number()", groupby=["j"])
        .transform_calculate(weight=f"max(datum.w, {LEAST})", loss="datum.l")
    )
    x = alt.X(
        "k:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, max(view.epochs, 2)], nice=False),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False, domainColor=theme.MUTED),
    )
    if letter == "w":
        y = _weight_axis(alt, field)
    else:
        axis = alt.Axis(gridColor=theme.GRID, domain=False, tickCount=4)
        y = alt.Y("loss:Q", title=None, scale=_loss_scale(alt, view), axis=axis)
    lines = rows.mark_line(strokeWidth=1, color=theme.MUTED, opacity=0.4).encode(
        x=x, y=y, detail="j:N"
    )
    one = rows.transform_filter("datum.j === attribute").mark_line(
        strokeWidth=2.6, color=theme.SERIES[1]
    )
    here = (
        alt.Chart(alt.NamedData(name="sentences"))
        .transform_filter("datum.s === scheme && datum.e === epoch")
        .transform_calculate(k="datum.e")
        .mark_rule(color=theme.MUTED, strokeDash=[4, 3])
        .encode(x=x)
    )
    layers = [here, lines, one.encode(x=x, y=y)]
    if letter == "w":
        layers.insert(0, _even(alt, view, field))
    title = {"w": "share of the weight", "l": "mean loss"}[letter]
    return alt.layer(*layers).properties(width=_WIDE, height=_HIGH, title=_title(alt, title))


def _against(alt, view: Weights):
    """One dot an attribute: weight against loss in the chosen epoch."""
    row = "min(epoch, length(datum.w)) - 1"
    rows = _chosen(alt).transform_calculate(
        weight=f"datum.w[{row}]", loss=f"datum.l[{row}]", drawn=f"max(datum.w[{row}], {LEAST})"
    )
    axis = alt.Axis(grid=False, domainColor=theme.MUTED, tickCount=4)
    x = alt.X("loss:Q", title="mean loss", scale=_loss_scale(alt, view), axis=axis)
    y = _weight_axis(alt, "drawn")
    dots = rows.mark_point(filled=True, opacity=0.75, size=52, color=theme.SERIES[0]).encode(
        x=x, y=y, tooltip=_tips(alt, view)
    )
    only = rows.transform_filter("datum.j === attribute")
    one = only.mark_point(filled=True, opacity=1, size=120, color=theme.SERIES[1]).encode(
        x=x, y=y, tooltip=_tips(alt, view)
    )
    name = only.mark_text(fontSize=11, dy=-12, color=theme.INK).encode(
        x=x, y=y, text=alt.Text("name", type="nominal")
    )
    return alt.layer(_even(alt, view, "drawn"), dots, one, name).properties(
        width=_WIDE, height=_HIGH, title=_title(alt, "weight against loss, this epoch")
    )


def _title(alt, words: str):
    return alt.TitleParams(words, fontSize=12, offset=4, anchor="start")
