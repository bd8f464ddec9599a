"""The log-determinant step: line 7 of Algorithm 3 with the term that a precision matrix has.

    A <- argmin Tr(W A W^T) - alpha log det A + sparsity sum_(i<j) m_ij
         s.t.  A 1 = 1,  A_off <= 0

This is the estimate of a Laplacian-constrained precision matrix (Egilmez, Pavez and Ortega, 2017:
``Tr(Theta K) - log det Theta``) within the paper's own set: ``A = I + L``. The determinant rewards
edges, and more so the better they join what is not joined yet; the distance of their tasks is
their price. In the edge weights m >= 0 the objective is convex, and with ``P = A^-1``, ``r_ij =
P_ii + P_jj - 2 P_ij`` its optimality conditions read

    z_ij + sparsity - alpha r_ij >= 0,  and = 0 where m_ij > 0.

At the empty graph every r is 2: pairs farther apart than ``2 alpha`` are never asked. The
objective is minimised by projected gradient descent in the metric of its diagonal curvature
``alpha r_ij^2``, with Barzilai and Borwein's step and a non-monotone line search (Birgin, Martinez
and Raydan, 2000), until the duality gap is small.
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

#: Values that the line search looks back on.
_MEMORY = 5
#: Share of the decrease that the gradient promises with which the line search is content.
_DECREASE = 1e-4
#: Steps between two looks at the duality gap, which cost half a step each: with some 16 steps to
#: go, looking at every fourth wastes least.
_BETWEEN = 4


def log_det_step(
    weights: Tensor,
    *,
    alpha: float = 0.3,
    sparsity: float = 0.0,
    tolerance: float = 1e-6,
    iterations: int = 5000,
) -> TaskGraph:
    """The graph of the log-determinant step.

    Args:
        weights: ``W (..., d, M)``, one graph for each of a batch.
        alpha: of the determinant; more of it makes more and stronger edges.
        sparsity: price of an edge beside the distance of its tasks.
        tolerance: largest duality gap, as a share of the objective (of alpha, if that is more).
        iterations: at most so many.

    Returns:
        The graph, ``A = I + L``. ``objective`` is that of the first line above.

    Raises:
        DataError: weights that are no tasks or not finite; equal tasks without ``sparsity``, whose
            edge costs nothing and would grow for ever; the tolerance is not reached.
    """
    check_positive(alpha=alpha, tolerance=tolerance)
    if not 0 <= sparsity < float("inf"):
        raise DataError(f"sparsity={sparsity}: give a finite number of at least 0")
    tasks = check_weights(weights)
    price = task_distances(tasks) + sparsity  # (..., M, M)
    *lead, count, _ = price.shape
    price = price.reshape(-1, count, count)  # (B, M, M)
    _check_price(price)
    squares = tasks.square().sum((-2, -1))  # (...), Tr(W W^T)
    solver = _Descent(price, alpha, squares.reshape(-1))
    done = 0
    while solver.open(tolerance) and done < iterations:
        for _ in range(_BETWEEN):
            solver.step()
        done += _BETWEEN
    if solver.open(tolerance):
        raise DataError(
            f"the log-det step is {float(solver.gap.max()):.1e} from its minimum after {done} "
            "iterations: raise sparsity, tolerance or iterations"
        )
    return as_graph(
        solver.edges.reshape(*lead, count, count),
        solver.value.reshape(lead),
        solver.gap.reshape(lead),
        done,
        weights,
    )


def _check_price(price: Tensor) -> None:
    itself = torch.eye(price.shape[-1], dtype=torch.bool, device=price.device)
    least = price.masked_fill(itself, torch.inf).amin((-2, -1), keepdim=True)
    free = least <= 1e-14 * price.amax((-2, -1), keepdim=True)  # 0 of 0 included
    if free.any():
        _, i, j = ((price == least) & free & ~itself).nonzero()[0].tolist()
        raise DataError(
            f"tasks {i} and {j} have the same weights, and the log-det step would join them by an "
            "edge that grows for ever: give sparsity above 0"
        )


class _Descent:
    """The solver's state for a batch of B graphs.

    Diagonals need no mask: edges and prices are 0 there, and r is ``P_ii + P_ii - 2 P_ii``.
    """

    def __init__(self, price: Tensor, alpha: float, squares: Tensor):
        batch, self.count, _ = price.shape
        self.alpha, self.price = alpha, price  # (B, M, M)
        self.half = price / 2  # each pair stands twice
        self.squares = squares  # (B,), |W|^2
        self.eye = torch.eye(self.count, dtype=price.dtype, device=price.device)
        self.ceiling = price.masked_fill(self.eye.bool(), torch.inf) / alpha
        self.edges = torch.zeros_like(price)  # (B, M, M)
        self.bound = price.new_full((batch,), -torch.inf)
        self.value, factor, self.logdet = self._value(self.edges)
        self.recent = [self.value]
        self.rate = price.new_full((batch,), 0.25)
        self.rounding = price.new_tensor(1e-12)
        self._differentiate(factor)

    @property
    def gap(self) -> Tensor:
        """Of each graph, ``(B,)``."""
        return self.value - self.bound

    def open(self, tolerance: float) -> bool:
        """Whether the gap of any graph is still too large.

        The bound: ``-log det A >= M - <X, A> + log det X`` for every positive definite X. With
        ``X = s A^-1`` and s as large as ``s alpha r_ij <= z_ij`` allows, no edge can lower it.
        """
        s = (self.ceiling / self.r).amin((-2, -1)).clamp(max=1)  # (B,)
        trace = self.diagonal.sum(-1)  # of A^-1
        bound = self.alpha * (self.count * (1 + s.log()) - self.logdet - s * trace) + self.squares
        self.bound = torch.maximum(self.bound, bound)
        return bool((self.gap > tolerance * self.value.abs().clamp(min=self.alpha)).any())

    def _value(self, edges: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Objective, Cholesky factor and log det of A."""
        matrix = self.eye - edges
        matrix.diagonal(dim1=-2, dim2=-1).add_(edges.sum(-1))  # A = I + L
        factor = torch.linalg.cholesky_ex(matrix)[0]
        logdet = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1).mul_(2)  # (B,)
        value = (edges * self.half).sum((-2, -1)).add_(self.squares).sub_(logdet, alpha=self.alpha)
        return value, factor, logdet

    def _differentiate(self, factor: Tensor) -> None:
        """Gradient and diagonal curvature at the present edges."""
        inverse = torch.cholesky_inverse(factor)  # P
        self.diagonal = inverse.diagonal(dim1=-2, dim2=-1).clone()  # (B, M)
        pairs = self.diagonal[..., :, None] + self.diagonal[..., None, :]
        self.r = pairs.sub_(inverse, alpha=2)  # (B, M, M)
        self.gradient = torch.sub(self.price, self.r, alpha=self.alpha)
        self.curvature = torch.addcmul(self.eye, self.r, self.r, value=self.alpha)

    def step(self) -> None:
        """One step of all graphs."""
        move = (self.gradient / self.curvature).mul_(self.rate[:, None, None])
        moved = torch.sub(self.edges, move).clamp_(min=0).sub_(self.edges)
        slope = (self.gradient * moved).sum((-2, -1)).mul_(_DECREASE / 2)
        worst = torch.stack(self.recent).amax(0)
        worst.addcmul_(worst.abs(), self.rounding)
        while True:
            edges = self.edges + moved
            value, factor, logdet = self._value(edges)
            enough = value <= worst + slope
            if enough.all():
                break
            length = torch.where(enough, 1.0, 0.5)  # of what it was
            moved, slope = moved * length[:, None, None], slope * length
        old, curvature = self.gradient, self.curvature
        self.edges, self.value, self.logdet = edges, value, logdet
        self.recent = [*self.recent[1 - _MEMORY :], value]
        self._differentiate(factor)
        bend = (self.gradient - old).mul_(moved).sum((-2, -1))
        square = (moved * moved).mul_(curvature).sum((-2, -1))
        self.rate = torch.where(bend > 0, square / bend, self.rate).clamp_(1e-10, 1e10)
