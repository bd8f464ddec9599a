"""What one step of a recipe hands to the next: trained networks, and that they are the right ones.

A network from elsewhere, or from the folder of a step that was trained another day, has the right
shapes more often than it is the right one. What can be told apart is told apart here, before any
training.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from faceattr.checkpoint import load_checkpoint, read_checkpoint
from faceattr.data.faces import FaceDataset
from faceattr.errors import CheckpointError, DataError, TrainingError
from faceattr.models import FaceModel

#: What a run leaves in a folder.
FILES = ("last.safetensors", "best.safetensors", "history.csv")


def given(network: FaceModel | str | os.PathLike | None, data: FaceDataset) -> FaceModel | None:
    """A trained network as it is, or from its checkpoint; None stays None.

    Raises:
        CheckpointError: no such checkpoint, or weights that are not finite.
        DataError: a checkpoint of other attributes than the data have, or in another order.
    """
    if network is None:
        return None
    name, names = f"the {type(network).__name__} that was given", None
    if not isinstance(network, FaceModel):
        name = str(network)
        network, header = load_checkpoint(network)
        names = header["attributes"]
    check_names(names, data, name)
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(
                f"{name} has weights that are not finite ({key}): take another network, or train "
                "it again at a lower rate"
            )
    return network


def check_names(names: Sequence[str] | None, data: FaceDataset, name: str) -> None:
    """See that a network, where it knows its attributes, answers those of the data.

    Raises:
        DataError: it does not; the message names the first that differs.
    """
    if names is None or tuple(names) == tuple(data.names):
        return
    if len(names) != len(data.names):
        differs = f"{len(names)} instead of {len(data.names)}"
    else:
        differs = next(
            f"{n} where the data have {m}" for n, m in zip(names, data.names, strict=True) if n != m
        )
    raise DataError(
        f"{name} was trained on other attributes than {data.source} has, or in another order "
        f"({differs}): train it on these, or take the data that it was trained on"
    )


def restore(model: FaceModel, folder: Path | None, step: str, data: FaceDataset) -> None:
    """Put the result of an earlier step into a network of its size.

    Raises:
        TrainingError: there is none, or the step was stopped before its end.
        CheckpointError: it is of another class.
        DataError: it is of another size, or of other attributes than the data have.
    """
    last = None if folder is None else folder / "last.safetensors"
    if last is None or not last.is_file():
        where = "no checkpoint folder was given" if last is None else f"{last} is not there"
        raise TrainingError(
            f"the result of step {step} is needed and {where}: train it first (steps={step}), or "
            "pass a trained network"
        )
    found, header = load_checkpoint(last, expect=type(model))
    training = header.get("training") or {}
    if not training.get("finished", True):
        raise TrainingError(
            f"step {step} was stopped after epoch {header['epoch']} of {training['epochs']} "
            f"({last}): train it to its end first, with steps={step} and resume=True "
            f"(--steps {step} --resume)"
        )
    check_names(header["attributes"], data, str(last))
    if found.config != model.config:
        differs = [k for k in model.config if found.config.get(k) != model.config[k]]
        raise DataError(
            f"{last} was trained with another {', '.join(differs)}: give the arguments of then, "
            "or train the step again"
        )
    model.load_state_dict(found.state_dict())


def check_start(folder: Path | None, start: str, again: str) -> None:
    """See that a step goes on from the networks that it began with.

    Its checkpoint holds all of them, those that it does not train included, and would put them
    back in place of new ones without a word.

    Args:
        folder: of the step.
        start: checksum of the networks that there are now, kept in the record as ``start``.
        again: how to train the step anew, in words.

    Raises:
        TrainingError: the step began with others.
    """
    last = None if folder is None else folder / "last.safetensors"
    if last is None or not last.is_file():
        return
    _, header = read_checkpoint(last)
    before = (header.get("record") or {}).get("start")
    if before not in (None, start):
        raise TrainingError(
            f"cannot resume {last}: the networks that it began with are no longer those of now. "
            f"Train it anew, with {again}"
        )


def clear(folders: Iterable[Path | None]) -> None:
    """Remove what runs left in these folders, so that nobody goes on from it by mistake."""
    for folder in folders:
        for name in FILES if folder is not None else ():
            (folder / name).unlink(missing_ok=True)
