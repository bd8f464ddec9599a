"""The command line, run as a reader would: real subprocess-free calls of main() on drawn faces."""

import json

import pytest
import torch
from PIL import Image

from faceattr.attributes import ATTRIBUTES
from faceattr.checkpoint import save_checkpoint
from faceattr.cli import main
from faceattr.models import Majority

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


def test_evaluate_takes_the_view_from_the_checkpoint(tmp_path, capsys):
    arguments = ["train", "snet3", *SMALL, "--view", "unaligned", "--faces", "6", "--no-valid"]
    assert main([*arguments, "--epochs", "1", "--quiet", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    arguments = ["evaluate", str(tmp_path), *SMALL, "--faces", "20", "--bootstrap", "0", "--json"]
    for more, view in (([], "unaligned"), (["--view", "aligned"], "aligned")):
        assert main([*arguments, *more]) == 0
        data = json.loads(capsys.readouterr().out)["record"]["data"]
        assert data.startswith(f"SynthFaces {view} ")


def test_a_view_that_photographs_do_not_have(tmp_path, capsys):
    arguments = ["train", "frl", "--data", "celeba", "--root", str(tmp_path), "--view", "unaligned"]
    assert main(arguments) == 1
    assert "--view unaligned is for drawn faces: photographs are" in capsys.readouterr().err


def test_evaluate_with_mirror_images_is_recorded(run_folder, capsys):
    arguments = ["evaluate", str(run_folder), *SMALL, "--faces", "40", "--bootstrap", "20"]
    precision = {}
    for more in ([], ["--flip"]):
        assert main([*arguments, "--json", *more]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["record"]["flip"] is bool(more)
        precision[bool(more)] = report["mean"]["average_precision"]
    assert precision[True] != precision[False]


def test_resume_of_a_finished_run_changes_nothing(run_folder):
    before = (run_folder / "best.safetensors").read_bytes()
    arguments = ["train", "snet3", *SMALL, "--faces", "80", "--batch-size", "20", "--epochs", "2"]
    assert main([*arguments, "--out", str(run_folder), "--resume", "--quiet"]) == 0
    assert (run_folder / "best.safetensors").read_bytes() == before


def test_a_finished_run_is_not_overwritten_unasked(tmp_path, capsys):
    arguments = ["train", "frl", "--preset", "small", *SMALL, "--faces", "6", "--no-valid"]
    arguments += ["--epochs", "1", "--quiet", "--out", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert said.count("no face of") == 1  # a warning is printed once, whoever raises it
    before = (tmp_path / "last.safetensors").read_bytes()
    assert main([*arguments, "--seed", "1"]) == 1
    assert "holds a run: --resume goes on with it, --overwrite" in capsys.readouterr().err
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert main([*arguments, "--seed", "1", "--overwrite"]) == 0
    assert (tmp_path / "last.safetensors").read_bytes() != before


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
        (["predict", "photo.jpg", "--heatmap", "Smiling", "--out", "x"], ".png"),
        (["predict", "weights.pt", "photo.jpg"], "weights.pt"),
        (["predict", "snet3-celeba", "."], "is a folder"),
        (["train", "snet3", "--faces", "20", "--size", "32", "--device", "warp"], "warp"),
        (["predict", "photo.jpg", "--device", "meta"], "meta"),
        (["data", "sample", "--faces", "20", "--count", "0"], "--count 0"),
        (["data", "sample", "--faces", "20", "--out", "x.xyz"], "x.xyz"),
        (["data", "sample", "--faces", "9", "--size", "32", "--out", "folder.png"], "folder.png"),
        (["data", "info", "--data", "celeba", "--root", ".", "--faces", "9"], "--limit"),
        (["evaluate", "snet3-celeba", "--predictions"], "--out"),
        (["evaluate", "snet3-celeba", *SMALL, "--faces", "9", "--batch-size", "0"], "batch_size=0"),
        (["evaluate", "snet3-celeba", *SMALL, "--faces", "9", "--bootstrap", "-1"], "bootstrap=-1"),
    ],
)
def test_one_clear_error(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACEATTR_CELEBA", raising=False)
    (tmp_path / "folder.png").mkdir()
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("faceattr: error:") == 1
    assert "Traceback" not in error


@pytest.mark.parametrize("seed", ["-1", str(2**63), "x"])
def test_seeds_that_no_generator_takes(seed, capsys):
    for verb in (["train", "snet3"], ["evaluate", "snet3-celeba"], ["data", "sample"]):
        with pytest.raises(SystemExit):
            main([*verb, "--seed", seed])
        assert "no seed" in capsys.readouterr().err


def test_a_checkpoint_of_other_attributes_is_not_evaluated(tmp_path, capsys):
    names = ATTRIBUTES[::-1]
    save_checkpoint(tmp_path / "x.safetensors", Majority(40), attributes=names, size=(32, 32))
    arguments = ["evaluate", str(tmp_path / "x.safetensors"), *SMALL, "--faces", "9"]
    assert main(arguments) == 1
    assert f"first {names[0]}" in capsys.readouterr().err


def test_celeba_without_a_root(capsys, monkeypatch):
    monkeypatch.delenv("FACEATTR_CELEBA", raising=False)
    assert main(["data", "info", "--data", "celeba"]) == 1
    assert "--root" in capsys.readouterr().err


def test_data_info_as_json(capsys):
    assert main(["data", "info", "--faces", "60", "--size", "32", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["faces"] == 60
    assert set(facts["prevalence"]) == set(ATTRIBUTES)
