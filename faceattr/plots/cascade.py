"""Figures of the cascade: the pyramid, what passes each network, what is found in the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle
from torch import Tensor

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.cascade import FoundFaces
from faceattr.data.convert import PictureLike, read_image
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, styled

#: Colours of found boxes, landmarks and missed faces, readable on any picture.
FOUND, POINT, MISSED = "#ffd60a", "#00e5ff", "#ff3b8d"
_NETS = ("S", "M", "L")


def _pixels(picture: PictureLike) -> np.ndarray:
    return np.asarray(read_image(picture).convert("RGB"))


def _show(axes, pixels: np.ndarray) -> None:
    axes.imshow(pixels)
    axes.set_xlim(-0.5, pixels.shape[1] - 0.5)
    axes.set_ylim(pixels.shape[0] - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _box(axes, box, **how) -> None:
    x0, y0, x1, y1 = (float(v) for v in box)
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **how))


@styled
def plot_pyramid(
    picture: PictureLike,
    levels: Sequence[float],
    side: int,
    *,
    frame: float = 1.5,
    most: int = 6,
    title: str | None = None,
) -> Picture:
    """Draw levels of a picture's pyramid with S_Net's window in the middle of each.

    See that the window stays the same while the picture shrinks, so that it holds larger and larger
    faces.

    Args:
        picture: as :func:`~faceattr.data.convert.read_image` takes it.
        levels: scale of each level, the finest first (:func:`faceattr.cascade.sheets.scales`).
        side: of the window in pixels.
        frame: side of a window over that of the face in it.
        most: draw so many levels at most, evenly chosen.
        title: of the figure.

    Raises:
        DataError: no level. ImageError: the picture cannot be read.
    """
    if not len(levels):
        raise DataError("a pyramid without levels: the picture is smaller than half a window")
    image = read_image(picture).convert("RGB")
    chosen = np.unique(np.linspace(0, len(levels) - 1, min(most, len(levels))).round().astype(int))
    picture_ = Picture(theme.WIDTH, 2.6 + (0.3 if title else 0), photographic=True)
    sizes = [[max(1, round(s * levels[k])) for s in image.size] for k in chosen]
    panels = picture_.subplots(1, len(chosen), squeeze=False)[0]
    largest = max(max(size) for size in sizes)
    for axes, k, (width, height) in zip(panels, chosen, sizes, strict=True):
        _show(axes, np.asarray(image.resize((width, height))))
        corner = ((width - side) / 2, (height - side) / 2)
        _box(axes, (*corner, corner[0] + side, corner[1] + side), color=FOUND, linewidth=1.6)
        reach = max(width, height, side) / 2 + 1
        axes.set_xlim(width / 2 - reach, width / 2 + reach)
        axes.set_ylim(height / 2 + reach, height / 2 - reach)
        axes.set_title(f"{width} x {height}\nfaces of {side / (frame * levels[k]):.0f}", fontsize=9)
    if title:
        picture_.suptitle(f"{title}: {len(levels)} levels", fontweight="bold")
    picture_.alt = (
        f"{len(chosen)} of {len(levels)} levels of a picture's pyramid, from {largest} pixels "
        f"down to {max(sizes[-1])}, each with the same window of {side} pixels, which stands for "
        f"faces of {side / (frame * levels[0]):.0f} to {side / (frame * levels[-1]):.0f} pixels."
    )
    return picture_


@styled
def plot_stages(
    picture: PictureLike,
    found: FoundFaces,
    truth: Tensor | None = None,
    *,
    title: str | None = None,
) -> Picture:
    """Draw the boxes that pass each of the three networks, the surer the brighter.

    See how few of the windows each network leaves to the next, and which faces are lost where.

    Args:
        picture: as :func:`~faceattr.data.convert.read_image` takes it.
        found: what the cascade found in it, with its ``stages`` and ``windows``.
        truth: boxes ``(T, 4)`` of the true faces, drawn dashed.
        title: of the figure.

    Raises:
        DataError: ``found`` holds no stages. ImageError: the picture cannot be read.
    """
    if set(found.stages) != set(_NETS):
        raise DataError("these faces hold no stages: give what Cascade returned")
    pixels = _pixels(picture)
    height = theme.WIDTH / 3 * pixels.shape[0] / pixels.shape[1] + 0.75
    drawn = Picture(theme.WIDTH, height, photographic=True)
    said = []
    for axes, net in zip(drawn.subplots(1, 3), _NETS, strict=True):
        boxes, scores = found.stages[net]
        _show(axes, pixels)
        for box in [] if truth is None else truth.tolist():
            _box(axes, box, color=MISSED, linewidth=1.2, linestyle=(0, (3, 2)))
        for k in scores.argsort().tolist():
            _box(axes, boxes[k].tolist(), color=FOUND, linewidth=1.3,
                 alpha=0.25 + 0.75 * float(scores[k]))  # fmt: skip
        if net == "L" and found.landmarks is not None and len(found):
            points = found.landmarks.flatten(0, 1)
            axes.plot(points[:, 0], points[:, 1], ".", color=POINT, markersize=3)
        axes.set_title(f"{net}_Net: {found.windows[net]:,} windows,\n{len(boxes)} kept", fontsize=9)
        said.append(f"{net}_Net looked at {found.windows[net]:,} windows and kept {len(boxes)}")
    if title:
        drawn.suptitle(title, fontweight="bold")
    drawn.alt = f"One picture three times with the boxes that pass each network: {', '.join(said)}."
    return drawn


@styled
def plot_found(
    picture: PictureLike,
    found: FoundFaces,
    *,
    words: int = 6,
    title: str | None = None,
) -> Picture:
    """Draw the faces that were found, with numbers, and their surest attributes beside them.

    Args:
        picture: as :func:`~faceattr.data.convert.read_image` takes it.
        found: what the cascade found in it.
        words: so many attributes of each face at most, those above one half.
        title: of the figure.

    Raises:
        ImageError: the picture cannot be read.
    """
    pixels = _pixels(picture)
    drawn = Picture(theme.WIDTH, 3.9, photographic=True)
    left, right = drawn.subplots(1, 2, width_ratios=(1, 0.92))
    _show(left, pixels)
    right.axis("off")
    lines = []
    for k in range(len(found)):
        _box(left, found.boxes[k].tolist(), color=FOUND, linewidth=1.7)
        x, y = found.boxes[k, 0].item(), found.boxes[k, 1].item()
        left.text(
            x, y - 2, f"{k + 1}", fontsize=10, fontweight="bold", va="bottom", color=theme.INK,
            bbox={"facecolor": FOUND, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        if found.landmarks is not None:
            points = found.landmarks[k]
            left.plot(points[:, 0], points[:, 1], ".", color=POINT, markersize=4.5)
        told = found.probabilities[k]
        best = [j for j in told.argsort(descending=True).tolist()[:words] if told[j] > 0.5]
        lines.append([f"{k + 1}", *(pretty(found.names[j]) for j in best)])
    if title:
        left.set_title(title)
    text = "\n\n".join(f"{n}.  " + _wrapped(names) for n, *names in lines) or "no face"
    right.text(0, 1, text, va="top", fontsize=9.5, linespacing=1.35, transform=right.transAxes)
    drawn.alt = (
        f"A picture with {len(found)} found face{'' if len(found) == 1 else 's'}. "
        + " ".join(
            f"Face {n}: {', '.join(names) or 'no attribute above one half'}." for n, *names in lines
        )
    )
    return drawn


def _wrapped(names: Sequence[str], width: int = 44) -> str:
    """Names with commas, broken into lines."""
    lines, line = [], ""
    for name in names:
        if line and len(line) + len(name) + 2 > width:
            lines.append(line + ",")
            line = name
        else:
            line = f"{line}, {name}" if line else name
    return ("\n" + " " * 5).join([*lines, line or "nothing above one half"])
