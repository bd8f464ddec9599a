"""The switch explorer: whom does an attribute listen to, and where do those look?"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, enlarged, picture, png, widgets
from faceattr.explore.switch_chart import KINDS, switch_chart
from faceattr.models.regions import crop_boxes

#: Side of a part as a share of the picture's: the paper's 64 of 224 pixels.
SHARE = 64 / 224


@dataclass
class Listening:
    """What both forms of the explorer show.

    Attributes:
        weights: ``(S, M + 1, M)`` of S seeds, row 0 the whole image.
        images: ``(N, 3, H, W)``.
        boxes: ``(N, M + 1, 4)`` xyxy as shares of width and height, the whole image first.
        names: the M attribute names.
        rows: the faces that the static form shows.
    """

    weights: np.ndarray
    images: Tensor
    boxes: np.ndarray
    names: tuple[str, ...]
    rows: list[int]

    def subnet(self, i: int) -> str:
        """What subnet ``i`` is called."""
        return pretty(self.names[i - 1]) if i else "whole image"

    def kind(self, i: int, column: int) -> str:
        """One of :data:`KINDS`: what subnet ``i`` is to attribute ``column``."""
        return KINDS[0 if i == 0 else 1 if i == column + 1 else 2]


def switch_explorer(
    switch,
    faces: FaceDataset | Faces,
    boxes: Tensor | None = None,
    *,
    names: Sequence[str] = ATTRIBUTES,
    rows: Sequence[int] = range(3),
    largest: int = 3,
    start: str | None = None,
    form: str = "auto",
):
    """Choose an attribute; see the weight of every subnet, and where the weightiest ones look.

    Left, the weights of all subnets in the region switch layer, largest first, with a line from
    the lowest to the highest seed. Right, a face with the squares of the first few.

    Args:
        switch: ``(M + 1, M)`` weights, or ``(S, M + 1, M)`` of S seeds; row 0 the whole image.
        faces: a data set or a batch; the live form shows any of them.
        boxes: ``(N, M, 4)`` xyxy in pixels, where the parts look on each face, from
            :meth:`PaW.region_boxes <faceattr.models.PaW.region_boxes>`; None: squares round the
            middle of the true regions, which the faces must hold.
        names: the M attribute names.
        rows: the faces that the static form holds.
        largest: how many squares are drawn.
        start: the attribute shown first; by default the first name.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: weights, boxes or names that do not fit each other, faces without true regions
            where no boxes are given, rows that are not there.
        UnknownNameError: no such attribute or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    weights = np.asarray(switch, dtype=float)
    weights = weights[None] if weights.ndim == 2 else weights
    names = tuple(names)
    if weights.shape[1:] != (len(names) + 1, len(names)):
        raise DataError(
            f"switch weights of shape {weights.shape} for {len(names)} names: give (M + 1, M) or "
            "(seeds, M + 1, M), the whole image in row 0"
        )
    stored = faces.faces if isinstance(faces, FaceDataset) else faces
    if boxes is None:
        if stored.regions is None:
            raise DataError(
                "these faces come without true regions: draw them with SynthFaces(..., "
                "regions=True), or pass the boxes that a network found"
            )
        boxes = region_squares(stored.regions, tuple(stored.images.shape[-2:]))
    if boxes.shape != (len(stored), len(names), 4):
        raise DataError(
            f"boxes {tuple(boxes.shape)} for {len(stored)} faces and {len(names)} parts: give "
            "(N, M, 4)"
        )
    rows = [row for row in rows if row < len(stored)] if isinstance(rows, range) else list(rows)
    if not rows or max(rows) >= len(stored) or min(rows) < 0:
        raise DataError(f"rows {rows} of {len(stored)} faces: choose some that are there")
    if not 1 <= largest <= len(names) + 1:
        raise DataError(f"largest={largest}: draw 1 to {len(names) + 1} squares")
    start = names[0] if start is None else start
    if start not in names:
        raise UnknownNameError(f"no attribute {start!r} here: choose one of {', '.join(names)}")
    height, width = stored.images.shape[-2:]
    shares = np.asarray(boxes.cpu(), dtype=float) / [width, height, width, height]
    whole = np.broadcast_to([0.0, 0.0, 1.0, 1.0], (len(shares), 1, 4))
    view = Listening(weights, stored.images, np.concatenate([whole, shares], axis=1), names, rows)
    return choose(
        form, lambda: _live(view, start, largest), lambda: switch_chart(view, start, largest)
    )


