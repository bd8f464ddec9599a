"""Solutions of chapter 7, identity guides attributes. Run it: it fails if one of them is wrong."""

import numpy as np
import torch
import torch.nn.functional as F

from faceattr.exercises import chapter07
from faceattr.objectives.identity import IdentityGuided


# Exercise 1. The mean over faces comes first, the sum over attributes after it; faces of nobody
# known are left out of the second part.
def paper_loss(logits, labels, identity_logits, targets, lam):
    each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")  # (B, M)
    known = targets >= 0
    loss = each.mean(0).sum()  # Eq. 1
    if known.any():
        loss = loss + lam * F.cross_entropy(identity_logits[known], targets[known])  # Eqs. 2, 3
    return loss


# Exercise 2. From each person's number of pictures n and sum s: n (n - 1) ordered pairs, whose
# products add up to s^2 - s; each picture stands first in n - 1 of them.
def agreement(labels, identity):
    _, person, n = np.unique(identity, return_inverse=True, return_counts=True)
    s = np.stack([labels[person == p].sum(0) for p in range(len(n))])  # (P, M)
    pairs = (n * (n - 1)).sum()
    mean = ((n - 1)[:, None] * s).sum(0) / pairs  # (M,)
    product = (s**2 - s).sum(0) / pairs
    return (product - mean**2) / (mean * (1 - mean))  # a label of 0 and 1 has this variance


# Exercise 3. torch.autograd.grad hands the gradients over and leaves none in the network. None
# stands where the loss does not depend on a parameter at all.
def reached(model, faces):
    loss = IdentityGuided(1.0)(model, faces)["identity"]
    found = [(name, p) for name, part in model.named_children() for p in part.parameters()]
    gradients = torch.autograd.grad(loss, [p for _, p in found], allow_unused=True)
    return {
        name
        for (name, _), gradient in zip(found, gradients, strict=True)
        if gradient is not None and bool(gradient.any())
    }


ANSWERS = {
    chapter07.check_paper_loss: paper_loss,
    chapter07.check_agreement: agreement,
    chapter07.check_reached: reached,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
