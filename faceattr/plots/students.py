"""Figures of chapter 5: where a network's parameters and its work are, and what small ones lose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.ticker import LogLocator, NullLocator

from faceattr import theme
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_layers(
    panels: Mapping[str, pd.DataFrame], *, unit: float = 1e6, title: str | None = None
) -> Picture:
    """Draw what each layer holds or costs as one bar a network; see which layer it is.

    Args:
        panels: heading (such as ``"parameters"``) to a frame with one row a network, one column a
            layer in order; NaN or 0 where a network has no such layer.
        unit: what the axis counts in; a million.
        title: of the figure.

    Raises:
        DataError: no panel, or an empty one.
    """
    if not panels or any(frame.empty for frame in panels.values()):
        raise DataError("there is nothing to draw: give a network and a layer at least")
    rows = max(len(frame) for frame in panels.values())
    picture = Picture(theme.WIDTH, 1.25 + 0.42 * rows + (0.2 if title else 0))
    layers = list(dict.fromkeys(name for frame in panels.values() for name in frame))
    shades = colormaps["cividis"](np.linspace(0.05, 0.95, max(len(layers), 2)))
    said = []
    cells = picture.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (heading, frame) in zip(cells, panels.items(), strict=True):
        values = frame.fillna(0).to_numpy() / unit  # (networks, layers)
        totals, at = values.sum(1), np.arange(len(frame))[::-1]
        left = np.zeros(len(frame))
        for column, layer in enumerate(frame):
            shade = shades[layers.index(layer)]
            axes.barh(at, values[:, column], left=left, height=0.62, color=shade, label=layer,
                      edgecolor=theme.PAPER, linewidth=0.6)  # fmt: skip
            left += values[:, column]
        for y, total in zip(at, totals, strict=True):
            axes.text(total + 0.015 * totals.max(), y, _short(total), va="center", fontsize=8.5)
        axes.set_yticks(at, frame.index)
        axes.set_xlim(0, 1.16 * totals.max())
        axes.grid(axis="y", visible=False)
        axes.set_title(heading)
        axes.set_xlabel("millions" if unit == 1e6 else f"in units of {unit:g}")
        largest = frame.fillna(0).idxmax(axis=1)
        said.append(
            f"{heading}: "
            + join([
                f"{name} {_short(total)} (most in {largest[name]}, {values[k].max() / total:.0%})"
                for k, (name, total) in enumerate(zip(frame.index, totals, strict=True))
            ])
        )  # fmt: skip
    handles, words = cells[0].get_legend_handles_labels()
    picture.legend(handles, words, loc="outside lower center", ncols=len(words), handlelength=1.1)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    scale = "millions" if unit == 1e6 else f"units of {unit:g}"
    picture.alt = f"Stacked bars, one a network, by layer, in {scale}. {'. '.join(said)}."
    return picture


def _short(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


@styled
def plot_tradeoff(
    series: Mapping[str, pd.DataFrame],
    panels: Mapping[str, str],
    *,
    value: str,
    label: str,
    percent: bool = False,
    proportional: bool = False,
    title: str | None = None,
) -> Picture:
    """Draw what networks cost against what they give; see which price is the one that counts.

    Args:
        series: name to a frame, one row a network: a column for each panel, ``value`` and, where
            there are intervals, ``{value}_low`` and ``{value}_high``.
        panels: column along x (drawn on a logarithmic scale) to its words.
        value: column along y.
        label: its words.
        percent: y is a share, to be written in percent; otherwise it is logarithmic too.
        proportional: draw the line on which y grows as x does, through the first network.
        title: of the figure.

    Raises:
        DataError: nothing to draw, a column is missing, or x is not above zero.
    """
    for name, frame in series.items():
        if missing := [c for c in (*panels, value) if c not in frame]:
            raise DataError(f"no column {missing[0]!r} in {name!r}: it has {', '.join(frame)}")
        if not (frame[list(panels)] > 0).all(axis=None):
            raise DataError(f"{name!r}: what is drawn on a logarithmic scale must be above zero")
    if not series or not panels:
        raise DataError("there is nothing to draw: give a series and a panel")
    picture = Picture(theme.WIDTH, 3.4 + (0.2 if title else 0))
    cells = picture.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (column, words) in zip(cells, panels.items(), strict=True):
        for k, (name, frame) in enumerate(series.items()):
            rows = frame.sort_values(column)
            # side by side where two series have the same x
            x = rows[column].to_numpy(float) * 1.07 ** (k - (len(series) - 1) / 2)
            colour, y = theme.SERIES[k % len(theme.SERIES)], rows[value].to_numpy(float)
            if f"{value}_low" in rows:
                axes.vlines(x, rows[f"{value}_low"], rows[f"{value}_high"], color=colour, alpha=0.7)
            axes.plot(x, y, "os^D"[k % 4], color=colour, label=name, markersize=6)
        for network, (px, py) in _below(series.values(), column, value).items():
            axes.annotate(network, (px, py), xytext=(3, -5), textcoords="offset points",
                          va="top", fontsize=8.5)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel(words)
        axes.margins(x=0.16, y=0.14)
        _plain_ticks(axes.xaxis)
        if not percent:
            axes.set_yscale("log")
            _plain_ticks(axes.yaxis)
        if proportional:
            first = next(iter(series.values())).iloc[0]
            low, high = axes.get_ylim()
            ends = np.array(axes.get_xlim())
            axes.plot(ends, first[value] * ends / first[column], color=theme.MUTED, linewidth=1.1,
                      linestyle="--", zorder=1, label="in proportion")  # fmt: skip
            axes.set_xlim(ends)
            axes.set_ylim(low, high)
    cells[0].set_ylabel(label)
    if percent:
        cells[0].yaxis.set_major_formatter(lambda y, _: f"{100 * y:.4g}%")
    if len(series) > 1 or proportional:
        handles, names = cells[0].get_legend_handles_labels()
        picture.legend(handles, names, loc="outside upper right", ncols=4)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    said = [
        f"{name}: "
        + join([
            f"{network} {100 * y:.1f}%" if percent else f"{network} {_short(y)}"
            for network, y in frame[value].items()
        ])
        for name, frame in series.items()
    ]  # fmt: skip
    picture.alt = f"{label} against {join(list(panels.values()))}. {'; '.join(said)}."
    return picture


def _below(frames: Iterable[pd.DataFrame], x: str, y: str) -> dict[str, tuple[float, float]]:
    """Network to the lowest place that any series reaches at it."""
    found: dict[str, tuple[float, float]] = {}
    for frame in frames:
        low = frame[f"{y}_low"] if f"{y}_low" in frame else frame[y]
        for network in frame.index:
            place = float(frame.loc[network, x]), float(low[network])
            found[network] = min(place, found.get(network, place), key=lambda at: at[1])
    return found


def _plain_ticks(axis) -> None:
    """1, 2 and 5 of each power of ten, written out: 500, 2k, 10M."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda tick, _: _scaled(tick))


