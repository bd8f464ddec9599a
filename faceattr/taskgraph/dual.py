"""Two of the steps through their duals: M multipliers of the degrees in place of M(M-1)/2 edges.

Both minimise ``sum_(i<j) (m_ij z_ij + c/2 m_ij^2)`` plus a convex function of the degrees ``d_i =
sum_j m_ij``. With a multiplier for each degree the edges are ``m_ij = [l_i + l_j - z_ij]_+ / c``,
and the multipliers minimise ``sum_(i<j) [l_i + l_j - z_ij]_+^2 / (2 c) + h(l)``, to which Newton's
method (the second derivative jumps where an edge appears, which it bears) takes some ten steps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Value ``(B,)``, gradient ``(B, M)`` and Hessian ``(B, M, M)`` of h.
Part = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


def edges_of(multipliers: Tensor, distance: Tensor, c: float) -> Tensor:
    """``(B, M)`` multipliers to ``(B, M, M)`` edges."""
    off = 1 - torch.eye(distance.shape[-1], dtype=distance.dtype, device=distance.device)
    pairs = multipliers[..., :, None] + multipliers[..., None, :]
    return (pairs - distance).clamp(min=0) * off / c


def solve_dual(
    distance: Tensor,
    c: float,
    part: Part,
    start: Tensor,
    *,
    positive: bool,
    tolerance: float = 1e-10,
    iterations: int = 200,
) -> tuple[Tensor, int]:
    """Damped Newton steps on the multipliers.

    Args:
        distance: ``(B, M, M)``.
        c: curvature of the edges.
        part: h.
        start: ``(B, M)``.
        positive: multipliers must stay above 0.
        tolerance: of the gradient, as a share of the largest degree.
        iterations: at most so many.

    Returns:
        The multipliers ``(B, M)`` and the number of steps.
    """
    point = start
    value, gradient, hessian = _whole(point, distance, c, part)
    for done in range(iterations):
        degree = edges_of(point, distance, c).sum(-1).amax(-1).clamp(min=1e-30)
        if (gradient.abs().amax(-1) <= tolerance * degree).all():
            return point, done
        aim = torch.linalg.solve(hessian, -gradient)  # (B, M)
        slope = (aim * gradient).sum(-1)
        length = torch.ones_like(slope)
        if positive:  # at most 99% of the way to 0
            shrink = (-aim / point).amax(-1).clamp(min=1e-30)
            length = torch.minimum(length, 0.99 / shrink)
        for _ in range(60):
            there = point + length[:, None] * aim
            new, *rest = _whole(there, distance, c, part)
            enough = new <= value + 1e-4 * length * slope + 1e-13 * value.abs()
            if enough.all():
                break
            length = torch.where(enough, length, length / 2)
        point, value, (gradient, hessian) = there, new, rest
    return point, iterations


def _whole(point: Tensor, distance: Tensor, c: float, part: Part) -> tuple[Tensor, Tensor, Tensor]:
    edges = edges_of(point, distance, c)
    joined = (edges > 0).to(edges.dtype)
    value, gradient, hessian = part(point)
    value = value + c * edges.square().sum((-2, -1)) / 4  # each pair stands twice
    curvature = (joined + torch.diag_embed(joined.sum(-1))) / c
    ridge = 1e-12 * curvature.diagonal(dim1=-2, dim2=-1).amax(-1).clamp(min=1 / c)
    eye = torch.eye(point.shape[-1], dtype=point.dtype, device=point.device)
    hessian = hessian + curvature + ridge[:, None, None] * eye
    return value, gradient + edges.sum(-1), hessian
