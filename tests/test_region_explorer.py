"""The region explorer: both forms show the square that the library cuts, and weigh little."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.synthetic import SynthFaces
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore import region_explorer
from faceattr.explore.common import enlarged, picture
from faceattr.explore.region_chart import SIDE, outline
from faceattr.explore.region_explorer import framed
from faceattr.localization import MapError, attribute_regions, crop_report
from faceattr.models import PaW
from faceattr.models.base import FaceModel, Outputs

M = len(ATTRIBUTES)
NAMES = ("Bald", "Smiling", "Wearing_Hat")


class Channels(FaceModel):
    """Three maps, the picture's own colours."""

    def forward(self, images):
        maps = images - images.mean(dim=(2, 3), keepdim=True)
        return Outputs(images.mean(dim=(2, 3)) * 4 - 2, heatmaps=maps[..., ::4, ::4])


@pytest.fixture
def faces() -> FaceDataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 32, 24), generator=generator, dtype=torch.uint8)
    regions = torch.zeros(8, 3, 16, 12, dtype=torch.bool)
    regions[:, :2, 3:9, 2:8] = True  # nobody's hat is anywhere
    attributes = (torch.rand(8, 3, generator=generator) > 0.5).float()
    attributes[0] = torch.tensor([1.0, 0.0, -1.0])
    return FaceDataset(Faces(images, attributes=attributes, regions=regions), names=NAMES)


def test_the_square_is_the_one_that_a_paws_subnet_is_shown(faces):
    torch.manual_seed(0)
    model = PaW.small(num_attributes=3, crop=17).eval()  # 2/7 of the picture would be 7
    shown = region_explorer(model, faces, form="live")
    square = Image.open(io.BytesIO(shown.face.value))
    wanted = model.region_boxes(faces.gather([0]).images)[0, 0]
    expected = framed(
        enlarged(picture(faces.faces.images[0]), 256), wanted / torch.tensor([24, 32, 24, 32])
    )
    assert np.array_equal(np.asarray(square), np.asarray(expected))
    report = crop_report(model, faces, progress=False, bootstrap=0)
    same = crop_report(model, faces, 17, progress=False, bootstrap=0)
    pd.testing.assert_frame_equal(report, same)


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def held(chart) -> tuple[dict, list[dict], list[dict]]:
    """The specification, its faces, and its faces' attributes; valid and with nothing to fetch."""
    spec = chart.to_dict()  # altair validates it against Vega-Lite's schema
    assert "http" not in json.dumps(spec).replace(spec["$schema"], "")
    tables = [rows for rows in spec["datasets"].values() if "face" in rows[0]]
    (plain,) = (rows for rows in tables if "url" in rows[0])
    (cells,) = (rows for rows in tables if "heat" in rows[0])
    return spec, plain, cells


def test_the_static_form_holds_every_square(faces):
    model = Channels().train()
    chart = region_explorer(model, faces, crop=8, rows=(0, 3), start="Smiling", form="static")
    spec, plain, cells = held(chart)
    assert model.training
    menus = {param["name"]: param for param in spec["params"]}
    assert menus["face"]["bind"]["options"] == ["face 0", "face 3"]
    assert menus["attribute"]["bind"]["options"] == ["Bald", "Smiling", "Wearing Hat"]
    assert menus["attribute"]["value"] == "Smiling"
    assert menus["outline"]["bind"]["input"] == "checkbox"
    assert menus["outline"]["value"] is False
    assert len(plain) == 2
    assert len(cells) == 6
    boxes = attribute_regions(model, faces.gather([0, 3]).images, 8).flatten(0, 1)
    squares = torch.tensor([[row[k] for k in ("x0", "y0", "x1", "y1")] for row in cells])
    torch.testing.assert_close(squares * 24 / SIDE, boxes.float(), atol=0.02, rtol=0)
    assert [row["attribute"] for row in cells if "line" in row] == ["Bald", "Smiling"] * 2
    assert [row["text"].split(": ")[1] for row in cells[:3]] == [
        "the label says yes", "the label says no", "no label",
    ]  # fmt: skip
    assert spec["config"]["background"].startswith("#")
    assert spec["description"]


def test_the_enlarged_face_fills_the_panel_with_the_square(faces):
    spec, _, cells = held(region_explorer(Channels(), faces, crop=8, rows=[1], form="static"))
    text = json.dumps(spec)
    zoom = {float(z) for z in re.findall(r"-datum\.x0 \* ([\d.]+)", text)}
    assert zoom == {24 / 8}
    assert cells[0]["x1"] - cells[0]["x0"] == pytest.approx(SIDE / 3, abs=0.02)
    (size,) = {
        (layer["mark"]["width"], layer["mark"]["height"])
        for layer in spec["vconcat"][0]["hconcat"][2]["layer"]
    }
    assert size == pytest.approx((SIDE * 24 / 8, SIDE * 32 / 8), rel=1e-3)
    for layer in spec["vconcat"][0]["hconcat"][2]["layer"]:
        assert layer["mark"]["clip"], "what is outside the square is cut off"


