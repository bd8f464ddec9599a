"""The majority-label baseline: what a model scores that never looks at the picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.models.base import FaceModel, Outputs


class Majority(FaceModel):
    """The same answer for every face: the log-odds of each attribute's share of positives.

    Its sign is the majority label, and its sigmoid is the prevalence, so that no constant
    answer has a lower cross entropy. It has no parameters; the prevalence is a buffer and
    travels with a checkpoint. :func:`faceattr.recipes.whole.train_whole` fits it from data.

    Args:
        num_attributes: M.
        prevalence: ``(M,)`` shares of positives in [0, 1]; one half each if left out.

    Raises:
        DataError: ``prevalence`` has another length or leaves [0, 1].
    """

    prevalence: Tensor

    def __init__(
        self, num_attributes: int = 40, prevalence: Tensor | Sequence[float] | None = None
    ):
        super().__init__(num_attributes=num_attributes)
        if prevalence is None:
            prevalence = torch.full((num_attributes,), 0.5)
        prevalence = torch.as_tensor(prevalence, dtype=torch.float32).clone()
        if prevalence.shape != (num_attributes,):
            raise DataError(
                f"Majority of {num_attributes} attributes needs as many prevalences, got shape "
                f"{tuple(prevalence.shape)}: pass num_attributes=len(prevalence)"
            )
        if not ((prevalence >= 0) & (prevalence <= 1)).all():
            raise DataError(
                "a prevalence is a share in [0, 1]: "
                f"got {prevalence.min():.3g} to {prevalence.max():.3g}; divide counts by faces"
            )
        self.register_buffer("prevalence", prevalence)

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` to the same ``logits`` for each, ``(B, M)``."""
        self.check(images)
        logits = torch.logit(self.prevalence, eps=1e-6)  # (M,), finite for shares of 0 and 1
        return Outputs(logits=logits.expand(len(images), -1))  # (B, M)
