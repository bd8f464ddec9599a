"""MCFA's recipes and their place on the command line, on a few drawn scenes."""

import json

import pytest
import torch
from PIL import Image
from squares import QUIET, same

from faceattr.cascade import Cascade
from faceattr.checkpoint import load_checkpoint, save_checkpoint
from faceattr.cli import main
from faceattr.data.faces import UNKNOWN
from faceattr.data.synthetic import SynthFaces
from faceattr.data.window_samples import FaceWindows
from faceattr.errors import DataError, UnknownNameError
from faceattr.evaluation import evaluate
from faceattr.models.mcfa import MCFA, VARIANTS
from faceattr.objectives.weighting import LEARNED, SCHEMES
from faceattr.recipes import methods, recipe
from faceattr.recipes.mcfa import METHODS, new_mcfa, scenes_with_boxes, train_mcfa, train_windows
from faceattr.recipes.mcfa_watch import window_metrics
from faceattr.training.callbacks import Callback

SHORT = {"epochs": 2, "batch_size": 16, **QUIET}


@pytest.fixture(scope="module")
def scenes():
    return SynthFaces(16, size=96, view="wild", seed=0)


@pytest.fixture(scope="module")
def windows(scenes):
    return FaceWindows(scenes, size=112, seed=0)


@pytest.fixture(scope="module")
def run(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mcfa")
    valid = SynthFaces(6, size=96, view="wild", split="valid")
    with pytest.warns(UserWarning, match="no face of"):
        model, history = train_mcfa(
            scenes, valid=valid, weighting="equal", recall=0.5, checkpoint=folder, **SHORT
        )
    return folder, model, history


def test_one_call_leaves_a_cascade(run):
    folder, model, history = run
    names = {path.name for path in folder.iterdir()}
    assert {"best.safetensors", "last.safetensors", "history.csv", "cascade.json"} <= names
    wanted = {"attributes", "faces", "boxes", "landmarks"}
    wanted |= {"valid_accuracy", "valid_faces", "valid_landmark_error"}
    assert wanted <= set(history.columns)
    assert history["loss"][1] < history["loss"][0]
    assert history.record["method"] == "MCFA"
    assert history.record["weighting"] == "equal"
    chosen = json.loads((folder / "cascade.json").read_text())
    cascade = Cascade.load(folder / "last.safetensors", device="cpu")
    assert list(cascade.thresholds) == chosen["thresholds"]
    assert same(cascade.model, model)
    again, header = load_checkpoint(folder)
    assert header["framing"] == "wild"
    assert header["size"] == [112, 112]
    assert again.config == model.config


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_trains_what_it_says(windows, variant):
    model, history, trace = train_windows(
        windows, variant=variant, valid=windows, **{**SHORT, "epochs": 1}
    )
    tasks = VARIANTS[variant]
    assert model.config["tasks"] == list(tasks)
    assert ("faces" in history.columns) == ("detection" in tasks)
    assert ("boxes" in history.columns) == ("detection" in tasks)
    assert ("landmarks" in history.columns) == ("landmarks" in tasks)
    assert ("valid_faces" in history.columns) == ("detection" in tasks)
    assert ("valid_landmark_error" in history.columns) == ("landmarks" in tasks)
    assert trace.shape == (1, 2, 3, 40)
    torch.testing.assert_close(trace[0, 0].sum(1), torch.ones(3), atol=1e-3, rtol=0)
    faces = 32 if "detection" in tasks else 16
    assert f"{faces} faces" in history.record["settings"]["data"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_weighting_trains(windows, scheme):
    model, history, trace = train_windows(windows, scheme=scheme, **{**SHORT, "epochs": 6})
    assert history["loss"][-1] < history["loss"][0]
    assert bool(model.config["weights"]) == (scheme in LEARNED)
    assert (trace > 0).all()
    moved = (trace[:, 0] - 1 / 40).abs().amax((1, 2)) > 1e-6  # (epochs,)
    assert moved[-1] == (scheme != "equal")
    if scheme == "dwa":
        assert moved.tolist() == [False, False, True, True, True, True]


class Interrupt(Callback):
    """Ctrl-C after an epoch."""

    def on_epoch_end(self, run):
        if run.epoch == 3:
            raise KeyboardInterrupt


class Never(Callback):
    """No training is to begin."""

    def on_start(self, run):
        raise AssertionError("training began")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(windows, tmp_path, scheme):
    how = {**SHORT, "epochs": 4, "scheme": scheme}
    model, _, trace = train_windows(windows, **how)
    with pytest.raises(KeyboardInterrupt):
        train_windows(windows, checkpoint=tmp_path, callbacks=[Interrupt()], **how)
    again, history, rest = train_windows(windows, checkpoint=tmp_path, resume=True, **how)
    assert same(again, model)
    torch.testing.assert_close(rest, trace)
    assert len(history) == 4
    done, _, third = train_windows(windows, checkpoint=tmp_path, resume=True, **how)
    assert same(done, model)
    torch.testing.assert_close(third, trace)


def test_new_networks_begin_at_the_log_odds(windows):
    model = new_mcfa("small", "MCFA", 40, 0)
    assert model.heads[0].weights is not None
    assert new_mcfa("small", "MCFA", 40, 0, "dwa").heads[2].weights is None
    assert same(model, new_mcfa("small", "MCFA", 40, 0))
    assert not same(model, new_mcfa("small", "MCFA", 40, 1))
    still = {"lr": 1e-30, "schedule": None, "average": None}
    trained, _, _ = train_windows(windows, scheme="equal", **{**SHORT, "epochs": 1, **still})
    share = windows.attributes[:16].mean(0).clamp(0.01, 0.99)
    for heads in trained.heads:
        torch.testing.assert_close(heads.answers["attributes"][-1].bias.sigmoid(), share)


def test_metrics_by_hand(windows):
    model = new_mcfa("small", "MCFA", 40, 0).eval()
    found = window_metrics(model, windows, batch_size=10)
    outputs = model(windows.gather(range(32)).images)
    said = outputs.face_logits > 0
    right = (said[:16].float().mean() + (~said[16:]).float().mean()) / 2
    assert found["faces"] == pytest.approx(right.item())
    off = (outputs.landmarks[:16] - windows.faces.landmarks[:16]).norm(dim=-1).mean() / 112
    assert found["landmark_error"] == pytest.approx(off.item(), rel=1e-4)
    assert 0 <= found["accuracy"] <= 1


def test_scenes_and_all_their_boxes(scenes):
    images, truth = scenes_with_boxes(scenes, 3)
    assert [tuple(image.shape) for image in images] == [(3, 96, 96)] * 3
    assert torch.equal(torch.cat(truth), scenes.faces.box[:3])
    padded = scenes.subset(range(2))
    padded.extent = torch.tensor([[96.0, 50], [40, 96]])
    padded.others = torch.full((2, 3, 4), torch.nan)
    padded.others[1, 0] = torch.tensor([0.0, 0, 10, 10])
    images, truth = scenes_with_boxes(padded)
    assert [tuple(image.shape[1:]) for image in images] == [(50, 96), (96, 40)]
    assert [len(boxes) for boxes in truth] == [1, 2]


def test_what_cannot_work_is_refused(windows, scenes):
    with pytest.raises(UnknownNameError, match="unknown preset 'large'"):
        train_windows(windows, preset="large", **SHORT)
    with pytest.raises(DataError, match="unknown variant 'MCFA_X'"):
        train_windows(windows, variant="MCFA_X", **SHORT)
    with pytest.raises(UnknownNameError, match="unknown weighting 'best'"):
        train_mcfa(scenes, weighting="best", **SHORT)
    with pytest.raises(DataError, match="recall=1.5"):  # at once, not after hours of training
        train_mcfa(scenes, recall=1.5, **{**SHORT, "callbacks": [Never()]})
    bare = windows.subset(range(32))
    bare.faces.landmarks = None
    with pytest.raises(DataError, match="no landmarks to learn landmarks from"):
        train_windows(bare, **SHORT)
    bare.faces.box = torch.full_like(bare.faces.box, torch.nan)
    with pytest.raises(DataError, match="no box to learn detection from"):
        train_windows(bare, variant="MCFA_FD_FAC", **SHORT)
    aligned = SynthFaces(4, size=32)
    aligned.faces.box = None
    with pytest.raises(DataError, match="whole pictures that say where the face is"):
        train_mcfa(aligned, **SHORT)
    unknown = windows.subset(range(32))
    unknown.faces.attributes = torch.full_like(windows.attributes, UNKNOWN)
    with pytest.warns(UserWarning, match="no label of"):
        _, history, _ = train_windows(unknown, scheme="equal", **{**SHORT, "epochs": 1})
    assert history["attributes"] == [0.0]
    assert history["faces"][0] > 0


def test_four_methods_are_offered():
    assert set(METHODS) <= set(methods())
    for name in METHODS:
        assert recipe(name).scenes
        assert "weighting" in recipe(name).options


# --- command line ---------------------------------------------------------------------------------

FEW = ["--faces", "12", "--size", "96", "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The variants as a reader trains them."""
    root = tmp_path_factory.mktemp("cli")
    for method in METHODS:
        arguments = ["train", method, *FEW, "--epochs", "1", "--quiet", "--no-valid"]
        assert main([*arguments, "--weighting", "equal", "--out", str(root / method)]) == 0
    return root


def test_train_and_evaluate(trained, capsys):
    for method, variant in METHODS.items():
        model, header = load_checkpoint(trained / method)
        assert isinstance(model, MCFA)
        assert header["record"]["method"] == variant
    arguments = ["evaluate", str(trained / "mcfa-fac"), *FEW, "--bootstrap", "0", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert "12 windows of faces, 0 of none" in found["record"]["data"]
    data = FaceWindows(
        SynthFaces(12, size=96, view="wild", split="test"),
        shift=0.0, scale=1.0, non_faces=0.0, border=0.0,
    )  # fmt: skip
    model, _ = load_checkpoint(trained / "mcfa-fac")
    report = evaluate(model, data, device="cpu", bootstrap=0)
    assert found["mean"]["accuracy"] == pytest.approx(report.mean["accuracy"])


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.png"
    picture = SynthFaces(1, size=128, view="wild", seed=5).faces.images[0]
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
    return path


def test_predict_draws_what_it_finds(trained, scene, tmp_path, capsys):
    (trained / "mcfa" / "cascade.json").write_text(json.dumps({"thresholds": [0, 0, 0]}))
    out = tmp_path / "found.png"
    arguments = ["predict", "--method", "mcfa", str(trained / "mcfa"), str(scene)]
    assert main([*arguments, "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "face at (" in said.out
    assert "eyes, nose, mouth at (" in said.out
    assert f"faces drawn on {out}" in said.err
    assert Image.open(out).size == (128, 128)
    assert main([*arguments, "--json", "--device", "cpu"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["file"] == str(scene)
    assert {"box", "score", "landmarks", "attributes"} == set(row["faces"][0])
    (trained / "mcfa" / "cascade.json").write_text(json.dumps({"thresholds": [1, 1, 1]}))
    assert main([*arguments, "--device", "cpu"]) == 0
    assert "scene.png: 0 faces" in capsys.readouterr().out


def test_predict_names_the_photo_that_fails(trained, scene, tmp_path, capsys):
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff\xe0 torn")
    arguments = ["predict", str(trained / "mcfa"), str(torn), str(scene), "--method", "mcfa"]
    assert main([*arguments, "--json", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 1
    assert "torn.jpg" in said.err


def test_the_shipped_checkpoint_is_meant_where_none_is_named(scene, tmp_path, capsys, monkeypatch):
    from faceattr import checkpoint

    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path)
    arguments = ["predict", "--method", "mcfa", str(scene), "--device", "cpu"]
    assert main(arguments) == 1
    assert "needs a checkpoint before the photos" in capsys.readouterr().err
    told = {"cascade": {"thresholds": [1, 1, 1]}}
    save_checkpoint(tmp_path / "mcfa-mixed.safetensors", MCFA.small(), record=told)
    assert main(arguments) == 0
    assert "scene.png: 0 faces" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "mcfa", "--view", "aligned", *FEW], "--view aligned shows faces that are cut"),
        (["train", "snet3", "--weighting", "equal", *FEW], "has no --weighting: it is for mcfa"),
        (
            ["train", "mcfa-fac", "--recall", "0.9", *FEW],
            "has no --recall: it is for mcfa, mcfa-fd",
        ),
        (["train", "mcfa", "--steps", "frl", *FEW], "mcfa has no --steps"),
        (["train", "mcfa", "--data", "celeba"], "--root"),
        (["train", "mcfa", "--data", "celeba", "--root", "x", "--size", "64x48"], "in a square"),
        (["train", "mcfa", "--data", "celeba", "--root", "x", "--faces", "9"], "--limit"),
        (["predict", "--method", "mcfa", "x.png", "--heatmap", "Bald"], "--heatmap does not go"),
        (["predict", "--method", "mcfa", "x.png", "--regions"], "--regions does not go"),
        (["predict", "--method", "mcfa", "x.png", "--no-find"], "--no-find does not go"),
        (["predict", "--method", "mcfa", "x.png", "--out", "x.pdf"], "x.pdf"),
        (["predict", "--method", "mcfa", "x.png", "y.png", "--out", "z.png"], "one picture"),
        (["predict", "--method", "mcfa", "snet3-celeba", "x.png"], "MCFA"),
        (["train", "mcfa", "--recall", "0.9", "--no-valid"], "--recall chooses thresholds"),
        (["train", "mcfa", "--recall", "0.9", "--split", "test"], "--recall chooses thresholds"),
        (["predict", "--method", "mcfa", "no-such-folder", "x.png"], "no-such-folder"),
    ],
)
def test_one_clear_error(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACEATTR_CELEBA", raising=False)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("faceattr: error:") == 1


def test_a_variant_without_detection_finds_nothing(trained, scene, capsys):
    arguments = ["predict", str(trained / "mcfa-fac"), str(scene), "--method", "mcfa"]
    assert main([*arguments, "--device", "cpu"]) == 1
    assert "not trained to detect faces" in capsys.readouterr().err
