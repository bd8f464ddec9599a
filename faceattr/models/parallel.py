"""Many small networks of one layout as one: grouped convolutions instead of a loop.

Forty subnets of 0.27M parameters are forty chains of small operations, and a loop over them waits
on each. Laid side by side, the convolutions of one depth are a single convolution with as many
groups, whose weight is nothing but the subnets' weights one below the other; the same holds for
batch norm, whose statistics are kept for each map anyway. So the weights are laid out once, as
the parameters of this module, and taken apart again without arithmetic.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from faceattr.errors import DataError
from faceattr.models.whole import WholeImage


class ParallelSubnets(nn.Module):
    """P networks like PaW's subnets, each shown a picture of its own: ``(B, P, M)`` scores.

    Args:
        count: P.
        arguments: of one :class:`~faceattr.models.whole.WholeImage`, the layout of all; its last
            layer must be grouped.

    Attributes:
        chunk: faces computed at a time where no gradient is kept: their maps then stay in the
            processor's cache, and large batches do not ask for gigabytes.
        cache: numbers that the first maps of a block may hold on a CPU, 2 MB.

    Raises:
        DataError: the layout cannot be laid side by side.
    """

    chunk = 16
    cache = 2**19

    def __init__(self, count: int, **arguments):
        super().__init__()
        one = WholeImage(**arguments)
        self.count, self.smallest = count, one.smallest
        self.arguments = dict(one.config)
        if not (one.config["grouped"] and isinstance(one.trunk, nn.Sequential)):
            raise DataError(
                f"subnets of trunk={one.config['trunk']!r}, grouped={one.config['grouped']} cannot "
                "run side by side: choose snet3, snet2, snet1 or tnet with its grouped last layer"
            )
        self.sizes = (one.config["num_attributes"], one.config["maps_per_attribute"])
        self.trunk = nn.Sequential(*(_widen(layer, count) for layer in one.trunk))
        self.weight = nn.Parameter(torch.empty(count, *self.sizes))  # (P, M, N)
        self.bias = nn.Parameter(torch.empty(count, self.sizes[0]))  # (P, M)
        self.register_buffer("mean", one.mean.clone())
        self.register_buffer("std", one.std.clone())
        self._kept: tuple[list, list] | None = None  # folded weights, and of which tensors
        self.lay([one] * count)
        self.to(memory_format=torch.channels_last)

    @classmethod
    def of(cls, subnets: Sequence[WholeImage]) -> ParallelSubnets:
        """Lay trained subnets side by side; they are copied.

        Raises:
            DataError: none, or of different layouts.
        """
        if not subnets:
            raise DataError("no subnets to lay side by side: give at least one")
        several = cls(len(subnets), **subnets[0].config)
        several.lay(subnets)
        return several

    @torch.no_grad()
    def lay(self, subnets: Sequence[WholeImage]) -> None:
        """Take over the weights of P subnets.

        Raises:
            DataError: another number, or a subnet of another layout or other colours.
        """
        if len(subnets) != self.count:
            raise DataError(f"{len(subnets)} subnets where {self.count} are needed")
        for number, subnet in enumerate(subnets):
            if not isinstance(subnet, WholeImage) or subnet.config != self.arguments:
                raise DataError(
                    f"subnet {number} is {type(subnet).__name__}({getattr(subnet, 'config', '')}), "
                    f"the others are WholeImage({self.arguments}): all need one layout"
                )
            for name in ("mean", "std"):
                mine, first = getattr(subnet, name), getattr(subnets[0], name)
                if mine is not first and not torch.equal(mine.cpu(), first.cpu()):
                    raise DataError(
                        f"subnet {number} normalises its pictures with the {name} "
                        f"{mine.flatten().tolist()}, subnet 0 with {first.flatten().tolist()}: all "
                        "need the same colours"
                    )
        states = [subnet.trunk.state_dict() for subnet in subnets]
        for name, tensor in self.trunk.state_dict().items():
            if tensor.ndim:
                tensor.copy_(torch.cat([state[name] for state in states]))
            else:  # batch norm's counter, which it ignores unless momentum is None
                tensor.copy_(states[0][name])
        self.weight.copy_(torch.stack([subnet.head.weight for subnet in subnets]))
        self.bias.copy_(torch.stack([subnet.head.bias for subnet in subnets]))
        self.mean.copy_(subnets[0].mean)
        self.std.copy_(subnets[0].std)

    @torch.no_grad()
    def apart(self) -> list[WholeImage]:
        """The P subnets, as networks of their own with copied weights, in evaluation mode."""
        state = self.trunk.state_dict()
        subnets = []
        for number in range(self.count):
            subnet = WholeImage(**self.arguments).to(self.mean.device)
            for name, tensor in subnet.trunk.state_dict().items():
                mine = state[name]
                tensor.copy_(mine.chunk(self.count)[number] if mine.ndim else mine)
            subnet.head.weight.copy_(self.weight[number])
            subnet.head.bias.copy_(self.bias[number])
            subnet.mean.copy_(self.mean)
            subnet.std.copy_(self.std)
            subnets.append(subnet.eval())
        return subnets

    def train(self, mode: bool = True) -> ParallelSubnets:
        """Training or evaluation mode; folded weights are computed anew."""
        self._kept = None
        return super().train(mode)

    def forward(self, pictures: Tensor) -> Tensor:
        """One picture for each subnet, ``(B, P, 3, h, w)`` in [0, 1], to scores ``(B, P, M)``."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or self.training:
            return self._scores(pictures)
        return torch.cat([self._scores(some) for some in pictures.split(self.chunk)])

    def _scores(self, pictures: Tensor) -> Tensor:
        block = self._block(pictures)
        layers = self._layers(block)
        pooled = [
            self._pooled(some, number, layers)
            for number, some in enumerate(pictures.split(block, 1))
        ]
        return (torch.cat(pooled, dim=1) * self.weight).sum(-1) + self.bias  # (B, P, M)

    def _pooled(self, pictures: Tensor, number: int, layers: list[Callable]) -> Tensor:
        """Block ``number``: ``(B, G, 3, h, w)`` to the means of its maps, ``(B, G, M, N)``."""
        count = pictures.shape[1]
        maps = pictures.flatten(1, 2)  # (B, G * 3, h, w)
        if maps.device.type in ("cpu", "cuda"):
            maps = maps.contiguous(memory_format=torch.channels_last)
        maps = maps - self.mean.repeat(1, count, 1, 1)  # the division is the first layer's
        for layer in layers:
            maps = layer(maps, number, count)
        return maps.mean((-2, -1)).unflatten(1, (count, *self.sizes))

    def _block(self, pictures: Tensor) -> int:
        """How many subnets go through their layers together.

        All of them on a GPU. On a CPU as many as keep the first, largest maps in its cache: more
        are slower there, for batch norm and pooling wait for the memory.
        """
        shared = any(_is_shared(layer) for layer in self.trunk)
        if pictures.device.type != "cpu" or torch.compiler.is_compiling() or shared:
            return self.count
        faces, _, _, height, width = pictures.shape
        floats = max(1, faces * self.trunk[0].out_channels // self.count * height * width)
        return min(self.count, max(1, self.cache // floats))

    def _weights(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Weight and bias of each convolution, with what else is linear taken in.

        Where no gradient is kept they are computed once and kept until a tensor changes.
        """
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or self.training:
            return self._fold()
        tensors = [*self.trunk.parameters(), *self.trunk.buffers(), self.std]
        state = [
            (t.data_ptr(), t.device, t.dtype, None if t.is_inference() else t._version)
            for t in tensors
        ]
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, list(self._fold()))
        return iter(self._kept[1])

    def _fold(self) -> Iterator[tuple[Tensor, Tensor]]:
        trunk = list(self.trunk)
        for place, layer in enumerate(trunk):
            if not isinstance(layer, nn.Conv2d):
                continue
            weight, bias = layer.weight, layer.bias
            if place == 0:  # (x - mean) / std is zero where the picture is padded, whoever divides
                weight = weight / self.std
            norm = trunk[place + 1]
            if isinstance(norm, _BatchNorm) and not self.training:
                factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
                weight = weight * factor[:, None, None, None]
                bias = (bias - norm.running_mean) * factor + norm.bias
            yield weight, bias

    def _layers(self, block: int) -> list[Callable]:
        """The trunk as functions ``(maps, number of the block, its subnets) -> maps``.

        In evaluation mode each batch norm is a fixed factor and offset of every map, which the
        convolution before it takes over.
        """
        layers: list[Callable] = []
        weights = self._weights()
        for layer in self.trunk:
            if isinstance(layer, nn.Conv2d):
                weight, bias = next(weights)
                layers.append(_convolve(layer, weight, bias, block * layer.out_channels))
            elif isinstance(layer, _BatchNorm) and not self.training:
                continue
            elif isinstance(layer, nn.MaxPool2d) and not (
                torch.is_grad_enabled() or torch.compiler.is_compiling()
            ):
                layers.append(_halve)
            elif isinstance(layer, _BatchNorm) and not _is_shared(layer):
                layers.append(_normalise(layer, block * layer.num_features, self.count))
            else:
                layers.append(lambda maps, number, count, layer=layer: layer(maps))
        return layers

    def extra_repr(self) -> str:
        """The sizes, for printing."""
        return f"count={self.count}, {self.arguments}"


def _is_shared(layer: nn.Module) -> bool:
    """Whether it is a batch norm that several processes share, which must see all maps at once."""
    return isinstance(layer, _BatchNorm) and type(layer) is not nn.BatchNorm2d


def _convolve(layer: nn.Conv2d, weight: Tensor, bias: Tensor, maps: int) -> Callable:
    """The convolution of one block of subnets; ``maps``: those of all subnets, times the block."""
    step = maps // layer.groups
    weights, biases = weight.split(step), bias.split(step)

    def convolve(x: Tensor, number: int, count: int) -> Tensor:
        return F.conv2d(x, weights[number], biases[number], padding=layer.padding, groups=count)

    return convolve


def _halve(x: Tensor, number: int, count: int) -> Tensor:
    """2 x 2 max pooling of channels-last maps: twice as fast on a CPU as torch's, which also notes
    where each maximum was, for a gradient."""
    height, width = (side // 2 * 2 for side in x.shape[-2:])
    x = x.permute(0, 2, 3, 1)[:, :height, :width]  # (B, h, w, C)
    x = torch.maximum(x[:, ::2], x[:, 1::2])
    return torch.maximum(x[:, :, ::2], x[:, :, 1::2]).permute(0, 3, 1, 2)


def _normalise(layer: nn.BatchNorm2d, maps: int, subnets: int) -> Callable:
    """Batch norm of one block in training mode; the running statistics are those of the layer."""
    step = maps // subnets
    pieces = [t.split(step) for t in (layer.running_mean, layer.running_var)]  # views
    weights, biases = layer.weight.split(step), layer.bias.split(step)
    layer.num_batches_tracked.add_(1)

    def normalise(x: Tensor, number: int, count: int) -> Tensor:
        means, variances = (piece[number] for piece in pieces)
        affine = weights[number], biases[number]
        return F.batch_norm(x, means, variances, *affine, True, layer.momentum, layer.eps)

    return normalise


def _widen(layer: nn.Module, count: int) -> nn.Module:
    """The layer that does to ``count`` groups of maps what the given one does to one."""
    if isinstance(layer, nn.Conv2d):
        return nn.Conv2d(
            layer.in_channels * count,
            layer.out_channels * count,
            layer.kernel_size,
            padding=layer.padding,
            groups=count,
        )
    if isinstance(layer, nn.BatchNorm2d):
        return nn.BatchNorm2d(layer.num_features * count, layer.eps, layer.momentum)
    return copy.deepcopy(layer)
