"""Bootstrap intervals: how far a number could move on other faces of the same kind.

Faces of one person are not independent draws: who is in the test set matters more than which
photograph of them. Where identities are known, whole people are drawn again, which gives the wider
and honest interval; drawing single images is there for comparison with papers that do so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.metrics import METRICS, metrics
from faceattr.scored import Scored

#: With fewer people than this, ``by="auto"`` draws single images.
FEWEST_PEOPLE = 10

#: Elements of one block of weights: 64 MB of float32, whatever the size of the test set.
_BLOCK = 1 << 24


class Estimate(float):
    """A number with its interval: ``float(e)`` is the value, ``e.low`` and ``e.high`` the ends.

    Attributes:
        low: lower end, NaN where no interval was computed.
        high: upper end.
        count: how many attributes a mean is over; 1 for a single attribute.
    """

    low: float
    high: float
    count: int

    def __new__(
        cls, value: float, low: float = np.nan, high: float = np.nan, count: int = 1
    ) -> Estimate:
        """Make an estimate; without ends it has no interval."""
        self = super().__new__(cls, value)
        self.low, self.high, self.count = float(low), float(high), int(count)
        return self

    def __getnewargs__(self):
        return float(self), self.low, self.high, self.count

    def __repr__(self) -> str:
        return f"{float(self):.4f} [{self.low:.4f}, {self.high:.4f}]"

    def percent(self) -> str:
        """As tables print it: ``90.2 [89.8, 90.6]``, a dash where undefined."""
        if math.isnan(self):
            return "–"
        span = "" if math.isnan(self.low) else f" [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        return f"{100 * self:.1f}{span}"


def to_row(estimates: Mapping[str, Estimate], **more) -> dict[str, Any]:
    """A JSON-able row: ``name`` is the number itself, beside ``name_low`` and ``name_high``.

    None stands for NaN. Numbers without an interval have no ends; ``name_count`` is there where a
    mean is over several attributes. ``more`` is added as it is.
    """
    row: dict[str, Any] = {}
    for name, e in estimates.items():
        row[name] = None if math.isnan(e) else float(e)
        if not math.isnan(e.low):
            row |= {f"{name}_low": e.low, f"{name}_high": e.high}
        if e.count != 1:
            row[f"{name}_count"] = e.count
    return {**row, **more}


def from_row(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Estimate]:
    """The estimates of some names in what :func:`to_row` made."""

    def number(name: str) -> float:
        return math.nan if row.get(name) is None else row[name]

    return {
        n: Estimate(number(n), number(f"{n}_low"), number(f"{n}_high"), row.get(f"{n}_count", 1))
        for n in names
        if n in row
    }


def weights(
    count: int, resamples: int, *, groups: Tensor | None = None, seed: int = 0
) -> Iterator[Tensor]:
    """Yield blocks of resamples as counts, ``(N, r)`` float32, ``resamples`` columns together.

    Args:
        count: N, faces in the test set.
        resamples: R, how often to draw.
        groups: ``(N,)`` codes 0 .. G-1; whole groups are drawn, G of them with replacement. None
            draws single faces.
        seed: of the draws; the same seed gives two models the same resamples.
    """
    generator = np.random.default_rng(seed)
    units = count if groups is None else int(groups.max()) + 1
    block = max(1, _BLOCK // max(count, 1))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(units, size=(rows, units)) + units * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        counts = torch.from_numpy(counts.T.astype(np.float32))  # (units, r)
        yield counts if groups is None else counts[groups]  # (N, r)


def interval(
    samples: np.ndarray, point: np.ndarray | None = None, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Interval over the first dimension, ``(R, ...)`` to two arrays ``(...)``.

    Without ``point``, the percentile interval: the middle 95% of the resamples, right for one
    attribute, whose resamples may be skewed. With it, the basic interval, which reflects them
    about the estimate: right for a mean over attributes, which is nearly normal but inherits
    what resampling adds to average precision and takes from F1 in each of them. (At a coin's
    level, 2,000 faces and 40 attributes, the 95% percentile interval of the mean average
    precision held the true value in 37% of 60 trials, the basic one in 97%.)

    Resamples in which the number was undefined (NaN) are left out; NaN where all were.
    """
    low = np.full(samples.shape[1:], np.nan)
    high = low.copy()
    defined = ~np.isnan(samples).all(0) if len(samples) else np.zeros(low.shape, bool)
    if defined.any():
        tails = [(1 - level) / 2, (1 + level) / 2]
        low[defined], high[defined] = np.nanquantile(samples[:, defined], tails, axis=0)
    return (low, high) if point is None else (2 * point - high, 2 * point - low)


