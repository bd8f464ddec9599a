"""Checkers of chapter 9, who gets the weight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from torch import Tensor

from faceattr.exercises import Verdict, checker, compare, no, yes

#: Faces and attributes of the checkers' batches.
_FACES, _COUNT = 6, 5


def _by_autograd(alpha: Tensor, losses: Tensor) -> Tensor:
    """The gradient of ``sum_b mu_b^T l_b`` in alpha, ``(B, M)``."""
    alpha = alpha.clone().requires_grad_()
    (alpha.softmax(1) * losses).sum().backward()
    return alpha.grad


@checker
def check_weight_gradient(answer: Callable) -> Verdict:
    """Exercise 1: where descent sends the weight, against autograd.

    Args:
        answer: function of ``alpha (B, M)`` and ``losses (B, M)`` that returns the gradient of
            ``mu^T l`` of each face in its own alpha, ``(B, M)``, with ``mu = softmax(alpha)``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_weight_gradient(weight_gradient).")
    generator = torch.Generator().manual_seed(0)
    alpha = torch.randn(_FACES, _COUNT, generator=generator)
    losses = 0.05 + torch.rand(_FACES, _COUNT, generator=generator)
    right = _by_autograd(alpha, losses)
    try:
        with torch.no_grad():
            found = answer(alpha.clone(), losses.clone())
    except RuntimeError as error:
        if "does not require grad" in str(error):
            return no("Autograd is switched off here: write the gradient down by hand.")
        raise
    slips = _wrong_gradients(alpha, losses, right)
    same = compare(found, right, what="the gradient", tolerance=1e-5, slips=slips)
    if not same:
        return same
    far = alpha + torch.tensor([200.0, -200, 0, 150, -90, 0])[:, None]  # the same weights
    with torch.no_grad():
        found = torch.as_tensor(answer(far.clone(), losses.clone()))
    if not bool(found.isfinite().all()):
        return no(
            "Right, until alpha is large: exp(200) is more than a float32 holds. Only differences "
            "within a face matter to a softmax, so take each face's largest alpha away first, as "
            "torch.softmax does."
        )
    same = compare(
        found, _by_autograd(far, losses), what="with alpha far from zero", tolerance=1e-4
    )
    return same and yes(
        "Autograd's, without it. Each row sums to zero: what one attribute gains, the others lose. "
        "And mu stands in front: whoever has lost the weight gets next to no gradient any more, "
        "whatever its loss, and will hardly get the weight back."
    )


def _wrong_gradients(alpha: Tensor, losses: Tensor, right: Tensor) -> list[tuple[str, Tensor]]:
    """What goes wrong easily, with the gradient that it gives."""
    mu, across = alpha.softmax(1), alpha.softmax(0)
    mean = (mu * losses).sum(1, keepdim=True)  # (B, 1)
    faces = "The softmax is over the attributes of a face, the second axis; yours is over faces."
    batch = "mu^T l is each face's own: sum over its attributes and keep the faces apart."
    return [
        ("That is the step that descent takes. The gradient points the other way.", -right),
        ("These are the losses: the gradient in mu. How does mu move with alpha?", losses),
        (
            "mu_i also falls when another alpha grows, because the weights share a sum of one: "
            "something is missing that is to be taken away.",
            mu * losses,
        ),
        (
            "You compare with the plain mean of the losses. It is the weighted one, mu^T l.",
            mu * (losses - losses.mean(1, keepdim=True)),
        ),
        (
            "That is each weight's own alpha alone, mu_i (1 - mu_i), as of a sigmoid. In a softmax "
            "alpha_i moves all the other weights as well.",
            mu * (1 - mu) * losses,
        ),
        ("Nearly: how fast mu_i moves depends on mu_i, which stands in front.", losses - mean),
        ("alpha is not the weights yet: they are its softmax.", _pull(alpha, losses)),
        (faces, _pull(across, losses)),
        (faces, across * (losses - (across * losses).sum(0))),
        (batch, mu * (losses - mean.sum())),
        (batch, mu * (losses - mean.mean())),
        ("Each face's own gradient is asked for: divide by nothing.", right / _FACES),
    ]


def _pull(mu: Tensor, losses: Tensor) -> Tensor:
    return mu * (losses - (mu * losses).sum(1, keepdim=True))  # (B, M)


