"""LFW's pairs on folders made here in the official layouts."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceattr.data import lfw_pictures
from faceattr.data.align import align, canonical_landmarks
from faceattr.data.boxes import NUMBERS, POINTS
from faceattr.data.faces import FaceDataset
from faceattr.data.lfw import LFWPairs, read_pairs
from faceattr.data.lfw_pictures import LFW_LANDMARKS, people_folder, picture_name
from faceattr.errors import DataError, ImageError, UnknownNameError

PEOPLE = {"Ada_Byron": 3, "Bob": 2, "Cy_d'Or": 2, "Di": 1}
PAIRS = """2\t2
Ada_Byron\t1\t3
Bob\t1\t2
Ada_Byron\t2\tDi\t1
Bob\t2\tCy_d'Or\t1
Cy_d'Or\t1\t2
Ada_Byron\t1\t2
Di\t1\tBob\t1
Ada_Byron\t3\tCy_d'Or\t2
"""


def paint(path: Path, shade: int, size=(250, 250)) -> None:
    """Five dots where LFW's landmarks are, on a ground of the given shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*size, 3), shade, np.uint8)
    for x, y in LFW_LANDMARKS.astype(int):
        pixels[y - 3 : y + 4, x - 3 : x + 4] = [255, 0, 0]
    Image.fromarray(pixels).save(path, quality=95)


def make_pictures(folder: Path) -> Path:
    shade = 0
    for person, count in PEOPLE.items():
        for number in range(1, count + 1):
            paint(folder / picture_name(person, number), shade := shade + 20)
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEATTR_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "data"
    make_pictures(root / "lfw")
    (root / "pairs.txt").write_text(PAIRS)
    return root


def test_pairs_as_rows_of_the_data_set(root):
    data = LFWPairs(root)
    assert isinstance(data, FaceDataset)
    assert len(data) == 8
    assert data.size == (96, 80)
    assert data.faces.images.dtype == torch.uint8
    assert data.framing == "aligned"
    assert data.people == tuple(sorted(PEOPLE))
    assert data.files == tuple(
        sorted(picture_name(p, n + 1) for p in PEOPLE for n in range(PEOPLE[p]))
    )
    pairs = data.pairs
    assert len(pairs) == 8
    assert pairs.fold.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert pairs.same.tolist() == [True, True, False, False] * 2
    identity = data.faces.identity
    assert torch.equal(identity[pairs.a] == identity[pairs.b], pairs.same)
    named = [(data.files[a], data.files[b]) for a, b in zip(pairs.a, pairs.b, strict=True)]
    assert named[0] == ("Ada_Byron/Ada_Byron_0001.jpg", "Ada_Byron/Ada_Byron_0003.jpg")
    assert named[3] == ("Bob/Bob_0002.jpg", "Cy_d'Or/Cy_d'Or_0001.jpg")
    assert "8 pairs in 2 folds" in data.source
    shades = data.faces.images[:, 1, 5, 40].float()  # each row is the picture its file names
    expected = torch.tensor([20.0 * (1 + list_index) for list_index in range(8)])
    assert (shades - expected).abs().max() < 6
    batch = next(data.batches(3))
    assert batch.images.shape == (3, 3, 96, 80)


def test_the_centre_view_puts_the_average_face_where_celebas_is(root):
    image = LFWPairs(root).faces.images[0].float()
    red = image[0] - image[1]
    for x, y in canonical_landmarks((96, 80)):
        assert red[int(y), int(x)] > 100


@pytest.mark.parametrize(
    "folder",
    ["lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-deepfunneled/lfw-deepfunneled", "."],
)
def test_layouts(tmp_path, folder):
    made = make_pictures(tmp_path / "data" / folder)
    (tmp_path / "data" / "pairs.txt").write_text(PAIRS)
    assert people_folder(tmp_path / "data").samefile(made)
    data = LFWPairs(tmp_path / "data", cache=tmp_path / "cache")
    assert len(data.pairs) == 8
    inner = LFWPairs(made, pairs=tmp_path / "data" / "pairs.txt", cache=tmp_path / "cache")
    assert torch.equal(inner.faces.images, data.faces.images)


def test_deep_funneled_pictures_are_preferred(tmp_path):
    for folder in ("lfw", "lfw-deepfunneled", "lfw_funneled"):
        make_pictures(tmp_path / folder)
    assert people_folder(tmp_path).name == "lfw-deepfunneled"


def test_missing_pictures_are_reported_and_their_pairs_left_out(root):
    (root / "lfw" / picture_name("Di", 1)).unlink()
    with pytest.warns(UserWarning, match=r"1 of 8 pictures .*Di_0001\.jpg.*pairs are left out"):
        data = LFWPairs(root)
    assert len(data) == 7
    assert len(data.pairs) == 6
    assert data.people == ("Ada_Byron", "Bob", "Cy_d'Or")


