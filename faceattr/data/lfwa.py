"""LFWA: the pictures of LFW with CelebA's 40 attributes (Liu, Luo, Wang and Tang, ICCV 2015).

The labels come as MATLAB 7.3 files, which are HDF5: arrays lie transposed, a cell of strings is an
array of references to arrays of character codes, and indices count from 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from faceattr.attributes import ATTRIBUTES, attribute
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.lfw_pictures import frame_faces, numbered, people_folder, report_missing
from faceattr.errors import DataError, MissingDependencyError, UnknownNameError

SPLITS = ("train", "test", "all")
_REMEDY = "download LFWA again from CelebA's official site"


class LFWA(FaceDataset):
    """LFWA as a data set of labelled faces.

    Args:
        root: the folder with ``lfw_att_40.mat``, ``indices_train_test.mat`` and the folder
            ``lfw`` of pictures; each may lie one folder deeper.
        split: ``train`` (6,263 pictures officially), ``test`` (6,880) or ``all``; nobody is in
            both parts.
        size: height and width in pixels.
        view: ``centre``, ``aligned`` or ``wild``; see
            :func:`~faceattr.data.lfw_pictures.frame_faces`.
        cache: folder of decoded pictures; see :func:`~faceattr.data.cache.cache_root`.
        boxes: CSV file of found faces; in the cache folder by default.
        detector: the device on which MTCNN runs.
        workers: threads that decode; all cores by default.

    Attributes:
        people: names; ``faces.identity`` are positions in it.
        files: ``NAME/NAME_0001.jpg`` of each row.

    Raises:
        DataError: a file is missing, cut, or not in LFWA's form.
        UnknownNameError: another split; LFWA has no validation part.
        MissingDependencyError: h5py is not installed.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: str = "train",
        size: tuple[int, int] = (96, 80),
        view: str = "centre",
        cache: str | Path | None = None,
        boxes: str | Path | None = None,
        detector: str = "cpu",
        workers: int | None = None,
    ):
        if split not in SPLITS:
            raise UnknownNameError(
                f"unknown split {split!r} of LFWA: choose one of {', '.join(SPLITS)}"
            )
        root = Path(root).expanduser()
        file = _find(root, ("lfw_att_40.mat",))
        names, labels, attributes = read_labels(file)
        rows = range(len(names)) if split == "all" else read_indices(root, split, len(names))
        folder = people_folder(root)
        there = [row for row in rows if (folder / names[row]).is_file()]
        missing = [names[row] for row in rows if not (folder / names[row]).is_file()]
        if not there:
            raise DataError(f"none of the pictures of {file} is in {folder}: is this LFWA?")
        report_missing(missing, len(rows), folder, "they are left out")
        framed = frame_faces(
            [folder / names[row] for row in there],
            view,
            size,
            cache=cache,
            boxes=boxes,
            detector=detector,
            workers=workers,
        )
        there = [there[row] for row in framed.rows]
        self.files = tuple(names[row] for row in there)
        identity, self.people = numbered(name.split("/")[0] for name in self.files)
        faces = Faces(
            framed.images,
            attributes=torch.from_numpy(labels[there]),
            identity=identity,
            box=framed.box,
            landmarks=framed.landmarks,
        )
        source = f"LFWA {split}, {view}, {len(there):,} of {folder.name}"
        super().__init__(faces, names=attributes, source=source)
        self.view, self.split = view, split
        self.framing = "wild" if view == "wild" else "aligned"


def read_labels(path: str | Path) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """Read ``lfw_att_40.mat``.

    Returns:
        The ``N`` file names ``NAME/NAME_0001.jpg``; labels ``(N, M)`` float32 in {0, 1}, columns
        in CelebA's order; the ``M`` attribute names.

    Raises:
        DataError: the file is cut, or not in this form.
        MissingDependencyError: h5py is not installed.
    """
    path = Path(path)
    with _open(path) as file:
        names = [name.replace("\\", "/") for name in _strings(file, "name", path)]
        spellings = _strings(file, "AttrName", path)
        labels = _array(file, "label", path)
    try:
        known = [attribute(spelling) for spelling in spellings]
    except UnknownNameError as error:
        raise DataError(f"{path}: {error} LFWA's file of 40 attributes is needed") from error
    if len(set(known)) < len(known):
        raise DataError(f"{path}: an attribute is there twice: {_REMEDY}")
    shape = len(names), len(known)
    if labels.shape == shape[::-1]:  # as MATLAB stores it
        labels = labels.T
    if labels.shape != shape:
        raise DataError(
            f"{path}: labels of shape {labels.shape} do not fit {shape[0]} names and {shape[1]} "
            f"attributes: {_REMEDY}"
        )
    strange = set(np.unique(labels).tolist()) - {-1, 0, 1}
    if strange:
        raise DataError(f"{path}: labels are 0 or 1, not {sorted(strange)[0]}: {_REMEDY}")
    if ".." in "/".join(names).split("/"):
        raise DataError(f"{path}: a picture's name leads out of the folder: {_REMEDY}")
    order = sorted(range(len(known)), key=lambda column: ATTRIBUTES.index(known[column]))
    labels = (labels[:, order] > 0).astype(np.float32)  # (N, M)
    return names, labels, tuple(known[column] for column in order)


def read_indices(root: str | Path, split: str, count: int) -> list[int]:
    """Rows, counted from 0, of a split: from ``indices_train_test.mat``, or one file a split.

    Raises:
        DataError: no such file, or an index beyond the ``count`` pictures.
    """
    variable = f"indices_img_{split}"
    path = _find(Path(root), ("indices_train_test.mat", f"{variable}.mat"))
    with _open(path) as file:
        values = _array(file, variable, path).ravel()
    wrong = ~np.isin(values, np.arange(1, count + 1))
    if wrong.any():
        raise DataError(
            f"{path}: {variable} holds {values[wrong][0]:g}, but the pictures are numbered "
            f"1 to {count}: {_REMEDY}"
        )
    return (values.astype(np.int64) - 1).tolist()


def _find(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        for path in (root / name, *sorted(root.glob(f"*/{name}"))):
            if path.is_file():
                return path
    raise DataError(f"{root} has no {' or '.join(names)}: {_REMEDY} and unpack it there")


def _open(path: Path):
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {path.name} (MATLAB 7.3) needs h5py, which is not installed: pip install h5py"
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path} is no MATLAB 7.3 file, or cut short ({error}): {_REMEDY}, "
            "or save an older one again with save(..., '-v7.3')"
        ) from error


def _array(file, variable: str, path: Path) -> np.ndarray:
    if variable not in file:
        have = ", ".join(sorted(set(file) - {"#refs#"})) or "nothing"
        raise DataError(f"{path} has no variable {variable} but {have}: {_REMEDY}")
    try:
        return np.asarray(file[variable][()])
    except OSError as error:
        raise DataError(f"{path}: {variable} cannot be read ({error}): {_REMEDY}") from error


def _strings(file, variable: str, path: Path) -> list[str]:
    """A cell array of strings."""
    cells = _array(file, variable, path)
    if cells.dtype != object:
        raise DataError(f"{path}: {variable} is no cell array of strings: {_REMEDY}")
    return ["".join(map(chr, file[cell][()].ravel())).strip() for cell in cells.ravel()]
