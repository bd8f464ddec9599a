"""What every explorer shares: the two forms, when a kernel listens, pictures as text."""

from __future__ import annotations

import base64
import functools
import io
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from faceattr import theme
from faceattr.errors import UnknownNameError
from faceattr.optional import require

FORMS = ("auto", "live", "static")


def interactive() -> bool:
    """Whether a person sits at a live kernel, so that widgets make sense.

    ``FACEATTR_STATIC=1`` says no and ``FACEATTR_STATIC=0`` says yes. Without it: no where
    ``FACEATTR_PROFILE`` is set, because then a program executes the chapter to save it, and
    otherwise yes inside a Jupyter kernel.
    """
    if "FACEATTR_STATIC" in os.environ:
        return os.environ["FACEATTR_STATIC"] in ("", "0")
    if "FACEATTR_PROFILE" in os.environ:
        return False
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:  # no IPython, no kernel
        return False
    return hasattr(get_ipython(), "kernel")


class Explorer:
    """One view in two forms, each made when it is first asked for."""

    def __init__(self, live: Callable[[], Any], static: Callable[[], Any]):
        self._live, self._static = live, static

    @functools.cached_property
    def live(self):
        """The ipywidgets form."""
        return self._live()

    @functools.cached_property
    def static(self):
        """The Altair form."""
        return self._static()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if interactive():
            display(self.live)
        display(self.static)  # always: this is the one that a saved notebook keeps


def choose(form: str, live: Callable[[], Any], static: Callable[[], Any]):
    """Return the form asked for.

    Raises:
        UnknownNameError: no such form.
    """
    if form not in FORMS:
        raise UnknownNameError(f"unknown form {form!r}: choose one of {', '.join(FORMS)}")
    explorer = Explorer(live, static)
    return {"auto": lambda: explorer, "live": live, "static": static}[form]()


def widgets():
    """The ipywidgets module."""
    return require("ipywidgets", purpose="live explorers")


def altair():
    """The altair module."""
    return require("altair", purpose="static explorers")


# Pictures as bytes and as text -------------------------------------------------------------------


def picture(image: Tensor) -> Image.Image:
    """``(3, H, W)`` float in [0, 1] or uint8, as a Pillow image."""
    if image.is_floating_point():
        image = (image.detach().clamp(0, 1) * 255).round()
    return Image.fromarray(image.to(torch.uint8).permute(1, 2, 0).cpu().numpy())


def spotlight(mask: Tensor) -> Image.Image:
    """``(h, w)`` bool as a veil in the paper's colour with a hole where the mask is true."""
    shown = Image.fromarray(mask.cpu().numpy().astype(np.uint8))
    red, green, blue = (int(theme.PAPER[i : i + 2], 16) for i in (1, 3, 5))
    shown.putpalette([red, green, blue, 190, red, green, blue, 0], "RGBA")
    return shown


def heat_picture(heat: Tensor, levels: int = 24) -> Image.Image:
    """``(h, w)`` in [0, 1] as a small picture in heat colours; cold places are clear.

    It keeps the map's own few cells: whatever shows it larger smooths between them.
    """
    steps = (heat.clamp(0, 1) * (levels - 1)).round().to(torch.uint8).cpu().numpy()
    shown = Image.fromarray(steps)
    shown.putpalette(theme.heat_table(levels).flatten().tolist(), "RGBA")
    return shown


def over(face: Image.Image, layer: Image.Image) -> Image.Image:
    """A face with a small layer stretched over it, smoothed as a browser would."""
    face = face.convert("RGBA")
    layer = layer.convert("RGBA").resize(face.size, Image.Resampling.BILINEAR)
    return Image.alpha_composite(face, layer).convert("RGB")


def enlarged(image: Image.Image, size: int) -> Image.Image:
    """The picture brought to a width of ``size`` pixels."""
    height = round(image.height * size / image.width)
    return image.resize((size, height), Image.Resampling.LANCZOS)


def png(image: Image.Image) -> bytes:
    """A PNG file, for an image widget."""
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return file.getvalue()


def png_uri(image: Image.Image) -> str:
    """A PNG as text that a chart can hold: ``data:image/png;base64,...``."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def jpeg_uri(image: Image.Image, quality: int = 78) -> str:
    """A JPEG as text that a chart can hold."""
    file = io.BytesIO()
    image.convert("RGB").save(file, format="jpeg", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
