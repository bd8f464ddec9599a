"""Checkers of chapter 1, faces and labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.label_statistics import measure
from faceattr.data.labels import LabelModel
from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.metrics import metrics

_NAMES = [pretty(name) for name in ATTRIBUTES]


@checker
def check_guessing(answer: Callable) -> Verdict:
    """Exercise 1: the expected accuracy of somebody who says yes with probability ``p_j``.

    Args:
        answer: function of prevalences ``(M,)`` that returns ``(M,)`` accuracies.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_guessing(guessing_accuracy).")
    p = LabelModel.load().prevalence
    right = p**2 + (1 - p) ** 2
    slips = {
        "That is the accuracy of the majority label. The guesser says yes to some faces and no to "
        "others.": np.maximum(p, 1 - p),
        "A guess can be right in two ways. You have counted the faces that wear the attribute and "
        "are guessed to; count the others as well.": p**2,
        "That is how often guess and label differ.": 2 * p * (1 - p),
        "That is the mean over attributes. Return one number for each.": right.mean(),
    }
    same = compare(answer(p), right, what="the accuracy", slips=slips, names=_NAMES)
    return same and yes(
        f"It averages {right.mean():.3f} on CelebA, below the majority label's "
        f"{np.maximum(p, 1 - p).mean():.3f}: to be right most often, never vary."
    )


@checker
def check_constant_f1(answer: Callable) -> Verdict:
    """Exercise 2: the F1 of saying yes to every face, measured against real counts.

    Args:
        answer: function of prevalences ``(M,)`` that returns ``(M,)`` F1 scores.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_constant_f1(always_yes_f1).")
    labels = torch.zeros(200, 5)
    for j, count in enumerate((4, 20, 100, 150, 200)):
        labels[:count, j] = 1
    p = labels.mean(0).double().numpy()
    right = metrics(torch.ones_like(labels), labels)["f1"].numpy()
    slips = {
        "That is the precision of saying yes. F1 is the harmonic mean of precision and recall, and "
        "whoever always says yes misses nobody.": p,
        "That is the mean of precision and recall; F1 is their harmonic mean, 2 P R / (P + R).": (
            1 + p
        )
        / 2,
        "That is the F1 of saying no to everybody.": np.zeros_like(p),
    }
    same = compare(answer(p), right, what="F1", tolerance=1e-5, slips=slips)
    p = LabelModel.load().prevalence
    return same and yes(
        f"On CelebA that constant averages an F1 of {(2 * p / (1 + p)).mean():.2f}, and "
        f"{2 * p.max() / (1 + p.max()):.2f} on {_NAMES[p.argmax()]}: F1 can flatter, too. Read it "
        "beside the prevalence."
    )


@checker
def check_noise(answer: Callable) -> Verdict:
    """Exercise 3: the F1 of a classifier that is always right, judged by noisy labels.

    Args:
        answer: function of a prevalence and the chance of a flip that returns one F1 score.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_noise(f1_of_the_truth).")
    cases = [(0.05, 0.1), (0.05, 0.0), (0.5, 0.1), (0.3, 0.25), (0.84, 0.05)]

    def truth(p: float, noise: float) -> float:
        """From counts in 10,000 faces: the truth is what is said, the noisy labels judge it."""
        positive = round(10_000 * p)
        said = torch.zeros(10_000, 1)
        said[:positive] = 1
        labels = said.clone()
        labels[: round(positive * noise)] = 0
        labels[positive : positive + round((10_000 - positive) * noise)] = 1
        return float(metrics(said - 0.5, labels)["f1"])

    for p, noise in cases:
        slips = {
            "Nearly: that is the recall. Of those labelled positive, some are flipped negatives; "
            "precision counts too.": p * (1 - noise) / (p * (1 - noise) + (1 - p) * noise),
            "Nearly: that is the precision. Recall suffers from the negatives that were flipped, "
            "and where the attribute is rare they are many.": 1 - noise,
        }
        same = compare(
            answer(p, noise),
            truth(p, noise),
            what=f"F1 at prevalence {p} and noise {noise}",
            tolerance=1e-3,
            slips=slips if noise else {},
        )
        if not same:
            return same
    return yes(
        f"With one label in ten flipped, a flawless classifier scores {truth(0.05, 0.1):.2f} on an "
        f"attribute that one face in twenty wears, and {truth(0.5, 0.1):.2f} on one that half do."
    )


@checker
def check_agreement(answer: Callable) -> Verdict:
    """Exercise 4: within-person agreement from counts, without forming a pair.

    Args:
        answer: function of ``worn (P,)``, pictures of each person that wear the attribute, and
            ``count (P,)``, pictures of each person, that returns one number.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_agreement(agreement_from_counts).")
    rng = np.random.default_rng(0)
    count = rng.integers(1, 12, 60)
    worn = rng.binomial(count, rng.beta(0.6, 1.2, 60))
    label = np.concatenate([np.arange(n) < k for k, n in zip(worn, count, strict=True)])
    right = float(measure(label[:, None], np.repeat(np.arange(60), count)).agreement[0])
    pairs = (count * (count - 1)).sum()
    both = (worn * (worn - 1)).sum() / pairs
    mean = (worn * (count - 1)).sum() / pairs

    def correlation(joint: float, p: float) -> float:
        return (joint - p**2) / (p * (1 - p))

    slips = {
        "Nearly: here the mean is over all pictures. It should be over the pictures in pairs: a "
        "person with n pictures stands in n (n - 1) ordered pairs, a person with one in none.": (
            correlation(both, worn.sum() / count.sum())
        ),
        "That is the chance that both pictures of a pair wear it. Take off what chance alone "
        "gives, and divide by the variance, as in Eq. 2.": both,
        "A person with k of n pictures worn has k (k - 1) ordered pairs of two worn ones: a "
        "picture is not paired with itself.": correlation((worn**2).sum() / pairs, mean),
    }
    same = compare(answer(worn, count), right, what="the agreement", slips=slips)
    always = same and compare(
        answer(np.array([3, 0, 2, 0]), np.array([3, 3, 2, 1])),
        1.0,
        what="the agreement of people who never change",
    )
    return always and yes(
        f"Equal to the library's on 60 people with 1 to 11 pictures each ({right:.3f}). No pair "
        "was formed, so all of CelebA takes an instant."
    )
