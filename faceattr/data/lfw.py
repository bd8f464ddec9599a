"""LFW's verification pairs: do two pictures show the same person?

The official protocol (Huang et al., 2007, view 2): ten folds of 300 pairs of one person and 300 of
two; each fold is tested with whatever was chosen on the other nine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.lfw_pictures import (
    frame_faces,
    numbered,
    people_folder,
    picture_name,
    report_missing,
)
from faceattr.errors import DataError


@dataclass(frozen=True)
class Pairs:
    """``P`` pairs of faces.

    Attributes:
        a, b: ``(P,)`` int64, rows of the data set.
        same: ``(P,)`` bool, one person?
        fold: ``(P,)`` int64, counted from 0.
    """

    a: Tensor
    b: Tensor
    same: Tensor
    fold: Tensor

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class _Line:
    a: tuple[str, int]
    b: tuple[str, int]
    fold: int


class LFWPairs(FaceDataset):
    """The pictures of a pairs file as a data set, and the pairs as rows of it.

    Args:
        root: the folder LFW was unpacked into: people's folders, or ``lfw``, ``lfw_funneled``,
            ``lfw-deepfunneled`` with them, nested or not.
        size: height and width in pixels.
        pairs: the pairs file, official or with fewer folds; ``pairs.txt`` or the only
            ``pairs*.txt`` in or beside ``root`` by default.
        view: ``centre`` (a fixed window that puts the average face where CelebA's aligned view
            has it), ``aligned`` (each face by its own landmarks) or ``wild`` (round its box); see
            :func:`~faceattr.data.lfw_pictures.frame_faces`.
        cache: folder of decoded pictures; see :func:`~faceattr.data.cache.cache_root`.
        boxes: CSV file of found faces; in the cache folder by default.
        detector: the device on which MTCNN runs.
        workers: threads that decode; all cores by default.

    Attributes:
        pairs: :class:`Pairs`; those with a picture that is missing or unreadable are left out,
            with a warning.
        people: names; ``faces.identity`` are positions in it.
        files: ``NAME/NAME_0001.jpg`` of each row.

    Raises:
        DataError: no pictures or no pairs file there, or the file is torn (file and line named).
    """

    def __init__(
        self,
        root: str | Path,
        *,
        size: tuple[int, int] = (96, 80),
        pairs: str | Path | None = None,
        view: str = "centre",
        cache: str | Path | None = None,
        boxes: str | Path | None = None,
        detector: str = "cpu",
        workers: int | None = None,
    ):
        folder = people_folder(root)
        file = Path(pairs).expanduser() if pairs else _pairs_file(Path(root).expanduser(), folder)
        lines = read_pairs(file)
        wanted = sorted({one for line in lines for one in (line.a, line.b)})
        there = [one for one in wanted if (folder / picture_name(*one)).is_file()]
        missing = [picture_name(*one) for one in sorted(set(wanted) - set(there))]
        if not there:
            raise DataError(f"none of the pictures of {file} is in {folder}: is this LFW?")
        report_missing(missing, len(wanted), folder, "their pairs are left out")
        framed = frame_faces(
            [folder / picture_name(*one) for one in there],
            view,
            size,
            cache=cache,
            boxes=boxes,
            detector=detector,
            workers=workers,
        )
        there = [there[row] for row in framed.rows]
        row = {one: number for number, one in enumerate(there)}
        kept = [line for line in lines if line.a in row and line.b in row]
        if not kept:
            raise DataError(f"no pair of {file} has both its pictures in {folder}")
        self.pairs = Pairs(
            torch.tensor([row[line.a] for line in kept]),
            torch.tensor([row[line.b] for line in kept]),
            torch.tensor([line.a[0] == line.b[0] for line in kept]),
            torch.tensor([line.fold for line in kept]),
        )
        self.files = tuple(picture_name(*one) for one in there)
        identity, self.people = numbered(name for name, _ in there)
        faces = Faces(framed.images, identity=identity, box=framed.box, landmarks=framed.landmarks)
        folds = len(set(self.pairs.fold.tolist()))
        super().__init__(
            faces, source=f"LFW {folder.name}, {view}, {len(kept):,} pairs in {folds} folds"
        )
        self.view, self.framing = view, "wild" if view == "wild" else "aligned"


def read_pairs(path: str | Path) -> list[_Line]:
    """Read a pairs file: each fold's pairs of one person, then its pairs of two.

    The first line holds folds and pairs of each kind (``10  300``), or the pairs alone, of one
    fold (``pairsDevTrain.txt``).

    Raises:
        DataError: it is missing, torn or not of this form; file and line are named.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a pairs file ({error})") from error
    while lines and not lines[-1].strip():
        lines.pop()
    remedy = "download it again from the official site"
    head = lines[0].split() if lines else []
    if not 1 <= len(head) <= 2 or not all(field.isdigit() and int(field) for field in head):
        raise DataError(f"{path}, line 1: '10 300' is expected, folds and pairs of each: {remedy}")
    folds, each = (1, int(head[0])) if len(head) == 1 else (int(head[0]), int(head[1]))
    found = []
    for number, line in enumerate(lines[1 : 1 + 2 * folds * each], start=2):
        fold, place = divmod(number - 2, 2 * each)
        fields = line.split()
        same = place < each
        form = "NAME 1 2" if same else "NAME 1 OTHER 2"
        numbers = fields[1:] if same else fields[1::2]
        good = len(fields) == len(form.split()) and all(n.isdigit() and int(n) for n in numbers)
        if good and not same:
            good = fields[0] != fields[2]
        if not good:
            raise DataError(f"{path}, line {number}: {line!r} where {form!r} is due: {remedy}")
        other = fields[0] if same else fields[2]
        found.append(_Line((fields[0], int(numbers[0])), (other, int(numbers[1])), fold))
    if len(lines) != 1 + 2 * folds * each:
        raise DataError(
            f"{path}, line {len(lines)}: the file has {len(lines) - 1} pairs, its first line "
            f"promises {2 * folds * each}: {remedy}"
        )
    return found


def _pairs_file(root: Path, folder: Path) -> Path:
    """The pairs file in ``root``, or in a folder between it and the pictures, or beside them."""
    places = [root, *[f for f in folder.parents if root in f.parents], folder, root.parent]
    for place in places:
        if (place / "pairs.txt").is_file():
            return place / "pairs.txt"
        found = sorted(place.glob("pairs*.txt"))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(file.name for file in found)
            raise DataError(f"{place} has several pairs files ({names}): name one with pairs=")
    raise DataError(
        f"no pairs.txt in {root}: put the official one there "
        "(http://vis-www.cs.umass.edu/lfw/pairs.txt), or name it with pairs="
    )
