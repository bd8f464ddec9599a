"""MCFA: its four variants, trained jointly on windows that are cut from whole pictures.

The paper gives neither optimiser nor rates nor epochs. Both presets take AdamW with a one-cycle
rate and averaged weights; the numbers are choices.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from faceattr.cascade import Cascade, choose_thresholds
from faceattr.cascade.thresholds import check_recall
from faceattr.data.faces import Augment, FaceDataset
from faceattr.data.window_samples import FaceWindows, for_tasks
from faceattr.errors import DataError
from faceattr.models.mcfa import MCFA, VARIANTS
from faceattr.objectives.mcfa import MCFALoss
from faceattr.objectives.weighting import weighting
from faceattr.recipes.base import Recipe
from faceattr.recipes.mcfa_watch import EndOfEpoch, window_metrics
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

PLANS: dict[str, Plan] = {"paper": Plan(20, 3e-4), "small": Plan(12, 3e-3)}
#: Variants by their names on the command line.
METHODS = {
    "mcfa": "MCFA",
    "mcfa-fd-fac": "MCFA_FD_FAC",
    "mcfa-fll-fac": "MCFA_FLL_FAC",
    "mcfa-fac": "MCFA_FAC",
}


@dataclass(frozen=True)
class SceneRecipe(Recipe):
    """A recipe that takes whole pictures, not cut faces.

    Attributes:
        scenes: tells the command line so.
        side: of the pictures in pixels where the user names none.
    """

    scenes: bool = True
    side: int = 256


def new_mcfa(
    preset: str, variant: str, num_attributes: int, seed: int, scheme: str = "dynamic"
) -> MCFA:
    """An untrained MCFA of a preset's size, with heads for what the variant is trained on.

    Raises:
        UnknownNameError: no such preset or weighting. DataError: no such variant.
    """
    check_preset(preset)
    if variant not in VARIANTS:
        raise DataError(f"unknown variant {variant!r}: choose one of {', '.join(VARIANTS)}")
    learned = weighting(scheme).layer
    make = MCFA if preset == "paper" else MCFA.small
    how = {"tasks": VARIANTS[variant], "weights": learned, "num_attributes": num_attributes}
    return seeded(seed, lambda: make(**how))


def train_windows(
    windows: FaceDataset,
    *,
    variant: str = "MCFA",
    scheme: str = "dynamic",
    preset: str = "small",
    model: MCFA | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int = 64,
    augment: Augment | str | None = "flip",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[MCFA, History, Tensor]:
    """Train on windows (:class:`~faceattr.data.window_samples.FaceWindows`).

    A new network begins with the log-odds of each attribute as its biases. Windows that the variant
    cannot learn from are left out: those without a face where detection is not trained.

    Args:
        windows: to train on, of the size that L_Net takes (others are resampled at every step).
        variant: one of :data:`~faceattr.models.mcfa.VARIANTS`.
        scheme: how attributes are weighted, one of
            :data:`~faceattr.objectives.weighting.SCHEMES`; the paper's is ``dynamic``.
        preset: ``"paper"`` or ``"small"``.
        model: train this network, as it is, instead of a new one.
        valid: windows to report on after every epoch.
        epochs, batch_size, augment, seed, checkpoint, resume, record: as for any recipe.
        how: the other arguments of :func:`faceattr.training.fit`.

    Returns:
        The network in evaluation mode; its History, with the losses ``attributes``, ``faces``,
        ``boxes`` and ``landmarks``; and of every epoch the mean weight and loss of every attribute
        in each network, ``(epochs, 2, 3, M)``.

    Raises:
        UnknownNameError: no such preset, weighting or augmentation.
        DataError: no such variant, no faces, labels, boxes or landmarks where they are trained.
        TrainingError: as :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    check_preset(preset)
    if model is None:
        model = new_mcfa(preset, variant, len(windows.names), seed, scheme)
        model.expect(prevalence(windows).cpu())
    tasks = VARIANTS[variant]
    data = for_tasks(windows, tasks)
    check_labels(data)
    _check_annotations(data, tasks)
    settings = PLANS[preset].arguments()
    if epochs is not None:
        settings["epochs"] = epochs
    objective = MCFALoss(tasks, scheme, num_attributes=len(data.names), epochs=settings["epochs"])
    watched = {} if valid is None else {"valid": for_tasks(valid, tasks), "metrics": window_metrics}
    callbacks = [EndOfEpoch(), *how.pop("callbacks", ())]
    history = run_step(
        model, data, objective, folder=checkpoint, resume=resume, batch_size=batch_size,
        augment=augmentation(augment), seed=seed, callbacks=callbacks,
        record={"method": variant, "weighting": scheme, "preset": preset, **(record or {})},
        **{**settings, **watched, **how},
    )  # fmt: skip
    return model, history, objective.trace.detach().cpu()


