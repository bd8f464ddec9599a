"""Algorithms 1 and 2 of MTFAP and proximal descent, held against scikit-learn and cvxpy."""

import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from faceattr.errors import DataError, TrainingError, UnknownNameError
from faceattr.sparse import (
    factorize,
    fast_ssgd_update,
    fit_groups,
    inverse_link,
    link,
    nuclear_descent,
    probing_matrix,
    proximal_gradient,
    shrink_singular_values,
    smidas,
    smidas_update,
    soft_threshold,
)
from faceattr.sparse.groups import balance
from faceattr.sparse.lowrank import paper_step
from faceattr.sparse.optimizer import Alternating
from faceattr.sparse.proximal import nuclear_norm
from faceattr.sparse.smidas import exponent
from faceattr.taskgraph import fit_tasks

LAM, GAMMA = 0.05, 0.3


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


@pytest.fixture(scope="module")
def logistic():
    """A logistic loss of 12 weights of which three matter, and its optimum by scikit-learn."""
    x, w = normal(200, 12), torch.zeros(12).double()
    w[[1, 4, 7]] = torch.tensor([2.0, -1.5, 1.0]).double()
    y = ((x @ w + normal(200, seed=1)) > 0).double()
    how = {"C": 1 / (200 * LAM), "fit_intercept": False, "tol": 1e-12, "max_iter": 10_000}
    theirs = LogisticRegression(l1_ratio=1.0, solver="liblinear", **how).fit(x, y).coef_[0]

    def loss(s):
        return F.binary_cross_entropy_with_logits(x @ s, y)

    return loss, torch.from_numpy(theirs)


@pytest.fixture(scope="module")
def lowrank():
    """A least-squares loss whose optimum has rank 2, and that optimum by cvxpy."""
    a = normal(60, 10)
    b = a @ normal(10, 2, seed=1) @ normal(2, 8, seed=2) + 0.3 * normal(60, 8, seed=3)
    x = cp.Variable((10, 8))
    cost = cp.sum_squares(a.numpy() @ x - b.numpy()) / 120 + GAMMA * cp.normNuc(x)
    problem = cp.Problem(cp.Minimize(cost))
    problem.solve(solver=cp.CLARABEL)

    def loss(x):
        return (a @ x - b).square().sum() / 120

    return loss, problem.value, x.value


# --- Algorithm 2 ----------------------------------------------------------------------------------


def test_smidas_reaches_scikit_learns_optimum_with_exact_zeros(logistic):
    loss, theirs = logistic
    found = smidas(
        loss, torch.zeros(12).double(), weight=LAM, rate=0.5, steps=5000, tolerance=1e-14
    )
    best = loss(theirs) + LAM * theirs.abs().sum()
    assert found.objective[-1] <= best + 1e-9
    torch.testing.assert_close(found.point, theirs, atol=1e-5, rtol=0)
    assert torch.equal(found.point == 0, theirs == 0)
    assert 0 < int((found.point == 0).sum()) < 12


def test_proximal_descent_reaches_it_too(logistic):
    loss, theirs = logistic
    found = proximal_gradient(loss, torch.zeros(12).double(), weight=LAM, tolerance=1e-13)
    torch.testing.assert_close(found.point, theirs, atol=1e-5, rtol=0)
    assert torch.equal(found.point == 0, theirs == 0)
    assert all(b <= a + 1e-12 for a, b in zip(found.objective, found.objective[1:], strict=False))


def test_the_link_is_the_gradient_of_half_the_squared_norm():
    p = exponent(9)
    assert p == pytest.approx(2 * math.log(9))
    q = p / (p - 1)
    s = normal(9).requires_grad_(True)
    (gradient,) = torch.autograd.grad(s.abs().pow(q).sum().pow(2 / q) / 2, s)
    torch.testing.assert_close(link(s.detach(), p), gradient)
    columns = normal(9, 4, seed=2)
    torch.testing.assert_close(inverse_link(link(columns, p), p), columns)
    torch.testing.assert_close(link(columns, p)[:, 1], link(columns[:, 1], p))


