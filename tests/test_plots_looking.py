"""Figures about heat maps without faces: what they draw, what they say, what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from faceattr.errors import DataError
from faceattr.plots.looking import plot_effects, plot_score_over

KINDS = {"small": ["Smiling", "Bald"], "large": ["Young"]}
SIZES = {"Smiling": 0.04, "Bald": 0.15, "Young": 0.3}


def report() -> pd.DataFrame:
    index = pd.MultiIndex.from_product(
        [["pointing"], ["Smiling", "Bald", "Young", "mean", "small"]]
    )
    frame = pd.DataFrame({"model": [0.6, np.nan, 0.9, 0.75, 0.6]}, index=index)
    return frame.assign(centre=[0.1, 0.2, 1.0, 0.5, 0.1], mean_map=[0.3, 0.1, 0.8, 0.4, 0.3])


def test_score_over_draws_what_was_scored_and_its_better_baseline():
    picture = plot_score_over(
        report(), SIZES, KINDS, label="size", log=True, line=(0.06, "a cell"), labelled=["Smiling"]
    )
    axes = picture.axes[0]
    dots = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert dots["small (1)"] == [[0.04, 0.6]], "nobody is bald here"
    assert dots["large (1)"] == [[0.3, 0.9]]
    ends = [path.vertices[:, 1].tolist() for c in axes.collections for path in c.get_paths()]
    assert ends == [[0.3, 0.6], [1.0, 0.9]], "from the better baseline to the model"
    words = [text.get_text() for text in axes.texts]
    assert words == ["a cell", "Smiling"]
    assert "2 attributes" in picture.alt
    assert "small: 0.60 against 0.30" in picture.alt
    assert picture.encode()[0] == "image/png"


def test_names_and_equal_places_do_not_cover_each_other():
    names = ["Big_Nose", "Pointy_Nose", "Smiling"]
    index = pd.MultiIndex.from_product([["energy"], [*names, "mean"]])
    table = pd.DataFrame({"model": 0.5, "centre": 0.1, "mean_map": 0.1}, index=index)
    how = {"score": "energy", "log": True, "labelled": names, "label": "size"}
    axes = plot_score_over(table, dict.fromkeys(names, 0.1), {"all": names}, **how).axes[0]
    (dots,) = (line for line in axes.lines if line.get_label() == "all (3)")
    assert len(set(dots.get_xdata())) == 3
    assert max(abs(np.log(dots.get_xdata() / 0.1))) < 0.05
    heights = sorted(text.xyann[1] for text in axes.texts)
    assert min(np.diff(heights)) > 8, "as high as a line of text"


def test_effects_say_what_moves_each_score_most():
    names = ["Smiling", "Young"]
    table = pd.DataFrame([[0.5, -0.9], [0.1, 0.2]], index=names, columns=names)
    picture = plot_effects(table)
    axes = picture.axes[0]
    bold = {t.get_text() for t in axes.texts if t.get_fontweight() == "bold"}
    assert bold == {"+0.50", "+0.20"}, "the diagonal"
    assert "Smiling by Smiling and Young by Smiling" in picture.alt
    assert picture.encode()[0] == "image/png"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_score_over(report(), SIZES, KINDS, label="x", score="iou"), "no score 'iou'"),
        (
            lambda: plot_score_over(report(), SIZES, {"bald": ["Bald"]}, label="x"),
            "nothing to draw",
        ),
        (lambda: plot_effects(pd.DataFrame()), "nothing to draw"),
    ],
)
def test_nothing_is_drawn_from_nothing(draw, message):
    with pytest.raises(DataError, match=message):
        draw()
