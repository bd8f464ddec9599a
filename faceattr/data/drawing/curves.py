"""Curves without points: a few control points, and the fixed shares that mix them into a curve.

A spline, an ellipse, an arch: every point of such a curve is a weighted mean of a few control
points, and the weights are the same for every face. So a curve is noted as a :class:`Mixture`
(made once) and its control points (a handful of plain numbers); the points of all curves of all
faces follow later from a few matrix products. Moving or mirroring a curve moves its controls.

Face units: the aligned picture is 100 wide and 100 high, x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

Point = tuple[float, float]


class Mixture:
    """How much of each of k control points is in each of n points of a curve.

    Attributes:
        shares: ``(n, k)``; every row sums to 1, so that a curve moves with its controls.
    """

    __slots__ = ("shares",)

    def __init__(self, shares: np.ndarray):
        self.shares = np.ascontiguousarray(shares, dtype=np.float64)


Curve = tuple[Mixture, Sequence[Point]]


def points_of(curve: Curve) -> list[list[float]]:
    """The points of one curve, for the few that are wanted before the face is posed."""
    mixture, controls = curve
    return (mixture.shares @ controls).tolist()


@cache
def _corners(count: int) -> Mixture:
    return Mixture(np.eye(count))


def polygon(points: Sequence[Point]) -> Curve:
    """The straight-edged curve through the points."""
    return _corners(len(points)), points


def _catmull(fractions: np.ndarray) -> np.ndarray:
    """Catmull-Rom weights of four neighbouring control points at each fraction, ``(n, 4)``."""
    t = fractions[:, None]
    return np.hstack(
        [
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        ]
    )


@cache
def spline_mixture(controls: int, steps: int, closed: bool) -> Mixture:
    """The shares of :func:`spline`."""
    local = _catmull(np.arange(steps) / steps)  # (steps, 4)
    segments = controls if closed else controls - 1
    shares = np.zeros((segments * steps + (0 if closed else 1), controls))
    for segment in range(segments):
        for k in range(4):
            at = segment + k - 1
            at = at % controls if closed else min(max(at, 0), controls - 1)
            shares[segment * steps : (segment + 1) * steps, at] += local[:, k]
    if not closed:
        shares[-1, -1] = 1
    return Mixture(shares)


def spline(controls: Sequence[Point], steps: int = 5, closed: bool = False) -> Curve:
    """Smooth curve through the control points, open or closed, ``steps`` points to a segment."""
    return spline_mixture(len(controls), steps, closed), controls


def arch(*columns: np.ndarray) -> Mixture:
    """Shares of a curve that starts from an origin and goes ``columns[i]`` of the way along i."""
    ways = np.stack(columns, axis=1)  # (n, k - 1)
    return Mixture(np.hstack([1 - ways.sum(axis=1, keepdims=True), ways]))


def spread(mixture: Mixture, origin: Point, *directions: Point) -> Curve:
    """The curve of an :func:`arch` from its origin and its directions."""
    x, y = origin
    return mixture, [origin, *[(x + dx, y + dy) for dx, dy in directions]]


@cache
def _circle(count: int) -> Mixture:
    angle = np.arange(count) * (2 * np.pi / count)
    return arch(np.cos(angle), np.sin(angle))


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 16) -> Curve:
    """An ellipse, clockwise on the screen from its right end."""
    return _circle(count), ((x, y), (x + rx, y), (x, y + ry))


@cache
def _joined(*mixtures: Mixture) -> Mixture:
    blocks = [mixture.shares for mixture in mixtures]
    rows, columns = np.cumsum([(0, 0), *(block.shape for block in blocks)], axis=0).T
    shares = np.zeros((rows[-1], columns[-1]))
    for k, block in enumerate(blocks):
        shares[rows[k] : rows[k + 1], columns[k] : columns[k + 1]] = block
    return Mixture(shares)


def join(*curves: Curve) -> Curve:
    """One curve from several, each going on where the one before it ended."""
    mixtures, controls = zip(*curves, strict=True)
    return _joined(*mixtures), [point for some in controls for point in some]


@cache
def rows(mixture: Mixture, start: int | None, stop: int | None, step: int | None) -> Mixture:
    """The shares of a part of a curve."""
    return Mixture(mixture.shares[start:stop:step])


def cut(curve: Curve, start: int | None, stop: int | None, step: int | None = None) -> Curve:
    """A part of a curve: the points that the slice ``start:stop:step`` takes."""
    mixture, controls = curve
    return rows(mixture, start, stop, step), controls


def back(curve: Curve) -> Curve:
    """The curve run from its end to its start."""
    mixture, controls = curve
    return rows(mixture, None, None, -1), controls


def ring(there: Curve, returning: Curve) -> Curve:
    """Close a shape from two curves that run the same way: there on one, back on the other."""
    return join(there, back(returning))


def moved(curve: Curve, x: float, y: float, wide: float = 1.0, high: float = 1.0) -> Curve:
    """The curve made so many times as wide and as high about (0, 0), then moved by (x, y)."""
    mixture, controls = curve
    return mixture, [(wide * u + x, high * v + y) for u, v in controls]


def mirrored(curve: Curve, axis: float = 50.0) -> Curve:
    """The curve on the other side of a vertical axis."""
    mixture, controls = curve
    return mixture, [(2 * axis - x, y) for x, y in controls]


def grown(curve: Curve, factor: float, centre: Point) -> Curve:
    """The curve made ``factor`` times as large about a centre."""
    x, y = centre
    return moved(curve, x - factor * x, y - factor * y, factor, factor)


@cache
def _brush(count: int) -> tuple[np.ndarray, ...]:
    """Quadratic Bezier weights, weights of its derivative, a brush's half width, a wave's turn."""
    t = np.linspace(0, 1, count)
    place = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)
    slope = np.stack([2 * t - 2, 2 - 4 * t, 2 * t], axis=1)
    return place, slope, 0.5 * np.sin(np.pi * (0.06 + 0.88 * t)) ** 0.7, 3.2 * np.pi * t


def brush(controls: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """Brush strokes along quadratic curves, thin at both ends.

    Args:
        controls: ``(K, 3, 2)``, start, bend and end of each stroke.
        numbers: ``(K, 3)`` of each stroke: width at its middle, height and phase of its waves.
        count: points along a stroke.

    Returns:
        ``(K, 2 * count, 2)``, the outline of each stroke.
    """
    place, slope, half, turn = _brush(count)
    width, wave, phase = numbers.T[..., None]  # (K, 1) each
    middle, along = place @ controls, slope @ controls  # (K, count, 2)
    along /= np.hypot(along[..., 0], along[..., 1])[..., None] + 1e-9
    normal = along[..., ::-1] * (-1.0, 1.0)
    if wave.any():
        middle += normal * (wave * np.sin(turn + phase))[..., None]
    normal *= (width * half)[..., None]
    return np.concatenate([middle + normal, (middle - normal)[:, ::-1]], axis=1)
