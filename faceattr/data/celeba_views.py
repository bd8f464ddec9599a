"""Cutting CelebA's pictures into the faces of one view, and annotations along with them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from faceattr.data.align import WILD_MARGIN, crop_box, transform_boxes, transform_points
from faceattr.data.cache import Decoded, decode
from faceattr.data.celeba_layouts import ALIGNED_SIZE
from faceattr.data.celeba_source import Source
from faceattr.data.celeba_wild import annotations_fit, split_faceless, wild_faces
from faceattr.data.pictures import GEOMETRY, centre_window
from faceattr.errors import DataError


@dataclass(frozen=True)
class Cut:
    """Faces cut and cached.

    Attributes:
        rows: ``(N,)`` the label row of each.
        images: ``(N, 3, H, W)`` uint8, memory-mapped.
        box: ``(N, 4)`` in pixels of the crop, or None.
        landmarks: ``(N, 5, 2)`` likewise, or None.
        faceless: files left out because they show no face.
        unreadable: a message each for those left out because they cannot be read.
        folder: the cache.
    """

    rows: np.ndarray
    images: Tensor
    box: Tensor | None
    landmarks: Tensor | None
    faceless: list[str]
    unreadable: list[str]
    folder: Path

    @staticmethod
    def of(rows, decoded: Decoded, box, landmarks, faceless=()) -> Cut:
        """Put together what decoding the pictures of ``rows`` gave."""
        box, landmarks = (
            None if v is None else torch.from_numpy(v).float() for v in (box, landmarks)
        )
        unreadable = [decoded.bad[item] for item in sorted(decoded.bad)]
        return Cut(
            rows[decoded.rows],
            decoded.images,
            box,
            landmarks,
            list(faceless),
            unreadable,
            decoded.folder,
        )


def cut_aligned(
    source: Source,
    rows: np.ndarray,
    size: tuple[int, int],
    cache: Path,
    *,
    strict: bool = False,
    workers: int | None = None,
) -> Cut:
    """The central field of aligned pictures: :func:`~faceattr.data.pictures.centre_window`.

    Raises:
        ImageError: a picture is smaller than ``size``, or under ``strict`` cannot be read.
        DataError: the cache cannot be written.
    """

    def load(row: int):
        picture = source.picture(row)
        return centre_window(*picture.size, size, source.name(row)).cut(picture), picture.size

    decoded = decode(
        rows.tolist(),
        load,
        size,
        cache / "celeba",
        key=source.key(rows.tolist(), "aligned", size, GEOMETRY),
        facts=2,  # the picture's width and height
        strict=strict,
        workers=workers,
        what="aligned faces",
    )
    points = source.labels.landmarks.get("aligned")
    if points is not None:
        points = points[rows[decoded.rows]]  # (N, 5, 2) in pixels of the official pictures
        for shape in np.unique(decoded.facts, axis=0):
            same = (decoded.facts == shape).all(1)
            scale = shape / (ALIGNED_SIZE[1], ALIGNED_SIZE[0])
            window = centre_window(int(shape[0]), int(shape[1]), size)
            points[same] = window.move(points[same] * scale)
    return Cut.of(rows, decoded, None, points)


def cut_wild(
    source: Source,
    rows: np.ndarray,
    size: tuple[int, int],
    cache: Path,
    boxes: Path,
    detector: str,
    *,
    strict: bool = False,
    workers: int | None = None,
) -> Cut:
    """A rectangle around the face of each picture in the wild.

    Args:
        boxes: CSV file that keeps what the detector finds.
        detector: the device it runs on, or ``none``.

    Raises:
        ImageError: under ``strict``, a picture cannot be read.
        DataError: no picture has a face, or the cache cannot be written.
        MissingDependencyError: facenet-pytorch is not installed.
    """
    paths = [source.name(row) for row in rows.tolist()]
    found = wild_faces(paths, *_annotations(source, rows, paths), boxes, detector)
    kept, faceless = split_faceless(paths, found.crop)
    if not len(kept):
        raise DataError(
            f"no face found in any of {len(paths):,} pictures of {source.folder}: "
            "are they pictures of faces, of at least 20 pixels?"
        )
    rows, crops = rows[kept], found.crop[kept]
    box_of = dict(zip(rows.tolist(), crops, strict=True))

    def load(row: int):
        crop, affine = crop_box(source.picture(row), box_of[row], size, WILD_MARGIN)
        return np.asarray(crop).transpose(2, 0, 1), affine.ravel()  # (3, H, W)

    settings = "wild", size, GEOMETRY, WILD_MARGIN, crops.round(2).tobytes()
    decoded = decode(
        rows.tolist(),
        load,
        size,
        cache / "celeba",
        key=source.key(rows.tolist(), *settings),
        facts=6,  # the affine from picture to crop
        strict=strict,
        workers=workers,
        what="faces in the wild",
    )
    affines = decoded.facts.reshape(-1, 2, 3)
    box, points = found.box[kept][decoded.rows], found.landmarks[kept][decoded.rows]
    box = np.stack([transform_boxes(a, b) for a, b in zip(affines, box, strict=True)])
    points = np.stack([transform_points(a, p) for a, p in zip(affines, points, strict=True)])
    return Cut.of(rows, decoded, box, points if np.isfinite(points).all() else None, faceless)


def _annotations(source: Source, rows: np.ndarray, paths: list[str]) -> list[np.ndarray | None]:
    """CelebA's own boxes and landmarks of these pictures, None where they are absent or unfit."""
    labels = source.labels
    own = [labels.box, labels.landmarks.get("wild")]
    own = [None if values is None else values[rows] for values in own]
    points = own[1] if own[0] is None else own[0].reshape(-1, 2, 2)
    if points is None or annotations_fit(paths, points):
        return own
    warnings.warn(
        f"{source.folder}: the boxes and landmarks of the label files lie outside these pictures, "
        "which seem to be scaled-down copies, and are not used: take the full-size pictures to "
        "have them",
        stacklevel=4,
    )
    return [None, None]
