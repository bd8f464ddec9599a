"""Weights of VGG-16 for the face region localization network: ImageNet's, or VGG-Face's.

Libraries name the thirteen convolutions differently and order them alike, so they are mapped by
their place. What stays to be known is how the pictures were centred: VGG-Face was trained on RGB
values from 0 to 255 less a mean colour, torchvision's networks on standardised values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_BN_Weights, VGG16_Weights

from faceattr.errors import CheckpointError, DataError
from faceattr.models.backbones import IMAGENET_MEAN, IMAGENET_STD, TORN, read_weights

#: VGG-Face's mean colour (Parkhi et al., BMVC 2015), red, green, blue, in [0, 1].
VGG_FACE_MEAN = (129.1863 / 255, 104.7624 / 255, 93.5940 / 255)
#: VGG-Face sees values up to 255: one unit of it is 1/255 of ours.
VGG_FACE_STD = (1 / 255,) * 3

#: Maps of VGG-16's five modules, and convolutions in each.
WIDTHS, REPEATS = (64, 128, 256, 512, 512), (2, 2, 3, 3, 3)

_PLACE = re.compile(r"(?:^|\.)conv_?(\d+)_(\d+)\.(weight|bias)$")
_FEATURE = re.compile(r"^features\.(\d+)\.(\w+)$")
#: Which convolutions a VGG-16 has, as VGG-Face names them.
_LAYERS = tuple((m, c) for m, count in enumerate(REPEATS, 1) for c in range(1, count + 1))


class VGGWeights(NamedTuple):
    """The shared modules' tensors, layer after layer, and the colours they expect.

    Attributes:
        layers: state of each convolution and, behind it, of its batch norm where there is one.
        mean, std: of the pictures, three numbers each, in [0, 1].
    """

    layers: list[dict[str, Tensor]]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def check_imagenet(widths: Sequence[int], repeats: Sequence[int]) -> None:
    """See that ImageNet's weights fit, before half a gigabyte of them is fetched.

    Raises:
        CheckpointError: they do not.
    """
    if (tuple(widths), tuple(repeats)) != (WIDTHS, REPEATS):
        raise CheckpointError(
            f"ImageNet's VGG-16 does not fit modules of widths {list(widths)} and repeats "
            f"{list(repeats)}: leave pretrained out, or take VGG-16's own, which are the defaults "
            "(preset='paper', --preset paper)"
        )


def imagenet_vgg(norm: bool) -> VGGWeights:
    """ImageNet's weights, from torchvision's cache or its server.

    Args:
        norm: those of the network with batch norm.

    Raises:
        DataError: they cannot be fetched, or the cached file is torn.
    """
    weights = (VGG16_BN_Weights if norm else VGG16_Weights).IMAGENET1K_V1
    place = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except TORN as error:
        raise DataError(
            f"the ImageNet weights of VGG-16 cannot be loaded ({error}): fetch {weights.url} "
            f"where there is a network and put it at {place} (delete a torn file there first), "
            "or pass pretrained='/path/to/the/file.pth', or train without (pretrained=None)"
        ) from error
    return _of_torchvision(state)


def read_vgg(path: str | Path) -> VGGWeights:
    """Weights from a file of torchvision's VGG-16, or of VGG-Face (RGB, ``conv1_1.weight`` ...).

    Raises:
        CheckpointError: missing, torn, or with the names of neither.
    """
    state = read_weights(path)
    found = {}
    for name, tensor in state.items():
        if match := _PLACE.search(name):
            module, place, kind = match.groups()
            found[int(module), int(place), kind] = tensor
    if found:
        wanted = [(m, c, kind) for m, c in _LAYERS for kind in ("weight", "bias")]
        missing = [f"conv{m}_{c}.{kind}" for m, c, kind in wanted if (m, c, kind) not in found]
        if missing:
            raise CheckpointError(
                f"{path} is no whole VGG-Face: {len(missing)} of {len(wanted)} tensors are "
                f"missing (first: {missing[0]}); pass the file of the 16-layer network"
            )
        layers = [{kind: found[m, c, kind] for kind in ("weight", "bias")} for m, c in _LAYERS]
        return VGGWeights(layers, VGG_FACE_MEAN, VGG_FACE_STD)
    if any(_FEATURE.match(name) for name in state):
        return _of_torchvision(state)
    raise CheckpointError(
        f"{path} names its tensors neither as torchvision's VGG-16 does (features.0.weight ...) "
        f"nor as VGG-Face does (conv1_1.weight ...), but {', '.join(list(state)[:3])} ...: rename "
        "them"
    )


def _of_torchvision(state: dict[str, Tensor]) -> VGGWeights:
    layers: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if match := _FEATURE.match(name):
            layers.setdefault(int(match[1]), {})[match[2]] = tensor
    ordered = [layers[position] for position in sorted(layers)]
    return VGGWeights(ordered, IMAGENET_MEAN, IMAGENET_STD)


def fill(trunk: nn.Module, weights: VGGWeights, source: str) -> None:
    """Copy weights into the convolutions and batch norms of a trunk, in their order.

    Raises:
        CheckpointError: another number of layers, or another shape; the message names the layer.
    """
    mine = [m for m in trunk.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    problem = None
    if len(mine) != len(weights.layers):
        problem = f"{len(weights.layers)} layers with weights instead of {len(mine)}"
    for number, (layer, state) in enumerate(zip(mine, weights.layers, strict=False), 1):
        for name, tensor in layer.state_dict().items():
            if problem is None and name != "num_batches_tracked":
                theirs = tuple(state[name].shape) if name in state else "nothing"
                if theirs != tuple(tensor.shape):
                    problem = f"layer {number} has a {name} of {theirs}, not {tuple(tensor.shape)}"
    if problem is not None:
        raise CheckpointError(
            f"{source} does not fit these modules ({problem}): pretrained weights need VGG-16's "
            "widths and repeats (the defaults), with norm=True only those of vgg16_bn"
        )
    for layer, state in zip(mine, weights.layers, strict=True):
        layer.load_state_dict(state, strict=False)
