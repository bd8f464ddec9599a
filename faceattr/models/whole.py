"""The whole-image network: trunk, global average pooling, one weighted sum per attribute.

This is the network of class activation mapping (Zhou et al., CVPR 2016). PaW uses it twice: as its
localization network, with 32 maps of its own for each attribute, and as each of its 41 subnets.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from faceattr.errors import DataError
from faceattr.models.backbones import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ResNet18,
    load_pretrained,
    trunk_named,
)
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.students import Table3


class GroupedLinear(nn.Module):
    """M weighted sums, each over N inputs of its own: ``y_m = sum_n w_mn x_mn + b_m``.

    PaW's last layer, where each attribute weighs its own maps. Its region switch layer is connected
    in the same way, and that one the paper calls group fully-connected.

    Attributes:
        weight: ``(M, N)``. bias: ``(M,)``.
    """

    def __init__(self, groups: int, inputs: int):
        super().__init__()
        bound = 1 / math.sqrt(inputs)  # as nn.Linear draws its weights
        self.weight = nn.Parameter(torch.empty(groups, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(groups))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, M, N)`` to ``(B, M)``."""
        return (x * self.weight).sum(-1) + self.bias  # (B, M)

    def extra_repr(self) -> str:
        """The sizes, for printing."""
        return f"groups={self.weight.shape[0]}, inputs={self.weight.shape[1]}"


class WholeImage(FaceModel):
    """One network that sees the whole image and scores all attributes.

    The logit of attribute m is the mean of its class activation map plus a bias::

        H_m = sum_n w_mn F_mn      (PaW, "Face Region Localization", N = 32 maps)
        s_m = mean(H_m) + b_m = sum_n w_mn mean(F_mn) + b_m

    and the second form is what is computed: pooling first makes the maps ``H`` free to skip.

    Args:
        trunk: ``"snet3"`` (0.27M parameters), ``"snet2"`` (2.2M), ``"snet1"`` (7.5M), ``"tnet"``
            (13.7M), or ``"resnet18"`` (11.2M).
        num_attributes: M.
        maps_per_attribute: N, maps of the last convolution for each attribute (all but ResNet-18).
        grouped: each attribute weighs its own N maps; otherwise every attribute weighs all maps.
            None takes what fits the trunk: grouped for those of PaW (Table 3's 1280 = 40 x 32),
            not for ResNet-18, whose 512 maps are shared.
        pretrained: None, ``"imagenet"`` (ResNet-18), or the path of a file with a state
            dictionary; see :func:`faceattr.models.backbones.load_pretrained`. Not part of
            ``config``: a checkpoint brings its own weights.

    Raises:
        UnknownNameError: no such trunk.
        DataError: ``grouped`` does not fit the trunk, or weights cannot be had.
        CheckpointError: the file of weights is missing, torn or of another network.
    """

    def __init__(
        self,
        trunk: str = "snet3",
        *,
        num_attributes: int = 40,
        maps_per_attribute: int = 32,
        grouped: bool | None = None,
        pretrained: str | None = None,
    ):
        kind = trunk_named(trunk)
        branched = issubclass(kind, Table3)
        grouped = branched if grouped is None else grouped
        super().__init__(
            trunk=trunk,
            num_attributes=num_attributes,
            maps_per_attribute=maps_per_attribute,
            grouped=grouped,
        )
        if branched:
            self.trunk = kind(num_attributes * maps_per_attribute)
        elif grouped:
            raise DataError(
                f"grouped=True needs maps of its own for each attribute, but {trunk} has "
                f"{kind.channels} shared ones: leave grouped out, or use trunk='snet3'"
            )
        else:
            self.trunk = kind()
        self.smallest = kind.smallest
        if grouped:
            self.head = GroupedLinear(num_attributes, maps_per_attribute)
        else:
            self.head = nn.Linear(self.trunk.channels, num_attributes)
            nn.init.zeros_(self.head.bias)
        if kind is ResNet18:
            self.mean.copy_(torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
            self.std.copy_(torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        if pretrained is not None:
            load_pretrained(self.trunk, pretrained)

    @property
    def cam_weights(self) -> Tensor:
        """Weights of the maps: ``(M, N)`` grouped, else ``(M, C)``."""
        return self.head.weight

    @property
    def cam_bias(self) -> Tensor:
        """Bias of each attribute, ``(M,)``: what a logit has beyond the mean of its map."""
        return self.head.bias

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to ``logits`` and ``features``.

        ``features`` are ``(B, M, N, h, w)`` when grouped, else ``(B, C, h, w)``. Their memory
        is laid out channels-last on a CPU or a CUDA device, which trains 1.5 times as fast.
        """
        images = self.normalize(images)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.trunk(images)  # (B, C, h, w)
        if self.config["grouped"]:
            shape = (self.config["num_attributes"], self.config["maps_per_attribute"])
            features = features.unflatten(1, shape)  # (B, M, N, h, w)
        pooled = features.mean((-2, -1))  # (B, M, N) or (B, C): global average pooling
        return Outputs(logits=self.head(pooled), features=features)
