"""Figures of parts, steps, switch, relation and gains: drawn and said as the numbers are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from faceattr.errors import DataError
from faceattr.plots.combining import (
    part_and_whole,
    plot_part_and_whole,
    plot_relation,
    plot_weight_over_region,
)
from faceattr.plots.gains import plot_gains
from faceattr.plots.parts import plot_parts, plot_steps
from faceattr.training.history import History

NAMES = ["Smiling", "Bald", "Young"]


def switch(seeds: int = 2) -> np.ndarray:
    """Weights in which Smiling's part and Young's whole image lead, a little apart by seed."""
    weights = np.full((seeds, 4, 3), 0.1)
    weights[:, 1, 0], weights[:, 0, 2] = 0.5, 0.4
    weights[:, 2, 1] = [0.2 + 0.1 * seed for seed in range(seeds)]
    return weights


def test_part_and_whole_are_the_diagonal_and_the_first_row():
    part, whole = part_and_whole(switch())
    assert part.tolist() == [[0.5, 0.2, 0.1], [0.5, pytest.approx(0.3), 0.1]]
    assert whole.tolist() == [[0.1, 0.1, 0.4]] * 2


def test_bars_are_means_over_seeds_and_whiskers_their_ends():
    picture = plot_part_and_whole(switch(), names=NAMES, order=[2, 0, 1])
    axes = picture.axes[0]
    part, whole = ([bar.get_width() for bar in group] for group in axes.containers)
    assert part == pytest.approx([0.1, 0.5, 0.25])
    assert whole == pytest.approx([0.4, 0.1, 0.1])
    ends = axes.collections[0].get_segments()[2][:, 0]
    assert ends.tolist() == pytest.approx([0.2, 0.3])
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == ["Young", "Smiling", "Bald"], "the first of the order on top"
    assert axes.get_yticks()[0] == 2
    assert "larger one for 2" in picture.alt
    assert "in favour of the part is Smiling, of the whole Young" in picture.alt
    assert picture.encode()[0] == "image/png"


def test_weight_over_region_says_its_rank_correlation():
    values = [[0.3, 0.2, -0.2], [0.1, 0.2, -0.4]]
    picture = plot_weight_over_region(
        values, [0.05, 0.2, 1.0], names=NAMES, labelled=["Smiling", "Young"]
    )
    (dots,) = (line for line in picture.axes[0].lines if line.get_marker() == "o")
    assert dots.get_ydata() == pytest.approx([0.2, 0.2, -0.3])
    assert "-0.87" in picture.alt, "two equal leads above one: sqrt(3) / 2"
    assert {t.get_text() for t in picture.axes[0].texts} == {"Smiling", "Young"}
    left_out = plot_weight_over_region(
        [[0.3, 0.2, -0.2, 9.0]], [0.05, 0.2, 1.0, np.nan], names=[*NAMES, "Bangs"]
    )
    assert "3 attributes" in left_out.alt
    assert "-1.00" in left_out.alt


def test_relation_stands_beside_the_labels_in_one_order():
    weights = np.array([[9.0, 0.2, -0.1], [0.4, 9.0, 0.0], [-0.3, 0.0, 9.0]])
    labels = np.array([[1.0, 0.6, -0.4], [0.6, 1.0, 0.0], [-0.4, 0.0, 1.0]])
    picture = plot_relation(weights, labels, names=NAMES, order=[2, 0, 1])
    left, right = (axes.images[0].get_array() for axes in picture.axes[:2])
    assert left[1, 0] == pytest.approx(-0.1), "Smiling listens to Young"
    assert left[0, 1] == pytest.approx(-0.3)
    assert right[1, 2] == right[2, 1] == pytest.approx(0.6)
    assert np.ma.getmaskarray(left).diagonal().all() or np.isnan(np.diag(left)).all()
    assert "largest weight is that of Smiling for Bald (+0.400)" in picture.alt
    assert "smallest that of Smiling for Young (-0.300)" in picture.alt
    off = ~np.eye(3, dtype=bool)
    assert f"{np.corrcoef(weights[off], labels[off])[0, 1]:+.2f}" in picture.alt


def gains() -> pd.DataFrame:
    rows = {
        "Smiling": (0.02, 0.01, 0.03),
        "Bald": (0.001, -0.01, 0.01),
        "Young": (-0.02, -0.03, -0.01),
        "mean": (0.004, -0.001, 0.01),
    }
    columns = ["accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def test_gains_are_sorted_and_told_apart_by_their_intervals():
    picture = plot_gains(gains(), printed={"Smiling": 0.01})
    axes = picture.axes[0]
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == ["mean", "Young", "Bald", "Smiling"], "largest on top, the mean at the bottom"
    kinds = {line.get_label(): line for line in axes.lines}
    assert kinds["clearly above zero"].get_xdata() == pytest.approx([2.0])
    assert kinds["clearly below zero"].get_xdata() == pytest.approx([-2.0])
    assert kinds["cannot tell"].get_xdata() == pytest.approx([0.4, 0.1])
    assert np.nansum(kinds["the paper's"].get_xdata()) == pytest.approx(1.0)
    assert "1 lie clearly above zero, 1 clearly below" in picture.alt
    assert "+0.40 points [-0.10, +1.00]" in picture.alt


def test_parts_are_cut_where_they_are_drawn():
    images = torch.zeros(2, 3, 20, 30)
    images[0, 0, 4:9, 10:15] = 1
    boxes = torch.tensor([[[10, 4, 15, 9], [0, 0, 5, 5]]] * 2)
    picture = plot_parts(images, boxes, ["Smiling", "Bald"], title="Parts")
    shown = [axes.images[0].get_array() for axes in picture.axes]
    assert [a.shape[:2] for a in shown] == [(20, 30), (5, 5), (5, 5)] * 2
    assert shown[1][..., 0].min() == 1, "the whole square, and nothing else"
    assert shown[2].max() == 0
    frame = picture.axes[0].patches[1]
    assert frame.get_xy() == (9.5, 3.5)
    assert "5 x 5" in picture.alt
    assert "Smiling and Bald" in picture.alt
    assert picture.encode()[0] == "image/jpeg"


def test_steps_follow_each_other():
    first = History([{"epoch": 1, "valid_accuracy": 0.6}, {"epoch": 2, "valid_accuracy": 0.7}])
    gap = History([{"epoch": 1, "hint": 2.0}])
    last = History([{"epoch": 1, "valid_accuracy": 0.8}])
    picture = plot_steps({"frl": first, "hint": gap, "parts": last}, metrics=["valid_accuracy"])
    lines = [line.get_xydata().tolist() for line in picture.axes[0].lines]
    assert lines == [[[1, 0.6], [2, 0.7]], [[4, 0.8]]]
    assert [text.get_text() for text in picture.axes[0].texts] == ["frl", "hint", "parts"]
    assert "4 epochs in 3 steps" in picture.alt
    assert "parts 0.800" in picture.alt


EPOCH = History([{"epoch": 1, "loss": 1.0}])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: part_and_whole(np.zeros((4, 3))), "whole image in row 0"),
        (lambda: plot_part_and_whole(np.zeros((1, 3, 3)), names=NAMES), "whole image in row 0"),
        (lambda: plot_weight_over_region([[1.0, 2.0]], [0.1] * 3, names=NAMES), "give"),
        (lambda: plot_weight_over_region(np.ones((1, 3)), [0.1, 0, np.nan], names=NAMES), "only 1"),
        (lambda: plot_relation(np.eye(3), np.eye(2), names=NAMES), "two of 3 x 3"),
        (lambda: plot_gains(gains(), metric="f1"), "no column 'f1'"),
        (lambda: plot_gains(gains().loc[["mean"]]), "no attribute"),
        (lambda: plot_parts(torch.zeros(1, 3, 9, 9), torch.zeros(1, 2, 4), ["Bald"]), "one box"),
        (
            lambda: plot_parts(
                torch.zeros(1, 3, 9, 9), torch.tensor([[[0, 0, 4, 4], [0, 0, 5, 5]]]), NAMES[:2]
            ),
            "2 sizes",
        ),
        (lambda: plot_steps({"frl": History([])}), "no step has an epoch"),
        (lambda: plot_steps({"frl": EPOCH}), "train with valid"),
    ],
)
def test_nothing_is_drawn_from_nothing(draw, message):
    with pytest.raises(DataError, match=message):
        draw()