@checker
def check_dwa(answer: Callable) -> Verdict:
    """Exercise 2: dynamic weight average (Liu, Johns and Davison, CVPR 2019).

    Args:
        answer: function of ``history (E, M)``, the mean loss of each attribute in each epoch so
            far, and the temperature that returns the weights ``(M,)`` of the next epoch, which sum
            to one; equal where E is less than 2.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_dwa(dwa).")
    generator = torch.Generator().manual_seed(1)
    history = 0.1 + torch.rand(4, _COUNT, generator=generator)
    for epochs, temperature in ((4, 2.0), (3, 0.7), (2, 2.0)):
        h = history[:epochs]
        right = softmax((h[-1] / h[-2]).double().numpy() / temperature)
        found = answer(h.clone(), temperature)
        what = f"the weights of epoch {epochs + 1} at T = {temperature:g}"
        slips = [
            (why, wrong)
            for why, wrong in _wrong_averages(h.double().numpy(), temperature)
            if not np.allclose(wrong, right)
        ]
        same = compare(found, right, what=what, tolerance=1e-5, slips=slips)
        if not same:
            return same
    for epochs in (1, 0):
        try:
            found = answer(history[:epochs].clone(), 2.0)
        except IndexError:
            return no(
                f"After {('no', 'one')[epochs]} epoch there are no two to compare, and your answer "
                "looks for them: the weights are equal then."
            )
        same = compare(
            found,
            np.full(_COUNT, 1 / _COUNT),
            what=f"the weights of epoch {epochs + 1}",
            tolerance=1e-5,
            slips=[("They are equal, but sum to M; here they sum to one.", np.ones(_COUNT))],
        )
        if not same:
            return same
    return yes(
        "Here the weights sum to one, so that all schemes are on one scale; Liu et al.'s sum to M, "
        "which makes the loss M times as large. The ratio knows nothing of how large a loss is: "
        "an attribute that cannot be learned at all has a ratio of one, as high as any while "
        "losses fall, and so the most weight."
    )


def _wrong_averages(h: np.ndarray, temperature: float) -> list[tuple[str, np.ndarray]]:
    """What goes wrong easily, with the weights that it gives."""
    ratio = h[-1] / h[-2]  # (M,)
    ends = "The last epoch over the one before it; yours are other epochs."
    return [
        (
            "The ratio is upside down: yours grows for what improves fast. It is the last loss "
            "over the one before.",
            softmax(h[-2] / h[-1] / temperature),
        ),
        ("The sign: the most weight goes to what improves least.", softmax(-ratio / temperature)),
        (ends, softmax(h[1] / h[0] / temperature)),
        (ends, softmax(h[-1] / h[0] / temperature)),
        ("Divide by the temperature: you multiplied.", softmax(ratio * temperature)),
        ("Where does the temperature come in?", softmax(ratio)),
        (
            "You took a difference of losses. Their ratio is asked for: it has no unit.",
            softmax((h[-1] - h[-2]) / temperature),
        ),
        (
            "That is a softmax over the losses themselves. How fast they fall is what counts.",
            softmax(h[-1] / temperature),
        ),
        ("You divided by the sum: a softmax is asked for.", ratio / ratio.sum()),
        (
            "These sum to M, as in Liu et al.'s paper. Here, as for all schemes of the chapter, "
            "weights sum to one.",
            softmax(ratio / temperature) * len(ratio),
        ),
        (
            "These are equal weights: there are two epochs to compare.",
            np.full_like(ratio, 1 / len(ratio)),
        ),
    ]


@checker
def check_settled(answer: Callable) -> Verdict:
    """Exercise 3: where uncertainty weighting comes to rest (Kendall, Gal and Cipolla, CVPR 2018).

    Args:
        answer: function of ``losses (M,)`` that returns ``exp(-s)`` of each for the s that
            minimises ``exp(-s) l + s / 2``, ``(M,)``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_settled(settled).")
    drawn = 0.05 + torch.rand(3, generator=torch.Generator().manual_seed(2))
    for losses in (torch.tensor([0.05, 0.12, 0.3, 0.5, 0.65]), drawn):
        loss = losses.double().numpy()
        s = np.array([minimize_scalar(lambda s, v=v: np.exp(-s) * v + s / 2).x for v in loss])
        right = np.exp(-s)  # (M,)
        slips = [
            (
                "You minimised exp(-s) l + s. Its second term is s / 2, and the half stays.",
                1 / loss,
            ),
            ("That is s. The weight is exp(-s).", s),
            ("That is -s. The weight is exp(-s).", -s),
            ("That is exp(s), the variance. The weight is exp(-s): turn it round.", 1 / right),
            ("That is 1 / sigma. The weight is exp(-s) = 1 / sigma squared.", right**0.5),
            (
                "You brought them to a sum of one. Leave them as they settle: each attribute "
                "settles by itself, whatever the others do.",
                right / right.sum(),
            ),
            ("These are the weighted losses. The weights are asked for.", right * loss),
            (
                "That is the value at the minimum. The weight there is asked for.",
                right * loss + s / 2,
            ),
            (
                "The derivative of s / 2 is a half, and that of exp(-s) l is -exp(-s) l: they "
                "cancel where exp(-s) l is a half. You have l / 2.",
                loss / 2,
            ),
        ]
        found = answer(losses.clone())
        same = compare(found, right, what="the weights", tolerance=1e-3, slips=slips)
        if not same:
            return same
    return yes(
        "1 / (2 l): a hard attribute gets less weight here, too. But the weighted loss of each "
        "is the same, one half, so nobody runs away with all of it. Put s = log 2 l back and "
        "the network descends half the sum of log l: it is relative progress that counts, and a "
        "loss close to zero is the one to beware of."
    )
