"""A figure of a bootstrap: the number on every resample, and the interval that it gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faceattr import theme
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_resamples(
    samples: Mapping[str, np.ndarray],
    point: float,
    *,
    label: str = "accuracy",
    level: float = 0.95,
    title: str = "The same number on other test sets",
) -> Picture:
    """Draw what a number is on every resample; see how wide each way of drawing again makes it.

    Args:
        samples: what was drawn again (``"people"``, ``"faces"``) to the number on each resample.
        point: the number on the test set itself.
        label: what the number is.
        level: of the interval, which is drawn as a line below its histogram's peak.
        title: of the figure.

    Raises:
        DataError: no samples.
    """
    if not samples or any(not len(values) for values in samples.values()):
        raise DataError("there is nothing to draw: no resample")
    picture = Picture(theme.WIDTH, 2.9)
    axes = picture.subplots()
    everything = np.concatenate([np.asarray(values, dtype=float) for values in samples.values()])
    bins = np.linspace(everything.min() - 1e-4, everything.max() + 1e-4, 34)
    words, top = [], 0.0
    for k, (name, values) in enumerate(samples.items()):
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        words.append(f"drawing {name} again gives {low:.3f} to {high:.3f}")
        counts, _, _ = axes.hist(
            values,
            bins,
            histtype="stepfilled",
            color=theme.SERIES[k],
            alpha=0.30,
            edgecolor=theme.SERIES[k],
            linewidth=1.8,
            label=f"{name} drawn again: {100 * low:.1f} to {100 * high:.1f}%",
        )
        top = max(top, counts.max())
    for k, values in enumerate(samples.values()):
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        y = -top * (0.06 + 0.09 * k)
        axes.plot([low, high], [y, y], "|-", color=theme.SERIES[k], linewidth=2.6, markersize=9)
    axes.axvline(point, color=theme.INK, linewidth=1.2, linestyle="--", label="on the test set")
    axes.set_ylim(bottom=-top * (0.06 + 0.09 * len(samples)), top=1.35 * top)
    axes.set_yticks([])
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    axes.set_xlabel(f"{label}, with {level:.0%} intervals below")
    axes.set_title(title)
    axes.legend(loc="upper left")
    picture.alt = (
        f"Histograms of {label} over resamples of the test set: {join(words)}; the test set itself "
        f"gives {point:.3f}."
    )
    return picture
