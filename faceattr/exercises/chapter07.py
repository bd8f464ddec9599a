"""Checkers of chapter 7, identity guides attributes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceattr.data.faces import Faces
from faceattr.data.label_statistics import measure
from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.models.franet import FRANet

#: Sizes of the checkers' batches; no two are equal.
_FACES, _COUNT, _PEOPLE = 6, 5, 4


def _batch(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits ``(B, M)``, labels ``(B, M)``, identity logits ``(B, P)``, targets ``(B,)``."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(_FACES, _COUNT, generator=generator)
    labels = (torch.rand(_FACES, _COUNT, generator=generator) < 0.4).float()
    people = torch.randn(_FACES, _PEOPLE, generator=generator)
    return logits, labels, people, torch.tensor([2, 0, -1, 3, 3, -1])


@checker
def check_paper_loss(answer: Callable) -> Verdict:
    """Exercise 1: Eq. 3 as it is printed.

    Args:
        answer: function of ``logits (B, M)``, ``labels (B, M)``, ``identity_logits (B, P)``,
            ``targets (B,)`` (-1: nobody knows) and ``lam`` that returns the loss.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_paper_loss(paper_loss).")
    logits, labels, people, targets = _batch(0)
    lam, known = 0.7, targets >= 0
    each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(0)  # (M,)
    who = F.cross_entropy(people[known], targets[known])
    last = -people.log_softmax(1)[torch.arange(_FACES), targets].mean()  # -1 is the last person
    slips = {
        "Eq. 1 is a sum over attributes, and you took their mean: then lambda = 1 makes the person "
        "weigh as much as all of them together.": each.mean() + lam * who,
        "That is Eq. 3 over M, the library's form. Eq. 3 as printed has no M before lambda.": (
            each.mean() + lam / _COUNT * who
        ),
        "Eq. 3 as printed has no M before lambda: divide nothing by the number of attributes.": (
            each.sum() + lam / _COUNT * who
        ),
        "A target of -1 says that nobody knows who it is; you made it person 0. Leave these faces "
        "out of the identity loss.": (
            each.sum() + lam * F.cross_entropy(people, targets.clamp(min=0))
        ),
        "A target of -1 says that nobody knows who it is; as an index it is the last person. Leave "
        "these faces out of the identity loss.": each.sum() + lam * last,
        "Faces of nobody known have no identity loss: divide by those that have one, not by all.": (
            each.sum() + lam * who * known.sum() / _FACES
        ),
        "That is Eq. 1 alone: where does the person come in?": each.sum(),
        "A batch of faces: take the mean over faces, the sum over attributes only.": (
            each.sum() * _FACES + lam * who
        ),
    }
    found = answer(logits.clone(), labels.clone(), people.clone(), targets.clone(), lam)
    same = compare(found, each.sum() + lam * who, what="the loss", tolerance=1e-5, slips=slips)
    if same:
        nobody = torch.full_like(targets, -1)
        found = answer(logits.clone(), labels.clone(), people.clone(), nobody, lam)
        same = compare(
            found, each.sum(), what="the loss of a batch in which nobody is known", tolerance=1e-5
        )
    return same and yes(
        "Attributes are summed, faces are averaged, and whoever is unknown has no say. Divide all "
        "of it by M and you have the library's IdentityGuided: the same minimum, and lambda keeps "
        "its meaning."
    )


