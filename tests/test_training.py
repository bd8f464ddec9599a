"""fit: what it computes, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import math
import random
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from faceattr import training
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import CheckpointError, DataError, TrainingError, UnknownNameError
from faceattr.evaluation import evaluate
from faceattr.models.base import FaceModel, Outputs
from faceattr.training import fit
from faceattr.training.averaging import Average
from faceattr.training.callbacks import Callback, EarlyStopping
from faceattr.training.history import History
from faceattr.training.preflight import check_seed
from faceattr.training.resume import describe, epoch_seed
from faceattr.training.validation import quick_metrics

torch.set_num_threads(1)
M = 3


class Tiny(FaceModel):
    def __init__(self, width=4, num_attributes=M, dropout=0.0):
        super().__init__(width=width, num_attributes=num_attributes, dropout=dropout)
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, num_attributes)

    def forward(self, images):
        maps = torch.relu(self.norm(self.conv(self.normalize(images))))
        return Outputs(self.out(self.drop(maps.mean((2, 3)))))


class Jitter:
    """Brightness, as an Augment."""

    def __init__(self, strength=0.1):
        self.strength = strength

    def draw(self, count, generator):
        return {"shift": torch.randn(count, generator=generator) * self.strength}

    def apply(self, faces, draws):
        faces.images = faces.images + draws["shift"].to(faces.images.device)[:, None, None, None]
        return faces


def faces(count=20, seed=0, num_attributes=M, size=8, source="tiny"):
    """Pictures whose channel means tell the attributes."""
    g = torch.Generator().manual_seed(seed)
    truth = torch.rand(count, num_attributes, generator=g).round()
    noise = torch.rand(count, 3, size, size, generator=g)
    shade = torch.nn.functional.pad(truth, (0, max(0, 3 - num_attributes)))[:, :3, None, None]
    images = (255 * (0.6 * noise + 0.4 * shade)).to(torch.uint8)
    names = [f"a{j}" for j in range(num_attributes)]
    return FaceDataset(Faces(images, truth), names=names, source=source)


def loss(model, faces):
    return {"attributes": cross_entropy(model(faces.images).logits, faces.attributes)}


def two_losses(model, faces):
    logits = model(faces.images).logits
    return {"fit": cross_entropy(logits, faces.attributes), "small": 0.01 * logits.square().mean()}


def tiny(**arguments):
    torch.manual_seed(7)
    return Tiny(**arguments)


def run(model, data=None, objective=loss, **settings):
    settings = {"epochs": 3, "batch_size": 8, "device": "cpu", "progress": False} | settings
    return fit(model, faces() if data is None else data, objective, **settings)


def same(first, second):
    a, b = first.state_dict(), second.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def numbers(history):
    timing = ("seconds", "images_per_second")
    return [{k: v for k, v in row.items() if k not in timing} for row in history.rows]


class StopAt(Callback):
    """Ctrl-C, the real signal, in the middle of an epoch."""

    def __init__(self, epoch, step=2):
        self.at = (epoch, step)

    def on_step_end(self, run):
        if (run.epoch, run.step) == self.at:
            signal.raise_signal(signal.SIGINT)


# What it computes


def test_equals_a_loop_written_by_hand():
    data, model, mine = faces(), tiny(dropout=0.2), tiny(dropout=0.2)
    optimizer = torch.optim.AdamW(mine.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=9)
    sums = []
    for epoch in (1, 2, 3):
        torch.manual_seed(epoch_seed(5, epoch, 0))
        total = 0.0
        order = {"shuffle": True, "seed": epoch_seed(5, epoch), "augment": Jitter()}
        for batch in data.batches(8, **order):
            value = cross_entropy(mine(batch.images).logits, batch.attributes)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(mine.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            total += value.item() * len(batch)
        sums.append(total / len(data))
    history = run(model, data, schedule="one-cycle", augment=Jitter(), seed=5, clip=0.5)
    assert same(model, mine)
    assert history["loss"] == pytest.approx(sums, abs=1e-6)
    assert not model.training


def test_learns_and_reports():
    data, valid = faces(64), faces(40, seed=1)
    history = run(tiny(width=16), data, two_losses, epochs=15, lr=0.03, valid=valid)
    table = history.frame()
    assert list(table.columns) == [
        "loss", "fit", "small", "valid_accuracy", "valid_balanced_accuracy", "valid_loss", "lr",
        "seconds", "images_per_second",
    ]  # fmt: skip
    assert list(table.index) == list(range(1, 16))
    assert table["loss"].to_numpy() == pytest.approx((table["fit"] + table["small"]).to_numpy())
    assert table["loss"].iloc[-1] < 0.7 * table["loss"].iloc[0]
    assert table["valid_accuracy"].iloc[-1] > 0.8
    assert (table["images_per_second"] > 0).all()
    assert history.record["data"] == "tiny"
    assert history.record["seed"] == 0


def test_leaves_the_callers_randomness_alone():
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    model = tiny(dropout=0.5)
    torch.manual_seed(3)
    run(model)
    assert (torch.rand(1), np.random.rand(), random.random()) == expected


def test_seeds_differ_and_repeat():
    a, b, c = tiny(), tiny(), tiny()
    run(a, seed=1), run(b, seed=1), run(c, seed=2)
    assert same(a, b)
    assert not same(a, c)


@pytest.mark.parametrize("choice", [None, "constant", "cosine", "one-cycle"])
def test_schedules(choice):
    rates = []
    record_rate = type("R", (Callback,), {})()
    record_rate.on_step_end = lambda run: rates.append(run.optimizer.param_groups[0]["lr"])
    run(tiny(), schedule=choice, lr=0.01, epochs=4, callbacks=[record_rate])
    assert len(rates) == 12
    if choice in (None, "constant"):
        assert set(rates) == {0.01}
    else:
        assert rates[-2] < 2e-3  # a callback sees the rate of the step to come
        assert max(rates) == pytest.approx(0.01, rel=0.1)


def test_optimizers_by_name_and_by_call():
    seen = []
    run(tiny(), optimizer="sgd", epochs=1, callbacks=[lambda r: seen.append(r.optimizer)])
    run(
        tiny(), optimizer=torch.optim.Adam, epochs=1, callbacks=[lambda r: seen.append(r.optimizer)]
    )
    assert [type(o).__name__ for o in seen] == ["SGD", "Adam"]


def test_objective_with_parameters_is_trained():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, model, faces):
            logits = model(faces.images).logits * self.scale
            return {"attributes": cross_entropy(logits, faces.attributes)}

    objective = Scaled()
    run(tiny(), objective=objective)
    assert objective.scale.item() != 1.0


def test_bf16_runs_and_differs():
    a, b = tiny(), tiny()
    run(a), run(b, precision="bf16-mixed")
    assert not same(a, b)
    assert b.out.weight.dtype == torch.float32
    assert (a.out.weight - b.out.weight).abs().max() < 0.02


def test_quick_metrics_against_scikit_learn():
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

    model, data = tiny().eval(), faces(40)
    logits = model(data.gather(range(40)).images).logits.detach().double()
    data.faces.attributes[:7, 1] = -1  # unknown
    truth = data.attributes
    known = [truth[:, j] >= 0 for j in range(M)]
    pairs = [(truth[k, j], logits[k, j]) for j, k in enumerate(known)]
    found = quick_metrics(model, data, batch_size=16)
    assert found["accuracy"] == pytest.approx(
        np.mean([accuracy_score(t, z > 0) for t, z in pairs]), abs=1e-6
    )
    assert found["balanced_accuracy"] == pytest.approx(
        np.mean([balanced_accuracy_score(t, z > 0) for t, z in pairs]), abs=1e-6
    )
    t, z = torch.cat([t for t, _ in pairs]), torch.cat([z for _, z in pairs])
    assert found["loss"] == pytest.approx(log_loss(t, z.sigmoid()), abs=1e-5)


# Averaging


def test_ema_equals_torchs():
    averaged = []

    class Theirs(Callback):
        def on_step_end(self, run):
            if not averaged:
                averaged.append(
                    AveragedModel(
                        run.model, multi_avg_fn=get_ema_multi_avg_fn(0.1), use_buffers=True
                    )
                )
            averaged[0].update_parameters(run.model)

    model = tiny()
    run(model, average=Average("ema", decay=0.1), callbacks=[Theirs()], epochs=2)
    # min(0.1, (1 + n) / (10 + n)) is 0.1 from n = 0 on, so torch's constant decay agrees.
    theirs = averaged[0].module.state_dict()
    for name, mine in model.state_dict().items():
        if mine.is_floating_point():
            torch.testing.assert_close(mine, theirs[name])


def test_swa_is_the_mean_of_the_last_epochs_and_its_batchnorm_fits_it():
    data, states = faces(32), []
    model = tiny()
    keep = lambda r: states.append({k: v.clone() for k, v in r.model.state_dict().items()})  # noqa: E731
    run(model, data, average=Average("swa", share=0.5), epochs=4, callbacks=[keep])
    mean = (states[2]["conv.weight"] + states[3]["conv.weight"]) / 2
    torch.testing.assert_close(model.conv.weight, mean)
    batches = data.batches(8, shuffle=True, seed=epoch_seed(0, 4))
    with torch.no_grad():
        means = [model.conv(model.normalize(b.images)).mean((0, 2, 3)) for b in batches]
    torch.testing.assert_close(model.norm.running_mean, torch.stack(means).mean(0))


def test_average_is_what_is_reported(tmp_path):
    model, valid = tiny(), faces(30, seed=3)
    history = run(model, valid=valid, average="ema", checkpoint=tmp_path)
    assert history["valid_loss"][-1] == pytest.approx(quick_metrics(model, valid)["loss"])


# Going on


KINDS = {
    "plain": {},
    "one-cycle": {"schedule": "one-cycle", "augment": Jitter()},
    "sgd": {"optimizer": "sgd", "schedule": "cosine", "lr": 0.05},
    "ema": {"average": "ema", "schedule": "one-cycle"},
    "swa": {"average": Average("swa", share=0.7)},
    "custom": {"schedule": lambda o, n: torch.optim.lr_scheduler.StepLR(o, 2, 0.9)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_then_resume_gives_the_same_weights(tmp_path, kind):
    settings = KINDS[kind] | {"epochs": 5, "valid": faces(12, seed=2)}
    straight, stopped, resumed = (tiny(dropout=0.3) for _ in range(3))
    expected = run(straight, **settings)
    with pytest.raises(KeyboardInterrupt, match=r"epoch 4 of 5; epoch 3 is whole.*resume=True"):
        run(stopped, **settings, checkpoint=tmp_path, callbacks=[StopAt(4)])
    nn.init.zeros_(resumed.out.weight)  # whatever it held does not matter
    history = run(resumed, **settings, checkpoint=tmp_path, resume=True)
    assert same(straight, resumed)
    assert numbers(history) == numbers(expected)


def test_resume_with_a_stateful_objective(tmp_path):
    class Centre(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(M))
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, model, faces):
            self.seen += 1
            logits = model(faces.images).logits + self.shift / (1 + self.seen)
            return {"attributes": cross_entropy(logits, faces.attributes)}

    straight, resumed = tiny(), tiny()
    run(straight, objective=Centre())
    with pytest.raises(KeyboardInterrupt):
        run(tiny(), objective=Centre(), checkpoint=tmp_path, callbacks=[StopAt(2)])
    run(resumed, objective=Centre(), checkpoint=tmp_path, resume=True)
    assert same(straight, resumed)


def test_resume_when_done_returns_the_stored_history(tmp_path):
    first, second = tiny(), tiny(dropout=0.0)
    history = run(first, average="ema", checkpoint=tmp_path)
    again = run(second, average="ema", checkpoint=tmp_path, resume=True)
    assert again.rows == history.rows
    assert same(first, second)


def test_more_epochs_where_no_step_depends_on_their_number(tmp_path):
    straight, resumed = tiny(), tiny()
    run(straight, epochs=4)
    run(tiny(), epochs=2, checkpoint=tmp_path)
    assert len(run(resumed, epochs=4, checkpoint=tmp_path, resume=True)) == 4
    assert same(straight, resumed)


def test_resume_from_nothing_begins_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="from the beginning"):
        assert len(run(tiny(), checkpoint=tmp_path, resume=True)) == 3


def test_ctrl_c_without_a_folder_says_so():
    with pytest.raises(KeyboardInterrupt, match="pass checkpoint=folder"):
        run(tiny(), callbacks=[StopAt(2)])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"batch_size": 4}, "batch_size"),
        ({"data": faces(20, seed=9)}, "data"),
        ({"objective": two_losses}, "objective"),
        ({"lr": 0.5}, "optimizer"),
        ({"seed": 1}, "seed"),
        ({"augment": Jitter(0.2)}, "augment"),
        ({"model": tiny(width=5)}, "model"),
        ({"average": "ema"}, "average"),
        ({"epochs": 9}, "epochs"),
    ],
)
def test_resume_with_other_settings_is_refused(tmp_path, changed, named):
    settings = {"model": tiny(), "schedule": "one-cycle", "checkpoint": tmp_path}
    run(**settings, callbacks=[lambda run: run.epoch == 2])
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(TrainingError, match=rf"cannot resume.*: {named} \(was.*resume=False"):
        run(**settings | changed, resume=True)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_resume_from_a_torn_file(tmp_path):
    run(tiny(), checkpoint=tmp_path)
    last = tmp_path / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="torn"):
        run(tiny(), checkpoint=tmp_path, resume=True)


def test_resume_from_a_model_without_training_state(tmp_path):
    run(tiny(), checkpoint=tmp_path)
    (tmp_path / "best.safetensors").replace(tmp_path / "last.safetensors")
    with pytest.raises(CheckpointError, match="no training state"):
        run(tiny(), checkpoint=tmp_path, resume=True)


def test_best_is_the_best_epoch(tmp_path):
    kept = {}
    keep = lambda r: kept.update({r.epoch: r.model.out.weight.detach().clone()})  # noqa: E731
    history = run(
        tiny(),
        valid=faces(),
        metrics=Told((0.2, 0.9, 0.5)),
        monitor="valid_score",
        checkpoint=tmp_path,
        callbacks=[keep],
    )
    from faceattr.checkpoint import load_checkpoint

    model, header = load_checkpoint(tmp_path, expect=Tiny)
    assert torch.equal(model.out.weight, kept[2])
    assert header["epoch"] == 2
    assert history.best("valid_score")["epoch"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "best.safetensors", "history.csv", "last.safetensors",
    ]  # fmt: skip


class Told:
    """Metrics that are told beforehand: the score of epoch 1, 2, ..."""

    def __init__(self, scores, after=0):
        self.scores, self._epoch = scores, after

    def __call__(self, model, data):
        self._epoch += 1
        return {"score": self.scores[self._epoch - 1]}


def test_early_stopping_survives_a_resume(tmp_path):
    scores = (0.1, 0.5, math.nan, 0.5, 0.9)  # two epochs without improvement after the second
    stopper = EarlyStopping(patience=2, metric="valid_score")

    def go(folder, *callbacks, after=0, **more):
        told = Told(scores, after)
        settings = {"valid": faces(), "metrics": told, "epochs": 8, "checkpoint": folder}
        return run(tiny(), **settings, callbacks=[stopper, *callbacks], **more)

    assert len(go(tmp_path / "a")) == 4
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "b", StopAt(4))
    assert len(go(tmp_path / "b", after=3, resume=True)) == 4
    assert len(go(tmp_path / "b", after=4, resume=True)) == 4  # stopped: nothing left to do


# What it refuses


@pytest.mark.parametrize(
    ("no", "yes", "message"),
    [
        (-1.0, 1.0, "are 1 and -1 and never 0; .* turn it into 0"),
        (0.0, 2.0, r"a1 of face \d+ of tiny is 2: labels are 0 and 1, or -1 where nobody"),
        (0.0, 0.5, "is 0.5: labels are"),
        (float("nan"), 1.0, "is nan: labels are"),
    ],
)
def test_labels_that_are_none_are_refused(no, yes, message):
    data = faces()
    labels = data.attributes
    labels[:, 1:] = torch.where(labels[:, 1:] == 1, yes, no)
    if no == -1:
        labels[:, 0] = 1
    with pytest.raises(DataError, match=message):
        run(tiny(), data)
    with pytest.raises(DataError, match=message):
        evaluate(tiny(), data, device="cpu")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 2.5}, "batch_size=2.5"),
        ({"data": FaceDataset(faces().faces[:0], names=["a"] * M)}, "no training faces"),
        ({"valid": FaceDataset(faces().faces[:0], names=["a"] * M)}, "no validation faces"),
        ({"data": faces(num_attributes=5)}, "num_attributes=5"),
        ({"valid": faces(num_attributes=2)}, "validation faces have 2"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"clip": -1.0}, "clip=-1.0"),
        ({"resume": True}, "needs checkpoint"),
        ({"devices": 0}, "devices=0"),
        ({"precision": "8-true"}, "precision='8-true'"),
        ({"precision": "16-mixed"}, "needs CUDA"),
        ({"drop_last": True, "batch_size": 99}, "drop_last leaves nothing"),
        ({"monitor": "valid_f1"}, "needs validation faces"),
        ({"callbacks": [EarlyStopping()]}, "no validation faces"),
        ({"callbacks": [3]}, "no callback"),
        ({"model": tiny().requires_grad_(False)}, "nothing to train"),
        ({"objective": lambda m, f: {}}, "losses by name"),
        ({"objective": lambda m, f: m(f.images).logits.mean()}, "losses by name"),
        ({"objective": lambda m, f: {"x": m(f.images).logits}}, "'x' is .*not a scalar"),
        ({"objective": lambda m, f: {"x": torch.ones(())}}, "depends on a trainable"),
        ({"objective": lambda m, f: {"lr": m(f.images).logits.mean()}}, "rename"),
    ],
)
def test_bad_settings(changed, message):
    settings = {"model": tiny()} | changed
    with pytest.raises(TrainingError, match=message):
        run(**settings)


@pytest.mark.parametrize("setting", ["optimizer", "schedule", "average", "device"])
def test_unknown_names(setting):
    with pytest.raises(UnknownNameError, match="nonsense"):
        run(tiny(), **{setting: "nonsense"})


def test_one_face_left_alone_for_batchnorm1d():
    class Flat(Tiny):
        def __init__(self):
            super().__init__()
            self.flat = nn.BatchNorm1d(4)

        def forward(self, images):
            return Outputs(self.out(self.flat(self.conv(images).mean((2, 3)))))

    with pytest.raises(TrainingError, match="drop_last=True"):
        run(Flat(), faces(17))
    assert run(Flat(), faces(17), drop_last=True)["epoch"] == [1, 2, 3]


def test_a_model_that_does_not_take_the_size():
    class Fixed(Tiny):
        def forward(self, images):
            return super().forward(images.reshape(-1, 3, 4, 4))

    with pytest.raises(TrainingError, match="does not take the training faces of 5 x 5 pixels"):
        run(Fixed(), faces(size=5))


def test_loss_names_may_not_change_within_an_epoch():
    names = iter("ababab")
    with pytest.raises(TrainingError, match=r"losses b in step 2 of epoch 1, but a before"):
        run(tiny(), objective=lambda m, f: {next(names): m(f.images).logits.mean()})


def test_nan_is_named_and_the_last_good_epoch_kept(tmp_path):
    calls = iter(range(1, 99))

    def turns_bad(model, faces):
        logits = model(faces.images).logits
        bad = math.nan if next(calls) == 5 else 1.0
        return {"good": logits.mean(), "bad": logits.square().mean() * bad}

    with pytest.raises(
        TrainingError, match=r"'bad' is nan at epoch 2, step 2\. Lower lr.*epoch 1 is whole in"
    ):
        run(tiny(), objective=turns_bad, checkpoint=tmp_path)
    assert History.load(tmp_path)["epoch"] == [1]


def test_infinite_weights_after_the_last_step_are_not_saved(tmp_path):
    class Spoil(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (2, 3):
                run.model.out.bias.data[0] = math.inf

    with pytest.raises(TrainingError, match=r"not finite after epoch 2: out\.bias"):
        run(tiny(), checkpoint=tmp_path, callbacks=[Spoil()])
    assert History.load(tmp_path)["epoch"] == [1]


def test_checkpoint_that_is_a_file(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(TrainingError, match="is a file"):
        run(tiny(), checkpoint=tmp_path / "x")


def test_full_disk_keeps_the_old_files(tmp_path, monkeypatch):
    run(tiny(), checkpoint=tmp_path, epochs=1)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    write = training.loop.Snapshots.write

    def full(*args, **kwargs):
        def no_space(_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", no_space)
            write(*args, **kwargs)

    monkeypatch.setattr(training.loop.Snapshots, "write", full)
    with pytest.raises(TrainingError, match=r"cannot write .*\(No space left on device\).* MB"):
        run(tiny(), checkpoint=tmp_path, resume=True, epochs=2)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


# The table, and the bar


def test_history_saves_and_loads(tmp_path):
    history = run(tiny(), valid=faces(), checkpoint=tmp_path)
    path = history.save(tmp_path / "copy.csv")
    assert History.load(path).rows == history.rows
    assert History.load(tmp_path).rows == history.rows
    assert History.load(tmp_path / "best.safetensors").record["seed"] == 0
    assert History.load(tmp_path / "history.csv").rows == history.rows
    assert pd.read_csv(path)["loss"].tolist() == history["loss"]
    assert "<table" in history._repr_html_()
    assert "3 epochs" in repr(history)
    assert "no epoch" in repr(History())
    with pytest.raises(TrainingError, match="no column 'f1'.*valid_accuracy"):
        history["f1"]
    with pytest.raises(DataError, match="cannot read"):
        History.load(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column 'epoch'"):
        History.load(tmp_path / "other.csv")


def test_record_can_be_written_as_json():
    record = run(tiny(), record={"profile": "smoke"}).record
    assert json.loads(json.dumps(record)) == record
    assert record["profile"] == "smoke"
    assert record["seconds"] >= 0


def test_bar_shows_loss_and_speed(capsys):
    run(tiny(), progress=True)
    shown = capsys.readouterr().err
    assert "epoch 3/3" in shown
    assert "loss" in shown
    assert "60/60" in shown
    run(tiny(), progress=False)
    assert capsys.readouterr().err == ""


def test_describe_has_no_addresses():
    def make(scale):
        return lambda model, faces: scale

    assert describe(make(2)) == describe(make(2)) != describe(make(3))
    assert "0x" not in describe([object(), Jitter(), make(object())])
    assert describe(torch.ones(2)) != describe(torch.zeros(2))


def test_compile_gives_the_same_numbers():
    a, b = tiny(), tiny()
    run(a, faces(16)), run(b, faces(16), compile="aot_eager")
    torch.testing.assert_close(a.out.weight, b.out.weight, atol=1e-5, rtol=1e-4)


def test_seeds_of_numpy_and_bad_ones():
    assert check_seed(np.int64(3)) == 3
    assert type(check_seed(np.int64(3))) is int
    for seed in (-1, 2**63, 1.5):
        with pytest.raises(TrainingError, match="seed="):
            check_seed(seed)
