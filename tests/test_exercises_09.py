"""The checkers of chapter 9 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from answers import hold, refuses
from conftest import ROOT
from scipy.optimize import minimize
from scipy.special import softmax

from faceattr.exercises import chapter09 as chapter
from faceattr.objectives.weighting import DWA, TEMPERATURE, Uncertainty, softmax_gradient

SOLUTIONS = ROOT / "book" / "solutions" / "09_who_gets_the_weight.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


# Exercise 1 ------------------------------------------------------------------------------------


def gradient(alpha, losses):
    return softmax_gradient(alpha.softmax(1), losses)


def by_hand(alpha, losses, shift=0.0):
    """A softmax of one's own."""
    powers = (alpha - shift).exp()
    mu = powers / powers.sum(1, keepdim=True)
    return softmax_gradient(mu, losses)


def with_autograd(alpha, losses):
    alpha.requires_grad_()
    (alpha.softmax(1) * losses).sum().backward()
    return alpha.grad


def jacobian(alpha, losses):
    mu = alpha.softmax(1)
    return torch.diag_embed(mu) - mu[:, :, None] * mu[:, None, :]  # (B, M, M)


def across(alpha, losses):
    mu = alpha.softmax(0)
    return mu * (losses - (mu * losses).sum(0))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda a, x: -gradient(a, x), "step that descent takes"),
        (lambda a, x: x, "gradient in mu"),
        (lambda a, x: a.softmax(1) * x, "share a sum of one"),
        (lambda a, x: a.softmax(1) * (x - x.mean(1, keepdim=True)), "plain mean"),
        (lambda a, x: a.softmax(1) * (1 - a.softmax(1)) * x, "as of a sigmoid"),
        (lambda a, x: gradient(a, x) / a.softmax(1), "stands in front"),
        (lambda a, x: softmax_gradient(a, x), "not the weights yet"),
        (lambda a, x: softmax_gradient(a.softmax(0), x), "yours is over faces"),
        (across, "yours is over faces"),
        (lambda a, x: a.softmax(1) * (x - (a.softmax(1) * x).sum()), "keep the faces apart"),
        (lambda a, x: a.softmax(1) * (x - (a.softmax(1) * x).sum(1).mean()), "faces apart"),
        (lambda a, x: gradient(a, x) / len(a), "divide by nothing"),
        (lambda a, x: gradient(a, x) + 0.1, "too high"),
        (jacobian, "should have shape"),
        (with_autograd, "switched off"),
        (by_hand, "until alpha is large"),
        (lambda a, x: by_hand(a, x, a.max()), "until alpha is large"),
        (lambda a, x: torch.linalg.inv(a), "raises RuntimeError"),
        (lambda a: a, "raises TypeError"),
        (torch.zeros(6, 5), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_weight_gradient_explains_what_is_wrong(answer, why):
    refuses(chapter.check_weight_gradient(answer), why)


def test_weight_gradient_takes_every_right_way():
    def by_matrix(alpha, losses):
        return (jacobian(alpha, losses) @ losses[..., None])[..., 0]

    def in_numpy(alpha, losses):
        mu, x = softmax(alpha.numpy(), axis=1), losses.numpy()
        return np.stack([m * (v - m @ v) for m, v in zip(mu, x, strict=True)])

    assert chapter.check_weight_gradient(gradient)
    assert chapter.check_weight_gradient(by_matrix)
    assert chapter.check_weight_gradient(in_numpy)
    assert chapter.check_weight_gradient(lambda a, x: by_hand(a, x, a.amax(1, keepdim=True)))


# Exercise 2 ------------------------------------------------------------------------------------


def average(history, temperature, ratio=lambda h: h[-1] / h[-2]):
    if len(history) < 2:
        return torch.full((history.shape[1],), 1 / history.shape[1])
    return (ratio(history) / temperature).softmax(0)


def with_ratio(ratio):
    return lambda h, t: average(h, t, ratio)


def late(history, temperature):
    """Equal for one epoch too long."""
    return average(history if len(history) > 2 else history[:1], temperature)


def summed(history, temperature):
    if len(history) < 2:
        return average(history, temperature)
    ratio = history[-1] / history[-2]
    return ratio / ratio.sum()


def only_two(history, temperature):
    return (history[-1] / history[-2] / temperature).softmax(0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (with_ratio(lambda h: h[-2] / h[-1]), "upside down"),
        (with_ratio(lambda h: -h[-1] / h[-2]), "The sign"),
        (with_ratio(lambda h: h[1] / h[0]), "other epochs"),
        (with_ratio(lambda h: h[-1] / h[0]), "other epochs"),
        (lambda h, t: average(h, 1 / t), "you multiplied"),
        (lambda h, t: average(h, 1), "Where does the temperature"),
        (with_ratio(lambda h: h[-1] - h[-2]), "a difference"),
        (with_ratio(lambda h: h[-1]), "losses themselves"),
        (summed, "a softmax is asked for"),
        (lambda h, t: average(h, t) * h.shape[1], "as in Liu et al.'s paper"),
        (lambda h, t: average(h[:1], t), "there are two epochs"),
        (late, "there are two epochs"),
        (only_two, "After one epoch"),
        (lambda h, t: only_two(h, t) if len(h) != 1 else average(h, t), "After no epoch"),
        (lambda h, t: average(h, t) if len(h) > 1 else torch.ones(h.shape[1]), "sum to M"),
        (lambda h, t: average(h, t) if len(h) > 1 else h.sum(0) / h.sum(), "epoch 2 is off"),
        (lambda h, t: average(h, t)[:3], "should have shape"),
        (lambda h, t: None, "this is None"),
        (lambda h: h, "raises TypeError"),
        (torch.full((5,), 0.2), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_dwa_explains_what_is_wrong(answer, why):
    refuses(chapter.check_dwa(answer), why)


def test_dwa_takes_every_right_way():
    def theirs(history, temperature):
        """As in the paper, brought to a sum of one."""
        if len(history) < 2:
            ones = np.ones(history.shape[1])
        else:
            powers = np.exp(np.divide(history[-1], history[-2]) / temperature)
            ones = history.shape[1] * powers / powers.sum()
        return ones / ones.sum()

    def in_scipy(history, temperature):
        h = history.numpy()
        ratio = h[-1] / h[-2] if len(h) > 1 else np.ones(h.shape[1])
        return softmax(ratio / temperature)

    assert chapter.check_dwa(average)
    assert chapter.check_dwa(theirs)
    assert chapter.check_dwa(in_scipy)


def test_the_library_weights_as_the_solution_does(solutions):
    """Epoch after epoch, in the first two as well."""
    scheme, history = DWA(5).train(), torch.zeros(0, 5)
    known = torch.ones(8, 5, dtype=torch.bool)
    for epoch in range(5):
        losses = torch.rand(8, 5, generator=torch.Generator().manual_seed(epoch)) + 0.05
        _, mu = scheme(losses, known)
        torch.testing.assert_close(mu[0], solutions.dwa(history, TEMPERATURE))
        scheme.end_epoch()
        history = torch.cat([history, losses.mean(0, keepdim=True)])


# Exercise 3 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda x: 1 / x, "the half stays"),
        (lambda x: (2 * x).log(), "That is s"),
        (lambda x: -(2 * x).log(), "That is -s"),
        (lambda x: 2 * x, "the variance"),
        (lambda x: (2 * x) ** -0.5, "1 / sigma"),
        (lambda x: (1 / x) / (1 / x).sum(), "Leave them as they settle"),
        (lambda x: torch.full_like(x, 0.5), "the weighted losses"),
        (lambda x: 0.5 + (2 * x).log() / 2, "value at the minimum"),
        (lambda x: x / 2, "You have l / 2"),
        (lambda x: torch.tensor([10, 50 / 12, 10 / 6, 1, 10 / 13]), "should have shape"),
        (lambda x: 1 / (2 * x) + 0.1, "too high"),
        (lambda x: None, "this is None"),
        (lambda x: 1 / 0, "raises ZeroDivisionError"),
        (1.0, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_settled_explains_what_is_wrong(answer, why):
    refuses(chapter.check_settled(answer), why)


def descent(losses):
    """By gradient descent, as in the chapter."""
    s = torch.zeros(len(losses))
    for _ in range(2000):
        s = s - 0.05 * (0.5 - (-s).exp() * losses)
    return (-s).exp()


def test_settled_takes_every_right_way():
    def in_scipy(losses):
        x = losses.double().numpy()
        found = minimize(
            lambda s: (np.exp(-s) * x + s / 2).sum(),
            np.zeros(len(x)),
            jac=lambda s: 0.5 - np.exp(-s) * x,
            tol=1e-8,
        )
        return np.exp(-found.x)

    assert chapter.check_settled(descent)
    assert chapter.check_settled(in_scipy)
    assert chapter.check_settled(lambda x: [0.5 / v for v in x.tolist()])


def test_the_library_settles_there_too(solutions):
    """Its weights, taught with losses that stand still, and what it then weighs each loss with."""
    losses, scheme = torch.tensor([[0.05, 0.3, 0.65]]), Uncertainty(3)
    known = torch.ones(1, 3, dtype=torch.bool)
    optimizer = torch.optim.Adam(scheme.parameters(), lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        scheme(losses, known)[0].backward()
        optimizer.step()
    weights = (-scheme.log_variance[0].detach()).exp()
    torch.testing.assert_close(weights, solutions.settled(losses[0]), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(weights * losses[0], torch.full((3,), 0.5), atol=1e-2, rtol=1e-2)
