"""The weights explorer: choose scheme, epoch and attribute; see who gets the weight, and why."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, widgets
from faceattr.explore.weights_chart import LEAST, weights_chart


@dataclass
class Weights:
    """What both forms of the explorer show: L_Net's weights and losses.

    Attributes:
        share: scheme to ``(E, M)`` weights, divided by their sum in each epoch.
        loss: scheme to ``(E, M)`` mean losses.
        names: the M attribute names.
        prevalence: ``(M,)`` share of faces that wear each, None where nobody said.
    """

    share: dict[str, np.ndarray]
    loss: dict[str, np.ndarray]
    names: tuple[str, ...]
    prevalence: np.ndarray | None

    @property
    def schemes(self) -> list[str]:
        """In the order in which they were given."""
        return list(self.share)

    @property
    def epochs(self) -> int:
        """Of the longest scheme."""
        return max(len(share) for share in self.share.values())

    def row(self, scheme: str, epoch: int) -> int:
        """Row of an epoch, counted from 1; the last where a scheme has fewer."""
        return min(epoch, len(self.share[scheme])) - 1

    def sentence(self, scheme: str, epoch: int) -> str:
        """Who has the weight in an epoch, in words."""
        row = self.row(scheme, epoch)
        share, loss = self.share[scheme][row], self.loss[scheme][row]
        if np.ptp(share) < 1e-5:
            return f"epoch {row + 1}: all {len(share)} attributes have the same weight"
        even = np.exp(-(share * np.log(share.clip(1e-12))).sum())
        words = (
            f"epoch {row + 1}: {pretty(self.names[int(share.argmax())])} has {share.max():.2f} of "
            f"the weight; as if {even:.1f} attributes shared it"
        )
        if np.ptp(loss) < 1e-5:
            return words
        return f"{words}; rank correlation with loss {spearmanr(share, loss).statistic:+.2f}"


def weights_explorer(
    weights: Mapping[str, Mapping],
    names: Sequence[str],
    *,
    start: str | None = None,
    attribute: str | None = None,
    prevalence: Sequence[float] | None = None,
    form: str = "auto",
):
    """Watch a weighting scheme share out the weight, epoch by epoch.

    Left, L_Net's weight of every attribute over epochs; middle, their losses; right, weight
    against loss in the chosen epoch. One attribute is drawn in colour throughout.

    Args:
        weights: scheme to its table, as the experiment has it: ``weight`` and ``loss``, ``(E, M)``
            of L_Net.
        names: the M attributes.
        start: the scheme shown first, by default the first.
        attribute: drawn in colour at first, by default the one with the most weight at the end.
        prevalence: ``(M,)`` share of faces that wear each attribute, told where one points.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: no scheme, shapes that differ, or numbers that are no weights, losses or shares.
        UnknownNameError: no such scheme, attribute or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    view = _view(weights, names, prevalence)
    start = view.schemes[0] if start is None else start
    if start not in view.schemes:
        raise UnknownNameError(f"no scheme {start!r}: choose one of {', '.join(view.schemes)}")
    attribute = view.names[int(view.share[start][-1].argmax())] if attribute is None else attribute
    if attribute not in view.names:
        raise UnknownNameError(
            f"no attribute {attribute!r} here: choose one of {', '.join(view.names)}"
        )
    column = view.names.index(attribute)
    return choose(
        form, lambda: _live(view, start, column), lambda: weights_chart(view, start, column)
    )


def _view(weights: Mapping, names: Sequence[str], prevalence: Sequence[float] | None) -> Weights:
    if not weights:
        raise DataError("there is nothing to explore: no scheme's weights are given")
    if len(set(names)) < len(names):
        raise DataError(f"an attribute stands twice among {', '.join(names)}: name each once")
    share, losses = {}, {}
    for scheme, table in weights.items():
        try:
            weight, loss = (np.asarray(table[key], dtype=float) for key in ("weight", "loss"))
        except (KeyError, TypeError, ValueError) as error:  # absent, no numbers, ragged
            raise DataError(
                f"{scheme}: {error!r} where 'weight' and 'loss' should be tables (epochs, "
                "attributes)"
            ) from error
        if weight.ndim != 2 or weight.shape != loss.shape or weight.shape[1] != len(names):
            raise DataError(
                f"{scheme}: weights {weight.shape} and losses {loss.shape} for {len(names)} "
                "attributes: give (epochs, attributes) of both"
            )
        total = weight.sum(1, keepdims=True)
        good = np.isfinite(weight).all() and np.isfinite(loss).all() and (weight >= 0).all()
        if not good or not (total > 0).all():
            raise DataError(f"{scheme}: a weight or a loss is not a number, or no weight is left")
        share[scheme], losses[scheme] = weight / total, loss
    if prevalence is not None:
        prevalence = np.asarray(prevalence, dtype=float)
        if prevalence.shape != (len(names),) or not ((prevalence >= 0) & (prevalence <= 1)).all():
            raise DataError(f"prevalence {prevalence.shape}: give {len(names)} shares in [0, 1]")
    return Weights(share, losses, tuple(names), prevalence)


