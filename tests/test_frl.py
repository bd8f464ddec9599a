"""The localization network, its pretrained weights, multi-net learning, and regions in an image."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.transforms.functional import crop as torchvision_crop

from faceattr.checkpoint import load_checkpoint, save_checkpoint
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.errors import CheckpointError, DataError
from faceattr.localization import (
    MapError,
    attribute_regions,
    class_activation_maps,
    crop_regions,
    grid_boxes,
    heatmaps,
    random_boxes,
    regions_from_heatmaps,
)
from faceattr.models import FRL, Majority, PaW, WholeImage
from faceattr.models import vgg as vgg_weights
from faceattr.models.regions import cut
from faceattr.objectives import attribute_loss, cross_entropy
from faceattr.objectives.multinet import MultiNet
from faceattr.training import fit

TINY = {"num_attributes": 3, "maps_per_attribute": 2}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tiny(**changes):
    return FRL(**{**TINY, "widths": (4, 6), "repeats": (1, 2), "pools": 1, "norm": True, **changes})


def settled(model):
    model.train()
    with torch.no_grad():
        model(torch.rand(8, 3, 16, 16))
    return model.eval()


def lit(count=24, size=16):
    """Attribute j is a bright channel j in the lower half."""
    labels = (torch.rand(count, 3) < 0.5).float()
    images = 80 * torch.rand(count, 3, size, size)
    images[:, :, size // 2 :] += 120 * labels[:, :, None, None]
    faces = Faces(images=images.to(torch.uint8), attributes=labels)
    return FaceDataset(faces, names=("Bald", "Bangs", "Male"), source="lit")


# --- the network ----------------------------------------------------------------------------------


def test_the_papers_size():
    with torch.device("meta"):
        theirs = torchvision.models.vgg16(weights=None).features
    vgg = sum(p.numel() for p in theirs.parameters())
    model = FRL()
    assert model.count() == vgg + (512 * 9 * 1280 + 1280) + (40 * 32 + 40) == 20_615_528
    assert model.stride == model.smallest == 16
    assert model.channels == 512
    layers = [m for m in model.shared if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in layers] == [64, 64, 128, 128, *[256] * 3, *[512] * 6]


def test_maps_of_224_pixels_are_14_by_14():
    model = tiny(widths=(2, 2, 2, 2, 2), repeats=(1,) * 5, pools=4).eval()
    outputs = model(torch.rand(1, 3, 224, 224))
    assert outputs.features.shape == (1, 3, 2, 14, 14)
    assert outputs.logits.shape == (1, 3)


def test_small_trains_on_64_pixels():
    model = FRL.small()
    outputs = model(torch.rand(2, 3, 64, 64))
    assert outputs.features.shape == (2, 40, 8, 8, 8)
    assert model.count() == 394_248
    outputs.logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_heat_maps_are_the_logit_without_its_mean():
    model = settled(tiny())
    nn.init.normal_(model.head.bias)
    images = torch.rand(4, 3, 16, 12)
    outputs = model(images)
    maps = class_activation_maps(outputs.features, model.cam_weights)  # H_j = sum_i w_ji F_i
    torch.testing.assert_close(maps.mean((-2, -1)) + model.cam_bias, outputs.logits)
    torch.testing.assert_close(heatmaps(model, images), maps.detach())
    by_hand = sum(model.head.weight[1, i] * outputs.features[:, 1, i] for i in range(2))
    torch.testing.assert_close(maps[:, 1], by_hand)


def test_biases_start_at_the_log_odds():
    share = torch.tensor([0.2, 0.0, torch.nan])
    model = tiny()
    assert model.expect(share) is model
    torch.testing.assert_close(model.cam_bias.sigmoid(), torch.tensor([0.2, 0.01, 0.5]))
    assert model.cam_bias.requires_grad
    for wrong in (torch.rand(4), torch.tensor([0.5, 1.2, 0.1])):
        with pytest.raises(DataError, match="for 3 attributes: give the share"):
            model.expect(wrong)
    with pytest.raises(DataError, match="a PaW has no bias for each attribute"):
        PaW(3, 2, regions="random", crop=16).expect(share)


def test_the_second_head_begins_with_the_biases_of_the_first():
    model = tiny().expect(torch.tensor([0.2, 0.5, 0.9]))
    branch = MultiNet.of(model).branch
    assert torch.equal(branch[-1].bias, model.cam_bias)
    assert branch[-1].bias is not model.cam_bias


def test_every_branch_sees_all_shared_maps_and_no_other_branch():
    model = settled(tiny())
    shared = model.conv5(torch.rand(2, 3, 16, 16)).detach().requires_grad_()
    outputs = model.localise(shared)
    outputs.features.retain_grad()
    outputs.logits[:, 1].sum().backward()
    assert (shared.grad.abs().sum((0, 2, 3)) > 0).all()
    assert (outputs.features.grad.abs().sum((0, 2, 3, 4)) > 0).tolist() == [False, True, False]


def test_a_checkpoint_brings_the_same_network_back(tmp_path):
    model = settled(tiny())
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "f.safetensors", model))
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(again(images).logits, model(images).logits)


def test_bad_networks_and_images():
    with pytest.raises(DataError, match="do not match"):
        tiny(widths=(4, 6, 8))
    with pytest.raises(DataError, match="no more pools"):
        tiny(pools=3)
    with pytest.raises(DataError, match="at least 16 x 16 pixels, got 8 x 24"):
        FRL(widths=(2, 2, 2, 2), repeats=(1,) * 4)(torch.rand(1, 3, 8, 24))


# --- weights of VGG-16 ----------------------------------------------------------------------------


class SmallVGG(nn.Module):
    """torchvision's VGG-16 layout, narrow enough for a test."""

    widths, repeats = (4, 4, 6, 6, 6), (2, 2, 3, 3, 3)

    def __init__(self, norm):
        super().__init__()
        plan = []
        for width, times in zip(self.widths, self.repeats, strict=True):
            plan += [width] * times + ["M"]
        self.features = torchvision.models.vgg.make_layers(plan, batch_norm=norm)


