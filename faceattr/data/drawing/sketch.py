"""A display list: what is to be painted is noted first, as a few numbers for each shape.

Nothing is computed here. The points of every shape of many faces are made together, by
:mod:`.posing`; that is what makes drawing fast.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from faceattr.data.drawing.curves import Curve, Mixture, Point, ellipse, polygon

Colour = tuple[int, int, int]

#: The one depth of what is flat (neck, clothes) and does not turn with the head.
FLAT = float("nan")


def _pair() -> tuple[list, list]:
    return [], []


@dataclass
class Notes:
    """The shapes of many faces, numbered as they come.

    Attributes:
        lifts: depth of each shape, :data:`FLAT` or the height above the surface of the head.
        curves: for each mixture its shapes' numbers and, one after another, their controls.
        strokes: for each count of points along a stroke: its shapes' numbers, their controls
            one after another, and their widths, waves and phases.
    """

    lifts: list[float] = field(default_factory=list)
    curves: dict[Mixture, tuple[list[int], list[Point]]] = field(
        default_factory=lambda: defaultdict(_pair)
    )
    strokes: dict[int, tuple[list[int], list[Point], list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: ([], [], []))
    )


class Sketch:
    """The shapes of one face in painting order, and the outlines of its parts for the truth.

    Depth of a shape: None lies flat (neck, clothes) and does not turn with the head; a number is
    the height above the surface of the head.

    Args:
        notes: where the shapes go, together with those of other faces.

    Attributes:
        first: the number of its first shape.
        commands: what is painted: kind, first shape, colour, and what the kind needs.
        parts: name and shape of each outline of a part of the face.
        marks: the landmarks; the eyes, the nose and the corners of the mouth.
        outline, landmarks: the shapes of the head and of the marks.
        head: half the width and height of the head, where it turns.
    """

    def __init__(self, notes: Notes):
        self.notes, self.first = notes, len(notes.lifts)
        self.commands: list[tuple] = []
        self.parts: list[tuple[str, int]] = []
        self.marks: list[Point] = []
        self.outline = self.landmarks = -1
        self.head = (20.0, 27.0)

    def note(self, curve: Curve, depth: float | None = 0.0) -> int:
        """Note a curve that is not painted; returns the number of its shape."""
        mixture, controls = curve
        lifts = self.notes.lifts
        shape = len(lifts)
        lifts.append(FLAT if depth is None else depth)
        shapes, points = self.notes.curves[mixture]
        shapes.append(shape)
        points.extend(controls)
        return shape

    def shape(
        self, curve: Curve, fill: Colour, depth: float | None = 0.0, alpha: float = 1.0
    ) -> int:
        """Fill a curve; ``alpha`` under 1 lets what is beneath shine through."""
        shape = self.note(curve, depth)
        if alpha >= 1:
            self.commands.append(("solid", shape, fill, 1))
        elif alpha > 0.02:
            self.commands.append(("glaze", shape, (*fill, int(255 * alpha)), 1))
        return shape

    def oval(self, x, y, rx, ry, fill: Colour, depth: float | None = 0.0, alpha=1.0) -> int:
        """Fill an ellipse."""
        return self.shape(ellipse(x, y, rx, ry, 12), fill, depth, alpha)

    def spot(
        self, x, y, rx: float, ry: float, fill: Colour, alpha: float, depth: float | None = 0.0
    ) -> None:
        """Lay a soft spot of colour, strongest at its centre."""
        if alpha > 0.03:
            shape = self.note(polygon([(x, y)]), depth)
            self.commands.append(("spot", shape, fill, (rx, ry, min(int(alpha * 16 + 0.5), 16))))

    def strokes(
        self,
        controls: Sequence[Sequence[Point]],
        fill: Colour,
        width: float,
        depth: float | None = 0.0,
        alpha: float = 1.0,
        wave: float = 0.0,
        phase: float = 0.0,
    ) -> None:
        """Brush strokes, each from start over bend to end: ``controls`` is ``(K, 3, 2)``."""
        if alpha <= 0.02:
            return
        notes, count = self.notes, len(controls)
        first = len(notes.lifts)
        notes.lifts.extend([FLAT if depth is None else depth] * count)
        shapes, points, numbers = notes.strokes[5 if width < 2 and not wave else 7]
        shapes.extend(range(first, first + count))
        for stroke in controls:
            points.extend(stroke)
        numbers.extend((width, wave, phase) * count)
        if alpha >= 1:
            self.commands.append(("solid", first, fill, count))
        else:
            self.commands.append(("glaze", first, (*fill, int(255 * alpha)), count))

    def line(self, curve: Curve, fill: Colour, width: float, depth: float | None = 0.0) -> None:
        """Draw a line of even width along the curve."""
        self.commands.append(("line", self.note(curve, depth), fill, width))

    def part(self, name: str, curve: Curve | int, depth: float | None = 0.0) -> None:
        """Note the outline of a part of the face, for its true region; parts may have several."""
        shape = curve if isinstance(curve, int) else self.note(curve, depth)
        self.parts.append((name, shape))

    def part_oval(self, name: str, x, y, rx, ry, depth: float | None = 0.0) -> None:
        """Note a part whose outline is an ellipse."""
        self.parts.append((name, self.note(ellipse(x, y, rx, ry, 12), depth)))