def train_mcfa(
    data: FaceDataset,
    *,
    variant: str = "MCFA",
    weighting: str = "dynamic",
    preset: str = "small",
    valid: FaceDataset | None = None,
    recall: float = 0.95,
    near: float = 0.5,
    seed: int = 0,
    batch_size: int | None = 64,
    checkpoint: str | os.PathLike | None = None,
    device: str | torch.device = "auto",
    **how,
) -> tuple[MCFA, History]:
    """Train on whole pictures: cut windows, train the network, choose the cascade's thresholds.

    Args:
        data: scenes, as :class:`~faceattr.data.window_samples.FaceWindows` takes them.
        variant: one of :data:`~faceattr.models.mcfa.VARIANTS`.
        weighting: one of :data:`~faceattr.objectives.weighting.SCHEMES`.
        preset: ``"paper"`` or ``"small"``.
        valid: scenes to report on after every epoch; thresholds are chosen on them and written to
            ``cascade.json`` in ``checkpoint``, where :class:`~faceattr.cascade.Cascade` finds them.
        recall: that the thresholds are chosen for.
        near: share of the windows without a face that are near misses.
        seed: of windows, weights, order and augmentation.
        batch_size, checkpoint, device, how: as :func:`train_windows`.

    Raises:
        DataError, UnknownNameError, TrainingError: as :func:`train_windows`.
    """
    check_seed(seed)
    check_recall(recall)
    model = new_mcfa(preset, variant, len(data.names), seed, weighting)
    size, frame = model.config["size"], model.config["frame"]
    cut = {"size": size, "frame": frame, "near": near, "seed": seed}
    cut["non_faces"] = 1.0 if "detection" in VARIANTS[variant] else 0.0
    windows = FaceWindows(data, per_face=2, **cut)
    watched = None if valid is None else FaceWindows(valid, **{**cut, "border": 0.0})
    model.expect(prevalence(windows))
    model, history, _ = train_windows(
        windows, variant=variant, scheme=weighting, preset=preset, model=model, valid=watched,
        seed=seed, batch_size=64 if batch_size is None else batch_size, checkpoint=checkpoint,
        device=device, **how,
    )  # fmt: skip
    if valid is not None and "detection" in VARIANTS[variant]:
        cascade = Cascade(model, names=data.names, device=device)
        chosen = choose_thresholds(cascade, *scenes_with_boxes(valid), recall=recall)
        if checkpoint is not None:
            chosen.save(Path(checkpoint))
    return model, history


def scenes_with_boxes(
    scenes: FaceDataset, limit: int | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Pictures uint8 ``(3, H, W)`` and the boxes ``(T, 4)`` of all their faces, for the cascade.

    Padding is cut away where the scenes say how far they reach (``extent``).
    """
    images, truth = [], []
    extent, others = getattr(scenes, "extent", None), getattr(scenes, "others", None)
    for row in range(len(scenes))[:limit]:
        picture = scenes.faces.images[row]
        if extent is not None:
            width, height = extent[row].long().tolist()
            picture = picture[:, :height, :width]
        boxes = scenes.faces.box[row : row + 1].float()
        if others is not None:
            boxes = torch.cat([boxes, others[row]])
        sides = boxes[:, 2:] - boxes[:, :2]
        images.append(picture.contiguous())
        truth.append(boxes[(sides > 0).all(1)])
    return images, truth


def _check_annotations(data: FaceDataset, tasks) -> None:
    """See that what is to be trained is known of some window."""
    needs = {"detection": ("box", data.faces.box), "landmarks": ("landmarks", data.faces.landmarks)}
    for task, (name, values) in needs.items():
        if task in tasks and (values is None or not bool(values.isfinite().any())):
            raise DataError(
                f"{data.source} has no {name} to learn {task} from: cut windows from scenes that "
                "have them, or train a variant without"
            )


def _recipe(name: str, summary: str) -> SceneRecipe:
    return SceneRecipe(
        name,
        summary,
        functools.partial(train_mcfa, variant=METHODS[name]),
        epochs=None,
        batch_size=64,
        source="MCFA (Zhuang et al., ICPR 2018)",
        options=("preset", "weighting") + ("recall",) * ("detection" in VARIANTS[METHODS[name]]),
    )


#: What ``faceattr train`` offers of this file.
RECIPES = (
    _recipe("mcfa", "MCFA: three networks that find faces, landmarks and attributes"),
    _recipe("mcfa-fd-fac", "MCFA without landmarks: face detection and attributes"),
    _recipe("mcfa-fll-fac", "MCFA without detection: landmarks and attributes"),
    _recipe("mcfa-fac", "MCFA's three networks on attributes alone"),
)
