"""The checkers of chapter 7 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from answers import hold, refuses
from conftest import ROOT

from faceattr.data.label_statistics import measure
from faceattr.exercises import chapter07 as chapter
from faceattr.objectives.identity import IdentityGuided

SOLUTIONS = ROOT / "book" / "solutions" / "07_identity_guides_attributes.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


def each(x, y):
    return F.binary_cross_entropy_with_logits(x, y, reduction="none").mean(0)


def who(z, k):
    return F.cross_entropy(z, k, ignore_index=-1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda x, y, z, k, lam: each(x, y).mean() + lam * who(z, k), "you took their mean"),
        (lambda x, y, z, k, lam: (each(x, y).sum() + lam * who(z, k)) / x.shape[1], "over M"),
        (
            lambda x, y, z, k, lam: (
                each(x, y).sum() - lam * z.log_softmax(1)[torch.arange(len(z)), k].mean()
            ),
            "the last person",
        ),
        (
            lambda x, y, z, k, lam: (
                each(x, y).sum()
                + lam * F.cross_entropy(z, k, ignore_index=-1, reduction="sum") / len(z)
            ),
            "divide by those",
        ),
        (
            lambda x, y, z, k, lam: each(x, y).sum() + lam / x.shape[1] * who(z, k),
            "no M before lambda: divide nothing",
        ),
        (
            lambda x, y, z, k, lam: each(x, y).sum() + lam * F.cross_entropy(z, k.clamp(min=0)),
            "made it person 0",
        ),
        (lambda x, y, z, k, lam: each(x, y).sum(), "Eq. 1 alone"),
        (
            lambda x, y, z, k, lam: each(x, y).sum() + lam * who(z, k),
            "nobody is known should hold no NaN",
        ),
        (lambda x, y, z, k, lam: each(x, y).sum() * len(x) + lam * who(z, k), "mean over faces"),
        (lambda x, y, z, k, lam: each(x, y).sum() + lam * who(z, k) + 0.1, "too high"),
        (lambda x, y: 0, "raises TypeError"),
        (1.0, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_paper_loss_explains_what_is_wrong(answer, why):
    refuses(chapter.check_paper_loss(answer), why)


def pairs(identity, *, diagonal=False):
    same = identity[:, None] == identity[None, :]
    return np.nonzero(same if diagonal else same & ~np.eye(len(identity), dtype=bool))


def one_vote(labels, identity):
    """Means within each person of two pictures or more, then over people, by the matrix."""
    means, products = [], []
    for who in np.unique(identity):
        first, second = pairs(mine := identity[identity == who])
        if len(mine) > 1:
            own = labels[identity == who]
            means.append(own.mean(0))
            products.append((own[first] * own[second]).mean(0))
    mean = np.mean(means, 0)
    return (np.mean(products, 0) - mean**2) / (mean - mean**2)


def correlated(labels, first, second, of):
    mean = of.mean(0)
    return ((labels[first] * labels[second]).mean(0) - mean**2) / of.var(0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda y, k: correlated(y, *pairs(k), of=y), "over all pictures"),
        (
            lambda y, k: correlated(y, *pairs(k, diagonal=True), of=y[pairs(k, diagonal=True)[0]]),
            "no pair with itself",
        ),
        (lambda y, k: one_vote(y, k), "one vote"),
        (lambda y, k: (y[pairs(k)[0]] == y[pairs(k)[1]]).mean(0), "share of pairs"),
        (lambda y, k: np.zeros(3), "should have shape"),
        (np.zeros(5), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_agreement_explains_what_is_wrong(answer, why):
    refuses(chapter.check_agreement(answer), why)


def test_agreement_takes_every_right_way():
    def by_matrix(labels, identity):
        first, second = pairs(identity)
        return [np.corrcoef(y[first], y[second])[0, 1] for y in labels.T]

    assert chapter.check_agreement(by_matrix)
    assert chapter.check_agreement(lambda y, k: measure(y, k).agreement)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda m, f: {"shared", "groups", "people"}, "attributes' own fully connected"),
        (lambda m, f: {"shared", "people"}, "conv_attr .* gets a gradient as well"),
        (lambda m, f: set(dict(m.named_children())) - {"groups"}, "You named everything"),
        (lambda m, f: {"shared", "conv_attr", "people", "x"}, "x .* gets no gradient"),
        (lambda m, f: "shared", "a set of names"),
        (lambda m, f: 1 / 0, "raises ZeroDivisionError"),
        ({"shared"}, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_reached_explains_what_is_wrong(answer, why):
    refuses(chapter.check_reached(answer), why)


def backward(model, faces):
    IdentityGuided(1.0)(model, faces)["identity"].backward()
    return {
        name
        for name, part in model.named_children()
        if any(p.grad is not None for p in part.parameters())
    }


def clean(model, faces):
    names = backward(model, faces)
    model.zero_grad()
    return names


def training(model, faces):
    model.train()
    return clean(model, faces)


def moving(model, faces):
    model.train()
    names = clean(model, faces)
    model.eval()
    return names


def frozen(model, faces):
    names = clean(model, faces)
    model.people.requires_grad_(False)
    return names


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (backward, "left gradients"),
        (training, "in training mode"),
        (moving, "running means changed"),
        (frozen, "parameters frozen"),
    ],
)
def test_reached_wants_the_network_back_as_it_was(answer, why):
    refuses(chapter.check_reached(answer), "names are right.*" + why)


@pytest.mark.parametrize("to_none", [True, False])
def test_reached_takes_gradients_that_were_cleared(to_none):
    def answer(model, faces):
        names = backward(model, faces)
        model.zero_grad(set_to_none=to_none)
        return names

    assert chapter.check_reached(answer)
