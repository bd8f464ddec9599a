"""Figures of identity: agreement of pictures, the network, sweeps, who gains."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from faceattr import theme
from faceattr.agreement import image_correlation, mean_off_diagonal
from faceattr.attributes import ATTRIBUTES, GROUPS
from faceattr.errors import DataError
from faceattr.plots.franet import REST, SHARED, plot_franet
from faceattr.plots.identity import plot_agreement_matrices, plot_gain_against_agreement
from faceattr.plots.sweep import plot_strengths, plot_sweep
from faceattr.sweep import lambda_axis

LABELS = np.random.default_rng(0).integers(0, 2, (7, 12))


# --- agreement of pictures ------------------------------------------------------------------------


@pytest.mark.parametrize("values", [LABELS, 2 * LABELS - 1, LABELS.astype(bool)])
def test_correlation_of_pictures_is_numpys(values):
    assert np.allclose(image_correlation(values), np.corrcoef(values))


def test_correlation_of_scores_is_numpys():
    scores = np.random.default_rng(1).random((5, 40))
    assert np.allclose(image_correlation(scores), np.corrcoef(scores))


@pytest.mark.parametrize("constant", [0, 1, 0.1])
def test_a_picture_that_does_not_vary_has_no_correlation(constant):
    values = LABELS.astype(float)
    values[2] = constant
    found = image_correlation(values)
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()
    others = np.delete(np.arange(7), 2)
    assert np.allclose(found[np.ix_(others, others)], np.corrcoef(values[others]))
    pairs = list(itertools.combinations(others, 2))
    by_hand = np.mean([np.corrcoef(values[list(pair)])[0, 1] for pair in pairs])
    assert mean_off_diagonal(found) == pytest.approx(by_hand), "without it"


def test_one_picture_agrees_with_nobody():
    assert np.isnan(mean_off_diagonal(image_correlation(LABELS[:1])))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (LABELS[0], r"shape \(12,\)"),
        (LABELS[:, :1], "two attributes"),
        (np.full((2, 3), np.nan), "not a number"),
    ],
)
def test_correlation_refuses(values, message):
    with pytest.raises(DataError, match=message):
        image_correlation(values)


def test_mean_refuses_what_is_not_square():
    with pytest.raises(DataError, match=r"\(7, 12\)"):
        mean_off_diagonal(LABELS)


def test_matrices_have_one_scale_and_say_their_means():
    within, among = image_correlation(LABELS), image_correlation(LABELS[:4])
    picture = plot_agreement_matrices(within, among, headings=("one", "four"))
    for axes, matrix, heading in zip(picture.axes, (within, among), ("one", "four"), strict=False):
        shown = axes.images[0]
        assert shown.get_clim() == (-1, 1)
        assert np.ma.getmaskarray(shown.get_array()).diagonal().all(), "the diagonal is left out"
        mean = matrix[~np.eye(len(matrix), dtype=bool)].mean()
        assert axes.get_title(loc="left") == f"{heading}: mean {mean:+.2f}"
        assert f"mean {mean:+.2f} off the diagonal" in picture.alt
    assert np.isfinite(within.diagonal()).all(), "the matrix handed over stays as it was"


def test_matrices_without_variation_are_drawn():
    empty = np.full((3, 3), np.nan)
    assert "no two that vary" in plot_agreement_matrices(empty, empty).alt


def test_matrices_refuse():
    with pytest.raises(DataError, match="two square ones"):
        plot_agreement_matrices(np.eye(3), np.eye(3)[:2])
    with pytest.raises(DataError, match="two pictures at least"):
        plot_agreement_matrices(np.eye(1), np.eye(3))


# --- the network ----------------------------------------------------------------------------------


def words(picture) -> list[str]:
    return [text.get_text() for text in picture.axes[0].texts]


@pytest.mark.parametrize("merged", [True, False])
def test_the_network_shows_every_layer_and_branch(merged):
    picture = plot_franet(merged=merged)
    shown = words(picture)
    for layer in SHARED:
        assert layer in shown
    for name in ("Eyes", "Nose", "Mouth", "Face", "Gender", "Rest"):
        assert f"ConvAttr {name}" in shown
    for name in REST:
        assert name in shown
        assert f"ConvAttr {name}" not in shown, "these share one branch"
    assert sum(int(word) for word in shown if word.isdigit()) == len(ATTRIBUTES)
    assert "40 attributes" in picture.alt


def test_identity_reads_the_branches_or_is_one():
    merged, apart = plot_franet(), plot_franet(merged=False)
    assert "concatenated, feed the identity branch" in merged.alt
    assert "maps of all branches,\nconcatenated" in words(merged)
    assert "ConvAttr identity" not in words(merged)
    assert "one more branch after Pool3" in apart.alt
    assert "ConvAttr identity" in words(apart)
    assert not any("concatenated" in word for word in words(apart))


def test_the_network_of_other_groups_and_sizes():
    groups = {"Eyes": ("Eyeglasses",), "Cheeks": ("Rosy_Cheeks", "High_Cheekbones")}
    picture = plot_franet(groups, rest=(), notes={"Conv1": "5 x 5", "ConvAttr": "3 x 3"})
    shown = words(picture)
    assert "ConvAttr Cheeks" in shown
    assert "ConvAttr Rest" not in shown
    assert "Conv1   5 x 5" in shown
    assert shown.count("3 x 3") == 2
    assert "2 branches" in picture.alt


def test_words_of_the_network_stay_inside_and_apart():
    picture = plot_franet(GROUPS, title="FR-ANet", notes={"ConvAttr": "3 x 3, 300 maps"})
    picture.draw_without_rendering()
    boxes = [text.get_window_extent() for text in picture.axes[0].texts if text.get_text()]
    whole = picture.bbox
    for box in boxes:
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
    crossing = [a for a, b in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b)]
    assert not crossing


def test_the_network_refuses():
    with pytest.raises(DataError, match="no group 'Fat'"):
        plot_franet({"Eyes": ("Eyeglasses",)}, rest=("Fat",))
    with pytest.raises(DataError, match="an attribute for each"):
        plot_franet({"Eyes": ()}, rest=())
    with pytest.raises(DataError, match="give a group"):
        plot_franet({}, rest=())


# --- sweeps ---------------------------------------------------------------------------------------

LAMBDAS = (0, 0.01, 0.1, 0.3, 1, 3, 10)


def sweep() -> pd.DataFrame:
    rows = [
        {"lambda": weight, "where": where, "metric": metric, "value": value + 0.01 * k,
         "low": value - 0.02, "high": value + 0.03}
        for metric, value in (("attribute_accuracy", 0.85), ("agreement", 0.5))
        for where in ("unseen people", "known people")
        for k, weight in enumerate(LAMBDAS)
    ]  # fmt: skip
    rows += [{**row, "metric": "identity_accuracy"} for row in rows if row["where"][0] == "k"][:7]
    return pd.DataFrame(rows).sample(frac=1, random_state=0).sort_values("metric", kind="stable")


def test_zero_has_a_place_of_its_own_left_of_the_logarithms():
    places = lambda_axis([10, 0, 0.1, 1, 0.1])
    assert list(places) == [0, 0.1, 1, 10]
    assert list(places.values()) == pytest.approx([-1.75, -1, 0, 1])
    assert lambda_axis([0]) == {0.0: 0.0}
    for wrong in ([], [-1.0], [np.nan]):
        with pytest.raises(DataError, match="none of them below zero"):
            lambda_axis(wrong)


def test_sweep_draws_each_series_where_it_is():
    picture = plot_sweep(sweep(), headings={"agreement": "agreement within a person"})
    titles = [axes.get_title(loc="left") for axes in picture.axes]
    assert titles == ["agreement within a person", "attribute accuracy", "identity accuracy"]
    for axes, count in zip(picture.axes, (2, 2, 1), strict=True):
        marked = [line for line in axes.lines if line.get_marker() in ("o", "s")]
        drawn = [line for line in marked if len(line.get_xdata()) == len(LAMBDAS)]
        assert len(drawn) == count, "a series that is not there is not drawn"
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [f"{v:g}" for v in LAMBDAS]
        for line in drawn:
            assert np.all(np.diff(line.get_xdata()) > 0), "in order, whatever the table's"
            assert np.allclose(np.diff(line.get_ydata()), 0.01)
    spans = np.array([path.vertices[:, 1] for path in picture.axes[0].collections[0].get_paths()])
    assert np.allclose(spans, [0.48, 0.53])
    assert picture.axes[1].yaxis.get_major_formatter()(0.855, 0) == "85.5%"
    assert "agreement of unseen people: 0.50 at 0, highest 0.56 at 10, 0.56 at 10" in picture.alt


def test_sweep_draws_the_lines_it_is_given():
    lines = {
        "attribute_accuracy": {"majority label": 0.8},
        "agreement": {"labels": {"unseen people": 0.6, "known people": 0.62}},
    }
    picture = plot_sweep(sweep(), references=lines)
    agreement, accuracy = picture.axes[:2]
    colours = {
        line.get_ydata()[0]: line.get_color()
        for axes in (agreement, accuracy)
        for line in axes.lines
        if len(line.get_ydata()) and np.ptp(line.get_ydata()) == 0
    }
    assert colours[0.8] == theme.MUTED
    order = list(dict.fromkeys(sweep()["where"]))
    assert colours[0.6] == theme.SERIES[order.index("unseen people")]
    assert colours[0.62] == theme.SERIES[order.index("known people")]
    assert [text.get_text() for text in agreement.texts] == ["labels"], "once for both"
    assert "majority label 0.8 (attribute_accuracy)" in picture.alt
    assert accuracy.get_ylim()[0] < 0.8


def test_sweep_refuses():
    with pytest.raises(DataError, match="no column 'low' in the sweep"):
        plot_sweep(sweep().drop(columns="low"))
    with pytest.raises(DataError, match="has no row"):
        plot_sweep(sweep()[:0])
    with pytest.raises(DataError, match="a line for 'chance'"):
        plot_sweep(sweep(), references={"chance": {"chance": 0.1}})
    with pytest.raises(DataError, match="a line for 'nobody'"):
        plot_sweep(sweep(), references={"agreement": {"labels": {"nobody": 0.1}}})


def test_strengths_are_points():
    frame = pd.DataFrame({"strength": [1.0, 0.0], "gain": [0.01, 0.0], "low": [0.005, -0.01],
                          "high": [0.02, 0.01]})  # fmt: skip
    both = pd.concat([frame.assign(where="unseen"), frame.assign(where="known")])
    for given, count in ((frame, 1), (both, 2)):
        picture = plot_strengths(given)
        axes = picture.axes[0]
        drawn = [line for line in axes.lines if line.get_marker() in ("o", "s")]
        assert len(drawn) == count
        assert all(np.allclose(line.get_ydata(), [0, 1]) for line in drawn)
        assert "+0.00 [-1.00, +1.00] at 0 and +1.00 [+0.50, +2.00] at 1" in picture.alt
    assert "known: " in picture.alt
    with pytest.raises(DataError, match="no column 'high'"):
        plot_strengths(frame.drop(columns="high"))


# --- who gains ------------------------------------------------------------------------------------


def gains(count: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    gain, width = rng.normal(0, 0.01, count), rng.uniform(0.002, 0.01, count)
    agreement = rng.uniform(0, 1, count)
    return {"gain": gain, "low": gain - width, "high": gain + width, "agreement": agreement}


def test_gains_stand_over_agreement_in_points():
    data = gains()
    data["agreement"][3] = np.nan
    picture = plot_gain_against_agreement(**data, rank=-0.25)
    axes = picture.axes[0]
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    keep = np.arange(40) != 3
    assert np.allclose(dots.get_ydata(), 100 * data["gain"][keep])
    assert np.allclose(dots.get_xdata(), data["agreement"][keep])
    assert axes.get_title(loc="left").endswith("Rank correlation -0.25")
    above = int((data["low"][keep] > 0).sum())
    assert "39 attributes: gain in points" in picture.alt
    assert f"{above} lie clearly above zero" in picture.alt
    assert "is -0.25" in picture.alt


@pytest.mark.parametrize("seed", range(4))
def test_names_cover_neither_each_other_nor_the_edge(seed):
    data = gains(seed=seed)
    picture = plot_gain_against_agreement(**data)
    picture.draw_without_rendering()
    axes = picture.axes[0]
    boxes = [Text.get_window_extent(text) for text in axes.texts]
    assert 6 <= len(boxes) <= 8
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    frame = axes.get_window_extent()
    assert all(frame.x0 <= b.x0 and b.x1 <= frame.x1 for b in boxes)
    dots = axes.transData.transform(np.column_stack([data["agreement"], 100 * data["gain"]]))
    assert sum(box.count_contains(dots) for box in boxes) == 0


def test_chosen_names_are_written():
    picture = plot_gain_against_agreement(**gains(), labelled=["Smiling", "Male"])
    assert [text.get_text() for text in picture.axes[0].texts] == ["Smiling", "Male"]


def test_gain_against_agreement_refuses():
    data = gains()
    with pytest.raises(DataError, match="for 3 names"):
        plot_gain_against_agreement(**data, names=ATTRIBUTES[:3])
    with pytest.raises(DataError, match="no attribute 'Tall'"):
        plot_gain_against_agreement(**data, labelled=["Tall"])
    with pytest.raises(DataError, match="nothing to draw"):
        plot_gain_against_agreement(**{**data, "agreement": np.full(40, np.nan)})
