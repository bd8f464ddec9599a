"""PaW's face region localization (FRL) network: which part of the face tells each attribute.

Five modules of VGG-16 are shared by all attributes. Behind them each attribute has a branch of
its own, a convolution to N = 32 maps, whose means one weighted sum turns into its score. The M
branches all read the same shared maps, so that together they are one convolution to M x N maps
(Table 3's 3x3x1280 with 1280 = 40 x 32), and only the weighted sums are grouped.

The heat map of attribute j is ``H_j = sum_i w_ji F_i`` over its N maps: ``features`` and
``cam_weights`` as :func:`faceattr.localization.class_activation_maps` takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from faceattr.errors import DataError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.blocks import convolution, initialise
from faceattr.models.vgg import check_imagenet, fill, imagenet_vgg, read_vgg
from faceattr.models.whole import GroupedLinear


class FRL(FaceModel):
    """The localization network of PaW (section "Face Region Localization (FRL) Network").

    At the paper's size it has 20,615,528 parameters: 14.7M in VGG-16's convolutions, 5.9M in the
    branches. With a 224 x 224 image the heat maps are 14 x 14: the fifth module is not pooled, as
    in Table 3.

    Args:
        num_attributes: M.
        maps_per_attribute: N.
        widths: maps of each shared module; VGG-16's by default.
        repeats: convolutions in each.
        pools: so many modules, from the first, end in 2 x 2 max pooling; the stride is
            ``2 ** pools``. Small pictures need fewer for maps worth the name.
        norm: batch norm behind each convolution. VGG-16 has none and the paper starts from trained
            weights; from random ones a network this deep wants it.
        pretrained: None, ``"imagenet"``, or a file of VGG-16 weights, VGG-Face's as the paper has
            it or torchvision's; see :mod:`faceattr.models.vgg`. It sets ``mean`` and ``std`` to
            those of its pictures. Not part of ``config``: a checkpoint brings its own weights.

    Raises:
        DataError: widths and repeats do not match, or ImageNet's weights cannot be had.
        CheckpointError: the file is missing, torn or of another network, or ImageNet's weights do
            not fit these modules.
    """

    def __init__(
        self,
        num_attributes: int = 40,
        maps_per_attribute: int = 32,
        *,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        repeats: Sequence[int] = (2, 2, 3, 3, 3),
        pools: int = 4,
        norm: bool = False,
        pretrained: str | None = None,
    ):
        widths, repeats = list(widths), list(repeats)
        if len(widths) != len(repeats) or not 0 <= pools <= len(widths):
            raise DataError(
                f"widths {widths}, repeats {repeats} and pools {pools} do not match: give as many "
                "widths as repeats, and no more pools than those"
            )
        named = str(pretrained) == "imagenet"
        if named:
            check_imagenet(widths, repeats)
        super().__init__(
            num_attributes=num_attributes,
            maps_per_attribute=maps_per_attribute,
            widths=widths,
            repeats=repeats,
            pools=pools,
            norm=norm,
        )
        layers, inputs = [], 3
        for module, (width, times) in enumerate(zip(widths, repeats, strict=True)):
            for position in range(times):
                pool = module < pools and position == times - 1
                layers += convolution(inputs, width, 3, pool=pool, norm=norm)
                inputs = width
        self.shared = nn.Sequential(*layers)
        maps = num_attributes * maps_per_attribute
        self.branches = nn.Sequential(*convolution(inputs, maps, 3, norm=norm))
        self.head = GroupedLinear(num_attributes, maps_per_attribute)
        self.channels, self.stride = inputs, 2**pools
        self.smallest = self.stride
        initialise(self)
        if pretrained is not None:
            weights = imagenet_vgg(norm) if named else read_vgg(pretrained)
            source = "ImageNet's VGG-16" if named else str(Path(pretrained))
            fill(self.shared, weights, source)
            self.mean.copy_(torch.tensor(weights.mean).view(1, 3, 1, 1))
            self.std.copy_(torch.tensor(weights.std).view(1, 3, 1, 1))

    @classmethod
    def small(cls, **changes) -> FRL:
        """For pictures of 64 to 128 pixels on two cores: 0.39M parameters, stride 8, batch norm."""
        preset = {"widths": (16, 32, 64, 64, 96), "repeats": (1,) * 5, "pools": 3, "norm": True}
        return cls(**{"maps_per_attribute": 8, **preset, **changes})

    @property
    def cam_weights(self) -> Tensor:
        """``w`` of the heat maps, ``(M, N)``."""
        return self.head.weight

    @property
    def cam_bias(self) -> Tensor:
        """Bias of each attribute, ``(M,)``: what a logit has beyond the mean of its map."""
        return self.head.bias

    def conv5(self, images: Tensor) -> Tensor:
        """Float images ``(B, 3, H, W)`` to the shared maps ``(B, C, H // stride, W // stride)``."""
        images = self.normalize(images)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        return self.shared(images)

    def localise(self, shared: Tensor) -> Outputs:
        """Shared maps ``(B, C, h, w)`` to ``logits`` and ``features (B, M, N, h, w)``."""
        sizes = (self.config["num_attributes"], self.config["maps_per_attribute"])
        features = self.branches(shared).unflatten(1, sizes)  # (B, M, N, h, w)
        return Outputs(logits=self.head(features.mean((-2, -1))), features=features)

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to ``logits`` and ``features``."""
        return self.localise(self.conv5(images))
