"""The heat-map explorer: choose a face and an attribute, see where the network looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError
from faceattr.explore.common import (
    choose,
    enlarged,
    heat_picture,
    jpeg_uri,
    over,
    picture,
    png,
    png_uri,
    spotlight,
    widgets,
)
from faceattr.explore.panels import Stage
from faceattr.localization import MapError, heatmaps, normalize_maps


def heatmap_explorer(
    model: nn.Module | Tensor,
    faces: FaceDataset | Faces,
    *,
    names: Sequence[str] | None = None,
    rows: Sequence[int] = range(6),
    start: str | None = None,
    size: int = 112,
    form: str = "auto",
):
    """Choose a face and an attribute; see whether the heat lies on the true region.

    Each map shows evidence for the attribute, scaled on its own: red-hot is where most of it lies,
    and a map without any stays clear.

    Args:
        model: see :func:`faceattr.localization.heatmaps`; or maps ``(B, M, h, w)`` of the faces.
        faces: a data set or a batch. The live form shows any of them.
        names: the M attribute names; the data set's, or CelebA's 40.
        rows: the faces that the static form holds.
        start: the attribute shown first; by default the first name.
        size: pixels across the static form's faces.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: no faces, or rows that are not there. MapError: maps of other faces or
            attributes. UnknownNameError: no such form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    if names is None:
        names = faces.names if isinstance(faces, FaceDataset) else ATTRIBUTES
    source = _Source(model, faces, tuple(names))
    rows = [row for row in rows if row < len(faces)] if isinstance(rows, range) else list(rows)
    if not rows or max(rows) >= len(faces) or min(rows) < 0:
        raise DataError(f"rows {rows} of {len(faces)} faces: choose some that are there")
    start = start or names[0]
    if start not in source.names:
        raise DataError(f"no attribute {start!r} here: choose one of {', '.join(source.names)}")
    return choose(form, lambda: _live(source, start), lambda: _static(source, rows, start, size))


@dataclass
class _Source:
    """Faces, and what the network makes of them, a few at a time."""

    model: nn.Module | Tensor
    faces: FaceDataset | Faces
    names: tuple[str, ...]

    def look(self, rows: list[int]) -> tuple[Faces, Tensor, Tensor | None]:
        """Faces, maps in [0, 1] ``(B, M, h, w)``, and probabilities ``(B, M)`` where known."""
        gather = getattr(self.faces, "gather", None)
        faces = gather(rows) if gather else self.faces[torch.tensor(rows)].with_float_images()
        said = None
        if isinstance(self.model, Tensor):
            if len(self.model) != len(self.faces):
                raise MapError(f"{len(self.model)} maps for {len(self.faces)} faces: give one each")
            maps = self.model[torch.tensor(rows)]
        else:
            device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
            maps = heatmaps(self.model, faces.images.to(device)).cpu()
            said = _probabilities(self.model, faces.images.to(device)).cpu()
        if maps.shape[1] != len(self.names):
            raise MapError(f"maps of {maps.shape[1]} attributes for {len(self.names)} names")
        return replace(faces, images=faces.images.cpu()), normalize_maps(maps.float(), "relu"), said


@torch.no_grad()
def _probabilities(model: nn.Module, images: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    try:
        return model(images).logits.sigmoid()
    finally:
        model.train(was_training)


def _sentence(name: str, said: float | None, label: float | None) -> str:
    words = [pretty(name)]
    if said is not None:
        words.append(f"the network says {said:.0%}")
    if label is not None:
        words.append({1.0: "the label says yes", 0.0: "the label says no"}.get(label, "no label"))
    return ": ".join([words[0], ", ".join(words[1:])]) if words[1:] else words[0]


def _static(source: _Source, rows: list[int], start: str, size: int):
    faces, maps, said = source.look(rows)
    plain, grey, heat, regions, words = [], [], [], [], []
    for b, row in enumerate(rows):
        face = {"face": f"face {row}"}
        small = enlarged(picture(faces.images[b]), size)
        plain.append({**face, "url": jpeg_uri(small)})
        grey.append({**face, "url": jpeg_uri(small.convert("L"))})
        for j, name in enumerate(source.names):
            chosen = {**face, "attribute": pretty(name)}
            heat.append({**chosen, "url": png_uri(heat_picture(maps[b, j]))})
            if faces.regions is not None and faces.regions[b, j].any():
                regions.append({**chosen, "url": png_uri(spotlight(faces.regions[b, j] > 0))})
            label = None if faces.attributes is None else float(faces.attributes[b, j])
            sure = None if said is None else float(said[b, j])
            words.append({**chosen, "text": _sentence(name, sure, label)})
    height, width = faces.images.shape[-2:]
    panels = ["face", "heat map", *(["true region"] if regions else [])]
    stage = Stage(
        panels,
        (190, round(190 * height / width)),
        {"face": [row["face"] for row in plain], "attribute": [pretty(n) for n in source.names]},
        start={"attribute": pretty(start)},
        labels={"face": "Face", "attribute": "Attribute"},
    )
    stage.pictures(0, plain)
    stage.pictures(1, grey)
    stage.pictures(1, heat)
    if regions:
        stage.pictures(2, plain)
        stage.pictures(2, regions)
    stage.words(words)
    return stage.chart(
        "Where does it look?",
        f"Pictures of one face side by side: {', '.join(panels)}. Two menus choose one of "
        f"{len(rows)} faces and one of {len(source.names)} attributes.",
    )


def _live(source: _Source, start: str):
    w = widgets()
    width = 256
    row = w.BoundedIntText(value=0, min=0, max=len(source.faces) - 1, description="Face")
    attribute = w.Dropdown(
        options=[(pretty(name), name) for name in source.names],
        value=start,
        description="Attribute",
    )
    plain, heat, region = (w.Image(format="png", width=width) for _ in range(3))
    note = w.Label()
    seen: dict[int, tuple] = {}

    def redraw() -> None:
        if row.value not in seen:
            seen.clear()  # the last face alone is kept: a data set may be large
            seen[row.value] = source.look([row.value])
        faces, maps, said = seen[row.value]
        j = source.names.index(attribute.value)
        face = enlarged(picture(faces.images[0]), width)
        plain.value = png(face)
        heat.value = png(over(face.convert("L"), heat_picture(maps[0, j])))
        if faces.regions is not None:
            mask = spotlight(faces.regions[0, j] > 0)
            region.value = png(over(face, mask))
        label = None if faces.attributes is None else float(faces.attributes[0, j])
        note.value = _sentence(attribute.value, None if said is None else float(said[0, j]), label)

    for control in (row, attribute):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = [plain, heat, *([region] if region.value else [])]
    view = w.VBox([w.HBox([row, attribute]), w.HBox(shown), note])
    view.row, view.attribute, view.note = row, attribute, note
    view.plain, view.heat, view.regions = plain, heat, region
    return view
