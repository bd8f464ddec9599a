"""Hair of the face: shadow, beard, mustache, goatee, sideburns."""

from __future__ import annotations

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import bundle, mirrored, path, ring, spline
from faceattr.data.drawing.sketch import CENTRE, MIDDLE, Sketch

_X, _Y = CENTRE.tolist()


def _jaw(t, inside: float, above: float) -> np.ndarray:
    """A band along the jaw from ear to ear, ``inside`` units deep at the chin."""
    h = t.height
    outer = [
        (t.cheek - 0.4, 0.16 * h), (t.jaw - 0.1, 0.58 * h), (t.chin + 0.2, 0.93 * h), (0, h - 0.1),
    ]  # fmt: skip
    inner = [
        (0, h - inside), (t.chin * 0.95, 0.93 * h - inside * 0.8),
        (t.jaw - 0.55 * inside, 0.5 * h), (t.cheek - 2.4, above * h),
    ]  # fmt: skip
    outer, inner = spline(outer, 3) + CENTRE, spline(inner, 3) + CENTRE  # ear to chin, chin to ear
    return np.concatenate([outer, mirrored(outer)[::-1], mirrored(inner)[::-1], inner])


def shadow(sketch: Sketch, t, skin) -> None:
    """Five o'clock shadow: a cool glaze over jaw, chin and upper lip."""
    tint = mix(shade(skin, 0.48), (66, 74, 88), 0.45)
    band = _jaw(t, 10.0, 0.02)
    lip = _upper_lip(t, 1.0)
    if t.shadow > 0.04:
        sketch.shape(band + (0, 0.3), tint, 0.2, 0.8 * t.shadow)
        sketch.shape(lip, tint, 1.0, 0.7 * t.shadow)
        dots = t.texture[:32].reshape(16, 2) * (6.5, 1.6) + (_X, _Y + 0.82 * t.height)
        for x, y in dots[: int(16 * min(1.0, 2 * t.shadow))].tolist():
            sketch.shape(
                np.array([(x, y), (x + 0.6, y), (x + 0.3, y + 0.7)]), shade(tint, 0.7), 0.2, 0.6
            )
    sketch.part("jaw", band, 0.2)
    sketch.part("upper_lip", lip, 1.0)


def _upper_lip(t, size: float) -> np.ndarray:
    """The patch between nose and mouth where a mustache grows."""
    top, low = t.nose_y + 2.0, t.mouth_y - t.lip * 0.6
    w = (t.mouth_width - 1.6 * (t.smile > 1)) * size + 0.6
    drop = 1.2 - 0.6 * t.smile
    right = [
        (0, top), (w * 0.55, top + 0.4), (w, low + drop - 0.8), (w * 0.85, low + drop + 0.8),
        (w * 0.4, low), (0, low - 0.4),
    ]  # fmt: skip
    half = spline(right) + MIDDLE
    return ring(half, mirrored(half))


def beard(sketch: Sketch, t) -> None:
    """Beard, mustache, goatee and sideburns, each by its own attribute alone."""
    colour = colours.natural(t)
    h, sway = t.height, t.texture[80:96]
    if t.beard:
        edge = _jaw(t, 7.5, -0.02)
        sketch.shape(edge, colour, 0.3, min(0.9, t.beard))
        roots = np.linspace(-0.85, 0.85, 16)
        x = _X + roots * t.jaw
        y = _Y + h * (1.0 - 0.36 * roots**2) - 1.2
        tips = path(x + 0.5 * sway, y + 2.2 + 0.5 * sway)
        hairs = bundle(path(x, y - 3), path(x, y), tips)
        sketch.strokes(hairs, shade(colour, 0.8), 1.2, 0.3, min(0.8, t.beard))
    if t.goatee:
        y = t.mouth_y + 3.2 + t.lip + t.open * 1.1
        low = _Y + h + 1.8
        half = (
            spline(
                [
                    (0, y),
                    (3.0, y + 0.4),
                    (t.chin * 0.95, y + 3.5),
                    (t.chin * 0.7, low - 2),
                    (0, low),
                ]
            )
            + MIDDLE
        )
        sketch.shape(ring(half, mirrored(half)), colour, 0.5, min(1.0, t.goatee))
        x = _X + np.linspace(-0.5, 0.5, 5) * t.chin
        tips = path(x + 0.4 * sway[:5], low + 0.9 - abs(x - _X) * 0.3)
        hairs = bundle(path(x, y + 2), path(x, low - 3), tips)
        sketch.strokes(hairs, shade(colour, 1.5), 0.7, 0.5, 0.6)
    if t.mustache:
        patch = _upper_lip(t, 0.95)
        sketch.shape(patch, colour, 1.2, min(1.0, t.mustache))
        y = t.nose_y + 2.6
        hairs = [
            ((_X + s, y), (_X + s * 4, y + 0.6), (_X + s * 6.4, t.mouth_y - 0.6)) for s in (-1, 1)
        ]
        sketch.strokes(hairs, shade(colour, 1.6), 0.6, 1.2, 0.6)
    for sign in (-1, 1):
        x = _X + sign * (t.temple - 0.2)
        strip = np.array(
            [
                (x, 39.0),
                (x - sign * 3.0, 40.0),
                (x - sign * 2.8, 54),
                (x - sign * 1.2, 58.5),
                (x + sign * 0.6, 56),
            ]
        )
        if t.sideburns:
            sketch.shape(strip, colour, 0.2, min(1.0, t.sideburns))
        middle = strip.mean(axis=0)
        sketch.part("sideburns", middle + (strip - middle) * (1.6, 1.1), 0.2)
    sketch.part_oval("chin", _X, _Y + h - 4.0, t.chin + 1.6, 6.4, 0.5)
