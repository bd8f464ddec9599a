"""The explorers of switch and relation: both forms show the weights that they were given."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.clusters import cluster_order
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore import region_squares, relation_explorer, switch_explorer

NAMES = ("Bald", "Smiling", "Wearing_Lipstick", "No_Beard")
M = len(NAMES)


def datasets(spec: dict) -> list[list[dict]]:
    """All tables of a chart."""
    return list(spec["datasets"].values())


def light(chart, limit: int) -> dict:
    """A valid spec that fetches nothing, describes itself and is not heavy."""
    spec = chart.to_dict()  # altair validates it against Vega-Lite's schema
    text = json.dumps(spec)
    assert len(text) < limit
    assert "http" not in text.replace(spec["$schema"], "")
    assert spec["config"]["background"].startswith("#")
    assert spec["description"]
    return spec


# --- squares --------------------------------------------------------------------------------------


def test_squares_sit_on_the_middle_of_a_region():
    regions = torch.zeros(1, 3, 20, 40, dtype=torch.bool)
    regions[0, 0, 4:8, 10:14] = True  # pixels 8 to 16 and 20 to 28 of an image twice as large
    regions[0, 1, 0, 0] = True  # in the corner
    boxes = region_squares(regions, (40, 80), crop=8)
    assert boxes[0, 0].tolist() == [20, 8, 28, 16]
    assert boxes[0, 1].tolist() == [0, 0, 8, 8], "moved inside"
    assert boxes[0, 2].tolist() == [36, 16, 44, 24], "empty: the middle"


def test_squares_have_the_papers_share_by_default():
    boxes = region_squares(torch.ones(2, 1, 8, 8, dtype=torch.bool), (224, 300))
    assert (boxes[..., 2:] - boxes[..., :2] == 64).all()


# --- the switch -----------------------------------------------------------------------------------


@pytest.fixture
def faces() -> FaceDataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (5, 3, 32, 24), generator=generator, dtype=torch.uint8)
    regions = torch.zeros(5, M, 8, 6, dtype=torch.bool)
    regions[:, :, 2:5, 1:4] = True
    return FaceDataset(Faces(images, regions=regions), names=NAMES)


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).normal(0.1, 0.2, (3, M + 1, M))


def test_static_switch_holds_every_weight(faces, weights):
    chart = switch_explorer(
        weights, faces, names=NAMES, rows=(0, 3), start="Smiling", form="static"
    )
    spec = light(chart, 60_000)
    (table,) = (rows for rows in datasets(spec) if "w" in rows[0])
    assert [row["name"] for row in table] == ["whole image", *map(pretty, NAMES)]
    shown = np.array([row["w"] for row in table])
    assert shown == pytest.approx(weights.mean(0), abs=6e-5)
    assert np.array([row["l"] for row in table]) == pytest.approx(weights.min(0), abs=6e-5)
    assert np.array([row["h"] for row in table]) == pytest.approx(weights.max(0), abs=6e-5)
    assert table[0]["b"] == [[0, 0, 1, 1]] * 2, "the whole image, on both faces"
    (pictures,) = (rows for rows in datasets(spec) if "url" in rows[0])
    assert len(pictures) == 2
    menus = {param["name"]: param for param in spec["params"]}
    assert menus["attribute"]["value"] == 1
    assert menus["attribute"]["bind"]["labels"] == [pretty(name) for name in NAMES]
    assert menus["face"]["bind"]["labels"] == ["face 0", "face 3"]


def test_static_switch_tells_own_part_and_whole_apart(faces, weights):
    spec = switch_explorer(weights, faces, names=NAMES, form="static").to_dict()
    text = json.dumps(spec)
    (kinds,) = set(re.findall(r'"(datum\.i === 0 [^"]*)"', text))
    whole, own, _ = re.findall(r"'([^']*)'", kinds)
    assert (whole, own) == ("whole image", "its own part")
    assert f"datum.i === attribute + 1 ? '{own}'" in kinds, "row 0 is the whole image"
    assert '"field": "weight", "order": "descending"' in text


def test_boxes_of_a_network_are_drawn_instead(faces, weights):
    boxes = torch.tensor([6, 8, 18, 20]).expand(5, M, 4)
    spec = switch_explorer(weights[0], faces, boxes, names=NAMES, form="static").to_dict()
    (table,) = (rows for rows in datasets(spec) if "w" in rows[0])
    assert table[1]["b"][0] == pytest.approx([0.25, 0.25, 0.75, 0.625])


def test_live_switch_answers_every_control(faces, weights):
    view = switch_explorer(weights, faces, names=NAMES, start="Bald", form="live")
    column = weights[:, :, 0].mean(0)
    order = np.argsort(-column)
    names = ["whole image", *map(pretty, NAMES)]
    listed = re.findall(r"\d ([A-Za-z ]+) \(([+-]\d\.\d{4})\)", view.note.value)
    assert [name for name, _ in listed] == [names[i] for i in order[:3]]
    assert [float(v) for _, v in listed] == pytest.approx(column[order[:3]], abs=1e-4)
    for control, value in (("attribute", "No_Beard"), ("seed", 1), ("row", 4), ("count", 1)):
        before = (view.face.value, view.note.value, view.bars.value)
        getattr(view, control).value = value
        assert (view.face.value, view.note.value, view.bars.value) != before, control
    assert view.note.value.count(";") == 0, "one square, one name"
    best = names[int(weights[1, :, 3].argmax())]
    assert f"1 {best} (" in view.note.value
    assert view.bars.value.count("<tr") == M + 1


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"switch": np.zeros((3, 4))}, DataError, "row 0"),
        ({"boxes": torch.zeros(2, M, 4)}, DataError, "N, M, 4"),
        ({"rows": [7]}, DataError, "choose some that are there"),
        ({"largest": 0}, DataError, "draw 1 to 5"),
        ({"start": "Young"}, UnknownNameError, "no attribute 'Young'"),
        ({"form": "paper"}, UnknownNameError, "unknown form"),
    ],
)
def test_switch_explorer_refuses(faces, weights, how, error, message):
    with pytest.raises(error, match=message):
        switch_explorer(**{"switch": weights, "faces": faces, "names": NAMES, **how})


def test_faces_without_regions_need_boxes(weights):
    plain = Faces(torch.zeros(2, 3, 32, 24, dtype=torch.uint8))
    with pytest.raises(DataError, match="regions=True"):
        switch_explorer(weights, plain, names=NAMES)


# --- the relation ---------------------------------------------------------------------------------


@pytest.fixture
def relation() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, (2, M, M)) + np.eye(M)


@pytest.fixture
def phi() -> np.ndarray:
    values = np.random.default_rng(2).uniform(-0.5, 0.5, (M, M))
    return (values + values.T) / 2 * (1 - np.eye(M)) + np.eye(M)


def test_static_relation_holds_both_directions(relation, phi):
    start = ("No_Beard", "Wearing_Lipstick")
    spec = light(relation_explorer(relation, phi, names=NAMES, start=start, form="static"), 60_000)
    (table,) = (rows for rows in datasets(spec) if "s" in rows[0])
    assert len(table) == M * (M - 1), "every pair but those of one"
    for row in table:
        j, k = row["j"], row["k"]
        assert row["s"] == pytest.approx(relation[:, j, k], abs=6e-4)
        assert row["t"] == pytest.approx(relation[:, k, j], abs=6e-4)
        assert row["r"] == pytest.approx(phi[j, k], abs=6e-3)
    params = {param["name"]: param for param in spec["params"]}
    assert params["pair"]["value"] == [{"j": 3, "k": 2}]
    assert params["words"]["value"] == [pretty(name) for name in NAMES]
    orders = params["order"]["bind"]["labels"]
    places = dict(zip(orders, params["places"]["value"], strict=True))
    assert places["as in CelebA"] == list(range(M))
    assert np.argsort(places["by clustering"]).tolist() == cluster_order(phi)
    assert all(sorted(each) == list(range(M)) for each in places.values())


def test_static_relation_sorts_by_group():
    values = np.eye(len(ATTRIBUTES))
    spec = relation_explorer(values, values, start=("Male", "Bald"), form="static").to_dict()
    params = {param["name"]: param for param in spec["params"]}
    place = dict(zip(params["order"]["bind"]["labels"], params["places"]["value"], strict=True))
    first = place["by group"].index(0)
    assert ATTRIBUTES[first] == "Male"
    mouth = [place["by group"][ATTRIBUTES.index(n)] for n in ("Smiling", "Big_Lips")]
    assert abs(mouth[0] - mouth[1]) <= 3, "a group stands together"


def test_static_relation_starts_with_the_largest_weight(relation, phi):
    spec = relation_explorer(relation, phi, names=NAMES, form="static").to_dict()
    mean = relation.mean(0) - 9 * np.eye(M)
    j, k = np.unravel_index(mean.argmax(), mean.shape)
    (pair,) = (param for param in spec["params"] if param["name"] == "pair")
    assert pair["value"] == [{"j": j, "k": k}]


def test_live_relation_says_both_directions(relation, phi):
    view = relation_explorer(relation, phi, names=NAMES, start=("Smiling", "Bald"), form="live")
    first, second, labels = (line.value for line in view.lines)
    assert first.startswith(f"Smiling listens to Bald: {relation[:, 1, 0].mean():+.3f}")
    assert second.startswith(f"Bald listens to Smiling: {relation[:, 0, 1].mean():+.3f}")
    assert f"{relation[1, 1, 0]:+.3f}" in first, "seed by seed"
    assert labels.endswith(f"{phi[1, 0]:+.2f}")
    for control, value in (("source", 2), ("order", "as in CelebA"), ("shown", "asymmetry")):
        before = [image.value for image in view.matrices]
        getattr(view, control).value = value
        assert [image.value for image in view.matrices] != before or control == "order", control
    view.source.value = 1
    assert "two different" in view.lines[0].value


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"relation": np.eye(3)}, DataError, "for 4 names"),
        ({"correlation": np.eye(3)}, DataError, "for 4 names"),
        ({"relation": np.full((M, M), np.nan)}, DataError, "not a number"),
        ({"start": ("Bald", "Bald")}, DataError, "no pair"),
        ({"start": ("Bald", "Young")}, UnknownNameError, "no attribute 'Young'"),
        ({"form": "paper"}, UnknownNameError, "unknown form"),
    ],
)
def test_relation_explorer_refuses(relation, phi, how, error, message):
    with pytest.raises(error, match=message):
        relation_explorer(**{"relation": relation, "correlation": phi, "names": NAMES, **how})
