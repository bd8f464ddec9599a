"""What MTFAP's training looks after beside its losses."""

from __future__ import annotations

import torch

from faceattr.training.callbacks import Callback, Run


class KeepZeros(Callback):
    """Entries of ``S_g`` that Algorithm 2 holds at exactly 0 are 0 in the averaged weights, too.

    A mean over steps is 0 only where every step was; the zeros, which Algorithm 2 is there for,
    would be lost. The mean of an entry therefore begins anew whenever it is cut to 0 (a choice:
    the paper does not average weights).
    """

    def on_step_end(self, run: Run) -> None:
        """Carry the zeros over."""
        self._carry(run)

    def on_epoch_end(self, run: Run) -> None:
        """The same after the first epoch, in which the average is not yet looked at."""
        self._carry(run)

    @torch.no_grad()
    def _carry(self, run: Run) -> None:
        if run.evaluated is run.model:
            return
        averaged, current = run.evaluated.tasks.coefficients, run.model.tasks.coefficients
        for mean, now in zip(averaged, current, strict=True):
            mean.masked_fill_(now == 0, 0.0)
