"""Where the tasks of a graph stand when it is drawn: on a circle, group by group.

The places depend on names and groups alone. So graphs that were learned in different ways can be
laid over each other, and a task stays where it is while edges come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, GROUPS
from faceattr.errors import DataError

#: A colour for each group; beside the colour, its members stand together.
COLOURS = (*theme.SERIES, "#7b4ea3", "#6b5a1e", "#7a7f87")


@dataclass(frozen=True)
class Circle:
    """Places of M tasks.

    Attributes:
        names: of the tasks.
        x, y: ``(M,)`` each, on a circle of radius 1; y grows upwards.
        angle: ``(M,)`` in degrees, counterclockwise from the right.
        group: ``(M,)`` number of each task's group.
        groups: their names; tasks that are in no group are in the last, ``other``.
    """

    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...]

    def colour(self, task: int) -> str:
        """Of the task's group."""
        return COLOURS[int(self.group[task]) % len(COLOURS)]


def circle(
    names: Sequence[str] = ATTRIBUTES, groups: Mapping[str, Sequence[str]] = GROUPS
) -> Circle:
    """Places of tasks, the groups one after the other from the top, clockwise, with gaps between.

    Args:
        names: of the tasks. groups: group to its members; names that are not there are passed over.

    Raises:
        DataError: fewer than two tasks, or two of one name.
    """
    names = tuple(names)
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"{len(names)} tasks, {len(set(names))} names: give two or more, each once")
    owner = {name: group for group, members in groups.items() for name in members}
    found = [g for g in groups if any(owner.get(name) == g for name in names)]
    found += ["other"] if any(name not in owner for name in names) else []
    number = np.array([found.index(owner.get(name, "other")) for name in names])
    order = np.argsort(number, kind="stable")
    gap = 0.6 if len(found) > 1 else 0.0  # in places
    at = np.empty(len(names))
    at[order] = np.arange(len(names)) + gap * number[order]
    turn = 360 * (at + 0.5) / (len(names) + gap * len(found))
    angle = 90 - turn
    x, y = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return Circle(names, x, y, angle % 360, number, tuple(found))


def as_matrix(graph: Tensor | np.ndarray, count: int, name: str) -> np.ndarray:
    """A graph's weights by size, ``(M, M)`` as a share of the largest, zero diagonal.

    Raises:
        DataError: a graph of other tasks, or weights that are not finite.
    """
    found = np.abs(np.asarray(graph, dtype=float))
    if found.shape != (count, count):
        raise DataError(f"graph {name!r} is {found.shape}, and there are {count} tasks")
    if not np.isfinite(found).all():
        raise DataError(f"graph {name!r} has weights that are not finite: learn it again")
    found = found * (1 - np.eye(count))
    return found / (found.max() or 1.0)
