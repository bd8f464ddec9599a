"""Figures of the label model: a Gaussian cut into labels, and how near it comes to its goal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.errors import DataError
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_copula(
    latent: np.ndarray,
    thresholds: Sequence[float],
    shares: Mapping[str, Sequence[float]],
    names: Sequence[str],
    *,
    title: str = "Two labels cut from one Gaussian",
) -> Picture:
    """Draw a correlated Gaussian cut by two thresholds, and the share of faces in each quarter.

    Args:
        latent: ``(N, 2)`` propensities; a point each.
        thresholds: ``t`` of both: beyond it the label is worn.
        shares: share of faces by source, in the order both, first only, second only, neither: the
            first source is bars, the others are marks.
        names: of the two attributes.
        title: of the figure.

    Raises:
        DataError: not two columns, or not four shares.
    """
    latent = np.asarray(latent, dtype=float)
    sources = {source: np.asarray(values, dtype=float) for source, values in shares.items()}
    if latent.ndim != 2 or latent.shape[1] != 2 or any(v.shape != (4,) for v in sources.values()):
        raise DataError(
            f"propensities {latent.shape} and shares "
            f"{join([str(v.shape) for v in sources.values()])}: give (N, 2) and (4,) each"
        )
    first, second = map(pretty, names)
    quarters = ["both", f"only {first}", f"only {second}", "neither"]
    above = latent > np.asarray(thresholds)
    which = np.select(
        [above.all(1), above[:, 0] & ~above[:, 1], ~above[:, 0] & above[:, 1]], [0, 1, 2], 3
    )
    colours = [*theme.SERIES[:3], theme.MUTED]

    picture = Picture(theme.WIDTH, 3.6)
    cloud, bars = picture.subplots(1, 2, width_ratios=(1.15, 1))
    for k, (quarter, marker) in enumerate(zip(quarters, "o^sx", strict=True)):
        cloud.plot(
            *latent[which == k].T, marker, ms=2.6, color=colours[k], alpha=0.65, label=quarter
        )
    cloud.axvline(thresholds[0], color=theme.INK, lw=1.2)
    cloud.axhline(thresholds[1], color=theme.INK, lw=1.2)
    reach = np.abs(latent).max() * 1.05
    cloud.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    cloud.set_xlabel(f"propensity to {first}")
    cloud.set_ylabel(f"propensity to {second}")
    cloud.set_title(title)

    at = np.arange(4)[::-1]
    for k, values in enumerate(sources.values()):
        if k == 0:
            bars.barh(at, values, height=0.55, color=colours, alpha=0.85)
        else:
            bars.plot(values, at, "Ds^"[(k - 1) % 3], ms=5.5, color=theme.INK, mec=theme.PAPER)
    most = max(values.max() for values in sources.values())
    for i, y in enumerate(at):
        end = max(values[i] for values in sources.values())
        said = " / ".join(f"{values[i]:.1%}" for values in sources.values())
        bars.text(end + 0.04 * most, y, said, va="center", fontsize=8.5)
    bars.set_xlim(0, 1.5 * most)
    bars.set_yticks(at, [textwrap.fill(quarter, 16) for quarter in quarters])
    bars.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    bars.grid(axis="y", visible=False)
    bars.set_xlabel("share of faces")
    kinds = ["bars", "diamonds", "squares", "triangles"]
    words = [f"{source} ({kind})" for source, kind in zip(sources, kinds, strict=False)]
    bars.set_title(textwrap.fill(", ".join(words), 36))
    words = [
        f"{quarter} {' against '.join(f'{v[i]:.1%} in {s}' for s, v in sources.items())}"
        for i, quarter in enumerate(quarters)
    ]
    picture.alt = (
        f"A cloud of {len(latent)} points with correlation "
        f"{np.corrcoef(latent.T)[0, 1]:.2f}, cut into four quarters by two thresholds, for "
        f"{first} and {second}. Shares of faces: {join(words)}."
    )
    return picture


@styled
def plot_phi_gap(
    goal: np.ndarray,
    reached: np.ndarray,
    *,
    tolerance: float,
    sources: tuple[str, str] = ("CelebA", "SynthFaces"),
    names: Sequence[str] = ATTRIBUTES,
    worst: int = 6,
    title: str = "The gap of every pair of attributes",
) -> Picture:
    """Draw how far the correlation of every pair is from where it should be; see which stray.

    Args:
        goal: ``(M, M)`` phi of the source on the horizontal axis.
        reached: ``(M, M)`` phi of the other; its gap is vertical.
        tolerance: half the width of the band round zero.
        sources: names of the two.
        names: the M attribute names.
        worst: so many pairs with the largest gaps are named.
        title: of the figure.

    Raises:
        DataError: not ``(M, M)``.
    """
    goal, reached = np.asarray(goal, dtype=float), np.asarray(reached, dtype=float)
    if goal.shape != (len(names),) * 2 or reached.shape != goal.shape:
        raise DataError(
            f"correlations {goal.shape} and {reached.shape} of {len(names)} attributes: give "
            f"{len(names)} x {len(names)} each"
        )
    j, k = np.triu_indices(len(names), 1)
    x, y = goal[j, k], reached[j, k]
    far = np.argsort(-np.abs(y - x), kind="stable")[:worst]

    picture = Picture(theme.WIDTH, 3.4)
    axes, table = picture.subplots(1, 2, width_ratios=(1.5, 1))
    axes.axhspan(-tolerance, tolerance, color=theme.GRID, lw=0)
    axes.axhline(0, color=theme.MUTED, lw=1)
    axes.plot(x, y - x, "o", ms=3, color=theme.SERIES[0], alpha=0.55, mec="none")
    axes.plot(x[far], (y - x)[far], "D", ms=5, color=theme.SERIES[1], mec=theme.PAPER)
    for number, i in enumerate(far, 1):
        axes.annotate(
            str(number), (x[i], y[i] - x[i]), xytext=(8, 0), textcoords="offset points",
            ha="center", va="center", fontsize=8.5,
        )  # fmt: skip
    reach = 1.15 * max(tolerance, np.abs(y - x).max())
    axes.set(xlim=(-1, 1), ylim=(-reach, reach))
    axes.set_xlabel(f"phi in {sources[0]}")
    axes.set_ylabel(f"phi in {sources[1]}, less that")
    axes.set_title(title)

    table.axis("off")
    pairs = [f"{pretty(names[j[i]])}, {pretty(names[k[i]])}" for i in far]
    table.set_title(f"The {worst} pairs furthest off")
    for number, (i, pair) in enumerate(zip(far, pairs, strict=True), 1):
        table.text(
            0, 1 - (number - 0.5) / worst,
            f"{number}  {pair}\n    {x[i]:+.3f} in {sources[0]}, {y[i]:+.3f} in {sources[1]}",
            fontsize=8, va="center", transform=table.transAxes,
        )  # fmt: skip
    inside = float((np.abs(y - x) <= tolerance).mean())
    picture.alt = (
        f"{len(x)} pairs of attributes, phi in {sources[1]} less phi in {sources[0]}: "
        f"{inside:.1%} lie within {tolerance:g} of zero. Furthest off: "
        + join([f"{pair} ({y[i] - x[i]:+.3f})" for i, pair in zip(far, pairs, strict=True)])
        + "."
    )
    return picture
