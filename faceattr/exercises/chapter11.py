"""Checkers of chapter 11, a learned graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.taskgraph import edge_scores, laplacian, log_det_step, task_distances

_TASKS = 6


def _graph(seed: int) -> Tensor:
    """Weights of edges ``(M, M)``; some pairs are not joined."""
    generator = torch.Generator().manual_seed(seed)
    upper = torch.rand(_TASKS, _TASKS, generator=generator, dtype=torch.float64).triu(1)
    upper = upper * (upper > 0.4)
    return upper + upper.T


@checker
def check_penalty(answer: Callable) -> Verdict:
    """Exercise 1: what a graph costs, from its edges alone.

    Args:
        answer: function of weights ``W (d, M)`` and edges ``(M, M)`` that returns
            ``Tr(W A W^T)`` with ``A = I + L``, without A.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_penalty(penalty).")
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(4, _TASKS, generator=generator, dtype=torch.float64)
    edges = _graph(0)
    own, price = w.square().sum(), (edges * task_distances(w)).sum() / 2
    slips = {
        "Every edge stands twice in the matrix, above and below its diagonal, and counts once.": (
            own + 2 * price
        ),
        "That is the edges' part; A = I + L has the squared lengths of the weights as well.": price,
        "That is the squared lengths alone: where are the edges?": own,
        "Distances are squared in Eq. 7.": own + (edges * task_distances(w).sqrt()).sum() / 2,
    }
    found = answer(w.clone(), edges.clone())
    same = compare(found, own + price, what="the penalty", tolerance=1e-6, slips=slips)
    return same and yes(
        "Short weights, and neighbours near each other: Tr(W A W^T) says no more than that. So "
        "edges only ever cost, and a step that minimises this alone wants none."
    )


@checker
def check_slack(answer: Callable) -> Verdict:
    """Exercise 2: is this graph the log-det step's answer?

    Args:
        answer: function of weights ``W (d, M)``, edges ``(M, M)`` and alpha that returns the
            slack ``z_ij - alpha r_ij`` of every pair, ``(M, M)`` with zeros on the diagonal.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_slack(slack).")
    generator = torch.Generator().manual_seed(3)
    w = torch.randn(8, _TASKS, generator=generator, dtype=torch.float64) / 4
    alpha = 0.4
    for what, edges in (
        ("of a given graph", _graph(1)),
        ("of the step's own graph", log_det_step(w, alpha=alpha, tolerance=1e-10).adjacency),
    ):
        inverse = torch.linalg.inv(torch.eye(_TASKS).double() + laplacian(edges))
        own = inverse.diagonal()
        r = own[:, None] + own[None] - 2 * inverse
        z = task_distances(w)
        bare = torch.linalg.pinv(laplacian(edges))
        slips = {
            "r is of P = A^-1 with A = I + L; you inverted L alone, which has none.": z
            - alpha * (bare.diagonal()[:, None] + bare.diagonal()[None] - 2 * bare),
            "That is alpha r - z: an edge is worth adding where z is smaller.": alpha * r - z,
            "r_ij = P_ii + P_jj - 2 P_ij; you took P_ij alone.": z - alpha * inverse,
            "alpha is the weight of the determinant: multiply r by it.": z - r,
        }
        found = answer(w.clone(), edges.clone(), alpha)
        same = compare(found, z - alpha * r, what=f"the slack {what}", tolerance=1e-6, slips=slips)
        if not same:
            return same
    return yes(
        "At the step's own graph no slack is below 0, and it is 0 wherever there is an edge: no "
        "edge is worth adding, none worth strengthening or weakening. That is what optimal means."
    )


@checker
def check_scores(answer: Callable) -> Verdict:
    """Exercise 3: how much of a graph was found.

    Args:
        answer: function of two ``(M, M)`` bool arrays, found and true, symmetric with whatever
            diagonal, that returns precision, recall and F1.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_scores(scores).")
    found, truth = _graph(2).numpy() > 0.5, _graph(5).numpy() > 0.5
    off = ~np.eye(_TASKS, dtype=bool)
    np.fill_diagonal(truth, True)  # a task is like itself; that is no edge

    def scored(a, b):
        hits = (a & b).sum()
        precision, recall = hits / max(a.sum(), 1), hits / max(b.sum(), 1)
        return precision, recall, 2 * hits / max(a.sum() + b.sum(), 1)

    right = edge_scores(torch.from_numpy(found), torch.from_numpy(truth))
    right = [right[key] for key in ("precision", "recall", "f1")]
    both = (found | np.eye(_TASKS, dtype=bool), truth)
    upper = (
        "You count the diagonal along with the pairs above it, and it is no edge: "
        "np.triu_indices(M, 1) leaves it out, np.triu_indices(M, 0) does not."
    )
    names = ["precision", "recall", "F1"]
    slips = {
        "The diagonal is no edge: leave it out.": scored(found, truth),
        "The diagonal is no edge, on either side: leave it out.": scored(*both),
        upper: scored(np.triu(found), np.triu(truth)),
        "Precision is the share of what was found that is true; you have it and recall swapped.": (
            scored(truth & off, found & off)
        ),
        "F1 is the harmonic mean of the two; you took their mean.": [
            *right[:2], (right[0] + right[1]) / 2,
        ],
    }  # fmt: skip
    given = answer(found.copy(), truth.copy())
    same = compare(
        given, right, what="your answer (precision, recall, F1)", tolerance=1e-9, slips=slips,
        names=names,
    )  # fmt: skip
    if same:
        itself = (both[0], truth & off)
        same = compare(
            answer(*(graph.copy() for graph in itself)), right, tolerance=1e-9, names=names,
            what="your answer where tasks are joined to themselves in what was found",
            slips={
                "The diagonal is no edge in what was found, either.": scored(*itself),
                upper: scored(*map(np.triu, itself)),
            },
        )  # fmt: skip
    if same:
        nothing = np.zeros_like(truth)
        same = compare(
            answer(nothing, truth),
            [0, 0, 0],
            what="your answer for a graph without edges",
            names=names,
        )
    return same and yes(
        "By chance, a graph with a share p of all pairs joined has precision p in any truth of "
        "that density: say so beside every F1."
    )
