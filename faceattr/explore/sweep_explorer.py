"""The sweep explorer: move lambda; see what identity does to the whole, and to each attribute."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, widgets
from faceattr.explore.sweep_chart import COLOURS, sweep_chart
from faceattr.sweep import SWEEP, check_table, lambda_axis

#: Columns of the attributes' table: one row for each lambda and attribute.
ATTRIBUTE_COLUMNS = ("lambda", "attribute", "gain", "low", "high", "agreement")


@dataclass
class Sweep:
    """What both forms of the explorer show.

    Attributes:
        curves: the sweep in long form, sorted by lambda.
        places: lambda to its place on the axis, ascending; L of them.
        headings: metric to the words above its curves.
        percent: the metrics that are shares.
        names: the M attribute names.
        gain, low, high: ``(L, M)`` differences from lambda = 0 in points.
        agreement: ``(M,)`` agreement of the labels within a person.
    """

    curves: pd.DataFrame
    places: dict[float, float]
    headings: dict[str, str]
    percent: tuple[str, ...]
    names: tuple[str, ...]
    gain: np.ndarray
    low: np.ndarray
    high: np.ndarray
    agreement: np.ndarray

    @property
    def lambdas(self) -> list[float]:
        """The L lambdas, ascending."""
        return list(self.places)

    @property
    def series(self) -> list[str]:
        """The test sets, in the order in which they come."""
        return list(dict.fromkeys(self.curves["where"]))

    def sentence(self, step: int) -> str:
        """What the chosen lambda does to the attributes, in words."""
        weight = self.lambdas[step]
        if weight == 0:
            return "λ = 0: what all others are compared with"
        above, below = int((self.low[step] > 0).sum()), int((self.high[step] < 0).sum())
        return (
            f"λ = {weight:g} against λ = 0: mean {self.gain[step].mean():+.2f} points; "
            f"{above} clearly above zero, {below} clearly below"
        )


def sweep_explorer(
    frame: pd.DataFrame,
    attributes_frame: pd.DataFrame,
    *,
    start: float = 1.0,
    headings: Mapping[str, str] | None = None,
    form: str = "auto",
):
    """Move lambda over a sweep; see the curves, and what each attribute gains or loses.

    Left, each metric against lambda with its intervals, the chosen lambda marked. Right, every
    attribute's difference from lambda = 0, largest first, coloured by how far a person fixes it.

    Args:
        frame: one row for each lambda, test set and metric: columns ``lambda``, ``where``,
            ``metric``, ``value``, ``low``, ``high``. Metrics with ``accuracy`` in their names are
            shares.
        attributes_frame: one row for each lambda and attribute: columns ``lambda``,
            ``attribute``, ``gain``, ``low``, ``high`` (shares: 0.01 is a point), ``agreement``
            (of the labels within a person). Rows for lambda = 0 may be left out: they are zero.
        start: the lambda shown first; the paper chooses 1.
        headings: metric to the words above its curves.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: a table without a row or a column, lambdas that differ between the two, a
            lambda and attribute that is missing or there twice, a value that is not a number.
        UnknownNameError: no such lambda or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    check_table(frame, SWEEP, what="the sweep")
    check_table(attributes_frame, ATTRIBUTE_COLUMNS, what="the table of attributes")
    places = lambda_axis(frame["lambda"])
    if start not in places:
        known = ", ".join(f"{value:g}" for value in places)
        raise UnknownNameError(f"lambda {start:g} is not in the sweep: choose one of {known}")
    names, (gain, low, high), agreement = _attributes(attributes_frame, list(places))
    metrics = list(dict.fromkeys(frame["metric"]))
    view = Sweep(
        frame.sort_values("lambda", kind="stable"),
        places,
        {m: (headings or {}).get(m, m.replace("_", " ")) for m in metrics},
        tuple(m for m in metrics if "accuracy" in m),
        names,
        gain,
        low,
        high,
        agreement,
    )
    step = view.lambdas.index(start)
    return choose(form, lambda: _live(view, step), lambda: sweep_chart(view, step))


def _attributes(frame: pd.DataFrame, lambdas: list[float]):
    """Names, ``(3, L, M)`` gains with their ends in points, and ``(M,)`` agreement."""
    names = list(dict.fromkeys(frame["attribute"]))
    rows = frame.set_index(["lambda", "attribute"])
    if rows.index.duplicated().any():
        weight, name = rows.index[rows.index.duplicated()][0]
        raise DataError(f"lambda {weight:g} and {name} are in the table of attributes twice")
    if extra := sorted(set(frame["lambda"]) - set(lambdas)):
        raise DataError(f"lambda {extra[0]:g} is in the table of attributes, not in the sweep")
    values = np.zeros((3, len(lambdas), len(names)))
    for k, weight in enumerate(lambdas):
        if weight == 0 and not (frame["lambda"] == 0).any():
            continue
        index = pd.MultiIndex.from_product([[weight], names])
        if missing := list(index.difference(rows.index)):
            raise DataError(f"the table of attributes lacks lambda {weight:g} of {missing[0][1]}")
        values[:, k] = 100 * rows.loc[index, ["gain", "low", "high"]].to_numpy(float).T
    agreement = frame.groupby("attribute")["agreement"].first().reindex(names).to_numpy(float)
    if not (np.isfinite(values).all() and np.isfinite(agreement).all()):
        raise DataError("a gain or an agreement is not a number: leave that attribute out")
    return tuple(names), values, agreement


