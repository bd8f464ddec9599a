"""How much of a true region a square has inside: what a part subnet gets to see of its attribute.

The pointing game asks whether the highest point hits. PaW asks less of its maps: a square is cut
round that point, and a point beside the region may still have all of it inside the square.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.errors import DataError, MapError


def inside_boxes(boxes: Tensor, truth: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the share of each true region that lies inside a box, ``(B, M)``; NaN without one.

    Args:
        boxes: ``(B, M, 4)`` xyxy in pixels, or any shape that broadcasts, such as ``(1, 1, 4)``.
        truth: ``(B, M, h, w)`` bool, on a grid laid over the image.
        size: height and width of the image in pixels.

    Raises:
        MapError: a truth that is not bool, or boxes of other faces or attributes.
    """
    _check(truth)
    boxes = boxes.to(torch.float32)
    try:
        torch.broadcast_shapes(boxes.shape[:-1], truth.shape[:2])
    except RuntimeError:
        raise MapError(
            f"boxes {tuple(boxes.shape)} and regions {tuple(truth.shape)} are not of the same "
            "faces and attributes: give (B, M, 4) with (B, M, h, w)"
        ) from None
    rows = _overlap(boxes[..., 1], boxes[..., 3], truth.shape[-2], size[0])  # (B, M, h)
    columns = _overlap(boxes[..., 0], boxes[..., 2], truth.shape[-1], size[1])  # (B, M, w)
    weight = rows[..., :, None] * columns[..., None, :]  # (B, M, h, w)
    return (truth * weight).sum((-2, -1)) / truth.sum((-2, -1))  # 0 / 0 is the NaN


def best_inside(truth: Tensor, crop: int, size: tuple[int, int]) -> Tensor:
    """Return the share that the best placed square has inside, ``(B, M)``; NaN without a region.

    What nobody can do better than: a region larger than the square never fits.

    Args:
        truth: ``(B, M, h, w)`` bool.
        crop: side of the square in pixels; every place in the image, to the pixel, is tried.
        size: height and width of the image in pixels.

    Raises:
        MapError: a truth that is not bool. DataError: the image is smaller than the square.
    """
    _check(truth)
    if crop < 1 or crop > min(size):
        raise DataError(
            f"a crop of {crop} x {crop} pixels does not fit an image of {size[1]} x {size[0]}: "
            "use larger images or a smaller crop"
        )
    bands = []
    for axis in (-2, -1):
        start = torch.arange(size[axis] - crop + 1, device=truth.device)
        bands.append(
            _overlap(start, start + crop, truth.shape[axis], size[axis])
        )  # (places, cells)
    most = [  # a few faces at a time: every place of every square is tried
        torch.einsum("bmhw,yh,xw->bmyx", part.float(), *bands).amax((-2, -1))
        for part in truth.split(32)
    ]
    return torch.cat(most) / truth.sum((-2, -1))


def _overlap(low: Tensor, high: Tensor, cells: int, pixels: int) -> Tensor:
    """The share of each cell between two ends in pixels, ``(..., cells)``."""
    edges = torch.arange(cells + 1, device=low.device) * (pixels / cells)
    inside = torch.minimum(high[..., None], edges[1:]) - torch.maximum(low[..., None], edges[:-1])
    return inside.clamp_min(0) / (pixels / cells)


def _check(truth: Tensor) -> None:
    if truth.dtype != torch.bool or truth.ndim != 4:
        raise MapError(f"regions {tuple(truth.shape)} ({truth.dtype}): give bool (B, M, h, w)")
