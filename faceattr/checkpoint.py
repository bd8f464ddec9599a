"""Checkpoints: one safetensors file each, tensors plus a JSON header that rebuilds the model.

A file holds the model's tensors under their own names. What only training needs (optimiser state,
weights before averaging) stands beside them under names that begin with ``@``, which no module
can bear. The header entry ``faceattr`` is JSON: format version, model class and arguments,
attribute names, picture size, epoch, history, record. Reading a file never runs code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from faceattr.device import resolve
from faceattr.errors import CheckpointError, FaceattrError
from faceattr.files import write_atomically
from faceattr.models.base import FaceModel

#: Version of the header. A reader takes its own version and older ones.
FORMAT = 1
#: Begins the names of tensors that belong to training, not to the model.
TRAINING = "@"
#: Checkpoints that come with the package, ``NAME.safetensors``.
SHIPPED = Path(__file__).parent / "models" / "shipped"


def shipped() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def model_config(model: FaceModel) -> dict:
    """``{"model": class name, "arguments": {...}}``, from which ``faceattr.models.build`` builds.

    Raises:
        CheckpointError: the model has no ``config``, or one that JSON cannot hold.
    """
    name = type(model).__name__
    try:
        return {"model": name, "arguments": json.loads(json.dumps(model.config))}
    except (AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{name} cannot be saved ({error}): pass the JSON-able arguments that build it to "
            "FaceModel.__init__"
        ) from error


def save_checkpoint(
    path: str | os.PathLike,
    model: FaceModel,
    *,
    record: Mapping | None = None,
    attributes: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    framing: str | None = None,
    epoch: int | None = None,
    history: Sequence[Mapping] | None = None,
    training: tuple[Mapping[str, Tensor], Mapping] | None = None,
) -> Path:
    """Write a model to one safetensors file, whole or not at all.

    Args:
        path: the file; by custom it ends in ``.safetensors``.
        model: whose tensors and ``config`` are written.
        record: how it came about, see :func:`faceattr.record.run_record`.
        attributes: the M attribute names, in the order of the logits.
        size: height and width in pixels of the pictures it was trained on.
        framing: how faces fill those pictures, see :class:`faceattr.data.faces.FaceDataset`.
        epoch: finished epochs.
        history: rows of the training table, see :class:`faceattr.training.history.History`.
        training: tensors and JSON that continue the training (``fit`` writes these).

    Raises:
        CheckpointError: the model cannot be described. TrainingError: the disk is full.
    """
    tensors, state = training or ({}, None)
    header = {
        "format_version": FORMAT,
        **model_config(model),
        "attributes": None if attributes is None else list(attributes),
        "size": None if size is None else [int(side) for side in size],
        "framing": framing,
        "epoch": epoch,
        "history": None if history is None else [dict(row) for row in history],
        "record": None if record is None else dict(record),
        "training": state,
    }
    whole = dict(model.state_dict())
    whole.update({TRAINING + name: tensor for name, tensor in tensors.items()})
    # Copies: safetensors wants every tensor dense and none sharing memory with another.
    whole = {
        name: t.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, t in whole.items()
    }
    return write_atomically(path, save(whole, {"faceattr": json.dumps(header)}))


def find_checkpoint(path_or_name: str | os.PathLike) -> Path:
    """The file meant by a path, by a folder (its ``best.safetensors``) or by a shipped name.

    Raises:
        CheckpointError: there is none; the message lists the shipped names.
    """
    path = Path(path_or_name)
    if path.is_dir():
        for name in ("best.safetensors", "last.safetensors"):
            if (path / name).is_file():
                return path / name
        raise CheckpointError(
            f"no checkpoint in folder {path}: expected best.safetensors, as "
            "fit(..., checkpoint=folder) writes it"
        )
    if path.is_file():
        return path
    if str(path_or_name) in shipped():
        return SHIPPED / f"{path_or_name}.safetensors"
    raise CheckpointError(
        f"no checkpoint {str(path_or_name)!r}: give a file, a folder that training wrote, or a "
        f"shipped one ({', '.join(shipped()) or 'none is installed'})"
    )


def read_checkpoint(path_or_name: str | os.PathLike) -> tuple[dict[str, Tensor], dict]:
    """All tensors (on the CPU) and the header of a checkpoint; no model is built.

    Raises:
        CheckpointError: missing, torn, no safetensors file, not ours, or of a newer version.
    """
    path = find_checkpoint(path_or_name)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is torn or no safetensors file ({error}): copy or download it again, or "
            "take another checkpoint"
        ) from error
    try:
        header = json.loads(metadata["faceattr"])
        version, _ = int(header["format_version"]), (header["model"], header["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds no faceattr metadata: it was not written by faceattr's "
            "save_checkpoint, and nothing in it tells which model to build"
        ) from error
    if version > FORMAT:
        raise CheckpointError(
            f"{path} has format {version}, this faceattr reads up to {FORMAT}: it was made by a "
            "newer faceattr: pip install -U faceattr"
        )
    _check_header(path, header)
    return tensors, header


def _check_header(path: Path, header: Mapping) -> None:
    """See that size and names, where the header has them, can be used."""
    size, names = header.setdefault("size", None), header.setdefault("attributes", None)
    good = {
        "size": size is None
        or (isinstance(size, list) and [type(s) for s in size] == [int] * 2 and min(size) > 0),
        "attributes": names is None
        or (isinstance(names, list) and all(isinstance(name, str) for name in names)),
    }
    for name, fine in good.items():
        if not fine:
            raise CheckpointError(
                f"the header of {path} is damaged ({name}: {str(header[name])[:60]}): copy or "
                "download it again, or take another checkpoint"
            )


def input_of(path_or_name: str | os.PathLike, header: Mapping) -> tuple[tuple, tuple]:
    """Picture size and attribute names of a checkpoint, for uses that cannot do without.

    Raises:
        CheckpointError: it was saved without them.
    """
    for name in ("size", "attributes"):
        if header.get(name) is None:
            raise CheckpointError(
                f"{path_or_name} does not say the {name} that it was trained with: save it again "
                f"with save_checkpoint(..., {name}=...)"
            )
    return tuple(header["size"]), tuple(header["attributes"])


def load_checkpoint(
    path_or_name: str | os.PathLike,
    device: str | torch.device = "cpu",
    *,
    expect: type[FaceModel] | None = None,
) -> tuple[FaceModel, dict]:
    """Build the model of a checkpoint again, in evaluation mode.

    Args:
        path_or_name: a file, a folder (its ``best.safetensors``) or a shipped name such as
            ``snet3-celeba``.
        device: where the model goes.
        expect: the class it must be of. A class of your own, which ``faceattr.models.models()``
            does not list, is built by passing it here.

    Returns:
        The model, and the header: ``attributes``, ``size``, ``epoch``, ``history``, ``record``.

    Raises:
        CheckpointError: as :func:`read_checkpoint`, or it is another model than expected, or its
            tensors do not fit the model.
    """
    tensors, header = read_checkpoint(path_or_name)
    path, name = find_checkpoint(path_or_name), header["model"]
    if expect is not None and name != expect.__name__:
        raise CheckpointError(
            f"{path} holds a {name}, not a {expect.__name__}: take a checkpoint of a "
            f"{expect.__name__}, or load it as what it is"
        )
    try:
        if expect is not None:
            model = expect(**header["arguments"])
        else:
            from faceattr.models import build  # here, so that saving needs no model zoo

            model = build({"model": name, "arguments": header["arguments"]})
    except (FaceattrError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} holds a {name} that this faceattr cannot build ({error}): update faceattr, "
            "or pass expect=YourModel for a class of your own"
        ) from error
    load_weights(model, tensors, path)
    named, scored = header["attributes"], model.config.get("num_attributes")
    if named is not None and scored not in (None, len(named)):
        raise CheckpointError(
            f"{path} names {len(named)} attributes and its {name} scores {scored}: the header is "
            "damaged; take another checkpoint, or save it again"
        )
    return model.to(resolve(device)).eval(), header


def load_weights(model: FaceModel, tensors: Mapping[str, Tensor], path: os.PathLike) -> None:
    """Copy a checkpoint's model tensors (not the ``@`` ones) into a model of the same layout.

    Raises:
        CheckpointError: names or shapes differ; the message names the first of them.
    """
    mine = model.state_dict()
    theirs = {name: t for name, t in tensors.items() if not name.startswith(TRAINING)}
    shapes = [
        f"{name} ({tuple(theirs[name].shape)} in the file, {tuple(mine[name].shape)} in the model)"
        for name in mine
        if name in theirs and theirs[name].shape != mine[name].shape
    ]
    problems = {
        "missing": [name for name in mine if name not in theirs],
        "unexpected": [name for name in theirs if name not in mine],
        "of another shape": shapes,
    }
    found = [
        f"{what}: {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
        for what, names in problems.items()
        if names
    ]
    if found:
        raise CheckpointError(
            f"the tensors of {path} do not fit {type(model).__name__} ({'; '.join(found)}): build "
            "the model with the arguments it was saved with, or take another checkpoint"
        )
    model.load_state_dict(theirs)
