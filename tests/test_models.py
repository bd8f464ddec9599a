"""Trunks, the whole-image network, the majority baseline and the registry."""

from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn

from faceattr.checkpoint import load_checkpoint, model_config, save_checkpoint
from faceattr.errors import CheckpointError, DataError, UnknownNameError
from faceattr.models import Majority, WholeImage, build, models
from faceattr.models.backbones import TRUNKS, ResNet18, SNet3
from faceattr.models.base import FaceModel
from faceattr.models.whole import GroupedLinear


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def images(count=2, height=48, width=40):
    return torch.rand(count, 3, height, width)


def settled(model):
    """A model whose batch norms have seen something, so that they are no identity."""
    model.train()
    with torch.no_grad():
        model(torch.rand(8, 3, 48, 40))
    return model.eval()


def test_snet3_has_the_parameters_of_table_3():
    convolutions = [(3, 3, 16), (3, 16, 32), (3, 32, 64), (3, 64, 128), (1, 128, 1280)]
    weights = sum(k * k * i * o + o for k, i, o in convolutions)  # with biases
    norms = sum(2 * o for _, _, o in convolutions)  # scale and offset
    head = 40 * 32 + 40  # 32 maps an attribute, and its bias
    assert WholeImage("snet3").count() == weights + norms + head == 266_920
    assert round(WholeImage("snet3").count() / 1e6, 2) == 0.27


@pytest.mark.parametrize(("height", "width"), [(96, 80), (64, 64), (109, 89), (16, 16), (17, 31)])
def test_snet3_shapes(height, width):
    model = WholeImage("snet3", num_attributes=5, maps_per_attribute=4).eval()
    outputs = model(images(2, height, width))
    assert outputs.logits.shape == (2, 5)
    assert outputs.features.shape == (2, 5, 4, height // 16, width // 16)
    assert (model.trunk.channels, model.trunk.stride) == (20, 16)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (65, 33)])
def test_resnet18_shapes(height, width):
    model = WholeImage("resnet18", num_attributes=5).eval()
    outputs = model(images(2, height, width))
    assert outputs.logits.shape == (2, 5)
    assert outputs.features.shape == (2, 512, -(-height // 32), -(-width // 32))
    assert (model.trunk.channels, model.trunk.stride) == (512, 32)


def test_snet3_is_convolution_norm_relu_pool_in_the_papers_order():
    trunk = settled(WholeImage("snet3", num_attributes=3, maps_per_attribute=2)).trunk
    inputs = x = images()
    for module in trunk:
        if isinstance(module, nn.Conv2d):
            conv = module
            x = F.conv2d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)
        elif isinstance(module, nn.BatchNorm2d):
            norm = (module.running_mean, module.running_var, module.weight, module.bias)
            x = F.relu(F.batch_norm(x, *norm))
            x = F.max_pool2d(x, 2) if conv.kernel_size[0] == 3 else x
    torch.testing.assert_close(trunk(inputs), x)


def test_resnet18_equals_torchvision():
    theirs = torchvision.models.resnet18(weights=None, num_classes=7).eval()
    ours = WholeImage("resnet18", num_attributes=7).eval()
    ours.trunk.load_state_dict({k: v for k, v in theirs.state_dict().items() if k[:2] != "fc"})
    ours.head.load_state_dict(theirs.fc.state_dict())
    x = images(3, 64, 64)
    torch.testing.assert_close(ours(x).logits, theirs(ours.normalize(x)))


@pytest.mark.parametrize("grouped", [True, False])
def test_logit_is_the_mean_of_the_map_plus_the_bias(grouped):
    model = settled(WholeImage("snet3", num_attributes=5, maps_per_attribute=4, grouped=grouped))
    nn.init.normal_(model.head.bias)
    outputs = model(images())
    rule = "bmnhw,mn->bmhw" if grouped else "bchw,mc->bmhw"
    heatmaps = torch.einsum(rule, outputs.features, model.cam_weights)
    torch.testing.assert_close(heatmaps.mean((-2, -1)) + model.cam_bias, outputs.logits)
    assert model.cam_weights.shape == ((5, 4) if grouped else (5, 20))


def test_grouped_linear_equals_a_grouped_convolution():
    layer = GroupedLinear(6, 4)
    nn.init.normal_(layer.bias)
    x = torch.randn(3, 6, 4)
    theirs = F.conv1d(x.reshape(3, 24, 1), layer.weight[:, :, None], layer.bias, groups=6)
    torch.testing.assert_close(layer(x), theirs[..., 0])


def test_no_attribute_sees_the_maps_of_another():
    model = settled(WholeImage("snet3", num_attributes=5, maps_per_attribute=4))
    outputs = model(images())
    outputs.features.retain_grad()
    outputs.logits[:, 2].sum().backward()
    touched = outputs.features.grad.abs().sum((0, 2, 3, 4)) > 0
    assert touched.tolist() == [False, False, True, False, False]


def test_every_parameter_learns():
    model = WholeImage("snet3", num_attributes=5, maps_per_attribute=4).train()
    model(images(4)).logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_arguments_that_do_not_fit():
    with pytest.raises(UnknownNameError, match="snet3, snet2, snet1, tnet, resnet18"):
        WholeImage("vgg")
    with pytest.raises(DataError, match="leave grouped out"):
        WholeImage("resnet18", grouped=True)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (torch.rand(2, 3, 15, 40), "at least 16 x 16"),
        (torch.rand(3, 40, 40), r"images\[None\]"),
        (torch.rand(2, 1, 40, 40), "expand"),
        (torch.zeros(2, 3, 40, 40, dtype=torch.uint8), "with_float_images"),
    ],
)
def test_images_that_cannot_be_used(broken, words):
    with pytest.raises(DataError, match=words):
        WholeImage("snet3", num_attributes=5, maps_per_attribute=4)(broken)


