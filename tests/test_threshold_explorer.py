"""The threshold explorer counts as scikit-learn does, in both forms, and sorts the right faces."""

from __future__ import annotations

import base64
import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score, confusion_matrix

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.evaluation import Report
from faceattr.explore import threshold_explorer
from faceattr.explore.threshold_chart import BOXES, COLUMNS, ROWS, STEPS
from faceattr.explore.threshold_explorer import various
from faceattr.scored import Scored

NAMES = ("Bald", "Smiling", "Wearing_Hat")
N = 90


@pytest.fixture(scope="module")
def data() -> FaceDataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N, 3, 32, 32), generator=generator, dtype=torch.uint8)
    share = torch.tensor([0.05, 0.5, 0.3])
    attributes = (torch.rand(N, 3, generator=generator) < share).float()
    attributes[:4, 2] = -1  # nobody knows
    return FaceDataset(Faces(images, attributes=attributes), names=NAMES)


@pytest.fixture(scope="module")
def report(data) -> Report:
    generator = torch.Generator().manual_seed(1)
    logits = (data.attributes - 0.5) * 2 + torch.randn(N, 3, generator=generator)
    logits[0, 1] = 1e-4  # just above a half: a yes
    return Report.of(Scored(NAMES, logits[None], data.attributes.to(torch.int8)), bootstrap=0)


@pytest.fixture(scope="module")
def spec(report, data) -> dict:
    chart = threshold_explorer(report, data, rows=range(40), start="Smiling", form="static")
    return chart.to_dict()  # altair validates it against Vega-Lite's schema


def tables(spec: dict, field: str) -> list[dict]:
    """The rows of the data set that has a field."""
    return next(rows for rows in spec["datasets"].values() if field in rows[0])


def test_static_form_is_light_opaque_and_described(spec):
    text = json.dumps(spec)
    assert len(text) < 120_000
    assert "http" not in text.replace(spec["$schema"], "")
    assert spec["config"]["background"].startswith("#")
    assert spec["description"]
    menus = {param["name"]: param for param in spec["params"]}
    assert menus["attribute"]["value"] == 1
    assert menus["attribute"]["bind"]["labels"] == ["Bald", "Smiling", "Wearing Hat"]
    slider = menus["threshold"]["bind"]
    assert tuple(range(slider["min"], slider["max"] + 1, slider["step"])) == STEPS
    assert menus["threshold"]["value"] in STEPS
    assert all(row["url"].startswith("data:image/") for row in tables(spec, "url"))


@pytest.mark.parametrize("percent", STEPS)
def test_counts_are_scikit_learns_at_every_threshold(spec, report, percent):
    row = next(row for row in tables(spec, "t") if row["t"] == percent)
    said, truth = report.scored.probabilities[0].double(), report.scored.labels
    for j in range(3):
        known = truth[:, j] >= 0
        matrix = confusion_matrix(truth[known, j], said[known, j] > percent / 100, labels=[0, 1])
        expected = [int(matrix[label, answer]) for label, answer, _ in BOXES]
        assert [row[letter][j] for letter in "abcd"] == expected


def test_at_a_half_it_is_the_reports_accuracy(spec, report):
    row = next(row for row in tables(spec, "t") if row["t"] == 50)
    for j, name in enumerate(NAMES):
        found, missed, alarms, passed = (row[letter][j] for letter in "abcd")
        accuracy = (found + passed) / (found + missed + alarms + passed)
        assert accuracy == pytest.approx(report.attributes[name]["accuracy"])


def test_the_curve_is_the_precision_recall_curve(spec, report):
    """Its area, from 49 thresholds, is about scikit-learn's average precision."""
    table, area, last = tables(spec, "t"), 0.0, 0.0
    for row in reversed(table):  # from the strictest
        found, missed, alarms = (row[letter][1] for letter in "abc")
        if found + alarms:
            recall = found / (found + missed)
            area, last = area + (recall - last) * found / (found + alarms), recall
    area += (1 - last) * float((report.scored.labels[:, 1] == 1).float().mean())
    expected = average_precision_score(report.scored.labels[:, 1], report.scored.logits[0, :, 1])
    assert area == pytest.approx(expected, abs=0.05)


