"""Proximal gradient descent: a step along the gradient, then one that shrinks.

The plain solver beside Algorithms 1 and 2: FISTA (Beck and Teboulle, 2009) with backtracking, and
with its momentum dropped whenever the objective would rise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from faceattr.errors import DataError, TrainingError

#: A smooth convex loss of one tensor, as a scalar.
Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Descent:
    """Where a solver ended, and how it came there.

    Attributes:
        point: the solution, of the shape of the start.
        objective: loss plus penalty after every step, the start's first.
        seconds: since the start, likewise.
    """

    point: Tensor
    objective: list[float] = field(repr=False)
    seconds: list[float] = field(repr=False)


class Track:
    """Notes objective and time of a solver, and stops it where the numbers end being numbers."""

    def __init__(self, what: str):
        self.what, self.began = what, time.perf_counter()
        self.objective: list[float] = []
        self.seconds: list[float] = []

    def note(self, value: Tensor | float) -> float:
        """Keep one value.

        Raises:
            TrainingError: it is not finite.
        """
        value = float(value)
        if value != value or abs(value) == float("inf"):
            raise TrainingError(
                f"{self.what} has an objective of {value} after {len(self.objective)} steps: give "
                "finite data and start, or a smaller rate"
            )
        self.objective.append(value)
        self.seconds.append(time.perf_counter() - self.began)
        return value

    def end(self, point: Tensor) -> Descent:
        """The solver's result."""
        return Descent(point.detach(), self.objective, self.seconds)


def soft_threshold(x: Tensor, amount: float | Tensor) -> Tensor:
    """``sign(x) max(0, |x| - amount)``: the proximal step of ``amount |x|_1``, with exact zeros."""
    return x.sign() * (x.abs() - amount).clamp(min=0)


def shrink_singular_values(x: Tensor, amount: float | Tensor) -> Tensor:
    """Soft thresholding of the singular values: the proximal step of ``amount |x|_*``.

    Args:
        x: ``(..., d, K)``. amount: at least 0.
    """
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return (u * (s - amount).clamp(min=0)[..., None, :]) @ vh


def nuclear_norm(x: Tensor) -> Tensor:
    """Sum of the singular values of ``(..., d, K)``."""
    return torch.linalg.svdvals(x).sum(-1)


def value_and_gradient(loss: Loss, x: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and gradient at ``x``, both detached."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        value = loss(x)
        (gradient,) = torch.autograd.grad(value, x)
    return value.detach(), gradient


def check_weight(**weights: float) -> None:
    """See that weights of penalties are finite and at least 0.

    Raises:
        DataError: names the first that is not.
    """
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            raise DataError(f"{name}={value}: give a finite number of at least 0")


def proximal_gradient(
    loss: Loss,
    start: Tensor,
    *,
    weight: float,
    penalty: str = "l1",
    steps: int = 1000,
    tolerance: float = 1e-10,
) -> Descent:
    """Minimise ``loss(x) + weight * penalty(x)``.

    Args:
        loss: smooth and convex.
        start: where to begin.
        weight: of the penalty.
        penalty: ``"l1"``, the entries' absolute values, or ``"nuclear"``, the singular values'.
        steps: at most so many.
        tolerance: stop where a step without momentum lowers the objective by less than this share.

    Raises:
        DataError: an unknown penalty or a negative weight.
        TrainingError: the loss is not finite.
    """
    kinds = {
        "l1": (soft_threshold, lambda x: x.abs().sum()),
        "nuclear": (shrink_singular_values, nuclear_norm),
    }
    if penalty not in kinds:
        raise DataError(f"unknown penalty {penalty!r}: choose l1 or nuclear")
    check_weight(weight=weight)
    shrink, size = kinds[penalty]
    track = Track("proximal gradient descent")
    x = ahead = start.detach().clone()
    best = track.note(loss(x).detach() + weight * size(x))
    bend, momentum = 1.0, 1.0
    for _ in range(steps):
        value, gradient = value_and_gradient(loss, ahead)
        bend = max(bend / 2, 1e-12)
        while True:  # backtracking: the quadratic of this bend must lie above the loss
            new = shrink(ahead - gradient / bend, weight / bend)
            move = new - ahead
            smooth = loss(new).detach()
            above = value + (gradient * move).sum() + bend / 2 * move.square().sum()
            if smooth <= above + 1e-12 * abs(value) or not bend < 1e30:
                break
            bend *= 2
        now = float(smooth + weight * size(new))
        if now > best and momentum > 1:  # the momentum overshot: drop it
            ahead, momentum = x, 1.0
            continue
        small = momentum == 1.0 and best - now <= tolerance * max(abs(best), 1e-30)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + (momentum - 1) / following * (new - x)
        x, momentum = new, following
        best = track.note(now)
        if small:
            break
        if len(track.objective) > 2 and track.objective[-2] - best <= tolerance * abs(best):
            ahead, momentum = x, 1.0  # is that the end? ask a plain step
    return track.end(x)
