"""Windows cut from pictures, and MCFA's training samples."""

import pytest
import torch
from torchvision.ops import box_iou
from torchvision.transforms.v2 import functional as F

from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.data.scenes import SynthScenes
from faceattr.data.synthetic import SynthFaces
from faceattr.data.window_samples import (
    EXACT,
    FAR,
    NEAR,
    FaceWindows,
    _overlap,
    apart,
    for_tasks,
    jittered,
)
from faceattr.data.windows import (
    box_within,
    cut_windows,
    from_window,
    halves,
    to_window,
    window_round,
)
from faceattr.errors import DataError


@pytest.fixture(scope="module")
def scenes():
    return SynthFaces(30, size=128, view="wild", seed=3)


@pytest.fixture(scope="module")
def windows(scenes):
    return FaceWindows(scenes, size=32, per_face=2, border=0.0, seed=1)


# --- geometry -------------------------------------------------------------------------------------


def test_a_window_is_square_and_its_middle_is_the_longer_side():
    boxes = torch.tensor([[10.0, 20, 30, 60], [0, 0, 8, 4]])
    window = window_round(boxes, 1.5)
    assert window.tolist() == [[-10, 10, 50, 70], [-2, -4, 10, 8]]
    assert box_within(window, 1.5).tolist() == [[0, 20, 40, 60], [0, -2, 8, 6]]


def test_points_go_into_a_window_and_back():
    windows = torch.tensor([[10.0, 20, 42, 52], [-8, 4, 8, 20]])
    points = torch.rand(2, 5, 2) * 40
    inside = to_window(points, windows, 64)
    torch.testing.assert_close(from_window(inside, windows, 64), points)
    assert to_window(windows[:1, None, :2], windows[:1], 64).tolist() == [[[0, 0]]]
    assert to_window(windows[:1, None, 2:], windows[:1], 64).tolist() == [[[64, 64]]]


def test_a_window_of_its_own_size_is_copied_and_black_beyond():
    image = (torch.rand(3, 40, 50) * 255).to(torch.uint8)
    whole = torch.tensor([[8.0, 4, 24, 20]])
    cut = cut_windows(image, whole, 16)[0]
    four = F.gaussian_blur(image.float() / 255, 3)  # only to see that it is not far off
    assert (cut - four[:, 4:20, 8:24]).abs().mean() < 0.15
    beyond = cut_windows(torch.full((3, 40, 50), 200, dtype=torch.uint8), whole - 16, 16)[0]
    assert beyond[:, :10].max() == 0
    torch.testing.assert_close(beyond[:, 14:, 10:], torch.full((3, 2, 6), 200 / 255))


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_shrinking_takes_the_mean_of_all_pixels(factor):
    image = torch.zeros(3, 64 * factor, 64 * factor)
    image[:, :, ::2] = 240
    window = torch.tensor([[0.0, 0, 64 * factor, 64 * factor]])
    cut = cut_windows(image.to(torch.uint8), window, 64)
    if factor > 1:  # stripes are gone
        assert cut[..., 2:-2, 2:-2].sub(120 / 255).abs().mean() < 0.1
    assert cut.mean().sub(120 / 255).abs() < 0.01


def test_a_gradient_says_where_it_was_cut():
    x, y = torch.arange(256.0), torch.arange(200.0)
    image = torch.stack(
        [x.expand(200, 256), y[:, None].expand(200, 256), torch.zeros(200, 256)]
    ).to(torch.uint8)
    windows = torch.tensor([[20.0, 30, 84, 94], [100.0, 20, 228, 148], [5.5, 100.25, 25.5, 120.25]])
    for size in (16, 32):
        cut = cut_windows(image, windows, size) * 255
        for k, (x0, y0, x1, _) in enumerate(windows.tolist()):
            step = (x1 - x0) / size
            expected = (torch.arange(size) + 0.5) * step - 0.5  # pixel i is i at its centre
            torch.testing.assert_close(cut[k, 0, 5], expected + x0, atol=0.6, rtol=0)
            torch.testing.assert_close(cut[k, 1, :, 5], expected + y0, atol=0.6, rtol=0)


def test_however_it_is_cut_up_the_windows_are_the_same(monkeypatch):
    image = (torch.rand(3, 200, 300) * 255).to(torch.uint8)
    windows = window_round(torch.rand(40, 2).mul(200).repeat(1, 2) + torch.tensor([0, 0, 30, 20]))
    whole = cut_windows(halves(image), windows, 16)
    monkeypatch.setattr("faceattr.data.windows._AREA", 500)
    monkeypatch.setattr("faceattr.data.windows._MANY", 3)
    torch.testing.assert_close(cut_windows(halves(image), windows, 16), whole, atol=1e-5, rtol=0)


