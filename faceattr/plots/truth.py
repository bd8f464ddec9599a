"""Figures of what is known about drawn faces: true regions, boxes, landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle
from torch import Tensor

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.faces import Faces
from faceattr.errors import DataError
from faceattr.localization import upsample
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_regions(
    faces: Faces,
    columns: Sequence[int],
    *,
    names: Sequence[str] = ATTRIBUTES,
    title: str | None = None,
) -> Picture:
    """Draw each face beside the true regions of some attributes, all else veiled.

    A tick beside a region says that the face wears the attribute; without one, the region is
    where it would show.

    Args:
        faces: a batch with ``images``, ``attributes`` and ``regions (B, M, h, w)``.
        columns: the attributes to show, as columns of the labels.
        names: the M attribute names.
        title: of the figure.

    Raises:
        DataError: the regions or the labels are not there.
    """
    if faces.regions is None or faces.attributes is None:
        raise DataError(
            "these faces come without true regions or labels: draw them with "
            "SynthFaces(..., regions=True)"
        )
    pixels = _pixels(faces.images)
    size = pixels.shape[1:3]
    inside = upsample(faces.regions[:, list(columns)].float(), size, "nearest").numpy() > 0.5
    side = theme.WIDTH / (len(columns) + 1)
    picture = Picture(
        theme.WIDTH, len(faces) * (side + 0.16) + (0.5 if title else 0.25), photographic=True
    )
    cells = picture.subplots(len(faces), len(columns) + 1, squeeze=False)
    paper = np.array([int(theme.PAPER[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    for b, row in enumerate(cells):
        for axes in row:
            _empty(axes)
        row[0].imshow(pixels[b])
        for k, axes in enumerate(row[1:]):
            mask = inside[b, k]
            veiled = 0.22 * pixels[b].mean(axis=-1, keepdims=True) + 0.78 * paper
            axes.imshow(np.where(mask[..., None], pixels[b], veiled))
            if mask.any():
                axes.contour(mask, [0.5], colors=theme.SERIES[0], linewidths=0.9)
            worn = faces.attributes[b, columns[k]] > 0.5
            axes.set_xlabel("✓ worn" if worn else " ", fontsize=8, labelpad=2)
    for axes, name in zip(cells[0], ["face", *(names[j] for j in columns)], strict=True):
        axes.set_title(pretty(name), fontsize=8.5, loc="center", fontweight="normal")
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    share = [f"{pretty(names[j])} ({inside[:, k].mean():.0%})" for k, j in enumerate(columns)]
    picture.alt = (
        f"{len(faces)} faces, each beside the true regions of attributes, with their mean share "
        f"of the picture: {join(share)}."
    )
    return picture


@styled
def plot_scenes(faces: Faces, *, columns: int = 6, title: str | None = None) -> Picture:
    """Draw pictures with the face's box and its five landmarks.

    Args:
        faces: a batch with ``images``, and ``box`` or ``landmarks`` or both, in pixels.
        columns: pictures in a row.
        title: of the figure.

    Raises:
        DataError: neither boxes nor landmarks are there.
    """
    if faces.box is None and faces.landmarks is None:
        raise DataError("these pictures have neither a box nor landmarks: use plot_gallery")
    pixels = _pixels(faces.images)
    count, columns = len(pixels), min(columns, len(pixels))
    side = theme.WIDTH / max(columns, 3)
    rows = -(-count // columns)
    high = rows * (side * pixels.shape[1] / pixels.shape[2] + 0.03) + (0.25 if title else 0)
    picture = Picture(side * columns, high, photographic=True)
    for i, axes in enumerate(picture.subplots(rows, columns, squeeze=False).flat):
        _empty(axes)
        if i >= count:
            axes.set_visible(False)
            continue
        axes.imshow(pixels[i])
        if faces.box is not None:
            x0, y0, x1, y1 = faces.box[i].tolist()
            for colour, width in (("white", 2.6), (theme.SERIES[0], 1.3)):
                axes.add_patch(
                    Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=colour, lw=width)
                )
        if faces.landmarks is not None:
            x, y = faces.landmarks[i].T
            axes.plot(x, y, "o", ms=2.8, color=theme.SERIES[5], mec="white", mew=0.5)
        # a box may reach over the edge: the picture keeps its frame
        axes.set(xlim=(-0.5, pixels.shape[2] - 0.5), ylim=(pixels.shape[1] - 0.5, -0.5))
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.alt = f"{count} pictures"
    if faces.box is not None:
        wide = (faces.box[:, 2] - faces.box[:, 0]) / pixels.shape[2]
        picture.alt += (
            f", the face's box drawn in each; boxes are {wide.min():.0%} to {wide.max():.0%} as "
            "wide as the picture"
        )
    picture.alt += ", with five landmarks." if faces.landmarks is not None else "."
    return picture


def _pixels(images: Tensor) -> np.ndarray:
    """``(B, 3, H, W)`` float or uint8 to ``(B, H, W, 3)`` floats in [0, 1]."""
    pixels = images.detach().cpu().float() / (1 if images.is_floating_point() else 255)
    return pixels.movedim(1, -1).clamp(0, 1).numpy()


def _empty(axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
