"""Figures of learned loss weights: who has the weight, pass by pass, and what its loss is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError, UnknownNameError
from faceattr.plots.picture import Picture, join, styled


def _table(values, names: Sequence[str], what: str) -> np.ndarray:
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or table.shape[1] != len(names) or not len(table):
        raise DataError(f"{what} of shape {table.shape}: give (passes, {len(names)})")
    return table


@styled
def plot_weight_paths(
    weights: Mapping[str, Mapping],
    names: Sequence[str],
    *,
    schemes: Sequence[str] | None = None,
    highlight: int = 3,
    title: str | None = None,
) -> Picture:
    """Draw the weight of every attribute over the passes, a panel for each scheme.

    See whether the lines stay together or one leaves the others behind.

    Args:
        weights: scheme to a mapping with ``weight``, ``(E, M)``.
        names: the M attributes.
        schemes: which of them, in this order; all by default.
        highlight: so many attributes, those with most weight at the end, have colours and names.
        title: of the figure.

    Raises:
        UnknownNameError: no such scheme. DataError: no scheme, or a table of another shape.
    """
    schemes = list(weights if schemes is None else schemes)
    if unknown := [s for s in schemes if s not in weights]:
        raise UnknownNameError(f"no scheme {unknown[0]!r}: there are {', '.join(weights)}")
    if not schemes:
        raise DataError("no scheme to draw: give at least one")
    columns = min(2, len(schemes))
    rows = -(-len(schemes) // columns)
    picture = Picture(theme.WIDTH, 2.55 * rows + (0.3 if title else 0))
    panels = picture.subplots(rows, columns, squeeze=False)
    said = []
    for axes, scheme in zip(panels.flat, schemes, strict=False):
        table = _table(weights[scheme]["weight"], names, f"weights of {scheme}")
        at = np.arange(1, len(table) + 1)
        axes.axhline(1 / len(names), color=theme.INK, linewidth=1, linestyle=":")
        axes.plot(at, table, color=theme.MUTED, linewidth=0.7, alpha=0.55)
        first = np.argsort(-table[-1], kind="stable")[:highlight]
        for k, j in enumerate(first):
            axes.plot(
                at, table[:, j], marker="os^D"[k % 4], markersize=3.5, linewidth=1.8,
                color=theme.SERIES[k % len(theme.SERIES)], label=pretty(names[j]),
            )  # fmt: skip
        axes.set_title(scheme)
        axes.set_ylim(0, max(1.15 * table.max(), 2.5 / len(names)))
        axes.set_xticks(at)
        axes.set_xlabel("pass")
        axes.set_ylabel("weight")
        axes.legend(loc="best", fontsize=8)
        told = [f"{pretty(names[j])} {table[-1, j]:.2f}" for j in first]
        said.append(f"{scheme}: after {len(table)} passes {join(told)}")
    for axes in list(panels.flat)[len(schemes) :]:
        axes.set_visible(False)
    if title:
        picture.suptitle(title, fontweight="bold")
    picture.alt = (
        f"Lines of the weights of {len(names)} attributes over passes, a dotted line at equal "
        f"weight. Largest at the end: {'; '.join(said)}."
    )
    return picture


@styled
def plot_weight_against_loss(
    pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    names: Sequence[str],
    *,
    named: int = 3,
    title: str | None = None,
) -> Picture:
    """Draw every attribute's weight against its loss, a panel for each entry.

    See to which side the weight leans: of the large losses, or of the small ones.

    Args:
        pairs: heading of a panel to weights ``(M,)`` and losses ``(M,)``.
        names: the M attributes.
        named: so many of the largest weights are named, if they are twice the equal weight.
        title: of the figure.

    Raises:
        DataError: nothing to draw, or other numbers of attributes.
    """
    if not pairs:
        raise DataError("nothing to draw: give at least one panel")
    columns = min(2, len(pairs))
    rows = -(-len(pairs) // columns)
    picture = Picture(theme.WIDTH, 2.7 * rows + (0.3 if title else 0))
    panels = picture.subplots(rows, columns, squeeze=False)
    said = []
    for axes, (heading, (weight, loss)) in zip(panels.flat, pairs.items(), strict=False):
        weight = _table([weight], names, f"weights of {heading}")[0]
        loss = _table([loss], names, f"losses of {heading}")[0]
        first = np.argsort(-weight, kind="stable")[:named]
        axes.axhline(1 / len(names), color=theme.INK, linewidth=1, linestyle=":")
        axes.plot(loss, weight, "o", color=theme.SERIES[0], markersize=4, alpha=0.75)
        middle = (loss.min() + loss.max()) / 2
        for j in first[weight[first] > 2 / len(names)]:
            left = loss[j] < middle
            axes.annotate(
                pretty(names[j]), (loss[j], weight[j]), fontsize=8, va="center",
                xytext=(6 if left else -6, 0), textcoords="offset points",
                ha="left" if left else "right",
            )  # fmt: skip
        rank = "weights all equal"
        if np.ptp(weight) > 1e-5 and np.ptp(loss) > 1e-5:
            rank = f"rank correlation {spearmanr(weight, loss).statistic:+.2f}"
        axes.set_title(f"{heading}\n{rank}", fontsize=9.5)
        axes.set_ylim(bottom=min(0, 1.1 * weight.min()), top=1.12 * weight.max())
        axes.set_xlabel("loss")
        axes.set_ylabel("weight")
        said.append(f"{heading}: {rank}, most weight on {pretty(names[first[0]])}")
    for axes in list(panels.flat)[len(pairs) :]:
        axes.set_visible(False)
    if title:
        picture.suptitle(title, fontweight="bold")
    picture.alt = f"Dots of {len(names)} attributes, weight against loss. {'; '.join(said)}."
    return picture


@styled
def plot_effective(
    weights: Mapping[str, Mapping], *, net: str = "L", title: str | None = None
) -> Picture:
    """Draw, over the passes, how many attributes would share the weight evenly.

    See which scheme ends with a handful, and how soon.

    Args:
        weights: scheme to a mapping with ``effective``: network to ``(E,)``, the exponential of the
            weights' entropy.
        net: ``S``, ``M`` or ``L``.
        title: of the figure.

    Raises:
        DataError: no scheme. UnknownNameError: no such network.
    """
    if not weights:
        raise DataError("no scheme to draw: give at least one")
    picture = Picture(theme.WIDTH, 3.3)
    axes = picture.subplots()
    said = []
    for k, (scheme, seen) in enumerate(weights.items()):
        if net not in seen["effective"]:
            raise UnknownNameError(f"no network {net!r}: choose {', '.join(seen['effective'])}")
        values = np.asarray(seen["effective"][net], dtype=float)
        axes.plot(
            np.arange(1, len(values) + 1), values, marker="os^Dvp"[k % 6], markersize=4,
            color=theme.SERIES[k % len(theme.SERIES)], label=scheme, linewidth=1.6,
            alpha=0.9,
        )  # fmt: skip
        axes.set_xticks(np.arange(1, len(values) + 1))
        said.append(f"{scheme} {values[0]:.1f} to {values[-1]:.1f}")
    axes.set_yscale("log")
    axes.set_yticks([1, 2, 5, 10, 20, 40], ["1", "2", "5", "10", "20", "40"])
    axes.minorticks_off()
    axes.set_ylim(0.85, 52)
    axes.set_xlabel("pass")
    axes.set_ylabel(f"attributes, {net}_Net")
    if title:
        axes.set_title(title)
    picture.legend(loc="outside lower center", ncols=6)
    picture.alt = (
        "Lines over passes, a scheme each, on a logarithmic scale: how many attributes would share "
        f"the weight evenly, from the first pass to the last: {join(said)}."
    )
    return picture
