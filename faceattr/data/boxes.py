"""Boxes and landmarks of many pictures, found once and kept in a CSV file.

The file grows a line a picture, so that stopping costs one batch; the last line counts for a
picture that has several, and a line cut in the middle counts for none.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from faceattr.data.mtcnn import Detections, choose_face, find_faces, landmarks_box
from faceattr.data.pictures import UnreadableImageError, read_rgb
from faceattr.errors import DataError

POINTS = [f"{axis}_{point}" for point in ("le", "re", "n", "lm", "rm") for axis in "xy"]
NUMBERS = ["x0", "y0", "x1", "y1", *POINTS, "score"]
COLUMNS = ["file", "found", "source", *NUMBERS, "truth"]


def face_boxes(
    paths: Sequence[str | Path],
    csv_path: str | Path,
    *,
    truth_boxes: Tensor | np.ndarray | None = None,
    truth_landmarks: Tensor | np.ndarray | None = None,
    device: str | torch.device = "cpu",
    batch_size: int = 32,
    progress: bool = True,
) -> pd.DataFrame:
    """Find the face of each picture, or look it up where ``csv_path`` already has it.

    A picture's face is chosen by :func:`~faceattr.data.mtcnn.choose_face`. Where none is found
    (or none that touches the truth), the true landmarks' box doubled takes its place. Without
    true boxes, the landmarks' box also tells which of several faces is meant.

    Args:
        paths: the pictures; their file names, without folders, must all differ.
        csv_path: the cache; made where it is missing.
        truth_boxes: ``(N, 4)`` xyxy in pixels, one a picture; a row of NaN is none.
        truth_landmarks: ``(N, 5, 2)`` in pixels; a row of NaN is none.
        device: where the detector runs.
        batch_size: pictures of equal size in one pass.
        progress: show a bar.

    Returns:
        A row a picture, in the order asked: ``file``; ``found``, how many faces; ``source``:
        ``mtcnn``, ``landmarks``, or ``none`` where there is no box (drop these, and say so);
        ``x0, y0, x1, y1``; ``x_le ... y_rm``, the landmarks; ``score``, NaN unless ``mtcnn``;
        ``truth``, a fingerprint of the truth it was chosen by, for other truth chooses anew.
        Unreadable pictures have the source ``none``; one warning names them, and they are not
        kept, so that they are found once mended.

    Raises:
        DataError: names repeat, truth of another length, or a line of the file is damaged.
        MissingDependencyError: a face must be found and facenet-pytorch is not installed.
    """
    paths, csv_path = [Path(path) for path in paths], Path(csv_path)
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise DataError(f"two pictures are called {double}: give each folder a cache of its own")
    boxes = _truth(truth_boxes, (len(paths), 4), "truth_boxes")
    points = _truth(truth_landmarks, (len(paths), 5, 2), "truth_landmarks")
    truth = [_fingerprint(box, marks) for box, marks in zip(boxes, points, strict=True)]
    known = _read(csv_path)
    rows = [
        known[name] if name in known and known[name]["truth"] == mark else None
        for name, mark in zip(names, truth, strict=True)
    ]
    missing = [row for row, line in enumerate(rows) if line is None]
    unreadable = []
    if missing:
        with (
            _open(csv_path) as file,
            tqdm(total=len(missing), desc="faces", unit="img", disable=not progress) as bar,
        ):
            write = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            for part in _batches(paths, missing, batch_size, unreadable):
                found = find_faces([picture for _, picture in part], device=device)
                for (row, _), faces in zip(part, found, strict=True):
                    line = _line(faces, boxes[row], points[row])
                    rows[row] = {"file": names[row], **line, "truth": truth[row]}
                    write.writerow(rows[row])
                file.flush()
                bar.update(len(part))
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} of {len(paths)} pictures cannot be read and have no box, "
            f"the first: {unreadable[0][1]}",
            stacklevel=2,
        )
    for row, _ in unreadable:
        nothing = _line(Detections.none(), None, None)
        rows[row] = {"file": names[row], **nothing, "truth": truth[row]}
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame[NUMBERS] = frame[NUMBERS].replace("", np.nan).astype(float)
    return frame.astype({"found": int})


def _batches(paths, missing, batch_size: int, unreadable: list):
    """Batches of (row, picture) of equal size, as soon as one is full; unreadable ones noted."""
    waiting, held = defaultdict(list), 0
    for row in missing:
        try:
            picture = read_rgb(paths[row])
        except UnreadableImageError as error:
            unreadable.append((row, error))
            continue
        batch = waiting[picture.size]
        batch.append((row, picture))
        held += 1
        if len(batch) == batch_size:
            yield waiting.pop(picture.size)
            held -= batch_size
        elif held >= 32 * batch_size:  # bounds the memory where every picture has its own size
            size = max(waiting, key=lambda size: len(waiting[size]))
            held -= len(waiting[size])
            yield waiting.pop(size)
    yield from waiting.values()


def _line(faces: Detections, box: Tensor | None, points: Tensor | None) -> dict:
    """One picture's answer, as the file holds it."""
    about = landmarks_box(points) if points is not None else None
    row = choose_face(faces, box if box is not None else about)
    line = {"found": len(faces), "source": "none", **dict.fromkeys(NUMBERS, "")}
    if row is not None:
        box, points, score = faces.boxes[row], faces.landmarks[row], faces.scores[row]
        line |= {"source": "mtcnn", "score": f"{score.item():.4f}"}
    elif about is not None:
        box = about
        line["source"] = "landmarks"
    else:
        return line
    values = torch.cat([box.flatten(), points.flatten()]).tolist()
    return line | {k: f"{v:.2f}" for k, v in zip(NUMBERS[:-1], values, strict=True)}