def test_links_of_zeros_and_of_large_numbers_stay_finite():
    assert torch.equal(link(torch.zeros(5), 3.2), torch.zeros(5))
    large = torch.tensor([1e30, -1e29, 0.0, 1.0])
    assert inverse_link(large, 6.0).isfinite().all()
    assert exponent(1) == exponent(2) == 2, "where 2 ln d would leave the theory"


def test_a_step_of_smidas_at_p_2_is_a_proximal_step():
    s, v = normal(6), normal(6, seed=1)
    _, ours = smidas_update(link(s, 2.0), v, rate=0.1, weight=0.5, p=2.0)
    torch.testing.assert_close(ours, soft_threshold(s - 0.1 * v, 0.05))


# --- Algorithm 1 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "rate", "decay", "within"), [(None, 0.5, 0.05, 2e-4), (2, 0.1, 0.01, 1e-3)]
)
def test_algorithm_1_reaches_cvxpys_optimum(lowrank, columns, rate, decay, within):
    loss, best, _ = lowrank
    start = torch.zeros(10, 8).double()
    how = {"gamma": GAMMA, "rate": rate, "decay": decay, "columns": columns}
    found = nuclear_descent(loss, start, steps=3000, **how)
    value = float(loss(found.point) + GAMMA * torch.linalg.svdvals(found.point).sum())
    assert best - 1e-6 <= value <= best * (1 + within)
    sizes = torch.linalg.svdvals(found.point)
    assert int((sizes > 0.01 * sizes[0]).sum()) == 2, "as the optimum"


def test_proximal_descent_reaches_the_nuclear_optimum_with_exact_rank(lowrank):
    loss, best, point = lowrank
    found = proximal_gradient(loss, torch.zeros(10, 8).double(), weight=GAMMA, penalty="nuclear")
    assert found.objective[-1] <= best * (1 + 1e-6)
    np.testing.assert_allclose(found.point.numpy(), point, atol=2e-3)
    assert int((torch.linalg.svdvals(found.point) > 1e-9).sum()) == 2


def test_an_update_is_the_step_it_stands_for():
    matrix, gradient, probe = normal(9, 5), normal(9, 5, seed=1), normal(5, 3, seed=2)
    factors = factorize(matrix)
    after = fast_ssgd_update(factors, gradient, probe, rate=0.1, gamma=0.7)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    whole = gradient + 0.7 * u @ vh
    torch.testing.assert_close(after.matrix, matrix - 0.1 * whole @ probe @ probe.T)
    eye = torch.eye(len(after.sigma)).double()
    torch.testing.assert_close(after.u.T @ after.u, eye)
    torch.testing.assert_close(after.v.T @ after.v, eye)
    assert (after.sigma.diff() <= 0).all()


def test_a_low_rank_stays_low(lowrank):
    loss, *_ = lowrank
    start = normal(10, 1, seed=4) @ normal(1, 8, seed=5)
    how = {"gamma": GAMMA, "rate": 0.1, "steps": 200, "columns": 2}
    assert torch.linalg.matrix_rank(nuclear_descent(loss, start, rank=2, **how).point) <= 2
    probe = probing_matrix(8, 2, None, start)
    grown = fast_ssgd_update(factorize(start, 1), normal(10, 8), probe, rate=0.1)
    assert len(grown.sigma) == 3, "as printed every update adds k"


def test_the_nuclear_subgradient_of_a_singular_matrix_leaves_out_its_null_space():
    factors = factorize(normal(6, 1) @ normal(1, 4, seed=1))
    u, v = factors.sign
    assert u.shape == (6, 1)
    assert v.shape == (4, 1)
    zero = factorize(torch.zeros(4, 3))
    after = fast_ssgd_update(zero, torch.zeros(4, 3), torch.eye(3), rate=0.1, gamma=1.0)
    assert torch.equal(after.matrix, torch.zeros(4, 3))


def test_probing_matrices_are_unbiased_with_the_root_of_k():
    generator = torch.Generator().manual_seed(0)
    mean = sum((y := probing_matrix(5, 3, generator)) @ y.T for _ in range(4000)) / 4000
    torch.testing.assert_close(mean, torch.eye(5), atol=0.12, rtol=0)
    printed = mean / 3  # Z / k in place of Z / sqrt(k)
    assert (printed.diagonal() < 0.5).all()
    assert paper_step(5, 3) == pytest.approx(0.009 * 15)


