"""Solutions of chapter 8, a cascade. Run it: it fails if one of them is wrong."""

import torch

from faceattr.exercises import chapter08


# Exercise 1. The rows of faces are chosen before anything is computed, so that no NaN has a part in
# the loss or in its gradient; an empty sum is 0, and is divided by 1. Width and height are
# differences, and so may be taken after the boxes were subtracted.
def box_loss(boxes, truth, side):
    face = truth.isfinite().all(1)  # (B,)
    x0, y0, x1, y1 = ((boxes[face] - truth[face]) / side).unbind(1)
    off = torch.stack([x0, y0, y1 - y0, x1 - x0], 1)  # (faces, 4): left, top, height, width
    return off.square().sum() / face.sum().clamp(min=1)


# Exercise 2. The surest of those that are left is kept, and what overlaps it too much goes; only
# what is kept ever drops another.
def suppress(boxes, scores, overlap):
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # (K,)
    left, kept = scores.argsort(descending=True), []
    while len(left):
        k, others = left[0], left[1:]
        kept.append(k.item())
        corner = torch.minimum(boxes[k, 2:], boxes[others, 2:])
        sides = corner - torch.maximum(boxes[k, :2], boxes[others, :2])  # (n, 2)
        shared = sides.clamp(min=0).prod(1)  # apart: 0, not minus times minus
        left = others[shared / (area[k] + area[others] - shared) <= overlap]
    return kept


# Exercise 3. Row is y, column is x; corner and side are both in pixels of the level, scale of which
# make one of the picture.
def windows_of(scores, threshold, stride, side, scale):
    row, column = (scores >= threshold).nonzero().unbind(1)  # (n,), in reading order
    corner = torch.stack([column, row], 1) * stride  # (n, 2)
    return torch.cat([corner, corner + side], 1) / scale  # (n, 4)


ANSWERS = {
    chapter08.check_box_loss: box_loss,
    chapter08.check_nms: suppress,
    chapter08.check_windows_of: windows_of,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
