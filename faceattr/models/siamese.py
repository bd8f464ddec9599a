"""MTFAP's face verifier (section 5.6, Figure 12): one network that looks at both faces.

The twins share all weights, so that one network embeds a batch and pairs are formed afterwards.
Two faces are compared twice: by the distance of their embeddings ``z (E,)``, and by that of their
attributes' probabilities, of which only some stay the same between pictures of one person. The
paper trains both with the contrastive loss, from "the respective feature set from the common
embedding subspace": the attributes are read from the features that the embedding is read from.
Sizes, and how the two distances become one score, it leaves open; see
:mod:`faceattr.verification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceattr.models.base import FaceModel, Outputs
from faceattr.models.mtfap import SMALL, Block1
from faceattr.models.vgg import REPEATS, WIDTHS


@dataclass
class Embedded(Outputs):
    """Outputs with a place in the embedding space.

    Attributes:
        embedding: ``(B, E)``, of length 1.
    """

    embedding: Tensor | None = None


class Siamese(FaceModel):
    """Trunk, average pooling, then an embedding and the attributes' scores.

    Args:
        num_attributes: M.
        embedding: E.
        widths, repeats, pools, norm: of the trunk, see :class:`~faceattr.models.mtfap.Block1`;
            VGG-16's by default (the paper takes a FaceNet trained on 3.3 million faces).

    Raises:
        DataError: widths and repeats do not match.
    """

    def __init__(
        self,
        num_attributes: int = 40,
        *,
        embedding: int = 128,
        widths: Sequence[int] = WIDTHS,
        repeats: Sequence[int] = REPEATS,
        pools: int = 4,
        norm: bool = False,
    ):
        super().__init__(
            num_attributes=num_attributes, embedding=embedding, widths=list(widths),
            repeats=list(repeats), pools=pools, norm=norm,
        )  # fmt: skip
        self.trunk = Block1(widths, repeats, pools, norm)
        self.smallest = self.trunk.stride
        self.embed = nn.Linear(self.trunk.channels, embedding)
        self.head = nn.Linear(self.trunk.channels, num_attributes)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def small(cls, **changes) -> Siamese:
        """The small trunk of MTFAP, 32 numbers a face."""
        return cls(**{**SMALL, "embedding": 32, **changes})

    @property
    def cam_weights(self) -> Tensor:
        """Weights of the maps for each attribute, ``(M, d)``."""
        return self.head.weight

    @property
    def cam_bias(self) -> Tensor:
        """Bias of each attribute, ``(M,)``."""
        return self.head.bias

    def forward(self, images: Tensor) -> Embedded:
        """Float images ``(B, 3, H, W)`` to ``logits``, ``features`` and ``embedding (B, E)``."""
        images = self.normalize(images)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.trunk(images)  # (B, d, h, w)
        shared = features.mean((-2, -1))  # (B, d)
        place = F.normalize(self.embed(shared).float(), dim=-1)  # (B, E)
        return Embedded(logits=self.head(shared), features=features, embedding=place)