def test_halves_are_means_of_four():
    image = (torch.rand(3, 133, 70) * 255).to(torch.uint8)
    pyramid = halves(image, least=16)
    assert [tuple(p.shape[1:]) for p in pyramid] == [(133, 70), (66, 35), (33, 17)]
    mean = image[:, :2, :2].float().mean((1, 2)).round()
    assert torch.equal(pyramid[1][:, 0, 0].float(), mean)


@pytest.mark.parametrize("bad", [[3.0, 3, 3, 9], [0, 0, float("nan"), 4], [5.0, 5, 1, 1]])
def test_windows_of_no_area(bad):
    with pytest.raises(DataError, match="no area or is not finite"):
        cut_windows(torch.zeros(3, 9, 9, dtype=torch.uint8), torch.tensor([bad]), 8)


# --- samples --------------------------------------------------------------------------------------


def test_four_kinds_of_samples(scenes, windows):
    faces = windows.faces
    assert len(windows) == 120
    assert faces.is_face.sum() == 60
    assert torch.equal(faces.attributes[:60], scenes.attributes.repeat(2, 1))
    assert (faces.attributes[60:] == UNKNOWN).all()
    assert faces.box[:60].isfinite().all()
    assert faces.box[60:].isnan().all()
    assert faces.landmarks[60:].isnan().all()
    assert (faces.identity[60:] == -1).all()
    assert faces.images.shape == (120, 3, 32, 32)
    assert faces.images.dtype == torch.uint8
    around = torch.stack([faces.landmarks[:60, :, 0], faces.landmarks[:60, :, 1]])
    assert ((around > 0) & (around < 32)).float().mean() > 0.98
    centre = (faces.box[:60, :2] + faces.box[:60, 2:]) / 2
    assert (centre - 16).abs().max() <= 0.12 * 32 * 1.25 + 1e-3


def test_non_faces_and_near_misses_keep_their_distance(scenes, windows):
    box = scenes.faces.box[windows.scene[60:]]
    whole = box_iou(windows.windows[60:], box).diagonal()
    middle = box_iou(box_within(windows.windows[60:]), box).diagonal()
    near, far = whole[:30], whole[30:]
    assert (near > FAR).all()
    assert (middle[:30] < NEAR).all()
    assert (far < FAR).all()
    paper = FaceWindows(scenes, size=32, near=0.0, border=0.0)
    box = scenes.faces.box[paper.scene[30:]]
    assert (box_iou(paper.windows[30:], box).diagonal() < FAR).all()


def test_exact_windows_for_reports(scenes):
    exact = FaceWindows(scenes, size=32, **EXACT)
    assert len(exact) == 30
    box = exact.faces.box
    torch.testing.assert_close((box[:, :2] + box[:, 2:]) / 2, torch.full((30, 2), 16.0))
    sides = (box[:, 2:] - box[:, :2]).amax(1)
    torch.testing.assert_close(sides, torch.full((30,), 32 / 1.5))
    assert torch.equal(exact.faces.identity, scenes.faces.identity)


def test_the_same_seed_cuts_the_same(scenes, windows):
    again = FaceWindows(scenes, size=32, per_face=2, border=0.0, seed=1)
    assert torch.equal(again.faces.images, windows.faces.images)
    other = FaceWindows(scenes, size=32, per_face=2, border=0.0, seed=2)
    assert not torch.equal(other.faces.images, windows.faces.images)


def test_scenes_without_faces_give_non_faces_only():
    mixed = SynthScenes(12, size=96, faces=(0, 1), seed=4).one_face_each()
    with_faces = int(mixed.faces.is_face.sum())
    cut = FaceWindows(mixed, size=32, non_faces=2.0)
    assert cut.faces.is_face.sum() == with_faces
    assert len(cut) == 3 * with_faces
    assert not mixed.faces.is_face[cut.scene[with_faces:]].all()
    assert mixed.faces.is_face[cut.scene[:with_faces]].all()