def test_unreadable_pictures_are_reported_and_rows_stay_right(root):
    whole = LFWPairs(root)
    (root / "lfw" / picture_name("Ada_Byron", 2)).write_bytes(b"\xff\xd8 cut")
    with pytest.warns(UserWarning, match=r"1 of 8 pictures cannot be read.*Ada_Byron_0002"):
        data = LFWPairs(root)
    assert len(data) == 7
    assert len(data.pairs) == 6
    for row, file in enumerate(data.files):
        assert torch.equal(data.faces.images[row], whole.faces.images[whole.files.index(file)])
        assert data.people[data.faces.identity[row]] == file.split("/")[0]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda t: t[: t.index("Cy_d'Or\t1\t2")], r"line 5: the file has 4 pairs.*promises 8"),
        (lambda t: t[:-12], r"line 9: .*'NAME 1 OTHER 2' is due"),
        (lambda t: t.replace("Bob\t1\t2", "Bob\t1\tx"), r"line 3: .*'NAME 1 2' is due"),
        (lambda t: t.replace("Bob\t1\t2", "Bob\t0\t2"), "line 3"),
        (lambda t: t.replace("Bob\t1\t2\n", ""), "line 3"),
        (lambda t: t.replace("Di\t1\tBob\t1", "Bob\t2\tBob\t1"), "line 8"),
        (lambda t: t + "Bob\t1\t2\n", "line 10: the file has 9"),
        (lambda t: t.split("\n", 1)[1], "line 1: .*folds and pairs"),
        (lambda t: "", "line 1"),
    ],
)
def test_torn_pairs_files_name_the_line(root, change, part):
    (root / "pairs.txt").write_text(change(PAIRS))
    with pytest.raises(DataError, match=rf"pairs\.txt, {part}"):
        LFWPairs(root)


def test_other_forms_of_the_pairs_file(tmp_path):
    (tmp_path / "pairsDevTest.txt").write_text("1\nBob\t1\t2\nBob\t1\tDi\t1\n\n")
    lines = read_pairs(tmp_path / "pairsDevTest.txt")
    assert [line.fold for line in lines] == [0, 0]
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "missing.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.txt cannot be read"):
        read_pairs(tmp_path / "binary.txt")


def test_folders_that_are_not_lfw(root, tmp_path):
    (root / "pairs.txt").rename(root / "pairs_a.txt")
    assert len(LFWPairs(root).pairs) == 8  # the only one there
    (root / "pairs_b.txt").write_text(PAIRS)
    with pytest.raises(DataError, match=r"several pairs files \(pairs_a\.txt, pairs_b\.txt\)"):
        LFWPairs(root)
    for name in ("pairs_a.txt", "pairs_b.txt"):
        (root / name).unlink()
    with pytest.raises(DataError, match=r"no pairs\.txt"):
        LFWPairs(root)
    with pytest.raises(DataError, match="is no folder"):
        LFWPairs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures of LFW"):
        LFWPairs(tmp_path / "empty")
    (root / "pairs.txt").write_text("1 1\nEve 1 2\nEve 1 Max 1\n")
    with pytest.raises(DataError, match="none of the pictures"):
        LFWPairs(root)
    (root / "pairs.txt").write_text("1 1\nBob 1 9\nEve 1 Bob 1\n")
    with (
        pytest.warns(UserWarning, match="2 of 3|3 of 4"),
        pytest.raises(DataError, match="no pair"),
    ):
        LFWPairs(root)


def test_a_picture_that_is_not_square_is_named(root):
    paint(root / "lfw" / picture_name("Bob", 2), 90, (250, 200))
    with pytest.raises(ImageError, match=r"Bob_0002\.jpg is 200 x 250.*square"):
        LFWPairs(root)


def test_views_that_find_the_face(root, monkeypatch):
    import pandas as pd

    asked = {}

    def stand_in(paths, csv_path, *, truth_landmarks, device):
        """Every face is found ten pixels right of where the average one is."""
        asked["truth"], asked["csv"] = np.asarray(truth_landmarks), Path(csv_path)
        row = dict(zip(POINTS, (LFW_LANDMARKS + [10, 0]).ravel(), strict=True))
        row |= dict(zip(NUMBERS[:4], [90.0, 80.0, 190.0, 200.0], strict=True))
        return pd.DataFrame([{"file": path.name, **row} for path in paths])

    monkeypatch.setattr(lfw_pictures, "face_boxes", stand_in)
    aligned = LFWPairs(root, view="aligned")
    np.testing.assert_allclose(asked["truth"], np.broadcast_to(LFW_LANDMARKS, (8, 5, 2)))
    assert asked["csv"].is_relative_to(root.parent / "cache")
    picture = Image.open(root / "lfw" / aligned.files[0])
    expected = np.asarray(align(picture, LFW_LANDMARKS + [10, 0], (96, 80))).transpose(2, 0, 1)
    assert np.array_equal(aligned.faces.images[0].numpy(), expected)
    gap = aligned.faces.landmarks[0].numpy() - canonical_landmarks((96, 80))
    assert np.abs(gap).max() < 3  # a similarity brings the five close, not each onto its place
    wild = LFWPairs(root, view="wild")
    assert wild.framing == "wild"
    centre = (wild.faces.box[:, :2] + wild.faces.box[:, 2:]) / 2
    torch.testing.assert_close(centre, torch.tensor([40.0, 48.0]).expand(8, 2))
    with pytest.raises(UnknownNameError, match="unknown view 'front'"):
        LFWPairs(root, view="front")


@pytest.mark.skipif("FACEATTR_LFW" not in os.environ, reason="FACEATTR_LFW is not set")
def test_the_real_pairs():
    folder = Path(os.environ["FACEATTR_LFW"])
    file = next(iter(sorted(folder.glob("pairs*.txt"))))
    lines = read_pairs(file)
    folds, each = map(int, file.read_text().split("\n")[0].split())
    assert len(lines) == folds * each * 2
    same = [line.a[0] == line.b[0] for line in lines]
    assert sum(same) == folds * each
    assert all((people_folder(folder) / picture_name(*line.a)).is_file() for line in lines[:50])
