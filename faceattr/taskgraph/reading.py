"""What a learned graph says: edges, clusters, a networkx graph, and how much of it is true."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.optional import require

if TYPE_CHECKING:
    import networkx

#: The paper's threshold (section 5.4).
THRESHOLD = 0.1


def edges(adjacency: Tensor, threshold: float = THRESHOLD, *, relative: bool = True) -> Tensor:
    """The edges that stay when weak ones are dropped, ``(..., M, M)`` bool.

    The paper sets "all the elements of the matrix smaller than a threshold" to zero and takes 0.1.
    Off its diagonal its A is nowhere positive, so that sizes must be meant; how large they get
    depends on the formulation, so that here the threshold is by default a share of the largest
    edge (a choice).

    Args:
        adjacency: ``(..., M, M)`` weights.
        threshold: an edge stays where it is larger.
        relative: as a share of the graph's largest weight.

    Raises:
        DataError: weights that are not finite, a matrix that is not square, or a threshold below 0.
    """
    _check(adjacency)
    if not threshold >= 0:
        raise DataError(f"threshold={threshold}: give a number of at least 0")
    sizes = adjacency.abs()
    if relative:
        threshold = threshold * sizes.amax((-2, -1), keepdim=True)
    return (sizes > threshold) & _off(sizes)


def strongest(adjacency: Tensor, count: int) -> Tensor:
    """The ``count`` strongest edges of one graph, by size as in :func:`edges`.

    Args:
        adjacency: ``(M, M)`` weights.
        count: how many; fewer are found where fewer are not 0.

    Returns:
        ``(M, M)`` bool.

    Raises:
        DataError: as :func:`edges`, a batch of graphs, or a count below 0.
    """
    _check_one(adjacency)
    if not isinstance(count, Integral) or count < 0:
        raise DataError(f"count={count}: give a number of edges, 0 or more")
    rows, columns = torch.triu_indices(*adjacency.shape, 1, device=adjacency.device)
    sizes = adjacency.abs()[rows, columns]
    order = sizes.argsort(descending=True, stable=True)[:count]
    order = order[sizes[order] > 0]
    found = torch.zeros_like(adjacency, dtype=torch.bool)
    found[rows[order], columns[order]] = True
    return found | found.T


def clusters(joined: Tensor, names: Sequence[str] | None = None) -> list[list]:
    """The connected parts of a graph, the largest first, as the paper's section 5.4 lists them.

    Args:
        joined: ``(M, M)``, True or not 0 where there is an edge.
        names: of the tasks; their numbers otherwise.

    Raises:
        DataError: as :func:`to_networkx`. MissingDependencyError: networkx is not installed.
    """
    found = to_networkx(joined, names)
    order = {node: number for number, node in enumerate(found.nodes)}
    parts = require("networkx", purpose="clusters of attributes").connected_components(found)
    return sorted(
        (sorted(part, key=order.get) for part in parts), key=lambda p: (-len(p), order[p[0]])
    )


def to_networkx(adjacency: Tensor, names: Sequence[str] | None = None) -> networkx.Graph:
    """The graph as networkx has it: tasks are nodes, edges carry ``weight``.

    Args:
        adjacency: ``(M, M)`` weights, or bool; an edge wherever it is not 0, its sign kept.
        names: of the nodes, in the order of the columns; their numbers otherwise.

    Raises:
        DataError: as :func:`edges`, a batch of graphs, another number of names, or a name twice.
        MissingDependencyError: networkx is not installed.
    """
    _check_one(adjacency)
    count = len(adjacency)
    names = list(range(count)) if names is None else list(names)
    if len(names) != count:
        raise DataError(f"{len(names)} names for {count} tasks: give one each")
    if len(set(names)) != count:
        raise DataError(f"{count} tasks have {len(set(names))} names: give each its own")
    graph = require("networkx", purpose="graphs of attributes").Graph()
    graph.add_nodes_from(names)
    table = adjacency.detach().cpu()
    for i, j in (table.float().abs().triu(1) > 0).nonzero().tolist():
        graph.add_edge(names[i], names[j], weight=float(table[i, j]))
    return graph


def edge_scores(found: Tensor, truth: Tensor) -> dict[str, float]:
    """How much of a true graph was found: ``precision``, ``recall``, ``f1``, ``edges``.

    Precision of a graph without edges is 0, and so is the recall of a truth without any.

    Args:
        found: ``(M, M)`` bool. truth: ``(M, M)`` bool.

    Raises:
        DataError: the graphs are of different sizes, or batches of graphs.
    """
    for graph in (found, truth):
        _check_one(graph)
    if found.shape != truth.shape:
        raise DataError(f"graphs of {len(found)} and {len(truth)} tasks cannot be compared")
    here, there = found.bool().triu(1), truth.bool().triu(1).to(found.device)
    hit, said, true = (float(x.sum()) for x in (here & there, here, there))
    return {
        "precision": hit / said if said else 0.0,
        "recall": hit / true if true else 0.0,
        "f1": 2 * hit / (said + true) if said + true else 0.0,
        "edges": said,
    }


def _off(adjacency: Tensor) -> Tensor:
    return ~torch.eye(adjacency.shape[-1], dtype=torch.bool, device=adjacency.device)


def _check(adjacency: Tensor) -> None:
    if adjacency.ndim < 2 or adjacency.shape[-1] != adjacency.shape[-2]:
        raise DataError(f"a graph of M tasks is (M, M), not {tuple(adjacency.shape)}")
    if adjacency.is_floating_point() and not adjacency.isfinite().all():
        raise DataError("this graph has weights that are not finite: learn it again")


def _check_one(adjacency: Tensor) -> None:
    if adjacency.ndim > 2:
        raise DataError(
            f"{tuple(adjacency.shape)} is a batch of graphs, and this reads one: take them in turn"
        )
    _check(adjacency)
