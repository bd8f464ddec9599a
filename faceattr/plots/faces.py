"""Figures made of faces: a gallery with labels and errors, heat maps over faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.errors import DataError
from faceattr.localization import normalize_maps, upsample
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_gallery(
    images: Tensor,
    *,
    captions: Sequence[str] | None = None,
    wrong: Sequence[bool] | Tensor | None = None,
    labels: Tensor | None = None,
    names: Sequence[str] = ATTRIBUTES,
    columns: int = 6,
    title: str | None = None,
) -> Picture:
    """Draw faces in a grid, each with words below; see what the words have in common.

    Args:
        images: ``(B, 3, H, W)`` float in [0, 1] or uint8.
        captions: one text a face; several lines are fine.
        wrong: one bool a face: a frame and a cross for True, a frame of another colour and a tick
            for False.
        labels: ``(B, M)`` in {0, 1}; without ``captions``, the first five attributes that each
            face has are written below it.
        names: the M attribute names.
        columns: faces in a row.
        title: of the figure.
    """
    pictures = _pixels(images)
    count, columns = len(pictures), min(columns, len(pictures))
    if captions is None and labels is not None:
        carried = [[pretty(names[j]) for j in row.nonzero().flatten()] for row in labels > 0.5]
        captions = ["\n".join([*row[:5], *(["…"] if len(row) > 5 else [])]) for row in carried]
    captions = list(captions) if captions is not None else [""] * count
    if len(captions) != count or (wrong is not None and len(wrong) != count):
        raise DataError(f"{count} faces need as many captions and marks, one for each")
    rows = -(-count // columns)
    lines = max((text.count("\n") + 1 for text in captions if text), default=0)
    face = theme.WIDTH / max(columns, 4)
    high = face * pictures.shape[1] / pictures.shape[2] + 0.13 * lines + 0.08
    picture = Picture(face * columns, rows * high + (0.25 if title else 0), photographic=True)
    cells = picture.subplots(rows, columns, squeeze=False).flat
    for i, axes in enumerate(cells):
        _empty(axes)
        if i >= count:
            axes.set_visible(False)
            continue
        axes.imshow(pictures[i], interpolation="bilinear")
        text = captions[i]
        if wrong is not None:
            _frame(axes, theme.WRONG if wrong[i] else theme.RIGHT)
            text = ("✗ " if wrong[i] else "✓ ") + text
        axes.set_xlabel(text, fontsize=8, labelpad=3)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.alt = f"{count} faces in a grid"
    if wrong is not None:
        picture.alt += f", {int(sum(map(bool, wrong)))} of them answered wrongly"
    shown = [text.replace("\n", ", ") for text in captions if text][:6]
    picture.alt += f"; the first captions: {'; '.join(shown)}." if shown else "."
    return picture


@styled
def plot_heatmaps(
    images: Tensor,
    maps: Tensor,
    *,
    names: Sequence[str] = ATTRIBUTES,
    truth: Tensor | None = None,
    captions: Sequence[Sequence[str]] | None = None,
    mode: str = "relu",
    title: str | None = None,
) -> Picture:
    """Draw each face beside its heat maps; see whether the heat lies inside the outline.

    Args:
        images: ``(B, 3, H, W)`` float in [0, 1] or uint8.
        maps: ``(B, K, h, w)``, of the K attributes to show.
        names: their K names.
        truth: ``(B, K, h', w')`` bool, drawn as an outline: the true regions.
        captions: B x K texts below the maps, such as a probability.
        mode: of :func:`faceattr.localization.normalize_maps`: ``relu`` shows evidence for the
            attribute only, and a map that has none stays empty; ``minmax`` stretches each map.
        title: of the figure.

    Raises:
        DataError: maps, faces, names or regions that do not belong together.
    """
    pictures = _pixels(images)
    count, kinds = maps.shape[:2]
    if count != len(pictures) or kinds != len(names):
        raise DataError(
            f"{count} x {kinds} maps for {len(pictures)} faces and {len(names)} names: choose the "
            "maps of the attributes that are named, for these faces"
        )
    if truth is not None and truth.shape[:2] != maps.shape[:2]:
        raise DataError(f"regions {tuple(truth.shape)} do not belong to maps {tuple(maps.shape)}")
    size = pictures.shape[1:3]
    heat = normalize_maps(upsample(maps.detach().cpu().float(), size), mode).numpy()
    outlines = None
    if truth is not None:
        outlines = upsample(truth.cpu().float(), size, "nearest").numpy()
    side = min(theme.WIDTH / (kinds + 1), 2.2)
    high = side * size[0] / size[1] + (0.15 if captions is not None else 0)
    picture = Picture(side * (kinds + 1), count * high + (0.5 if title else 0.2), photographic=True)
    cells = picture.subplots(count, kinds + 1, squeeze=False)
    for b, row in enumerate(cells):
        for axes in row:
            _empty(axes)
        row[0].imshow(pictures[b], interpolation="bilinear")
        for k, axes in enumerate(row[1:]):
            # Heat is laid over a grey face, or skin would pass for warmth.
            grey = pictures[b].mean(axis=-1)
            axes.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
            axes.imshow(heat[b, k], cmap=theme.HEAT, vmin=0, vmax=1, alpha=0.85 * heat[b, k] ** 0.6)
            if outlines is not None and outlines[b, k].any():
                axes.contour(outlines[b, k], [0.5], colors="white", linewidths=2.2)
                axes.contour(outlines[b, k], [0.5], colors=theme.SERIES[0], linewidths=1.1)
            if captions is not None:
                axes.set_xlabel(captions[b][k], fontsize=8, labelpad=2)
    for axes, name in zip(cells[0], ["face", *names], strict=True):
        axes.set_title(pretty(name), fontsize=8.5, loc="center", fontweight="normal")
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.alt = (
        f"{count} faces, each beside its heat maps for {join([pretty(name) for name in names])}"
        + (", with the true regions outlined." if truth is not None else ".")
    )
    return picture


def _pixels(images: Tensor) -> np.ndarray:
    """``(B, 3, H, W)`` of any kind to ``(B, H, W, 3)`` floats in [0, 1]."""
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise DataError(f"pictures {tuple(images.shape)}: give (B, 3, H, W) with one face or more")
    pixels = images.detach().cpu().float() / (1 if images.is_floating_point() else 255)
    return torch.movedim(pixels, 1, -1).clamp(0, 1).numpy()


def _empty(axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _frame(axes, colour: str) -> None:
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(colour)
    axes.spines[:].set_linewidth(2.2)
