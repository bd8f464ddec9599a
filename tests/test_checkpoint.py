"""Checkpoints: whole or not at all, and clear about everything that does not fit."""

from __future__ import annotations

import json
import os
import resource
import struct

import pytest
import safetensors.torch
import torch
from torch import nn

from faceattr import checkpoint
from faceattr.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint, write_atomically
from faceattr.errors import CheckpointError, TrainingError
from faceattr.models import models
from faceattr.models.base import FaceModel, Outputs
from faceattr.prediction import Predictor
from faceattr.record import commit, host, run_record, shorten


class Small(FaceModel):
    def __init__(self, width=2):
        super().__init__(width=width)
        self.conv = nn.Conv2d(3, width, 1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, images):
        return Outputs(self.norm(self.conv(images)).mean((2, 3)))


class Other(Small):
    pass


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(models(), "Small", Small)


@pytest.fixture
def saved(tmp_path):
    model = Small(width=3)
    model.norm.running_mean.normal_()
    names = ("Smiling", "Male", "Young")
    path = save_checkpoint(
        tmp_path / "m.safetensors", model, record={"seed": 4}, attributes=names, size=(9, 8)
    )
    return model, path


def test_round_trip(saved):
    model, path = saved
    again, header = load_checkpoint(path)
    images = torch.rand(2, 3, 5, 5)
    assert torch.equal(again(images).logits, model.eval()(images).logits)
    assert not again.training
    assert header["record"] == {"seed": 4}
    assert header["attributes"] == ["Smiling", "Male", "Young"]
    assert header["size"] == [9, 8]
    assert [p.name for p in path.parent.iterdir()] == ["m.safetensors"]


def test_others_can_read_the_tensors(saved):
    model, path = saved
    tensors = safetensors.torch.load_file(path)
    assert tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(tensors[name], t) for name, t in model.state_dict().items())


def test_tied_and_strided_tensors(tmp_path):
    class Tied(Small):
        def __init__(self):
            super().__init__(3)
            self.twin = self.conv
            self.config = {}
            self.conv.weight.data = torch.randn(3, 3, 1, 1).transpose(0, 1)

    model = Tied()
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "t.safetensors", model), expect=Tied)
    assert torch.equal(again.twin.weight, model.conv.weight)


def test_every_listed_model_builds_again(tmp_path):
    for name, kind in models().items():
        model = kind.small().eval()
        again, _ = load_checkpoint(save_checkpoint(tmp_path / f"{name}.safetensors", model))
        images = torch.rand(1, 3, 64, 64)
        assert torch.equal(again(images).logits, model(images).logits)


def test_folder_means_its_best(saved, tmp_path):
    model, path = saved
    path.rename(tmp_path / "best.safetensors")
    save_checkpoint(tmp_path / "last.safetensors", Small(width=1))
    assert load_checkpoint(tmp_path)[0].conv.out_channels == 3
    (tmp_path / "best.safetensors").unlink()
    assert load_checkpoint(tmp_path)[0].conv.out_channels == 1


def test_shipped_by_name(saved, monkeypatch):
    _, path = saved
    monkeypatch.setattr(checkpoint, "SHIPPED", path.parent)
    assert checkpoint.shipped() == ["m"]
    assert load_checkpoint("m")[0].conv.out_channels == 3
    with pytest.raises(CheckpointError, match=r"no checkpoint 'n'.*shipped one \(m\)"):
        load_checkpoint("n")


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors"):
        load_checkpoint(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match="expected best.safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("cut", [0, 5, 200, -1])
def test_torn(saved, cut):
    path = saved[1]
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"m\.safetensors is torn or no safetensors file"):
        load_checkpoint(path)


