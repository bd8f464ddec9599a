"""The checkers of chapter 3 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import pytest
import torch
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter03 as chapter
from faceattr.localization import boxes_of, class_activation_maps, energy_inside, pointing_game

SOLUTIONS = ROOT / "book" / "solutions" / "03_where_does_it_look.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


# Exercise 1 --------------------------------------------------------------------------------------


def hits(maps, truth):
    best = maps.flatten(2).argmax(-1, keepdim=True)
    return truth.flatten(2).gather(2, best)[..., 0].float()


def mixed_up(maps, truth):
    """Row and column from the wrong side."""
    best = maps.flatten(2).argmax(-1)
    row, column = best % maps.shape[2], best // maps.shape[2]
    b, m = torch.meshgrid(*map(torch.arange, maps.shape[:2]), indexing="ij")
    known = truth.flatten(2).any(-1)
    hit = truth[b, m, row.clamp(max=maps.shape[2] - 1), column.clamp(max=maps.shape[3] - 1)]
    return (hit * known).sum(0) / known.sum(0)


def area(maps, truth):
    known = truth.flatten(2).any(-1)
    return (truth.float().mean((-2, -1)) * known).sum(0) / known.sum(0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda maps, truth: hits(maps, truth).mean(0), "no region to hit"),
        (lambda maps, truth: hits(maps, truth).sum(0), "divide"),
        (lambda maps, truth: pointing_game(-maps, truth), "lowest"),
        (area, "blindly"),
        (mixed_up, "off by|mixed up"),
        (
            lambda maps, truth: hits(maps, truth)[truth.flatten(2).any(-1)].mean(),
            "one for each",
        ),
        (energy_inside, "off by"),
        (lambda maps, truth: hits(maps, truth), "shape"),
        (lambda maps, truth: maps.missing, "raises AttributeError"),
        (torch.ones(3), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_pointing_explains_what_is_wrong(answer, why):
    refuses(chapter.check_pointing(answer), why)


# Exercise 2 --------------------------------------------------------------------------------------


def snippet(features, weights):
    """The wrong code that the exercise shows."""
    count, channels, h, w = features.shape
    pixels = features.reshape(count, h * w, channels)
    return (pixels @ weights.T).transpose(1, 2).reshape(count, -1, h, w)


def test_the_snippet_is_found_out_by_the_logit():
    """The sign that the chapter teaches: mean plus bias is the logit."""
    features, weights = torch.rand(2, 8, 4, 5), torch.randn(6, 8)
    logits = features.mean((-2, -1)) @ weights.T
    assert snippet(features, weights).shape == (2, 6, 4, 5)
    assert not torch.allclose(snippet(features, weights).mean((-2, -1)), logits, atol=1e-3)
    right = class_activation_maps(features, weights).mean((-2, -1))
    torch.testing.assert_close(right, logits, atol=1e-5, rtol=1e-5)


def turned(features, weights):
    maps = class_activation_maps(features, weights)
    return maps.transpose(-2, -1).reshape(maps.shape)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (snippet, "still the snippet"),
        (turned, "changed roles"),
        (lambda f, w: class_activation_maps(f, w).relu(), "negative"),
        (lambda f, w: class_activation_maps(f, w) / 20, "number of positions"),
        (lambda f, w: class_activation_maps(f, w).flatten(2), "shape"),
        (lambda f, w: class_activation_maps(f, w) + 0.1, "too high"),
        (0.0, "the function itself"),
    ],
)
def test_mended_explains_what_is_wrong(answer, why):
    refuses(chapter.check_mended(answer), why)


def test_mended_takes_maps_that_carry_a_gradient():
    factor = torch.ones((), requires_grad=True)
    assert chapter.check_mended(lambda f, w: class_activation_maps(f, w) * factor)


# Exercise 3 --------------------------------------------------------------------------------------


def per_face(maps, truth, thresholds):
    ious = torch.stack([chapter._ious(maps >= cut, truth) for cut in thresholds], dim=1)
    return torch.tensor(thresholds)[ious.argmax(1)].mean()


def of_pixels(maps, truth, thresholds):
    cuts = [(maps >= cut) for cut in thresholds]
    ious = [((cut & truth).sum((1, 2)) / (cut | truth).sum((1, 2))).mean() for cut in cuts]
    return thresholds[int(torch.stack(ious).argmax())]


def worst(maps, truth, thresholds):
    ious = [chapter._ious(maps >= cut, truth).mean() for cut in thresholds]
    return thresholds[int(torch.stack(ious).argmin())]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (per_face, "one for all"),
        (of_pixels, "tight box"),
        (worst, "worst"),
        (lambda maps, truth, thresholds: 0.5, "off by"),
        (lambda maps, truth, thresholds: boxes_of(truth), "shape"),
        (0.5, "the function itself"),
    ],
)
def test_threshold_explains_what_is_wrong(answer, why):
    refuses(chapter.check_threshold(answer), why)


# Exercise 4 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda stride: stride / 2, "pixels have middles"),
        (lambda stride: stride - 1, "far corner"),
        (lambda stride: (stride - 1) / 2**0.5, "square root"),
        (lambda stride: 0, "arg-max returns the first"),
        (lambda stride: (1 - stride) / 2, "too low"),
        (7.5, "the function itself"),
    ],
)
def test_corner_explains_what_is_wrong(answer, why):
    refuses(chapter.check_corner(answer), why)
