"""Figures of chapters 10 to 12: what is drawn is what was handed over, and it says so in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import LineCollection, QuadMesh

from faceattr.attributes import ATTRIBUTES, GROUPS, group_of, pretty
from faceattr.errors import DataError
from faceattr.plots.budgets import plot_budgets, plot_roc, plot_settings
from faceattr.plots.structure import plot_ranks, plot_sparsity
from faceattr.plots.taskgraph import plot_graphs
from faceattr.taskgraph.circle import as_matrix, circle

NAMES = ("Male", "Smiling", "Bald", "Bangs")


# --- graphs ---------------------------------------------------------------------------------------


def test_groups_stand_together_on_the_circle():
    ring = circle()
    np.testing.assert_allclose(ring.x**2 + ring.y**2, 1)
    clockwise = np.argsort((90 - ring.angle) % 360, kind="stable")
    order = [ring.groups[ring.group[j]] for j in clockwise]
    assert order == sorted(order, key=list(GROUPS).index)
    assert all(ring.groups[ring.group[j]] == group_of(n) for j, n in enumerate(ATTRIBUTES))
    assert len({ring.colour(j) for j in range(40)}) == len(GROUPS)
    apart = np.hypot(ring.x[:, None] - ring.x, ring.y[:, None] - ring.y) + 2 * np.eye(40)
    assert apart.min() > 0.1


def test_tasks_of_no_group_come_last():
    ring = circle(("Male", "x", "Bald"), {"Hair": ("Bald",), "None": ("y",)})
    assert ring.groups == ("Hair", "other")
    assert ring.group.tolist() == [1, 1, 0]
    with pytest.raises(DataError, match="two or more, each once"):
        circle(("Male", "Male"))


def test_a_graph_is_read_by_size():
    graph = torch.tensor([[9.0, -2.0], [-2.0, 9.0]])
    np.testing.assert_allclose(as_matrix(graph, 2, "a"), [[0, 1], [1, 0]])
    assert not as_matrix(np.zeros((3, 3)), 3, "empty").any()
    with pytest.raises(DataError, match="there are 3 tasks"):
        as_matrix(graph, 3, "a")
    with pytest.raises(DataError, match="'b' has weights that are not finite"):
        as_matrix(graph / 0, 2, "b")


def graphs():
    truth = np.zeros((4, 4), dtype=bool)
    truth[2, 3] = truth[3, 2] = truth[0, 1] = truth[1, 0] = True
    found = np.zeros((4, 4))
    found[2, 3] = found[3, 2] = 4
    found[0, 2] = found[2, 0] = 1
    found[0, 3] = found[3, 0] = 0.2
    return truth, found


def test_graphs_beside_each_other_tell_true_edges_from_others():
    truth, found = graphs()
    picture = plot_graphs({"true": truth, "learned": found}, names=NAMES, truth=truth)
    one, two = picture.axes
    assert one.collections[-1].get_offsets().tolist() == two.collections[-1].get_offsets().tolist()
    lines = [c for c in two.collections if isinstance(c, LineCollection)]
    wrong, right = (c.get_segments() for c in lines)
    ring = circle(NAMES)
    assert len(wrong) == len(right) == 1, "an edge of a twentieth of the strongest is left out"
    np.testing.assert_allclose(right[0], np.c_[ring.x, ring.y][[2, 3]])
    assert lines[0].get_linestyle() != lines[1].get_linestyle(), "not by colour alone"
    words = {text.get_text() for text in two.texts}
    assert {"2 edges, 1 of 2 true", *map(pretty, NAMES)} <= words
    assert "learned, 2 edges, 1 of 2 true" in picture.alt
    assert "1 edge." in plot_graphs({"a": found}, names=NAMES, threshold=0.5).alt
    with pytest.raises(DataError, match="nothing to draw"):
        plot_graphs({})


def test_three_graphs_take_two_rows():
    picture = plot_graphs({str(k): np.eye(4) for k in range(3)}, names=NAMES)
    assert sum(axes.axison for axes in picture.axes) == 0
    assert "0 edges" in picture.alt


# --- curves ---------------------------------------------------------------------------------------


def budgets():
    return pd.DataFrame(
        [
            {"faces": n, "method": m, "value": v + k / 100, "low": v, "high": v + 0.05, "where": w}
            for n, v in ((500, 0.85), (50, 0.8))
            for k, m in enumerate(("one by one", "groups"))
            for w in ("drawn faces", "photographs")
        ]
    )


def test_budgets_are_drawn_in_percent_from_few_to_many():
    picture = plot_budgets(budgets(), references={"majority label": 0.79})
    first = picture.axes[0]
    curve = next(line for line in first.lines if line.get_label() == "groups")
    np.testing.assert_allclose(curve.get_ydata(), [81, 86])
    np.testing.assert_allclose(curve.get_xdata(), [50, 500], rtol=0.05)
    assert [t.get_text() for t in first.get_xticklabels()] == ["50", "500"]
    assert len(picture.axes) == 2
    assert "groups 81.0 at 50, 86.0 at 500" in picture.alt
    heights = [line.get_ydata()[0] for line in first.lines]
    assert 79 in heights


def test_a_panel_may_have_a_line_of_its_own():
    picture = plot_budgets(budgets(), references={"majority label": {"photographs": 0.78}})
    one, two = (
        [line for line in axes.lines if line.get_linestyle() == "--"] for axes in picture.axes
    )
    assert not one
    assert two[0].get_ydata()[0] == 78


def test_long_words_stay_on_the_page():
    names = {
        "one by one": "one by one, with short weights at xi = 20",
        "groups": "known groups, stronger",
    }
    frame = budgets().replace({"method": names})
    more = frame.assign(method=frame["method"] + ", trained from the start")
    picture = plot_budgets(pd.concat([frame, more]))
    picture.draw_without_rendering()
    box = picture.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= picture.bbox.x1


def test_differences_stand_around_zero_in_points():
    frame = budgets().assign(value=0.01, low=-0.01, high=0.02)
    axes = plot_budgets(frame, label="gain").axes[0]
    assert axes.get_ylabel() == "gain, points"
    assert any(np.allclose(line.get_ydata(), 0) for line in axes.lines)


def test_shares_of_no_percent():
    picture = plot_budgets(budgets(), label="F1 of edges", percent=False)
    assert picture.axes[0].get_ylabel() == "F1 of edges"
    assert "0.80 at 50" in picture.alt


def test_settings_get_a_panel_each():
    frame = budgets().rename(columns={"faces": "at"}).drop(columns="where").drop_duplicates()
    frame = pd.concat([frame.assign(setting=s) for s in ("gamma", "xi")])
    picture = plot_settings(frame, chosen={"xi": 75})
    assert [axes.get_xlabel() for axes in picture.axes] == ["gamma", "xi"]
    assert [text.get_text() for text in picture.axes[1].texts] == ["the paper's"]
    assert not picture.axes[0].texts
    with pytest.raises(DataError, match="not above 0"):
        plot_settings(frame.assign(at=0))
    with pytest.raises(DataError, match="'setting'"):
        plot_settings(budgets())


def test_budgets_refuse():
    with pytest.raises(DataError, match="not above 0"):
        plot_budgets(budgets().assign(faces=0))
    with pytest.raises(DataError, match="'low'"):
        plot_budgets(budgets().drop(columns="low"))


def test_roc_curves_are_steps():
    far, tar = [0.0, 0.001, 0.01, 0.1, 1.0], [0.0, 0.2, 0.4, 0.8, 1.0]
    picture = plot_roc({"embedding": {"far": far, "tar": tar}})
    (line,) = (x for x in picture.axes[0].lines if x.get_label() == "embedding")
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(line.get_ydata(), [20, 40, 80, 100])
    coarse = plot_roc({"a": {"far": [0.0, 0.0, 0.5, 1.0], "tar": [0.0, 0.3, 0.9, 1.0]}})
    assert coarse.axes[0].lines[0].get_xydata()[0].tolist() == [0.001, 30]
    assert "embedding: 20.0% at 0.001 and 40.0% at 0.01" in picture.alt
    for curve in (
        {"far": far, "tar": tar[1:]}, {"far": far}, {"far": [], "tar": []},
        {"far": far[::-1], "tar": tar[::-1]}, {"far": [0, np.nan], "tar": [0, 1]},
    ):  # fmt: skip
        with pytest.raises(DataError, match="is none"):
            plot_roc({"a": curve})
    with pytest.raises(DataError, match="nothing to draw"):
        plot_roc({})


# --- groups ---------------------------------------------------------------------------------------


def test_the_pattern_crosses_out_what_is_exactly_zero():
    groups = {"Mouth": ("Smiling", "Big_Lips"), "Gender": ("Male",)}
    tables = [np.array([[1.0, 0.0], [0.0, -2.0]]), np.array([[0.5]])]
    picture = plot_sparsity(tables, groups)
    axes = picture.axes[0]
    meshes = [c for c in axes.collections if isinstance(c, QuadMesh)]
    np.testing.assert_allclose(meshes[0].get_array().ravel(), [1, 0, 0, -2])
    assert meshes[0].get_clim() == meshes[1].get_clim() == (-2, 2)
    crosses = sum(len(line.get_xdata()) for line in axes.lines)
    assert crosses == 2
    assert "2 of 5 entries are exactly 0" in picture.alt
    assert {"Mouth", "Gender", "Smiling", "Big Lips", "Male"} <= {t.get_text() for t in axes.texts}
    with pytest.raises(DataError, match="a column for each attribute"):
        plot_sparsity(tables, {"Mouth": ("Smiling",), "Gender": ("Male",)})


def test_all_groups_of_the_book_fit_the_page():
    tables = [np.ones((-(-len(m) // 2), len(m))) for m in GROUPS.values()]
    axes = plot_sparsity(tables, GROUPS).axes[0]
    right = max(c.get_coordinates()[..., 0].max() for c in axes.collections)
    assert right <= axes.get_xlim()[1]


def test_ranks_are_written_group_by_group():
    frame = pd.DataFrame(
        [
            {"gamma": g, "group": name, "rank": rank}
            for g, ranks in ((10, (1, 2)), (1, (2, 4)))
            for name, rank in zip(("Eyes", "Hair"), ranks, strict=True)
        ]
    )
    picture = plot_ranks(frame, most={"Hair": 7})
    axes = picture.axes[0]
    assert [t.get_text() for t in axes.texts] == ["2", "1", "4", "2"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Eyes", "Hair (of 7)"]
    assert "6 at 1, 3 at 10" in picture.alt
    with pytest.raises(DataError, match="not above 0"):
        plot_ranks(frame.assign(gamma=0))
