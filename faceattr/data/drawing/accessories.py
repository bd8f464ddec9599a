"""What is worn: glasses, earrings, necklace, tie."""

from __future__ import annotations

from functools import cache

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import (
    Curve,
    Mixture,
    arch,
    cut,
    ellipse,
    join,
    mirrored,
    moved,
    points_of,
    polygon,
    ring,
    spline,
    spread,
)
from faceattr.data.drawing.posing import CENTRE
from faceattr.data.drawing.sketch import Sketch

_X = CENTRE[0]


@cache
def _lens_mixture(twentieths: int) -> Mixture:
    angle = np.arange(23) * (2 * np.pi / 22)
    ways = (
        np.sign(way) * np.abs(way) ** (twentieths / 20) for way in (np.cos(angle), np.sin(angle))
    )
    return arch(*ways)


def _lens(x: float, y: float, rx: float, ry: float, power: float) -> Curve:
    """A lens between an ellipse (power 1) and a rectangle (power near 0), in steps of 0.05."""
    return spread(_lens_mixture(round(20 * power)), (x, y), (rx, 0), (0, ry))


def glasses(sketch: Sketch, t) -> None:
    """Eyeglasses: thin or thick, round or square, clear, tinted or dark."""
    who, now = t.who, t.now
    y, rx, ry = t.eye_y + 0.5, 6.7 + 0.5 * who["eye_width"], 4.7 + 1.2 * (who["frame"] - 0.5)
    power = 0.55 + 0.45 * now["u_lens"]
    if t.a["Eyeglasses"]:
        frame = mix(
            (24, 22, 24),
            colours.hsv(now["u_glasses_hue"], 0.5, 0.6),
            1.2 * (now["u_glasses_hue"] - 0.35),
        )
        width = 0.55 + 1.0 * who["frame"]
        dark = now["u_glasses_tint"]
        fill, alpha = ((20, 20, 26), 0.86) if dark > 0.80 else ((216, 228, 236), 0.06 + 0.14 * dark)
        for sign in (-1, 1):
            x = _X + sign * max(t.eye_x, rx + 1.0)
            lens = _lens(x, y, rx, ry, power)
            sketch.shape(lens, fill, 2.0, alpha)
            sketch.line(lens, frame, width, 2.0)
            arm = [(x + sign * rx, y - 1.5), (_X + sign * (t.temple + 1.5), y - 1.8)]
            sketch.line(polygon(arm), frame, width, 0.0)
            gleam = [(x - 3.4, y - 2.6), (x - 2.2, y - 2.9), (x - 3.6, y + 0.8), (x - 4.4, y + 0.6)]
            sketch.shape(polygon(gleam), (255, 255, 255), 2.0, 0.45)
        bridge = [(_X - 2.2, y - 0.6), (_X, y - 1.5), (_X + 2.2, y - 0.6)]
        sketch.line(polygon(bridge), frame, width, 3.0)
    for sign in (-1, 1):
        around = _lens(_X + sign * max(t.eye_x, rx + 1.0), y, rx + 1.2, ry + 1.2, 0.7)
        sketch.part("glasses", around, 2.0)
    left, right = _X - t.temple - 1, _X + t.temple + 1
    arms = [(left, y - 3), (right, y - 3), (right, y - 0.5), (left, y - 0.5)]
    sketch.part("glasses", polygon(arms), 1.0)


def earrings(sketch: Sketch, t) -> None:
    """A pair of studs, drops or hoops at the lobes; the turned-away one shrinks."""
    if not t.a["Wearing_Earrings"]:
        return
    now = t.now
    colour, size = colours.metal(now["u_metal"]), 0.85 + 0.5 * now["u_earring_size"]
    y = 53.0 + 0.3 * t.who["ear"]
    for sign in (-1, 1):
        x = _X + sign * (t.temple + 1.5)
        kind = now["u_earring"]
        if kind < 0.3:
            sketch.oval(x, y + 0.6, 1.25 * size, 1.25 * size, colour, -1.5)
        elif kind < 0.65:
            low, half = y + 4.6 * size, 1.25 * size
            tip = (x, y + 6.2 * size)
            drop = [(x - 0.4, y), (x + 0.4, y), (x + half, low), tip, (x - half, low)]
            sketch.shape(polygon(drop), colour, -1.5)
        else:
            hoop = ellipse(x, y + 2.8 * size, 2.0 * size, 2.8 * size, 16)
            sketch.line(join(hoop, cut(hoop, 0, 1)), colour, 0.85, -1.5)
        sketch.oval(x - 0.3, y + 0.2, 0.5, 0.5, mix(colour, (255, 255, 255), 0.8), -1.5)


