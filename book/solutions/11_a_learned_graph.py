"""Solutions of chapter 11, a learned graph. Run it: it fails if one of them is wrong."""

import numpy as np
import torch

from faceattr.exercises import chapter11


# Exercise 1. Squared lengths of the columns, and each pair's edge times its squared distance; each
# pair stands twice.
def penalty(weights, edges):
    distance = torch.cdist(weights.T, weights.T).square()  # (M, M)
    return weights.square().sum() + (edges * distance).sum() / 2


# Exercise 2. With P = A^-1 the derivative of -log det A in an edge is -(P_ii + P_jj - 2 P_ij).
def slack(weights, edges, alpha):
    matrix = torch.eye(len(edges)).double() + torch.diag(edges.sum(1)) - edges  # A = I + L
    inverse = torch.linalg.inv(matrix)
    own = inverse.diagonal()
    r = own[:, None] + own[None] - 2 * inverse
    return torch.cdist(weights.T, weights.T).square() - alpha * r


# Exercise 3. Pairs above the diagonal, and 0 where there is nothing to divide by.
def scores(found, truth):
    pairs = np.triu_indices(len(found), 1)
    found, truth = found[pairs], truth[pairs]
    hits = (found & truth).sum()
    precision = hits / found.sum() if found.any() else 0.0
    recall = hits / truth.sum() if truth.any() else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


ANSWERS = {
    chapter11.check_penalty: penalty,
    chapter11.check_slack: slack,
    chapter11.check_scores: scores,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
