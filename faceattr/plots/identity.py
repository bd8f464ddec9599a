"""Figures of identity: how alike one person's labels are, and which attributes gain by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.patheffects import withStroke

from faceattr import theme
from faceattr.agreement import mean_off_diagonal
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, styled


@styled
def plot_agreement_matrices(
    within,
    among,
    *,
    headings: tuple[str, str] = ("one person", "as many people"),
    title: str | None = None,
) -> Picture:
    """Draw FR-ANet's Figure 1: correlations of pictures of one person, and of different people.

    See how much redder the left one is, and that the right one is not white. Both have one colour
    scale; diagonals are left out, and so is a picture whose labels are all equal.

    Args:
        within: ``(N, N)`` correlations of the pictures of one person, from
            :func:`~faceattr.agreement.image_correlation`.
        among: ``(K, K)`` the same of K people, a picture each.
        headings: what stands above the two, before the mean off the diagonal.
        title: of the figure.

    Raises:
        DataError: a matrix is not square, or has fewer than two rows.
    """
    pair = [np.array(matrix, dtype=float) for matrix in (within, among)]
    if any(m.ndim != 2 or m.shape[0] != m.shape[1] or len(m) < 2 for m in pair):
        raise DataError(
            f"matrices of shapes {pair[0].shape} and {pair[1].shape}: give two square ones, "
            "correlations of two pictures at least"
        )
    picture = Picture(theme.WIDTH, 3.62 + (0.25 if title else 0))
    panels = picture.subplots(1, 2)
    means = [mean_off_diagonal(matrix) for matrix in pair]
    for axes, matrix, heading, mean in zip(panels, pair, headings, means, strict=True):
        np.fill_diagonal(matrix, np.nan)
        colours = matplotlib.colormaps[theme.SIGNED].with_extremes(bad=theme.GRID)
        image = axes.imshow(matrix, cmap=colours, vmin=-1, vmax=1)
        axes.set_title(f"{heading}: mean {mean:+.2f}", fontsize=9.5)
        ticks = [0, *range(4, len(matrix), 5)] if len(matrix) >= 10 else range(len(matrix))
        axes.set_xticks(list(ticks), [str(t + 1) for t in ticks], fontsize=8)
        axes.set_yticks(list(ticks), [str(t + 1) for t in ticks], fontsize=8)
        axes.set_xlabel("picture", fontsize=8.5)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    bar = picture.colorbar(image, ax=list(panels), location="right", shrink=0.86, pad=0.02)
    bar.set_label("correlation of their attributes", fontsize=8.5)
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    said = [
        f"{heading}, {len(matrix)} pictures: mean {mean:+.2f} off the diagonal, from "
        f"{np.nanmin(matrix):+.2f} to {np.nanmax(matrix):+.2f}"
        if np.isfinite(mean)
        else f"{heading}, {len(matrix)} pictures: no two that vary"
        for heading, matrix, mean in zip(headings, pair, means, strict=True)
    ]
    picture.alt = (
        f"Two matrices of correlations between pictures' attributes in one colour scale. "
        f"{'; '.join(said)}."
    )
    return picture


@styled
def plot_gain_against_agreement(
    gain,
    low,
    high,
    agreement,
    names: Sequence[str] = ATTRIBUTES,
    *,
    rank: float | None = None,
    labelled: Sequence[str] | None = None,
    label: str = "gain in points of accuracy, with 95% intervals",
    title: str = "Who gains?",
) -> Picture:
    """Draw what each attribute gains over how far a person fixes it.

    See whether the cloud rises: identity should help what belongs to a person more than what
    belongs to a moment.

    Args:
        gain: ``(M,)`` differences, shares (0.01 is a point).
        low: ``(M,)`` lower ends of their intervals.
        high: ``(M,)`` upper ends.
        agreement: ``(M,)`` intra-class correlations of the labels within a person; an attribute
            for which it is NaN is left out.
        names: the M attribute names.
        rank: the rank correlation of the two, written into the title.
        labelled: attributes whose names are written beside their dots; by default the three that
            gain most, the three that gain least and both ends of agreement.
        label: what the gains are.
        title: of the figure.

    Raises:
        DataError: shapes that do not fit, a name that is not there, or nothing to draw.
    """
    rows = [np.asarray(values, dtype=float) for values in (gain, low, high, agreement)]
    if any(values.shape != (len(names),) for values in rows):
        raise DataError(
            f"values of shapes {', '.join(str(v.shape) for v in rows)} for {len(names)} names: "
            "give one gain, lower end, upper end and agreement for each"
        )
    if missing := [name for name in labelled or () if name not in names]:
        raise DataError(f"no attribute {missing[0]!r} among the names given")
    gain, low, high = (100 * values for values in rows[:3])
    x = rows[3]
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(gain))
    if not len(known):
        raise DataError("there is nothing to draw: no attribute has a gain and an agreement")
    by_gain = known[np.argsort(gain[known], kind="stable")]
    if labelled is None:
        ends = [known[x[known].argmin()], known[x[known].argmax()]]
        chosen = dict.fromkeys(int(k) for k in (*by_gain[-3:][::-1], *by_gain[:3], *ends))
    else:
        chosen = [k for k in (list(names).index(name) for name in labelled) if k in known]
    picture = Picture(theme.WIDTH, 4.1)
    axes = picture.subplots()
    axes.axhline(0, color=theme.INK, linewidth=1)
    axes.vlines(x[known], low[known], high[known], color=theme.SERIES[0], alpha=0.4, linewidth=1.3)
    axes.plot(x[known], gain[known], "o", color=theme.SERIES[0], markeredgecolor=theme.PAPER)
    axes.margins(x=0.06, y=0.08)
    axes.set_xlabel("agreement of the labels within a person (intra-class correlation)")
    axes.set_ylabel(label)
    axes.set_title(title if rank is None else f"{title} Rank correlation {rank:+.2f}")
    _write_names(
        picture, axes, {pretty(names[k]): (x[k], gain[k]) for k in chosen}, (x[known], gain[known])
    )
    above, below = int((low[known] > 0).sum()), int((high[known] < 0).sum())
    most, least = (f"{pretty(names[k])} ({gain[k]:+.2f})" for k in (by_gain[-1], by_gain[0]))
    picture.alt = (
        f"Dots with intervals for {len(known)} attributes: {label}, over the agreement of labels "
        f"within a person. {above} lie clearly above zero, {below} clearly below. Most: {most}; "
        f"least: {least}."
    )
    if rank is not None:
        picture.alt += f" The rank correlation of gain and agreement is {rank:+.2f}."
    return picture


def _write_names(
    picture: Picture, axes, places: Mapping[str, tuple[float, float]], dots: tuple
) -> None:
    """Write names near their dots, where they cover no dot, no other name and no edge."""
    picture.draw_without_rendering()  # settles the layout: pixels are what they will be
    frame = axes.get_window_extent()
    occupied = axes.transData.transform(np.column_stack(dots))  # (N, 2) pixels
    halo = [withStroke(linewidth=2.4, foreground=theme.PAPER)]
    taken = []
    for name, place in places.items():
        best = None
        for far, (dx, dy), how in _OFFSETS:
            where = {"xytext": (far * dx, far * dy), "textcoords": "offset points", **how}
            text = axes.annotate(name, place, fontsize=8, **where)
            box = text.get_window_extent().padded(0.5)
            text.remove()
            inside = (
                frame.x0 <= box.x0 and box.x1 <= frame.x1
                and frame.y0 <= box.y0 and box.y1 <= frame.y1
            )  # fmt: skip
            covered = sum(box.overlaps(other) for other in taken) + box.count_contains(occupied)
            near = max(0, box.padded(9).count_contains(occupied) - 1)  # may seem to be named
            cost = covered + 2 * (not inside) + 0.3 * near
            if best is None or cost < best[0]:
                best = (cost, box, far, where)
            if cost == 0:
                break
        _, box, far, where = best
        leader = {"arrowstyle": "-", "color": theme.MUTED, "lw": 0.7, "shrinkB": 3}
        axes.annotate(
            name, place, fontsize=8, path_effects=halo, arrowprops=leader if far > 1 else None,
            **where,
        )  # fmt: skip
        taken.append(box)


#: Where a name may stand, nearest first: how far, in which direction in points, how it is aligned.
_OFFSETS = [
    (far, (side * across, up), {"ha": aligned, "va": vertical})
    for far in (1, 1.7, 2.6, 3.8)
    for across, up, vertical in (
        (6, 0, "center"), (5, 5, "bottom"), (5, -5, "top"), (0, 7, "bottom"), (0, -7, "top"),
    )
    for side, aligned in (((1, "left"), (-1, "right")) if across else ((1, "center"),))
]  # fmt: skip
