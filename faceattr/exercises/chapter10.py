"""Checkers of chapter 10, known groups."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.sparse import link, smidas_update
from faceattr.sparse.groups import assemble

#: Groups of five attributes that do not lie in the order of their columns.
_GROUPS = ((3, 0), (4,), (1, 2))


def _tables(seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """``L_g (4, K_g)`` and ``S_g (K_g, T_g)`` of :data:`_GROUPS`."""
    generator = torch.Generator().manual_seed(seed)
    ranks = (1, 1, 2)
    bases = [torch.randn(4, k, generator=generator) for k in ranks]
    some = [
        torch.randn(k, len(group), generator=generator)
        for k, group in zip(ranks, _GROUPS, strict=True)
    ]
    return bases, some


@checker
def check_weights(answer: Callable) -> Verdict:
    """Exercise 1: W from the parts of its groups.

    Args:
        answer: function of ``groups`` (columns of each), ``bases`` (``L_g (d, K_g)`` of each) and
            ``coefficients`` (``S_g (K_g, T_g)`` of each) that returns ``W (d, M)``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_weights(weights).")
    bases, some = _tables(0)
    right = assemble(_GROUPS, bases, some)
    side_by_side = torch.cat([b @ s for b, s in zip(bases, some, strict=True)], dim=1)
    columns = [j for group in _GROUPS for j in group]
    slips = {
        "The columns stand group after group. Put each at its attribute's own place.": side_by_side,
        "Reordered the wrong way round: column k of the stacked groups belongs at place "
        "columns[k], and you took column columns[k] from there.": side_by_side[:, columns],
        "That is W upside down: a column is an attribute, W is (d, M).": right.T,
    }
    groups = [list(group) for group in _GROUPS]
    found = answer(groups, [b.clone() for b in bases], [s.clone() for s in some])
    same = compare(found, right, what="W", tolerance=1e-5, slips=slips)
    return same and yes(
        "A network with known groups keeps L_g and S_g as parameters and puts W together like this "
        "in every step: gradients find their way back to the parts."
    )


