"""Finding CelebA in a folder: which label files, which pictures, in which of its releases.

Read are the official release (flat, or in its folders ``Anno``, ``Eval`` and ``Img``; also below
``celeba/``, where torchvision puts it), Kaggle's ``jessicali9530/celeba-dataset`` (CSV files) and,
through :mod:`~faceattr.data.celeba_shards`, Hugging Face's ``flwrlabs/celeba``. Pictures may lie
in any folder, one level deeper than expected too, as unpacking tools make it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faceattr.attributes import ATTRIBUTES
from faceattr.data.celeba_tables import Table, read_table
from faceattr.errors import DataError

WHERE_TO_GET_IT = (
    "Get CelebA from http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (for research only), or a "
    "mirror: Kaggle jessicali9530/celeba-dataset or Hugging Face flwrlabs/celeba; all their "
    "layouts load. (torchvision's own download from Google Drive fails for most people.)"
)
ALIGNED_SIZE = (218, 178)  # height and width of the official aligned pictures
_PICTURES = (".jpg", ".jpeg", ".png")
_DEPTH = 3


@dataclass(frozen=True)
class Labels:
    """What the label files say. ``N`` rows in the order of the attribute list.

    Attributes:
        layout: ``official``, ``kaggle`` or ``huggingface``.
        names: the attributes, in CelebA's order.
        files: ``(N,)`` picture names.
        attributes: ``(N, M)`` float32 in {0, 1}.
        identity: ``(N,)`` int64, or None.
        partition: ``(N,)`` int8 (0 train, 1 valid, 2 test), or None.
        box: ``(N, 4)`` x0, y0, x1, y1 in pixels of the full-size picture in the wild, or None.
        landmarks: view -> ``(N, 5, 2)`` in pixels of that view's full-size pictures.
    """

    layout: str
    names: tuple[str, ...]
    files: np.ndarray
    attributes: np.ndarray
    identity: np.ndarray | None
    partition: np.ndarray | None
    box: np.ndarray | None
    landmarks: dict[str, np.ndarray]


@dataclass(frozen=True)
class PictureFolder:
    """A folder of pictures: ``names`` maps a name without ending to the file's name."""

    path: Path
    names: dict[str, str]


