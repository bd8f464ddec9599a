"""CelebA in the wild: which face of each picture, and do the annotations fit the pictures."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faceattr.data.boxes import POINTS, face_boxes
from faceattr.data.pictures import UnreadableImageError, read_rgb
from faceattr.errors import DataError

_LOOKED_AT = 64  # pictures whose size is compared with their annotations
_OUTSIDE = 0.1  # share of them whose annotation may lie outside before the folder counts as scaled


@dataclass(frozen=True)
class WildFaces:
    """One face a picture; all in pixels of the picture.

    Attributes:
        crop: ``(N, 4)`` the box to cut around (PaW's rule); NaN where no face was found.
        box: ``(N, 4)`` CelebA's own box where there is one for these pictures, else ``crop``.
        landmarks: ``(N, 5, 2)`` CelebA's own, else the detector's, else NaN.
        annotated: are box and landmarks CelebA's own?
        file: the CSV file that keeps what the detector found.
    """

    crop: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray
    annotated: tuple[bool, bool]
    file: Path


def annotations_fit(paths: list[str], points: np.ndarray) -> bool:
    """Do points ``(N, K, 2)`` lie inside their pictures, as they do in full-size ones?

    CelebA's annotations are in pixels of the original pictures; in copies that were scaled down
    many lie outside. Looks at 64 pictures spread over the folder.
    """
    rows = np.unique(np.linspace(0, len(paths) - 1, _LOOKED_AT).astype(int))
    outside = 0
    for row in rows:
        try:
            with Image.open(paths[row]) as picture:
                outside += bool((points[row].max(0) > np.array(picture.size) * 1.05).any())
        except OSError:
            continue  # the reader of the whole folder reports it
    return outside <= _OUTSIDE * len(rows)


def wild_faces(
    paths: list[str],
    box: np.ndarray | None,
    landmarks: np.ndarray | None,
    file: Path,
    detector: str,
) -> WildFaces:
    """Find every picture's face with MTCNN, or look it up in ``file``.

    Args:
        paths: the pictures.
        box: ``(N, 4)`` CelebA's own boxes in pixels of these pictures, or None.
        landmarks: ``(N, 5, 2)`` likewise.
        file: CSV file of found boxes, made or added to.
        detector: the device MTCNN runs on; ``none`` uses CelebA's own boxes.

    Raises:
        DataError: ``detector="none"`` and the pictures have no boxes of their own.
        MissingDependencyError: MTCNN is needed and facenet-pytorch is not installed.
    """
    if detector == "none":
        if box is None:
            raise DataError(
                'detector="none" needs list_bbox_celeba.txt and full-size pictures, and this '
                "folder has not both: let the detector find the faces"
            )
        crop, points = np.where((box[:, 2:] > box[:, :2]).all(1)[:, None], box, np.nan), None
    else:
        with warnings.catch_warnings():  # decoding names the unreadable ones
            warnings.filterwarnings("ignore", ".*cannot be read and have no box")
            found = face_boxes(
                paths, file, truth_boxes=box, truth_landmarks=landmarks, device=detector
            )
        crop = found[["x0", "y0", "x1", "y1"]].to_numpy(dtype=np.float64)
        points = found[POINTS].to_numpy(dtype=np.float64).reshape(-1, 5, 2)
    own = box is not None, landmarks is not None
    if landmarks is None:
        landmarks = points if points is not None else np.full((len(paths), 5, 2), np.nan)
    return WildFaces(crop, box if own[0] else crop, landmarks, own, file)


def split_faceless(paths: list[str], crop: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Part the pictures without a face from the rest.

    Unreadable ones, which have no box either, stay with the rest: decoding reports them.

    Returns:
        The rows to go on with, and the files in which there is no face.
    """
    faceless = []
    for row in np.flatnonzero(~np.isfinite(crop).all(1)):
        try:
            read_rgb(paths[row])
        except UnreadableImageError:
            continue
        faceless.append(int(row))
    return np.setdiff1d(np.arange(len(paths)), faceless), [paths[row] for row in faceless]


def default_file(cache: Path, folder: Path) -> Path:
    """Where the boxes found in a picture folder are kept unless the user names a file."""
    mark = hashlib.blake2b(str(folder).encode(), digest_size=4).hexdigest()
    return cache / "boxes" / f"{folder.name}-{mark}.csv"
