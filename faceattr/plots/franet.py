"""A drawing of FR-ANet: shared layers, a branch for each group, and where identity enters."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.patches as shapes
from matplotlib.colors import to_rgb

from faceattr import theme
from faceattr.attributes import GROUPS, pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled

#: Layers that all attributes share, in order.
SHARED = ("Conv1", "Pool1", "Conv2", "Pool2", "Conv3", "Pool3")

#: The groups that share one branch before they part.
REST = ("FacialHair", "AroundHead", "Cheeks", "Fat")

# Columns of the drawing, left to right, in tenths of an inch; a row is one group.
_FIRST, _STEP, _THICK = 4.4, 3.2, 2.3
_BRANCH, _WIDE = 25.6, 11.2
_HEAD, _HEAD_WIDE = 43.4, 8.4
_SCORES, _RIGHT = 54.4, 74.0
_ROW, _BOX, _LANE = 4.3, 2.8, 0.62


@styled
def plot_franet(
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    rest: Sequence[str] = REST,
    merged: bool = True,
    notes: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Picture:
    """Draw the network of the paper's Figure 2; see what everybody shares, and where branches part.

    Args:
        groups: group to its attributes, from the top; each is a branch of its own but those of
            ``rest``. By default the paper's, in its order.
        rest: groups that share one branch, ``Rest``, before they part in turn.
        merged: draw FR-ANet, whose identity branch reads the concatenated maps of all branches;
            False: FR+ANet, where identity is one more branch after Pool3.
        notes: layer (``"Conv1"``, ``"ConvAttr"``, ``"identity"``) to words that stand with it,
            such as its size.
        title: of the figure.

    Raises:
        DataError: no group, a group without attributes, or one of ``rest`` that is not there.
    """
    if groups is None:
        order = ("Eyes", "Nose", "Mouth", "Face", "Gender", *REST)
        groups = {name: GROUPS[name] for name in order}
    notes = notes or {}
    if missing := [name for name in rest if name not in groups]:
        raise DataError(f"no group {missing[0]!r}: there are {', '.join(groups)}")
    if not groups or not all(groups.values()):
        raise DataError("there is nothing to draw: give a group, and an attribute for each")
    own = [name for name in groups if name not in rest]
    heads = [*own, *rest]
    branches = {name: [name] for name in own} | ({"Rest": list(rest)} if rest else {})
    rows = {name: -_ROW * k for k, name in enumerate(heads)}  # the middle of each
    bottom = -_ROW * (len(heads) - 1)
    identity = bottom - 1.35 * _ROW
    picture = Picture(theme.WIDTH, (6.0 - identity) / 10 + (0.25 if title else 0))
    axes = picture.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, _RIGHT), ylim=(identity - 1.7, 4.3))
    axes.set_aspect("equal")
    draw = _Pen(axes)

    middle, tall = bottom / 2, -bottom + _BOX
    draw.words(0.2, middle, "picture", rotation=90, size=8.5)
    for k, layer in enumerate(SHARED):
        pool = layer.startswith("Pool")
        left, high = _FIRST + _STEP * k, tall * (1 - 0.11 * k)
        draw.box(
            left, middle, _THICK, high, "   ".join(filter(None, (layer, notes.get(layer)))),
            theme.MUTED, rotation=90, fill=0.1 if pool else 0.32,
        )  # fmt: skip
        draw.arrow(left - (_STEP - _THICK if k else 2.2), middle, left, middle)
    pool3 = _FIRST + _STEP * (len(SHARED) - 1) + _THICK

    lanes = _HEAD - 2.7  # where the maps of the branches turn down to be concatenated
    for k, (name, members) in enumerate(branches.items()):
        colour = theme.SERIES[k % len(theme.SERIES)]
        y = sum(rows[member] for member in members) / len(members)
        draw.path([(pool3, middle), (pool3 + 1.2, middle), (pool3 + 1.2, y), (_BRANCH, y)])
        draw.box(_BRANCH, y, _WIDE, _BOX, f"ConvAttr {name}", colour, fill=0.22,
                 note=notes.get("ConvAttr"))  # fmt: skip
        end = _BRANCH + _WIDE
        if merged:
            lane = lanes - _LANE * k
            draw.path([(end, y), (lane, y), (lane, identity + 0.55 * _BOX)], colour, arrow=True)
        for member in members:
            at = rows[member]
            turn = _HEAD - 1.6
            draw.path([(end, y), (turn, y), (turn, at), (_HEAD, at)], colour, arrow=True)
            draw.box(_HEAD, at, _HEAD_WIDE, _BOX, member, colour, fill=0.1)
            draw.arrow(_HEAD + _HEAD_WIDE, at, _SCORES - 0.4, at, colour)
            draw.scores(_SCORES, at, groups[member])
    _identity(draw, branches, merged, notes, identity, lanes, (pool3, middle))

    for x, words in ((_FIRST, "shared by all"), (_BRANCH, "a branch a group"),
                     (_HEAD, "own layers"), (_SCORES, "scores")):  # fmt: skip
        draw.words(x, 3.2, words, weight="bold", size=9)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    count = sum(len(members) for members in groups.values())
    picture.alt = (
        f"A drawing of {'FR-ANet' if merged else 'FR+ANet'}. Layers shared by all: "
        f"{join(list(SHARED))}. Then {len(branches)} branches of their own ConvAttr, "
        f"{join(list(branches))}"
        + (f"; Rest parts into {join(list(rest))}" if rest else "")
        + f". They end in the scores of {count} attributes. "
        + (
            f"The maps of the {len(branches)} branches, concatenated, feed the identity branch."
            if merged
            else "Identity is one more branch after Pool3 and sees none of the others' maps."
        )
    )
    return picture


def _identity(draw, branches, merged, notes, y, lanes, pool3) -> None:
    """The identity branch: below all others, fed by their maps or by Pool3."""
    if merged:
        wide = _LANE * len(branches)
        left = lanes - _LANE * (len(branches) - 0.5)
        for k in range(len(branches)):  # one segment a branch, below its lane
            at = left + _LANE * (len(branches) - 1 - k)
            draw.box(at, y, _LANE, _BOX, "", theme.SERIES[k % len(theme.SERIES)], fill=0.7)
        draw.words(left - 0.8, y, "maps of all branches,\nconcatenated", ha="right", size=8)
        draw.arrow(left + wide, y, _HEAD, y, theme.INK)
    else:
        x, middle = pool3
        draw.path([(x, middle), (x + 1.2, middle), (x + 1.2, y), (_BRANCH, y)])
        draw.box(_BRANCH, y, _WIDE, _BOX, "ConvAttr identity", theme.INK, fill=0.12,
                 note=notes.get("ConvAttr"))  # fmt: skip
        draw.arrow(_BRANCH + _WIDE, y, _HEAD, y, theme.INK)
    draw.box(_HEAD, y, _HEAD_WIDE, _BOX, "identity", theme.INK, fill=0.06)
    draw.arrow(_HEAD + _HEAD_WIDE, y, _SCORES - 0.4, y, theme.INK)
    draw.words(_SCORES, y, notes.get("identity", "one for each person in training"), size=7.5)


class _Pen:
    """Boxes, arrows and words on one pair of axes."""

    def __init__(self, axes):
        self.axes = axes

    def box(self, left, y, wide, high, words, colour, *, fill, rotation=0, note=None) -> None:
        """A box round ``y``, tinted with its colour: ``fill`` of it over the ground."""
        tint = [fill * c + (1 - fill) * g for c, g in zip(to_rgb(colour), to_rgb(theme.PAPER),
                                                          strict=True)]  # fmt: skip
        self.axes.add_patch(
            shapes.Rectangle((left, y - high / 2), wide, high, fc=tint, ec=colour, lw=1.1, zorder=3)
        )
        how = {"ha": "center", "va": "center", "rotation": rotation, "zorder": 4}
        up = 0.6 if note else 0
        self.axes.text(left + wide / 2, y + up, words, fontsize=8, **how)
        if note:
            self.axes.text(left + wide / 2, y - up, note, fontsize=7, **how)

    def path(self, points, colour=theme.MUTED, arrow=True) -> None:
        """A line through points, with a head at its end."""
        x, y = zip(*(points[:-1] if arrow else points), strict=True)
        self.axes.plot(x, y, color=colour, linewidth=1.1, zorder=2, solid_joinstyle="miter")
        if arrow:
            self.arrow(*points[-2], *points[-1], colour)

    def arrow(self, x0, y0, x1, y1, colour=theme.MUTED) -> None:
        """A straight arrow."""
        self.axes.add_patch(
            shapes.FancyArrowPatch(
                (x0, y0), (x1, y1), arrowstyle="-|>,head_length=3,head_width=1.8", color=colour,
                linewidth=1.1, shrinkA=0, shrinkB=0, mutation_scale=1, zorder=2,
            )
        )  # fmt: skip

    def words(self, x, y, text, *, ha="left", size=8.0, weight="normal", rotation=0) -> None:
        """Words whose middle is at ``y``."""
        self.axes.text(
            x, y, text, ha=ha, va="center", fontsize=size, fontweight=weight, rotation=rotation,
            linespacing=1.15,
        )  # fmt: skip

    def scores(self, x, y, names: Sequence[str]) -> None:
        """How many scores, and whose: as many names as fit into three lines."""
        for shown in range(len(names), 0, -1):
            more = len(names) - shown
            words = ", ".join(pretty(name) for name in names[:shown])
            lines = textwrap.wrap(words + (f", {more} more" if more else ""), 36)
            if len(lines) <= 3:
                break
        self.words(x, y, f"{len(names)}", weight="bold")
        self.words(x + 2.3, y, "\n".join(lines), size=7)
