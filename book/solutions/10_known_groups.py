"""Solutions of chapter 10, known groups. Run it: it fails if one of them is wrong."""

import torch

from faceattr.exercises import chapter10


# Exercise 1. Stack what the groups give, then send each column to its place: the permutation that
# sorts the list of columns does that.
def weights(groups, bases, coefficients):
    stacked = torch.cat([b @ s for b, s in zip(bases, coefficients, strict=True)], dim=1)
    columns = torch.tensor([j for group in groups for j in group])
    return stacked[:, columns.argsort()]  # (d, M)


# Exercise 2. Only directions that L has: singular values of 0 are, with rounding, a little above.
def subgradient(matrix):
    u, sigma, vh = torch.linalg.svd(matrix, full_matrices=False)
    some = sigma > 1e-10 * sigma.max().clamp(min=1e-30)
    return u[:, some] @ vh[some]


# Exercise 3. Lines 3 to 5. Where theta is 0, the norm is 0 as well, and s is 0.
def smidas_step(theta, gradient, r, lam, p):
    theta = theta - r * gradient  # 3
    theta = theta.sign() * (theta.abs() - r * lam).clamp(min=0)  # 4
    norm = theta.abs().pow(p).sum().pow(1 / p)
    if norm == 0:
        return theta, theta
    return theta, theta.sign() * theta.abs().pow(p - 1) / norm ** (p - 2)  # 5


ANSWERS = {
    chapter10.check_weights: weights,
    chapter10.check_subgradient: subgradient,
    chapter10.check_smidas_step: smidas_step,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
