"""Trunks: the convolutions that turn an image into maps, before any attribute is named.

A trunk maps ``(B, 3, H, W)`` to ``(B, channels, h, w)`` with ``h = H // stride`` (rounded up for
ResNet-18) and reports ``.channels``, ``.stride`` and ``.smallest``, the least side in pixels. PaW's
own are in :mod:`faceattr.models.students`.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights

from faceattr.errors import CheckpointError, DataError, UnknownNameError
from faceattr.models.students import SNet1, SNet2, SNet3, TNet

#: What reading a file raises that is cut short or is something else altogether.
TORN = (OSError, RuntimeError, EOFError, LookupError, ValueError, pickle.UnpicklingError)
#: Where ImageNet's pictures are centred, and how they spread, in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ResNet18(nn.Module):
    """torchvision's ResNet-18 without pooling and classifier: 512 maps at 1/32 of the size."""

    channels = 512
    stride = 32
    smallest = 16

    def __init__(self):
        super().__init__()
        # torchvision's layer names are kept, so that its weight files load as they are
        for name, layer in torchvision.models.resnet18(weights=None).named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, layer)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, 512, ceil(H / 32), ceil(W / 32))``."""
        for layer in self.children():
            images = layer(images)
        return images


#: Trunks by the name that models take.
TRUNKS: dict[str, type[nn.Module]] = {
    "snet3": SNet3,
    "snet2": SNet2,
    "snet1": SNet1,
    "tnet": TNet,
    "resnet18": ResNet18,
}


def trunk_named(name: str) -> type[nn.Module]:
    """Return the trunk class of that name.

    Raises:
        UnknownNameError: there is none; the message names those that exist.
    """
    if name not in TRUNKS:
        raise UnknownNameError(f"unknown trunk {name!r}: choose one of {', '.join(TRUNKS)}")
    return TRUNKS[name]


def imagenet_weights() -> dict[str, Tensor]:
    """ResNet-18's ImageNet weights, from torchvision's cache or its server.

    Raises:
        DataError: they cannot be fetched, or the cached file is torn.
    """
    weights = ResNet18_Weights.IMAGENET1K_V1
    place = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except TORN as error:
        raise DataError(
            f"the ImageNet weights of ResNet-18 cannot be loaded ({error}): fetch {weights.url} "
            f"where there is a network and put it at {place} (delete a torn file there first), "
            "or pass pretrained='/path/to/the/file.pth', or train without (pretrained=None)"
        ) from error


def load_pretrained(trunk: nn.Module, pretrained: str | Path) -> None:
    """Fill a trunk with trained weights, in place.

    Args:
        trunk: the trunk.
        pretrained: ``"imagenet"`` (ResNet-18 only) or a file with a state dictionary, ``.pth`` or
            ``.safetensors``, of the trunk itself, of torchvision's whole network, or of one of
            our models on this trunk (keys ``trunk.*``). Keys of a classifier are left aside.

    Raises:
        DataError: ImageNet weights cannot be had.
        CheckpointError: the file is missing, torn, or of another network.
    """
    kind = type(trunk).__name__
    if str(pretrained) == "imagenet":
        if not isinstance(trunk, ResNet18):
            raise DataError(
                f"nobody has published ImageNet weights for {kind}: use trunk='resnet18', "
                "or pass the path of a state dictionary"
            )
        weights = imagenet_weights()
    else:
        weights = read_weights(pretrained)
    prefix = "trunk." if any(key.startswith("trunk.") for key in weights) else ""
    weights = {key[len(prefix) :]: value for key, value in weights.items()}
    wanted = trunk.state_dict()
    missing = [key for key in wanted if key not in weights]
    wrong = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in weights and weights[key].shape != value.shape
    ]
    if missing or wrong:
        first = (missing or wrong)[0]
        raise CheckpointError(
            f"{pretrained} does not fit {kind}: {len(missing)} of {len(wanted)} tensors are "
            f"missing, {len(wrong)} have another shape (first: {first}); pass a file that was "
            "saved from the same trunk with the same number of maps"
        )
    trunk.load_state_dict({key: weights[key] for key in wanted})


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """A state dictionary from a file, ``.pth`` or ``.safetensors``; reading it runs no code.

    Raises:
        CheckpointError: the file is missing, torn, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"no weights at {path}: pretrained takes None, 'imagenet', or the path of a file "
            "with a state dictionary"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (*TORN, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as weights ({error}): it is torn or another kind of file; "
            "fetch or save it again"
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise CheckpointError(
            f"{path} holds no state dictionary: save it with torch.save(trunk.state_dict(), path)"
        )
    return weights
