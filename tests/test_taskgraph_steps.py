"""Graph steps: optimality conditions, cvxpy on the same programs, and what is read from graphs."""

import cvxpy as cp
import networkx
import numpy as np
import pytest
import torch

from faceattr.data.labels import LabelModel
from faceattr.errors import DataError, UnknownNameError
from faceattr.taskgraph import (
    STEPS,
    Tasks,
    clusters,
    edge_scores,
    edges,
    fit_tasks,
    frobenius_step,
    laplacian,
    learn_graph,
    learn_tasks_and_graph,
    log_degree_step,
    log_det_step,
    mtrl_step,
    printed_step,
    regulariser,
    strongest,
    task_distances,
    to_networkx,
)

COUNT, FEATURES = 10, 14
LAPLACIANS = ("logdet", "logdegree", "frobenius", "printed")


def weights(seed=0, count=COUNT):
    """Tasks of which 0 and 1, and 2 and 3, are near each other."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(FEATURES, count, generator=generator).double() / 4
    w[:, 1] = w[:, 0] + 0.2 * w[:, 1]
    w[:, 3] = w[:, 2] + 0.3 * w[:, 3]
    return w


class Program:
    """Edges ``m >= 0`` of cvxpy, and ``sum m z``, which all steps share."""

    def __init__(self, w):
        first, second = np.triu_indices(COUNT, 1)
        z = task_distances(w).numpy()[first, second]
        ends = np.zeros((COUNT, len(z)))
        ends[first, np.arange(len(z))], ends[second, np.arange(len(z))] = 1, -1
        self.m = cp.Variable(len(z), nonneg=True)
        self.degree = np.abs(ends) @ self.m
        self.matrix = np.eye(COUNT) + ends @ cp.diag(self.m) @ ends.T
        self.price = z @ self.m + float(w.square().sum())
        self.places = first, second

    def solve(self, cost, *constraints):
        problem = cp.Problem(cp.Minimize(self.price + cost), list(constraints))
        problem.solve(solver=cp.CLARABEL)
        found = np.zeros((COUNT, COUNT))
        found[self.places] = self.m.value
        return problem.value, found + found.T


def agree(graph, value, adjacency, within=1e-3):
    assert graph.objective.item() == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(graph.adjacency.numpy(), adjacency, atol=within)
    assert 0 <= graph.gap.item() <= 2e-6 * max(1, abs(value))


# --- the step as printed --------------------------------------------------------------------------


def test_the_printed_step_returns_the_empty_graph_in_cvxpy_too():
    w = weights()
    a = cp.Variable((COUNT, COUNT), symmetric=True)
    off = np.ones((COUNT, COUNT)) - np.eye(COUNT)
    constraints = [a - np.eye(COUNT) >> 0, cp.multiply(off, a) <= 0, cp.sum(a, axis=1) == 1]
    gram = (w.T @ w).numpy()
    problem = cp.Problem(cp.Minimize(cp.trace(a @ gram)), constraints)
    problem.solve(solver=cp.SCS, eps=1e-8, max_iters=50_000)
    np.testing.assert_allclose(a.value, np.eye(COUNT), atol=1e-4)
    ours = printed_step(w)
    assert torch.equal(ours.matrix, torch.eye(COUNT).double())
    assert not ours.adjacency.any()
    assert ours.objective.item() == pytest.approx(problem.value, rel=1e-4)
    assert ours.objective.item() == pytest.approx(w.square().sum().item())


def test_the_two_lines_of_its_proof():
    w, generator = weights(), torch.Generator().manual_seed(3)
    m = torch.rand(COUNT, COUNT, generator=generator).double()
    m = (m + m.T).fill_diagonal_(0)
    matrix = torch.eye(COUNT).double() + laplacian(m)
    assert torch.linalg.eigvalsh(matrix).min() >= 1 - 1e-12, "A >= I holds by itself"
    torch.testing.assert_close(matrix.sum(1), torch.ones(COUNT).double())
    price = w.square().sum() + (m * task_distances(w)).sum() / 2
    torch.testing.assert_close(regulariser(w, matrix), price)
    assert price > printed_step(w).objective


# --- the well-posed steps against cvxpy -----------------------------------------------------------


@pytest.mark.parametrize(("alpha", "sparsity"), [(0.5, 0.0), (1.5, 0.05)])
def test_log_det(alpha, sparsity):
    w = weights()
    p = Program(w)
    cost = sparsity * cp.sum(p.m) - alpha * cp.log_det(p.matrix)
    graph = log_det_step(w, alpha=alpha, sparsity=sparsity, tolerance=1e-9)
    agree(graph, *p.solve(cost))
    inverse = torch.linalg.inv(graph.matrix)
    d = inverse.diagonal()
    slope = task_distances(w) + sparsity - alpha * (d[:, None] + d[None] - 2 * inverse)
    off = ~torch.eye(COUNT, dtype=torch.bool)
    joined = graph.adjacency > 1e-5
    assert (slope[off] > -1e-4).all()
    assert slope[joined].abs().max() < 1e-4
    assert joined.any()


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.7), (2.0, 0.1)])
def test_log_degree(alpha, beta):
    w = weights()
    p = Program(w)
    cost = -alpha / 2 * cp.sum(cp.log(p.degree)) + beta / 2 * cp.sum_squares(p.m)
    graph = log_degree_step(w, alpha=alpha, beta=beta)
    agree(graph, *p.solve(cost))
    degree = graph.adjacency.sum(1)
    assert (degree > 0).all(), "nobody stays alone"
    price = alpha / (2 * degree)
    slope = task_distances(w) + beta * graph.adjacency - price[:, None] - price[None]
    off = ~torch.eye(COUNT, dtype=torch.bool)
    assert (slope[off] > -1e-8).all()
    assert slope[graph.adjacency > 0].abs().max() < 1e-8


@pytest.mark.parametrize("beta", [0.02, 0.3, 10.0])
def test_frobenius(beta):
    w = weights()
    p = Program(w)
    cost = beta * (cp.sum_squares(p.degree) + 2 * cp.sum_squares(p.m))
    graph = frobenius_step(w, beta=beta)
    agree(graph, *p.solve(cost, 2 * cp.sum(p.m) == COUNT))
    assert torch.trace(graph.matrix).item() == pytest.approx(2 * COUNT)
    degree = graph.adjacency.sum(1)
    slope = task_distances(w) + 4 * beta * graph.adjacency
    slope = slope + 2 * beta * (degree[:, None] + degree[None])
    joined = graph.adjacency > 1e-9
    nu = slope[joined].mean()
    off = ~torch.eye(COUNT, dtype=torch.bool)
    assert (slope[joined] - nu).abs().max() < 1e-8
    assert (slope[off] - nu).min() > -1e-8


def test_mtrl():
    w = weights()
    graph = mtrl_step(w, trace=1.0, epsilon=1e-9)
    omega = cp.Variable((COUNT, COUNT), PSD=True)
    cost = cp.sum([cp.matrix_frac(row.numpy(), omega) for row in w])
    problem = cp.Problem(cp.Minimize(cost), [cp.trace(omega) == 1])
    problem.solve(solver=cp.CLARABEL)
    assert graph.objective.item() == pytest.approx(problem.value, rel=1e-5)
    mine = torch.linalg.inv(graph.matrix)
    np.testing.assert_allclose(mine.numpy(), omega.value, atol=1e-4)
    assert regulariser(w, graph.matrix).item() == pytest.approx(graph.objective.item(), rel=1e-5)
    # optimality: Omega^-1 W^T W Omega^-1 is a multiple of the identity
    flat = graph.matrix @ w.T @ w @ graph.matrix
    torch.testing.assert_close(flat, flat[0, 0] * torch.eye(COUNT).double(), atol=1e-3, rtol=1e-5)


def test_mtrl_ties_opposites_which_distances_cannot():
    w = weights()
    w[:, 5] = -w[:, 4]
    found = mtrl_step(w).adjacency
    assert found[4, 5] > 0.9
    assert learn_graph(w, "logdet").adjacency[4, 5] == 0


# --- all steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_batches_are_solved_as_one_by_one(step):
    several = torch.stack([weights(seed) for seed in range(3)])[:, None]  # (3, 1, d, M)
    together = learn_graph(several, step)
    assert together.matrix.shape == (3, 1, COUNT, COUNT)
    assert together.objective.shape == (3, 1)
    for seed in range(3):
        alone = learn_graph(weights(seed), step)
        torch.testing.assert_close(together.adjacency[seed, 0], alone.adjacency, atol=2e-3, rtol=0)


@pytest.mark.parametrize("step", STEPS)
def test_graphs_do_not_depend_on_the_size_of_weights_and_keep_their_dtype(step):
    w = weights().float()
    one, large = learn_graph(w, step), learn_graph(1000 * w, step)
    assert one.matrix.dtype == torch.float32
    torch.testing.assert_close(one.adjacency, large.adjacency, atol=2e-3, rtol=0)
    assert learn_graph(w.bfloat16(), step).matrix.isfinite().all()


@pytest.mark.parametrize("step", [s for s in STEPS if s != "printed"])
def test_near_tasks_are_joined(step):
    found = learn_graph(weights(), step).adjacency
    assert found[0, 1] > found[0, 4:].max()
    assert found[2, 3] > found[2, 4:].max()


@pytest.mark.parametrize("step", LAPLACIANS)
def test_what_is_learned_lies_in_the_papers_set(step):
    graph = learn_graph(weights(), step)
    torch.testing.assert_close(graph.matrix.sum(1), torch.ones(COUNT).double())
    torch.testing.assert_close(graph.matrix, graph.matrix.T)
    off = graph.matrix - torch.diag(graph.matrix.diagonal())
    assert (off <= 1e-12).all()
    assert torch.linalg.eigvalsh(graph.matrix).min() > 1 - 1e-9
    torch.testing.assert_close(-off, graph.adjacency)


@pytest.mark.parametrize("step", STEPS)
def test_weights_of_zeros_and_equal_tasks_are_defined(step):
    nothing = learn_graph(torch.zeros(FEATURES, COUNT), step)
    assert nothing.matrix.isfinite().all()
    twins = weights()
    twins[:, 1] = twins[:, 0]
    found = learn_graph(twins, step)
    assert found.matrix.isfinite().all()
    if step != "printed":
        assert found.adjacency[0, 1] >= found.adjacency[0, 2:].max()


@pytest.mark.parametrize("step", STEPS)
def test_two_tasks_are_enough_and_one_is_not(step):
    assert learn_graph(weights(count=4)[:, :2], step).matrix.shape == (2, 2)
    with pytest.raises(DataError, match="hold no tasks to relate"):
        learn_graph(torch.randn(5, 1), step)


@pytest.mark.parametrize("step", STEPS)
def test_weights_that_are_not_finite_are_named(step):
    w = weights()
    w[3, 7] = torch.nan
    with pytest.raises(DataError, match="the weights of task 7 are not finite"):
        learn_graph(w, step)


def test_what_cannot_be_is_refused():
    w = weights()
    w[:, 1] = w[:, 0]
    with pytest.raises(DataError, match="tasks 0 and 1 have the same weights.*sparsity above 0"):
        log_det_step(w)
    with pytest.raises(DataError, match="alpha=0"):
        log_det_step(w, alpha=0)
    with pytest.raises(DataError, match="sparsity=-1"):
        log_det_step(w, sparsity=-1)
    with pytest.raises(DataError, match="from its minimum after"):
        log_det_step(weights(), alpha=1.5, tolerance=1e-14, iterations=3)
    with pytest.raises(DataError, match="beta=inf"):
        frobenius_step(w, beta=float("inf"))
    with pytest.raises(UnknownNameError, match="unknown graph step 'sdp'"):
        learn_graph(w, "sdp")


def test_many_tasks_take_seconds():
    """The benchmark measures it; here only that hundreds of tasks work at all."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(30, 150, generator=generator)
    graph = learn_graph(w)
    assert graph.gap <= 1e-5 * abs(graph.objective)


