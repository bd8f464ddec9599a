"""The structure explorer: gamma and lambda against sparsity, rank and accuracy."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, widgets
from faceattr.explore.structure_chart import BLUE, RED, placed, structure_chart
from faceattr.sweep import check_table

#: Columns of the grid: one row for each gamma and lambda.
GRID = ("gamma", "lam", "zeros", "rank", "accuracy", "low", "high")
#: What is drawn over the grid: column to its heading.
PANELS = {"zeros": "share of S that is 0", "rank": "rank of all L", "accuracy": "mean accuracy"}


@dataclass
class Structure:
    """What both forms of the explorer show.

    Attributes:
        gammas, lams: G and K values, ascending.
        tables: column of the grid to ``(G, K)``.
        groups: group to its attributes; empty without patterns.
        patterns: ``(G, K, C)`` coefficients, cell by cell in the order of ``cells``.
        cells: group, row and column of each cell.
    """

    gammas: list[float]
    lams: list[float]
    tables: dict[str, np.ndarray]
    groups: dict[str, list[str]]
    patterns: np.ndarray
    cells: list[tuple[int, int, int]]

    def sentence(self, g: int, k: int) -> str:
        """What a choice of gamma and lambda comes to."""
        zeros, rank, value, low, high = (
            self.tables[c][g, k] for c in ("zeros", "rank", "accuracy", "low", "high")
        )
        return (
            f"gamma = {self.gammas[g]:g}, lambda = {self.lams[k]:g}: {zeros:.0%} of the "
            f"coefficients are 0, {rank:.3g} basis tasks in all are left,\n"
            f"mean accuracy {100 * value:.2f}% [{100 * low:.2f}, {100 * high:.2f}]"
        )

    @property
    def reach(self) -> float:
        """End of the patterns' colour scale: nearly all coefficients fit."""
        return float(np.quantile(np.abs(self.patterns), 0.995) or 1.0) if self.cells else 1.0


