"""PaW's region switch layer: which subnet does each attribute listen to?"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RegionSwitch(nn.Module):
    """The region switch layer: output j sees only the scores of attribute j, of all subnets.

    ``r_j = sum_i W_ij s_ij`` with ``W`` in ``R^{(M+1) x M}`` and, as printed, no bias. It begins as
    the mean over subnets, so that no region is preferred before training.

    Attributes:
        weight: ``(S, M)``; row 0 is the whole image.
    """

    def __init__(self, subnets: int, num_attributes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.full((subnets, num_attributes), 1 / subnets))

    def forward(self, scores: Tensor) -> Tensor:
        """``(B, S, M)`` to ``(B, M)``."""
        return (scores * self.weight).sum(1)
