"""Train a method and keep its best and last checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceattr.cli.options import (
    add_data,
    add_device,
    open_data,
    open_scenes,
    settings,
    whole_number,
)
from faceattr.data.faces import FaceDataset
from faceattr.errors import DataError, TrainingError, UnknownNameError
from faceattr.models.paw import REGIONS
from faceattr.objectives.weighting import SCHEMES
from faceattr.recipes import Recipe, methods, recipe
from faceattr.recipes.mtfap import READ_BY, STRUCTURES
from faceattr.recipes.steps import AUGMENTS, PRESETS
from faceattr.taskgraph import STEPS


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``train METHOD``."""
    parser.add_argument("method", metavar="METHOD", help=f"one of {', '.join(methods())}")
    parser.add_argument(
        "--out", type=Path, help="folder of the checkpoints (runs/METHOD-DATA-seedN)"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, help="of weights, order and augmentation"
    )
    parser.add_argument("--epochs", type=int, help="passes over the data (the method's default)")
    parser.add_argument(
        "--augment", choices=tuple(AUGMENTS), help="kind of random changes (the method's default)"
    )
    parser.add_argument("--precision", default="32-true", help="32-true, or bf16-mixed on a GPU")
    parser.add_argument("--devices", type=int, default=1, help="GPUs, or processes on the CPU")
    parser.add_argument("--compile", action="store_true", help="compile the network first")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    again.add_argument(
        "--overwrite", action="store_true", help="begin anew where the folder holds a run"
    )
    parser.add_argument("--no-valid", action="store_true", help="do not watch the valid split")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--preset", choices=PRESETS, help="of a paper's methods: its size, or two cores'"
    )
    group = parser.add_argument_group("PaW's methods")
    group.add_argument(
        "--teacher", type=Path, metavar="CHECKPOINT", help="snet1-3: learn from its maps first"
    )
    group.add_argument(
        "--pretrained", metavar="FILE", help="frl, paw: VGG-16 weights to start from, or imagenet"
    )
    group.add_argument("--steps", metavar="A,B", help="paw: train these of its five steps")
    group.add_argument("--regions", choices=REGIONS, help="paw: where its parts come from")
    group.add_argument("--crop", type=int, metavar="N", help="paw: side of a part in pixels")
    group = parser.add_argument_group("FR-ANet and its rivals")
    group.add_argument(
        "--lambda-id", type=float, metavar="X", help="franet, fr+anet: weight of identity (1)"
    )
    group.add_argument(
        "--aux", action="store_true", default=None, help="mcnn: a last layer relates attributes"
    )
    group = parser.add_argument_group("MCFA's methods")
    group.add_argument("--weighting", choices=SCHEMES, help="how attributes share the loss")
    group.add_argument(
        "--recall", type=float, metavar="R", help="share of faces that its cascade should find"
    )
    group = parser.add_argument_group("MTFAP's methods")
    group.add_argument("--structure", choices=STRUCTURES, help="mtfap: what ties its tasks")
    group.add_argument("--graph-step", choices=tuple(STEPS), help="mtfap: how a graph is learned")
    group.add_argument(
        "--graph-settings", type=settings, metavar="NAME=X,...",
        help="mtfap, graph: of that step, such as alpha=0.5,sparsity=0.02",
    )  # fmt: skip
    group.add_argument("--gamma", type=float, help="mtfap, groups: weight of the nuclear norm")
    group.add_argument("--lam", type=float, help="mtfap, groups: weight of the absolute values")
    group.add_argument("--xi", type=float, help="mtfap, graph or l2: weight of Tr(W A W^T)")
    group.add_argument("--margin", type=float, help="siamese: between pictures of two people")
    add_data(parser, split="train")
    add_device(parser)


#: Options that only some methods take.
SPECIAL = (
    *("preset", "teacher", "pretrained", "steps", "regions", "crop"),
    *("lambda_id", "aux", "weighting", "recall"),
    *("structure", "graph_step", "graph_settings", "gamma", "lam", "xi", "margin"),
)


def special(method: Recipe, options: argparse.Namespace) -> dict:
    """What was given of :data:`SPECIAL`.

    Raises:
        UnknownNameError: the method does not take it.
        DataError: the structure of tasks that was chosen does not read it.
    """
    given = {name: getattr(options, name) for name in SPECIAL}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in method.options:
            takers = ", ".join(n for n, other in methods().items() if name in other.options)
            option = name.replace("_", "-")
            raise UnknownNameError(f"{method.name} has no --{option}: it is for {takers}")
    if "structure" in method.options:
        structure = given.get("structure", "graph")
        for name in given:
            if structure not in READ_BY.get(name, STRUCTURES):
                option, readers = name.replace("_", "-"), " or ".join(READ_BY[name])
                raise DataError(
                    f"--structure {structure} does not read --{option}: leave it out, or give "
                    f"--structure {readers}"
                )
    return given


def _open(method: Recipe, options: argparse.Namespace, split: str | None = None) -> FaceDataset:
    """The data that a method takes: cut faces, or whole pictures."""
    if getattr(method, "scenes", False):
        return open_scenes(options, method.side, split=split)
    return open_data(options, split=split)


def run(options: argparse.Namespace) -> None:
    """Open the data, train, and say where the checkpoints are."""
    method = recipe(options.method)  # an unknown name fails before any data is read
    more = special(method, options)
    if options.recall is not None and (options.no_valid or options.split != "train"):
        raise DataError(
            "--recall chooses thresholds on the valid split, which is not read here: leave it out, "
            "or train on the train split without --no-valid"
        )
    out = options.out or Path("runs") / f"{options.method}-{options.data}-seed{options.seed}"
    if not (options.resume or options.overwrite) and any(out.rglob("*.safetensors")):
        raise TrainingError(
            f"{out} holds a run: --resume goes on with it, --overwrite begins anew, --out FOLDER "
            "keeps both"
        )
    data = _open(method, options)
    valid = None
    if options.split == "train" and not options.no_valid:
        try:
            valid = _open(method, options, "valid")
        except DataError as error:
            raise DataError(f"{error} (--no-valid trains without watching it)") from error
    chosen = {name: getattr(options, name) for name in ("epochs", "batch_size", "augment")}
    model, history = method.train(
        data,
        valid=valid,
        seed=options.seed,
        device=options.device,
        devices=options.devices,
        precision=options.precision,
        compile=options.compile,
        checkpoint=out,
        resume=options.resume,
        progress=not options.quiet,
        record={"view": data.view},
        **more,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    last = history.frame().iloc[-1].dropna()  # of several steps, the last one's columns
    print(", ".join(f"{name} {value:.4g}" for name, value in last.items()))
    print(f"{type(model).__name__} with {model.count():,} parameters is in {out}")
