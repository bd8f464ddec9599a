"""Collecting the runs of an experiment: means over seeds, paired differences, clear refusals."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from conftest import ROOT

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError
from faceattr.evaluation import combine
from faceattr.report import Report
from faceattr.scored import Scored

spec = importlib.util.spec_from_file_location(
    "collecting", ROOT / "book" / "experiments" / "collecting.py"
)
collecting = importlib.util.module_from_spec(spec)
spec.loader.exec_module(collecting)

PEOPLE, FACES, M = 12, 60, 3


def report(seed: int, skill: float, labels_seed: int = 0) -> Report:
    """What a network of some skill says about sixty faces of twelve people."""
    labels = torch.rand(FACES, M, generator=torch.Generator().manual_seed(labels_seed)) < 0.4
    noise = torch.randn(FACES, M, generator=torch.Generator().manual_seed(100 + seed))
    logits = (2 * labels.float() - 1) * skill + noise
    scored = Scored(
        ("Bald", "Bangs", "Young"), logits[None], labels.to(torch.int8),
        torch.arange(FACES) % PEOPLE,
    )  # fmt: skip
    record = {"training_seconds": 10 + seed, "parameters": 7, "data": "drawn", "seed": seed}
    return Report.of(scored, bootstrap=50, record=record)


@pytest.fixture
def folder(tmp_path):
    for seed in (0, 1, 2):
        for name, skill in (("good", 1.5), ("poor", 0.2)):
            report(seed, skill).save(tmp_path / f"seed{seed}" / f"{name}.json")
    return tmp_path


def test_the_numbers_are_those_of_combine_and_compare(folder):
    found = collecting.collect(folder, ["good", "poor"], ["good - poor"], bootstrap=40)
    runs = {n: [Report.load(folder / f"seed{s}" / f"{n}.json") for s in range(3)]
            for n in ("good", "poor")}  # fmt: skip
    whole = {name: combine(reports) for name, reports in runs.items()}
    row, mean = found["networks"]["good"]["mean"], whole["good"].mean["f1"]
    assert [row["f1"], row["f1_low"], row["f1_high"]] == pytest.approx(
        [mean, mean.low, mean.high], abs=1e-6
    )
    one = found["networks"]["poor"]["attributes"]["Bangs"]["accuracy"]
    assert one == pytest.approx(
        np.mean([r.attributes["Bangs"]["accuracy"] for r in runs["poor"]]), abs=1e-6
    )
    versus = whole["good"].compare(whole["poor"], bootstrap=40)
    difference = found["differences"]["good - poor"]
    assert difference["mean"]["accuracy"] == pytest.approx(versus.mean["accuracy"], abs=1e-6)
    assert difference["mean"]["accuracy_low"] > 0, "the better network is better"
    assert difference["mean"]["accuracy_better"] == 1
    assert set(difference["attributes"]) == {"Bald", "Bangs", "Young"}


def test_what_it_says_of_the_runs(folder):
    found = collecting.collect(folder, ["good", "poor"], [], note="by hand")
    assert found["record"]["seeds"] == [0, 1, 2]
    assert found["record"]["note"] == "by hand"
    assert found["record"]["people"] == PEOPLE
    assert found["record"]["seconds"] == 2 * (10 + 11 + 12)
    runs = found["networks"]["good"]["runs"]
    assert [(run["seed"], run["seconds"]) for run in runs] == [(0, 10), (1, 11), (2, 12)]
    assert set(runs[0]["mean"]) == {"accuracy", "balanced_accuracy", "f1", "average_precision"}
    assert found["networks"]["good"]["parameters"] == 7


def test_nothing_of_a_single_face_is_written(folder, tmp_path):
    found = collecting.collect(folder, ["good", "poor"], ["good - poor"])
    path = collecting.write(tmp_path / "results.json", found)
    text = path.read_text()
    assert json.loads(text) == found, "plain numbers, no NaN"
    assert "logits" not in text
    assert "predictions" not in text


def test_one_seed_is_its_own_mean(folder):
    for seed in (1, 2):
        for path in (folder / f"seed{seed}").iterdir():
            path.unlink()
        (folder / f"seed{seed}").rmdir()
    found = collecting.collect(folder, ["good"], [])
    alone = Report.load(folder / "seed0" / "good.json").mean["accuracy"]
    assert found["networks"]["good"]["mean"]["accuracy"] == pytest.approx(alone, abs=1e-6)


def test_what_is_missing_is_named(folder, tmp_path):
    (folder / "seed1" / "poor.json").unlink()
    with pytest.raises(DataError, match=r"lacks seed1/poor\.json: run these seeds to their end"):
        collecting.collect(folder, ["good", "poor"], [])
    with pytest.raises(DataError, match="no run under"):
        collecting.collect(tmp_path / "nowhere", ["good"], [])
    with pytest.raises(DataError, match="difference 'good - best': write two of good"):
        collecting.collect(folder, ["good"], ["good - best"])
    report(1, 1.0, labels_seed=5).save(folder / "seed1" / "poor.json")
    with pytest.raises(DataError, match="different faces"):
        collecting.collect(folder, ["good", "poor"], ["good - poor"])


def test_numbers_are_rounded_and_nan_is_none():
    found = collecting.rounded({"a": [1 / 3, float("nan")], "b": (2, "x", None, True)})
    assert found == {"a": [0.333333, None], "b": [2, "x", None, True]}


# --- the runs of Table 3's networks ---------------------------------------------------------------


@pytest.fixture
def students(monkeypatch):
    """The experiment, as a module, with one pass a stage."""
    monkeypatch.syspath_prepend(ROOT / "book" / "experiments")
    import students as module

    monkeypatch.setattr(module, "PASSES", 2)
    monkeypatch.setattr(module, "HINT_PASSES", 1)
    monkeypatch.setattr(module, "STUDENTS", ("snet3",))
    monkeypatch.setattr(module, "NETWORKS", ("snet3-plain", "tnet", "snet3-soft", "snet3"))
    monkeypatch.setattr(module, "DIFFERENCES", ("snet3 - tnet",))
    return module


def tiny(seed: int) -> FaceDataset:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (24, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = (torch.rand(24, 3, generator=generator) < 0.5).float()
    return FaceDataset(
        Faces(images=images, attributes=labels, identity=torch.arange(24) // 2),
        names=("Bald", "Bangs", "Young"),
        source=f"noise {seed}",
    )


def test_an_experiment_runs_goes_on_and_is_collected(students, tmp_path, capsys):
    data, test = tiny(0), tiny(1)
    place = tmp_path / "seed0"
    students.run(data, test, 0, place, precision="32-true")
    first = capsys.readouterr().out
    assert [line.split()[1] for line in first.splitlines()] == [
        f"{name}:" for name in students.NETWORKS
    ]
    kept = {name: (place / f"{name}.json").read_bytes() for name in students.NETWORKS}
    (place / "snet3.json").unlink()
    students.run(data, test, 0, place, precision="32-true")
    again = Report.load(place / "snet3.json")
    assert capsys.readouterr().out.count("\n") == 1, "only what was missing is reported again"
    assert kept["tnet"] == (place / "tnet.json").read_bytes()
    students.run(data, test, 1, tmp_path / "seed1", precision="32-true")
    found = students.collect(tmp_path)
    losses = {name: row["runs"][0]["losses"] for name, row in found["networks"].items()}
    assert {name: {k: len(v) for k, v in row.items()} for name, row in losses.items()} == {
        "snet3": {"hint": 1, "attributes": 1},
        "snet3-plain": {"attributes": 2},
        "snet3-soft": {"soft": 1, "attributes": 1},
        "tnet": {"attributes": 2},
    }
    assert found["networks"]["snet3"]["runs"][0]["mean"]["accuracy"] == pytest.approx(
        again.mean["accuracy"], abs=1e-6
    )
    assert found["record"]["training"]["passes"] == 2
