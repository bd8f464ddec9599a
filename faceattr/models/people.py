"""Recognising people: the layers behind FR-ANet's identity loss, and who their scores stand for.

Identity is a closed set here. Each person of the training faces has one logit; a person who was
never trained on has none. That is why a network is asked to recognise only known people, and why
attributes of strangers, which is what it is for, need none of this.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faceattr.errors import DataError


class IdentityBranch(nn.Module):
    """Maps to one logit per training person: a hidden layer, then a softmax's linear layer.

    Args:
        inputs: numbers that a face's pooled maps hold together.
        hidden: units of the hidden layer, the face's embedding.
        people: P.
        dropout: chance that a unit of the hidden layer is silent in training.

    Attributes:
        known: ``(P,)`` int64, the data set's number of each person, ascending; a buffer, so that
            it travels with a checkpoint. ``0 .. P - 1`` until :meth:`meet` is called.
    """

    known: Tensor

    def __init__(self, inputs: int, hidden: int, people: int, *, dropout: float = 0.5):
        super().__init__()
        if people < 2:
            raise DataError(
                f"{people} people to tell apart: recognising needs faces of two or more; train "
                "without an identity branch (mcnn), or add faces of other people"
            )
        self.embedding = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(hidden, people)
        self.register_buffer("known", torch.arange(people))

    @property
    def people(self) -> int:
        """P, the number of people it tells apart."""
        return len(self.known)

    def meet(self, identity: Tensor | Sequence[int]) -> None:
        """Say whom the logits stand for.

        Args:
            identity: ``(N,)`` the data set's numbers, in any order and as often as there are
                faces; negative ones, of unknown people, are passed over.

        Raises:
            DataError: another number of people than there are logits.
        """
        known = torch.as_tensor(identity).unique()
        known = known[known >= 0]
        if len(known) != self.people:
            raise DataError(
                f"{len(known)} people for a network that tells {self.people} apart: build it with "
                f"num_identities={len(known)}, or give it the faces that it was built for"
            )
        self.known.copy_(known)

    def targets(self, identity: Tensor) -> Tensor:
        """The data set's numbers ``(B,)`` to positions among the logits; -1 where there is none."""
        identity = identity.to(self.known.dtype)
        place = torch.searchsorted(self.known, identity).clamp(max=self.people - 1)
        return torch.where(self.known[place] == identity, place, -1)

    def forward(self, maps: Tensor) -> Tensor:
        """Pooled maps ``(B, C, g, g)`` to logits ``(B, P)``."""
        return self.scores(self.dropout(self.embedding(maps)))  # (B, P)


def people_of(identity: Tensor | None) -> int:
    """How many different people are known among ``(N,)`` identities; 0 where nobody is."""
    if identity is None:
        return 0
    return len(identity[identity >= 0].unique())
