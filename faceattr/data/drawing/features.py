"""Eyes, brows, nose and mouth."""

from __future__ import annotations

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import bundle, ellipse, path, ring, spline
from faceattr.data.drawing.sketch import CENTRE, Sketch

_X = float(CENTRE[0])
_LID = np.linspace(-1, 1, 9)
_LID_UPPER = (1 - _LID**2) ** 0.75
_LID_LOWER = (1 - _LID**2) ** 0.9
_LIPS = np.linspace(-1, 1, 13)
_LIPS_ROUND = (1 - _LIPS**2) ** 0.8
_SIDES = tuple((sign, np.array((sign, 1.0))) for sign in (-1, 1))
_BROW = np.interp(np.arange(16), [0, 2, 9, 15], [0.75, 1.0, 0.85, 0.2])
_BOW = _LIPS_ROUND * (1 - 0.42 * np.exp(-((_LIPS / 0.16) ** 2)))


def eyes(sketch: Sketch, t, skin) -> None:
    """Two eyes: shade of the lids, white, iris, lashes, crease, and what lies under them."""
    w, half, y = t.eye_width, t.eye_open, t.eye_y
    made = t.makeup
    hue = colours.hsv(0.62 + 0.45 * t.now["u_shadow_hue"], 0.55, 0.5)
    shadow = mix(shade(skin, 0.72), hue, 0.75)
    gaze = (0.5 * t.now["gaze_x"], 0.2 * t.now["gaze_y"])
    # The right eye about its own centre; the left one is its mirror image, but for the gaze.
    xs, tilt = _LID * w, _LID * (-0.25 - t.eye_tilt * w)
    upper, lower = tilt - _LID_UPPER * half, tilt + _LID_LOWER * half * 0.62
    edge = path(xs, upper)
    white = ring(edge, path(xs, lower))
    thick = 0.42 + 0.75 * made + (0.0 if t.a["Male"] else 0.18)
    lash = ring(edge + (0, 0.25), edge - path(0.35 * _LID, thick))
    lid = path(_LID * w * 1.12, 0.4 - _LID_UPPER * (half + 2.5))
    for sign, side in _SIDES:
        x = _X + sign * t.eye_x
        at = np.array((x, y))
        sketch.spot(x, y - 0.6, w * 1.35, 4.6, shade(skin, 0.70), 0.35)
        if made > 0.12:
            sketch.shape(lid + at, shadow, 0.0, min(0.8, 0.85 * made))
        if t.bags > 0.08:
            y_bag = y + half + 2.0
            sketch.spot(
                x, y_bag, w * 1.05, 2.7, mix(shade(skin, 0.55), (92, 58, 96), 0.35), 0.85 * t.bags
            )
            line = ((x - w * 0.85, y_bag - 0.5), (x, y_bag + 2.4), (x + w * 0.85, y_bag - 0.7))
            sketch.strokes([line], shade(skin, 0.5), 0.7, 0.0, min(0.8, 0.75 * t.bags))
        sketch.shape(white * side + at, (238, 234, 228))
        disc = ellipse(sign * gaze[0], gaze[1] - 0.25, 2.05, 2.05, 14)
        above, below = (np.interp(disc[:, 0], xs, lid_edge) for lid_edge in (upper, lower))
        disc[:, 1] = np.minimum(np.maximum(disc[:, 1], above), below)
        sketch.shape(disc * side + at, colours.iris(t))
        sketch.oval(x + gaze[0], y - 0.25 + gaze[1], 0.95, min(0.95, half * 0.8), (18, 14, 14))
        sketch.oval(x + 0.8, y - half * 0.42, 0.5, 0.45, (255, 255, 255))
        sketch.shape(lash * side + at, (30, 22, 22))
        if made > 0.3:  # liner flicked past the outer corner
            out = x + sign * w
            flick = (
                (out - sign, y - 0.5),
                (out + sign * 1.2, y - 0.8),
                (out + sign * 2.6, y - 2.4),
            )
            sketch.strokes([flick], (30, 22, 22), 1.0, 0.0, min(1.0, made))
        fold = ((x - w, y - half * 0.7), (x, y - half - 2.3), (x + w, y - half * 0.7))
        sketch.strokes([fold], shade(skin, 0.55), 0.45, 0.0, 0.7)
        sketch.part_oval("eyes", x, y - 0.3, w * 1.25, 3.6)
        sketch.part_oval("bags", x, y + half + 2.2, w * 1.15, 2.9)


