"""Recipes: how each method is trained, one file a paper, as calls to ``fit``.

:data:`METHODS` is what ``faceattr train METHOD`` offers. A paper's file defines its recipes
and they are listed here.
"""

from __future__ import annotations

import difflib

from faceattr.errors import UnknownNameError
from faceattr.recipes.base import Recipe
from faceattr.recipes.whole import MAJORITY, RESNET18, SNET3, train_whole

#: Every method by its name on the command line.
METHODS: dict[str, Recipe] = {recipe.name: recipe for recipe in (SNET3, RESNET18, MAJORITY)}


def recipe(name: str) -> Recipe:
    """Return the recipe of a method.

    Raises:
        UnknownNameError: there is none; the message names those that exist.
    """
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UnknownNameError(f"unknown method {name!r}: {hint}There are {', '.join(METHODS)}")
    return METHODS[name]


__all__ = ["METHODS", "Recipe", "recipe", "train_whole"]
