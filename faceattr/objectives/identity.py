"""FR-ANet's loss (Eqs. 1-3): the attributes' cross entropy, and lambda times that of identity."""

from __future__ import annotations

import math
from numbers import Real

import torch.nn.functional as F
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.errors import DataError, TrainingError
from faceattr.models.people import IdentityBranch
from faceattr.objectives.attributes import cross_entropy


def check_lambda(lambda_id: float) -> float:
    """The weight of the identity loss, once it can be one.

    Raises:
        TrainingError: negative or not finite.
    """
    if not (isinstance(lambda_id, Real) and math.isfinite(lambda_id) and lambda_id >= 0):
        raise TrainingError(
            f"lambda_id={lambda_id!r}: give a finite number of at least 0 (the paper takes 1)"
        )
    return float(lambda_id)


def identity_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """``-log p_k`` of who it is, in nats, averaged over the faces whose person has a logit (Eq. 2).

    Where a batch has no such face, the loss is 0 and so is its gradient.

    Args:
        logits: ``(B, P)``.
        targets: ``(B,)`` positions among the logits, -1 where there is none.
    """
    loss = F.cross_entropy(logits.float(), targets, ignore_index=-1, reduction="sum")
    return loss / (targets >= 0).sum().clamp(min=1)


class IdentityGuided:
    """FR-ANet's objective: ``{"attributes": ..., "identity": ...}``.

    The paper prints ``LOSS = sum_i loss_i + lambda L_ID`` (Eqs. 1 and 3): attributes are *summed*,
    so at lambda = 1 recognising the person weighs as much as one attribute of forty. Here the
    whole is divided by M: attributes are averaged, as everywhere in this library, and
    ``lambda / M`` stands before the identity loss. lambda is the paper's, the minimum is the
    paper's, and AdamW does not see the factor.

    Args:
        lambda_id: lambda, in the paper's unit. At 0 the branch learns nothing and guides nothing.

    Raises:
        TrainingError: negative or not finite.
    """

    def __init__(self, lambda_id: float = 1.0):
        self.lambda_id = check_lambda(lambda_id)

    def __call__(self, model: nn.Module, faces: Faces) -> dict[str, Tensor]:
        """Losses of a batch; faces of nobody known have no identity loss.

        Raises:
            DataError: no labels, no identities, or a model that recognises nobody.
        """
        outputs = model(faces.images)
        logits = outputs.logits  # (B, M)
        identity = identity_loss(outputs.identity_logits, identity_targets(model, faces))  # Eq. 2
        return {
            "attributes": cross_entropy(logits, faces.attributes),  # Eq. 1, over M
            "identity": self.lambda_id / logits.shape[1] * identity,  # Eq. 3, over M
        }


def recognition_loss(model: nn.Module, faces: Faces) -> dict[str, Tensor]:
    """ID Net's objective: recognise people, ``{"identity": scalar}``, and nothing else.

    Raises:
        DataError: no identities, or a model that recognises nobody.
    """
    outputs = model(faces.images)
    return {"identity": identity_loss(outputs.identity_logits, identity_targets(model, faces))}


def identity_targets(model: nn.Module, faces: Faces) -> Tensor:
    """Which logit each face should raise, ``(B,)``; -1 where its person has none.

    Raises:
        DataError: the faces have no identities, or the model recognises nobody.
    """
    people = getattr(model, "people", None)
    if not isinstance(people, IdentityBranch):
        raise DataError(
            f"this {type(model).__name__} has no identity branch: train it with attribute_loss, or "
            "build FRANet with identity='merged' or 'separate'"
        )
    if faces.identity is None:
        raise DataError(
            "these faces do not say who they are: add their identities, or train without them "
            "(mcnn)"
        )
    return people.targets(faces.identity)