def structure_explorer(
    frame: pd.DataFrame,
    *,
    patterns: Mapping[tuple[float, float], Sequence[np.ndarray]] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    start: tuple[float, float] = (1.0, 0.01),
    form: str = "auto",
):
    """Move gamma and lambda; see how sparse, how low in rank and how good the weights become.

    Left three tables over the grid, the chosen place framed. Right, where given, the coefficients
    of every group: a row a basis task, a column an attribute.

    Args:
        frame: one row for each gamma and lambda: columns ``gamma``, ``lam``, ``zeros`` (share of
            the coefficients), ``rank`` (of all groups together), ``accuracy``, ``low``, ``high``.
        patterns: gamma and lambda to ``S_g (K_g, T_g)`` of each group.
        groups: group to its attributes, in the order of the coefficients.
        start: gamma and lambda shown first; the paper's by default.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: a column or a place of the grid is missing or there twice, a value is not a
            number, or patterns that do not fit the grid or the groups.
        UnknownNameError: no such gamma or lambda, or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    check_table(frame, GRID, what="the grid of gamma and lambda")
    gammas, lams = (sorted(float(v) for v in frame[c].unique()) for c in ("gamma", "lam"))
    rows = frame.set_index(["gamma", "lam"])
    whole = pd.MultiIndex.from_product([gammas, lams])
    if rows.index.duplicated().any() or len(whole.difference(rows.index)):
        raise DataError("the grid must hold each gamma with each lambda, once")
    tables = {
        c: rows.loc[whole, c].to_numpy(float).reshape(len(gammas), len(lams)) for c in GRID[2:]
    }
    if not all(np.isfinite(table).all() for table in tables.values()):
        raise DataError("a value of the grid is not a number: leave that gamma or lambda out")
    if start[0] not in gammas or start[1] not in lams:
        raise UnknownNameError(
            f"gamma {start[0]:g} with lambda {start[1]:g} is not in the grid: choose gamma of "
            f"{', '.join(f'{v:g}' for v in gammas)} and lambda of "
            f"{', '.join(f'{v:g}' for v in lams)}"
        )
    members = {group: list(names) for group, names in (groups or {}).items()}
    values, cells = _patterns(patterns, members, gammas, lams)
    view = Structure(gammas, lams, tables, members if cells else {}, values, cells)
    at = (gammas.index(start[0]), lams.index(start[1]))
    return choose(form, lambda: _live(view, at), lambda: structure_chart(view, at))


def _patterns(patterns, groups, gammas, lams):
    """``(G, K, C)`` coefficients, and the cells that they stand in."""
    if patterns is None:
        return np.zeros((len(gammas), len(lams), 0)), []
    values, cells = np.zeros((len(gammas), len(lams), 0)), []
    for g, gamma in enumerate(gammas):
        for k, lam in enumerate(lams):
            tables = [np.asarray(some, dtype=float) for some in patterns.get((gamma, lam), ())]
            here = [(n, i, j) for n, some in enumerate(tables) for i, j in np.ndindex(some.shape)]
            if not cells:
                cells, values = here, np.zeros((len(gammas), len(lams), len(here)))
            sizes = [some.shape[1] for some in tables]
            if not here or here != cells or sizes != [len(names) for names in groups.values()]:
                raise DataError(
                    f"the coefficients of gamma {gamma:g} and lambda {lam:g} do not fit the "
                    "others or the groups: give (K_g, T_g) of each group, everywhere"
                )
            values[g, k] = np.concatenate([some.ravel() for some in tables])
    return values, cells


def _live(view: Structure, at: tuple[int, int]):
    w = widgets()
    gamma, lam = (
        w.SelectionSlider(
            options=[(f"{v:g}", k) for k, v in enumerate(values)], value=place, description=words
        )
        for values, place, words in ((view.gammas, at[0], "gamma"), (view.lams, at[1], "lambda"))
    )
    tables, pattern, note = w.HTML(), w.HTML(), w.Label()

    def redraw() -> None:
        g, k = gamma.value, lam.value
        tables.value = "<br>".join(_table(view, column, g, k) for column in PANELS)
        pattern.value = _pattern(view, g, k)
        note.value = view.sentence(g, k).replace("\n", " ")

    for control in (gamma, lam):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = w.VBox([w.HBox([gamma, lam]), note, w.HBox([tables, pattern])])
    shown.gamma, shown.lam, shown.tables, shown.pattern, shown.note = (
        gamma, lam, tables, pattern, note,
    )  # fmt: skip
    return shown


def _shade(low: str, high: str, share: float) -> str:
    ends = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (low, high)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*ends, strict=True))


def said(column: str, value: float) -> str:
    """A number of the grid, in few characters."""
    return f"{100 * value:.0f}%" if column == "zeros" else (
        f"{value:.3g}" if column == "rank" else f"{100 * value:.1f}")  # fmt: skip


def _table(view: Structure, column: str, g: int, k: int) -> str:
    """One column over the grid as an HTML table, the chosen place framed."""
    table = view.tables[column]
    span = np.ptp(table) or 1.0
    rows = [f"<tr><th></th>{''.join(f'<th>γ={v:g}</th>' for v in view.gammas)}</tr>"]
    for b, lam in enumerate(view.lams):
        line = [f"<th>λ={lam:g}</th>"]
        for a in range(len(view.gammas)):
            share = 0.75 * (table[a, b] - table.min()) / span
            frame = f"outline:2px solid {theme.INK};" if (a, b) == (g, k) else ""
            line.append(
                f'<td style="background:{_shade(theme.PAPER, theme.SERIES[4], share)};{frame}'
                f'padding:1px 6px;text-align:right">{said(column, table[a, b])}</td>'
            )
        rows.append(f"<tr>{''.join(line)}</tr>")
    return (
        f'<div style="background:{theme.PAPER};color:{theme.INK};font-size:11px">'
        f"<b>{PANELS[column]}</b><table>{''.join(rows)}</table></div>"
    )


def _pattern(view: Structure, g: int, k: int) -> str:
    """All groups' coefficients as an SVG."""
    cell, (places, labels, size) = 15, placed(view)
    shown = []
    for (x, y), value in zip(places, view.patterns[g, k], strict=True):
        colour = RED if value > 0 else BLUE
        share = min(abs(value) / view.reach, 1)
        fill = _shade(theme.PAPER, colour, share) if value else theme.PAPER
        shown.append(
            f'<rect x="{x * cell}" y="{y * cell}" width="{cell}" height="{cell}" fill="{fill}" '
            f'stroke="{theme.GRID}"><title>{value:.3g}</title></rect>'
        )
        if not value:
            shown.append(f'<text x="{(x + 0.3) * cell}" y="{(y + 0.75) * cell}">×</text>')
    for x, y, words, turned in labels:
        turn = f' transform="rotate(90 {x * cell:.1f} {y * cell:.1f})"' if turned else ""
        weight = "" if turned else ' font-weight="bold"'
        shown.append(
            f'<text x="{x * cell:.1f}" y="{y * cell:.1f}"{turn}{weight}>'
            f"{html.escape(pretty(words))}</text>"
        )
    return (
        f'<svg width="{size[0] * cell}" height="{size[1] * cell}" font-family="sans-serif" '
        f'font-size="9" style="background:{theme.PAPER}" fill="{theme.INK}">{"".join(shown)}</svg>'
    )
