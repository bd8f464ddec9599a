"""FR-ANet and its rivals of the paper's Table 1 that share its layers: FR+ANet and MCNN.

The paper says nothing of its training but lambda = 1. Both plans are a choice; all methods of this
file and ID Net (:mod:`faceattr.recipes.idnet`) have the same one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping

from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import DataError, UnknownNameError
from faceattr.identity import identity_accuracy
from faceattr.models import FaceModel
from faceattr.models.franet import IDENTITY, FRANet, branches_of
from faceattr.objectives import attribute_loss
from faceattr.objectives.identity import IdentityGuided
from faceattr.recipes.base import Recipe
from faceattr.recipes.identities import (
    check_known,
    check_people,
    check_same_people,
    fingerprint,
)
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
    if sizes.get("branches") is None:
        sizes["branches"] = branches_of(data.names)
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
            not know; a given network of another kind; an attribute that is in no group.
        UnknownNameError: no such preset, identity branch or augmentation.
        TrainingError: a lambda that is no weight; a run resumed with other people; as
            :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    check_preset(preset)
    check_labels(data)
    if identity not in IDENTITY:
        raise UnknownNameError(f"identity={identity!r}: choose one of {', '.join(IDENTITY)}")
    objective = attribute_loss if identity == "none" else IdentityGuided(lambda_id)
    if model is None:
        model = new_franet(data, preset=preset, identity=identity, aux=aux, seed=seed)
    else:
        _check_given(model, identity, aux)
        if identity != "none":
            check_people(data)
    about = {"preset": preset, "identity": identity, "aux": model.config["aux"]}
    if identity != "none":
        check_known(model, data)
        about["lambda_id"] = float(lambda_id)
        about["identities"] = fingerprint(data.faces.identity)
        if resume:
            check_same_people(checkpoint, data)
    settings = PLANS[preset].arguments()
    if epochs is not None:
        settings["epochs"] = epochs
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


def _check_given(model: FaceModel, identity: str, aux: bool) -> None:
    """See that a given network is what it is to be trained as.

    Raises:
        DataError: it is not.
    """
    if not isinstance(model, FRANet):
        raise DataError(f"a {type(model).__name__} was given where a FRANet is trained: build one")
    if model.config["identity"] != identity:
        raise DataError(
            f"the given network was built with identity={model.config['identity']!r} and is to be "
            f"trained with identity={identity!r}: pass the same"
        )
    if aux and model.aux is None:
        raise DataError("the given network was built without aux: build it with aux=True")


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
