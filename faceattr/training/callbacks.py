"""What may look into a run, and stop it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lightning_fabric import Fabric
from torch.optim import Optimizer

from faceattr.data.faces import FaceDataset
from faceattr.errors import TrainingError
from faceattr.models.base import FaceModel
from faceattr.training.history import History, sign


@dataclass
class Run:
    """What callbacks see of a run.

    Attributes:
        model: being trained. evaluated: the one that metrics speak of (averaged, if averaging).
        objective: the losses; an ``nn.Module`` objective is trained and saved with the model.
        optimizer: torch's own. data, valid: faces to train on and to report on.
        history: the rows so far. epochs: to run in all. epoch: the one running, from 1.
        step: steps taken in this epoch. fabric: devices and processes.
    """

    model: FaceModel
    evaluated: FaceModel
    objective: Callable
    optimizer: Optimizer
    data: FaceDataset
    valid: FaceDataset | None
    history: History
    epochs: int
    fabric: Fabric
    epoch: int = 0
    step: int = 0


class Callback:
    """Base of callbacks: override what you need. A plain function is taken as ``on_epoch_end``.

    Every process calls every callback, in the order given. What a callback remembers is not in
    the checkpoint: derive it from ``run.history``, or keep it in an ``nn.Module`` objective.
    """

    def on_start(self, run: Run) -> None:
        """Before the first epoch of this call of ``fit`` (also when it resumes)."""

    def on_epoch_start(self, run: Run) -> None:
        """Before the first step of an epoch."""

    def on_step_end(self, run: Run) -> None:
        """After an optimiser step."""

    def on_epoch_end(self, run: Run) -> bool | None:
        """After the metrics, before the checkpoint. True ends the run after this epoch."""


class EarlyStopping(Callback):
    """Stop when a column of the history has not improved for some epochs.

    It remembers nothing but reads the history, so that a resumed run stops where an
    uninterrupted one would.

    Args:
        patience: epochs without improvement that are borne.
        metric: a column, such as ``valid_loss``.
        mode: ``max``, ``min`` or ``auto`` (names ending in ``loss`` fall, others rise).
        min_delta: changes up to this size count as no improvement.
    """

    def __init__(
        self,
        patience: int = 5,
        metric: str = "valid_loss",
        mode: str = "auto",
        min_delta: float = 0.0,
    ):
        if patience < 1:
            raise TrainingError(f"patience={patience}: give at least 1 epoch")
        self.patience, self.metric, self.min_delta = patience, metric, min_delta
        self.sign = sign(metric, mode)

    def on_start(self, run: Run) -> None:
        """Refuse a validation metric without validation faces, before any work."""
        if self.metric.startswith("valid_") and run.valid is None:
            raise TrainingError(
                f"EarlyStopping watches {self.metric}, but there are no validation faces: pass "
                "valid=..., or watch loss"
            )

    def on_epoch_end(self, run: Run) -> bool:
        """True when the last improvement lies ``patience`` epochs back."""
        best, waited = -math.inf, 0
        for value in run.history[self.metric]:
            better = self.sign * value > best + self.min_delta  # False for NaN
            best, waited = (self.sign * value, 0) if better else (best, waited + 1)
        return waited >= self.patience


class _Function(Callback):
    def __init__(self, function: Callable[[Run], bool | None]):
        self.function = function

    def on_epoch_end(self, run: Run) -> bool | None:
        return self.function(run)


def as_callback(thing: Callback | Callable[[Run], bool | None]) -> Callback:
    """A :class:`Callback`, or a function made one.

    Raises:
        TrainingError: neither.
    """
    if isinstance(thing, Callback):
        return thing
    if callable(thing) and not isinstance(thing, type):
        return _Function(thing)
    raise TrainingError(
        f"{thing!r} is no callback: pass a faceattr.training.Callback instance or a "
        "function of the run"
    )
