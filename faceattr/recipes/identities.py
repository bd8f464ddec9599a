"""Who is on the faces that a recipe is given: enough people, known ones, and the same as before."""

from __future__ import annotations

import os
import warnings
import zlib
from pathlib import Path

import torch
from torch import Tensor

from faceattr.checkpoint import read_checkpoint
from faceattr.data.faces import FaceDataset
from faceattr.errors import DataError, TrainingError
from faceattr.models.base import FaceModel
from faceattr.models.people import people_of


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


def fingerprint(identity: Tensor) -> str:
    """How many people, and a checksum of who is on which face, for a run's record."""
    who = identity.detach().cpu().to(torch.int64).contiguous().numpy()
    return f"{people_of(identity)} people, {zlib.crc32(who.tobytes()):08x}"


def check_same_people(folder: str | os.PathLike | None, data: FaceDataset) -> None:
    """See that a run which is resumed goes on with the people that it began with.

    Its checkpoint holds whom the logits stand for, and would put them back in place of these
    people, whose faces would then teach nothing, or somebody else.

    Args:
        folder: of the run; None, or one that holds no run yet, passes.
        data: the faces of now.

    Raises:
        TrainingError: it began with others.
    """
    last = None if folder is None else Path(folder) / "last.safetensors"
    if last is None or not last.is_file():
        return
    before = (read_checkpoint(last)[1].get("record") or {}).get("identities")
    now = fingerprint(data.faces.identity)
    if before not in (None, now):
        raise TrainingError(
            f"cannot resume {last}: it was trained on other identities ({before}, now {now}). Use "
            "the old ones, or train anew with resume=False or in another folder"
        )
