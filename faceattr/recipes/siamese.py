"""MTFAP's face verifier: a Siamese network, with attributes or without (section 5.6)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from faceattr.attributes import ATTRIBUTES
from faceattr.data.faces import Augment, FaceDataset
from faceattr.data.labels import LabelModel
from faceattr.data.people import ByPerson
from faceattr.errors import DataError
from faceattr.models.siamese import Siamese
from faceattr.objectives.contrastive import Verify
from faceattr.recipes.base import Recipe
from faceattr.recipes.steps import Plan, augmentation, check_labels, check_preset, run_step, seeded
from faceattr.sparse.proximal import check_weight
from faceattr.taskgraph.common import check_positive
from faceattr.training.history import History
from faceattr.training.preflight import check_seed

#: Length and rate of training.
PLANS: dict[str, Plan] = {"paper": Plan(10, 1e-4), "small": Plan(20, 3e-3)}
#: A person keeps an attribute whose agreement between two pictures in CelebA is at least this.
KEPT = 0.5


def kept_columns(names: Sequence[str], least: float = KEPT) -> list[int]:
    """Columns of the attributes that a person keeps, by CelebA's within-person agreement.

    The paper names gender and no other. Attributes that CelebA does not know are not among them.
    """
    agreement = dict(zip(ATTRIBUTES, LabelModel.load().agreement.tolist(), strict=True))
    return [j for j, name in enumerate(names) if agreement.get(name, 0.0) >= least]


def check_people(data: FaceDataset) -> None:
    """See that pairs of one person and of two can be formed.

    Raises:
        DataError: everybody known is one person, or nobody has two pictures.
    """
    if data.faces.identity is None or not bool((data.faces.identity >= 0).any()):
        return  # ByPerson says so
    people, pictures = data.faces.identity[data.faces.identity >= 0].unique(return_counts=True)
    if len(people) < 2 or int(pictures.max()) < 2:
        raise DataError(
            f"{data.source} shows {len(people)} people, at most {int(pictures.max())} times each: "
            "a verifier learns from pairs of one person and of two, take more faces"
        )


def train_siamese(
    data: FaceDataset,
    *,
    preset: str = "small",
    attributes: float = 1.0,
    alike: float = 0.1,
    margin: float = 1.0,
    each: int = 4,
    model: Siamese | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int = 128,
    lr: float | None = None,
    augment: Augment | str | None = "light",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[Siamese, History]:
    """Train the verifier.

    Args:
        data: faces with identities, and with labels unless ``attributes`` is 0.
        preset: ``"small"`` for two cores, or ``"paper"``: VGG-16's size.
        attributes, alike, margin: see :class:`faceattr.objectives.contrastive.Verify`; with
            ``attributes=0`` the network learns from identities alone.
        each: faces of a person that come together in a batch.
        model: train this network, as it is, instead of a new one.
        valid: labelled faces to report on after every epoch.
        epochs, lr: instead of the preset's.
        batch_size, augment, seed, checkpoint, resume, record, how: as
            :func:`faceattr.recipes.mtfap.train_mtfap`.

    Returns:
        The network in evaluation mode, and its History.

    Raises:
        UnknownNameError: no such preset or augmentation.
        DataError: the data have no identities, or no labels where they are needed; no two people,
            or nobody twice; a margin that is not above 0, or a weight below 0.
        TrainingError: as :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    check_preset(preset)
    check_positive(margin=margin)
    check_weight(attributes=attributes, alike=alike)
    check_people(data)
    if attributes:
        check_labels(data)
    data = ByPerson(data, each)
    if model is None:
        make = Siamese if preset == "paper" else Siamese.small
        model = seeded(seed, lambda: make(num_attributes=len(data.names)))
    objective = Verify(
        margin=margin, attributes=attributes, alike=alike, columns=kept_columns(data.names)
    )
    settings = PLANS[preset].arguments()
    settings |= {"epochs": epochs} if epochs is not None else {}
    settings |= {"lr": lr} if lr is not None else {}
    history = run_step(
        model, data, objective, folder=checkpoint, resume=resume, batch_size=batch_size,
        augment=augmentation(augment), valid=valid, seed=seed,
        record={"method": "siamese", "preset": preset, **(record or {})}, **{**settings, **how},
    )  # fmt: skip
    return model, history


_SIAMESE = Recipe(
    "siamese",
    "MTFAP's face verifier: an embedding of who it is, and the attributes",
    train_siamese,
    epochs=None,
    batch_size=128,
    source="MTFAP (Taherkhani et al., 2021), section 5.6",
    options=("preset", "margin"),
)

#: What ``faceattr train`` offers of this file.
RECIPES = (_SIAMESE,)
