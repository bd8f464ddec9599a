"""Geometry of crops: round a box, or straightened by five landmarks as CelebA's aligned pictures.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)``, so its centre lies at ``i + 0.5`` and
a picture's right edge at its width. Pillow, torchvision's boxes and ``grid_sample`` count so too.
An *affine* here is a float64 array ``(2, 3)`` that takes a point of the picture to the crop.

Where a crop reaches beyond the picture, the border pixels are repeated: black bars would be an
edge that no trained network has seen, and mirrored content could show a second mouth.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from faceattr.data.convert import PictureLike, read_image
from faceattr.data.pictures import FIELD, Window, centre_window
from faceattr.errors import ImageError

#: Width and height in pixels of CelebA's aligned pictures.
ALIGNED_SIZE = (178, 218)

#: Share of a detected box that is added on each side for crops in the wild. MTCNN's boxes end at
#: brow and chin; a quarter more shows hair, ears and neck, where a third of the attributes are.
WILD_MARGIN = 0.25

#: Where left eye, right eye, nose and mouth corners lie in an aligned picture of 178 x 218 pixels.
#: Means over 399 aligned training pictures (every 20th of 7,969 half-size ones, enlarged twofold),
#: found by MTCNN in each picture and in its mirror image, which cancels the detector's leaning to
#: one side. Standard deviations: eyes 2, mouth corners 3, nose 6 pixels.
ALIGNED_LANDMARKS = np.array(
    [[69.5, 111.8], [108.5, 111.7], [88.5, 136.0], [71.5, 153.3], [106.4, 153.3]]
)


def crop_box(
    image: PictureLike, box: ArrayLike | Tensor, size: tuple[int, int], margin: float = 0.0
) -> tuple[Image.Image, np.ndarray]:
    """Cut a picture round a box without distorting it.

    The box grows by ``margin`` of its width and height on every side, then its shorter side grows
    until the shape fits ``size``; it never shrinks. Beyond the border, border pixels repeat.

    Args:
        image: as :func:`~faceattr.data.convert.read_image` takes it.
        box: ``x0, y0, x1, y1`` in pixels of the picture.
        size: height and width of the crop in pixels.
        margin: share of the box added on each side.

    Returns:
        The crop, RGB, and the affine ``(2, 3)`` from the picture to it.

    Raises:
        ImageError: the box is empty, not finite, or lies wholly outside the picture.
    """
    picture = read_image(image)
    box = np.asarray(box, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
        raise ImageError(f"{box.tolist()} is no box: give finite x0, y0, x1, y1, x0 < x1, y0 < y1")
    if (box[:2] >= picture.size).any() or (box[2:] <= 0).any():
        raise ImageError(
            f"the box {box.tolist()} lies outside the picture of {picture.width} x "
            f"{picture.height} pixels: was it found in a picture of another size?"
        )
    centre, span = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * (1 + 2 * margin)
    if not (span > 0).all():
        raise ImageError(f"margin {margin} leaves nothing of the box: choose one above -0.5")
    wanted = np.array([size[1], size[0]])
    span = wanted * (span / wanted).max()
    left, top = centre - span / 2
    return _cut(picture, Window(left, top, span[0], span[1], tuple(size)))


def align(image: PictureLike, landmarks: ArrayLike | Tensor, size: tuple[int, int]) -> Image.Image:
    """Turn, scale and cut a picture as CelebA's aligned pictures are, seen through the same window.

    The similarity that takes the landmarks closest to :data:`ALIGNED_LANDMARKS` (least squares;
    Umeyama, 1991) puts the face where the aligned view of the data loader has it: of a CelebA
    picture that is aligned already, nothing but the loader's centre crop is left.

    Args:
        image: as :func:`~faceattr.data.convert.read_image` takes it.
        landmarks: ``(5, 2)``, x and y in pixels, in CelebA's order.
        size: height and width of the crop in pixels.

    Returns:
        The crop, RGB. Its affine is ``similarity(landmarks, canonical_landmarks(size))``.

    Raises:
        ImageError: the landmarks are not five finite points apart from each other.
    """
    picture = read_image(image)
    forward = similarity(landmarks, canonical_landmarks(size))
    scale = math.hypot(*forward[:, 0])
    high, wide = size
    corners = np.array([[0, 0], [wide, 0], [0, high], [wide, high]], dtype=np.float64)
    backward = invert(forward)
    source = transform_points(backward, corners)  # (4, 2) the crop's corners in the picture
    # First the upright rectangle that holds the crop, shrunk by a filter that averages over what
    # it skips; then only the turn is left for the interpolation, which looks at near pixels only.
    (left, top), (right, bottom) = source.min(0), source.max(0)
    shrink = min(1.0, scale)
    patch_size = tuple(max(1, round(span * shrink)) for span in (bottom - top, right - left))
    patch, to_patch = _cut(picture, Window(left, top, right - left, bottom - top, patch_size))
    to_patch = _compose(to_patch, backward)  # from the crop to the patch
    return patch.transform(
        (wide, high), Image.Transform.AFFINE, tuple(to_patch.ravel()), Image.Resampling.BICUBIC
    )


def canonical_landmarks(size: tuple[int, int] = (218, 178)) -> np.ndarray:
    """Return where the five landmarks lie in an aligned crop of height and width ``size``.

    The window is the aligned view's (:func:`faceattr.data.pictures.centre_window`); a crop larger
    than an aligned picture shows its central field enlarged. Pixels, ``(5, 2)``.
    """
    wide, high = ALIGNED_SIZE
    if size[0] <= high and size[1] <= wide:
        return centre_window(wide, high, size).move(ALIGNED_LANDMARKS)
    enlarge = max(size[0] / (high * FIELD[0]), size[1] / (wide * FIELD[1]))
    part = size[1] / enlarge, size[0] / enlarge
    window = Window((wide - part[0]) / 2, (high - part[1]) / 2, *part, tuple(size))
    return window.move(ALIGNED_LANDMARKS)


def similarity(source: ArrayLike | Tensor, target: ArrayLike | Tensor) -> np.ndarray:
    """Affine ``(2, 3)`` that turns, scales and shifts points ``(K, 2)`` closest to others.

    With points as complex numbers a similarity is ``z -> a z + b``, so that Umeyama's least
    squares (IEEE PAMI 13(4), 1991) in the plane are an ordinary linear system.

    Raises:
        ImageError: the points are not finite, or all the same.
    """
    source, target = (np.asarray(points, dtype=np.float64) for points in (source, target))
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise ImageError(f"landmarks of shape {source.shape} where {target.shape} are needed")
    if not np.isfinite(source).all() or np.ptp(source, axis=0).max() < 1e-6:
        raise ImageError(f"landmarks {source.tolist()} say nothing: need finite, distinct points")
    z, w = source @ [1, 1j], target @ [1, 1j]  # (K,)
    (a, b), *_ = np.linalg.lstsq(np.stack([z, np.ones_like(z)], 1), w, rcond=None)
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def transform_points(affine: np.ndarray, points: ArrayLike | Tensor):
    """Carry points ``(..., 2)`` through an affine; a tensor gives a tensor, else an array."""
    if isinstance(points, Tensor):
        affine = torch.as_tensor(affine, dtype=points.dtype, device=points.device)
    else:
        points = np.asarray(points, dtype=np.float64)
    return points @ affine[:, :2].T + affine[:, 2]


def transform_boxes(affine: np.ndarray, boxes: ArrayLike | Tensor):
    """Carry boxes ``(..., 4)`` xyxy through an affine: the upright box round the turned one."""
    library = torch if isinstance(boxes, Tensor) else np
    boxes = boxes if isinstance(boxes, Tensor) else np.asarray(boxes, dtype=np.float64)
    corners = boxes[..., [[0, 1], [2, 1], [0, 3], [2, 3]]]  # (..., 4, 2)
    x, y = (transform_points(affine, corners)[..., axis] for axis in (0, 1))
    low, high = library.amin, library.amax
    return library.stack([low(x, -1), low(y, -1), high(x, -1), high(y, -1)], -1)


def _cut(picture: Image.Image, window: Window) -> tuple[Image.Image, np.ndarray]:
    """Cut a window that may reach beyond the picture."""
    scale = window.size[1] / window.width, window.size[0] / window.height
    affine = np.array([[scale[0], 0, -window.left * scale[0]], [0, scale[1], 0]])
    affine[1, 2] = -window.top * scale[1]
    edges = np.array([[window.left, window.top], [window.width, window.height]])
    edges[1] += edges[0]
    first = np.floor(edges[0] + 1e-9).astype(int)  # the pixels the window touches: first ...
    last = np.ceil(edges[1] - 1e-9).astype(int)  # ... up to, not including, last
    reach = math.ceil(2 / min(1.0, *scale)) + 1  # the filter looks this far beyond the window
    start = np.clip(first - reach, 0, np.array(picture.size) - 1)
    stop = np.clip(last + reach, 1, picture.size)
    before, after = np.maximum(start - first, 0), np.maximum(last - stop, 0)
    part = np.asarray(picture.crop((*start, *stop)))  # (h, w, 3) what there is
    part = np.pad(part, ((before[1], after[1]), (before[0], after[0]), (0, 0)), "edge")
    left, top = np.maximum(edges[0] - start + before, 0)
    width = min(window.width, part.shape[1] - left)  # rounding must not push it over the edge
    height = min(window.height, part.shape[0] - top)
    pixels = Window(left, top, width, height, window.size).cut(Image.fromarray(part))  # (3, h, w)
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))), affine


def invert(affine: np.ndarray) -> np.ndarray:
    """The affine ``(2, 3)`` that undoes one."""
    square = np.linalg.inv(affine[:, :2])
    return np.column_stack([square, -square @ affine[:, 2]])


def _compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    return np.column_stack(
        [second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]]
    )
