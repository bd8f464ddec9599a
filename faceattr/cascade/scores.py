"""How good found faces are: average precision of detection, normalised error of landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou


def match(boxes: Tensor, scores: Tensor, truth: Tensor, iou: float = 0.5) -> Tensor:
    """Which true face each found one is: greedily, the surest first, each face once.

    As in PASCAL VOC: a found box goes to the true face that it overlaps most; if that is taken
    already, or the overlap is less than ``iou``, it is a false alarm.

    Args:
        boxes: ``(K, 4)`` xyxy. scores: ``(K,)``. truth: ``(T, 4)``.
        iou: least intersection over union.

    Returns:
        ``(K,)`` int64, the row of the true face, -1 for a false alarm.
    """
    found = torch.full((len(boxes),), -1, dtype=torch.int64)
    if not len(boxes) or not len(truth):
        return found
    overlap, best = box_iou(boxes.float(), truth.float()).max(1)  # (K,)
    taken = set()
    for k in scores.argsort(descending=True, stable=True).tolist():
        face = int(best[k])
        if overlap[k] >= iou and face not in taken:
            taken.add(face)
            found[k] = face
    return found


def average_precision(
    boxes: Sequence[Tensor], scores: Sequence[Tensor], truth: Sequence[Tensor], iou: float = 0.5
) -> float:
    """Average precision of detection over pictures: ``sum_k (R_k - R_(k-1)) P_k``.

    Recall counts all true faces, found or not; found faces of equal score enter together, as
    scikit-learn has it (the tests hold this against it).

    Args:
        boxes, scores: of each picture, ``(K, 4)`` and ``(K,)``.
        truth: of each picture, ``(T, 4)``.
        iou: least intersection over union of a found and a true box.

    Returns:
        In [0, 1]; NaN where there is no true face at all.
    """
    total = sum(len(t) for t in truth)
    if not total:
        return float("nan")
    hits = [match(b, s, t, iou) >= 0 for b, s, t in zip(boxes, scores, truth, strict=True)]
    if not hits or not sum(len(h) for h in hits):
        return 0.0
    right, sure = torch.cat(hits).double(), torch.cat([s.double() for s in scores])
    order = sure.argsort(descending=True, stable=True)
    right, sure = right[order], sure[order]
    found = right.cumsum(0)
    last = torch.ones(len(sure), dtype=torch.bool)
    last[:-1] = sure[1:] != sure[:-1]  # the last of each tie
    found, number = found[last], (torch.arange(len(sure), dtype=torch.float64) + 1)[last]
    gained = torch.diff(found, prepend=found.new_zeros(1))
    return float((gained / total * found / number).sum())


def landmark_error(landmarks: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of the five landmarks, in distances between the true eyes.

    Args:
        landmarks, truth: ``(K, 5, 2)``, in CelebA's order: the eyes first.

    Returns:
        ``(K,)``; infinite where the true eyes are at one place.
    """
    eyes = (truth[:, 0] - truth[:, 1]).norm(dim=-1)  # (K,)
    return (landmarks - truth).norm(dim=-1).mean(1) / eyes
