"""Weight averaging: the model that is kept is the mean of the models along the way."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, update_bn

from faceattr.errors import TrainingError, UnknownNameError
from faceattr.models.base import FaceModel


@dataclass(frozen=True)
class Average:
    """How to average weights; ``fit(average="ema")`` is short for ``Average("ema")``.

    Attributes:
        kind: ``ema``, an exponential moving average over steps (Polyak and Juditsky, 1992), of
            the BatchNorm statistics too; or ``swa``, the plain mean of the weights after each of
            the last epochs (Izmailov et al., UAI 2018), whose BatchNorm statistics are then
            estimated anew on training faces.
        decay: ``ema``: the weight of the past at each step. The first steps forget faster,
            ``min(decay, (1 + n) / (10 + n))`` after n steps, so that short runs average as well.
        share: ``swa``: the part of the epochs, counted from the end, that is averaged.
        faces: ``swa``: how many training faces at most estimate the BatchNorm statistics.
    """

    kind: Literal["ema", "swa"] = "ema"
    decay: float = 0.999
    share: float = 0.25
    faces: int = 10_000

    def __post_init__(self):
        if self.kind not in ("ema", "swa"):
            raise UnknownNameError(f"unknown average {self.kind!r}: choose ema, swa or None")
        if not (0 < self.decay < 1 and 0 < self.share <= 1 and self.faces > 0):
            raise TrainingError(
                f"{self}: decay lies between 0 and 1 (0.999), share above 0 and at most 1 (0.25), "
                "faces above 0"
            )

    @classmethod
    def parse(cls, choice: str | Average | None) -> Average | None:
        """``None``, ``"ema"``, ``"swa"`` or an :class:`Average` to an :class:`Average` or None."""
        return choice if choice is None or isinstance(choice, cls) else cls(choice)


class Averager:
    """Keeps the average of one model during a run.

    Args:
        plan: how.
        model: on its device; it is copied.
        epochs: of the whole run.
    """

    def __init__(self, plan: Average, model: FaceModel, epochs: int):
        self.plan = plan
        self.first = epochs - max(1, round(plan.share * epochs)) + 1  # first epoch of the mean
        self.count = 0  # models in the average so far; kept here, so that no step asks the device
        ema = plan.kind == "ema"
        self.average = AveragedModel(
            model, multi_avg_fn=self._blend if ema else None, use_buffers=ema
        )
        self.average.requires_grad_(False)
        self.average.eval()

    @property
    def model(self) -> FaceModel | None:
        """The averaged model, None while nothing has been averaged."""
        return self.average.module if self.count else None

    def load(self, state: dict[str, Tensor], count: int) -> None:
        """Go on from averaged tensors and the number of models behind them."""
        self.average.module.load_state_dict(state)
        self.average.n_averaged.fill_(count)
        self.count = count

    def after_step(self, model: nn.Module) -> None:
        """Take in the weights after an optimiser step."""
        if self.plan.kind == "ema":
            self._update(model)

    def after_epoch(self, model: nn.Module, epoch: int, images: Iterable[Tensor]) -> None:
        """Take in the weights after an epoch; ``images`` re-estimate BatchNorm (``swa``).

        ``images`` yields float batches ``(B, 3, H, W)`` on the model's device.
        """
        if self.plan.kind == "swa" and epoch >= self.first:
            self._update(model)
            if any(isinstance(module, _BatchNorm) for module in model.modules()):
                update_bn(images, self.average.module)
            self.average.eval()

    def _update(self, model: nn.Module) -> None:
        self.average.update_parameters(model)
        self.count += 1

    @torch.no_grad()
    def _blend(self, averaged: list[Tensor], current: list[Tensor], _count: Tensor) -> None:
        decay = min(self.plan.decay, (1 + self.count) / (10 + self.count))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - decay)
        else:  # counters, such as num_batches_tracked
            for old, new in zip(averaged, current, strict=True):
                old.copy_(new)


def take_faces(batches: Iterable, batch_size: int, faces: int) -> Iterable[Tensor]:
    """Images of the first batches, about ``faces`` of them (at least one batch)."""
    return (batch.images for batch in itertools.islice(batches, max(1, faces // batch_size)))
