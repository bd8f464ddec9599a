"""Checkers of chapter 12, verification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.objectives.contrastive import coupling_loss
from faceattr.verification import best_threshold, roc


@checker
def check_coupling(answer: Callable) -> Verdict:
    """Exercise 1: Eqs. 17 to 19 as they are printed.

    Args:
        answer: function of embeddings ``(N, E)``, ``identity (N,)`` and the margin that returns
            the loss over all ``N^2`` pairs.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_coupling(coupling).")
    generator = torch.Generator().manual_seed(0)
    places = 0.4 * torch.randn(5, 3, generator=generator)
    who = torch.tensor([4, 7, 4, 1, 7])
    margin = 0.9
    right = coupling_loss(places, who, margin=margin, balance=False)
    squared = torch.cdist(places, places).square()
    same = who[:, None] == who[None]

    def loss(distance, rest, same=same):
        return torch.where(same, distance / 2, rest / 2)

    rest = (margin - squared).clamp(min=0)
    slips = {
        "Eq. 19 averages over N^2 pairs, a face with itself among them: divide by N^2.": (
            loss(squared, rest).sum() / (len(who) * (len(who) - 1))
        ),
        "Distances are squared in Eqs. 17 and 18.": loss(
            squared.sqrt(), (margin - squared.sqrt()).clamp(min=0)
        ).mean(),
        "That is Hadsell's loss, which squares what is left of the margin. Here the distance is "
        "squared, and the rest is not.": loss(
            squared, (margin - squared.sqrt()).clamp(min=0).square()
        ).mean(),
        "c is 0 for one person and 1 for two: you have it the other way round.": loss(
            squared, rest, ~same
        ).mean(),
        "Both equations have a half in front.": 2 * right,
        "Two people beyond the margin have loss 0, not less: max(0, ...).": loss(
            squared, margin - squared
        ).mean(),
        "That averages both kinds of pairs alone, as the library does by default; Eq. 19 averages "
        "over all.": coupling_loss(places, who, margin=margin),
    }
    found = answer(places.clone(), who.clone(), margin)
    agreed = compare(found, right, what="the loss", tolerance=1e-5, slips=slips)
    return agreed and yes(
        "Of a batch of many people nearly all of the N^2 pairs are of two: printed like this, "
        "pulling one person's pictures together hardly counts."
    )