def necklace(sketch: Sketch, t) -> None:
    """A chain, beads or a pendant on the neck."""
    now = t.now
    w, drop = t.neck + 1.0, 4.2 + 3.5 * now["u_necklace"]
    beside, low = 0.6 * w, 83.0 + 0.55 * drop
    half = [(_X - w, 80.5), (_X - beside, low)]
    curve = spline([*half, (_X, 83.5 + drop), (_X + beside, low), (_X + w, 80.5)])
    sketch.part("necklace", ring(moved(curve, 0, 2.6), moved(curve, 0, -2.4)), None)
    if not t.a["Wearing_Necklace"]:
        return
    colour = colours.metal((now["u_metal"] + 0.37 * now["u_necklace"]) % 1)
    kind = (now["u_necklace"] * 7.3) % 1
    if kind < 0.4:
        for x, y in points_of(cut(curve, 1, -1)):
            sketch.oval(x, y, 1.15, 1.15, colour, None)
            sketch.oval(x - 0.3, y - 0.3, 0.4, 0.4, mix(colour, (255, 255, 255), 0.7), None)
        return
    sketch.line(curve, shade(colour, 0.7), 1.5, None)
    sketch.line(moved(curve, 0, -0.3), colour, 0.8, None)
    if kind < 0.8:
        y = 83.5 + drop
        pendant = [(_X, y - 0.6), (_X + 1.6, y + 1.5), (_X, y + 4.0), (_X - 1.6, y + 1.5)]
        sketch.shape(polygon(pendant), colour, None)
        sketch.oval(_X, y + 1.5, 0.7, 0.8, colours.hsv(now["u_tie_hue"], 0.7, 0.7), None)


def _symmetric(*right: tuple[float, float]) -> Curve:
    """The polygon with these points, x from the middle, and with their mirror images."""
    left = [(_X - x, y) for x, y in reversed(right)]
    return polygon([*[(_X + x, y) for x, y in right], *left])


def necktie(sketch: Sketch, t) -> None:
    """A shirt's collar with a tie; a collar without one is there at times whatever the labels."""
    now, w = t.now, t.neck
    around = _symmetric((0, 84.5), (w + 4, 81), (8, 93), (5, 116))
    sketch.part("tie", around, None)
    tie = t.a["Wearing_Necktie"]
    if not tie and now["u_collar"] > 0.4:
        return
    shirt = mix(
        (244, 244, 240), colours.hsv(now["u_clothes_hue"] + 0.4, 0.5, 0.9), 0.5 * now["u_collar"]
    )
    bib = _symmetric((0, 86.5), (w - 1, 84), (6.5, 100), (2.5, 118))
    sketch.shape(bib, shade(shirt, 0.94), None)
    if tie:
        colour = colours.hsv(now["u_tie_hue"], 0.35 + 0.5 * now["u_tie"], 0.2 + 0.6 * now["u_tie"])
        blade = _symmetric((2.0, 86.0), (1.5, 89.6), (4.0, 114), (0, 119))
        sketch.shape(blade, colour, None)
        if now["u_tie_pattern"] < 0.6:
            stripe = mix(colour, (255, 255, 255), 0.55)
            for y in (92, 96.5, 101, 106):
                band = [(-1.7, y), (2.0, y - 2.6), (2.2, y - 1.3), (-1.8, y + 1.3)]
                sketch.shape(moved(polygon(band), _X, 0), stripe, None)
        sketch.shape(_symmetric((2.3, 85.4), (1.4, 89.8)), shade(colour, 0.82), None)
    left = _X - w
    collar = polygon([(left - 1.4, 80.5), (_X - 0.4, 86.0), (_X - 5.6, 92.5), (left - 4.0, 86.5)])
    for flap in (collar, mirrored(collar)):
        sketch.shape(flap, shirt, None)
        sketch.line(cut(flap, 1, 3), shade(shirt, 0.7), 0.6, None)
