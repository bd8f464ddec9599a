"""The Frobenius step (Dong, Thanou, Frossard and Vandergheynst, 2016): so much edge, well spread.

    A <- argmin Tr(W A W^T) + beta |L|_F^2
         s.t.  A = I + L,  A 1 = 1,  A_off <= 0,  Tr(L) = M

The trace fixes how much edge weight there is in all, the square of L keeps it from falling on one
pair. A quadratic program. Optimality: there is a nu (the price of the trace) with

    z_ij + 4 beta m_ij + 2 beta (d_i + d_j) >= nu,  and = nu where m_ij > 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.taskgraph.common import (
    TaskGraph,
    as_graph,
    check_positive,
    check_weights,
    task_distances,
)
from faceattr.taskgraph.dual import edges_of, solve_dual


def frobenius_step(weights: Tensor, *, beta: float = 0.1) -> TaskGraph:
    """The graph of the Frobenius step.

    Args:
        weights: ``W (..., d, M)``.
        beta: of the square: 0 would give all weight to the nearest pair, a large one gives the
            complete graph.

    Returns:
        The graph, ``A = I + L`` with ``Tr(L) = M``.

    Raises:
        DataError: weights that are no tasks or not finite; beta that is not positive; no minimum
            was found, where distances and beta differ by many powers of ten.
    """
    check_positive(beta=beta)
    tasks = check_weights(weights)
    distance = task_distances(tasks)
    *lead, count, _ = distance.shape
    distance = distance.reshape(-1, count, count)  # (B, M, M)
    eye = torch.eye(count, dtype=distance.dtype, device=distance.device)

    def part(lam: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = lam.mean(-1, keepdim=True)
        value = (lam - mean).square().sum(-1) / (4 * beta) - count * mean[:, 0]
        second = ((eye - 1 / count) / (2 * beta)).expand(len(lam), -1, -1)
        return value, (lam - mean) / (2 * beta) - 1, second

    c = 4 * beta
    start = distance.amax((-2, -1), keepdim=True)[..., 0].expand(-1, count) + c
    lam, steps = solve_dual(distance, c, part, start, positive=False)
    edges = edges_of(lam, distance, c)
    edges = edges * count / edges.sum((-2, -1), keepdim=True)  # Tr(L) = M exactly
    squares = edges.sum(-1).square().sum(-1) + edges.square().sum((-2, -1))  # |L|_F^2
    primal = (edges * distance).sum((-2, -1)) / 2 + beta * squares
    dual = -part(lam)[0] + beta * count - c / 4 * edges_of(lam, distance, c).square().sum((-2, -1))
    gap = primal - dual
    if not (gap <= 1e-6 * primal.abs().clamp(min=beta)).all():
        raise DataError(
            f"the Frobenius step found no minimum (gap {float(gap.max()):.1e}): scale the weights "
            "so that distances are near 1, as learn_graph does, or choose beta near them"
        )
    squared = tasks.square().sum((-2, -1))
    return as_graph(
        edges.reshape(*lead, count, count),
        primal.reshape(lead) + squared,
        torch.clamp(gap, min=0).reshape(lead),
        steps,
        weights,
    )
