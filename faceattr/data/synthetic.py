"""SynthFaces: drawn faces whose truth is known, so that what papers show as pictures can be scored.

Labels follow CelebA (:mod:`faceattr.data.labels`), pictures follow the labels
(:mod:`faceattr.data.drawing`). Nothing is read from or written to disk; the same arguments give
the same pixels, whatever the number of processes.
"""

from __future__ import annotations

import operator

import numpy as np
import torch
from torch import Tensor

from faceattr.attributes import ATTRIBUTES
from faceattr.data.drawing import Painting, paint_face
from faceattr.data.drawing.workshop import draw_many
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.data.labels import LabelModel
from faceattr.errors import DataError

SPLITS = ("train", "valid", "test")
VIEWS = ("aligned", "unaligned", "wild")

#: Smallest picture, in pixels, in which features are still told apart.
SMALLEST = 32

#: People of the three splits are numbered from 0, 100 million and 200 million.
PEOPLE_APART = 100_000_000

#: Added to a person's number per seed of the data set, so that another seed draws other people.
SEEDS_APART = 1_000_000_000


def whole(name: str, value, least: int) -> int:
    """``value`` as an int of at least ``least``.

    Raises:
        DataError: it is not one; the message names the argument.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise DataError(f"{name} is {value!r}: give a whole number of at least {least}")
    return number


def check_view(view: str) -> None:
    """See that there is such a view.

    Raises:
        DataError: there is not.
    """
    if view not in VIEWS:
        raise DataError(f"unknown view {view!r}: choose one of {', '.join(VIEWS)}")


def draw_face(
    attributes, *, person: int = 0, seed: int = 0, size: int = 128, view: str = "aligned"
) -> Faces:
    """Draw one face.

    Switching one attribute, with the same person and seed, changes what shows that attribute and
    nothing else. ``Attractive`` alone changes no pixel: it is a function of the others.

    Args:
        attributes: ``(M,)`` 0 or 1, in CelebA's order.
        person: who it is; sets the geometry of the face, the same in every picture of a person.
        seed: which picture of that person: pose, light, background, what is in the way, noise.
        size: height and width in pixels.
        view: how it is held and framed, as :class:`SynthFaces` says.

    Returns:
        One face: ``images (3, S, S)`` float in [0, 1], ``attributes (M,)``, ``identity ()``,
        ``box (4,)`` round crown, cheeks and chin, ``landmarks (5, 2)``, ``regions
        (M, S // 4, S // 4)`` bool, the true place of every attribute, worn or not.

    Raises:
        DataError: a wrong number of attributes, a value other than 0 and 1, a size below 32, an
            unknown view.
    """
    check_view(view)
    person, seed = whole("person", person, 0), whole("seed", seed, 0)
    size = whole("size", size, SMALLEST)
    values = torch.as_tensor(attributes).detach().cpu().double().numpy()
    if values.shape != (len(ATTRIBUTES),):
        raise DataError(
            f"attributes have shape {values.shape}: give {len(ATTRIBUTES)} values, one for each of "
            "faceattr.ATTRIBUTES"
        )
    if not np.isin(values, (0, 1)).all():
        wrong = values[~np.isin(values, (0, 1))][0]
        raise DataError(f"attribute value {wrong:g}: a face can only be drawn from 0 and 1")
    painting = paint_face(values, [person], [person, seed], size, view=view)
    return _as_faces(painting, values, person)


def _as_faces(painting: Painting, values: np.ndarray, person: int) -> Faces:
    return Faces(
        images=torch.from_numpy(painting.image).float() / 255,
        attributes=torch.from_numpy(values).float(),
        identity=torch.tensor(person),
        box=torch.from_numpy(painting.box[0]),
        landmarks=torch.from_numpy(painting.landmarks[0]),
        regions=torch.from_numpy(painting.regions[0]),
        is_face=torch.tensor(True),
    )


class SynthFaces(FaceDataset):
    """Drawn faces with CelebA's label statistics and the full truth.

    Args:
        num_faces: how many.
        size: height and width of the pictures in pixels (of the scene, in the wild).
        split: ``train``, ``valid``, ``test``: people of one are never in another. ``all``: the
            three together, 80%, 10% and 10% of ``num_faces``.
        view: ``aligned``, the face fills the picture; ``unaligned``, it does so as a detector's
            box cuts it out, larger or smaller, off the middle, tilted, clutter behind it (the
            pictures that PaW is made for); ``wild``, it is anywhere in a larger cluttered scene.
        seed: of labels and pictures; another seed, other people.
        regions: keep the true region of every attribute, bool ``(N, M, size // 4, size // 4)``
            (41 kB a face at 128 pixels).
        label_noise: chance that a label is flipped after the face was drawn.
        labelled: so many faces, chosen at random, keep their labels; the others are
            :data:`~faceattr.data.faces.UNKNOWN`. None: all keep them.
        person_strength: how much labels stick to a person, 1 as in CelebA; see
            :meth:`LabelModel.sample <faceattr.data.labels.LabelModel.sample>`.
        faces_per_person: pictures of each person; the last person may get fewer.
        workers: processes that draw. None: as many as there are processors, where there are
            enough faces to make it worth while; always one where the system cannot fork
            (Windows, macOS). The pixels are the same.

    Attributes:
        clean_attributes: ``(N, M)`` labels as drawn, before noise and hiding.
        label_model: the :class:`~faceattr.data.labels.LabelModel` they were sampled from; its
            ``graph(threshold)`` is the true graph of attributes.

    Raises:
        DataError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        num_faces: int,
        *,
        size: int = 128,
        split: str = "train",
        view: str = "aligned",
        seed: int = 0,
        regions: bool = False,
        label_noise: float = 0.0,
        labelled: int | None = None,
        person_strength: float = 1.0,
        faces_per_person: int = 20,
        workers: int | None = None,
    ):
        num_faces, size = whole("num_faces", num_faces, 1), whole("size", size, SMALLEST)
        seed = whole("seed", seed, 0)
        faces_per_person = whole("faces_per_person", faces_per_person, 1)
        workers = None if workers is None else whole("workers", workers, 1)
        if split not in (*SPLITS, "all"):
            raise DataError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}, all")
        check_view(view)
        if not 0 <= label_noise <= 1:
            raise DataError(f"label_noise is {label_noise}: give a chance in [0, 1]")
        if labelled is not None and whole("labelled", labelled, 0) > num_faces:
            raise DataError(f"labelled is {labelled}, more than the {num_faces} faces there are")

        self.label_model = LabelModel.load()
        self.seed, self.view = seed, view
        counts = {split: num_faces}
        if split == "all":
            tenth = num_faces // 10
            counts = dict(zip(SPLITS, (num_faces - 2 * tenth, tenth, tenth), strict=True))
        labels = [
            self._labels(name, count, faces_per_person, person_strength)
            for name, count in counts.items()
            if count
        ]
        clean, identity, picture = map(np.concatenate, zip(*labels, strict=True))
        self._picture = picture
        people = identity + SEEDS_APART * seed
        drawn = draw_many(clean, people, picture, size, view=view, regions=regions, workers=workers)
        self.clean_attributes = torch.from_numpy(clean)
        faces = Faces(
            images=torch.from_numpy(drawn.image),
            attributes=self._spoiled(label_noise, labelled),
            identity=torch.from_numpy(identity),
            box=torch.from_numpy(drawn.box),
            landmarks=torch.from_numpy(drawn.landmarks),
            regions=torch.from_numpy(drawn.regions) if regions else None,
            is_face=torch.ones(num_faces, dtype=torch.bool),
        )
        source = f"SynthFaces {view} {split}: {num_faces} faces of {len(np.unique(identity))} "
        source += f"people, {size} pixels, seed {seed}"
        source += f", label noise {label_noise:g}" if label_noise else ""
        source += f", {labelled} labelled" if labelled is not None else ""
        super().__init__(faces, source=source)

    def _labels(
        self, split: str, count: int, per_person: int, strength: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels ``(n, M)``, identity ``(n,)`` and picture number ``(n,)`` in a mixed order."""
        number = SPLITS.index(split)
        attributes, identity = self.label_model.sample(
            -(-count // per_person), per_person, 3 * self.seed + number, person_strength=strength
        )
        order = np.random.default_rng([self.seed, number, 1]).permutation(count)
        return attributes[order], identity[order] + PEOPLE_APART * number, order

    def _spoiled(self, noise: float, labelled: int | None) -> Tensor:
        """The labels that are shown: some flipped, some hidden."""
        shown = self.clean_attributes.clone()
        rng = np.random.default_rng([self.seed, 2])
        flips = torch.from_numpy(rng.random(shown.shape) < noise)
        order = torch.from_numpy(rng.permutation(len(shown)))
        shown[flips] = 1 - shown[flips]
        if labelled is not None:
            shown[order[labelled:]] = UNKNOWN
        return shown

    @property
    def prevalence(self) -> Tensor:
        """``(M,)`` share of 1 among the labels that are known; NaN where none is."""
        known = self.attributes != UNKNOWN
        return (self.attributes * known).sum(0) / known.sum(0)

    def redraw(self, row: int, attributes=None, *, size: int | None = None) -> Faces:
        """Draw the face of a row again, with other attributes or at another size.

        Person, pose, light and background stay: only what the attributes changed is different,
        which makes it a counterfactual picture.

        Args:
            row: which face. attributes: ``(M,)`` 0 or 1; None for its own. size: pixels.

        Raises:
            DataError: as :func:`draw_face`.
        """
        row = range(len(self))[row]
        person = int(self.faces.identity[row])
        face = draw_face(
            self.clean_attributes[row] if attributes is None else attributes,
            person=person + SEEDS_APART * self.seed,
            seed=int(self._picture[row]),
            size=self.size[0] if size is None else size,
            view=self.view,
        )
        face.identity = torch.tensor(person)
        return face
