"""Parts of a picture at another scale, axis by axis: what the cascade looks at, on a CPU.

A pixel of a part is the mean of four bilinear samples, as in
:func:`~faceattr.data.windows.cut_windows`. The samples lie on a grid, so that rows and columns can
be done in turn: each row of the result is a weighted sum of four rows, then each column of four
columns. Weighted sums of rows are what torch calls an embedding bag, which is several times as fast
as ``grid_sample`` and ``roi_align``, where every pixel fetches sixteen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceattr.data.windows import cut_windows, level_of

#: Rows that a result is the weighted sum of, and their weights, ``(n, 4)`` each.
Taps = tuple[Tensor, Tensor]


def taps(begin: Tensor, step: Tensor, length: int, side: int, *, held: bool) -> Taps:
    """Which rows of a picture make each row of N parts, and with which weights.

    Args:
        begin: ``(N,)`` where each part begins, in pixels of the picture.
        step: ``(N,)`` pixels of the picture in a pixel of the part.
        length: of the parts in pixels. side: of the picture.
        held: the picture's last row goes on for a pixel, as in ``roi_align``; otherwise it fades
            within half a pixel, as in ``grid_sample``. Beyond is black.

    Returns:
        Indices in ``[0, side)`` and weights, ``(N, length, 4)`` each.
    """
    at = (torch.arange(2 * length, device=begin.device) + 0.5) / 2  # two samples in each pixel
    at = begin[:, None] + at * step[:, None] - 0.5  # (N, 2 length), from middle to middle
    there = torch.ones_like(at, dtype=torch.bool)
    if held:
        there = (at >= -1) & (at <= side)
        at = at.clamp(0, side - 1)
    low = at.floor()
    share = at - low
    index = torch.stack([low, low + 1], -1)  # (N, 2 length, 2)
    weight = torch.stack([1 - share, share], -1) * there[..., None] / 2
    weight = weight.where((index >= 0) & (index < side), 0)
    index = index.clamp(0, side - 1).long()
    return index.view(len(begin), length, 4), weight.view(len(begin), length, 4)


def combine(picture: Tensor, rows: Taps, columns: Taps, bounds: list[int] | None = None) -> Tensor:
    """The part of a picture whose rows and columns are these sums of the picture's.

    Args:
        picture: ``(3, H, W)`` uint8.
        rows, columns: indices and weights, ``(h, 4)`` and ``(w, 4)``.
        bounds: least row and column of the indices, and one more than the greatest of each.

    Returns:
        ``(h, w, 3)`` float in [0, 1].
    """
    (y, weight_y), (x, weight_x) = rows, columns
    if bounds is None:
        bounds = [int(v) for v in (y.amin(), x.amin(), y.amax() + 1, x.amax() + 1)]
    top, left, bottom, right = bounds
    part = picture[:, top:bottom, left:right].float().permute(1, 2, 0).contiguous()  # (H, W, 3)
    wide = right - left
    down = F.embedding_bag(
        y - top, part.view(-1, 3 * wide), mode="sum", per_sample_weights=weight_y
    )
    turned = down.view(-1, wide, 3).transpose(0, 1).reshape(wide, -1)  # (W, 3 h)
    across = F.embedding_bag(x - left, turned, mode="sum", per_sample_weights=weight_x / 255)
    return across.view(len(x), -1, 3).transpose(0, 1)  # (w, 3 h) to (h, w, 3)


def windows_of(halved: list[Tensor], windows: Tensor, size: int) -> Tensor:
    """What :func:`~faceattr.data.windows.cut_windows` cuts, to rounding, faster on a CPU.

    Args:
        halved: a picture and its halves (:func:`~faceattr.data.windows.halves`).
        windows: ``(N, 4)`` xyxy, square, in pixels of the picture.
        size: side of the results.

    Returns:
        ``(N, 3, size, size)`` float in [0, 1].
    """
    if halved[0].device.type != "cpu":
        return cut_windows(halved, windows, size)
    level = level_of(windows, (size, size), len(halved))
    found = torch.empty(len(windows), size, size, 3)
    for k, picture in enumerate(halved):
        mine = (level == k).nonzero()[:, 0]
        if not len(mine):
            continue
        some = windows[mine] / 2**k
        step = (some[:, 2:] - some[:, :2]) / size  # (n, 2)
        x, u = taps(some[:, 0], step[:, 0], size, picture.shape[2], held=True)
        y, v = taps(some[:, 1], step[:, 1], size, picture.shape[1], held=True)
        ends = [torch.stack([i.flatten(1).amin(1), i.flatten(1).amax(1) + 1]) for i in (y, x)]
        bounds = (
            torch.stack(ends).permute(2, 1, 0).flatten(1).tolist()
        )  # n of top, left, bottom, right
        for j, row in enumerate(mine.tolist()):
            found[row] = combine(picture, (y[j], v[j]), (x[j], u[j]), bounds[j])
    return found.permute(0, 3, 1, 2)
