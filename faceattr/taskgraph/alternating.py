"""Algorithm 3 of MTFAP on fixed features: weights by L-BFGS, then their graph, and again.

In a network, the weights are trained by SGD together with what makes the features
(:mod:`faceattr.recipes.mtfap`); here the features are given and each half is solved to its end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from faceattr.errors import DataError, TrainingError
from faceattr.objectives.attributes import cross_entropy
from faceattr.taskgraph.common import TaskGraph, regulariser
from faceattr.taskgraph.learning import learn_graph


@dataclass(frozen=True)
class Tasks:
    """Predictors, and the graph that they were learned with.

    Attributes:
        weights: ``W (d, M)``. bias: ``(M,)``.
        graph: of the last round; None where there was none.
        objective: of Eq. 14, per face, after each round, with that round's graph.
    """

    weights: Tensor
    bias: Tensor
    graph: TaskGraph | None = None
    objective: list[float] = field(default_factory=list, repr=False)

    def logits(self, features: Tensor) -> Tensor:
        """``(N, d)`` to ``(N, M)``."""
        return features @ self.weights + self.bias


def check_tables(features: Tensor, labels: Tensor) -> None:
    """See that features ``(N, d)`` and labels ``(N, M)`` belong together.

    Raises:
        DataError: they are no tables of the same faces; features that are none or not finite;
            labels other than 0, 1 and -1, or not one that is known.
    """
    if features.ndim != 2 or not features.shape[1] or not features.isfinite().all():
        raise DataError("features must be a finite (N, d): check the network that made them")
    if labels.ndim != 2 or len(labels) != len(features):
        raise DataError(
            f"labels {tuple(labels.shape)} for features {tuple(features.shape)}: give (N, M) of "
            "the same N faces"
        )
    if ((labels != 0) & (labels != 1) & ~(labels < 0)).any():
        raise DataError("labels must be 0, 1, or -1 where unknown: convert them first")
    if not (labels >= 0).any():
        raise DataError("no label is known (all are -1): tasks are learned from labelled faces")


def log_odds(labels: Tensor) -> Tensor:
    """The logit of each attribute's share, ``(N, M)`` to ``(M,)``, with half a face added to each
    side; 0 where nothing is known."""
    known, positive = (labels >= 0).sum(0), (labels == 1).sum(0)
    return torch.logit((positive + 0.5) / (known + 1))


def fit_tasks(
    features: Tensor,
    labels: Tensor,
    *,
    xi: float = 0.75,
    matrix: Tensor | None = None,
    start: Tasks | None = None,
    iterations: int = 200,
) -> Tasks:
    """Minimise Eq. 14 for a given A, divided by the number of faces.

        sum_j mean_i Lc(x_i, y_ij, w_j) + xi Tr(W A W^T) / N

    With ``A = I`` (the default) tasks are learned one by one, with the penalty ``xi |w_j|^2``
    (Eq. 1, whose norm is printed without its square).

    Args:
        features: ``(N, d)``; centre and scale them. labels: ``(N, M)``, -1 where unknown.
        xi: the paper's xi; it found 0.75 best.
        matrix: A ``(M, M)``.
        start: where to begin.
        iterations: of L-BFGS, at most.

    Raises:
        DataError: as :func:`check_tables`; A or a start of another shape or not finite; an A with
            which short weights are not the cheapest; xi below 0.
        TrainingError: the objective is not finite.
    """
    check_tables(features, labels)
    if not 0 <= xi < math.inf:
        raise DataError(f"xi={xi}: give a finite number of at least 0")
    (faces, size), count = features.shape, labels.shape[1]
    if matrix is not None and matrix.shape != (count, count):
        raise DataError(f"A {tuple(matrix.shape)} for {count} tasks: give ({count}, {count})")
    if matrix is not None:
        _check_penalty(matrix)
    if start is not None and not (start.weights.isfinite().all() and start.bias.isfinite().all()):
        raise DataError("the start is not finite: begin with None, or with tasks that are")
    if start is not None and start.weights.shape != (size, count):
        raise DataError(
            f"the start's weights are {tuple(start.weights.shape)}, and {size} features and "
            f"{count} tasks need ({size}, {count})"
        )
    labels = labels.to(features.dtype)
    matrix = torch.eye(count).to(features) if matrix is None else matrix.to(features)
    if start is None:
        weights, bias = features.new_zeros(size, count), log_odds(labels).to(features)
    else:
        weights, bias = start.weights, start.bias
    weights, bias = (x.detach().clone().requires_grad_(True) for x in (weights, bias))
    optimizer = torch.optim.LBFGS(
        [weights, bias], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe",
        tolerance_grad=1e-6, tolerance_change=1e-9,
    )  # fmt: skip

    def objective() -> Tensor:
        loss = count * cross_entropy(features @ weights + bias, labels)
        return loss + xi * regulariser(weights, matrix) / faces  # Eq. 14, per face

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective()
        value.backward()
        return value

    optimizer.step(closure)
    with torch.no_grad():
        value = float(objective())
    if not math.isfinite(value):
        raise TrainingError(f"Eq. 14 is {value}: give finite labels and a finite A")
    return Tasks(weights.detach(), bias.detach(), None, [value])


def _check_penalty(matrix: Tensor) -> None:
    """See that ``Tr(W A W^T)`` is a penalty: that A is finite and positive semi-definite."""
    if not matrix.isfinite().all():
        raise DataError("A is not finite: learn the graph again")
    whole = matrix.detach().double()
    values = torch.linalg.eigvalsh((whole + whole.mT) / 2)
    if values[0] < -1e-6 * values.abs().max():
        raise DataError(
            f"A has the eigenvalue {float(values[0]):.3g}, and Tr(W A W^T) has no least value: "
            "give I + L of edges that are at least 0"
        )


def learn_tasks_and_graph(
    features: Tensor,
    labels: Tensor,
    *,
    xi: float = 0.75,
    step: str = "logdet",
    rounds: int = 5,
    start: Tasks | None = None,
    **settings,
) -> Tasks:
    """Algorithm 3 on fixed features: weights for the graph, the graph for the weights, and again.

    It begins without a graph. Since :func:`~faceattr.taskgraph.learn_graph` scales the weights
    anew each time, the objective of Eq. 14 need not fall from round to round.

    Args:
        features, labels, xi, start: as :func:`fit_tasks`.
        step: a name in :data:`~faceattr.taskgraph.STEPS`.
        rounds: graphs that are learned.
        settings: arguments of the step.

    Raises:
        DataError, TrainingError: as :func:`fit_tasks` and the step.
        UnknownNameError: no such step.
    """
    tasks = fit_tasks(features, labels, xi=xi, start=start)
    graph, values = None, list(tasks.objective)
    for _ in range(rounds):
        graph = learn_graph(tasks.weights, step, **settings)  # line 7
        tasks = fit_tasks(features, labels, xi=xi, matrix=graph.matrix, start=tasks)  # lines 3-6
        values += tasks.objective
    return Tasks(tasks.weights, tasks.bias, graph, values)
