"""Algorithms 1 and 2 of MTFAP against solvers that we did not write."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from faceattr.errors import DataError
from faceattr.sparse import (
    factorize,
    inverse_link,
    link,
    nuclear_descent,
    proximal_gradient,
    shrink_singular_values,
    smidas,
    soft_threshold,
)


def problem(seed=0, n=120, d=10):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    truth = torch.zeros(d, dtype=torch.float64)
    truth[:3] = torch.tensor([2.0, -1.5, 1.0])
    chance = torch.sigmoid(x @ truth)
    y = (torch.rand(n, generator=generator, dtype=torch.float64) < chance).double()
    return x, y


def logistic(x, y):
    return lambda w: F.binary_cross_entropy_with_logits(x @ w, y)


@pytest.fixture(scope="module")
def lasso():
    """scikit-learn's optimum of ``loss + weight |w|_1``."""
    (x, y), weight = problem(), 0.05
    solver = LogisticRegression(
        l1_ratio=1.0, C=1 / (weight * len(y)), solver="saga", fit_intercept=False,
        tol=1e-10, max_iter=20_000,
    )  # fmt: skip
    w = torch.from_numpy(solver.fit(x.numpy(), y.numpy()).coef_[0])
    return x, y, weight, w, float(logistic(x, y)(w) + weight * w.abs().sum())


def test_smidas_reaches_the_l1_optimum_with_exact_zeros(lasso):
    x, y, weight, w, best = lasso
    found = smidas(
        logistic(x, y), torch.zeros(10, dtype=torch.float64), weight=weight, rate=0.3, steps=4000
    )
    point = found.point
    value = float(logistic(x, y)(point) + weight * point.abs().sum())
    assert value == pytest.approx(best, rel=1e-4)
    assert torch.equal(point == 0, w.abs() < 1e-9)


def test_proximal_gradient_reaches_it_too(lasso):
    x, y, weight, w, best = lasso
    found = proximal_gradient(logistic(x, y), torch.zeros(10, dtype=torch.float64), weight=weight)
    assert float(found.objective[-1]) == pytest.approx(best, rel=1e-7)
    torch.testing.assert_close(found.point, w, atol=1e-4, rtol=1e-3)


def nuclear(seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    return target, lambda a: (a - target).square().sum() / 2


def test_the_nuclear_norm_against_cvxpy_and_closed_form():
    (target, loss), gamma = nuclear(), 1.0
    a = cp.Variable(target.shape)
    best = cp.Problem(
        cp.Minimize(cp.sum_squares(a - target.numpy()) / 2 + gamma * cp.normNuc(a))
    ).solve(solver=cp.SCS, eps=1e-8)
    start = torch.zeros_like(target)
    exact = proximal_gradient(loss, start, weight=gamma, penalty="nuclear")
    assert float(exact.objective[-1]) == pytest.approx(best, rel=1e-5)
    torch.testing.assert_close(
        exact.point, shrink_singular_values(target, gamma), atol=1e-6, rtol=1e-6
    )
    slow = nuclear_descent(loss, target.clone(), gamma=gamma, rate=0.05, steps=3000, decay=0.01)
    reached = float(loss(slow.point) + gamma * torch.linalg.svdvals(slow.point).sum())
    assert best - 1e-6 <= reached <= best * 1.01


def test_a_low_rank_stays_low():
    generator = torch.Generator().manual_seed(1)
    low = torch.randn(8, 2, generator=generator, dtype=torch.float64) @ torch.randn(
        2, 5, generator=generator, dtype=torch.float64
    )
    factors = factorize(low)
    torch.testing.assert_close(factors.matrix, low, atol=1e-8, rtol=1e-8)
    _, loss = nuclear()
    found = nuclear_descent(loss, low, gamma=0.5, rate=0.01, steps=50, rank=2)
    assert int(torch.linalg.matrix_rank(found.point, tol=1e-6)) <= 2


@pytest.mark.parametrize("p", [2.0, 3.5, 6.0])
def test_the_link_has_its_inverse(p):
    s = torch.randn(9, dtype=torch.float64)
    torch.testing.assert_close(inverse_link(link(s, p), p), s)


def test_soft_threshold():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert soft_threshold(x, 1.0).tolist() == [-1.0, 0.0, 0.0, 0.0, 1.0]


def test_weights_that_are_none():
    _, loss = nuclear()
    start = torch.zeros(8, 5, dtype=torch.float64)
    with pytest.raises(DataError, match="weight"):
        proximal_gradient(loss, start, weight=-1.0)
    with pytest.raises(DataError, match="choose l1 or nuclear"):
        proximal_gradient(loss, start, weight=1.0, penalty="l2")
    assert np.isfinite(float(loss(start)))
