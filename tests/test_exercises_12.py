"""The checkers of chapter 12 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter12 as chapter
from faceattr.objectives.contrastive import coupling_loss
from faceattr.verification import best_threshold, roc

SOLUTIONS = ROOT / "book" / "solutions" / "12_verification.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


def pairs(z, k):
    return torch.cdist(z, z).square(), k[:, None] == k[None]


def printed(z, k, m, *, half=0.5, other=lambda d, m: (m - d).clamp(min=0), root=False, turn=False):
    d, same = pairs(z, k)
    d = d.sqrt() if root else d
    return half * torch.where(same != turn, d, other(d, m))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda z, k, m: printed(z, k, m).sum() / (len(k) * (len(k) - 1)), "divide by N.2"),
        (lambda z, k, m: printed(z, k, m, root=True).mean(), "Distances are squared"),
        (
            lambda z, k, m: printed(
                z, k, m, other=lambda d, m: (m - d.sqrt()).clamp(min=0).square()
            ).mean(),
            "Hadsell",
        ),
        (lambda z, k, m: printed(z, k, m, turn=True).mean(), "other way round"),
        (lambda z, k, m: printed(z, k, m, half=1).mean(), "a half in front"),
        (lambda z, k, m: printed(z, k, m, other=lambda d, m: m - d).mean(), "not less"),
        (lambda z, k, m: coupling_loss(z, k, margin=m), "as the library does by default"),
        (lambda z, k: 0, "raises TypeError"),
        (1.0, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_coupling_explains_what_is_wrong(answer, why):
    refuses(chapter.check_coupling(answer), why)


def tar(scores, same, level):
    far, tpr, _ = roc(scores, same)
    return tpr[far <= level].max()


def beyond(scores, same, level):
    far, tpr, _ = roc(scores, same)
    return tpr[np.searchsorted(far, level)]


def split(scores, same, level, order=lambda scores: np.argsort(-scores, kind="stable")):
    """Goes through the pairs one by one, those of equal score, too."""
    same = same[order(scores)]
    far, tpr = np.cumsum(~same) / (~same).sum(), np.cumsum(same) / same.sum()
    return tpr[far <= level].max(initial=0)


def turned(scores, same, level):
    return split(scores, same, level, order=lambda scores: np.argsort(scores, kind="stable")[::-1])


def whole_until(change):
    """Splits no pairs of equal score but those of small sets."""
    return lambda s, y, a: tar(s, y, a) if len(s) > 20 else change(s, y, a)


def strict(scores, same, level):
    far, tpr, _ = roc(scores, same)
    return tpr[far < level].max()  # nothing is left of it at a level of 0


def above(scores, same, level):
    far, _, thresholds = roc(scores, same)
    return (scores[same] > thresholds[far <= level][-1]).mean()


def impostors(scores, same, level):
    thresholds = [t for t in scores[~same] if (scores[~same] >= t).mean() <= level]
    return (scores[same] >= min(thresholds, default=np.inf)).mean()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (split, "split pairs of equal score"),
        (turned, "split pairs of equal score"),
        (whole_until(split), "split pairs of equal score"),
        (whole_until(turned), "split pairs of equal score"),
        (strict, "at most, not less"),
        (lambda s, y, a: tar(s, y, a) if a else 0.0, "not less .<=, not <"),
        (above, "scores above the right threshold"),
        (impostors, "pairs of two people alone"),
        (lambda s, y, a: (s[y] > np.quantile(s[~y], 1 - a)).mean(), "too high"),
        (beyond, "first point beyond|too high"),
        (
            lambda s, y, a: (s[y] >= np.sort(s[y])[int(a * y.sum())]).mean(),
            "from the pairs of one person",
        ),
        (lambda s, y, a: tar(s, y, a) * y.mean(), "a share of all pairs"),
        (lambda s, y, a: tar(s, y, a) if a else 1.0, "you accept everyone"),
        (lambda s, y, a: tar(s, y, a - 1e-9) if a else tar(s, y, a), "at most, not less"),
        (lambda s, y, a: 0.0, "too low"),
        (0.5, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_tar_explains_what_is_wrong(answer, why):
    refuses(chapter.check_tar(answer), why)


def accuracy(s, y, mine, threshold):
    return ((s[mine] >= threshold) == y[mine]).mean()


def chosen(s, y, pick=0):
    """The ends of the interval in which the highest (0) or lowest (-1) best threshold lies."""
    ends = [*np.unique(s)[::-1], -np.inf]
    right = [((s >= t) == y).sum() for t in ends[:-1]]
    k = np.flatnonzero(right == np.max(right))[pick]
    return ends[k], ends[k + 1]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            lambda s, y, f, k: accuracy(s, y, f == k, best_threshold(s[f == k], y[f == k])),
            "saw the fold's own pairs",
        ),
        (lambda s, y, f, k: accuracy(s, y, f == k, chosen(s[f != k], y[f != k])[0]), "at a score"),
        (
            lambda s, y, f, k: accuracy(
                s, y, f == k, np.nextafter(chosen(s[f != k], y[f != k])[1], np.inf)
            ),
            "at a score",
        ),
        (
            lambda s, y, f, k: accuracy(s, y, f == k, np.mean(chosen(s[f != k], y[f != k], -1))),
            "the lowest of the thresholds",
        ),
        (
            lambda s, y, f, k: accuracy(s, y, f == k, chosen(s[f != k], y[f != k], -1)[0]),
            "the lowest of the thresholds",
        ),
        (
            lambda s, y, f, k: accuracy(s, y, f == k, chosen(s[f == k], y[f == k])[0]),
            "saw the fold's own pairs",
        ),
        (lambda s, y, f, k: accuracy(s, y, f == k, best_threshold(s, y)), "leave it out"),
        (
            lambda s, y, f, k: accuracy(s, y, f != k, best_threshold(s[f != k], y[f != k])),
            "folds that chose the threshold",
        ),
        (lambda s, y, f, k: 0.0, "too low"),
        (0.5, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_fold_explains_what_is_wrong(answer, why):
    refuses(chapter.check_fold(answer), why)


def test_no_two_slips_of_fold_are_taken_for_one_another():
    scores, same, fold = chapter._folds()
    mine, reasons = fold == 2, {}
    for why, value in chapter._wrong_fold(scores, same, mine):
        reasons.setdefault(round(value, 9), set()).add(why)
    right = accuracy(scores, same, mine, best_threshold(scores[~mine], same[~mine]))
    reasons.setdefault(round(right, 9), set()).add("right")
    assert all(len(why) == 1 for why in reasons.values()), reasons
    assert len(set.union(*reasons.values())) == 6
