"""Do two pictures show one person? Scores of pairs, and LFW's protocol (Huang et al., 2007).

Ten folds of people; the threshold that decides a fold is chosen on the other nine. What is
reported is the mean accuracy over the folds with its standard error, and from all pairs the ROC
curve, the area under it, and the share of pairs of one person that are accepted (TAR) where a
hundredth or a thousandth of the pairs of two people are (FAR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceattr.data.faces import FaceDataset
from faceattr.data.lfw import Pairs
from faceattr.device import resolve
from faceattr.errors import DataError
from faceattr.models.base import FaceModel
from faceattr.models.siamese import Siamese

#: Shares of pairs of two people that are accepted.
FAR = (1e-2, 1e-3)
#: Weights of the attributes' score that :func:`fuse` tries.
WEIGHTS = tuple(np.linspace(0, 1, 21).round(2).tolist())


@dataclass(frozen=True)
class Verification:
    """How well scores tell pairs of one person from pairs of two.

    Attributes:
        accuracy: mean over folds. error: its standard error, ``s / sqrt(folds)``.
        folds: accuracy of each. thresholds: of each, chosen on the others.
        auc: area under the ROC curve.
        tar: FAR to TAR: the largest share accepted while no more of the others are.
        far, tpr: the ROC curve, ``(K,)`` each, from (0, 0) to (1, 1).
        pairs: how many of one person, and of two.
    """

    accuracy: float
    error: float
    folds: list[float]
    thresholds: list[float] = field(repr=False)
    auc: float
    tar: dict[float, float]
    far: np.ndarray = field(repr=False)
    tpr: np.ndarray = field(repr=False)
    pairs: tuple[int, int] = (0, 0)

    def to_dict(self, *, curve: int = 0) -> dict[str, Any]:
        """JSON-able numbers; with ``curve``, so many points of the ROC curve as well."""
        row = {
            "accuracy": self.accuracy,
            "standard_error": self.error,
            "folds": self.folds,
            "auc": self.auc,
            "tar": {f"{far:g}": value for far, value in self.tar.items()},
            "pairs": list(self.pairs),
        }
        if curve:
            far = np.concatenate([[0], np.geomspace(1e-4, 1, curve - 1)])
            at = np.searchsorted(self.far, far, side="right") - 1
            row["roc"] = {"far": far.tolist(), "tar": self.tpr[at].tolist()}
        return row


def roc(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ROC curve at every distinct score: FAR, TAR and the threshold, ``(K,)`` each.

    A pair is accepted where its score is at least the threshold; the first one accepts none.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], same[order]
    last = np.append(np.diff(ordered) != 0, True)  # pairs of equal score enter together
    tpr, far = np.cumsum(hits)[last] / hits.sum(), np.cumsum(~hits)[last] / (~hits).sum()
    return np.append(0.0, far), np.append(0.0, tpr), np.append(np.inf, ordered[last])


def area(far: np.ndarray, tpr: np.ndarray) -> float:
    """Under a ROC curve, by trapezia: the chance that a pair of one person scores higher."""
    return float(np.sum(np.diff(far) * (tpr[1:] + tpr[:-1]) / 2))


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold with the highest accuracy, midway to the next score below; the highest such.

    Where it is best to accept no pair it is infinite, and minus infinity where it is best to
    accept every one: a new pair that scores higher, or lower, than all seen so far changes nothing.
    """
    far, tpr, thresholds = roc(scores, same)
    right = tpr * same.sum() + (1 - far) * (~same).sum()
    k = int(np.argmax(right))
    below = thresholds[k + 1] if k + 1 < len(thresholds) else -np.inf
    return float((thresholds[k] + below) / 2)


def verify(scores: Tensor | np.ndarray, pairs: Pairs) -> Verification:
    """LFW's protocol on scores of pairs.

    Args:
        scores: ``(P,)``, higher for one person; or ``(folds, P)``, a row for each fold where the
            score itself was chosen on the others, as :func:`fuse` does. The ROC curve then takes
            each pair from the row of its own fold.
        pairs: what they are scores of.

    Raises:
        DataError: another number of scores, scores that are not finite, fewer than two folds, or
            a fold without pairs of both kinds.
    """
    scores, same, fold = _checked(scores, pairs)
    numbers, row = np.unique(fold, return_inverse=True)
    rows = np.broadcast_to(scores, (len(numbers), len(same)))  # (folds, P)
    accuracies, thresholds = [], []
    for k, seen in zip(numbers, rows, strict=True):
        mine = fold == k
        threshold = best_threshold(seen[~mine], same[~mine])
        accuracies.append(float(((seen[mine] >= threshold) == same[mine]).mean()))
        thresholds.append(threshold)
    far, tpr, _ = roc(rows[row, np.arange(len(same))], same)
    tar = {level: float(tpr[far <= level].max()) for level in FAR}
    error = float(np.std(accuracies, ddof=1) / np.sqrt(len(accuracies)))
    counts = (int(same.sum()), int((~same).sum()))
    mean = float(np.mean(accuracies))
    return Verification(mean, error, accuracies, thresholds, area(far, tpr), tar, far, tpr, counts)


