"""Steps for the graph of tasks, against cvxpy and their optimality conditions."""

from __future__ import annotations

import cvxpy as cp
import networkx
import numpy as np
import pytest
import torch

from faceattr.errors import DataError, UnknownNameError
from faceattr.taskgraph import (
    STEPS,
    clusters,
    edge_scores,
    edges,
    frobenius_step,
    learn_graph,
    learn_tasks_and_graph,
    log_degree_step,
    log_det_step,
    mtrl_step,
    printed_step,
    regulariser,
    task_distances,
    to_networkx,
)

M = 7


def weights(count=M, seed=0, families=2):
    """Tasks ``(d, M)`` in families, at a mean distance of 1."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(12, count, generator=generator, dtype=torch.float64)
    shared = torch.randn(12, families, generator=generator, dtype=torch.float64)
    w = 0.6 * own + shared[:, torch.arange(count) % families]
    return w / (task_distances(w).sum() / (count * (count - 1))).sqrt()


class Program:
    """A step as cvxpy has it, in the edges' weights."""

    def __init__(self, w):
        self.distance = task_distances(w).numpy()
        first, second = np.triu_indices(len(self.distance), 1)
        self.price = self.distance[first, second]
        self.ends = np.zeros((len(self.distance), len(first)))
        self.ends[first, np.arange(len(first))] = 1
        self.ends[second, np.arange(len(first))] = -1
        self.degrees = np.abs(self.ends)
        self.edges = cp.Variable(len(first), nonneg=True)
        self.laplacian = self.ends @ cp.diag(self.edges) @ self.ends.T
        self.first, self.second = first, second

    def solve(self, cost, constraints=()):
        value = cp.Problem(cp.Minimize(cost), list(constraints)).solve(solver=cp.CLARABEL)
        found = np.zeros_like(self.distance)
        found[self.first, self.second] = found[self.second, self.first] = self.edges.value
        return value, found


def test_distances_and_regulariser():
    w = weights()
    expected = torch.cdist(w.T, w.T).square()
    torch.testing.assert_close(task_distances(w), expected)
    a = torch.randn(M, M, dtype=torch.float64)
    torch.testing.assert_close(regulariser(w, a), torch.trace(w @ a @ w.T))


