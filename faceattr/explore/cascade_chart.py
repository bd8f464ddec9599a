"""The cascade explorer's static form: what passes at every combination of a few thresholds.

Whether a box passes M_Net or L_Net depends on the earlier thresholds too, since suppression sees
only what they let pass. So the chart holds, of each window in the scenes shown, a string with one
sign a combination, and its sliders pick the sign.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from faceattr import theme
from faceattr.explore.common import altair, jpeg_uri

if TYPE_CHECKING:
    from faceattr.cascade.survivors import Passed
    from faceattr.explore.cascade_explorer import Search

#: Thresholds of the static form.
GRID = (0.02, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
#: Of the boxes that pass S_Net, M_Net and (if they are faces) L_Net.
COLOURS = ("#b9bec6", "#ffc400", theme.RIGHT)
#: Longer side of a scene in pixels.
SIDE = 320

_PLANE = 190  # pixels: a side of the plane of recall and precision
_NETS = ("S", "M", "L")


def cascade_chart(view: Search, grid: Sequence[float], start: Sequence[int]):
    """A scene with its boxes on the left, recall and precision over all scenes on the right.

    Args:
        view: the search and the scenes shown.
        grid: thresholds, ascending; G of them.
        start: places of the thresholds shown first, of S_Net, M_Net and L_Net.
    """
    alt = altair()
    last = len(grid) - 1
    spoken = f"{grid[0]:g} to {grid[-1]:g}"
    sliders = [
        alt.param(
            name=f"step{net}",
            value=value,
            bind=alt.binding_range(min=0, max=last, step=1, name=f"{net}_Net, {spoken}, step "),
        )
        for net, value in zip(_NETS, start, strict=True)
    ]
    scene = alt.param(
        name="scene",
        value=0,
        bind=alt.binding_select(
            options=list(range(len(view.shown))), labels=view.names, name="Look at "
        ),
    )
    size = len(grid)
    settled = {
        steps: view.survivors.at([grid[step] for step in steps])
        for steps in itertools.product(range(size), repeat=3)
    }
    pick = alt.param(name="pick", expr=f"{size * size} * stepS + {size} * stepM + stepL")
    right = alt.vconcat(_words(alt, view), _plane(alt), spacing=10)
    return (
        alt.hconcat(_scene(alt, view, size), right, spacing=20)
        .add_params(*sliders, scene, pick)
        .properties(
            datasets={
                "windows": _windows(view, settled, size),
                "faces": _faces(view, settled),
                "numbers": _numbers(view, settled),
                "scenes": [
                    {"c": k, "url": jpeg_uri(image, quality=72), "w": image.width,
                     "h": image.height}
                    for k, image in enumerate(view.images)
                ],
            },
            title="Three thresholds",
            description=(
                f"Left, one of {len(view.shown)} scenes with boxes: thin grey ones pass S_Net, "
                "amber ones M_Net, thick ones L_Net, green where they are faces, red with a cross "
                "where they are not; white dashed boxes are faces that were missed. Right, "
                f"precision over recall {view.heading}, and how many boxes pass each network. "
                "Three sliders choose the thresholds, a menu the scene."
            ),
        )
        .configure(**theme.vega_config())
    )  # fmt: skip


def _windows(view: Search, settled: dict[tuple, Passed], size: int) -> list[dict]:
    """One row a window of the shown scenes.

    Its scene ``c``; its boxes ``S``, ``M`` and ``L``; ``s``: of each step of S_Net, ``m``: of
    each of S_Net and M_Net, ``l``: of each of all three, 1 where it passes and 0 where not; in
    ``l``, 2 where it passes and is no face.
    """
    found, rows = view.survivors, []
    last = range(size)
    kept = {
        "s": [set(settled[i, 0, 0].rows["S"].tolist()) for i in last],
        "m": [set(settled[i, j, 0].rows["M"].tolist()) for i in last for j in last],
    }
    ends = [
        dict(zip(passed.rows["L"].tolist(), passed.face.tolist(), strict=True))
        for passed in settled.values()
    ]
    for c, (k, scale) in enumerate(zip(view.shown, view.scales, strict=True)):
        for row in (found.image == k).nonzero()[:, 0].tolist():
            signs = {
                key: "".join(str(int(row in chosen)) for chosen in steps)
                for key, steps in kept.items()
            }
            signs["l"] = "".join(
                "0" if row not in end else "1" if end[row] >= 0 else "2" for end in ends
            )
            if "1" not in signs["s"]:
                continue
            boxes = {"S": _box(found.boxes["S"][row], scale)}
            for net, key in (("M", "m"), ("L", "l")):
                if signs[key].strip("0"):
                    boxes[net] = _box(found.boxes[net][row], scale)
                else:
                    signs[key] = ""
            rows.append({"c": c, **boxes, **signs})
    return rows


def _faces(view: Search, settled: dict[tuple, Passed]) -> list[dict]:
    """One row a true face of the shown scenes: its box ``B`` and, by combination, 1 if missed."""
    rows = []
    truth = view.survivors.truth
    missed = [set(passed.face.tolist()) for passed in settled.values()]
    for c, (k, scale) in enumerate(zip(view.shown, view.scales, strict=True)):
        first = sum(len(boxes) for boxes in truth[:k])
        for j, box in enumerate(truth[k]):
            signs = "".join(str(int(first + j not in found)) for found in missed)
            rows.append({"c": c, "B": _box(box, scale), "x": signs})
    return rows or [{"c": -1, "B": [0, 0, 0, 0], "x": "0" * len(settled)}]


def _numbers(view: Search, settled: dict[tuple, Passed]) -> list[dict]:
    """One row a combination ``n``: recall ``r``, precision ``p``, and three lines of words."""
    return [
        {
            "n": n,
            "r": None if math.isnan(passed.recall[2]) else round(passed.recall[2], 4),
            "p": None if math.isnan(passed.precision) else round(passed.precision, 4),
            **dict(zip("abc", view.lines(passed), strict=True)),
        }
        for n, passed in enumerate(settled.values())
    ]


def _box(box, scale: float) -> list[float]:
    return [round(scale * value, 1) for value in box.tolist()]


def _scene(alt, view: Search, size: int):
    width = max(image.width for image in view.images)
    height = max(image.height for image in view.images)
    here = "datum.c === scene"
    picture = (
        alt.Chart(alt.NamedData(name="scenes"))
        .transform_filter(here)
        .mark_image(
            align="left", baseline="top", aspect=False,
            width=alt.ExprRef("datum.w"), height=alt.ExprRef("datum.h"),
        )
        .encode(x=alt.value(0), y=alt.value(0), url=alt.Url("url", type="nominal"))
    )  # fmt: skip
    windows = alt.Chart(alt.NamedData(name="windows")).transform_filter(here)

    def boxes(chart, field: str, **look):
        return _rects(alt, chart, field, width, height).mark_rect(
            filled=False, clip=True, opacity=1, **look
        )

    s = boxes(windows.transform_filter("datum.s[stepS] === '1'"), "S", stroke=COLOURS[0],
              strokeWidth=1)  # fmt: skip
    m = boxes(
        windows.transform_filter(f"datum.m[{size} * stepS + stepM] === '1'"), "M",
        stroke=COLOURS[1], strokeWidth=2,
    )  # fmt: skip
    hit = boxes(windows.transform_filter("datum.l[pick] === '1'"), "L", stroke=COLOURS[2],
                strokeWidth=3.5)  # fmt: skip
    wrong = windows.transform_filter("datum.l[pick] === '2'")
    alarm = boxes(wrong, "L", stroke=theme.WRONG, strokeWidth=3.5)
    cross = (
        wrong.transform_calculate(
            x="(datum.L[0] + datum.L[2]) / 2", y="(datum.L[1] + datum.L[3]) / 2"
        )
        .mark_text(text="×", fontSize=24, fontWeight="bold", color=theme.WRONG, clip=True)
        .encode(x=alt.X("x:Q", scale=None), y=alt.Y("y:Q", scale=None))
    )
    lost = (
        alt.Chart(alt.NamedData(name="faces"))
        .transform_filter(here)
        .transform_filter("datum.x[pick] === '1'")
    )
    under = boxes(lost, "B", stroke="black", strokeWidth=4, strokeOpacity=0.5)
    miss = boxes(lost, "B", stroke="white", strokeWidth=2.5, strokeDash=[7, 4])
    return alt.layer(picture, s, m, hit, alarm, cross, under, miss).properties(
        width=width, height=height
    )


def _rects(alt, chart, field: str, width: int, height: int):
    """Rectangles whose corners, in pixels, are the four numbers of a field."""
    corners = {name: f"datum.{field}[{i}]" for i, name in enumerate(("x0", "y0", "x1", "y1"))}
    return chart.transform_calculate(**corners).encode(
        x=alt.X("x0:Q", scale=None, axis=None),
        x2="x1:Q",
        y=alt.Y("y0:Q", scale=None, axis=None),
        y2="y1:Q",
    )


def _words(alt, view: Search):
    """A line for each network, behind a square in the colour of its boxes."""
    chosen = alt.Chart(alt.NamedData(name="numbers")).transform_filter("datum.n === pick")
    plain = {"align": "left", "baseline": "middle", "fontSize": 12, "color": theme.INK}
    head = (
        chosen.mark_text(text=view.heading, fontWeight="bold", **plain)
        .encode(x=alt.value(0), y=alt.value(8))
    )  # fmt: skip
    layers = [head]
    for k, field in enumerate("abc"):
        y = 30 + 20 * k
        square = chosen.mark_point(shape="square", filled=True, size=90, opacity=1,
                                   color=COLOURS[k])  # fmt: skip
        layers.append(square.encode(x=alt.value(6), y=alt.value(y)))
        text = alt.Text(field, type="nominal")
        layers.append(chosen.mark_text(**plain).encode(x=alt.value(18), y=alt.value(y), text=text))
    return alt.layer(*layers).properties(width=290, height=84)


def _plane(alt):
    """Precision over recall: all combinations in grey, the chosen one in colour."""
    axis = alt.Axis(format="%", values=[0, 0.5, 1], gridColor=theme.GRID, domain=False)
    whole = alt.Scale(domain=[0, 1])
    x = alt.X("r:Q", title="recall", axis=axis, scale=whole)
    y = alt.Y("p:Q", title="precision", axis=axis, scale=whole)
    pairs = zip("abc", _NETS, strict=True)
    tips = [alt.Tooltip(f"{key}:N", title=f"{net}_Net") for key, net in pairs]
    points = alt.Chart(alt.NamedData(name="numbers")).transform_filter(
        "isValid(datum.r) && isValid(datum.p)"
    )
    every = points.mark_point(filled=True, size=14, opacity=0.25, color=theme.MUTED)
    here = points.transform_filter("datum.n === pick").mark_point(
        filled=True, size=150, opacity=1, color=theme.SERIES[0]
    )
    return alt.layer(every.encode(x=x, y=y, tooltip=tips), here.encode(x=x, y=y)).properties(
        width=_PLANE, height=_PLANE
    )
