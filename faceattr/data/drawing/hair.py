"""Hair of the head: what hangs behind, what covers the skull, bangs, and a bald crown."""

from __future__ import annotations

import math

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import (
    Curve,
    arch,
    back,
    cut,
    join,
    mirrored,
    moved,
    points_of,
    polygon,
    spline,
    spread,
)
from faceattr.data.drawing.posing import CENTRE
from faceattr.data.drawing.sketch import Sketch

_X, _Y = CENTRE
_TURN = np.linspace(-1.72, 1.72, 31)  # round the skull from one ear over the crown to the other
_SIN, _COS = np.sin(_TURN), np.cos(_TURN)
_CROWN = arch(_SIN, _COS)
_RATE = 1.05 * np.arange(31)  # the turn of the waves that a crown makes, and its two parts
_UP, _ON = np.sin(_RATE), np.cos(_RATE)
_WAVY_CROWN = arch(_SIN, _COS, _UP * _SIN, _UP * _COS, _ON * _SIN, _ON * _COS)
_DOWN = [k / 15 for k in range(16)]

_FOREHEAD = spline(
    [(_X, 25), (_X + 15, 28), (_X + 17, 37), (_X, 40.5), (_X - 17, 37), (_X - 15, 28)], 3, True
)
_HAIRLINE = [(0, 21.5), (13, 23), (18.5, 36), (10, 35.5), (0, 33), (-10, 35.5), (-18.5, 36)]
_HAIRLINE = moved(spline([*_HAIRLINE, (-13, 23)], 3, True), _X, 0)


def _crown(t, grow: float) -> Curve:
    """The skull's upper contour, ``grow`` units outside it."""
    wide, high = t.temple + 0.72 * grow, t.height - 1.5 + grow
    return spread(_CROWN, (_X, _Y - 1.5), (wide, 0), (0, -high))


def _wavy_crown(t, grow: float, height: float, phase: float) -> Curve:
    """The same pushed out and in by waves, ``height * sin(rate + phase)`` at 28 units' distance."""
    wide, high = t.temple + 0.72 * grow, t.height - 1.5 + grow
    up, on = height / 28 * math.cos(phase), height / 28 * math.sin(phase)
    ways = [(k * way[0], k * way[1]) for k in (1, up, on) for way in ((wide, 0), (0, -high))]
    return spread(_WAVY_CROWN, (_X, _Y - 1.5), *ways)


def _bottom(t) -> float:
    """How far down the hair at the sides reaches."""
    return 47.5 if t.hair_length < 0.25 else min(58.0 + 13.5 * t.hair_length, 92.0)


def behind(sketch: Sketch, t) -> None:
    """Long hair behind head and neck."""
    if t.a["Bald"] or t.hair_length < 0.25:
        return
    colour, low, wave = colours.hair(t), _bottom(t), t.wave
    flare = _X + t.temple + 0.72 * t.hair_volume + 0.6 + 1.6 * wave
    rate, phase = (low - 38) * 0.42, 6.28 * t.now["u_phase"]
    side = []
    for k in _DOWN:
        ripple = 1.5 * math.sin(3 * k) + 1.9 * wave * math.sin(rate * k + phase)
        side.append((flare + ripple - 2.5 * k**3, 38 + (low - 38) * k))
    side = polygon(side)
    around = join(back(mirrored(side)), cut(_crown(t, t.hair_volume), 5, -5), side)
    sketch.shape(around, shade(colour, 0.66), -4.0)


def bald(sketch: Sketch, t, skin) -> None:
    """A bald crown: its gloss, and a fringe of hair at the sides."""
    colour = mix(colours.hair(t), skin, 0.15)
    gloss = mix(skin, (255, 252, 246), 0.7)
    sketch.spot(_X - 4, 25.5, 7.5, 3.4, gloss, 0.75)
    for sign in (-1, 1):
        x = _X + sign * t.temple
        patch = spline(
            [
                (x - sign * 1.6, 41),
                (x + sign * 0.9, 38),
                (x + sign * 2.4, 43),
                (x + sign * 1.8, 50),
                (x - sign * 0.4, 48),
            ],
            3,
            True,
        )
        sketch.shape(patch, colour, 0.0)


def _hairline(t) -> Curve:
    """Where hair ends on the forehead, from the right temple to the left."""
    peak = 30.6 - 4.6 * t.receding * 0.55
    corner = 33.2 - 8.6 * max(t.receding, -0.3) * 0.9
    side = 38.5 - 3.2 * max(t.receding, 0)
    low, w = 48.5, t.temple
    right = [(w - 0.4, low), (w - 1.7, side + 3), (0.86 * w, side - 1.5), (0.58 * w, corner)]
    middle = [
        (0.22 * w + 3 * t.part, peak + 0.2),
        (7 * t.part, peak - 0.8),
        (-0.22 * w + 3 * t.part, peak + 0.2),
    ]
    points = right + middle + [(-x, y) for x, y in reversed(right)]
    return moved(spline(points, 3), _X, 0)


def _strands(t) -> list[tuple]:
    """Strands on the crown that run from the parting to the sides."""
    reach, bare = 0.62 * t.hair_volume, max(t.receding, 0.0)
    parting, wide, high = _X + 7 * t.part, t.temple + reach - 1, t.height + reach - 2.5
    strands = []
    for k, sway in enumerate(t.texture[:7]):
        turn = 1.25 * (k / 3 - 1) + 0.05 * sway
        sin = math.sin(turn)
        (x, y), (u, v) = (
            (parting + 3 * sin, 26.0 - 4 * bare),
            (_X + wide * sin, _Y - 1 - high * math.cos(turn)),
        )
        bend = (0.5 * (x + u), 0.5 * (y + v) - 2.5 - 2 * abs(sin) - 3 * bare)
        strands.append(((x, y), bend, (u, v)))
    return strands


