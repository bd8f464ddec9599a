"""Neck, clothes, ears, the head itself, its shading and the marks of age."""

from __future__ import annotations

import math

from faceattr.data.drawing.colours import cloth, mix, shade
from faceattr.data.drawing.curves import (
    Curve,
    back,
    cut,
    grown,
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


def outline(t) -> Curve:
    """Outline of the head, from the crown round the chin and back, 48 points.

    Points 12 to 36 are from below the eyes down, points 15 to 33 those of the chin.
    """
    right = [
        (0.62 * t.temple, -0.86 * t.height),
        (t.temple, -0.36 * t.height),
        (t.cheek, 0.14 * t.height),
        (t.jaw, 0.58 * t.height),
        (t.chin, 0.935 * t.height),
    ]
    half = [(0, -t.height), *right, (0, t.height)]
    points = half + [(-x, y) for x, y in reversed(right)]
    return moved(spline(points, 4, closed=True), _X, _Y)  # 12 * 4 points


def torso(sketch: Sketch, t, skin) -> None:
    """Neck and clothes: a colour, a neckline and sometimes a collar, all free of the labels."""
    now, width = t.now, t.neck
    chin = _Y + t.height
    body = cloth(now["u_clothes_hue"], now["u_clothes_value"])
    deep = 2.0 + 7.0 * now["u_clothes"]
    wide = 32.5 + 1.8 * t.who["shoulder"]
    left = _X - width
    throat = spline([(left, 60), (left, 78), (left - 3, 84), (left - 9, 92)])
    neck = ring(throat, mirrored(throat))
    sketch.part("neck", sketch.shape(neck, shade(skin, 0.90), None))
    sketch.spot(_X, chin + 1.5, width * 1.1, 6.5, shade(skin, 0.62), 0.9, None)
    edge = _X - wide
    side = spline([(left - 1.5, 82.5), (left - 8, 86), (edge + 2, 92), (edge - 3, 104)])
    side = join(side, polygon([(edge - 9, 400)]))  # down out of any scene
    half = [(-width - 1.5, 82.5), (-width * 0.6, 84.5 + deep * 0.6)]
    dip = [*half, (0, 84.5 + deep), *((-x, y) for x, y in reversed(half))]
    neckline = moved(spline(dip), _X, 0)
    sketch.shape(join(back(side), neckline, mirrored(side)), body, None)
    sketch.line(neckline, shade(body, 0.72), 0.9, None)
    if now["u_clothes"] < 0.3:  # the open front of a jacket
        lapel = [(left - 1.5, 82.5), (left - 7, 86), (_X - 6, 104), (_X - 2, 120), (_X - 1, 96)]
        lapel = polygon(lapel)
        for flap in (lapel, mirrored(lapel)):
            sketch.shape(flap, shade(body, 0.78), None)


def ears(sketch: Sketch, t, skin) -> None:
    """Both ears, with the lobes as a part."""
    y = 48.5 + 0.3 * t.who["ear"]
    for sign in (-1, 1):
        x = _X + sign * (t.temple + 0.9)
        sketch.oval(x, y, 2.9, 4.9, shade(skin, 0.88), -2.0)
        sketch.oval(x + sign * 0.3, y - 0.3, 1.5, 3.0, shade(skin, 0.72), -2.0)
        sketch.part_oval("lobes", x + sign * 0.6, y + 7.0, 3.6, 5.2, -2.0)


def head(sketch: Sketch, t, skin) -> None:
    """The head in four tones from shade to light, its fold under the chin and the cheeks."""
    chin, fold = _Y + t.height, t.double_chin
    around = outline(t)
    if fold > 0.15:  # a second, narrower chin below the first
        low = cut(around, 15, 34)
        for wide, drop, tone in ((0.86, 3.6 * fold, 0.80), (0.80, 2.9 * fold - 2, 0.93)):
            sketch.shape(moved(low, _X - wide * _X, drop, wide), shade(skin, tone), None)
    sketch.part_oval("under_chin", _X, chin + 0.2, 12.5, 5.4, None)
    sketch.head = (t.temple + 0.8, t.skull)
    sketch.outline = sketch.shape(around, shade(skin, 0.84))
    sketch.part("face", sketch.outline)
    sketch.part("lower_face", grown(cut(around, 12, 37), 1.07, CENTRE))
    angle = math.pi * (0.15 + 0.7 * t.now["u_light"])
    right, down = -math.cos(angle), -0.45 * math.sin(angle)  # towards the light
    coarse = cut(around, None, None, 2)  # soft enough for every other point to do
    for size, tone, shift in ((0.965, 0.93, 0.5), (0.91, 0.98, 1.0), (0.80, 1.03, 1.8)):
        lit = grown(coarse, size, (_X, _Y))
        sketch.shape(moved(lit, right * shift, down * shift), shade(skin, tone))
    if fold > 0.15:
        crease = ((_X - 8.5, chin - 2.6), (_X, chin + 2.2), (_X + 8.5, chin - 2.6))
        sketch.strokes([crease], shade(skin, 0.55), 1.3, None, min(0.85, 0.8 * fold))


def cheeks(sketch: Sketch, t, skin) -> None:
    """Cheekbones (a light above a hollow), and the red of blush."""
    bone, blush = t.cheekbone, t.blush
    for sign in (-1, 1):
        x = _X + sign * 11.4
        if bone > 0.1:
            edge = _X + sign * (t.cheek - 1.5)
            hollow = ((edge, 53.5), (x + sign, 57.5), (_X + sign * 8.4, 62.5))
            sketch.strokes([hollow], shade(skin, 0.62), 4.4, 0.0, min(0.6, 0.38 * bone))
            sketch.spot(
                x + sign * 0.6, 51.6, 5.4, 2.9, mix(skin, (255, 250, 240), 0.75), 0.75 * bone
            )
        sketch.spot(x, 55.2, 6.6, 4.9, mix(shade(skin, 0.95), (222, 52, 70), 0.75), 0.95 * blush)
        sketch.part_oval("cheeks", x + sign * 0.2, 55.4, 6.4, 6.6)


def age(sketch: Sketch, t, skin) -> None:
    """Lines of the forehead, of the eyes' corners and from nose to mouth."""
    dark, strength = shade(skin, 0.55), min(1.0, t.age)
    if strength < 0.06:
        return
    brow = 0.5 * (t.brow_y + 27.5)
    heights = (brow - 1.8, brow + 0.5, brow + 2.6)
    rows = [((_X - 8.0, y), (_X, y - 1.3), (_X + 8.0, y)) for y in heights]
    sketch.strokes(rows, dark, 0.75, 0.0, 0.75 * strength)
    corner, folds = [], []
    for sign in (-1, 1):
        x, y = _X + sign * (t.eye_x + t.eye_width), t.eye_y
        corner += [
            ((x + sign, y + d * 0.3), (x + sign * 2.4, y + d), (x + sign * 4, y + d * 2.1))
            for d in (-0.9, 0.3, 1.5)
        ]
        folds.append(((_X + sign * 4.6, 56.0), (_X + sign * 8.6, 59.0), (_X + sign * 9.0, 65.5)))
    sketch.strokes(corner, dark, 0.55, 0.0, 0.8 * strength)
    sketch.strokes(folds, dark, 1.0, 0.0, 0.75 * strength)
    for sign in (-1, 1):  # cheeks that sag
        sketch.spot(_X + sign * 11.0, 66.5, 4.5, 3.5, dark, 0.42 * strength)
