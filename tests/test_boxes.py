"""The file of face boxes: what it keeps, what it forgets, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from faceattr.data import boxes as boxes_module
from faceattr.data.boxes import POINTS, face_boxes
from faceattr.data.mtcnn import Detections
from faceattr.errors import DataError


def detections(*boxes, scores=None) -> Detections:
    count = len(boxes)
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(count, 4),
        torch.tensor(scores or [0.9] * count),
        torch.zeros(count, 5, 2),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures in which a counting stand-in finds as many faces as their red corner says."""
    for name, faces in {"b.png": 1, "a.png": 2, "none.png": 0}.items():
        pixels = np.zeros((40, 50, 3), np.uint8)
        pixels[0, 0, 0] = faces
        Image.fromarray(pixels).save(tmp_path / name)
    searched = []

    def stand_in(pictures, *, device):
        searched.append(len(pictures))
        known = [[10, 10, 20, 20], [20, 10, 35, 30]]
        return [detections(*known[: np.asarray(one)[0, 0, 0]]) for one in pictures]

    monkeypatch.setattr(boxes_module, "find_faces", stand_in)
    return tmp_path, searched


def test_boxes_in_the_order_asked_and_from_the_file_again(folder):
    path, searched = folder
    paths = [path / name for name in ("none.png", "a.png", "b.png")]
    table = face_boxes(paths, path / "kept" / "boxes.csv", progress=False)
    assert table.file.tolist() == ["none.png", "a.png", "b.png"]
    assert table.found.tolist() == [0, 2, 1]
    assert table.source.tolist() == ["none", "mtcnn", "mtcnn"]
    assert table.loc[1, ["x0", "y0", "x1", "y1"]].tolist() == [20, 10, 35, 30]  # the larger
    assert table.loc[0, ["x0", "score", *POINTS]].isna().all()
    assert searched == [3]
    again = face_boxes(paths[::-1], path / "kept" / "boxes.csv", progress=False)
    assert searched == [3]
    assert again[::-1].reset_index(drop=True).equals(table)
    assert [again[name].dtype for name in again] == [table[name].dtype for name in table]


def test_truth_chooses_and_its_landmarks_stand_in(folder):
    path, searched = folder
    paths = [path / name for name in ("none.png", "a.png", "b.png")]
    points = torch.tensor([[12.0, 12], [18, 12], [15, 15], [12, 18], [18, 18]])
    table = face_boxes(
        paths, path / "boxes.csv", truth_landmarks=points.expand(3, 5, 2), progress=False
    )
    assert table.source.tolist() == ["landmarks", "mtcnn", "mtcnn"]
    assert table.loc[0, ["x0", "y0", "x1", "y1"]].tolist() == [9, 9, 21, 21]  # sides doubled
    assert table.loc[1, ["x0", "x1"]].tolist() == [10, 20]  # not the larger: the one meant
    assert table.loc[0, POINTS].tolist() == points.flatten().tolist()
    assert np.isnan(table.score[0])
    boxes = torch.tensor([[0.0, 0, 5, 5], [22, 12, 34, 28], [float("nan")] * 4])
    other = face_boxes(paths, path / "boxes.csv", truth_boxes=boxes, progress=False)
    assert searched == [3, 3]  # other truth chooses anew
    assert other.source.tolist() == ["none", "mtcnn", "mtcnn"]
    assert other.loc[1, "x0"] == 20
    back = face_boxes(paths[1:2], path / "boxes.csv", truth_boxes=boxes[1:2], progress=False)
    assert searched == [3, 3]
    assert back.equals(other[1:2].reset_index(drop=True))


def test_an_interrupted_search_goes_on(folder, monkeypatch):
    path, searched = folder
    paths = [path / name for name in ("a.png", "b.png", "none.png")]
    whole = face_boxes(paths, path / "whole.csv", progress=False)
    content = (path / "whole.csv").read_bytes()
    kept = content[: content.index(b"b.png") + 9]  # the second line is cut in the middle
    (path / "torn.csv").write_bytes(kept)
    searched.clear()
    table = face_boxes(paths, path / "torn.csv", progress=False)
    assert searched == [2]
    assert table.equals(whole)
    assert (path / "torn.csv").read_bytes() == content
    (path / "torn.csv").write_bytes(content[:20])  # not even the header is whole
    assert face_boxes(paths, path / "torn.csv", progress=False).equals(whole)

    def stop(pictures, *, device):
        if len(searched) > 4:
            raise KeyboardInterrupt
        searched.append(1)
        return [detections([1, 1, 9, 9])]

    monkeypatch.setattr(boxes_module, "find_faces", stop)
    searched[:] = [0] * 3
    with pytest.raises(KeyboardInterrupt):
        face_boxes(paths, path / "stopped.csv", batch_size=1, progress=False)
    assert (path / "stopped.csv").read_text().count("\n") == 3  # header and two whole lines


def test_unreadable_pictures_are_reported_and_not_kept(folder):
    path, _ = folder
    (path / "torn.png").write_bytes((path / "a.png").read_bytes()[:60])
    paths = [path / name for name in ("torn.png", "b.png", "gone.png")]
    with pytest.warns(UserWarning, match=r"2 of 3 pictures cannot be read.*torn\.png"):
        table = face_boxes(paths, path / "boxes.csv", progress=False)
    assert table.source.tolist() == ["none", "mtcnn", "none"]
    assert "torn.png" not in (path / "boxes.csv").read_text()


def test_files_and_arguments_that_cannot_be_right(folder):
    path, _ = folder
    face_boxes([path / "b.png"], path / "boxes.csv", progress=False)
    text = (path / "boxes.csv").read_text()
    (path / "boxes.csv").write_text(text.replace("10.00", "ten") + text.splitlines()[1] + "\n")
    with pytest.raises(DataError, match=r"boxes\.csv, line 2 is damaged"):
        face_boxes([path / "b.png"], path / "boxes.csv", progress=False)
    (path / "shop.csv").write_text("milk,2\n")
    with pytest.raises(DataError, match=r"shop\.csv is no file of face boxes"):
        face_boxes([path / "b.png"], path / "shop.csv", progress=False)
    with pytest.raises(DataError, match=r"two pictures are called b\.png"):
        face_boxes([path / "b.png", path / "x" / "b.png"], path / "new.csv", progress=False)
    with pytest.raises(DataError, match="truth_boxes"):
        face_boxes(
            [path / "b.png"], path / "new.csv", truth_boxes=torch.zeros(2, 4), progress=False
        )
    with pytest.raises(DataError, match="cannot be written"):
        face_boxes([path / "b.png"], path / "a.png" / "boxes.csv", progress=False)
