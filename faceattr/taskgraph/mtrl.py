"""MTRL's step (Zhang and Yeung, 2010): a covariance of tasks, in closed form.

    Omega <- argmin Tr(W Omega^-1 W^T)   s.t.  Omega >= 0,  Tr(Omega) = t
           = t (W^T W)^(1/2) / Tr((W^T W)^(1/2))

``A = Omega^-1`` takes the place of ``I + L``. It is no Laplacian: tasks may also be tied as
opposites, which distances between weights cannot say. Its graph is therefore the absolute
correlation ``|Omega_ij| / sqrt(Omega_ii Omega_jj)``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.taskgraph.common import TaskGraph, check_positive, check_weights


def mtrl_step(weights: Tensor, *, trace: float | None = None, epsilon: float = 1e-3) -> TaskGraph:
    """The covariance of tasks that MTRL learns.

    Args:
        weights: ``W (..., d, M)``.
        trace: t; the source's is 1. None takes M, with which unrelated tasks of equal length get
            ``A = I``, as in Eq. 12.
        epsilon: share of the mean eigenvalue that is added to each of them, so that the inverse
            exists where tasks are fewer-dimensional than many (the source adds one too).

    Returns:
        ``matrix`` is ``Omega^-1``, ``adjacency`` the absolute correlations; where all weights are
        0, ``Omega`` is ``t I / M``. The gap is 0 for the Omega before epsilon was added, of which
        ``objective`` is the value: ``Tr((W^T W)^(1/2))^2 / t``.

    Raises:
        DataError: weights that are no tasks or not finite; a trace or epsilon not above 0.
    """
    tasks = check_weights(weights)
    count = tasks.shape[-1]
    trace = float(count) if trace is None else trace
    check_positive(trace=trace, epsilon=epsilon)
    values, vectors = torch.linalg.eigh(tasks.mT @ tasks)  # (..., M), (..., M, M)
    roots = values.clamp(min=0).sqrt()
    total = roots.sum(-1, keepdim=True)  # (..., 1)
    empty = total == 0
    roots = torch.where(empty, torch.ones_like(roots), roots)
    whole = roots.sum(-1, keepdim=True)
    lifted = roots + epsilon * whole / count
    lifted = trace * lifted / lifted.sum(-1, keepdim=True)  # eigenvalues of Omega
    omega = (vectors * lifted[..., None, :]) @ vectors.mT
    inverse = (vectors / lifted[..., None, :]) @ vectors.mT
    size = omega.diagonal(dim1=-2, dim2=-1).sqrt()
    off = 1 - torch.eye(count, dtype=tasks.dtype, device=tasks.device)
    related = (omega / (size[..., :, None] * size[..., None, :])).abs() * off
    objective = total[..., 0].square() / trace
    kept = weights.dtype if weights.is_floating_point() else torch.float32
    parts = (inverse, related, objective, torch.zeros_like(objective))
    return TaskGraph(*(part.to(kept) for part in parts), 0)