def region_squares(regions: Tensor, size: tuple[int, int], crop: int | None = None) -> Tensor:
    """Squares round the middles of regions, where a perfect localizer would cut the parts.

    Args:
        regions: ``(B, M, h, w)`` bool; an empty region has its square in the middle of the image.
        size: height and width of the image in pixels.
        crop: side of a square in pixels; by default the paper's share of the smaller side.

    Returns:
        ``(B, M, 4)`` int64 xyxy in pixels, inside the image, ends exclusive.

    Raises:
        DataError: the image is smaller than the square.
    """
    inside = regions.float()
    total = inside.sum((-2, -1))  # (B, M)
    middles = []
    for axis, side in ((-2, size[1]), (-1, size[0])):  # x from the columns' sums, y from the rows'
        mass = inside.sum(axis)  # (B, M, w) or (B, M, h)
        places = (torch.arange(mass.shape[-1]) + 0.5) * (side / mass.shape[-1]) - 0.5
        middle = (mass * places.to(mass)).sum(-1) / total.clamp_min(1e-9)
        middles.append(torch.where(total > 0, middle, (side - 1) / 2))
    crop = round(SHARE * min(size)) if crop is None else crop
    return crop_boxes(torch.stack(middles, dim=-1), crop, size)


def _live(view: Listening, start: str, largest: int):
    w = widgets()
    attribute = w.Dropdown(
        options=[(pretty(name), name) for name in view.names], value=start, description="Attribute"
    )
    seeds = [("mean of all", -1), *((f"run {k + 1}", k) for k in range(len(view.weights)))]
    seed = w.Dropdown(options=seeds, value=-1, description="Seed")
    row = w.BoundedIntText(value=view.rows[0], min=0, max=len(view.images) - 1, description="Face")
    most = min(9, len(view.names) + 1)
    count = w.IntSlider(value=min(largest, most), min=1, max=most, description="Squares")
    face, bars, note = w.Image(format="png", width=320), w.HTML(), w.Label()

    def redraw() -> None:
        column = view.names.index(attribute.value)
        each = view.weights[:, :, column]
        weights = each.mean(0) if seed.value < 0 else each[seed.value]  # (M + 1,)
        order = np.argsort(-weights, kind="stable")
        first = order[: count.value]
        face.value = png(_squares(view, row.value, first, column))
        bars.value = _bars(view, weights, order, column)
        listed = "; ".join(
            f"{k + 1} {view.subnet(i)} ({weights[i]:+.4f})" for k, i in enumerate(first)
        )
        note.value = f"{pretty(attribute.value)} listens most to: {listed}"

    for control in (attribute, seed, row, count):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    controls = w.VBox([w.HBox([attribute, seed]), w.HBox([row, count])])
    shown = w.VBox([controls, w.HBox([bars, face]), note])
    shown.attribute, shown.seed, shown.row, shown.count = attribute, seed, row, count
    shown.face, shown.bars, shown.note = face, bars, note
    return shown


def _squares(view: Listening, row: int, subnets: Sequence[int], column: int) -> Image.Image:
    """A face with the numbered squares of some subnets."""
    shown = enlarged(picture(view.images[row]), 320)
    pen = ImageDraw.Draw(shown)
    for k, i in reversed(list(enumerate(subnets))):  # the weightiest on top
        scale = [shown.width, shown.height] * 2
        x0, y0, x1, y1 = (float(v) for v in view.boxes[row, i] * scale)
        box = (x0 + 1, y0 + 1, x1 - 2, y1 - 2)
        pen.rectangle(box, outline="white", width=4)
        pen.rectangle(box, outline=_COLOURS[view.kind(i, column)], width=2)
        pen.text((x0 + 6, y0 + 4), str(k + 1), fill="white", stroke_width=2, stroke_fill=theme.INK)
    return shown


_COLOURS = dict(zip(KINDS, (theme.SERIES[1], theme.SERIES[0], theme.MUTED), strict=True))


def _bars(view: Listening, weights: np.ndarray, order: Sequence[int], column: int) -> str:
    """Weights as an HTML table of bars that begin at zero, negative ones to its left."""
    reach = max(float(np.abs(weights).max()), 1e-12)
    lines = []
    for i in order:
        kind, length = view.kind(i, column), 130 * abs(weights[i]) / reach
        left = 135 - length if weights[i] < 0 else 135
        lines.append(
            f'<tr style="line-height:11px"><td style="text-align:right;font-size:10px;'
            f'padding-right:6px">{html.escape(view.subnet(i))}</td>'
            f'<td style="font-size:10px">{weights[i]:+.4f}</td><td><div style="margin-left:'
            f'{left:.0f}px;width:{length:.0f}px;height:8px;background:{_COLOURS[kind]}"></div>'
            "</td></tr>"
        )
    return f'<table style="border-spacing:0">{"".join(lines)}</table>'