# --- reading --------------------------------------------------------------------------------------


def test_thresholds_and_clusters():
    adjacency = torch.zeros(5, 5)
    adjacency[0, 1] = adjacency[1, 0] = 2.0
    adjacency[1, 2] = adjacency[2, 1] = 0.3
    adjacency[3, 4] = adjacency[4, 3] = 0.15
    assert int(edges(adjacency).sum()) == 4, "0.15 is less than a tenth of 2"
    assert int(edges(adjacency, relative=False).sum()) == 6
    names = ["a", "b", "c", "d", "e"]
    assert clusters(edges(adjacency), names) == [["a", "b", "c"], ["d"], ["e"]]
    assert clusters(edges(adjacency, relative=False)) == [[0, 1, 2], [3, 4]]
    assert int(strongest(adjacency, 2).sum()) == 4
    assert int(strongest(adjacency, 9).sum()) == 6, "no edge of weight 0"
    assert len(clusters(torch.ones(5, 5))) == 1, "complete"
    assert len(clusters(torch.zeros(5, 5))) == 5, "empty"


def test_networkx_gets_the_weights():
    adjacency = learn_graph(weights()).adjacency
    names = [f"task {j}" for j in range(COUNT)]
    graph = to_networkx(adjacency, names)
    assert list(graph.nodes) == names
    table = networkx.to_numpy_array(graph, nodelist=names)
    np.testing.assert_allclose(table, adjacency.numpy(), atol=1e-12)
    with pytest.raises(DataError, match="2 names for 10 tasks"):
        to_networkx(adjacency, ["a", "b"])
    with pytest.raises(DataError, match="not finite"):
        to_networkx(torch.full((3, 3), torch.nan))
    with pytest.raises(DataError, match="a graph of M tasks"):
        edges(torch.zeros(3, 4))