def test_other_faces_and_padding_are_kept_clear_of(scenes):
    data = scenes.subset(range(30))
    data.others = torch.full((30, 2, 4), torch.nan)
    data.others[:, 0] = torch.tensor([0.0, 0, 64, 128])
    data.extent = torch.tensor([[128.0, 96.0]]).repeat(30, 1)
    cut = FaceWindows(data, size=32, near=0.0, border=0.0)
    far = cut.windows[30:]
    assert (far[:, 0] >= 62).all()
    assert (far[:, 3] <= 96.001).all()


def test_black_borders_tell_nothing(scenes):
    cut = FaceWindows(scenes, size=32, border=1.0)
    bare = FaceWindows(scenes, size=32, border=0.0)
    changed = (cut.faces.images != bare.faces.images).flatten(1).any(1)
    assert changed[:30].float().mean() > 0.9
    assert changed.float().mean() > 0.75
    kept = (cut.faces.images == bare.faces.images).all(1).float().mean((1, 2))
    assert kept.min() > 0.7


def test_overlap_is_torchvisions():
    a = torch.rand(4, 6, 2)
    a = torch.cat([a, a + torch.rand(4, 6, 2)], -1)
    b = torch.rand(4, 3, 2)
    b = torch.cat([b, b + torch.rand(4, 3, 2)], -1)
    b[1, 2] = torch.nan
    ours = _overlap(a, b)
    for k in range(4):
        some = b[k][b[k].isfinite().all(1)]
        torch.testing.assert_close(ours[k], box_iou(a[k], some).amax(1))


def test_jitter_stays_within_its_bounds():
    windows = torch.tensor([[10.0, 10, 30, 30]]).repeat(500, 1)
    moved = jittered(windows, 0.2, 1.5, torch.Generator().manual_seed(0))
    side = moved[:, 2] - moved[:, 0]
    assert side.min() >= 20 / 1.5 - 1e-4
    assert side.max() <= 30 + 1e-4
    assert side.max() > 28
    centre = (moved[:, :2] + moved[:, 2:]) / 2 - 20
    assert 3.5 < centre.abs().max() <= 4.001


def test_table_one_of_the_paper(windows):
    """LFWA's 6,572 pictures give 6,572, 13,144, 19,716 and 26,288 samples: 1, 2, 3 and 4 kinds."""
    one = FaceWindows(SynthFaces(20, size=128, view="wild"), size=32)
    for tasks, kinds in (
        (("attributes",), 1),
        (("landmarks", "attributes"), 2),
        (("detection", "attributes"), 3),
        (("detection", "landmarks", "attributes"), 4),
    ):
        kept = apart(one, tasks).faces
        assert len(kept) == 20 * kinds
        known = torch.stack(
            [
                (kept.attributes >= 0).any(1),
                kept.box.isfinite().all(1),
                kept.landmarks.isfinite().flatten(1).all(1),
                ~kept.is_face,
            ]
        )
        assert (known.sum(0) == 1).all()
    assert len(for_tasks(windows, ("attributes",))) == 60
    assert len(for_tasks(windows, ("detection", "attributes"))) == 120


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"size": 8}, "size=8"),
        ({"frame": 0.5}, "frame=0.5"),
        ({"per_face": 0}, "per_face=0"),
        ({"shift": 2}, "shift=2"),
        ({"scale": 0.5}, "scale=0.5"),
        ({"near": 2}, "near=2"),
        ({"non_faces": -1}, "non_faces=-1"),
        ({"border": 3}, "border=3"),
    ],
)
def test_arguments_out_of_range(scenes, how, says):
    with pytest.raises(DataError, match=says):
        FaceWindows(scenes, **how)


def test_scenes_that_cannot_teach():
    images = torch.zeros(4, 3, 64, 64, dtype=torch.uint8)
    bare = FaceDataset(Faces(images=images, attributes=torch.zeros(4, 40)))
    with pytest.raises(DataError, match="has no boxes"):
        FaceWindows(bare)
    boxed = FaceDataset(Faces(images=images, box=torch.rand(4, 4)))
    with pytest.raises(DataError, match="has no attributes"):
        FaceWindows(boxed)
    none = SynthScenes(3, size=64, faces=(0, 0)).one_face_each()
    with pytest.raises(DataError, match="shows no face"):
        FaceWindows(none)
    full = torch.tensor([[0.0, 0, 64, 64]]).repeat(4, 1)
    filled = FaceDataset(Faces(images=images, attributes=torch.zeros(4, 40), box=full))
    with pytest.raises(DataError, match="found no room"):
        FaceWindows(filled, size=32, near=0.0)
