"""Figures of PaW's parts: what each subnet is shown, and how the five training steps went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle
from torch import Tensor

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.models.regions import cut
from faceattr.plots.picture import Picture, join, styled
from faceattr.training.history import History


@styled
def plot_parts(
    images: Tensor,
    boxes: Tensor,
    names: Sequence[str],
    *,
    title: str | None = None,
) -> Picture:
    """Draw each picture with its squares, and beside it what lies inside them.

    See how much of the attribute a square holds, and how little of everything else.

    Args:
        images: ``(B, 3, H, W)`` float in [0, 1] or uint8.
        boxes: ``(B, P, 4)`` int xyxy in pixels, right and lower ends exclusive, all of one size.
        names: what each of the P squares was cut for.
        title: of the figure.

    Raises:
        DataError: boxes of other pictures, another number of names, or squares of several sizes.
    """
    if boxes.shape != (len(images), len(names), 4):
        raise DataError(
            f"boxes {tuple(boxes.shape)} for {len(images)} pictures and {len(names)} names: give "
            "(B, P, 4), one box for each picture and name"
        )
    sides = {tuple(side) for side in (boxes[..., 2:] - boxes[..., :2]).flatten(0, 1).tolist()}
    if len(sides) != 1:
        raise DataError(f"squares of {len(sides)} sizes, {sorted(sides)}: give squares of one size")
    wide, high = (int(side) for side in sides.pop())
    pixels = _pixels(images)
    crops = _pixels(cut(images, boxes.long(), (high, wide)).flatten(0, 1))
    crops = crops.reshape(len(images), len(names), high, wide, 3)

    across = -(-len(names) // 2)  # squares in two rows beside the picture, which is as high
    side = theme.WIDTH / (across + 2)
    ratio = pixels.shape[1] / pixels.shape[2]
    high_each = 0.84 * max(2 * (side * high / wide + 0.22), 2 * side * ratio)
    picture = Picture(
        theme.WIDTH, len(images) * high_each + (0.3 if title else 0.05), photographic=True
    )
    grid = picture.add_gridspec(2 * len(images), across + 2)
    for b in range(len(images)):
        first = picture.add_subplot(grid[2 * b : 2 * b + 2, :2])
        _empty(first)
        first.imshow(pixels[b])
        for p, name in enumerate(names):
            colour = theme.SERIES[p % len(theme.SERIES)]
            x, y = boxes[b, p, :2].tolist()
            for ink, line in (("white", 2.8), (colour, 1.5)):
                first.add_patch(
                    Rectangle((x - 0.5, y - 0.5), wide, high, fill=False, ec=ink, lw=line)
                )
            axes = picture.add_subplot(grid[2 * b + p // across, 2 + p % across])
            _empty(axes)
            axes.imshow(crops[b, p])
            axes.spines[:].set(visible=True, color=colour, linewidth=2)
            axes.set_title(pretty(name), fontsize=8.5, loc="center", fontweight="normal")
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    share = wide * high / (pixels.shape[1] * pixels.shape[2])
    picture.alt = (
        f"{len(images)} pictures of {pixels.shape[2]} x {pixels.shape[1]} pixels, each beside "
        f"squares of {wide} x {high} cut out of it ({share:.0%} of the picture) for "
        f"{join([pretty(name) for name in names])}."
    )
    return picture


@styled
def plot_steps(
    histories: Mapping[str, History],
    *,
    metrics: Sequence[str] = ("valid_accuracy", "valid_balanced_accuracy"),
    title: str = "Step by step",
) -> Picture:
    """Draw metrics over the epochs of several training steps, one after the other.

    See what each step adds to the one before, and what it begins with.

    Args:
        histories: name of the step to its history, in order. A step whose history lacks a metric
            leaves a gap in it.
        metrics: columns of the histories, one panel each.
        title: of the figure.

    Raises:
        DataError: no epoch at all, or none that has one of the metrics.
    """
    steps = {name: history for name, history in histories.items() if len(history)}
    if not steps:
        raise DataError("there is nothing to draw: no step has an epoch")
    for metric in metrics:
        if not any(metric in history.columns for history in steps.values()):
            raise DataError(f"no step has a column {metric!r}: train with valid=...")
    picture = Picture(theme.WIDTH, 2.9)
    panels = picture.subplots(1, len(metrics), squeeze=False)[0]
    ends = np.cumsum([0, *(len(history) for history in steps.values())])
    words = []
    for axes, metric in zip(panels, metrics, strict=True):
        last = []
        for k, (name, history) in enumerate(steps.items()):
            if k % 2:
                axes.axvspan(ends[k] + 0.5, ends[k + 1] + 0.5, color=theme.GRID, alpha=0.5, lw=0)
            axes.annotate(
                name, ((ends[k] + ends[k + 1] + 1) / 2, 1), xycoords=("data", "axes fraction"),
                xytext=(0, -2), textcoords="offset points", ha="center", va="top", rotation=90,
                fontsize=8.5, color=theme.MUTED,
            )  # fmt: skip
            if metric not in history.columns:
                continue
            values = history[metric]
            at = np.arange(ends[k] + 1, ends[k + 1] + 1)
            axes.plot(at, values, "o-", color=theme.SERIES[k % len(theme.SERIES)], markersize=4)
            last.append(f"{name} {values[-1]:.3f}")
        label = metric.removeprefix("valid_").replace("_", " ")
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.45 * (high - low))  # room for the names
        axes.set_xlim(0.5, ends[-1] + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(label)
        axes.set_xlabel("epoch, all steps counted on")
        words.append(f"{label} at the end of {join(last)}")
    picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    picture.alt = f"Curves over {ends[-1]} epochs in {len(steps)} steps: {'; '.join(words)}."
    return picture


def _pixels(images: Tensor) -> np.ndarray:
    """``(B, 3, H, W)`` float or uint8 to ``(B, H, W, 3)`` floats in [0, 1]."""
    pixels = images.detach().cpu().float() / (1 if images.is_floating_point() else 255)
    return pixels.movedim(1, -1).clamp(0, 1).numpy()


def _empty(axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