@checker
def check_subgradient(answer: Callable) -> Verdict:
    """Exercise 2: a sub-gradient of the nuclear norm, also where a matrix lacks rank.

    Args:
        answer: function of ``L (d, K)`` that returns a sub-gradient ``(d, K)`` of ``|L|_*``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_subgradient(subgradient).")
    generator = torch.Generator().manual_seed(1)
    full = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    u, _, vh = torch.linalg.svd(full, full_matrices=False)
    slips = {
        "That is the gradient of half the squared Frobenius norm: for the nuclear norm all "
        "singular values become 1.": full,
        "U V, not U V^T: torch.linalg.svd returns V^T already.": u @ vh.T,
    }
    found = answer(full.clone())
    same = compare(
        found, u @ vh, what="the sub-gradient at a matrix of full rank", tolerance=1e-5, slips=slips
    )
    if not same:
        return same
    for sizes in ((40.0, 0.3, 0.02), (0.008, 0.004, 0.003)):
        what = "with singular values " + ", ".join(f"{size:g}" for size in sizes)
        sigma = torch.tensor(sizes, dtype=torch.float64)
        same = _is_subgradient(answer, what, (u * sigma) @ vh)
        if not same:
            return same
    low = full[:, :1] @ torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    for what, matrix in {"of rank 1": low, "of zeros": torch.zeros_like(low)}.items():
        same = _is_subgradient(answer, what, matrix)
        if not same:
            return same
    return yes(
        "U V^T over the singular values above 0 is a sub-gradient everywhere; at full rank it is "
        "the printed L (L^T L)^(-1/2). What the others may be, up to 1, is your choice: 0 keeps "
        "a low rank low."
    )


def _is_subgradient(answer: Callable, what: str, matrix: Tensor) -> Verdict:
    """Whether an answer is one of the sub-gradients of the nuclear norm at a matrix."""
    found = torch.as_tensor(answer(matrix.clone())).double()
    if found.shape != matrix.shape:
        return no(
            f"At a matrix {what} your answer is of shape {tuple(found.shape)}; it should be of "
            f"L's, {tuple(matrix.shape)}."
        )
    if not found.isfinite().all():
        return no(
            f"At a matrix {what} your answer is not finite. L (L^T L)^(-1/2) is not defined where "
            "a singular value is 0: leave those directions out."
        )
    if torch.linalg.matrix_norm(found, 2) > 1 + 1e-6:
        return no(
            f"At a matrix {what}: no sub-gradient of the nuclear norm has a singular value "
            "above 1. Compare singular values with the largest one, not with 0: rounding."
        )
    sizes = torch.linalg.svdvals(matrix)
    gap = float(sizes.sum() - (found * matrix).sum())
    if abs(gap) <= 1e-4:
        return yes(f"At a matrix {what}: a sub-gradient.")
    left_out = [float(sizes[n:].sum()) for n in range(len(sizes)) if 1e-9 < sizes[n] < 1]
    if any(abs(gap - each) < 1e-4 for each in left_out):
        return no(
            f"At a matrix {what} you leave out directions whose singular value is small, but not "
            "0. What counts as 0 depends on the matrix: compare with its largest singular value, "
            "sigma > 1e-10 sigma_max, not with a fixed number."
        )
    return no(
        f"At a matrix {what}: a sub-gradient G has <G, L> = |L|_*, and yours is off by {gap:.3g}."
    )


@checker
def check_smidas_step(answer: Callable) -> Verdict:
    """Exercise 3: one update of Algorithm 2.

    Args:
        answer: function of ``theta (d,)``, ``gradient (d,)``, the step size ``r``, the weight
            ``lam`` and ``p`` that returns the new theta and the new ``s``, ``(d,)`` each.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_smidas_step(smidas_step).")
    generator = torch.Generator().manual_seed(3)
    s = torch.randn(6, generator=generator, dtype=torch.float64)
    p, r, lam = 3.5, 0.1, 4.0
    theta = link(s, p)
    gradient = 3 * torch.randn(6, generator=generator, dtype=torch.float64)
    new, point = smidas_update(theta, gradient, rate=r, weight=lam, p=p)
    found = answer(theta.clone(), gradient.clone(), r, lam, p)
    if not (isinstance(found, tuple | list) and len(found) == 2):
        return no("Return two things: the new theta, and the new s.")
    moved = theta - r * gradient
    shrunk = moved.sign() * (moved.abs() - lam).clamp(min=0)
    slips = {
        "Line 4 takes off r times lambda; you took off lambda.": shrunk,
        "That is theta after line 3: line 4 takes r lambda off every entry and stops at 0.": moved,
        "That is hard thresholding, which leaves what is larger than r lambda as it is. Line 4 is "
        "soft: it takes r lambda off those entries as well.": (moved * (moved.abs() > r * lam)),
        "The gradient moves theta downhill: minus.": smidas_update(
            theta, -gradient, rate=r, weight=lam, p=p
        )[0],
        "Entries whose size is below r lambda become 0; yours change their sign.": (
            moved - r * lam * moved.sign()
        ),
    }
    same = compare(found[0], new, what="the new theta", tolerance=1e-8, slips=slips)
    if not same:
        return same
    size = new.abs().pow(p).sum().pow(1 / p)
    raised = new.sign() * new.abs().pow(p - 1)
    slips = {
        "s is f^-1(theta), Eq. 5; you returned theta.": new,
        "The norm in Eq. 5 is raised to p - 2.": raised / size,
        "Eq. 5 divides by the norm to the p - 2; you left it out.": raised,
        "That is the link f, Eq. 4, where its inverse stands in line 5.": link(new, p),
        "Eq. 5 keeps the sign of theta.": raised.abs() / size ** (p - 2),
    }
    same = compare(found[1], point, what="the new s", tolerance=1e-8, slips=slips)
    if same:
        found = answer(torch.zeros(6).double(), torch.zeros(6).double(), r, lam, p)
        zero = torch.zeros(6)
        same = compare(found[1], zero, what="the new s where theta is 0", tolerance=0)
    return same and yes(
        "An entry of theta that is cut to 0 gives an entry of s that is exactly 0; a gradient step "
        "alone would never hit it."
    )
