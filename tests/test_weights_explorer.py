"""The weights explorer: both forms show the weights, the losses and what they have in common."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy.stats import entropy, spearmanr

from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.weights_chart import LEAST
from faceattr.explore.weights_explorer import weights_explorer

NAMES = ("Bald", "Smiling", "Young")
E, M = 4, len(NAMES)
WORN = (0.02, 0.5, 0.8)


@pytest.fixture(scope="module")
def weights() -> dict:
    rng = np.random.default_rng(0)
    return {
        "equal": {"weight": np.full((E, M), 1 / 3).tolist(), "loss": rng.random((E, M)).tolist()},
        "dynamic": {"weight": (5 * rng.random((E, M))).tolist(), "loss": rng.random((E, M))},
    }


def share(weights) -> np.ndarray:
    weight = np.asarray(weights["dynamic"]["weight"])
    return weight / weight.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def spec(weights) -> dict:
    chart = weights_explorer(weights, NAMES, start="dynamic", prevalence=WORN, form="static")
    return chart.to_dict()  # altair validates it against Vega-Lite's schema


def test_static_form_is_light_opaque_and_described(spec, weights):
    text = json.dumps(spec)
    assert len(text) < 30_000
    assert "http" not in text.replace(spec["$schema"], "")
    assert spec["config"]["background"].startswith("#")
    assert spec["description"]
    menus = {param["name"]: param for param in spec["params"]}
    assert menus["scheme"]["value"] == "dynamic"
    assert menus["scheme"]["bind"]["options"] == ["equal", "dynamic"]
    assert (menus["epoch"]["bind"]["min"], menus["epoch"]["bind"]["max"]) == (1, E)
    assert menus["attribute"]["value"] == share(weights)[-1].argmax()
    assert menus["attribute"]["bind"]["labels"] == list(NAMES)


def test_static_form_holds_every_weight_and_loss(spec, weights):
    rows = [row for row in spec["datasets"]["attributes"] if row["s"] == "dynamic"]
    assert pytest.approx(share(weights), rel=5e-3) == np.array([row["w"] for row in rows]).T
    losses = np.asarray(weights["dynamic"]["loss"])
    assert pytest.approx(losses, abs=6e-5) == np.array([row["l"] for row in rows]).T
    assert [row["p"] for row in rows] == list(WORN)
    assert [row["name"] for row in rows] == list(NAMES)


def test_sentences_are_scipys(spec, weights):
    told = {(row["s"], row["e"]): row["text"] for row in spec["datasets"]["sentences"]}
    assert len(told) == 2 * E
    assert told["equal", 2] == "epoch 2: all 3 attributes have the same weight"
    for epoch in range(1, E + 1):
        weight, loss = share(weights)[epoch - 1], np.asarray(weights["dynamic"]["loss"])[epoch - 1]
        text = told["dynamic", epoch]
        assert f"{NAMES[weight.argmax()]} has {weight.max():.2f}" in text
        assert f"as if {np.exp(entropy(weight)):.1f} attributes" in text
        assert text.endswith(f"{spearmanr(weight, loss).statistic:+.2f}")


def test_live_form_moves(weights):
    view = weights_explorer(weights, NAMES, prevalence=WORN, form="live")
    assert view.scheme.value == "equal"
    first = view.panels.value
    view.scheme.value, view.epoch.value = "dynamic", 3
    assert view.note.value.startswith("epoch 3: ")
    assert view.panels.value != first
    titles = re.findall(r"<title>(\w+): weight ([\d.]+), loss ([\d.]+), worn by (\d+)%",
                        view.panels.value)  # fmt: skip
    assert len(titles) == 3 * M, "on every line and dot"
    told = {name: float(weight) for name, weight, _, _ in titles}
    assert [told[name] for name in NAMES] == pytest.approx(share(weights)[2], abs=6e-5)
    before = view.panels.value
    view.attribute.value = (view.attribute.value + 1) % M
    assert view.panels.value != before
    assert view.panels.value.count('stroke-width="2.4"') == 2, "one of the weights and the losses"


def test_less_than_the_least_is_drawn_at_the_bottom():
    loss = [[0.1, 0.2, 0.3]]
    table = {"weight": [[1.0, 0.0, 1e-9]], "loss": loss}
    view = weights_explorer({"one": table}, NAMES, form="live")
    heights = re.findall(r'cy="([\d.]+)"', view.panels.value)
    assert len(set(heights)) == 2
    assert f"≤{LEAST:g}" in view.panels.value
    assert "nan" not in view.panels.value


def test_schemes_may_differ_in_epochs(weights):
    short = {key: rows[:2] for key, rows in weights["dynamic"].items()}
    view = weights_explorer({"long": weights["equal"], "short": short}, NAMES, form="live")
    view.epoch.value = E
    view.scheme.value = "short"
    assert view.note.value.startswith("epoch 2: ")


def test_bad_input(weights):
    with pytest.raises(UnknownNameError, match="no scheme 'dwa': choose one of equal, dynamic"):
        weights_explorer(weights, NAMES, start="dwa")
    with pytest.raises(UnknownNameError, match="no attribute 'Male' here"):
        weights_explorer(weights, NAMES, attribute="Male")
    with pytest.raises(UnknownNameError, match="unknown form 'both'"):
        weights_explorer(weights, NAMES, form="both")
    with pytest.raises(DataError, match="nothing to explore"):
        weights_explorer({}, NAMES)
    with pytest.raises(DataError, match=r"equal: weights \(4, 3\) .* for 2 attributes"):
        weights_explorer(weights, NAMES[:2])
    with pytest.raises(DataError, match="one: a weight or a loss is not a number"):
        weights_explorer({"one": {"weight": [[1.0]], "loss": [[np.nan]]}}, ["a"])
    with pytest.raises(DataError, match="dynamic: KeyError.'loss'"):
        weights_explorer({"dynamic": {"weight": [[1.0, 2.0, 3.0]]}}, NAMES)
    with pytest.raises(DataError, match="ragged: ValueError"):
        weights_explorer({"ragged": {"weight": [[1.0, 2.0], [1.0]], "loss": [[1.0]]}}, NAMES)
    with pytest.raises(DataError, match="stands twice"):
        weights_explorer(weights, [NAMES[0], *NAMES[:-1]])
    with pytest.raises(DataError, match="give 3 shares"):
        weights_explorer(weights, NAMES, prevalence=(0.1, 2, 0.3))
