"""A step of a recipe of several: one call of ``fit`` in a folder of its own.

A step that was finished is not trained again when the recipe is resumed: ``fit`` finds its last
epoch in the folder and returns at once. So a recipe of five steps that was stopped in the third
goes on in the third.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from faceattr.data.augment import FaceAugment
from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import DataError, UnknownNameError
from faceattr.files import write_atomically
from faceattr.models import FaceModel
from faceattr.objectives import Objective
from faceattr.training import fit
from faceattr.training.history import History

#: Sizes of networks and lengths of training: the paper's, or what two cores can do.
PRESETS = ("paper", "small")
#: Kinds of augmentation by name. ``flip`` is all that PaW does; ``light`` flips and shifts;
#: ``full`` also scales, turns and colours a little, which did not help SNet3 on a few thousand
#: photographs (chapter 2).
AUGMENTS: dict[str, FaceAugment | None] = {
    "none": None,
    "flip": FaceAugment(flip=0.5, shift=0),
    "light": FaceAugment(flip=0.5, shift=4),
    "full": FaceAugment(flip=0.5, shift=4, scale=(0.9, 1.1), rotate=8, colour=0.2),
}


@dataclass(frozen=True)
class PaperSGD:
    """The paper's optimiser: momentum 0.9, weight decay 0.0005, a fixed rate.

    The paper sums its loss over M attributes, ours is their mean. With M times the rate and an M-th
    of the decay every step is the paper's, momentum included.

    Attributes:
        lr: as the paper prints it.
        terms: how many terms of its loss ours is the mean of; M.
    """

    lr: float
    terms: float = 1.0

    def __call__(self, parameters: list[nn.Parameter]) -> Optimizer:
        """Make the optimiser of these parameters."""
        decay = 5e-4 / self.terms
        return SGD(parameters, lr=self.lr * self.terms, momentum=0.9, weight_decay=decay)


@dataclass(frozen=True)
class Plan:
    """How long and how fast a step trains.

    Attributes:
        epochs: passes over the data.
        lr: AdamW's peak rate, or SGD's as the paper prints it.
        sgd: the paper's SGD instead of AdamW with a one-cycle rate and averaged weights.
    """

    epochs: int
    lr: float
    sgd: bool = False

    def arguments(self, terms: float = 1.0) -> dict:
        """Keyword arguments of :func:`faceattr.training.fit`."""
        if self.sgd:
            return {"epochs": self.epochs, "optimizer": PaperSGD(self.lr, terms)}
        return {"epochs": self.epochs, "lr": self.lr, "schedule": "one-cycle", "average": "ema"}


def augmentation(choice: Augment | str | None) -> Augment | None:
    """An augmentation by its name in :data:`AUGMENTS`; anything else passes.

    Raises:
        UnknownNameError: no such name.
    """
    if isinstance(choice, str):
        if choice not in AUGMENTS:
            raise UnknownNameError(f"unknown augmentation {choice!r}: use {', '.join(AUGMENTS)}")
        return AUGMENTS[choice]
    return choice


def check_preset(preset: str) -> None:
    """See that a preset exists.

    Raises:
        UnknownNameError: it does not.
    """
    if preset not in PRESETS:
        raise UnknownNameError(f"unknown preset {preset!r}: choose {' or '.join(PRESETS)}")


def check_labels(data: FaceDataset) -> None:
    """See that there are labelled faces, and warn of attributes that they cannot teach.

    Raises:
        DataError: no faces, or no labels at all.
    """
    if not len(data):
        raise DataError(f"{data.source} has no faces to train on: check its split and limit")
    if data.attributes is None:
        raise DataError(f"{data.source} has no attribute labels to learn from: use labelled faces")
    some = (data.attributes == 1).any(0)  # (M,)
    absent = [name for name, found in zip(data.names, some.tolist(), strict=True) if not found]
    if absent:
        warnings.warn(
            f"no face of {data.source} has {', '.join(absent)}: their scores will say so of every "
            "face and their regions mean nothing; take more faces, or leave the attributes out",
            stacklevel=3,
        )


def prevalence(data: FaceDataset) -> Tensor:
    """Share of positives among the known labels, ``(M,)``.

    An attribute that nobody labelled is given one half, with a warning.
    """
    known = (data.attributes >= 0).sum(0)  # (M,)
    if (known == 0).any():
        names = [name for name, count in zip(data.names, known.tolist(), strict=True) if not count]
        warnings.warn(
            f"{data.source} has no label of {', '.join(names)}: their prevalence is taken as 0.5; "
            "add labelled faces or leave the attributes out",
            stacklevel=2,
        )
    share = (data.attributes == 1).sum(0) / known
    return torch.where(known > 0, share, 0.5)


def seeded(seed: int, make: Callable[[], FaceModel]) -> FaceModel:
    """A model with initial weights drawn from ``seed``; the caller's generator is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def run_step(
    model: FaceModel,
    data: FaceDataset,
    objective: Objective,
    *,
    folder: str | os.PathLike | None,
    resume: bool,
    **how,
) -> History:
    """Train a step, or go on with it where its folder holds its beginning.

    Args:
        model: changed in place.
        data: faces to train on.
        objective: what is minimised.
        folder: of this step's checkpoints, or None.
        resume: go on from what the folder holds; a folder that holds nothing is begun.
        how: the other arguments of :func:`faceattr.training.fit`.

    Raises:
        TrainingError: as :func:`faceattr.training.fit`.
    """
    begun = folder is not None and (Path(folder) / "last.safetensors").is_file()
    return fit(model, data, objective, checkpoint=folder, resume=resume and begun, **how)


def finish(folder: str | os.PathLike, last: Path, history: History) -> None:
    """Let a recipe's folder answer for its last step: its best checkpoint, and all steps' rows."""
    folder = Path(folder)
    write_atomically(folder / "best.safetensors", (last / "best.safetensors").read_bytes())
    history.save(folder / "history.csv")


def joined(histories: Mapping[str, History]) -> History:
    """The rows of several steps as one table: ``epoch`` counts on, ``step`` counts steps from 1."""
    rows: list[dict] = []
    for number, history in enumerate(histories.values(), start=1):
        for row in history.rows:
            rows.append({**row, "epoch": len(rows) + 1, "step": number})
    last = list(histories.values())[-1]
    return History(rows, {**last.record, "steps": list(histories)})
