"""What is worn: glasses, earrings, necklace, tie."""

from __future__ import annotations

import numpy as np

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import ellipse, mirrored, ring, spline
from faceattr.data.drawing.sketch import CENTRE, Sketch

_X = float(CENTRE[0])


def _lens(x: float, y: float, rx: float, ry: float, power: float) -> np.ndarray:
    """A lens between an ellipse (power 1) and a rectangle (power near 0)."""
    unit = ellipse(0, 0, 1, 1, 22)
    return np.sign(unit) * np.abs(unit) ** power * (rx, ry) + (x, y)


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
            sketch.line(np.concatenate([lens, lens[:2]]), frame, width, 2.0)
            sketch.line(
                np.array([(x + sign * rx, y - 1.5), (_X + sign * (t.temple + 1.5), y - 1.8)]),
                frame,
                width,
                0.0,
            )
            sketch.shape(
                np.array(
                    [(x - 3.4, y - 2.6), (x - 2.2, y - 2.9), (x - 3.6, y + 0.8), (x - 4.4, y + 0.6)]
                ),
                (255, 255, 255),
                2.0,
                0.45,
            )
        sketch.line(
            np.array([(_X - 2.2, y - 0.6), (_X, y - 1.5), (_X + 2.2, y - 0.6)]), frame, width, 3.0
        )
    for sign in (-1, 1):
        sketch.part(
            "glasses", _lens(_X + sign * max(t.eye_x, rx + 1.0), y, rx + 1.2, ry + 1.2, 0.7), 2.0
        )
    sketch.part(
        "glasses",
        np.array(
            [
                (_X - t.temple - 1, y - 3),
                (_X + t.temple + 1, y - 3),
                (_X + t.temple + 1, y - 0.5),
                (_X - t.temple - 1, y - 0.5),
            ]
        ),
        1.0,
    )


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
            sketch.shape(
                np.array(
                    [
                        (x - 0.4, y),
                        (x + 0.4, y),
                        (x + 1.25 * size, y + 4.6 * size),
                        (x, y + 6.2 * size),
                        (x - 1.25 * size, y + 4.6 * size),
                    ]
                ),
                colour,
                -1.5,
            )
        else:
            ring = ellipse(x, y + 2.8 * size, 2.0 * size, 2.8 * size, 16)
            sketch.line(np.concatenate([ring, ring[:2]]), colour, 0.85, -1.5)
        sketch.oval(x - 0.3, y + 0.2, 0.5, 0.5, mix(colour, (255, 255, 255), 0.8), -1.5)


def necklace(sketch: Sketch, t) -> None:
    """A chain, beads or a pendant on the neck."""
    now = t.now
    w, drop = t.neck + 1.0, 4.2 + 3.5 * now["u_necklace"]
    curve = spline(
        [
            (_X - w, 80.5),
            (_X - w * 0.6, 83.0 + drop * 0.55),
            (_X, 83.5 + drop),
            (_X + w * 0.6, 83.0 + drop * 0.55),
            (_X + w, 80.5),
        ]
    )
    sketch.part("necklace", ring(curve + (0, 2.6), curve - (0, 2.4)), None)
    if not t.a["Wearing_Necklace"]:
        return
    colour = colours.metal((now["u_metal"] + 0.37 * now["u_necklace"]) % 1)
    kind = (now["u_necklace"] * 7.3) % 1
    if kind < 0.4:
        for x, y in curve[1:-1]:
            sketch.oval(x, y, 1.15, 1.15, colour, None)
            sketch.oval(x - 0.3, y - 0.3, 0.4, 0.4, mix(colour, (255, 255, 255), 0.7), None)
        return
    sketch.line(curve, shade(colour, 0.7), 1.5, None)
    sketch.line(curve - (0, 0.3), colour, 0.8, None)
    if kind < 0.8:
        y = 83.5 + drop
        sketch.shape(
            np.array([(_X, y - 0.6), (_X + 1.6, y + 1.5), (_X, y + 4.0), (_X - 1.6, y + 1.5)]),
            colour,
            None,
        )
        sketch.oval(_X, y + 1.5, 0.7, 0.8, colours.hsv(now["u_tie_hue"], 0.7, 0.7), None)


def necktie(sketch: Sketch, t) -> None:
    """A shirt's collar with a tie; a collar without one is there at times whatever the labels."""
    now, w = t.now, t.neck
    blade = np.array(
        [
            (_X - 2.0, 86.0),
            (_X + 2.0, 86.0),
            (_X + 1.5, 89.6),
            (_X + 4.0, 114),
            (_X, 119),
            (_X - 4.0, 114),
            (_X - 1.5, 89.6),
        ]
    )
    collar = np.array(
        [(_X - w - 1.4, 80.5), (_X - 0.4, 86.0), (_X - 5.6, 92.5), (_X - w - 4.0, 86.5)]
    )
    sketch.part(
        "tie",
        np.array(
            [
                (_X - w - 4, 81),
                (_X, 84.5),
                (_X + w + 4, 81),
                (_X + 8, 93),
                (_X + 5, 116),
                (_X - 5, 116),
                (_X - 8, 93),
            ]
        ),
        None,
    )
    tie = t.a["Wearing_Necktie"]
    if not tie and now["u_collar"] > 0.4:
        return
    shirt = mix(
        (244, 244, 240), colours.hsv(now["u_clothes_hue"] + 0.4, 0.5, 0.9), 0.5 * now["u_collar"]
    )
    bib = np.array(
        [
            (_X - w + 1, 84),
            (_X, 86.5),
            (_X + w - 1, 84),
            (_X + 6.5, 100),
            (_X + 2.5, 118),
            (_X - 2.5, 118),
            (_X - 6.5, 100),
        ]
    )
    sketch.shape(bib, shade(shirt, 0.94), None)
    if tie:
        colour = colours.hsv(now["u_tie_hue"], 0.35 + 0.5 * now["u_tie"], 0.2 + 0.6 * now["u_tie"])
        sketch.shape(blade, colour, None)
        if now["u_tie_pattern"] < 0.6:
            stripe = mix(colour, (255, 255, 255), 0.55)
            for y in (92, 96.5, 101, 106):
                sketch.shape(
                    np.array(
                        [
                            (_X - 1.7, y),
                            (_X + 2.0, y - 2.6),
                            (_X + 2.2, y - 1.3),
                            (_X - 1.8, y + 1.3),
                        ]
                    ),
                    stripe,
                    None,
                )
        sketch.shape(
            np.array([(_X - 2.3, 85.4), (_X + 2.3, 85.4), (_X + 1.4, 89.8), (_X - 1.4, 89.8)]),
            shade(colour, 0.82),
            None,
        )
    for flap in (collar, mirrored(collar)):
        sketch.shape(flap, shirt, None)
        sketch.line(flap[1:3], shade(shirt, 0.7), 0.6, None)
