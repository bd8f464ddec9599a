"""Explorers: the static form holds everything and weighs little, the live form answers."""

from __future__ import annotations

import base64
import io
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from faceattr.attributes import ATTRIBUTES, index, pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.labels import contradictions
from faceattr.data.synthetic import draw_face
from faceattr.errors import DataError, MissingDependencyError, UnknownNameError
from faceattr.explore import Explorer, face_builder, heatmap_explorer, interactive
from faceattr.explore.common import heat_picture, spotlight
from faceattr.explore.face_builder import BASES, switch
from faceattr.localization import MapError
from faceattr.models.base import FaceModel, Outputs

M = len(ATTRIBUTES)


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def tables(spec: dict) -> list[list[dict]]:
    """The rows behind each picture layer."""
    pictures = [layer for layer in spec["layer"] if layer["mark"]["type"] == "image"]
    return [spec["datasets"][layer["data"]["name"]] for layer in pictures]


def check_static(chart, fields: dict[str, list[str]], limit: int) -> dict:
    """A valid spec, light, with nothing to fetch, and a menu over each field's options."""
    spec = chart.to_dict()  # altair validates it against Vega-Lite's schema
    text = json.dumps(spec)
    assert len(text) < limit
    assert all(row["url"].startswith("data:image/") for rows in tables(spec) for row in rows)
    assert "http" not in text.replace(spec["$schema"], "")
    menus = {param["name"]: param for param in spec["params"]}
    for field, options in fields.items():
        assert menus[field]["bind"]["options"] == options
        assert menus[field]["value"] in options
    assert spec["config"]["background"].startswith("#")
    assert spec["description"]
    return spec


# --- which form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FACEATTR_STATIC": "0"}, True),
        ({"FACEATTR_STATIC": "0", "FACEATTR_PROFILE": "smoke"}, True),
        ({"FACEATTR_STATIC": "1"}, False),
        ({"FACEATTR_PROFILE": "book"}, False),
        ({}, False),  # pytest is no kernel
    ],
)
def test_when_a_person_listens(monkeypatch, environment, expected):
    for name in ("FACEATTR_STATIC", "FACEATTR_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert interactive() is expected


@pytest.mark.parametrize(("static", "shown"), [("1", ["chart"]), ("0", ["widget", "chart"])])
def test_a_saved_notebook_always_keeps_the_chart(monkeypatch, static, shown):
    displayed = []
    monkeypatch.setenv("FACEATTR_STATIC", static)
    monkeypatch.setattr("IPython.display.display", displayed.append)
    Explorer(lambda: "widget", lambda: "chart")._ipython_display_()
    assert displayed == shown


def test_auto_makes_nothing_before_it_is_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    explorer = face_builder()
    assert isinstance(explorer, Explorer)
    with pytest.raises(MissingDependencyError, match="static explorers need altair.*pip install"):
        explorer.static  # noqa: B018


def test_missing_widgets_name_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingDependencyError, match="live explorers need ipywidgets.*pip install"):
        face_builder(form="live")


# --- pictures -------------------------------------------------------------------------------------


def test_cold_is_clear_and_hot_is_dense():
    heat = torch.tensor([[0.0, 0.5, 1.0]])
    alpha = np.asarray(heat_picture(heat).convert("RGBA"))[0, :, 3]
    assert alpha[0] == 0
    assert alpha[0] < alpha[1] < alpha[2]


def test_spotlight_is_a_hole():
    mask = torch.tensor([[True, False]])
    alpha = np.asarray(spotlight(mask).convert("RGBA"))[0, :, 3]
    assert alpha[0] == 0
    assert alpha[1] > 100


# --- the face builder -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built() -> dict:
    options = {"base": list(BASES), "attribute": [pretty(name) for name in ATTRIBUTES]}
    return check_static(face_builder(form="static"), options, 350_000)


def test_static_builder_holds_every_attribute_of_every_face(built):
    before, after, again, regions = tables(built)
    assert len(before) == len(BASES)
    assert {(row["base"], row["attribute"]) for row in after} == {
        (base, pretty(name)) for base in BASES for name in ATTRIBUTES
    }
    assert after is again  # two panels, stored once
    assert {row["attribute"] for row in regions} >= {"Eyeglasses", "Smiling", "Bald"}


