"""FR-ANet, FR+ANet, MCNN and ID Net trained: recipes, resuming, the command line, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from crowd import BRIEF, TINY, crowd
from squares import NAMES, same, squares

from faceattr.checkpoint import load_checkpoint, read_checkpoint
from faceattr.cli import main
from faceattr.data.faces import UNKNOWN
from faceattr.data.within import held_out
from faceattr.errors import CheckpointError, DataError, TrainingError, UnknownNameError
from faceattr.evaluation import evaluate
from faceattr.identity import identity_accuracy
from faceattr.models import PaW
from faceattr.models.franet import FRANet
from faceattr.models.idnet import IDNet
from faceattr.recipes import methods, recipe
from faceattr.recipes.franet import new_franet, train_franet
from faceattr.recipes.idnet import embeddings, fit_machines, train_idnet
from faceattr.training.callbacks import Callback

FOUR = ("franet", "fr+anet", "mcnn", "idnet")
TWO = {**BRIEF, "epochs": 2}


def train(name, data, **how):
    return recipe(name).function(data, **{**BRIEF, **how})


class Stop(Callback):
    """Ctrl-C after an epoch."""

    def __init__(self, epoch=1):
        self.epoch = epoch

    def on_epoch_end(self, run):
        if run.epoch == self.epoch:
            raise KeyboardInterrupt


# --- what a run leaves ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "identity"), [("franet", "merged"), ("fr+anet", "separate"), ("mcnn", "none")]
)
def test_a_run_and_its_checkpoint(name, identity, tmp_path):
    data, valid = crowd(), crowd(18, seed=1)
    model, history = train(name, data, valid=valid, checkpoint=tmp_path)
    assert not model.training
    again, header = load_checkpoint(tmp_path, expect=FRANet)
    assert same(again, model)
    assert header["attributes"] == list(NAMES)
    record = header["record"]
    assert (record["method"], record["identity"], record["aux"]) == (name, identity, False)
    assert model.config["branches"] == {"Gender": {"Gender": [2]}, "Rest": {"AroundHead": [0, 1]}}
    if identity == "none":
        assert model.people is None
        assert not {"lambda_id", "identities"} & set(record)
        assert "identity" not in history.columns
        assert "valid_identity_accuracy" not in history.columns
    else:
        assert again.people.known.tolist() == [100, 107, 114, 121, 128, 135]
        assert record["lambda_id"] == 1.0
        assert history["identity"][0] > 0
        assert history["valid_identity_accuracy"] == [identity_accuracy(model, valid)]
    assert history["loss"][0] == pytest.approx(
        history["attributes"][0] + (0 if identity == "none" else history["identity"][0])
    )
    assert 0 <= evaluate(again, valid, device="cpu", bootstrap=0).mean["accuracy"] <= 1


def test_people_unseen_in_training_are_fine_at_evaluation(tmp_path):
    strangers = crowd(18, seed=1, first=10_000)
    model, history = train("franet", crowd(), valid=strangers)
    assert "valid_identity_accuracy" not in history.columns  # nobody there can be recognised
    assert history["valid_accuracy"][0] > 0
    assert evaluate(model, strangers, device="cpu", bootstrap=0).mean["accuracy"] > 0
    nobody = crowd(18, seed=1)
    nobody.faces.identity = None
    _, history = train("franet", crowd(), valid=nobody)
    assert "valid_identity_accuracy" not in history.columns
    some = crowd(18, seed=1)
    some.faces.identity[::2] = -1
    _, history = train("franet", crowd(), valid=some)
    assert 0 <= history["valid_identity_accuracy"][0] <= 1


def test_learning_who_it_is_and_what_they_wear():
    data, valid = crowd(120), crowd(60, seed=1)
    how = {**BRIEF, "epochs": 8, "augment": "none", "lambda_id": 3.0}
    model, history = train_franet(data, valid=valid, **how)
    assert history["identity"][-1] < 0.5 * history["identity"][0]
    assert identity_accuracy(model, valid) > 3 / 6  # chance is 1 / 6
    assert history["valid_accuracy"][-1] > 0.75
    off = {**how, "lambda_id": 0.0}
    unguided, history = train_franet(data, valid=valid, **off)
    assert identity_accuracy(unguided, valid) < 3 / 6
    assert history["identity"] == [0.0] * 8
    id_net, history = train("idnet", data, valid=valid, epochs=8, augment="none")
    assert history["valid_identity_accuracy"][-1] > 3 / 6


def test_pictures_of_the_same_people_held_out():
    data = crowd(60)
    chosen = held_out(data.faces.identity)
    model, history = train(
        "franet", data.subset((~chosen).nonzero()[:, 0]), valid=data.subset(chosen.nonzero()[:, 0])
    )
    assert model.people.people == 6
    assert "valid_identity_accuracy" in history.columns


def test_new_networks_begin_at_the_log_odds():
    data = crowd()
    share = data.attributes.mean(0).clamp(0.01, 0.99)
    for identity in ("merged", "separate", "none"):
        model = new_franet(data, preset="small", identity=identity)
        torch.testing.assert_close(model.bias.detach().sigmoid(), share)
    assert same(new_franet(data, preset="small", seed=4), new_franet(data, preset="small", seed=4))
    other = new_franet(data, preset="small", seed=5)
    assert not same(new_franet(data, preset="small", seed=4), other)
    aux = new_franet(data, preset="small", identity="none", aux=True)
    assert torch.equal(aux.aux.weight, torch.eye(3))


def test_the_last_layer_of_aux_is_trained(tmp_path):
    model, _ = train("mcnn", crowd(), aux=True, checkpoint=tmp_path)
    assert not torch.equal(model.aux.weight, torch.eye(3))
    assert read_checkpoint(tmp_path)[1]["record"]["aux"] is True


def test_the_same_seed_gives_the_same_network():
    first, _ = train("franet", crowd())
    again, _ = train("franet", crowd())
    assert same(first, again)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two, _ = train("franet", crowd())
    finally:
        torch.set_num_threads(threads)
    pictures = crowd(8, seed=1).gather(range(8)).images
    for (name, one), (_, other) in zip(first(pictures), two(pictures), strict=True):
        torch.testing.assert_close(one, other, atol=1e-2, rtol=1e-2, msg=name)


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("how", [{"precision": "bf16-mixed"}, {"compile": "eager"}], ids=str)
def test_other_ways_to_compute(name, how):
    model, history = train(name, crowd(32), valid=crowd(8, seed=1), **how)
    assert np.isfinite(history["loss"]).all()
    logits = model(crowd(4).gather(range(4)).images).logits
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


# --- ID Net ---------------------------------------------------------------------------------------


def check_machines(model, data, known=None, cost=0.01):
    """Each logit is the decision function of scikit-learn's machine on the same features."""
    svm = pytest.importorskip("sklearn.svm")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = embeddings(model, data).double().numpy()
    x = preprocessing.StandardScaler().fit_transform(np.where(x.std(0) > 1e-6, x, 0))
    with torch.no_grad():
        logits = model(data.gather(range(len(data))).images).logits.numpy()
    for j, labels in enumerate(data.attributes.numpy().T):
        rows = labels != UNKNOWN
        machine = svm.LinearSVC(C=cost, dual=False).fit(x[rows], labels[rows])
        np.testing.assert_allclose(logits[:, j], machine.decision_function(x), atol=1e-4)
        assert ((logits[:, j] > 0) == machine.predict(x)).mean() > 0.99


