"""FR-ANet and its rivals of the paper's Table 1 that share its layers: FR+ANet and MCNN.

The paper says nothing of its training but lambda = 1. Both plans are a choice; all methods of this
file and ID Net (:mod:`faceattr.recipes.idnet`) have the same one.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Mapping

import torch

from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import DataError
from faceattr.identity import identity_accuracy
from faceattr.models import FaceModel
from faceattr.models.franet import FRANet, branches_of
from faceattr.models.people import people_of
from faceattr.objectives import attribute_loss
from faceattr.objectives.identity import IdentityGuided
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
from faceattr.training.validation import quick_metrics

#: AdamW with a one-cycle rate and averaged weights, for the paper's sizes and for two cores.
PLANS: dict[str, Plan] = {"paper": Plan(20, 1e-3), "small": Plan(20, 3e-3)}


def check_people(data: FaceDataset) -> int:
    """The number of people, once there is somebody to tell apart.

    Raises:
        DataError: nobody is known, or only one person is.
    """
    people = people_of(data.faces.identity)
    if people < 2:
        said = "no identities" if people == 0 else "faces of one person only"
        raise DataError(
            f"{data.source} has {said}: recognising people needs two or more. CelebA's are in "
            "identity_CelebA.txt; without them, train mcnn"
        )
    known = data.faces.identity[data.faces.identity >= 0]
    if len(known) == people:
        warnings.warn(
            f"every person of {data.source} has a single picture: telling them apart is telling "
            "pictures apart, and nothing is learned of what stays the same in a person",
            stacklevel=3,
        )
    return people


def new_franet(
    data: FaceDataset,
    *,
    preset: str = "paper",
    identity: str = "merged",
    aux: bool = False,
    seed: int = 0,
    **sizes,
) -> FRANet:
    """An untrained network for the people and attributes of these faces.

    Its groups are the paper's, less attributes that the data do not have; its biases are the
    attributes' log-odds.

    Raises:
        DataError: nobody to tell apart; an attribute that is in no group.
        UnknownNameError: no such preset or identity branch.
    """
    check_preset(preset)
    sizes = {"num_attributes": len(data.names), "identity": identity, "aux": aux, **sizes}
    sizes.setdefault("branches", branches_of(data.names))
    if identity != "none":
        sizes["num_identities"] = check_people(data)
    make = FRANet if preset == "paper" else FRANet.small
    model = seeded(seed, lambda: make(**sizes)).expect(prevalence(data))
    if model.people is not None:
        model.people.meet(data.faces.identity)
    return model


def train_franet(
    data: FaceDataset,
    *,
    preset: str = "paper",
    identity: str = "merged",
    aux: bool = False,
    lambda_id: float = 1.0,
    model: FRANet | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int = 64,
    augment: Augment | str | None = "light",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[FRANet, History]:
    """Train FR-ANet, FR+ANet or MCNN.

    Args:
        data: faces to train on, with identities unless ``identity="none"``.
        preset: ``"paper"`` or ``"small"``, the size of the network and the length of training.
        identity: ``"merged"`` (FR-ANet), ``"separate"`` (FR+ANet), ``"none"`` (MCNN).
        aux: MCNN-AUX's last layer. MCNN's authors train it after the rest; here it begins as the
            identity matrix and is trained with the rest, so that all get the same passes.
        lambda_id: weight of the identity loss, in the paper's unit
            (:class:`~faceattr.objectives.identity.IdentityGuided`); unused where people are not
            recognised.
        model: train this network, as it is, instead of a new one.
        valid: faces to report on after every epoch; people unseen in training are fine.
        epochs: instead of the preset's.
        batch_size: faces in a step.
        augment: random changes of the training faces, or a name in
            :data:`faceattr.recipes.steps.AUGMENTS`.
        seed: of the initial weights, the order of faces and the augmentation.
        checkpoint: folder for ``last.safetensors``, ``best.safetensors`` and ``history.csv``.
        resume: go on from ``last.safetensors`` there.
        record: further entries of the record.
        how: the other arguments of :func:`faceattr.training.fit`.

    Returns:
        The network in evaluation mode, and its History: ``attributes`` is the mean loss of an
        attribute, ``identity`` is ``lambda / M`` times that of the person.

    Raises:
        DataError: no labels; nobody to tell apart; a face of somebody whom the given network does
            not know; an attribute that is in no group.
        UnknownNameError: no such preset, identity branch or augmentation.
        TrainingError: a lambda that is no weight; as :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    check_preset(preset)
    check_labels(data)
    objective = attribute_loss if identity == "none" else IdentityGuided(lambda_id)
    if model is None:
        model = new_franet(data, preset=preset, identity=identity, aux=aux, seed=seed)
    elif (model.people is None) != (identity == "none"):
        raise DataError(
            f"the given network was built with identity={model.config['identity']!r} and is to be "
            f"trained with identity={identity!r}: pass the same"
        )
    if identity != "none":
        check_known(model, data)
    settings = PLANS[preset].arguments()
    if epochs is not None:
        settings["epochs"] = epochs
    about = {"preset": preset, "identity": identity, "aux": aux}
    if identity != "none":
        about["lambda_id"] = float(lambda_id)
    history = run_step(
        model,
        data,
        objective,
        folder=checkpoint,
        resume=resume,
        batch_size=batch_size,
        augment=augmentation(augment),
        valid=valid,
        metrics=watch,
        seed=seed,
        record={"method": _method(identity), **about, **(record or {})},
        **{**settings, **how},
    )
    return model, history


def check_known(model: FaceModel, data: FaceDataset) -> None:
    """See that a network has a logit for everybody whom the faces show.

    Raises:
        DataError: it has not; the message gives the first number that it does not know.
    """
    who = data.faces.identity
    if who is None or model.people is None:
        return
    known = model.people.known.to(who.device)
    strangers = who[(who >= 0) & ~torch.isin(who, known)].unique()
    if len(strangers):
        raise DataError(
            f"{data.source} shows {len(strangers)} people whom the network has no logit for (first "
            f"number {int(strangers[0])}): let it meet them (model.people.meet(identity)), or "
            "leave model out to build one for them"
        )


def watch(model: FaceModel, data: FaceDataset) -> dict[str, float]:
    """Metrics of validation faces: the usual ones, and who was recognised where anybody can be."""
    found = quick_metrics(model, data)
    share = identity_accuracy(model, data)
    return found if share is None else {**found, "identity_accuracy": share}


def _method(identity: str) -> str:
    return {"merged": "franet", "separate": "fr+anet", "none": "mcnn"}[identity]


def _recipe(name: str, summary: str, identity: str, source: str, *options: str) -> Recipe:
    return Recipe(
        name,
        summary,
        functools.partial(train_franet, identity=identity),
        epochs=None,
        source=source,
        options=("preset", *options),
    )


_PAPER = "FR-ANet (Cao et al., AAAI 2018)"
#: What ``faceattr train`` offers of this file.
RECIPES = (
    _recipe(
        "franet", "FR-ANet: recognising people guides the attributes", "merged", _PAPER, "lambda_id"
    ),
    _recipe(
        "fr+anet", "FR+ANet: people as one more branch", "separate", f"{_PAPER}, Table 1",
        "lambda_id",
    ),
    _recipe(
        "mcnn", "MCNN: attributes in groups, nobody recognised", "none",
        "MCNN (Hand and Chellappa, AAAI 2017)", "aux",
    ),
)  # fmt: skip
