"""Solutions of chapter 7, identity guides attributes. Run it: it fails if one of them is wrong."""

import numpy as np
import torch.nn.functional as F

from faceattr.exercises import chapter07
from faceattr.objectives.identity import IdentityGuided


# Exercise 1. The mean over faces comes first, the sum over attributes after it; faces of nobody
# known are left out of the second part.
def paper_loss(logits, labels, identity_logits, targets, lam):
    each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")  # (B, M)
    known = targets >= 0
    who = F.cross_entropy(identity_logits[known], targets[known])  # Eq. 2
    return each.mean(0).sum() + lam * who  # Eqs. 1 and 3


# Exercise 2. All ordered pairs of different pictures of one person.
def agreement(labels, identity):
    same = identity[:, None] == identity[None, :]
    np.fill_diagonal(same, False)
    first, second = np.nonzero(same)
    mean = labels[first].mean(0)
    return ((labels[first] * labels[second]).mean(0) - mean**2) / labels[first].var(0)


# Exercise 3. One backward pass of the identity loss, and a look at who has a gradient.
def reached(model, faces):
    model.zero_grad(set_to_none=True)
    IdentityGuided(1.0)(model, faces)["identity"].backward()
    return {
        name
        for name, part in model.named_children()
        if any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
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