def scan(root: Path) -> dict[Path, list[str]]:
    """All folders under ``root``, three levels deep, with the names of their files.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root}: give CelebA's folder. {WHERE_TO_GET_IT}")
    found: dict[Path, list[str]] = {}
    level = [root]
    for _ in range(_DEPTH + 1):
        deeper = []
        for folder in level:
            with os.scandir(folder) as entries:
                rows = [(entry.name, entry.is_dir()) for entry in entries]
            found[folder] = sorted(name for name, is_dir in rows if not is_dir)
            deeper += sorted(folder / name for name, is_dir in rows if is_dir and name[0] != ".")
        level = deeper
    return found


def find_file(tree: dict[Path, list[str]], stem: str) -> Path | None:
    """A label file by its name without ending: text before CSV, the shallowest first."""
    for ending in (".txt", ".csv"):
        for folder, files in tree.items():
            if stem + ending in files:
                return folder / (stem + ending)
    return None


def read_labels(root: Path, tree: dict[Path, list[str]]) -> Labels:
    """Read every label file that is there, and put their rows in one order.

    Raises:
        DataError: no attribute list, or a file that is cut or damaged.
    """
    path = find_file(tree, "list_attr_celeba")
    if path is None:
        raise DataError(f"{root} is not CelebA: {_nothing(root)}. {WHERE_TO_GET_IT}")
    table = read_table(path, head=True, allowed=(-1, 1))
    names, columns = attribute_columns(table.names, path)

    def other(stem: str, head: bool, columns: int, allowed=None) -> np.ndarray | None:
        found = find_file(tree, stem)
        if found is None:
            return None
        rows: Table = read_table(found, head=head, columns=columns, allowed=allowed)
        return rows.rows_of(table.files, path, whole=not table.counted)

    identity = other("identity_CelebA", False, 1)
    partition = other("list_eval_partition", False, 1, (0, 1, 2))
    box = other("list_bbox_celeba", True, 4)
    points = {
        "aligned": other("list_landmarks_align_celeba", True, 10),
        "wild": other("list_landmarks_celeba", True, 10),
    }
    return Labels(
        layout="kaggle" if path.suffix == ".csv" else "official",
        names=names,
        files=table.files.to_numpy(dtype=str),
        attributes=(table.values[:, columns] > 0).astype(np.float32),
        identity=None if identity is None else identity[:, 0].astype(np.int64),
        partition=None if partition is None else partition[:, 0].astype(np.int8),
        box=None if box is None else np.c_[box[:, :2], box[:, :2] + box[:, 2:]],
        landmarks={view: p.reshape(-1, 5, 2) for view, p in points.items() if p is not None},
    )


def _nothing(root: Path) -> str:
    sought = "neither list_attr_celeba.txt nor .csv nor Parquet shards are in it or below"
    if any((root.parent / f"list_attr_celeba{ending}").exists() for ending in (".txt", ".csv")):
        return f"{sought}, but the attribute list is in {root.parent}: give that folder"
    return sought


def attribute_columns(names: tuple[str, ...], path: Path) -> tuple[tuple[str, ...], list[int]]:
    """CelebA's attributes among a table's columns, in CelebA's order, and where each stands.

    Raises:
        DataError: a column is no attribute of CelebA.
    """
    strange = [name for name in names if name not in ATTRIBUTES]
    if strange or not names:
        raise DataError(
            f"{path}: the column names are not CelebA's attributes ({strange[:3]} ...): "
            "the file's head is damaged, copy it again from the original"
        )
    ordered = tuple(name for name in ATTRIBUTES if name in names)
    return ordered, [names.index(name) for name in ordered]


def find_pictures(
    root: Path,
    tree: dict[Path, list[str]],
    files: np.ndarray,
    view: str,
    images: str | Path | None = None,
) -> PictureFolder:
    """The folder of pictures of a view: of several, the one with most of the labelled files.

    A folder is aligned if its name or a parent's says ``align``, in the wild if it starts with
    ``img_celeba``; otherwise its pictures are looked at: aligned ones all have one size.

    Raises:
        DataError: there is none, or none whose file names are in the label files.
    """
    if images is not None:
        folder = Path(images) if Path(images).is_absolute() else root / images
        if not folder.is_dir():
            raise DataError(f"there is no picture folder {folder}: check images=")
        tree = {**scan(folder), **({folder: tree[folder]} if folder in tree else {})}
    stems = {name.rsplit(".", 1)[0] for name in files.tolist()}
    candidates = []
    for folder, names in tree.items():
        pictures = {n.rsplit(".", 1)[0]: n for n in names if n.lower().endswith(_PICTURES)}
        if pictures:
            candidates.append((len(stems & pictures.keys()), PictureFolder(folder, pictures)))
    fitting = [c for c in candidates if c[0]]
    if not fitting:
        seen = ", ".join(str(c[1].path) for c in candidates[:3]) or "no folder with pictures"
        raise DataError(
            f"no picture under {root} is named in the label files (found: {seen}); expected files "
            f"such as {files[0]} in img_align_celeba (aligned) or img_celeba (in the wild). "
            f"Name the folder with images=. {WHERE_TO_GET_IT}"
        )
    if images is None:
        kinds = [(c, _view_of(c[1], root)) for c in fitting]
        fitting = [c for c, kind in kinds if kind == view]
        if not fitting:
            has = ", ".join(f"{c[1].path.name} ({kind})" for c, kind in kinds)
            raise DataError(
                f"{root} has no pictures for view={view!r}, only {has}: "
                f"choose view={kinds[0][1]!r}, or name the folder with images="
            )
    return max(fitting, key=lambda c: c[0])[1]


def _view_of(folder: PictureFolder, root: Path) -> str:
    inside = folder.path.relative_to(root).parts or (root.name,)
    if any("align" in part.lower() for part in inside):
        return "aligned"
    if any(part.lower().startswith("img_celeba") for part in inside):
        return "wild"
    sizes = set()
    for name in list(folder.names.values())[:12]:
        try:
            with Image.open(folder.path / name) as picture:
                sizes.add(picture.size)
        except OSError:
            continue  # the reader of the whole folder will report it
    return "wild" if len(sizes) > 1 else "aligned"
