"""From heat maps to places in the image: arg-max centres, crops, boxes, and two blind baselines."""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.localization.cam import MapError, finite, normalize_maps


def regions_from_heatmaps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where each map is highest, ``(B, M, 2)`` as ``x, y`` in pixels of the image.

    PaW upsamples the map and takes the arg-max. A bilinear interpolant is highest at one of its
    nodes, so the centre of the arg-max cell of the small map is the same place (to the pixel that
    rounding allows) at a fraction of the memory. With nearest upsampling it is the middle of the
    winning cell instead of that cell's upper left corner. Of equal maxima the first in reading
    order wins.

    Args:
        maps: ``(B, M, h, w)``.
        size: height and width of the image in pixels.

    Raises:
        MapError: a map holds NaN or infinity.
    """
    finite(maps)
    (height, width), (rows, columns) = size, maps.shape[-2:]
    best = maps.flatten(2).argmax(dim=-1)  # (B, M)
    y = (best // columns + 0.5) * (height / rows) - 0.5
    x = (best % columns + 0.5) * (width / columns) - 0.5
    return torch.stack([x, y], dim=-1)  # (B, M, 2)


def crop_boxes(centres: Tensor, size: int, image_size: tuple[int, int]) -> Tensor:
    """Return the square around each centre, moved inside the image: ``(B, M, 4)`` int64 xyxy.

    Args:
        centres: ``(B, M, 2)`` ``x, y`` in pixels.
        size: side of the square in pixels.
        image_size: height and width of the image in pixels.

    Raises:
        DataError: the image is smaller than the square.
    """
    height, width = image_size
    if size < 1 or size > min(height, width):
        raise DataError(
            f"a crop of {size} x {size} pixels does not fit an image of {width} x {height}: "
            "use larger images or a smaller crop"
        )
    corner = (centres - (size - 1) / 2).round().long()  # (B, M, 2)
    left = corner[..., 0].clamp(0, width - size)
    top = corner[..., 1].clamp(0, height - size)
    return torch.stack([left, top, left + size, top + size], dim=-1)  # (B, M, 4)


def crop_regions(images: Tensor, centres: Tensor, size: int) -> Tensor:
    """Cut out all regions of a batch in one gather: ``(B, M, 3, size, size)``.

    PaW cuts 64 x 64 out of 224 x 224. A crop never leaves the image: near the border its centre
    moves inwards. Pixels are copied as they are (uint8 stays uint8); nothing is differentiated
    with respect to the centres.

    Args:
        images: ``(B, 3, H, W)``.
        centres: ``(B, M, 2)``, from :func:`regions_from_heatmaps`.
        size: side of the crop in pixels.

    Raises:
        DataError: the image is smaller than the crop, or the centres are of other images.
    """
    if len(images) != len(centres):
        raise DataError(
            f"{len(images)} images and the centres of {len(centres)} cannot be cropped together: "
            "give the centres of these images"
        )
    boxes = crop_boxes(centres, size, images.shape[-2:])
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # (B, 3, H-s+1, W-s+1, s, s), a view
    rows = torch.arange(len(images), device=images.device)[:, None]  # (B, 1)
    return windows[rows, :, boxes[..., 1], boxes[..., 0]]  # (B, M, 3, s, s)


def boxes_of(masks: Tensor) -> Tensor:
    """Return the tight box around each mask, ``(..., 4)`` float xyxy; an empty mask gives zeros.

    Args:
        masks: ``(..., h, w)`` bool. The right and lower ends are exclusive, so a single pixel has
            a box of area 1.
    """
    return spans_to_boxes(masks.any(dim=-2), masks.any(dim=-1))


def spans_to_boxes(columns: Tensor, rows: Tensor) -> Tensor:
    """Join occupied columns ``(..., w)`` and rows ``(..., h)``, both bool, to ``(..., 4)``."""
    (left, right), (top, bottom) = _ends(columns), _ends(rows)
    return torch.stack([left, top, right, bottom], dim=-1).float()  # (..., 4)


def centre_baseline(size: tuple[int, int], *, spread: float = 0.25, device=None) -> Tensor:
    """Return a Gaussian hill in mid-image, ``(1, 1, h, w)``: the face is there anyway.

    Args:
        size: height and width of the grid.
        spread: standard deviation as a share of each side.
        device: where the map is made.
    """
    y, x = (
        (torch.arange(n, device=device) + 0.5) / n - 0.5 for n in size
    )  # distance from the middle in units of the side
    return torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * spread**2))[None, None]


def mean_map_baseline(maps: Tensor, present: Tensor | None = None) -> Tensor:
    """Return the model's map without the attribute, ``(1, 1, h, w)``.

    Every map is brought to [0, 1] on its own, then averaged over faces, then over attributes. What
    a model scores above this is what it knows about the attribute itself.

    Args:
        maps: ``(B, M, h, w)``.
        present: ``(B, M)`` bool, which maps to average: where attributes are scored on their
            wearers, give their wearers, for the map of an absent attribute is evidence against it
            and turns its back on the face. An attribute without any is left out. None: all maps.

    Raises:
        MapError: no maps.
    """
    total, count = map_sums(maps, present)
    return mean_of_sums(total, count)


def map_sums(maps: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Sums of normalised maps over faces, ``(M, h, w)``, and how many each is of, ``(M,)``."""
    maps = normalize_maps(maps)
    if present is None:
        present = torch.ones(maps.shape[:2], dtype=torch.bool, device=maps.device)
    return torch.einsum("bmhw,bm->mhw", maps, present.to(maps.dtype)), present.sum(0)


def mean_of_sums(total: Tensor, count: Tensor) -> Tensor:
    """The mean map ``(1, 1, h, w)`` from what :func:`map_sums` returns, which adds up over batches.

    Raises:
        MapError: no attribute has a map.
    """
    some = count > 0
    if not some.any():
        raise MapError(
            "a mean map needs at least one face: the data set is empty, or nobody has an attribute"
        )
    return (total[some] / count[some, None, None]).mean(dim=0)[None, None]


def _ends(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First occupied place and one past the last of ``(..., n)`` bool; 0, 0 where none is."""
    steps = occupied.int()
    first = steps.argmax(dim=-1)
    last = occupied.shape[-1] - steps.flip(-1).argmax(dim=-1)
    some = occupied.any(dim=-1)
    return first * some, last * some
