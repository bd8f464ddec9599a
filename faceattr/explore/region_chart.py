"""The region explorer's static form: one chart that moves its square and cuts out by itself.

The page holds each face once, and for each attribute a small map, an outline and four numbers. What
is inside the square is the same face again, enlarged, shifted, and clipped by the panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.explore.common import altair, enlarged, heat_picture, jpeg_uri, png_uri

if TYPE_CHECKING:
    from faceattr.explore.region_explorer import View

#: Side of a panel, and width of the pictures that are stored, in pixels.
SIDE, STORED = 200, 224


def region_chart(views: Sequence[View], names: Sequence[str], start: str):
    """The static form.

    Args:
        views: the faces.
        names: the attributes.
        start: the one that is shown first.
    """
    alt = altair()
    known = any(view.truth is not None for view in views)
    labels = [f"face {view.row}" for view in views]
    params = [
        alt.param(name="face", value=labels[0], bind=_menu(alt, labels, "Face ")),
        alt.param(
            name="attribute",
            value=pretty(start),
            bind=_menu(alt, [pretty(name) for name in names], "Attribute "),
        ),
    ]
    if known:
        switch = alt.binding_checkbox(name="True region's outline ")
        params.append(alt.param(name="outline", value=False, bind=switch))
    width, height = views[0].face.size
    panel = (SIDE, SIDE * height / width)
    x0, _, x1, _ = views[0].squares[0].tolist()  # all squares are of one size
    stock = _Stock(alt, *_rows(views, names, labels, panel), panel, 1 / (x1 - x0))
    shown = {
        "face": _on_face(stock, "url"),
        "heat map": _on_face(stock, "grey", heat=True),
        "inside the square": _inside(stock),
    }
    panels = [
        alt.layer(*layers).properties(title=alt.TitleParams(title, fontSize=13, offset=6))
        for title, layers in shown.items()
    ]
    sizes = [panel, panel, (SIDE, SIDE)]
    sized = [
        p.properties(width=w, height=round(h)) for p, (w, h) in zip(panels, sizes, strict=True)
    ]
    words = stock.chosen().mark_text(align="left", baseline="middle", fontSize=13, color=theme.INK)
    words = words.encode(
        x=alt.value(0), y=alt.value(8), text=alt.Text("text", type="nominal")
    ).properties(width=3 * SIDE, height=16)
    return (
        alt.vconcat(alt.hconcat(*sized, spacing=14, bounds="flush"), words, spacing=8)
        .add_params(*params)
        .properties(
            title=alt.TitleParams("What does the subnet of an attribute see?", offset=14),
            description=(
                "Left a face with a square on it, in the middle the heat map whose highest point "
                "the square is cut round, right what is inside. Menus choose one of "
                f"{len(views)} faces and one of {len(names)} attributes"
                + ("; a switch draws the outline of the true region." if known else ".")
            ),
        )
        .configure(**theme.vega_config())
    )


def outline(mask: Tensor, side: int = 160) -> Image.Image:
    """``(h, w)`` bool as a clear picture with the border of what is true, white within blue.

    Args:
        mask: the region.
        side: pixels across the longer side of the picture.
    """
    scale = max(1, round(side / max(mask.shape)))
    big = interpolate(mask[None, None].float(), scale_factor=scale, mode="nearest")
    blue, white = (_edge(big, reach) for reach in (1, 2))
    shown = Image.fromarray((2 * blue + white * ~blue)[0, 0].to(torch.uint8).cpu().numpy())
    red, green, deep = (int(theme.SERIES[0][i : i + 2], 16) for i in (1, 3, 5))
    shown.putpalette([0, 0, 0, 0, 255, 255, 255, 230, red, green, deep, 255], "RGBA")
    return shown


def _edge(mask: Tensor, reach: int) -> Tensor:
    """Pixels with both kinds within ``reach``; the picture's own border is no edge."""
    window = {"kernel_size": 2 * reach + 1, "stride": 1, "padding": reach}
    return (max_pool2d(mask, **window) > 0) & (max_pool2d(1 - mask, **window) > 0)


def _menu(alt, options: Sequence[str], name: str):
    return alt.binding_select(options=list(options), name=name)


