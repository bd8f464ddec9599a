"""Packages that only some rooms of the house need, loaded when such a room is entered."""

from __future__ import annotations

import importlib
from types import ModuleType

from faceattr.errors import MissingDependencyError


def require(module: str, *, purpose: str, package: str | None = None) -> ModuleType:
    """Import a module that may not be installed.

    Args:
        module: its import name.
        purpose: what needs it, the start of the message: ``"figures"``.
        package: its name for pip, where that differs.

    Raises:
        MissingDependencyError: it is not installed; the message holds the pip line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise  # installed but broken: another package is missing inside it
        name = package or module.split(".")[0]
        raise MissingDependencyError(
            f"{purpose} need {name}, which is not installed: pip install {name}"
        ) from error
