"""Results over numbers of labelled faces, on two kinds of which one lacks a network."""

import json

import pytest

from faceattr.budgets import Budgets
from faceattr.errors import DataError


def row(value, spread=0.01):
    ends = {"accuracy": value, "accuracy_low": value - spread, "accuracy_high": value + spread}
    return {"mean": {**ends, "majority_accuracy": 0.8}}


@pytest.fixture
def paths(tmp_path):
    drawn = {
        "record": {"budgets": [50, 4000]},
        "networks": {f"{m}-{n}": row(0.8 + k / 100) for k, (m, n) in enumerate(
            [("l2", 50), ("l2", 4000), ("groups", 50), ("groups", 4000)])},
        "differences": {
            "groups-50 - l2-50": row(0.02), "groups-4000 - l2-4000": row(-0.03),
        },
    }  # fmt: skip
    photographs = {
        "record": {"budgets": [50]},
        "networks": {"l2-50": row(0.81)},
        "differences": {"groups-50 - l2-50": row(0.005)},
    }
    found = {"drawn faces": tmp_path / "a.json", "photographs": tmp_path / "b.json"}
    for path, run in zip(found.values(), (drawn, photographs), strict=True):
        path.write_text(json.dumps(run))
    return {**found, "others": tmp_path / "c.json"}


def test_curves_and_gains_leave_out_what_was_not_run(paths):
    results = Budgets.read(paths)
    assert list(results.kinds) == ["drawn faces", "photographs"]
    curves = results.curves({"l2": "one by one", "groups": "groups"})
    assert curves[["where", "faces", "method"]].to_numpy().tolist() == [
        ["drawn faces", 50, "one by one"], ["drawn faces", 4000, "one by one"],
        ["drawn faces", 50, "groups"], ["drawn faces", 4000, "groups"],
        ["photographs", 50, "one by one"],
    ]  # fmt: skip
    assert curves["value"].tolist() == pytest.approx([0.8, 0.81, 0.82, 0.83, 0.81])
    gains = results.gains("groups", {"l2": "minus l2", "none": "minus none"})
    assert gains["high"].tolist() == pytest.approx([0.03, -0.02, 0.015])
    assert results.majority() == {"drawn faces": 0.8, "photographs": 0.8}
    assert results.mean("photographs", "groups-50") is None


def test_verdicts_in_a_table_and_in_a_sentence(paths):
    results = Budgets.read(paths)
    table = results.compared({"groups minus l2": ("groups", "l2"), "never": ("l2", "none")})
    assert table.loc[("drawn faces", "50"), "accuracy, groups minus l2"].startswith("yes: +2.00")
    assert table.loc[("drawn faces", "4,000")].tolist() == [
        "no, the reverse: -3.00 [-4.00, -2.00]",
        "",
    ]
    assert results.answer("groups", "l2") == (
        "- drawn faces: clearly ahead at 50; clearly behind at 4,000 labelled faces\n"
        "- photographs: not to be told apart at 50 labelled faces"
    )
    assert results.answer("l2", "none") == ""
    assert results.answers({"Q": ("groups", "l2")}).startswith("**Q:**\n\n- drawn faces")


def test_bad_files(paths, tmp_path):
    with pytest.raises(DataError, match="no results at"):
        Budgets.read({"x": tmp_path / "nothing.json"})
    for content in ("{", "[]", '{"record": {}}'):
        paths["photographs"].write_text(content)
        with pytest.raises(DataError, match=r"b\.json holds no results"):
            Budgets.read(paths)
