"""The cascade explorer: both forms show what the survivors say, at every threshold they offer."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from bright import bright, squares_on

from faceattr.cascade import Cascade
from faceattr.cascade.survivors import survivors
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.cascade_chart import SIDE
from faceattr.explore.cascade_explorer import STEPS, cascade_explorer

GRID = (0.02, 0.3, 0.9)
G = len(GRID)
SHOWN = (2, 0, 3)


@pytest.fixture(scope="module")
def material():
    pictures, truth = [], []
    for k, level in enumerate((80, 120, 230)):
        boxes = [(20, 20, 50, 50), (80, 30, 120, 70)]
        pictures.append(squares_on(140, 100, boxes, level=level))
        truth.append(torch.tensor(boxes[: 1 + k % 2]).float())  # the others are false alarms
    pictures.append(squares_on(60, 90, []))
    truth.append(torch.zeros(0, 4))
    cascade = Cascade(bright(), device="cpu", min_face=16)
    return survivors(cascade, pictures, truth), pictures, truth


@pytest.fixture(scope="module")
def spec(material) -> dict:
    how = {"shown": SHOWN, "start": (0.28, 0.02, 0.99), "grid": GRID, "form": "static"}
    return cascade_explorer(*material, **how).to_dict()  # altair validates it


def boxes(rows, field: str, scale: float) -> set[tuple]:
    return {tuple(round(value / scale, 0) for value in row[field]) for row in rows}


def expected(boxes) -> set[tuple]:
    return {tuple(round(value, 0) for value in box) for box in boxes.double().tolist()}


def test_static_form_is_light_opaque_and_described(spec):
    text = json.dumps(spec)
    assert len(text) < 120_000
    assert "http" not in text.replace(spec["$schema"], "")
    assert spec["config"]["background"].startswith("#")
    assert "over 4 scenes with 4 faces" in spec["description"]
    menus = {param["name"]: param for param in spec["params"]}
    assert [menus[f"step{net}"]["value"] for net in "SML"] == [1, 0, 2], "the nearest of the grid"
    assert menus["stepS"]["bind"]["max"] == G - 1
    assert menus["scene"]["bind"]["labels"] == ["scene 1", "scene 2", "scene 3"]
    for row in spec["datasets"]["scenes"]:
        assert row["url"].startswith("data:image/")
        assert max(row["w"], row["h"]) == SIDE


def test_the_number_of_a_combination_is_what_the_chart_picks(spec):
    (pick,) = (param for param in spec["params"] if param["name"] == "pick")
    for n, (s, m, last) in enumerate(itertools.product(range(G), repeat=3)):
        steps = {"stepS": s, "stepM": m, "stepL": last}
        assert eval(pick["expr"], {}, steps) == n  # noqa: S307
    assert [row["n"] for row in spec["datasets"]["numbers"]] == list(range(G**3))


@pytest.mark.parametrize("steps", list(itertools.product(range(G), repeat=3)))
def test_static_form_is_exact_at_every_combination(spec, material, steps):
    found, _, truth = material
    s, m, last = steps
    n = G * G * s + G * m + last
    passed = found.at([GRID[step] for step in steps])
    for c, k in enumerate(SHOWN):
        rows = [row for row in spec["datasets"]["windows"] if row["c"] == c]
        scale = SIDE / max(material[1][k].shape[1:])
        shown = {
            "S": [row for row in rows if row["s"][s] == "1"],
            "M": [row for row in rows if row["m"] and row["m"][G * s + m] == "1"],
            "L": [row for row in rows if row["l"] and row["l"][n] != "0"],
        }
        for net, chosen in shown.items():
            mine = found.of(passed.rows[net], k)
            assert len(chosen) == len(mine)
        hits = [row for row in shown["L"] if row["l"][n] == "1"]
        own = found.image[passed.rows["L"]] == k
        assert len(hits) == int((passed.face[own] >= 0).sum())
        lost = [row for row in spec["datasets"]["faces"] if row["c"] == c and row["x"][n] == "1"]
        assert boxes(lost, "B", scale) == expected(found.missed(passed, k))
    row = spec["datasets"]["numbers"][n]
    assert row["r"] == pytest.approx(passed.recall[2], abs=1e-4)
    assert f"{len(passed.rows['M']):,} boxes" in row["b"]


def test_boxes_are_those_of_each_network_in_pixels_of_the_chart(spec, material):
    found, pictures, _ = material
    rows = [row for row in spec["datasets"]["windows"] if row["c"] == 0]
    mine = (found.image == SHOWN[0]).nonzero()[:, 0]
    scale = SIDE / max(pictures[SHOWN[0]].shape[1:])
    assert len(rows) == len(mine)
    for net in "SML":
        shown = [(j, row[net]) for j, row in enumerate(rows) if net in row]
        assert shown
        for j, box in shown:
            theirs = scale * found.boxes[net][mine[j]]
            torch.testing.assert_close(torch.tensor(box), theirs, atol=0.06, rtol=0)


def test_live_form_moves(material):
    found, *_ = material
    view = cascade_explorer(*material, shown=SHOWN, start=(0.3, 0.33, 0.5), form="live")
    assert [slider.value for slider in view.sliders] == [0.3, 0.33, 0.5]
    assert {label for _, label in view.sliders[0].options} >= set(STEPS)
    alarms = 0
    for thresholds in ((0.3, 0.33, 0.5), (0.02, 0.02, 0.02), (0.8, 0.8, 0.8)):
        for slider, value in zip(view.sliders, thresholds, strict=True):
            slider.value = value
        passed = found.at(thresholds)
        for place, k in enumerate(SHOWN):
            view.scene.value = place
            drawn = view.drawn.value
            for net in "SM":
                count = len(found.of(passed.rows[net], k))
                assert drawn.count(f'class="{net}"') == count
            own = passed.face[found.image[passed.rows["L"]] == k]
            assert drawn.count('class="hit"') == int((own >= 0).sum())
            assert drawn.count('class="alarm"') == int((own < 0).sum())
            alarms += int((own < 0).sum())
            assert drawn.count('class="miss"') == len(found.missed(passed, k))
        assert f"recall {100 * passed.recall[2]:.1f}%" in view.note.value
        assert f"precision {100 * passed.precision:.1f}%" in view.note.value
    assert alarms
    assert view.drawn.value.count("<circle") > 2, "where the point has been"


def test_without_any_box_precision_is_undefined(material):
    view = cascade_explorer(*material, start=(1, 1, 1), form="live")
    assert "precision undefined" in view.note.value
    assert "nan" not in view.drawn.value
    assert 'class="here"' not in view.drawn.value


def test_scenes_without_faces():
    picture, nobody = squares_on(60, 60, []), torch.zeros(0, 4)
    found = survivors(Cascade(bright(), device="cpu", min_face=16), [picture], [nobody])
    for form in ("live", "static"):
        cascade_explorer(found, [picture], [nobody], shown=(0,), grid=(0.1, 0.5), form=form)


def test_bad_input(material):
    found, pictures, truth = material
    with pytest.raises(DataError, match="4 pictures with true boxes of 3, a search in 4"):
        cascade_explorer(found, pictures, truth[:3])
    with pytest.raises(DataError, match="that were searched"):
        cascade_explorer(found, pictures, truth[::-1])
    with pytest.raises(DataError, match="choose among 4 pictures"):
        cascade_explorer(*material, shown=(4,))
    with pytest.raises(DataError, match="choose among 4 pictures"):
        cascade_explorer(*material, shown=())
    with pytest.raises(DataError, match="two thresholds or more, ascending"):
        cascade_explorer(*material, grid=(0.5, 0.1))
    with pytest.raises(DataError, match="went down to 0.02"):
        cascade_explorer(*material, grid=(0.01, 0.1))
    with pytest.raises(DataError, match="three probabilities"):
        cascade_explorer(*material, start=(0.5, 0.5))
    with pytest.raises(UnknownNameError, match="unknown form 'both'"):
        cascade_explorer(*material, form="both")
