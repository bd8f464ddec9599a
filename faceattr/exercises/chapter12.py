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
    rng = np.random.default_rng(0)
    same = rng.random(80) < 0.5
    scores = (rng.normal(size=80) + 1.5 * same).round(1)  # some scores are equal
    for level in (0.05, 0.3, 0.0):
        far, tpr, _ = roc(scores, same)
        right = tpr[far <= level].max()
        after = tpr[np.searchsorted(far, level)] if level else 1.0
        lowest = np.sort(scores[same])
        slips = {
            "That is the first point beyond the level: the false accept rate must not exceed "
            "it.": after,
            "You took the threshold from the pairs of one person. It comes from the pairs of two: "
            "so many of them may pass.": (
                scores[same] >= lowest[min(int(level * len(lowest)), len(lowest) - 1)]
            ).mean(),
            "That is a share of all pairs: divide by the pairs of one person.": right * same.mean(),
        }
        found = answer(scores.copy(), same.copy(), level)
        agreed = compare(found, right, what=f"TAR at FAR {level:g}", tolerance=1e-9, slips=slips)
        if not agreed:
            return agreed
    few, who = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0]), np.array([0, 0, 1, 0, 1, 0, 0, 0, 0, 0])
    agreed = compare(
        answer(few, who > 0, 0.375), 1.0, what="TAR where a threshold has just this FAR",
        slips={"A false accept rate may be as large as the level: at most, not less.": 0.5},
    )  # fmt: skip
    if not agreed:
        return agreed
    return yes(
        "Pairs of equal score are accepted together or not at all: whoever splits them reports a "
        "rate that no threshold has."
    )


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
    rng = np.random.default_rng(4)
    fold = np.repeat(np.arange(4), 15)
    same = np.tile(np.arange(15) < 7, 4)
    scores = rng.normal(size=60) + 1.2 * same + 0.8 * (fold == 2)

    def scored(mine, threshold):
        return ((scores[mine] >= threshold) == same[mine]).mean()

    for k in (2, 0):
        mine = fold == k
        everywhere = best_threshold(scores, same)
        slips = {
            "The threshold saw the fold's own pairs: choose it on the others alone.": scored(
                mine, best_threshold(scores[mine], same[mine])
            ),
            "The threshold was chosen on all folds, this one among them: leave it out.": scored(
                mine, everywhere
            ),
            "That is the accuracy on the folds that chose the threshold.": scored(
                ~mine, best_threshold(scores[~mine], same[~mine])
            ),
        }
        right = scored(mine, best_threshold(scores[~mine], same[~mine]))
        slips = {why: value for why, value in slips.items() if abs(value - right) > 1e-9}
        found = answer(scores.copy(), same.copy(), fold.copy(), k)
        agreed = compare(
            found, right, what=f"the accuracy of fold {k}", tolerance=1e-9, slips=slips
        )
        if not agreed:
            return agreed
    return yes(
        "Ten such accuracies, their mean, and their deviation over the root of ten: that is what "
        "LFW's protocol reports."
    )
