"""Below the person explorer's matrices: what they come to in numbers, and the same of everybody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from faceattr import theme

if TYPE_CHECKING:
    from faceattr.explore.person_explorer import People

#: Heads of the table.
HEADS = ("", "mean correlation of pictures", "departures a picture", "right")

_DOTS = 130  # pixels: side of the panel of all people


def table(alt, view: People):
    """What the matrices come to, in numbers."""
    places = (14, 250, 390, 470)
    chosen = alt.Chart(alt.NamedData(name="people")).transform_filter("datum.p === person")
    layers = []
    for column, (head, x) in enumerate(zip(HEADS, places, strict=True)):
        how = {"align": "right" if column else "left", "baseline": "middle", "color": theme.INK}
        layers.append(
            alt.Chart(alt.InlineData(values=[{"text": head}]))
            .mark_text(fontSize=11, fontWeight="bold", **how)
            .encode(x=alt.value(x), y=alt.value(10), text=alt.Text("text", type="nominal"))
        )
        for line in range(len(view.panels)):
            layers.append(
                chosen.transform_calculate(text=f"datum.t[{line}][{column}]")
                .mark_text(fontSize=12, **how)
                .encode(
                    x=alt.value(x),
                    y=alt.value(32 + 20 * line),
                    text=alt.Text("text", type="nominal"),
                )
            )
    keys = [{"y": 32 + 20 * (k + 1), "network": n} for k, n in enumerate(list(view.panels)[1:])]
    layers.append(
        alt.Chart(alt.InlineData(values=keys))
        .mark_point(filled=True, opacity=1, size=60)
        .encode(x=alt.value(4), y=alt.Y("y:Q", scale=None, axis=None), color=_networks(alt, view))
    )
    return alt.layer(*layers).properties(width=places[-1] + 20, height=_DOTS)


def _networks(alt, view: People):
    """The networks' colours; the dots before their names in the table are the legend."""
    networks = list(view.panels)[1:]
    colours = [theme.SERIES[(q + 2) % 6] for q in range(len(networks))]
    return alt.Color(
        "network:N", scale=alt.Scale(domain=networks, range=colours), legend=None
    )  # fmt: skip


def everybody(alt, view: People):
    """All people: correlation of labels across, of each network's answers up."""
    networks = list(view.panels)[1:]
    values = [
        mean for each in view.correlation.values() for mean in each.values() if np.isfinite(mean)
    ] or [0.0, 1.0]
    ends = [np.floor(10 * min(values)) / 10, np.ceil(10 * max(values)) / 10]
    ends = [float(ends[0]), float(max(ends[1], ends[0] + 0.1))]
    scale = alt.Scale(domain=ends, nice=False, zero=False)
    axis = {"tickCount": 3, "gridColor": theme.GRID, "domain": False, "titleFontSize": 10}
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title="correlation, labels", **axis))
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="correlation, answers", **axis))
    people = (
        alt.Chart(alt.NamedData(name="people"))
        .transform_calculate(q=json.dumps(list(range(1, len(view.panels)))))
        .transform_flatten(["q"])
        .transform_calculate(
            x="datum.r[0]", y="datum.r[datum.q]", network=f"{json.dumps(networks)}[datum.q - 1]"
        )
        .transform_filter("isValid(datum.x) && isValid(datum.y)")
    )
    equal = (
        alt.Chart(alt.InlineData(values=[{"x": end, "y": end} for end in ends]))
        .mark_line(color=theme.MUTED, strokeDash=[4, 3], strokeWidth=1)
        .encode(x=x, y=y)
    )
    tips = [alt.Tooltip("name:N", title="person"), alt.Tooltip("network:N"),
            alt.Tooltip("x:Q", format="+.2f", title="labels"),
            alt.Tooltip("y:Q", format="+.2f", title="answers")]  # fmt: skip
    dots = people.mark_point(filled=True, opacity=0.9).encode(
        x=x, y=y, color=_networks(alt, view), tooltip=tips,
        size=alt.condition("datum.p === person", alt.value(130), alt.value(28)),
    )  # fmt: skip
    return alt.layer(equal, dots).properties(width=_DOTS, height=_DOTS)
