"""Any kind of picture a caller may hold, as an RGB image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from faceattr.data.pictures import read_rgb
from faceattr.errors import ImageError

#: What the functions on single pictures accept.
PictureLike = str | Path | Image.Image | np.ndarray | Tensor


def read_image(image: PictureLike) -> Image.Image:
    """Any kind of picture as RGB.

    A path is read and turned upright by its EXIF orientation; the other kinds stay as they lie.

    Args:
        image: a path; a Pillow image of any mode; an array ``(H, W)``, ``(H, W, C)`` or
            ``(C, H, W)`` or a tensor of these shapes, C one of 1, 3, 4, integers or floats in
            [0, 1]; where both fit, an array has its channels last, a tensor first.
            Transparency is dropped, 16-bit grey is brought to 8 bits.

    Raises:
        ImageError: it cannot be read, has another shape, or floats outside [0, 1].
    """
    if isinstance(image, (str, Path)):
        return read_rgb(image)
    if isinstance(image, Image.Image):
        try:
            image.load()  # Pillow opens lazily: a file cut short shows only now
        except OSError as error:
            name = getattr(image, "filename", "") or "a Pillow image"
            raise ImageError(f"{name} cannot be read ({error}): copy it again") from error
        if 0 in image.size:
            raise ImageError(f"a picture of {image.width} x {image.height} pixels shows nothing")
        if image.mode.startswith("I") or image.mode == "F":
            grey = np.asarray(image, dtype=np.float64)
            return read_image((grey / (257 if grey.max(initial=0) > 255 else 1)).astype(np.uint8))
        return image if image.mode == "RGB" else image.convert("RGB")
    first = isinstance(image, Tensor)
    pixels = image.detach().cpu().numpy() if first else np.asarray(image)
    return Image.fromarray(_rgb_pixels(pixels, first))


def _rgb_pixels(pixels: np.ndarray, first: bool) -> np.ndarray:
    """Array of a picture as uint8 ``(H, W, 3)``; where both fit, are channels first or last?"""
    shape = pixels.shape
    if pixels.ndim == 2:
        pixels = pixels[..., None]  # (H, W, 1)
    elif pixels.ndim == 3 and shape[0] in (1, 3, 4) and (first or shape[2] not in (1, 3, 4)):
        pixels = pixels.transpose(1, 2, 0)  # (H, W, C)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise ImageError(
            f"an array of shape {shape} is no picture: give (H, W), (H, W, C) or (C, H, W) "
            "with 1, 3 or 4 channels, and several pictures as a list"
        )
    if np.issubdtype(pixels.dtype, np.floating):
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise ImageError(
                f"a picture of floats runs from {low:g} to {high:g}: bring it to [0, 1], "
                "or give uint8"
            )
        pixels = np.round(pixels.astype(np.float64) * 255)
    elif pixels.dtype == bool:
        pixels = pixels * 255
    elif pixels.dtype == np.uint16:
        pixels = pixels // 257
    elif pixels.dtype != np.uint8 and (pixels.min() < 0 or pixels.max() > 255):
        raise ImageError(f"a picture of {pixels.dtype} leaves 0 to 255: give uint8")
    pixels = pixels[..., :3].astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
