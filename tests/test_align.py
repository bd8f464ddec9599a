"""Any kind of picture, and the geometry of crops, held to scikit-image, Pillow and the loader."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from faceattr.data.align import (
    ALIGNED_LANDMARKS,
    align,
    canonical_landmarks,
    crop_box,
    similarity,
    transform_boxes,
    transform_points,
)
from faceattr.data.convert import read_image
from faceattr.data.pictures import centre_window
from faceattr.errors import ImageError


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def smooth(height: int, width: int) -> Image.Image:
    return noise(6, 6).resize((width, height), Image.Resampling.BICUBIC)


def test_every_kind_of_picture_gives_the_same_pixels(tmp_path):
    picture = noise(30, 40)
    pixels = np.asarray(picture)
    picture.save(tmp_path / "face.png")
    kinds = {
        "path": tmp_path / "face.png",
        "text": str(tmp_path / "face.png"),
        "pillow": picture,
        "rgba": picture.convert("RGBA"),
        "array": pixels,
        "channels first": pixels.transpose(2, 0, 1),
        "floats": pixels / 255,
        "tensor": torch.from_numpy(pixels.copy()).permute(2, 0, 1),
        "float tensor": torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255,
        "int64": pixels.astype(np.int64),
        "uint16": pixels.astype(np.uint16) * 257,
        "four channels": np.dstack([pixels, pixels[..., :1]]),
    }
    for kind, image in kinds.items():
        made = read_image(image)
        assert made.mode == "RGB", kind
        assert np.array_equal(np.asarray(made), pixels), kind


def test_low_pictures_have_their_channels_where_the_kind_has_them():
    assert read_image(np.zeros((3, 50, 3), np.uint8)).size == (50, 3)
    assert read_image(torch.zeros(3, 50, 3)).size == (3, 50)


def test_grey_becomes_three_equal_channels():
    grey = np.asarray(noise(30, 40).convert("L"))
    expected = np.repeat(grey[..., None], 3, 2)
    wide = Image.fromarray(grey.astype(np.uint16) * 257)
    for image in (grey, grey[..., None], grey[None], grey / 255, Image.fromarray(grey), wide):
        assert np.array_equal(np.asarray(read_image(image)), expected)
    half = np.asarray(read_image(grey > 127))
    assert set(np.unique(half)) == {0, 255}


def test_exif_orientation_of_a_file_is_applied(tmp_path):
    picture = smooth(30, 40)
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned
    picture.save(tmp_path / "turned.png", exif=exif)
    assert read_image(tmp_path / "turned.png").size == (30, 40)


@pytest.mark.parametrize(
    ("image", "part"),
    [
        (np.zeros((2, 3, 8, 8)), "as a list"),
        (np.zeros((8, 8, 2)), "no picture"),
        (np.zeros((0, 8, 3)), "no picture"),
        (np.full((8, 8, 3), 1.5), r"\[0, 1\]"),
        (np.full((8, 8, 3), np.nan), r"\[0, 1\]"),
        (np.full((8, 8, 3), -3), "uint8"),
    ],
)
def test_arrays_that_are_no_picture(image, part):
    with pytest.raises(ImageError, match=part):
        read_image(image)


def test_unreadable_files_are_named(tmp_path):
    noise(60, 60).save(tmp_path / "whole.jpg")
    cut = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "words.jpg").write_text("no picture")
    for name in ("cut.jpg", "empty.jpg", "words.jpg", "missing.jpg"):
        with pytest.raises(ImageError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(ImageError, match=r"cut\.jpg"):
        read_image(Image.open(tmp_path / "cut.jpg"))  # lazily opened by the caller


def test_similarity_is_umeyamas():
    transform = pytest.importorskip("skimage.transform", reason="scikit-image is the oracle")

    random = np.random.default_rng(0)
    for _ in range(5):
        turn = transform.SimilarityTransform(
            scale=random.uniform(0.2, 5),
            rotation=random.uniform(-3, 3),
            translation=random.uniform(-90, 90, 2),
        )
        source = turn(ALIGNED_LANDMARKS) + random.normal(size=(5, 2)) * 4
        oracle = transform.SimilarityTransform.from_estimate(source, ALIGNED_LANDMARKS).params[:2]
        np.testing.assert_allclose(similarity(source, ALIGNED_LANDMARKS), oracle, atol=1e-8)


@pytest.mark.parametrize("size", [(96, 80), (64, 64), (128, 128), (192, 160), (218, 178)])
def test_aligned_pictures_stay_as_the_loader_cuts_them(size):
    picture = noise(218, 178)
    crop = np.asarray(align(picture, ALIGNED_LANDMARKS, size), dtype=int)
    loader = centre_window(178, 218, size).cut(picture).transpose(1, 2, 0)
    assert np.abs(crop - loader).max() <= 1  # rounding


def test_align_undoes_a_similarity():
    picture = smooth(218, 178)
    straight = np.asarray(align(picture, ALIGNED_LANDMARKS, (96, 80)), dtype=float)
    angle, grown = np.deg2rad(20), 1.5
    turn = grown * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = np.column_stack([turn, [120.0, 10.0]])
    back = np.linalg.inv(turn)
    backward = np.column_stack([back, -back @ forward[:, 2]])
    scene = picture.transform(
        (460, 460), Image.Transform.AFFINE, tuple(backward.ravel()), Image.Resampling.BICUBIC
    )
    points = transform_points(forward, ALIGNED_LANDMARKS)
    crop = np.asarray(align(scene, points, (96, 80)), dtype=float)
    inside = (slice(4, -4), slice(4, -4))
    assert np.abs(crop - straight)[inside].mean() < 1.0
    assert np.abs(crop - straight)[inside].max() < 12


def test_canonical_landmarks_are_the_centre_crops():
    np.testing.assert_allclose(
        canonical_landmarks((96, 80)), (ALIGNED_LANDMARKS - [9, 13]) / 2, atol=1e-9
    )
    np.testing.assert_allclose(canonical_landmarks(), ALIGNED_LANDMARKS)
    np.testing.assert_allclose(  # twice the field of view, enlarged
        canonical_landmarks((384, 320)), (ALIGNED_LANDMARKS - [9, 13]) * 2, atol=1e-9
    )
    left, right = canonical_landmarks((224, 224))[:2]
    assert left[0] < 112 < right[0]


def test_align_repeats_the_border():
    picture = Image.new("RGB", (60, 60), (200, 100, 50))
    crop = np.asarray(align(picture, ALIGNED_LANDMARKS / 2 - [20, 30], (96, 80)))
    assert (crop == [200, 100, 50]).all()


def test_crop_box_inside_is_a_plain_crop():
    picture = noise(60, 80)
    crop, affine = crop_box(picture, [10, 20, 42, 44], (24, 32))
    assert np.array_equal(np.asarray(crop), np.asarray(picture)[20:44, 10:42])
    np.testing.assert_allclose(affine, [[1, 0, -10], [0, 1, -20]])


def test_crop_box_grows_to_the_shape_and_keeps_pixels_square():
    picture = smooth(200, 200)
    for box in ([60, 50, 100, 130], [60, 50, 140, 80]):
        crop, affine = crop_box(torch.from_numpy(np.array(picture)), box, (96, 80), 0.1)
        assert crop.size == (80, 96)
        assert affine[0, 0] == pytest.approx(affine[1, 1])
        x0, y0, x1, y1 = transform_boxes(affine, box)
        assert x0 + x1 == pytest.approx(80)  # in the middle
        assert y0 + y1 == pytest.approx(96)
        assert max((x1 - x0) / 80, (y1 - y0) / 96) == pytest.approx(1 / 1.2)
        grid = np.array([[10.5, 20.5], [60.5, 70.5]])
        source = (grid - affine[:, 2]) / affine[0, 0]
        for (x, y), (u, v) in zip(grid.astype(int), source, strict=True):
            seen = np.asarray(crop)[y, x].astype(int)
            there = np.asarray(picture)[int(v), int(u)].astype(int)
            assert np.abs(seen - there).max() < 8


def test_crop_box_repeats_the_border():
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, 0] = [250, 0, 0]
    crop, _ = crop_box(pixels, [-10, 0, 10, 20], (20, 20))
    assert (np.asarray(crop)[:, :11] == [250, 0, 0]).all()
    assert (np.asarray(crop)[:, 11:] == 0).all()
    tiny, _ = crop_box(noise(3, 2), [0, 0, 2, 3], (96, 80))  # smaller than the crop
    assert tiny.size == (80, 96)


@pytest.mark.parametrize(
    ("box", "part"),
    [
        ([0, 0, 0, 5], "no box"),
        ([0, 0, np.nan, 5], "no box"),
        ([0, 0, 5], "no box"),
        ([30, 0, 40, 5], "outside"),
        ([-9, 0, -1, 5], "outside"),
    ],
)
def test_boxes_that_cannot_be_cut(box, part):
    with pytest.raises(ImageError, match=part):
        crop_box(noise(20, 20), box, (8, 8))
    with pytest.raises(ImageError, match="margin"):
        crop_box(noise(20, 20), [0, 0, 5, 5], (8, 8), -0.5)


@pytest.mark.parametrize("points", [np.ones((5, 2)), np.full((5, 2), np.nan), np.ones((4, 2))])
def test_landmarks_that_say_nothing(points):
    with pytest.raises(ImageError, match="landmarks"):
        align(noise(20, 20), points, (8, 8))


def test_points_and_boxes_through_an_affine():
    affine = np.array([[0.0, -2, 10], [2, 0, 5]])  # a quarter turn, twice as large
    np.testing.assert_allclose(transform_points(affine, [1, 2]), [6, 7])
    box = transform_boxes(affine, torch.tensor([[0.0, 0, 2, 1]]))
    assert isinstance(box, torch.Tensor)
    torch.testing.assert_close(box, torch.tensor([[8.0, 5, 10, 9]]))
