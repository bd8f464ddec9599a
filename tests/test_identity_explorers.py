"""The explorers of identity: both forms show the sweep and the people that they were given."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from faceattr.agreement import image_correlation, mean_off_diagonal
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.label_statistics import measure
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.person_chart import MARKED
from faceattr.explore.person_explorer import person_explorer
from faceattr.explore.sweep_explorer import sweep_explorer

LAMBDAS = (0.0, 0.1, 1.0, 10.0)
NAMES = ("Male", "Smiling", "Blurry")


def light(chart, limit: int) -> dict:
    """A valid spec that fetches nothing, describes itself and is not heavy."""
    spec = chart.to_dict()  # altair validates it against Vega-Lite's schema
    text = json.dumps(spec)
    assert len(text) < limit
    assert "http" not in text.replace(spec["$schema"], "")
    assert spec["config"]["background"].startswith("#")
    assert spec["description"]
    return spec


def params(spec: dict) -> dict[str, dict]:
    return {param["name"]: param for param in spec["params"]}


# --- the sweep ------------------------------------------------------------------------------------


@pytest.fixture
def sweep() -> pd.DataFrame:
    rows = [
        (weight, where, metric, value + 0.01 * k, value, value + 0.05)
        for metric, value in (("attribute_accuracy", 0.85), ("agreement", 0.4))
        for where in ("unseen people", "known people")
        for k, weight in enumerate(LAMBDAS)
    ]
    return pd.DataFrame(rows, columns=["lambda", "where", "metric", "value", "low", "high"])


@pytest.fixture
def attributes() -> pd.DataFrame:
    gains = {0.1: (0.001, 0.002, -0.001), 1.0: (0.01, -0.002, 0.0), 10.0: (-0.02, 0.01, -0.03)}
    rows = [
        (weight, name, gain, gain - 0.005, gain + 0.004, agreement)
        for weight, each in gains.items()
        for name, gain, agreement in zip(NAMES, each, (0.9, 0.4, 0.1), strict=True)
    ]
    columns = ["lambda", "attribute", "gain", "low", "high", "agreement"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=0)


def test_static_sweep_holds_every_number(sweep, attributes):
    spec = light(sweep_explorer(sweep, attributes, form="static"), 40_000)
    tables = spec["datasets"]
    assert params(spec)["step"]["value"] == 2, "lambda = 1 is the paper's choice"
    assert params(spec)["step"]["bind"]["max"] == len(LAMBDAS) - 1
    table = {row["name"]: row for row in tables["attributes"]}
    assert table["Male"]["g"] == [0, 0.1, 1, -2], "in points; zero for lambda = 0"
    assert table["Smiling"]["l"] == pytest.approx([0, -0.3, -0.7, 0.5])
    assert table["Blurry"]["h"] == pytest.approx([0, 0.3, 0.4, -2.6])
    assert table["Blurry"]["agreement"] == 0.1
    assert len(tables["curves"]) == len(sweep)
    points = [r for r in tables["curves"] if r["metric"] == "agreement" and r["k"] == 3]
    assert {row["where"]: row["v"] for row in points} == {
        "unseen people": 0.43, "known people": 0.43,
    }  # fmt: skip
    assert [row["x"] for row in tables["steps"]] == [-1.75, -1, 0, 1]
    assert params(spec)["lows"]["value"] == pytest.approx([0, -0.6, -0.7, -3.5])
    assert params(spec)["highs"]["value"] == pytest.approx([0, 0.6, 1.4, 1.4])


def test_sweep_counts_what_is_clear(sweep, attributes):
    spec = sweep_explorer(sweep, attributes, start=10, form="static").to_dict()
    texts = [row["text"] for row in spec["datasets"]["steps"]]
    assert texts[0].startswith("λ = 0: what all others")
    assert texts[2].endswith("mean +0.27 points; 1 clearly above zero, 0 clearly below")
    assert texts[3].endswith("mean -1.33 points; 1 clearly above zero, 2 clearly below")
    assert params(spec)["step"]["value"] == 3


def test_a_sweep_without_zero_is_drawn(sweep, attributes):
    spec = sweep_explorer(sweep[sweep["lambda"] > 0], attributes, form="static").to_dict()
    assert spec["datasets"]["attributes"][0]["g"] in ([0.1, 1, -2], [0.2, -0.2, 1], [-0.1, 0, -3])
    assert [row["x"] for row in spec["datasets"]["steps"]] == [-1, 0, 1]


def test_given_zeros_are_kept(sweep, attributes):
    zeros = attributes[attributes["lambda"] == 1].assign(**{"lambda": 0.0, "gain": 0.0})
    spec = sweep_explorer(sweep, pd.concat([attributes, zeros]), form="static").to_dict()
    (male,) = (row for row in spec["datasets"]["attributes"] if row["name"] == "Male")
    assert male["h"] == pytest.approx([1.4, 0.5, 1.4, -1.6])


def test_live_sweep_sorts_and_answers_every_control(sweep, attributes):
    view = sweep_explorer(sweep, attributes, form="live")

    def listed() -> list[str]:
        return re.findall(r'text-anchor="end" font-size="9.5">([^<]*)</text>', view.gains.value)

    assert listed() == ["Male", "Blurry", "Smiling"]
    before = view.curves.value, view.gains.value, view.note.value
    view.weight.value = 3
    assert listed() == ["Smiling", "Male", "Blurry"]
    assert all(a != b for a, b in zip(before, (view.curves.value, view.gains.value,
                                               view.note.value), strict=True))  # fmt: skip
    assert view.note.value.startswith("λ = 10")
    view.weight.value = 1
    gains = view.gains.value
    view.same.value = True
    assert view.gains.value != gains, "another scale"
    assert view.curves.value.count("<polyline") == 4
    assert "unseen people" in view.curves.value


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s, a: (s.drop(columns="low"), a), DataError, "no column 'low' in the sweep"),
        (lambda s, a: (s[:0], a), DataError, "the sweep has no row"),
        (lambda s, a: (s, a.drop(columns="gain")), DataError, "no column 'gain'"),
        (lambda s, a: (s, pd.concat([a, a[:1]])), DataError, "twice"),
        (lambda s, a: (s, a[a["lambda"] != 0.1]), DataError, "lacks lambda 0.1 of"),
        (lambda s, a: (s[s["lambda"] != 10], a), DataError, "lambda 10 .* not in the sweep"),
        (lambda s, a: (s, a.assign(agreement=np.nan)), DataError, "not a number"),
        (lambda s, a: (s[s["lambda"] != 1], a[a["lambda"] != 1]), UnknownNameError, "0, 0.1, 10"),
    ],
)
def test_sweep_explorer_refuses(sweep, attributes, change, error, message):
    with pytest.raises(error, match=message):
        sweep_explorer(*change(sweep, attributes))


def test_sweep_explorer_refuses_an_unknown_form(sweep, attributes):
    with pytest.raises(UnknownNameError, match="unknown form"):
        sweep_explorer(sweep, attributes, form="paper")


# --- people ---------------------------------------------------------------------------------------

M = len(ATTRIBUTES)


@pytest.fixture
def people() -> dict:
    """Three people of 4, 3 and 5 pictures, and one of a single picture; two networks."""
    rng = np.random.default_rng(0)
    identity = np.repeat([7, 3, 9, 5], [4, 3, 5, 1])
    labels = rng.integers(0, 2, (len(identity), M))
    predictions = {"without": rng.random(labels.shape), "with": 0.8 * labels + 0.1}
    return {"labels": labels, "predictions": predictions, "identity": identity}


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (13, 3, 24, 20), generator=generator, dtype=torch.uint8)


def test_static_people_hold_every_answer(people):
    spec = light(person_explorer(**people, form="static"), 60_000)
    agreement = measure(people["labels"], people["identity"]).agreement
    order = np.argsort(-agreement, kind="stable")
    menus = params(spec)
    assert menus["person"]["bind"]["labels"] == [
        "person 1 (3 pictures)", "person 2 (4 pictures)", "person 3 (5 pictures)",
    ]  # fmt: skip
    assert menus["marked"]["bind"]["labels"] == list(MARKED)
    cells = spec["datasets"]["cells"]
    assert len(cells) == 3 * M
    panels = [people["labels"], *people["predictions"].values()]
    for row in cells:
        rows = people["identity"] == (3, 7, 9)[row["p"]]
        column = order[row["m"]]
        for q, values in enumerate(panels):
            said = values[rows, column] > 0.5
            assert [digit >= "5" for digit in row["c"][q]] == said.tolist()
            assert (row["u"][q] == "1") == (2 * said.sum() > len(said))
    shown = np.array([[int(d) for d in row["c"][1]] for row in cells if row["p"] == 2])
    exact = people["predictions"]["without"][people["identity"] == 9][:, order].T
    assert np.abs((shown + 0.5) / 10 - exact).max() <= 0.05 + 1e-9


def test_a_half_is_a_no(people):
    people["predictions"] = {"undecided": np.full(people["labels"].shape, 0.5)}
    spec = person_explorer(**people, form="static").to_dict()
    assert {digit for row in spec["datasets"]["cells"] for digit in row["c"][1]} == {"4"}
    assert all(row["u"][1] == "0" for row in spec["datasets"]["cells"])
    lines = [row["t"][1] for row in spec["datasets"]["people"]]
    assert all(line[1] == "not defined" and line[2] == "0.0" for line in lines)
    assert all(row["r"][1] is None for row in spec["datasets"]["people"])


def test_table_says_how_far_pictures_agree(people):
    spec = person_explorer(**people, form="static").to_dict()
    row = spec["datasets"]["people"][2]
    mine = people["identity"] == 9
    labels, said = people["labels"][mine], people["predictions"]["without"][mine] > 0.5
    for line, answers in ((row["t"][0], labels), (row["t"][1], said)):
        assert line[1] == f"{mean_off_diagonal(np.corrcoef(answers)):+.2f}"
        usual = answers.mean(0) > 0.5
        assert line[2] == f"{(answers != usual).sum(1).mean():.1f}"
    assert row["t"][0][3] == "", "labels are right by definition"
    assert row["t"][1][3] == f"{(said == labels).mean():.1%}"
    assert row["t"][2][1:] == [*row["t"][0][1:3], "100.0%"]
    assert row["r"] == pytest.approx(
        [mean_off_diagonal(image_correlation(a)) for a in (labels, said, labels)], abs=6e-4
    )


def test_pictures_are_shown_where_there_are_any(people, images):
    plain = person_explorer(**people, form="static").to_dict()
    assert "faces" not in plain["datasets"]
    spec = person_explorer(**people, images=images, people=[9, 7], form="static").to_dict()
    assert [row["url"][:16] for row in spec["datasets"]["faces"]] == ["data:image/jpeg;"] * 2
    assert params(spec)["person"]["bind"]["labels"][0].startswith("person 3")


def test_twelve_people_of_twelve_pictures_fit_a_page():
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(20), 14)
    labels = rng.integers(0, 2, (len(identity), M))
    noisy = {name: rng.random(labels.shape) for name in ("one", "two")}
    smooth = torch.rand(len(identity), 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(smooth, size=64, mode="bilinear")
    chart = person_explorer(labels, noisy, identity, images=images, form="static")
    spec = light(chart, 250_000)
    assert len(spec["datasets"]["people"]) == 12
    assert {len(row["c"][0]) for row in spec["datasets"]["cells"]} == {12}


def test_live_people_answer_every_control(people, images):
    view = person_explorer(**people, images=images, start=7, form="live")

    def counts() -> list[int]:
        """The numbers below the columns, panel by panel."""
        below = rf'y="{30 + 10 * M + 11}" text-anchor="middle">(\d+)<'
        return [int(number) for number in re.findall(below, view.matrices.value)]

    mine = people["identity"] == 7
    said = people["predictions"]["without"][mine] > 0.5
    usual = said.mean(0) > 0.5
    assert counts()[4:8] == (said != usual).sum(1).tolist()
    assert bytes(view.faces.value).startswith(b"\x89PNG")
    before = bytes(view.faces.value), view.table.value
    view.marked.value = 1
    labels = people["labels"][mine]
    assert counts() == [0] * 4 + (said != labels).sum(1).tolist() + [0] * 4
    view.person.value = 9
    assert len(counts()) == 15
    assert bytes(view.faces.value) != before[0]
    assert view.table.value != before[1]
    assert [name for name, _ in view.person.options] == [
        f"person {k} ({n} pictures)" for k, n in ((1, 3), (2, 4), (3, 5))
    ]
    first = re.search(r'text-anchor="end">([^<]*)<', view.matrices.value)[1]
    agreement = measure(people["labels"], people["identity"]).agreement
    assert first == pretty(ATTRIBUTES[int(np.argmax(agreement))])


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"predictions": {}}, DataError, "no network to show"),
        ({"predictions": {"a": np.zeros((2, M))}}, DataError, r"a: shape \(2, 40\)"),
        ({"predictions": {"a": np.full((13, M), 1.5)}}, DataError, "a: .* from 0 to 1"),
        ({"predictions": {"a": np.full((13, M), np.nan)}}, DataError, "a: .* from 0 to 1"),
        ({"labels": np.full((13, M), 0.5)}, DataError, "labels must be 0 or 1"),
        ({"labels": np.full((13, M), -1)}, DataError, "labels: .* from 0 to 1"),
        ({"identity": np.arange(13)}, DataError, "nobody has two pictures"),
        ({"people": [5]}, DataError, "person 5 has fewer than two"),
        ({"people": [8]}, DataError, "person 8 has fewer than two"),
        ({"pictures": 1}, DataError, "pictures=1"),
        ({"images": torch.zeros(2, 3, 8, 8)}, DataError, "2 images for 13"),
        ({"start": 5}, UnknownNameError, "person 5 is not shown"),
        ({"form": "paper"}, UnknownNameError, "unknown form"),
    ],
)
def test_person_explorer_refuses(people, how, error, message):
    with pytest.raises(error, match=message):
        person_explorer(**{**people, **how})
