"""Networks: ``forward(images) -> Outputs``, one file a paper, plus the trunks they share."""

from __future__ import annotations

from typing import Any

from faceattr.errors import CheckpointError, UnknownNameError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.frl import FRL
from faceattr.models.majority import Majority
from faceattr.models.paw import PaW
from faceattr.models.whole import WholeImage

#: Every model by the name of its class, which is the name a checkpoint knows it by.
MODELS: dict[str, type[FaceModel]] = {
    model.__name__: model for model in (Majority, WholeImage, FRL, PaW)
}


def build(config: dict[str, Any]) -> FaceModel:
    """Build a fresh model from what :func:`faceattr.checkpoint.model_config` returned.

    Args:
        config: ``{"model": class name, "arguments": {keyword: JSON value}}``.

    Raises:
        UnknownNameError: no model of that name; the message names those that exist.
        CheckpointError: the model does not take these arguments (a newer version wrote them).
    """
    name, arguments = config.get("model"), config.get("arguments") or {}
    if name not in MODELS:
        raise UnknownNameError(
            f"unknown model {name!r}: this version has {', '.join(sorted(MODELS))}; "
            "a newer faceattr may know it"
        )
    try:
        return MODELS[name](**arguments)
    except TypeError as error:
        raise CheckpointError(
            f"{name} cannot be built from {arguments} ({error}): "
            "another version of faceattr wrote this; install that version"
        ) from error


__all__ = ["FRL", "MODELS", "FaceModel", "Majority", "Outputs", "PaW", "WholeImage", "build"]
