"""Solutions of chapter 6, parts and whole. Run it: it fails if one of them is wrong."""

import torch
from torch.nn.utils import parametrize

from faceattr.exercises import chapter06


# Exercise 1. o_j = sum_k A_jk r_k = sum_k A_jk sum_i W_ik s_ik: the weight of s_ik is A_jk W_ik.
def folded(W, A):
    return A[:, None, :] * W[None, :, :]  # (M, M + 1, M)


# Exercise 2. The new row i + 1 holds the old part order[i]; row 0, the whole image, stays.
def permuted(W, order):
    return torch.cat([W[:1], W[1:][order]])


# Exercise 3. r_k may be any multiple of itself if column k of A makes up for it.
def rescaled(W, A):
    c = A.diagonal()  # (M,)
    return W * c, A / c


# Exercise 4. The row is taken out of the parameter: whatever the optimiser does to the parameter,
# the layer sees the old row.
class Kept(torch.nn.Module):
    def __init__(self, weight, row):
        super().__init__()
        self.row = row
        self.register_buffer("values", weight[row].detach().clone())

    def forward(self, weight):
        return torch.cat([weight[: self.row], self.values[None], weight[self.row + 1 :]])


def freeze_row(switch, row):
    parametrize.register_parametrization(switch, "weight", Kept(switch.weight, row))


ANSWERS = {
    chapter06.check_folded: folded,
    chapter06.check_permuted: permuted,
    chapter06.check_rescaled: rescaled,
    chapter06.check_frozen: freeze_row,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
