"""Faces in pictures: boxes and landmarks from MTCNN, and which face is meant.

The detector is the one PaW uses (Ding et al., AAAI 2018, section 5; Zhang et al., "Joint face
detection and alignment using multi-task cascaded convolutional networks", 2016), with its rules:
no face found, the landmarks' box doubled; several, the one that overlaps the truth most.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from faceattr.data.convert import PictureLike, read_image
from faceattr.device import resolve
from faceattr.errors import DataError, MissingDependencyError


@dataclass(frozen=True)
class Detections:
    """The ``K`` faces found in one picture, largest first; ``K`` may be 0.

    Attributes:
        boxes: ``(K, 4)`` float, ``x0, y0, x1, y1`` in pixels; they may reach beyond the picture.
        scores: ``(K,)`` float in [0, 1], how sure the detector is.
        landmarks: ``(K, 5, 2)`` float, ``x, y`` in pixels: left eye, right eye, nose, left and
            right mouth corner, left and right as seen in the picture.
    """

    boxes: Tensor
    scores: Tensor
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.boxes)

    @staticmethod
    def none() -> Detections:
        """No face at all."""
        return Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, 5, 2))


def find_faces(
    image: PictureLike | Sequence[PictureLike],
    *,
    device: str | torch.device = "cpu",
    min_face: int = 20,
    batch_size: int = 32,
) -> Detections | list[Detections]:
    """Find every face in a picture, or in each of several.

    Pictures of equal size go through the detector together, about four times as fast.

    Args:
        image: a picture as :func:`~faceattr.data.convert.read_image` takes it, or a list of them;
            a batch ``(B, 3, H, W)`` counts as a list. Boxes of a path refer to the upright
            picture, which :func:`~faceattr.data.pictures.read_rgb` gives.
        device: where the detector runs.
        min_face: smaller faces, in pixels, are not searched for; pictures with a shorter side
            below it hold none.
        batch_size: pictures in one pass.

    Returns:
        One :class:`Detections`, or a list of them for a list.

    Raises:
        ImageError: a picture cannot be read; the message names the file.
        MissingDependencyError: facenet-pytorch is not installed; the message says how to.
        DataError: ``min_face`` or ``batch_size`` is out of range.
    """
    if min_face < 12:
        raise DataError(f"min_face={min_face}: the detector's smallest window is 12 pixels")
    if batch_size < 1:
        raise DataError(f"batch_size={batch_size}: must be at least 1")
    several = isinstance(image, (list, tuple)) or getattr(image, "ndim", 0) == 4
    detector = _mtcnn(str(resolve(device)), min_face)
    pictures = [np.asarray(read_image(one)) for one in (image if several else [image])]  # (H, W, 3)
    found = [Detections.none() for _ in pictures]
    by_size = defaultdict(list)
    for row, picture in enumerate(pictures):
        if min(picture.shape[:2]) >= min_face:  # the pyramid of smaller ones would be empty
            by_size[picture.shape].append(row)
    for rows in by_size.values():
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            boxes, scores, landmarks = detector.detect(
                np.stack([pictures[row] for row in part]), landmarks=True
            )
            for row, *face in zip(part, boxes, scores, landmarks, strict=True):
                if face[0] is not None:
                    found[row] = _detections(*face)
    return found if several else found[0]


def _detections(boxes, scores, landmarks) -> Detections:
    """MTCNN's arrays of objects as tensors.

    Its landmarks lie half a pixel low and right of the continuous coordinates used here: over 399
    faces and their mirror images, ``x + x'`` is the width plus one.
    """
    boxes, scores, landmarks = (
        torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in (boxes, scores, landmarks)
    )
    return Detections(boxes, scores, landmarks - 0.5)


@functools.lru_cache(maxsize=4)
def _mtcnn(device: str, min_face: int):
    """The detector, loaded once for a device; its weights come in the package."""
    try:
        from facenet_pytorch import MTCNN
    except ImportError as error:
        missing = getattr(error, "name", None) or "facenet_pytorch"
        if not missing.startswith("facenet_pytorch"):  # what --no-deps has left out
            raise MissingDependencyError(
                f"facenet-pytorch needs {missing}, which is not installed: pip install {missing}"
            ) from error
        raise MissingDependencyError(
            "finding faces needs facenet-pytorch, which is not installed: "
            "pip install --no-deps facenet-pytorch==2.6.0 (with --no-deps, because it asks for "
            "releases of torch, numpy and Pillow that are years old, although it runs with today's)"
        ) from error
    return MTCNN(keep_all=True, min_face_size=min_face, device=torch.device(device)).eval()


def choose_face(
    detections: Detections, truth: Tensor | Sequence[float] | None = None
) -> int | None:
    """Which of the found faces is the one that the labels speak of.

    With a truth box, the face that overlaps it most (intersection over union), as in PaW; a face
    that does not touch it at all is somebody else. Without one, or with one of no area, the
    largest. Equal ones: the larger, then the surer, then the first.

    Returns:
        Its row, or None where no face was found, or none that touches the truth.
    """
    if len(detections) == 0:
        return None
    boxes = detections.boxes
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).tolist()
    overlap = [1.0] * len(boxes)
    if truth is not None:
        truth = torch.as_tensor(truth, dtype=boxes.dtype)
        if bool((truth[2:] > truth[:2]).all()):
            overlap = box_iou(truth[None], boxes)[0].tolist()  # (K,)
    rank = list(zip(overlap, areas, detections.scores.tolist(), strict=True))
    best = max(range(len(rank)), key=rank.__getitem__)  # max keeps the first of equals
    return best if overlap[best] > 0 else None


def landmarks_box(landmarks: Tensor, factor: float = 2.0) -> Tensor:
    """PaW's box where no face is found: the least box round the landmarks, its sides doubled.

    Args:
        landmarks: ``(..., K, 2)`` in pixels.
        factor: of width and height, about the centre; 2 covers "the neck and hair region".

    Returns:
        ``(..., 4)`` xyxy, which may reach beyond the picture.
    """
    landmarks = torch.as_tensor(landmarks)
    low, high = landmarks.amin(-2), landmarks.amax(-2)  # (..., 2)
    centre, half = (low + high) / 2, (high - low) * factor / 2
    return torch.cat([centre - half, centre + half], -1)
