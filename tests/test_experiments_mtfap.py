"""MTFAP's experiment on a few tiny faces: it runs, goes on, and collects what is there."""

from __future__ import annotations

import functools
import json
import sys
import warnings

import numpy as np
import pytest
import torch
from conftest import ROOT
from fake_celeba import FakeLabels, write_labels, write_pictures
from test_lfw import PAIRS, make_pictures

sys.path.insert(0, str(ROOT / "book" / "experiments"))
import mtfap
import mtfap_chosen
import mtfap_faces
import mtfap_jobs

from faceattr.attributes import GROUPS
from faceattr.data.labels import LabelModel
from faceattr.errors import DataError
from faceattr.report import Report
from faceattr.scored import Scored

HEADS = ("l2", "none", "groups", "shuffled", "graph-logdet", "groups-algorithms")
SWEEPS = ("groups+gamma=10", "graph-logdet+xi=10")


@pytest.fixture
def small(monkeypatch):
    """One pass, few methods, budgets of 8 and of all faces."""
    monkeypatch.setattr(mtfap, "BUDGETS", (8, 30))
    monkeypatch.setattr(mtfap, "SWEEP_AT", 30)
    monkeypatch.setattr(mtfap, "HEADS", HEADS)
    monkeypatch.setattr(mtfap, "SWEEPS", SWEEPS)
    all_ = mtfap_chosen.STRENGTHS["groups"]
    monkeypatch.setattr(mtfap, "STRENGTHS", {"groups": all_})
    monkeypatch.setattr(mtfap, "STRONG", ("graph-logdet+alpha=3+xi=5", *all_[1:]))
    monkeypatch.setattr(mtfap, "TRAINED_SWEEPS", ("groups+gamma=1000", "probed"))
    monkeypatch.setattr(mtfap, "BESIDE", {"shuffled": (8,), "graph-logdet+alpha=3": (8,)})
    monkeypatch.setattr(mtfap, "INDEPENDENT", (8,))
    monkeypatch.setattr(mtfap, "VERIFIERS", ("none-8", "groups-30"))
    for name, value in {"STEPS": 1, "FEWEST": 1, "MOST": 1, "BOOTSTRAP": 10}.items():
        monkeypatch.setattr(mtfap_jobs, name, value)
    short = functools.partial(mtfap_jobs.fit_groups, rounds=3, steps=5)
    monkeypatch.setattr(mtfap_jobs, "fit_groups", short)


def test_parts_come_in_their_order_and_a_job_once():
    rounds = mtfap.plan(list(mtfap.PARTS), 4000)
    names = [job[1] for stage in rounds for job in stage]
    assert len(names) == len(set(names))
    assert rounds[0][0] == ("trunk", "trunk", "", 0)
    assert rounds[1][0] == ("heads", "heads-l2-50", "l2", 50)
    trained = [job[1] for job in rounds[1] if job[0] == "network"]
    assert trained[:3] == ["none-500", "groups-500", "graph-logdet-500"], "the most telling first"
    assert set(mtfap.predictors(4000)) <= set(trained)
    assert rounds[2][0][:2] == ("chosen", "heads-l2+chosen-50")
    assert set(mtfap_chosen.STRENGTHS["shuffled"]) <= {job[2] for job in rounds[1]}
    assert mtfap.budgets(3187) == [50, 100, 200, 500, 1000, 3187]
    assert mtfap.predictors(3187)[-1] == "graph-logdet-3187"
    few = mtfap.plan(["budgets", "independent"], 24)
    assert {job[3] for stage in few for job in stage} == {24}
    assert not few[0], "no trunk for networks that are trained from the start"


def test_a_name_says_what_is_trained():
    how = mtfap_jobs.settings_of("groups+gamma=10+lam=0.1", 0)
    assert how == {"structure": "groups", "gamma": 10.0, "lam": 0.1}
    assert mtfap_jobs.settings_of("graph-mtrl", 0) == {"structure": "graph", "graph_step": "mtrl"}
    dense = mtfap_jobs.settings_of("graph-logdet+alpha=3+xi=20", 0)
    assert dense["graph_settings"] == {"alpha": 3.0}
    assert dense["xi"] == 20
    assert mtfap_jobs.settings_of("probed", 0)["columns"] == 1
    wrong = mtfap_jobs.settings_of("shuffled", 0)["groups"]
    assert [len(g) for g in wrong.values()] == [len(g) for g in GROUPS.values()]
    assert sorted(sum(wrong.values(), [])) == sorted(sum(map(list, GROUPS.values()), []))
    assert wrong != mtfap_jobs.settings_of("shuffled", 1)["groups"]


