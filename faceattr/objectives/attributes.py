"""The sigmoid cross entropy of all attributes, plain and weighted."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.errors import DataError

Objective = Callable[[nn.Module, Faces], dict[str, Tensor]]


def cross_entropy(
    logits: Tensor, labels: Tensor | None, pos_weight: Tensor | None = None
) -> Tensor:
    """Sigmoid cross entropy in nats, averaged over the labels that are known.

    Entries below 0 (:data:`faceattr.data.faces.UNKNOWN`) are left out. Where a batch has no known
    label at all the loss is 0 and so is its gradient, and the step goes on.

    Args:
        logits: ``(B, M)``.
        labels: ``(B, M)`` in {0, 1}, -1 where nobody labelled.
        pos_weight: ``(M,)`` factors on the loss of positive labels.

    Raises:
        DataError: there are no labels, or of another shape than the logits.
    """
    if labels is None:
        raise DataError(
            "these faces have no attribute labels to learn from: "
            "use a data set with labels, or another objective"
        )
    if labels.shape != logits.shape:
        raise DataError(
            f"labels {tuple(labels.shape)} do not match logits {tuple(logits.shape)}: build the "
            f"model with num_attributes={labels.shape[-1]}"
        )
    known = (labels >= 0).to(logits.dtype)  # (B, M)
    loss = F.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0).to(logits.dtype), weight=known, pos_weight=pos_weight,
        reduction="sum",
    )  # fmt: skip
    return loss / known.sum().clamp(min=1)


def attribute_loss(model: nn.Module, faces: Faces) -> dict[str, Tensor]:
    """PaW's ``L_attr``: sigmoid cross entropy of all attributes, ``{"attributes": scalar}``.

    The paper prints ``L_attr = sum_j y_j log o_j + (1 - y_j) log(1 - o_j)``, which is the
    log-likelihood: larger is better. Its negative is the loss, and is what is computed here, from
    logits rather than from ``o_j`` so that a confident score does not overflow. It is averaged
    over faces and attributes (the paper sums over attributes), so that it reads the same for
    any number of them; labels that are unknown are left out.
    """
    return {"attributes": cross_entropy(model(faces.images).logits, faces.attributes)}


def weighted(prevalence: Tensor, strength: float = 1.0) -> Objective:
    """An :func:`attribute_loss` in which the rare label of each attribute counts for more.

    A positive label of attribute j weighs ``((1 - p_j) / p_j) ** strength``: at strength 1
    positives and negatives pull equally hard, which trades plain accuracy for balanced accuracy;
    at 0 it is :func:`attribute_loss`.

    Args:
        prevalence: ``(M,)`` shares of positives, strictly between 0 and 1.
        strength: exponent, 0 to 1.

    Raises:
        DataError: a prevalence of 0 or 1 has no weight.
    """
    prevalence = torch.as_tensor(prevalence, dtype=torch.float32)
    if not ((prevalence > 0) & (prevalence < 1)).all():
        raise DataError(
            "weighted() needs prevalences strictly between 0 and 1: "
            "clamp them, for example prevalence.clamp(0.01, 0.99)"
        )
    pos_weight = ((1 - prevalence) / prevalence) ** strength  # (M,)

    def weighted_attribute_loss(model: nn.Module, faces: Faces) -> dict[str, Tensor]:
        logits = model(faces.images).logits
        weight = pos_weight.to(logits)
        return {"attributes": cross_entropy(logits, faces.attributes, weight)}

    return weighted_attribute_loss