# --- shrinking ------------------------------------------------------------------------------------


def test_shrinking_is_the_proximal_step():
    x = normal(4, 3)
    for penalty, shrunk in (
        (lambda v: cp.sum(cp.abs(v)), soft_threshold(x, 0.4)),
        (cp.normNuc, shrink_singular_values(x, 0.4)),
    ):
        v = cp.Variable((4, 3))
        cost = cp.sum_squares(v - x.numpy()) / 2 + 0.4 * penalty(v)
        cp.Problem(cp.Minimize(cost)).solve(solver=cp.CLARABEL)
        np.testing.assert_allclose(shrunk.numpy(), v.value, atol=1e-4)
    batch = torch.stack([x, 2 * x])
    torch.testing.assert_close(
        shrink_singular_values(batch, 0.4)[0], shrink_singular_values(x, 0.4)
    )


# --- known groups on fixed features ---------------------------------------------------------------


@pytest.fixture(scope="module")
def tasks():
    """Features, labels of six tasks in three groups, of which one is alone and constant."""
    x = normal(300, 16).float()
    w = normal(16, 3, seed=1).float() @ normal(3, 6, seed=2).float()
    y = ((x @ w) > 0).float()
    y[:, 5] = 0
    return x, y, [[0, 2, 4], [1, 3], [5]], fit_tasks(x, y)


@pytest.mark.parametrize("solver", ["proximal", "algorithms"])
def test_both_solvers_lower_eq_3(tasks, solver):
    x, y, groups, start = tasks
    found = fit_groups(x, y, groups, start.weights, start.bias, solver=solver, gamma=1.0, lam=0.1)
    assert found.objective[-1] < 0.85 * found.objective[0]
    assert found.weights.shape == (16, 6)
    assert found.weights.isfinite().all()
    assert [b.shape[1] for b in found.bases] == [2, 1, 1]
    group = found.weights[:, [0, 2, 4]]
    assert torch.linalg.matrix_rank(group) <= 2
    torch.testing.assert_close(group, found.bases[0] @ found.coefficients[0])
    constant = found.logits(x)[:, 5].sigmoid()
    assert (constant < 0.01).all(), "a constant attribute is told, and its bias stays finite"
    right = ((found.logits(x) > 0) == (y > 0)).float().mean()
    assert right > 0.8


def test_proximal_steps_get_lower_than_the_algorithms_in_as_many_rounds(tasks):
    x, y, groups, start = tasks
    ends = {
        solver: fit_groups(x, y, groups, start.weights, start.bias, solver=solver).objective[-1]
        for solver in ("proximal", "algorithms")
    }
    assert ends["proximal"] < ends["algorithms"]


def test_more_of_a_penalty_gives_fewer_entries_and_a_lower_rank(tasks):
    x, y, groups, start = tasks
    few = fit_groups(x, y, groups, start.weights, start.bias, lam=30.0, gamma=30.0)
    many = fit_groups(x, y, groups, start.weights, start.bias, lam=1e-4, gamma=0.1)
    assert sum(int((s == 0).sum()) for s in few.coefficients) > sum(
        int((s == 0).sum()) for s in many.coefficients
    )
    low = fit_groups(x, y, groups, start.weights, start.bias, gamma=1e6)
    ranks = [sum(int((torch.linalg.svdvals(b) > 1e-6).sum()) for b in f.bases) for f in (low, many)]
    assert ranks[0] < ranks[1]


@pytest.mark.parametrize("solver", ["proximal", "algorithms"])
def test_of_gamma_and_lambda_only_the_product_counts(tasks, solver):
    x, y, groups, start = tasks
    how = {"solver": solver, "rounds": 5}
    one, two, other = (
        fit_groups(x, y, groups, start.weights, start.bias, gamma=gamma, lam=lam, **how)
        for gamma, lam in ((2.0, 3.0), (60.0, 0.1), (2.0, 30.0))
    )
    torch.testing.assert_close(one.weights, two.weights, atol=1e-4, rtol=1e-3)
    assert one.objective == pytest.approx(two.objective, rel=1e-4)
    assert not torch.allclose(one.weights, other.weights, atol=1e-2)
    for found, gamma, lam in ((one, 2.0, 3.0), (two, 60.0, 0.1)):
        for base, coefficient in zip(found.bases, found.coefficients, strict=True):
            sizes = gamma * torch.linalg.svdvals(base).sum(), lam * coefficient.abs().sum()
            torch.testing.assert_close(*sizes, rtol=1e-3, atol=1e-4)


