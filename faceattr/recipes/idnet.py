"""ID Net: a network is trained to recognise people, then linear machines read its last layer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from faceattr.checkpoint import save_checkpoint
from faceattr.data.faces import UNKNOWN, Augment, FaceDataset
from faceattr.errors import DataError, TrainingError
from faceattr.identity import identity_accuracy
from faceattr.models.idnet import IDNet
from faceattr.objectives.identity import recognition_loss
from faceattr.optional import require
from faceattr.recipes.base import Recipe
from faceattr.recipes.franet import PLANS
from faceattr.recipes.handover import clear
from faceattr.recipes.identities import (
    check_known,
    check_people,
    check_same_people,
    fingerprint,
)
from faceattr.recipes.steps import augmentation, check_labels, check_preset, run_step, seeded
from faceattr.training.history import History
from faceattr.training.preflight import check_folder, check_seed

#: Where the network for people is kept, in the folder of the run.
FOLDER = "people"
#: scikit-learn's C: how much an error costs against the length of the weights. A choice.
COST = 0.01


def fit_machines(model: IDNet, data: FaceDataset, *, cost: float = COST) -> None:
    """One linear support vector machine for each attribute, on the network's embedding.

    Units are standardised over the training faces first; faces whose label is unknown are left out
    of that attribute's machine. Where all labels are alike there is nothing to separate: that
    attribute's answer is the label they share.

    Args:
        model: trained to recognise people; its machines are replaced, in place.
        data: labelled faces, as they are, without augmentation.
        cost: scikit-learn's C.

    Raises:
        DataError: an embedding that is not finite.
        MissingDependencyError: scikit-learn is absent.
    """
    svm = require("sklearn.svm", purpose="ID Net's support vector machines", package="scikit-learn")
    features = embeddings(model, data).double()  # (N, D)
    if not features.isfinite().all():
        row = int((~features.isfinite().all(1)).nonzero()[0])
        raise DataError(
            f"the embedding of face {row} of {data.source} is not finite: look for NaN in its "
            "picture, or take another network"
        )
    middle, spread = features.mean(0), features.std(0, correction=0)
    spread = torch.where(spread > 1e-6, spread, 1.0)  # a unit that is always silent
    x = ((features - middle) / spread).numpy()
    labels = data.attributes.numpy()
    weight, bias = np.zeros((labels.shape[1], x.shape[1])), np.zeros(labels.shape[1])
    for j, column in enumerate(labels.T):
        known = column != UNKNOWN
        answers = np.unique(column[known])
        if len(answers) < 2:
            bias[j] = -1.0 if not len(answers) or answers[0] == 0 else 1.0
            continue
        machine = svm.LinearSVC(C=cost, dual=False).fit(x[known], column[known])
        weight[j], bias[j] = machine.coef_[0], machine.intercept_[0]
    model.set_machines(
        torch.from_numpy(weight), torch.from_numpy(bias), middle.float(), spread.float()
    )


@torch.no_grad()
def embeddings(model: IDNet, data: FaceDataset, batch_size: int = 256) -> Tensor:
    """The hidden layer of every face, ``(N, D)`` float32 on the CPU."""
    model.eval()
    device = model.mean.device
    return torch.cat(
        [model.embed(f.images).float().cpu() for f in data.batches(batch_size, device=device)]
    )


def train_idnet(
    data: FaceDataset,
    *,
    preset: str = "paper",
    model: IDNet | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int = 64,
    augment: Augment | str | None = "light",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[IDNet, History]:
    """Train ID Net: first people, then the machines.

    Args:
        data: faces to train on, with labels and identities.
        checkpoint: folder for ``best.safetensors`` and ``history.csv``, written when the machines
            are fitted, to the network of the last epoch. What ``fit`` keeps on the way, which
            answers no attribute yet, is in its subfolder ``people``.
        preset, model, valid, epochs, batch_size, augment, seed, resume, record, how: as
            :func:`faceattr.recipes.franet.train_franet`.

    Returns:
        The network in evaluation mode, and its History, whose loss is of identity alone.

    Raises:
        DataError: no labels, or nobody to tell apart; a given network that is no IDNet or does not
            know somebody. UnknownNameError: no such preset or augmentation.
        MissingDependencyError: scikit-learn is absent; found before training.
        TrainingError: a run resumed with other people; as :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    check_preset(preset)
    check_labels(data)
    require("sklearn.svm", purpose="ID Net's support vector machines", package="scikit-learn")
    people = check_people(data)
    if model is None:
        make = IDNet if preset == "paper" else IDNet.small
        model = seeded(seed, lambda: make(people, num_attributes=len(data.names)))
        model.people.meet(data.faces.identity)
    elif not isinstance(model, IDNet):
        raise DataError(f"a {type(model).__name__} was given where an IDNet is trained: build one")
    check_known(model, data)
    folder = None if checkpoint is None else Path(checkpoint)
    inner = None if folder is None else folder / FOLDER
    check_folder(checkpoint, resume)
    if not resume:
        clear([folder])  # the end of another run is not the end of this one
    elif (folder / "last.safetensors").is_file():
        raise TrainingError(
            f"cannot resume {folder}: it holds a run of another method. Give the folder of ID Net's"
        )
    check_same_people(inner if resume else None, data)
    settings = PLANS[preset].arguments()
    if epochs is not None:
        settings["epochs"] = epochs
    history = run_step(
        model,
        data,
        recognition_loss,
        folder=inner,
        resume=resume,
        batch_size=batch_size,
        augment=augmentation(augment),
        valid=valid,
        metrics=watch_people,
        monitor="loss",
        seed=seed,
        record={
            "method": "idnet",
            "preset": preset,
            "identities": fingerprint(data.faces.identity),
            **(record or {}),
        },
        **{**settings, **how},
    )
    fit_machines(model, data)
    if folder is not None:
        save_checkpoint(
            folder / "best.safetensors",
            model,
            record=history.record,
            attributes=data.names,
            size=data.size,
            framing=data.framing,
            epoch=len(history),
            history=history.rows,
        )
        history.save(folder / "history.csv")
    return model, history


def watch_people(model: IDNet, data: FaceDataset) -> dict[str, float]:
    """Who was recognised among validation faces, where anybody can be: it has no answers yet."""
    share = identity_accuracy(model, data)
    return {} if share is None else {"identity_accuracy": share}


#: What ``faceattr train`` offers of this file.
RECIPES = (
    Recipe(
        "idnet",
        "ID Net: people first, then a linear machine for each attribute",
        train_idnet,
        epochs=None,
        source="Zhong et al., ICB 2016; FR-ANet's Table 1",
        options=("preset",),
    ),
)
