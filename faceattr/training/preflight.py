"""What can be known to go wrong before work starts, and a look at the weights after an epoch."""

from __future__ import annotations

import copy
import os
from numbers import Integral
from pathlib import Path

import torch

from faceattr.checkpoint import write_atomically
from faceattr.data.faces import FaceDataset
from faceattr.errors import TrainingError
from faceattr.models.base import FaceModel
from faceattr.training.resume import own_randomness


def check_seed(seed: int) -> int:
    """The seed as a plain int (torch refuses NumPy's), once the generators take it.

    Raises:
        TrainingError: negative, too large, or no whole number.
    """
    if not isinstance(seed, Integral) or not 0 <= seed < 2**63:
        raise TrainingError(f"seed={seed!r}: give a whole number from 0 to 2**63 - 1")
    return int(seed)


def check_counts(least: int = 1, **counts: int | None) -> None:
    """See that numbers of epochs and the like are whole and large enough; None passes.

    Raises:
        TrainingError: names the first that is not.
    """
    for name, value in counts.items():
        if value is not None and (not isinstance(value, int) or value < least):
            raise TrainingError(f"{name}={value!r}: give a whole number of at least {least}")


def check_run(
    model: FaceModel,
    data: FaceDataset,
    valid: FaceDataset | None,
    epochs: int,
    batch_size: int,
    drop_last: bool,
    clip: float | None,
    monitor: str | None,
) -> None:
    """Refuse a run that cannot work.

    Raises:
        TrainingError: names the setting and its remedy.
        DataError: labels other than 0, 1 and unknown.
    """
    check_counts(epochs=epochs, batch_size=batch_size)
    if clip is not None and not clip > 0:
        raise TrainingError(f"clip={clip}: give a gradient norm above 0, or None")
    if monitor is not None and monitor.startswith("valid_") and valid is None:
        raise TrainingError(f"monitor={monitor!r} needs validation faces: pass valid=...")
    for what, faces in (("training", data), ("validation", valid)):
        if faces is not None and len(faces) == 0:
            raise TrainingError(f"no {what} faces in {faces.source}: check its split and limit")
        if faces is not None:
            _check_attributes(model, faces, what)
            faces.check_labels()
    if drop_last and len(data) < batch_size:
        raise TrainingError(
            f"drop_last leaves nothing of {len(data)} faces in batches of {batch_size}: lower "
            "batch_size or pass drop_last=False"
        )
    check_alone(model, data, batch_size, drop_last)


@torch.no_grad()
def check_alone(model: FaceModel, data: FaceDataset, batch_size: int, drop_last: bool) -> None:
    """Where one face stays alone in the last batch, see that the model can train on it.

    Batch norm cannot normalise a single value: a flat layer has no more of one face, nor has a
    convolution whose maps of a small picture are one cell.

    Raises:
        TrainingError: it cannot.
    """
    if drop_last or (batch_size != 1 and len(data) % batch_size != 1):
        return
    images = data.gather([0]).images.to(next(model.parameters(), model.mean).device)
    try:
        with own_randomness(images.device):
            copy.deepcopy(model).train()(images)
    except ValueError as error:
        raise TrainingError(
            f"{len(data)} faces in batches of {batch_size} leave one face alone, which batch norm "
            f"in {type(model).__name__} cannot normalise: pass drop_last=True or another batch_size"
        ) from error


@torch.no_grad()
def _check_attributes(model: FaceModel, faces: FaceDataset, what: str) -> None:
    """One face through the model: does it take this size, does it answer these attributes?"""
    was_training = model.training
    images = faces.gather([0]).images.to(next(model.parameters(), model.mean).device)
    try:
        logits = model.eval()(images).logits
    except (RuntimeError, ValueError) as error:
        height, width = faces.size
        raise TrainingError(
            f"{type(model).__name__} does not take the {what} faces of {height} x {width} pixels "
            f"({error}): load them in another size, or build the model for this one"
        ) from error
    finally:
        model.train(was_training)
    columns = len(faces.names) if faces.attributes is None else faces.attributes.shape[1]
    if logits.shape[1] != columns:
        raise TrainingError(
            f"{type(model).__name__} answers {logits.shape[1]} attributes, the {what} faces have "
            f"{columns}: build the model with num_attributes={columns}"
        )


def check_folder(checkpoint: str | os.PathLike | None, resume: bool) -> None:
    """See that the checkpoint folder can be made and written.

    Raises:
        TrainingError: it is a file, or cannot be written; or ``resume`` without a folder.
    """
    if checkpoint is None:
        if resume:
            raise TrainingError("resume=True needs checkpoint=folder, where the run to go on lies")
        return
    folder = Path(checkpoint)
    if folder.exists() and not folder.is_dir():
        raise TrainingError(
            f"checkpoint={folder} is a file: give a folder, which will hold last.safetensors, "
            "best.safetensors and history.csv"
        )
    write_atomically(folder / f".probe{os.getpid()}", b"").unlink()


def check_weights(model: FaceModel, epoch: int, remedy: str) -> None:
    """See that every weight is finite; a loss can be finite and its last step still not.

    Raises:
        TrainingError: names the first tensors that are not.
    """
    floats = {n: t for n, t in model.state_dict().items() if t.is_floating_point()}
    finite = torch.stack([t.isfinite().all() for t in floats.values()]).tolist()
    bad = [name for name, good in zip(floats, finite, strict=True) if not good]
    if bad:
        raise TrainingError(
            f"weights that are not finite after epoch {epoch}: {', '.join(bad[:4])}. {remedy}"
        )