def test_what_is_compared():
    pairs = mtfap.differences(
        ["heads-groups-50", "heads-l2-50", "heads-graph-logdet-50", "groups-50", "none-50",
         "probed-50",
         "heads-groups+gamma=10-50", "heads-l2+xi=5-50", "heads-graph-logdet+alpha=3+xi=5-50",
         "heads-groups+chosen-50", "heads-l2+chosen-50", "heads-shuffled+chosen-50"]
    )  # fmt: skip
    assert set(pairs) == {
        "heads-groups-50 - heads-l2-50",
        "heads-groups-50 - heads-graph-logdet-50",
        "heads-graph-logdet-50 - heads-l2-50",
        "groups-50 - none-50",
        "probed-50 - groups-50",
        "heads-groups+gamma=10-50 - heads-groups-50",
        "heads-l2+xi=5-50 - heads-l2-50",
        "heads-graph-logdet+alpha=3+xi=5-50 - heads-l2+xi=5-50",
        "heads-graph-logdet+alpha=3+xi=5-50 - heads-graph-logdet-50",
        "heads-groups+chosen-50 - heads-groups-50",
        "heads-groups+chosen-50 - heads-l2+chosen-50",
        "heads-groups+chosen-50 - heads-shuffled+chosen-50",
        "heads-shuffled+chosen-50 - heads-l2+chosen-50",
        "heads-l2+chosen-50 - heads-l2-50",
    }


def test_a_strength_is_chosen_on_other_people(tmp_path):
    people = torch.arange(10).repeat_interleave(4)
    first = mtfap_chosen.halves(people, 3)
    assert first.sum() == 20
    assert all(len(set(first[people == k].tolist())) == 1 for k in range(10))
    labels = (torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) < 0.5).to(torch.int8)
    sure = 2.0 * labels - 1
    # right on both halves; on the first alone; on the second alone; on neither
    said = {
        "l2": 0.6 * sure,
        "l2+xi=5": torch.where(first[:, None], sure, -sure),
        "l2+xi=20": torch.where(first[:, None], -sure, sure),
        "l2+xi=50": -sure,
        "l2+xi=100": -sure,
    }

    def save():
        for name, logits in said.items():
            record = {"data": "d", "seed": 0, "parameters": 1, "training": {}}
            scored = Scored(("a", "b"), logits[None], labels, people)
            report = Report.of(scored, bootstrap=5, record=record)
            report.save(tmp_path / f"heads-{name}-8.json")

    save()
    report, chosen = mtfap_chosen.choose(tmp_path, "l2", 8, 3)
    assert chosen == ["l2", "l2"], "of equals the first"
    assert report.mean["accuracy"] == 1
    said["l2"] = -sure
    save()
    report, chosen = mtfap_chosen.choose(tmp_path, "l2", 8, 3)
    assert chosen == ["l2+xi=5", "l2+xi=20"], "the best on each half"
    _, ranked = mtfap_chosen.choose(tmp_path, "l2", 8, 3, "average_precision")
    assert ranked == chosen
    assert report.mean["accuracy"] == 0, "answers for the other half, of which it knows nothing"


def test_the_labels_own_graph_is_found_in_itself():
    latent = torch.from_numpy(LabelModel.load().latent_correlation).float()
    found = mtfap_jobs.graph_facts(latent.clamp(min=0).fill_diagonal_(0))["alike"]
    assert found["count"]["f1"] == 1
    assert 0 < found["chance"] < 0.2


