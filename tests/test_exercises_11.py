"""The checkers of chapter 11 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter11 as chapter
from faceattr.taskgraph import laplacian, regulariser, task_distances

SOLUTIONS = ROOT / "book" / "solutions" / "11_a_learned_graph.py"
EYE = torch.eye(6).double()


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


def edges_part(w, m):
    return (m * task_distances(w)).sum() / 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda w, m: w.square().sum() + 2 * edges_part(w, m), "counts once"),
        (edges_part, "as well"),
        (lambda w, m: w.square().sum(), "where are the edges"),
        (
            lambda w, m: w.square().sum() + (m * task_distances(w).sqrt()).sum() / 2,
            "Distances are squared",
        ),
        (lambda w, m: 0.0, "too low"),
        (1.0, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_penalty_explains_what_is_wrong(answer, why):
    refuses(chapter.check_penalty(answer), why)


def test_penalty_takes_every_right_way():
    assert chapter.check_penalty(lambda w, m: regulariser(w, EYE + laplacian(m)))


def resistance(matrix):
    own = matrix.diagonal()
    return own[:, None] + own[None] - 2 * matrix


def inverse(m):
    return torch.linalg.inv(EYE + laplacian(m))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            lambda w, m, a: task_distances(w) - a * resistance(torch.linalg.pinv(laplacian(m))),
            "inverted L alone",
        ),
        (lambda w, m, a: a * resistance(inverse(m)) - task_distances(w), "z is smaller"),
        (lambda w, m, a: task_distances(w) - a * inverse(m), "P_ij alone"),
        (lambda w, m, a: task_distances(w) - resistance(inverse(m)), "multiply r by it"),
        (lambda w, m, a: torch.zeros(3, 3), "should have shape"),
        (0, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_slack_explains_what_is_wrong(answer, why):
    refuses(chapter.check_slack(answer), why)


def scored(a, b):
    hits = (a & b).sum()
    return hits / a.sum(), hits / b.sum(), 2 * hits / (a.sum() + b.sum())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (scored, "diagonal is no edge: leave it out"),
        (lambda a, b: scored(a | np.eye(6, dtype=bool), b), "on either side"),
        (lambda a, b: scored(b & ~np.eye(6, dtype=bool), a), "swapped"),
        (
            lambda a, b: (s := scored(a, b & ~np.eye(6, dtype=bool)))[:2] + ((s[0] + s[1]) / 2,),
            "harmonic mean",
        ),
        (lambda a, b: scored(a, b & ~np.eye(6, dtype=bool)), "no edge in what was found, either"),
        (lambda a, b: scored(np.triu(a), np.triu(b)), r"triu_indices\(M, 0\) does not"),
        (lambda a, b: scored(np.triu(a), np.triu(b, 1)), r"triu_indices\(M, 0\) does not"),
        (lambda a, b: (0, 0, 0), "^Your answer .* is off by .* at (precision|recall|F1)"),
        (lambda a, b: scored(np.triu(a, 1), np.triu(b, 1)), "no NaN"),
        (lambda a, b: (1, 1), "should have shape"),
        (0, "the function itself"),
        (None, "no answer yet"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_scores_explains_what_is_wrong(answer, why):
    refuses(chapter.check_scores(answer), why)