def _live(view: Weights, start: str, column: int):
    w = widgets()
    scheme = w.Dropdown(options=view.schemes, value=start, description="scheme")
    epoch = w.IntSlider(value=1, min=1, max=view.epochs, description="epoch")
    attribute = w.Dropdown(
        options=[(pretty(name), j) for j, name in enumerate(view.names)],
        value=column,
        description="attribute",
    )
    panels, note = w.HTML(), w.Label()

    def redraw() -> None:
        panels.value = _panels(view, scheme.value, epoch.value, attribute.value)
        note.value = view.sentence(scheme.value, epoch.value)

    for control in (scheme, epoch, attribute):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = w.VBox([w.HBox([scheme, epoch, attribute]), note, panels])
    shown.scheme, shown.epoch, shown.attribute, shown.panels, shown.note = (
        scheme, epoch, attribute, panels, note,
    )  # fmt: skip
    return shown


_WIDE, _HIGH, _LEFT, _TOP, _FOOT = 290, 230, 46, 20, 30  # pixels of a panel of the live form


def _panels(view: Weights, scheme: str, epoch: int, column: int) -> str:
    """The three panels as one SVG."""
    share, loss = view.share[scheme].clip(LEAST), view.loss[scheme]
    row = view.row(scheme, epoch)
    high = max(float(loss.max()) for loss in view.loss.values())
    even = 1 / len(view.names)
    span = max(view.epochs - 1, 1)

    def along(k: float) -> float:
        return _LEFT + 8 + k / span * (_WIDE - _LEFT - 20)

    def by_loss(value: float) -> float:
        return _LEFT + 8 + value / high * (_WIDE - _LEFT - 20)

    def log(value: float) -> float:
        return _TOP + np.log10(value) / np.log10(LEAST) * (_HIGH - _TOP - _FOOT - 8) + 4

    def plain(value: float) -> float:
        return _TOP + (1 - value / high) * (_HIGH - _TOP - _FOOT - 8) + 4

    ticks = [(log(t), f"{t:g}" if t > LEAST else f"≤{t:g}") for t in (1, 0.1, 0.01, 0.001, LEAST)]
    losses = [(plain(t), f"{t:.2g}") for t in (0, high / 2, high)]
    epochs = [(along(k), f"{k + 1}") for k in sorted({0, row, view.epochs - 1})]
    dotted = f'stroke="{theme.INK}" stroke-dasharray="2 3"/>'
    equal = f'<path d="M{_LEFT} {log(even):.1f}H{_WIDE - 8}" {dotted}'
    chosen = f'<path d="M{along(row):.1f} {_TOP}V{_HIGH - _FOOT}" stroke="{theme.MUTED}"/>'
    order = [j for j in range(len(view.names)) if j != column] + [column]

    def lines(values: np.ndarray, y) -> str:
        found = []
        for j in order:
            points = " ".join(f"{along(k):.1f},{y(v):.1f}" for k, v in enumerate(values[:, j]))
            look = _look(j == column)
            found.append(f'<polyline points="{points}" fill="none" {look}>{tip(j)}</polyline>')
        return "".join(found)

    def tip(j: int) -> str:
        worn = "" if view.prevalence is None else f", worn by {100 * view.prevalence[j]:.0f}%"
        return (
            f"<title>{html.escape(pretty(view.names[j]))}: weight "
            f"{view.share[scheme][row, j]:.4f}, loss {loss[row, j]:.3f}{worn}</title>"
        )

    dots = "".join(
        f'<circle cx="{by_loss(loss[row, j]):.1f}" cy="{log(share[row, j]):.1f}" '
        f'r="{6 if j == column else 4}" fill="{theme.SERIES[1 if j == column else 0]}" '
        f'opacity="0.8">{tip(j)}</circle>'
        for j in order
    )
    under = [(by_loss(t), f"{t:.2g}") for t in (0, high / 2, high)]
    shown = [
        _panel(0, "share of the weight", ticks, epochs, equal + chosen + lines(share, log)),
        _panel(1, "mean loss", losses, epochs, chosen + lines(loss, plain)),
        _panel(2, f"weight against loss, epoch {row + 1}", ticks, under, equal + dots),
    ]
    return (
        f'<svg width="{3 * _WIDE}" height="{_HIGH}" font-family="sans-serif" font-size="10" '
        f'style="background:{theme.PAPER}" fill="{theme.INK}">{"".join(shown)}</svg>'
    )


def _look(chosen: bool) -> str:
    if chosen:
        return f'stroke="{theme.SERIES[1]}" stroke-width="2.4"'
    return f'stroke="{theme.MUTED}" stroke-width="1" opacity="0.4"'


def _panel(place: int, title: str, left: list, under: list, inside: str) -> str:
    """One panel: its title, its ticks at the left and below, and what is in it."""
    ticks = "".join(
        f'<path d="M{_LEFT} {y:.1f}H{_WIDE - 8}" stroke="{theme.GRID}"/>'
        f'<text x="{_LEFT - 4}" y="{y + 3.5:.1f}" text-anchor="end">{words}</text>'
        for y, words in left
    ) + "".join(
        f'<text x="{x:.1f}" y="{_HIGH - 14}" text-anchor="middle">{words}</text>'
        for x, words in under
    )
    foot = "mean loss" if place == 2 else "epoch"
    return (
        f'<g transform="translate({place * _WIDE} 0)"><text x="{_LEFT}" y="12" font-weight="bold">'
        f'{title}</text>{ticks}<text x="{(_WIDE + _LEFT) / 2}" y="{_HIGH - 2}" '
        f'text-anchor="middle">{foot}</text>{inside}</g>'
    )
