"""One network for each attribute, nothing shared: the baseline that multi-task learning is for.

The M networks of one layout run as one: every layer is a grouped convolution in which group j
sees the maps of network j only, and the batch norms are per map as it is. So they train at once,
each from its own loss alone, and answer as M separate networks would.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faceattr.errors import DataError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.blocks import initialise
from faceattr.models.mtfap import SMALL
from faceattr.models.vgg import REPEATS, WIDTHS
from faceattr.models.whole import GroupedLinear


class IndependentTasks(FaceModel):
    """M networks like :class:`~faceattr.models.mtfap.MTFAP`, each with one attribute.

    At the paper's size that is 40 times VGG-16, 589 million parameters.

    Args:
        num_attributes: M.
        widths, repeats, pools, norm: of each trunk, see :class:`~faceattr.models.mtfap.Block1`.

    Raises:
        DataError: widths and repeats do not match.
    """

    def __init__(
        self,
        num_attributes: int = 40,
        *,
        widths: Sequence[int] = WIDTHS,
        repeats: Sequence[int] = REPEATS,
        pools: int = 4,
        norm: bool = False,
    ):
        widths, repeats = list(widths), list(repeats)
        if len(widths) != len(repeats) or not 0 <= pools <= len(widths):
            raise DataError(
                f"widths {widths}, repeats {repeats} and pools {pools} do not match: give as many "
                "widths as repeats, and no more pools than those"
            )
        super().__init__(
            num_attributes=num_attributes, widths=widths, repeats=repeats, pools=pools, norm=norm
        )
        layers: list[nn.Module] = []
        inputs, groups = 3, 1  # the first layer of all networks reads the same picture
        for module, (width, times) in enumerate(zip(widths, repeats, strict=True)):
            for position in range(times):
                maps = num_attributes * width
                layers.append(nn.Conv2d(inputs, maps, 3, padding=1, groups=groups))
                layers += [nn.BatchNorm2d(maps)] if norm else []
                layers += [nn.MaxPool2d(2)] if module < pools and position == times - 1 else []
                layers.append(nn.ReLU(inplace=True))
                inputs, groups = maps, num_attributes
        self.trunks = nn.Sequential(*layers)
        initialise(self)
        self.head = GroupedLinear(num_attributes, widths[-1])
        self.smallest = 2**pools

    @classmethod
    def small(cls, **changes) -> IndependentTasks:
        """M small trunks: 4M parameters for 40 attributes, 40 times the work of one."""
        return cls(**{**SMALL, **changes})

    @property
    def cam_weights(self) -> Tensor:
        """``(M, d)``: attribute j weighs the d maps of its own network."""
        return self.head.weight

    @property
    def cam_bias(self) -> Tensor:
        """Bias of each attribute, ``(M,)``."""
        return self.head.bias

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` to ``logits`` and ``features (B, M, d, h, w)``."""
        images = self.normalize(images)
        if images.device.type == "cuda":
            images = images.contiguous(memory_format=torch.channels_last)
        count = self.config["num_attributes"]
        features = self.trunks(images).unflatten(1, (count, -1))  # (B, M, d, h, w)
        return Outputs(logits=self.head(features.mean((-2, -1))), features=features)
