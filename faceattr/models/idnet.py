"""ID Net (Zhong, Sullivan and Li, ICB 2016), FR-ANet's rival: people first, attributes after.

A network is trained to recognise people and nothing else. What its last hidden layer says of a
face is then handed to one linear support vector machine for each attribute.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faceattr.errors import DataError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.blocks import convolution, initialise
from faceattr.models.franet import GridMax, shared_layers
from faceattr.models.people import IdentityBranch


class IDNet(FaceModel):
    """FR-ANet's layers up to the identity branch, without the attributes' own.

    Convolutions, pools and identity branch are those of :class:`~faceattr.models.franet.FRANet`
    (the paper compares with another group's network, of another size), so what differs is what
    was asked of them.

    Args:
        num_identities: P, the people to tell apart.
        num_attributes: M.
        widths, kernels: of Conv1 to Conv3.
        channels: maps of the last convolution; FR-ANet's six branches together.
        embedding: D, units of the hidden layer.
        grid: side of the last pool's maps.
        dropout: of the hidden units in training.

    Attributes:
        middle, spread: ``(D,)`` mean and standard deviation of the embedding over the training
            faces, which the support vector machines were given standardised.
        svm: ``nn.Linear(D, M)``, their weights and intercepts; zero until they are fitted.
    """

    middle: Tensor
    spread: Tensor

    def __init__(
        self,
        num_identities: int = 8_192,
        *,
        num_attributes: int = 40,
        widths: Sequence[int] = (75, 200, 300),
        kernels: Sequence[int] = (7, 5, 3),
        channels: int = 1_800,
        embedding: int = 512,
        grid: int = 3,
        dropout: float = 0.5,
    ):
        super().__init__(
            num_identities=num_identities,
            num_attributes=num_attributes,
            widths=list(widths),
            kernels=list(kernels),
            channels=channels,
            embedding=embedding,
            grid=grid,
            dropout=dropout,
        )
        self.smallest = 2 ** (len(widths) + 1)
        self.shared, inputs = shared_layers(widths, kernels)
        self.conv = nn.Sequential(*convolution(inputs, channels, 3, pool=True), GridMax(grid))
        cells = channels * grid * grid
        self.people = IdentityBranch(cells, embedding, num_identities, dropout=dropout)
        self.svm = nn.Linear(embedding, num_attributes)
        self.register_buffer("middle", torch.zeros(embedding))
        self.register_buffer("spread", torch.ones(embedding))
        initialise(self)
        nn.init.zeros_(self.svm.weight)
        nn.init.zeros_(self.svm.bias)

    @classmethod
    def small(cls, num_identities: int = 100, **changes) -> IDNet:
        """For pictures of 64 to 128 pixels on two cores."""
        preset = {"widths": (24, 48, 96), "kernels": (5, 3, 3), "channels": 192, "embedding": 128}
        return cls(num_identities, **{**preset, "dropout": 0.25, **changes})

    def embed(self, images: Tensor) -> Tensor:
        """Float images ``(B, 3, H, W)`` to the hidden layer ``(B, D)``."""
        images = self.normalize(images)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        return self.people.embedding(self.conv(self.shared(images)))  # (B, D)

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to ``logits`` and ``identity_logits (B, P)``.

        A logit is the signed distance from its support vector machine's plane, times the length of
        its weights: its sign is the answer, and it is no log-odds.
        """
        hidden = self.embed(images)  # (B, D)
        logits = self.svm((hidden.detach() - self.middle) / self.spread)  # (B, M)
        people = self.people.scores(self.people.dropout(hidden))  # (B, P)
        return Outputs(logits=logits, identity_logits=people)

    @torch.no_grad()
    def set_machines(self, weight: Tensor, bias: Tensor, middle: Tensor, spread: Tensor) -> None:
        """Take over fitted machines: ``weight (M, D)``, ``bias (M,)``, and what standardised.

        Raises:
            DataError: another shape, or numbers that are not finite.
        """
        given = {"weight": weight, "bias": bias, "middle": middle, "spread": spread}
        mine = {"weight": self.svm.weight, "bias": self.svm.bias}
        mine |= {"middle": self.middle, "spread": self.spread}
        for name, tensor in given.items():
            if tensor.shape != mine[name].shape or not tensor.isfinite().all():
                raise DataError(
                    f"{name} of the support vector machines is {tuple(tensor.shape)} or not "
                    f"finite: it must be {tuple(mine[name].shape)}, finite"
                )
        for name, tensor in given.items():
            mine[name].copy_(tensor)