def brows(sketch: Sketch, t) -> None:
    """Two brows, their arch and thickness graded; thick ones show single hairs."""
    colour = colours.natural(t)
    y, arch, thick = t.brow_y, t.brow_arch, t.brow_thick
    inner, peak, outer = t.eye_x - 4.9, t.eye_x + 1.6, t.eye_x + 5.2
    middle = (0.5 * (inner + peak), -0.1 - 0.5 * arch)
    line = spline([(inner, 0.25), middle, (peak, -arch), (outer, 0.9)])  # (16, 2)
    offset = path(0.0, thick * _BROW)
    brow = ring(line - offset, line + offset * 0.7)
    around = [(inner - 1, 2), (inner, -1.6), (peak, -3.6), (outer + 1, 0), (peak, 2)]
    around = spline(around, 3, True)
    roots = line[1:14:2]
    tips = roots + (0.7, -thick - 0.5)
    hairs = bundle(roots, 0.5 * (roots + tips), tips)
    at = np.array((_X, y))
    for _, side in _SIDES:
        sketch.shape(brow * side + at, colour, 0.6, 0.92)
        if thick > 1.3:
            sketch.strokes(hairs * side + at, colour, 0.5, 0.6, min(1.0, thick - 1.0))
        sketch.part("brows", around * side + at, 0.6)


def nose(sketch: Sketch, t, skin) -> None:
    """Bridge, tip and wings: width and length graded, the tip from round to pointed."""
    w, y, point = t.nose_width, t.nose_y, min(max(t.nose_point, -0.6), 1.6)
    dark, light = shade(skin, 0.66), mix(skin, (255, 250, 242), 0.55)
    side = 1 if np.cos(np.pi * (0.15 + 0.7 * t.now["u_light"])) > 0 else -1
    slim = 1.0 - 0.28 * max(point, 0.0)
    bridge = np.array(
        [
            (_X + side * 1.3, 45.5),
            (_X + side * 2.6, y - 6),
            (_X + side * w * slim, y),
            (_X + side * 0.7, y - 0.5),
        ]
    )
    sketch.shape(bridge, shade(skin, 0.80), 2.5, 0.75)
    ball = w * (0.78 - 0.26 * point)
    tip = y + 0.5 + 0.9 * point
    base = spline(
        [
            (_X - w * slim, y - 0.6),
            (_X - ball * 0.8, tip + 0.1),
            (_X, tip + 0.9 + 0.5 * point),
            (_X + ball * 0.8, tip + 0.1),
            (_X + w * slim, y - 0.6),
        ]
    )
    under = np.concatenate([base, [(_X + ball * 0.6, y - 0.9), (_X - ball * 0.6, y - 0.9)]])
    sketch.shape(under, shade(skin, 0.76), 3.0)
    sketch.spot(_X, y - 1.6 - 0.4 * point, max(1.0, ball * 0.85), 2.0, light, 0.8, 4.0)
    for sign in (-1, 1):
        hole = (_X + sign * w * 0.45 * slim, tip - 0.1, 0.42 + 0.11 * w, 0.55)
        sketch.oval(*hole, shade(skin, 0.36), 3.0)
        top, low = _X + sign * w * 0.9 * slim, _X + sign * w * 0.72 * slim
        wing = ((top, y - 2.6), (_X + sign * (w * slim + 1.1), y - 0.7), (low, y + 0.7))
        sketch.strokes([wing], dark, 0.8, 2.5)
    if point > 0.25:  # two edges that meet at the tip
        edges = [
            ((_X + s * 1.0, y - 6.5), (_X + s * 0.6, y - 2.5), (_X, tip + 1.2)) for s in (-1, 1)
        ]
        ridge = ((_X, y - 8), (_X, y - 4), (_X, tip - 0.5))
        sketch.strokes(edges, dark, 0.55, 4.0, min(0.8, 0.6 * point))
        sketch.strokes([ridge], light, 0.9, 4.0, min(0.9, 0.7 * point))
    bounds = spline(
        [
            (_X, y - 12),
            (_X + 3.0, y - 5),
            (_X + w + 1.2, y),
            (_X, y + 3),
            (_X - w - 1.2, y),
            (_X - 3.0, y - 5),
        ],
        3,
        True,
    )
    sketch.part("nose", bounds, 3.0)
    sketch.marks.append((_X, y - 0.5))


