"""What a recipe is: a method's name, and the function that trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faceattr.data.faces import FaceDataset
from faceattr.models.base import FaceModel
from faceattr.training.history import History


@dataclass(frozen=True)
class Recipe:
    """A way to train one method from data.

    Attributes:
        name: the method's name on the command line.
        summary: one line about it.
        function: ``(data, *, valid, epochs, batch_size, seed, device, devices, precision, compile,
            checkpoint, resume, progress, ...) -> (model, History)``.
        epochs: how long it trains by default; None where the method has steps of their own length.
        batch_size: faces in a step by default; None where the preset says.
        source: the paper, in words.
        options: names of further arguments that the command line may pass to ``function``.
    """

    name: str
    summary: str
    function: Callable[..., tuple[FaceModel, History]]
    epochs: int | None = 40
    batch_size: int | None = 64
    source: str = ""
    options: tuple[str, ...] = ()

    def train(self, data: FaceDataset, **how) -> tuple[FaceModel, History]:
        """Train on ``data``; whatever ``how`` leaves out is the recipe's own choice.

        Raises:
            TrainingError, DataError: as ``function`` does.
        """
        return self.function(data, **{"epochs": self.epochs, "batch_size": self.batch_size, **how})
