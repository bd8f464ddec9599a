"""A small CelebA of photographs to take along: ``mcfa.py run celeba`` reads it elsewhere.

Shrunken JPEGs, the rows of the label files that belong to them, and the faces that MTCNN found in
them, in the layout of the official release; the folder lies under ``runs/``, which is not
published, and is never committed.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from tqdm.auto import tqdm

from faceattr.data.celeba_source import open_source
from faceattr.data.photographs import FACES, every_face
from faceattr.data.pictures import read_rgb
from faceattr.errors import DataError


def pack(
    root: str, out: Path, *, side: int = 240, quality: int = 76, limit: int | None = None,
    megabytes: float = 45,
) -> Path:  # fmt: skip
    """Write the folder; what is there is not written again.

    Args:
        root: CelebA's folder with photographs in the wild.
        out: the new folder.
        side: longest side of a photograph in pixels. quality: of the JPEGs.
        limit: take the first so many photographs.
        megabytes: what the folder may take at most.

    Raises:
        DataError: it takes more; the message says how much.
    """
    source = open_source(Path(root), "wild")
    rows = source.rows[:limit]
    pictures = out / f"img_celeba_{side}"
    pictures.mkdir(parents=True, exist_ok=True)
    for row in tqdm(rows.tolist(), "shrinking", disable=None):
        path = pictures / str(source.labels.files[row])
        if not path.is_file():
            picture = read_rgb(source.files[row])
            scale = min(1.0, side / max(picture.size))
            size = tuple(max(1, round(length * scale)) for length in picture.size)
            memory = io.BytesIO()
            picture.resize(size, Image.Resampling.BICUBIC).save(memory, "JPEG", quality=quality)
            path.write_bytes(memory.getvalue())
    labels, files = source.labels, [str(source.labels.files[row]) for row in rows]
    signs = [
        [1 if value > 0 else -1 for value in line] for line in labels.attributes[rows].tolist()
    ]
    attributes = [
        " ".join([file, *map(str, line)]) for file, line in zip(files, signs, strict=True)
    ]
    people = zip(files, labels.identity[rows].tolist(), strict=True)
    parts = zip(files, labels.partition[rows].tolist(), strict=True)
    head = [str(len(rows)), " ".join(labels.names)]
    for name, lines in (
        ("list_attr_celeba.txt", head + attributes),
        ("identity_CelebA.txt", [f"{file} {person}" for file, person in people]),
        ("list_eval_partition.txt", [f"{file} {part}" for file, part in parts]),
    ):
        (out / name).write_text("\n".join(lines) + "\n")
    every_face([str(pictures / file) for file in files], out / FACES)
    taken = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    if taken > megabytes:
        raise DataError(
            f"{out} takes {taken:.1f} MB of {megabytes:g} allowed: delete it and choose a smaller "
            "side, a lower quality or a limit"
        )
    return out
