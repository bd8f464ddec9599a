"""Random changes of a batch of faces, on its device, each face by its own draw.

torchvision.transforms.v2 draws one set of parameters for a whole batch, so that calling it on a
batch flips all faces or none. The kernels here take a parameter per face instead, without a loop
over faces; the tests hold each of them to its ``v2.functional`` counterpart called face by face.

Coordinates of boxes and landmarks are continuous: pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as nnf
from torch import Tensor
from torchvision.transforms.v2 import functional as v2f

from faceattr.data.faces import Faces
from faceattr.errors import DataError

#: Where each of CelebA's five landmarks goes in a mirror: eyes and mouth corners change sides.
MIRRORED = (1, 0, 2, 4, 3)


class FaceAugment:
    """Scale and turn, shift, flip, colour, erase, in this order; what is off costs nothing.

    Beyond the border a picture is continued by its mirror image. Boxes, landmarks and regions
    move along with the pixels; those that leave the picture are not cut back, except regions,
    which end with their grid. Erasing and colour leave them alone. Labels never change.

    Args:
        flip: chance of a mirror image. Left and right landmarks change places, for "left" means
            as seen in the picture.
        shift: random crop after reflect padding: up to so many whole pixels in x and in y.
        scale: least and greatest factor about the centre, drawn evenly on a log scale.
        rotate: up to so many degrees either way about the centre.
        colour: brightness, contrast and saturation factors each from ``[1 - colour, 1 + colour]``.
        erase: chance that one rectangle, 2% to 20% of the area, turns grey (0.5).

    Raises:
        DataError: a value is out of its range; the message names it.
    """

    def __init__(
        self,
        *,
        flip: float = 0.5,
        shift: int = 4,
        scale: tuple[float, float] = (1, 1),
        rotate: float = 0,
        colour: float = 0.0,
        erase: float = 0.0,
    ):
        _check("flip", flip, 0 <= flip <= 1, "a chance in [0, 1]")
        _check("shift", shift, shift >= 0 and shift == int(shift), "whole pixels, 0 or more")
        good = len(tuple(scale)) == 2 and 0 < scale[0] <= scale[1] < math.inf
        _check("scale", scale, good, "a pair (least, greatest) of factors above 0")
        _check("rotate", rotate, 0 <= rotate <= 180, "degrees in [0, 180]")
        _check("colour", colour, 0 <= colour <= 1, "a share in [0, 1]")
        _check("erase", erase, 0 <= erase <= 1, "a chance in [0, 1]")
        self.flip, self.shift, self.scale = float(flip), int(shift), tuple(map(float, scale))
        self.rotate, self.colour, self.erase = float(rotate), float(colour), float(erase)

    def __repr__(self) -> str:
        return "FaceAugment(" + ", ".join(f"{k}={v}" for k, v in vars(self).items()) + ")"

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw parameters for ``count`` faces; only of what is switched on.

        Returns:
            ``scale``, ``rotate`` ``(B,)``; ``shift`` ``(B, 2)`` int64, how far the window moves
            right and down; ``flip`` ``(B,)`` bool; ``colour`` ``(B, 3)`` factors of brightness,
            contrast, saturation; ``erase`` ``(B, 4)``, x, y, width, height as shares of the
            picture, width 0 where nothing is erased.
        """

        def uniform(low: float, high: float, *more: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *more, generator=generator)

        draws = {}
        if self.scale != (1, 1) or self.rotate:
            draws["scale"] = uniform(math.log(self.scale[0]), math.log(self.scale[1])).exp()
            draws["rotate"] = uniform(-self.rotate, self.rotate)
        if self.shift:
            draws["shift"] = torch.randint(
                -self.shift, self.shift + 1, (count, 2), generator=generator
            )
        if self.flip:
            draws["flip"] = torch.rand(count, generator=generator) < self.flip
        if self.colour:
            draws["colour"] = uniform(1 - self.colour, 1 + self.colour, 3)
        if self.erase:
            on = torch.rand(count, generator=generator) < self.erase
            area = uniform(0.02, 0.2)
            tall = uniform(math.log(0.5), math.log(2)).exp().sqrt()  # height over width in [1/2, 2]
            sides = torch.stack([area.sqrt() / tall, area.sqrt() * tall], 1)  # (B, 2), at most 0.64
            corner = torch.rand(count, 2, generator=generator) * (1 - sides)
            draws["erase"] = torch.cat([corner, sides * on[:, None]], 1)  # (B, 4)
        return draws

    def apply(self, faces: Faces, draws: dict[str, Tensor]) -> Faces:
        """Change float images ``(B, 3, H, W)``, and move boxes, landmarks and regions along.

        Raises:
            DataError: the images are not a float batch, the draws are of another number of
                faces, or ``shift`` is not smaller than the picture.
        """
        images = faces.images
        if images.ndim != 4 or not images.is_floating_point():
            raise DataError(
                f"images of {images.dtype} {tuple(images.shape)} cannot be augmented: give a batch "
                "(B, 3, H, W) of floats (Faces.with_float_images())"
            )
        if any(len(draw) != len(faces) for draw in draws.values()):
            raise DataError(f"the draws are not for these {len(faces)} faces: draw anew")
        if not len(faces):  # a process that got nothing of a small last batch
            return faces
        draws = {name: draw.to(images.device) for name, draw in draws.items()}
        if "scale" in draws:
            faces = _affine(faces, draws["scale"], draws["rotate"])
        if "shift" in draws or "flip" in draws:
            faces = self._shift_flip(faces, draws)
        images = faces.images
        if "colour" in draws:
            images = _colour(images, draws["colour"].to(images.dtype))
        if "erase" in draws:
            images = _erase(images, draws["erase"])
        return replace(faces, images=images)

    def _shift_flip(self, faces: Faces, draws: dict[str, Tensor]) -> Faces:
        count, _, high, wide = faces.images.shape
        if self.shift >= min(high, wide):
            raise DataError(f"shift={self.shift} in a picture of {high} x {wide}: choose less")
        shift = draws.get("shift")
        if shift is None:
            shift = torch.zeros(count, 2, dtype=torch.int64, device=faces.images.device)
        flip = draws.get("flip")
        if flip is None:
            flip = torch.zeros(count, dtype=torch.bool, device=faces.images.device)

        def source(cells: int, pixels: int, move: Tensor, turned: Tensor | None) -> Tensor:
            """Cell of a grid of ``cells`` that each cell is taken from, ``(B, cells)``."""
            at = torch.arange(cells, device=move.device).expand(count, cells)
            if turned is not None:
                at = torch.where(turned[:, None], cells - 1 - at, at)
            pixel = ((2 * at + 1) * pixels).div(2 * cells, rounding_mode="floor")  # at its centre
            pixel = (pixel + move[:, None]).abs()  # reflect at the left or upper border ...
            pixel = torch.where(pixel >= pixels, 2 * (pixels - 1) - pixel, pixel)  # ... or right
            return (pixel * cells).div(pixels, rounding_mode="floor")

        def grids(grid: Tensor) -> Tensor:
            rows = source(grid.shape[-2], high, shift[:, 1], None)
            return _gather(grid, rows, source(grid.shape[-1], wide, shift[:, 0], flip))

        def points(at: Tensor) -> Tensor:
            at = at - shift[:, None].to(at.dtype)  # (B, K, 2)
            x = torch.where(flip[:, None], wide - at[..., 0], at[..., 0])
            return torch.stack([x, at[..., 1]], -1)

        faces = _move(faces, grids, points)
        if faces.landmarks is not None:
            mirrored = faces.landmarks[:, list(MIRRORED)]
            faces.landmarks = torch.where(flip[:, None, None], mirrored, faces.landmarks)
        return faces


