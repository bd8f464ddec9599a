"""How figures and explorers look, and how their descriptions travel into the book.

Every figure has an opaque, nearly white ground of its own, so it reads the same on a light and on
a dark page. Colours are Okabe and Ito's, told apart with any colour vision; no figure relies on
colour alone where a shape or a word can help.

**Alternative text.** A figure made by :mod:`faceattr.plots` describes itself (``figure.alt``, with
its numbers). Shown as the last expression of a cell, it puts the text into the output's own
metadata, where IPython and nbconvert look for it. myst-nb reads the cell's metadata instead::

    {"mystnb": {"image":  {"alt": "...", "width": "90%"},
                "figure": {"caption": "What to see.", "name": "fig-prevalence"}}}

so whoever executes notebooks calls :func:`carry_alt` before saving: it copies each figure's text to
that place. Captions and reference names are written by hand, in ``figure``; an ``alt`` written by
hand wins and stays. One figure a cell: a cell has room for one text. Without myst-nb (Colab,
GitHub) the picture is a plain PNG or JPEG output and shows as such; a caption that must be read
there too belongs in the Markdown cell below.
"""

from __future__ import annotations

import warnings

import numpy as np

PAPER = "#fbfaf7"  # ground of every figure and chart
INK = "#1f2328"  # text and axes
MUTED = "#5f6670"  # baselines, secondary text: 4.5:1 on PAPER
GRID = "#e2e0da"

#: Okabe and Ito's colours in the order in which series take them (yellow is too pale for a line).
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
RIGHT, WRONG = "#009E73", "#D55E00"

HEAT = "inferno"  # maps over faces
SIGNED = "RdBu_r"  # correlations: red above zero, blue below, paper white at zero

WIDTH = 7.4  # inches; at 100 pixels an inch, the text width of a page
CSS_DPI = 100  # inches become this many pixels on the page

#: Stops of the heat colours that explorers use (they need no matplotlib), from cold to hot: RGB
#: and opacity, so that cold places let the face through.
_STOPS = np.array(
    [
        [20, 11, 53, 0],
        [106, 23, 110, 90],
        [203, 65, 73, 165],
        [245, 139, 18, 205],
        [250, 233, 120, 230],
    ],
    dtype=float,
)


def style() -> dict[str, object]:
    """Settings of matplotlib under which every figure is drawn."""
    return {
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9.5,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # matplotlib's own: the same on every machine
        "font.size": 9.5,
        "axes.prop_cycle": _cycle(),
    }


def _cycle():
    from cycler import cycler

    return cycler(color=SERIES)


def heat_table(levels: int = 24) -> np.ndarray:
    """Heat colours as ``(levels, 4)`` uint8 RGBA, from cold and clear to hot and dense."""
    at = np.linspace(0, len(_STOPS) - 1, levels)
    stops = np.arange(len(_STOPS))
    return np.stack(
        [np.interp(at, stops, column) for column in _STOPS.T], axis=1
    ).round().astype(np.uint8)  # fmt: skip


def vega_config() -> dict[str, object]:
    """The same look for Altair: pass to ``chart.configure(**vega_config())``."""
    return {
        "background": PAPER,
        "padding": 12,
        "font": "DejaVu Sans, Verdana, sans-serif",
        "title": {"color": INK, "fontSize": 15, "anchor": "start"},
        "text": {"color": INK, "fontSize": 13},
        "view": {"stroke": None},
    }


def carry_alt(notebook: dict) -> int:
    """Copy each figure's description from its output to the cell, where myst-nb looks for it.

    Args:
        notebook: as ``nbformat.read`` gives it; changed in place. An ``alt`` that an earlier
            call carried is renewed; one written by hand (there before any call) stays.

    Returns:
        How many cells carry a description afterwards.
    """
    count = 0
    for place, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        texts = [
            text
            for output in cell.get("outputs", ())
            for mime in ("image/png", "image/jpeg")
            if (text := output.get("metadata", {}).get(mime, {}).get("alt"))
        ]
        if len(texts) > 1:
            warnings.warn(
                f"cell {place} shows {len(texts)} figures, and a page has room for one "
                "description a cell: give each figure a cell of its own",
                stacklevel=2,
            )
        image = cell["metadata"].get("mystnb", {}).get("image", {})
        carried = cell["metadata"].get("faceattr_alt") == image.get("alt")
        if texts and ("alt" not in image or carried):
            cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})["alt"] = texts[0]
            cell["metadata"]["faceattr_alt"] = texts[0]
        count += "alt" in cell["metadata"].get("mystnb", {}).get("image", {})
    return count
