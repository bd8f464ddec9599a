"""A figure that carries its own description and shows itself at the size of the page."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from faceattr import theme


class Picture(Figure):
    """A matplotlib figure with words for those who do not see it.

    Attributes:
        alt: what the figure shows, in a sentence or two, with its main numbers.
        photographic: made of photographs rather than of lines.
        sharpness: stored pixels for each pixel of the page.
    """

    def __init__(
        self, width: float = theme.WIDTH, height: float = 4.0, *, photographic: bool = False
    ):
        with rc_context(theme.style()):
            layout = "compressed" if photographic else "constrained"  # keep pictures together
            super().__init__(figsize=(width, height), dpi=theme.CSS_DPI, layout=layout)
        self.alt = ""
        self.photographic = photographic
        self.sharpness = 1.5 if photographic else 2.0

    def encode(self) -> tuple[str, bytes]:
        """The opaque picture as ``(mime type, bytes)``.

        Charts are PNG, reduced to 256 colours, which halves them. Photographs are JPEG, a fifth of
        their PNG: a chapter has room for a few figures of faces.
        """
        file = io.BytesIO()
        with rc_context(theme.style()):
            self.savefig(file, format="png", dpi=theme.CSS_DPI * self.sharpness)
        shown, file = Image.open(file).convert("RGB"), io.BytesIO()
        if self.photographic:
            shown.save(file, format="jpeg", quality=88, subsampling=0, optimize=True)
            return "image/jpeg", file.getvalue()
        shown.quantize(256, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
        return "image/png", file.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """What IPython shows: the picture, its width on the page, and its description."""
        width = round(self.get_size_inches()[0] * theme.CSS_DPI)  # a height would not shrink along
        mime, shown = self.encode()
        return (
            {mime: base64.b64encode(shown).decode(), "text/plain": self.alt or repr(self)},
            {mime: {"width": width, "alt": self.alt}},
        )


def alt(figure: Figure) -> str:
    """The description of a figure; empty where it has none."""
    return getattr(figure, "alt", "")


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Draw under the book's settings, whatever the session's own are."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Picture:
        with rc_context(theme.style()):
            return draw(*args, **kwargs)

    return drawn


def join(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