def test_balance_is_the_least_of_all_scales():
    l, s = normal(6, 2), normal(2, 4, seed=1)  # noqa: E741
    a, b = balance(l, s, 0.7, 3.0)
    torch.testing.assert_close(a @ b, l @ s)
    least = 0.7 * nuclear_norm(a) + 3.0 * b.abs().sum()
    for c in torch.logspace(-2, 2, 41, dtype=l.dtype):
        assert least <= 0.7 * nuclear_norm(c * l) + 3.0 * (s / c).abs().sum() + 1e-9
    assert not any(part.any() for part in balance(l, 0 * s, 0.7, 3.0))
    for nothing in (balance(l, s, 0.0, 1.0), balance(l, s, 1.0, 0.0)):
        assert nothing[0] is l
        assert nothing[1] is s


def test_one_penalty_of_nothing_is_allowed(tasks):
    x, y, groups, start = tasks
    for gamma, lam in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        found = fit_groups(x, y, groups, start.weights, start.bias, gamma=gamma, lam=lam, rounds=3)
        assert found.weights.isfinite().all()
        assert found.objective[-1] < found.objective[0]


@pytest.mark.parametrize("solver", ["proximal", "algorithms"])
def test_features_of_zeros_leave_the_biases(solver):
    x, y = torch.zeros(40, 4), (torch.arange(40) % 4 == 0).float()[:, None].expand(-1, 3)
    start = fit_tasks(x, y)
    found = fit_groups(x, y, [[0, 1, 2]], start.weights, start.bias, solver=solver)
    torch.testing.assert_close(found.bias.sigmoid(), torch.full((3,), 0.25), atol=1e-3, rtol=0)
    assert found.weights.isfinite().all()
    assert found.objective[-1] < found.objective[0] + 1e-3, "nothing is gained by long weights"


@pytest.mark.parametrize("how", [{"gamma": 1e6}, {"lam": 1e6}])
def test_large_penalties_leave_the_biases(tasks, how):
    x, y, groups, start = tasks
    found = fit_groups(x, y, groups, start.weights, start.bias, solver="algorithms", **how)
    assert found.objective[-1] <= 1.001 * found.objective[0]
    assert found.weights.norm() <= 1.001 * start.weights.norm()


# --- the optimiser --------------------------------------------------------------------------------


def test_probing_matrices_follow_the_seed_and_not_the_process():
    def stepped(seed, state):
        torch.manual_seed(state)  # of a process: others of one run have others
        base, bias = (torch.nn.Parameter(torch.ones(*shape)) for shape in ((4, 3), (2,)))
        optimizer = Alternating([bias], [base], [], columns=1, eta=0.1, seed=seed)
        for _ in range(6):
            base.grad, bias.grad = torch.arange(12.0).view(4, 3), torch.ones(2)
            optimizer.step()
        return base.detach()

    assert torch.equal(stepped(0, 1), stepped(0, 2))
    assert not torch.equal(stepped(0, 1), stepped(1, 1))


def test_the_optimiser_takes_turns_and_is_saved():
    torch.manual_seed(0)
    rest = torch.nn.Parameter(torch.randn(3))
    base, some = torch.nn.Parameter(torch.randn(8, 2)), torch.nn.Parameter(torch.randn(2, 4))
    target = torch.randn(8, 1) @ torch.randn(1, 4)

    def loss():
        return (base @ some - target).square().mean() + rest.square().sum()

    optimizer = Alternating([rest], [base], [some], lr=0.01, eta=0.5, r=0.5, gamma=1e-3, lam=1e-3)
    values = []
    for step in range(60):
        before = base.detach().clone(), some.detach().clone(), rest.detach().clone()
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        assert torch.equal(base, before[0]) == (step % 2 == 1)
        assert torch.equal(some, before[1]) == (step % 2 == 0)
        assert not torch.equal(rest, before[2])
        values.append(value.item())
    assert values[-1] < 0.5 * values[0]
    state = optimizer.state_dict()
    twin = Alternating([rest], [base], [some], lr=0.01, eta=0.5, r=0.5)
    twin.load_state_dict(state)
    assert twin.param_groups[0]["turn"] == 60
    torch.testing.assert_close(twin.state[base]["sigma"], torch.linalg.svdvals(base.detach()))
    with pytest.raises(TrainingError, match="step sizes above 0"):
        Alternating([rest], [base], [some], eta=0)


