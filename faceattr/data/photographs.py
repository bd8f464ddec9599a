"""CelebA's photographs as they are, whole: MCFA's scenes of real people.

:class:`~faceattr.data.celeba.CelebA` in the wild cuts a rectangle around each face. MCFA needs what
is around it as well, to learn where no face is, and to find faces again when it is tested.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from faceattr.data.cache import cache_root, decode
from faceattr.data.celeba_source import Source, open_source
from faceattr.data.celeba_wild import annotations_fit
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.mtcnn import Detections, choose_face, find_faces
from faceattr.data.partition import SPLITS, by_identity, check_split
from faceattr.data.pictures import GEOMETRY, UnreadableImageError, read_rgb
from faceattr.errors import DataError, UnknownNameError

#: Faces of one photograph that are kept, the largest first.
MOST = 8
#: Where a folder of photographs keeps the faces that were found in it, if it does.
FACES = "faces.jsonl"


class Photographs(FaceDataset):
    """CelebA's photographs, each shrunk until its longer side is ``size``, the rest black.

    Faces, boxes and landmarks are found with MTCNN, once; the one that CelebA's labels speak of is
    chosen as PaW does: the face that overlaps CelebA's own box most where the folder has boxes for
    its pictures, the largest otherwise. Photographs without a face are left out with a warning.

    Args:
        root: CelebA's folder. If it holds a file ``faces.jsonl`` beside the pictures' folder, the
            faces are read from there and no detector is needed.
        split: ``train``, ``valid``, ``test`` or ``all``.
        partition: ``official`` or ``identity``, as :class:`~faceattr.data.celeba.CelebA`.
        size: side of the scenes in pixels; a photograph is never enlarged.
        seed: of the identity partition.
        cache: folder of decoded pictures and of found faces.
        limit: take the first ``limit`` photographs of the split only.
        images: the folder of pictures, where ``root`` holds several.
        detector: device on which MTCNN runs.
        workers: threads that decode.

    Attributes:
        others: ``(N, K, 4)`` boxes of the other faces in each, NaN where there are fewer.
        extent: ``(N, 2)`` width and height of the part that is no padding.
        rows: ``(N,)`` the row of the label files that each comes from.
        view: ``wild``.

    Raises:
        DataError: there is no CelebA in the wild, the split is empty, or no face was found.
        UnknownNameError: no such split or partition.
        MissingDependencyError: faces must be found and facenet-pytorch is not installed.
    """

    framing = "wild"

    def __init__(
        self,
        root: str | Path,
        *,
        split: str = "train",
        partition: str = "official",
        size: int = 256,
        seed: int = 0,
        cache: str | Path | None = None,
        limit: int | None = None,
        images: str | Path | None = None,
        detector: str = "cpu",
        workers: int | None = None,
    ):
        check_split(split)
        if partition not in ("official", "identity"):
            raise UnknownNameError(f"unknown partition {partition!r}: choose official or identity")
        if limit is not None and limit < 1:
            raise DataError(f"limit={limit}: use at least one photograph")
        self.view, self.root = "wild", Path(root).expanduser().absolute()
        source = open_source(self.root, "wild", images)
        rows = _rows_of(source, split, partition, seed)[:limit]
        folder = cache_root(cache).absolute()
        near = self.root / FACES
        file = near if near.is_file() else folder / "boxes" / f"{source.folder.name}.{FACES}"
        found = every_face([source.name(row) for row in rows.tolist()], file, device=detector)
        boxes, points, others = _chosen(source, rows, found)
        seen = np.isfinite(boxes).all(1)
        if not seen.any():
            raise DataError(
                f"no face found in any of {len(rows):,} photographs of {source.folder}: are they "
                "photographs of faces, of at least 20 pixels?"
            )
        if not seen.all():
            warnings.warn(
                f"no face found in {int((~seen).sum()):,} of {len(rows):,} photographs, which are "
                "left out",
                stacklevel=2,
            )
        rows, boxes, points, others = rows[seen], boxes[seen], points[seen], others[seen]

        def load(row: int):
            return letterboxed(source.picture(row), size)

        decoded = decode(
            rows.tolist(), load, (size, size), folder / "celeba",
            key=source.key(rows.tolist(), "photographs", size, GEOMETRY), facts=3,
            workers=workers, what="photographs",
        )  # fmt: skip
        kept, scale = decoded.rows, decoded.facts[:, :1]  # (N, 1)
        labels, self.rows = source.labels, rows[kept]
        people = labels.identity
        identity = np.full(len(kept), -1) if people is None else people[self.rows]
        faces = Faces(
            images=decoded.images,
            attributes=torch.from_numpy(labels.attributes[self.rows]),
            identity=torch.from_numpy(identity),
            box=torch.from_numpy(boxes[kept] * scale).float(),
            landmarks=torch.from_numpy(points[kept] * scale[..., None]).float(),
            is_face=torch.ones(len(kept), dtype=torch.bool),
        )
        self.others = torch.from_numpy(others[kept] * scale[..., None]).float()
        self.extent = torch.from_numpy(decoded.facts[:, 1:]).float()
        whose = f"identity partition, seed {seed}" if partition == "identity" else "official list"
        about = f"CelebA photographs, {split} ({whose}), {len(kept):,} of {source.folder.name}"
        super().__init__(faces, names=labels.names, source=about)


def letterboxed(picture: Image.Image, size: int) -> tuple[np.ndarray, tuple[float, int, int]]:
    """A picture in the upper left corner of a black square.

    Returns:
        uint8 ``(3, size, size)``; the scale, width and height of the picture in it.
    """
    scale = min(1.0, size / max(picture.size))
    width, height = (max(1, min(size, round(side * scale))) for side in picture.size)
    if scale < 1:
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    square = np.zeros((3, size, size), np.uint8)
    square[:, :height, :width] = np.asarray(picture).transpose(2, 0, 1)
    return square, (scale, width, height)


def every_face(
    paths: Sequence[str], file: Path, *, device: str = "cpu", batch_size: int = 32
) -> list[Detections]:
    """All faces of each picture, found with MTCNN once and kept in ``file``, a line a picture.

    A picture that cannot be read has none, and is searched again next time.

    Raises:
        DataError: the file is damaged, or two pictures have one name.
        MissingDependencyError: a face must be found and facenet-pytorch is not installed.
    """
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        raise DataError("two pictures have one name: give each folder a cache of its own")
    known = _read_faces(file)
    missing = [k for k, name in enumerate(names) if name not in known]
    if missing:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            for start in tqdm(range(0, len(missing), batch_size), "faces", disable=None):
                part = {}
                for k in missing[start : start + batch_size]:
                    try:
                        part[names[k]] = read_rgb(paths[k])
                    except UnreadableImageError:
                        continue
                found = find_faces(list(part.values()), device=device)
                for name, faces in zip(part, found, strict=True):
                    out.write(json.dumps(_line(name, faces)) + "\n")
                    known[name] = faces
                out.flush()
    return [known.get(name, Detections.none()) for name in names]


def _line(name: str, faces: Detections) -> dict:
    values = {"boxes": faces.boxes, "scores": faces.scores, "landmarks": faces.landmarks}
    return {"file": name} | {
        key: value.double().round(decimals=2).tolist() for key, value in values.items()
    }


def _read_faces(file: Path) -> dict[str, Detections]:
    """What the file knows; a line cut in the middle counts for none."""
    known: dict[str, Detections] = {}
    if not file.is_file():
        return known
    text = file.read_text(encoding="utf-8")
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), 1):
        try:
            row = json.loads(line)
            count = len(row["boxes"])
            known[row["file"]] = Detections(
                torch.tensor(row["boxes"]).float().reshape(count, 4),
                torch.tensor(row["scores"]).float().reshape(count),
                torch.tensor(row["landmarks"]).float().reshape(count, 5, 2),
            )
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise DataError(
                f"{file}, line {number} is damaged ({error}): delete it, its picture is then "
                "searched again"
            ) from error
    return known


def _rows_of(source: Source, split: str, partition: str, seed: int) -> np.ndarray:
    """Label rows with a picture that belong to the split."""
    rows, labels = source.rows, source.labels
    if split == "all":
        return rows
    if partition == "identity" and labels.identity is None:
        raise DataError(
            "nothing says who is who here: add identity_CelebA.txt, or partition='official'"
        )
    if partition == "official" and labels.partition is None:
        raise DataError(
            "there is no list_eval_partition here: add it, or choose partition='identity'"
        )
    parts = by_identity(labels.identity, seed) if partition == "identity" else labels.partition
    chosen = rows[parts[rows] == SPLITS.index(split)]
    if not len(chosen):
        raise DataError(
            f"no photograph of {source.folder} is in {split} of the {partition} partition: choose "
            "the other partition (--partition identity), or add photographs"
        )
    return chosen


def _chosen(source: Source, rows: np.ndarray, found: Sequence[Detections]):
    """Box and landmarks of the labelled face, boxes of the others ``(N, K, 4)``; NaN: none."""
    truth = source.labels.box
    if truth is not None:
        truth = truth[rows]
        paths = [source.name(row) for row in rows.tolist()]
        truth = truth if annotations_fit(paths, truth.reshape(-1, 2, 2)) else None
    boxes, points = np.full((len(rows), 4), np.nan), np.full((len(rows), 5, 2), np.nan)
    others = np.full((len(rows), MOST, 4), np.nan)
    for k, faces in enumerate(found):
        row = choose_face(faces, None if truth is None else truth[k])
        if row is None:
            continue
        boxes[k], points[k] = faces.boxes[row].numpy(), faces.landmarks[row].numpy()
        rest = torch.cat([faces.boxes[:row], faces.boxes[row + 1 :]])[:MOST].numpy()
        others[k, : len(rest)] = rest
    return boxes, points, others
