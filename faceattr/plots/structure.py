"""Figures of known groups: which basis tasks an attribute uses, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, styled
from faceattr.sweep import check_table


@styled
def plot_sparsity(
    coefficients: Sequence[np.ndarray],
    groups: Mapping[str, Sequence[str]],
    *,
    title: str = "Which basis tasks does an attribute use?",
) -> Picture:
    """Draw the coefficients ``S_g`` of each group: a row a basis task, a column an attribute.

    See which attributes share a basis task (colour in one row), and which use none (an empty
    column). Exact zeros are crossed out.

    Args:
        coefficients: ``S_g (K_g, T_g)`` of each group.
        groups: group to its attributes, in the order of the coefficients.
        title: of the figure.

    Raises:
        DataError: groups and coefficients that do not match.
    """
    tables = [np.asarray(some, dtype=float) for some in coefficients]
    if not tables or [len(m) for m in groups.values()] != [t.shape[1] for t in tables]:
        raise DataError(
            f"{len(tables)} tables of coefficients for {len(groups)} groups: give one each, with a "
            "column for each attribute"
        )
    reach = max(np.abs(table).max() for table in tables) or 1.0
    rows = _rows([table.shape[1] for table in tables])
    deep = [max(len(tables[g]) for g in row) for row in rows]
    high = sum(deep) + (_HEAD + _NAMES) * len(rows)
    picture = Picture(theme.WIDTH, 0.55 + theme.WIDTH / (_WIDEST + 1) * high)
    axes = picture.subplots()
    top, names = 0.0, list(groups)
    for row, depth in zip(rows, deep, strict=True):
        left = 0.0
        for g in row:
            axes.text(left, top + _HEAD - 0.35, names[g], fontsize=8.5, fontweight="bold")
            _pattern(axes, tables[g], left, top + _HEAD, reach)
            for k, name in enumerate(groups[names[g]]):
                axes.text(
                    left + k + 0.5, top + _HEAD + len(tables[g]) + 0.2, pretty(name), fontsize=6.8,
                    rotation=90, ha="center", va="top",
                )  # fmt: skip
            left += tables[g].shape[1] + _GAP
        top += _HEAD + depth + _NAMES
    axes.set(xlim=(-0.2, _WIDEST + 0.2), ylim=(top, 0), aspect="equal")
    axes.set_axis_off()
    axes.set_title(
        f"{title}\nred above 0, blue below, darkest at {reach:.2g}; crosses are exactly 0",
        fontsize=9,
    )
    zeros = sum(int((table == 0).sum()) for table in tables)
    picture.alt = (
        f"Tables of coefficients of {len(tables)} groups, a row a basis task and a column an "
        f"attribute: {zeros} of {sum(table.size for table in tables)} entries are exactly 0."
    )
    return picture


#: In cells: the width of a row of groups, between two groups, above a group, below it for names.
_WIDEST, _GAP, _HEAD, _NAMES = 27.5, 1.5, 1.4, 4.6


def _rows(sizes: Sequence[int]) -> list[list[int]]:
    """Groups that stand side by side: as many as fit."""
    rows: list[list[int]] = [[]]
    for g, size in enumerate(sizes):
        if rows[-1] and sum(sizes[k] + _GAP for k in rows[-1]) + size > _WIDEST:
            rows.append([])
        rows[-1].append(g)
    return rows


def _pattern(axes, table: np.ndarray, left: float, top: float, reach: float) -> None:
    """One group's cells, zeros crossed out."""
    deep, wide = table.shape
    axes.pcolormesh(
        left + np.arange(wide + 1), top + np.arange(deep + 1), table, cmap=theme.SIGNED,
        vmin=-reach, vmax=reach, edgecolors=theme.GRID, linewidth=0.6,
    )  # fmt: skip
    y, x = np.nonzero(table == 0)
    axes.plot(
        left + x + 0.5, top + y + 0.5, "x", color=theme.MUTED, markersize=4, markeredgewidth=0.9
    )


@styled
def plot_ranks(
    frame: pd.DataFrame,
    *,
    most: Mapping[str, int] | None = None,
    title: str = "How many basis tasks are left?",
) -> Picture:
    """Draw the rank of each group's ``L_g`` over gamma, and the sum of all.

    See from which gamma on directions disappear, and in which groups first.

    Args:
        frame: one row for each gamma and group: columns ``gamma``, ``group``, ``rank`` (a mean over
            seeds, if there are several).
        most: group to its number of basis tasks, written beside its name.
        title: of the figure.

    Raises:
        DataError: a column is missing, there is no row, or a gamma is not above 0.
    """
    check_table(frame, ("gamma", "group", "rank"), what="the table of ranks")
    if not (frame["gamma"] > 0).all():
        raise DataError("a gamma is not above 0: it has no place on this axis")
    table = frame.pivot_table(index="group", columns="gamma", values="rank", sort=False)
    table = table[sorted(table)]
    total = table.sum()
    picture = Picture(theme.WIDTH, 1.3 + 0.34 * len(table))
    axes = picture.subplots()
    axes.imshow(
        table.to_numpy() / np.maximum(table.max(axis=1).to_numpy()[:, None], 1e-9), cmap="Blues",
        vmin=0, vmax=1.6, aspect="auto",
    )  # fmt: skip
    for row, column in np.ndindex(*table.shape):
        axes.text(column, row, f"{table.iloc[row, column]:.3g}", ha="center", va="center",
                  fontsize=8.5)  # fmt: skip
    words = [f"{g} (of {most[g]})" if most and g in most else g for g in table.index]
    axes.set_yticks(range(len(table)), words, fontsize=8.5)
    axes.set_xticks(
        range(table.shape[1]), [f"{g:g}\nin all {n:.3g}" for g, n in total.items()], fontsize=8.5
    )
    axes.set_xlabel("gamma")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    told = ", ".join(f"{n:.3g} at {g:g}" for g, n in total.items())
    picture.alt = f"A table of the rank of {len(table)} groups over gamma; ranks in all: {told}."
    return picture
