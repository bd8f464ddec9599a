"""The region explorer: choose a face and an attribute, see the square that its subnet is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, MapError
from faceattr.explore.common import (
    choose,
    enlarged,
    heat_picture,
    over,
    picture,
    png,
    widgets,
)
from faceattr.explore.region_chart import outline, region_chart
from faceattr.localization import (
    crop_boxes,
    crop_of,
    heatmaps,
    normalize_maps,
    regions_from_heatmaps,
)


def region_explorer(
    model: nn.Module | Tensor,
    faces: FaceDataset | Faces,
    *,
    crop: int | None = None,
    names: Sequence[str] | None = None,
    rows: Sequence[int] = range(5),
    start: str | None = None,
    sharp: int | None = None,
    form: str = "auto",
):
    """Choose a face and an attribute; see its heat map, its region's square, and what is inside.

    A switch draws the outline of the true region, so that one can look first and check afterwards.

    Args:
        model: see :func:`faceattr.localization.heatmaps`; or maps ``(B, M, h, w)`` of the faces.
        faces: a data set or a batch; with ``regions`` there is an outline to switch on. The live
            form shows any of them.
        crop: side of the square in pixels; by default a PaW's own, else 2/7 of the shorter side,
            the paper's 64 of 224.
        names: the M attribute names; the data set's, or CelebA's 40.
        rows: the faces that the static form holds.
        start: the attribute shown first; by default the first name.
        sharp: draw the faces of a SynthFaces again, so many pixels wide, to be shown in place of
            what the model sees.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: no faces, rows or an attribute that are not there, images smaller than the crop,
            or faces that cannot be drawn again. MapError: maps of other faces or attributes.
        UnknownNameError: no such form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    if names is None:
        names = faces.names if isinstance(faces, FaceDataset) else ATTRIBUTES
    rows = [row for row in rows if row < len(faces)] if isinstance(rows, range) else list(rows)
    if not rows or max(rows) >= len(faces) or min(rows) < 0:
        raise DataError(f"rows {rows} of {len(faces)} faces: choose some that are there")
    if sharp is not None and not hasattr(faces, "redraw"):
        raise DataError("only SynthFaces can be drawn again: leave out sharp for other faces")
    start = start or names[0]
    if start not in names:
        raise DataError(f"no attribute {start!r} here: choose one of {', '.join(names)}")
    source = _Source(model, faces, sharp, tuple(names), crop)
    return choose(
        form,
        lambda: _live(source, start),
        lambda: region_chart([source.look(row) for row in rows], source.names, start),
    )


@dataclass
class View:
    """One face, and what the network makes of it.

    Attributes:
        row: which face of the data set.
        face: the picture that is shown.
        heat: ``(M, h, w)`` in [0, 1], evidence for each attribute.
        squares: ``(M, 4)`` xyxy, in shares of the picture's width and height.
        truth: ``(M, h', w')`` bool, or None.
        words: a sentence for each attribute.
    """

    row: int
    face: Image.Image
    heat: Tensor
    squares: Tensor
    truth: Tensor | None
    words: list[str]


@dataclass
class _Source:
    """Faces and maps, looked at one by one."""

    model: nn.Module | Tensor
    faces: FaceDataset | Faces
    sharp: int | None
    names: tuple[str, ...]
    crop: int | None

    def look(self, row: int) -> View:
        """Make the view of one face."""
        face = _gather(self.faces, row)
        if isinstance(self.model, Tensor):
            if len(self.model) != len(self.faces):
                raise MapError(f"{len(self.model)} maps for {len(self.faces)} faces: give one each")
            maps = self.model[[row]].float()
        else:
            device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
            maps = heatmaps(self.model, face.images.to(device)).float().cpu()
        if maps.shape[1] != len(self.names):
            raise MapError(f"maps of {maps.shape[1]} attributes for {len(self.names)} names")
        size = tuple(face.images.shape[-2:])
        crop = crop_of(self.model, size) if self.crop is None else self.crop
        boxes = crop_boxes(regions_from_heatmaps(maps, size), crop, size)[0]  # (M, 4)
        scale = torch.tensor([size[1], size[0]] * 2)
        truth = None if face.regions is None else face.regions[0].bool().cpu()
        labels = None if face.attributes is None else face.attributes[0]
        words = [
            _sentence(name, maps[0, j], None if labels is None else float(labels[j]))
            for j, name in enumerate(self.names)
        ]
        shown = face if self.sharp is None else self.faces.redraw(row, size=self.sharp)
        shown = picture(shown.images.reshape(3, *shown.images.shape[-2:]))
        return View(row, shown, normalize_maps(maps[0], "relu"), boxes / scale, truth, words)


def _gather(faces: FaceDataset | Faces, row: int) -> Faces:
    if isinstance(faces, FaceDataset):
        return faces.gather([row])
    return faces[torch.tensor([row])].with_float_images()


def _sentence(name: str, heat: Tensor, label: float | None) -> str:
    words = {1.0: "the label says yes", 0.0: "the label says no"}.get(label, "no label")
    if heat.amax() == heat.amin():
        return f"{pretty(name)}: {words}; the map is constant, so the middle is taken"
    if heat.amax() <= 0:
        return f"{pretty(name)}: {words}; no evidence for it anywhere: where least is against it"
    return f"{pretty(name)}: {words}"


def framed(face: Image.Image, square: Sequence[float]) -> Image.Image:
    """A copy of a face with a square drawn on it, given in shares of its sides."""
    face = face.copy()
    x0, y0, x1, y1 = (s * n for s, n in zip(square, face.size * 2, strict=True))
    draw = ImageDraw.Draw(face)
    draw.rectangle([x0 - 1, y0 - 1, x1, y1], outline="white", width=4)
    draw.rectangle([x0, y0, x1 - 1, y1 - 1], outline=theme.SERIES[1], width=2)
    return face


def _live(source: _Source, start: str):
    w = widgets()
    width = 256
    row = w.BoundedIntText(value=0, min=0, max=len(source.faces) - 1, description="Face")
    attribute = w.Dropdown(
        options=[(pretty(name), name) for name in source.names],
        value=start,
        description="Attribute",
    )
    truth = w.Checkbox(value=False, description="True region", indent=False)
    face, heat, inside = (w.Image(format="png", width=width) for _ in range(3))
    note = w.Label()
    seen: dict[int, View] = {}

    def redraw() -> None:
        if row.value not in seen:
            seen.clear()  # the last face alone is kept: a data set may be large
            seen[row.value] = source.look(row.value)
        view, j = seen[row.value], source.names.index(attribute.value)
        plain = enlarged(view.face, width)
        warm = over(plain.convert("L"), heat_picture(view.heat[j]))
        if truth.value and view.truth is not None:
            line = outline(view.truth[j]).convert("RGBA")
            plain, warm = over(plain, line), over(warm, line)
        square = view.squares[j].tolist()
        face.value, heat.value = png(framed(plain, square)), png(framed(warm, square))
        cut = [s * n for s, n in zip(square, plain.size * 2, strict=True)]
        inside.value = png(plain.resize((width, width), Image.Resampling.BILINEAR, box=cut))
        note.value = view.words[j]

    for control in (row, attribute, truth):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = w.VBox([w.HBox([row, attribute, truth]), w.HBox([face, heat, inside]), note])
    shown.row, shown.attribute, shown.truth, shown.note = row, attribute, truth, note
    shown.face, shown.heat, shown.inside = face, heat, inside
    return shown
