"""Multi-net learning (PaW, Figure 2): a second head teaches the localization network to tell apart.

Global average pooling makes maps that localise well and classify less well. So two fully connected
layers are put on the same fifth module, both heads are trained on the same attribute loss, and
the shared modules take the gradients of both. Afterwards the second head is thrown away.

That is why the branch lives in the objective and not in the model: ``fit`` trains an objective
that is a module and keeps it in ``last.safetensors``, so that a run can be resumed, while the
model and ``best.safetensors`` never hold it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.errors import DataError
from faceattr.models.frl import FRL
from faceattr.objectives.attributes import cross_entropy


class MultiNet(nn.Module):
    """The attribute loss of both heads: ``{"attributes": ..., "classification": ...}``.

    The paper gives neither the width of its first layer nor how the maps reach it. Here they are
    pooled to 7 x 7, as VGG-16 does at 224 pixels, and 512 units follow: VGG-16's own 4096 would
    make the branch, which is thrown away, five times as large as the network.

    Args:
        channels: maps of the fifth module, ``FRL.channels``.
        num_attributes: M.
        hidden: units of the first layer.
        grid: height and width that the maps are pooled to.
        weight: of the branch's loss.
    """

    def __init__(
        self,
        channels: int,
        num_attributes: int = 40,
        *,
        hidden: int = 512,
        grid: int = 7,
        weight: float = 1.0,
    ):
        super().__init__()
        self.weight = weight
        self.branch = nn.Sequential(
            nn.AdaptiveMaxPool2d(grid),
            nn.Flatten(),
            nn.Linear(channels * grid * grid, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_attributes),
        )

    @classmethod
    def of(cls, model: FRL, **sizes) -> MultiNet:
        """A branch that fits a localization network, and begins with the biases of its head.

        Raises:
            DataError: a model without the two halves ``conv5`` and ``localise``.
        """
        _check(model)
        made = cls(model.channels, model.config["num_attributes"], **sizes)
        with torch.no_grad():
            made.branch[-1].bias.copy_(model.cam_bias)
        return made

    def forward(self, model: FRL, faces: Faces) -> dict[str, Tensor]:
        """Both heads' losses from one pass through the shared modules.

        Raises:
            DataError: a model without the two halves ``conv5`` and ``localise``.
        """
        _check(model)
        shared = model.conv5(faces.images)  # (B, C, h, w)
        located, classified = model.localise(shared).logits, self.branch(shared)  # (B, M) both
        return {
            "attributes": cross_entropy(located, faces.attributes),
            "classification": self.weight * cross_entropy(classified, faces.attributes),
        }

    def logits(self, model: FRL, images: Tensor) -> Tensor:
        """What the branch answers, ``(B, M)``: the first column of the paper's Table 1."""
        return self.branch(model.conv5(images))


def _check(model: FRL) -> None:
    if not (hasattr(model, "conv5") and hasattr(model, "localise")):
        raise DataError(
            f"multi-net learning shares the fifth module of an FRL, and {type(model).__name__} "
            "has none: train it with attribute_loss"
        )