def test_faces_of_the_static_form_carry_their_own_scores(spec, report, data):
    pool = tables(spec, "url")
    assert len(pool) == 40
    for row, face in zip(range(40), pool, strict=True):
        assert face["y"] == data.attributes[row].int().tolist()
        said = report.scored.probabilities[0, row].double().numpy()
        assert np.all((np.array(face["p"]) >= 1000 * said) & (face["p"] < 1000 * said + 1))
    shown = Image.open(io.BytesIO(base64.b64decode(pool[0]["url"].split(",", 1)[1])))
    small = torch.nn.functional.interpolate(data.gather([0]).images, size=shown.size)
    assert abs(np.asarray(shown).mean() / 255 - float(small.mean())) < 0.1


def test_live_form_counts_and_sorts(report, data):
    view = threshold_explorer(report, data, start="Smiling", form="live")
    said, truth = report.scored.probabilities[0, :, 1], data.attributes[:, 1]
    for percent in (50, 20):
        view.threshold.value = percent
        yes = said > percent / 100
        counts = [int(((truth == y) & (yes == bool(a))).sum()) for y, a, _ in BOXES]
        assert [int(label.value.rsplit(" ", 1)[1]) for label in view.titles] == counts
        assert f"recall {counts[0] / (counts[0] + counts[1]):.0%}" in view.note.value
    before = [box.value for box in view.boxes]
    view.attribute.value = "Bald"
    assert [box.value for box in view.boxes] != before
    assert view.note.value.startswith("Bald")
    view.threshold.value = 99
    assert "precision undefined" in view.note.value
    sheet = Image.open(io.BytesIO(view.boxes[3].value))
    assert sheet.size[0] / COLUMNS == sheet.size[1] / ROWS


def test_every_attribute_is_worn_by_some_of_the_chosen_faces():
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 40)) < np.linspace(0.01, 0.8, 40)).astype(int)
    labels[:, 39] = 0  # nobody wears it
    rows = various(labels, each=2, most=60)
    assert len(rows) == len(set(rows)) == 60
    assert (labels[rows].sum(0) >= np.minimum(labels.sum(0), 2)).all()
    assert various(labels[:5], most=60) != []
    assert sorted(various(labels[:5], most=60)) == [0, 1, 2, 3, 4]


def test_several_runs_are_averaged(report, data):
    twice = Scored(
        NAMES, torch.cat([report.scored.logits, -report.scored.logits]), report.scored.labels
    )
    view = threshold_explorer(Report.of(twice, bootstrap=0), data, form="live")
    view.threshold.value = 51
    assert all(math.isclose(p, 0.5, abs_tol=1e-6) for p in twice.probabilities.mean(0)[0].tolist())
    assert view.titles[0].value.endswith(": 0")


def test_bad_input(report, data, tmp_path):
    with pytest.raises(UnknownNameError, match="no attribute 'Male' here: choose one of Bald"):
        threshold_explorer(report, data, start="Male")
    with pytest.raises(DataError, match="5 faces for a report on 90"):
        threshold_explorer(report, data.subset(range(5)))
    with pytest.raises(DataError, match="rows .* of 90 faces"):
        threshold_explorer(report, data, rows=[90])
    with pytest.raises(DataError, match="rows .* of 90 faces"):
        threshold_explorer(report, data, rows=[])
    with pytest.raises(UnknownNameError, match="unknown form 'both'"):
        threshold_explorer(report, data, form="both")
    bare = Report.load(report.save(tmp_path / "r.json", predictions=False))
    with pytest.raises(DataError, match="without predictions.*predictions=True"):
        threshold_explorer(bare, data)
