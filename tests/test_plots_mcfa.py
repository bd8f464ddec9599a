"""Figures of MCFA: what they draw is checked against the data, what they say against the figure."""

import numpy as np
import pytest
import torch
from bright import bright, squares_on
from matplotlib.patches import Rectangle

from faceattr.cascade import Cascade, FoundFaces
from faceattr.errors import DataError, ImageError, UnknownNameError
from faceattr.plots.cascade import plot_found, plot_pyramid, plot_stages
from faceattr.plots.weights import plot_effective, plot_weight_against_loss, plot_weight_paths

NAMES = ("Bald", "Blurry", "Smiling", "Male")


def weights(last=(0.7, 0.2, 0.06, 0.04)):
    path = np.linspace(np.full(4, 0.25), last, 5)  # (E, M)
    entropy = -(path * np.log(path)).sum(1)
    return {
        "weight": path.tolist(),
        "loss": np.tile([0.1, 0.2, 0.5, 0.6], (5, 1)).tolist(),
        "effective": {net: np.exp(entropy).tolist() for net in "SML"},
    }


@pytest.fixture(scope="module")
def scene():
    picture = squares_on(140, 90, [(20, 20, 50, 50), (80, 30, 110, 60)])
    return picture, Cascade(bright(), (0.5, 0.5, 0.5), names=NAMES[:3], device="cpu")(picture)


def boxes_of(axes):
    return [p for p in axes.patches if isinstance(p, Rectangle)]


def test_paths_name_who_has_most_at_the_end():
    figure = plot_weight_paths({"dynamic": weights(), "equal": weights([0.25] * 4)}, NAMES)
    first, second = figure.axes
    assert [t.get_text() for t in first.get_legend().texts] == ["Bald", "Blurry", "Smiling"]
    drawn = first.lines[1:]  # after the dotted line of equal weight
    np.testing.assert_allclose(drawn[0].get_ydata(), np.array(weights()["weight"])[:, 0])
    assert list(first.lines[0].get_ydata()) == [0.25, 0.25]
    assert second.get_title(loc="left") == "equal"
    assert "dynamic: after 5 passes Bald 0.70, Blurry 0.20 and Smiling 0.06" in figure.alt


def test_weight_against_loss_says_the_rank():
    pairs = {"a": ([0.7, 0.2, 0.06, 0.04], [0.1, 0.2, 0.5, 0.6]), "b": ([0.25] * 4, [1, 2, 3, 4])}
    figure = plot_weight_against_loss(pairs, NAMES, named=1)
    headings = [axes.get_title(loc="left") for axes in figure.axes]
    assert headings == ["a\nrank correlation -1.00", "b\nweights all equal"]
    assert [t.get_text() for t in figure.axes[0].texts] == ["Bald"]
    dots = figure.axes[0].lines[1]
    np.testing.assert_allclose(
        np.c_[dots.get_xdata(), dots.get_ydata()], np.array(pairs["a"])[::-1].T
    )
    assert "most weight on Bald" in figure.alt


def test_effective_is_a_line_a_scheme():
    figure = plot_effective({"dynamic": weights(), "equal": weights([0.25] * 4)})
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), weights()["effective"]["L"])
    assert axes.get_yscale() == "log"
    assert "equal 4.0 to 4.0" in figure.alt


@pytest.mark.parametrize(
    ("draw", "error", "says"),
    [
        (lambda: plot_weight_paths({"a": weights()}, NAMES, schemes=["b"]), UnknownNameError, "b"),
        (lambda: plot_weight_paths({}, NAMES), DataError, "no scheme"),
        (lambda: plot_weight_paths({"a": weights()}, NAMES[:3]), DataError, r"\(5, 4\).*3"),
        (lambda: plot_weight_against_loss({}, NAMES), DataError, "at least one panel"),
        (lambda: plot_weight_against_loss({"a": ([1], [1])}, NAMES), DataError, "weights of a"),
        (lambda: plot_effective({}), DataError, "no scheme"),
        (lambda: plot_effective({"a": weights()}, net="X"), UnknownNameError, "'X'"),
        (lambda: plot_pyramid(torch.zeros(3, 9, 9), [], 16), DataError, "without levels"),
        (lambda: plot_pyramid("no.png", [1.0], 16), ImageError, "no.png"),
    ],
)
def test_one_clear_error(draw, error, says):
    with pytest.raises(error, match=says):
        draw()


def test_the_pyramid_shrinks_and_the_window_stays(scene):
    figure = plot_pyramid(scene[0], [1.0, 0.5, 0.25], 16, frame=1.6, title="Levels")
    assert [axes.get_title(loc="left").split("\n") for axes in figure.axes] == [
        ["140 x 90", "faces of 10"], ["70 x 45", "faces of 20"], ["35 x 22", "faces of 40"],
    ]  # fmt: skip
    for axes in figure.axes:
        (window,) = boxes_of(axes)
        assert window.get_width() == window.get_height() == 16
    assert "3 of 3 levels" in figure.alt
    assert len(plot_pyramid(scene[0], [1.0, 0.8, 0.6, 0.4, 0.2], 16, most=2).axes) == 2


def test_stages_draw_what_passes_each(scene):
    picture, found = scene
    assert len(found)
    truth = torch.tensor([[20.0, 20, 50, 50]])
    figure = plot_stages(picture, found, truth)
    for axes, net in zip(figure.axes, "SML", strict=True):
        boxes, _ = found.stages[net]
        assert len(boxes_of(axes)) == len(boxes) + 1
        assert f"{found.windows[net]:,} windows" in axes.get_title(loc="left")
        assert f"kept {len(boxes)}" in figure.alt
    bare = FoundFaces(found.boxes, found.scores, found.landmarks, found.probabilities)
    with pytest.raises(DataError, match="no stages"):
        plot_stages(picture, bare)


def test_found_faces_are_numbered_and_described(scene):
    picture, found = scene
    figure = plot_found(picture, found, words=1)
    left, right = figure.axes
    assert [t.get_text() for t in left.texts] == [str(k + 1) for k in range(len(found))]
    assert "1.  Smiling" in right.texts[0].get_text()
    assert "Face 1: Smiling." in figure.alt
    rows = torch.zeros(0, dtype=torch.int64)
    none = FoundFaces(found.boxes[rows], found.scores[rows], None, found.probabilities[rows])
    empty = plot_found(picture, none)
    assert empty.axes[1].texts[0].get_text() == "no face"
    assert empty.alt.startswith("A picture with 0 found faces.")
