"""Metrics of binary attributes, for one test set or for many resamples of it at once.

A resample is a column of weights: how often it holds each face. Every metric here is a function of
weighted counts, so that a thousand resamples cost a few matrix products rather than a thousand
evaluations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.errors import DataError

#: What :func:`metrics` returns, in the order of tables.
METRICS: tuple[str, ...] = (
    "accuracy",
    "balanced_accuracy",
    "f1",
    "average_precision",
    "prevalence",
    "majority_accuracy",
)


def check_scores(logits: Tensor, labels: Tensor) -> None:
    """Refuse logits and labels that no metric can be computed from.

    Raises:
        DataError: shapes differ, a logit is not finite, or a label is none of 0, 1, -1.
    """
    if logits.shape != labels.shape or logits.ndim != 2:
        raise DataError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} must both be (N, M): "
            "evaluate a model with as many attributes as the data have"
        )
    if not torch.isfinite(logits).all():
        row, column = (~torch.isfinite(logits)).nonzero()[0].tolist()
        raise DataError(
            f"the logit of face {row}, attribute {column} is {logits[row, column].item()}: "
            "the model has diverged or was given broken images; train again at a lower rate"
        )
    strange = labels[(labels != 0) & (labels != 1) & (labels != -1)]
    if len(strange):
        raise DataError(
            f"a label is {strange[0].item():g}: labels are 0 and 1, or -1 where unknown; "
            "CelebA's -1/1 files are turned to 0/1 by faceattr.data.celeba"
        )


def metrics(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
    """All of :data:`METRICS` per attribute. An attribute is predicted where its logit is > 0.

    - accuracy: share of right answers.
    - balanced_accuracy: mean of the shares of right answers among positives and negatives.
    - f1: ``2 TP / (2 TP + FP + FN)``.
    - average_precision: ``sum_k (R_k - R_(k-1)) P_k`` over the distinct thresholds, as
      scikit-learn computes it; faces with equal scores enter together.
    - prevalence: share of positives.
    - majority_accuracy: accuracy of the label that is more frequent in the whole test set, given
      to every face; which label that is stays fixed over resamples.

    What is undefined is NaN: everything without a known label, f1 and average precision
    without a positive one, balanced accuracy without one of each.

    Args:
        logits: ``(N, M)``, or any scores that are positive for "yes".
        labels: ``(N, M)`` in {0, 1}, -1 where unknown (left out).
        weights: ``(N, R)`` counts, one column a resample; None counts each face once.

    Returns:
        Metric name to ``(R, M)`` float64, or ``(M,)`` without weights.

    Raises:
        DataError: see :func:`check_scores`.
    """
    check_scores(logits, labels)
    once = weights is None
    w = torch.ones(len(logits), 1) if weights is None else weights.float()  # (N, R)
    positive, known = (labels == 1).float(), (labels >= 0).float()  # (N, M)
    yes = (logits > 0).float() * known
    # counts are small integers, which float32 holds exactly up to 16 million
    tp, p, said, n = (
        (w.T @ column).double() for column in (yes * positive, positive, yes, known)
    )  # each (R, M)
    negatives = n - p
    tn = negatives - (said - tp)
    majority = 2 * positive.sum(0) >= known.sum(0)  # (M,)
    nan = torch.nan
    found = {
        "accuracy": (tp + tn) / n,  # 0 / 0 is NaN, as wanted
        "balanced_accuracy": (tp / p + tn / negatives) / 2,
        "f1": torch.where(p > 0, 2 * tp / (said + p), nan),
        "average_precision": average_precision(logits, labels, w),
        "prevalence": p / n,
        "majority_accuracy": torch.where(majority, p, negatives) / n,
    }
    return {name: value[0] if once else value for name, value in found.items()}


def average_precision(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Average precision of every resample, from one sort an attribute.

    Only thresholds at which a positive face enters add to the sum. So the weights are summed
    between one such threshold and the next, then accumulated over these alone: for rare
    attributes a small part of the faces.

    Args:
        logits: ``(N, M)``. labels: ``(N, M)``. weights: ``(N, R)`` float32 counts.

    Returns:
        ``(R, M)`` float64, NaN where a resample has no positive face.
    """
    columns = []
    for scores, truth in zip(logits.T, labels.T, strict=True):
        rows = (truth >= 0).nonzero()[:, 0]
        ordered, order = scores[rows].sort(descending=True, stable=True)
        rows, hit = rows[order], truth[rows[order]] == 1  # best first
        _, tie, size = ordered.unique_consecutive(return_inverse=True, return_counts=True)
        ends = size.cumsum(0)[tie[hit].unique()] - 1  # last row of each tie with a positive in it
        if not len(ends):
            columns.append(torch.full((weights.shape[1],), torch.nan, dtype=torch.float64))
            continue
        used = int(ends[-1]) + 1
        segment = torch.searchsorted(ends, torch.arange(used))
        zero = torch.zeros(len(ends), weights.shape[1])  # (K, R)
        entered = zero.index_add(0, segment, weights[rows[:used]])
        right = zero.index_add(0, segment[hit[:used]], weights[rows[:used][hit[:used]]])
        ranked, tp = entered.cumsum(0), right.cumsum(0)
        gained = right * tp / ranked.clamp(min=1)  # change of recall x precision
        columns.append(gained.sum(0, dtype=torch.float64) / tp[-1].double())
    return torch.stack(columns, dim=1)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error per attribute: ``sum_b n_b / n |mean p_b - share positive_b|``.

    Bins of equal width over the probability of "yes" (Guo et al., ICML 2017, take the confidence
    of the answer instead; for a binary attribute this form also sees a "yes" that is too timid).

    Args:
        probabilities: ``(N, M)``. labels: ``(N, M)`` in {0, 1}, -1 where unknown.
        bins: number of bins.

    Returns:
        ``(M,)`` float64, NaN where no label is known.
    """
    errors = []
    for p, y in zip(probabilities.T, labels.T, strict=True):
        table = reliability(p, y, bins)
        gap = (table["probability"] - table["positives"]).abs()
        share = table["faces"] / table["faces"].sum()
        errors.append((share * gap).nansum() if table["faces"].sum() else torch.tensor(torch.nan))
    return torch.stack([error.double() for error in errors])


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 10) -> dict[str, Tensor]:
    """What a reliability diagram draws, from ``(K,)`` probabilities and labels.

    Returns:
        Columns of ``bins`` rows: ``low``, ``high`` (edges), ``faces`` (how many),
        ``probability`` (mean of what was said) and ``positives`` (share that is), float64;
        the last two are NaN in an empty bin.
    """
    known = labels >= 0
    p, y = probabilities[known].double(), labels[known].double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = (torch.bucketize(p, edges, right=True) - 1).clamp(0, bins - 1)
    faces = torch.bincount(place, minlength=bins).double()
    return {
        "low": edges[:-1],
        "high": edges[1:],
        "faces": faces,
        "probability": torch.bincount(place, weights=p, minlength=bins) / faces,
        "positives": torch.bincount(place, weights=y, minlength=bins) / faces,
    }
