"""FaceAugment: every kernel against torchvision's, face by face, with the same parameters."""

from __future__ import annotations

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as v2f

from faceattr.data.augment import MIRRORED, FaceAugment
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError

H, W = 24, 20


def faces(count=6, dtype=torch.float32, regions=(H, W), seed=0) -> Faces:
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.rand(*shape, generator=generator)

    return Faces(
        images=rand(count, 3, H, W).to(dtype),
        attributes=(rand(count, 40) < 0.3).float(),
        identity=torch.arange(count),
        box=torch.tensor([6.0, 7, 13, 16]).repeat(count, 1) + rand(count, 4),
        landmarks=8 + 6 * rand(count, 5, 2),
        regions=rand(count, 4, *regions) < 0.3,
        is_face=torch.ones(count, dtype=torch.bool),
        index=torch.arange(count),
    )


def run(augment, batch, seed=0):
    draws = augment.draw(len(batch), torch.Generator().manual_seed(seed))
    return augment.apply(batch, draws), draws


def one_by_one(change, batch):
    """What torchvision makes of each face: image, mask, box; stacked."""
    images, masks, boxes = [], [], []
    for row in range(len(batch)):
        box = tv_tensors.BoundingBoxes(batch.box[row : row + 1], format="XYXY", canvas_size=(H, W))
        images.append(change(tv_tensors.Image(batch.images[row]), row))
        masks.append(change(tv_tensors.Mask(batch.regions[row].to(torch.uint8)), row))
        boxes.append(change(box, row))
    plain = (torch.stack([t.as_subclass(torch.Tensor) for t in ts]) for ts in (images, masks))
    return (*plain, torch.cat(boxes).as_subclass(torch.Tensor))


def test_flip_is_torchvisions():
    batch = faces()
    out, draws = run(FaceAugment(flip=0.5, shift=0), batch)
    flip = draws["flip"].tolist()
    assert 0 < sum(flip) < len(flip)
    images, masks, boxes = one_by_one(
        lambda t, row: v2f.horizontal_flip(t) if flip[row] else t, batch
    )
    assert torch.equal(out.images, images)
    assert torch.equal(out.regions, masks.bool())
    torch.testing.assert_close(out.box, boxes)


def test_flip_mirrors_and_swaps_landmarks():
    batch = faces()
    out, _ = run(FaceAugment(flip=1, shift=0), batch)
    expected = batch.landmarks[:, list(MIRRORED)].clone()
    expected[..., 0] = W - expected[..., 0]
    torch.testing.assert_close(out.landmarks, expected)
    ordered = torch.tensor([[5.0, 8], [14, 8], [10, 12], [6, 16], [13, 16]])
    batch.landmarks = ordered.expand(len(batch), 5, 2)
    out, _ = run(FaceAugment(flip=1, shift=0), batch)
    assert (out.landmarks[:, 0, 0] < out.landmarks[:, 1, 0]).all()  # still left of the right eye
    assert (out.landmarks[:, 3, 0] < out.landmarks[:, 4, 0]).all()


def test_shift_is_torchvisions_reflect_pad_and_crop():
    batch = faces(count=20)
    out, draws = run(FaceAugment(flip=0, shift=4), batch)
    assert draws["shift"].min() == -4
    assert draws["shift"].max() == 4

    def change(t, row):
        mode = "constant" if isinstance(t, tv_tensors.BoundingBoxes) else "reflect"
        x, y = draws["shift"][row].tolist()
        return v2f.crop(v2f.pad(t, [4, 4, 4, 4], padding_mode=mode), 4 + y, 4 + x, H, W)

    images, masks, boxes = one_by_one(change, batch)
    assert torch.equal(out.images, images)
    assert torch.equal(out.regions, masks.bool())
    torch.testing.assert_close(out.box, boxes)
    torch.testing.assert_close(out.landmarks, batch.landmarks - draws["shift"][:, None])


