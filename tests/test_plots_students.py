"""Figures of chapter 5: layers, prices, differences, passes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from faceattr.errors import DataError
from faceattr.plots.students import (
    plot_differences,
    plot_layers,
    plot_passes,
    plot_tradeoff,
)

COUNTS = pd.DataFrame(
    {"Conv1": [1e6, 2e6], "Conv2": [3e6, np.nan]}, index=["large", "small"], dtype=float
)


def test_layers_add_up_to_the_whole():
    picture = plot_layers({"parameters": COUNTS, "work": COUNTS * 2})
    left, right = picture.axes[:2]
    ends = {(p.get_y(), round(p.get_x() + p.get_width(), 3)) for p in left.patches}
    assert {end for _, end in ends} == {1.0, 4.0, 2.0}, "in millions, stacked"
    assert [t.get_text() for t in left.get_yticklabels()] == ["large", "small"]
    assert [text.get_text() for text in right.texts] == ["8", "4"]
    assert "parameters: large 4 (most in Conv2, 75%) and small 2 (most in Conv1, 100%)" in (
        picture.alt
    )


def test_tradeoff_draws_one_line_in_proportion():
    frame = pd.DataFrame({"work": [1.0, 10.0], "ms": [2.0, 30.0]}, index=["small", "large"])
    picture = plot_tradeoff({"measured": frame}, {"work": "multiply-adds"}, value="ms",
                            label="milliseconds", proportional=True)  # fmt: skip
    axes = picture.axes[0]
    dashed = next(line for line in axes.lines if line.get_linestyle() == "--")
    assert np.allclose(np.divide(*reversed(dashed.get_data())), 2.0), "through the first network"
    assert axes.get_yscale() == axes.get_xscale() == "log"
    assert "small 2 and large 30" in picture.alt


def test_tradeoff_draws_intervals_in_percent():
    frame = pd.DataFrame(
        {"n": [1e5, 1e6], "acc": [0.8, 0.9], "acc_low": [0.79, 0.88], "acc_high": [0.81, 0.92]},
        index=["a", "b"],
    )
    picture = plot_tradeoff({"hints": frame, "none": frame - 0.01}, {"n": "parameters"},
                            value="acc", label="accuracy", percent=True)  # fmt: skip
    spans = [path.vertices[:, 1] for c in picture.axes[0].collections for path in c.get_paths()]
    assert np.allclose(spans[0], [0.79, 0.81])
    assert "hints: a 80.0% and b 90.0%; none: a 79.0%" in picture.alt
    assert picture.axes[0].yaxis.get_major_formatter()(0.855, 0) == "85.5%"


def test_differences_stand_in_order_and_the_margin_is_shaded():
    picture = plot_differences(
        {"against the teacher": {"SNet3": (-0.3, -0.8, 0.2)}, "against none": {"SNet1": (1, 0, 2)}},
        label="points of accuracy",
        margin=0.5,
    )
    axes = picture.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["SNet3", "SNet1"]
    assert axes.get_yticks()[0] > axes.get_yticks()[1]
    assert any(np.allclose(line.get_xdata(), -0.5) for line in axes.lines)
    assert "SNet3 -0.30 [-0.80, +0.20]; SNet1 +1.00 [+0.00, +2.00]" in picture.alt


def test_passes_are_means_over_runs_after_what_went_before():
    picture = plot_passes(
        {"attribute loss": {"hints": [[0.6, 0.5], [0.4, 0.3]], "none": [[0.7, 0.6, 0.5, 0.5]]}},
        offset={"attribute loss": {"hints": 2}},
    )
    lines = {line.get_label(): line for line in picture.axes[0].lines}
    assert np.allclose(lines["hints"].get_data(), [[3, 4], [0.5, 0.4]])
    assert np.allclose(lines["none"].get_xdata(), [1, 2, 3, 4])
    assert "hints: 0.5 to 0.4 after pass 4" in picture.alt


def test_bad_input():
    with pytest.raises(DataError, match="nothing to draw"):
        plot_layers({})
    with pytest.raises(DataError, match="no column 'ms' in 'a'"):
        plot_tradeoff({"a": COUNTS}, {"Conv1": "x"}, value="ms", label="y")
    with pytest.raises(DataError, match="must be above zero"):
        plot_tradeoff({"a": COUNTS - 1e6}, {"Conv1": "x"}, value="Conv2", label="y")
    with pytest.raises(DataError, match="give one difference"):
        plot_differences({"nothing": {}}, label="points")
    with pytest.raises(DataError, match="as many losses each"):
        plot_passes({"loss": {"a": [[1.0, 2.0], [1.0]]}})
