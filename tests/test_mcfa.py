"""MCFA's networks and losses: shapes, counted parameters, masks, and that it learns."""

import pytest
import torch
import torch.nn.functional as F
from bright import TINY, M
from squares import NAMES

from faceattr.checkpoint import load_checkpoint, save_checkpoint
from faceattr.data.augment import FaceAugment
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.models import Outputs
from faceattr.models.mcfa import MCFA, VARIANTS, corners, left_top_height_width
from faceattr.models.mcfa_nets import SNet
from faceattr.objectives.mcfa import (
    Masks,
    MCFALoss,
    attribute_losses,
    box_loss,
    face_loss,
    landmark_loss,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tiny(**changes):
    return MCFA(**{**TINY, **changes})


def windows(count=24, size=64, seed=0):
    """A bright square is the face; attribute j lightens its channel j; the rest is noise."""
    generator = torch.Generator().manual_seed(seed)
    half = count // 2
    labels = (torch.rand(count, M, generator=generator) < 0.5).float()
    images = 60 * torch.rand(count, 3, size, size, generator=generator)
    corner = torch.randint(size // 8, size // 3, (count, 2), generator=generator)
    box = torch.zeros(count, 4)
    for k in range(count):
        x, y = corner[k].tolist()
        side = size // 2
        box[k] = torch.tensor([x, y, x + side, y + side])
        if k < half:
            images[k, :, y : y + side, x : x + side] += 60
            images[k, :, y : y + side, x : x + side] += 120 * labels[k, :, None, None]
    is_face = torch.arange(count) < half
    labels[~is_face], box[~is_face] = UNKNOWN, torch.nan
    points = box[:, None, :2] + 4 + torch.arange(10.0).view(5, 2)
    faces = Faces(
        images=images.to(torch.uint8), attributes=labels, box=box, landmarks=points, is_face=is_face
    )
    return FaceDataset(faces, names=NAMES, source=f"bright squares {seed}")


# --- networks -------------------------------------------------------------------------------------


def conv(inputs, outputs, kernel=3):
    return inputs * outputs * kernel * kernel + outputs


def trunk(modules):
    plan = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    plan += [(256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)]
    return sum(conv(*pair) for pair in plan[: {3: 7, 4: 10, 5: 13}[modules]])


def heads(shared, hidden=256, attributes=40):
    each = [shared * hidden + hidden + hidden * hidden + hidden] * 4
    sizes = (attributes, 1, 4, 10)
    last = [hidden * size + size for size in sizes]
    return sum(each) + sum(last) + shared * attributes + attributes  # with the layer of Eq. 6


def test_the_papers_sizes():
    with torch.device("meta"):
        model = MCFA.__new__(MCFA)
        model.__init__()
    assert model.sides == (56, 112, 224)
    full = 7 * 7 * 512 * 1024 + 1024
    assert model.sizes() == {
        "S_Net": trunk(3) + conv(256, 256, 2) + heads(256),
        "M_Net": trunk(4) + full + heads(256 + 1024),
        "L_Net": trunk(5) + full + heads(256 + 1024 + 1024),
    }
    assert model.count() == sum(model.sizes().values())
    assert [h.weights.in_channels for h in model.heads] == [256, 1280, 2304]
    assert model.s_net.stride == 8


def test_shapes_of_all_three_networks():
    model = tiny().eval()
    images = torch.rand(2, 3, 64, 64)
    found = model.nets(images)
    assert len(found) == 3
    for outputs in found:
        shapes = {name: tuple(value.shape) for name, value in outputs}
        assert shapes == {
            "logits": (2, M),
            "boxes": (2, 4),
            "landmarks": (2, 5, 2),
            "face_logits": (2,),
            "loss_weights": (2, M),
        }
        torch.testing.assert_close(outputs.loss_weights.sum(1), torch.ones(2))
    assert torch.equal(model(images).logits, found[2].logits)
    for depth, side in ((1, 16), (2, 32), (3, 64)):
        small = F.avg_pool2d(images, 64 // side)
        alone = model.see(small, depth)
        assert len(alone) == depth
        torch.testing.assert_close(alone[-1].logits, found[depth - 1].logits, atol=1e-5, rtol=1e-5)
        scale = 64 / side
        torch.testing.assert_close(alone[-1].boxes * scale, found[depth - 1].boxes)


def test_each_variant_has_the_heads_that_it_trains():
    images = torch.rand(1, 3, 64, 64)
    for name, tasks in VARIANTS.items():
        outputs = tiny(tasks=tasks, weights=False).eval()(images)
        present = {field for field, _ in outputs}
        wanted = {"logits"}
        wanted |= {"boxes", "face_logits"} if "FD" in name or name == "MCFA" else set()
        wanted |= {"landmarks"} if "FLL" in name or name == "MCFA" else set()
        assert present == wanted


def test_images_of_any_size_are_answered_in_their_own_pixels():
    model = tiny().eval()
    images = torch.rand(2, 3, 64, 64)
    large = F.interpolate(images, (128, 256))
    torch.testing.assert_close(model(large).logits, model(images).logits, atol=0.05, rtol=0)
    with torch.no_grad():
        for heads_ in model.heads:  # constant answers: only the scale is left
            for layers in heads_.answers.values():
                layers[-1].weight.zero_()
    boxes = model(images).boxes * torch.tensor([4, 2, 4, 2])
    torch.testing.assert_close(model(large).boxes, boxes)
    points = model(images).landmarks * torch.tensor([4, 2])
    torch.testing.assert_close(model(large).landmarks, points)
    assert model(torch.rand(1, 3, 20, 17)).logits.isfinite().all()


@pytest.mark.parametrize("pools", [1, 2, 3])
@pytest.mark.parametrize("norm", [False, True])
def test_slid_over_a_picture_s_net_is_itself_in_every_window(pools, norm):
    net = SNet(56, (4, 5, 6), (2, 2, 3), 7, norm=norm, pools=pools).train()
    net(torch.rand(4, 3, 56, 56))
    net.eval()
    picture, step = torch.rand(1, 3, 55 + 6 * net.stride, 56 + 2 * net.stride), net.stride
    assert step == 2**pools
    with torch.no_grad():
        whole = net(picture)
        assert whole.shape == (1, 7, 6, 3)
        for i in range(6):
            for j in range(3):
                window = picture[..., step * i : step * i + 56, step * j : step * j + 56]
                torch.testing.assert_close(
                    net(window)[..., 0, 0], whole[..., i, j], atol=1e-5, rtol=1e-4
                )


def test_coarse_features_reach_the_finer_networks():
    model = tiny().eval()
    images = torch.rand(2, 3, 64, 64)
    model.nets(images)[2].logits.sum().backward()
    for net in (model.s_net, model.m_net, model.l_net):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    model.zero_grad(set_to_none=True)
    model.nets(images)[0].logits.sum().backward()
    assert all(p.grad is None for p in model.l_net.parameters())


def test_a_variant_of_the_answer_shares_the_weights(tmp_path):
    model = tiny().eval()
    images = torch.rand(2, 3, 64, 64)
    found = model.nets(images)
    for k, net in enumerate("SML"):
        other = model.variant(net)
        assert torch.equal(other(images).logits, found[k].logits)
        assert other.s_net is model.s_net
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "s.safetensors", model.variant("S")))
    assert torch.equal(again(images).logits, found[0].logits)


def test_first_answers_are_the_log_odds_and_a_face_in_the_middle():
    model = tiny().expect(torch.tensor([0.2, 0.5, 0.9])).eval()
    outputs = model(torch.rand(8, 3, 64, 64))
    torch.testing.assert_close(
        outputs.logits.sigmoid().mean(0), torch.tensor([0.2, 0.5, 0.9]), atol=0.05, rtol=0
    )
    middle = torch.tensor([32 - 64 / 3, 32 - 64 / 3, 32 + 64 / 3, 32 + 64 / 3])
    torch.testing.assert_close(outputs.boxes.mean(0), middle, atol=3, rtol=0)
    torch.testing.assert_close(outputs.loss_weights, torch.full((8, M), 1 / M))
    with pytest.raises(DataError, match="for 3 attributes"):
        tiny().expect(torch.ones(2))


def test_left_top_height_and_width():
    boxes = torch.tensor([[2.0, 3, 10, 8]])
    assert left_top_height_width(boxes).tolist() == [[2, 3, 5, 8]]
    assert torch.equal(corners(left_top_height_width(boxes)), boxes)


def test_networks_that_cannot_be():
    for how, says in (
        ({"size": 50}, "size=50"),
        ({"repeats": (3, 3, 3, 1, 1), "size": 64, "pools": 3}, "nothing is left of S_Net's"),
        ({"widths": (4, 4)}, "five modules"),
        ({"pools": 4}, "pools=4"),
        ({"tasks": ("detection",)}, "add them"),
        ({"frame": 0.9}, "frame=0.9"),
    ):
        with pytest.raises(DataError, match=says):
            tiny(**how)
    with pytest.raises(UnknownNameError, match="unknown task 'pose'"):
        tiny(tasks=("pose",))
    with pytest.raises(UnknownNameError, match="unknown answer 'XL'"):
        tiny(answer="XL")
    with pytest.raises(UnknownNameError, match="unknown answer 'XL'"):
        tiny().variant("XL")
    with pytest.raises(DataError, match="together take 32 x 32"):
        tiny().see(torch.rand(1, 3, 64, 64), 2)
    with pytest.raises(DataError, match="at least 16 x 16"):
        tiny()(torch.rand(1, 3, 12, 64))


# --- losses ---------------------------------------------------------------------------------------


def test_equations_by_hand():
    p, y = torch.tensor([0.9, 0.2, 0.6]), torch.tensor([True, False, True])
    mask = torch.tensor([True, True, False])
    expected = -(torch.tensor(0.9).log() + torch.tensor(0.8).log()) / 2  # Eq. 1, negated
    torch.testing.assert_close(face_loss(torch.logit(p), y, mask), expected)

    ours = torch.tensor([[0.0, 0, 32, 32], [9, 9, 9, 9]])
    truth = torch.tensor([[8.0, 0, 40, 16], [torch.nan] * 4])
    only = torch.tensor([True, False])
    # left off by 8, height by 16, width 32 in both: in sides of 64
    expected = torch.tensor((8 / 64) ** 2 + (16 / 64) ** 2)
    torch.testing.assert_close(box_loss(ours, truth, only, 64), expected)  # Eq. 2

    points = torch.zeros(2, 5, 2)
    there = torch.full((2, 5, 2), 6.4)
    there[1] = torch.nan
    torch.testing.assert_close(
        landmark_loss(points, there, only, 64), torch.tensor(10 * 0.1**2)
    )  # Eq. 3

    logits, labels = torch.randn(4, M), (torch.rand(4, M) < 0.5).float()
    said = logits.sigmoid()
    by_hand = -(labels * said.log() + (1 - labels) * (1 - said).log())
    torch.testing.assert_close(attribute_losses(logits, labels), by_hand)


def test_losses_are_summed_over_three_networks():
    model, faces = tiny().eval(), windows().gather(range(24))
    for scheme in ("equal", "dynamic"):
        found = MCFALoss(scheme=scheme, num_attributes=M).eval()(model, faces)
        assert list(found) == ["attributes", "faces", "boxes", "landmarks"]
        masks, expected = Masks.of(faces), dict.fromkeys(found, 0.0)
        for outputs in model.nets(faces.images):
            each = attribute_losses(outputs.logits, faces.attributes)[:12]
            mu = outputs.loss_weights[:12] if scheme == "dynamic" else torch.full((12, M), 1 / M)
            expected["attributes"] += (mu * each).sum(1).mean()
            expected["faces"] += face_loss(outputs.face_logits, faces.is_face, masks.faces)
            expected["boxes"] += box_loss(outputs.boxes, faces.box, masks.boxes, 64)
            expected["landmarks"] += landmark_loss(
                outputs.landmarks, faces.landmarks, masks.landmarks, 64
            )
        for name, value in found.items():
            torch.testing.assert_close(value, expected[name])


KINDS = {
    # what is known of a window -> the losses that it feeds
    "non-face": {"faces"},
    "face": {"faces", "boxes"},
    "landmarks": {"landmarks"},
    "attributes": {"attributes"},
}


def of_kind(kind, count=4):
    faces = windows(2 * count).gather(range(count))
    if kind == "non-face":
        faces.is_face = torch.zeros(count, dtype=torch.bool)  # all else still stands there
        return faces
    if kind != "face":
        faces.box = torch.full_like(faces.box, torch.nan)
    if kind != "landmarks":
        faces.landmarks = torch.full_like(faces.landmarks, torch.nan)
    if kind != "attributes":
        faces.attributes = torch.full_like(faces.attributes, UNKNOWN)
    return faces


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_feeds_its_own_losses(kind):
    model, faces = tiny().eval(), of_kind(kind)
    objective = MCFALoss(scheme="dynamic", num_attributes=M)
    losses = objective(model, faces)
    assert {name for name, value in losses.items() if value > 0} == KINDS[kind]
    for name, value in losses.items():
        model.zero_grad()
        value.backward(retain_graph=True)
        moved = sum(p.grad.abs().sum() for p in model.parameters() if p.grad is not None)
        assert moved.isfinite()
        assert (moved > 0) == (name in KINDS[kind]), f"a {kind} and {name}"


def test_a_batch_of_all_kinds_is_each_kind_by_itself():
    model = tiny().eval()
    objective = MCFALoss(scheme="equal", num_attributes=M)
    parts = {kind: of_kind(kind) for kind in KINDS}
    whole = objective(model, Faces.cat(list(parts.values())))
    alone = {kind: objective(model, part) for kind, part in parts.items()}
    torch.testing.assert_close(whole["boxes"], alone["face"]["boxes"])
    torch.testing.assert_close(whole["landmarks"], alone["landmarks"]["landmarks"])
    torch.testing.assert_close(whole["attributes"], alone["attributes"]["attributes"])
    torch.testing.assert_close(
        whole["faces"], (alone["face"]["faces"] + alone["non-face"]["faces"]) / 2
    )


def test_data_without_fields_and_networks_without_heads():
    model, faces = tiny(), windows().gather([0, 1, 2])
    bare = Faces(images=faces.images, attributes=faces.attributes)
    losses = MCFALoss(num_attributes=M)(model, bare)
    assert losses["boxes"] == losses["landmarks"] == losses["faces"] == 0
    assert losses["attributes"] > 0
    with pytest.raises(DataError, match="no attribute labels"):
        MCFALoss(num_attributes=M)(model, Faces(images=faces.images))
    with pytest.raises(DataError, match="no head for detection, landmarks"):
        MCFALoss(num_attributes=M)(tiny(tasks=("attributes",)), faces)
    with pytest.raises(DataError, match="weights=True"):
        MCFALoss(num_attributes=M)(tiny(weights=False), faces)


def test_the_trace_keeps_weights_and_losses_of_an_epoch():
    model, data = tiny().train(), windows()
    objective = MCFALoss(scheme="dynamic", num_attributes=M, epochs=2).train()
    seen = []
    for rows in (range(12), range(6, 24)):
        faces = data.gather(rows)
        objective(model, faces)
        seen.append(faces)
    objective.end_epoch(1)
    weights, losses = objective.trace[0]
    torch.testing.assert_close(weights, torch.full((3, M), 1 / M))
    assert (losses > 0).all()
    assert (objective.trace[1] == 0).all()
    assert objective.counts.sum() == 0
    objective(model, seen[0])
    objective.end_epoch(2)
    assert (objective.trace[1] > 0).all()


def test_mirroring_moves_boxes_and_landmarks_and_keeps_what_is_unknown():
    faces = windows().gather([0, 1, 20])
    flip = FaceAugment(flip=1.0, shift=0)
    turned = flip.apply(faces, flip.draw(3, torch.Generator()))
    masks, before = Masks.of(turned), Masks.of(faces)
    for name in ("faces", "boxes", "landmarks", "attributes"):
        assert torch.equal(getattr(masks, name), getattr(before, name))
    torch.testing.assert_close(turned.box[:2, 0], 64 - faces.box[:2, 2])


def test_half_precision_leaves_places_in_full():
    model, faces = tiny().train(), windows().gather(range(24))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model.nets(faces.images)[2]
        losses = MCFALoss(num_attributes=M)(model, faces)
    assert outputs.boxes.dtype == outputs.landmarks.dtype == torch.float32
    assert isinstance(outputs, Outputs)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())


def test_it_learns_squares():
    model, data = tiny().train(), windows(240)
    objective = MCFALoss(scheme="equal", num_attributes=M)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    first = None
    for epoch in range(25):
        for faces in data.batches(40, shuffle=True, seed=epoch):
            losses = objective(model, faces)
            first = first or {name: value.item() for name, value in losses.items()}
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
    for name, value in losses.items():
        assert value < 0.5 * first[name], name
    other = windows(60, seed=1).gather(range(60))
    with torch.no_grad():
        outputs = model.eval()(other.images)
    assert ((outputs.face_logits > 0) == other.is_face).float().mean() > 0.95
    right = (outputs.logits > 0) == (other.attributes > 0)
    assert right[:30].float().mean() > 0.9
