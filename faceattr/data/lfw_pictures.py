"""Pictures of Labeled Faces in the Wild: where they lie, and how they are framed.

LFW (Huang, Ramesh, Berg and Learned-Miller, 2007) holds 13,233 pictures of 5,749 people, 250 x 250
pixels, ``NAME/NAME_0001.jpg``, each with its face in the middle. They show real people.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from faceattr.data.align import (
    WILD_MARGIN,
    align,
    canonical_landmarks,
    crop_box,
    similarity,
    transform_boxes,
    transform_points,
)
from faceattr.data.boxes import POINTS, face_boxes
from faceattr.data.cache import cache_root, decode, file_key
from faceattr.data.pictures import GEOMETRY, read_rgb
from faceattr.errors import DataError, ImageError, UnknownNameError

VIEWS = ("centre", "aligned", "wild")

#: Height and width of LFW's pictures in pixels.
LFW_SIZE = 250

#: Where the five landmarks lie on average: means of what MTCNN found in 382 deep-funneled
#: pictures, every tenth of 3,811. Standard deviations: eyes 4, mouth corners 5, nose 6 pixels.
LFW_LANDMARKS = np.array(
    [[104.5, 112.9], [146.7, 111.8], [126.0, 137.0], [107.9, 158.8], [145.1, 157.9]]
)

_DEPTH = 3  # folders nested deeper than this are not searched


@dataclass(frozen=True)
class Framed:
    """Faces cut from pictures.

    Attributes:
        images: ``(K, 3, H, W)`` uint8.
        rows: ``(K,)`` which of the paths each came from.
        box: ``(K, 4)`` the face in pixels of the crop; None in the ``centre`` view.
        landmarks: ``(K, 5, 2)`` likewise.
    """

    images: Tensor
    rows: np.ndarray
    box: Tensor | None
    landmarks: Tensor | None


def picture_name(person: str, number: int) -> str:
    """Return where a person's picture lies: ``NAME/NAME_0001.jpg``."""
    return f"{person}/{person}_{number:04d}.jpg"


def people_folder(root: str | Path) -> Path:
    """Find the folder that holds one folder a person: ``root`` or one nested in it.

    Archives unpack to ``lfw``, ``lfw_funneled`` or ``lfw-deepfunneled``, sometimes nested once
    more. Where several are there, the deep-funneled pictures are taken, then the funneled.

    Raises:
        DataError: there is none.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"{root} is no folder: give the one that LFW was unpacked into")
    level = [root]
    for _ in range(_DEPTH):
        below = []
        for folder in level:
            inside = sorted((e.path for e in os.scandir(folder) if e.is_dir()), key=_rank)
            for path in inside:
                if os.path.exists(folder / picture_name(os.path.basename(path), 1)):
                    return folder
            below += [Path(path) for path in inside]
        level = below
    raise DataError(
        f"{root} holds no pictures of LFW (NAME/NAME_0001.jpg): unpack lfw-deepfunneled.tgz "
        "there, from the official site or from Kaggle's jessicali9530/lfw-dataset"
    )


def _rank(path: str) -> tuple:
    name = os.path.basename(path)
    return "deep" not in name, "funneled" not in name, name


def frame_faces(
    paths: Sequence[Path],
    view: str,
    size: tuple[int, int],
    *,
    cache: str | Path | None,
    boxes: str | Path | None,
    detector: str,
    workers: int | None,
) -> Framed:
    """Cut the face from each picture, once; the result lies in a cache.

    ``centre`` brings :data:`LFW_LANDMARKS`, the same for all, to where CelebA's aligned view has
    them, and needs no detector. ``aligned`` does so with each picture's own landmarks as MTCNN
    finds them, of several faces those of the middle one; where it finds none, as ``centre``.
    ``wild`` cuts round the found box. Unreadable pictures are left out with a warning.

    Raises:
        UnknownNameError: another view.
        ImageError: a picture is not square, so that its face is not where LFW has it.
        MissingDependencyError: the view needs MTCNN and it is not installed.
    """
    if view not in VIEWS:
        raise UnknownNameError(f"unknown view {view!r} of LFW: choose one of {', '.join(VIEWS)}")
    size, folder = (int(size[0]), int(size[1])), cache_root(cache)
    middle = np.broadcast_to(LFW_LANDMARKS, (len(paths), 5, 2))
    if view == "centre":
        points, crops = middle, np.full((len(paths), 4), np.nan)
    else:
        boxes = Path(boxes) if boxes else folder / "boxes" / f"lfw-{file_key(paths)}.csv"
        found = face_boxes(paths, boxes, truth_landmarks=middle, device=detector)
        points = found[POINTS].to_numpy(dtype=np.float64).reshape(-1, 5, 2)
        crops = found[["x0", "y0", "x1", "y1"]].to_numpy(dtype=np.float64)
        points = np.where(np.isfinite(points), points, middle)  # unreadable ones: decode says so

    def load(row: int):
        picture = read_rgb(paths[row])
        if picture.width != picture.height:
            raise ImageError(
                f"{paths[row]} is {picture.width} x {picture.height} pixels; LFW's pictures are "
                "square, 250 x 250: use the official ones"
            )
        if view == "wild":
            crop, affine = crop_box(picture, crops[row], size, WILD_MARGIN)
        else:
            grown = picture.width / LFW_SIZE if view == "centre" else 1.0
            affine = similarity(points[row] * grown, canonical_landmarks(size))
            crop = align(picture, points[row] * grown, size)
        return np.asarray(crop).transpose(2, 0, 1), affine.ravel()  # (3, H, W)

    settings = (view, size, GEOMETRY, WILD_MARGIN, points.tobytes(), crops.tobytes())
    decoded = decode(
        range(len(paths)),
        load,
        size,
        folder / "lfw",
        key=file_key(paths, *settings),
        facts=6,
        workers=workers,
        what=f"LFW {view}",
    )
    if decoded.bad:
        warnings.warn(
            f"{len(decoded.bad)} of {len(paths)} pictures cannot be read and are left out: "
            f"{next(iter(decoded.bad.values()))}",
            stacklevel=3,
        )
    if view == "centre":
        return Framed(decoded.images, decoded.rows, None, None)
    affines = decoded.facts.reshape(-1, 2, 3)
    return Framed(
        decoded.images,
        decoded.rows,
        _moved(transform_boxes, affines, crops[decoded.rows]),
        _moved(transform_points, affines, points[decoded.rows]),
    )


def _moved(transform, affines: np.ndarray, values: np.ndarray) -> Tensor:
    moved = [transform(affine, value) for affine, value in zip(affines, values, strict=True)]
    return torch.from_numpy(np.stack(moved)).float()


def numbered(people: Iterable[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Give people numbers in the order of their names: ``(N,)`` int64, and the names."""
    people = list(people)
    names = tuple(sorted(set(people)))
    place = {name: number for number, name in enumerate(names)}
    return torch.tensor([place[name] for name in people], dtype=torch.int64), names


def report_missing(missing: Sequence[str], total: int, folder: Path, what: str) -> None:
    """Warn once of pictures that are listed and not there."""
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        warnings.warn(
            f"{len(missing)} of {total} pictures are not in {folder} ({shown}): {what}",
            stacklevel=3,
        )
