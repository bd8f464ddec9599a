"""From what was noted to points in pixels: all points of many faces in one go."""

from __future__ import annotations

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


def _array(points: list[Point], columns: int) -> np.ndarray:
    """Points one after another as ``(K, columns, 2)``."""
    flat = np.fromiter(chain.from_iterable(points), np.float64, 2 * len(points))
    return flat.reshape(-1, columns, 2)


def _drawn(notes: Notes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of all shapes in face units, ``(P, 2)``, those of a kind together.

    Returns:
        The points, the shapes in the order in which their points come, their counts of points.
    """
    blocks, order, counts = [], [], []
    for mixture, (shapes, controls) in notes.curves.items():
        count, columns = mixture.shares.shape
        blocks.append(mixture.shares @ _array(controls, columns))  # (K, n, 2)
        order += shapes
        counts += [count] * len(shapes)
    for count, (shapes, controls, numbers) in notes.strokes.items():
        blocks.append(brush(_array(controls, 3), np.array(numbers).reshape(-1, 3), count))
        order += shapes
        counts += [2 * count] * len(shapes)
    points = np.concatenate([block.reshape(-1, 2) for block in blocks])
    return points, np.array(order), np.array(counts)


def place(notes: Notes, sketches: Sequence[Sketch], poses: Sequence[Pose]) -> Placed:
    """Move every shape to its place on a canvas.

    Args:
        notes: of all the sketches, which were made in this order, none between them.
        sketches, poses: one pose for each sketch.
    """
    points, order, counts = _drawn(notes)
    stops = np.empty_like(order)
    stops[order] = np.cumsum(counts)
    starts = stops.copy()
    starts[order] -= counts

    faces = [
        (
            pose.x, pose.y, pose.scale * math.cos(pose.roll), pose.scale * math.sin(pose.roll),
            math.sin(pose.yaw), math.sin(pose.pitch), 1 / sketch.head[0], 1 / sketch.head[1],
        )
        for sketch, pose in zip(sketches, poses, strict=True)
    ]  # fmt: skip
    firsts = [sketch.first for sketch in sketches] + [len(notes.lifts)]
    lifts = np.array(notes.lifts, dtype=np.float32)
    of_shape = np.empty((9, len(lifts)), dtype=np.float32)
    of_shape[:8] = np.repeat(np.array(faces).T, np.diff(firsts), axis=1)
    of_shape[8] = np.nan_to_num(lifts)
    of_shape[4:6, np.isnan(lifts)] = 0  # what is flat does not turn with the head
    left, top, cos, sin, yaw, pitch, wide, high, lift = np.repeat(
        of_shape[:, order], counts, axis=1
    )

    x, y = (points - CENTRE).T.astype(np.float32)  # (P,) each
    depth = np.maximum(1 - (x * wide) ** 2 - (y * high) ** 2, 0)
    depth = DEPTH * np.sqrt(depth) + lift
    x += depth * yaw
    y += depth * pitch
    placed = np.empty((len(points), 2), dtype=np.float32)
    placed[:, 0] = cos * x - sin * y + left
    placed[:, 1] = sin * x + cos * y + top
    return Placed(placed, starts.tolist(), stops.tolist(), order)
