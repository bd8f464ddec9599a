"""Hair of the face: shadow, beard, mustache, goatee, sideburns."""

from __future__ import annotations

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import (
    Curve,
    back,
    join,
    mirrored,
    moved,
    polygon,
    ring,
    spline,
)
from faceattr.data.drawing.posing import CENTRE
from faceattr.data.drawing.sketch import Sketch

_X, _Y = CENTRE


def _jaw(t, inside: float, above: float) -> Curve:
    """A band along the jaw from ear to ear, ``inside`` units deep at the chin."""
    h = t.height
    outer = [
        (t.cheek - 0.4, 0.16 * h), (t.jaw - 0.1, 0.58 * h), (t.chin + 0.2, 0.93 * h), (0, h - 0.1),
    ]  # fmt: skip
    inner = [
        (0, h - inside), (t.chin * 0.95, 0.93 * h - inside * 0.8),
        (t.jaw - 0.55 * inside, 0.5 * h), (t.cheek - 2.4, above * h),
    ]  # fmt: skip
    outer, inner = spline(outer, 3), spline(inner, 3)  # ear to chin, chin to ear
    band = join(outer, back(mirrored(outer, 0)), back(mirrored(inner, 0)), inner)
    return moved(band, _X, _Y)


def shadow(sketch: Sketch, t, skin) -> None:
    """Five o'clock shadow: a cool glaze over jaw, chin and upper lip."""
    tint = mix(shade(skin, 0.48), (66, 74, 88), 0.45)
    band = _jaw(t, 10.0, 0.02)
    lip = _upper_lip(t, 1.0)
    if t.shadow > 0.04:
        sketch.shape(moved(band, 0, 0.3), tint, 0.2, 0.8 * t.shadow)
        sketch.shape(lip, tint, 1.0, 0.7 * t.shadow)
        dark, low = shade(tint, 0.7), _Y + 0.82 * t.height
        for k in range(int(16 * min(1.0, 2 * t.shadow))):
            x, y = _X + 6.5 * t.texture[2 * k], low + 1.6 * t.texture[2 * k + 1]
            dot = polygon([(x, y), (x + 0.6, y), (x + 0.3, y + 0.7)])
            sketch.shape(dot, dark, 0.2, 0.6)
    sketch.part("jaw", band, 0.2)
    sketch.part("upper_lip", lip, 1.0)


def _upper_lip(t, size: float) -> Curve:
    """The patch between nose and mouth where a mustache grows."""
    top, low = t.nose_y + 2.0, t.mouth_y - t.lip * 0.6
    w = (t.mouth_width - 1.6 * (t.smile > 1)) * size + 0.6
    drop = 1.2 - 0.6 * t.smile
    right = [
        (_X, top), (_X + w * 0.55, top + 0.4), (_X + w, low + drop - 0.8),
        (_X + w * 0.85, low + drop + 0.8), (_X + w * 0.4, low), (_X, low - 0.4),
    ]  # fmt: skip
    half = spline(right)
    return ring(half, mirrored(half))


def beard(sketch: Sketch, t) -> None:
    """Beard, mustache, goatee and sideburns, each by its own attribute alone."""
    colour = colours.natural(t)
    h, sway = t.height, t.texture[80:96]
    if t.beard:
        edge = _jaw(t, 7.5, -0.02)
        sketch.shape(edge, colour, 0.3, min(0.9, t.beard))
        hairs = []
        for k, bent in enumerate(sway):
            root = -0.85 + 1.7 * k / 15
            x, y = _X + root * t.jaw, _Y + h * (1.0 - 0.36 * root**2) - 1.2
            hairs.append(((x, y - 3), (x, y), (x + 0.5 * bent, y + 2.2 + 0.5 * bent)))
        sketch.strokes(hairs, shade(colour, 0.8), 1.2, 0.3, min(0.8, t.beard))
    if t.goatee:
        y = t.mouth_y + 3.2 + t.lip + t.open * 1.1
        low, w = _Y + h + 1.8, t.chin
        right = [
            (_X, y), (_X + 3.0, y + 0.4), (_X + 0.95 * w, y + 3.5), (_X + 0.7 * w, low - 2),
            (_X, low),
        ]  # fmt: skip
        half = spline(right)
        sketch.shape(ring(half, mirrored(half)), colour, 0.5, min(1.0, t.goatee))
        hairs = []
        for k in range(5):
            beside = (0.25 * k - 0.5) * w
            tip = (_X + beside + 0.4 * sway[k], low + 0.9 - 0.3 * abs(beside))
            hairs.append(((_X + beside, y + 2), (_X + beside, low - 3), tip))
        sketch.strokes(hairs, shade(colour, 1.5), 0.7, 0.5, 0.6)
    if t.mustache:
        patch = _upper_lip(t, 0.95)
        sketch.shape(patch, colour, 1.2, min(1.0, t.mustache))
        y = t.nose_y + 2.6
        hairs = [
            ((_X + s, y), (_X + s * 4, y + 0.6), (_X + s * 6.4, t.mouth_y - 0.6)) for s in (-1, 1)
        ]
        sketch.strokes(hairs, shade(colour, 1.6), 0.6, 1.2, 0.6)
    strip = [(0.0, 39.0), (-3.0, 40.0), (-2.8, 54), (-1.2, 58.5), (0.6, 56)]  # out from the temple
    wide = [(1.6 * x + 0.768, 1.1 * y - 4.95) for x, y in strip]  # about its middle
    for sign in (-1, 1):
        x = _X + sign * (t.temple - 0.2)
        if t.sideburns:
            sketch.shape(moved(polygon(strip), x, 0, sign), colour, 0.2, min(1.0, t.sideburns))
        sketch.part("sideburns", moved(polygon(wide), x, 0, sign), 0.2)
    sketch.part_oval("chin", _X, _Y + h - 4.0, t.chin + 1.6, 6.4, 0.5)
