"""Windows: square pieces of a picture, where they lie and what they show.

MCFA's networks see a square window. One that is centred on a face has a side of :data:`FRAME` times
the longer side of the face's box. Training windows, and those that the cascade cuts at test time,
come from :func:`cut_windows` alone, so that a network meets in use what it was trained on.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from faceattr.errors import DataError

#: Side of a window over the longer side of the face box in its middle: hair, ears and neck, where a
#: third of the attributes are, should be in view. The paper does not say; this is a choice.
FRAME = 1.5
#: Pixels of a picture that are turned to float at once: 48 MB.
_AREA = 4_000_000
#: Windows that are cut at once.
_MANY = 512


def window_round(boxes: Tensor, frame: float = FRAME) -> Tensor:
    """The windows centred on face boxes: ``(..., 4)`` xyxy to ``(..., 4)`` xyxy, square."""
    low, high = boxes[..., :2], boxes[..., 2:]
    half = (high - low).amax(-1, keepdim=True) * frame / 2  # (..., 1)
    centre = (low + high) / 2
    return torch.cat([centre - half, centre + half], -1)


def box_within(windows: Tensor, frame: float = FRAME) -> Tensor:
    """Where a square face would be in each window: the middle part of it, ``(..., 4)`` xyxy."""
    low, high = windows[..., :2], windows[..., 2:]
    centre, half = (low + high) / 2, (high - low) / (2 * frame)
    return torch.cat([centre - half, centre + half], -1)


def to_window(points: Tensor, windows: Tensor, size: int) -> Tensor:
    """Points of a picture ``(N, K, 2)`` in pixels of their windows ``(N, 4)`` cut to ``size``."""
    side = (windows[:, 2] - windows[:, 0])[:, None, None]
    return (points - windows[:, None, :2]) * (size / side)


def from_window(points: Tensor, windows: Tensor, size: int) -> Tensor:
    """Points ``(N, K, 2)`` in pixels of windows cut to ``size`` back in pixels of the picture."""
    side = (windows[:, 2] - windows[:, 0])[:, None, None]
    return points * (side / size) + windows[:, None, :2]


def halves(image: Tensor, least: int = 32) -> list[Tensor]:
    """A picture ``(3, H, W)`` uint8 and the same halved, halved again, down to ``least`` pixels.

    A window that is shrunk is cut from the half that is just larger than it, so that no pixel of
    it goes unseen. An odd last row or column is dropped on halving.
    """
    found = [image]
    while min(found[-1].shape[-2:]) >= 2 * least:
        found.append(_halve(found[-1]))
    return found


def _halve(image: Tensor, rows: int = 1024) -> Tensor:
    """Means of 2 x 2 pixels, uint8, some rows at a time."""
    height = image.shape[-2] // 2
    parts = [
        F.avg_pool2d(image[None, :, 2 * y : 2 * min(height, y + rows)].float(), 2)[0]
        .round()
        .to(torch.uint8)
        for y in range(0, height, rows)
    ]
    return torch.cat(parts, -2)


def cut_windows(
    image: Tensor | list[Tensor], windows: Tensor, size: int | tuple[int, int]
) -> Tensor:
    """Cut windows out of a picture and bring them to ``size``; black beyond its borders.

    Each pixel is the mean of four bilinear samples (``torchvision.ops.roi_align``) of the picture
    or of its halves. However large the picture and many the windows, no more than a bounded part
    of it becomes floats at a time.

    Args:
        image: ``(3, H, W)`` uint8, or what :func:`halves` made of it.
        windows: ``(N, 4)`` xyxy in pixels of the picture; they may reach beyond it.
        size: side of the results in pixels, or height and width of results of another shape.

    Returns:
        ``(N, 3, h, w)`` float in [0, 1], on the picture's device.

    Raises:
        DataError: a window has no area, or is not finite.
    """
    size = (size, size) if isinstance(size, int) else size
    pyramid = [image] if isinstance(image, Tensor) else image
    device = pyramid[0].device
    windows = windows.to(device, torch.float32)
    sides = windows[:, 2:] - windows[:, :2]
    if not bool((windows.isfinite().all(1) & (sides > 0).all(1)).all()):
        raise DataError("a window has no area or is not finite: give x0 < x1 and y0 < y1 in pixels")
    shrink = (sides / torch.tensor([size[1], size[0]], device=device)).amin(1)  # (N,)
    if isinstance(image, Tensor) and len(windows) and float(shrink.max()) > 2:
        pyramid = halves(image)
    level = level_of(windows, size, len(pyramid))  # (N,)
    found = torch.empty(len(windows), 3, *size, device=device)
    for k, picture in enumerate(pyramid):
        rows = (level == k).nonzero()[:, 0]
        order = windows[rows, 1].argsort()  # from top to bottom, so that parts are low and wide
        _cut(picture, windows / 2**k, rows[order], size, found)
    return found


def level_of(windows: Tensor, size: tuple[int, int], levels: int) -> Tensor:
    """Which half of a picture each window ``(N, 4)`` is cut from: the one just larger, ``(N,)``."""
    sides = windows[:, 2:] - windows[:, :2]
    shrink = (sides / torch.tensor([size[1], size[0]], device=windows.device)).amin(1)
    return shrink.clamp(min=1).log2().floor().long().clamp(max=levels - 1)


def _cut(
    picture: Tensor, windows: Tensor, rows: Tensor, size: tuple[int, int], out: Tensor
) -> None:
    """Fill ``out[rows]``, halving the rows until the part of the picture they need is small."""
    if not len(rows):
        return
    height, width = picture.shape[-2:]
    mine = windows[rows]
    low, high = mine[:, :2].amin(0).floor() - 1, mine[:, 2:].amax(0).ceil() + 1
    ends = torch.cat([low, high]).long().tolist()
    x0, y0 = (min(max(0, end), side - 1) for end, side in zip(ends, (width, height), strict=False))
    x1, y1 = max(x0 + 1, min(width, ends[2])), max(y0 + 1, min(height, ends[3]))
    if len(rows) > 1 and ((x1 - x0) * (y1 - y0) > _AREA or len(rows) > _MANY):
        middle = len(rows) // 2
        _cut(picture, windows, rows[:middle], size, out)
        _cut(picture, windows, rows[middle:], size, out)
        return
    part = picture[:, y0:y1, x0:x1].float() / 255
    shift = torch.tensor([x0, y0, x0, y0], device=mine.device)
    cut = roi_align(part[None], [mine - shift], size, sampling_ratio=2, aligned=True)
    out[rows] = cut.clamp(0, 1)  # (n, 3, h, w)