def test_scale_and_rotate_are_torchvisions_affine():
    batch = faces()
    out, draws = run(FaceAugment(flip=0, shift=0, scale=(0.7, 1.3), rotate=25), batch)
    border = 20  # symmetric padding continues the picture as grid_sample's reflection does

    def change(t, row):
        still = isinstance(t, tv_tensors.BoundingBoxes)
        mode = "bilinear" if isinstance(t, tv_tensors.Image) else "nearest"
        t = v2f.pad(t, [border] * 4, padding_mode="constant" if still else "symmetric")
        angle, scale = draws["rotate"][row].item(), draws["scale"][row].item()
        t = v2f.affine(
            t,
            angle=angle,
            translate=[0, 0],
            scale=scale,
            shear=[0, 0],
            interpolation=v2f.InterpolationMode(mode),
        )
        return v2f.crop(t, border, border, H, W)

    images, masks, boxes = one_by_one(change, batch)
    torch.testing.assert_close(out.images, images, atol=2e-5, rtol=0)
    assert (out.regions != masks.bool()).float().mean() < 0.002  # ties of the nearest cell
    torch.testing.assert_close(out.box, boxes, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_colour_is_torchvisions(seed):
    batch = faces()
    out, draws = run(FaceAugment(flip=0, shift=0, colour=0.6), batch, seed)
    for row, (bright, contrast, saturation) in enumerate(draws["colour"].tolist()):
        image = v2f.adjust_brightness(batch.images[row], bright)
        image = v2f.adjust_contrast(image, contrast)
        image = v2f.adjust_saturation(image, saturation)
        torch.testing.assert_close(out.images[row], image, atol=1e-6, rtol=0)
    assert torch.equal(out.landmarks, batch.landmarks)


def test_erase_is_torchvisions():
    batch = faces(count=40)
    out, draws = run(FaceAugment(flip=0, shift=0, erase=0.5), batch)
    share = draws["erase"][:, 2:].prod(1)
    assert 0 < (share == 0).sum() < 40
    assert share[share > 0].min() >= 0.0199
    assert share.max() <= 0.2001
    for row, (x, y, w, h) in enumerate(draws["erase"].tolist()):
        top, left = round(y * H), round(x * W)  # pixels whose centre lies inside
        high, wide = (round((y + h) * H) - top, round((x + w) * W) - left) if w else (0, 0)
        expected = v2f.erase(batch.images[row], top, left, high, wide, torch.tensor(0.5))
        assert torch.equal(out.images[row], expected)


@pytest.mark.parametrize(
    "options",
    [
        {"flip": 1, "shift": 0},
        {"flip": 0, "shift": 3},
        {"flip": 0.5, "shift": 3, "scale": (0.9, 1.1), "rotate": 20},
    ],
)
def test_landmarks_follow_a_painted_dot(options):
    size, count = 64, 8
    spot = torch.tensor([[20, 26], [42, 24], [33, 33], [24, 42], [41, 44]])
    images = torch.zeros(count, 5, size, size)  # one channel a landmark
    for k, (x, y) in enumerate(spot.tolist()):
        images[:, k, y - 1 : y + 2, x - 1 : x + 2] = 1  # 3 x 3 pixels about x + 0.5, y + 0.5
    dots = Faces(images=images, landmarks=(spot + 0.5).expand(count, 5, 2))
    out, draws = run(FaceAugment(**options), dots)
    weights = out.images / out.images.sum((-2, -1), keepdim=True)
    centres = torch.arange(size) + 0.5
    x, y = (weights.sum(-2) * centres).sum(-1), (weights.sum(-1) * centres).sum(-1)  # (B, 5)
    seen = torch.stack([x, y], -1)
    flip = draws.get("flip", torch.zeros(count, dtype=torch.bool))
    seen = torch.where(flip[:, None, None], seen[:, list(MIRRORED)], seen)
    torch.testing.assert_close(out.landmarks, seen, atol=0.1, rtol=0)


def test_regions_on_a_coarser_grid_follow():
    batch = faces(count=4, regions=(H // 2, W // 2))
    # constant pixels within each cell of 2 x 2, so that even shifts move both alike
    batch.images = batch.regions.float().repeat_interleave(2, -1).repeat_interleave(2, -2)[:, :3]
    augment = FaceAugment(flip=1, shift=4)
    draws = augment.draw(4, torch.Generator().manual_seed(1))
    draws["shift"] = torch.tensor([[2, 0], [0, -2], [4, 2], [-2, -4]])
    out = augment.apply(batch, draws)
    small = out.images[:, :, ::2, ::2]
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert torch.equal(out.regions[:, :3][inner].float(), small[inner])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_shape_and_the_rest_are_kept(dtype):
    batch = faces(dtype=dtype)
    everything = FaceAugment(flip=0.5, shift=2, scale=(0.9, 1.1), rotate=10, colour=0.3, erase=0.5)
    before = batch.map(torch.clone)
    out, _ = run(everything, batch)
    for name in vars(batch):
        old, new, saved = getattr(batch, name), getattr(out, name), getattr(before, name)
        assert new.shape == old.shape
        assert new.dtype == old.dtype
        assert torch.equal(old, saved), f"{name} of the input was overwritten"
    for name in ("attributes", "identity", "is_face", "index"):
        assert torch.equal(getattr(out, name), getattr(batch, name))
    assert not torch.equal(out.images, batch.images)
    assert out.images.min() >= 0
    assert out.images.max() <= 1


def test_off_is_identity_and_draws_nothing():
    batch = faces()
    out, draws = run(FaceAugment(flip=0, shift=0), batch)
    assert draws == {}
    for name in vars(batch):
        assert torch.equal(getattr(out, name), getattr(batch, name))


def test_neutral_draws_are_identity():
    batch = faces()
    augment = FaceAugment(shift=4)
    neutral = {
        "scale": torch.ones(6),
        "rotate": torch.zeros(6),
        "shift": torch.zeros(6, 2, dtype=torch.int64),
        "flip": torch.zeros(6, dtype=torch.bool),
        "colour": torch.ones(6, 3),
        "erase": torch.zeros(6, 4),
    }
    out = augment.apply(batch, neutral)
    torch.testing.assert_close(out.images, batch.images, atol=1e-5, rtol=0)
    torch.testing.assert_close(out.box, batch.box)
    torch.testing.assert_close(out.landmarks, batch.landmarks)
    assert torch.equal(out.regions, batch.regions)


def test_absent_fields_stay_absent():
    out, _ = run(FaceAugment(scale=(0.9, 1.1)), Faces(images=torch.rand(3, 3, H, W)))
    assert out.box is None
    assert out.landmarks is None
    assert out.regions is None


def test_parts_see_what_the_whole_sees():
    batch = faces(count=7)
    augment = FaceAugment(flip=0.5, shift=3, scale=(0.9, 1.1), rotate=9, colour=0.2, erase=0.5)
    draws = augment.draw(7, torch.Generator().manual_seed(3))
    whole = augment.apply(batch, draws)
    for rank in range(2):
        part = augment.apply(batch[rank::2], {k: v[rank::2] for k, v in draws.items()})
        for name in vars(whole):
            torch.testing.assert_close(getattr(part, name), getattr(whole, name)[rank::2])


def test_parts_of_a_data_set_agree():
    batch = faces(count=10)
    batch.images = (batch.images * 255).to(torch.uint8)
    data = FaceDataset(batch)
    options = {"shuffle": True, "seed": 5, "augment": FaceAugment(colour=0.2)}
    whole = list(data.batches(4, **options))
    parts = [list(data.batches(4, part=(rank, 2), **options)) for rank in range(2)]
    for step, together in enumerate(whole):
        for rank in range(2):
            assert torch.equal(parts[rank][step].images, together.images[rank::2])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"flip": 1.5}, "flip"),
        ({"flip": -0.1}, "flip"),
        ({"shift": -1}, "shift"),
        ({"shift": 1.5}, "shift"),
        ({"scale": (0, 1)}, "scale"),
        ({"scale": (1.2, 0.8)}, "scale"),
        ({"scale": (1, float("inf"))}, "scale"),
        ({"rotate": -5}, "rotate"),
        ({"rotate": 181}, "rotate"),
        ({"colour": 1.5}, "colour"),
        ({"erase": 2}, "erase"),
        ({"flip": float("nan")}, "flip"),
    ],
)
def test_out_of_range(options, name):
    with pytest.raises(DataError, match=name):
        FaceAugment(**options)


def test_unusable_batches():
    augment = FaceAugment()
    draws = augment.draw(2, torch.Generator())
    with pytest.raises(DataError, match="floats"):
        augment.apply(Faces(torch.zeros(2, 3, H, W, dtype=torch.uint8)), draws)
    with pytest.raises(DataError, match="batch"):
        augment.apply(Faces(torch.zeros(3, H, W)), draws)
    with pytest.raises(DataError, match="draw anew"):
        augment.apply(Faces(torch.zeros(3, 3, H, W)), draws)
    with pytest.raises(DataError, match="shift=4"):
        augment.apply(Faces(torch.zeros(2, 3, 4, 4)), draws)


def test_a_share_of_no_faces():
    augment = FaceAugment(flip=0.5, shift=1, scale=(0.9, 1.1), rotate=8, colour=0.2, erase=0.5)
    faces = FaceDataset(Faces(torch.zeros(3, 3, 8, 8, dtype=torch.uint8)))
    shares = [len(part) for part in faces.batches(2, augment=augment, part=(1, 2))]
    assert shares == [1, 0]
