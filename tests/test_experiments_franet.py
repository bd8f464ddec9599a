"""FR-ANet's experiment on a few tiny faces: it runs, goes on, and its tables say what is so."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import pytest
from conftest import ROOT
from scipy.stats import spearmanr

sys.path.insert(0, str(ROOT / "book" / "experiments"))
import belonging
import collecting
import figure1
import franet

from faceattr.identity import WithinPerson
from faceattr.recipes.steps import Plan
from faceattr.report import Report

NAMES = ("lambda-0", "lambda-1", "idnet")
PAIRS = ("lambda-1 - lambda-0",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two seeds of three networks, one pass each."""
    place = tmp_path_factory.mktemp("franet")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(franet.PLANS, "small", Plan(1, 3e-3))
        patch.setattr(franet, "PICTURES", 10)
        patch.setattr(franet, "SIZE", 48)
        patch.setattr(belonging, "RESAMPLES", 20)
        faces = franet.datasets("synth", None, 5)
        for seed in (0, 1):
            franet.run(faces, NAMES, seed, place)
            before = {path: path.stat().st_mtime_ns for path in place.rglob("*.json")}
            franet.run(faces, NAMES, seed, place)  # goes on: nothing is left to do
            assert before == {path: path.stat().st_mtime_ns for path in place.rglob("*.json")}
        return place, faces, franet.collect(place, NAMES, PAIRS)


def test_pictures_and_people_are_kept_apart(folder):
    _, faces, _ = folder
    train, pictures, people = (faces[k].faces.identity for k in ("train", "pictures", "people"))
    assert set(pictures.tolist()) == set(train.tolist())
    assert not set(people.tolist()) & set(train.tolist())
    assert (len(train), len(pictures), len(people)) == (40, 10, 50)


def test_collect_says_what_the_reports_say(folder):
    place, faces, found = folder
    assert json.loads(json.dumps(found))["devices"] == {name: ["cpu"] for name in NAMES}
    for where in franet.WHERE:
        reports = {
            name: [Report.load(place / where / f"seed{s}" / f"{name}.json") for s in (0, 1)]
            for name in NAMES
        }
        means = {n: np.mean([r.mean["accuracy"] for r in runs]) for n, runs in reports.items()}
        gain = found[where]["differences"][PAIRS[0]]["mean"]["accuracy"]
        assert gain == pytest.approx(means["lambda-1"] - means["lambda-0"], abs=1e-5)
        logits = np.stack([r.scored.logits[0].numpy() for r in reports["lambda-1"]])
        agreed = WithinPerson(logits, faces[where].faces.identity).agreement()
        said = found["agreement"][where]["networks"]["lambda-1"]["scores"]
        assert said["value"] == pytest.approx(np.nanmean(agreed), abs=1e-4)
        assert said["low"] <= said["high"]


def alike_and_correlated(runs, who):
    """Over ordered pairs of pictures of a person: same answers, and correlation of the scores."""
    first, second = np.nonzero((who[:, None] == who) & ~np.eye(len(who), dtype=bool))
    alike, correlation = [], []
    for run in runs:
        z = run.scored.logits[0].double().numpy()  # (N, M)
        alike.append(((z[first] > 0) == (z[second] > 0)).mean())
        correlation.append([np.corrcoef(z[first, j], z[second, j])[0, 1] for j in range(40)])
    return np.mean(alike), np.mean(correlation)


def test_agreements_are_those_of_all_pairs_and_are_written(folder, tmp_path):
    place, faces, found = folder
    path = collecting.write(tmp_path / "franet_synth.json", found)
    told = json.loads(path.read_text())
    assert told == found, "plain numbers, no NaN"
    assert "logits" not in path.read_text()
    for where in franet.WHERE:
        who, by_hand = faces[where].faces.identity.numpy(), {}
        for name in PAIRS[0].split(" - "):
            paths = [place / where / f"seed{s}" / f"{name}.json" for s in (0, 1)]
            by_hand[name] = alike_and_correlated([Report.load(p) for p in paths], who)
            said = told["agreement"][where]["networks"][name]
            assert said["alike"]["value"] == pytest.approx(by_hand[name][0], abs=1e-5)
            assert said["scores"]["value"] == pytest.approx(by_hand[name][1], abs=1e-4)
        said = told["agreement"][where]["differences"][PAIRS[0]]
        for kind, one, other in zip(("alike", "scores"), by_hand["lambda-1"], by_hand["lambda-0"],
                                    strict=True):  # fmt: skip
            assert said[kind]["value"] == pytest.approx(one - other, abs=2e-4)


def test_recognition_is_the_share_of_faces(folder):
    place, _, found = folder
    hits = [
        json.loads((place / "pictures" / f"seed{s}" / "lambda-1.recognised.json").read_text())
        for s in (0, 1)
    ]
    share = np.mean([np.array(h["recognised"]) == 1 for h in hits])
    assert found["identity"]["lambda-1"]["value"] == pytest.approx(share)


def test_rank_correlation_is_spearmans(folder):
    place, _, _ = folder
    one, other = (
        {s: Report.load(place / "people" / f"seed{s}" / f"{name}.json") for s in (0, 1)}
        for name in ("idnet", "lambda-0")
    )
    sticky = np.random.default_rng(0).random(40)
    found = belonging.gain_follows(one, other, sticky)
    gains = [
        np.mean([one[s].attributes[n]["accuracy"] - other[s].attributes[n]["accuracy"]
                 for s in (0, 1)])
        for n in one[0].attributes
    ]  # fmt: skip
    assert found["value"] == pytest.approx(spearmanr(np.round(gains, 9), sticky).statistic)
    assert 0 < found["p"] <= 1
    assert len(found["runs"]) == 2
    same = belonging.gain_follows(one, one, sticky)  # nothing gained: no order
    assert np.isnan(same["value"])
    assert same["p"] == 1


def test_strengths_are_one_row_each(folder):
    _, _, found = folder
    table = belonging.strength_table({0: found, 1: found})
    assert [row["strength"] for row in table["strengths"]] == [0, 1]
    gain = found["people"]["differences"][PAIRS[0]]["mean"]
    row = table["strengths"][0]
    assert set(row) == {"strength", "identity", *franet.WHERE}
    for where in franet.WHERE:
        assert set(row[where]) == {
            "accuracy", "balanced_accuracy", "average_precision", "accuracy_of", "labels",
            "agreement",
        }  # fmt: skip
        assert set(row[where]["agreement"]) == {"scores", "answers", "alike"}
        assert set(row[where]["accuracy_of"]) == set(NAMES)
    assert row["people"]["accuracy"] == {
        "value": gain["accuracy"], "low": gain["accuracy_low"], "high": gain["accuracy_high"]
    }  # fmt: skip
    assert row["identity"] == found["identity"]["lambda-1"]
    assert table["record"] == found["people"]["record"]


def test_figure_1_tells_one_person_from_many():
    rng = np.random.default_rng(0)
    taste = rng.random((60, 1, 40)) < 0.3
    labels = (taste ^ (rng.random((60, 6, 40)) < 0.05)).reshape(-1, 40).astype(float)
    identity = np.repeat(np.arange(60), 6)
    found = figure1.figure(labels, identity, pictures=6)
    assert found["people"] == 60
    assert min(found["within_means"]) > max(found["among_means"])
    assert np.array(found["within"]).shape == np.array(found["among"]).shape == (6, 6)
