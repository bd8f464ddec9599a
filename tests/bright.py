"""A tiny MCFA, and one that finds bright squares on a dark ground without any training."""

import torch
from torch import Tensor, nn

from faceattr.models.mcfa import MCFA

M = 3
TINY = {
    "size": 64, "widths": (4, 6, 8, 8, 8), "repeats": (1,) * 5, "pools": 1, "channels": 8,
    "units": 8, "hidden": 8, "norm": True, "num_attributes": M,
}  # fmt: skip


class _Brightness(nn.Module):
    """A head that sees a face where the middle of a window is bright and its rim is dark."""

    def __init__(self, side: int):
        super().__init__()
        self.weights = None
        kernel = torch.full((1, 3, side, side), -1.0)
        low, high = round(side / 6), round(side * 5 / 6)
        kernel[..., low:high, low:high] = (side**2 - (high - low) ** 2) / (high - low) ** 2
        self.register_buffer("kernel", kernel / (3 * side**2))
        self.low = (1 - 1 / 1.5) / 2

    def forward(self, shared: Tensor, only=None):
        signal = shared[:, :1]  # (B, 1, h, w): rim against middle
        ones = torch.ones_like(signal)
        box = torch.cat([self.low * ones] * 2 + [ones / 1.5] * 2, 1)
        found = {"face": 12 * (signal - 1.2), "box": box}
        found["attributes"] = torch.cat([signal, -signal, 9 * ones], 1)
        found["landmarks"] = torch.full((len(signal), 10, 1, 1), 0.5)
        return {task: found[task] for task in only or found}


def bright(**changes) -> MCFA:
    """An MCFA that finds bright squares on a dark ground, without any training."""
    model = MCFA(**{**TINY, "weights": False, **changes}).eval()

    class Seen(nn.Module):
        def __init__(self, side, stride):
            super().__init__()
            self.side, self.stride, self.head = side, stride, _Brightness(side)

        def positions(self, pixels):
            return max(0, (pixels - self.side) // self.stride + 1)

        def forward(self, images, coarser=None):
            found = nn.functional.conv2d(images, self.head.kernel, stride=self.stride)
            return found if coarser is None else found.flatten(1)

    for k, name in enumerate(("s_net", "m_net", "l_net")):
        setattr(model, name, Seen(model.sides[k], 2 if k == 0 else model.sides[k]))
        model.heads[k] = _Brightness(model.sides[k])
    return model


def squares_on(width, height, boxes, level=230):
    """A dark picture with bright squares, uint8 ``(3, H, W)``."""
    picture = torch.full((3, height, width), 20, dtype=torch.uint8)
    for x0, y0, x1, y1 in boxes:
        picture[:, max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = level
    return picture
