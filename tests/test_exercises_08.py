"""The checkers of chapter 8 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from answers import hold, refuses
from conftest import ROOT
from torchvision.ops import box_convert, box_iou, nms

from faceattr.exercises import chapter08 as chapter
from faceattr.models.mcfa import MCFA
from faceattr.objectives import mcfa as objective

SOLUTIONS = ROOT / "book" / "solutions" / "08_a_cascade.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


# Exercise 1 ------------------------------------------------------------------------------------


def each(boxes, truth, side, to="xywh"):
    """Squared distances of the faces, ``(faces, 4)``."""
    face = truth.isfinite().all(1)
    ours, theirs = (b[face] / side for b in (boxes, truth))
    if to != "xyxy":
        ours, theirs = (box_convert(b, "xyxy", to) for b in (ours, theirs))
    return (ours - theirs).square()


def mean(squares):
    return squares.sum() / max(1, len(squares))


def after(boxes, truth, side):
    """NaN put away after the squaring: right as a number, not as a gradient."""
    ours, theirs = (box_convert(b / side, "xyxy", "xywh") for b in (boxes, truth))
    total = (ours - theirs).square().nan_to_num().sum()
    return total / truth.isfinite().all(1).sum().clamp(min=1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda b, t, s: mean(each(b, t, s, "xyxy")), "two corners"),
        (lambda b, t, s: mean(each(b, t, s, "cxcywh")), "by its centre"),
        (lambda b, t, s: each(b, t, s).mean(), "mean over the four"),
        (lambda b, t, s: mean(each(b, t, 1)), "in pixels"),
        (lambda b, t, s: mean(each(b, t, 1)) / s, "by the side once"),
        (lambda b, t, s: each(b, t, s).sum() / len(b), "all windows of the batch"),
        (lambda b, t, s: each(b, t, s).sum(), "the sum over faces"),
        (lambda b, t, s: each(b, t, s).sum(1).sqrt().mean(), "leave out the root"),
        (lambda b, t, s: mean(each(b, t.nan_to_num(), s)), "live in corners"),
        (
            lambda b, t, s: (
                each(b, t.nan_to_num(), s).sum() / t.isfinite().all(1).sum().clamp(min=1)
            ),
            "live in corners",
        ),
        (lambda b, t, s: ((b - t) / s).square().sum(1).mean(), "loss is NaN"),
        (lambda b, t, s: each(b, t, s).sum(1).mean(), "without a face should hold no NaN"),
        (lambda b, t, s: mean(each(b, t, s)) + 0.1, "too high"),
        (lambda b, t, s: mean(each(b, t, s)).item(), "no gradient comes back"),
        (lambda b, t, s: mean(each(b.detach(), t, s)), "no gradient comes back"),
        (after, "its gradient is NaN"),
        (lambda b, t, s: each(b, t, s).sum(1), "should have shape"),
        (lambda b, t: 0, "raises TypeError"),
        (1.0, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_box_loss_explains_what_is_wrong(answer, why):
    refuses(chapter.check_box_loss(answer), why)


def test_box_loss_takes_every_right_way():
    def library(boxes, truth, side):
        return objective.box_loss(boxes, truth, truth.isfinite().all(1), side)

    def plain(boxes, truth, side):
        total, faces = torch.zeros(()), 0
        for ours, theirs in zip(boxes, truth, strict=True):
            if not theirs.isnan().any():
                width, height = ours[2:] - ours[:2] - (theirs[2:] - theirs[:2])
                left, top = ours[:2] - theirs[:2]
                total = total + (left**2 + top**2 + height**2 + width**2) / side**2
                faces += 1
        return total / faces if faces else 0.0

    assert chapter.check_box_loss(library)
    assert chapter.check_box_loss(plain)
    assert chapter.check_box_loss(lambda b, t, s: mean(each(b, t, s)))


# Exercise 2 ------------------------------------------------------------------------------------


def greedy(boxes, scores, overlap, *, measure=box_iou, rivals="kept", order=None, equal=False):
    """Suppression with one thing wrong, or none."""
    iou = measure(boxes, boxes) if len(boxes) else torch.zeros(0, 0)
    near = iou >= overlap if equal else iou > overlap
    kept, seen = [], []
    for k in scores.argsort(descending=True).tolist() if order is None else order:
        against = {"kept": kept, "seen": seen, "last": kept[-1:]}[rivals]
        if not any(near[k, other] for other in against):
            kept.append(k)
        seen.append(k)
    return kept


def areas(a, b, clamp=True, more=0):
    """Intersection ``(K, K)`` and both areas."""
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])
    sides = sides + more
    size = [(c[:, 2:] - c[:, :2] + more).prod(1) for c in (a, b)]
    return (sides.clamp(min=0) if clamp else sides).prod(-1), size[0][:, None], size[1][None]


def over_smaller(a, b):
    shared, first, second = areas(a, b)
    return shared / torch.minimum(first, second)


def over_own(a, b):
    return areas(a, b)[0] / areas(a, b)[1]


def over_sum(a, b):
    shared, first, second = areas(a, b)
    return shared / (first + second)


def unclamped(a, b):
    shared, first, second = areas(a, b, clamp=False)
    return shared / (first + second - shared)


def pixels(a, b):
    shared, first, second = areas(a, b, more=1)
    return shared / (first + second - shared)


def places(boxes, scores, overlap):
    """Where the kept ones are among the sorted."""
    order = scores.argsort(descending=True)
    return nms(boxes[order], scores[order], overlap)


def mask(boxes, scores, overlap):
    kept = torch.zeros(len(boxes), dtype=torch.bool)
    kept[nms(boxes, scores, overlap)] = True
    return kept


def dropped(boxes, scores, overlap):
    kept = nms(boxes, scores, overlap).tolist()
    return [k for k in scores.argsort(descending=True).tolist() if k not in kept]


def without(name):
    """Every answer with this one thing wrong, by keyword."""
    return lambda b, s, o: greedy(b, s, o, **name)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (without({"rivals": "seen"}), "drops nobody"),
        (without({"rivals": "last"}), "kept last"),
        (without({"measure": over_smaller}), "by the smaller area"),
        (without({"measure": over_own}), "area of one of the two"),
        (without({"measure": over_sum}), "sum of both areas"),
        (without({"measure": unclamped}), "clamp both"),
        (without({"measure": pixels}), "edges, not pixels"),
        (without({"equal": True}), "by more"),
        (lambda b, s, o: greedy(b, s, o, order=s.argsort().tolist()), "least sure are kept"),
        (lambda b, s, o: greedy(b, s, o, order=range(len(b))), "as they come"),
        (lambda b, s, o: nms(b, s, o).sort().values, "in which they came"),
        (lambda b, s, o: nms(b, s, o).flip(0), "Turn them round"),
        (places, "places among the sorted"),
        (dropped, "are dropped"),
        (mask, "a mask"),
        (lambda b, s, o: b[nms(b, s, o)], "the boxes themselves"),
        (lambda b, s, o: [b[k] for k in nms(b, s, o)], "the boxes themselves"),
        (lambda b, s, o: s[nms(b, s, o)], "whole ones"),
        (lambda b, s, o: nms(b, s, o) + 30, "numbered from 0"),
        (lambda b, s, o: nms(b, s, o)[:1], r"Box \d+ should stay"),
        (lambda b, s, o: s.argsort(descending=True), "nothing was dropped"),
        (lambda b, s, o: list(range(len(b))), r"Box \d+ should go"),
        (lambda b, s, o: [*nms(b, s, o), nms(b, s, o)[0]], "twice"),
        (lambda b, s, o: nms(b, s, o).roll(1), "another order"),
        (lambda b, s, o: nms(b, s, o) if len(b) else [0], "no box"),
        (lambda b, s, o: None, "returns None"),
        (lambda b, s, o: 1 / 0, "raises ZeroDivisionError"),
        ([0, 1], "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_nms_explains_what_is_wrong(answer, why):
    refuses(chapter.check_nms(answer), why)


def test_nms_takes_every_right_way():
    assert chapter.check_nms(nms)
    assert chapter.check_nms(greedy)
    assert chapter.check_nms(lambda b, s, o: nms(b, s, o).numpy())
    assert chapter.check_nms(lambda b, s, o: list(nms(b, s, o)))
    assert chapter.check_nms(lambda b, s, o: np.array(greedy(b, s, o), dtype=np.int32))


@pytest.mark.parametrize(("seed", "overlap"), [(239, 0.3), (86, 0.3), (33, 0.4)])
def test_no_crowd_hangs_by_a_hair(seed, overlap):
    boxes, scores = chapter._crowd(seed)
    assert (box_iou(boxes, boxes) - overlap).abs().min() > 5e-3
    assert len(scores.unique()) == len(scores)


# Exercise 3 ------------------------------------------------------------------------------------


def windows(scores, threshold, stride, side, scale):
    y, x = (scores >= threshold).nonzero().unbind(1)
    return torch.stack([x * stride, y * stride, x * stride + side, y * stride + side], 1) / scale


def placed(x, y, width):
    return torch.stack([x, y, x + width, y + width], 1)


def cells(scores, threshold):
    y, x = (scores >= threshold).nonzero().unbind(1)
    return x, y


def column_by_column(s, t, d, w, c):
    return windows(s.T, t, d, w, c)[:, [1, 0, 3, 2]]


def surest_first(s, t, d, w, c):
    return windows(s, t, d, w, c)[s[s >= t].argsort(descending=True)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda s, t, d, w, c: windows(s, t, d, w, c)[:, [1, 0, 3, 2]], "swapped"),
        (lambda s, t, d, w, c: windows(s, t, d, w, 1 / c), "multiplied by the scale"),
        (lambda s, t, d, w, c: windows(s, t, d, w, 1), "pixels of the level"),
        (
            lambda s, t, d, w, c: placed(*(v * d / c for v in cells(s, t)), w),
            "the side is not: it is",
        ),
        (
            lambda s, t, d, w, c: placed(*(v * d for v in cells(s, t)), w / c),
            "the corner is not",
        ),
        (
            lambda s, t, d, w, c: windows(s, t, d, w, c) - w / 2 / c,
            "not its middle.$",
        ),
        (
            lambda s, t, d, w, c: placed(
                *(((v + 0.5) * d - w / 2) / c for v in cells(s, t)), w / c
            ),
            "add no half cell",
        ),
        (
            lambda s, t, d, w, c: placed(*((v + 0.5) * d / c for v in cells(s, t)), w / c),
            "add no half cell",
        ),
        (lambda s, t, d, w, c: windows(s, t, 1, w, c), "stride pixels apart: multiply"),
        (lambda s, t, d, w, c: windows(s, t, w, w, c), "side by side"),
        (lambda s, t, d, w, c: windows(s, t + 1e-7, d, w, c), "exactly passes"),
        (lambda s, t, d, w, c: windows(s, 0, d, w, c), "all windows pass"),
        (
            lambda s, t, d, w, c: box_convert(windows(s, t, d, w, c), "xyxy", "xywh"),
            "width, height",
        ),
        (
            lambda s, t, d, w, c: placed(*(v * d for v in cells(s, t)), w - 1) / c,
            "edges, not pixels",
        ),
        (lambda s, t, d, w, c: windows(s, t, d, w, c).round(), "keep the fractions"),
        (column_by_column, "another order"),
        (surest_first, "another order"),
        (lambda s, t, d, w, c: windows(s, t, d, w, c) + 1, "too high"),
        (lambda s, t, d, w, c: windows(s, t, d, w, c)[:2], "should have shape"),
        (
            lambda s, t, d, w, c: windows(s, t, d, w, c) if s.any() else [],
            r"nothing does should have shape \(0, 4\)",
        ),
        (lambda s, t, d, w, c: None, "this is None"),
        (torch.zeros(0, 4), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_windows_of_explains_what_is_wrong(answer, why):
    refuses(chapter.check_windows_of(answer), why)


def test_windows_of_takes_every_right_way():
    def plain(scores, threshold, stride, side, scale):
        found = []
        for y in range(scores.shape[0]):
            for x in range(scores.shape[1]):
                if scores[y, x] >= threshold:
                    found.append([x * stride, y * stride, x * stride + side, y * stride + side])
        return np.array(found, dtype=float).reshape(-1, 4) / scale

    assert chapter.check_windows_of(windows)
    assert chapter.check_windows_of(plain)


def test_these_are_the_windows_that_s_net_sees(solutions):
    """What the exercise computes is where S_Net looks: cut there, it answers as it did slid."""
    torch.manual_seed(0)
    net = MCFA.small().s_net.eval()
    picture = torch.rand(1, 3, net.side + 3 * net.stride, net.side + 5 * net.stride)
    with torch.inference_mode():
        slid = net(picture)[0]  # (C, h, w)
        found = solutions.windows_of(slid[0], slid[0].median(), net.stride, net.side, 1.0)
        cut = [
            net(picture[..., y0:y1, x0:x1])[0, :, 0, 0] for x0, y0, x1, y1 in found.int().tolist()
        ]
    passed = slid[:, slid[0] >= slid[0].median()]
    torch.testing.assert_close(torch.stack(cut, 1), passed, atol=1e-4, rtol=1e-4)