def test_majority_refuses_the_same_images():
    with pytest.raises(DataError, match="with_float_images"):
        Majority(5)(torch.zeros(2, 3, 40, 40, dtype=torch.uint8))


def test_batch_and_size_stay_open_in_an_export():
    model = WholeImage("snet3", num_attributes=5, maps_per_attribute=4).eval()

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x).logits

    free = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(Logits(), (images(2, 64, 48),), dynamic_shapes=(free,))
    x = images(3, 80, 64)
    torch.testing.assert_close(program.module()(x), model(x).logits)


# Trained weights


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_pretrained_from_a_file(tmp_path, ending):
    theirs = torchvision.models.resnet18(weights=None)
    file = tmp_path / f"weights{ending}"
    if ending == ".pth":
        torch.save(theirs.state_dict(), file)
    else:
        save_file(theirs.state_dict(), file)
    model = WholeImage("resnet18", num_attributes=5, pretrained=str(file))
    assert torch.equal(model.trunk.layer4[1].conv2.weight, theirs.layer4[1].conv2.weight)
    assert "pretrained" not in model.config  # a checkpoint must not look for the file again


def test_pretrained_from_a_checkpoint_of_ours(tmp_path):
    trained = settled(WholeImage("snet3", num_attributes=5, maps_per_attribute=4))
    file = save_checkpoint(tmp_path / "model.safetensors", trained)
    fresh = WholeImage("snet3", num_attributes=4, maps_per_attribute=5, pretrained=str(file))
    x = images()
    torch.testing.assert_close(fresh.eval().trunk(x), trained.trunk(x))


def test_imagenet_weights_go_through_torchvision(monkeypatch):
    theirs = torchvision.models.resnet18(weights=None)
    asked = []

    def download(url, **how):
        asked.append((url, how))
        return theirs.state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    model = WholeImage("resnet18", num_attributes=5, pretrained="imagenet")
    assert torch.equal(model.trunk.conv1.weight, theirs.conv1.weight)
    assert asked[0][0].endswith(".pth")
    assert asked[0][1]["check_hash"]
    torch.testing.assert_close(model.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))


@pytest.mark.parametrize("trouble", [URLError("no network"), RuntimeError("invalid hash value")])
def test_imagenet_weights_that_cannot_be_fetched(monkeypatch, trouble):
    def download(url, **how):
        raise trouble

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    with pytest.raises(DataError, match=r"resnet18.*\.pth.*pretrained=None"):
        WholeImage("resnet18", pretrained="imagenet")


