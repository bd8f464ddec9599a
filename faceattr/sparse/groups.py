"""Known groups on fixed features (MTFAP, Eq. 3): ``W_g = L_g S_g``, one of the two at a time.

With the features given, the loss is convex in L for fixed S and in S for fixed L (section 4.1.1).
Here both are updated in turn, by Algorithms 1 and 2 or by proximal gradient steps, and the biases,
which the paper does not mention, by Newton's method. ``L_g S_g`` begins as the best approximation
of rank ``K_g`` of weights learned one by one: started at random, the product needs far longer.

Of gamma and lambda only the product counts: ``c L`` and ``S / c`` are the same weights, so that
whoever minimises Eq. 3 also chooses c, and at the best c both penalties of a group are ``sqrt(gamma
lambda |L|_* |S|_1)``. Alternation finds that c, but slowly; here it is set after every round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from faceattr.errors import DataError, UnknownNameError
from faceattr.models.mtfap import basis_sizes
from faceattr.objectives.attributes import cross_entropy
from faceattr.sparse.lowrank import factorize, fast_ssgd_update, probing_matrix
from faceattr.sparse.proximal import (
    Track,
    check_weight,
    nuclear_norm,
    proximal_gradient,
    value_and_gradient,
)
from faceattr.sparse.smidas import exponent, link, smidas_update
from faceattr.taskgraph.alternating import check_tables

SOLVERS = ("proximal", "algorithms")


@dataclass(frozen=True)
class GroupWeights:
    """Predictors of known groups.

    Attributes:
        groups: columns of the attributes of each group.
        bases: ``L_g (d, K_g)`` of each. coefficients: ``S_g (K_g, T_g)`` of each.
        bias: ``(M,)``.
        objective: of Eq. 3 per face after every round. seconds: since the start.
    """

    groups: tuple[tuple[int, ...], ...]
    bases: tuple[Tensor, ...]
    coefficients: tuple[Tensor, ...]
    bias: Tensor
    objective: list[float] = field(repr=False)
    seconds: list[float] = field(repr=False)

    @property
    def weights(self) -> Tensor:
        """``W (d, M)``, the columns in the order of the attributes."""
        return assemble(self.groups, self.bases, self.coefficients)

    def logits(self, features: Tensor) -> Tensor:
        """``(N, d)`` to ``(N, M)``."""
        return features @ self.weights + self.bias


def assemble(
    groups: Sequence[Sequence[int]], bases: Sequence[Tensor], coefficients: Sequence[Tensor]
) -> Tensor:
    """``W (d, M)`` of all ``L_g S_g``, each column at its attribute's place."""
    parts = torch.cat([l @ s for l, s in zip(bases, coefficients, strict=True)], dim=1)  # noqa: E741
    order = torch.tensor([j for group in groups for j in group], device=parts.device)
    return parts[:, order.argsort()]  # (d, M)


