"""Eyes, brows, nose and mouth."""

from __future__ import annotations

import math

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import (
    Curve,
    Mixture,
    arch,
    cut,
    join,
    moved,
    points_of,
    polygon,
    ring,
    spline,
    spline_mixture,
    spread,
)
from faceattr.data.drawing.posing import CENTRE
from faceattr.data.drawing.sketch import Sketch

_X = CENTRE[0]
_LID = np.linspace(-1, 1, 9)
_UPPER_LID, _LOWER_LID = (arch(_LID, (1 - _LID**2) ** power) for power in (0.75, 0.9))
_ROUND = [(math.cos(k * math.pi / 7), math.sin(k * math.pi / 7)) for k in range(14)]

#: A spline through four points that a fifth lifts, more at its inner end than at the outer.
_BROW = spline_mixture(4, 5, False).shares
_THICK = np.interp(np.arange(16), [0, 2, 9, 15], [0.75, 1.0, 0.85, 0.2])[:, None]
_BROW = Mixture(np.hstack([_BROW - _THICK * (1, 0, 0, 0), _THICK]))

_LIPS = np.linspace(-1, 1, 13)
_ROUNDED = (1 - _LIPS**2) ** 0.8
_BOW = _ROUNDED * (1 - 0.42 * np.exp(-((_LIPS / 0.16) ** 2)))
#: An edge of a lip: along the mouth, the bend of a smile, how far it is open, how full it is.
_UPPER_LIP, _LOWER_LIP = (arch(_LIPS, np.abs(_LIPS) ** 1.8, _ROUNDED, f) for f in (_BOW, _ROUNDED))


def _iris(x: float, y: float, across: tuple[float, float], half: float, gaze) -> Curve:
    """The round of an iris as far as the lids leave it to be seen; ``gaze`` off the middle."""
    w, tilt = across
    points = []
    for cos, sin in _ROUND:
        u = (gaze[0] + 2.05 * cos) / w
        level, arched = u * tilt, 1 - u * u
        top, low = level - half * arched**0.75, level + 0.62 * half * arched**0.9
        points.append((x + u * w, y + min(max(gaze[1] - 0.25 + 2.05 * sin, top), low)))
    return polygon(points)


def eyes(sketch: Sketch, t, skin) -> None:
    """Two eyes: shade of the lids, white, iris, lashes, crease, and what lies under them."""
    w, half, y = t.eye_width, t.eye_open, t.eye_y
    made = t.makeup
    hue = colours.hsv(0.62 + 0.45 * t.now["u_shadow_hue"], 0.55, 0.5)
    shadow = mix(shade(skin, 0.72), hue, 0.75)
    hollow, crease, dark = shade(skin, 0.70), shade(skin, 0.55), shade(skin, 0.5)
    iris, bag = colours.iris(t), mix(crease, (92, 58, 96), 0.35)
    gaze = (0.5 * t.now["gaze_x"], 0.2 * t.now["gaze_y"])
    tilt = -0.25 - t.eye_tilt * w
    thick = 0.42 + 0.75 * made + (0.0 if t.a["Male"] else 0.18)
    for sign in (-1, 1):
        x = _X + sign * t.eye_x
        across = (sign * w, tilt)  # from the middle to the outer corner
        upper = spread(_UPPER_LID, (x, y), across, (0, -half))
        lower = spread(_LOWER_LID, (x, y), across, (0, 0.62 * half))
        lash = spread(_UPPER_LID, (x, y - thick), (sign * (w - 0.35), tilt), (0, -half))
        sketch.spot(x, y - 0.6, w * 1.35, 4.6, hollow, 0.35)
        if made > 0.12:
            lid = spread(_UPPER_LID, (x, y + 0.4), (sign * w * 1.12, 0), (0, -half - 2.5))
            sketch.shape(lid, shadow, 0.0, min(0.8, 0.85 * made))
        if t.bags > 0.08:
            y_bag = y + half + 2.0
            sketch.spot(x, y_bag, w * 1.05, 2.7, bag, 0.85 * t.bags)
            line = ((x - w * 0.85, y_bag - 0.5), (x, y_bag + 2.4), (x + w * 0.85, y_bag - 0.7))
            sketch.strokes([line], dark, 0.7, 0.0, min(0.8, 0.75 * t.bags))
        sketch.shape(ring(upper, lower), (238, 234, 228))
        sketch.shape(_iris(x, y, across, half, gaze), iris)
        sketch.oval(x + gaze[0], y - 0.25 + gaze[1], 0.95, min(0.95, half * 0.8), (18, 14, 14))
        sketch.oval(x + 0.8, y - half * 0.42, 0.5, 0.45, (255, 255, 255))
        sketch.shape(ring(moved(upper, 0, 0.25), lash), (30, 22, 22))
        if made > 0.3:  # liner flicked past the outer corner
            out = x + sign * w
            flick = (
                (out - sign, y - 0.5),
                (out + sign * 1.2, y - 0.8),
                (out + sign * 2.6, y - 2.4),
            )
            sketch.strokes([flick], (30, 22, 22), 1.0, 0.0, min(1.0, made))
        fold = ((x - w, y - half * 0.7), (x, y - half - 2.3), (x + w, y - half * 0.7))
        sketch.strokes([fold], crease, 0.45, 0.0, 0.7)
        sketch.part_oval("eyes", x, y - 0.3, w * 1.25, 3.6)
        sketch.part_oval("bags", x, y + half + 2.2, w * 1.15, 2.9)


