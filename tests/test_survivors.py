"""One search with low thresholds tells what the cascade gives at any higher ones."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from bright import bright, squares_on
from torchvision.ops import box_iou

from faceattr.cascade import Cascade, match
from faceattr.cascade.survivors import Survivors, survivors
from faceattr.errors import DataError

SETTINGS = (0.02, 0.3, 0.8, 0.95)


def scenes():
    """Squares of several levels of grey, so that scores differ, and a scene without any."""
    pictures, truth = [], []
    for k, level in enumerate((60, 90, 120, 160, 230)):
        boxes = [(20, 20, 50, 50), (70 + 2 * k, 30, 110 + 2 * k, 70), (20, 90, 38, 108)]
        boxes = boxes[: 1 + k % 3]
        pictures.append(squares_on(140, 120, boxes, level=level))
        truth.append(torch.tensor(boxes).float())
    pictures.append(squares_on(90, 60, []))
    truth.append(torch.zeros(0, 4))
    return pictures, truth


@pytest.fixture(scope="module")
def material():
    torch.manual_seed(0)
    pictures, truth = scenes()
    cascade = Cascade(bright(), (0.5, 0.5, 0.5), device="cpu", min_face=16)
    return cascade, pictures, truth, survivors(cascade, pictures, truth, group=4)


def test_it_agrees_with_the_cascade_at_any_thresholds(material):
    cascade, pictures, truth, found = material
    sizes = set()
    for thresholds in itertools.product(SETTINGS, repeat=3):
        passed = found.at(thresholds)
        cascade.thresholds = thresholds
        hits = 0
        for k, theirs in enumerate(cascade(pictures)):
            for net in "SML":
                mine = found.of(passed.rows[net], k)
                boxes, scores = theirs.stages[net]
                assert len(mine) == len(boxes), (thresholds, k, net)
                torch.testing.assert_close(found.boxes[net][mine], boxes, atol=1e-3, rtol=0)
                torch.testing.assert_close(found.scores[net][mine], scores, atol=1e-5, rtol=0)
            hits += int((match(theirs.boxes, theirs.scores, truth[k]) >= 0).sum())
        assert int((passed.face >= 0).sum()) == hits
        assert passed.recall[2] == pytest.approx(hits / found.faces)
        sizes.add(len(passed.face))
    assert len(sizes) > 2, "thresholds make a difference here"
    cascade.thresholds = (0.5, 0.5, 0.5)


def test_the_cascade_is_left_as_it_was(material):
    cascade, pictures, truth, _ = material
    before = cascade(pictures[0]).to_dict()
    survivors(cascade, pictures[:1], truth[:1])
    assert cascade.thresholds == (0.5, 0.5, 0.5)
    assert cascade(pictures[0]).to_dict() == before


def test_no_network_runs_afterwards(material, monkeypatch):
    *_, found = material
    monkeypatch.setattr(torch.nn.Module, "__call__", None)
    assert found.at((0.5, 0.5, 0.5)).recall[2] > 0


def test_recall_precision_and_misses(material):
    _, pictures, truth, found = material
    assert found.faces == sum(len(t) for t in truth)
    assert len(found.looked) == len(pictures)
    passed = found.at((0.3, 0.3, 0.8))
    kept = 0
    for k, boxes in enumerate(truth):
        mine = found.boxes["S"][found.of(passed.rows["S"], k)]
        if len(boxes) and len(mine):
            kept += int((box_iou(mine, boxes).amax(0) >= 0.4).sum())
    assert passed.recall[0] == pytest.approx(kept / found.faces)
    assert passed.recall[0] >= passed.recall[1] >= passed.recall[2]
    assert passed.precision == pytest.approx((passed.face >= 0).double().mean().item())
    missed = sum(len(found.missed(passed, k)) for k in range(len(pictures)))
    assert missed == round(found.faces * (1 - passed.recall[2]))
    nothing = found.at((1, 1, 1))
    assert nothing.recall == (0, 0, 0)
    assert math.isnan(nothing.precision)
    assert torch.equal(found.missed(nothing, 2), truth[2])


def test_each_window_knows_its_face(material):
    _, _, truth, found = material
    every = torch.cat(truth)
    owner = torch.cat([torch.full((len(t),), k) for k, t in enumerate(truth)])
    mine = found.face >= 0
    assert mine.any()
    assert not mine.all()
    assert torch.equal(owner[found.face[mine]], found.image[mine])
    overlap = box_iou(found.boxes["S"], every)[mine, found.face[mine]]
    assert (overlap >= 0.4).all()


def test_at_most_so_many_windows_of_a_picture(material):
    cascade, pictures, truth, _ = material
    few = Cascade(cascade.model, device="cpu", min_face=16, most=2)
    found = survivors(few, pictures, truth)
    few.thresholds = (0.3, 0.3, 0.3)
    passed = found.at(few.thresholds)
    for k, theirs in enumerate(few(pictures)):
        for net in "SML":
            assert len(found.of(passed.rows[net], k)) == len(theirs.stages[net][1]) <= 2


def test_no_window_and_no_face():
    cascade = Cascade(bright(), device="cpu", min_face=16)
    found = survivors(cascade, [torch.zeros(3, 60, 60, dtype=torch.uint8)], [torch.zeros(0, 4)])
    assert isinstance(found, Survivors)
    passed = found.at((0.9, 0.9, 0.9))
    assert all(math.isnan(value) for value in passed.recall)
    assert not len(passed.face)


def test_bad_input(material):
    cascade, pictures, truth, found = material
    with pytest.raises(DataError, match="three probabilities"):
        found.at((0.5, 0.5))
    with pytest.raises(DataError, match="three probabilities"):
        found.at((0.5, 0.5, 1.5))
    with pytest.raises(DataError, match="the search went down to 0.02"):
        found.at((0.01, 0.5, 0.5))
    with pytest.raises(DataError, match="6 pictures, true boxes of 1"):
        survivors(cascade, pictures, truth[:1])
    with pytest.raises(DataError, match="0 pictures"):
        survivors(cascade, [], [])
