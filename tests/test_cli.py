"""The command line, run as a reader would: real subprocess-free calls of main() on drawn faces."""

import json

import pytest
import torch
from PIL import Image

from faceattr.attributes import ATTRIBUTES
from faceattr.cli import main

SMALL = ["--data", "synth", "--size", "32", "--device", "cpu"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A short SNet3 run on drawn faces."""
    out = tmp_path_factory.mktemp("run")
    arguments = ["train", "snet3", *SMALL, "--faces", "80", "--batch-size", "20"]
    assert main([*arguments, "--epochs", "2", "--out", str(out), "--quiet"]) == 0
    return out


def test_train_leaves_best_and_last(run_folder):
    names = {path.name for path in run_folder.iterdir()}
    assert {"best.safetensors", "last.safetensors", "history.csv"} <= names


def test_evaluate_prints_one_json_object(run_folder, capsys):
    arguments = ["evaluate", str(run_folder), *SMALL, "--faces", "40", "--bootstrap", "20"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["attributes"]) == set(ATTRIBUTES)
    assert 0 <= report["mean"]["accuracy"] <= 1


def test_evaluate_takes_size_from_the_checkpoint(run_folder, tmp_path, capsys):
    out = tmp_path / "report.json"
    arguments = ["evaluate", str(run_folder), "--faces", "40", "--bootstrap", "20"]
    assert main([*arguments, "--out", str(out), "--device", "cpu"]) == 0
    assert "Smiling" in capsys.readouterr().out
    assert out.exists()


def test_resume_of_a_finished_run_changes_nothing(run_folder):
    before = (run_folder / "best.safetensors").read_bytes()
    arguments = ["train", "snet3", *SMALL, "--faces", "80", "--batch-size", "20", "--epochs", "2"]
    assert main([*arguments, "--out", str(run_folder), "--resume", "--quiet"]) == 0
    assert (run_folder / "best.safetensors").read_bytes() == before


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "drawn.png"
    assert (
        main(["data", "sample", *SMALL[:4], "--faces", "4", "--count", "1", "--out", str(path)])
        == 0
    )
    return path


def test_predict_and_heatmap(run_folder, photo, tmp_path, capsys):
    picture = tmp_path / "map.png"
    arguments = ["predict", str(run_folder), str(photo), "--all", "--device", "cpu"]
    assert main([*arguments, "--heatmap", "smiling", "--out", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("Smiling", "Wavy Hair", "5 o'Clock Shadow"))
    assert min(Image.open(picture).size) > 50


def test_predict_names_the_photo_that_fails_and_scores_the_rest(
    run_folder, photo, tmp_path, capsys
):
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff\xe0 torn")
    capsys.readouterr()
    assert main(["predict", str(run_folder), str(torn), str(photo), "--json"]) == 1
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 1
    assert "torn.jpg" in captured.err


def test_export_matches_the_network(run_folder, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
    from faceattr.checkpoint import load_checkpoint

    file = tmp_path / "net.onnx"
    assert main(["export", str(run_folder), "--onnx", str(file)]) == 0
    model, _ = load_checkpoint(run_folder)
    images = torch.rand(5, 3, 48, 40)  # another batch size, height and width than exported
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(theirs, model.eval()(images).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "snet9"], "snet3"),
        (["evaluate", "no-such-checkpoint"], "snet3-celeba"),
        (["train", "snet3", "--data", "celeba", "--root", "no/such/folder"], "no/such/folder"),
        (["data", "info", "--faces", "0"], "0"),
        (["data", "info", "--size", "64x48"], "square"),
        (["predict", "no-such-photo.jpg"], "no-such-photo.jpg"),
        (["predict", "photo.jpg", "--heatmap", "Smiling"], "--out"),
        (["predict", "snet3-celeba"], "IMAGE"),
        (["predict", "photo.jpg", "--heatmap", "Smilling", "--out", "x.png"], "Smiling"),
        (["train", "snet3", "--faces", "20", "--size", "32", "--device", "warp"], "warp"),
    ],
)
def test_one_clear_error(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACEATTR_CELEBA", raising=False)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("faceattr: error:") == 1
    assert "Traceback" not in error


def test_celeba_without_a_root(capsys, monkeypatch):
    monkeypatch.delenv("FACEATTR_CELEBA", raising=False)
    assert main(["data", "info", "--data", "celeba"]) == 1
    assert "--root" in capsys.readouterr().err


def test_data_info_as_json(capsys):
    assert main(["data", "info", "--faces", "60", "--size", "32", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["faces"] == 60
    assert set(facts["prevalence"]) == set(ATTRIBUTES)
