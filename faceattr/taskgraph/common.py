"""What all steps share: distances of tasks, Laplacians, and what a step returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from faceattr.errors import DataError


@dataclass(frozen=True)
class TaskGraph:
    """What a step for the graph returns; leading dimensions are those of the weights.

    Attributes:
        matrix: ``A (..., M, M)`` of the regulariser ``Tr(W A W^T)``, Eq. 14.
        adjacency: ``(..., M, M)`` weights of the edges, at least 0, zero diagonal. For the steps
            that learn a Laplacian ``A = I + L`` it is ``I - A`` off the diagonal.
        objective: ``(...)`` what was minimised.
        gap: ``(...)`` a bound on how far above its minimum that is: the duality gap, 0 where the
            answer is a closed form.
        iterations: of the solver.

    Raises:
        DataError: entries of A that are not finite, where the settings of the step are out of
            proportion.
    """

    matrix: Tensor
    adjacency: Tensor
    objective: Tensor
    gap: Tensor
    iterations: int = 0

    def __post_init__(self):
        if not self.matrix.isfinite().all():
            raise DataError(
                "the graph has weights that are not finite: the settings of its step must be near "
                "the tasks' distances"
            )


def check_weights(weights: Tensor) -> Tensor:
    """The weights of the tasks in float64, detached.

    Raises:
        DataError: not ``(..., d, M)`` with two tasks or more, not finite, or so large that their
            distances are not.
    """
    if weights.ndim < 2 or weights.shape[-1] < 2 or not weights.numel():
        raise DataError(
            f"weights {tuple(weights.shape)} hold no tasks to relate: give (..., d, M), a column "
            "of d weights for each of M >= 2 tasks"
        )
    if not weights.isfinite().all():
        task = int((~weights.isfinite()).nonzero()[0, -1])
        raise DataError(
            f"the weights of task {task} are not finite, and no graph can be learned from them: "
            "train again at a lower rate"
        )
    tasks = weights.detach().double()
    if not tasks.square().sum((-2, -1)).isfinite().all():
        raise DataError(
            f"weights of {float(tasks.abs().max()):.0e} have distances that no number holds: "
            "scale them"
        )
    return tasks


def check_positive(**settings: float) -> None:
    """See that numbers are finite and above 0.

    Raises:
        DataError: names the first that is not.
    """
    for name, value in settings.items():
        if not 0 < value < float("inf"):
            raise DataError(f"{name}={value}: give a finite number above 0")


def task_distances(weights: Tensor) -> Tensor:
    """Squared distances of all pairs of tasks, ``z_ij = |w_i - w_j|^2``.

    Args:
        weights: ``(..., d, M)``.

    Returns:
        ``(..., M, M)``, symmetric, zero diagonal.
    """
    gram = weights.mT @ weights  # (..., M, M)
    length = gram.diagonal(dim1=-2, dim2=-1)  # (..., M)
    distance = length[..., :, None] + length[..., None, :] - 2 * gram
    off = 1 - torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return (distance + distance.mT).clamp(min=0) / 2 * off  # (..., M, M)


def laplacian(adjacency: Tensor) -> Tensor:
    """``L = D - M``, Eqs. 9 and 10: ``(..., M, M)`` edge weights to their Laplacian."""
    return torch.diag_embed(adjacency.sum(-1)) - adjacency  # (..., M, M)


def regulariser(weights: Tensor, matrix: Tensor) -> Tensor:
    """``Tr(W A W^T)``, Eqs. 11 and 13, the penalty of Eq. 14.

    With ``A = I + L`` it is ``sum_q |w_q|^2 + sum_(i<j) m_ij |w_i - w_j|^2``. Eq. 7 sums over
    ordered pairs, every pair twice, and Eq. 8 equates that with ``sum_ij L_ij w_i^T w_j``, which
    counts it once: a factor 2 that any xi absorbs.

    Args:
        weights: ``W (..., d, M)``. matrix: ``A (..., M, M)``.

    Returns:
        ``(...)``.
    """
    return ((weights @ matrix) * weights).sum((-2, -1))  # (...)


def as_graph(
    adjacency: Tensor, objective: Tensor, gap: Tensor, iterations: int, like: Tensor
) -> TaskGraph:
    """A learned Laplacian graph with ``A = I + L`` (Eq. 12), in the dtype of the weights."""
    eye = torch.eye(adjacency.shape[-1], dtype=adjacency.dtype, device=adjacency.device)
    matrix = eye + laplacian(adjacency)  # Eq. 12
    kept = like.dtype if like.is_floating_point() else torch.float32
    parts = (matrix, adjacency, objective, gap)
    return TaskGraph(*(part.to(kept) for part in parts), iterations)