def _truth(values, shape: tuple[int, ...], name: str) -> list[Tensor | None]:
    """Rows of truth; None for a row that is not finite, or where there is no truth at all."""
    if values is None:
        return [None] * shape[0]
    values = torch.as_tensor(values, dtype=torch.float32)
    if values.shape != shape:
        raise DataError(f"{name} has shape {tuple(values.shape)}, the pictures need {shape}")
    return [row if bool(row.isfinite().all()) else None for row in values]


def _fingerprint(box: Tensor | None, points: Tensor | None) -> str:
    if box is None and points is None:
        return "-"
    text = "|".join("" if t is None else repr(t.flatten().tolist()) for t in (box, points))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _read(path: Path) -> dict[str, dict]:
    """What the file knows, by file name. A half-written last line is left out."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    text = text[: text.rfind("\n") + 1]
    lines = csv.reader(io.StringIO(text))
    if text and next(lines) != COLUMNS:
        raise DataError(f"{path} is no file of face boxes: name another file, or delete it")
    known = {}
    for line in lines:
        values = dict(zip(COLUMNS, line, strict=False))
        try:
            numbers = [float(values[name] or "nan") for name in NUMBERS]
            whole = len(line) == len(COLUMNS) and int(values["found"]) >= 0
            whole &= values["source"] == "none" or bool(np.isfinite(numbers[:-1]).all())
            whole &= values["source"] in ("mtcnn", "landmarks", "none")
        except (KeyError, ValueError):
            whole = False
        if not whole:
            raise DataError(
                f"{path}, line {lines.line_num} is damaged: delete that line (its picture is then "
                "searched again) or the whole file"
            )
        known[values["file"]] = values
    return known


def _open(path: Path):
    """Open the file to append whole lines: a torn tail is cut off, a fresh file gets its header."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            content = path.read_bytes()
            if not content.endswith(b"\n"):
                os.truncate(path, content.rfind(b"\n") + 1)
        file = path.open("a", encoding="utf-8", newline="")
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}): name a file elsewhere") from error
    if file.tell() == 0:
        file.write(",".join(COLUMNS) + "\n")
    return file
