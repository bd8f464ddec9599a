"""Optimisers and learning-rate schedules by name; all of them are torch's."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable

from torch import nn, optim
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

from faceattr.errors import TrainingError, UnknownNameError

OptimizerChoice = str | Callable[[list[nn.Parameter]], Optimizer] | None
ScheduleChoice = str | Callable[[Optimizer, int], LRScheduler] | None

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("constant", "cosine", "one-cycle")


def build_optimizer(
    choice: OptimizerChoice, parameters: Iterable[nn.Parameter], lr: float
) -> Optimizer:
    """Make the optimiser.

    Args:
        choice: ``adamw`` (also None; torch's betas (0.9, 0.999) and weight decay 0.01), ``sgd``
            (Nesterov momentum 0.9), or a callable from the list of parameters.
        parameters: what to train.
        lr: learning rate of the named ones.

    Raises:
        TrainingError: no parameter is trainable, or the learning rate is not positive.
        UnknownNameError: no optimiser of that name.
    """
    parameters = [p for p in parameters if p.requires_grad]
    if not parameters:
        raise TrainingError(
            "nothing to train: the model has no parameter with requires_grad; a model without "
            "parameters is evaluated as it is"
        )
    if not (lr > 0 and math.isfinite(lr)):
        raise TrainingError(f"lr={lr}: give a learning rate above 0, such as 3e-3 for AdamW")
    if callable(choice):
        return choice(parameters)
    if choice in (None, "adamw"):
        return optim.AdamW(parameters, lr=lr)
    if choice == "sgd":
        return optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True)
    raise UnknownNameError(
        f"unknown optimizer {choice!r}: choose one of {', '.join(OPTIMIZERS)} or pass a callable "
        "such as lambda parameters: torch.optim.Adam(parameters, lr=1e-3)"
    )


def build_schedule(choice: ScheduleChoice, optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """Make the schedule, which takes one step after every optimiser step.

    Args:
        choice: ``constant`` (also None), ``cosine`` (to zero), ``one-cycle`` (Smith and Topin,
            2019: up to the optimiser's rate over 30% of the steps, then down to almost zero), or
            a callable from the optimiser and the number of steps.
        optimizer: whose rates it moves.
        total_steps: optimiser steps of the whole run.

    Raises:
        UnknownNameError: no schedule of that name.
    """
    if callable(choice):
        return choice(optimizer, total_steps)
    if choice in (None, "constant"):
        return ConstantLR(optimizer, factor=1.0, total_iters=0)
    if choice == "cosine":
        return CosineAnnealingLR(optimizer, T_max=total_steps)
    if choice == "one-cycle":
        peak = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr=peak, total_steps=total_steps)
    raise UnknownNameError(
        f"unknown schedule {choice!r}: choose one of {', '.join(SCHEDULES)} or pass a callable "
        "(optimizer, total_steps) -> torch.optim.lr_scheduler.LRScheduler"
    )


def fast_forward(schedule: LRScheduler, steps: int) -> None:
    """Bring a fresh schedule to where it stood after ``steps`` steps, by taking them again.

    A schedule is a function of its step alone, so no state of it need be stored, and one made by
    a callable resumes as well as a named one.
    """
    with warnings.catch_warnings():  # torch expects optimiser steps in between
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*", category=UserWarning)
        for _ in range(steps):
            schedule.step()
