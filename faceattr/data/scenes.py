"""Scenes with several drawn faces, or none: the in-the-wild counterpart of SynthFaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from faceattr.attributes import ATTRIBUTES
from faceattr.data.drawing import paint_scene
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.data.labels import LabelModel
from faceattr.data.synthetic import SEEDS_APART, SMALLEST, whole
from faceattr.errors import DataError

#: Smallest scene in which several faces are still faces, in pixels.
SMALLEST_SCENE = 2 * SMALLEST

#: People of scenes are numbered from here, apart from those of SynthFaces' three splits.
_FIRST = 300_000_000


@dataclass
class Scene:
    """One scene and its K faces; K may be 0.

    Attributes:
        image: ``(3, S, S)`` float in [0, 1].
        boxes: ``(K, 4)`` ``x0, y0, x1, y1``, pixels. landmarks: ``(K, 5, 2)``, pixels.
        attributes: ``(K, M)`` in {0, 1}. identity: ``(K,)`` int64.
    """

    image: Tensor
    boxes: Tensor
    landmarks: Tensor
    attributes: Tensor
    identity: Tensor


class SynthScenes(Dataset):
    """Cluttered scenes, each drawn when it is asked for; the same index gives the same scene.

    Args:
        num_scenes: how many.
        size: height and width in pixels.
        faces: least and greatest number of faces in a scene; ``(0, 0)`` gives scenes without.
        seed: of everything.

    Raises:
        DataError: an argument is out of its range; the message names it.
    """

    def __init__(
        self, num_scenes: int, *, size: int = 256, faces: tuple[int, int] = (0, 4), seed: int = 0
    ):
        count = whole("num_scenes", num_scenes, 1)
        self.size, self.seed = whole("size", size, SMALLEST_SCENE), whole("seed", seed, 0)
        if len(tuple(faces)) != 2:
            raise DataError(f"faces is {faces!r}: give a pair (least, greatest)")
        least = whole("faces", faces[0], 0)
        greatest = whole("faces", faces[1], 0)
        if not least <= greatest <= 16:
            raise DataError(f"faces is {faces!r}: give (least, greatest) with at most 16 faces")
        rng = np.random.default_rng([self.seed, 3])
        self.counts = rng.integers(least, greatest + 1, count)
        self._first = np.concatenate([[0], np.cumsum(self.counts)])
        people = int(self._first[-1])
        self._attributes = np.zeros((0, len(ATTRIBUTES)), dtype=np.float32)
        if people:
            self._attributes, _ = LabelModel.load().sample(people, 1, 3 * self.seed)

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> Scene:
        """One scene."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"scene {index} of {len(self)}")
        index %= len(self)
        rows = np.arange(self._first[index], self._first[index + 1])
        identity = rows + _FIRST
        people = [[person + SEEDS_APART * self.seed] for person in identity.tolist()]
        painting = paint_scene(self._attributes[rows], people, [self.seed, index], self.size)
        return Scene(
            image=torch.from_numpy(painting.image).float() / 255,
            boxes=torch.from_numpy(painting.box),
            landmarks=torch.from_numpy(painting.landmarks),
            attributes=torch.from_numpy(self._attributes[rows]),
            identity=torch.from_numpy(identity),
        )

    def one_face_each(self) -> FaceDataset:
        """All scenes as a data set of single faces: the largest of each scene.

        A scene without faces has ``is_face`` False, unknown attributes, identity -1 and a box and
        landmarks of zeros.
        """
        rows = []
        for index in tqdm(range(len(self)), desc="drawing scenes", disable=len(self) < 500):
            scene = self[index]
            face = Faces(
                images=(scene.image * 255).round().to(torch.uint8),
                attributes=torch.full((len(ATTRIBUTES),), UNKNOWN),
                identity=torch.tensor(-1),
                box=torch.zeros(4),
                landmarks=torch.zeros(5, 2),
                is_face=torch.tensor(len(scene.boxes) > 0),
            )
            if len(scene.boxes):
                sides = scene.boxes[:, 2:] - scene.boxes[:, :2]
                k = int(sides.prod(dim=1).argmax())
                face.box, face.landmarks = scene.boxes[k], scene.landmarks[k]
                face.attributes, face.identity = scene.attributes[k], scene.identity[k]
            rows.append(face)
        source = f"SynthScenes: {len(self)} scenes, {self.size} pixels, seed {self.seed}"
        return FaceDataset(Faces.stack(rows), source=source)
