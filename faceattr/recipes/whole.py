"""Whole-image networks and the majority label: the baselines that every paper starts from."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from pathlib import Path

from faceattr.checkpoint import save_checkpoint
from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import DataError, UnknownNameError
from faceattr.models import FaceModel, Majority, WholeImage
from faceattr.models.backbones import TRUNKS
from faceattr.objectives import Objective, attribute_loss
from faceattr.recipes.base import Recipe
from faceattr.recipes.steps import augmentation, prevalence, seeded
from faceattr.record import run_record
from faceattr.training import fit
from faceattr.training.history import History
from faceattr.training.preflight import check_seed
from faceattr.training.validation import quick_metrics


def train_whole(
    data: FaceDataset,
    *,
    method: str = "snet3",
    valid: FaceDataset | None = None,
    epochs: int = 40,
    batch_size: int = 64,
    lr: float = 3e-3,
    schedule: str = "one-cycle",
    average: str | None = "ema",
    augment: Augment | str | None = "light",
    objective: Objective = attribute_loss,
    pretrained: str | None = None,
    model: WholeImage | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[FaceModel, History]:
    """Train a whole-image network, or fit the majority label.

    The defaults are AdamW with its weight decay of 0.01, a one-cycle rate that peaks at 3e-3,
    ``light`` augmentation, and an exponential moving average of the weights.

    Args:
        data: faces to train on.
        method: ``"majority"``, or the trunk: ``"snet3"``, ``"snet2"``, ``"snet1"``, ``"tnet"``
            or ``"resnet18"``.
        valid: faces to report on after every epoch.
        epochs, batch_size, lr, schedule, average: see :func:`faceattr.training.fit`.
        augment: random changes of the training faces, or a name in
            :data:`faceattr.recipes.steps.AUGMENTS`.
        objective: what is minimised.
        pretrained: weights of the trunk to start from, see :class:`faceattr.models.WholeImage`.
        model: train this network, of the method's trunk, instead of a new one.
        seed: of the initial weights, the order of faces and the augmentation.
        checkpoint: folder for ``last.safetensors``, ``best.safetensors`` and ``history.csv``.
        resume: go on from ``last.safetensors`` there.
        record: further entries of the record.
        how: the other arguments of :func:`faceattr.training.fit`: ``device``, ``devices``,
            ``precision``, ``compile``, ``progress``, ``callbacks``, ...

    Returns:
        The trained model in evaluation mode, and its History.

    Raises:
        UnknownNameError: no such method, or no such augmentation.
        DataError: the data have no labels, or the weights to start from cannot be had.
        TrainingError: as :func:`faceattr.training.fit`.
    """
    if data.attributes is None:
        raise DataError(f"{data.source} has no attribute labels to learn from: use labelled faces")
    seed = check_seed(seed)
    record = {"method": method, **(record or {})}
    if method == "majority":
        return _fit_majority(data, valid=valid, seed=seed, checkpoint=checkpoint, record=record)
    if method not in TRUNKS:
        known = f"{', '.join(TRUNKS)} or majority"
        raise UnknownNameError(f"unknown method {method!r}: choose {known}")
    augment = augmentation(augment)
    sizes = {"num_attributes": len(data.names), "pretrained": pretrained}
    if model is None:
        model = seeded(seed, lambda: WholeImage(method, **sizes))
    history = fit(
        model,
        data,
        objective,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        schedule=schedule,
        average=average,
        augment=augment,
        valid=valid,
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        record={**record, "pretrained": None if pretrained is None else Path(pretrained).name},
        **how,
    )
    return model, history


def _fit_majority(
    data: FaceDataset,
    *,
    valid: FaceDataset | None,
    seed: int,
    checkpoint: str | os.PathLike | None,
    record: Mapping,
) -> tuple[Majority, History]:
    """Count the labels once; the history has one row, and the checkpoints are as ``fit``'s.

    There is nothing to resume: counting again gives the same.
    """
    began = time.perf_counter()
    if not len(data):
        raise DataError(f"{data.source} has no faces to count: check its split and limit")
    model = Majority(len(data.names), prevalence(data)).eval()
    loss = quick_metrics(model, data)["loss"]
    row = {"epoch": 1, "loss": loss, "attributes": loss}
    if valid is not None:
        row |= {f"valid_{name}": value for name, value in quick_metrics(model, valid).items()}
    seconds = time.perf_counter() - began
    row |= {"lr": 0.0, "seconds": seconds, "images_per_second": len(data) / seconds}
    about = run_record(seed=seed, data=data.source, seconds=seconds, **record)
    history = History([row], {**about, "parameters": model.count()})
    if checkpoint is not None:
        folder = Path(checkpoint)
        details = {"attributes": data.names, "size": data.size, "framing": data.framing}
        details |= {"epoch": 1, "history": [row]}
        for name in ("best", "last"):
            save_checkpoint(folder / f"{name}.safetensors", model, record=history.record, **details)
        history.save(folder / "history.csv")
    return model, history


def _recipe(name: str, summary: str, source: str, **sizes) -> Recipe:
    return Recipe(
        name, summary, functools.partial(train_whole, method=name), source=source, **sizes
    )


_RESNET18 = _recipe(
    "resnet18",
    "ResNet-18 on the whole image: 11.2M parameters",
    "He et al., CVPR 2016, with torchvision's layers",
)
_MAJORITY = _recipe(
    "majority",
    "the more frequent label of each attribute, whatever the picture shows",
    "the baseline that plain accuracy should be read against",
    epochs=1,
)

#: What ``faceattr train`` offers of this file.
RECIPES = (_RESNET18, _MAJORITY)
