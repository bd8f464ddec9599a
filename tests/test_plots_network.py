"""Figures of chapter 2: a network at work, and a bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.patches import Polygon

from faceattr import theme
from faceattr.errors import DataError
from faceattr.plots.network import plot_network
from faceattr.plots.resamples import plot_resamples

IMAGE = torch.rand(3, 32, 24, generator=torch.Generator().manual_seed(0))


def stages() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    first = 0.01 * torch.rand(6, 16, 12, generator=generator)
    first[4] *= 50  # the map that varies most
    return {"Conv1": first, "Conv2": torch.rand(2, 8, 6, generator=generator)}


def test_network_draws_the_liveliest_maps_and_says_their_sizes():
    picture = plot_network(IMAGE, stages(), {"Smiling": 0.9, "Bald": 0.2}, maps=3)
    canvas, bars = picture.axes
    assert len(canvas.images) == 1 + 3 + 2
    front = canvas.images[3].get_array()  # drawn last of Conv1: the liveliest, stretched
    lively = stages()["Conv1"][4]
    assert np.allclose(front, (lively - lively.min()) / (lively.max() - lively.min()), atol=1e-5)
    assert [bar.get_width() for bar in bars.patches] == [0.9, 0.2]
    assert "Conv1 6 maps of 16 x 12" in picture.alt
    assert "Smiling 90%" in picture.alt
    sides = [image.get_extent() for image in canvas.images]
    assert sides[0][3] - sides[0][2] > sides[3][3] - sides[3][2]  # later maps are drawn smaller


def test_network_marks_what_is_right():
    scores = {"Smiling": 0.9, "Bald": 0.7, "Young": 0.4}
    picture = plot_network(IMAGE, stages(), scores, truth=[True, False, False])
    bars = picture.axes[1]
    colours = {round(p.get_width(), 1): p.get_facecolor() for p in bars.patches}
    from matplotlib.colors import to_rgba

    assert colours[0.9] == colours[0.4] == to_rgba(theme.RIGHT)
    assert colours[0.7] == to_rgba(theme.WRONG)
    assert [t.get_text() for t in bars.get_yticklabels()] == ["Smiling ✓", "Bald", "Young"]
    assert "2 of these 3 answers are right" in picture.alt


def test_a_map_without_variation_is_drawn():
    picture = plot_network(IMAGE, {"Conv1": torch.zeros(2, 4, 4)}, {"Smiling": 0.5})
    assert np.isfinite(picture.axes[0].images[-1].get_array()).all()


def test_resamples_say_the_intervals_that_numpy_finds():
    rng = np.random.default_rng(0)
    samples = {"people": rng.normal(0.8, 0.02, 400), "faces": rng.normal(0.8, 0.01, 400)}
    picture = plot_resamples(samples, 0.8, label="accuracy")
    for name, values in samples.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert f"drawing {name} again gives {low:.3f} to {high:.3f}" in picture.alt
    shapes = [p for p in picture.axes[0].patches if isinstance(p, Polygon)]
    assert len(shapes) == 2
    lines = [line.get_xdata() for line in picture.axes[0].lines[:2]]
    assert np.allclose(lines, [np.quantile(v, [0.025, 0.975]) for v in samples.values()])


def test_bad_input():
    with pytest.raises(DataError, match="give one face"):
        plot_network(IMAGE[None], stages(), {"Smiling": 0.5})
    with pytest.raises(DataError, match="0 answers"):
        plot_network(IMAGE, stages(), {})
    with pytest.raises(DataError, match="Conv1 should be .* not of a batch"):
        plot_network(IMAGE, {"Conv1": torch.zeros(1, 2, 4, 4)}, {"Smiling": 0.5})
    with pytest.raises(DataError, match="1 answers and 2 truths"):
        plot_network(IMAGE, stages(), {"Smiling": 0.5}, truth=[True, False])
    with pytest.raises(DataError, match="nothing to draw"):
        plot_resamples({"people": np.array([])}, 0.5)
