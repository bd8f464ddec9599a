"""Learn a graph by the name of a step, on weights of any size."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import Tensor

from faceattr.errors import UnknownNameError
from faceattr.taskgraph.common import TaskGraph, check_weights, task_distances
from faceattr.taskgraph.frobenius import frobenius_step
from faceattr.taskgraph.logdegree import log_degree_step
from faceattr.taskgraph.logdet import log_det_step
from faceattr.taskgraph.mtrl import mtrl_step
from faceattr.taskgraph.printed import printed_step

#: Steps for A by name.
STEPS: dict[str, Callable[..., TaskGraph]] = {
    "logdet": log_det_step,
    "logdegree": log_degree_step,
    "frobenius": frobenius_step,
    "mtrl": mtrl_step,
    "printed": printed_step,
}

#: What equal tasks pay for their edge in the log-det step, in mean distances of tasks.
_SPARSITY = 0.01


def learn_graph(weights: Tensor, step: str = "logdet", **settings) -> TaskGraph:
    """Learn the graph of tasks whose weights were first brought to a mean distance of 1.

    A network can trade the size of its features against that of its weights, so that the size of
    the latter says nothing of the tasks; and what a good alpha or beta is would depend on it. The
    paper is silent; to divide by the mean distance (one number for all tasks) is our choice. The
    log-det step also gets a small ``sparsity`` here, with which equal tasks are fine.

    Args:
        weights: ``W (..., d, M)``; all zero, they stay so.
        step: a name in :data:`STEPS`.
        settings: arguments of that step.

    Returns:
        What the step returns for the scaled weights: ``matrix`` and ``adjacency`` are for use with
        weights of any size, ``objective`` is the scaled ones'.

    Raises:
        UnknownNameError: no such step, or a setting that it has not. DataError: as the step.
    """
    if step not in STEPS:
        raise UnknownNameError(f"unknown graph step {step!r}: choose one of {', '.join(STEPS)}")
    known = list(inspect.signature(STEPS[step]).parameters)[1:]
    if unknown := [name for name in settings if name not in known]:
        raise UnknownNameError(
            f"the {step} step has no setting {unknown[0]!r}: it has {', '.join(known) or 'none'}"
        )
    tasks = check_weights(weights)
    count = tasks.shape[-1]
    mean = task_distances(tasks).sum((-2, -1)) / (count * (count - 1))  # (...)
    scale = mean.sqrt().where(mean > 0, mean.new_ones(()))
    if step == "logdet":
        settings = {"sparsity": _SPARSITY, **settings}
    scaled = (tasks / scale[..., None, None]).to(
        weights.dtype if weights.is_floating_point() else tasks.dtype
    )
    return STEPS[step](scaled, **settings)