def _checked(scores: Tensor | np.ndarray, pairs: Pairs) -> tuple[np.ndarray, ...]:
    scores = np.asarray(scores, dtype=np.float64)
    same, fold = pairs.same.numpy(), pairs.fold.numpy()
    several = (len(np.unique(fold)), len(same))
    if scores.shape not in (same.shape, several):
        raise DataError(
            f"{scores.shape} scores for {len(same)} pairs: give one each, or {several} where each "
            "fold has scores of its own"
        )
    if not np.isfinite(scores).all():
        raise DataError("a score is not finite: the network has diverged; train it again")
    if len(np.unique(fold)) < 2:
        raise DataError("the protocol needs two folds or more: a threshold is chosen on the others")
    for k in np.unique(fold):
        if len(set(same[fold == k].tolist())) < 2:
            raise DataError(f"fold {k} lacks pairs of one person or of two: take other folds")
    return scores, same, fold


def fuse(
    identity: Tensor | np.ndarray,
    attributes: Tensor | np.ndarray,
    pairs: Pairs,
    weights: Sequence[float] = WEIGHTS,
) -> tuple[np.ndarray, list[float]]:
    """One score of two: ``(1 - w) z_identity + w z_attributes``.

    The paper does not say how its attributes enter the score. Here z are the scores standardised
    with mean and deviation of the other folds, and w is what gives the largest area under the ROC
    curve there. So each fold has scores of its own, and the threshold that decides it must be
    chosen on those: on the scores that other folds were given, its own pairs had a say.

    Args:
        identity, attributes: ``(P,)``, higher for one person.
        pairs: what they are scores of.
        weights: that are tried.

    Returns:
        Scores ``(folds, P)`` for :func:`verify`, those of all pairs as each fold sees them, and
        the weight of each fold.

    Raises:
        DataError: as :func:`verify`.
    """
    first, same, fold = _checked(identity, pairs)
    second, *_ = _checked(attributes, pairs)
    if first.ndim > 1 or second.ndim > 1:
        raise DataError("two scores are fused that are one number a pair each: (P,)")
    fused, chosen = [], []
    for k in np.unique(fold):
        rest = fold != k
        both = []
        for scores in (first, second):
            spread = scores[rest].std()
            both.append((scores - scores[rest].mean()) / (spread if spread > 0 else 1.0))
        mixed = {w: (1 - w) * both[0] + w * both[1] for w in weights}
        areas = {w: area(*roc(mix[rest], same[rest])[:2]) for w, mix in mixed.items()}
        best = max(areas, key=areas.get)
        fused.append(mixed[best])
        chosen.append(float(best))
    return np.stack(fused), chosen


@torch.no_grad()
def embed(
    model: FaceModel,
    data: FaceDataset,
    *,
    batch_size: int = 256,
    device: str | torch.device = "auto",
) -> tuple[Tensor | None, Tensor]:
    """Embeddings ``(N, E)`` (None for a network that is no Siamese) and probabilities ``(N, M)``.

    The model's mode and device are as before afterwards.

    Raises:
        DataError: the model cannot take these images, or a batch of no faces.
    """
    if batch_size < 1:
        raise DataError(f"batch_size={batch_size}: give a whole number of at least 1")
    device, home, was_training = resolve(device), model.mean.device, model.training
    model.to(device).eval()
    places, chances = [], []
    try:
        for faces in data.batches(batch_size, device=device):
            outputs = model(faces.images)
            chances.append(outputs.logits.float().sigmoid().cpu())
            if isinstance(model, Siamese):
                places.append(outputs.embedding.float().cpu())
    finally:
        model.to(home).train(was_training)
    return torch.cat(places) if places else None, torch.cat(chances)


def pair_scores(vectors: Tensor, pairs: Pairs) -> Tensor:
    """Minus the squared distance of each pair's vectors, ``(N, E)`` to ``(P,)``."""
    return -(vectors[pairs.a] - vectors[pairs.b]).square().sum(-1)


def attribute_scores(chances: Tensor, pairs: Pairs, columns: Sequence[int] | None = None) -> Tensor:
    """Scores of pairs from their attributes' probabilities, ``(N, M)`` to ``(P,)``.

    Args:
        chances: probabilities, or true labels.
        pairs: whose.
        columns: of the attributes that a person keeps; None for all.
    """
    kept = chances if columns is None else chances[:, list(columns)]
    return pair_scores(kept.float(), pairs)
