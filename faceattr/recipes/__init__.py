"""Recipes: how each method is trained, one file a paper, as calls to ``fit``.

:func:`methods` is what ``faceattr train METHOD`` offers: the ``RECIPES`` of every file of this
package.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil

from faceattr.errors import UnknownNameError
from faceattr.recipes.base import Recipe
from faceattr.recipes.frl import train_frl
from faceattr.recipes.paw import train_paw
from faceattr.recipes.students import train_student
from faceattr.recipes.whole import train_whole


@functools.cache
def methods() -> dict[str, Recipe]:
    """Every method by its name on the command line."""
    files = [
        importlib.import_module(f"{__name__}.{f.name}") for f in pkgutil.iter_modules(__path__)
    ]
    return {recipe.name: recipe for file in files for recipe in getattr(file, "RECIPES", ())}


def recipe(name: str) -> Recipe:
    """Return the recipe of a method.

    Raises:
        UnknownNameError: there is none; the message names those that exist.
    """
    if name not in methods():
        close = difflib.get_close_matches(name, methods(), n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UnknownNameError(f"unknown method {name!r}: {hint}There are {', '.join(methods())}")
    return methods()[name]


__all__ = [
    "Recipe",
    "methods",
    "recipe",
    "train_frl",
    "train_paw",
    "train_student",
    "train_whole",
]
