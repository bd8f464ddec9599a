"""Recipes: how each method is trained, one file a paper, as calls to ``fit``.

:data:`METHODS` is what ``faceattr train METHOD`` offers. A paper's file defines its recipes
and they are listed here.
"""

from __future__ import annotations

import difflib

from faceattr.errors import UnknownNameError
from faceattr.recipes.base import Recipe
from faceattr.recipes.frl import FRL_RECIPE, train_frl
from faceattr.recipes.paw import PAW_RECIPE, train_paw
from faceattr.recipes.students import STUDENTS, train_student
from faceattr.recipes.whole import MAJORITY, RESNET18, train_whole

#: Every method by its name on the command line.
METHODS: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (*STUDENTS, RESNET18, MAJORITY, FRL_RECIPE, PAW_RECIPE)
}


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


__all__ = [
    "METHODS",
    "Recipe",
    "recipe",
    "train_frl",
    "train_paw",
    "train_student",
    "train_whole",
]
