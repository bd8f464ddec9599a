"""The words for intervals."""

import pytest

from faceattr.verdicts import as_row, points, summed, verdict


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.001, 0.2, "yes"), (-0.2, -0.001, "no, the reverse"), (-0.1, 0.1, "cannot tell"),
     (0.0, 0.1, "cannot tell")],
)  # fmt: skip
def test_a_verdict_is_where_the_interval_lies(low, high, word):
    row = as_row({"value": (low + high) / 2, "low": low, "high": high}, "f1")
    assert verdict(row, "f1") == word


def test_points():
    assert points(as_row({"value": 0.0019, "low": -0.0005, "high": 0.0044})) == (
        "+0.19 [-0.05, +0.44]"
    )


def test_several_verdicts_in_one_phrase():
    assert summed(["yes", "yes"]) == "holds"
    assert summed(["yes", "cannot tell"]) == "is not confirmed"
    assert summed(["yes", "no, the reverse"]) == "does not hold"