def _lock(sketch: Sketch, t, colour, sign: int) -> list[tuple]:
    """Long hair beside the face; returns strands to paint on it."""
    wave, low = t.wave, _bottom(t)
    rate, phase = (low - 36) * 0.42, 6.28 * t.now["u_phase"] + sign
    out, inner = t.temple + 0.72 * t.hair_volume + 0.9 * wave, t.temple - 0.6 - 0.5 * wave
    outer, inside = [], []
    for k in _DOWN:
        ripple = 1.7 * wave * math.sin(rate * k + phase)
        x = out * (1 + 0.05 * math.sin(3 * k)) + ripple
        outer.append((_X + sign * x, 36 + (low - 36) * k))
        x = out - (out - inner) * (1 - 0.35 * k * k) + 0.8 * ripple
        inside.append((_X + sign * x, 36 + (low - 38) * k))
    lock = sketch.shape(polygon(outer + inside[::-1]), colour, 0.0)
    sketch.part("hair", lock)
    beside = [_X + sign * (inner * k + out * (1 - k)) for k in (0.2, 0.5, 0.8)]
    return [((x, 37), (x, 0.5 * (37 + low)), (x, low - 3)) for x in beside]


def front(sketch: Sketch, t) -> None:
    """Hair over the skull and, where long, the locks that frame the face."""
    colour, phase = colours.hair(t), 6.28 * t.now["u_phase"]
    light, dark = mix(colour, (255, 244, 226), 0.30), shade(colour, 0.66)
    wave = t.wave
    crown = _wavy_crown(t, t.hair_volume, 0.55 * wave + 0.10, phase)
    sketch.shape(join(crown, _hairline(t)), colour, 0.4)
    strands = _strands(t)
    if t.hair_length >= 0.25:
        for sign in (-1, 1):
            strands += _lock(sketch, t, colour, sign)
    even = 0.55 + 0.5 * t.sleek
    ripple, strength = 0.95 * wave, min(0.85, 0.25 + 0.45 * max(wave, even))
    sketch.strokes(strands[::2], mix(colour, dark, strength), 0.8, 0.5, 1.0, ripple, phase)
    sketch.strokes(strands[1::2], mix(colour, light, strength), 0.8, 0.5, 1.0, ripple, phase)
    if t.sleek > 0.3:  # the band of gloss on straight hair
        y = 22.0 - 0.5 * t.hair_volume
        band = [((_X - 13, y + 5), (_X, y - 6.5), (_X + 13, y + 5))]
        gloss = mix(colour, (255, 250, 240), 0.6)
        sketch.strokes(band, gloss, 2.4, 0.6, min(0.7, 0.62 * t.sleek))
    if wave > 0.55:  # curls that leave the contour
        contour = cut(_crown(t, t.hair_volume - 0.5), 2, -2, 4)
        for k, (x, y) in enumerate(points_of(contour)):
            r = 1.4 + 0.9 * wave + 0.25 * t.texture[20 + k]
            sketch.oval(x, y, r, r, colour if k % 2 else shade(colour, 0.88), 0.2)


def bangs(sketch: Sketch, t) -> None:
    """Hair over the forehead, cut in strands."""
    if not t.a["Bangs"] or t.a["Bald"]:
        return
    colour = shade(colours.hair(t), 0.95)
    depth = 38.2 + 0.9 * t.now["fringe"]
    lean = 3.5 * (t.now["u_fringe"] - 0.5)
    wide = 0.86 * t.temple
    edge = []
    for k, longer in enumerate(t.texture[30:45]):
        place = k / 7 - 1
        y = depth - 0.9 * (k % 2) * (0.8 + 0.5 * longer) + 1.8 * place**2
        edge.append((_X + wide * place + lean, y))
    top = [(wide + 0.5, 33), (0.6 * wide, 26), (0, 24), (-0.6 * wide, 26), (-wide - 0.5, 33)]
    sketch.shape(join(polygon(edge), moved(spline(top), _X, 0)), colour, 0.8)
    roots = [wide * (1.5 * k / 7 - 0.75) for k in range(8)]
    lines = [((_X + x / 2, 26.0), (_X + x, 31.0), (_X + x + lean, depth - 0.3)) for x in roots]
    wave, phase = 0.5 * t.wave, 6.28 * t.now["u_phase"]
    light = mix(colour, (255, 244, 226), 0.17)
    sketch.strokes(lines[::2], shade(colour, 0.76), 0.6, 0.8, 1.0, wave, phase)
    sketch.strokes(lines[1::2], light, 0.6, 0.8, 1.0, wave, phase)


def parts(sketch: Sketch, t) -> None:
    """Outlines for the truth: all hair, the scalp, the forehead, the hairline."""
    sketch.part("hair", join(_crown(t, t.hair_volume), _hairline(t)), 0.4)
    w = t.temple
    brow = [(w, 40), (0.6 * w, 32.5), (0, 31), (-0.6 * w, 32.5), (-w, 40)]
    sketch.part("scalp", join(_crown(t, 1.0), moved(spline(brow), _X, 0)), 0.4)
    sketch.part("forehead", _FOREHEAD, 0.6)
    sketch.part("hairline", _HAIRLINE, 0.5)
