"""Curves as point arrays: closed splines, brush strokes, ellipses. All in face units, ``(n, 2)``.

Face units: the aligned picture is 100 wide and 100 high, x to the right, y down.
"""

from __future__ import annotations

from functools import cache

import numpy as np

Points = np.ndarray


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
def _spline_weights(controls: int, steps: int, closed: bool) -> np.ndarray:
    """Matrix that turns ``controls`` control points into points of the spline through them."""
    local = _catmull(np.arange(steps) / steps)  # (steps, 4)
    segments = controls if closed else controls - 1
    weights = np.zeros((segments * steps + (0 if closed else 1), controls))
    for segment in range(segments):
        for k in range(4):
            at = segment + k - 1
            at = at % controls if closed else min(max(at, 0), controls - 1)
            weights[segment * steps : (segment + 1) * steps, at] += local[:, k]
    if not closed:
        weights[-1, -1] = 1
    return weights


def spline(controls, steps: int = 5, closed: bool = False) -> Points:
    """Smooth curve through the control points, open or closed."""
    controls = np.asarray(controls, dtype=np.float64)
    return _spline_weights(len(controls), steps, closed) @ controls  # (segments * steps, 2)


def path(x, y) -> Points:
    """Points from their x and y; either may be one number for all."""
    points = np.empty((len(x) if isinstance(x, np.ndarray) else len(y), 2))
    points[:, 0] = x
    points[:, 1] = y
    return points


def ring(upper: Points, lower: Points) -> Points:
    """Close a shape from two curves that run the same way: there on one, back on the other."""
    return np.concatenate([upper, lower[::-1]])


def bundle(starts: Points, bends: Points, ends: Points) -> np.ndarray:
    """Controls of K strokes, ``(K, 3, 2)``, from K starts, bends and ends."""
    return np.stack([starts, bends, ends], axis=1)


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 16) -> Points:
    """Points of an ellipse, clockwise on the screen from its right end."""
    cos, sin = _circle(count)
    return path(cos * rx + x, sin * ry + y)


@cache
def _circle(count: int) -> tuple[np.ndarray, np.ndarray]:
    angle = np.arange(count) * (2 * np.pi / count)
    return np.cos(angle), np.sin(angle)


def ovals(x, y, rx, ry, count: int = 12) -> np.ndarray:
    """K ellipses, each argument of length K; ``(K, count, 2)``."""
    x, y, rx, ry = np.array((x, y, rx, ry))[..., None]
    cos, sin = _circle(count)
    return np.stack([cos * rx + x, sin * ry + y], axis=-1)


def dots(x, y) -> np.ndarray:
    """K single points, ``(K, 1, 2)``."""
    return np.array((x, y)).T[:, None]


@cache
def _brush(count: int) -> tuple[np.ndarray, ...]:
    """Quadratic Bezier weights, weights of its derivative, a brush's half width, a wave's turn."""
    t = np.linspace(0, 1, count)
    place = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)
    slope = np.stack([2 * t - 2, 2 - 4 * t, 2 * t], axis=1)
    return place, slope, 0.5 * np.sin(np.pi * (0.06 + 0.88 * t)) ** 0.7, 3.2 * np.pi * t


def brush(controls, width, wave, phase, count: int = 7) -> np.ndarray:
    """Brush strokes along quadratic curves, thin at both ends.

    Args:
        controls: ``(K, 3, 2)``, start, bend and end of each stroke.
        width: ``(K,)`` of each stroke at its middle.
        wave: ``(K,)`` height of the waves that a stroke makes.
        phase: ``(K,)`` of the waves.
        count: points along a stroke.

    Returns:
        ``(K, 2 * count, 2)``, the outline of each stroke.
    """
    place, slope, half, turn = _brush(count)
    controls = np.asarray(controls, dtype=np.float64)
    wave, phase, width = (np.asarray(v)[:, None] for v in (wave, phase, width))
    middle, along = place @ controls, slope @ controls  # (K, count, 2)
    along /= np.hypot(along[..., 0], along[..., 1])[..., None] + 1e-9
    normal = along[..., ::-1] * (-1.0, 1.0)
    middle += normal * (wave * np.sin(turn + phase))[..., None]
    offset = normal * (width * half)[..., None]
    return np.concatenate([middle + offset, (middle - offset)[:, ::-1]], axis=1)


def mirrored(points: Points, axis: float = 50.0) -> Points:
    """The points on the other side of a vertical axis."""
    return path(2 * axis - points[:, 0], points[:, 1])
