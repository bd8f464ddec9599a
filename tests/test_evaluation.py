"""Metrics against scikit-learn and torchmetrics, intervals against scipy, reports against abuse."""

import json
import math
import os
import sys

import numpy as np
import pytest
import scipy.stats
import sklearn.calibration
import sklearn.metrics as theirs
import torch
import torchmetrics.functional.classification as tm
from torch import nn

from faceattr.bootstrap import Estimate, from_row, interval, to_row, weights
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.errors import DataError, MissingDependencyError, TrainingError, UnknownNameError
from faceattr.evaluation import combine, evaluate, predict_logits, predict_proba
from faceattr.metrics import METRICS, average_precision, calibration_error, metrics
from faceattr.models import FaceModel, Majority, Outputs, WholeImage
from faceattr.report import Report

NAMES = ("Bald", "Bangs", "Eyeglasses", "Male", "Smiling", "Young")
M = len(NAMES)


def made_up(count=300, columns=M, seed=0, people=None):
    """Logits that know something, labels, and who it is."""
    g = torch.Generator().manual_seed(seed)
    share = torch.linspace(0.05, 0.8, columns)
    labels = (torch.rand(count, columns, generator=g) < share).float()
    logits = 2 * labels - 1 + torch.randn(count, columns, generator=g)
    return logits, labels, torch.arange(count) % (people or count)


class Reader(FaceModel):
    """Reads its logits, plus noise of its own, from the first pixels of the picture."""

    def __init__(self, num_attributes=M, noise=0.0, seed=0):
        super().__init__(num_attributes=num_attributes, noise=noise, seed=seed)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        self.check(images)
        logits = 8 * (images[:, 0, 0, : self.config["num_attributes"]] - 0.5) * self.scale
        g = torch.Generator().manual_seed(self.config["seed"])
        draw = torch.randn(logits.shape, generator=g).to(logits)
        return Outputs(logits + self.config["noise"] * draw)


def data_of(count=200, seed=0, people=40, names=NAMES):
    """A data set whose pictures hold the logits that Reader reads."""
    logits, labels, identity = made_up(count, len(names), seed, people)
    images = torch.zeros(count, 3, 2, 40)
    images[:, 0, 0, : len(names)] = logits / 8 + 0.5
    faces = Faces(images=images, attributes=labels, identity=100 + identity)
    return FaceDataset(faces, names=names, source="made up")


# Metrics


@pytest.mark.parametrize("ties", [False, True])
def test_metrics_equal_scikit_learn(ties):
    logits, labels, _ = made_up()
    logits = (logits * 2).round() / 2 if ties else logits
    found = metrics(logits, labels)
    for j in range(M):
        y, said = labels[:, j].numpy(), (logits[:, j] > 0).numpy()
        expected = {
            "accuracy": theirs.accuracy_score(y, said),
            "balanced_accuracy": theirs.balanced_accuracy_score(y, said),
            "f1": theirs.f1_score(y, said),
            "average_precision": theirs.average_precision_score(y, logits[:, j].numpy()),
            "prevalence": y.mean(),
            "majority_accuracy": max(y.mean(), 1 - y.mean()),
        }
        for name in METRICS:
            assert found[name][j].item() == pytest.approx(expected[name], abs=1e-6), name


def test_metrics_equal_torchmetrics():
    logits, labels, _ = made_up()
    found, y = metrics(logits, labels), labels.long()
    sizes = {"num_labels": M, "average": "none"}
    for name, expected in {
        "accuracy": tm.multilabel_accuracy(logits, y, **sizes),
        "f1": tm.multilabel_f1_score(logits, y, **sizes),
        "average_precision": tm.multilabel_average_precision(logits, y, **sizes),
    }.items():
        torch.testing.assert_close(found[name].float(), expected, atol=1e-5, rtol=0)


def test_weights_mean_the_same_as_repeating_faces():
    logits, labels, _ = made_up()
    logits = logits.round()
    (w,) = weights(len(logits), 3, seed=5)
    together = metrics(logits, labels, w)
    for r in range(3):
        rows = torch.repeat_interleave(torch.arange(len(logits)), w[:, r].long())
        alone = metrics(logits[rows], labels[rows])
        for name in ("accuracy", "balanced_accuracy", "f1", "average_precision", "prevalence"):
            torch.testing.assert_close(together[name][r], alone[name], atol=1e-6, rtol=0)


