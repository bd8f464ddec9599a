"""Solutions of chapter 4, localising regions. Run it: it fails if one of them is wrong."""

import torch

from faceattr.exercises import chapter04


# Exercise 1. M convolutions of 3 x 3 from C maps to N, each map with a bias; then M sums of N.
def branch_parameters(c, m, n):
    return m * n * (9 * c + 1) + m * (n + 1)


# Exercise 2. A kernel of k spans k - 1 steps of the cells it looks at, which stand `apart` pixels
# from each other.
def field(layers):
    side, apart = 1, 1
    for kernel, step in layers:
        side += (kernel - 1) * apart
        apart *= step
    return side


# Exercise 3. Half a side to the left and up, then no further than the border on either side.
def corner(x, y, side, height, width):
    return (
        min(max(x - side // 2, 0), width - side),
        min(max(y - side // 2, 0), height - side),
    )


# Exercise 4. What of the region is inside, by the region.
def coverage(truth, boxes, cell):
    shares = []
    for mask, (x0, y0, x1, y1) in zip(truth, (boxes // cell).tolist(), strict=True):
        shares.append(mask[y0:y1, x0:x1].sum() / mask.sum())
    return torch.stack(shares)


ANSWERS = {
    chapter04.check_parameters: branch_parameters,
    chapter04.check_field: field,
    chapter04.check_inside: corner,
    chapter04.check_coverage: coverage,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
