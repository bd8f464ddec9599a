"""Hats of three kinds."""

from __future__ import annotations

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import mix, shade
from faceattr.data.drawing.curves import join, moved, ring, spline
from faceattr.data.drawing.posing import CENTRE
from faceattr.data.drawing.sketch import Sketch

_X = CENTRE[0]


def hat(sketch: Sketch, t) -> None:
    """A cap, a knitted hat or a brimmed hat over the hair."""
    now, w = t.now, t.temple
    v = 0.72 * t.hair_volume
    sketch.part(
        "hat",
        spline(
            [
                (_X - w - v - 3, 36),
                (_X - w + 2, 14),
                (_X, 6.5),
                (_X + w - 2, 14),
                (_X + w + v + 3, 36),
                (_X, 31),
            ],
            4,
            True,
        ),
        0.0,
    )
    if not t.a["Wearing_Hat"]:
        return
    colour = colours.cloth(now["u_hat_hue"], 0.15 + 0.8 * ((now["u_hat_hue"] * 13) % 1))
    band = shade(colour, 0.62)
    side = w + v + 0.6
    dome = spline(
        [
            (_X - side, 33.5),
            (_X - side + 0.6, 22),
            (_X - w * 0.62, 11.5),
            (_X, 8.0),
            (_X + w * 0.62, 11.5),
            (_X + side - 0.6, 22),
            (_X + side, 33.5),
        ]
    )
    brim = spline(
        [
            (_X + side, 33.5),
            (_X + w * 0.5, 30.0),
            (_X, 29.0),
            (_X - w * 0.5, 30.0),
            (_X - side, 33.5),
        ]
    )
    sketch.shape(join(dome, brim), colour, 0.6)
    kind = now["u_hat"]
    if kind < 0.38:  # knitted
        cuff = ring(moved(brim, 0, 1.5), moved(brim, 0, -4.5))
        sketch.shape(cuff, shade(colour, 0.78), 0.8)
        beside = [0.2 * k * side for k in range(-4, 5)]
        ribs = [((_X + x, 26.0), (_X + 0.9 * x, 19.0), (_X + 0.5 * x, 11.0)) for x in beside]
        sketch.strokes(ribs, band, 0.7, 0.6, 0.7)
        sketch.oval(_X, 8.0, 3.2, 3.0, mix(colour, (255, 255, 255), 0.35), 0.6)
    elif kind < 0.72:  # cap with a peak
        peak = spline(
            [
                (_X - side + 2, 30.5),
                (_X - 8, 33.5),
                (_X + 4, 35.0),
                (_X + side + 3, 33.5),
                (_X + side - 2, 28.5),
                (_X, 27.5),
            ],
            4,
            True,
        )
        sketch.shape(peak, band, 4.0)
        seams = [((_X + s * 2, 8.5), (_X + s * 9, 16), (_X + s * 10, 29)) for s in (-1, 1)]
        sketch.strokes(seams, band, 0.6, 0.6, 0.8)
    else:  # brim all round
        sketch.oval(_X, 31.0, side + 8.5, 4.4, shade(colour, 0.85), 1.0)
        ribbon = ring(moved(brim, 0, -1.4), moved(brim, 0, -5.6))
        sketch.shape(ribbon, band, 1.0)
        sketch.shape(ring(moved(brim, 0, 1.6), moved(brim, 0, -1.0)), shade(colour, 0.7), 1.0)