@pytest.mark.parametrize("read", [clusters, to_networkx, lambda a: strongest(a, 2)])
def test_one_graph_is_read_at_a_time(read):
    both = torch.stack([torch.ones(3, 3), torch.zeros(3, 3)])
    with pytest.raises(DataError, match="batch of graphs"):
        read(both)
    with pytest.raises(DataError, match="batch of graphs"):
        edge_scores(both > 0, both > 0)
    with pytest.raises(DataError, match="count=-1"):
        strongest(both[0], -1)


def test_edges_are_read_by_size_whatever_their_sign():
    adjacency = learn_graph(weights()).adjacency
    matrix = laplacian(adjacency)  # the paper's, negative off the diagonal
    assert torch.equal(edges(matrix - torch.diag(matrix.diagonal())), edges(adjacency))
    assert torch.equal(strongest(matrix, 5), strongest(adjacency, 5))
    assert clusters(matrix) == clusters(adjacency)
    graph, i, j = to_networkx(matrix), *strongest(adjacency, 1).nonzero()[0].tolist()
    assert graph[i][j]["weight"] == pytest.approx(-float(adjacency[i, j]))


def test_edge_scores():
    truth = torch.zeros(4, 4, dtype=torch.bool)
    truth[0, 1] = truth[1, 0] = truth[2, 3] = truth[3, 2] = True
    found = torch.zeros_like(truth)
    found[0, 1] = found[1, 0] = found[0, 2] = found[2, 0] = True
    assert edge_scores(found, truth) == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "edges": 2.0}
    assert edge_scores(truth, truth)["f1"] == 1
    assert edge_scores(torch.zeros_like(truth), truth)["f1"] == 0
    with pytest.raises(DataError, match="cannot be compared"):
        edge_scores(found, truth[:3, :3])


