"""LFWA on label files written here as MATLAB 7.3 lays them out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceattr.attributes import ATTRIBUTES
from faceattr.data.lfw_pictures import picture_name
from faceattr.data.lfwa import LFWA, read_indices, read_labels
from faceattr.errors import DataError, MissingDependencyError, UnknownNameError

h5py = pytest.importorskip("h5py", reason="h5py writes the label files of these tests")

PEOPLE = {"Ada_Byron": 3, "Bob": 2, "Cy_d'Or": 2, "Di": 1}
FILES = [picture_name(p, n + 1) for p in PEOPLE for n in range(PEOPLE[p])]


def make_pictures(folder: Path) -> None:
    """One shade a picture, so that each can be told from the others."""
    for shade, name in enumerate(FILES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (250, 250), (20 * shade, 90, 90)).save(folder / name)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEATTR_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "data"
    make_pictures(root / "lfw")
    return root


LABELS = (np.random.default_rng(0).random((len(FILES), 40)) < 0.4).astype(float)
REVERSED = ATTRIBUTES[::-1]  # LFWA need not keep CelebA's order


def write_cells(file, name: str, texts) -> None:
    """A cell array of strings as MATLAB 7.3 writes it: references to columns of characters."""
    cells = file.create_dataset(name, (1, len(texts)), dtype=h5py.ref_dtype)
    for place, text in enumerate(texts):
        codes = np.array([[ord(letter)] for letter in text], dtype=np.uint16)
        cells[0, place] = file.create_dataset(f"#refs#/{name}{place}", data=codes).ref


def write_labels(path: Path, labels=LABELS, spellings=REVERSED, files=FILES, leave=()) -> None:
    with h5py.File(path, "w") as file:
        if "name" not in leave:
            write_cells(file, "name", [name.replace("/", "\\") for name in files])
        write_cells(file, "AttrName", spellings)
        columns = [ATTRIBUTES.index(name) for name in REVERSED]
        file["label"] = labels[:, columns].T if labels.shape[1] == 40 else labels.T


def write_indices(path: Path, **parts) -> None:
    with h5py.File(path, "w") as file:
        for part, values in parts.items():
            file[f"indices_img_{part}"] = np.array([values], dtype=float)


@pytest.fixture
def lfwa(root):
    write_labels(root / "lfw_att_40.mat")
    write_indices(root / "indices_train_test.mat", train=[1, 2, 3, 8], test=[4, 5, 6, 7])
    return root


def test_lfwa_splits_and_labels(lfwa):
    whole = LFWA(lfwa, split="all")
    assert whole.files == tuple(FILES)
    assert np.array_equal(whole.attributes.numpy(), LABELS)
    assert whole.names == ATTRIBUTES
    assert whole.people == tuple(sorted(PEOPLE))
    train, test = LFWA(lfwa, split="train"), LFWA(lfwa, split="test")
    assert train.files == tuple(FILES[row] for row in (0, 1, 2, 7))
    assert test.files == tuple(FILES[3:7])
    assert np.array_equal(test.attributes.numpy(), LABELS[3:7])
    assert torch.equal(test.faces.images, whole.faces.images[3:7])
    names = [test.people[number] for number in test.faces.identity]
    assert names == [file.split("/")[0] for file in test.files]
    assert train.gather([0]).images.shape == (1, 3, 96, 80)
    assert train.framing == "aligned"


def test_lfwa_spellings_signs_and_layouts(lfwa):
    spellings = [name.replace("_", " ") for name in REVERSED]
    write_labels(lfwa / "lfw_att_40.mat", labels=2 * LABELS - 1, spellings=spellings)
    (lfwa / "indices_train_test.mat").unlink()
    write_indices(lfwa / "indices_img_train.mat", train=[2])
    write_indices(lfwa / "indices_img_test.mat", test=[1, 3])
    assert np.array_equal(LFWA(lfwa, split="test").attributes.numpy(), LABELS[[0, 2]])
    (lfwa / "anno").mkdir()
    for name in ("lfw_att_40.mat", "indices_img_train.mat"):
        (lfwa / name).rename(lfwa / "anno" / name)
    assert np.array_equal(LFWA(lfwa, split="train").attributes.numpy(), LABELS[[1]])
    with h5py.File(lfwa / "anno" / "lfw_att_40.mat", "a") as file:  # written untransposed
        values = file["label"][()].T
        del file["label"]
        file["label"] = values
    assert np.array_equal(LFWA(lfwa, split="all").attributes.numpy(), LABELS)


def test_lfwa_missing_pictures(lfwa):
    (lfwa / "lfw" / FILES[4]).unlink()
    with pytest.warns(UserWarning, match="1 of 4 pictures .*left out"):
        data = LFWA(lfwa, split="test")
    assert np.array_equal(data.attributes.numpy(), LABELS[[3, 5, 6]])


def test_lfwa_damaged_files(lfwa):
    path = lfwa / "lfw_att_40.mat"
    write_labels(path, labels=LABELS + 1)
    with pytest.raises(DataError, match="0 or 1, not 2"):
        read_labels(path)
    write_labels(path, labels=LABELS[:-1])
    with pytest.raises(DataError, match="do not fit 8 names and 40"):
        read_labels(path)
    write_labels(path, spellings=["Asian", *REVERSED[1:]])
    with pytest.raises(DataError, match=r"lfw_att_40\.mat.*unknown attribute 'Asian'"):
        read_labels(path)
    write_labels(path, spellings=[REVERSED[1], *REVERSED[1:]])
    with pytest.raises(DataError, match="twice"):
        read_labels(path)
    write_labels(path, leave=("name",))
    with pytest.raises(DataError, match="no variable name but AttrName, label"):
        read_labels(path)
    write_labels(path, files=["../secret.jpg", *FILES[1:]])
    with pytest.raises(DataError, match="out of the folder"):
        read_labels(path)
    write_labels(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"no MATLAB 7\.3 file, or cut short.*-v7\.3"):
        LFWA(lfwa)
    path.write_text("MATLAB 5.0 MAT-file")
    with pytest.raises(DataError, match=r"no MATLAB 7\.3 file"):
        LFWA(lfwa)


@pytest.mark.parametrize("wrong", [0, 9, 2.5, float("nan")])
def test_lfwa_indices_out_of_range(lfwa, wrong):
    write_indices(lfwa / "indices_train_test.mat", train=[1, wrong])
    with pytest.raises(DataError, match="numbered 1 to 8"):
        read_indices(lfwa, "train", 8)


def test_lfwa_absent_files_and_splits(lfwa):
    with pytest.raises(UnknownNameError, match="unknown split 'valid'"):
        LFWA(lfwa, split="valid")
    write_indices(lfwa / "indices_train_test.mat", test=[1])
    with pytest.raises(DataError, match="no variable indices_img_train"):
        LFWA(lfwa)
    (lfwa / "indices_train_test.mat").unlink()
    with pytest.raises(DataError, match=r"no indices_train_test\.mat"):
        LFWA(lfwa)
    (lfwa / "lfw_att_40.mat").unlink()
    with pytest.raises(DataError, match=r"no lfw_att_40\.mat"):
        LFWA(lfwa)


def test_lfwa_without_h5py(lfwa, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match="pip install h5py"):
        LFWA(lfwa)
