"""A display list: shapes are noted in face units first, then posed all at once, then painted.

One matrix product moves every point of a face; that is what makes drawing fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw

from faceattr.data.drawing.curves import Points, brush, dots, ovals

#: Where the head turns, in face units, and how deep it is.
CENTRE = np.array((50.0, 47.0))
DEPTH = 17.0

#: Moves a shape that was given about x = 0 to the middle of the face.
MIDDLE = np.array((50.0, 0.0))

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Pose:
    """Where a face is on the canvas and how the head is held.

    Attributes:
        scale: pixels per face unit.
        x, y: pixels, where :data:`CENTRE` goes.
        roll, yaw, pitch: radians; roll turns the picture, yaw and pitch move what is near the
            viewer (nose, mouth, eyes) against the outline of the head.
    """

    scale: float
    x: float
    y: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


@cache
def _spots() -> list[Image.Image]:
    """Soft round spots of 16 strengths, from which blush, shade and shadow are made."""
    axis = np.linspace(-1, 1, 48)
    radius = np.hypot(axis[:, None], axis[None])
    falloff = np.clip(1 - radius, 0, 1) ** 2 * (3 - 2 * np.clip(1 - radius, 0, 1))
    return [Image.fromarray((falloff * 255 * k / 16).astype(np.uint8)) for k in range(17)]


@lru_cache(maxsize=8192)
def _spot(width: int, height: int, strength: int) -> Image.Image:
    """A soft spot of a size in pixels, kept for the next face that needs about the same."""
    return _spots()[strength].resize((width, height), Image.Resampling.BILINEAR)


@dataclass
class Sketch:
    """The shapes of one face in painting order, and the outlines of its parts for the truth.

    Depth of a shape: None lies flat (neck, clothes) and does not turn with the head; a number is
    the height above the surface of the head. Ellipses, strokes and spots are kept as the few
    numbers that define them and become points all together, in :meth:`posed`.
    """

    lifts: list[float] = field(default_factory=list)
    polygons: list[tuple[int, Points]] = field(default_factory=list)
    ovals: list[tuple] = field(default_factory=list)
    brushed: list[tuple] = field(default_factory=list)
    centres: list[tuple] = field(default_factory=list)
    commands: list[tuple] = field(default_factory=list)
    parts: list[tuple[str, int]] = field(default_factory=list)
    marks: list[tuple[float, float]] = field(default_factory=list)
    outline: int = -1
    head: tuple[float, float] = (20.0, 27.0)

    def _note(self, depth: float | None) -> int:
        self.lifts.append(np.nan if depth is None else depth)
        return len(self.lifts) - 1

    def _ink(self, shape: int, fill: Colour, alpha: float) -> int:
        if alpha >= 1:
            self.commands.append(("solid", shape, fill))
        elif alpha > 0.02:
            self.commands.append(("glaze", shape, (*fill, int(255 * alpha))))
        return shape

    def _polygon(self, points: Points, depth: float | None) -> int:
        shape = self._note(depth)
        self.polygons.append((shape, points))
        return shape

    def shape(
        self, points: Points, fill: Colour, depth: float | None = 0.0, alpha: float = 1.0
    ) -> int:
        """Fill a polygon; ``alpha`` under 1 lets what is beneath shine through."""
        return self._ink(self._polygon(points, depth), fill, alpha)

    def oval(self, x, y, rx, ry, fill: Colour, depth: float | None = 0.0, alpha=1.0) -> int:
        """Fill an ellipse."""
        shape = self._note(depth)
        self.ovals.append((shape, x, y, rx, ry))
        return self._ink(shape, fill, alpha)

    def spot(
        self, x, y, rx: float, ry: float, fill: Colour, alpha: float, depth: float | None = 0.0
    ) -> None:
        """Lay a soft spot of colour, strongest at its centre."""
        if alpha > 0.03:
            shape = self._note(depth)
            self.centres.append((shape, x, y))
            self.commands.append(("spot", shape, fill, rx, ry, min(int(alpha * 16 + 0.5), 16)))

    def strokes(
        self, controls, fill: Colour, width: float, depth=0.0, alpha=1.0, wave=0.0, phase=0.0
    ) -> None:
        """Brush strokes, each from start over bend to end: ``controls`` is ``(K, 3, 2)``."""
        if alpha <= 0.02:
            return
        for stroke in controls:
            shape = self._note(depth)
            self.brushed.append((shape, stroke, width, wave, phase))
            self._ink(shape, fill, alpha)

    def line(self, points: Points, fill: Colour, width: float, depth: float | None = 0.0) -> None:
        """Draw a line of even width through the points."""
        self.commands.append(("line", self._polygon(points, depth), fill, width))

    def part(self, name: str, points: Points | int, depth: float | None = 0.0) -> None:
        """Note the outline of a part of the face, for its true region; parts may have several."""
        shape = points if isinstance(points, int) else self._polygon(points, depth)
        self.parts.append((name, shape))

    def part_oval(self, name: str, x, y, rx, ry, depth: float | None = 0.0) -> None:
        """Note a part whose outline is an ellipse."""
        shape = self._note(depth)
        self.ovals.append((shape, x, y, rx, ry))
        self.parts.append((name, shape))

    def posed(self, pose: Pose) -> Posed:
        """Move everything to its place on a canvas."""
        self.polygons.append((self._note(1.0), np.array(self.marks)))
        shapes, blocks = map(list, zip(*self.polygons, strict=True))
        counts = [len(points) for points in blocks]
        for noted, points_of in (
            (self.ovals, ovals), (self.brushed, brush), (self.centres, dots),
        ):  # fmt: skip
            if noted:
                more, *numbers = zip(*noted, strict=True)
                points = points_of(*numbers)  # (K, n, 2)
                shapes += more
                counts += [points.shape[1]] * len(more)
                blocks.append(points.reshape(-1, 2))
        order, counts = np.array(shapes), np.array(counts)
        xy = np.concatenate(blocks) - CENTRE  # (n, 2)
        x, y = xy[:, 0], xy[:, 1]
        depth = 1 - (x / self.head[0]) ** 2 - (y / self.head[1]) ** 2
        depth = DEPTH * np.sqrt(np.maximum(depth, 0)) + np.repeat(
            np.array(self.lifts)[order], counts
        )
        depth[np.isnan(depth)] = 0
        x, y = x + depth * math.sin(pose.yaw), y + depth * math.sin(pose.pitch)
        c, s = pose.scale * math.cos(pose.roll), pose.scale * math.sin(pose.roll)
        placed = np.empty_like(xy)
        placed[:, 0] = c * x - s * y + pose.x
        placed[:, 1] = s * x + c * y + pose.y
        starts, stops = np.empty_like(order), np.empty_like(order)
        stops[order] = np.cumsum(counts)
        starts[order] = stops[order] - counts
        return Posed(self, placed, starts.tolist(), stops.tolist(), pose)


@dataclass
class Posed:
    """A sketch in its place: points in pixels, ready to be painted at any magnification.

    Pillow cuts the fraction off a polygon's coordinates and fills up to and with the last pixel:
    a point belongs to the pixel that it lies in, as pixel ``i`` covers ``[i, i + 1)``.
    """

    sketch: Sketch
    placed: np.ndarray
    starts: list[int]
    stops: list[int]
    pose: Pose

    def of(self, shape: int) -> np.ndarray:
        """The pixels of one shape's points, ``(n, 2)``."""
        return self.placed[self.starts[shape] : self.stops[shape]]

    def paint(self, image: Image.Image, magnify: int) -> None:
        """Paint every shape on ``image``, which is ``magnify`` times the final size."""
        flat = (self.placed * magnify).ravel().tolist()
        starts, stops = self.starts, self.stops
        solid, glaze = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")
        zoom = self.pose.scale * magnify
        for kind, shape, fill, *rest in self.sketch.commands:
            points = flat[2 * starts[shape] : 2 * stops[shape]]
            if kind == "solid":
                solid.polygon(points, fill)
            elif kind == "glaze":
                glaze.polygon(points, fill)
            elif kind == "line":
                solid.line(points, fill, max(1, round(rest[0] * zoom)))
            else:
                rx, ry, strength = rest
                x, y = points
                w, h = 4 * max(1, round(rx * zoom / 2)), 4 * max(1, round(ry * zoom / 2))
                left, top = int(x - w / 2), int(y - h / 2)
                image.paste(fill, (left, top, left + w, top + h), _spot(w, h, strength))

    def masks(self, parts: Sequence[str], side: int, shrink: float) -> np.ndarray:
        """True regions of parts on a grid of ``side`` cells, ``shrink`` pixels to a cell.

        Returns:
            ``(len(parts), side, side)`` bool. All are drawn on one strip, a part below another.
        """
        strip = Image.new("L", (side, side * len(parts)))
        draw = ImageDraw.Draw(strip)
        row = {part: k * side for k, part in enumerate(parts)}
        shapes = [self.of(shape) for _, shape in self.sketch.parts]
        ends = np.cumsum([len(points) for points in shapes]).tolist()
        cells = np.concatenate(shapes) / shrink  # (n, 2)
        np.clip(cells[:, 1], 0, side - 0.01, out=cells[:, 1])
        down = [row[part] for part, _ in self.sketch.parts]
        cells[:, 1] += np.repeat(down, [len(points) for points in shapes])
        flat, start = cells.ravel().tolist(), 0
        for end in ends:
            draw.polygon(flat[2 * start : 2 * end], 1)
            start = end
        return np.asarray(strip).reshape(len(parts), side, side).astype(bool)
