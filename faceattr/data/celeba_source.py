"""One CelebA on disk, whatever its layout: its labels, and where the picture of each row is."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faceattr.data.cache import file_key
from faceattr.data.celeba_layouts import Labels, find_file, find_pictures, read_labels, scan
from faceattr.data.celeba_shards import Shards, find_shards, missing_shards
from faceattr.data.pictures import read_rgb
from faceattr.errors import DataError


@dataclass(frozen=True)
class Source:
    """Labels and pictures that belong together.

    Attributes:
        labels: every row of the label files.
        folder: where the pictures are.
        files: label row -> picture file, for the rows that have one; None for shards.
        shards: the tables that hold the pictures, or None for files.
        rows: ``(P,)`` label rows with a picture, in the order of the label files.
        missing: label rows without a picture.
        extra: names of pictures without a label row.
    """

    labels: Labels
    folder: Path
    files: dict[int, str] | None
    shards: Shards | None
    rows: np.ndarray
    missing: int
    extra: list[str]

    def picture(self, row: int) -> Image.Image:
        """The upright RGB picture of a label row.

        Raises:
            UnreadableImageError: the file is torn; the message names it.
        """
        if self.shards is not None:
            return read_rgb(self.shards.picture(row), self.name(row))
        return read_rgb(self.files[row])

    def name(self, row: int) -> str:
        """What to call a picture in a message: its path, or its place in a shard."""
        if self.shards is not None:
            return str(self.folder / str(self.labels.files[row]))
        return self.files[row]

    def key(self, rows: Iterable[int], *settings: object) -> str:
        """A cache's name: these pictures as they are now, and these settings."""
        if self.shards is not None:
            return file_key(self.shards.paths, [int(row) for row in rows], *settings)
        return file_key((self.files[row] for row in rows), *settings)


def open_source(root: Path, view: str, images: str | Path | None = None) -> Source:
    """Find CelebA in a folder; warn of rows without picture and pictures without row.

    Raises:
        DataError: it is not there, or a label file is cut.
        MissingDependencyError: it lies in Parquet shards and pyarrow is not installed.
    """
    tree = scan(root)
    shards = find_shards(tree)
    if shards and find_file(tree, "list_attr_celeba") is None:
        return _from_shards(root, shards, view)
    labels = read_labels(root, tree)
    folder = find_pictures(root, tree, labels.files, view, images)
    stems = [name.rsplit(".", 1)[0] for name in labels.files.tolist()]
    files = {
        row: f"{folder.path}/{folder.names[stem]}"
        for row, stem in enumerate(stems)
        if stem in folder.names
    }
    extra = sorted(folder.names[stem] for stem in folder.names.keys() - set(stems))
    source = Source(
        labels,
        folder.path,
        files,
        None,
        np.fromiter(files, dtype=np.int64),
        len(stems) - len(files),
        extra,
    )
    _warn(source)
    return source


def _from_shards(root: Path, paths: list[Path], view: str) -> Source:
    if view != "aligned":
        raise DataError(
            f"{root} holds flwrlabs/celeba, whose pictures are all aligned: choose view='aligned', "
            "or get img_celeba from the official site"
        )
    shards = Shards(paths)
    labels = shards.labels()
    if absent := missing_shards(paths):
        warnings.warn(
            f"{len(absent)} shards of CelebA are not under {root}: {', '.join(absent[:3])}"
            f"{' ...' if len(absent) > 3 else ''}; download them to use their faces",
            stacklevel=4,
        )
    rows = np.arange(len(labels.files))
    return Source(labels, paths[0].parent, None, shards, rows, 0, [])


def _warn(source: Source) -> None:
    parts = []
    if source.missing:
        absent = np.setdiff1d(np.arange(len(source.labels.files)), source.rows)[:3]
        parts.append(
            f"{source.missing:,} of {len(source.labels.files):,} rows have no picture "
            f"({', '.join(source.labels.files[absent])}{' ...' if source.missing > 3 else ''})"
        )
    if source.extra:
        parts.append(
            f"{len(source.extra):,} pictures have no row ({', '.join(source.extra[:3])}"
            f"{' ...' if len(source.extra) > 3 else ''})"
        )
    if parts:
        warnings.warn(
            f"{source.folder}: {' and '.join(parts)}; the other {len(source.rows):,} are used. "
            "If you expected all of them, unpack the pictures again",
            stacklevel=4,
        )
