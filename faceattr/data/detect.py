"""From a picture to the crop of its face: the detector, the choice and the cut in one place."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from faceattr.data.align import WILD_MARGIN, align, crop_box
from faceattr.data.boxes import face_boxes
from faceattr.data.convert import PictureLike, read_image
from faceattr.data.mtcnn import Detections, choose_face, find_faces, landmarks_box
from faceattr.errors import ImageError

__all__ = [
    "Detections",
    "align",
    "choose_face",
    "crop_aligned",
    "crop_box",
    "crop_wild",
    "face_boxes",
    "find_faces",
    "landmarks_box",
    "read_image",
]


def crop_aligned(
    image: PictureLike, size: tuple[int, int], *, device: str | torch.device = "cpu"
) -> tuple[Image.Image, Tensor]:
    """Find the largest face and cut it as the aligned view shows faces.

    Returns:
        The crop, and the face's box ``(4,)`` in the picture.

    Raises:
        ImageError: the picture cannot be read, or shows no face.
        MissingDependencyError: see :func:`find_faces`.
    """
    picture, found, row = _the_face(image, None, device)
    return align(picture, found.landmarks[row], size), found.boxes[row]


def crop_wild(
    image: PictureLike,
    size: tuple[int, int],
    *,
    margin: float = WILD_MARGIN,
    truth: Tensor | None = None,
    device: str | torch.device = "cpu",
) -> tuple[Image.Image, Tensor]:
    """Find the face and cut round its box, upright as it stands: PaW's input.

    Args:
        image: as :func:`~faceattr.data.convert.read_image` takes it.
        size: height and width of the crop in pixels.
        margin: share of the box added on each side (:func:`~faceattr.data.align.crop_box`).
        truth: the true box, to tell which of several faces is meant.
        device: where the detector runs.

    Returns and raises as :func:`crop_aligned`.
    """
    picture, found, row = _the_face(image, truth, device)
    return crop_box(picture, found.boxes[row], size, margin)[0], found.boxes[row]


def _the_face(image, truth, device):
    picture = read_image(image)
    found = find_faces(picture, device=device)
    row = choose_face(found, truth)
    if row is None:
        name = image if isinstance(image, (str, Path)) else "the picture"
        raise ImageError(
            f"no face found in {name} ({picture.width} x {picture.height} pixels): give a picture "
            "in which a face is upright, in view and at least 20 pixels wide, or crop it by hand"
        )
    return picture, found, row