# --- Algorithm 3 on fixed features ----------------------------------------------------------------


def problem(faces=120, seed=0):
    """Few labels of tasks in two families."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(20, 2, generator=generator)
    w = base[:, torch.arange(8) % 2] + 0.3 * torch.randn(20, 8, generator=generator)
    x = torch.randn(faces + 2000, 20, generator=generator)
    y = ((x @ w + 2 * torch.randn(len(x), 8, generator=generator)) > 0).float()
    return (x[:faces], y[:faces]), (x[faces:], y[faces:])


def accuracy(found, test):
    return ((found.logits(test[0]) > 0) == (test[1] > 0)).float().mean().item()


def test_a_graph_helps_where_labels_are_few_and_tasks_are_related():
    train, test = problem()
    alone = fit_tasks(*train, xi=5.0)
    tied = learn_tasks_and_graph(*train, xi=5.0)
    assert accuracy(tied, test) > accuracy(alone, test) + 0.01
    assert len(tied.objective) == 6
    family = torch.arange(8) % 2
    found = edges(tied.graph.adjacency)
    assert edge_scores(found, family[:, None] == family)["precision"] > 0.9


def test_the_printed_step_learns_tasks_one_by_one():
    train, _ = problem()
    printed = learn_tasks_and_graph(*train, step="printed", rounds=2)
    alone = fit_tasks(*train)
    torch.testing.assert_close(printed.weights, alone.weights, atol=1e-2, rtol=0)


def test_fitted_tasks_are_at_the_minimum():
    (x, y), _ = problem()
    found = fit_tasks(x.double(), y, xi=2.0)
    chance = found.logits(x.double()).sigmoid()
    slope = x.double().T @ (chance - y) / len(x) + 2 * 2.0 / len(x) * found.weights
    assert slope.abs().max() < 1e-4
    assert (chance - y).mean(0).abs().max() < 1e-4


def test_unknown_and_constant_labels_and_features_of_zeros():
    (x, y), _ = problem()
    y[:60, 0] = -1
    y[:, 1] = 1
    found = learn_tasks_and_graph(x, y)
    assert found.weights.isfinite().all()
    assert (found.logits(x)[:, 1] > 0).all()
    nothing = learn_tasks_and_graph(torch.zeros_like(x), y)
    assert not nothing.weights.any()
    with pytest.raises(DataError, match="finite .N, d."):
        fit_tasks(x / 0, y)
    with pytest.raises(DataError, match="xi=-1"):
        fit_tasks(x, y, xi=-1)


def test_tables_that_do_not_belong_together():
    (x, y), _ = problem()
    cases = {
        r"labels \(119, 8\) for features \(120, 20\)": (x, y[1:]),
        r"labels \(120,\)": (x, y[:, 0]),
        "no label is known": (x, torch.full_like(y, -1)),
    }
    for why, tables in cases.items():
        with pytest.raises(DataError, match=why):
            fit_tasks(*tables)
    with pytest.raises(DataError, match=r"A \(3, 3\) for 8 tasks"):
        fit_tasks(x, y, matrix=torch.eye(3))
    with pytest.raises(DataError, match=r"the start's weights are \(20, 8\)"):
        fit_tasks(x[:, :5], y, start=fit_tasks(x, y))


def test_what_is_no_penalty_and_no_label_is_refused():
    (x, y), _ = problem()
    eye = torch.eye(y.shape[1])
    for why, how in {
        "A is not finite": {"matrix": eye * torch.nan},
        "has no least value": {"matrix": -eye},
        "the start is not finite": {"start": Tasks(x.new_full((20, 8), torch.nan), x[0, :8])},
    }.items():
        with pytest.raises(DataError, match=why):
            fit_tasks(x, y, **how)
    for labels in (2 * y, y / 2, y.float() * torch.nan):
        with pytest.raises(DataError, match="labels must be 0, 1, or -1"):
            fit_tasks(x, labels)


@pytest.mark.parametrize("step", STEPS)
def test_weights_beyond_all_proportion_are_refused(step):
    with pytest.raises(DataError, match="that no number holds"):
        STEPS[step](weights() * 1e200)
    with pytest.raises(DataError, match="hold no tasks"):
        STEPS[step](torch.zeros(0, 4, 3))


def test_graphs_that_are_not_finite_are_refused():
    for step, settings in (("mtrl", {"trace": 1e-300}), ("logdegree", {"alpha": 1e300})):
        with pytest.raises(DataError, match="weights that are not finite"):
            learn_graph(weights().float(), step, **settings)


def test_readings_that_say_nothing_are_refused():
    graph = learn_graph(weights()).adjacency
    for threshold in (-1.0, float("nan")):
        with pytest.raises(DataError, match="threshold="):
            edges(graph, threshold)
    with pytest.raises(DataError, match=r"count=1\.5"):
        strongest(graph, 1.5)
    for read in (to_networkx, clusters):
        with pytest.raises(DataError, match="give each its own"):
            read(graph, ["a"] * COUNT)


def test_settings_of_a_step_have_its_names():
    with pytest.raises(UnknownNameError, match="logdet step has no setting 'beta': it has alpha"):
        learn_graph(weights(), beta=1.0)
    with pytest.raises(UnknownNameError, match="it has none"):
        learn_graph(weights(), "printed", alpha=1.0)


def test_the_true_graph_of_the_labels_is_there_to_compare_with():
    latent = torch.from_numpy(LabelModel.load().latent_correlation)
    found = edges(latent.clamp(min=0).fill_diagonal_(0), 0.3, relative=False)
    truth = torch.from_numpy(LabelModel.load().graph(0.3))
    assert edge_scores(found, truth)["precision"] == 1