def mouth(sketch: Sketch, t, skin) -> None:
    """Lips, teeth where it is open, and the lines a smile makes."""
    w, y, smile, gap, lip = t.mouth_width, t.mouth_y, t.smile, t.open, t.lip
    x = _X + _LIPS * w
    middle = y + 0.5 * smile - smile * np.abs(_LIPS) ** 1.8 * 1.25
    top, low = middle - _LIPS_ROUND * gap * 0.45, middle + _LIPS_ROUND * gap * 1.15
    upper, lower = top - _BOW * lip * 0.95, low + _LIPS_ROUND * lip * 1.3
    bare = mix(shade(skin, 0.82), (176, 74, 74), 0.38)
    hue = t.who["lip_hue"]
    bright = colours.hsv(
        0.93 + 0.09 * ((hue + 0.5 * t.now["u_lip_hue"]) % 1), 0.82, 0.42 + 0.4 * t.now["u_lip_hue"]
    )
    colour = mix(bare, bright, t.lipstick)
    sketch.shape(ring(path(x, upper), path(x, lower)), colour, 1.0)
    sketch.shape(ring(path(x, upper), path(x, top)), shade(colour, 0.86), 1.0)
    if gap > 0.25:
        sketch.shape(ring(path(x, top), path(x, low + 0.12)), (74, 26, 30), 1.0)
        teeth = np.minimum(top + 0.35 + gap * 0.75, low)[2:-2]
        sketch.shape(ring(path(x[2:-2], top[2:-2]), path(x[2:-2], teeth)), (240, 236, 226), 1.0)
    else:
        seam = ring(path(x, middle - 0.25), path(x, middle + 0.3))
        sketch.shape(seam, shade(colour, 0.45), 1.0)
    if t.lipstick > 0.35:
        sketch.spot(
            _X - 1.0,
            y + 0.5 * smile + gap * 1.15 + lip * 0.6,
            2.6,
            0.9,
            (255, 225, 225),
            0.7 * t.lipstick,
            1.0,
        )
    if smile > 0.9:
        for s in (-1, 1):
            side = _X + s * w
            line = ((side + s * 0.4, y - 1.3 * smile), (side + s * 2.2, y - 0.6 * smile))
            line = (*line, (side + s * 1.2, y + 1.6))
            sketch.strokes([line], shade(skin, 0.6), 0.8, 0.5, min(0.8, 0.35 * smile))
    under = y + 4.2 + lip + gap
    line = ((_X - 3.4, under), (_X, under + 0.8), (_X + 3.4, under))
    sketch.strokes([line], shade(skin, 0.7), 1.0, 1.0, 0.6)
    sketch.part_oval("mouth", _X, y + 0.7, w + 1.8, 4.2 + 0.8 * lip, 1.0)
    corners = y + 0.5 * smile - 1.25 * smile
    sketch.marks += [(_X - w, corners), (_X + w, corners)]


def eye_marks(sketch: Sketch, t) -> None:
    """Centres of the two eyes, the first two landmarks."""
    sketch.marks += [(_X - t.eye_x, t.eye_y), (_X + t.eye_x, t.eye_y)]
