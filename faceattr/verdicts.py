"""What an interval of a difference says, in the words that the chapters use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def verdict(row: Mapping[str, float], metric: str = "accuracy") -> str:
    """``yes`` where the 95% interval lies above zero, ``no, the reverse`` below, else neither.

    Args:
        row: ``metric``, ``metric_low`` and ``metric_high`` of a difference, as
            :meth:`faceattr.comparison.Comparison.to_dict` gives them.
        metric: which of them.
    """
    if row[f"{metric}_low"] > 0:
        return "yes"
    return "no, the reverse" if row[f"{metric}_high"] < 0 else "cannot tell"


def points(row: Mapping[str, float], metric: str = "accuracy") -> str:
    """A difference and its interval in points: ``+0.19 [-0.05, +0.44]``."""
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(
        *(100 * row[f"{metric}{end}"] for end in ("", "_low", "_high"))
    )


def as_row(estimate: Mapping[str, float], metric: str = "accuracy") -> dict[str, float]:
    """``value``, ``low`` and ``high`` under the names that :func:`verdict` reads."""
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {f"{metric}{end}": estimate[name] for end, name in ends.items()}


def summed(verdicts: Iterable[str]) -> str:
    """One phrase for the verdicts on several parts of a claim."""
    found = set(verdicts)
    if found == {"yes"}:
        return "holds"
    return "does not hold" if "no, the reverse" in found else "is not confirmed"
