"""What a batch is (:class:`Faces`) and what a data set is (:class:`FaceDataset`).

Everything downstream speaks these two: models read ``faces.images``, objectives compare their
outputs with ``faces.attributes`` (and, where a paper asks, ``identity``, ``box``, ``landmarks``),
localization scores are taken against ``faces.regions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceattr.attributes import ATTRIBUTES
from faceattr.errors import DataError

#: Label of an attribute nobody annotated. Objectives and reports leave such entries out.
UNKNOWN = -1.0


@dataclass
class Faces:
    """A batch of faces, or one face (then without the leading ``B``). Absent fields are None.

    Attributes:
        images: ``(B, 3, H, W)``, float in [0, 1] as models take it, or uint8 in storage.
        attributes: ``(B, M)`` float in {0, 1}; :data:`UNKNOWN` (-1) where nobody labelled.
        identity: ``(B,)`` int64, who it is; -1 where nobody knows.
        box: ``(B, 4)`` float, face box ``x0, y0, x1, y1`` in pixels of ``images``.
        landmarks: ``(B, 5, 2)`` float, ``x, y`` in pixels in CelebA's order: left eye, right eye,
            nose, left mouth corner, right mouth corner ("left" as seen in the picture).
        regions: ``(B, M, h, w)`` bool, the true region of each attribute on a grid laid over the
            image; only where truth is known.
        is_face: ``(B,)`` bool, False for a scene without a face.
        index: ``(B,)`` int64, the row in the data set that each face came from.
    """

    images: Tensor
    attributes: Tensor | None = None
    identity: Tensor | None = None
    box: Tensor | None = None
    landmarks: Tensor | None = None
    regions: Tensor | None = None
    is_face: Tensor | None = None
    index: Tensor | None = None

    def __len__(self) -> int:
        return self.images.shape[0]

    def map(self, change: Callable[[Tensor], Tensor]) -> Faces:
        """Apply ``change`` to every tensor that is present."""
        return replace(
            self,
            **{
                f.name: change(value)
                for f in fields(self)
                if (value := getattr(self, f.name)) is not None
            },
        )

    def __getitem__(self, rows) -> Faces:
        """Rows of the batch: an int gives one face, a slice, list or index tensor gives a batch."""
        return self.map(lambda tensor: tensor[rows])

    def to(self, device, non_blocking: bool = True) -> Faces:
        """Move every tensor to a device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def with_float_images(self) -> Faces:
        """Images as float in [0, 1]; uint8 storage is divided by 255, floats pass unchanged."""
        if self.images.is_floating_point():
            return self
        return replace(self, images=self.images.float().div_(255))  # in place: a fresh copy

    @staticmethod
    def stack(faces: Sequence[Faces]) -> Faces:
        """Stack single faces into a batch; a field is kept only if every face has it."""
        return Faces._join(faces, torch.stack)

    @staticmethod
    def cat(batches: Sequence[Faces]) -> Faces:
        """Concatenate batches; a field is kept only if every batch has it."""
        return Faces._join(batches, torch.cat)

    @staticmethod
    def _join(parts: Sequence[Faces], join: Callable) -> Faces:
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(Faces)}
        return Faces(
            **{
                name: None if any(value is None for value in values) else join(values)
                for name, values in columns.items()
            }
        )


