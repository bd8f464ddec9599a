"""PaW's five training steps (section "Training Methodology"), each in a folder of its own.

=========  ============  ========================================================================
step       folder        what the paper says
=========  ============  ========================================================================
frl        1-frl         "MNL is adopted to train the FRL network"
student    2a-hint,      "hint-based compression method is applied to train a compact
           2b-student    whole-image-based subnet g_0"
parts      3-parts       "Initialize each part-based subnet using the weights from g_0 and then
                         train each subnet independently"
switch     4-switch      "By fixing all the part-based subnets and the whole-image-based subnet,
                         the RSL and ARL are learned"
together   5-together    "fine-tuned by backpropagating errors from ARL to all the lower layers"
=========  ============  ========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import TrainingError, UnknownNameError
from faceattr.models import FaceModel, PaW, WholeImage
from faceattr.objectives import attribute_loss
from faceattr.objectives.hints import checksum
from faceattr.objectives.parts import parts_loss
from faceattr.recipes import frl as frl_recipe
from faceattr.recipes import students as student_recipe
from faceattr.recipes.base import Recipe
from faceattr.recipes.handover import check_start, clear, given, restore
from faceattr.recipes.steps import (
    Plan,
    augmentation,
    check_labels,
    check_preset,
    finish,
    joined,
    prevalence,
    run_step,
)
from faceattr.training.history import History
from faceattr.training.preflight import check_alone, check_counts, check_seed
from faceattr.training.validation import quick_metrics

#: The five steps, in the paper's order.
STEPS = ("frl", "student", "parts", "switch", "together")
#: Where each keeps its checkpoints.
FOLDERS = {
    "frl": "1-frl",
    "hint": "2a-hint",
    "student": "2b-student",
    "parts": "3-parts",
    "switch": "4-switch",
    "together": "5-together",
}
#: Steps three to five. The paper prints 15 epochs for the parts and the rates 0.1 and 0.001; the
#: rate of the parts and the epochs of the other two are choices.
PLANS: dict[str, dict[str, Plan]] = {
    "paper": {
        "parts": Plan(15, 1e-4, sgd=True),
        "switch": Plan(5, 0.1, sgd=True),
        "together": Plan(5, 1e-3, sgd=True),
    },
    "small": {"parts": Plan(6, 1e-3), "switch": Plan(3, 1e-2), "together": Plan(4, 3e-4)},
}
#: Side of a part in pixels.
CROPS = {"paper": 64, "small": 24}


def train_paw(
    data: FaceDataset,
    *,
    preset: str = "paper",
    steps: Sequence[str] | str = STEPS,
    regions: str = "heatmaps",
    crop: int | None = None,
    student: str = "snet3",
    frl: FaceModel | str | os.PathLike | None = None,
    whole: WholeImage | str | os.PathLike | None = None,
    pretrained: str | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    augment: Augment | str | None = "flip",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[FaceModel, History]:
    """Train PaW in the paper's five steps, or some of them.

    A step that is not in ``steps`` is not trained: what it left in its folder is used. With
    ``resume`` a step that was finished is not trained again and one that was stopped goes on;
    without it, what the folders of ``steps`` hold is removed before the first of them begins.

    Args:
        data: faces to train on.
        preset: ``"paper"``: VGG-16's size for the localizer, crops of 64 pixels, SGD and the
            paper's rates; meant for images of 224 x 224. ``"small"``: for two cores and images of
            64 to 128 pixels.
        steps: names of steps in :data:`STEPS`, or one string with commas.
        regions: ``"heatmaps"``, ``"grid"`` or ``"random"``, see :class:`~faceattr.models.PaW`.
        crop: side of a part in pixels, instead of the preset's; not for a grid.
        student: trunk of all subnets.
        frl: a trained localization network or its checkpoint, instead of step 1.
        whole: a trained whole-image subnet or its checkpoint, instead of step 2.
        pretrained: weights of VGG-16 for step 1, see :class:`~faceattr.models.FRL`.
        valid: faces to report on after every epoch.
        epochs: of every step (and of the hint stage), instead of the preset's.
        batch_size: faces in a step; 128 as in the paper, 64 when small.
        augment: random changes of the training faces, or a name in
            :data:`faceattr.recipes.steps.AUGMENTS`; the paper mirrors.
        seed: of initial weights, order and augmentation.
        checkpoint: folder. Each step has a folder in it (:data:`FOLDERS`); ``best.safetensors``
            and ``history.csv`` of the folder itself speak for the last step trained.
        resume: go on where the folder holds a beginning.
        record: further entries of the record.
        how: the other arguments of :func:`faceattr.training.fit`.

    Returns:
        The network of the last step trained, and the History of all of them, with a column
        ``step``.

    Raises:
        UnknownNameError: no such preset, step, regions, student or augmentation.
        DataError: no faces or labels; images smaller than the crop; maps of teacher and student
            that differ; networks of other attributes; all found before training.
        CheckpointError: a network that was given is torn, or its weights are not finite.
        TrainingError: ``pretrained`` without step 1, or ``crop`` with a grid; a step needs the
            result of one that was not trained to its end, or goes on from networks that were
            trained again since; or as ``fit``.
    """
    check_seed(seed)
    check_preset(preset)
    check_labels(data)
    steps = _steps(steps)
    count, small = len(data.names), preset == "small"
    if batch_size is None:
        batch_size = 64 if small else 128
    check_counts(epochs=epochs, batch_size=batch_size)
    shared = {
        "valid": valid,
        "batch_size": batch_size,
        "augment": augmentation(augment),
        "seed": seed,
        "resume": resume,
        **how,
    }
    about = {"method": "paw", "preset": preset, "regions": regions, **(record or {})}
    folders = {
        step: None if checkpoint is None else Path(checkpoint) / name
        for step, name in FOLDERS.items()
    }
    histories: dict[str, History] = {}

    teacher, subnet = given(frl, data), given(whole, data)
    train = [s for s in steps if {"frl": teacher, "student": subnet}.get(s) is None]
    if not train:
        raise TrainingError(f"nothing to train: steps {', '.join(steps)} are given as networks")
    if pretrained is not None and "frl" not in train:
        raise TrainingError(
            f"pretrained={pretrained!r} is where step frl starts, which is not trained here: leave "
            "it out, or train frl as well"
        )
    if crop is not None and regions == "grid":
        raise TrainingError(
            f"crop={crop}: blocks of a grid have the size that the picture gives them; leave it "
            "out, or take other regions"
        )
    needed = _needed(train, regions, has={"frl": teacher, "student": subnet})
    share = prevalence(data)
    if teacher is None:
        start = pretrained if "frl" in train else None
        teacher = frl_recipe.new_frl(preset, count, seed, start).expect(share)
    if subnet is None:
        subnet = student_recipe.new_student(student, teacher, seed).expect(share)
    for step, network in (("frl", teacher), ("student", subnet)):
        if step in needed:
            restore(network, folders[step], step, data)
    layout = {"regions": regions, "crop": CROPS[preset] if crop is None else crop, "seed": seed}
    lone = {"batch_size": batch_size, "drop_last": how.get("drop_last", False)}
    _rehearse(data, teacher, subnet, layout, train, lone)
    later = [step for step in STEPS[2:] if step in train]
    model: FaceModel = subnet if "student" in train else teacher
    if later and later[0] != "parts":
        model = PaW.from_subnets([subnet], teacher, **layout)
        restore(model, folders[needed[-1]], needed[-1], data)
    if not resume:
        parts = ["hint", *train] if "student" in train else train
        clear([None if checkpoint is None else Path(checkpoint), *(folders[s] for s in parts)])

    if "frl" in train:
        _, histories["frl"] = frl_recipe.train_frl(
            data, preset=preset, model=teacher, epochs=epochs, checkpoint=folders["frl"],
            pretrained=pretrained, record={**about, "step": "frl"}, **shared,
        )  # fmt: skip
    if "student" in train:
        plan = student_recipe.PLANS[preset][0]
        histories["hint"] = student_recipe.train_hint(
            subnet, teacher, data, plan=plan, epochs=epochs, folder=folders["hint"],
            record={**about, "step": "hint"}, **shared,
        )  # fmt: skip
        settings = _settings(student_recipe.PLANS[preset][1], count, epochs)
        histories["student"] = run_step(
            subnet, data, attribute_loss, folder=folders["student"],
            record={**about, "step": "student"}, **{**settings, **shared},
        )  # fmt: skip
    if "parts" in train:
        model = PaW.from_subnets([subnet], teacher, **layout)
    for step in later:
        start = f"{checksum(model):08x}"
        if resume:
            again = f"steps={step} and resume=False (--steps {step} --overwrite)"
            check_start(folders[step], start, again)
        model.freeze(*FROZEN[step])
        settings = _settings(PLANS[preset][step], count, epochs)
        if step == "parts" and valid is not None:
            settings["metrics"] = _parts_metrics
        histories[step] = run_step(
            model, data, parts_loss if step == "parts" else attribute_loss, folder=folders[step],
            record={**about, "step": step, "start": start}, **{**settings, **shared},
        )  # fmt: skip
    if later:
        model.freeze()
    history = joined(histories)
    if checkpoint is not None:
        finish(checkpoint, folders[list(histories)[-1]], history)
    return model, history


#: What stands still in each step; the localizer always does.
FROZEN = {
    "parts": ("whole", "switch", "relation"),
    "switch": ("whole", "parts"),
    "together": (),
}


def _steps(steps: Sequence[str] | str) -> list[str]:
    """The steps in the paper's order."""
    names = [s.strip() for s in steps.split(",")] if isinstance(steps, str) else list(steps)
    for name in names:
        if name not in STEPS:
            raise UnknownNameError(f"unknown step {name!r}: choose some of {', '.join(STEPS)}")
    if not names:
        raise UnknownNameError(f"no step to train: choose some of {', '.join(STEPS)}")
    return [step for step in STEPS if step in names]


