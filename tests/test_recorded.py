"""Recorded runs: what is there is read, what is missing is named, intervals are those that fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError
from faceattr.evaluation import combine, evaluate
from faceattr.models import Majority
from faceattr.recorded import Recorded
from faceattr.report import Report
from faceattr.scored import Scored

NAMES = ("Bald", "Smiling", "Young")
METHODS = {
    "majority label": ["celeba_majority"],
    "SNet3": [f"celeba_snet3_seed{seed}" for seed in range(3)],
    "ResNet-18": ["celeba_resnet18_seed0"],
}


def report(seed: int, faces: int = 120) -> Report:
    generator = torch.Generator().manual_seed(7)  # the same faces each time
    labels = (torch.rand(faces, 3, generator=generator) < 0.4).to(torch.int8)
    groups = torch.arange(faces) // 6
    noise = torch.randn(faces, 3, generator=torch.Generator().manual_seed(seed))
    training = {
        "command": f"faceattr train snet3 --seed {seed}",
        "commit": "abc",
        "seed": seed,
        "seconds": 90.0 * (seed + 1),
        "host": "2 cores",
        "data": "some faces",
        "parameters": 266_920,
        "settings": {"epochs": "30", "precision": "32-true"},
    }
    return Report.of(
        Scored(NAMES, (labels - 0.5 + noise)[None], labels, groups),
        bootstrap=60,
        record={"training": training, "command": "faceattr evaluate", "data": "test"},
    )


@pytest.fixture
def folder(tmp_path):
    for seed in (0, 2):
        report(seed).save(tmp_path / f"celeba_snet3_seed{seed}.json")
    images = torch.zeros(120, 3, 2, 2, dtype=torch.uint8)
    labels = report(0).scored.labels.float()
    data = FaceDataset(
        Faces(images, attributes=labels, identity=torch.arange(120) // 6), names=NAMES
    )
    majority = Majority(3, prevalence=labels.mean(0))
    evaluate(majority, data, bootstrap=60).save(tmp_path / "celeba_majority.json")
    return tmp_path


def test_what_is_there_is_read_and_what_is_missing_named(folder):
    found = Recorded.read(folder, METHODS)
    assert list(found.runs) == ["majority label", "SNet3"]
    assert list(found.runs["SNet3"]) == ["celeba_snet3_seed0", "celeba_snet3_seed2"]
    assert found.missing == ["celeba_snet3_seed1", "celeba_resnet18_seed0"]


def test_nothing_there_is_no_error(tmp_path):
    found = Recorded.read(tmp_path / "nowhere", METHODS)
    assert found.runs == {}
    assert found.together() == {}
    assert found.origins().empty
    assert len(found.missing) == 5


def test_several_runs_become_one_report(folder):
    together = Recorded.read(folder, METHODS).together()
    expected = combine([Report.load(folder / f"celeba_snet3_seed{s}.json") for s in (0, 2)])
    assert together["SNet3"].to_dict()["mean"] == expected.to_dict()["mean"]
    assert together["SNet3"].record["runs"] == 2
    assert together["majority label"].record["runs"] == 1
    ahead = together["SNet3"].compare(together["majority label"], bootstrap=30)
    assert np.isfinite(ahead.mean["accuracy"])


@pytest.mark.parametrize("how", ["without predictions", "other faces"])
def test_runs_that_cannot_be_paired_get_the_interval_over_runs(folder, how):
    if how == "without predictions":
        report(1).save(folder / "celeba_snet3_seed1.json", predictions=False)
    else:
        report(1, faces=60).save(folder / "celeba_snet3_seed1.json")
    together = Recorded.read(folder, METHODS).together()
    assert "Student t" in together["SNet3"].record["interval"]


def test_origins_come_from_the_record(folder):
    rows = Recorded.read(folder, METHODS).origins()
    row = rows.loc["celeba_snet3_seed2"]
    assert row["command"] == "faceattr train snet3 --seed 2"
    assert row["evaluation"] == "faceattr evaluate"
    assert (row["seed"], row["minutes"], row["epochs"]) == (2, 4.5, "30")
    assert (row["test faces"], row["test people"]) == (120, 20)
    majority = rows.loc["celeba_majority"]  # evaluated without a record of training
    assert majority["commit"] == Report.load(folder / "celeba_majority.json").record["commit"]
    assert majority["epochs"] is None


def test_a_torn_file_is_an_error_that_names_it(folder):
    (folder / "celeba_snet3_seed1.json").write_text('{"format": "faceattr rep')
    with pytest.raises(DataError, match="celeba_snet3_seed1.json is torn"):
        Recorded.read(folder, METHODS)
