"""Hair of the head: what hangs behind, what covers the skull, bangs, and a bald crown."""

from __future__ import annotations

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import bundle, mirrored, path, ring, spline
from faceattr.data.drawing.sketch import CENTRE, MIDDLE, Sketch

_X, _Y = CENTRE.tolist()
_TURN = np.linspace(-1.72, 1.72, 31)  # round the skull from one ear over the crown to the other
_SIN, _COS = np.sin(_TURN), np.cos(_TURN)
_DOWN = np.linspace(0, 1, 16)
_SPREAD = np.linspace(-1.25, 1.25, 7)  # strands on the crown
_ACROSS = np.array((0.2, 0.5, 0.8))  # strands in a lock


def _wavy(points: np.ndarray, height: float, phase: float, rate: float) -> np.ndarray:
    """Push a contour in and out sideways in waves."""
    wave = height * np.sin(np.arange(len(points)) * rate + phase)
    return points + (points - CENTRE) * (wave / 28)[:, None]


def _crown(t, grow: float) -> np.ndarray:
    """The skull's upper contour, ``grow`` units outside it."""
    return path(
        _X + (t.temple + 0.72 * grow) * _SIN,
        _Y - 1.5 - (t.height - 1.5 + grow) * _COS,
    )


def _bottom(t) -> float:
    """How far down the hair at the sides reaches."""
    return 47.5 if t.hair_length < 0.25 else min(58.0 + 13.5 * t.hair_length, 92.0)


def behind(sketch: Sketch, t) -> None:
    """Long hair behind head and neck."""
    if t.a["Bald"] or t.hair_length < 0.25:
        return
    colour, low, wave = colours.hair(t), _bottom(t), t.wave
    flare = t.temple + 0.72 * t.hair_volume + 0.6 + 1.6 * wave
    side = path(flare + 1.5 * np.sin(_DOWN * 3) - 2.5 * _DOWN**3, 38 + (low - 38) * _DOWN)
    side[:, 0] += 1.9 * wave * np.sin(_DOWN * (low - 38) * 0.42 + 6.28 * t.now["u_phase"])
    side = side + MIDDLE
    around = np.concatenate([mirrored(side)[::-1], _crown(t, t.hair_volume)[5:-5], side])
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


def _hairline(t) -> np.ndarray:
    """Where hair ends on the forehead, from the right temple to the left; noted in ``t``."""
    if hasattr(t, "hair_edge"):
        return t.hair_edge
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
    t.hair_edge = spline(points, 3) + MIDDLE
    return t.hair_edge


def _strands(t) -> np.ndarray:
    """Strands on the crown that run from the parting to the sides."""
    spread = _SPREAD + 0.05 * t.texture[:7]
    root = path(_X + 7 * t.part + 3 * np.sin(spread), 26.0 - 4 * max(t.receding, 0.0))
    reach = 0.62 * t.hair_volume
    tip = path(
        _X + (t.temple + reach - 1) * np.sin(spread),
        _Y - 1 - (t.height + reach - 2.5) * np.cos(spread),
    )
    bend = 0.5 * (root + tip) - path(
        0.0, 2.5 + 2 * np.abs(np.sin(spread)) + 3 * max(t.receding, 0.0)
    )
    return bundle(root, bend, tip)  # (7, 3, 2)


