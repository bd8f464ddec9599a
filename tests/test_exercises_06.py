"""The checkers of chapter 6 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import pytest
import torch
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter06 as chapter

SOLUTIONS = ROOT / "book" / "solutions" / "06_parts_and_whole.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda W, A: A.T[:, None] * W, "transposed"),
        (lambda W, A: W.expand(len(A), -1, -1), "switch alone"),
        (lambda W, A: A @ W.T, "Keep i and k apart"),
        (lambda W, A: (A[:, None] * W).transpose(0, 1), "another order"),
        (lambda W, A: A[:, None] * W + 0.1, "too high"),
        (lambda W, A: A @ W, "raises RuntimeError"),
        (torch.ones(3), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_folded_explains_what_is_wrong(answer, why):
    refuses(chapter.check_folded(answer), why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda W, order: W, "Nothing moved"),
        (lambda W, order: torch.cat([W[:1], W[1:][order.argsort()]]), "inverse"),
        (lambda W, order: W[:, order], "columns moved"),
        (lambda W, order: torch.cat([W[:1], W[1:][order]])[:, order], "Rows and columns"),
        (lambda W, order: torch.cat([W[order], W[-1:]]), "Row 0 is the whole image"),
        (lambda W, order: W[1:][order], "shape"),
        (0, "the function itself"),
    ],
)
def test_permuted_explains_what_is_wrong(answer, why):
    refuses(chapter.check_permuted(answer), why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda W, A: (W, A), "not one everywhere"),
        (lambda W, A: (W, A / A.diagonal()), "left W as it was"),
        (lambda W, A: (W * A.diagonal(), A / A.diagonal()[:, None]), "rows of A"),
        (lambda W, A: (W / A.diagonal(), A / A.diagonal()), "A is right"),
        (lambda W, A: (W * 2, A), "answers differently"),
        (lambda W, A: (W.T, A), "should be"),
        (lambda W, A: W, "two things"),
        (1.0, "the function itself"),
    ],
)
def test_rescaled_explains_what_is_wrong(answer, why):
    refuses(chapter.check_rescaled(answer), why)


def hooked(switch, row):
    """Gradient zero, but AdamW's decay still pulls at the row."""

    def erase(gradient):
        gradient = gradient.clone()
        gradient[row] = 0
        return gradient

    switch.weight.register_hook(erase)


def zeroed(switch, row):
    with torch.no_grad():
        switch.weight[row] = 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda switch, row: None, "moved by"),
        (hooked, "weight decay"),
        (zeroed, "before any training"),
        (lambda switch, row: switch.requires_grad_(False), "Nothing can be trained"),
        (2, "the function itself"),
    ],
)
def test_frozen_explains_what_is_wrong(answer, why):
    refuses(chapter.check_frozen(answer), why)


def test_frozen_sees_that_more_than_one_row_stands_still(solutions):
    def two(switch, row):
        solutions.freeze_row(switch, row)
        solutions.freeze_row(switch, row - 1)

    refuses(chapter.check_frozen(two), "Other rows")
