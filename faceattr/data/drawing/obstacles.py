"""What gets in the way of a face, whatever its labels are."""

from __future__ import annotations

from faceattr.data.drawing import colours
from faceattr.data.drawing.colours import shade
from faceattr.data.drawing.posing import CENTRE
from faceattr.data.drawing.sketch import Sketch

_X = CENTRE[0]


def occluder(sketch: Sketch, t, skin) -> None:
    """Now and then a hand, a microphone or a strand of hair before the face."""
    now = t.now
    if now["u_occluder"] > 0.13:
        return
    x, y, kind = now["u_occluder_x"], now["u_occluder_y"], now["u_occluder_kind"]
    sign = 1 if x > 0.5 else -1
    if kind < 0.4:
        palm, tip = (_X + sign * (23 + 4 * x), 82.0), (_X + sign * (12.0 + 3 * x), 63.0 + 9 * y)
        colour = shade(skin, 0.93)
        for k in range(4):
            end = (tip[0] + sign * 1.9 * k, tip[1] + 1.5 * k - 1.2 * (k == 1))
            finger = (palm, (end[0] + sign * 4, 0.5 * (palm[1] + end[1])), end)
            sketch.strokes([finger], colour if k % 2 else shade(skin, 0.86), 4.6, 4.0)
        sketch.oval(*palm, 6.0, 8.0, colour, 4.0)
    elif kind < 0.7:
        head = (_X + sign * (3 + 9 * x), 73.0 + 6 * y)
        stick = ((head[0] + sign * 14, 108), (head[0] + sign * 8, 92), head)
        sketch.strokes([stick], (38, 38, 42), 4.2, None)
        sketch.oval(*head, 4.6, 5.4, (58, 58, 62), None)
        sketch.oval(head[0] - 1.4, head[1] - 1.6, 1.4, 1.8, (120, 120, 126), None)
    else:
        lock = ((_X + sign * 7, 25), (_X + sign * (17 - 6 * x), 42), (_X + sign * (8 + 7 * y), 62))
        sketch.strokes([lock], shade(colours.hair(t), 0.85), 1.7, 2.0, wave=0.6)
