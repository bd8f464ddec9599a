"""The maps explorer: one face, one attribute, and the heat maps of several networks beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import (
    choose,
    enlarged,
    heat_picture,
    jpeg_uri,
    over,
    picture,
    png,
    png_uri,
    widgets,
)
from faceattr.explore.panels import Stage
from faceattr.localization import MapError, normalize_maps


def maps_explorer(
    maps: Mapping[str, Tensor],
    faces: FaceDataset | Faces,
    *,
    names: Sequence[str] | None = None,
    rows: Sequence[int] = range(5),
    start: str | None = None,
    size: int = 112,
    form: str = "auto",
):
    """Choose a face and an attribute; see how alike the maps of several networks are.

    Each map is stretched on its own, from its lowest cell (clear) to its highest (hot); below
    stands how closely each further network's map goes with the first one's: the correlation over
    the cells, 0 where a map is flat.

    Args:
        maps: network to its maps ``(B, M, h, w)`` of the faces, as
            :func:`faceattr.localization.heatmaps` gives them; all others are held against the
            first.
        faces: the B faces.
        names: the M attribute names; the data set's, or CelebA's 40.
        rows: the faces that the static form holds. The live one has all.
        start: the attribute shown first; by default the first name.
        size: pixels across the static form's faces.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: no network, or rows that are not there. MapError: maps of other faces or
            attributes. UnknownNameError: no such attribute or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    stored = faces.faces if isinstance(faces, FaceDataset) else faces
    if names is None:
        names = faces.names if isinstance(faces, FaceDataset) else ATTRIBUTES
    if not maps:
        raise DataError("no maps to look at: give one network's at least")
    for name, found in maps.items():
        if found.ndim != 4 or found.shape[:2] != (len(stored), len(names)):
            raise MapError(
                f"the maps of {name} are {tuple(found.shape)}: {len(stored)} faces and "
                f"{len(names)} attributes need ({len(stored)}, {len(names)}, h, w)"
            )
    rows = [row for row in rows if row < len(stored)] if isinstance(rows, range) else list(rows)
    if not rows or max(rows) >= len(stored) or min(rows) < 0:
        raise DataError(f"rows {rows} of {len(stored)} faces: choose some that are there")
    start = names[0] if start is None else start
    if start not in names:
        raise UnknownNameError(f"no attribute {start!r} here: choose one of {', '.join(names)}")
    shown = {name: normalize_maps(found.detach().cpu().float()) for name, found in maps.items()}
    view = _View(stored.images, shown, _likeness(maps), tuple(names), stored.attributes)
    return choose(form, lambda: _live(view, start), lambda: _static(view, rows, start, size))


@dataclass
class _View:
    """What both forms show."""

    images: Tensor  # (B, 3, H, W)
    shown: dict[str, Tensor]  # network to (B, M, h, w) in [0, 1]
    likeness: dict[str, Tensor]  # further network to (B, M), correlation with the first
    names: tuple[str, ...]
    labels: Tensor | None

    def sentence(self, row: int, column: int) -> str:
        """What is written below the pictures."""
        words = pretty(self.names[column])
        if self.labels is not None:
            words += {1: ", has it", 0: ", has it not"}.get(int(self.labels[row, column]), "")
        first = next(iter(self.shown))
        alike = [f"{name} {found[row, column]:+.2f}" for name, found in self.likeness.items()]
        return words + (f"; alike to {first}: {', '.join(alike)}" if alike else "")


def _likeness(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Correlation of each further network's maps with the first's, over cells: name to (B, M)."""
    (first, model), *others = maps.items()
    flat = _centred(model)  # (B, M, h w)
    found = {}
    for name, other in others:
        theirs = _centred(other)
        if theirs.shape != flat.shape:
            raise MapError(
                f"{name} has maps of {tuple(other.shape[-2:])} cells and {first} of "
                f"{tuple(model.shape[-2:])}: bring them to one grid first"
            )
        length = flat.norm(dim=-1) * theirs.norm(dim=-1)
        found[name] = (flat * theirs).sum(-1) / length.clamp(min=1e-12)
    return found


def _centred(maps: Tensor) -> Tensor:
    flat = maps.detach().cpu().float().flatten(2)  # (B, M, h w)
    return flat - flat.mean(-1, keepdim=True)


def _static(view: _View, rows: list[int], start: str, size: int):
    plain, grey, words = [], [], []
    heat: dict[str, list[dict]] = {name: [] for name in view.shown}
    for row in rows:
        face = {"face": f"face {row}"}
        small = enlarged(picture(view.images[row]), size)
        plain.append({**face, "url": jpeg_uri(small)})
        grey.append({**face, "url": jpeg_uri(small.convert("L"))})
        for j, name in enumerate(view.names):
            chosen = {**face, "attribute": pretty(name)}
            for network, shown in view.shown.items():
                heat[network].append({**chosen, "url": png_uri(heat_picture(shown[row, j]))})
            words.append({**chosen, "text": view.sentence(row, j)})
    height, width = view.images.shape[-2:]
    across = min(190, (700 - 14 * len(view.shown)) // (len(view.shown) + 1))
    stage = Stage(
        ["face", *view.shown],
        (across, round(across * height / width)),
        {"face": [row["face"] for row in plain], "attribute": [pretty(n) for n in view.names]},
        start={"attribute": pretty(start)},
        labels={"face": "Face", "attribute": "Attribute"},
    )
    stage.pictures(0, plain)
    for panel, network in enumerate(view.shown, 1):
        stage.pictures(panel, grey)
        stage.pictures(panel, heat[network])
    stage.words(words)
    return stage.chart(
        "Do they look at the same places?",
        f"A face and, side by side, heat maps of {', '.join(view.shown)}. Two menus choose one of "
        f"{len(rows)} faces and one of {len(view.names)} attributes.",
    )


def _live(view: _View, start: str):
    w = widgets()
    across = 190
    row = w.BoundedIntText(value=0, min=0, max=len(view.images) - 1, description="Face")
    attribute = w.Dropdown(
        options=[(pretty(name), name) for name in view.names], value=start, description="Attribute"
    )
    pictures = {name: w.Image(format="png", width=across) for name in ("face", *view.shown)}
    note = w.Label()

    def redraw() -> None:
        j = view.names.index(attribute.value)
        face = enlarged(picture(view.images[row.value]), across)
        pictures["face"].value = png(face)
        for name, shown in view.shown.items():
            pictures[name].value = png(over(face.convert("L"), heat_picture(shown[row.value, j])))
        note.value = view.sentence(row.value, j)

    for control in (row, attribute):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    panels = [w.VBox([w.Label(name), image]) for name, image in pictures.items()]
    shown = w.VBox([w.HBox([row, attribute]), w.HBox(panels), note])
    shown.row, shown.attribute, shown.pictures, shown.note = row, attribute, pictures, note
    return shown
