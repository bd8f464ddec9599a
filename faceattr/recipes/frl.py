"""PaW's first step: the face region localization network, with multi-net learning."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from faceattr.data.faces import Augment, FaceDataset
from faceattr.models.frl import FRL
from faceattr.objectives import attribute_loss
from faceattr.objectives.multinet import MultiNet
from faceattr.recipes.base import Recipe
from faceattr.recipes.steps import (
    Plan,
    augmentation,
    check_labels,
    check_preset,
    prevalence,
    run_step,
    seeded,
)
from faceattr.training.history import History
from faceattr.training.preflight import check_seed

#: The paper's 10 epochs at 0.0001 (from VGG-Face's weights), and what suits two cores.
PLANS: dict[str, Plan] = {"paper": Plan(10, 1e-4, sgd=True), "small": Plan(20, 3e-3)}


def new_frl(preset: str, num_attributes: int, seed: int, pretrained: str | None = None) -> FRL:
    """An untrained localization network of a preset's size.

    Raises:
        UnknownNameError: no such preset. DataError, CheckpointError: as :class:`FRL`.
    """
    check_preset(preset)
    make = FRL if preset == "paper" else FRL.small
    return seeded(seed, lambda: make(num_attributes=num_attributes, pretrained=pretrained))


def train_frl(
    data: FaceDataset,
    *,
    preset: str = "paper",
    multinet: bool = True,
    pretrained: str | None = None,
    model: FRL | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int = 128,
    augment: Augment | str | None = "flip",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[FRL, History]:
    """Train the localization network.

    A new one begins with the log-odds of each attribute as its biases
    (:meth:`~faceattr.models.base.FaceModel.expect`). The paper does not say how its last layers
    begin; from biases of zero the small network finds its regions less well (chapter 4).

    Args:
        data: faces to train on.
        preset: ``"paper"``: VGG-16's size, SGD, the paper's rate and epochs. ``"small"``: 0.39M
            parameters, AdamW with a one-cycle rate and averaged weights, for two cores.
        multinet: train a second, fully connected head beside it (multi-net learning).
        pretrained: weights of the shared modules to start from, see :class:`FRL`.
        model: train this network, as it is, instead of a new one.
        valid: faces to report on after every epoch.
        epochs: instead of the preset's.
        batch_size: faces in a step.
        augment: random changes of the training faces, or a name in
            :data:`faceattr.recipes.steps.AUGMENTS`; the paper mirrors.
        seed: of the initial weights, the order of faces and the augmentation.
        checkpoint: folder for ``last.safetensors``, ``best.safetensors`` and ``history.csv``.
        resume: go on from ``last.safetensors`` there.
        record: further entries of the record.
        how: the other arguments of :func:`faceattr.training.fit`.

    Returns:
        The network in evaluation mode, without the second head, and its History, in which
        ``attributes`` is the loss of the localization head, ``classification`` the second head's.

    Raises:
        UnknownNameError: no such preset or augmentation.
        DataError: the data have no faces or no labels; multi-net learning of another network.
        CheckpointError: the weights to start from do not fit.
        TrainingError: as :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    check_preset(preset)
    check_labels(data)
    if model is None:
        model = new_frl(preset, len(data.names), seed, pretrained).expect(prevalence(data))
    objective = attribute_loss
    if multinet:
        objective = seeded(seed, lambda: MultiNet.of(model))
    settings = PLANS[preset].arguments(terms=len(data.names))
    if epochs is not None:
        settings["epochs"] = epochs
    source = None if pretrained is None else Path(pretrained).name
    history = run_step(
        model,
        data,
        objective,
        folder=checkpoint,
        resume=resume,
        batch_size=batch_size,
        augment=augmentation(augment),
        valid=valid,
        seed=seed,
        record={"method": "frl", "preset": preset, "pretrained": source, **(record or {})},
        **{**settings, **how},
    )
    return model, history


_FRL = Recipe(
    "frl",
    "PaW's localization network: a region for each attribute, from labels alone",
    train_frl,
    epochs=None,
    batch_size=128,
    source="PaW (Ding et al., AAAI 2018)",
    options=("preset", "pretrained", "multinet"),
)

#: What ``faceattr train`` offers of this file.
RECIPES = (_FRL,)
