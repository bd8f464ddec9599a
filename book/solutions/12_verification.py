"""Solutions of chapter 12, verification. Run it: it fails if one of them is wrong."""

import numpy as np
import torch

from faceattr.exercises import chapter12


# Exercise 1. All pairs at once; a face with itself is a pair of one person at distance 0.
def coupling(places, identity, margin):
    distance = (places[:, None] - places[None]).square().sum(-1)  # (N, N)
    same = identity[:, None] == identity[None]
    genuine = distance / 2  # Eq. 17
    impostor = (margin - distance).clamp(min=0) / 2  # Eq. 18
    return torch.where(same, genuine, impostor).mean()  # Eq. 19


# Exercise 2. Every score is a threshold; of those that let few enough pairs of two people pass,
# the lowest accepts most. A threshold above all scores accepts nobody.
def tar(scores, same, level):
    best = 0.0
    for threshold in np.unique(scores):
        accepted = scores >= threshold
        if accepted[~same].mean() <= level:
            best = max(best, accepted[same].mean())
    return best


# Exercise 3. Thresholds midway between neighbouring scores of the other folds, from the highest;
# the first that answers most pairs rightly.
def fold_accuracy(scores, same, fold, k):
    mine = fold == k
    others = np.unique(scores[~mine])[::-1]
    middles = [np.inf, *((others[:-1] + others[1:]) / 2), -np.inf]
    right = [((scores[~mine] >= t) == same[~mine]).sum() for t in middles]
    return ((scores[mine] >= middles[int(np.argmax(right))]) == same[mine]).mean()


ANSWERS = {
    chapter12.check_coupling: coupling,
    chapter12.check_tar: tar,
    chapter12.check_fold: fold_accuracy,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
