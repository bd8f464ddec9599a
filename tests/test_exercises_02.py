"""The checkers of chapter 2 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
import torch
from conftest import ROOT
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss
from torchvision.ops import sigmoid_focal_loss

from faceattr.exercises import Verdict
from faceattr.exercises import chapter02 as chapter
from faceattr.models import WholeImage

SOLUTIONS = ROOT / "book" / "solutions" / "02_a_first_network.py"


@pytest.fixture(scope="module")
def solutions():
    """The solutions, as a module."""
    spec = importlib.util.spec_from_file_location("solutions_02", SOLUTIONS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refuses(verdict: Verdict, why: str) -> None:
    assert not verdict
    assert re.search(why, verdict.reason), verdict.reason
    assert repr(verdict).startswith("Not yet.")


def test_every_solution_is_right(solutions):
    checks = {value for name, value in vars(chapter).items() if name.startswith("check_")}
    assert set(solutions.ANSWERS) == checks, "each checker has a solution"
    for check, answer in solutions.ANSWERS.items():
        verdict = check(answer)
        assert verdict, verdict.reason
        assert repr(verdict).startswith("Yes.")


@pytest.mark.parametrize(
    "check", [value for name, value in vars(chapter).items() if name.startswith("check_")]
)
def test_no_answer_and_a_number_are_not_yet(check):
    refuses(check(None), "no answer yet")
    refuses(check(0.5), "the function itself")
    refuses(check(lambda *_: 1 / 0), "raises ZeroDivisionError")


def count(M, N, grouped, *, norm=2, bias=1, last_bias=1, channels=3):
    """SNet3's parameters, with the slips that a reader may make."""
    widths, kernels = [channels, 16, 32, 64, 128, M * N], [3, 3, 3, 3, 1]
    layers = zip(kernels, widths, widths[1:], strict=False)
    total = sum(k * k * a * b + (bias + norm) * b for k, a, b in layers)
    return total + (M * N if grouped else M * N * M) + last_bias * M


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda *a: count(*a, norm=0), "a scale and a shift"),
        (lambda *a: count(*a, norm=4), "not learned"),
        (lambda *a: count(*a, bias=0), "every convolution has a bias"),
        (lambda *a: count(*a, last_bias=0), "bias of the last layer"),
        (lambda *a: count(*a, channels=1), "three channels"),
        (lambda M, N, grouped: count(M, N, not grouped), "other last layer"),
        (lambda M, N, grouped: count(M, N, True), "M = 40, N = 32, grouped = False|other last"),
        (lambda M, N, grouped: 266_920, "grouped = False|other last"),
        (lambda *_: 1.0, "too low"),
    ],
)
def test_parameters_explains_what_is_wrong(answer, why):
    refuses(chapter.check_parameters(answer), why)


def test_the_count_is_torchs(solutions):
    for m, n, grouped in ((40, 32, True), (3, 4, False)):
        network = WholeImage(num_attributes=m, maps_per_attribute=n, grouped=grouped)
        learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
        assert solutions.snet3_parameters(m, n, grouped) == learned == count(m, n, grouped)


def difference(z, y):
    return torch.where(y >= 0, z.sigmoid() - y, 0.0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (difference, "a mean over the labels"),
        (lambda z, y: -difference(z, y) / (y >= 0).sum(), "sign"),
        (lambda z, y: difference(z, y) / len(z), "not of faces"),
        (lambda z, y: (z.sigmoid() - y) / (y >= 0).sum(), "nobody knows"),
        (lambda z, y: difference(z, y) / y.numel(), "divide by the number of known"),
        (lambda z, y: torch.where(y >= 0, z - y, 0.0) / (y >= 0).sum(), "sigmoid is missing"),
        (lambda z, y: (z * 0).mean(), "shape"),
        (lambda z, y: z * 0, "off by"),
    ],
)
def test_gradient_explains_what_is_wrong(answer, why):
    refuses(chapter.check_gradient(answer), why)


def test_the_gradient_is_torchvisions(solutions):
    """With gamma 0 the focal loss is the sigmoid cross entropy, by other hands."""
    z = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    y = (torch.rand(7, 4) < 0.5).double()
    sigmoid_focal_loss(z, y, alpha=-1, gamma=0, reduction="mean").backward()
    assert torch.allclose(solutions.loss_gradient(z.detach(), y), z.grad)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda N, n, rho: N / n, "counts people"),
        (lambda N, n, rho: N / (1 + n * rho), "the n - 1 others"),
        (lambda N, n, rho: N, "counts faces"),
        (lambda N, n, rho: N * (1 - rho), "however many pictures"),
        (lambda N, n, rho: N / (1 + (n - 1) * rho**2), "too high"),
    ],
)
def test_effective_faces_explains_what_is_wrong(answer, why):
    refuses(chapter.check_effective_faces(answer), why)


def test_effective_faces_is_what_a_simulation_finds(solutions):
    rng = np.random.default_rng(0)
    people, n, rho = 30, 6, 0.3
    shared, own = rng.normal(size=(20_000, people, 1)), rng.normal(size=(20_000, people, n))
    means = (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own).mean((1, 2))
    assert 1 / means.var() == pytest.approx(solutions.effective_faces(people * n, n, rho), rel=0.05)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda z, y: 1 / chapter._best_temperature(z, y), "Divide by T"),
        (lambda z, y: 1.0, "leaves the scores"),
        (lambda z, y: -2.0, "above 0"),
        (lambda z, y: 2.5, "off by .* The loss was"),
        (lambda z, y: 1.1 * chapter._best_temperature(z, y), "too high"),
    ],
)
def test_temperature_explains_what_is_wrong(answer, why):
    refuses(chapter.check_temperature(answer), why)


def test_the_temperature_is_scipys_and_scikit_learns(solutions):
    rng = np.random.default_rng(0)
    z = 4 * rng.normal(size=3000)
    y = (rng.random(3000) < 1 / (1 + np.exp(-z / 1.7))).astype(float)

    def loss(log_t):
        return log_loss(y, 1 / (1 + np.exp(-z / np.exp(log_t))))

    best = np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    found = float(solutions.best_temperature(torch.from_numpy(z), torch.from_numpy(y)))
    assert found == pytest.approx(best, rel=1e-3)
    assert chapter._best_temperature(torch.from_numpy(z), torch.from_numpy(y)) == pytest.approx(
        best, rel=1e-3
    )
