"""Tiny CelebAs for tests: drawn pictures in every layout that the real one is handed round in.

A picture's red is its x and its green its y (in pixels of the official size), its blue its row
number, so that a test can read from any crop which picture it came from and from where in it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from faceattr.attributes import ATTRIBUTES

ALIGNED = (178, 218)  # width and height
POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
POINT_NAMES = [f"{point}_{axis}" for point in POINTS for axis in "xy"]


@dataclass
class FakeLabels:
    """What the label files of a fake CelebA say; ``files`` are ``000001.jpg`` and so on."""

    count: int = 24
    people: int = 6
    seed: int = 0
    files: list[str] = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        self.files = [f"{row + 1:06d}.jpg" for row in range(self.count)]
        self.attributes = rng.integers(0, 2, (self.count, len(ATTRIBUTES)))
        self.identity = rng.permutation(np.arange(self.count) % self.people) + 100
        third = [2 * self.count // 3, 5 * self.count // 6]
        self.partition = np.searchsorted(third, np.arange(self.count), side="right")
        self.aligned = np.array([70, 111, 108, 111, 88, 136, 72, 153, 106, 153]) + rng.integers(
            -4, 5, (self.count, 10)
        )
        self.corner = rng.integers(20, 60, (self.count, 2))  # of the box in the wild
        self.span = rng.integers(60, 90, (self.count, 2))
        inside = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        self.wild = (self.corner[:, None] + inside * self.span[:, None]).astype(int)


def gradient(row: int, size: tuple[int, int] = ALIGNED, official: tuple[int, int] = ALIGNED):
    """The picture of one row as RGB of ``size`` (width, height)."""
    wide, high = size
    x = (np.arange(wide) + 0.5) * official[0] / wide
    y = (np.arange(high) + 0.5) * official[1] / high
    pixels = np.zeros((high, wide, 3))
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = x, y[:, None], row * 8 % 256
    return Image.fromarray(np.clip(pixels.round(), 0, 255).astype(np.uint8))


def write_pictures(
    folder: Path, labels: FakeLabels, size: tuple[int, int] = ALIGNED, rows=None
) -> None:
    """Draw the pictures of ``rows`` (all by default). They are lossless: PNG named ``.jpg``."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(labels.count) if rows is None else rows:
        gradient(row, size).save(folder / labels.files[row], format="PNG")


def write_labels(
    root: Path, labels: FakeLabels, *, csv: bool = False, folders: bool = False, every=True
) -> None:
    """Write the label files: text as in the official release, or CSV as on Kaggle.

    Args:
        folders: in ``Anno`` and ``Eval`` instead of ``root`` itself.
        every: also identities (text only), boxes and landmarks, not only attributes and partition.
    """
    anno, evaluation = (root / "Anno", root / "Eval") if folders else (root, root)
    for folder in (anno, evaluation):
        folder.mkdir(parents=True, exist_ok=True)
    ending = "csv" if csv else "txt"

    def write(folder: Path, stem: str, names: list[str], values, head: bool) -> None:
        comma = "," if csv else " "
        lines = [
            comma.join([file, *map(str, row)])
            for file, row in zip(labels.files, values, strict=True)
        ]
        if csv:
            lines.insert(0, comma.join(["image_id", *names]))
        elif head:  # as the original, the text files of boxes alone name the first column
            first = ["image_id"] if stem == "list_bbox_celeba" else []
            lines[:0] = [str(labels.count), " ".join(first + names) + " "]
        (folder / f"{stem}.{ending}").write_bytes("\r\n".join([*lines, ""]).encode())

    write(anno, "list_attr_celeba", list(ATTRIBUTES), 2 * labels.attributes - 1, True)
    write(evaluation, "list_eval_partition", ["partition"], labels.partition[:, None], False)
    if not every:
        return
    if not csv:
        write(anno, "identity_CelebA", [], labels.identity[:, None], False)
        write(anno, "list_landmarks_celeba", POINT_NAMES, labels.wild.reshape(-1, 10), True)
    boxes = np.c_[labels.corner, labels.span]
    write(anno, "list_bbox_celeba", ["x_1", "y_1", "width", "height"], boxes, True)
    write(anno, "list_landmarks_align_celeba", POINT_NAMES, labels.aligned, True)


def write_shards(root: Path, labels: FakeLabels, *, arrow: bool = False) -> list[Path]:
    """Write ``flwrlabs/celeba``: two train shards, one each of valid and test."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def table(rows):
        images = []
        for row in rows:
            memory = io.BytesIO()
            gradient(row).save(memory, format="PNG")
            images.append({"bytes": memory.getvalue(), "path": labels.files[row]})
        columns = {"image": images, "celeb_id": labels.identity[rows]}
        for column, name in enumerate(ATTRIBUTES):
            columns[name] = labels.attributes[rows, column].astype(bool)
        return pa.table(columns)

    train = np.flatnonzero(labels.partition == 0)
    parts = {
        "train-00000-of-00002": train[: len(train) // 2],
        "train-00001-of-00002": train[len(train) // 2 :],
        "valid-00000-of-00001": np.flatnonzero(labels.partition == 1),
        "test-00000-of-00001": np.flatnonzero(labels.partition == 2),
    }
    written = []
    for name, rows in parts.items():
        if arrow:  # as Dataset.save_to_disk: a folder a split, numbered data files
            split, numbers = name.split("-", 1)
            path = root / split / f"data-{numbers}.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            content = table(rows)
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, content.schema) as to:
                to.write_table(content)
        else:
            path = root / "img_align+identity+attr" / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table(rows), path, row_group_size=3)
        written.append(path)
    return written