def test_unknown_labels_are_left_out():
    logits, labels, _ = made_up()
    known = torch.rand(labels.shape, generator=torch.Generator().manual_seed(3)) > 0.3
    found = metrics(logits, torch.where(known, labels, UNKNOWN))
    for j in range(M):
        rows = known[:, j]
        alone = metrics(logits[rows, j : j + 1], labels[rows, j : j + 1])
        for name in METRICS:
            assert found[name][j].item() == pytest.approx(alone[name].item()), name


def test_what_is_undefined_is_nan():
    logits, labels, _ = made_up()
    labels[:, 0], labels[:, 1], labels[:, 2] = 0, 1, UNKNOWN
    found = metrics(logits, labels)
    undefined = {name: value.isnan().nonzero()[:, 0].tolist() for name, value in found.items()}
    assert undefined == {
        "accuracy": [2],
        "balanced_accuracy": [0, 1, 2],
        "f1": [0, 2],
        "average_precision": [0, 2],
        "prevalence": [2],
        "majority_accuracy": [2],
    }


def test_average_precision_when_all_scores_are_equal_is_the_prevalence():
    labels = torch.tensor([[1.0], [0], [0], [1], [0]])
    found = average_precision(torch.zeros(5, 1), labels, torch.ones(5, 1))
    assert found.item() == pytest.approx(0.4)


def test_calibration_equals_torchmetrics_and_scikit_learn():
    logits, labels, _ = made_up(500)
    p = (3 * logits).sigmoid()
    columns = zip(p.T.contiguous(), labels.T.long(), strict=True)
    expected = [tm.binary_calibration_error(said, truth) for said, truth in columns]
    torch.testing.assert_close(calibration_error(p, labels).float(), torch.stack(expected))
    report = evaluate(Reader(), data_of(), device="cpu", bootstrap=0)
    table = report.reliability("Smiling", bins=5).dropna()
    said = report.scored.probabilities[0, :, 4].numpy()
    share, mean = sklearn.calibration.calibration_curve(report.scored.labels[:, 4], said, n_bins=5)
    np.testing.assert_allclose(table["positives"], share)
    np.testing.assert_allclose(table["probability"], mean, rtol=1e-6)
    assert report.reliability(bins=7)["faces"].sum() == 200 * M


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (torch.zeros(3, 2), torch.zeros(3, 4), r"\(3, 2\).*\(3, 4\)"),
        (torch.tensor([[0.0], [math.nan]]), torch.zeros(2, 1), "face 1, attribute 0 is nan"),
        (torch.zeros(2, 1), torch.tensor([[2.0], [0]]), "a label is 2"),
    ],
)
def test_metrics_of_nonsense(logits, labels, words):
    with pytest.raises(DataError, match=words):
        metrics(logits, labels)


# Intervals