def test_id_nets_machines_are_scikit_learns(tmp_path):
    data = crowd()
    data.faces.attributes[::5, 1] = UNKNOWN
    model, history = train("idnet", data, valid=crowd(18, seed=1), checkpoint=tmp_path)
    check_machines(model, data)
    assert set(history.columns) >= {"identity", "valid_identity_accuracy"}
    assert "valid_accuracy" not in history.columns  # it has no answers while it trains
    again, header = load_checkpoint(tmp_path, expect=IDNet)
    assert same(again, model)
    assert header["record"]["method"] == "idnet"
    assert header["attributes"] == list(NAMES)
    assert header["epoch"] == 1
    assert (tmp_path / "history.csv").is_file()
    fit_machines(model, data, cost=1.0)
    check_machines(model, data, cost=1.0)


def test_a_stopped_id_net_answers_nothing_and_goes_on(tmp_path):
    data = crowd()
    whole, history = train("idnet", data, checkpoint=tmp_path / "whole", **{"epochs": 2})
    how = {"checkpoint": tmp_path / "stopped", "epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        train("idnet", data, callbacks=[Stop(2)], **how)
    assert (tmp_path / "stopped" / "people" / "last.safetensors").is_file()
    with pytest.raises(CheckpointError, match="no checkpoint in folder"):
        load_checkpoint(tmp_path / "stopped")  # a network without machines is not its result
    again, rows = train("idnet", data, resume=True, **how)
    assert same(again, whole)
    assert rows["loss"] == history["loss"]
    (tmp_path / "stopped" / "best.safetensors").unlink()  # stopped while fitting the machines
    again, _ = train("idnet", data, resume=True, **how)
    assert same(again, whole)
    check_machines(load_checkpoint(tmp_path / "stopped")[0], data)


def test_another_id_net_in_the_same_folder(tmp_path):
    data = crowd()
    train("idnet", data, checkpoint=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train("idnet", data, checkpoint=tmp_path, seed=1, callbacks=[Stop()])
    assert not (tmp_path / "best.safetensors").exists()  # the first run's is not the second's
    train("franet", data, checkpoint=tmp_path / "other")
    before = (tmp_path / "other" / "best.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="holds a run of another method"):
        train("idnet", data, checkpoint=tmp_path / "other", resume=True)
    assert (tmp_path / "other" / "best.safetensors").read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="is a file: give a folder"):
        train("idnet", data, checkpoint=tmp_path / "file")


def test_labels_that_cannot_be_separated():
    data = crowd()
    data.faces.attributes[:, 0], data.faces.attributes[:, 1] = 1, UNKNOWN
    data.faces.attributes[:, 2] = torch.where(data.attributes[:, 2] == 1, 0.0, UNKNOWN)
    with pytest.warns(UserWarning, match="has Bangs, Male"):
        model, _ = train("idnet", data)
    logits = model(data.gather(range(4)).images).logits
    torch.testing.assert_close(logits, torch.tensor([[1.0, -1.0, -1.0]]).expand(4, 3))


def test_pictures_that_are_no_numbers():
    data = crowd()
    data.faces.images = data.faces.images.float() / 255
    data.faces.images[7, 0, 16, 16] = torch.nan
    for name in FOUR:
        with pytest.raises(TrainingError, match="is nan at epoch 1"):
            train(name, data)
    with pytest.raises(DataError, match="embedding of face 7 of crowd 0 is not finite"):
        fit_machines(IDNet.small(6, num_attributes=3), data)


# --- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOUR)
def test_a_stopped_run_ends_as_if_it_had_not_been(name, tmp_path):
    data, valid = crowd(), crowd(18, seed=1)
    whole, history = train(name, data, valid=valid, epochs=2)
    how = {"valid": valid, "epochs": 2, "checkpoint": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train(name, data, callbacks=[Stop(2)], **how)
    again, rows = train(name, data, resume=True, **how)
    assert same(again, whole)
    assert rows["loss"] == history["loss"]


def test_a_run_goes_on_with_its_own_lambda_only(tmp_path):
    train("franet", crowd(), checkpoint=tmp_path)
    with pytest.raises(TrainingError, match=r"other settings: objective .*lambda_id: 1.0.*0.3"):
        train("franet", crowd(), checkpoint=tmp_path, resume=True, lambda_id=0.3)
    for other in ({"identity": "separate"}, {"identity": "none"}, {"aux": True}):
        with pytest.raises(TrainingError, match="other settings"):
            train_franet(crowd(), checkpoint=tmp_path, resume=True, **{**BRIEF, **other})
    train("franet", crowd(), checkpoint=tmp_path, resume=True, lambda_id=1)


@pytest.mark.parametrize("name", ["franet", "fr+anet", "idnet"])
def test_a_run_goes_on_with_its_own_people_only(name, tmp_path):
    train(name, crowd(), checkpoint=tmp_path)
    shuffled = crowd()
    shuffled.faces.identity = shuffled.faces.identity.roll(1)
    for other in (crowd(first=5000), shuffled):
        with pytest.raises(TrainingError, match="trained on other identities"):
            train(name, other, checkpoint=tmp_path, resume=True)
    train(name, crowd(), checkpoint=tmp_path, resume=True)


def test_mcnn_does_not_ask_who_it_is(tmp_path):
    train("mcnn", crowd(), checkpoint=tmp_path)
    train("mcnn", squares(), checkpoint=tmp_path / "nobody")
    alone = crowd()
    alone.faces.identity[:] = 5
    train("mcnn", alone)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["franet", "fr+anet", "idnet"])
def test_nobody_to_tell_apart(name, tmp_path):
    how = {"checkpoint": tmp_path / "run"}
    with pytest.raises(DataError, match="squares 0 has no identities.*train mcnn"):
        train(name, squares(), **how)
    data = crowd()
    data.faces.identity[:] = -1
    with pytest.raises(DataError, match="has no identities"):
        train(name, data, **how)
    data.faces.identity[:] = 7
    with pytest.raises(DataError, match="faces of one person only"):
        train(name, data, **how)
    unlabelled = crowd()
    unlabelled.faces.attributes = None
    with pytest.raises(DataError, match="no attribute labels"):
        train(name, unlabelled, **how)
    with pytest.raises(DataError, match="no faces to train on"):
        train(name, crowd().subset([]), **how)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["franet", "fr+anet", "idnet"])
def test_one_image_a_person_is_warned_of_and_trained_on(name):
    data = crowd(16, people=16)
    with pytest.warns(UserWarning, match="every person of crowd 0 has a single picture") as said:
        model, history = train(name, data)
    assert len([w for w in said if "single picture" in str(w.message)]) == 1
    assert model.people.people == 16
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("name", ["franet", "fr+anet", "idnet"])
def test_numbers_that_data_sets_use(name):
    plain, _ = train(name, crowd())
    far, narrow = crowd(first=10**12), crowd()
    narrow.faces.identity = narrow.faces.identity.to(torch.int32)
    for data in (far, narrow):
        model, history = train(name, data, valid=data)
        assert model.people.known.tolist() == data.faces.identity.unique().tolist()
        assert history["valid_identity_accuracy"][0] >= 0
        state = {**model.state_dict(), "people.known": plain.people.known}
        assert all(torch.equal(t, plain.state_dict()[n]) for n, t in state.items())


def test_some_faces_of_unknown_people():
    data = crowd()
    data.faces.identity[::2] = -1
    model, history = train("franet", data)
    assert model.people.people == 3
    assert history["identity"][0] > 0


@pytest.mark.parametrize("lambda_id", [-1, float("nan"), float("inf"), "1", None])
def test_lambdas_that_are_no_weight(lambda_id, tmp_path):
    with pytest.raises(TrainingError, match="finite number of at least 0"):
        train("franet", crowd(), lambda_id=lambda_id, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_lambda_that_is_far_too_large_trains_or_says_why():
    _, history = train("franet", crowd(), lambda_id=1e6)
    assert np.isfinite(history["loss"]).all()
    with pytest.raises(TrainingError, match="is inf|is nan|not finite"):
        train("franet", crowd(), lambda_id=1e39)


def test_networks_that_were_given(tmp_path):
    data = crowd()
    model = new_franet(data, preset="small", identity="separate")
    for identity in ("merged", "none"):
        with pytest.raises(DataError, match="built with identity='separate' and is to be trained"):
            train_franet(data, model=model, identity=identity, **BRIEF)
    same_one, history = train_franet(data, model=model, identity="separate", **BRIEF)
    assert same_one is model
    assert history.record["method"] == "fr+anet"
    with pytest.raises(DataError, match="built without aux"):
        train_franet(data, model=model, identity="separate", aux=True, **BRIEF)
    with pytest.raises(UnknownNameError, match="identity='both'"):
        train_franet(data, model=model, identity="both", **BRIEF)
    id_net = IDNet.small(6, num_attributes=3)
    id_net.people.meet(data.faces.identity)
    for other in (id_net, PaW(3, 2, regions="random", crop=16)):
        with pytest.raises(DataError, match="was given where a FRANet is trained"):
            train_franet(data, model=other, **BRIEF)
    with pytest.raises(DataError, match="a FRANet was given where an IDNet is trained"):
        train_idnet(data, model=model, **BRIEF)
    wide = FRANet(6, num_attributes=4, branches={"A": {"a": range(4)}}, **TINY)
    wide.people.meet(data.faces.identity)
    with pytest.raises(TrainingError, match="answers 4 attributes, the training faces have 3"):
        train_franet(data, model=wide, **BRIEF)


@pytest.mark.parametrize(("run", "kind"), [(train_franet, FRANet), (train_idnet, IDNet)])
def test_somebody_whom_the_head_does_not_know(run, kind, tmp_path):
    data, model = crowd(), kind.small(6, num_attributes=3, **(
        {"branches": {"A": {"a": [0, 1, 2]}}} if kind is FRANet else {}
    ))  # fmt: skip
    with pytest.raises(DataError, match="shows 6 people whom the network has no logit for .*100"):
        run(data, model=model, checkpoint=tmp_path / "run", **BRIEF)
    assert not (tmp_path / "run").exists()
    model.people.meet(data.faces.identity)
    few = data.subset((data.faces.identity < 120).nonzero()[:, 0])
    run(few, model=model, **BRIEF)  # three of the six
    assert model.people.people == 6
    nobody = squares()
    with pytest.raises(DataError, match="no identities"):
        run(nobody, model=model, **BRIEF)


def test_attributes_that_the_groups_do_not_have():
    data = crowd()
    data.names = ("Bald", "Tall", "Male")
    with pytest.raises(DataError, match="Tall in none of MCNN's groups"):
        train("franet", data)
    places = {"A": {"tall": [1]}, "B": {"rest": [0, 2]}}
    model = new_franet(data, preset="small", branches=places)
    train_franet(data, model=model, **BRIEF)
    train("idnet", data)  # has no groups
    with pytest.raises(DataError, match="must be in one group"):
        new_franet(data, preset="small", branches={"A": {"tall": [0, 1]}, "B": {"rest": [0, 2]}})
    with pytest.raises(UnknownNameError, match="unknown preset 'large'"):
        new_franet(data, preset="large")


@pytest.mark.parametrize("name", FOUR)
def test_what_cannot_work_is_refused_before_work_starts(name, tmp_path):
    how = {"checkpoint": tmp_path / "run"}
    with pytest.raises(TrainingError, match="seed=-1"):
        train(name, crowd(), seed=-1, **how)
    with pytest.raises(UnknownNameError, match="unknown preset 'large'"):
        train(name, crowd(), preset="large", **how)
    with pytest.raises(UnknownNameError, match="unknown augmentation"):
        train(name, crowd(), augment="strong", **how)
    with pytest.raises(TrainingError, match="epochs=0"):
        train(name, crowd(), epochs=0, **how)
    with pytest.raises(DataError, match="at least 16 x 16 pixels, got 15 x 15"):
        train(name, crowd(size=15), **how)
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_attributes_without_any_label():
    data = crowd()
    data.faces.attributes[:] = UNKNOWN
    with pytest.warns(UserWarning, match="has no label of Bald, Bangs, Male"):
        model, history = train("franet", data)
    assert history["attributes"] == [0.0]
    assert history["identity"][0] > 0
    torch.testing.assert_close(model.bias, torch.zeros(3), atol=0.05, rtol=0)


# --- two processes --------------------------------------------------------------------------------

SCRIPT = """
import sys, torch
from crowd import BRIEF, TINY, crowd
from faceattr.models.idnet import IDNet
from faceattr.recipes.franet import new_franet, train_franet
from faceattr.recipes.idnet import train_idnet
torch.set_num_threads(1)
folder, devices, data = sys.argv[1], int(sys.argv[2]), crowd(40)
how = {**BRIEF, "epochs": 2, "valid": crowd(12, seed=1), "devices": devices, "lr": 1e-4}
for identity in ("merged", "separate"):
    model = new_franet(data, preset="small", identity=identity, **TINY)
    train_franet(data, model=model, identity=identity, checkpoint=f"{folder}/{identity}", **how)
torch.manual_seed(0)
sizes = {name: value for name, value in TINY.items() if name != "hidden"}
model = IDNet(6, num_attributes=3, **sizes)
model.people.meet(data.faces.identity)
train_idnet(data, model=model, checkpoint=f"{folder}/idnet", **how)
"""


def test_two_processes_give_the_answers_of_one(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    clean = ("LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR", "NODE_RANK")
    environment = {k: v for k, v in os.environ.items() if k not in clean}
    here = Path(__file__).parent
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{here.parent}{os.pathsep}{here}"}
    for devices in ("1", "2"):
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / devices), devices]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    pictures = crowd(12, seed=1).gather(range(12)).images
    for name in ("merged", "separate", "idnet"):
        one, _ = load_checkpoint(tmp_path / "1" / name)
        two, _ = load_checkpoint(tmp_path / "2" / name)
        assert torch.equal(one.people.known, two.people.known)
        for (what, mine), (_, theirs) in zip(two(pictures), one(pictures), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-2, rtol=1e-2, msg=f"{name} {what}")


# --- the command line -----------------------------------------------------------------------------

DRAWN = ["--data", "synth", "--size", "32", "--device", "cpu"]


def run_of(name, out, *more):
    arguments = ["train", name, *DRAWN, "--faces", "24", "--batch-size", "12", "--epochs", "1"]
    return main([*arguments, "--preset", "small", "--out", str(out), "--quiet", *more])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run of each method on drawn faces."""
    found = {}
    for name in FOUR:
        found[name] = tmp_path_factory.mktemp("run")
        assert run_of(name, found[name], "--no-valid") == 0
    return found


@pytest.mark.parametrize("name", FOUR)
def test_train_and_evaluate(folders, name, capsys):
    arguments = ["evaluate", str(folders[name]), *DRAWN, "--faces", "20", "--bootstrap", "5"]
    assert main([*arguments, "--json"]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["mean"]["accuracy"] <= 1


@pytest.mark.parametrize("name", FOUR)
def test_predict(folders, name, tmp_path, capsys):
    photo = tmp_path / "drawn.png"
    sample = ["data", "sample", "--data", "synth", "--size", "64", "--faces", "4", "--count", "1"]
    assert main([*sample, "--out", str(photo)]) == 0
    capsys.readouterr()
    assert main(["predict", str(folders[name]), str(photo), "--no-find", "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)
    assert len(face["attributes"]) == 40
    assert all(0 <= p <= 1 for p in face["attributes"].values())


@pytest.mark.parametrize("name", FOUR)
def test_export(folders, name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
    file = tmp_path / "net.onnx"
    assert main(["export", str(folders[name]), "--onnx", str(file)]) == 0
    model, _ = load_checkpoint(folders[name])
    images = torch.rand(5, 3, 48, 40)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(theirs, model(images).logits, atol=1e-4, rtol=1e-4)


def test_every_method_is_on_the_command_line(tmp_path, capsys):
    assert set(FOUR) <= set(methods())
    assert run_of("franet", tmp_path / "f", "--lambda-id", "0.3") == 0
    assert read_checkpoint(tmp_path / "f")[1]["record"]["lambda_id"] == 0.3
    assert run_of("mcnn", tmp_path / "m", "--aux", "--no-valid") == 0
    assert read_checkpoint(tmp_path / "m")[1]["arguments"]["aux"] is True
    assert run_of("franet", tmp_path / "f", "--lambda-id", "1", "--resume") == 1
    error = capsys.readouterr().err
    assert "cannot resume" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mcnn", "--lambda-id", "1"], "mcnn has no --lambda-id: it is for franet, fr+anet"),
        (["idnet", "--lambda-id", "1"], "idnet has no --lambda-id: it is for"),
        (["franet", "--aux"], "franet has no --aux: it is for mcnn"),
        (["idnet", "--aux"], "idnet has no --aux: it is for mcnn"),
        (["franet", "--teacher", "x"], "franet has no --teacher: it is for snet3"),
        (["franet", "--lambda-id", "-1"], "lambda_id=-1.0: give a finite number of at least 0"),
        (["fr+anet", "--lambda-id", "nan"], "lambda_id=nan: give a finite number"),
        (["fr+anet", "--lambda-id", "inf"], "lambda_id=inf: give a finite number"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, capsys):
    common = [*DRAWN, "--faces", "6", "--no-valid", "--quiet", "--out", str(tmp_path / "out")]
    assert main(["train", *arguments, *common]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("faceattr: error:") == 1
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_a_lambda_that_is_no_number(capsys):
    with pytest.raises(SystemExit):
        main(["train", "franet", "--lambda-id", "one"])
    assert "invalid float value" in capsys.readouterr().err
