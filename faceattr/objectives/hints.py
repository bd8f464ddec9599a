"""Hints (PaW, Eq. 1): a small network learns to repeat the last maps of a large one.

``L_S = lambda_1 L_hint + lambda_2 L_attr``, first with (1, 0), then with (0, 1).
"""

from __future__ import annotations

import zlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError
from faceattr.models.base import FaceModel
from faceattr.objectives.attributes import cross_entropy


def hint_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two sets of maps.

    Eq. 1 prints the length of the difference, ``|T(I) - S(I, w)|_2``. Its square has the same
    minimum, a gradient that fades as the maps agree, and is what the paper's framework (Caffe)
    calls its Euclidean loss: half the sum of squares. The mean is taken here, so that it reads the
    same for maps of any size; the paper's rate of 1e-7 for a sum of ``n`` squares is ``1e-7 n / 2``
    for their mean, 0.0125 for 1280 maps of 14 x 14.

    Args:
        student: ``(B, M, N, h, w)`` or ``(B, C, h, w)``.
        teacher: of the same shape.

    Raises:
        DataError: the shapes differ.
    """
    if student.shape != teacher.shape:
        raise DataError(
            f"the teacher's maps {tuple(teacher.shape[1:])} and the student's "
            f"{tuple(student.shape[1:])} cannot be compared: give both networks the same number of "
            "attributes, maps_per_attribute and stride (an FRL's is 2 ** pools; reduce=2 halves "
            "the teacher's maps)"
        )
    return F.mse_loss(student, teacher)


class Hint:
    """The objective of a student: ``{"hint": ..., "attributes": ...}``, terms of weight 0 left out.

    Args:
        teacher: a trained network whose outputs hold ``features``. It is frozen, put in evaluation
            mode and never trained.
        hint: lambda_1.
        attributes: lambda_2.
        reduce: average the teacher's maps over squares of so many cells, for a teacher whose
            stride is smaller than its student's by this factor.
    """

    def __init__(
        self, teacher: FaceModel, *, hint: float = 1.0, attributes: float = 0.0, reduce: int = 1
    ):
        self.hint, self.attributes, self.reduce = hint, attributes, reduce
        self._teacher = teacher.eval().requires_grad_(False)
        # A run is resumed only with the teacher that it began with: this is compared.
        self.teacher = f"{type(teacher).__name__} {checksum(teacher):08x}"

    def __call__(self, model: nn.Module, faces: Faces) -> dict[str, Tensor]:
        """Losses of a batch.

        Raises:
            DataError: teacher and student answer maps of different sizes, or none.
        """
        outputs = model(faces.images)
        losses = {}
        if self.hint:
            maps = self._hint(faces.images)
            for name, found in (("teacher", maps), ("student", outputs.features)):
                if found is None:
                    raise DataError(
                        f"the {name} has no maps to compare: hints need networks whose outputs "
                        "hold features, such as FRL and WholeImage"
                    )
            losses["hint"] = self.hint * hint_loss(outputs.features, maps)
        if self.attributes:
            losses["attributes"] = self.attributes * cross_entropy(outputs.logits, faces.attributes)
        return losses

    @torch.no_grad()
    def _hint(self, images: Tensor) -> Tensor | None:
        maps = self._teacher.to(images.device)(images).features
        if maps is None or self.reduce == 1:
            return maps
        lead = maps.shape[:-2]
        pooled = F.avg_pool2d(maps.reshape(len(maps), -1, *maps.shape[-2:]), self.reduce)
        return pooled.reshape(*lead, *pooled.shape[-2:])  # (B, M, N, h // r, w // r)

    @torch.no_grad()
    def check(self, model: FaceModel, data: FaceDataset) -> None:
        """Show both networks one face, so that maps that differ are found before work starts.

        Raises:
            DataError: as calling the objective.
        """
        was_training = model.training
        faces = data.gather([0]).to(model.mean.device)
        try:
            self(model.eval(), faces)
        finally:
            model.train(was_training)

    @torch.no_grad()
    def measure(self, model: FaceModel, data: FaceDataset, batch_size: int = 64) -> dict:
        """``{"hint_loss": mean over faces}``: metrics for :func:`faceattr.training.fit`."""
        total = 0.0
        for faces in data.batches(batch_size, device=model.mean.device):
            loss = hint_loss(model(faces.images).features, self._hint(faces.images))
            total += loss.item() * len(faces)
        return {"hint_loss": total / len(data)}


def checksum(model: nn.Module) -> int:
    """Of all tensors of a network, to tell whether it is the same one; 32 bits."""
    check = 0
    for tensor in model.state_dict().values():
        tensor = tensor.float() if tensor.is_floating_point() else tensor  # NumPy has no bfloat16
        check = zlib.crc32(tensor.detach().cpu().contiguous().numpy().tobytes(), check)
    return check
