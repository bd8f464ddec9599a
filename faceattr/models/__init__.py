"""Networks: ``forward(images) -> Outputs``, one file a paper, plus the trunks they share.

A model is known by being there: :func:`models` asks every file of this package. What is imported by
name below is what the first chapters use; a new paper's model is imported from its own file.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

from faceattr.errors import CheckpointError, UnknownNameError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.frl import FRL
from faceattr.models.majority import Majority
from faceattr.models.paw import PaW
from faceattr.models.whole import WholeImage


@functools.cache
def models() -> dict[str, type[FaceModel]]:
    """Every model that a file of this package defines, by the name of its class.

    That is the name a checkpoint knows it by.
    """
    found = {}
    for file in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{file.name}")
        for kind in vars(module).values():
            here = isinstance(kind, type) and kind.__module__ == module.__name__
            if here and issubclass(kind, FaceModel) and kind is not FaceModel:
                found[kind.__name__] = kind
    return found


def build(config: dict[str, Any]) -> FaceModel:
    """Build a fresh model from what :func:`faceattr.checkpoint.model_config` returned.

    Args:
        config: ``{"model": class name, "arguments": {keyword: JSON value}}``.

    Raises:
        UnknownNameError: no model of that name; the message names those that exist.
        CheckpointError: the model does not take these arguments (a newer version wrote them).
    """
    name, arguments = config.get("model"), config.get("arguments") or {}
    if name not in models():
        raise UnknownNameError(
            f"unknown model {name!r}: this version has {', '.join(sorted(models()))}; "
            "a newer faceattr may know it"
        )
    try:
        return models()[name](**arguments)
    except TypeError as error:
        raise CheckpointError(
            f"{name} cannot be built from {arguments} ({error}): "
            "another version of faceattr wrote this; install that version"
        ) from error


__all__ = ["FRL", "FaceModel", "Majority", "Outputs", "PaW", "WholeImage", "build", "models"]
