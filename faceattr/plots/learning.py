"""Figures of training and of scores: curves, intervals against baselines, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled

#: Columns of a History that are not about learning.
_CLERICAL = ("epoch", "lr", "seconds", "images_per_second")


@styled
def plot_history(history, *, metrics: Sequence[str] | None = None) -> Picture:
    """Draw losses left and validation metrics right, epoch by epoch; see where they part.

    Args:
        history: a History or its frame, or several by name (then each is one colour).
        metrics: columns of the right side; by default every ``valid_...`` that is no loss. The
            left side has ``loss`` (training) and, dashed, ``valid_loss`` where it was measured;
            with one history, also each further loss by name.

    Raises:
        DataError: no epoch, or no such column.
    """
    runs = history if isinstance(history, Mapping) else {"": history}
    frames = {
        name: run if isinstance(run, pd.DataFrame) else run.frame() for name, run in runs.items()
    }
    if not frames or any(frame.empty for frame in frames.values()):
        raise DataError("there is nothing to draw: the history holds no epoch")
    columns = list(dict.fromkeys(column for frame in frames.values() for column in frame))
    if metrics is None:
        metrics = [c for c in columns if c.startswith("valid_") and not c.endswith("loss")]
    if missing := [metric for metric in metrics if metric not in columns]:
        raise DataError(f"no column {missing[0]!r} in the history: it has {', '.join(columns)}")
    losses = [c for c in columns if not c.startswith("valid_") and c not in _CLERICAL]
    if len(frames) > 1 or len(losses) == 2:  # one term: its sum says it all
        losses = ["loss"]
    if "valid_loss" in columns:
        losses.append("valid_loss")

    picture = Picture(theme.WIDTH, 3.1)
    panels = picture.subplots(1, 2 if metrics else 1, squeeze=False)[0]
    _curves(panels[0], frames, losses, "loss")
    if metrics:
        _curves(panels[1], frames, metrics, "on faces of other people")
    last = [
        f"{name + ' ' if name else ''}{column.replace('_', ' ')} {frame[column].iloc[0]:.3g} to "
        f"{frame[column].iloc[-1]:.3g}"
        for name, frame in frames.items()
        for column in [*losses, *metrics]
        if column in frame
    ]
    epochs = max(len(frame) for frame in frames.values())
    picture.alt = f"Curves over {epochs} epochs: {join(last)}."
    return picture


def _curves(axes, frames: Mapping[str, pd.DataFrame], columns: Sequence[str], title: str) -> None:
    for i, (run, frame) in enumerate(frames.items()):
        for k, column in enumerate(c for c in columns if c in frame):
            axes.plot(
                frame.index,
                frame[column],
                color=theme.SERIES[(i if len(frames) > 1 else k) % len(theme.SERIES)],
                linestyle="--"
                if column == "valid_loss"
                else "-:"[k % 2]
                if len(frames) > 1
                else "-",
                marker="os^v"[k % 4],
                markersize=4 if len(frame) <= 20 else 0.01,
                label=f"{run} {column.removeprefix('valid_').replace('_', ' ')}".strip()
                + (" (validation)" if column == "valid_loss" else ""),
            )
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()


@styled
def plot_accuracy(
    report: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    metric: str = "accuracy",
    baseline: str | None = "majority_accuracy",
    title: str | None = None,
) -> Picture:
    """Draw a metric with its interval for every attribute, against the majority label.

    See how little of a high accuracy is the network's: a dot right of the grey tick is what it
    adds to always giving the more frequent answer.

    Args:
        report: ``Report.frame()``, or several by name (one colour and mark each). Columns
            ``metric``, ``metric_low``, ``metric_high``, ``baseline``; a last row ``mean``.
        metric: the column to draw.
        baseline: the column of grey ticks; None for no ticks.
        title: of the figure.

    Raises:
        DataError: a column is missing, or no attribute.
    """
    frames = dict(report) if isinstance(report, Mapping) else {metric.replace("_", " "): report}
    needed = [metric, *([baseline] if baseline else [])]
    for frame in frames.values():
        if missing := [column for column in needed if column not in frame]:
            raise DataError(f"no column {missing[0]!r}: the report has {', '.join(frame)}")
    first = next(iter(frames.values()))
    rows = first.drop(index="mean", errors="ignore").sort_values(baseline or metric, kind="stable")
    if rows.empty:
        raise DataError("there is nothing to draw: the report holds no attribute")
    order = [*(["mean"] if "mean" in first.index else []), *rows.index]
    points = {name: (frame.loc[order], metric) for name, frame in frames.items()}
    words = "F1" if metric == "f1" else metric.replace("_", " ")
    ticks = first.loc[order, baseline] if baseline else None
    picture = _intervals(order, points, words, ticks)
    axes = picture.axes[0]
    axes.set_title(title or f"{words[0].upper()}{words[1:]} on faces of other people")
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    if baseline:
        better = int((rows[metric] > rows[baseline]).sum())
        picture.alt += f" {better} of {len(rows)} attributes lie above the {_words(baseline)}."
    return picture


@styled
def plot_localization(
    report: pd.DataFrame, *, score: str = "pointing", title: str | None = None
) -> Picture:
    """Draw how well maps find the true region, beside both blind baselines.

    See which attributes the model looks for (dot right of both marks) and which it only seems to,
    because the region lies where every face has its middle.

    Args:
        report: from :func:`faceattr.localization.localization_report`.
        score: ``pointing``, ``energy`` or ``box_iou``.
        title: of the figure.

    Raises:
        DataError: the report has no such score.
    """
    labels = {
        "pointing": "share of faces whose highest point lies in the true region",
        "energy": "share of positive heat inside the true region",
        "box_iou": "IoU of the map's box with the true region's",
    }
    scores = list(report.index.get_level_values(0).unique())
    if score not in scores:
        raise DataError(f"no score {score!r}: the report has {', '.join(scores)}")
    frame = report.loc[score].loc[:"mean"].dropna(subset=["model"])  # groups come after the mean
    order = ["mean", *frame.drop(index="mean").sort_values("model", kind="stable").index]
    sources = {"model": "model", "image centre": "centre", "model's mean map": "mean_map"}
    points = {name: (frame.loc[order], column) for name, column in sources.items()}
    picture = _intervals(order, points, labels[score], None)
    picture.axes[0].set_title(title or "Does it look where the attribute is?")
    picture.axes[0].set_xlim(left=0)
    ahead = int((frame.drop(index="mean")["gain_low"] > 0).sum())
    picture.alt += f" {ahead} of {len(frame) - 1} attributes lie clearly above both baselines."
    return picture


def _intervals(order, points, label: str, ticks) -> Picture:
    """Dots with intervals, one row an attribute, the mean apart at the bottom."""
    at = np.arange(len(order), dtype=float)
    if order[0] == "mean":
        at[0] -= 0.6
    picture = Picture(theme.WIDTH, 1.2 + 0.185 * len(order))
    axes = picture.subplots()
    step = 0.62 / max(len(points), 2)
    for k, (name, (frame, column)) in enumerate(points.items()):
        y = at + step * ((len(points) - 1) / 2 - k)
        value = frame[column].to_numpy()
        colour = theme.SERIES[k % len(theme.SERIES)]
        if f"{column}_low" in frame:
            low, high = frame[f"{column}_low"].to_numpy(), frame[f"{column}_high"].to_numpy()
            axes.hlines(y, low, high, color=colour, linewidth=1.4, alpha=0.75)
        axes.plot(value, y, "osD^"[k % 4], color=colour, markersize=4.2, label=name)
    if ticks is not None:
        axes.plot(
            ticks,
            at,
            "|",
            color=theme.MUTED,
            markersize=9,
            markeredgewidth=2,
            label=_words(ticks.name),
        )
    axes.set_yticks(at, [pretty(name) for name in order], fontsize=8.5)
    for tick, name in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_fontweight("bold" if name == "mean" else "normal")
    axes.set_ylim(at[0] - 0.7, at[-1] + 0.7)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"{label}, with 95% intervals")
    picture.legend(loc="outside upper right", ncols=4)
    means = [f"{name} {frame[column].iloc[0]:.3f}" for name, (frame, column) in points.items()]
    if ticks is not None:
        means.append(f"{_words(ticks.name)} {ticks.iloc[0]:.3f}")
    first, column = next(iter(points.values()))
    best, worst = first[column].iloc[1:].idxmax(), first[column].iloc[1:].idxmin()
    picture.alt = (
        f"Dots with intervals for {len(order) - 1} attributes: {label}. Means: {join(means)}. "
        f"Highest: {pretty(best)}; lowest: {pretty(worst)}."
    )
    return picture


def _words(column: str) -> str:
    return {"majority_accuracy": "majority label"}.get(column, column.replace("_", " "))


@styled
def plot_calibration(
    table: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    title: str = "Does it happen as often as the network says?",
) -> Picture:
    """Draw a reliability diagram; see whether the curve keeps to the diagonal.

    Below the diagonal the network is too sure of what it claims. The bars below say how many
    answers each point stands for (log scale).

    Args:
        table: ``Report.reliability()``, or several by name: columns ``low``, ``high``,
            ``faces``, ``probability``, ``positives``, one row a bin.
        title: of the figure.
    """
    tables = table if isinstance(table, Mapping) else {"network": table}
    picture = Picture(5.2, 5.8)
    curve, bars = picture.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    curve.plot([0, 1], [0, 1], color=theme.MUTED, linestyle="--", linewidth=1.2, label="perfect")
    words = []
    for k, (name, bins) in enumerate(tables.items()):
        full = bins[bins["faces"] > 0]
        if full.empty:
            raise DataError(f"there is nothing to draw: {name} has no answers in any bin")
        colour = theme.SERIES[k % len(theme.SERIES)]
        gaps = (full["probability"] - full["positives"]).abs()
        error = float((gaps * full["faces"]).sum() / full["faces"].sum())
        curve.plot(
            full["probability"], full["positives"], color=colour, marker="os^D"[k % 4],
            label=f"{name} (calibration error {error:.3f})",
        )  # fmt: skip
        bars.stairs(
            bins["faces"],
            [*bins["low"], bins["high"].iloc[-1]],
            color=colour,
            fill=len(tables) == 1,
        )
        words.append(f"{name} has a calibration error of {error:.3f}")
    curve.set_title(title)
    curve.set_ylabel("share of faces that have it")
    curve.legend(loc="upper left")
    bars.set_yscale("log")
    bars.yaxis.set_minor_locator(NullLocator())
    fewest = min(bins["faces"][bins["faces"] > 0].min() for bins in tables.values())
    bars.set_ylim(bottom=10 ** np.floor(np.log10(fewest)))  # a whole power of ten to read
    bars.set_ylabel("answers")
    bars.set_xlabel("probability that the network gives")
    for axes in (curve, bars):
        axes.set_xlim(0, 1)
    picture.alt = f"Reliability diagram with the diagonal of perfect calibration: {join(words)}."
    return picture
