"""Places in an image: where a heat map points, squares round points, blocks, and cutting them out.

PaW upsamples each heat map to the image (224 x 224), takes its highest point and crops a square of
64 pixels round it. Coordinates are ``x, y`` in pixels; a box is ``x0, y0, x1, y1`` with its right
and lower end exclusive, so that ``image[:, y0:y1, x0:x1]`` is the crop.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceattr.errors import DataError, MapError


def check_layout(crop: int, grid: Sequence[int]) -> None:
    """See that a square has whole pixels and a grid two sides.

    Raises:
        DataError: it does not; the message names the value.
    """
    if not isinstance(crop, int) or crop < 1:
        raise DataError(f"crop={crop!r}: give the side of a square as a whole number of pixels")
    if len(grid) != 2 or not all(isinstance(side, int) and side >= 1 for side in grid):
        raise DataError(f"grid={tuple(grid)}: give rows and columns, such as (4, 4)")


def finite(maps: Tensor) -> Tensor:
    """Return maps as they are; raise MapError if one holds NaN or infinity."""
    if not torch.compiler.is_compiling() and not torch.isfinite(maps).all():
        raise MapError("a heat map holds NaN or infinity: the network's weights or input do too")
    return maps


def regions_from_heatmaps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where each map is highest, ``(B, M, 2)`` as ``x, y`` in pixels of the image.

    PaW upsamples the map and takes the arg-max. A bilinear interpolant is highest at one of its
    nodes, so the centre of the arg-max cell of the small map is the same place (to the pixel that
    rounding allows) at a fraction of the memory. With nearest upsampling it is the middle of the
    winning cell instead of that cell's upper left corner. Of equal maxima the first in reading
    order wins; a map that is negative everywhere points where there is least evidence against; a
    constant map points nowhere, and the middle of the image is taken.

    Args:
        maps: ``(B, M, h, w)``.
        size: height and width of the image in pixels.

    Raises:
        MapError: a map holds NaN or infinity.
    """
    finite(maps)
    (height, width), (rows, columns) = size, maps.shape[-2:]
    row = maps.amax(dim=-1).argmax(dim=-1)  # (B, M): the first row with the maximum ...
    there = row[..., None, None].expand(-1, -1, 1, columns)
    column = maps.gather(2, there)[:, :, 0].argmax(dim=-1)  # (B, M): ... and its first place there
    constant = (maps.amax(dim=(-2, -1)) == maps.amin(dim=(-2, -1))).float()  # (B, M)
    y = (row + 0.5).lerp(constant * (rows / 2), constant) * (height / rows) - 0.5
    x = (column + 0.5).lerp(constant * (columns / 2), constant) * (width / columns) - 0.5
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
    if not torch.compiler.is_compiling() and (size < 1 or size > min(height, width)):
        raise DataError(
            f"a crop of {size} x {size} pixels does not fit an image of {width} x {height}: "
            "use larger images or a smaller crop"
        )
    corner = (centres - (size - 1) / 2).round().long()  # (B, M, 2)
    beyond = [corner[..., 0] - (width - size), corner[..., 1] - (height - size)]  # where positive
    left = (corner[..., 0] - beyond[0].clamp(min=0)).clamp(min=0)
    top = (corner[..., 1] - beyond[1].clamp(min=0)).clamp(min=0)
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
    return cut(images, crop_boxes(centres, size, images.shape[-2:]), (size, size))


def cut(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut boxes of one size out of a batch, in one gather: ``(B, P, 3, h, w)``.

    Args:
        images: ``(B, 3, H, W)``.
        boxes: ``(B, P, 4)`` int64 inside the images.
        size: height and width of every box.
    """
    rows = boxes[..., 1, None] + torch.arange(size[0], device=images.device)  # (B, P, h)
    columns = boxes[..., 0, None] + torch.arange(size[1], device=images.device)  # (B, P, w)
    batch = torch.arange(images.shape[0], device=images.device)[:, None, None, None]
    pixels = images.permute(0, 2, 3, 1)  # (B, H, W, 3): a pixel's three values are copied at once
    crops = pixels[batch, rows[..., :, None], columns[..., None, :]]  # (B, P, h, w, 3)
    return crops.permute(0, 1, 4, 2, 3)  # (B, P, 3, h, w)


def grid_boxes(size: tuple[int, int], grid: tuple[int, int] = (4, 4)) -> Tensor:
    """Return blocks that do not overlap, in reading order, ``(rows * columns, 4)`` int64 xyxy.

    PaW's crude part detectors, "4x4 non-overlapping blocks". All blocks are of one size; pixels
    that are left over stay between the blocks or at the right and lower border.

    Args:
        size: height and width of the image in pixels.
        grid: rows and columns.

    Raises:
        DataError: a block would be empty.
    """
    (height, width), (rows, columns) = size, grid
    if not torch.compiler.is_compiling() and (height < rows or width < columns):
        raise DataError(
            f"an image of {width} x {height} cannot be cut into {rows} rows and {columns} columns: "
            "use larger images or a coarser grid"
        )
    top = torch.arange(rows) * height // rows
    left = torch.arange(columns) * width // columns
    y, x = torch.meshgrid(top, left, indexing="ij")
    high, wide = height // rows, width // columns
    return torch.stack([x, y, x + wide, y + high], dim=-1).flatten(0, 1)  # (P, 4)


def random_boxes(count: int, crop: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Return squares at places drawn once and the same for every image, ``(count, 4)`` int64 xyxy.

    The baseline of a localizer that never looks.

    Args:
        count: how many.
        crop: side of a square in pixels.
        size: height and width of the image in pixels.
        seed: of the places, drawn evenly from those inside the image.

    Raises:
        DataError: the image is smaller than the square.
    """
    return boxes_at(random_places(count, seed), crop, size)


def random_places(count: int, seed: int = 0) -> Tensor:
    """Return places drawn evenly, as shares of the room that a square has: ``(count, 2)``.

    Args:
        count: how many.
        seed: of the places.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 2, generator=generator, dtype=torch.float64).float()


def boxes_at(places: Tensor, crop: int, size: tuple[int, int]) -> Tensor:
    """Return the squares at places, ``(count, 4)`` int64 xyxy.

    Args:
        places: ``(count, 2)``, from :func:`random_places`.
        crop: side of a square in pixels.
        size: height and width of the image in pixels.

    Raises:
        DataError: the image is smaller than the square.
    """
    across = places[:, 0] * (size[1] - crop + 1) - 0.5  # the left edge's centre, before rounding
    down = places[:, 1] * (size[0] - crop + 1) - 0.5
    return crop_boxes(torch.stack([across, down], dim=-1) + (crop - 1) / 2, crop, size)
