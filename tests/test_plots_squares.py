"""Figures of regions: what they draw, what they say, what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from faceattr.errors import DataError
from faceattr.localization import crop_boxes
from faceattr.plots.squares import plot_inside, plot_squares

NAMES = ["Bangs", "Smiling"]


@pytest.fixture
def parts():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    centres = torch.tensor([[[4.0, 4.0], [20.0, 16.0]]] * 2)
    truth = torch.zeros(2, 2, 8, 8, dtype=torch.bool)
    truth[:, 1, 3:5, 4:6] = True
    return images, crop_boxes(centres, 10, (32, 32)), truth


def test_squares_stand_where_they_were_cut(parts):
    images, boxes, truth = parts
    maps = torch.rand(2, 2, 4, 4)
    captions = [["a", "b"], ["c", "d"]]
    picture = plot_squares(images, boxes, NAMES, maps=maps, truth=truth, captions=captions)
    above, inside = picture.axes[1], picture.axes[3]  # the first face's second attribute
    square = above.patches[-1]
    x, y = boxes[0, 1, :2].tolist()
    assert square.get_xy() == (x - 0.5, y - 0.5)
    assert square.get_width() == square.get_height() == 10
    shown = np.asarray(inside.images[0].get_array())
    expected = images[0, :, y : y + 10, x : x + 10].movedim(0, -1).numpy()
    np.testing.assert_allclose(shown, expected)
    assert inside.get_xlabel() == "b"
    assert [axes.get_title(loc="center") for axes in picture.axes[:2]] == ["Bangs", "Smiling"]
    assert len(above.collections) > 0, "the region's outline"
    assert not picture.axes[0].collections, "nothing to outline"
    assert "a square (10% of the picture) for Bangs and Smiling, on its heat map" in picture.alt
    assert picture.encode()[0] == "image/jpeg"


def test_faces_alone_will_do(parts):
    images, boxes, _ = parts
    assert plot_squares((images * 255).byte(), boxes, NAMES).alt.endswith("inside the square.")


def report() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["crop"], ["Smiling", "Bald", "Young", "mean", "kind"]])
    frame = pd.DataFrame({"model": [0.8, np.nan, 0.4, 0.6, 0.8]}, index=index)
    for name, value in {"face": 0.5, "centre": 0.3, "mean_map": 0.2, "best": 0.9}.items():
        frame[name] = value
    for name in ("model", "face", "centre"):
        frame[f"{name}_low"], frame[f"{name}_high"] = frame[name] - 0.1, frame[name] + 0.1
    return frame.assign(gain_low=[0.1, np.nan, -0.2, 0.0, 0.1])


def test_inside_draws_what_was_scored():
    picture = plot_inside(report())
    axes = picture.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["mean", "Young", "Smiling"]
    dots = {line.get_label(): line.get_xdata().tolist() for line in axes.lines}
    assert dots["round its own peak"] == [0.6, 0.4, 0.8]
    assert dots["best place there is"] == [0.9] * 3
    assert "1 of 2 attributes lie clearly above every blind square" in picture.alt
    assert picture.encode()[0] == "image/png"


def test_what_does_not_belong_together_is_refused(parts):
    images, boxes, truth = parts
    with pytest.raises(DataError, match="boxes .* for 2 faces and 1 names"):
        plot_squares(images, boxes, NAMES[:1])
    with pytest.raises(DataError, match="regions .* for 2 faces"):
        plot_squares(images, boxes, NAMES, truth=truth[:1])
    with pytest.raises(DataError, match="captions must be 2 rows of 2"):
        plot_squares(images, boxes, NAMES, captions=[["a"], ["b"]])
    with pytest.raises(DataError, match="make it with crop_report"):
        plot_inside(report().rename(index={"crop": "pointing"}))