def test_static_builder_shows_the_switch_inside_its_region(built):
    before, after, _, regions = tables(built)
    for base in BASES:
        plain = np.asarray(opened(next(r["url"] for r in before if r["base"] == base)), float)
        row = {"base": base, "attribute": "Eyeglasses"}
        changed, mask = (
            opened(next(r["url"] for r in rows if row.items() <= r.items()))
            for rows in (after, regions)
        )
        difference = np.abs(np.asarray(changed, float) - plain).mean(-1)
        hole = np.asarray(mask.convert("RGBA").resize(changed.size))[..., 3] == 0
        assert difference[hole].mean() > 4 * difference[~hole].mean()


def test_builder_of_some_attributes():
    spec = face_builder(attributes=["smiling", "Bald"], start="bald", form="static").to_dict()
    menus = {param["name"]: param for param in spec["params"]}
    assert menus["attribute"]["bind"]["options"] == ["Smiling", "Bald"]
    assert menus["attribute"]["value"] == "Bald"


def test_what_contradicts_a_switch_gives_way():
    attributes = torch.zeros(M)
    attributes[[index("Bangs"), index("Wavy_Hair"), index("Black_Hair"), index("No_Beard")]] = 1
    bald, gone = switch(attributes, "Bald")
    assert set(gone) == {"Bangs", "Black_Hair", "Wavy_Hair"}
    assert bald[index("Bald")] == bald[index("No_Beard")] == 1
    goatee, gone = switch(attributes, "Goatee")
    assert gone == ["No_Beard"]
    off, gone = switch(attributes, "Bangs")
    assert gone == []
    assert off.sum() == 3
    for name in ATTRIBUTES:
        worn, _ = switch(bald, name)
        assert not any(contradictions(worn).values()), name


def test_live_builder_answers_every_switch():
    view = face_builder(form="live")
    assert set(view.switches) == set(ATTRIBUTES)
    for name in ("Eyeglasses", "Smiling", "Bald", "Wearing_Hat"):
        before = view.face.value
        view.switches[name].value = not view.switches[name].value
        assert view.face.value != before, name
        assert pretty(name) in view.note.value
    assert view.switches["Wearing_Hat"].value
    assert not view.switches["Bald"].value  # gave way to the hat, on its switch too
    mask = view.mask.value
    view.region.value = "Smiling"
    assert view.mask.value != mask


def test_live_builder_draws_what_draw_face_draws():
    view = face_builder(form="live", seed=3)
    worn, person = next(iter(BASES.values()))
    attributes = torch.zeros(M)
    attributes[[index(name) for name in worn]] = 1
    expected = (draw_face(attributes, person=person, seed=3).images * 255).round().byte()
    shown = np.asarray(Image.open(io.BytesIO(view.face.value)))
    assert np.array_equal(shown, expected.permute(1, 2, 0).numpy())


def test_live_builder_draws_anyone():
    view = face_builder(form="live")
    before, who = view.face.value, view.person.value
    view.anyone.click()
    assert view.face.value != before
    worn = torch.tensor([float(view.switches[name].value) for name in ATTRIBUTES])
    assert not any(contradictions(worn).values())
    first = view.face.value
    view.person.value = (who + 7) % 200
    assert view.face.value != first


# --- the heat-map explorer ------------------------------------------------------------------------


class Channels(FaceModel):
    """Three maps, the picture's own colours, and a logit each."""

    def forward(self, images):
        maps = images - images.mean(dim=(2, 3), keepdim=True)
        return Outputs(images.mean(dim=(2, 3)) * 4 - 2, heatmaps=maps[..., ::4, ::4])


NAMES = ("Bald", "Smiling", "Wearing_Hat")


@pytest.fixture
def faces() -> FaceDataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 32, 24), generator=generator, dtype=torch.uint8)
    regions = torch.zeros(8, 3, 16, 12, dtype=torch.bool)
    regions[:, :2, 3:9, 2:8] = True  # nobody's hat is anywhere
    attributes = (torch.rand(8, 3, generator=generator) > 0.5).float()
    attributes[0] = torch.tensor([1.0, 0.0, -1.0])
    return FaceDataset(Faces(images, attributes=attributes, regions=regions), names=NAMES)


