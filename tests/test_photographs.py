"""CelebA's photographs as scenes, and the small CelebA that is taken along."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_celeba import FakeLabels, write_labels, write_pictures
from PIL import Image

from faceattr.data import photographs
from faceattr.data.mtcnn import Detections
from faceattr.data.photographs import FACES, Photographs, every_face, letterboxed
from faceattr.data.window_samples import FaceWindows
from faceattr.errors import DataError, UnknownNameError

SIZE = (100, 80)  # of the fake photographs, width and height


def faces_of(row: int) -> Detections:
    """What the fake detector finds: none in every fifth picture, two in every third."""
    if row % 5 == 0:
        return Detections.none()
    boxes = torch.tensor([[30.0, 20, 60, 60], [5, 5, 25, 25]])[: 1 + (row % 3 == 0)]
    inside = torch.tensor([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    corner, side = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None]
    return Detections(boxes, torch.full((len(boxes),), 0.9), corner + inside * side)


@pytest.fixture
def celeba(tmp_path, monkeypatch):
    labels = FakeLabels()
    root = tmp_path / "celeba"
    write_labels(root, labels, every=False)
    people = zip(labels.files, labels.identity, strict=True)
    (root / "identity_CelebA.txt").write_text("".join(f"{f} {p}\n" for f, p in people))
    write_pictures(root / "img_celeba", labels, SIZE)
    asked = []

    def find(pictures, device):
        rows = [round(np.asarray(picture)[0, 0, 2].item() / 8) for picture in pictures]
        asked.extend(rows)
        return [faces_of(row) for row in rows]

    monkeypatch.setattr(photographs, "find_faces", find)
    monkeypatch.setenv("FACEATTR_CACHE", str(tmp_path / "cache"))
    return root, labels, asked


def test_scenes_of_real_photographs(celeba):
    root, labels, asked = celeba
    with pytest.warns(UserWarning, match=r"no face found in 5 of 24 photographs"):
        data = Photographs(root, split="all", size=50)
    kept = [row for row in range(24) if row % 5]
    assert data.rows.tolist() == kept
    assert data.faces.images.shape == (19, 3, 50, 50)
    assert torch.equal(data.extent, torch.tensor([[50.0, 40.0]]).repeat(19, 1))
    assert data.faces.images[:, :, 40:].max() == 0
    assert data.faces.images[:, 1, :40].max() > 0
    torch.testing.assert_close(data.faces.box, torch.tensor([[15.0, 10, 30, 30]]).repeat(19, 1))
    torch.testing.assert_close(data.faces.landmarks, faces_of(1).landmarks.repeat(19, 1, 1) / 2)
    two = torch.tensor([row % 3 == 0 for row in kept])
    others = data.others.isfinite().all(2).sum(1)
    assert torch.equal(others, two.long())
    torch.testing.assert_close(
        data.others[two][:, 0], torch.tensor([[2.5, 2.5, 12.5, 12.5]]).repeat(int(two.sum()), 1)
    )
    assert torch.equal(data.attributes, torch.from_numpy(labels.attributes[kept]).float())
    assert data.faces.identity.tolist() == labels.identity[kept].tolist()
    assert asked == list(range(24))
    with pytest.warns(UserWarning, match="no face"):
        Photographs(root, split="all", size=40)
    assert len(asked) == 24, "found once and kept"


def test_windows_of_photographs_stay_on_them(celeba):
    with pytest.warns(UserWarning, match="no face"):
        data = Photographs(celeba[0], split="all", size=100)
    windows = FaceWindows(data, size=32, near=0.0, border=0.0)
    far = windows.windows[19:]
    assert (far[:, 2] <= 100.001).all()
    assert (far[:, 3] <= 80.001).all()


def test_parts_by_list_and_by_people(celeba):
    root, labels, _ = celeba
    with pytest.warns(UserWarning, match="no face"):
        official = {s: Photographs(root, split=s, size=40).rows for s in ("train", "valid", "test")}
    for number, rows in enumerate(official.values()):
        assert (labels.partition[rows] == number).all()
    with pytest.warns(UserWarning, match="no face"):
        parts = [
            set(
                Photographs(
                    root, split=s, partition="identity", size=40, seed=3
                ).faces.identity.tolist()
            )
            for s in ("train", "test")
        ]
    assert not parts[0] & parts[1]
    with pytest.warns(UserWarning, match="no face"):
        assert len(Photographs(root, split="all", limit=6, size=40)) == 4


def test_found_faces_beside_the_labels_need_no_detector(celeba, monkeypatch):
    root, labels, asked = celeba
    rows = [faces_of(row) for row in range(24)]
    lines = [
        {
            "file": f,
            "boxes": r.boxes.tolist(),
            "scores": r.scores.tolist(),
            "landmarks": r.landmarks.tolist(),
        }
        for f, r in zip(labels.files, rows, strict=True)
    ]
    (root / FACES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.warns(UserWarning, match="no face"):
        data = Photographs(root, split="all", size=50)
    assert len(data) == 19
    assert asked == []


def test_a_torn_line_counts_for_none_and_a_damaged_one_is_named(celeba, tmp_path):
    root, labels, asked = celeba
    paths = [str(root / "img_celeba" / name) for name in labels.files[:4]]
    file = tmp_path / "found" / FACES
    first = every_face(paths, file)
    assert [len(f) for f in first] == [0, 1, 1, 2]
    text = file.read_text()
    file.write_text(text[:-30])
    asked.clear()
    again = every_face(paths, file)
    assert asked == [3]
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one.boxes, other.boxes, atol=0.01, rtol=0)
    file.write_text('{"file": 3}\n')
    with pytest.raises(DataError, match="line 1 is damaged"):
        every_face(paths, file)
    with pytest.raises(DataError, match="one name"):
        every_face(paths + paths[:1], file)


def test_letterboxes():
    square, facts = letterboxed(Image.new("RGB", (30, 90), (255, 0, 0)), 45)
    assert facts == (0.5, 15, 45)
    assert (square[0, :, :15] == 255).all()
    assert square[:, :, 15:].max() == 0
    square, facts = letterboxed(Image.new("RGB", (30, 20), (9, 9, 9)), 45)
    assert facts == (1.0, 30, 20), "never enlarged"


def test_one_clear_error(celeba):
    root, _, _ = celeba
    for how, error, says in (
        ({"split": "dev"}, UnknownNameError, "unknown split"),
        ({"partition": "mine"}, UnknownNameError, "choose official or identity"),
        ({"limit": 0}, DataError, "limit=0"),
    ):
        with pytest.raises(error, match=says):
            Photographs(root, **how)
    (root / "identity_CelebA.txt").unlink()
    with pytest.raises(DataError, match="who is who"):
        Photographs(root, partition="identity")
    (root / "list_eval_partition.txt").unlink()
    with pytest.raises(DataError, match="list_eval_partition"):
        Photographs(root)


def test_nobody_anywhere(celeba, monkeypatch):
    monkeypatch.setattr(photographs, "find_faces", lambda p, device: [Detections.none()] * len(p))
    with pytest.raises(DataError, match="no face found in any of 24 photographs"):
        Photographs(celeba[0], split="all")


def test_a_packed_celeba_reads_like_the_whole(celeba, tmp_path, monkeypatch):
    root, labels, asked = celeba
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "book" / "experiments")
    from pack import pack

    monkeypatch.setattr(photographs, "find_faces", lambda p, device: [faces_of(1)] * len(p))
    out = pack(str(root), tmp_path / "packed", side=50, limit=12)
    monkeypatch.setattr(photographs, "find_faces", None)  # must not be asked again
    data = Photographs(out, split="all", size=50)
    assert torch.equal(data.attributes, torch.from_numpy(labels.attributes[:12]).float())
    assert data.faces.identity.tolist() == labels.identity[:12].tolist()
    assert asked == []
    assert max(Image.open(next((out / "img_celeba_50").iterdir())).size) == 50
    with pytest.raises(DataError, match="MB of 0.0001 allowed"):
        pack(str(root), out, side=50, limit=12, megabytes=1e-4)
