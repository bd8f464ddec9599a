"""Is one model better than another? A paired bootstrap on the faces that both have seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from faceattr.attributes import pretty
from faceattr.bootstrap import Estimate, choose, estimates, interval, mean_over, resampled, to_row
from faceattr.errors import DataError
from faceattr.metrics import METRICS

if TYPE_CHECKING:
    from faceattr.report import Report

#: What can differ between two models; prevalence and majority belong to the faces.
COMPARED = METRICS[:4]


@dataclass(frozen=True)
class Comparison:
    """How much higher the first report is than the second, metric by metric.

    Attributes:
        mean: metric to the difference of the means over attributes, with its 95% interval.
        attributes: attribute to metric to difference.
        better: metric to the share of resamples in which the first was ahead (ties count half):
            near 1 or 0 the order is settled, near 0.5 it is not.
        better_attributes: attribute to metric to that share.
        record: what was resampled, how often, from which seed.
    """

    mean: dict[str, Estimate]
    attributes: dict[str, dict[str, Estimate]]
    better: dict[str, float]
    better_attributes: dict[str, dict[str, float]]
    record: dict[str, Any]

    def frame(self, metric: str | None = None) -> pd.DataFrame:
        """The means, one metric a row; or with a metric, one attribute a row.

        Columns: ``difference``, ``low``, ``high``, ``better``.
        """
        if metric is None:
            rows = {name: (value, self.better[name]) for name, value in self.mean.items()}
        else:
            rows = {
                name: (row[metric], self.better_attributes[name][metric])
                for name, row in self.attributes.items()
            }
        return pd.DataFrame(
            [
                {"difference": float(v), "low": v.low, "high": v.high, "better": share}
                for v, share in rows.values()
            ],
            index=pd.Index(list(rows), name="metric" if metric is None else "attribute"),
        )

    def to_dict(self) -> dict[str, Any]:
        """One JSON-able object with ``mean``, ``attributes`` and ``record``.

        ``mean["f1"]`` is the difference, beside ``f1_low``, ``f1_high`` and ``f1_better``.
        """

        def row(values: dict[str, Estimate], better: dict[str, float]) -> dict[str, Any]:
            shares = {f"{n}_better": None if np.isnan(s) else s for n, s in better.items()}
            return to_row(values, **shares)

        return {
            "mean": row(self.mean, self.better),
            "attributes": {
                name: row(values, self.better_attributes[name])
                for name, values in self.attributes.items()
            },
            "record": self.record,
        }

    def _repr_html_(self) -> str:
        table = self.frame()
        table.index = [pretty(name).capitalize() for name in table.index]
        return table.to_html(float_format=lambda value: f"{value:+.4f}", border=0)


def compare(first: Report, second: Report, *, bootstrap: int = 1000, seed: int = 0) -> Comparison:
    """Compare two reports on the same faces.

    Both are computed on the same resamples, of people where the first report drew people, so that
    what makes a resample easy or hard cancels. Where a report combines several runs, its runs are
    drawn again too, separately from those of the other.

    Raises:
        DataError: a report holds no predictions, or they are on different faces.
    """
    for report in (first, second):
        if report.scored is None:
            raise DataError(
                "a report without predictions cannot be compared: save it with "
                "report.save(path, predictions=True), or evaluate again"
            )
    a, b = first.scored, second.scored
    if a.fingerprint != b.fingerprint:
        raise DataError(
            f"these reports are on different faces ({first.record.get('data')}: {len(a)} faces; "
            f"{second.record.get('data')}: {len(b)} faces): evaluate both models on the same data "
            "set, with the same split, partition and seed"
        )
    by = choose(a, first.record.get("resampled", "auto"))
    samples_a, samples_b = resampled([a, b], bootstrap, seed=seed, by=by)
    everything = range(len(a.names))
    mean, better = {}, {}
    attributes: dict[str, dict[str, Estimate]] = {name: {} for name in a.names}
    shares: dict[str, dict[str, float]] = {name: {} for name in a.names}
    for metric in COMPARED:
        point = a.point()[metric] - b.point()[metric]  # (M,)
        samples = samples_a[metric] - samples_b[metric]  # (R, M)
        # percentile intervals throughout: they agree with the share of resamples ahead, and what
        # resampling adds to a mean (see bootstrap.interval) largely cancels in a difference
        means = mean_over(samples, everything)
        count = (~np.isnan(point)).sum()
        mean[metric] = Estimate(mean_over(point, everything), *interval(means), count)
        better[metric] = float(_ahead(means))
        rows = zip(a.names, estimates(point, samples), _ahead(samples), strict=True)
        for name, value, share in rows:
            attributes[name][metric] = value
            shares[name][metric] = float(share)
    record = {
        "first": first.record,
        "second": second.record,
        "resampled": by,
        "resamples": bootstrap,
        "seed": seed,
    }
    return Comparison(mean, attributes, better, shares, record)


def _ahead(samples: np.ndarray) -> np.ndarray:
    """Share of resamples above 0, ties counted half; NaN where none is defined."""
    defined = (~np.isnan(samples)).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((samples > 0).sum(0) + 0.5 * (samples == 0).sum(0)) / defined
