"""MCFA's networks as the cascade runs them: fewer operations, the same answers to rounding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceattr.models.mcfa import MCFA
from faceattr.models.mcfa_nets import SNet


class Folded:
    """A trained MCFA as it is now, for use alone.

    Batch norm is folded into the convolutions. So are the mean and deviation of the pixels in
    S_Net, which pads nothing: it takes pixels as they are. Only those heads run whose answers are
    wanted, which are the last network's.

    Args:
        model: an MCFA that detects, in evaluation mode.

    Attributes:
        side, stride: of S_Net's window, and from one window to the next.
    """

    def __init__(self, model: MCFA):
        self.model = model
        net = model.s_net
        self.side, self.stride, self.positions = net.side, net.stride, net.positions
        self.nets = [each.folded() if hasattr(each, "folded") else each
                     for each in (net, model.m_net, model.l_net)]  # fmt: skip
        self.plain = isinstance(net, SNet)  # takes pixels as they are
        if self.plain:
            _take_pixels(self.nets[0].trunk[0], model.mean.flatten(), model.std.flatten())

    def slide(self, sheet: Tensor) -> tuple[Tensor, Tensor]:
        """S_Net over a sheet ``(3, H, W)``: its features ``(1, C, h, w)``, logits of faces."""
        shared = self._first(sheet[None])
        return shared, self.model.heads[0](shared, only=("face",))["face"][0, 0]  # (h, w)

    def boxes(self, shared: Tensor) -> Tensor:
        """S_Net's boxes ``(n, 4)``, in sides of the window, from its features ``(n, C)``."""
        return self.model.heads[0](shared[..., None, None], only=("box",))["box"].flatten(1)

    def look(self, windows: Tensor, depth: int, only: tuple[str, ...]) -> dict[str, Tensor]:
        """The first ``depth`` networks on windows; the last one's answers.

        Args:
            windows: ``(B, 3, side, side)`` float in [0, 1], of the size that the last takes.
            depth: 2 or 3. only: the tasks wanted.

        Returns:
            Task by task ``(B, size)``, as :meth:`~faceattr.models.mcfa_nets.Heads.forward`.
        """
        windows = windows.contiguous(memory_format=torch.channels_last)
        images = self.model.normalize(windows)
        shared = self._first(F.avg_pool2d(windows, 2 ** (depth - 1))).flatten(1)
        for k in range(1, depth):
            seen = F.avg_pool2d(images, 2 ** (depth - 1 - k)) if k < depth - 1 else images
            shared = self.nets[k](seen, shared)
        found = self.model.heads[depth - 1](shared[..., None, None], only=only)
        return {task: answer.flatten(1) for task, answer in found.items()}

    def _first(self, images: Tensor) -> Tensor:
        if not self.plain:
            images = self.model.normalize(images)
        return self.nets[0](images.contiguous(memory_format=torch.channels_last))


@torch.no_grad()
def _take_pixels(layer: nn.Conv2d, mean: Tensor, std: Tensor) -> None:
    """Let an unpadded convolution of ``(x - mean) / std`` take x itself, in place."""
    layer.weight.div_(std[:, None, None])
    layer.bias.sub_((layer.weight * mean[:, None, None]).sum((1, 2, 3)))
