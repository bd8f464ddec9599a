"""MTFAP's network (Taherkhani et al., 2021, Figure 2): shared features, one weight vector a task.

Block 1 is a plain convolutional network, VGG-16 in the paper, whose last maps are averaged over
their positions: the shared feature space, ``x (d,)``. Block 2 is linear, ``f_j(x) = w_j^T x + b_j``
with ``W = [w_1 ... w_M] (d, M)``; the structure of the tasks lives in W alone. (The paper writes no
bias; attributes are far from balanced, so that one is needed.)

Its class activation map of attribute c is ``A_c = sum_k w_k^c g_k`` (Eq. 16), and the score is the
map's mean plus the bias. Eq. 15 calls ``sum_xy g_k`` the average; the mean is taken here, so that
a score does not grow with the picture. :func:`faceattr.localization.heatmaps` gives the maps,
``upsample(maps, size, "nearest")`` brings them to the picture's size as section 5.3 says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor, nn

from faceattr.errors import DataError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.blocks import convolution, initialise
from faceattr.models.vgg import REPEATS, WIDTHS, check_imagenet, fill, imagenet_vgg, read_vgg

#: The small trunk: 0.1M parameters, stride 8, 96 features.
SMALL = {"widths": (16, 32, 64, 64, 96), "repeats": (1,) * 5, "pools": 3, "norm": True}


class Block1(nn.Sequential):
    """VGG's modules: ``(B, 3, H, W)`` to ``(B, widths[-1], H // stride, W // stride)``.

    Args:
        widths: maps of each module. repeats: convolutions in each.
        pools: so many modules, from the first, end in 2 x 2 max pooling.
        norm: batch norm behind each convolution.

    Raises:
        DataError: widths and repeats do not match.
    """

    def __init__(self, widths: Sequence[int], repeats: Sequence[int], pools: int, norm: bool):
        if len(widths) != len(repeats) or not 0 <= pools <= len(widths):
            raise DataError(
                f"widths {list(widths)}, repeats {list(repeats)} and pools {pools} do not match: "
                "give as many widths as repeats, and no more pools than those"
            )
        layers, inputs = [], 3
        for module, (width, times) in enumerate(zip(widths, repeats, strict=True)):
            for position in range(times):
                pool = module < pools and position == times - 1
                layers += convolution(inputs, width, 3, pool=pool, norm=norm)
                inputs = width
        super().__init__(*layers)
        self.channels, self.stride = inputs, 2**pools
        initialise(self)


class TaskWeights(nn.Module):
    """``W (d, M)``, free or, where groups are known, put together from ``L_g S_g``.

    Args:
        features: d.
        tasks: M.
        groups: columns of the attributes of each group; None: W is free.
        basis: ``K_g`` of each group.

    Attributes:
        bases: ``L_g (d, K_g)``, parameters. coefficients: ``S_g (K_g, T_g)``, parameters.
    """

    def __init__(
        self,
        features: int,
        tasks: int,
        groups: Sequence[Sequence[int]] | None,
        basis: Sequence[int] | None,
    ):
        super().__init__()
        bound = 1 / math.sqrt(features)  # as nn.Linear draws its weights
        self.bias = nn.Parameter(torch.zeros(tasks))
        if groups is None:
            self.free = nn.Parameter(torch.empty(features, tasks).uniform_(-bound, bound))
            return
        self.free = None
        self.bases, self.coefficients = nn.ParameterList(), nn.ParameterList()
        for group, count in zip(groups, basis, strict=True):
            self.bases.append(torch.empty(features, count).uniform_(-bound, bound))
            self.coefficients.append(torch.randn(count, len(group)) / math.sqrt(count))
        order = torch.tensor([j for group in groups for j in group]).argsort()
        self.register_buffer("order", order, persistent=False)

    def forward(self) -> Tensor:
        """``W (d, M)``."""
        if self.free is not None:
            return self.free
        pairs = zip(self.bases, self.coefficients, strict=True)
        return torch.cat([base @ some for base, some in pairs], dim=1)[:, self.order]


class MTFAP(FaceModel):
    """Trunk, global average pooling, one weight vector a task.

    At the paper's size (VGG-16 without its classifier, d = 512; a 224 x 224 picture gives 14 x 14
    maps) it has 14,735,208 parameters.

    Args:
        num_attributes: M.
        widths, repeats, pools, norm: of the trunk, see :class:`Block1`; VGG-16's by default.
        groups: columns of the attributes of each group, for ``W_g = L_g S_g``; every attribute in
            one of them. None: W is free.
        basis: ``K_g`` of each group; half of its members, rounded up, by default.
        pretrained: None, ``"imagenet"``, or a file of VGG-16 weights; see
            :mod:`faceattr.models.vgg`. Not part of ``config``: a checkpoint brings its own.

    Raises:
        DataError: a trunk that is none; groups that do not share out the attributes; more basis
            tasks than members; ImageNet's weights cannot be had.
        CheckpointError: weights that are missing, torn or of another network.
    """

    def __init__(
        self,
        num_attributes: int = 40,
        *,
        widths: Sequence[int] = WIDTHS,
        repeats: Sequence[int] = REPEATS,
        pools: int = 4,
        norm: bool = False,
        groups: Sequence[Sequence[int]] | None = None,
        basis: int | Sequence[int] | None = None,
        pretrained: str | None = None,
    ):
        if groups is not None:
            groups = [[int(j) for j in group] for group in groups]
            basis = basis_sizes(groups, num_attributes, basis)
        named = str(pretrained) == "imagenet"
        if named:
            check_imagenet(widths, repeats)
        super().__init__(
            num_attributes=num_attributes, widths=list(widths), repeats=list(repeats),
            pools=pools, norm=norm, groups=groups, basis=basis,
        )  # fmt: skip
        self.trunk = Block1(widths, repeats, pools, norm)
        self.smallest = self.trunk.stride
        self.tasks = TaskWeights(self.trunk.channels, num_attributes, groups, basis)
        if pretrained is not None:
            weights = imagenet_vgg(norm) if named else read_vgg(pretrained)
            fill(self.trunk, weights, "ImageNet's VGG-16" if named else str(Path(pretrained)))
            self.mean.copy_(torch.tensor(weights.mean).view(1, 3, 1, 1))
            self.std.copy_(torch.tensor(weights.std).view(1, 3, 1, 1))

    @classmethod
    def small(cls, **changes) -> MTFAP:
        """For pictures of 64 to 128 pixels on two cores: :data:`SMALL`."""
        return cls(**{**SMALL, **changes})

    @property
    def weights(self) -> Tensor:
        """``W (d, M)``, the paper's parameters of the tasks, a column each."""
        return self.tasks()

    @property
    def cam_weights(self) -> Tensor:
        """The same, a row each, ``(M, d)``: the weights of the maps in Eq. 16."""
        return self.tasks().T

    @property
    def cam_bias(self) -> Tensor:
        """Bias of each attribute, ``(M,)``."""
        return self.tasks.bias

    def maps(self, images: Tensor) -> Tensor:
        """Float images ``(B, 3, H, W)`` to the last maps ``(B, d, h, w)``."""
        images = self.normalize(images)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        return self.trunk(images)

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to ``logits`` and ``features (B, d, h, w)``."""
        features = self.maps(images)
        shared = features.mean((-2, -1))  # (B, d): global average pooling
        return Outputs(logits=shared @ self.tasks() + self.tasks.bias, features=features)


def basis_sizes(
    groups: Sequence[Sequence[int]], tasks: int, basis: int | Sequence[int] | None = None
) -> list[int]:
    """See that groups share out all attributes, and how many basis tasks each has.

    Args:
        groups: columns of the attributes of each group.
        tasks: M.
        basis: ``K_g`` of each group, or one number that small groups cap. None takes half of the
            members, rounded up (the paper says ``K_g < T_g`` and no more).

    Returns:
        ``K_g`` of each group; a group of one has one.

    Raises:
        DataError: an empty group, an attribute in no group or in two, or more basis tasks than
            members.
    """
    seen = [j for group in groups for j in group]
    if not groups or not all(len(group) for group in groups):
        raise DataError("a group has no attributes: leave it out")
    if sorted(seen) != list(range(tasks)):
        twice = sorted({j for j in seen if seen.count(j) > 1})
        missing = sorted(set(range(tasks)) - set(seen))
        strange = sorted(set(seen) - set(range(tasks)))
        raise DataError(
            f"groups must hold each of {tasks} attributes once (twice: {twice}, missing: "
            f"{missing}, unknown: {strange}): one that is alone is a group of one"
        )
    sizes = [len(group) for group in groups]
    if basis is None:
        return [math.ceil(size / 2) for size in sizes]
    if isinstance(basis, Integral):
        basis = [min(basis, size) for size in sizes]
    if not isinstance(basis, Sequence) or not all(isinstance(k, Integral) for k in basis):
        raise DataError(f"basis={basis!r}: give a whole number, or one for each group")
    if len(basis) != len(sizes):
        raise DataError(f"{len(basis)} numbers of basis tasks for {len(sizes)} groups: one each")
    for k, (count, size) in enumerate(zip(basis, sizes, strict=True)):
        if not 1 <= count <= size:
            raise DataError(
                f"group {k} has {size} attributes and {count} basis tasks: give 1 to {size} "
                "(fewer than its attributes, or nothing is shared)"
            )
    return [int(count) for count in basis]
