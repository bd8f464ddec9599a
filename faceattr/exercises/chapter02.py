"""Checkers of chapter 2, a first network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.models import WholeImage
from faceattr.objectives import cross_entropy


@checker
def check_parameters(answer: Callable) -> Verdict:
    """Exercise 1: the parameters of SNet3 for any number of attributes and maps.

    Args:
        answer: function of ``M``, ``N`` and ``grouped`` that returns a number of parameters.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_parameters(snet3_parameters).")
    for m, n, grouped in ((40, 32, True), (40, 32, False), (5, 8, True), (7, 3, False)):
        network = WholeImage(num_attributes=m, maps_per_attribute=n, grouped=grouped)
        right, c = network.count(), m * n
        norms = 2 * (16 + 32 + 64 + 128 + c)
        dense, alone = c * m + m, c + m
        slips = {
            "Nearly: batch norm has a scale and a shift for each map. Count those.": right - norms,
            "Nearly: batch norm learns two numbers for each map. The running mean and variance "
            "are not learned.": right + norms,
            "Nearly: every convolution has a bias for each map that it makes.": (
                right - (16 + 32 + 64 + 128 + c)
            ),
            "Nearly: count the bias of the last layer, one for each attribute.": right - m,
            "That is the other last layer: grouped, an attribute weighs its own N maps; otherwise "
            "it weighs all M N of them.": right + (dense - alone if grouped else alone - dense),
            "The picture has three channels, not one.": right - 2 * 9 * 16,
        }
        same = compare(
            answer(m, n, grouped),
            right,
            what=f"the count for M = {m}, N = {n}, grouped = {grouped}",
            slips=slips,
        )
        if not same:
            return same
    most = WholeImage().trunk[-3].weight.numel() / WholeImage().count()
    return yes(
        f"For the paper's M = 40 and N = 32, {most:.0%} of them sit in Conv5, which looks at one "
        "place at a time: there the maps are shared out among the attributes."
    )


@checker
def check_gradient(answer: Callable) -> Verdict:
    """Exercise 2: the gradient of the loss with respect to the scores.

    Args:
        answer: function of scores ``(B, M)`` and labels ``(B, M)``, -1 where unknown, that
            returns ``(B, M)``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_gradient(loss_gradient).")
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(6, 5, generator=generator, dtype=torch.float64)
    for share in (0.0, 0.3):  # of labels that nobody knows
        y = (torch.rand(6, 5, generator=generator) < 0.4).double()
        y[torch.rand(6, 5, generator=generator) < share] = -1
        leaf = z.clone().requires_grad_()
        cross_entropy(leaf, y).backward()
        right, known = leaf.grad, (y >= 0).double()
        count = known.sum()
        slips = {
            "Nearly: the loss is a mean over the labels that are known, so divide.": right * count,
            "The sign is the other way round: where the label is yes, a higher score lowers the "
            "loss.": -right,
            "Nearly: divide by the number of all labels that are known, not of faces.": (
                right * count / len(z)
            ),
            "Nearly: a label of -1 says that nobody knows. It adds nothing to the gradient.": (
                (z.sigmoid() - y) / count
            ),
            "Nearly: divide by the number of known labels, not of all.": right * count / y.numel(),
            "The sigmoid is missing: it is probability minus label.": (z - y) * known / count,
        }
        same = compare(
            answer(z.clone(), y.clone()),
            right,
            what="the gradient" + (" where some labels are unknown" if share else ""),
            slips=slips,
        )
        if not same:
            return same
    return yes(
        "Equal to autograd's. Each score is pulled by probability minus label, which is at most 1: "
        "no face can pull harder than being wholly wrong."
    )


@checker
def check_effective_faces(answer: Callable) -> Verdict:
    """Exercise 3: how many independent faces a test set of people is worth.

    Args:
        answer: function of the faces ``N``, the pictures of each person ``n`` and the correlation
            ``rho`` of two answers on one person being right, that returns one number.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_effective_faces(effective_faces).")
    cases = [(2000, 10, 0.1), (2000, 10, 1.0), (2000, 10, 0.0), (2000, 1, 0.5), (600, 20, 0.35)]
    for faces, each, rho in cases:
        block = np.full((each, each), rho) + (1 - rho) * np.eye(each)  # one person's correlations
        right = faces * each / block.sum()  # variance of the mean: block.sum() / (N n)
        slips = {
            "That counts people. It is right only where all pictures of a person are right or "
            "wrong together.": faces / each,
            "Nearly: a picture shares its luck with the n - 1 others of the person, not with n.": (
                faces / (1 + each * rho)
            ),
            "That counts faces. Pictures of one person are right or wrong together, to a part.": (
                faces
            ),
            "That takes the correlation off once, however many pictures a person has.": (
                faces * (1 - rho)
            ),
        }
        same = compare(
            answer(faces, each, rho),
            right,
            what=f"the number for N = {faces}, n = {each}, rho = {rho}",
            tolerance=1e-6 * faces,
            slips={why: wrong for why, wrong in slips.items() if not np.isclose(wrong, right)},
        )
        if not same:
            return same
    worth = 2000 / (1 + 9 * 0.1)
    return yes(
        f"2,000 faces of 200 people are worth {worth:.0f} if rho is 0.1, and an interval over "
        f"faces is {np.sqrt(2000 / worth):.2f} times too narrow. More people help; more pictures "
        "of them soon do not."
    )


@checker
def check_temperature(answer: Callable) -> Verdict:
    """Exercise 4: the temperature that calibrates scores best.

    Args:
        answer: function of scores ``(K,)`` and labels ``(K,)`` that returns ``T > 0``, by which
            the scores should be divided.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_temperature(best_temperature).")
    generator = torch.Generator().manual_seed(0)
    for true in (2.5, 0.6):
        fair = 2 * torch.randn(4000, generator=generator, dtype=torch.float64)
        y = (torch.rand(4000, generator=generator, dtype=torch.float64) < fair.sigmoid()).double()
        z = fair * true  # scores that are too sure by this factor
        right = _best_temperature(z, y)
        given = answer(z.clone(), y.clone())
        given = float(given.detach() if isinstance(given, torch.Tensor) else given)
        if given <= 0:
            return no(
                f"A temperature is above 0, yours is {given:.3g}: it may not turn the answer."
            )
        slips = {
            "That is what to multiply the scores with. Divide by T.": 1 / right,
            "That leaves the scores as they are.": 1.0,
        }
        same = compare(given, right, what="the temperature", tolerance=0.02 * right, slips=slips)
        if not same:
            before, after, best = (_entropy(z / t, y) for t in (1.0, given, right))
            return no(
                f"{same.reason} The loss was {before:.4f}, yours makes it {after:.4f}, and "
                f"{best:.4f} can be had."
            )
    return yes(
        "The loss cannot be lowered further. No answer has changed: dividing by T > 0 keeps every "
        "sign and the order of the faces, so accuracy and average precision stay as they were."
    )


def _entropy(z: torch.Tensor, y: torch.Tensor) -> float:
    return float(F.binary_cross_entropy_with_logits(z, y))


def _best_temperature(z: torch.Tensor, y: torch.Tensor) -> float:
    """The minimum over T. The loss is convex in 1 / T: halving finds where its slope is 0."""
    low, high = 1e-3, 1e3  # of 1 / T
    for _ in range(80):
        middle = (low * high) ** 0.5
        slope = float((((z * middle).sigmoid() - y) * z).mean())
        low, high = (middle, high) if slope < 0 else (low, middle)
    return 1 / middle
