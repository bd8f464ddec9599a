"""The checkers of chapter 4 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import pytest
import torch
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter04 as chapter

SOLUTIONS = ROOT / "book" / "solutions" / "04_localising_regions.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda c, m, n: m * n * 9 * c + m * (n + 1), "map of the convolution has a bias"),
        (lambda c, m, n: m * n * (9 * c + 1) + m * n, "bias of the weighted sum"),
        (lambda c, m, n: m * n * (9 * c + 1) + m * (m * n + 1), "fully connected"),
        (lambda c, m, n: m * n * (9 * c + 1), "forget the weighted sum"),
        (lambda c, m, n: m * n * (c + 1) + m * (n + 1), "3 x 3 places"),
        (lambda c, m, n: n * (9 * c + 1) + n + 1, "one branch"),
        (lambda c, m, n: n * (9 * c + m) + m * (n + 1), "all C shared maps"),
        (lambda c, m, n: m * n * 9 * c + m * n, "all biases"),
        (lambda c, m, n: m * n * (9 * c + 3) + m * (n + 1), "batch norm"),
        (lambda c, m, n: None, "does your function return it"),
        (lambda c, m, n: 0, "too low"),
        (7_000_000, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_parameters_explains_what_is_wrong(answer, why):
    refuses(chapter.check_parameters(answer), why)


def step_first(layers):
    side, apart = 1, 1
    for kernel, step in layers:
        apart *= step
        side += (kernel - 1) * apart
    return side


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda layers: 1 + sum(k - 1 for k, _ in layers), "2 pixels apart"),
        (lambda layers: 1, "distance between two cells"),
        (lambda layers: 1 + sum(k for k, _ in layers), "its kernel less one"),
        (lambda layers: sum(k for k, _ in layers), "kernels overlap"),
        (step_first, "multiply by its step afterwards"),
        (lambda layers: 100, "too high"),
        (lambda layers: layers.width, "raises AttributeError"),
        (3, "the function itself"),
    ],
)
def test_field_explains_what_is_wrong(answer, why):
    refuses(chapter.check_field(answer), why)


def clamped(x, y, side, height, width):
    return [min(max(v - side // 2, 0), n - side) for v, n in ((x, width), (y, height))]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda x, y, side, h, w: (x - side // 2, y - side // 2), "left of or above"),
        (lambda x, y, side, h, w: (max(x - side // 2, 0), max(y - side // 2, 0)), "ends beyond"),
        (lambda x, y, side, h, w: (w - side, h - side), "only as far as it must"),
        (lambda x, y, side, h, w: clamped(x, y, side, h, w)[::-1], "mixed up|beyond|should be"),
        (lambda x, y, side, h, w: clamped(x, y, side, h, w) + [side], "two numbers"),
        (lambda x, y, side, h, w: clamped(x + side // 2, y, side, h, w), "in the middle"),
        (lambda x, y, side, h, w: clamped(x + 0.5, y, side, h, w), "whole numbers"),
        (lambda x, y, side, h, w: (min(max(x, 0), w - side), min(y, h - side)), "should be"),
        ((0, 0), "the function itself"),
    ],
)
def test_inside_explains_what_is_wrong(answer, why):
    refuses(chapter.check_inside(answer), why)


def test_inside_takes_both_ways_of_rounding_an_even_side():
    def upper(x, y, side, height, width):
        return [min(max(v - (side - 1) // 2, 0), n - side) for v, n in ((x, width), (y, height))]

    assert chapter.check_inside(upper)
    assert chapter.check_inside(lambda *given: torch.tensor(clamped(*given)))


def windows(truth, boxes, cell):
    """The part of each mask inside its box."""
    cells = (boxes // cell).tolist()
    return [mask[y0:y1, x0:x1] for mask, (x0, y0, x1, y1) in zip(truth, cells, strict=True)]


def shares(truth, boxes, cell):
    inside = torch.stack([part.sum() for part in windows(truth, boxes, cell)])
    return inside / truth.sum((1, 2))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            lambda t, b, cell: torch.stack([w.float().mean() for w in windows(t, b, cell)]),
            "share of the square",
        ),
        (lambda t, b, cell: shares(t, b[:, [1, 0, 3, 2]], cell), "columns first"),
        (lambda t, b, cell: shares(t, b, 1), "in pixels"),
        (lambda t, b, cell: shares(t, b, cell).mean(), "one for each"),
        (
            lambda t, b, cell: (i := shares(t, b, cell) * t.sum((1, 2))) / (36 + t.sum((1, 2)) - i),
            "intersection over union",
        ),
        (lambda t, b, cell: torch.ones(len(t)), "too high"),
        (lambda t, b, cell: shares(t, b, cell)[None], "shape"),
        (0.5, "the function itself"),
    ],
)
def test_coverage_explains_what_is_wrong(answer, why):
    refuses(chapter.check_coverage(answer), why)