def test_a_pickle_is_refused(tmp_path):
    torch.save(Small().state_dict(), tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_checkpoint(tmp_path / "x.pt")


def test_foreign_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    for metadata in (None, {"format": "pt"}, {"faceattr": "{"}, {"faceattr": "[1]"}):
        safetensors.torch.save_file({"a": torch.ones(1)}, path, metadata)
        with pytest.raises(CheckpointError, match="no faceattr metadata"):
            load_checkpoint(path)


def change_header(path, **changes):
    tensors, header = read_checkpoint(path)
    text = json.dumps(header | changes)
    path.write_bytes(safetensors.torch.save(tensors, {"faceattr": text}))


def test_newer_version(saved):
    change_header(saved[1], format_version=checkpoint.FORMAT + 1)
    with pytest.raises(CheckpointError, match="newer faceattr: pip install -U"):
        load_checkpoint(saved[1])


def test_another_model(saved):
    with pytest.raises(CheckpointError, match="holds a Small, not a Other"):
        load_checkpoint(saved[1], expect=Other)


def test_unknown_model_and_arguments(saved):
    change_header(saved[1], model="Nobody")
    with pytest.raises(CheckpointError, match="Nobody"):
        load_checkpoint(saved[1])
    change_header(saved[1], model="Small", arguments={"depth": 3})
    with pytest.raises(CheckpointError, match="depth"):
        load_checkpoint(saved[1])
    with pytest.raises(CheckpointError, match="depth"):
        load_checkpoint(saved[1], expect=Small)


def test_tensors_that_do_not_fit(saved):
    change_header(saved[1], arguments={"width": 5})
    with pytest.raises(
        CheckpointError, match=r"of another shape: conv\.weight \(\(3, 3, 1, 1\) in the file"
    ):
        load_checkpoint(saved[1])
    tensors, header = read_checkpoint(saved[1])
    tensors["extra"] = tensors.pop("conv.bias")
    header["arguments"] = {"width": 3}
    saved[1].write_bytes(safetensors.torch.save(tensors, {"faceattr": json.dumps(header)}))
    with pytest.raises(CheckpointError, match=r"missing: conv\.bias; unexpected: extra"):
        load_checkpoint(saved[1])


def test_header_without_a_length(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(CheckpointError, match="torn"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format_version": None}, "no faceattr metadata"),
        ({"size": [96, "80"]}, "damaged .size"),
        ({"size": [0, 80]}, "damaged .size"),
        ({"attributes": [1, 2]}, "damaged .attributes"),
        ({"attributes": ["Smiling"]}, "names 1 attributes and its Majority scores 3"),
        ({"arguments": {"num_attributes": -1}}, "cannot build"),
    ],
)
def test_damaged_header(tmp_path, change, says):
    path = save_checkpoint(tmp_path / "x.safetensors", models()["Majority"](3), size=(8, 8))
    with safetensors.safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["faceattr"]) | change
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, {"faceattr": json.dumps(header)})
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(path)


def test_a_checkpoint_of_no_size_cannot_cut_photos(tmp_path):
    path = save_checkpoint(tmp_path / "x.safetensors", models()["Majority"](3))
    with pytest.raises(CheckpointError, match="does not say the size"):
        Predictor.load(path)


def test_model_that_cannot_be_described(tmp_path):
    model = Small()
    model.config["width"] = object()
    with pytest.raises(CheckpointError, match="JSON-able"):
        save_checkpoint(tmp_path / "x.safetensors", model)
    assert not list(tmp_path.iterdir())


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path):
    path = write_atomically(tmp_path / "a.bin", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:  # the kernel itself refuses what goes beyond 1000 bytes, half-way through the file
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(
            TrainingError, match=r"cannot write .*a\.bin .*needs 2\.0 MB and .* free"
        ):
            write_atomically(path, bytes(2_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_only_a_file_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("pipe", "device or pipe"), (".", "folder")):
        with pytest.raises(TrainingError, match=f"it is a {kind}"):
            write_atomically(tmp_path / name, b"")
    assert not (tmp_path / "pipe").is_file()
    with pytest.raises(TrainingError, match="cannot write .*name too long"):
        write_atomically(tmp_path / ("x" * 300), b"")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="choose another folder"):
        write_atomically(tmp_path / "file" / "a.bin", b"")


# Records


@pytest.mark.parametrize(
    ("line", "short"),
    [
        ("x train --root /data/me/celeba --seed 0", "x train --root celeba --seed 0"),
        ("x --root=/data/me/celeba/", "x --root=celeba"),
        ("x ~/faces", "x faces"),
        (r"x C:\Users\me\faces --y", "x faces --y"),
        ("CelebA('/a/b', split='train')", "CelebA('b', split='train')"),
        ("batches of 3/4, and/or, 96 / 80", "batches of 3/4, and/or, 96 / 80"),
    ],
)
def test_no_private_path_in_a_record(line, short):
    assert shorten(line) == short


def test_run_record(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/home/me/bin/faceattr", "train", "--root", "/home/me/celeba"])
    record = run_record(seed=(0, 1), data="tiny", profile="smoke", seconds=1.26, note="x")
    assert record["command"] == "faceattr train --root celeba"
    assert (record["seed"], record["seconds"], record["note"]) == ([0, 1], 1.3, "x")
    assert record["versions"]["torch"] == torch.__version__
    assert "core" in record["host"]
    assert "/" not in json.dumps(record["host"]).replace("(R)/", "")
    assert json.loads(json.dumps(record)) == record


def test_commit_is_ours_or_none(tmp_path, monkeypatch):
    found = commit()
    assert found is None or len(found.rstrip("+")) == 12
    monkeypatch.setattr("faceattr.record.__file__", str(tmp_path / "record.py"))
    assert commit() is None
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_host_has_no_name():
    import platform

    assert platform.node() not in host() or not platform.node()