def _rows(
    views: Sequence[View], names: Sequence[str], labels: Sequence[str], panel: tuple[float, float]
) -> tuple[list[dict], list[dict]]:
    """A row for each face, and one for each face and attribute, with its square in a panel."""
    faces, cells = [], []
    for label, view in zip(labels, views, strict=True):
        small = enlarged(view.face, STORED)
        grey = jpeg_uri(small.convert("L"), quality=70)
        faces.append({"face": label, "url": jpeg_uri(small, quality=82), "grey": grey})
        for j, name in enumerate(names):
            x0, y0, x1, y1 = (
                s * n for s, n in zip(view.squares[j].tolist(), panel * 2, strict=True)
            )
            cell = {"face": label, "attribute": pretty(name), "text": view.words[j]}
            cell |= {"x0": round(x0, 2), "y0": round(y0, 2), "x1": round(x1, 2), "y1": round(y1, 2)}
            cell["heat"] = png_uri(heat_picture(view.heat[j]))
            if view.truth is not None and view.truth[j].any():
                cell["line"] = png_uri(outline(view.truth[j]))
            cells.append(cell)
    return faces, cells


class _Stock:
    """The two tables as charts; each is stored once, however many layers show it."""

    def __init__(
        self, alt, faces: list[dict], cells: list[dict], panel: tuple[float, float], zoom: float
    ):
        self.alt, self.panel, self.zoom = alt, panel, zoom
        self._faces, self._cells = alt.InlineData(values=faces), alt.InlineData(values=cells)
        self.lined = any("line" in cell for cell in cells)

    def face(self):
        """The chosen face."""
        return self.alt.Chart(self._faces).transform_filter("datum.face === face")

    def chosen(self):
        """The chosen face's row for the chosen attribute."""
        wanted = "datum.face === face && datum.attribute === attribute"
        return self.alt.Chart(self._cells).transform_filter(wanted)

    def line(self):
        """The same, while the switch is on and there is a region."""
        return self.chosen().transform_filter("outline && isValid(datum.line)")

    def with_face(self, chart):
        """The same with the face's picture."""
        found = self.alt.LookupData(data=self._faces, key="face", fields=["url"])
        return chart.transform_lookup(lookup="face", from_=found)


def _image(alt, chart, url: str, size: tuple[float, float], *, x=None, y=None):
    """Pictures from their upper left corner, smoothed, and cut off at the panel's border."""
    mark = chart.mark_image(
        width=size[0], height=size[1], align="left", baseline="top", aspect=False, clip=True
    )
    return mark.encode(
        x=alt.value(0) if x is None else alt.X(x, scale=None, axis=None),
        y=alt.value(0) if y is None else alt.Y(y, scale=None, axis=None),
        url=alt.Url(url, type="nominal"),
    )


def _on_face(stock: _Stock, url: str, *, heat: bool = False) -> list:
    alt, panel = stock.alt, stock.panel
    layers = [_image(alt, stock.face(), url, panel)]
    if heat:
        layers.append(_image(alt, stock.chosen(), "heat", panel))
    if stock.lined:
        layers.append(_image(alt, stock.line(), "line", panel))
    for colour, width in (("white", 4), (theme.SERIES[1], 2)):
        square = stock.chosen().mark_rect(filled=False, stroke=colour, strokeWidth=width, clip=True)
        layers.append(
            square.encode(
                x=alt.X("x0:Q", scale=None, axis=None),
                x2="x1:Q",
                y=alt.Y("y0:Q", scale=None, axis=None),
                y2="y1:Q",
            )  # fmt: skip
        )
    return layers


def _inside(stock: _Stock) -> list:
    """The face enlarged so that the square fills the panel, and moved until it does."""
    alt, zoom = stock.alt, stock.zoom

    def shifted(chart, url):
        moved = chart.transform_calculate(
            left=f"-datum.x0 * {zoom:.4f}", top=f"-datum.y0 * {zoom:.4f}"
        )
        size = (stock.panel[0] * zoom, stock.panel[1] * zoom)
        return _image(alt, moved, url, size, x="left:Q", y="top:Q")

    layers = [shifted(stock.with_face(stock.chosen()), "url")]
    if stock.lined:
        layers.append(shifted(stock.line(), "line"))
    return layers