def brows(sketch: Sketch, t) -> None:
    """Two brows, their arch and thickness graded; thick ones show single hairs."""
    colour = colours.natural(t)
    y, high, thick = t.brow_y, t.brow_arch, t.brow_thick
    inner, peak, outer = t.eye_x - 4.9, t.eye_x + 1.6, t.eye_x + 5.2
    line = [(inner, 0.25), (0.5 * (inner + peak), -0.1 - 0.5 * high), (peak, -high), (outer, 0.9)]
    upper, lower = ((_BROW, [*line, (inner, 0.25 + k * thick)]) for k in (-1, 0.7))
    brow = ring(upper, lower)
    around = [(inner - 1, 2), (inner, -1.6), (peak, -3.6), (outer + 1, 0), (peak, 2)]
    around = spline(around, 3, True)
    hairs = []
    if thick > 1.3:
        for u, v in points_of(cut(spline(line), 1, 14, 2)):
            hairs.append(((u, v), (u + 0.35, v - 0.5 * (thick + 0.5)), (u + 0.7, v - thick - 0.5)))
    for sign in (-1, 1):
        sketch.shape(moved(brow, _X, y, sign), colour, 0.6, 0.92)
        if hairs:
            beside = [[(_X + sign * u, y + v) for u, v in hair] for hair in hairs]
            sketch.strokes(beside, colour, 0.5, 0.6, min(1.0, thick - 1.0))
        sketch.part("brows", moved(around, _X, y, sign), 0.6)


def nose(sketch: Sketch, t, skin) -> None:
    """Bridge, tip and wings: width and length graded, the tip from round to pointed."""
    w, y, point = t.nose_width, t.nose_y, min(max(t.nose_point, -0.6), 1.6)
    dark, light = shade(skin, 0.66), mix(skin, (255, 250, 242), 0.55)
    side = 1 if math.cos(math.pi * (0.15 + 0.7 * t.now["u_light"])) > 0 else -1
    slim = 1.0 - 0.28 * max(point, 0.0)
    bridge = [
        (_X + side * 1.3, 45.5),
        (_X + side * 2.6, y - 6),
        (_X + side * w * slim, y),
        (_X + side * 0.7, y - 0.5),
    ]
    sketch.shape(polygon(bridge), shade(skin, 0.80), 2.5, 0.75)
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
    under = join(base, polygon([(_X + ball * 0.6, y - 0.9), (_X - ball * 0.6, y - 0.9)]))
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
    right, left = _X + w + 1.2, _X - w - 1.2
    bounds = [(_X, y - 12), (_X + 3, y - 5), (right, y), (_X, y + 3), (left, y), (_X - 3, y - 5)]
    sketch.part("nose", spline(bounds, 3, True), 3.0)
    sketch.marks.append((_X, y - 0.5))


def mouth(sketch: Sketch, t, skin) -> None:
    """Lips, teeth where it is open, and the lines a smile makes."""
    w, y, smile, gap, lip = t.mouth_width, t.mouth_y, t.smile, t.open, t.lip
    middle, along, bend = (_X, y + 0.5 * smile), (w, 0), (0, -1.25 * smile)
    above, below = (0, -0.45 * gap), (0, 1.15 * gap)
    upper = spread(_UPPER_LIP, middle, along, bend, above, (0, -0.95 * lip))
    top = spread(_UPPER_LIP, middle, along, bend, above, (0, 0))
    lower = spread(_LOWER_LIP, middle, along, bend, below, (0, 1.3 * lip))
    bare = mix(shade(skin, 0.82), (176, 74, 74), 0.38)
    hue = t.who["lip_hue"]
    bright = colours.hsv(
        0.93 + 0.09 * ((hue + 0.5 * t.now["u_lip_hue"]) % 1), 0.82, 0.42 + 0.4 * t.now["u_lip_hue"]
    )
    colour = mix(bare, bright, t.lipstick)
    sketch.shape(ring(upper, lower), colour, 1.0)
    sketch.shape(ring(upper, top), shade(colour, 0.86), 1.0)
    if gap > 0.25:
        low = spread(_LOWER_LIP, middle, along, bend, below, (0, 0))
        sketch.shape(ring(top, moved(low, 0, 0.12)), (74, 26, 30), 1.0)
        inside, open_to = cut(top, 2, -2), points_of(cut(low, 2, -2))
        teeth = [
            (x, min(v + 0.35 + 0.75 * gap, end))
            for (x, v), (_, end) in zip(points_of(inside), open_to, strict=True)
        ]
        sketch.shape(ring(inside, polygon(teeth)), (240, 236, 226), 1.0)
    else:
        seam = spread(_UPPER_LIP, middle, along, bend, (0, 0), (0, 0))
        seam = ring(moved(seam, 0, -0.25), moved(seam, 0, 0.3))
        sketch.shape(seam, shade(colour, 0.45), 1.0)
    if t.lipstick > 0.35:
        gloss = y + 0.5 * smile + gap * 1.15 + lip * 0.6
        sketch.spot(_X - 1.0, gloss, 2.6, 0.9, (255, 225, 225), 0.7 * t.lipstick, 1.0)
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