def choose(scored: Scored, by: str) -> str:
    """What is drawn again, ``"identity"`` or ``"image"``.

    ``"auto"`` draws whole people where everybody is known and there are at least
    :data:`FEWEST_PEOPLE` of them (with fewer, the interval over people is too narrow).

    Raises:
        DataError: ``by`` is unknown, or asks for people that are not known.
    """
    if by not in ("auto", "identity", "image"):
        raise DataError(f"by={by!r}: draw again by 'identity', 'image', or 'auto' for what fits")
    if scored.groups is None:
        if by == "identity":
            raise DataError(
                "by='identity' needs to know who is on every face, and these data do not say: "
                "use by='image'"
            )
        return "image"
    people = int(scored.groups.max()) + 1
    return "image" if by == "image" or (by == "auto" and people < FEWEST_PEOPLE) else "identity"


def resampled(
    several: Sequence[Scored], resamples: int, *, seed: int, by: str
) -> list[dict[str, np.ndarray]]:
    """Every metric on every resample, for models that were scored on the same faces.

    All of them see the same resamples (a paired bootstrap). Where one has several runs, each
    resample also draws as many of its runs with replacement and takes their mean.

    Returns:
        For each of ``several``: metric name to ``(R, M)``.

    Raises:
        DataError: a negative number of resamples, or a negative seed.
    """
    for name, value in (("bootstrap", resamples), ("seed", seed)):
        if value < 0:
            raise DataError(f"{name}={value}: give a whole number of at least 0")
    first = several[0]
    groups = first.groups if by == "identity" else None
    generator = np.random.default_rng([seed, 1])
    parts: list[dict[str, list]] = [{name: [] for name in METRICS} for _ in several]
    for w in weights(len(first), resamples, groups=groups, seed=seed):  # (N, r)
        for part, scored in zip(parts, several, strict=True):
            runs = [metrics(logits, scored.labels, w) for logits in scored.logits]
            drawn = generator.multinomial(scored.runs, [1 / scored.runs] * scored.runs, w.shape[1])
            share = torch.from_numpy(drawn / scored.runs)[:, :, None]  # (r, S, 1)
            for name in METRICS:
                values = torch.stack([run[name] for run in runs], dim=1)  # (r, S, M)
                part[name].append((values * share).sum(1).numpy())  # (r, M)
    columns = len(first.names)
    return [
        {name: np.concatenate([np.empty((0, columns)), *part[name]]) for name in METRICS}
        for part in parts
    ]


def mean_over(values: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Mean over some attributes, ``(..., M)`` to ``(...)``, leaving out undefined ones."""
    chosen = values[..., list(columns)]
    defined = ~np.isnan(chosen)
    total = np.where(defined, chosen, 0).sum(-1)
    with np.errstate(invalid="ignore"):  # no attribute defined: 0 / 0 is NaN, as wanted
        return total / defined.sum(-1)


def estimates(point: np.ndarray, samples: np.ndarray) -> list[Estimate]:
    """One number with its interval per attribute, from ``(M,)`` and ``(R, M)``."""
    low, high = interval(samples)
    return [Estimate(*numbers) for numbers in zip(point, low, high, strict=True)]


def mean_estimate(point: np.ndarray, samples: np.ndarray, columns: Sequence[int]) -> Estimate:
    """The mean over some attributes, kept in [0, 1]; ``count`` says how many were defined."""
    middle = mean_over(point, columns)
    low, high = interval(mean_over(samples, columns), middle)
    count = (~np.isnan(point[list(columns)])).sum()
    return Estimate(middle, np.maximum(low, 0), np.minimum(high, 1), count)  # NaN stays NaN