def front(sketch: Sketch, t) -> None:
    """Hair over the skull and, where long, the locks that frame the face."""
    colour, phase = colours.hair(t), 6.28 * t.now["u_phase"]
    light, dark = mix(colour, (255, 244, 226), 0.30), shade(colour, 0.66)
    low, wave = _bottom(t), t.wave
    crown = _wavy(_crown(t, t.hair_volume), 0.55 * wave + 0.10, phase, 1.05)
    sketch.shape(np.concatenate([crown, _hairline(t)]), colour, 0.4)
    lengths = [_strands(t)]
    if t.hair_length >= 0.25:
        for sign in (-1, 1):
            out = t.temple + 0.72 * t.hair_volume + 0.9 * wave
            inner = t.temple - 0.6 - 0.5 * wave
            ripple = 1.7 * wave * np.sin(_DOWN * (low - 36) * 0.42 + phase + sign)
            taper = 1 - 0.35 * _DOWN**2
            outer = path(out * (1 + 0.05 * np.sin(3 * _DOWN)) + ripple, 36 + (low - 36) * _DOWN)
            inside = path(out - (out - inner) * taper + 0.8 * ripple, 36 + (low - 38) * _DOWN)
            lock = ring(outer, inside) * (sign, 1) + MIDDLE
            sketch.shape(lock, colour, 0.0)
            sketch.part("hair", lock, 0.0)
            x = inner * _ACROSS + out * (1 - _ACROSS)
            run = bundle(path(x, 37), path(x, 0.5 * (37 + low)), path(x, low - 3))
            lengths.append(run * (sign, 1) + MIDDLE)
    strand = np.concatenate(lengths)
    even = 0.55 + 0.5 * t.sleek
    ripple, strength = 0.95 * wave, min(0.85, 0.25 + 0.45 * max(wave, even))
    sketch.strokes(strand[::2], mix(colour, dark, strength), 0.8, 0.5, 1.0, ripple, phase)
    sketch.strokes(strand[1::2], mix(colour, light, strength), 0.8, 0.5, 1.0, ripple, phase)
    if t.sleek > 0.3:  # the band of gloss on straight hair
        y = 22.0 - 0.5 * t.hair_volume
        band = [((_X - 13, y + 5), (_X, y - 6.5), (_X + 13, y + 5))]
        gloss = mix(colour, (255, 250, 240), 0.6)
        sketch.strokes(band, gloss, 2.4, 0.6, min(0.7, 0.62 * t.sleek))
    if wave > 0.55:  # curls that leave the contour
        at = _crown(t, t.hair_volume - 0.5)[2:-2:4]
        for k, (x, y) in enumerate(at):
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
    x = np.linspace(-wide, wide, 15)
    y = depth - 0.9 * (np.arange(15) % 2) * (0.8 + 0.5 * t.texture[30:45]) + 1.8 * (x / wide) ** 2
    edge = path(x + lean, y) + MIDDLE
    top = (
        spline([(wide + 0.5, 33), (0.6 * wide, 26), (0, 24), (-0.6 * wide, 26), (-wide - 0.5, 33)])
        + MIDDLE
    )
    sketch.shape(np.concatenate([edge, top]), colour, 0.8)
    roots = np.linspace(-0.75, 0.75, 8) * wide + _X
    lines = bundle(path((roots + _X) / 2, 26.0), path(roots, 31.0), path(roots + lean, depth - 0.3))
    wave, phase = 0.5 * t.wave, 6.28 * t.now["u_phase"]
    light = mix(colour, (255, 244, 226), 0.17)
    sketch.strokes(lines[::2], shade(colour, 0.76), 0.6, 0.8, 1.0, wave, phase)
    sketch.strokes(lines[1::2], light, 0.6, 0.8, 1.0, wave, phase)


def parts(sketch: Sketch, t) -> None:
    """Outlines for the truth: all hair, the scalp, the forehead, the hairline."""
    crown = _crown(t, t.hair_volume)
    line = _hairline(t)
    sketch.part("hair", np.concatenate([crown, line]), 0.4)
    scalp = np.concatenate(
        [
            _crown(t, 1.0),
            spline(
                [
                    (t.temple, 40),
                    (0.6 * t.temple, 32.5),
                    (0, 31),
                    (-0.6 * t.temple, 32.5),
                    (-t.temple, 40),
                ]
            )
            + MIDDLE,
        ]
    )
    sketch.part("scalp", scalp, 0.4)
    sketch.part(
        "forehead",
        spline(
            [(_X, 25), (_X + 15, 28), (_X + 17, 37), (_X, 40.5), (_X - 17, 37), (_X - 15, 28)],
            3,
            True,
        ),
        0.6,
    )
    sketch.part(
        "hairline",
        spline(
            [
                (_X, 21.5),
                (_X + 13, 23),
                (_X + 18.5, 36),
                (_X + 10, 35.5),
                (_X, 33),
                (_X - 10, 35.5),
                (_X - 18.5, 36),
                (_X - 13, 23),
            ],
            3,
            True,
        ),
        0.5,
    )