def test_static_heatmaps_hold_every_map(faces):
    model = Channels().train()
    chart = heatmap_explorer(model, faces, rows=(0, 3), start="Smiling", form="static")
    options = {"face": ["face 0", "face 3"], "attribute": ["Bald", "Smiling", "Wearing Hat"]}
    spec = check_static(chart, options, 60_000)
    assert model.training
    plain, grey, heat, _, regions = tables(spec)
    assert [row["face"] for row in plain] == [row["face"] for row in grey] == options["face"]
    assert len({(row["face"], row["attribute"]) for row in heat}) == len(heat) == 6
    assert {row["attribute"] for row in regions} == {"Bald", "Smiling"}
    maps = model(faces.gather([0]).images).heatmaps[0, 1].clamp_min(0)
    shown = np.asarray(opened(heat[1]["url"]).convert("RGBA"))[..., 3]
    assert shown.shape == maps.shape  # the map's own cells, not one more
    assert np.corrcoef(shown.flatten(), maps.flatten())[0, 1] > 0.9
    words = [rows for rows in spec["datasets"].values() if "text" in rows[0] and len(rows) == 6][0]
    assert words[0]["text"].startswith("Bald: the network says ")
    assert [row["text"].split(", ")[1] for row in words[:3]] == [
        "the label says yes", "the label says no", "no label",
    ]  # fmt: skip


def test_static_heatmaps_of_forty_attributes_stay_light():
    generator = torch.Generator().manual_seed(0)
    smooth = torch.rand(6, 3, 8, 8, generator=generator)
    images = torch.nn.functional.interpolate(smooth, size=(128, 128), mode="bilinear")
    faces = Faces(images, regions=torch.rand(6, M, 32, 32, generator=generator) > 0.5)
    maps = torch.randn(6, M, 8, 8, generator=generator)
    chart = heatmap_explorer(maps, faces, form="static")
    check_static(chart, {"attribute": [pretty(name) for name in ATTRIBUTES]}, 500_000)


def test_live_heatmaps_show_any_face(faces):
    view = heatmap_explorer(Channels(), faces, form="live")
    assert view.row.max == 7
    for control, value in ((view.row, 7), (view.attribute, "Smiling")):
        before = (view.heat.value, view.note.value)
        control.value = value
        assert (view.heat.value, view.note.value) != before
        assert view.heat.value != before[0]
    assert "Smiling: the network says" in view.note.value


def test_an_all_negative_map_shows_the_bare_face(faces):
    maps = -torch.rand(8, 3, 4, 3) - 0.1
    view = heatmap_explorer(maps, faces, form="live")
    face = Image.open(io.BytesIO(view.plain.value)).convert("L")
    heat = Image.open(io.BytesIO(view.heat.value))
    assert np.array_equal(np.asarray(heat), np.asarray(face.convert("RGB")))
    assert "network" not in view.note.value  # maps alone say nothing


def test_bad_input(faces):
    maps = torch.rand(8, 3, 4, 3)
    with pytest.raises(UnknownNameError, match="unknown form 'both': choose one of auto"):
        face_builder(form="both")
    with pytest.raises(UnknownNameError, match="Eyeglasses"):
        face_builder(start="eyeglases")
    with pytest.raises(DataError, match="rows .* of 8 faces"):
        heatmap_explorer(maps, faces, rows=[8])
    with pytest.raises(DataError, match="rows .* of 0 faces"):
        heatmap_explorer(maps[:0], faces.subset([]))
    with pytest.raises(DataError, match="no attribute 'Male' here"):
        heatmap_explorer(maps, faces, start="Male")
    with pytest.raises(MapError, match="3 maps for 8 faces"):
        heatmap_explorer(maps[:3], faces, form="static")
    with pytest.raises(MapError, match="maps of 2 attributes for 3 names"):
        heatmap_explorer(maps[:, :2], faces, form="static")
