"""From what was noted to points in pixels, for many faces in a few array operations.

A point is a complex number ``x + iy`` here: to turn and enlarge is then one multiplication, to
move is one addition.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from faceattr.data.drawing.curves import Point, brush
from faceattr.data.drawing.sketch import Notes, Sketch

#: Where the head turns, in face units, and how deep it is.
CENTRE = (50.0, 47.0)
DEPTH = 17.0


@dataclass(frozen=True)
class Pose:
    """Where a face is on the canvas and how the head is held.

    Attributes:
        scale: pixels per face unit.
        x, y: pixels, where :data:`CENTRE` goes.
        roll, yaw, pitch: radians; roll turns the picture, yaw and pitch move what is near the
            viewer (nose, mouth, eyes) against the outline of the head.
    """

    scale: float
    x: float
    y: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


@dataclass
class Placed:
    """Every shape of some faces in its place.

    Attributes:
        points: ``(P, 2)`` float32, pixels, the points of one shape after those of another.
        starts, stops: of each shape, where its points are.
        order: the shapes in the order in which their points come.
    """

    points: np.ndarray
    starts: list[int]
    stops: list[int]
    order: np.ndarray

    def of(self, shape: int) -> np.ndarray:
        """The points of one shape, ``(n, 2)``."""
        return self.points[self.starts[shape] : self.stops[shape]]


def _complex(points: list[Point], columns: int) -> np.ndarray:
    """Points one after another as ``(K, columns)`` complex numbers."""
    flat = np.fromiter(chain.from_iterable(points), np.float64, 2 * len(points))
    return flat.view(np.complex128).reshape(-1, columns)


def _turned(points: np.ndarray, numbers: np.ndarray) -> None:
    """Turn heads and put them on the canvas, in place.

    Args:
        points: ``(K, n)`` complex, face units. numbers: ``(K, 5)`` complex, see :func:`place`.
    """
    spot, spin, turn, head, lift = numbers.T[..., None]  # (K, 1) each
    points -= complex(*CENTRE)
    x, y = points.real * head.real, points.imag * head.imag
    depth = 1 - x * x
    depth -= y * y
    np.maximum(depth, 0, out=depth)
    np.sqrt(depth, out=depth)
    depth *= DEPTH
    depth += lift.real
    points += depth * turn
    points *= spin
    points += spot


def place(notes: Notes, sketches: Sequence[Sketch], poses: Sequence[Pose]) -> Placed:
    """Move every shape to its place on a canvas.

    Args:
        notes: of all the sketches, which were made in this order, none between them.
        sketches, poses: one pose for each sketch.
    """
    faces = np.array(
        [
            (
                complex(pose.x, pose.y),
                cmath.rect(pose.scale, pose.roll),
                complex(math.sin(pose.yaw), math.sin(pose.pitch)),
                complex(1 / sketch.head[0], 1 / sketch.head[1]),
                0,
            )
            for sketch, pose in zip(sketches, poses, strict=True)
        ]
    )
    firsts = [sketch.first for sketch in sketches] + [len(notes.lifts)]
    numbers = np.repeat(faces, np.diff(firsts), axis=0)  # (shapes, 5)
    lifts = np.array(notes.lifts)
    flat = np.isnan(lifts)
    numbers[:, 4] = np.where(flat, 0, lifts)
    numbers[flat, 2] = 0

    blocks, order, counts = [], [], []
    for mixture, (shapes, controls) in notes.curves.items():
        wanted = _complex(controls, mixture.shares.shape[1])  # (K, k)
        wanted = mixture.shares @ wanted.view(np.float64).reshape(*wanted.shape, 2)  # (K, n, 2)
        blocks.append(wanted.view(np.complex128)[..., 0])
        order.append(shapes)
    for count, (shapes, controls, widths) in notes.strokes.items():
        widths = np.array(widths).reshape(-1, 3)
        blocks.append(brush(_complex(controls, 3), widths, count))
        order.append(shapes)
    for points, shapes in zip(blocks, order, strict=True):
        _turned(points, numbers[shapes])
        counts.append(np.full(len(shapes), points.shape[1]))

    order, counts = np.concatenate(order), np.concatenate(counts)
    placed = np.concatenate([points.ravel() for points in blocks])
    points = placed.astype(np.complex64).view(np.float32).reshape(-1, 2)
    starts, stops = np.empty_like(order), np.empty_like(order)
    stops[order] = np.cumsum(counts)
    starts[order] = stops[order] - counts
    return Placed(points, starts.tolist(), stops.tolist(), order)
