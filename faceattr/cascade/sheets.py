"""The image pyramid, laid out so that a fully convolutional network runs over all of it at once.

Every level of every picture is cut into pieces of bounded size, and the pieces are laid side by
side on sheets. S_Net pads nothing, so a window that lies in one piece does not see the next, and
windows that straddle two are left out. Pieces of one level overlap by as much as a window is longer
than the stride: together they hold every window of the level once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceattr.cascade.resampling import combine, taps
from faceattr.errors import DataError

#: Widths of a sheet that are tried.
_WIDTHS = 12


@dataclass(frozen=True)
class Piece:
    """A part of one level of one picture's pyramid.

    Attributes:
        image: which picture. level: which level.
        scale: pixels of the level in a pixel of the picture.
        x, y: upper left corner in pixels of the level; it may lie beyond the picture.
        width, height: in pixels of the level.
    """

    image: int
    level: int
    scale: float
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Laid:
    """A piece with its place on a sheet, in pixels."""

    piece: Piece
    sheet: int
    x: int
    y: int


def scales(
    size: tuple[int, int], window: int, min_face: float, frame: float, factor: float
) -> list[float]:
    """Scales of the pyramid of a picture of height and width ``size``, the finest first.

    At the first a face of ``min_face`` pixels just fills the middle of a window, ``frame`` of which
    are its sides; each following one is ``factor`` times as large, until the longer side of the
    picture is half a window: a face cannot be larger than its picture.

    Raises:
        DataError: a factor that does not shrink, or a face smaller than a pixel.
    """
    if not 0 < factor < 1:
        raise DataError(f"factor={factor}: give how much each level shrinks, between 0 and 1")
    if not min_face >= 1:
        raise DataError(f"min_face={min_face}: give the smallest face in pixels, at least 1")
    found, scale = [], window / (frame * min_face)
    while max(size) * scale >= window / 2:
        found.append(scale)
        scale *= factor
    return found


def pieces(
    image: int, size: tuple[int, int], scales: list[float], window: int, stride: int, tile: int
) -> list[Piece]:
    """The levels of a picture, cut where they are larger than ``tile`` pixels a side.

    A level reaches a third of a window beyond the picture on each side, so that faces at the
    border are in the middle of some window as well; a level smaller than a window is one window.
    """
    found = []
    reach = window // 3
    step = max(stride, (tile - window) // stride * stride)  # windows begin at multiples of stride
    for level, scale in enumerate(scales):
        spans = []
        for side in (round(size[1] * scale), round(size[0] * scale)):  # x, y
            begin, length = -reach, side + 2 * reach
            if length < window:
                begin, length = (side - window) // 2, window
            count = -(-(length - window) // stride) + 1  # windows along it; the last may reach out
            spans.append(
                [
                    (begin + at, min(step, (count * stride) - at) + window - stride)
                    for at in range(0, count * stride, step)
                ]
            )
        found += [
            Piece(image, level, scale, x, y, width, height)
            for y, height in spans[1]
            for x, width in spans[0]
        ]
    return found


def lay_out(parts: list[Piece], stride: int, side: int) -> tuple[list[Laid], list[tuple[int, int]]]:
    """Lay pieces on sheets, of the width that leaves least of them empty.

    Args:
        parts: none larger than ``side``.
        stride: places are multiples of it.
        side: greatest height and width of a sheet.

    Returns:
        The pieces with their places, and height and width of each sheet.
    """
    widest = max((_up(piece.width, stride) for piece in parts), default=stride)
    widths = range(widest, max(side, widest) + 1, max(stride, (side - widest) // _WIDTHS))
    tries = [_laid_out(parts, stride, side, _up(width, stride)) for width in widths[: _WIDTHS + 1]]
    return min(tries, key=lambda each: sum(height * width for height, width in each[1]))


def _laid_out(
    parts: list[Piece], stride: int, side: int, width: int
) -> tuple[list[Laid], list[tuple[int, int]]]:
    """Highest first, each as near to the top of the first sheets as there is room.

    Room is a list of rectangles that are still empty; a piece takes the upper left corner of one,
    which leaves one to its right, as high as the piece, and one below.
    """
    laid: list[Laid] = []
    sizes: list[tuple[int, int]] = []
    room: list[tuple[int, int, int, int, int]] = []  # sheet, y, x, height, width
    for piece in sorted(parts, key=lambda p: (-p.height, -p.width)):
        wide, high = _up(piece.width, stride), _up(piece.height, stride)
        fits = [place for place in room if place[3] >= high and place[4] >= wide]
        if fits:
            place = min(fits, key=lambda p: (p[0], p[1] + high, p[4]))
            room.remove(place)
        else:
            place = (len(sizes), 0, 0, max(side, high), width)
            sizes.append((0, 0))
        sheet, y, x, height, across = place
        laid.append(Laid(piece, sheet, x, y))
        room += [
            (sheet, y, x + wide, high, across - wide),
            (sheet, y + high, x, height - high, across),
        ]
        sizes[sheet] = (max(sizes[sheet][0], y + high), max(sizes[sheet][1], x + wide))
    return laid, sizes


def _up(pixels: int, stride: int) -> int:
    return -(-pixels // stride) * stride


def paint(laid: list[Laid], size: tuple[int, int], pictures: list[list[Tensor]]) -> Tensor:
    """One sheet ``(3, H, W)`` float in [0, 1] with its pieces, resampled from their pictures.

    Args:
        laid: pieces of one sheet. size: its height and width.
        pictures: of each image, what :func:`~faceattr.data.windows.halves` made of it.
    """
    device = pictures[laid[0].piece.image][0].device
    sheet = torch.zeros(*size, 3, device=device)  # colours last, as convolutions like it
    for one in laid:
        piece = one.piece
        rows, columns = slice(one.y, one.y + piece.height), slice(one.x, one.x + piece.width)
        sheet[rows, columns] = resample(pictures[piece.image], piece).permute(1, 2, 0)
    return sheet.permute(2, 0, 1)


def resample(halved: list[Tensor], piece: Piece) -> Tensor:
    """A piece ``(3, h, w)`` float in [0, 1], black beyond the picture.

    Each pixel is the mean of four bilinear samples of the half that is just larger, as in
    :func:`~faceattr.data.windows.cut_windows`.
    """
    level = min(len(halved) - 1, max(0, int(math.log2(max(1.0, 1 / piece.scale)))))
    picture, step = halved[level], 1 / (piece.scale * 2**level)  # pixels of it in one of the piece
    if picture.device.type != "cpu":
        return _resampled(picture, step, piece)
    one, (height, width) = torch.tensor([step]), picture.shape[-2:]
    spans = ((piece.y, piece.height, height), (piece.x, piece.width, width))
    rows, columns = (
        [found[0] for found in taps(torch.tensor([begin * step]), one, length, side, held=False)]
        for begin, length, side in spans
    )
    return combine(picture, rows, columns).permute(2, 0, 1)


def _resampled(picture: Tensor, step: float, piece: Piece) -> Tensor:
    """As :func:`resample`, with ``grid_sample``, for a GPU."""
    height, width = picture.shape[-2:]
    out = torch.zeros(3, piece.height, piece.width, device=picture.device)
    grids, spans = [], []
    for begin, length, side in ((piece.x, piece.width, width), (piece.y, piece.height, height)):
        at = (begin + (torch.arange(2 * length, device=picture.device) + 0.5) / 2) * step
        low, high = max(0, math.floor(begin * step) - 1), math.ceil((begin + length) * step) + 1
        high = min(side, high)
        if high <= low:
            return out
        grids.append((at - low) * (2 / (high - low)) - 1)
        spans.append(slice(low, high))
    part = picture[None, :, spans[1], spans[0]].float() / 255
    grid = torch.stack(torch.meshgrid(*grids, indexing="xy"), -1)[None]  # (1, 2h, 2w, 2)
    return F.avg_pool2d(F.grid_sample(part, grid, align_corners=False), 2)[0]  # (3, h, w)
