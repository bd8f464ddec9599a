"""The explorers of chapters 10 and 11: both forms show the graphs and the grid they were given."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from test_identity_explorers import light, params

from faceattr.attributes import ATTRIBUTES
from faceattr.data.labels import LabelModel
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.graph_explorer import graph_explorer
from faceattr.explore.structure_explorer import structure_explorer
from faceattr.taskgraph import edge_scores, edges

NAMES = ("Male", "Smiling", "Bald", "Bangs")
GROUPS = {"Hair": ("Bald", "Bangs"), "Rest": ("Male", "Smiling")}


# --- graphs ---------------------------------------------------------------------------------------


@pytest.fixture
def graphs():
    truth, found = np.zeros((4, 4), dtype=bool), torch.zeros(4, 4)
    for i, j in ((2, 3), (0, 1)):
        truth[i, j] = truth[j, i] = True
    for i, j, size in ((2, 3, 4.0), (0, 2, 1.0), (0, 3, 0.3)):
        found[i, j] = found[j, i] = size
    return {"labels": truth.astype(float), "learned": found}, truth


def test_static_graphs_hold_every_edge_and_say_what_is_true(graphs):
    found, truth = graphs
    chart = graph_explorer(
        found, truth=truth, names=NAMES, groups=GROUPS, start="learned", form="static"
    )
    spec = light(chart, 40_000)
    assert params(spec)["graph"]["value"] == 1
    assert params(spec)["graph"]["bind"]["labels"] == ["labels", "learned"]
    assert params(spec)["percent"]["value"] == 10
    rows = [row for row in spec["datasets"]["edges"] if row["g"] == 1]
    assert {(r["i"], r["j"]): (r["w"], r["t"]) for r in rows} == {
        (2, 3): (1.0, 1), (0, 2): (0.25, 0), (0, 3): (0.075, 0),
    }  # fmt: skip
    words = {(r["g"], r["p"]): r["text"] for r in spec["datasets"]["words"]}
    assert words[1, 10] == (
        "2 edges above 10% of the strongest, 1 cluster of two or more\n"
        "1 of the 2 true edges among them: precision 50%, recall 50%"
    )
    assert words[1, 30].startswith("1 edge above 30%")
    assert words[0, 95].startswith("2 edges above 95% of the strongest, 2 clusters")


def test_no_task_moves_when_the_graph_changes(graphs):
    found, truth = graphs
    specs = [
        graph_explorer({k: v}, truth=truth, names=NAMES, form="static").to_dict()
        for k, v in found.items()
    ]
    dots = [next(iter(d for d in spec["datasets"].values() if "colour" in d[0])) for spec in specs]
    assert dots[0] == dots[1]
    assert [row["name"] for row in dots[0]] == list(NAMES)


def test_sentences_are_the_librarys_scores():
    latent = LabelModel.load().latent_correlation
    truth = torch.from_numpy((latent > 0.3) & ~np.eye(40, dtype=bool))
    graph = torch.from_numpy(latent).clamp(min=0).fill_diagonal_(0)
    chart = graph_explorer({"labels": graph}, truth=truth, form="static")
    spec = light(chart, 120_000)
    words = {row["p"]: row["text"] for row in spec["datasets"]["words"]}
    for percent in (10, 50):
        scores = edge_scores(edges(graph, percent / 100), truth)
        assert (
            f"precision {scores['precision']:.0%}, recall {scores['recall']:.0%}"
            in (words[percent])
        )
        assert words[percent].startswith(f"{scores['edges']:.0f} edges")


def test_live_graphs_answer_every_control(graphs):
    found, truth = graphs
    view = graph_explorer(found, truth=truth, names=NAMES, groups=GROUPS, form="live")
    assert view.picture.value.count("<path") == 2
    view.graph.value = "learned"
    assert view.picture.value.count("<path") == 2
    assert view.picture.value.count("stroke-dasharray") == 1
    places = [part.split("/>")[0] for part in view.picture.value.split("<circle ")[1:]]
    view.percent.value = 0
    assert view.picture.value.count("<path") == 3
    assert places == [part.split("/>")[0] for part in view.picture.value.split("<circle ")[1:]]
    view.task.value = 2
    assert view.picture.value.count("<path") == 2
    assert "Male and Bald: 0.25" in view.picture.value
    assert "precision 33%, recall 50%" in view.note.value
    assert view.parts.value == "Male, Bald, Bangs"


def test_a_graph_without_truth_or_edges():
    view = graph_explorer({"empty": np.zeros((4, 4))}, names=NAMES, form="live")
    assert view.note.value == "0 edges above 10% of the strongest, 0 clusters of two or more"
    graph_explorer({"empty": np.zeros((4, 4))}, names=NAMES, form="static").to_dict()
    nothing = np.zeros((4, 4), dtype=bool)
    view = graph_explorer({"empty": nothing}, truth=nothing, names=NAMES, form="live")
    assert "precision undefined, recall undefined" in view.note.value


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"start": "guessed"}, UnknownNameError, "no graph 'guessed'"),
        ({"threshold": 12}, DataError, "multiple of 5"),
        ({"names": ATTRIBUTES}, DataError, "there are 40 tasks"),
        ({"form": "still"}, UnknownNameError, "unknown form"),
        ({"truth": np.eye(3)}, DataError, "'truth' is"),
    ],
)
def test_graph_explorer_refuses(graphs, how, error, message):
    with pytest.raises(error, match=message):
        graph_explorer(graphs[0], **{"names": NAMES, **how})
    with pytest.raises(DataError, match="nothing to show"):
        graph_explorer({})


# --- the grid of gamma and lambda -----------------------------------------------------------------


GAMMAS, LAMBDAS = (1.0, 10.0), (0.01, 1.0, 100.0)


@pytest.fixture
def grid():
    rows, patterns = [], {}
    for a, gamma in enumerate(GAMMAS):
        for b, lam in enumerate(LAMBDAS):
            rows.append(
                {"gamma": gamma, "lam": lam, "zeros": b / 4, "rank": 5 - a - b,
                 "accuracy": 0.9 - 0.01 * a - 0.002 * b, "low": 0.8, "high": 0.95}
            )  # fmt: skip
            patterns[gamma, lam] = [np.array([[a + 1.0, -b]]), np.full((2, 2), a - 1.0 * b)]
    return pd.DataFrame(rows).sample(frac=1, random_state=0), patterns


def test_static_grid_holds_every_number(grid):
    frame, patterns = grid
    chart = structure_explorer(frame, patterns=patterns, groups=GROUPS, form="static")
    spec = light(chart, 40_000)
    assert (params(spec)["g"]["value"], params(spec)["k"]["value"]) == (0, 0)
    tables = [rows for rows in spec["datasets"].values() if "gamma" in rows[0]]
    assert len(tables) == 3
    at = {(r["a"], r["b"]): r["text"] for r in tables[-1]}
    assert at[1, 2] == "88.6"
    cells = next(rows for rows in spec["datasets"].values() if "v" in rows[0] and "x1" in rows[0])
    assert len(cells) == 6
    assert cells[1]["v"] == [0, -1, -2, 0, -1, -2], "gamma first, then lambda"
    text = json.dumps(spec)
    assert "gamma = 10, lambda = 1: 25% of the coefficients are 0, 3 basis tasks" in text
    assert "5 o'Clock" not in text


def test_live_grid_answers_both_sliders(grid):
    frame, patterns = grid
    view = structure_explorer(frame, patterns=patterns, groups=GROUPS, form="live")
    assert "mean accuracy 90.00% [80.00, 95.00]" in view.note.value
    assert view.pattern.value.count("×") == 5
    view.gamma.value = 1
    view.lam.value = 1
    assert view.note.value.startswith("gamma = 10, lambda = 1: 25%")
    assert view.pattern.value.count("×") == 4, "a - b is 0"
    assert view.tables.value.count("outline:2px") == 3
    alone = structure_explorer(frame, form="live")
    assert "<rect" not in alone.pattern.value


def test_structure_explorer_refuses(grid):
    frame, patterns = grid
    with pytest.raises(DataError, match="each gamma with each lambda, once"):
        structure_explorer(frame.iloc[1:])
    with pytest.raises(DataError, match="each gamma with each lambda, once"):
        structure_explorer(pd.concat([frame, frame.iloc[:1]]))
    with pytest.raises(DataError, match="not a number"):
        structure_explorer(frame.assign(rank=np.nan))
    with pytest.raises(DataError, match="'zeros'"):
        structure_explorer(frame.drop(columns="zeros"))
    with pytest.raises(UnknownNameError, match="choose gamma of 1, 10"):
        structure_explorer(frame, start=(3.0, 0.01))
    patterns.pop((10.0, 1.0))
    with pytest.raises(DataError, match="gamma 10 and lambda 1 do not fit"):
        structure_explorer(frame, patterns=patterns, groups=GROUPS)
    with pytest.raises(UnknownNameError, match="unknown form"):
        structure_explorer(frame, form="still")