def like_vgg(norm, **changes):
    return FRL(**TINY, widths=SmallVGG.widths, repeats=SmallVGG.repeats, norm=norm, **changes)


@pytest.mark.parametrize("norm", [False, True])
def test_torchvisions_weights_give_torchvisions_maps(tmp_path, norm):
    theirs = SmallVGG(norm).eval()
    torch.save(theirs.state_dict(), tmp_path / "vgg.pth")
    ours = like_vgg(norm, pretrained=str(tmp_path / "vgg.pth")).eval()
    images = torch.rand(2, 3, 64, 48)
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1)
        for v in (vgg_weights.IMAGENET_MEAN, vgg_weights.IMAGENET_STD)
    )
    expected = theirs.features[:-1]((images - mean) / std)  # all but the fifth pooling
    torch.testing.assert_close(ours.conv5(images), expected, atol=1e-5, rtol=1e-4)


def vgg_face():
    """VGG-Face's names with the weights of a narrow VGG."""
    convolutions = [m for m in SmallVGG(False).features if isinstance(m, nn.Conv2d)]
    places = [(m, c) for m, n in enumerate(SmallVGG.repeats, 1) for c in range(1, n + 1)]
    state = {"fc6.weight": torch.rand(2, 2)}
    for (module, place), layer in zip(places, convolutions, strict=True):
        state[f"conv{module}_{place}.weight"] = layer.weight.detach()
        state[f"conv{module}_{place}.bias"] = layer.bias.detach()
    return state


def test_vgg_faces_names_and_colours(tmp_path):
    state = vgg_face()
    save_file(state, tmp_path / "face.safetensors")
    model = like_vgg(False, pretrained=str(tmp_path / "face.safetensors")).eval()
    assert torch.equal(model.shared[0].weight, state["conv1_1.weight"])
    last = [m for m in model.shared if isinstance(m, nn.Conv2d)][-1]
    assert torch.equal(last.weight, state["conv5_3.weight"])
    grey = torch.full((1, 3, 16, 16), 128 / 255)
    expected = 128 - torch.tensor([129.1863, 104.7624, 93.5940])
    torch.testing.assert_close(model.normalize(grey)[0, :, 0, 0], expected, atol=1e-3, rtol=0)
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "x.safetensors", model))
    torch.testing.assert_close(again.mean, model.mean)