def test_without_truth_there_is_no_switch(faces):
    faces.faces.regions = None
    spec, _, cells = held(region_explorer(Channels(), faces, crop=8, form="static"))
    assert [param["name"] for param in spec["params"]] == ["face", "attribute"]
    assert not any("line" in row for row in cells)
    assert "outline" not in spec["description"]


def test_forty_attributes_stay_light():
    faces = SynthFaces(5, size=64, view="unaligned", regions=True, workers=1)
    maps = torch.randn(5, M, 8, 8, generator=torch.Generator().manual_seed(0))
    chart = region_explorer(maps, faces, sharp=224, form="static")
    spec, plain, cells = held(chart)
    assert len(json.dumps(spec)) < 450_000
    assert len(cells) == 5 * M
    assert opened(plain[0]["url"]).size == (224, 224)


def test_the_outline_is_where_the_region_ends():
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[2:5, 0:4] = True
    seen = np.asarray(outline(mask, 80).convert("RGBA"))[..., 3]
    assert seen.shape == (80, 80)
    assert seen[20, 20] > 0, "its upper end"
    assert seen[35, 39] > 0, "its right end"
    assert seen[35, 0] == 0, "the picture's border is no end"
    assert seen[35, 20] == seen[70, 70] == 0, "neither inside nor outside"


def test_the_live_form_answers_every_control(faces):
    view = region_explorer(Channels(), faces, crop=8, form="live")
    assert view.row.max == 7

    def shown():
        return view.face.value, view.heat.value, view.inside.value

    for control, value in ((view.row, 7), (view.attribute, "Smiling")):
        before = shown()
        control.value = value
        assert all(a != b for a, b in zip(before, shown(), strict=True))
    before = shown()
    view.truth.value = True
    assert view.face.value != before[0]
    assert view.heat.value != before[1]
    assert pretty("Smiling") in view.note.value


def test_the_live_form_shows_what_is_cut_out(faces):
    images = torch.zeros(1, 3, 32, 24)
    images[0, 0, 8:16, 4:12] = 1  # red exactly where the square will be
    maps = torch.zeros(1, 3, 8, 6)
    maps[0, 0, 2:4, 1:3] = torch.tensor([[1.0, 0.9], [0.9, 0.9]])
    maps[0, 0, 2, 1] = 1
    single = Faces(images)
    view = region_explorer(maps, single, crop=4, names=NAMES, form="live")
    inside = np.asarray(Image.open(io.BytesIO(view.inside.value)).convert("RGB"))
    middle = inside[80:-80, 80:-80].reshape(-1, 3).mean(0)
    assert middle[0] > 240
    assert middle[1:].tolist() == [0, 0]


def test_maps_without_a_peak_say_so(faces):
    maps = -torch.rand(8, 3, 8, 6, generator=torch.Generator().manual_seed(0)) - 0.1
    maps[:, 1] = 0.5
    _, _, cells = held(region_explorer(maps, faces, crop=8, rows=[2], form="static"))
    assert "no evidence" in cells[0]["text"]
    assert "constant" in cells[1]["text"]
    assert (cells[1]["x0"] + cells[1]["x1"]) / 2 == pytest.approx(SIDE / 2)


def test_bad_input(faces):
    maps = torch.rand(8, 3, 8, 6)
    with pytest.raises(UnknownNameError, match="unknown form 'both'"):
        region_explorer(maps, faces, form="both")
    with pytest.raises(DataError, match="rows .* of 8 faces"):
        region_explorer(maps, faces, rows=[8])
    with pytest.raises(DataError, match="no attribute 'Male' here"):
        region_explorer(maps, faces, start="Male")
    with pytest.raises(DataError, match="only SynthFaces can be drawn again"):
        region_explorer(maps, faces, sharp=224)
    with pytest.raises(DataError, match="does not fit an image of 24 x 32"):
        region_explorer(maps, faces, crop=30, form="static")
    with pytest.raises(MapError, match="3 maps for 8 faces"):
        region_explorer(maps[:3], faces, form="static")
    with pytest.raises(MapError, match="maps of 2 attributes for 3 names"):
        region_explorer(maps[:, :2], faces, form="static")