# --- bad input ------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused(tasks):
    x, y, groups, start = tasks

    def still(s):
        return s.sum() * 0

    with pytest.raises(DataError, match="finite matrix"):
        factorize(torch.full((3, 2), torch.nan))
    with pytest.raises(DataError, match="rank=0"):
        factorize(torch.eye(3), 0)
    with pytest.raises(DataError, match="at least 1 x 1"):
        probing_matrix(0, 1)
    with pytest.raises(DataError, match="weight=-1"):
        smidas(still, torch.zeros(2), weight=-1)
    with pytest.raises(DataError, match="at least one entry"):
        smidas(still, torch.zeros(0), weight=1)
    with pytest.raises(DataError, match="unknown penalty 'l3'"):
        proximal_gradient(still, torch.zeros(2), weight=1, penalty="l3")
    with pytest.raises(TrainingError, match="objective of nan after 0 steps"):
        smidas(lambda s: s.sum() * torch.nan, torch.zeros(2), weight=1)
    with pytest.raises(DataError, match="group 1 has 2 attributes and 3 basis tasks"):
        fit_groups(x, y, groups, start.weights, start.bias, basis=[2, 3, 1])
    with pytest.raises(UnknownNameError, match="unknown solver"):
        fit_groups(x, y, groups, start.weights, start.bias, solver="newton")
    for p in (1, 1.5, torch.inf):
        with pytest.raises(DataError, match=f"p={p}: .* at least 2"):
            smidas(still, torch.zeros(2), weight=1, p=p)
    for rate in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(DataError, match=f"rate={rate}: give a finite step size"):
            nuclear_descent(still, torch.eye(2), gamma=1.0, rate=rate)
    with pytest.raises(DataError, match="rate=0"):
        smidas(still, torch.zeros(2), weight=1, rate=0)
    one = smidas(lambda s: (s - 1).square().sum(), torch.zeros(1), weight=0.1, rate=0.1, steps=200)
    assert float(one.point) == pytest.approx(0.95, abs=1e-3), "2 ln 1 is 0, and p is kept at 2"
    with pytest.raises(TrainingError, match="columns=0"):
        Alternating([], [torch.nn.Parameter(torch.eye(2))], [], columns=0)


def test_groups_of_tables_that_do_not_belong_together(tasks):
    x, y, groups, start = tasks
    with pytest.raises(DataError, match="of the same N faces"):
        fit_groups(x[1:], y, groups, start.weights, start.bias)
    with pytest.raises(DataError, match="no label is known"):
        fit_groups(x, torch.full_like(y, -1), groups, start.weights, start.bias)
    with pytest.raises(DataError, match="features and .* tasks need"):
        fit_groups(x, y, groups, start.weights[1:], start.bias)
    with pytest.raises(DataError, match="features and .* tasks need"):
        fit_groups(x, y, groups, start.weights, start.bias[1:])
    with pytest.raises(DataError, match="finite .N, d."):
        fit_groups(x * torch.nan, y, groups, start.weights, start.bias)
    with pytest.raises(DataError, match="labels must be 0, 1, or -1"):
        fit_groups(x, 2 * y, groups, start.weights, start.bias)
    with pytest.raises(DataError, match="finite .N, d."):
        fit_groups(x[:, :0], y, groups, start.weights[:0], start.bias)
    with pytest.raises(DataError, match="finite numbers above 0"):
        fit_groups(x, y, groups, start.weights, start.bias, rates=(torch.inf, 1.0))
    with pytest.raises(DataError, match="rounds=0"):
        fit_groups(x, y, groups, start.weights, start.bias, rounds=0)