def test_weights_hold_every_resample_whole():
    blocks = list(weights(30, 50, groups=torch.arange(30) // 3, seed=1))
    w = torch.cat(blocks, dim=1)
    assert w.shape == (30, 50)
    assert (w.reshape(10, 3, 50) == w.reshape(10, 3, 50)[:, :1]).all()  # people stay together
    assert (w.reshape(10, 3, 50)[:, 0].sum(0) == 10).all()
    assert (torch.cat(list(weights(30, 50, seed=1)), 1).sum(0) == 30).all()
    assert not torch.equal(w, torch.cat(list(weights(30, 50, groups=torch.arange(30) // 3)), 1))


def test_weights_are_made_in_blocks_that_fit_memory(monkeypatch):
    monkeypatch.setattr("faceattr.bootstrap._BLOCK", 64)
    blocks = list(weights(30, 5, seed=1))
    assert [block.shape[1] for block in blocks] == [2, 2, 1]
    assert all((block.sum(0) == 30).all() for block in blocks)


@pytest.mark.parametrize("kind", ["percentile", "basic"])
def test_interval_equals_scipy(kind):
    right = np.random.default_rng(0).random(120) < 0.8
    (w,) = weights(120, 20_000, seed=2)
    samples = (w.T.double().numpy() @ right) / 120
    low, high = interval(samples, np.array(right.mean()) if kind == "basic" else None)
    expected = scipy.stats.bootstrap(
        (right,), np.mean, n_resamples=20_000, method=kind, rng=np.random.default_rng(3)
    ).confidence_interval
    assert low == pytest.approx(expected.low, abs=0.009)  # one face is 1/120
    assert high == pytest.approx(expected.high, abs=0.009)


def test_intervals_over_people_hold_the_truth_and_over_images_do_not():
    generator = np.random.default_rng(0)
    held = {"identity": 0, "image": 0}
    person = torch.arange(300) // 20
    for trial in range(100):
        easy = generator.random(15) < 0.5  # half of the people are easy
        right = np.repeat(np.where(easy, 0.95, 0.65), 20) > generator.random(300)
        for kind, groups in (("identity", person), ("image", None)):
            (w,) = weights(300, 200, groups=groups, seed=trial)
            low, high = interval((w.T.double().numpy() @ right) / 300)
            held[kind] += low <= 0.8 <= high
    assert held["identity"] > 0.85 * 100
    assert held["image"] < 0.78 * 100


def test_interval_of_what_was_never_defined_is_nan():
    low, high = interval(np.array([[np.nan, 0.1], [np.nan, 0.2]]))
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert low[1] == pytest.approx(0.1025)
    assert np.isnan(interval(np.empty((0, 2)))[0]).all()


def test_estimate_is_a_number():
    e = Estimate(0.902, 0.898, 0.906)
    assert f"{e:.1%}" == "90.2%"
    assert e > 0.9
    assert e.percent() == "90.2 [89.8, 90.6]"
    assert Estimate(math.nan).percent() == "–"
    assert to_row({"a": e}, b=1) == {"a": 0.902, "a_low": 0.898, "a_high": 0.906, "b": 1}
    again = from_row(to_row({"a": e}), ["a", "c"])["a"]
    assert (again, again.low, again.high) == (e, e.low, e.high)


# Prediction


def test_logits_come_in_order_whatever_the_batch_and_the_model_is_left_as_it_was():
    data, model = data_of(50), Reader().train()
    logits = predict_logits(model, data, batch_size=7, device="cpu")
    torch.testing.assert_close(logits, made_up(50, people=40)[0])
    assert model.training
    torch.testing.assert_close(predict_logits(model, data.faces, device="cpu"), logits)
    torch.testing.assert_close(predict_proba(model, data, device="cpu"), logits.sigmoid())
    (logits * model.scale).sum().backward()  # usable in training
    assert model.scale.grad is not None


def test_flip_is_the_mean_of_both_sides():
    torch.manual_seed(0)
    model = WholeImage("snet3", num_attributes=M, maps_per_attribute=4).eval()
    faces = Faces(images=torch.rand(5, 3, 32, 32))
    mirrored = Faces(images=faces.images.flip(-1))
    both = [predict_logits(model, f, device="cpu") for f in (faces, mirrored)]
    flipped = predict_logits(model, faces, device="cpu", flip=True)
    torch.testing.assert_close(flipped, (both[0] + both[1]) / 2)
    assert not torch.allclose(both[0], both[1])


def test_data_that_cannot_be_evaluated():
    data = data_of(20)
    with pytest.raises(DataError, match=f"num_attributes={M}"):
        evaluate(Reader(3), data, device="cpu")
    with pytest.raises(DataError, match="no faces to report on"):
        evaluate(Reader(), data.subset([]), device="cpu")
    diverged = Reader()
    diverged.scale.data.fill_(math.nan)
    with pytest.raises(DataError, match="has diverged"):
        evaluate(diverged, data, device="cpu")
    with pytest.raises(UnknownNameError, match="Moustache"):
        evaluate(Reader(), data, device="cpu", groups={"Hair": ["Moustache"]})
    data.faces.attributes = None
    with pytest.raises(DataError, match="made up has no attribute labels"):
        evaluate(Reader(), data, device="cpu")


# Reports


@pytest.fixture(scope="module")
def report():
    groups = {"Hair": ["Bald", "Bangs"], "Face": ["Male", "Young"]}
    return evaluate(Reader(), data_of(), device="cpu", bootstrap=200, groups=groups)


def test_report_holds_every_number_with_its_interval(report):
    logits, labels, _ = made_up(200, people=40)
    point = metrics(logits, labels)
    for name in METRICS:
        for j, attribute in enumerate(NAMES):
            estimate = report.attributes[attribute][name]
            assert estimate == pytest.approx(point[name][j].item(), abs=1e-6)
            assert estimate.low <= estimate <= estimate.high
        mean = report.mean[name]
        assert mean == pytest.approx(point[name].mean().item(), abs=1e-6)
        assert mean.low < mean < mean.high
        assert report.groups["Hair"][name] == pytest.approx(point[name][:2].mean().item(), abs=1e-6)
    assert report.support["Male"] == (200, int(labels[:, 3].sum()))
    assert report.record["resampled"] == "identity"
    assert report.record["people"] == 40
    assert report.record["data"] == "made up"
    assert report.record["model"] == "Reader"
    named = {"data": "something else", "checkpoint": "/home/someone/best.safetensors"}
    record = evaluate(Reader(), data_of(20), device="cpu", bootstrap=0, record=named).record
    assert (record["data"], record["checkpoint"]) == ("something else", "best.safetensors")


def test_frame_has_a_row_an_attribute_and_the_mean_last(report):
    table = report.frame()
    assert list(table.index) == [*NAMES, "mean"]
    assert table.loc["mean", "accuracy"] == float(report.mean["accuracy"])
    assert table.loc["Bald", "f1_low"] == report.attributes["Bald"]["f1"].low
    assert table["positives"].iloc[:-1].sum() == data_of().attributes.sum()
    assert not [c for c in report.frame(intervals=False) if c.endswith(("_low", "_high"))]
    html = report._repr_html_()
    assert "Eyeglasses" in html
    assert report.mean["accuracy"].percent() in html
    assert "200 faces, 6 attributes" in repr(report)


def test_people_are_drawn_only_where_they_are_known_and_many():
    few = data_of(60, people=5)
    assert evaluate(Reader(), few, device="cpu", bootstrap=5).record["resampled"] == "image"
    wanted = evaluate(Reader(), few, device="cpu", bootstrap=5, by="identity")
    assert wanted.record["resampled"] == "identity"
    few.faces.identity[3] = -1
    unknown = evaluate(Reader(), few, device="cpu", bootstrap=5)
    assert (unknown.record["resampled"], unknown.record["people"]) == ("image", None)
    with pytest.raises(DataError, match="by='image'"):
        evaluate(Reader(), few, device="cpu", by="identity")
    with pytest.raises(DataError, match="by='person'"):
        evaluate(Reader(), few, device="cpu", by="person")


def test_report_without_a_positive_face_counts_what_it_leaves_out():
    data = data_of(60)
    data.faces.attributes[:, 0] = 0
    report = evaluate(Reader(), data, device="cpu", bootstrap=20)
    assert math.isnan(report.attributes["Bald"]["average_precision"])
    assert report.mean["average_precision"].count == M - 1
    assert report.mean["accuracy"].count == M
    whole = json.loads(json.dumps(report.to_dict(), allow_nan=False))  # NaN is no JSON
    assert whole["attributes"]["Bald"]["average_precision"] is None
    assert whole["mean"]["average_precision_count"] == M - 1
    assert whole["mean"]["accuracy_low"] < whole["mean"]["accuracy"] < 1
    assert set(whole) == {"mean", "attributes", "record"}


def test_without_resamples_there_is_no_interval():
    report = evaluate(Reader(), data_of(60), device="cpu", bootstrap=0)
    assert math.isnan(report.mean["accuracy"].low)
    assert report.mean["accuracy"] > 0.5


def test_majority_scores_the_majority_accuracy_and_nothing_more():
    data = data_of()
    report = evaluate(Majority(M, data.attributes.mean(0)), data, device="cpu", bootstrap=20)
    assert report.mean["accuracy"] == pytest.approx(report.mean["majority_accuracy"])
    assert report.mean["balanced_accuracy"] == pytest.approx(0.5)
    assert report.mean["average_precision"] == pytest.approx(report.mean["prevalence"], abs=1e-6)
    assert report.mean["calibration_error"] == pytest.approx(0, abs=1e-6)


def test_where_looks_at_some_of_the_faces(report):
    men = data_of().attributes[:, NAMES.index("Male")] == 1
    part = report.where(men, "men")
    logits, labels, _ = made_up(200, people=40)
    expected = metrics(logits[men], labels[men])["accuracy"].mean().item()
    assert part.mean["accuracy"] == pytest.approx(expected)
    assert part.record["where"] == "men"
    assert part.attributes["Male"]["prevalence"] == 1
    with pytest.raises(DataError, match="each of the 200 faces"):
        report.where(torch.tensor([1, 2, 3]))


# Files


def test_a_saved_report_is_the_same_and_can_still_be_compared(report, tmp_path):
    again = Report.load(report.save(tmp_path / "report.json"))
    assert json.dumps(again.to_dict()) == json.dumps(report.to_dict())
    assert again.scored.fingerprint == report.scored.fingerprint
    other = evaluate(Reader(noise=1.0), data_of(), device="cpu", bootstrap=10)
    fresh, stored = (r.compare(other, bootstrap=50).mean for r in (report, again))
    assert stored["accuracy"] == fresh["accuracy"]  # signs are kept, so counts are
    assert stored["average_precision"] == pytest.approx(fresh["average_precision"], abs=1e-3)


def test_rounding_keeps_signs(tmp_path):
    data = data_of(20)
    scored = evaluate(Reader(), data, device="cpu", bootstrap=0).scored
    scored.logits[0, 0, :4] = torch.tensor([1e-12, -1e-12, 1e9, -1e9])
    report = Report.of(scored, bootstrap=0)
    again = Report.load(report.save(tmp_path / "r.json")).scored.logits
    assert ((again > 0) == (scored.logits > 0)).all()
    assert again.isfinite().all()


def test_a_file_of_2000_faces_and_40_attributes_is_under_300_kB(tmp_path):
    data = data_of(2000, people=100, names=tuple(f"a{j}" for j in range(40)))
    report = evaluate(Reader(40), data, device="cpu", bootstrap=10)
    assert os.path.getsize(report.save(tmp_path / "r.json")) < 300_000
    bare = report.save(tmp_path / "bare.json", predictions=False)
    assert os.path.getsize(bare) < 60_000
    with pytest.raises(DataError, match="predictions=True"):
        Report.load(bare).compare(report)
    with pytest.raises(DataError, match="predictions=True"):
        Report.load(bare).reliability()


def test_a_saved_report_names_nobody(report, tmp_path):
    codes = Report.load(report.save(tmp_path / "report.json")).scored.groups
    assert codes.max() == 39  # the identities were 100 to 139
    first = [codes.tolist().index(code) for code in range(40)]
    assert first == sorted(first)


def test_files_that_are_no_reports(report, tmp_path):
    with pytest.raises(DataError, match=r"no report at .*gone\.json"):
        Report.load(tmp_path / "gone.json")
    text = report.save(tmp_path / "whole.json").read_text()
    for name, broken in {
        "torn": text[: len(text) // 2],
        "packed": text.replace('"logits": "', '"logits": "AAAA'),
        "short": text.replace('"faces": 200,\n  "logits"', '"faces": 100,\n  "logits"'),
        "other": json.dumps({"a": 1}),
        "list": "[1, 2]",
    }.items():
        assert broken != text
        (tmp_path / name).write_text(broken)
        with pytest.raises(DataError, match="torn or no report"):
            Report.load(tmp_path / name)
    (tmp_path / "newer").write_text(text.replace('"version": 1', '"version": 2'))
    with pytest.raises(DataError, match="newer faceattr"):
        Report.load(tmp_path / "newer")


def test_saving_where_nothing_can_be_written(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot write"):
        report.save(tmp_path / "file" / "report.json")


# Comparisons


def test_the_better_model_is_ahead(report):
    worse = evaluate(Reader(noise=2.0), data_of(), device="cpu", bootstrap=10)
    comparison = report.compare(worse, bootstrap=200)
    for name in ("accuracy", "balanced_accuracy", "average_precision"):
        difference = comparison.mean[name]
        assert difference == pytest.approx(report.mean[name] - worse.mean[name], abs=1e-6)
        assert 0 < difference.low < difference < difference.high
        assert comparison.better[name] > 0.97
    assert worse.compare(report, bootstrap=200).mean["accuracy"] == -comparison.mean["accuracy"]
    assert list(comparison.frame().columns) == ["difference", "low", "high", "better"]
    assert list(comparison.frame("f1").index) == list(NAMES)
    whole = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert whole["mean"]["accuracy_better"] == comparison.better["accuracy"]
    assert "Balanced accuracy" in comparison._repr_html_()


def test_a_model_is_not_better_than_itself(report):
    comparison = report.compare(report, bootstrap=20)
    for name, difference in comparison.mean.items():
        assert (difference, difference.low, difference.high) == (0, 0, 0)
        assert comparison.better[name] == 0.5


def test_pairing_narrows_the_interval(report):
    other = evaluate(Reader(noise=0.3), data_of(), device="cpu", bootstrap=200)
    paired = report.compare(other, bootstrap=200).mean["accuracy"]
    ends = [r.mean["accuracy"].high - r.mean["accuracy"].low for r in (report, other)]
    assert paired.high - paired.low < 0.7 * math.hypot(*ends)


def test_reports_on_other_faces_are_not_compared(report):
    other = evaluate(Reader(), data_of(seed=1), device="cpu", bootstrap=10)
    with pytest.raises(DataError, match="on different faces"):
        report.compare(other)


# Several runs


@pytest.fixture(scope="module")
def runs():
    data = data_of()
    return [
        evaluate(Reader(noise=0.7, seed=seed), data, device="cpu", bootstrap=200)
        for seed in range(3)
    ]


def test_combined_runs_are_their_mean(runs):
    for kind in ("bootstrap", "t"):
        whole = combine(runs, interval=kind)
        for name in (*METRICS, "calibration_error"):
            expected = np.mean([run.mean[name] for run in runs])
            assert whole.mean[name] == pytest.approx(expected, abs=1e-6)
        assert whole.record["runs"] == 3
        assert len(whole.record["members"]) == 3


def test_students_t_equals_scipy(runs):
    whole = combine(runs, interval="t")
    values = [float(run.attributes["Male"]["f1"]) for run in runs]
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert whole.attributes["Male"]["f1"].low == pytest.approx(expected.low)
    assert whole.attributes["Male"]["f1"].high == pytest.approx(expected.high)


def test_students_t_without_scipy(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingDependencyError, match="pip install scipy"):
        combine(runs, interval="t")


def test_drawing_runs_too_widens_the_interval():
    data = data_of()
    far = [evaluate(Reader(noise=n), data, device="cpu", bootstrap=200) for n in (0.0, 1.5, 3.0)]
    whole = combine(far).mean["accuracy"]
    widest = max(run.mean["accuracy"].high - run.mean["accuracy"].low for run in far)
    assert whole.high - whole.low > 1.5 * widest


def test_combined_reports_can_be_saved_and_compared(runs, tmp_path):
    worse = [
        evaluate(Reader(noise=3.0, seed=seed), data_of(), device="cpu", bootstrap=10)
        for seed in (5, 6)
    ]
    better = Report.load(combine(runs).save(tmp_path / "runs.json"))
    difference = better.compare(combine(worse), bootstrap=100).mean["accuracy"]
    assert 0 < difference.low < difference.high


def test_what_cannot_be_combined(runs):
    with pytest.raises(DataError, match="two runs or more, got 1"):
        combine(runs[:1])
    with pytest.raises(DataError, match="interval='z'"):
        combine(runs, interval="z")
    elsewhere = evaluate(Reader(), data_of(seed=1), device="cpu", bootstrap=10)
    with pytest.raises(DataError, match="different faces"):
        combine([runs[0], elsewhere])
    assert combine([runs[0], elsewhere], interval="t").scored is None
    fewer = evaluate(Reader(3), data_of(names=NAMES[:3]), device="cpu", bootstrap=10)
    with pytest.raises(DataError, match="different attributes"):
        combine([runs[0], fewer])
