"""Backgrounds, light and the camera: everything that no label depends on."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from faceattr.data.drawing.colours import hsv


def background(rng: np.random.Generator, side: int, clutter: float) -> Image.Image:
    """A picture of ``side`` pixels to paint on: washes of colour, then things.

    Args:
        rng: a generator of its own for this background.
        side: pixels.
        clutter: 0 for a plain studio, 1 for a scene full of things.
    """
    hue, dull = rng.random(), 0.08 + 0.34 * rng.random()
    cells = int(rng.integers(2, 7))
    value = 0.25 + 0.6 * rng.random()
    uneven = rng.normal(0, 6 + 18 * rng.random(), (cells, cells, 4))
    wash = np.array(hsv(hue, dull, value)) + uneven[..., :1] + 0.5 * uneven[..., 1:]
    wash = Image.fromarray(wash.clip(0, 255).astype(np.uint8))
    smooth = wash.resize((side // 4, side // 4), Image.Resampling.BILINEAR)
    image = smooth.resize((side, side), Image.Resampling.NEAREST)
    things = rng.poisson(3 + 22 * clutter)
    if things:
        draw = ImageDraw.Draw(image, "RGBA")
        numbers = rng.random((things, 9))
        for kind, x, y, size, stretch, h, s, v, alpha in numbers.tolist():
            colour = (
                *hsv(hue + 0.5 * (h - 0.5) + 0.5 * (h > 0.8), 0.10 + 0.5 * s, 0.1 + 0.85 * v),
                int(255 * (0.35 + 0.65 * alpha)),
            )
            x, y, r = x * side, y * side, (0.02 + 0.13 * size**2) * side
            if kind < 0.3:
                draw.rectangle(
                    (x - r, y - r * 3 * stretch - 1, x + r, y + r * 3 * stretch + 1), colour
                )
            elif kind < 0.6:
                draw.ellipse(
                    (x - r, y - r * (0.5 + stretch), x + r, y + r * (0.5 + stretch)), colour
                )
            elif kind < 0.8:
                draw.polygon(
                    (x - r, y + r, x + r * stretch, y - 2 * r, x + r, y + r * stretch), colour
                )
            else:
                draw.line(
                    (x - 4 * r, y, x + 4 * r, y + r * 8 * (stretch - 0.5)),
                    colour,
                    max(1, int(side * 0.015 * (0.3 + size))),
                )
    return image


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """The picture out of focus; ``radius`` in its own pixels. A little blur is done in one pass."""
    if radius <= 0.4:
        return image
    little = radius < 0.9
    return image.filter((ImageFilter.BoxBlur if little else ImageFilter.GaussianBlur)(radius))


def blur_patch(image: Image.Image, box: np.ndarray, radius: float) -> None:
    """Put the surroundings of one face out of focus, in place.

    Args:
        image: of a scene. box: ``(4,)`` of the face in its pixels. radius: in its pixels.
    """
    if radius <= 0.8:
        return
    x0, y0, x1, y1 = box.tolist()
    grow = 0.7 * max(x1 - x0, y1 - y0)
    around = tuple(int(v) for v in (x0 - grow, y0 - grow, x1 + grow, y1 + grow))
    patch = image.crop(around).filter(ImageFilter.GaussianBlur(radius))
    mask = Image.new("L", patch.size)
    inset = 0.18 * grow
    ends = (inset, inset, patch.width - inset, patch.height - inset)
    ImageDraw.Draw(mask).ellipse(ends, 255)
    image.paste(patch, around[:2], mask.filter(ImageFilter.GaussianBlur(0.12 * grow)))


@cache
def _noise(side: int) -> np.ndarray:
    """Normal noise, drawn once for each size, of which every picture takes another window."""
    rng = np.random.default_rng(side)
    return rng.standard_normal((3, 2 * side, 2 * side), dtype=np.float32)


@cache
def _axis(side: int) -> np.ndarray:
    return np.linspace(-1, 1, side, dtype=np.float32)


def photograph(
    image: Image.Image, now: dict[str, float], rng: np.random.Generator, out: np.ndarray
) -> None:
    """Light from one side, its colour, exposure and sensor noise; into ``out (3, S, S)`` uint8."""
    side = image.width
    angle, strength = math.pi * (0.15 + 0.7 * now["u_light"]), 0.04 + 0.26 * now["u_light_strength"]
    warm, exposure = 0.16 * (now["u_warm_light"] - 0.5), 0.78 + 0.30 * now["u_exposure"]
    tint = np.array([1 + warm, 1, 1 - warm], dtype=np.float32)[:, None, None]
    across = (1 - math.cos(angle) * strength * _axis(side)) * exposure * tint  # (3, 1, S)
    down = (1 - 0.45 * math.sin(angle) * strength * _axis(side))[:, None]  # (S, 1)
    x, y = rng.integers(0, side, 2).tolist()
    grain = np.float32(1.2 + 6.0 * now["u_noise"] ** 2)
    # Pillow keeps four bytes to a pixel and hands those out fastest.
    pixels = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint8).reshape(side, side, 4)
    lit = np.empty(out.shape, dtype=np.float32)
    lit[...] = pixels[..., :3].transpose(2, 0, 1)  # (3, S, S)
    lit *= across
    lit *= down
    lit += _noise(side)[:, y : y + side, x : x + side] * grain
    np.clip(lit, 0, 255, out=lit)
    out[...] = lit
