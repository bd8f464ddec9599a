"""The pieces of MCFA's networks: VGG's modules, and what stands behind the shared features."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from faceattr.models.blocks import initialise

#: What the networks can be trained for; attributes always are (FAC).
TASKS = ("detection", "landmarks", "attributes")
#: Where five landmarks lie in a box round the face, as shares of it, before anything is learned.
TYPICAL = ((0.30, 0.42), (0.70, 0.42), (0.50, 0.60), (0.35, 0.78), (0.65, 0.78))


def vgg_modules(
    widths: Sequence[int],
    repeats: Sequence[int],
    *,
    padded: bool = True,
    norm: bool = False,
    pools: int | None = None,
) -> nn.Sequential:
    """VGG's modules: 3 x 3 convolutions, the last of each module followed by 2 x 2 max pooling.

    Args:
        widths: maps of each module. repeats: convolutions in each.
        padded: pad by one pixel, as VGG does; without, maps shrink by two with each convolution.
        norm: batch norm behind each convolution; VGG-16 of the paper's time has none.
        pools: modules that pool, counted from the first; all of them by default.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for module, (width, count) in enumerate(zip(widths, repeats, strict=True)):
        for place in range(count):
            layers.append(nn.Conv2d(inputs, width, 3, padding=int(padded)))
            layers += [nn.BatchNorm2d(width)] * norm
            if place == count - 1 and (pools is None or module < pools):
                layers.append(nn.MaxPool2d(2))  # before the ReLU: the same maps, a quarter the work
            layers.append(nn.ReLU(inplace=True))
            inputs = width
    trunk = nn.Sequential(*layers)
    initialise(trunk)
    return trunk