class Augment(Protocol):
    """A random change of a batch, in two steps so that several processes can share one draw."""

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random parameters, tensors whose first dimension is ``count``."""
        ...

    def apply(self, faces: Faces, draws: dict[str, Tensor]) -> Faces:
        """Change float images, and move boxes, landmarks and regions along with them."""
        ...


class FaceDataset(Dataset):
    """A map-style data set of single faces that also answers whole batches.

    Storage is one :class:`Faces` whose images are one uint8 array, in memory or memory-mapped:
    a JPEG is decoded once, never every epoch. Subclasses fill it.

    Attributes:
        framing: how a face fills the picture, so that a photo can be cut the same way when a
            network trained on this data is used: ``aligned`` (CelebA's aligned crops), ``wild``
            (a box round the face) or ``whole`` (the picture as it is).

    Args:
        faces: all faces; ``images`` uint8 ``(N, 3, H, W)``.
        names: the ``M`` attribute names, CelebA's by default.
        source: one line for reports and records: which data, which part, which seed.
    """

    framing: str = "whole"

    def __init__(self, faces: Faces, *, names: Sequence[str] = ATTRIBUTES, source: str = "faces"):
        self.faces = faces
        self.names = tuple(names)
        self.source = source

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, row: int) -> Faces:
        """One face with float images ``(3, H, W)``."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"face {row} of a data set of {len(self)}")
        return self.gather([row % len(self)])[0]

    def gather(self, rows: Sequence[int] | Tensor) -> Faces:
        """A batch of the given rows, images float in [0, 1], ``index`` set to the rows."""
        return self.gather_raw(rows).with_float_images()

    def gather_raw(self, rows: Sequence[int] | Tensor) -> Faces:
        """A batch of the given rows as stored (uint8 images)."""
        rows = torch.as_tensor(rows, dtype=torch.int64)
        rows = torch.where(rows < 0, rows + len(self), rows)
        stored = replace(self.faces, index=None)  # index_select: five times as fast as [rows]
        pick = stored.map(lambda tensor: tensor.index_select(0, rows.to(tensor.device)))
        return replace(pick, index=rows)

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        device: torch.device | str = "cpu",
        augment: Augment | None = None,
        drop_last: bool = False,
        part: tuple[int, int] = (0, 1),
    ) -> Iterator[Faces]:
        """Yield batches on ``device``; augmentation happens there.

        Args:
            batch_size: faces in a batch, over all processes.
            shuffle: visit the faces in an order drawn from ``seed``.
            seed: of the order and of the augmentation. Pass another one each epoch.
            device: where the batch goes before it is turned to float and augmented.
            augment: an :class:`Augment`; its parameters are drawn for the whole batch.
            drop_last: leave out a last batch that is smaller than ``batch_size``.
            part: ``(rank, world)``: yield only this process's share of every batch. All ranks
                draw the same order and the same augmentation, so that several processes
                together see exactly what one would.
        """
        generator = torch.Generator().manual_seed(seed)
        count = len(self)
        order = torch.randperm(count, generator=generator) if shuffle else torch.arange(count)
        rank, world = part
        for start in range(0, count, batch_size):
            rows = order[start : start + batch_size]
            if drop_last and len(rows) < batch_size:
                return
            draws = augment.draw(len(rows), generator) if augment is not None else {}
            rows, draws = rows[rank::world], {name: d[rank::world] for name, d in draws.items()}
            faces = self.gather_raw(rows).to(device).with_float_images()
            yield augment.apply(faces, draws) if augment is not None else faces

    def check_labels(self) -> None:
        """See that labels are what they are meant to be, where there are any.

        Raises:
            DataError: a label is none of 0, 1 and :data:`UNKNOWN`; or there are only 1 and -1, as
                CelebA's files write yes and no, which would be taken for yes and unknown.
        """
        labels = self.attributes
        if labels is None:
            return
        no, yes, unknown = labels == 0, labels == 1, labels == UNKNOWN
        strange = ~(no | yes | unknown)
        if strange.any():
            row, column = strange.nonzero()[0].tolist()
            raise DataError(
                f"{self.names[column]} of face {row} of {self.source} is "
                f"{labels[row, column].item():g}: labels are 0 and 1, or {UNKNOWN:g} where nobody "
                "labelled"
            )
        if unknown.any() and yes.any() and not no.any():
            raise DataError(
                f"the labels of {self.source} are 1 and {UNKNOWN:g} and never 0; here "
                f"{UNKNOWN:g} means that nobody labelled: if it means no, turn it into 0"
            )

    def subset(self, rows: Sequence[int] | Tensor, *, source: str | None = None) -> FaceDataset:
        """The given rows as a data set of their own."""
        rows = torch.as_tensor(rows, dtype=torch.int64)
        part = FaceDataset(self.faces[rows], names=self.names, source=source or self.source)
        part.framing = self.framing
        return part

    @property
    def attributes(self) -> Tensor:
        """All labels, ``(N, M)``."""
        return self.faces.attributes

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures in pixels."""
        return tuple(self.faces.images.shape[-2:])