def _live(view: Sweep, step: int):
    w = widgets()
    weight = w.SelectionSlider(
        options=[(f"{value:g}", k) for k, value in enumerate(view.lambdas)],
        value=step,
        description="λ",
    )
    same = w.Checkbox(value=False, description="one scale for all λ")
    curves, gains, note = w.HTML(), w.HTML(), w.Label()

    def redraw() -> None:
        panels = [_curve(view, metric, weight.value) for metric in view.headings]
        curves.value = "<br>".join([*panels, _legend(view)])
        gains.value = _gains(view, weight.value, same.value)
        note.value = view.sentence(weight.value)

    for control in (weight, same):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = w.VBox([w.HBox([weight, same]), note, w.HBox([curves, gains])])
    shown.weight, shown.same, shown.curves, shown.gains, shown.note = (
        weight, same, curves, gains, note,
    )  # fmt: skip
    return shown


_WIDE, _HIGH, _LEFT, _LINE = 300, 118, 46, 11  # pixels of the live form: a panel, its margin


def _curve(view: Sweep, metric: str, step: int) -> str:
    """One metric against lambda as an SVG."""
    rows = view.curves[view.curves["metric"] == metric]
    low, high = rows["low"].min(), rows["high"].max()
    room = 0.08 * ((high - low) or 1.0)
    at = list(view.places.values())

    def x(weight: float) -> float:
        span = (at[-1] - at[0]) or 1.0
        return _LEFT + 12 + (view.places[float(weight)] - at[0]) / span * (_WIDE - _LEFT - 24)

    def y(value: float) -> float:
        return 20 + (high + room - value) / (high - low + 2 * room) * (_HIGH - 38)

    shown = [f'<text x="0" y="11" font-weight="bold">{html.escape(view.headings[metric])}</text>']
    chosen = x(view.lambdas[step])
    shown.append(f'<path d="M{chosen:.1f} 18V{_HIGH - 16}" stroke="{theme.MUTED}"/>')
    for value in (low, high):
        words = f"{100 * value:.1f}%" if metric in view.percent else f"{value:.2f}"
        shown.append(
            f'<text x="{_LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{words}</text>'
        )
    for value in view.lambdas:
        shown.append(
            f'<text x="{x(value):.1f}" y="{_HIGH - 3}" text-anchor="middle">{value:g}</text>'
        )
    for k, where in enumerate(view.series):
        colour, part = theme.SERIES[k % 6], rows[rows["where"] == where]
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(part["lambda"], part["value"],
                                                               strict=True))  # fmt: skip
        shown.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        for row in part.to_dict("records"):
            here = x(row["lambda"])
            radius = 5 if row["lambda"] == view.lambdas[step] else 2.5
            shown.append(
                f'<path d="M{here:.1f} {y(row["low"]):.1f}V{y(row["high"]):.1f}" '
                f'stroke="{colour}"/><circle cx="{here:.1f}" cy="{y(row["value"]):.1f}" '
                f'r="{radius}" fill="{colour}"><title>{html.escape(where)}: {row["value"]:.4f}'
                "</title></circle>"
            )
    return _svg("".join(shown), _WIDE, _HIGH)


def _legend(view: Sweep) -> str:
    """The series in their colours."""
    return "<br>".join(
        f'<span style="color:{theme.SERIES[k % 6]}">&#9679; {html.escape(where)}</span>'
        for k, where in enumerate(view.series)
    )


def _gains(view: Sweep, step: int, same: bool) -> str:
    """Attributes' differences as an SVG, largest first."""
    steps = slice(None) if same else step
    low, high = min(view.low[steps].min(), 0.0), max(view.high[steps].max(), 0.0)
    span, height = (high - low) or 1.0, 16 + _LINE * len(view.names)

    def x(value: float) -> float:
        return 130 + (value - low) / span * 200

    shown = [f'<path d="M{x(0):.1f} 0V{height - 14}" stroke="{theme.INK}"/>']
    for value in sorted({low, 0.0, high}):
        shown.append(f'<text x="{x(value):.1f}" y="{height - 2}" text-anchor="middle">{value:+.2g}'
                     "</text>")  # fmt: skip
    for line, j in enumerate(np.argsort(-view.gain[step], kind="stable")):
        y, colour = 6 + _LINE * line, _shade(view.agreement[j])
        a, b, c = (x(v[step, j]) for v in (view.low, view.gain, view.high))
        shown.append(
            f'<text x="124" y="{y + 3.5}" text-anchor="end" font-size="9.5">'
            f"{html.escape(pretty(view.names[j]))}</text>"
            f'<path d="M{a:.1f} {y}H{c:.1f}" stroke="{colour}" stroke-width="2"/>'
            f'<circle cx="{b:.1f}" cy="{y}" r="3.5" fill="{colour}">'
            f"<title>{view.gain[step, j]:+.2f} points, agreement {view.agreement[j]:.2f}</title>"
            "</circle>"
        )
    return _svg("".join(shown), 350, height)


def _shade(agreement: float) -> str:
    """The colour of an agreement between 0 and 1."""
    ends = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLOURS]
    at = np.linspace(0, 1, len(COLOURS))
    return "#" + "".join(f"{round(np.interp(agreement, at, c)):02x}" for c in np.transpose(ends))


def _svg(inside: str, width: int, height: int) -> str:
    return (
        f'<svg width="{width}" height="{height}" font-family="sans-serif" font-size="10" '
        f'style="background:{theme.PAPER}" fill="{theme.INK}">{inside}</svg>'
    )