def _check(name: str, value, good: bool, need: str) -> None:
    if not good:
        raise DataError(f"FaceAugment({name}={value}): must be {need}")


def _move(faces: Faces, grids: Callable[[Tensor], Tensor], points: Callable) -> Faces:
    """Move everything that has a place: images and regions as grids, the rest as points."""
    box = None
    if faces.box is not None:
        corners = points(faces.box[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2))  # (B, 4, 2)
        box = torch.cat([corners.amin(1), corners.amax(1)], 1)  # (B, 4)
    return replace(
        faces,
        images=grids(faces.images),
        regions=None if faces.regions is None else grids(faces.regions),
        box=box,
        landmarks=None if faces.landmarks is None else points(faces.landmarks),
    )


def _gather(grid: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``out[b, c, y, x] = grid[b, c, rows[b, y], columns[b, x]]`` for ``(B, C, h, w)``.

    Whole rows are copied first, then columns within them: thrice the speed of one index over all.
    """
    count, channels, high, wide = grid.shape
    first = torch.arange(count * channels, device=grid.device).view(count, channels, 1) * high
    lines = (first + rows[:, None]).flatten()  # (B * C * h,)
    grid = grid.reshape(-1, wide).index_select(0, lines).view(count, channels, high, wide)
    return grid.gather(-1, columns[:, None, None].expand(grid.shape))


def _affine(faces: Faces, scale: Tensor, degrees: Tensor) -> Faces:
    """Scale and turn clockwise about the centre, as v2.functional.affine does."""
    high, wide = faces.images.shape[-2:]
    size = torch.tensor([wide, high], dtype=torch.float32, device=scale.device)
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)
    forward = turn * scale[:, None, None]  # source to result, in pixels from the centre
    backward = turn.mT / scale[:, None, None]
    theta = backward * size / size[:, None]  # the same in units of half the picture
    theta = nnf.pad(theta, (0, 1))  # (B, 2, 3)

    def grids(grid: Tensor) -> Tensor:
        mode = "bilinear" if grid.is_floating_point() else "nearest"
        values = grid if grid.dtype == torch.float64 else grid.float()  # half is slow on CPUs
        at = nnf.affine_grid(theta, [len(grid), 1, *grid.shape[-2:]], align_corners=False)
        moved = nnf.grid_sample(values, at.to(values.dtype), mode, "reflection", False)
        return moved.to(grid.dtype)

    def points(at: Tensor) -> Tensor:
        centre = (size / 2).to(at.dtype)
        return (at - centre) @ forward.mT.to(at.dtype) + centre

    return _move(faces, grids, points)


def _colour(images: Tensor, factors: Tensor) -> Tensor:
    """Brightness, contrast, saturation as v2.functional.adjust_*, factors ``(B, 3)``."""
    bright, contrast, saturation = factors[:, :, None, None, None].unbind(1)  # each (B, 1, 1, 1)
    images = (images * bright).clamp(0, 1)
    mean = v2f.rgb_to_grayscale(images).mean((-3, -2, -1), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp(0, 1)
    return torch.lerp(v2f.rgb_to_grayscale(images), images, saturation).clamp(0, 1)


def _erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Grey rectangles; ``boxes`` ``(B, 4)`` are x, y, width, height as shares of the picture."""
    high, wide = images.shape[-2:]
    x, y, width, height = boxes[:, :, None].unbind(1)  # each (B, 1)
    across = (torch.arange(wide, device=boxes.device) + 0.5) / wide  # pixel centres
    down = (torch.arange(high, device=boxes.device) + 0.5) / high
    inside = ((across >= x) & (across < x + width))[:, None]  # (B, 1, W)
    inside = inside & ((down >= y) & (down < y + height))[:, :, None]  # (B, H, W)
    return images.masked_fill(inside[:, None], 0.5)
