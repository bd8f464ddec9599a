"""How much each attribute's loss counts: MCFA's dynamic weights (Eqs. 6 and 7) and five rivals.

Every scheme turns the losses of M attributes into one number, with weights that sum to one:

===========  ===========================================================================
equal        1 / M
dynamic      Zhuang et al. (ICPR 2018), Eqs. 4, 6 and 7: a softmax over a layer of the network
inverse      Ming et al. (arXiv 1911.03281): such a layer, taught by a loss of its own
uncertainty  Kendall, Gal and Cipolla (CVPR 2018): a learned temperature for each attribute
dwa          Liu, Johns and Davison (CVPR 2019), dynamic weight average: losses that fall slowly
random       Lin et al. (arXiv 2111.10603): a softmax over normal noise, drawn at every step
===========  ===========================================================================

**Where does Eq. 6 send the weight?** With ``mu = softmax(alpha)`` and fixed losses ``l``::

    d(mu^T l) / d(alpha_i) = mu_i (l_i - mu^T l)

(:func:`softmax_gradient`). Descent lowers ``alpha_i`` where the loss is above the weighted mean and
raises it where it is below: the weight goes to the *easy* attributes, until the one with the
smallest loss has all of it. The paper says that the difficult ones get more. Ming et al. let the
weights descend ``sum_i mu_i / l_i`` instead: with the losses fixed, the weight goes to the one with
the largest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceattr.errors import DataError, UnknownNameError

#: Names of the schemes, as :func:`weighting` takes them.
SCHEMES = ("dynamic", "equal", "inverse", "uncertainty", "dwa", "random")
#: Those whose weights a layer of the network gives.
LEARNED = ("dynamic", "inverse")
#: Temperature of dynamic weight average, as in its paper.
TEMPERATURE = 2.0
#: Added to the losses by which Ming et al. divide, as their published program does.
SIGMA = 0.01


def softmax_gradient(weights: Tensor, losses: Tensor) -> Tensor:
    """Gradient of ``mu^T l`` in the weights' logits: ``mu_i (l_i - mu^T l)``.

    From ``d mu_j / d alpha_i = mu_j (1[i = j] - mu_i)``. It sums to zero: what one attribute gains
    the others lose.

    Args:
        weights: ``(..., M)``, mu of Eq. 6. losses: ``(..., M)``.
    """
    return weights * (losses - (weights * losses).sum(-1, keepdim=True))


class Weighting(nn.Module):
    """Base of the schemes: equal weights.

    Attributes:
        name: of the scheme.
        learned: do the weights come from a layer of the network (Eq. 6)?

    Args:
        num_attributes: M.
        nets: networks that each have weights of their own; MCFA's three.
    """

    name = "equal"

    def __init__(self, num_attributes: int = 40, nets: int = 1):
        super().__init__()
        self.num_attributes = num_attributes
        self.config = {"num_attributes": num_attributes, "nets": nets}

    @property
    def learned(self) -> bool:
        """Do the weights come from a layer of the network?"""
        return self.name in LEARNED

    @property
    def layer(self) -> bool | str:
        """What to build the network with: ``MCFA(weights=...)``."""
        return self.learned

    def weights(self, losses: Tensor, known: Tensor, learned: Tensor | None, net: int) -> Tensor:
        """Weights of the attributes, ``(M,)`` or ``(B, M)``, that sum to one."""
        return torch.full_like(losses[0], 1 / self.num_attributes)  # (M,)

    def forward(
        self, losses: Tensor, known: Tensor, learned: Tensor | None = None, net: int = 0
    ) -> tuple[Tensor, Tensor]:
        """One loss of all attributes.

        A label that nobody knows has no part: the weights of the attributes that are known of a
        face are brought to a sum of one. Faces of which nothing is known are left out.

        Args:
            losses: ``(B, M)``, cross-entropy of each.
            known: ``(B, M)`` bool.
            learned: ``(B, M)``, the network's weights (Eq. 6), for schemes that take them.
            net: which network's.

        Returns:
            The loss, a scalar (the mean over faces of Eq. 4; 0 where nothing is known), and the
            weights ``(B, M)`` that were used, without gradient.

        Raises:
            DataError: the scheme learns its weights and the network has no layer for them.
        """
        if self.learned and learned is None:
            raise DataError(
                f"{self.name} weights come from a layer of the network, which has none: build it "
                "with weights=True"
            )
        mu = self.weights(losses, known, learned, net).expand_as(losses)
        return self.total(losses, _among(mu, known), known)

    def total(self, losses: Tensor, mu: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The mean over faces of ``mu^T l``, and mu ``(B, M)`` without gradient."""
        each = (mu * losses.where(known, 0)).sum(1)  # (B,): Eq. 4
        return _mean(each, known), mu.detach()

    def end_epoch(self) -> None:
        """To be called after each epoch; nothing to do for most schemes."""


class Equal(Weighting):
    """Equal weights: what the paper compares with."""


class Dynamic(Weighting):
    """The paper's: mu from a layer of the network (Eq. 6), both trained on Eq. 4."""

    name = "dynamic"

    def weights(self, losses, known, learned, net):
        """The network's own."""
        return learned


