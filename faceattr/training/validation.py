"""The few numbers that are cheap enough for every epoch; ``evaluation.evaluate`` gives the rest."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from faceattr.data.faces import UNKNOWN, FaceDataset
from faceattr.models.base import FaceModel


@torch.no_grad()
def quick_metrics(model: FaceModel, data: FaceDataset, batch_size: int = 256) -> dict[str, float]:
    """Accuracy, balanced accuracy and loss over the labels that are known.

    Args:
        model: in evaluation mode, on any device.
        data: faces with labels.
        batch_size: faces in one forward pass.

    Returns:
        ``accuracy``: share of correct labels, mean over attributes. ``balanced_accuracy``: mean of
        the shares among positives and among negatives, over the attributes that have both (NaN
        where none has). ``loss``: mean binary cross-entropy of the logits, mean over labels.
    """
    device = next(model.parameters(), model.mean).device
    right = torch.zeros(2, len(data.names), dtype=torch.float64, device=device)  # (2, M)
    number, loss = torch.zeros_like(right), torch.zeros((), dtype=torch.float64, device=device)
    for faces in data.batches(batch_size, device=device):
        logits, truth = model(faces.images).logits.float(), faces.attributes  # (B, M) both
        known = truth != UNKNOWN
        correct = (logits > 0) == (truth > 0.5)
        for answer in (0, 1):
            here = known & (truth == answer)
            right[answer] += (correct & here).sum(0)
            number[answer] += here.sum(0)
        each = binary_cross_entropy_with_logits(logits, truth.clamp(min=0), reduction="none")
        loss += (each * known).sum()
    accuracy = right.sum(0) / number.sum(0)  # (M,), NaN for an attribute that nobody labelled
    balanced = (right / number).mean(0)  # (M,), NaN where an answer never occurs
    return {
        "accuracy": accuracy.nanmean().item(),
        "balanced_accuracy": balanced.nanmean().item(),
        "loss": (loss / number.sum()).item(),
    }
