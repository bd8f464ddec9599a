"""Painting what was posed: polygons, lines and soft spots on a Pillow picture."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw

from faceattr.data.drawing.posing import Placed
from faceattr.data.drawing.sketch import Sketch


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


def magnified(placed: Placed, magnify: int) -> memoryview:
    """All points for a picture ``magnify`` times the final size, flat, for :func:`paint`."""
    return memoryview((placed.points * np.float32(magnify)).ravel())


def paint(
    image: Image.Image, sketch: Sketch, placed: Placed, points: memoryview, zoom: float
) -> None:
    """Paint every shape of a sketch.

    Pillow takes a polygon's coordinates straight from a buffer of float32. It cuts their fraction
    off and fills up to and with the last pixel: a point belongs to the pixel that it lies in, as
    pixel ``i`` covers ``[i, i + 1)``.

    Args:
        image: a picture to paint on. sketch: one face. placed: where its shapes are.
        points: from :func:`magnified`, x and y of one point after another.
        zoom: pixels of the image per face unit.
    """
    starts, stops = placed.starts, placed.stops
    solid, glaze = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")
    for kind, shape, fill, more in sketch.commands:
        if kind == "solid":
            for k in range(shape, shape + more):
                solid.polygon(points[2 * starts[k] : 2 * stops[k]], fill)
        elif kind == "glaze":
            for k in range(shape, shape + more):
                glaze.polygon(points[2 * starts[k] : 2 * stops[k]], fill)
        elif kind == "line":
            line = points[2 * starts[shape] : 2 * stops[shape]]
            solid.line(line, fill, max(1, round(more * zoom)))
        else:
            rx, ry, strength = more
            x, y = points[2 * starts[shape] : 2 * stops[shape]]
            w, h = 4 * max(1, round(rx * zoom / 2)), 4 * max(1, round(ry * zoom / 2))
            left, top = int(x - w / 2), int(y - h / 2)
            image.paste(fill, (left, top, left + w, top + h), _spot(w, h, strength))