def test_two_seeds_from_faces_to_results(small, tmp_path, capsys):
    path = tmp_path / "faces.pt"
    mtfap_faces.keep(mtfap_faces.draw(30, 40), path)
    parts = list(mtfap.PARTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in (0, 1):
            mtfap.run(path, tmp_path / f"seed{seed}", seed, parts)
        times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")}
        mtfap.run(path, tmp_path / "seed0", 0, parts)
        assert times == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")}
    assert "0 to do" in capsys.readouterr().out
    (tmp_path / "seed1" / "probed-30.json").unlink()  # a run that was stopped before its end
    found = json.loads(json.dumps(mtfap.collect(tmp_path, 30), allow_nan=False))
    assert found["record"]["seeds"] == [0, 1]
    assert found["record"]["budgets"] == [8, 30]
    assert "probed-30" not in found["networks"]
    for name in ("heads-groups-algorithms-8", "independent-8", "groups+gamma=1000-30"):
        runs = [Report.load(tmp_path / f"seed{s}" / f"{name}.json") for s in (0, 1)]
        for row, run in zip(found["networks"][name]["runs"], runs, strict=True):
            assert row["mean"]["accuracy"] == pytest.approx(run.mean["accuracy"], abs=1e-6)
    assert set(found["facts"]["heads-groups+chosen-8"]["1"]["strengths"]) <= set(
        mtfap_chosen.STRENGTHS["groups"]
    )
    assert "heads-groups+chosen-30 - heads-groups-30" in found["differences"]
    low, high = (found["differences"]["groups-30 - none-30"]["mean"][f"accuracy_{e}"]
                 for e in ("low", "high"))  # fmt: skip
    assert low <= high
    facts = found["facts"]
    heads = facts["heads-groups-30"]["0"]
    assert np.shape(heads["coefficients"][0])[1] == len(heads["groups"][0])
    assert "coefficients" not in facts["heads-groups-8"]["0"]
    assert "coefficients" not in facts["heads-groups-30"]["1"]
    more = facts["heads-groups+gamma=30000-30"]["0"]
    assert sum(more["ranks"]) < sum(facts["heads-groups-30"]["0"]["ranks"])
    assert np.shape(more["coefficients"][0]) == np.shape(heads["coefficients"][0])
    assert np.shape(facts["heads-graph-logdet-30"]["0"]["adjacency"]) == (40, 40)
    graphs = facts["none-8"]["1"]["graphs"]
    assert set(graphs) == {*mtfap_jobs.GRAPHS, "logdet, alpha 3"}
    assert len(graphs["logdet"]["alike"]["count"]) == 4
    rows = facts["verification"]["0"]["rows"]
    assert {"siamese", "siamese-identity", "truth kept", "siamese-identity + groups-30 all"} <= set(
        rows
    )
    assert len(rows["siamese"]["roc"]["tar"]) == 60
    assert "roc" not in facts["verification"]["1"]["rows"]["siamese"]


def test_collect_wants_a_run(tmp_path):
    with pytest.raises(DataError, match="run one first"):
        mtfap.collect(tmp_path, 30)


def test_two_processes_share_the_jobs_out(small, tmp_path, monkeypatch):
    """What the children do is not small, so that it is given a trunk's features."""
    monkeypatch.setattr(mtfap, "HEADS", ("l2", "graph-logdet"))
    path, folder = tmp_path / "faces.pt", tmp_path / "seed0"
    data = mtfap_faces.draw(30, 40)
    mtfap_faces.keep(data, path)
    (folder / "models").mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    features = {part: torch.randn(n, 6, generator=generator) for part, n in
                (("pool", 30), ("test", 40))}  # fmt: skip
    torch.save(features, folder / "models" / "features.pt")
    mtfap.run(path, folder, 0, ["heads"], workers=2)
    alone = tmp_path / "seed1"
    (alone / "models").mkdir(parents=True)
    torch.save(features, alone / "models" / "features.pt")
    mtfap.run(path, alone, 0, ["heads"])
    for name in ("heads-l2-8", "heads-graph-logdet-30"):
        one, two = (Report.load(place / f"{name}.json") for place in (folder, alone))
        assert one.mean["accuracy"] == two.mean["accuracy"]
    assert len(mtfap.collect(tmp_path, 30)["networks"]) == 4


def photographs(root):
    """CelebA of 60 pictures of 12 people, half the official size, and LFW's."""
    labels = FakeLabels(count=60, people=12)
    labels.partition[:] = 0
    write_labels(root / "celeba", labels)
    write_pictures(root / "celeba" / "img_align_celeba_half", labels, size=(89, 109))
    make_pictures(root / "lfw" / "lfw-deepfunneled")
    (root / "lfw" / "pairs_folds_1_2.txt").write_text(PAIRS)
    return root / "celeba", root / "lfw"


def test_photographs_from_folders_to_results(small, tmp_path):
    celeba, lfw = photographs(tmp_path)
    assert mtfap_faces.prepare(celeba, lfw, tmp_path / "small") > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there, here = (
            mtfap_faces.read(*folders, 24, 10, tmp_path / f"cache{k}")
            for k, folders in enumerate(
                [(celeba, lfw), (tmp_path / "small" / "celeba", tmp_path / "small" / "lfw")]
            )
        )
    assert torch.equal(there.pool.attributes, here.pool.attributes)
    assert torch.equal(there.pairs.a, here.pairs.a)
    assert there.pool.faces.images.shape[1:] == (3, *mtfap_faces.SIZE["celeba"])
    assert not set(there.pool.faces.identity.tolist()) & set(there.test.faces.identity.tolist())
    path = tmp_path / "runs" / "faces.pt"
    mtfap_faces.keep(there, path)
    again = mtfap_faces.kept(path)
    assert torch.equal(again.strangers.faces.images, there.strangers.faces.images)
    assert torch.equal(again.pairs.fold, there.pairs.fold)
    pool = len(again.pool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mtfap.run(path, tmp_path / "runs" / "seed0", 0, ["heads", "verification"])
    found = mtfap.collect(tmp_path / "runs", pool)
    assert f"heads-groups-{pool}" in found["networks"]
    rows = found["facts"]["verification"]["0"]["rows"]
    assert "truth kept" not in rows, "LFW's pictures have no labels here"
    assert rows["siamese"]["pairs"] == [4, 4]


def test_the_command_line_of_the_script(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mtfap, "HEADS", ("l2", "groups"))
    common = ["--runs", str(tmp_path), "--results", str(tmp_path)]
    run = ["mtfap.py", "run", "synth", *common, "--faces", "30", "--test", "40", "--parts", "heads"]
    monkeypatch.setattr(sys, "argv", run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mtfap.main()
    monkeypatch.setattr(sys, "argv", ["mtfap.py", "collect", "synth", *common])
    mtfap.main()
    assert "mtfap_synth.json" in capsys.readouterr().out
    found = json.loads((tmp_path / "mtfap_synth.json").read_text())
    assert set(found["networks"]) == {f"heads-{m}-{n}" for m in ("l2", "groups") for n in (8, 30)}
    monkeypatch.setattr(sys, "argv", ["mtfap.py", "run", "synth", "--parts", "feet"])
    with pytest.raises(SystemExit):
        mtfap.main()