def test_imagenet_weights_of_a_trunk_that_has_none():
    with pytest.raises(DataError, match="trunk='resnet18'"):
        WholeImage("snet3", pretrained="imagenet")


def test_weights_that_cannot_be_used(tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights at .*gone\.pth"):
        WholeImage("resnet18", pretrained=str(tmp_path / "gone.pth"))
    for ending in (".pth", ".safetensors"):
        torn = tmp_path / f"torn{ending}"
        torn.write_bytes(b"PK\x03\x04 half a file")
        with pytest.raises(CheckpointError, match="torn"):
            WholeImage("resnet18", pretrained=str(torn))
    number = tmp_path / "number.pth"
    torch.save({"a": 1}, number)
    with pytest.raises(CheckpointError, match="holds no state dictionary"):
        WholeImage("resnet18", pretrained=str(number))
    other = tmp_path / "other.pth"
    torch.save(SNet3(20).state_dict(), other)
    with pytest.raises(CheckpointError, match=r"does not fit ResNet18: \d+ of \d+ tensors"):
        WholeImage("resnet18", pretrained=str(other))
    with pytest.raises(CheckpointError, match="another shape"):
        WholeImage("snet3", num_attributes=3, pretrained=str(other))


# Majority


def test_majority_says_the_prevalence_of_every_face():
    prevalence = torch.tensor([0.1, 0.5, 0.9, 0.0, 1.0])
    outputs = Majority(5, prevalence)(images(3))
    torch.testing.assert_close(outputs.logits.sigmoid()[2], prevalence, atol=2e-6, rtol=0)
    assert outputs.logits.isfinite().all()
    assert torch.equal(outputs.logits[0], outputs.logits[2])
    assert ((outputs.logits[0] > 0) == (prevalence > 0.5)).all()


def test_majority_has_no_parameters_and_survives_a_checkpoint(tmp_path):
    model = Majority(3, [0.2, 0.4, 0.6])
    assert model.count() == 0
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "majority.safetensors", model))
    assert torch.equal(again(images()).logits, model(images()).logits)


@pytest.mark.parametrize(
    "broken", [[0.1, 0.2], [0.1, 0.2, 1.2], [0.1, -0.2, 0.5], [0.1, 0.2, torch.nan]]
)
def test_majority_refuses_what_is_no_prevalence(broken):
    with pytest.raises(DataError, match="prevalence"):
        Majority(3, broken)


# Registry


@pytest.mark.parametrize(
    "model",
    [
        WholeImage("snet3", num_attributes=4, maps_per_attribute=3),
        WholeImage("snet3", num_attributes=4, grouped=False),
        WholeImage("resnet18", num_attributes=4),
        Majority(4),
    ],
    ids=lambda model: f"{type(model).__name__}-{model.config}",
)
def test_build_is_the_inverse_of_config(model):
    again = build(model_config(model))
    again.load_state_dict(model.state_dict())
    x = images()
    torch.testing.assert_close(again.eval()(x).logits, model.eval()(x).logits)


def test_registry_holds_every_model_by_its_class_name():
    assert all(name == model.__name__ for name, model in models().items())
    assert all(issubclass(model, FaceModel) for model in models().values())
    assert {"WholeImage", "Majority"} <= set(models())
    assert (TRUNKS["snet3"], TRUNKS["resnet18"]) == (SNet3, ResNet18)


def test_build_of_what_is_not_there():
    with pytest.raises(UnknownNameError, match=r"'Transformer'.*Majority.*PaW.*WholeImage"):
        build({"model": "Transformer", "arguments": {}})
    with pytest.raises(CheckpointError, match="depth"):
        build({"model": "WholeImage", "arguments": {"depth": 3}})


def test_small_is_a_preset_of_the_same_model():
    assert WholeImage.small(num_attributes=7).config["num_attributes"] == 7


def test_images_of_double_precision_are_refused_in_words():
    with pytest.raises(DataError, match="images.float"):
        WholeImage.small()(torch.rand(1, 3, 32, 32, dtype=torch.float64))
