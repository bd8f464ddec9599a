"""The contrastive loss of MTFAP's verifier (Eqs. 17 to 19), on identities and on attributes.

For two faces at squared distance D of each other::

    L = D / 2                 one person,  c = 0      (17)
    L = max(0, m - D) / 2     two people,  c = 1      (18)

and Eq. 19 averages over all ``N^2`` pairs. (Hadsell, Chopra and LeCun, whom the paper follows,
square what is left of the margin instead of the distance: ``max(0, m - sqrt(D))^2``.)

Of a batch drawn at random nearly all pairs are of two people. Averaged as printed, pulling together
counts for a few percent of the loss; ``balance``, the default here, averages both kinds alone and
takes the mean, which is a choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.errors import DataError
from faceattr.models.siamese import Siamese
from faceattr.objectives.attributes import cross_entropy


def contrastive(distance: Tensor, different: Tensor, margin: float = 1.0) -> Tensor:
    """The loss of each pair.

    Args:
        distance: squared, of any shape.
        different: c, of that shape: True or 1 for two people.
        margin: m.
    """
    genuine = distance / 2  # Eq. 17
    impostor = (margin - distance).clamp(min=0) / 2  # Eq. 18
    return torch.where(different.bool(), impostor, genuine)


def coupling_loss(
    places: Tensor, identity: Tensor | None, *, margin: float = 1.0, balance: bool = True
) -> Tensor:
    """``L_cpl`` of a batch, Eq. 19; faces of unknown people (-1) are left out.

    Args:
        places: ``(B, E)``, one point a face.
        identity: ``(B,)``.
        margin: m.
        balance: pairs of one person and pairs of two weigh the same (a face is then no pair with
            itself); otherwise the mean over all ``N^2`` pairs, as printed.

    Returns:
        The loss; 0 of a batch in which fewer than two people's faces are known, which happens by
        chance where most people are unknown (data in which nobody is known are refused before
        training, by :class:`faceattr.data.people.ByPerson`).

    Raises:
        DataError: the faces have no identities at all.
    """
    if identity is None:
        raise DataError(
            "these faces have no identities, and a verifier learns from who is who: use a data set "
            "with identities"
        )
    known = identity >= 0
    places, identity = places[known].float(), identity[known]
    if len(places) < 2:
        return places.sum() * 0.0
    distance = (places[:, None] - places[None]).square().sum(-1)  # (B, B)
    different = identity[:, None] != identity[None]  # c
    loss = contrastive(distance, different, margin)
    if not balance:
        return loss.mean()  # Eq. 19
    other = ~torch.eye(len(places), dtype=torch.bool, device=places.device)
    kinds = [loss[chosen] for chosen in (~different & other, different) if bool(chosen.any())]
    return torch.stack([kind.mean() for kind in kinds]).mean()


class Verify:
    """The verifier's objective: ``identity``, and where asked ``attributes`` and ``alike``.

    ``alike`` is the contrastive loss on the probabilities of the attributes that a person keeps
    ("the identity attributes such as gender ... encouraged to be identical for genuine pairs while
    being different for the imposter pairs"). Two men are then asked to differ in Male, against
    the attribute loss: its weight is small, and 0 leaves it out.

    Args:
        margin: m of identities; embeddings have length 1, so that D lies between 0 and 4.
        attributes: weight of the attribute loss; 0 leaves it and ``alike`` out.
        alike: weight of the contrastive loss on attributes, whose D is the mean over them.
        columns: of the attributes that a person keeps.
        alike_margin: its m.
        balance: see :func:`coupling_loss`.
    """

    def __init__(
        self,
        *,
        margin: float = 1.0,
        attributes: float = 1.0,
        alike: float = 0.1,
        columns: Sequence[int] = (),
        alike_margin: float = 0.3,
        balance: bool = True,
    ):
        self.margin, self.attributes, self.alike = margin, attributes, alike
        self.columns, self.alike_margin, self.balance = list(columns), alike_margin, balance

    def __call__(self, model: nn.Module, faces: Faces) -> dict[str, Tensor]:
        """Losses of a batch.

        Raises:
            DataError: the model has no embedding; no identities, or no labels where asked.
        """
        if not isinstance(model, Siamese):
            raise DataError(f"a {type(model).__name__} has no embedding: train a Siamese")
        outputs = model(faces.images)
        couple = {"identity": faces.identity, "balance": self.balance}
        losses = {"identity": coupling_loss(outputs.embedding, margin=self.margin, **couple)}
        if self.attributes:
            loss = cross_entropy(outputs.logits, faces.attributes)
            losses["attributes"] = self.attributes * loss
            if self.alike and self.columns:
                kept = outputs.logits[:, self.columns].float().sigmoid()  # (B, K)
                kept = kept / len(self.columns) ** 0.5
                pairs = coupling_loss(kept, margin=self.alike_margin, **couple)
                losses["alike"] = self.alike * pairs
        return losses
