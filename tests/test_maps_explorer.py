"""The maps explorer shows several networks' maps of one face, and how alike they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_explore import check_static, opened, tables

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.maps_explorer import maps_explorer
from faceattr.localization import MapError

NAMES = ("Bald", "Smiling", "Wearing_Hat")


@pytest.fixture
def faces() -> FaceDataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (6, 3, 32, 24), generator=generator, dtype=torch.uint8)
    attributes = torch.tensor([[1.0, 0.0, -1.0]]).repeat(6, 1)
    return FaceDataset(Faces(images, attributes=attributes), names=NAMES)


@pytest.fixture
def maps() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(6, 3, 4, 3, generator=generator)
    return {"teacher": first, "student": first + torch.randn(6, 3, 4, 3, generator=generator)}


def test_static_holds_every_map_of_every_network(faces, maps):
    chart = maps_explorer(maps, faces, rows=(0, 4), start="Smiling", form="static")
    options = {"face": ["face 0", "face 4"], "attribute": ["Bald", "Smiling", "Wearing Hat"]}
    spec = check_static(chart, options, 60_000)
    plain, _, teacher, _, student = tables(spec)
    assert [row["face"] for row in plain] == options["face"]
    assert len(teacher) == len(student) == 6
    shown = np.asarray(opened(student[4]["url"]).convert("RGBA"))[..., 3]  # face 4, Smiling
    assert np.corrcoef(shown.flatten(), maps["student"][4, 1].flatten())[0, 1] > 0.9
    words = next(rows for rows in spec["datasets"].values() if len(rows) == 6 and "text" in rows[0])
    right = np.corrcoef(maps["teacher"][4, 1].flatten(), maps["student"][4, 1].flatten())[0, 1]
    assert words[4]["text"] == f"Smiling, has it not; alike to teacher: student {right:+.2f}"
    assert words[2]["text"].startswith("Wearing Hat; "), "nothing is said where no label is known"


def test_live_answers_to_both_controls(faces, maps):
    view = maps_explorer(maps, faces, form="live")
    assert list(view.pictures) == ["face", "teacher", "student"]
    for control, value in ((view.row, 5), (view.attribute, "Smiling")):
        before = view.pictures["student"].value, view.note.value
        control.value = value
        assert view.pictures["student"].value != before[0]
    assert view.note.value.startswith("Smiling, has it not; alike to teacher: student ")


def test_a_flat_map_is_alike_to_none(faces, maps):
    flat = {**maps, "flat": torch.ones(6, 3, 4, 3)}
    view = maps_explorer(flat, faces, form="live")
    assert view.note.value.endswith("flat +0.00")


def test_bad_input(faces, maps):
    with pytest.raises(DataError, match="no maps to look at"):
        maps_explorer({}, faces)
    with pytest.raises(MapError, match=r"student are \(6, 2, 4, 3\): 6 faces and 3 attributes"):
        maps_explorer({**maps, "student": maps["student"][:, :2]}, faces)
    with pytest.raises(MapError, match="bring them to one grid first"):
        maps_explorer({**maps, "student": torch.rand(6, 3, 8, 6)}, faces)
    with pytest.raises(DataError, match="rows .* of 6 faces"):
        maps_explorer(maps, faces, rows=[6])
    with pytest.raises(UnknownNameError, match="no attribute 'Male' here"):
        maps_explorer(maps, faces, start="Male")
    with pytest.raises(UnknownNameError, match="unknown form"):
        maps_explorer(maps, faces, form="both")
