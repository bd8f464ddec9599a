"""Figures of sweeps: over the weight of the identity loss, over how much a person matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from faceattr import theme
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled
from faceattr.sweep import SWEEP, check_table, lambda_axis

_MARKS = "os^D"


@styled
def plot_sweep(
    frame: pd.DataFrame,
    *,
    references: Mapping[str, Mapping[str, float | Mapping[str, float]]] | None = None,
    headings: Mapping[str, str] | None = None,
    percent: Sequence[str] | None = None,
    title: str | None = None,
) -> Picture:
    """Draw metrics against lambda with their intervals, a panel each; zero stands apart, left.

    See which curves leave their own beginning by more than the interval, and where they turn.

    Args:
        frame: one row for each lambda, test set and metric: columns ``lambda``, ``where``,
            ``metric``, ``value``, ``low``, ``high``. A panel for each metric and a series for each
            ``where``, in the order in which they come.
        references: metric to the words for a line to its height: a number (the majority label,
            chance), or a number for each ``where``, drawn in that series' colour.
        headings: metric to the words above its panel.
        percent: metrics that are shares, written in percent; by default those whose names hold
            ``accuracy``.
        title: of the figure.

    Raises:
        DataError: a column is missing, there is no row, a lambda is below zero, or a reference is
            for a metric or a test set that is not there.
    """
    check_table(frame, SWEEP, what="the sweep")
    metrics, series = list(dict.fromkeys(frame["metric"])), list(dict.fromkeys(frame["where"]))
    lines = _references(references or {}, metrics, series)
    places = lambda_axis(frame["lambda"])
    if percent is None:
        percent = [metric for metric in metrics if "accuracy" in metric]
    picture = Picture(theme.WIDTH, 3.15 + (0.2 if title else 0))
    panels = picture.subplots(1, len(metrics), squeeze=False)[0]
    said = []
    for axes, metric in zip(panels, metrics, strict=True):
        for k, where in enumerate(series):
            rows = frame[(frame["metric"] == metric) & (frame["where"] == where)]
            if rows.empty:
                continue
            _curve(axes, rows.sort_values("lambda"), places, k, (k - (len(series) - 1) / 2) * 0.07)
            said.append(f"{metric} of {where}: {_ends(rows, metric in percent)}")
        for _, height, k in lines[metric]:
            axes.axhline(
                height, color=theme.SERIES[k] if k is not None else theme.MUTED, linewidth=1.1,
                linestyle=(0, (4, 3)), zorder=1,
            )  # fmt: skip
        _lambda_ticks(axes, places)
        if metric in percent:
            axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.4g}%")
        axes.set_title((headings or {}).get(metric, metric.replace("_", " ")), fontsize=9.5)
        axes.margins(y=0.12)
    for k, where in enumerate(series):
        panels[0].plot([], [], _MARKS[k % 4] + "-", color=theme.SERIES[k % 6], label=where)
    handles, words = panels[0].get_legend_handles_labels()
    picture.legend(handles, words, loc="outside lower center", ncols=len(words))
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.draw_without_rendering()  # settles the layout, for words that must miss the curves
    for axes, metric in zip(panels, metrics, strict=True):
        _write_references(axes, lines[metric])
    picture.alt = (
        f"Curves with 95% intervals against lambda, from {_plain(min(places))} to "
        f"{_plain(max(places))}. {'; '.join(said)}."
    )
    if drawn := [f"{w} {h:.3g} ({m})" for m in metrics for w, h, _ in lines[m]]:
        picture.alt += f" Dashed lines: {join(drawn)}."
    return picture


def _references(given, metrics, series) -> dict[str, list[tuple[str, float, int | None]]]:
    """Metric to its lines: words, height, and the series whose colour it takes."""
    lines: dict[str, list] = {metric: [] for metric in metrics}
    for metric, heights in given.items():
        if metric not in lines:
            raise DataError(f"a line for {metric!r}: the sweep has {', '.join(metrics)}")
        for words, height in heights.items():
            if not isinstance(height, Mapping):
                lines[metric].append((words, float(height), None))
                continue
            for where, value in height.items():
                if where not in series:
                    raise DataError(f"a line for {where!r}: the sweep has {', '.join(series)}")
                lines[metric].append((words, float(value), series.index(where) % 6))
    return lines


def _curve(axes, rows: pd.DataFrame, places: Mapping[float, float], k: int, aside: float) -> None:
    """One series: dots with intervals, joined by a line that is dotted from zero on."""
    x = np.array([places[float(v)] for v in rows["lambda"]]) + aside
    y, colour = rows["value"].to_numpy(float), theme.SERIES[k % 6]
    axes.vlines(x, rows["low"], rows["high"], color=colour, linewidth=1.5, alpha=0.7)
    zero = int((rows["lambda"] == 0).sum())
    axes.plot(x[zero:], y[zero:], "-", color=colour)
    axes.plot(x[: zero + 1], y[: zero + 1], ":", color=colour, linewidth=1.4)
    axes.plot(x, y, _MARKS[k % 4], color=colour, markersize=4.5)


def _lambda_ticks(axes, places: Mapping[float, float]) -> None:
    """Write the lambdas themselves, and break the axis between zero and the first above it."""
    axes.set_xticks(list(places.values()), [_plain(v) for v in places], fontsize=8)
    axes.set_xlabel("λ")
    axes.grid(axis="x", visible=False)
    at = list(places.values())
    axes.set_xlim(at[0] - 0.25, at[-1] + 0.25)
    if len(at) > 1 and 0.0 in places:
        axes.plot(
            at[1] - 0.375, 0, marker=[(-1, -2), (1, 2)], markersize=9, color=theme.MUTED,
            transform=axes.get_xaxis_transform(), clip_on=False, markeredgewidth=1.2,
        )  # fmt: skip


def _write_references(axes, lines) -> None:
    """Words on each line, where they cover least; those of two series with equal words once."""
    curves = [line.get_xydata() for line in axes.lines if line.get_linestyle() in ("-", ":")]
    bars = [path.vertices for c in axes.collections for path in c.get_paths()]
    rails = [np.array([[x, height] for x in axes.get_xlim()]) for _, height, _ in lines]
    crowd = [axes.transData.transform(_along(p)) for p in (*curves, *bars) if len(p)]
    rails = [axes.transData.transform(_along(p)) for p in rails]
    seen = set()
    for k, (words, height, _) in enumerate(lines):
        if words in seen:
            continue
        seen.add(words)
        others = np.concatenate([*crowd, *rails[:k], *rails[k + 1 :], np.empty((0, 2))])
        found = None
        for aligned, x in (("right", 0.99), ("left", 0.01), ("center", 0.5)):
            for up in (True, False):
                text = axes.annotate(
                    words, (x, height), xycoords=("axes fraction", "data"),
                    xytext=(0, 2 if up else -2), textcoords="offset points", ha=aligned,
                    va="bottom" if up else "top", fontsize=7.5, color=theme.MUTED,
                )  # fmt: skip
                cost = int(text.get_window_extent().count_contains(others))
                if found is None or cost < found[0]:
                    if found is not None:
                        found[1].remove()
                    found = (cost, text)
                else:
                    text.remove()


def _along(points: np.ndarray) -> np.ndarray:
    """Many points along a line through a few, ``(N, 2)``."""
    at = np.linspace(0, len(points) - 1, 40 * len(points))
    return np.column_stack([np.interp(at, np.arange(len(points)), c) for c in points.T])


def _ends(rows: pd.DataFrame, percent: bool) -> str:
    """First, best and last value of a series, in words."""
    rows = rows.sort_values("lambda")

    def told(row) -> str:
        value = f"{100 * row['value']:.1f}%" if percent else f"{row['value']:.2f}"
        return f"{value} at {_plain(row['lambda'])}"

    best = rows.iloc[int(rows["value"].to_numpy(float).argmax())]
    return f"{told(rows.iloc[0])}, highest {told(best)}, {told(rows.iloc[-1])}"


def _plain(value: float) -> str:
    return f"{value:g}"


@styled
def plot_strengths(
    frame: pd.DataFrame,
    *,
    label: str = "gain in points of accuracy, with 95% intervals",
    axis: str = "how much labels stick to a person (1: as in CelebA)",
    title: str = "From which strength on does identity help?",
) -> Picture:
    """Draw what identity gains against how much of each label belongs to the person.

    See where the interval leaves zero, and whether more of the person gives more of a gain.

    Args:
        frame: one row for each strength: columns ``strength``, ``gain``, ``low``, ``high``, shares
            (0.01 is a point), and ``where`` if there is more than one series.
        label: what the gains are.
        axis: what the strengths are.
        title: of the figure.

    Raises:
        DataError: a column is missing, or there is no row.
    """
    check_table(frame, ("strength", "gain", "low", "high"), what="the table of strengths")
    series = list(dict.fromkeys(frame["where"])) if "where" in frame else [""]
    strengths = np.unique(frame["strength"].to_numpy(float))
    spread = np.diff(strengths).min() if len(strengths) > 1 else 1.0
    picture = Picture(theme.WIDTH, 3.4)
    axes = picture.subplots()
    axes.axhline(0, color=theme.INK, linewidth=1)
    said = []
    for k, where in enumerate(series):
        rows = frame[frame["where"] == where] if "where" in frame else frame
        rows = rows.sort_values("strength")
        x = rows["strength"].to_numpy(float) + 0.06 * spread * (k - (len(series) - 1) / 2)
        gain, low, high = (100 * rows[c].to_numpy(float) for c in ("gain", "low", "high"))
        colour = theme.SERIES[k % 6]
        axes.vlines(x, low, high, color=colour, linewidth=1.6, alpha=0.7)
        axes.plot(x, gain, _MARKS[k % 4] + "-", color=colour, label=where, markersize=6)
        told = [
            f"{g:+.2f} [{a:+.2f}, {b:+.2f}] at {_plain(s)}"
            for s, g, a, b in zip(rows["strength"], gain, low, high, strict=True)
        ]
        said.append((f"{where}: " if where else "") + join(told))
    axes.set_xticks(strengths, [_plain(s) for s in strengths])
    axes.grid(axis="x", visible=False)
    axes.set_xlabel(axis)
    axes.set_ylabel(label, fontsize=8.5)
    axes.set_title(title)
    if len(series) > 1:
        picture.legend(loc="outside upper right", ncols=len(series))
    picture.alt = f"Dots with intervals, {label}, against {axis}. {'; '.join(said)}."
    return picture