@checker
def check_agreement(answer: Callable) -> Verdict:
    """Exercise 2: how much a label belongs to a person.

    Args:
        answer: function of ``labels (N, M)`` and ``identity (N,)`` that returns the intra-class
            correlation of each attribute, ``(M,)``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_agreement(agreement).")
    rng = np.random.default_rng(3)
    counts = [7, 2, 5, 1, 3, 4]  # somebody has a single picture
    identity = rng.permutation(np.repeat(np.array([40, 3, 17, 8, 99, 21]), counts))
    taste = rng.random((100, _COUNT))[identity]
    labels = (taste + rng.random((len(identity), _COUNT)) > 1).astype(float)
    right = measure(labels, identity).agreement
    same = identity[:, None] == identity[None, :]
    pairs = np.nonzero(same & ~np.eye(len(identity), dtype=bool))
    both, self_too = labels[pairs[0]], np.nonzero(same)
    mean, variance = labels.mean(0), labels.var(0)
    all_pairs = labels[self_too[0]]
    slips = {
        "Mean and variance are those of the pictures in the pairs: somebody with many pictures is "
        "in many pairs, somebody with one in none. You took them over all pictures.": (
            ((both * labels[pairs[1]]).mean(0) - mean**2) / variance
        ),
        "A picture is no pair with itself: leave the diagonal out.": (
            ((all_pairs * labels[self_too[1]]).mean(0) - all_pairs.mean(0) ** 2) / all_pairs.var(0)
        ),
        "That gives each person one vote, Fisher's other version. Here each ordered pair counts "
        "once: somebody with seven pictures is in 42 of them.": _one_vote_each(labels, identity),
        "That is the share of pairs with the same label. A label that nobody wears would score 1: "
        "correlate instead.": (both == labels[pairs[1]]).mean(0),
    }
    found = answer(labels.copy(), identity.copy())
    said = compare(found, right, what="the agreement", tolerance=1e-6, slips=slips)
    return said and yes(
        "Fisher's intra-class correlation. Every ordered pair counts once, so a person with twice "
        "as many pictures counts about four times; Fisher's other version gives each person one "
        "vote."
    )


def _one_vote_each(labels: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """The other version: means over a person's pairs first, then over people, ``(M,)``."""
    _, person, n = np.unique(identity, return_inverse=True, return_counts=True)
    s = np.stack([labels[person == p].sum(0) for p in range(len(n))])[n > 1]  # (P, M)
    n = n[n > 1][:, None]
    mean, product = (s / n).mean(0), ((s**2 - s) / (n * (n - 1))).mean(0)
    return (product - mean**2) / (mean * (1 - mean))


def _left_behind(model: FRANet, before: dict[str, Tensor]) -> str | None:
    """What an answer changed in a network that it was only to look at; None: nothing."""
    if any(p.grad is not None and bool(p.grad.any()) for p in model.parameters()):
        return "You left gradients in the network: the next optimiser step would take them along."
    if any(part.training for part in model.modules()):
        return "The network came in evaluation mode and went back in training mode."
    if not all(p.requires_grad for p in model.parameters()):
        return "You left parameters frozen: requires_grad should be as it was."
    if not all(torch.equal(now, before[name]) for name, now in model.state_dict().items()):
        return "Weights or batch norm's running means changed: the question is one to look at only."
    return None


def _reached_truly(model: FRANet, faces: Faces) -> set[str]:
    """Children whose parameters the identity logits depend on."""
    logits = model(faces.images).identity_logits
    known = [(name, p) for name, part in model.named_children() for p in part.parameters()]
    found = torch.autograd.grad(logits.square().sum(), [p for _, p in known], allow_unused=True)
    return {name for (name, _), g in zip(known, found, strict=True) if g is not None}


@checker
def check_reached(answer: Callable) -> Verdict:
    """Exercise 3: what the identity loss teaches.

    Args:
        answer: function of a network and faces that returns the names of the network's direct
            children whose parameters get a gradient from the identity loss alone. The network
            comes in evaluation mode and must come back as it was, without gradients.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_reached(reached).")
    generator = torch.Generator().manual_seed(0)
    faces = Faces(
        images=torch.rand(3, 3, 32, 32, generator=generator),
        attributes=(torch.rand(3, 40, generator=generator) < 0.3).float(),
        identity=torch.tensor([1, 0, 2]),
    )
    for kind in ("merged", "separate"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = FRANet.small(num_identities=3, identity=kind).eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        right = _reached_truly(model, faces)
        found = answer(model, faces)
        if isinstance(found, str) or not hasattr(found, "__iter__"):
            return no(f"Return a set of names, such as {{'shared'}}, not {type(found).__name__}.")
        found, where = set(found), f"in the network with identity={kind!r}"
        if "groups" in found:
            return no(
                f"You say that the attributes' own fully connected layers are taught {where}: that "
                "is the attribute loss. Take the identity loss alone."
            )
        if found == set(dict(model.named_children())) - {"groups"} != right:
            return no(
                f"You named everything {where}. Is the gradient of each really there, and not just "
                "the parameter?"
            )
        if missing := right - found:
            return no(f"{', '.join(sorted(missing))} {where} gets a gradient as well.")
        if wrong := found - right:
            return no(
                f"{', '.join(sorted(wrong))} {where} gets no gradient from the identity loss."
            )
        if left := _left_behind(model, before):
            return no(f"The names are right. {left}")
    return yes(
        "In FR-ANet the gradient passes through conv_attr, the attributes' own maps; in FR+ANet it "
        "reaches them only by way of what everybody shares. That is the whole difference between "
        "the two."
    )
