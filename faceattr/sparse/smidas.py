"""Algorithm 2 of MTFAP: SMIDAS, mirror descent that makes sparse (Shalev-Shwartz and Tewari, 2011).

Beside the weights s stands their mirror image ``theta = f(s)``. The gradient moves theta, entries
of theta that are small become exactly 0, and the inverse link brings the rest back. With the link
of the p-norm, entries compete: large ones move fast and small ones hardly at all.

The paper's ``p = 2 ln(d)`` falls below 2, where the theory ends, for vectors of one or two entries
(0 for one): p is kept at 2 or more here, and with p = 2 the link is the identity and SMIDAS is
proximal gradient descent. In MTFAP d is the number of basis tasks of a group, a few.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.sparse.proximal import (
    Descent,
    Loss,
    Track,
    check_weight,
    soft_threshold,
    value_and_gradient,
)

#: The paper's step size r.
RATE = 1e-3


def exponent(entries: int) -> float:
    """``p = max(2, 2 ln d)`` for vectors of d entries.

    Raises:
        DataError: no entries.
    """
    if entries < 1:
        raise DataError("SMIDAS needs vectors of at least one entry")
    return max(2.0, 2 * math.log(entries))


def _map(x: Tensor, power: float) -> Tensor:
    """``sign(x_j) |x_j|^(power - 1) / |x|_power^(power - 2)`` of each column; 0 of a zero column.

    Columns are divided by their largest entry first, so that no power overflows.
    """
    largest = x.abs().amax(0, keepdim=True)  # (1, ...)
    size = x.abs() / largest.clamp(min=torch.finfo(x.dtype).tiny)
    norm = size.pow(power).sum(0, keepdim=True).pow((power - 2) / power)
    mapped = x.sign() * size.pow(power - 1) / norm.clamp(min=torch.finfo(x.dtype).tiny)
    return largest * mapped


def link(s: Tensor, p: float) -> Tensor:
    """``theta = f(s)``, Eq. 4, with ``q = p / (p - 1)``: the gradient of ``|s|_q^2 / 2``.

    Args:
        s: ``(d,)`` or ``(d, T)``, a vector each column.
    """
    return _map(s, p / (p - 1))  # Eq. 4


def inverse_link(theta: Tensor, p: float) -> Tensor:
    """``s = f^-1(theta)``, Eq. 5: the gradient of ``|theta|_p^2 / 2``, a vector each column."""
    return _map(theta, p)  # Eq. 5


def smidas_update(
    theta: Tensor, gradient: Tensor, *, rate: float, weight: float, p: float
) -> tuple[Tensor, Tensor]:
    """One update of Algorithm 2; the number of each line stands beside it.

    Args:
        theta: the mirror image, ``(d,)`` or ``(d, T)``: columns are updated side by side.
        gradient: v, of the loss at s.
        rate: r. weight: lambda, of ``|s|_1``. p: of the link.

    Returns:
        The new theta, and ``s = f^-1(theta)``.
    """
    theta = theta - rate * gradient  # 3
    theta = soft_threshold(theta, rate * weight)  # 4: truncation
    return theta, inverse_link(theta, p)  # 5


def smidas(
    loss: Loss,
    start: Tensor,
    *,
    weight: float,
    rate: float = RATE,
    steps: int = 1000,
    tolerance: float = 0.0,
    p: float | None = None,
) -> Descent:
    """Minimise ``loss(s) + weight |s|_1`` by Algorithm 2, with the gradient of the whole loss.

    Args:
        loss: smooth and convex.
        start: ``(d,)`` or ``(d, T)``.
        weight: lambda.
        rate: r; too large a one diverges.
        steps: at most so many.
        tolerance: stop where ten steps in a row change the objective by less than this share.
        p: of the link, 2 or more; None takes :func:`exponent`.

    Raises:
        DataError: a negative weight, a start without entries, a p below 2 (at 1 its q is
            infinite), or a rate that is not above 0.
        TrainingError: the objective is not finite.
    """
    check_weight(weight=weight, tolerance=tolerance)
    p = exponent(len(start)) if p is None else p
    if not 2 <= p < math.inf:
        raise DataError(f"p={p}: the link of SMIDAS needs a finite p of at least 2")
    if not 0 < rate < math.inf:
        raise DataError(f"rate={rate}: give a finite step size above 0")
    track = Track("SMIDAS")
    s = start.detach()
    theta, quiet = link(s, p), 0
    for _ in range(steps):
        value, gradient = value_and_gradient(loss, s)  # 2
        now = track.note(value + weight * s.abs().sum())
        theta, s = smidas_update(theta, gradient, rate=rate, weight=weight, p=p)
        before = track.objective[-2] if len(track.objective) > 1 else math.inf
        quiet = quiet + 1 if abs(before - now) <= tolerance * abs(now) else 0
        if tolerance and quiet >= 10:
            break
    track.note(loss(s).detach() + weight * s.abs().sum())
    return track.end(s)