class Inverse(Weighting):
    """Ming et al.: the network descends ``mu^T l`` with mu fixed, mu ``sum_i mu_i / (l_i + 0.01)``.

    Both in batch means of ``mu_i`` and ``l_i``. The second loss falls where a large loss gets a
    large weight; it teaches the layer of the weights alone. The two are added here so that one step
    takes both; of the sum only ``mu^T l`` is reported (the value of the other is taken away again).
    The paper's text was not at hand: this follows the program that its authors published, without
    its features of unit length before the layer and its own rate for the layer.
    """

    name = "inverse"

    @property
    def layer(self) -> str:
        """The features that the layer reads are not taught by it."""
        return "apart"

    def weights(self, losses, known, learned, net):
        """The network's own."""
        return learned

    def total(self, losses, mu, known):
        """``mu^T l`` for the network plus ``mu^T (1 / l)`` for the weights; value of the first."""
        value, fixed = super().total(losses, mu.detach(), known)
        count = known.sum(0).clamp(min=1)
        loss = losses.detach().where(known, 0).sum(0) / count  # (M,)
        weight = mu.where(known, 0).sum(0) / count  # (M,)
        other = (weight / (loss + SIGMA)).where(known.any(0), 0).sum()
        return value + other - other.detach(), fixed


class Uncertainty(Weighting):
    """Kendall et al.: ``sum_i exp(-s_i) l_i + s_i / 2``, s learned, one a network and attribute.

    ``s = log sigma^2``; the classification form of their Eq. 10. Weights are reported as
    ``exp(-s)`` brought to a sum of one; in the loss they are free to grow, the mean over attributes
    taking the place of the sum.
    """

    name = "uncertainty"

    def __init__(self, num_attributes: int = 40, nets: int = 1):
        super().__init__(num_attributes, nets)
        self.log_variance = nn.Parameter(torch.zeros(nets, num_attributes))

    def forward(self, losses, known, learned=None, net=0):
        """As :meth:`Weighting.forward`."""
        s = self.log_variance[net]  # (M,)
        each = ((-s).exp() * losses + s / 2).where(known, 0).sum(1)
        each = each / known.sum(1).clamp(min=1)  # (B,)
        shown = (-s.detach()).softmax(0).expand_as(losses)
        return _mean(each, known), _among(shown, known)


class DWA(Weighting):
    """Liu et al.: ``softmax(r / T)``, ``r_i = l_i(t - 1) / l_i(t - 2)`` over epochs, T = 2.

    Equal in the first two epochs. An attribute that nobody knew in an epoch keeps its place.
    """

    name = "dwa"

    def __init__(self, num_attributes: int = 40, nets: int = 1):
        super().__init__(num_attributes, nets)
        for name in ("now", "count", "last", "before"):  # sums of this epoch, means of the others
            self.register_buffer(name, torch.zeros(nets, num_attributes))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))

    def weights(self, losses, known, learned, net):
        """From the losses of the two epochs before, ``(M,)``."""
        if self.training:
            with torch.no_grad():
                self.now[net] += losses.where(known, 0).sum(0)
                self.count[net] += known.sum(0)
        ratio = self.last[net] / self.before[net].clamp(min=1e-12)
        ratio = ratio.where(self.before[net] > 0, 1.0)  # (M,)
        return (ratio / TEMPERATURE).softmax(0)

    def end_epoch(self):
        """The epoch's mean losses become those of the epoch before."""
        seen = self.count > 0
        self.before.copy_(self.last)
        self.last.copy_(torch.where(seen, self.now / self.count.clamp(min=1), self.last))
        self.now.zero_()
        self.count.zero_()
        self.epochs += 1


class Random(Weighting):
    """Lin et al.: a softmax over standard normal numbers, one draw a step and network."""

    name = "random"

    def weights(self, losses, known, learned, net):
        """Drawn anew at each call, ``(M,)``."""
        return torch.randn(self.num_attributes, device=losses.device).softmax(0)


_KINDS = {kind.name: kind for kind in (Dynamic, Equal, Inverse, Uncertainty, DWA, Random)}


def weighting(name: str, num_attributes: int = 40, nets: int = 1) -> Weighting:
    """A scheme by its name in :data:`SCHEMES`.

    Raises:
        UnknownNameError: no such scheme.
    """
    if name not in _KINDS:
        raise UnknownNameError(f"unknown weighting {name!r}: choose one of {', '.join(SCHEMES)}")
    return _KINDS[name](num_attributes, nets)


def _among(mu: Tensor, known: Tensor) -> Tensor:
    """Weights of what is known, brought to a sum of one for each face; 0 for what is not."""
    mu = mu.where(known, 0)
    return mu / mu.sum(1, keepdim=True).clamp(min=1e-12)  # (B, M)


def _mean(each: Tensor, known: Tensor) -> Tensor:
    """Mean over the faces of which anything is known."""
    some = known.any(1)
    return each.where(some, 0).sum() / some.sum().clamp(min=1)
