"""A figure of a network at work: a face, what each layer makes of it, and the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_network(
    image: Tensor,
    stages: Mapping[str, Tensor],
    scores: Mapping[str, float],
    *,
    truth: Sequence[bool] | None = None,
    maps: int = 3,
    title: str | None = None,
) -> Picture:
    """Draw a face, some maps of every layer, and the strongest answers; see what shrinks and grows.

    The side of a map in the figure grows with the logarithm of its true side. Of each layer the
    maps that vary most over the face are drawn.

    Args:
        image: ``(3, H, W)`` float in [0, 1].
        stages: layer name to its maps ``(C, h, w)``, in order.
        scores: attribute to the network's probability; drawn as bars, in the order given.
        truth: whether the face has each of them: it is ticked, and the bar's colour and hatching
            say whether the network is right.
        maps: how many maps of each layer.
        title: of the figure.

    Raises:
        DataError: an image, a layer or the scores of the wrong shape, or none.
    """
    if image.ndim != 3 or len(image) != 3 or not stages or not scores:
        raise DataError(
            f"an image {tuple(image.shape)}, {len(stages)} layers, {len(scores)} answers: give one "
            "face (3, H, W) and at least one layer and one answer"
        )
    if truth is not None and len(truth) != len(scores):
        raise DataError(f"{len(scores)} answers and {len(truth)} truths: give one for each")
    if flat := [name for name, kept in stages.items() if kept.ndim != 3]:
        raise DataError(f"the maps of {flat[0]} should be (C, h, w), not of a batch")
    picture = Picture(theme.WIDTH, 2.6)
    canvas, bars = picture.subplots(1, 2, width_ratios=(4.2, 1))
    canvas.set_axis_off()
    canvas.set_aspect("equal")
    largest = max(image.shape[1:])
    panes = {"face": np.moveaxis(image.detach().cpu().float().numpy(), 0, -1)[None]}
    panes |= {name: _liveliest(kept, maps) for name, kept in stages.items()}
    left, middle = 0.0, 0.5
    for name, shown in panes.items():
        height, width = shown[0].shape[:2]
        side = 0.35 + 0.65 * np.log2(max(height, width) + 1) / np.log2(largest + 1)
        wide, step = side * width / max(height, width), 0.085
        high = side * height / max(height, width)
        offset = step * (len(shown) - 1)
        room = max(wide + offset, 0.82)  # for the words below
        start, bottom = left + (room - wide - offset) / 2, middle - (high + offset) / 2
        for k in reversed(range(len(shown))):  # the front one last
            x, y = start + step * k, bottom + step * k
            canvas.imshow(
                shown[k],
                extent=(x, x + wide, y, y + high),
                cmap=theme.HEAT,
                interpolation="nearest",
                zorder=2 * (len(shown) - k),
            )
            frame = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high), (x, y)]
            line = {"color": theme.PAPER, "linewidth": 1.2}
            canvas.plot(*np.transpose(frame), zorder=2 * (len(shown) - k) + 1, **line)
        words = name if name == "face" else f"{name}\n{len(stages[name])} maps"
        canvas.text(
            left + room / 2, -0.14, f"{words}\n{height} x {width}", ha="center",
            va="top", fontsize=8.5, linespacing=1.35,
        )  # fmt: skip
        left += room + 0.12
    canvas.set_xlim(-0.05, left)
    canvas.set_ylim(-0.75, 1.12)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    _answers(bars, scores, truth)
    sizes = [f"{name} {len(kept)} maps of {kept.shape[1]} x {kept.shape[2]}"
             for name, kept in stages.items()]  # fmt: skip
    said = [f"{pretty(name)} {p:.0%}" for name, p in scores.items()]
    picture.alt = f"A drawn face, maps of {join(sizes)}, and answers: {join(said)}."
    if truth is not None:
        right = sum((p > 0.5) == bool(has) for p, has in zip(scores.values(), truth, strict=True))
        picture.alt += f" {right} of these {len(scores)} answers are right."
    return picture


def _liveliest(kept: Tensor, count: int) -> np.ndarray:
    """The maps that vary most, ``(count, h, w)``, each stretched to [0, 1]."""
    kept = kept.detach().cpu().float()
    flat = kept.flatten(1)  # (C, h w)
    chosen = flat.var(1, correction=0).topk(min(count, len(kept))).indices
    low, high = flat[chosen].aminmax(dim=1)
    spread = torch.clamp(high - low, min=1e-9)[:, None, None]
    return ((kept[chosen] - low[:, None, None]) / spread).numpy()


def _answers(axes, scores: Mapping[str, float], truth: Sequence[bool] | None) -> None:
    values = np.array(list(scores.values()), dtype=float)
    labels = [pretty(name) for name in scores]
    at = np.arange(len(values))[::-1]
    if truth is None:
        axes.barh(at, values, height=0.6, color=theme.SERIES[0])
    else:
        worn = np.asarray(truth, dtype=bool)
        labels = [f"{label} ✓" if has else label for label, has in zip(labels, worn, strict=True)]
        right = (values > 0.5) == worn
        axes.barh(at[right], values[right], height=0.6, color=theme.RIGHT, label="right")
        axes.barh(
            at[~right], values[~right], height=0.6, color=theme.WRONG, hatch="///",
            edgecolor=theme.PAPER, label="wrong",
        )  # fmt: skip
    axes.axvline(0.5, color=theme.MUTED, linewidth=1.2, linestyle="--")
    axes.set_yticks(at, labels, fontsize=8.5)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8.5)
    axes.grid(axis="y", visible=False)
    axes.set_title("its answers", fontsize=9, loc="center", fontweight="normal")
