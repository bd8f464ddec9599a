"""MTFAP: attributes as related tasks, their structure known, learned, or left out.

=============  ===================================================================================
structure      what is trained
=============  ===================================================================================
groups         ``W_g = L_g S_g`` for known groups: AdamW for the trunk, Algorithms 1 and 2 in turn
graph          Algorithm 3: an epoch of SGD on Eq. 14, then the graph of the tasks, and again
l2             Eq. 14 with ``A = I``: the tasks' weights are short, nothing ties them
none           the shared trunk alone: multi-task learning without structure
independent    one network for each attribute, nothing shared
=============  ===================================================================================

The paper says that features come from VGG-16 and batches hold 128 faces, and stops Algorithm 3
where accuracy on the training faces no longer grows; optimiser, rate and augmentation are open.
Here every structure trains for the same number of passes, so that what differs is the structure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from faceattr.attributes import ATTRIBUTES, GROUPS
from faceattr.data.faces import Augment, FaceDataset
from faceattr.errors import DataError, UnknownNameError
from faceattr.models.base import FaceModel
from faceattr.models.independent import IndependentTasks
from faceattr.models.mtfap import MTFAP
from faceattr.objectives import Objective, attribute_loss
from faceattr.objectives.structure import GraphPenalty, GroupPenalty
from faceattr.recipes.base import Recipe
from faceattr.recipes.mtfap_watch import KeepZeros
from faceattr.recipes.steps import (
    Plan,
    augmentation,
    check_labels,
    check_preset,
    prevalence,
    run_step,
    seeded,
)
from faceattr.sparse.optimizer import Alternating
from faceattr.sparse.proximal import check_weight
from faceattr.taskgraph import STEPS, TaskGraph, learn_graph
from faceattr.training.callbacks import Callback, Run
from faceattr.training.history import History
from faceattr.training.preflight import check_seed

STRUCTURES = ("groups", "graph", "l2", "none", "independent")
#: Length and rate of training: for a network with trained weights, and for a small new one.
PLANS: dict[str, Plan] = {"paper": Plan(10, 1e-4), "small": Plan(20, 3e-3)}
#: Options that only some structures read, and which.
READ_BY: dict[str, tuple[str, ...]] = {
    "graph_step": ("graph",),
    "graph_settings": ("graph",),
    "gamma": ("groups",),
    "lam": ("groups",),
    "xi": ("graph", "l2"),
}
#: Steps of Algorithms 1 and 2 on the paper's loss, a sum over attributes; with these the training
#: loss of 500 faces falls as far as with AdamW on the same factors.
ETA, R = 0.5, 0.25


@dataclass(frozen=True)
class Alternately:
    """Makes the optimiser of known groups, as ``fit`` asks for one.

    Attributes:
        model: whose ``L_g`` and ``S_g`` it knows.
        lr, eta, r, gamma, lam, columns, seed: see :class:`faceattr.sparse.optimizer.Alternating`.
    """

    model: MTFAP
    lr: float
    eta: float
    r: float
    gamma: float
    lam: float
    columns: int | None = None
    seed: int = 0

    def __call__(self, parameters: list[nn.Parameter]) -> Optimizer:
        """The optimiser; parameters that are no ``L_g`` or ``S_g`` are left to AdamW."""
        bases, some = (
            list(part) for part in (self.model.tasks.bases, self.model.tasks.coefficients)
        )
        known = {id(p) for p in (*bases, *some)}
        rest = [p for p in parameters if id(p) not in known]
        return Alternating(
            rest, bases, some, lr=self.lr, eta=self.eta, r=self.r, gamma=self.gamma, lam=self.lam,
            columns=self.columns, seed=self.seed,
        )  # fmt: skip


@dataclass
class LearnGraph(Callback):
    """Line 7 of Algorithm 3: after each epoch, the graph of the weights as they are.

    Attributes:
        step: a name in :data:`faceattr.taskgraph.STEPS`. settings: its arguments.
        graph: of the last epoch; None before the first.
    """

    step: str = "logdet"
    settings: Mapping[str, float] = field(default_factory=dict)
    graph: TaskGraph | None = None

    def on_epoch_end(self, run: Run) -> None:
        """Learn the graph and put it into the objective, which a checkpoint keeps."""
        self.graph = learn_graph(run.model.weights, self.step, **self.settings)
        run.objective.matrix.copy_(self.graph.matrix)


def columns_of(groups: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[list[int]]:
    """Groups of names as columns of the data; an attribute that is in no group gets its own.

    Names of CelebA's that these data have not are passed over.

    Raises:
        UnknownNameError: a name that neither the data nor CelebA knows.
        DataError: no attribute of the data is in any group; an attribute in two, or twice in one.
    """
    place = {name: j for j, name in enumerate(names)}
    members = [name for some in groups.values() for name in some]
    if strange := [name for name in members if name not in place and name not in ATTRIBUTES]:
        raise UnknownNameError(
            f"groups name {strange[0]!r}, which is no attribute of these data: they have "
            f"{', '.join(names)}"
        )
    if twice := [name for name in dict.fromkeys(members) if members.count(name) > 1]:
        raise DataError(f"groups name {', '.join(twice)} more than once: an attribute is in one")
    found = [[place[n] for n in members if n in place] for members in groups.values()]
    found = [group for group in found if group]
    if not found:
        raise DataError(
            f"none of the attributes {', '.join(names)} is in a group: pass groups={{name: "
            "attributes}} of these data"
        )
    seen = {j for group in found for j in group}
    return found + [[j] for j in range(len(names)) if j not in seen]


def new_mtfap(
    structure: str,
    names: Sequence[str],
    *,
    preset: str = "small",
    groups: Mapping[str, Sequence[str]] | None = None,
    basis: int | Sequence[int] | None = None,
    pretrained: str | None = None,
    seed: int = 0,
    **sizes,
) -> FaceModel:
    """An untrained network for a structure.

    Args:
        structure: one of :data:`STRUCTURES`.
        names: of the attributes.
        preset: ``"paper"`` or ``"small"``.
        groups: group to attributes, for ``groups``; the nine of :data:`faceattr.GROUPS` by
            default (the paper's come from a figure of Liu et al., 2015).
        basis: ``K_g``, see :func:`faceattr.models.mtfap.basis_sizes`.
        pretrained: VGG-16 weights to start from, see :class:`MTFAP`.
        seed: of the weights.
        sizes: of the trunk, instead of the preset's: ``widths``, ``repeats``, ``pools``, ``norm``.

    Raises:
        UnknownNameError: no such structure or preset.
        DataError, CheckpointError: as :class:`MTFAP`; weights for independent networks.
    """
    _check_structure(structure)
    check_preset(preset)
    sizes = {"num_attributes": len(names), **sizes}
    kind = IndependentTasks if structure == "independent" else MTFAP
    if kind is MTFAP:
        sizes["pretrained"] = pretrained
        if structure == "groups":
            sizes |= {"groups": columns_of(groups or GROUPS, names), "basis": basis}
    elif pretrained is not None:
        raise DataError("independent networks start from nothing: leave pretrained out")
    make = kind if preset == "paper" else kind.small
    return seeded(seed, lambda: make(**sizes))


def train_mtfap(
    data: FaceDataset,
    *,
    structure: str = "graph",
    preset: str = "small",
    groups: Mapping[str, Sequence[str]] | None = None,
    basis: int | Sequence[int] | None = None,
    gamma: float = 1.0,
    lam: float = 0.01,
    xi: float = 0.75,
    graph_step: str = "logdet",
    graph_settings: Mapping[str, float] | None = None,
    eta: float = ETA,
    r: float = R,
    columns: int | None = None,
    pretrained: str | None = None,
    model: FaceModel | None = None,
    valid: FaceDataset | None = None,
    epochs: int | None = None,
    batch_size: int = 128,
    lr: float | None = None,
    augment: Augment | str | None = "light",
    callbacks: Sequence[Callback] = (),
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    record: Mapping | None = None,
    **how,
) -> tuple[FaceModel, History]:
    """Train MTFAP's network with a structure of its tasks, or without.

    Args:
        data: faces to train on.
        structure: one of :data:`STRUCTURES`.
        preset: ``"small"`` for two cores, or ``"paper"``: VGG-16's size.
        groups, basis: for ``groups``; see :func:`new_mtfap`.
        gamma, lam: of Eq. 3, for ``groups``; the paper's gamma and lambda.
        xi: of Eq. 14, for ``graph`` and ``l2``.
        graph_step: how the graph is learned, a name in :data:`faceattr.taskgraph.STEPS`.
        graph_settings: arguments of that step, such as ``{"alpha": 0.3}``: more of the log-det
            step's ``alpha`` makes more edges, more of its ``sparsity`` fewer.
        eta, r: step sizes of Algorithms 1 and 2 on a loss summed over attributes, as the paper has
            it, with ``0.009 n k`` and 0.001.
        columns: k of Algorithm 1's probing matrices. None looks at the whole sub-gradient, which
            costs the same for the 1 to 7 basis tasks of a group and spares the noise of the draw.
        pretrained: weights to start from, see :class:`MTFAP`.
        model: train this network, as it is, instead of a new one.
        valid: faces to report on after every epoch.
        epochs, lr: instead of the preset's.
        batch_size: faces in a step.
        augment: random changes of the training faces, or a name in
            :data:`faceattr.recipes.steps.AUGMENTS`.
        callbacks: see :mod:`faceattr.training.callbacks`.
        seed: of the initial weights, the order of faces and the augmentation.
        checkpoint: folder for ``last.safetensors``, ``best.safetensors`` and ``history.csv``.
        resume: go on from ``last.safetensors`` there.
        record: further entries of the record.
        how: the other arguments of :func:`faceattr.training.fit`.

    Returns:
        The network in evaluation mode, and its History. Of an :class:`MTFAP`, the graph is
        ``learn_graph(model.weights, graph_step, **graph_settings)``.

    Raises:
        UnknownNameError: no such structure, step or setting of it, preset or augmentation.
        DataError: the data have no faces or labels; groups, basis tasks, settings of the step or
            weights of penalties that cannot be; a ``model`` that has not what the structure needs.
        TrainingError: as :func:`faceattr.training.fit`.
    """
    check_seed(seed)
    _check_structure(structure)
    check_labels(data)
    check_weight(gamma=gamma, lam=lam, xi=xi)
    graph_settings = dict(graph_settings or {})
    if graph_step not in STEPS:
        raise UnknownNameError(
            f"unknown graph step {graph_step!r}: choose one of {', '.join(STEPS)}"
        )
    if model is None:
        model = new_mtfap(
            structure, data.names, preset=preset, groups=groups, basis=basis,
            pretrained=pretrained, seed=seed,
        ).expect(prevalence(data))  # fmt: skip
    _check_model(model, structure)
    check_preset(preset)
    plan = PLANS[preset]
    settings = plan.arguments()
    settings |= {"epochs": epochs} if epochs is not None else {}
    settings |= {"lr": lr} if lr is not None else {}
    tasks = len(data.names)
    faces = max(1, int((data.attributes >= 0).any(1).sum()))  # N of Eqs. 3 and 14
    objective: Objective = attribute_loss
    more = list(callbacks)
    if structure in ("graph", "l2"):
        objective = GraphPenalty(tasks, faces, xi)
        if structure == "graph":
            learn_graph(model.weights, graph_step, **graph_settings)  # names and numbers are known
            how_learned = f"{graph_step} {sorted(graph_settings.items())}"
            objective = GraphPenalty(tasks, faces, xi, learned=how_learned)
            more.append(LearnGraph(graph_step, graph_settings))
    elif structure == "groups":
        objective = GroupPenalty(tasks, faces, gamma, lam)
        more.append(KeepZeros())
        unit = {"gamma": gamma / (faces * tasks), "lam": lam / (faces * tasks)}
        settings["optimizer"] = Alternately(
            model, settings["lr"], eta * tasks, r * tasks, **unit, columns=columns, seed=seed
        )
    about = {"method": "mtfap", "structure": structure, "preset": preset}
    if structure == "graph":
        about |= {"graph_step": graph_step, "graph_settings": graph_settings}
    about |= {"pretrained": None if pretrained is None else Path(pretrained).name}
    history = run_step(
        model, data, objective, folder=checkpoint, resume=resume, batch_size=batch_size,
        augment=augmentation(augment), valid=valid, seed=seed, callbacks=more,
        record={**about, **(record or {})}, **{**settings, **how},
    )  # fmt: skip
    return model, history


def _check_structure(structure: str) -> None:
    if structure not in STRUCTURES:
        raise UnknownNameError(
            f"unknown structure {structure!r}: choose one of {', '.join(STRUCTURES)}"
        )


def _check_model(model: FaceModel, structure: str) -> None:
    """See that a network that was handed over has what the structure is about."""
    if structure in ("groups", "graph", "l2") and not isinstance(model, MTFAP):
        raise DataError(
            f"a {type(model).__name__} has no weights of tasks: structure {structure!r} needs an "
            "MTFAP; train this network with structure='none'"
        )
    if structure == "groups" and model.config["groups"] is None:
        raise DataError("this MTFAP knows no groups: build it with groups=..., or new_mtfap")


_MTFAP = Recipe(
    "mtfap",
    "MTFAP: tasks in known groups, with a learned graph, or without structure",
    train_mtfap,
    epochs=None,
    batch_size=128,
    source="MTFAP (Taherkhani et al., 2021)",
    options=(
        "preset",
        "pretrained",
        "structure",
        "graph_step",
        "graph_settings",
        "gamma",
        "lam",
        "xi",
    ),
)

#: What ``faceattr train`` offers of this file.
RECIPES = (_MTFAP,)
