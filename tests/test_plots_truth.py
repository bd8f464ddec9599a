"""Figures of drawn truth and of the label model: what they draw and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from faceattr.attributes import ATTRIBUTES, index
from faceattr.data.faces import Faces
from faceattr.data.labels import LabelModel
from faceattr.errors import DataError
from faceattr.plots.copula import plot_copula, plot_phi_gap
from faceattr.plots.truth import plot_regions, plot_scenes

M = len(ATTRIBUTES)


@pytest.fixture
def faces():
    """Two faces of noise; the region of Smiling is the left half, of Young nothing."""
    generator = torch.Generator().manual_seed(0)
    regions = torch.zeros(2, M, 8, 8, dtype=torch.bool)
    regions[:, index("Smiling"), :, :4] = True
    attributes = torch.zeros(2, M)
    attributes[0, index("Smiling")] = 1
    return Faces(
        images=torch.rand(2, 3, 32, 32, generator=generator),
        attributes=attributes,
        regions=regions,
        box=torch.tensor([[4.0, 4, 20, 28], [8.0, 2, 40, 30]]),
        landmarks=torch.full((2, 5, 2), 12.0) + torch.arange(5)[None, :, None],
    )


def test_regions_keep_colour_inside_and_veil_outside(faces):
    figure = plot_regions(faces, [index("Smiling"), index("Young")])
    face, smiling, young = (axes.images[0].get_array() for axes in figure.axes[:3])
    assert np.allclose(smiling[:, :16], face[:, :16])
    outside = smiling[:, 16:]
    assert (outside.max(axis=-1) - outside.min(axis=-1)).max() < 0.05, "the veil has no colour"
    assert outside.min() > 0.7
    assert not np.allclose(young[:, :16], face[:, :16])
    words = [axes.get_xlabel() for axes in figure.axes]
    assert words == ["", "✓ worn", " ", "", " ", " "]
    assert "Smiling (50%) and Young (0%)" in figure.alt


def test_regions_need_truth(faces):
    faces.regions = None
    with pytest.raises(DataError, match="regions=True"):
        plot_regions(faces, [0])


def test_scenes_show_box_and_landmarks_where_they_are(faces):
    figure = plot_scenes(faces)
    for axes, box in zip(figure.axes, faces.box.tolist(), strict=True):
        outline = [p for p in axes.patches if isinstance(p, Rectangle)][-1].get_bbox()
        assert [outline.x0, outline.y0, outline.x1, outline.y1] == box
        assert axes.get_xlim() == (-0.5, 31.5), "a box over the edge does not widen the picture"
        x, y = axes.lines[0].get_data()
        assert np.allclose(x, np.arange(12, 17))
        assert np.allclose(y, np.arange(12, 17))
    assert "50% to 100% as wide" in figure.alt
    faces.box = None
    assert "box" not in plot_scenes(faces).alt
    faces.landmarks = None
    with pytest.raises(DataError, match="plot_gallery"):
        plot_scenes(faces)


def test_copula_sorts_points_into_quarters():
    latent = np.array([[2.0, 2], [2, -2], [-2, 2], [-2, -2], [3, 3]])
    shares = {"CelebA": [0.4, 0.2, 0.1, 0.3], "copula": [0.41, 0.19, 0.1, 0.3]}
    figure = plot_copula(latent, [0, 1], shares, ["Smiling", "High_Cheekbones"])
    cloud, bars = figure.axes
    assert [len(line.get_xdata()) for line in cloud.lines[:4]] == [2, 1, 1, 1]
    assert [bar.get_width() for bar in bars.patches] == shares["CelebA"]
    assert np.allclose(bars.lines[0].get_xdata(), shares["copula"])
    assert "both 40.0% in CelebA against 41.0% in copula" in figure.alt
    assert [text.get_text() for text in bars.texts][0] == "40.0% / 41.0%"
    with pytest.raises(DataError, match=r"\(N, 2\) and \(4,\)"):
        plot_copula(latent[:, :1], [0, 1], shares, ["Smiling", "Young"])
    with pytest.raises(DataError, match=r"\(3,\)"):
        plot_copula(latent, [0, 1], {"CelebA": [0.4, 0.3, 0.3]}, ["Smiling", "Young"])


def test_phi_gap_names_the_pairs_furthest_off():
    goal = LabelModel.load().correlation
    reached = goal.copy()
    j, k = index("Bald"), index("Mustache")
    reached[j, k] = reached[k, j] = goal[j, k] + 0.2
    figure = plot_phi_gap(goal, reached, tolerance=0.08, worst=2)
    axes, table = figure.axes
    assert np.allclose(axes.lines[2].get_ydata()[0], 0.2)
    assert table.texts[0].get_text().startswith("1  Bald, Mustache")
    assert axes.get_ylim()[1] > 0.2
    assert "99.9% lie within 0.08" in figure.alt
    assert "Bald, Mustache (+0.200)" in figure.alt
    with pytest.raises(DataError, match="40 x 40"):
        plot_phi_gap(goal[:3], reached, tolerance=0.1)
