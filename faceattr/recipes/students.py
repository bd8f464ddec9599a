"""PaW's second step: a small network that learns from the localization network's maps.

First the student repeats the teacher's last maps (lambda_1 = 1, lambda_2 = 0), then it learns the
attributes (0, 1). Without a teacher only the second stage is left.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import DataError, TrainingError
from faceattr.models import FaceModel, WholeImage
from faceattr.objectives import attribute_loss
from faceattr.objectives.hints import Hint, checksum
from faceattr.recipes.base import Recipe
from faceattr.recipes.handover import check_start, clear, given
from faceattr.recipes.steps import (
    Plan,
    augmentation,
    check_labels,
    check_preset,
    prevalence,
    run_step,
    seeded,
)
from faceattr.recipes.whole import train_whole
from faceattr.training.history import History
from faceattr.training.preflight import check_counts, check_seed

#: Hint stage and attribute stage. The paper gives the rates, 1e-7 for the sum of the maps' squares
#: and 0.0001, and no epochs; 10 and 10 are a choice.
PLANS: dict[str, tuple[Plan, Plan]] = {
    "paper": (Plan(10, 1e-7, sgd=True), Plan(10, 1e-4, sgd=True)),
    "small": (Plan(4, 3e-3), Plan(16, 3e-3)),
}


def new_student(student: str, teacher: FaceModel, seed: int) -> WholeImage:
    """An untrained student with as many maps as its teacher.

    Raises:
        UnknownNameError: no such student. DataError: the teacher has no maps.
    """
    if "maps_per_attribute" not in teacher.config:
        raise DataError(
            f"a {type(teacher).__name__} cannot teach maps: take an FRL, or a network of Table 3"
        )
    sizes = {name: teacher.config[name] for name in ("num_attributes", "maps_per_attribute")}
    return seeded(seed, lambda: WholeImage(student, **sizes))


def hint_for(teacher: FaceModel, student: WholeImage) -> Hint:
    """The hint objective; a teacher of finer maps is averaged down to its student's stride."""
    strides = getattr(teacher, "stride", 16), student.trunk.stride
    whole = strides[0] < strides[1] and strides[1] % strides[0] == 0
    return Hint(teacher, reduce=strides[1] // strides[0] if whole else 1)


def train_student(
    data: FaceDataset,
    *,
    student: str = "snet3",
    teacher: FaceModel | str | os.PathLike | None = None,
    preset: str = "small",
    model: WholeImage | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    hint_epochs: int | None = None,
    batch_size: int = 64,
    augment: Augment | str | None = "light",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[FaceModel, History]:
    """Train a network of Table 3, with or without hints.

    Args:
        data: faces to train on.
        student: ``"snet3"``, ``"snet2"``, ``"snet1"`` or ``"tnet"``.
        teacher: a trained network or its checkpoint. None: the attributes alone, as
            :func:`faceattr.recipes.whole.train_whole` trains any network of the whole image.
        preset: ``"paper"``: SGD and the paper's rates; ``"small"``: AdamW. Used with a teacher.
        model: train this student, as it is, instead of a new one. With a teacher a new one begins
            with the log-odds of each attribute as its biases, as its teacher did.
        valid: faces to report on after every epoch.
        epochs: of the attribute stage, instead of the preset's; 40 without a teacher.
        hint_epochs: of the hint stage, instead of the preset's; 0 leaves it out.
        batch_size, augment, seed, resume, record, how: as :func:`train_whole`.
        checkpoint: folder; the hint stage has the folder ``hint`` in it.

    Returns:
        The student in evaluation mode, and the History of its attribute stage.

    Raises:
        DataError: the maps of teacher and student differ in size, or the teacher was trained on
            other attributes; found before training.
        TrainingError: what only a teacher makes sense of was given without one; as ``fit``.
        UnknownNameError, CheckpointError: as :func:`train_whole`.
    """
    if teacher is None:
        alone = {"preset": preset != "small", "hint_epochs": hint_epochs}
        if said := [name for name, value in alone.items() if value not in (None, False)]:
            raise TrainingError(
                f"{student} without a teacher has no {', '.join(said)}: pass teacher=network "
                "(--teacher CHECKPOINT) as well, or leave it out"
            )
        return train_whole(
            data, method=student, model=model, valid=valid, epochs=40 if epochs is None else epochs,
            batch_size=batch_size, augment=augment, seed=seed, checkpoint=checkpoint,
            resume=resume, record=record, **how,
        )  # fmt: skip
    check_seed(seed)
    check_preset(preset)
    check_labels(data)
    check_counts(epochs=epochs)
    check_counts(0, hint_epochs=hint_epochs)
    teacher = given(teacher, data)
    if model is None:
        model = new_student(student, teacher, seed).expect(prevalence(data))
    plans = dict(zip(("hint", "attributes"), PLANS[preset], strict=True))
    shared = {"batch_size": batch_size, "augment": augmentation(augment), "seed": seed, **how}
    about = {"method": student, "preset": preset, **(record or {})}
    place = None if checkpoint is None else Path(checkpoint)
    hints = None if place is None else place / "hint"
    if hint_epochs != 0:
        hint_for(teacher, model).check(model, data)
        if not resume:
            clear([place, hints])
        train_hint(
            model, teacher, data, plan=plans["hint"], epochs=hint_epochs, valid=valid,
            folder=hints, resume=resume, record={**about, "stage": "hint"}, **shared,
        )  # fmt: skip
        about["start"] = f"{checksum(model):08x}"
        if resume:
            check_start(place, about["start"], "resume=False (--overwrite)")
    settings = plans["attributes"].arguments(terms=len(data.names))
    if epochs is not None:
        settings["epochs"] = epochs
    history = run_step(
        model, data, attribute_loss, folder=checkpoint, resume=resume, valid=valid,
        record=about, **{**settings, **shared},
    )  # fmt: skip
    return model, history


def train_hint(
    model: WholeImage,
    teacher: FaceModel,
    data: FaceDataset,
    *,
    plan: Plan,
    epochs: int | None = None,
    valid: FaceDataset | None = None,
    folder: str | os.PathLike | None = None,
    resume: bool = False,
    **how,
) -> History:
    """The first stage alone: the student's maps approach the teacher's; its last layer rests.

    Raises:
        DataError: their maps differ in size, found before training.
        TrainingError: as :func:`faceattr.training.fit`.
    """
    hint = hint_for(teacher, model)
    hint.check(model, data)
    height, width = (side // model.trunk.stride for side in data.size)
    settings = plan.arguments(terms=model.trunk.channels * height * width / 2)
    if epochs is not None:
        settings["epochs"] = epochs
    watched = {}
    if valid is not None:
        watched = {"valid": valid, "metrics": hint.measure, "monitor": "valid_hint_loss"}
    model.head.requires_grad_(False)
    try:
        return run_step(
            model, data, hint, folder=folder, resume=resume, **{**settings, **watched, **how}
        )
    finally:
        model.head.requires_grad_(True)


def _recipe(student: str, summary: str) -> Recipe:
    return Recipe(
        student,
        summary,
        functools.partial(train_student, student=student),
        epochs=None,
        source="PaW (Ding et al., AAAI 2018), Table 3",
        options=("preset", "teacher", "hint_epochs"),
    )


#: What ``faceattr train`` offers of this file.
RECIPES = (
    _recipe("snet3", "SNet3 on the whole image: 0.27M parameters, trains on two CPU cores"),
    _recipe("snet2", "SNet2 on the whole image: 2.2M parameters"),
    _recipe("snet1", "SNet1 on the whole image: 7.5M parameters"),
)