@checker
def check_tar(answer: Callable) -> Verdict:
    """Exercise 2: the share of pairs of one person that are accepted at a false accept rate.

    Args:
        answer: function of scores ``(P,)`` (higher for one person), ``same (P,)`` bool and a false
            accept rate that returns the largest true accept rate while no larger share of the
            pairs of two people is accepted.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_tar(tar).")
    rng = np.random.default_rng(132)  # a seed with which no two slips give one rate at 0.05
    same = rng.random(80) < 0.5
    scores = (rng.normal(size=80) + 1.5 * same).round(1)  # some scores are equal
    drawn, alike = f"{len(same)} pairs", "two pairs of equal score, one of each kind"
    few = np.array([9.0, 8, 7, 6, 6, 5, 4, 3, 2, 1, 0])
    who = np.array([0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0]) > 0
    both = np.array([4.0, 3, 2, 2, 2, 0]), np.array([1, 0, 1, 0, 1, 0]) > 0
    cases = (
        (drawn, scores, same, 0.05),
        (drawn, scores, same, 0.3),
        ("pairs where a threshold has just this FAR", few, who, 0.375),
        (drawn, scores, same, 0.0),
        ("pairs of which three at the cut are of equal score", *both, 0.5),
        (alike, np.ones(2), np.array([True, False]), 0.0),
        (alike, np.ones(2), np.array([False, True]), 0.0),
    )
    for of, scores, same, level in cases:
        far, tpr, _ = roc(scores, same)
        agreed = compare(
            answer(scores.copy(), same.copy(), level), tpr[far <= level].max(),
            what=f"TAR at FAR {level:g} of {of}", tolerance=1e-9,
            slips=_wrong_tar(scores, same, level),
        )  # fmt: skip
        if not agreed:
            return agreed
    return yes(
        "Pairs of equal score are accepted together or not at all: whoever splits them reports a "
        "rate that no threshold has."
    )


def _wrong_tar(scores: np.ndarray, same: np.ndarray, level: float) -> list[tuple[str, float]]:
    """What goes wrong easily, with the answer that it gives."""
    far, tpr, thresholds = roc(scores, same)
    right = tpr[far <= level].max()
    threshold = thresholds[far <= level][-1]
    lowest, others = np.sort(scores[same]), np.isin(thresholds, [np.inf, *scores[~same]])
    whole = (
        "You split pairs of equal score: some are accepted, some are not, and no threshold does "
        "that. They enter together."
    )
    slips = []
    for order in (np.argsort(-scores, kind="stable"), np.argsort(scores, kind="stable")[::-1]):
        passed = np.cumsum(~same[order]) <= level * (~same).sum()
        slips.append((whole, np.cumsum(same[order])[passed].max(initial=0) / same.sum()))
    if level == 0:
        slips += [
            (
                "At a level of 0 you accept nobody. A threshold above all pairs of two people has "
                "a false accept rate of 0, and that is allowed: at most the level, not less (<=, "
                "not <).",
                0.0,
            ),
            (
                "At a level of 0 you accept everyone. Does an index of -1 take the last threshold "
                "where you want the first?",
                1.0,
            ),
        ]
    return slips + [
        (
            "A false accept rate may be as large as the level: at most, not less (<=, not <).",
            tpr[far < level].max(initial=0),
        ),
        (
            "That is the first point beyond the level: the false accept rate must not exceed it.",
            tpr[np.searchsorted(far, level, side="right")],
        ),
        (
            "You accept scores above the right threshold (>). One that equals it is accepted, too "
            "(>=).",
            (scores[same] > threshold).mean(),
        ),
        (
            "Your thresholds are scores of pairs of two people alone. A score of one person that "
            "lies between two of those accepts more at the same false accept rate.",
            tpr[(far <= level) & others].max(),
        ),
        (
            "You took the threshold from the pairs of one person. It comes from the pairs of two: "
            "so many of them may pass.",
            (scores[same] >= lowest[min(int(level * len(lowest)), len(lowest) - 1)]).mean(),
        ),
        (
            "That is a share of all pairs: divide by the pairs of one person.",
            right * same.mean(),
        ),
    ]


@checker
def check_fold(answer: Callable) -> Verdict:
    """Exercise 3: the accuracy of one fold, with a threshold that it did not choose.

    Args:
        answer: function of scores ``(P,)``, ``same (P,)`` bool, ``fold (P,)`` and k that returns
            the share of fold k's pairs that are answered rightly at the threshold that answers
            most pairs of the other folds rightly (the highest such, midway to the next score
            below).
    """
    if not callable(answer):
        return no("Hand over the function itself: check_fold(fold_accuracy).")
    scores, same, fold = _folds()
    for k in (2, 0):
        mine = fold == k
        right = _answered(scores, same, mine, best_threshold(scores[~mine], same[~mine]))
        agreed = compare(
            answer(scores.copy(), same.copy(), fold.copy(), k), right, tolerance=1e-9,
            what=f"the accuracy of fold {k}", slips=_wrong_fold(scores, same, mine),
        )  # fmt: skip
        if not agreed:
            return agreed
    return yes(
        "Ten such accuracies, their mean, and their deviation over the root of ten: that is what "
        "LFW's protocol reports."
    )


def _folds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, same and fold, ``(P,)`` each, on which no two slips answer alike in fold 2."""
    rng = np.random.default_rng(2800)  # the seed is chosen for that
    fold = np.repeat(np.arange(4), (12, 12, 36, 12))
    same = np.arange(len(fold)) % 2 == 0
    return rng.normal(size=len(fold)) + 1.2 * same + 0.8 * (fold == 2), same, fold


def _answered(scores: np.ndarray, same: np.ndarray, mine: np.ndarray, threshold: float) -> float:
    """Share of the pairs in ``mine`` that are answered rightly."""
    return float(((scores[mine] >= threshold) == same[mine]).mean())


def _ends(scores: np.ndarray, same: np.ndarray, pick: int) -> tuple[float, float]:
    """Between which scores the highest (``pick`` 0) or lowest (-1) best threshold lies."""
    far, tpr, thresholds = roc(scores, same)
    right = (tpr * same.sum() + (1 - far) * (~same).sum()).round()
    k = np.flatnonzero(right == right.max())[pick]
    return thresholds[k], np.append(thresholds, -np.inf)[k + 1]


def _wrong_fold(scores: np.ndarray, same: np.ndarray, mine: np.ndarray) -> list[tuple[str, float]]:
    """What goes wrong easily, with the answer that it gives."""
    at = (
        "Your threshold lies at a score of the other folds. Put it midway to the next score below: "
        "new pairs may fall between the two."
    )
    lowest = (
        "You took the lowest of the thresholds that do best on the other folds; take the highest."
    )
    own = "The threshold saw the fold's own pairs alone: choose it on the others."
    every = "The threshold was chosen on all folds, this one among them: leave it out."
    slips = []
    for pick, why in ((0, at), (-1, lowest)):
        above, below = _ends(scores[~mine], same[~mine], pick)
        just_above = np.nextafter(below, np.inf)  # what > accepts where the threshold is below
        slips += [(why, _answered(scores, same, mine, t)) for t in (above, just_above)]
        if pick == -1:
            slips.append((why, _answered(scores, same, mine, (above + below) / 2)))
    for why, seen in ((own, mine), (every, np.ones_like(mine))):
        for pick in (0, -1):
            above, below = _ends(scores[seen], same[seen], pick)
            slips += [(why, _answered(scores, same, mine, t)) for t in ((above + below) / 2, above)]
    chosen = best_threshold(scores[~mine], same[~mine])
    slips.append(
        (
            "That is the accuracy on the folds that chose the threshold.",
            _answered(scores, same, ~mine, chosen),
        )
    )
    return slips
