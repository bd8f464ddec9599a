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
    assert table["strengths"][0]["people"]["accuracy"]["low"] == gain["accuracy_low"]


def test_figure_1_tells_one_person_from_many():
    rng = np.random.default_rng(0)
    taste = rng.random((60, 1, 40)) < 0.3
    labels = (taste ^ (rng.random((60, 6, 40)) < 0.05)).reshape(-1, 40).astype(float)
    identity = np.repeat(np.arange(60), 6)
    found = figure1.figure(labels, identity, pictures=6)
    assert found["people"] == 60
    assert min(found["within_means"]) > max(found["among_means"])
    assert np.array(found["within"]).shape == np.array(found["among"]).shape == (6, 6)
