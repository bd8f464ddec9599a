"""LFW's protocol against scikit-learn, pairs as they must be, and the contrastive loss by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from faceattr.attributes import ATTRIBUTES
from faceattr.checkpoint import save_checkpoint
from faceattr.cli import main
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.people import ByPerson, draw_pairs
from faceattr.errors import DataError
from faceattr.models.mtfap import MTFAP
from faceattr.models.siamese import Siamese
from faceattr.objectives.contrastive import contrastive, coupling_loss
from faceattr.recipes.siamese import train_siamese
from faceattr.verification import area, best_threshold, fuse, roc, verify


def scored(seed=0):
    """Pairs of forty people, and scores that know a little."""
    identity = torch.arange(40).repeat_interleave(6)
    pairs = draw_pairs(identity, 15, folds=5, seed=seed)
    rng = np.random.default_rng(seed)
    same = identity[pairs.a] == identity[pairs.b]
    return identity, pairs, rng.normal(size=len(same)) + 1.2 * same.numpy(), same.numpy()


def test_pairs_keep_people_in_one_fold():
    identity, pairs, _, same = scored()
    torch.testing.assert_close(pairs.same.bool(), torch.from_numpy(same))
    where = {}
    for column in (pairs.a, pairs.b):
        for person, fold in zip(identity[column].tolist(), pairs.fold.tolist(), strict=True):
            assert where.setdefault(person, fold) == fold
    assert not (pairs.a == pairs.b).any()
    with pytest.raises(DataError, match="fold"):
        draw_pairs(torch.arange(10), 5, folds=2)


def test_the_curve_is_scikit_learns():
    _, pairs, scores, same = scored()
    far, tpr, _ = roc(scores, same)
    theirs_far, theirs_tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    np.testing.assert_allclose(far, theirs_far)
    np.testing.assert_allclose(tpr, theirs_tpr)
    assert area(far, tpr) == pytest.approx(roc_auc_score(same, scores))
    found = verify(scores, pairs)
    assert found.auc == pytest.approx(roc_auc_score(same, scores))
    assert found.tar[1e-2] == pytest.approx(theirs_tpr[theirs_far <= 1e-2].max())
    assert found.accuracy == pytest.approx(np.mean(found.folds))
    assert found.error == pytest.approx(np.std(found.folds, ddof=1) / np.sqrt(5))


def test_a_threshold_never_sees_its_own_fold():
    _, pairs, scores, _ = scored()
    before = verify(scores, pairs)
    moved = scores.copy()
    moved[pairs.fold.numpy() == 0] += 100
    after = verify(moved, pairs)
    assert before.thresholds[0] == after.thresholds[0]


def test_a_folds_own_pairs_choose_nothing_of_what_fuses_them():
    _, pairs, first, _ = scored(0)
    second = scored(1)[2]
    mixed, weights = fuse(first, second, pairs)
    before = verify(mixed, pairs)
    rng, mine = np.random.default_rng(5), pairs.fold.numpy() == 0
    for scores in (first, second):
        scores[mine] = rng.normal(size=mine.sum()) * 9
    mixed, others = fuse(first, second, pairs)
    after = verify(mixed, pairs)
    assert weights[0] == others[0]
    assert weights[1:] != others[1:]  # it does have a say in the others
    assert before.thresholds[0] == after.thresholds[0]
    assert before.folds[0] != after.folds[0]


def test_fused_scores_are_what_is_best_elsewhere():
    _, pairs, first, same = scored(0)
    noise = scored(1)[2] - 1.2 * same
    _, weights = fuse(first, noise, pairs)
    assert max(weights) < 0.5
    mixed, weights = fuse(noise, first, pairs)
    assert min(weights) > 0.5
    assert mixed.shape == (5, len(pairs))
    alone, _ = fuse(first, noise, pairs, weights=(0.0,))
    assert verify(alone, pairs).folds == verify(first, pairs).folds
    with pytest.raises(DataError, match="one number"):
        fuse(mixed, first, pairs)
    with pytest.raises(DataError, match="one each"):
        verify(mixed[:3], pairs)


def test_where_it_is_best_to_accept_every_pair_or_none():
    scores = np.array([0.9, 0.5, 0.2])
    assert best_threshold(scores, np.array([True, True, False])) == pytest.approx(0.35)
    assert best_threshold(scores, np.array([False, True, True])) == -np.inf
    assert best_threshold(scores, np.array([False, False, True])) == np.inf
    pairs = scored()[1]
    backwards = np.where(pairs.same.numpy(), 0.0, 1.0)  # and yet a fold's accuracy is defined
    assert verify(backwards, pairs).accuracy == pytest.approx(0.5)


def test_scores_that_are_none():
    _, pairs, scores, _ = scored()
    with pytest.raises(DataError):
        verify(scores[:-1], pairs)
    with pytest.raises(DataError):
        verify(np.where(np.arange(len(scores)) == 3, np.nan, scores), pairs)


def test_the_contrastive_loss_by_hand():
    distance = torch.tensor([0.4, 0.4, 3.0])
    different = torch.tensor([False, True, True])
    torch.testing.assert_close(contrastive(distance, different), torch.tensor([0.2, 0.3, 0.0]))
    places = torch.tensor([[0.0, 0.0], [0.6, 0.0], [0.0, 0.8], [9.0, 9.0]])
    who = torch.tensor([5, 5, 7, -1])  # nobody knows the last one
    squared = torch.tensor([0.36, 0.64, 1.0])
    printed = 2 * (squared[0] / 2 + (1 - squared[1]) / 2 + 0) / 9  # all pairs of three, and itself
    torch.testing.assert_close(coupling_loss(places, who, balance=False), printed)
    balanced = (squared[0] / 2 + ((1 - squared[1]) / 2 + 0) / 2) / 2
    torch.testing.assert_close(coupling_loss(places, who), balanced)
    with pytest.raises(DataError, match="identities"):
        coupling_loss(places, None)
    places.requires_grad_(True)
    nobody = coupling_loss(places, torch.full((4,), -1))  # by chance, a batch of strangers
    nobody.backward()
    assert nobody == 0
    assert not places.grad.any()
    with pytest.raises(DataError, match="who is who"):
        ByPerson(FaceDataset(Faces(torch.zeros(4, 3, 8, 8, dtype=torch.uint8),
                                   identity=torch.full((4,), -1))))  # fmt: skip


def test_a_verifier_that_cannot_be_trained_is_refused_before_an_epoch():
    def faces(identity):
        pictures = torch.zeros(len(identity), 3, 16, 16, dtype=torch.uint8)
        labels = torch.tensor([[0], [1]] * (len(identity) // 2), dtype=torch.int8)
        who = torch.tensor(identity)
        return FaceDataset(Faces(pictures, attributes=labels, identity=who), names=["Male"])

    how = {"epochs": 1, "progress": False, "device": "cpu"}
    for identity in ([3, 3, 3, -1], [0, 1, 2, 3], [-1, -1, 0, 1]):
        with pytest.raises(DataError, match="pairs of one person and of two"):
            train_siamese(faces(identity), **how)
    for wrong in ({"margin": -1.0}, {"margin": 0.0}, {"margin": float("nan")},
                  {"attributes": -1.0}, {"alike": float("inf")}):  # fmt: skip
        (name,) = wrong
        with pytest.raises(DataError, match=f"{name}="):
            train_siamese(faces([0, 0, 1, 1]), **wrong, **how)
    _, history = train_siamese(faces([0, 0, 1, -1]), **how)
    assert history["identity"][-1] > 0


def test_siamese_trains_and_verifies_from_the_command_line(tmp_path, capsys):
    out, report = tmp_path / "run", tmp_path / "report.json"
    common = ["--quiet", "--no-valid", "--device", "cpu", "--epochs", "1", "--preset", "small"]
    assert main(["train", "siamese", "--faces", "64", *common, "--out", str(out)]) == 0
    how = ["--faces", "64", "--folds", "2", "--each", "8", "--device", "cpu"]
    assert main(["verify", str(out), *how, "--out", str(report)]) == 0
    assert "accuracy" in capsys.readouterr().out.lower()
    assert json.loads(report.read_text())
    wild = tmp_path / "wild.safetensors"
    save_checkpoint(wild, MTFAP.small(), attributes=ATTRIBUTES, size=(64, 64), framing="wild")
    for options, said in {
        f"--out {tmp_path}": "is a folder",
        "--pairs some.txt": "--data lfw",
        "--batch-size 0": "at least 1",
        "--batch-size -2": "at least 1",
        f"--attributes {wild}": "the same view",
    }.items():
        capsys.readouterr()
        assert main(["verify", str(out), *how, *options.split()]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("faceattr: error: ")
        assert said in line
    outputs = Siamese.small()(torch.rand(2, 3, 64, 64))
    assert outputs.logits.shape == (2, 40)
