"""Algorithm 1 of MTFAP: stochastic sub-gradient descent on ``f(L) + gamma |L|_*``, factored.

The matrix is kept as ``U Sigma V^T`` and never formed. A sub-gradient G of the whole objective is
looked at through a probing matrix Y with ``E[Y Y^T] = I`` only, so that a step changes the matrix
by something of rank k; two QR factorisations and the SVD of a small matrix restore the form
(after Avron, Kale, Kasiviswanathan and Sindhwani, 2012).

Where the print leaves a choice:

- *The probing matrix.* ``Y = Z / k`` with k columns drawn from ``sqrt(n) e_1 ... sqrt(n) e_n`` has
  ``E[Y Y^T] = I / k``; the stated ``E[Y Y^T] = I`` needs ``Z / sqrt(k)``, which is taken here.
- *The rank.* Every update adds k to the rank, up to that of any m x n matrix. ``rank`` keeps the
  largest singular values only; None is as printed. In MTFAP, L has K columns and the rank cannot
  pass K.
- *The sub-gradient.* ``L (L^T L)^(-1/2)`` is not defined where L lacks rank; ``U V^T`` over the
  singular values above 0 is a sub-gradient everywhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.sparse.proximal import (
    Descent,
    Loss,
    Track,
    check_weight,
    value_and_gradient,
)

#: The paper's nu, with which a step is ``nu |Z|_F^2``.
NU = 0.009


class Factors(NamedTuple):
    """A matrix ``(m, n)`` of rank r as its singular value decomposition.

    Attributes:
        u: ``(m, r)``. sigma: ``(r,)``, largest first. v: ``(n, r)``.
    """

    u: Tensor
    sigma: Tensor
    v: Tensor

    @property
    def matrix(self) -> Tensor:
        """``U Sigma V^T``, ``(m, n)``."""
        return (self.u * self.sigma) @ self.v.mT

    @property
    def sign(self) -> tuple[Tensor, Tensor]:
        """The columns of U and V whose singular values are above 0: ``|L|_*`` has U V^T there."""
        some = self.sigma > self.sigma.amax().clamp(min=0) * 1e-7 if len(self.sigma) else []
        return self.u[:, some], self.v[:, some]


def factorize(matrix: Tensor, rank: int | None = None) -> Factors:
    """The SVD of ``(m, n)``, with at most ``rank`` singular values.

    Raises:
        DataError: a matrix that is not finite, or a rank below 1.
    """
    if matrix.ndim != 2 or not matrix.isfinite().all():
        raise DataError("Algorithm 1 needs one finite matrix (m, n): check the data for NaN")
    if rank is not None and rank < 1:
        raise DataError(f"rank={rank}: give a whole number of at least 1, or None")
    u, sigma, vh = torch.linalg.svd(matrix.detach(), full_matrices=False)
    return Factors(u[:, :rank], sigma[:rank], vh[:rank].mT)


def probing_matrix(
    size: int, columns: int, generator: torch.Generator | None = None, like: Tensor | None = None
) -> Tensor:
    """A random Y ``(n, k)`` with ``E[Y Y^T] = I``: scaled identity vectors, drawn independently.

    Args:
        size: n. columns: k.
        generator: of the draws, on the CPU.
        like: a tensor whose dtype and device Y has.

    Raises:
        DataError: fewer than one row or column.
    """
    if size < 1 or columns < 1:
        raise DataError(f"a probing matrix of {size} x {columns}: give at least 1 x 1")
    which = torch.randint(size, (columns,), generator=generator)
    z = torch.zeros(size, columns)
    z[which, torch.arange(columns)] = size**0.5  # Z: columns sqrt(n) e_j
    y = z / columns**0.5  # printed: Z / k
    return y if like is None else y.to(like)


def paper_step(size: int, columns: int, nu: float = NU) -> float:
    """``eta = nu |Z|_F^2``, which is ``nu n k`` for every draw of Z."""
    return nu * size * columns


def fast_ssgd_update(
    factors: Factors,
    gradient: Tensor,
    probe: Tensor,
    *,
    rate: float,
    gamma: float = 0.0,
    rank: int | None = None,
) -> Factors:
    """One update of Algorithm 1; the number of each line stands beside it.

    Args:
        factors: U, Sigma, V of L ``(m, n)``.
        gradient: of the loss f at L, ``(m, n)``.
        probe: Y ``(n, k)``.
        rate: eta.
        gamma: of the nuclear norm.
        rank: keep so many singular values; None, as printed, all.

    Returns:
        Factors of ``L - eta G Y Y^T`` with ``G = df/dL + gamma U V^T``.
    """
    u, v = factors.sign
    product = gradient @ probe + gamma * (u @ (v.mT @ probe))  # 2: S = G Y, (m, k)
    left = torch.cat([factors.u * factors.sigma, product], dim=1)  # 3: [U Sigma, S]
    right = torch.cat([factors.v, -rate * probe], dim=1)  # 4: [V, -eta Y]
    q_u, r_u = torch.linalg.qr(left)  # 5
    q_v, r_v = torch.linalg.qr(right)  # 6
    t = r_u @ r_v.mT  # 7
    m, sigma, nh = torch.linalg.svd(t, full_matrices=False)  # 8: T = M Sigma N^T
    u, v = q_u @ m, q_v @ nh.mT  # 9, 10
    keep = min(len(sigma), *(size for size in (rank, len(u), len(v)) if size is not None))
    return Factors(u[:, :keep], sigma[:keep], v[:, :keep])  # 11, 12


def nuclear_descent(
    loss: Loss,
    start: Tensor,
    *,
    gamma: float,
    rate: float,
    steps: int = 1000,
    columns: int | None = None,
    rank: int | None = None,
    decay: float = 0.0,
    seed: int = 0,
) -> Descent:
    """Minimise ``loss(L) + gamma |L|_*`` by Algorithm 1.

    A sub-gradient step may go up, and the last point of a fixed rate circles around the minimum:
    the best point is returned.

    Args:
        loss: convex, of ``(m, n)``.
        start: where to begin.
        gamma: of the nuclear norm.
        rate: eta of the first step; the paper's is :func:`paper_step`.
        steps: how many.
        columns: k of the probing matrix; None looks at the whole sub-gradient (Y = I).
        rank: keep so many singular values.
        decay: the rate of step t is ``rate / (1 + decay t)``; 0 is the paper's fixed rate.
        seed: of the probing matrices.

    Raises:
        DataError: as :func:`factorize`; a negative gamma or decay, or a rate that is not above 0.
        TrainingError: the loss is not finite.
    """
    check_weight(gamma=gamma, decay=decay)
    if not 0 < rate < math.inf:
        raise DataError(f"rate={rate}: give a finite step size above 0")
    factors = factorize(start, rank)
    generator = torch.Generator().manual_seed(seed)
    track = Track("Algorithm 1")
    best, found = float("inf"), start
    for step in range(steps + 1):
        point = factors.matrix
        value, gradient = value_and_gradient(loss, point)
        now = track.note(value + gamma * factors.sigma.sum())
        if now < best:
            best, found = now, point
        if step == steps:
            break
        if columns is None:
            probe = torch.eye(start.shape[1], dtype=start.dtype, device=start.device)
        else:
            probe = probing_matrix(start.shape[1], columns, generator, start)
        factors = fast_ssgd_update(
            factors, gradient, probe, rate=rate / (1 + decay * step), gamma=gamma, rank=rank
        )
    return track.end(found)
