"""Reading one picture, and cutting the part of it that a model sees.

The aligned view has one rule for every release of CelebA, so that the full-size pictures
(178 x 218) and the half-size ones (89 x 109) show a model the same part of the head: see
:func:`centre_window`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from faceattr.errors import ImageError

#: Changes with anything below that changes a pixel, so that caches of older rules are not reused.
GEOMETRY = 1

#: The part of an aligned picture that is shown: this share of its height and of its width,
#: around the centre. On half-size pictures (89 x 109) it is 80 x 96 pixels.
FIELD = (96 / 109, 80 / 89)


class UnreadableImageError(ImageError):
    """A picture file is torn, empty or no picture at all."""


@dataclass(frozen=True)
class Window:
    """The rectangle of a picture that becomes the model's input.

    Attributes:
        left, top, width, height: in pixels of the picture; fractions are allowed.
        size: height and width of the result in pixels.
    """

    left: float
    top: float
    width: float
    height: float
    size: tuple[int, int]

    def cut(self, picture: Image.Image) -> np.ndarray:
        """Return the window resampled to ``size``: uint8 ``(3, H, W)``.

        A window of exactly ``size`` is copied pixel by pixel; any other is resampled by Pillow's
        bicubic filter, which averages over the pixels it skips.
        """
        high, wide = self.size
        box = (self.left, self.top, self.left + self.width, self.top + self.height)
        if (self.width, self.height) == (wide, high) and box[0] % 1 == box[1] % 1 == 0:
            pixels = picture.crop(tuple(int(edge) for edge in box))
        else:
            pixels = picture.resize((wide, high), Image.Resampling.BICUBIC, box=box)
        return np.asarray(pixels).transpose(2, 0, 1)  # (3, H, W)

    def move(self, points: np.ndarray) -> np.ndarray:
        """Carry points ``(..., 2)`` from pixels of the picture to pixels of the result."""
        high, wide = self.size
        scale = np.array([wide / self.width, high / self.height])
        return (points - np.array([self.left, self.top])) * scale


def read_rgb(source: str | Path | bytes, name: str | None = None) -> Image.Image:
    """Read a picture of any kind Pillow knows as RGB, turned upright.

    The bytes decide, not the ending: a PNG named ``.jpg`` is read as PNG. Grey, palette, CMYK and
    16-bit grey become RGB, transparency is dropped, and the EXIF orientation is applied.

    Args:
        source: a file, or the bytes of one.
        name: what to call it in an error; the path by default.

    Raises:
        UnreadableImageError: the file is missing, empty, cut short or no picture.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "a picture")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I") or upright.mode == "F":  # Pillow would clip at 255
                grey = np.asarray(upright, dtype=np.float64)
                upright = Image.fromarray((grey / (257 if grey.max() > 255 else 1)).astype("uint8"))
            return upright if upright.mode == "RGB" else upright.convert("RGB")
    except (FileNotFoundError, IsADirectoryError) as error:
        fault = "a folder" if isinstance(error, IsADirectoryError) else "not there"
        raise UnreadableImageError(f"{name} is {fault}: give the name of a picture file") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(
            f"{name} cannot be read as a picture ({error}): copy it again from the original"
        ) from error


def centre_window(width: int, height: int, size: tuple[int, int], name: str = "") -> Window:
    """Where to cut an aligned picture.

    The picture is shrunk until ``size`` just fits into its central :data:`FIELD`, and cut around
    its centre. So 96 x 80 is a plain centre crop of a half-size picture and, of a full-size one,
    the same part of the head (160 x 192 pixels) halved. A ``size`` too large for the field takes
    more of the picture, unshrunk; no picture is ever enlarged.

    Args:
        width, height: of the picture in pixels.
        size: height and width wanted.
        name: the picture's, for the error.

    Raises:
        ImageError: the picture has fewer pixels than ``size``.
    """
    high, wide = size
    if high > height or wide > width:
        raise ImageError(
            f"{name or 'a picture'} is {height} pixels high and {width} wide, smaller than the "
            f"{high} x {wide} (height x width) asked for: choose a smaller size, "
            f"at most {height} x {width}, or use larger pictures"
        )
    shrink = min(1.0, max(high / (height * FIELD[0]), wide / (width * FIELD[1])))
    if shrink > 1 - 1e-6:  # a plain centre crop, on whole pixels as torchvision's center_crop
        return Window(round((width - wide) / 2), round((height - high) / 2), wide, high, size)
    part = wide / shrink, high / shrink
    return Window((width - part[0]) / 2, (height - part[1]) / 2, *part, size)
