"""The log-degree step (Kalofolias, 2016): no task may stay alone.

    A <- argmin Tr(W A W^T) - alpha/2 sum_i log d_i + beta/2 sum_(i<j) m_ij^2
         s.t.  A 1 = 1,  A_off <= 0,   d_i = sum_j m_ij

Half of the source's objective, which sums over both triangles of the adjacency matrix: alpha and
beta are its own. The logarithm keeps every degree above 0, and the square keeps single edges from
taking it all. Optimality: with ``l_i = alpha / (2 d_i)``,

    z_ij + beta m_ij - l_i - l_j >= 0,  and = 0 where m_ij > 0.
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


def log_degree_step(weights: Tensor, *, alpha: float = 1.0, beta: float = 1.0) -> TaskGraph:
    """The graph of the log-degree step.

    Args:
        weights: ``W (..., d, M)``.
        alpha: of the barrier: scales the degrees.
        beta: of the squares: more of it spreads a degree over more edges.

    Returns:
        The graph, ``A = I + L``.

    Raises:
        DataError: weights that are no tasks or not finite; alpha or beta that is not positive; no
            minimum was found, where distances and alpha differ by many powers of ten.
    """
    check_positive(alpha=alpha, beta=beta)
    tasks = check_weights(weights)
    distance = task_distances(tasks)
    *lead, count, _ = distance.shape
    distance = distance.reshape(-1, count, count)  # (B, M, M)

    def barrier(lam: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = -alpha / (2 * lam), alpha / (2 * lam * lam)
        return -alpha / 2 * lam.log().sum(-1), first, torch.diag_embed(second)

    # far enough up that every pair is joined
    start = distance.amax((-2, -1), keepdim=True)[..., 0].expand(-1, count) + (alpha * beta) ** 0.5
    lam, steps = solve_dual(distance, beta, barrier, start, positive=True)
    edges = edges_of(lam, distance, beta)
    degree = edges.sum(-1)  # (B, M)
    squares = edges.square().sum((-2, -1)) / 2
    primal = (edges * distance).sum((-2, -1)) / 2 + beta / 2 * squares
    primal = primal - alpha / 2 * degree.log().sum(-1)
    dual = alpha / 2 * (1 + (2 * lam / alpha).log()).sum(-1) - beta / 2 * squares
    gap = primal - dual
    if not (gap <= 1e-6 * primal.abs().clamp(min=alpha)).all():
        raise DataError(
            f"the log-degree step found no minimum (gap {float(gap.max()):.1e}): scale the weights "
            "so that distances are near 1, as learn_graph does, or choose alpha and beta near them"
        )
    squared = tasks.square().sum((-2, -1))
    return as_graph(
        edges.reshape(*lead, count, count),
        primal.reshape(lead) + squared,
        torch.clamp(gap, min=0).reshape(lead),
        steps,
        weights,
    )
