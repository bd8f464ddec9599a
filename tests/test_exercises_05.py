"""The checkers of chapter 5 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter05 as chapter
from faceattr.models import WholeImage
from faceattr.objectives.hints import hint_loss

SOLUTIONS = ROOT / "book" / "solutions" / "05_compressing_with_hints.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


# Exercise 1 --------------------------------------------------------------------------------------


def work(pool: str, factor: int = 1, area: bool = True):
    def answer(column, side):
        total, inputs = 0, 3
        for module, (kernel, maps, times) in enumerate(column):
            if pool == "before" and module < 4:
                side //= 2
            for _ in range(times):
                total += kernel * kernel * inputs * maps * (side * side if area else 1)
                inputs = maps
                if pool == "each" and module < 4:
                    side //= 2
            if pool == "all" or (pool == "right" and module < 4):
                side //= 2
        return factor * total

    return answer


def module_inputs(column, side):
    """Every convolution of a module takes the maps of the module before."""
    total, entering = 0, 3
    for module, (kernel, maps, times) in enumerate(column):
        total += times * kernel * kernel * entering * maps * side * side
        entering, side = maps, side // 2 if module < 4 else side
    return total


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (work("each"), "after every convolution"),
        (work("before"), "Pool1 comes after Conv1"),
        (work("all"), "after every module"),
        (work("right", factor=2), "count both"),
        (work("right", area=False), "number of weights"),
        (module_inputs, "takes in the maps of the one before"),
        (work("never"), "Nothing is pooled"),
        (
            lambda column, side: work("right")([(k, n, 1) for k, n, _ in column], side),
            "line .* once",
        ),
        (lambda column, side: 1.0, "too low"),
        (123, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_work_explains_what_is_wrong(answer, why):
    refuses(chapter.check_work(answer), why)


def test_the_column_is_the_network_of_the_library():
    from torch.utils.flop_counter import FlopCounterMode

    for name, column in chapter.COLUMNS.items():
        network = WholeImage(name.lower()).eval().to("meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, 64, 64, device="meta"))
        assert counter.get_total_flops() == 2 * chapter._counted(column, 64)


# Exercise 2 --------------------------------------------------------------------------------------


def apart(z, t, heat):
    return (z / heat).sigmoid() - (t / heat).sigmoid()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda z, t, heat: -apart(z, t, heat) / heat, "sign"),
        (apart, "factor 1 / T"),
        (lambda z, t, heat: apart(z, t, heat) * heat, "once"),
        (lambda z, t, heat: ((z / heat).sigmoid() - t.sigmoid()) / heat, "divided by T as well"),
        (lambda z, t, heat: ((z / heat).sigmoid() - (t > 0).float()) / heat, "rounded"),
        (lambda z, t, heat: apart(z, t, heat) / heat / z.numel(), "sum is asked for"),
        (lambda z, t, heat: apart(z, t, heat) / heat**2, "divide by T twice"),
        (lambda z, t, heat: apart(z, t, 1), "without a temperature"),
        (lambda z, t, heat: apart(z, t, heat).sum(), "shape"),
        (torch.zeros(5, 4), "the function itself"),
    ],
)
def test_soft_gradient_explains_what_is_wrong(answer, why):
    refuses(chapter.check_soft_gradient(answer), why)


def test_soft_gradient_by_autograd_is_taken():
    def by_autograd(z, t, heat):
        z.requires_grad_()
        loss = F.binary_cross_entropy_with_logits(z / heat, (t / heat).sigmoid(), reduction="sum")
        return torch.autograd.grad(loss, z)[0]

    assert chapter.check_soft_gradient(by_autograd)


# Exercise 3 --------------------------------------------------------------------------------------


def mixed(maps, r):
    """The reshape that cuts memory instead of squares."""
    h, w = maps.shape[-2:]
    return maps.reshape(*maps.shape[:-2], h // r, w // r, r, r).mean((-2, -1))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda maps, r: maps[..., ::r, ::r], "drop the others"),
        (lambda maps, r: F.max_pool2d(maps.flatten(0, 2), r).unflatten(0, (2, 3, 2)), "largest"),
        (lambda maps, r: F.avg_pool2d(maps.flatten(0, 2), r).unflatten(0, (2, 3, 2)) * r * r,
         "sum"),
        (mixed, "reading order"),
        (lambda maps, r: maps, "shape"),
        (lambda maps, r: F.avg_pool2d(maps, r), "raises"),
        (0.0, "the function itself"),
    ],
)  # fmt: skip
def test_reduce_explains_what_is_wrong(answer, why):
    refuses(chapter.check_reduce(answer), why)


# Exercise 4 --------------------------------------------------------------------------------------


def step(frozen=True, still=True, empty=True, number=True, student_eval=False, update=True):
    """The snippet of the exercise, mended in part."""

    def hint_step(student, teacher, optimizer, images):
        teacher.train(not still)
        with torch.set_grad_enabled(not frozen):
            maps = teacher(images).features
        if student_eval:
            student.eval()
        loss = hint_loss(student(images).features, maps)
        if empty:
            optimizer.zero_grad()
        loss.backward()
        if update:
            optimizer.step()
        return loss.item() if number else loss.detach()

    return hint_step


def with_scores(student, teacher, optimizer, images):
    teacher.eval()
    with torch.no_grad():
        theirs = teacher(images)
    mine = student(images)
    loss = hint_loss(mine.features, theirs.features) + F.mse_loss(mine.logits, theirs.logits)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (step(frozen=False, still=False), "gathers statistics"),  # as the exercise prints it
        (step(still=False), "gathers statistics"),
        (step(frozen=False), "No gradient may reach it"),
        (step(empty=False), "pile up"),
        (step(number=False), "as a number"),
        (step(student_eval=True), "left in evaluation mode"),
        (step(update=False), "backward and step"),
        (with_scores, "compares maps, not scores"),
        (0.1, "the function itself"),
    ],
)
def test_step_explains_what_is_wrong(answer, why):
    refuses(chapter.check_step(answer), why)


def test_the_loss_of_the_right_step_falls():
    verdict = chapter.check_step(step())
    first, last = map(float, re.search(r"from ([\d.]+) to ([\d.]+)", verdict.reason).groups())
    assert last < first
