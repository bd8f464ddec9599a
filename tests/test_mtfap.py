"""MTFAP's network and its three structures, on pictures small enough to train on in a moment."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from squares import QUIET, squares

from faceattr.checkpoint import load_checkpoint
from faceattr.cli import main
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, FaceattrError, TrainingError, UnknownNameError
from faceattr.evaluation import evaluate
from faceattr.localization import class_activation_maps
from faceattr.models.independent import IndependentTasks
from faceattr.models.mtfap import MTFAP
from faceattr.objectives.structure import GraphPenalty
from faceattr.recipes.mtfap import STRUCTURES, LearnGraph, train_mtfap

GROUPS = {"Hair": ("Bald", "Bangs"), "Gender": ("Male",)}


def test_logits_are_pooled_maps_times_the_tasks_weights():
    model = MTFAP.small().eval()
    images = torch.rand(2, 3, 64, 64)
    outputs = model(images)
    assert outputs.logits.shape == (2, 40)
    pooled = outputs.features.mean((-2, -1))  # (B, d)
    expected = pooled @ model.weights + model.cam_bias
    torch.testing.assert_close(outputs.logits, expected, atol=1e-5, rtol=1e-5)
    maps = class_activation_maps(outputs.features, model.cam_weights)  # Eqs. 15-16
    torch.testing.assert_close(
        maps.mean((-2, -1)) + model.cam_bias, outputs.logits, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_structure_learns_what_can_be_seen(structure):
    how = {"groups": GROUPS} if structure == "groups" else {}
    model, history = train_mtfap(
        squares(64), structure=structure, preset="small", epochs=6, batch_size=16, seed=0,
        **how, **QUIET,
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]
    report = evaluate(model, squares(seed=1), device="cpu", bootstrap=0)
    assert report.mean["accuracy"] > report.mean["majority_accuracy"]


def test_groups_that_cannot_be():
    how = {"structure": "groups", "preset": "small", "epochs": 1, **QUIET}
    with pytest.raises(DataError, match="none of the attributes"):
        train_mtfap(squares(), groups={"Mouth": ("Smiling",)}, **how)
    with pytest.raises(DataError):
        train_mtfap(squares(), groups=GROUPS, basis=[3, 1], **how)  # more basis tasks than members
    alone, _ = train_mtfap(squares(), groups={"Hair": ("Bald",)}, **how)  # the others stand alone
    assert alone.weights.shape[1] == 3
    with pytest.raises(FaceattrError):
        train_mtfap(squares(), structure="circles", preset="small", epochs=1, **QUIET)
    nobody = squares()
    nobody = FaceDataset(Faces(nobody.faces.images), names=nobody.names)
    with pytest.raises(DataError, match="no attribute labels"):
        train_mtfap(nobody, preset="small", epochs=1, **QUIET)


def test_what_cannot_be_is_refused_before_an_epoch():
    how = {"preset": "small", "epochs": 1, **QUIET}
    for name in ("gamma", "lam", "xi"):
        with pytest.raises(DataError, match=f"{name}=-1"):
            train_mtfap(squares(), **{name: -1}, **how)
    seen = []
    how["callbacks"] = [lambda run: seen.append(run.epoch)]
    with pytest.raises(UnknownNameError, match="no setting 'alfa': it has alpha, sparsity"):
        train_mtfap(squares(), graph_settings={"alfa": 1.0}, **how)
    with pytest.raises(DataError, match="alpha=-1"):
        train_mtfap(squares(), graph_settings={"alpha": -1.0}, **how)
    with pytest.raises(DataError, match="knows no groups"):
        train_mtfap(squares(), structure="groups", model=MTFAP.small(num_attributes=3), **how)
    with pytest.raises(UnknownNameError, match="unknown structure 'grpah'"):
        train_mtfap(squares(), structure="grpah", model=MTFAP.small(num_attributes=3), **how)
    how["structure"] = "groups"
    for name in ("eta", "r"):
        for value in (0, float("nan"), float("inf")):
            with pytest.raises(TrainingError, match="finite step sizes"):
                train_mtfap(squares(), **{name: value}, **how)
    with pytest.raises(TrainingError, match=r"columns=1\.5"):
        train_mtfap(squares(), columns=1.5, **how)
    with pytest.raises(DataError, match=r"basis=1\.5"):
        train_mtfap(squares(), basis=1.5, **how)
    how["structure"] = "graph"
    with pytest.raises(DataError, match="no weights of tasks"):
        train_mtfap(squares(), model=IndependentTasks.small(num_attributes=3), **how)
    assert not seen


def test_equal_tasks_get_their_graph():
    model = MTFAP.small(num_attributes=3)
    with torch.no_grad():
        model.tasks.free[:, 1] = model.tasks.free[:, 0]
    run = SimpleNamespace(model=model, objective=GraphPenalty(3, 10))
    watch = LearnGraph()
    watch.on_epoch_end(run)
    assert watch.graph.adjacency[0, 1] > watch.graph.adjacency[0, 2]
    torch.testing.assert_close(run.objective.matrix.sum(1), torch.ones(3))


@pytest.mark.parametrize("structure", ["groups", "graph", "none"])
def test_the_command_line_trains_it(structure, tmp_path):
    out = tmp_path / structure
    arguments = ["--structure", structure, "--faces", "40", "--epochs", "1", "--preset", "small"]
    common = ["--no-valid", "--quiet", "--device", "cpu", "--out", str(out)]
    if structure == "graph":
        arguments += ["--graph-settings", "alpha=0.5, sparsity=0.02"]
    assert main(["train", "mtfap", *arguments, *common]) == 0
    assert main(["evaluate", str(out), "--faces", "20", "--bootstrap", "0", "--json"]) == 0
    if structure == "graph":
        kept = load_checkpoint(out)[1]["record"]["graph_settings"]
        assert kept == {"alpha": 0.5, "sparsity": 0.02}


@pytest.mark.parametrize(
    "said", ["none --xi 2", "groups --graph-step mtrl", "l2 --gamma 1", "graph --lam 1"]
)
def test_a_structure_refuses_what_it_would_ignore(said, capsys):
    assert main(["train", "mtfap", "--structure", *said.split()]) == 1
    structure, option, _ = said.split()
    assert f"--structure {structure} does not read {option}" in capsys.readouterr().err


@pytest.mark.parametrize("said", ["alpha", "alpha=much", "=1"])
def test_settings_that_are_none(said, capsys):
    with pytest.raises(SystemExit):
        main(["train", "mtfap", "--graph-settings", said])
    assert "write NAME=NUMBER" in capsys.readouterr().err
