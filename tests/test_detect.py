"""Finding faces: scikit-image's astronaut (NASA, public domain), and noise without any."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from faceattr.data import mtcnn
from faceattr.data.align import ALIGNED_LANDMARKS, canonical_landmarks, crop_box
from faceattr.data.boxes import POINTS, face_boxes
from faceattr.data.detect import crop_aligned, crop_wild
from faceattr.data.mtcnn import Detections, choose_face, find_faces, landmarks_box
from faceattr.errors import DataError, ImageError, MissingDependencyError

needs_mtcnn = pytest.mark.skipif(
    importlib.util.find_spec("facenet_pytorch") is None,
    reason="facenet-pytorch is not installed: pip install --no-deps facenet-pytorch==2.6.0",
)


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the picture")

    picture = Image.fromarray(data.astronaut()).crop((80, 0, 400, 260))
    return picture.resize((192, 156), Image.Resampling.BICUBIC)  # one face


@pytest.fixture(scope="module")
def found(astronaut) -> Detections:
    return find_faces(astronaut)


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def detections(*boxes, scores=None) -> Detections:
    count = len(boxes)
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(count, 4),
        torch.tensor(scores or [0.9] * count),
        torch.zeros(count, 5, 2),
    )


def test_choice_by_truth_and_by_size():
    several = detections([0, 0, 10, 10], [20, 20, 50, 50], [60, 60, 80, 80])
    assert choose_face(several) == 1
    assert choose_face(several, [1, 1, 11, 11]) == 0
    assert choose_face(several, torch.tensor([58.0, 58, 78, 80])) == 2
    assert choose_face(several, [100, 100, 120, 120]) is None  # somebody else
    assert choose_face(several, [100, 100, 100, 120]) == 1  # CelebA has boxes of no area
    assert choose_face(Detections.none()) is None
    assert choose_face(Detections.none(), [0, 0, 1, 1]) is None


def test_choice_among_equals_is_fixed():
    twins = detections([0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], scores=[0.8, 0.9, 0.9])
    assert choose_face(twins) == 1  # the surer, then the first
    assert choose_face(twins, [-5, 0, 55, 10]) == 1


def test_landmarks_box_is_doubled_about_its_centre():
    box = landmarks_box(torch.tensor([[[2.0, 4], [6, 4], [4, 6], [2, 10], [6, 10]]]))
    torch.testing.assert_close(box, torch.tensor([[0.0, 1, 8, 13]]))
    torch.testing.assert_close(
        landmarks_box(torch.tensor([[2.0, 4], [6, 10]]), 1), torch.tensor([2.0, 4, 6, 10])
    )


@needs_mtcnn
def test_it_finds_what_mtcnn_finds(astronaut, found):
    from facenet_pytorch import MTCNN

    box, score, points = MTCNN(keep_all=True).detect(astronaut, landmarks=True)
    assert len(found) == len(box) == 1
    torch.testing.assert_close(found.boxes, torch.from_numpy(box.astype(np.float32)))
    torch.testing.assert_close(found.scores, torch.from_numpy(score.astype(np.float32)))
    torch.testing.assert_close(found.landmarks, torch.from_numpy(points.astype(np.float32)) - 0.5)
    x, y = found.landmarks[0].unbind(1)
    assert x[0] < x[2] < x[1]  # eyes left and right of the nose
    assert y[0] < y[2] < y[3]  # nose between eyes and mouth


@needs_mtcnn
def test_the_mirror_image_gives_mirrored_landmarks(astronaut, found):
    mirrored = find_faces(ImageOps.mirror(astronaut)).landmarks[0, [1, 0, 2, 4, 3]]
    mirrored[:, 0] = astronaut.width - mirrored[:, 0]
    assert (mirrored - found.landmarks[0]).abs().max() < 3


@needs_mtcnn
def test_several_pictures_at_once_are_as_one_by_one(astronaut, found):
    grey = astronaut.convert("L")
    pictures = [noise(50, 70), astronaut, noise(3, 200), grey, astronaut.rotate(8), noise(19, 19)]
    many = find_faces(pictures, batch_size=2)
    assert [len(one) for one in many] == [0, 1, 0, 1, 1, 0]
    torch.testing.assert_close(many[1].boxes, found.boxes, atol=0.05, rtol=0)
    alone = find_faces(grey)
    torch.testing.assert_close(many[3].landmarks, alone.landmarks, atol=0.05, rtol=0)
    batch = torch.from_numpy(np.stack([np.asarray(astronaut)] * 2)).permute(0, 3, 1, 2)
    assert [len(one) for one in find_faces(batch)] == [1, 1]
    assert find_faces([]) == []


@needs_mtcnn
@pytest.mark.parametrize("shape", [(1, 1), (12, 12), (20, 20), (21, 200), (64, 64)])
def test_no_face(shape):
    for picture in (noise(*shape), Image.new("RGB", shape[::-1])):
        none = find_faces(picture)
        assert len(none) == 0
        assert none.boxes.shape == (0, 4)
        assert none.landmarks.shape == (0, 5, 2)
        assert none.boxes.dtype == torch.float32


def test_settings_out_of_range():
    with pytest.raises(DataError, match="min_face=5"):
        find_faces(noise(30, 30), min_face=5)
    with pytest.raises(DataError, match="batch_size=0"):
        find_faces(noise(30, 30), batch_size=0)


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    mtcnn._mtcnn.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps facenet-pytorch==2"):
        find_faces(noise(30, 30))
    real = __import__

    def without_requests(name, *args, **kwargs):
        if name == "facenet_pytorch":
            raise ModuleNotFoundError("No module named 'requests'", name="requests")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "facenet_pytorch")
    monkeypatch.setattr("builtins.__import__", without_requests)
    with pytest.raises(MissingDependencyError, match=r"needs requests.*pip install requests"):
        find_faces(noise(30, 30))
    mtcnn._mtcnn.cache_clear()


@needs_mtcnn
def test_from_a_photo_to_an_aligned_crop(astronaut, found):
    crop, box = crop_aligned(astronaut.rotate(15, Image.Resampling.BICUBIC), (192, 160))
    assert crop.size == (160, 192)
    assert box.shape == (4,)
    again = find_faces(crop).landmarks[0]  # found again where an aligned face has them
    target = torch.from_numpy(canonical_landmarks((192, 160))).float()
    assert (again - target).abs().max() < 12
    eyes = again[1] - again[0]
    assert abs(eyes[1] / eyes[0]) < 0.08  # level


@needs_mtcnn
def test_from_a_photo_to_a_wild_crop(astronaut, found):
    crop, box = crop_wild(astronaut, (96, 80), margin=0.1, truth=found.boxes[0])
    torch.testing.assert_close(box, found.boxes[0])
    expected, _ = crop_box(astronaut, box, (96, 80), 0.1)
    assert np.array_equal(np.asarray(crop), np.asarray(expected))


@needs_mtcnn
def test_a_photo_without_a_face_is_named(tmp_path):
    noise(64, 64).save(tmp_path / "wall.png")
    with pytest.raises(ImageError, match=r"no face found in .*wall\.png.*crop it by hand"):
        crop_aligned(tmp_path / "wall.png", (96, 80))
    with pytest.raises(ImageError, match="no face found in the picture"):
        crop_wild(noise(64, 64), (96, 80))


@needs_mtcnn
def test_boxes_of_real_detections(tmp_path, astronaut, found):
    astronaut.save(tmp_path / "astronaut.png")
    Image.new("RGB", (192, 156), (90, 120, 150)).save(tmp_path / "noise.png")
    paths = [tmp_path / "noise.png", tmp_path / "astronaut.png"]
    table = face_boxes(paths, tmp_path / "boxes.csv", progress=False)
    assert table.source.tolist() == ["none", "mtcnn"]
    np.testing.assert_allclose(
        table.loc[1, ["x0", "y0", "x1", "y1"]].to_numpy(float), found.boxes[0], atol=0.06
    )
    np.testing.assert_allclose(
        table.loc[1, POINTS].to_numpy(float), found.landmarks[0].flatten(), atol=0.06
    )


@needs_mtcnn
@pytest.mark.skipif("FACEATTR_CELEBA" not in os.environ, reason="FACEATTR_CELEBA is not set")
def test_celebas_aligned_faces_are_where_we_say():
    root = Path(os.environ["FACEATTR_CELEBA"])
    files = sorted(root.glob("img_align_celeba*/*.jpg"))[:1000:60]
    if not files:
        pytest.skip(f"no aligned pictures in {root}")
    found = find_faces([Image.open(file).resize((178, 218)) for file in files])
    points = torch.stack([faces.landmarks[0] for faces in found if len(faces)])
    assert len(points) >= 0.9 * len(files)
    gap = points.mean(0) - torch.from_numpy(ALIGNED_LANDMARKS).float()
    assert gap.abs().max() < 3