def _needed(train: Sequence[str], regions: str, has: Mapping) -> list[str]:
    """The steps whose results must lie in their folders already.

    Raises:
        TrainingError: a step would be trained and then passed over.
    """
    needed, first = [], next((step for step in STEPS[2:] if step in train), None)
    eyes = "student" in train or ("parts" in train and regions == "heatmaps")
    if has["frl"] is None and "frl" not in train and eyes:
        needed.append("frl")
    if has["student"] is None and "student" not in train and "parts" in train:
        needed.append("student")
    if first not in (None, "parts"):
        before = STEPS[STEPS.index(first) - 1]
        if early := [step for step in train if step in STEPS[:2]]:
            raise TrainingError(
                f"steps {', '.join(train)}: {first} goes on from step {before}, which knows "
                f"nothing of a new {' and '.join(early)}: add parts, or make it two calls"
            )
        needed.append(before)
    return needed


def _rehearse(data, teacher, subnet, layout, train, lone) -> None:
    """Show untrained networks one face, so that what cannot work is found before any training."""
    trained = [{"frl": teacher, "student": subnet}[s] for s in train if s in STEPS[:2]]
    if "student" in train:
        student_recipe.hint_for(teacher, subnet).check(subnet, data)
        teacher.requires_grad_(True)
    if set(train) & set(STEPS[2:]):
        paw = PaW.from_subnets([subnet], teacher, **layout)
        paw.region_boxes(data.gather([0]).images)
        trained += [paw] if {"parts", "together"} & set(train) else []
    for network in trained:
        check_alone(network, data, **lone)


def _settings(plan: Plan, count: int, epochs: int | None) -> dict:
    settings = plan.arguments(terms=count)
    return settings if epochs is None else {**settings, "epochs": epochs}


def _parts_metrics(model: PaW, data: FaceDataset) -> dict[str, float]:
    """Part-only's accuracy where every attribute has a part, else that of the untrained mean."""
    each = model.parts.count == model.config["num_attributes"] and model.config["regions"] != "grid"
    return quick_metrics(model.variant("part-only") if each else model, data)


_PAW = Recipe(
    "paw",
    "PaW: part subnets and a whole subnet, in the paper's five steps",
    train_paw,
    epochs=None,
    batch_size=None,
    source="PaW (Ding et al., AAAI 2018)",
    options=("preset", "steps", "regions", "crop", "pretrained"),
)

#: What ``faceattr train`` offers of this file.
RECIPES = (_PAW,)
