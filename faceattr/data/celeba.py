"""CelebA (Liu, Luo, Wang and Tang, ICCV 2015), aligned or in the wild, from any of its releases.

The pictures show real people and are for non-commercial research. Nothing in this library needs
them; where you have them, :class:`CelebA` finds them, decodes them once into a cache and yields
the same :class:`~faceattr.data.faces.Faces` as the drawn faces do.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from faceattr.data.align import WILD_MARGIN
from faceattr.data.cache import cache_root
from faceattr.data.celeba_source import open_source
from faceattr.data.celeba_views import cut_aligned, cut_wild
from faceattr.data.celeba_wild import default_file
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.partition import SHARES, SPLITS, by_identity, check_split
from faceattr.data.pictures import FIELD
from faceattr.errors import DataError, UnknownNameError


class CelebA(FaceDataset):
    """CelebA as a data set of faces.

    *Aligned*: the central field of each picture, 96/109 of its height and 80/89 of its width, cut
    to the shape of ``size`` and shrunk to it (:func:`~faceattr.data.pictures.centre_window`); for
    half-size pictures and 96 x 80 pixels that is a plain centre crop.

    *Wild*: a rectangle of the shape of ``size`` around the face that MTCNN finds, whose box grows
    by :data:`~faceattr.data.align.WILD_MARGIN` of its sides on each side. As in PaW, the
    landmarks' box doubled where no face is found, and of several faces the one that overlaps
    CelebA's box most (the largest where the folder has no boxes for its pictures). A picture
    without a face by these rules is left out with a warning. Small faces are enlarged.

    ``box`` and ``landmarks`` of the faces are CelebA's own, in pixels of the crop, where the folder
    has them for its pictures; in the wild, what the detector found otherwise. Aligned faces have
    no box.

    Args:
        root: CelebA's folder, in any layout that :mod:`~faceattr.data.celeba_layouts` knows.
        view: ``aligned`` or ``wild``.
        split: ``train``, ``valid``, ``test`` or ``all``.
        partition: ``official``, or ``identity``: nobody in two parts, who is where drawn from
            ``seed`` with :data:`~faceattr.data.partition.SHARES`
            (:func:`~faceattr.data.partition.by_identity`).
        size: height and width in pixels.
        seed: of the identity partition.
        cache: folder of decoded pictures; see :func:`~faceattr.data.cache.cache_root`.
        limit: take the first ``limit`` faces of the split only.
        boxes: CSV file of the wild view's face boxes; in the cache folder by default.
        images: the folder of pictures, where ``root`` holds several or it is elsewhere.
        strict: make an error of an unreadable picture, which otherwise is left out with a warning.
        detector: the device on which MTCNN runs; ``none`` cuts around CelebA's own boxes.
        workers: threads that decode; all cores by default.

    Attributes:
        rows: ``(N,)`` int64, the row of the label files that each face comes from.
        unreadable: one message a picture that was left out because it cannot be read.
        faceless: files left out because no face was found in them.
        cache_folder: where the decoded pictures lie.

    Raises:
        DataError: there is no CelebA, a file is cut, the split is empty, or the disk is full.
        ImageError: a picture is smaller than ``size``, or under ``strict`` cannot be read.
        UnknownNameError: an unknown view, split or partition.
        MissingDependencyError: pyarrow or facenet-pytorch is needed and absent.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        view: str = "aligned",
        split: str = "train",
        partition: str = "official",
        size: tuple[int, int] = (96, 80),
        seed: int = 0,
        cache: str | Path | None = None,
        limit: int | None = None,
        boxes: str | Path | None = None,
        images: str | Path | None = None,
        strict: bool = False,
        detector: str = "cpu",
        workers: int | None = None,
    ):
        _check(view, split, partition, size, limit)
        self.view, self.framing, self.split = view, view, split
        self.partition, self.seed = partition, seed
        self.root = Path(root).expanduser().absolute()
        size, cache = (int(size[0]), int(size[1])), cache_root(cache).absolute()

        self._source = open_source(self.root, view, images)
        self._parts = self._part_of_rows()
        rows = self._choose()[:limit]
        settings = {"strict": strict, "workers": workers}
        if view == "aligned":
            cut = cut_aligned(self._source, rows, size, cache, **settings)
        else:
            file = Path(boxes) if boxes else default_file(cache, self._source.folder)
            cut = cut_wild(self._source, rows, size, cache, file, detector, **settings)
        self.rows, self.faceless, self.cache_folder = cut.rows, cut.faceless, cut.folder
        self.unreadable = cut.unreadable
        self._warn_left_out(len(rows))
        self._source = replace(self._source, files=None, shards=None)  # no longer needed

        labels = self._source.labels
        people = labels.identity
        identity = np.full(len(self.rows), -1) if people is None else people[self.rows]
        faces = Faces(
            images=cut.images,
            attributes=torch.from_numpy(labels.attributes[self.rows]),
            identity=torch.from_numpy(identity),
            box=cut.box,
            landmarks=cut.landmarks,
        )
        whose = f"identity partition, seed {seed}" if partition == "identity" else "official list"
        source = (
            f"CelebA {view}, {split} ({whose}), {len(self.rows):,} of {self._source.folder.name}"
        )
        super().__init__(faces, names=labels.names, source=source)

    def _part_of_rows(self) -> np.ndarray | None:
        """The part of each label row, or None where every face is wanted and no list is there."""
        labels = self._source.labels
        if self.partition == "identity":
            if labels.identity is None:
                raise DataError(
                    f"{self.root} says nothing about who is who, so people cannot be kept apart: "
                    "add identity_CelebA.txt from the official site (it fits Kaggle's files too), "
                    "or choose partition='official' (--partition official)"
                )
            return by_identity(labels.identity, self.seed)
        if labels.partition is None and self.split != "all":
            raise DataError(
                f"{self.root} has no list_eval_partition, which says what is in {self.split}: "
                "add it from the original, or choose partition='identity' or split='all'"
            )
        return labels.partition

    def _choose(self) -> np.ndarray:
        """The label rows of the split that have a picture."""
        rows = self._source.rows
        if self.split == "all":
            return rows
        parts = self._parts[rows]
        chosen = rows[parts == SPLITS.index(self.split)]
        if not len(chosen):
            counts = ", ".join(f"{int((parts == k).sum()):,} {p}" for k, p in enumerate(SPLITS))
            remedy = (
                "choose partition='identity' (--partition identity), which splits the people that "
                "are there, or add the pictures"
                if self.partition == "official"
                else "add pictures, or choose another seed"
            )
            raise DataError(
                f"no picture in {self._source.folder} is in {self.split} of the {self.partition} "
                f"partition (there are {counts}): {remedy}"
            )
        return chosen

    def _warn_left_out(self, asked: int) -> None:
        """One warning each for unreadable pictures and for ones without a face."""
        if self.unreadable:
            warnings.warn(
                f"{len(self.unreadable):,} of {asked:,} pictures cannot be read and are left out: "
                f"{'; '.join(self.unreadable[:3])}{' ...' if len(self.unreadable) > 3 else ''}",
                stacklevel=3,
            )
        if self.faceless:
            names = ", ".join(Path(name).name for name in self.faceless[:3])
            warnings.warn(
                f"no face found in {len(self.faceless):,} pictures, which are left out: {names}"
                f"{' ...' if len(self.faceless) > 3 else ''}. With list_landmarks_celeba.txt and "
                "full-size pictures, the landmarks would tell where it is",
                stacklevel=3,
            )

    def info(self) -> dict:
        """Facts for a report, ready for JSON: counts, splits, people, prevalence, geometry."""
        source, labels = self._source, self._source.labels
        people, rows = labels.identity, self._source.rows
        splits = {}
        for number, name in enumerate(SPLITS if self._parts is not None else ()):
            inside = rows[self._parts[rows] == number]
            splits[name] = {"pictures": len(inside)}
            if people is not None:
                splits[name]["people"] = len(np.unique(people[inside]))
        identity = self.partition == "identity"
        high, wide = self.size
        prevalence = self.attributes.double().mean(0).round(decimals=4)
        geometry = (
            f"central {FIELD[0]:.3f} of the height and {FIELD[1]:.3f} of the width"
            if self.view == "aligned"
            else f"face box and {WILD_MARGIN:.0%} of its sides around it"
        )
        return {
            "layout": labels.layout,
            "view": self.view,
            "partition": f"identity, seed {self.seed}, {SHARES}" if identity else "official",
            "split": self.split,
            "rows": len(labels.files),
            "pictures": len(rows),
            "used": len(self),
            "rows_without_picture": source.missing,
            "pictures_without_row": len(source.extra),
            "unreadable": len(self.unreadable),
            "without_face": len(self.faceless),
            "splits": splits,
            "people": None if people is None else len(np.unique(people[self.rows])),
            "landmarks": self.faces.landmarks is not None,
            "box": self.faces.box is not None,
            "geometry": f"{high} x {wide} pixels: {geometry}",
            "prevalence": dict(zip(self.names, prevalence.tolist(), strict=True)),
            "folder": str(source.folder),
            "cache": str(self.cache_folder),
        }


def _check(view: str, split: str, partition: str, size, limit: int | None) -> None:
    """Refuse what cannot be meant before anything is read."""
    check_split(split)
    choices = {"view": (view, ("aligned", "wild"))}
    choices["partition"] = (partition, ("official", "identity"))
    for what, (value, known) in choices.items():
        if value not in known:
            raise UnknownNameError(f"unknown {what} {value!r}: choose {' or '.join(known)}")
    if limit is not None and limit < 1:
        raise DataError(f"limit={limit}: use at least one face")
    if len(size) != 2 or min(size) < 1:
        raise DataError(f"size={size}: give height and width in pixels, such as (96, 80)")
