"""What the experiment behind chapters 8 and 9 computes beside what the library does."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from bright import bright, squares_on
from scipy.stats import spearmanr

from faceattr.cascade import Cascade, average_precision

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _experiments(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "experiments")


def scene(boxes, level=230):
    truth = torch.tensor(boxes).float().reshape(-1, 4)
    points = truth[:, None, :2] + torch.arange(10.0).view(5, 2)
    return squares_on(140, 90, boxes, level), truth, points, torch.ones(len(truth), 3)


SCENES = [
    scene([(20, 20, 50, 50), (80, 30, 110, 60)], level)
    for level in range(150, 230, 10)
] + [scene([(20, 20, 50, 50)]), scene([])]  # fmt: skip


def test_a_cascade_is_measured_scene_by_scene():
    from cascading import Counted, measure_cascade

    found = measure_cascade(bright(), SCENES[:8], SCENES, 0.6, "cpu", group=3)
    rows = found["scenes"]
    assert [row["truth"] for row in rows] == [2] * 8 + [1, 0]
    cascade = Cascade(bright(), found["thresholds"], device="cpu")
    for row, (picture, *_) in zip(rows, SCENES, strict=True):
        assert row["found"] == len(cascade(picture)), "surer faces are those of a higher threshold"
    cascade.thresholds = (*found["thresholds"][:2], 0.02)
    every = [cascade(picture) for picture, *_ in SCENES]
    once = Counted(rows).scores(np.ones(len(rows)))
    truth = [boxes for _, boxes, *_ in SCENES]
    expected = average_precision([f.boxes for f in every], [f.scores for f in every], truth)
    assert once["average_precision"] == pytest.approx(expected, abs=1e-3)
    hits, faces = sum(row["hits"] for row in rows), sum(row["truth"] for row in rows)
    assert once["recall"] == pytest.approx(hits / faces)
    assert 0 < once["landmark_error"] < np.inf
    assert once["accuracy"] == pytest.approx(
        sum(row["right"] for row in rows) / sum(row["known"] for row in rows)
    )
    doubled = Counted(rows).scores(np.full(len(rows), 2.0))
    assert doubled["recall"] == pytest.approx(once["recall"])


def test_tables_of_several_seeds(tmp_path):
    import json

    from cascading import cascade_table

    def row(right):
        curve = {"scores": [0.9, 0.5], "hits": [1, int(right)]}
        return {"truth": 2, "found": 2, "hits": 1 + right, "errors": [0.1], "right": 3, "known": 4,
                "curve": curve}  # fmt: skip

    seeds = [tmp_path / f"seed{k}" for k in range(2)]
    for seed in seeds:
        seed.mkdir()
        for name, right in (("good", True), ("poor", False)):
            run = {"thresholds": [0.5] * 3, "scenes": [row(right)] * 6}
            (seed / f"{name}.cascade.json").write_text(json.dumps(run))
    table = cascade_table(seeds, ["good", "poor"])
    assert table["good"]["average_precision"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert table["poor"]["recall"]["value"] == 0.5
    assert table["good"]["landmark_error"]["value"] == pytest.approx(0.1)
    assert table["differences"]["good - poor"]["low"] > 0
    assert len(table["good"]["runs"]) == 2
    assert "scenes" not in table["good"]["runs"][0]


def test_who_gets_the_weight():
    from weights_seen import rank_correlation, weights_table

    rng = np.random.default_rng(0)
    losses = rng.random((2, 3, 3, 8))  # seeds, epochs, nets, attributes
    weights = np.exp(-5 * losses)
    weights /= weights.sum(-1, keepdims=True)
    weights[:, 0] = 1 / 8  # equal in the first epoch
    table = weights_table(np.stack([weights, losses], 2))
    assert table["spearman"]["L"][0] == [None, None]
    assert table["spearman"]["L"][2] == pytest.approx([-1.0, -1.0])
    assert table["effective"]["S"][0] == pytest.approx(8)
    assert table["largest"]["M"][0] == pytest.approx(1 / 8)
    assert np.allclose(table["weight"], weights[:, :, 2].mean(0))
    a, b = rng.random(20), rng.random(20)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_material_is_kept_and_read(tmp_path):
    import material

    made = material.make("synth", None, 8, 6, 3, 4)
    material.keep(made, tmp_path)
    again = material.kept(tmp_path)
    assert material.kept(tmp_path / "elsewhere") is None
    for part in material.WINDOWS:
        one, other = getattr(made, part), getattr(again, part)
        assert one.source == other.source
        assert one.names == other.names
        assert torch.equal(one.faces.images, other.faces.images)
        assert torch.equal(one.attributes, other.attributes)
        assert torch.equal(one.faces.box.isnan(), other.faces.box.isnan())
    assert len(made.train) == len(made.far) == 32
    for part, count in (("choose", 3), ("scenes", 4)):
        assert len(getattr(again, part)) == count
        for one, other in zip(getattr(made, part), getattr(again, part), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_one_seed_from_windows_to_results(tmp_path, monkeypatch):
    import cascading
    import collecting
    import mcfa as experiment

    made = experiment.make("synth", None, 8, 24, 3, 3)
    names = ["mcfa-equal", "fac-equal"]
    how = {"device": "cpu", "precision": "32-true", "passes": 1, "batch": 16, "names": names}
    monkeypatch.setattr(experiment, "CASCADES", ("mcfa-equal",))
    few = functools.partial(Cascade, most=20)  # a network that knows nothing lets everything pass
    monkeypatch.setattr(cascading, "Cascade", few)
    for seed in (0, 1):
        experiment.run(made, seed, tmp_path / f"seed{seed}", **how)
    before = (tmp_path / "seed0" / "fac-equal.json").stat().st_mtime_ns
    experiment.run(made, 0, tmp_path / "seed0", **how)
    assert (tmp_path / "seed0" / "fac-equal.json").stat().st_mtime_ns == before
    results = experiment.collect(tmp_path)
    path = collecting.write(tmp_path / "out.json", results)  # no NaN: JSON has none
    assert path.is_file()
    assert set(results["networks"]) == {"mcfa-equal", "mcfa-equal-S", "mcfa-equal-M", "fac-equal"}
    assert set(results["differences"]) == {
        "mcfa-equal - fac-equal", "mcfa-equal - mcfa-equal-M", "mcfa-equal-M - mcfa-equal-S",
    }  # fmt: skip
    assert np.shape(results["weights"]["mcfa-equal"]["weight"]) == (1, 40)
    assert "average_precision" in results["cascade"]["mcfa-equal"]
    run = results["networks"]["mcfa-equal"]["runs"][0]
    assert run["places"]["landmark_error"] > 0
    assert len(run["losses"]["faces"]) == 1