def _scaled(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


@styled
def plot_differences(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    label: str,
    margin: float | None = None,
    title: str | None = None,
) -> Picture:
    """Draw differences with their intervals, one row each; see on which side of zero they lie.

    Args:
        groups: heading to rows: words to ``(difference, low, high)``, in points.
        label: words along x.
        margin: shade what lies below ``-margin``, a drop larger than was promised.
        title: of the figure.

    Raises:
        DataError: nothing to draw.
    """
    rows = [(head, words, found) for head, part in groups.items() for words, found in part.items()]
    if not rows:
        raise DataError("there is nothing to draw: give one difference at least")
    picture = Picture(theme.WIDTH, 1.0 + 0.27 * len(rows) + 0.16 * len(groups))
    axes = picture.subplots()
    y, ticks, words, said = 0.0, [], [], []
    for k, (head, part) in enumerate(groups.items()):
        colour = theme.SERIES[k % len(theme.SERIES)]
        for name, (middle, low, high) in part.items():
            axes.hlines(y, low, high, color=colour, linewidth=1.6)
            axes.plot(middle, y, "os^D"[k % 4], color=colour, markersize=5)
            ticks.append(y)
            words.append(name)
            said.append(f"{name} {middle:+.2f} [{low:+.2f}, {high:+.2f}]")
            y -= 1
        axes.plot([], [], "os^D"[k % 4] + "-", color=colour, label=head)
        y -= 0.6
    axes.axvline(0, color=theme.INK, linewidth=1.1)
    axes.set_yticks(ticks, words)
    axes.set_ylim(y + 1.0, 0.7)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"{label}, with 95% intervals")
    if margin is not None:
        left, right = axes.get_xlim()
        left = min(left, -1.3 * margin)
        axes.axvspan(left, -margin, color=theme.WRONG, alpha=0.1, linewidth=0, zorder=0)
        axes.axvline(-margin, color=theme.WRONG, linewidth=1.1, linestyle="--",
                     label=f"a drop of {margin:g}")  # fmt: skip
        axes.set_xlim(left, right)
    picture.legend(loc="outside upper right", ncols=4)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.alt = f"Dots with intervals, {label}: {'; '.join(said)}."
    return picture


@styled
def plot_passes(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    *,
    offset: Mapping[str, Mapping[str, int]] | None = None,
    title: str | None = None,
) -> Picture:
    """Draw losses pass by pass; see who is lower after as many passes.

    Args:
        panels: heading to curves: name to runs (one list of losses each). The line is the mean
            over runs, thin lines are the runs. A name has one colour in all panels.
        offset: heading to name to the passes that went before, in another stage.
        title: of the figure.

    Raises:
        DataError: a curve without any loss, or runs of different lengths.
    """
    names = list(dict.fromkeys(name for part in panels.values() for name in part))
    if not names or any(
        not runs or not len(runs[0]) or len({len(run) for run in runs}) > 1
        for part in panels.values()
        for runs in part.values()
    ):
        raise DataError("each curve needs runs of as many losses each, one at least")
    picture = Picture(theme.WIDTH, 3.1 + (0.2 if title else 0))
    cells = picture.subplots(1, len(panels), squeeze=False)[0]
    said = []
    for axes, (heading, part) in zip(cells, panels.items(), strict=True):
        for name, runs in part.items():
            k = names.index(name)
            values = np.asarray(runs, dtype=float)  # (S, passes)
            x = np.arange(1, values.shape[1] + 1) + (offset or {}).get(heading, {}).get(name, 0)
            colour = theme.SERIES[k % len(theme.SERIES)]
            if len(values) > 1:
                axes.plot(x, values.T, color=colour, linewidth=0.7, alpha=0.5)
            axes.plot(x, values.mean(0), color=colour, marker="os^Dv"[k % 5], label=name)
            mean = values.mean(0)
            said.append(f"{heading}, {name}: {mean[0]:.3g} to {mean[-1]:.3g} after pass {x[-1]}")
        axes.set_title(heading)
        axes.set_xlabel("passes over the faces")
        axes.legend()
        axes.margins(x=0.08)
        axes.xaxis.get_major_locator().set_params(integer=True)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.alt = f"Curves of losses. {'; '.join(said)}."
    return picture