def test_the_step_as_printed_returns_the_empty_graph():
    w = weights()
    program = Program(w)
    matrix = np.eye(M) + program.laplacian
    constraints = [matrix - np.eye(M) >> 0]
    value, found = program.solve(program.price @ program.edges, constraints)
    assert found.max() < 1e-6
    graph = printed_step(w)
    assert graph.adjacency.abs().max() == 0
    torch.testing.assert_close(graph.matrix, torch.eye(M, dtype=torch.float64))
    assert float(graph.objective) == pytest.approx(value + float(w.square().sum()), abs=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_log_det_against_cvxpy(seed):
    w = weights(seed=seed)
    program, alpha, price = Program(w), 0.5, 0.05
    cost = (program.price + price) @ program.edges - alpha * cp.log_det(
        np.eye(M) + program.laplacian
    )
    value, found = program.solve(cost)
    graph = log_det_step(w, alpha=alpha, sparsity=price, tolerance=1e-9)
    assert float(graph.objective) == pytest.approx(value + float(w.square().sum()), rel=1e-6)
    np.testing.assert_allclose(graph.adjacency, found, atol=1e-3)
    inverse = torch.linalg.inv(graph.matrix)
    r = inverse.diagonal()[:, None] + inverse.diagonal()[None] - 2 * inverse
    slack = task_distances(w) + price - alpha * r  # the optimality conditions
    off = ~torch.eye(M, dtype=torch.bool)
    assert slack[off].min() > -1e-3
    assert slack[graph.adjacency > 1e-2].abs().max() < 1e-3


def test_log_degree_against_cvxpy():
    w, alpha, beta = weights(), 0.7, 0.4
    program = Program(w)
    degree = program.degrees @ program.edges
    value, found = program.solve(
        program.price @ program.edges
        - alpha / 2 * cp.sum(cp.log(degree))
        + beta / 2 * cp.sum_squares(program.edges)
    )
    graph = log_degree_step(w, alpha=alpha, beta=beta)
    np.testing.assert_allclose(graph.adjacency, found, atol=2e-3)
    assert float(graph.objective) == pytest.approx(value + float(w.square().sum()), rel=1e-5)
    assert (graph.adjacency.sum(-1) > 0).all()  # nobody is left alone


def test_frobenius_has_the_trace_and_beats_its_neighbours():
    w = weights()
    graph = frobenius_step(w, beta=0.2)
    assert float(graph.adjacency.sum()) == pytest.approx(M)
    assert (graph.adjacency >= 0).all()
    near = frobenius_step(w, beta=0.01)
    assert (near.adjacency > 1e-6).sum() < (graph.adjacency > 1e-6).sum()


def test_mtrl_is_the_papers_closed_form():
    w = weights()
    graph = mtrl_step(w, trace=1.0, epsilon=1e-6)
    values, vectors = torch.linalg.eigh(w.T @ w)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    omega = root / torch.trace(root)
    torch.testing.assert_close(torch.linalg.inv(graph.matrix), omega, atol=1e-3, rtol=1e-3)
    assert float(graph.objective) == pytest.approx(float(torch.trace(root) ** 2), rel=1e-5)


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_step_takes_batches_and_refuses_what_it_cannot(step):
    both = torch.stack([weights(seed=0), weights(seed=1)])
    together = learn_graph(both, step)
    for k in range(2):
        alone = learn_graph(both[k], step)
        torch.testing.assert_close(together.adjacency[k], alone.adjacency, atol=1e-4, rtol=1e-4)
    broken = weights()
    broken[0, 0] = torch.nan
    with pytest.raises(DataError, match="finite"):
        learn_graph(broken, step)
    same = learn_graph(torch.ones(3, 4, dtype=torch.float64), step)  # all tasks alike
    assert same.adjacency.isfinite().all()
    zero = learn_graph(torch.zeros(3, 4, dtype=torch.float64), step)
    assert zero.adjacency.isfinite().all()


def test_families_are_found():
    w = weights(12, families=3)
    graph = log_det_step(w, alpha=0.5, sparsity=0.1)
    truth = torch.arange(12)[:, None] % 3 == torch.arange(12)[None] % 3
    truth.fill_diagonal_(False)
    assert edge_scores(edges(graph.adjacency), truth)["f1"] >= 0.8  # by chance: 0.3


def test_reading_a_graph():
    adjacency = torch.zeros(4, 4)
    adjacency[0, 1] = adjacency[1, 0] = 1.0
    adjacency[2, 3] = adjacency[3, 2] = 0.05
    joined = edges(adjacency, 0.1)
    assert joined.sum() == 2
    assert sorted(map(sorted, clusters(joined, list("abcd")))) == [["a", "b"], ["c"], ["d"]]
    graph = to_networkx(adjacency, list("abcd"))
    assert isinstance(graph, networkx.Graph)
    assert graph["a"]["b"]["weight"] == 1.0
    complete = ~torch.eye(4, dtype=torch.bool)
    assert len(clusters(complete)) == 1
    assert edge_scores(complete, complete)["f1"] == 1


def test_an_unknown_step():
    with pytest.raises(UnknownNameError, match="choose"):
        learn_graph(weights(), "guess")


def test_tasks_and_graph_are_learned_together():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 5, generator=generator)
    truth = torch.randn(5, 2, generator=generator)[:, [0, 0, 1, 1]]
    labels = (features @ truth > 0).float()
    tasks = learn_tasks_and_graph(features, labels)
    right = ((tasks.logits(features) > 0) == labels.bool()).float().mean()
    assert right > 0.9
    assert tasks.graph.adjacency[0, 1] > tasks.graph.adjacency[0, 2]