def split(weights: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The best ``L (d, K)``, ``S (K, T)`` for ``weights (d, T)``, of equal size.

    Where the weights have fewer than K directions the others are 0 and stay 0, but where all are
    (a constant attribute) both would be stuck: they then begin with a thousandth of an identity.
    """
    u, sigma, v = factorize(weights, rank)
    root = sigma.sqrt()
    l, s = u * root, root[:, None] * v.mT  # noqa: E741
    if sigma[0] < 1e-12:
        l, s = (1e-3 * torch.eye(*part.shape).to(part) for part in (l, s))  # noqa: E741
    return l, s


def fit_groups(
    features: Tensor,
    labels: Tensor,
    groups: Sequence[Sequence[int]],
    start: Tensor,
    bias: Tensor,
    *,
    basis: int | Sequence[int] | None = None,
    gamma: float = 1.0,
    lam: float = 0.01,
    solver: str = "proximal",
    rounds: int = 20,
    steps: int = 10,
    rates: tuple[float, float] = (1.0, 1.0),
    columns: int | None = None,
    seed: int = 0,
) -> GroupWeights:
    """Minimise Eq. 3 on fixed features, divided by the number of faces.

        sum_j mean_i Lc(x_i, y_ij, L_g s_j) + (lam |S|_1 + gamma |L|_*) / N

    The paper does not say whether its loss sums or averages over faces. Summed, as taken here,
    structure weighs the more the fewer the labels are, which is what it is for.

    Args:
        features: ``(N, d)``; centre and scale them.
        labels: ``(N, M)`` in {0, 1}, -1 where unknown.
        groups: columns of the attributes of each group.
        start: ``(d, M)`` weights learned one by one. bias: ``(M,)`` theirs.
        basis: see :func:`faceattr.models.mtfap.basis_sizes`.
        gamma, lam: the paper's gamma and lambda; it found 1 and 0.01 best. Weights and objective
            depend on their product alone; where one is 0, nothing sets the scale of L and S.
        solver: ``"proximal"``, or ``"algorithms"``: 1 for L and 2 for S.
        rounds: of L, then S, then the biases.
        steps: on each in a round.
        rates: eta and r of Algorithms 1 and 2, in units of what the curvature of the loss allows
            and shrinking with the rounds. Where the loss is flat (features of zeros), eta also
            stays below what the nuclear norm's sub-gradient takes to bring L to 0. The paper's
            (0.009 times the squared norm of Z, and 0.001) know nothing of the features' size.
        columns: of Algorithm 1's probing matrix; None takes the whole sub-gradient.
        seed: of the probing matrices.

    Raises:
        DataError: as :func:`faceattr.models.mtfap.basis_sizes` and
            :func:`faceattr.taskgraph.alternating.check_tables`; a start of another shape; fewer
            than one round or step; rates that are not above 0 or not finite.
        UnknownNameError: no such solver. TrainingError: numbers that are not finite.
    """
    if solver not in SOLVERS:
        raise UnknownNameError(f"unknown solver {solver!r}: choose {' or '.join(SOLVERS)}")
    check_weight(gamma=gamma, lam=lam)
    check_tables(features, labels)
    shape = (features.shape[1], labels.shape[1])
    if start.shape != shape or bias.shape != shape[1:]:
        raise DataError(
            f"start {tuple(start.shape)} and bias {tuple(bias.shape)}: {shape[0]} features and "
            f"{shape[1]} tasks need {shape} and {shape[1:]}"
        )
    whole = isinstance(rounds, int) and isinstance(steps, int)
    if not whole or rounds < 1 or steps < 1 or not all(0 < rate < math.inf for rate in rates):
        raise DataError(
            f"rounds={rounds}, steps={steps}, rates={rates}: give at least 1, 1, and finite "
            "numbers above 0"
        )
    ranks = basis_sizes(groups, labels.shape[1], basis)
    unit = (lam / gamma) ** 0.5 if gamma and lam else 1.0
    gamma, lam = gamma * unit, lam / unit  # of L / unit and S * unit: both are sqrt(gamma lam)
    faces, tasks = labels.shape
    generator = torch.Generator().manual_seed(seed)
    pairs = [
        balance(*split(start[:, list(group)], rank), gamma, lam)
        for group, rank in zip(groups, ranks, strict=True)
    ]
    track = Track("Eq. 3")

    def total() -> float:
        weights = assemble(groups, *zip(*pairs, strict=True))
        loss = tasks * cross_entropy(features @ weights + bias, labels)
        sizes = sum(lam * s.abs().sum() + gamma * nuclear_norm(l) for l, s in pairs)  # noqa: E741
        return track.note(loss + sizes / faces)  # Eq. 3, per face

    total()
    for turn in range(rounds):
        slack = (1 + turn) ** -0.5
        for g, group in enumerate(groups):
            base, coefficient = pairs[g]
            truth, shift = labels[:, list(group)], bias[list(group)]

            def loss_of(l: Tensor, s: Tensor, y=truth, b=shift) -> Tensor:  # noqa: E741
                return y.shape[1] * cross_entropy(features @ l @ s + b, y)

            if solver == "proximal":
                how = {"steps": steps, "tolerance": 1e-9}
                base = proximal_gradient(
                    lambda l, s=coefficient, f=loss_of: f(l, s),  # noqa: E741
                    base, weight=gamma / faces, penalty="nuclear", **how,
                ).point  # fmt: skip
                coefficient = proximal_gradient(
                    lambda s, l=base, f=loss_of: f(l, s),  # noqa: E741
                    coefficient, weight=lam / faces, **how,
                ).point  # fmt: skip
            else:
                factors = factorize(base)
                eta = rates[0] * slack / steepness(features, coefficient)
                largest = float(factors.sigma[0])
                if gamma * largest > 0:  # the norm alone must not throw L beyond 0
                    eta = min(eta, slack * largest * faces / gamma)
                for _ in range(steps):  # Algorithm 1
                    _, slope = value_and_gradient(
                        lambda l, s=coefficient, f=loss_of: f(l, s),  # noqa: E741
                        factors.matrix,
                    )
                    size = base.shape[1]
                    probe = torch.eye(size).to(base)
                    if columns is not None:
                        probe = probing_matrix(size, columns, generator, base)
                    factors = fast_ssgd_update(
                        factors, slope, probe, rate=eta, gamma=gamma / faces, rank=size
                    )
                base = factors.matrix
                p = exponent(len(coefficient))
                theta = link(coefficient, p)
                r = rates[1] * slack / steepness(features @ base)
                for _ in range(steps):  # Algorithm 2
                    _, slope = value_and_gradient(
                        lambda s, l=base, f=loss_of: f(l, s),  # noqa: E741
                        coefficient,
                    )
                    theta, coefficient = smidas_update(
                        theta, slope, rate=r, weight=lam / faces, p=p
                    )
            pairs[g] = balance(base, coefficient, gamma, lam)
        weights = assemble(groups, *zip(*pairs, strict=True))
        bias = newton_bias(features @ weights, labels, bias)
        total()
    found = track.end(bias)
    bases, coefficients = zip(*((unit * l, s / unit) for l, s in pairs), strict=True)  # noqa: E741
    kept = tuple(tuple(group) for group in groups)
    return GroupWeights(kept, bases, coefficients, bias, found.objective, found.seconds)


def balance(base: Tensor, coefficient: Tensor, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """The same ``L S`` with the least ``gamma |L|_* + lam |S|_1``: ``c L`` and ``S / c``.

    Both terms are then equal, ``sqrt(gamma lam |L|_* |S|_1)``.
    """
    if not (gamma and lam):
        return base, coefficient
    large, small = gamma * nuclear_norm(base), lam * coefficient.abs().sum()
    if not (large > 0 and small > 0):  # L S is 0 already, and the other costs for nothing
        return torch.zeros_like(base), torch.zeros_like(coefficient)
    c = (small / large).sqrt()
    return c * base, coefficient / c


def steepness(features: Tensor, factor: Tensor | None = None) -> float:
    """A bound on the curvature of the mean logistic loss of ``features @ X @ factor`` in X."""
    largest = torch.linalg.matrix_norm(features, 2).square() / len(features) / 4
    if factor is not None:
        largest = largest * torch.linalg.matrix_norm(factor, 2).square()
    return max(float(largest), 1e-6)


def newton_bias(scores: Tensor, labels: Tensor, bias: Tensor, steps: int = 5) -> Tensor:
    """The biases that fit best for given scores, ``(N, M)`` both; kept within 15 of 0.

    That bound is where the labels are all the same: their best bias would be infinite.
    """
    known = (labels >= 0).to(scores.dtype)
    for _ in range(steps):
        chance = (scores + bias).sigmoid()
        slope = (known * (chance - labels)).sum(0)
        curvature = (known * chance * (1 - chance)).sum(0) + 1e-3
        bias = (bias - (slope / curvature).clamp(-2, 2)).clamp(-15, 15)
    return bias
