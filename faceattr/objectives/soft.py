"""Soft labels (Hinton, Vinyals and Dean, 2015): a student learns to answer as its teacher does.

The other way of learning from a teacher. PaW leaves it out, "for attribute classification, the
output has only one logit for each attribute"; it is here to hold hints against.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.models.base import FaceModel
from faceattr.objectives.attributes import cross_entropy
from faceattr.objectives.hints import Hint


class SoftLabels(Hint):
    """The objective ``{"soft": ...}``: cross entropy with the teacher's probabilities as labels.

    It is smallest where the student's logits are the teacher's. There is no temperature: with one
    logit an attribute there are no wrong classes whose order it would bring out.

    Args:
        teacher: a trained network. It is frozen, put in evaluation mode and never trained.
    """

    def __init__(self, teacher: FaceModel):
        super().__init__(teacher)

    def __call__(self, model: nn.Module, faces: Faces) -> dict[str, Tensor]:
        """The loss of a batch, whose labels are not looked at."""
        with torch.no_grad():
            said = self._teacher.to(faces.images.device)(faces.images).logits.sigmoid()  # (B, M)
        return {"soft": cross_entropy(model(faces.images).logits, said)}
