"""Solutions of chapter 3, where does it look. Run it: it fails if one of them is wrong."""

import torch
from torchvision.ops import box_iou

from faceattr.exercises import chapter03
from faceattr.localization import boxes_of


# Exercise 1. The arg-max of each map, looked up in the truth; the mean over faces that have one.
def pointing(maps, truth):
    best = maps.flatten(2).argmax(dim=-1, keepdim=True)  # (B, M, 1)
    hit = truth.flatten(2).gather(2, best)[..., 0].float()  # (B, M)
    known = truth.flatten(2).any(dim=-1)  # (B, M)
    return (hit * known).sum(0) / known.sum(0)  # (M,)


# Exercise 2. reshape(B, h * w, C) cuts memory, which holds channel after channel, into rows that
# mix positions. The channels must be moved to the end.
def mended_cam(features, weights):
    h, w = features.shape[-2:]
    pixels = features.flatten(2).transpose(1, 2)  # (B, h*w, C)
    return (pixels @ weights.T).transpose(1, 2).unflatten(2, (h, w))  # (B, M, h, w)


# Exercise 3. One threshold for all faces: the mean over faces first, then the best.
def best_threshold(maps, truth, thresholds):
    boxes = boxes_of(truth)  # (N, 4)
    means = [box_iou(boxes_of(maps >= cut), boxes).diagonal().mean() for cut in thresholds]
    return thresholds[int(torch.stack(means).argmax())]


# Exercise 4. Every pixel of the winning cell is as high; arg-max returns its first, upper left one.
# Pixels 0 .. s - 1 have their middle at (s - 1) / 2.
def corner_offset(stride):
    return (stride - 1) / 2


ANSWERS = {
    chapter03.check_pointing: pointing,
    chapter03.check_mended: mended_cam,
    chapter03.check_threshold: best_threshold,
    chapter03.check_corner: corner_offset,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
