"""Adds up the losses of an epoch and stops at the first one that is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor

from faceattr.errors import TrainingError

#: Names of history columns that a loss may not take.
RESERVED = ("epoch", "lr", "seconds", "images_per_second")


class LossMeter:
    """Mean losses of one epoch, over faces and over processes.

    Reading a value from a GPU waits for it. So values stay on the device and are read every
    ``interval`` steps: 20 on a GPU and over several processes, 1 on a CPU, where reading is free.
    A loss that is not finite is thus found within 20 steps, is named with the step at which it
    arose, and never reaches a checkpoint.

    Args:
        fabric: devices and processes. epoch: for messages, from 1.
        remedy: ends the message about a loss that is not finite.
    """

    def __init__(self, fabric: Fabric, epoch: int, remedy: str):
        self.fabric, self.epoch, self.remedy = fabric, epoch, remedy
        self.interval = 1 if fabric.device.type == "cpu" and fabric.world_size == 1 else 20
        self.names: tuple[str, ...] = ()
        self.steps = 0
        self.faces = 0
        self._waiting: list[tuple[Tensor, int]] = []  # values of a step; faces in its whole batch
        self._sums: list[float] = []

    def add(self, terms: Mapping[str, Tensor], mine: int, whole: int) -> Tensor:
        """Take in one step and return what to minimise, the sum of its terms.

        Args:
            terms: scalar losses by name, means over this process's faces.
            mine: faces of this process. whole: faces of the batch over all processes.

        Raises:
            TrainingError: terms are not as an objective should return them, or not finite.
        """
        self.steps += 1
        if self.steps == 1 or tuple(terms) != self.names:
            self._check(terms)
        values = torch.stack(list(terms.values()))  # (K,)
        total = values.sum()
        kept = values.detach().float()
        if mine < whole:  # the mean over no face is NaN, but it weighs nothing
            kept = kept * (mine / whole) if mine else torch.zeros_like(kept)
        self._waiting.append((kept, whole))
        if len(self._waiting) >= self.interval:
            self.read()
        if self.fabric.world_size == 1:
            return total
        # Fabric averages gradients over processes; with this weight that average is the gradient
        # of the mean over the whole batch, however the batch was shared out.
        return total * (mine * self.fabric.world_size / whole)

    def _check(self, terms: Mapping[str, Tensor]) -> None:
        if not isinstance(terms, Mapping) or not terms:
            raise TrainingError(
                f"the objective returned {type(terms).__name__} {terms if not terms else ''}"
                'instead of losses by name: return {"name": scalar tensor, ...}'
            )
        if self.steps > 1:
            raise TrainingError(
                f"the objective returned losses {', '.join(terms)} in step {self.steps} of epoch "
                f"{self.epoch}, but {', '.join(self.names)} before: return the same names all "
                "through an epoch, zero where a loss does not apply"
            )
        for name, value in terms.items():
            if not isinstance(value, Tensor) or value.dim() != 0:
                shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise TrainingError(
                    f"loss {name!r} is {shape}, not a scalar tensor: take its mean over the faces"
                )
            taken = name in RESERVED or name.startswith("valid_")
            if taken or (name == "loss" and len(terms) > 1):  # "loss" is the sum of all
                raise TrainingError(
                    f"a loss cannot be called {name!r}, a column of the history is: rename it"
                )
        if not any(value.requires_grad for value in terms.values()):
            raise TrainingError(
                f"no loss ({', '.join(terms)}) depends on a trainable parameter: check the "
                "objective for .detach() or torch.no_grad()"
            )
        self.names = tuple(terms)
        self._sums = [0.0] * len(terms)

    def read(self) -> None:
        """Fetch what waits on the device and add it up.

        Raises:
            TrainingError: a term is not finite; names epoch, step and term. All processes raise.
        """
        if not self._waiting:
            return
        values = torch.stack([value for value, _ in self._waiting])  # (steps, K)
        if self.fabric.world_size > 1:
            values = self.fabric.all_reduce(values, reduce_op="sum")
        first = self.steps - len(self._waiting) + 1
        for step, (row, (_, faces)) in enumerate(
            zip(values.tolist(), self._waiting, strict=True), start=first
        ):
            for k, value in enumerate(row):
                if not math.isfinite(value):
                    raise TrainingError(
                        f"loss {self.names[k]!r} is {value} at epoch {self.epoch}, step {step}. "
                        f"{self.remedy}"
                    )
                self._sums[k] += value * faces
            self.faces += faces
        self._waiting = []

    def means(self) -> dict[str, float]:
        """``loss``, the sum of all, and each term by its name: means over the faces read so far."""
        means = [value / max(1, self.faces) for value in self._sums]
        return {"loss": sum(means)} | dict(zip(self.names, means, strict=True))