class SNet(nn.Module):
    """S_Net up to its last shared features: a fully convolutional network, ``256 x 1 x 1``.

    VGG pads every convolution. A window that is cut out and padded is not the same window inside a
    picture, where its neighbours stand in place of the padding; so the convolutions here are not
    padded (as in MTCNN, whose cascade the paper starts from). Sliding the network over a picture
    then gives, to rounding, what it answers for every window by itself. This is a choice: the paper
    says "similar architecture".

    Args:
        side: of its window in pixels; 56.
        widths, repeats: of its modules.
        channels: of the last shared convolution; 256.
        norm: with batch norm.
        pools: modules that pool; the stride of the slid network is ``2 ** pools``.

    Attributes:
        stride: pixels from one window of the slid network to the next.
    """

    def __init__(
        self,
        side: int,
        widths: Sequence[int],
        repeats: Sequence[int],
        channels: int,
        *,
        norm: bool = False,
        pools: int | None = None,
    ):
        super().__init__()
        self.side = side
        self.stride = 2 ** (len(widths) if pools is None else pools)
        self.trunk = vgg_modules(widths, repeats, padded=False, norm=norm, pools=pools)
        with torch.no_grad():
            was_training = self.trunk.training
            cells = self.trunk.eval()(torch.zeros(1, 3, side, side)).shape[-1]
            self.trunk.train(was_training)
        self.last = nn.Conv2d(widths[-1], channels, cells)
        initialise(self.last)

    def folded(self) -> SNet:
        """A copy for use alone: batch norm folded into the convolutions, channels last in memory.

        It answers the same to rounding, five times as fast on a CPU.
        """
        return _folded(self)

    def positions(self, pixels: int) -> int:
        """How many windows lie side by side along ``pixels`` pixels; 0 where none fits."""
        return max(0, (pixels - self.side) // self.stride + 1)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, C, positions(H), positions(W))``; a window gives 1 x 1."""
        features = self.last(self.trunk(images)).relu()
        rows, columns = (self.positions(pixels) for pixels in images.shape[-2:])
        return features[..., :rows, :columns]  # the last window may need no more than a part


class CoarseToFine(nn.Module):
    """M_Net and L_Net up to their shared features: a VGG, a layer, and what came before.

    Args:
        side: of its input in pixels; 112 or 224.
        widths, repeats: of its modules.
        units: of its fully connected layer; 1024.
        norm: with batch norm.
    """

    def __init__(
        self,
        side: int,
        widths: Sequence[int],
        repeats: Sequence[int],
        units: int,
        *,
        norm: bool = False,
    ):
        super().__init__()
        self.side = side
        self.trunk = vgg_modules(widths, repeats, norm=norm)
        cells = side >> len(widths)
        self.full = nn.Linear(widths[-1] * cells * cells, units)
        nn.init.kaiming_normal_(self.full.weight, nonlinearity="relu")
        nn.init.zeros_(self.full.bias)

    def folded(self) -> CoarseToFine:
        """A copy for use alone, as :meth:`SNet.folded`."""
        return _folded(self)

    def forward(self, images: Tensor, coarser: Tensor) -> Tensor:
        """``(B, 3, side, side)`` and shared features ``(B, C)`` to ``(B, units + C)``."""
        own = self.full(self.trunk(images).flatten(1)).relu()  # (B, units)
        return torch.cat([own, coarser.to(own.dtype)], 1)  # (B, units + C)


class Heads(nn.Module):
    """Behind the last shared features: two layers and an answer for each task, and the weights.

    "After the last shared layer of each sub-network, we use two layers": they are taken to belong
    to each task, for they come after what is shared; their width is not given and is a choice.
    All are 1 x 1 convolutions, which on maps of one cell are fully connected layers, so that the
    same heads stand behind a window and behind a picture that S_Net is slid over. They compute in
    float32 whatever the precision: a coordinate in bfloat16 is off by half a pixel of 224.

    Args:
        channels: of the shared features. hidden: width of the two layers.
        tasks: some of :data:`TASKS`. num_attributes: M.
        weights: with the layer of Eq. 6, from the shared features to M weights; ``"apart"``: its
            loss teaches that layer and not the features.
        frame: sides of a window over those of the face in it, for the first answers.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        tasks: Sequence[str],
        num_attributes: int,
        *,
        weights: bool | str,
        frame: float,
    ):
        super().__init__()
        self.apart = weights == "apart"
        sizes = {"attributes": num_attributes}
        if "detection" in tasks:
            sizes |= {"face": 1, "box": 4}
        if "landmarks" in tasks:
            sizes["landmarks"] = 10
        self.answers = nn.ModuleDict(
            {task: _two_layers(channels, hidden, size) for task, size in sizes.items()}
        )
        self.weights = nn.Conv2d(channels, num_attributes, 1) if weights else None
        if weights:  # equal weights to begin with
            nn.init.zeros_(self.weights.weight)
            nn.init.zeros_(self.weights.bias)
        low = (1 - 1 / frame) / 2
        first = {
            "box": torch.tensor([low, low, 1 / frame, 1 / frame]),
            "landmarks": (low + torch.tensor(TYPICAL) / frame).flatten(),
        }
        with torch.no_grad():
            for task, bias in first.items():
                if task in self.answers:
                    self.answers[task][-1].weight.mul_(0.1)
                    self.answers[task][-1].bias.copy_(bias)

    def forward(self, shared: Tensor, only: Sequence[str] | None = None) -> dict[str, Tensor]:
        """``(B, C, h, w)`` to task by task ``(B, size, h, w)``.

        ``box`` holds left, top, height and width, ``landmarks`` x and y, all as shares of the
        window's side; ``weights`` the weights' logits (Eq. 6 before its softmax).

        Args:
            shared: the last shared features.
            only: the tasks wanted; all by default.
        """
        with torch.autocast(shared.device.type, enabled=False):
            shared = shared.to(next(self.parameters()).dtype)
            found = {
                task: layers(shared)
                for task, layers in self.answers.items()
                if only is None or task in only
            }
            if self.weights is not None and only is None:
                found["weights"] = self.weights(shared.detach() if self.apart else shared)
        return found


def _two_layers(channels: int, hidden: int, size: int) -> nn.Sequential:
    layers = nn.Sequential(
        nn.Conv2d(channels, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, size, 1),
    )
    initialise(layers)
    nn.init.normal_(layers[-1].weight, std=0.01)
    return layers


def _folded(net: nn.Module) -> nn.Module:
    """A copy of a network whose ``trunk`` has no batch norm left, channels last in memory."""
    other = copy.deepcopy(net).eval()
    layers: list[nn.Module] = []
    for layer in other.trunk:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    other.trunk = nn.Sequential(*layers)
    return other.requires_grad_(False).to(memory_format=torch.channels_last)