def test_weights_that_do_not_fit(tmp_path):
    state = vgg_face()
    save_file(state, tmp_path / "face.safetensors")
    with pytest.raises(CheckpointError, match="layer 1 has a weight of .*4, 3, 3, 3.*, not .*64"):
        FRL(**TINY, pretrained=str(tmp_path / "face.safetensors"))
    with pytest.raises(CheckpointError, match="13 layers with weights instead of 26"):
        like_vgg(True, pretrained=str(tmp_path / "face.safetensors"))
    del state["conv3_2.bias"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(CheckpointError, match=r"1 of 26 .*conv3_2\.bias"):
        like_vgg(False, pretrained=str(tmp_path / "less.safetensors"))
    save_file({"layer1.weight": torch.rand(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"layer1\.weight.*rename"):
        like_vgg(False, pretrained=str(tmp_path / "other.safetensors"))
    with pytest.raises(CheckpointError, match="no weights at"):
        like_vgg(False, pretrained=str(tmp_path / "gone.pth"))
    (tmp_path / "torn.pth").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        like_vgg(False, pretrained=str(tmp_path / "torn.pth"))


def test_imagenets_weights_without_a_network(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    fetched = pytest.raises(DataError, match=r"VGG-16 cannot be loaded \(no route\).*fetch http")
    with fetched, torch.device("meta"):
        FRL(1, 1, pretrained="imagenet")
    with pytest.raises(CheckpointError, match="does not fit .*preset='paper'"):
        FRL.small(pretrained="imagenet")  # and nothing is fetched


# --- multi-net learning ---------------------------------------------------------------------------


def test_both_heads_learn_from_one_loss_and_share_five_modules():
    model, faces = tiny().train(), lit().gather(range(8))
    objective = MultiNet.of(model, hidden=5, grid=2)
    losses = objective(model, faces)
    assert list(losses) == ["attributes", "classification"]
    torch.testing.assert_close(
        losses["attributes"], attribute_loss(model, faces)["attributes"], atol=1e-5, rtol=1e-5
    )
    shared = model.shared[0].weight
    each = [torch.autograd.grad(loss, shared, retain_graph=True)[0] for loss in losses.values()]
    assert all(g.abs().sum() > 0 for g in each)
    sum(losses.values()).backward()
    torch.testing.assert_close(shared.grad, each[0] + each[1])
    head, branch = model.head.weight.grad, objective.branch[2].weight.grad
    assert head.abs().sum() > 0
    assert branch.abs().sum() > 0


def test_the_branch_is_two_layers_on_pooled_maps():
    model = settled(tiny())
    objective = MultiNet.of(model, hidden=5, grid=2).eval()
    images = torch.rand(2, 3, 16, 16)
    pooled = F.adaptive_max_pool2d(model.conv5(images), 2).flatten(1)
    first, second = objective.branch[2], objective.branch[4]
    torch.testing.assert_close(objective.logits(model, images), second(first(pooled).relu()))


def test_training_with_the_branch_leaves_a_model_without_it(tmp_path):
    data, model = lit(), tiny()
    how = {"epochs": 6, "batch_size": 8, "lr": 1e-2, "device": "cpu", "progress": False}
    history = fit(model, data, MultiNet.of(model, hidden=8, grid=2), checkpoint=tmp_path, **how)
    for column in ("attributes", "classification"):
        assert history[column][-1] < 0.9 * history[column][0]
    again, _ = load_checkpoint(tmp_path)
    assert not [name for name in again.state_dict() if "branch." in name]
    assert again.count() == model.count() == tiny().count()


def test_unknown_labels_and_models_that_cannot_share():
    model, faces = tiny(), lit().gather(range(4))
    objective = MultiNet.of(model, hidden=5, grid=2)
    faces.attributes[:, 1] = UNKNOWN
    labels = faces.attributes[:, [0, 2]]
    branch = objective.logits(model, faces.images)[:, [0, 2]]
    torch.testing.assert_close(
        objective(model, faces)["classification"], cross_entropy(branch, labels)
    )
    with pytest.raises(DataError, match="WholeImage has none"):
        objective(WholeImage(**TINY), faces)


# --- regions --------------------------------------------------------------------------------------


def test_maps_that_point_nowhere():
    maps = torch.zeros(1, 3, 4, 5)
    maps[0, 1] = -7  # constant too, wherever it lies
    maps[0, 2] = -torch.rand(4, 5) - 1  # negative everywhere: least evidence against
    maps[0, 2, 3, 1] = -0.5
    centres = regions_from_heatmaps(maps, (40, 50))
    assert centres[0, :2].tolist() == [[24.5, 19.5], [24.5, 19.5]]  # the middle of the image
    assert centres[0, 2].tolist() == [14.5, 34.5]  # the middle of cell (3, 1)


def test_crops_equal_torchvisions_and_take_no_gradient():
    images = torch.rand(3, 3, 30, 40, requires_grad=True)
    maps = torch.randn(3, 4, 3, 4, requires_grad=True)
    with torch.no_grad():
        centres = regions_from_heatmaps(maps, (30, 40))
        crops = crop_regions(images, centres, 16)
    assert not crops.requires_grad
    for face in range(3):
        for j, (x, y) in enumerate(centres[face].tolist()):
            left, top = round(x - 7.5), round(y - 7.5)  # ties cannot occur: cells of 10 pixels
            left, top = min(max(left, 0), 24), min(max(top, 0), 14)
            theirs = torchvision_crop(images[face], top, left, 16, 16)
            assert torch.equal(crops[face, j], theirs)


def test_a_region_at_the_border_of_a_face_partly_outside_stays_inside():
    maps = torch.zeros(1, 4, 7, 7)
    for j, (row, column) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
        maps[0, j, row, column] = 1
    images = torch.arange(224.0).expand(1, 3, 224, 224)
    crops = crop_regions(images, regions_from_heatmaps(maps, (224, 224)), 64)
    assert [c[0, 0, 0].item() for c in crops[0]] == [0, 160, 0, 160]


def test_grid_blocks_cover_the_image_without_overlap():
    boxes = grid_boxes((224, 224))
    assert boxes.shape == (16, 4)
    count = torch.zeros(224, 224)
    for x0, y0, x1, y1 in boxes.tolist():
        count[y0:y1, x0:x1] += 1
    assert (count == 1).all()
    odd = grid_boxes((50, 35), (3, 4))
    sides = odd[:, 2:] - odd[:, :2]
    assert sides.unique(dim=0).tolist() == [[8, 16]]
    assert (odd[:, 2] <= 35).all()
    assert (odd[:, 3] <= 50).all()
    with pytest.raises(DataError, match="4 rows and 4 columns"):
        grid_boxes((3, 9))


def test_random_boxes_are_drawn_once_and_evenly():
    boxes = random_boxes(4000, 8, (24, 40), seed=1)
    assert torch.equal(boxes, random_boxes(4000, 8, (24, 40), seed=1))
    assert not torch.equal(boxes, random_boxes(4000, 8, (24, 40), seed=2))
    assert boxes.min() == 0
    assert boxes[:, 2].max() == 40
    assert boxes[:, 3].max() == 24
    left = torch.bincount(boxes[:, 0], minlength=33) / 4000
    assert (left - 1 / 33).abs().max() < 0.02
    with pytest.raises(DataError, match="crop of 8 x 8 pixels does not fit an image of 9 x 7"):
        random_boxes(2, 8, (7, 9))


def test_cutting_keeps_bytes_and_layout():
    images = torch.randint(0, 256, (2, 3, 9, 11), dtype=torch.uint8)
    boxes = torch.tensor([[[1, 2, 5, 5], [7, 6, 11, 9]]]).expand(2, -1, -1)
    crops = cut(images, boxes, (3, 4))
    assert crops.dtype == torch.uint8
    assert torch.equal(crops[1, 0], images[1, :, 2:5, 1:5])
    assert torch.equal(crops[0, 1], images[0, :, 6:9, 7:11])


def test_where_any_network_looks():
    model, images = settled(tiny()), torch.rand(2, 3, 28, 42)
    boxes = attribute_regions(model, images)
    assert boxes.shape == (2, 3, 4)
    assert ((boxes[..., 2:] - boxes[..., :2]) == 8).all()  # 2/7 of 28, as 64 is of 224
    with pytest.raises(DataError, match="a crop of 29 x 29"):
        attribute_regions(model, images, crop=29)
    with pytest.raises(MapError, match="no class activation maps"):
        attribute_regions(Majority(3), images)
