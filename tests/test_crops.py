"""How much of a true region a square has inside, held against counting single pixels."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch.nn.functional import interpolate

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, MapError, UnknownNameError
from faceattr.localization import best_inside, crop_boxes, crop_report, inside_boxes
from faceattr.models.base import FaceModel, Outputs

SIZE = (40, 48)  # height, width: four pixels to a cell
NAMES = ("Bald", "Bangs", "Male")
QUICK = {"device": "cpu", "bootstrap": 50, "progress": False}


@pytest.fixture
def truth():
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(6, 3, 10, 12, generator=generator) > 0.8
    masks[2, 1] = False
    return masks


def counted(box, mask):
    """The share by counting pixels of the enlarged mask."""
    pixels = interpolate(mask[None, None].float(), size=SIZE, mode="nearest")[0, 0]
    x0, y0, x1, y1 = box.tolist()
    return pixels[y0:y1, x0:x1].sum() / pixels.sum()


def test_shares_are_those_of_counted_pixels(truth):
    centres = torch.rand(6, 3, 2, generator=torch.Generator().manual_seed(1)) * 50 - 4
    boxes = crop_boxes(centres, 15, SIZE)
    shares = inside_boxes(boxes, truth, SIZE)
    for b in range(6):
        for j in range(3):
            torch.testing.assert_close(
                shares[b, j], counted(boxes[b, j], truth[b, j]), equal_nan=True
            )
    assert shares[2, 1].isnan()
    one = boxes[:1, :1]
    torch.testing.assert_close(
        inside_boxes(one, truth, SIZE),
        inside_boxes(one.expand(6, 3, 4), truth, SIZE),
        equal_nan=True,
    )


def test_the_best_square_is_the_best_of_all(truth):
    best = best_inside(truth, 15, SIZE)
    for b, j in ((0, 0), (3, 2), (2, 1)):
        every = [
            counted(torch.tensor([x, y, x + 15, y + 15]), truth[b, j])
            for y in range(40 - 14)
            for x in range(48 - 14)
        ]
        torch.testing.assert_close(best[b, j], torch.stack(every).amax(), equal_nan=True)
    assert (best_inside(truth, 40, SIZE)[~best.isnan()] >= best[~best.isnan()]).all()


class Sighted(FaceModel):
    """Attribute j's map is colour j: right where colour j is the region of attribute j."""

    def forward(self, images):
        return Outputs(images.mean((2, 3)), heatmaps=images[:, :, 2::4, 2::4])


class Blind(FaceModel):
    """One spot for everything."""

    def forward(self, images):
        maps = torch.zeros(len(images), 3, 10, 12)
        maps[:, :, 1, 1] = 1
        return Outputs(images.mean((2, 3)), heatmaps=maps)


@pytest.fixture
def data():
    """Each attribute is a 3 x 3 cells' square in its own colour, brightest in its middle."""
    generator = torch.Generator().manual_seed(3)
    masks = torch.zeros(60, 3, 10, 12)
    for b in range(60):
        for j in range(3):
            y, x = (int(torch.randint(1, n - 1, (), generator=generator)) for n in (10, 12))
            masks[b, j, y - 1 : y + 2, x - 1 : x + 2] = 0.6
            masks[b, j, y, x] = 1
    images = (255 * interpolate(masks, size=SIZE, mode="nearest")).round().to(torch.uint8)
    labels = (torch.rand(60, 3, generator=generator) > 0.4).float()
    labels[:, 2] = 0  # nobody wears the third
    people = torch.arange(60) // 4
    faces = Faces(images, attributes=labels, regions=masks > 0, identity=people)
    return FaceDataset(faces, names=NAMES, source="squares")


def test_who_knows_the_place_has_it_all_inside(data):
    frame = crop_report(Sighted(), data, 14, groups={"hair": ["Bald", "Bangs"]}, **QUICK)
    assert list(frame.index.get_level_values(1)) == [*NAMES, "mean", "hair"]
    seen = frame.loc["crop"].drop(index="Male")
    assert (seen[["model", "best"]] > 0.999).all().all()
    assert (seen[["centre", "mean_map"]] < 0.5).all().all()
    assert (seen["face"] < 0.9).all(), "one square for two attributes"
    assert (seen["gain_low"] > 0.02).all()
    best = seen[["centre", "mean_map", "face"]].max(axis=1)
    pd.testing.assert_series_equal(seen["gain"], seen["model"] - best, check_names=False)
    assert frame.loc[("crop", "Male"), "model"] != frame.loc[("crop", "Male"), "model"], "NaN"
    assert frame.loc[("crop", "Male"), "faces"] == 0


def test_who_looks_at_one_spot_gains_nothing(data):
    frame = crop_report(Blind(), data, 14, **QUICK).loc["crop"]
    assert frame.loc["mean", "model"] == frame.loc["mean", "mean_map"] == frame.loc["mean", "face"]
    assert frame.loc["mean", "gain"] <= 0
    both = crop_report([Blind(), Sighted()], data, 14, **QUICK).loc["crop"]
    expected = (frame.loc["mean", "model"] + 1) / 2
    assert both.loc["mean", "model"] == pytest.approx(expected, abs=1e-3)


def test_a_face_of_one_attribute_has_its_own_map_as_the_faces(data):
    """The ``face`` square is at the peak of what is worn; of one worn attribute that is its own."""
    single = data.subset([b for b in range(60) if data.attributes[b].sum() == 1])
    frame = crop_report(Sighted(), single, 14, **QUICK).loc["crop"]
    assert frame.loc["Bald", "face"] == frame.loc["Bald", "model"]


def test_the_crop_is_two_sevenths_where_nobody_says(data):
    auto, said = (crop_report(Sighted(), data, crop, **QUICK) for crop in (None, 11))
    assert auto.equals(said)


def test_bad_input(data, truth):
    with pytest.raises(DataError, match="crop of 41 x 41 pixels does not fit an image of 48 x 40"):
        best_inside(truth, 41, SIZE)
    with pytest.raises(DataError, match="does not fit"):
        crop_report(Sighted(), data, 100, **QUICK)
    with pytest.raises(MapError, match="give bool"):
        inside_boxes(torch.zeros(6, 3, 4), truth.float(), SIZE)
    with pytest.raises(MapError, match="not of the same faces and attributes"):
        inside_boxes(torch.zeros(5, 3, 4), truth, SIZE)
    with pytest.raises(MapError, match="no model"):
        crop_report([], data, **QUICK)
    with pytest.raises(UnknownNameError, match="Smiling"):
        crop_report(Sighted(), data, groups={"mouth": ["Smiling"]}, **QUICK)
