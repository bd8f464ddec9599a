"""SynthFaces: same pixels whatever the processes, CelebA-like labels, truth that is true."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf

from faceattr import ATTRIBUTES, index
from faceattr.data.augment import FaceAugment
from faceattr.data.drawing import workshop
from faceattr.data.drawing.regions import ATTRIBUTE_PARTS
from faceattr.data.faces import UNKNOWN, Faces
from faceattr.data.labels import LabelModel
from faceattr.data.synthetic import SynthFaces, draw_face
from faceattr.errors import DataError

FIELDS = ("images", "attributes", "identity", "box", "landmarks", "regions", "is_face")


def same(first: Faces, second: Faces) -> bool:
    return all(torch.equal(getattr(first, f), getattr(second, f)) for f in FIELDS)


@pytest.fixture(scope="module")
def some() -> SynthFaces:
    return SynthFaces(40, size=64, regions=True, seed=3, faces_per_person=4, workers=1)


@pytest.fixture(scope="module")
def wild() -> SynthFaces:
    return SynthFaces(24, size=96, view="wild", regions=True, seed=4, faces_per_person=2)


@pytest.fixture(scope="module")
def unaligned() -> SynthFaces:
    return SynthFaces(60, size=96, view="unaligned", regions=True, seed=4, faces_per_person=2)


@pytest.mark.parametrize("view", ["aligned", "unaligned", "wild"])
def test_same_pixels_whatever_the_number_of_processes(view):
    one, two = (
        SynthFaces(40, size=32, view=view, regions=True, workers=workers) for workers in (1, 2)
    )
    assert same(one.faces, two.faces)
    assert torch.equal(one.clean_attributes, two.clean_attributes)


def test_another_seed_person_and_picture_give_other_pixels():
    labels = np.zeros(40)
    face = draw_face(labels, size=32).images
    assert not torch.equal(face, draw_face(labels, person=1, size=32).images)
    assert not torch.equal(face, draw_face(labels, seed=1, size=32).images)
    first, second = (SynthFaces(4, size=32, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.faces.images, second.faces.images)


def test_every_region_exists_and_places_differ(some, wild):
    for faces in (some.faces, wild.faces):
        assert faces.regions.shape[1:] == (40, *(side // 4 for side in faces.images.shape[-2:]))
        assert faces.regions.flatten(2).any(dim=2).all()
    mean = some.faces.regions.float().mean(0)  # (M, h, w)
    rows = torch.arange(mean.shape[1]).float()
    height = (mean.sum(2) * rows).sum(1) / mean.sum((1, 2))
    order = ["Wearing_Hat", "Bangs", "Arched_Eyebrows", "Eyeglasses", "Big_Nose", "Mustache"]
    order += ["Smiling", "Goatee", "Double_Chin", "Wearing_Necktie"]
    heights = [height[index(name)].item() for name in order]
    assert heights == sorted(heights)
    assert set(ATTRIBUTE_PARTS) == set(ATTRIBUTES)
    assert len({parts for parts in ATTRIBUTE_PARTS.values()}) >= 20


@pytest.mark.parametrize("data", ["some", "wild"])
def test_landmarks_lie_in_the_box_in_order(data, request):
    faces = request.getfixturevalue(data).faces
    x, y = faces.landmarks.unbind(-1)  # (B, 5)
    x0, y0, x1, y1 = faces.box.T[:, :, None]
    assert ((x0 < x) & (x < x1) & (y0 < y) & (y < y1)).all()
    side = faces.images.shape[-1]
    assert (faces.box >= 0).all()
    assert (faces.box <= side).all()
    assert (x[:, 0] < x[:, 1]).all(), "left eye is left in the picture"
    assert (x[:, 3] < x[:, 4]).all(), "left corner of the mouth is left in the picture"
    assert (y[:, :2].mean(1) < y[:, 2]).all()
    assert (y[:, 2] < y[:, 3:].mean(1)).all()


def test_regions_lie_over_what_they_mark(some):
    cells = torch.arange(16) * 4 + 2.0  # centres of the grid's cells, pixels
    for name, marks in (("Narrow_Eyes", slice(0, 2)), ("Smiling", slice(3, 5))):
        mask = some.faces.regions[:, index(name)].float()
        x = (mask.sum(1) * cells).sum(1) / mask.sum((1, 2))
        assert (x - some.faces.landmarks[:, marks, 0].mean(1)).mean().abs() < 0.5


def test_a_mirror_image_keeps_the_order(some):
    flip = FaceAugment(flip=1, shift=0)
    faces = some.gather(range(len(some)))
    mirrored = flip.apply(faces, flip.draw(len(some), torch.Generator()))
    x, y = mirrored.landmarks.unbind(-1)
    assert (x[:, 0] < x[:, 1]).all()
    assert (x[:, 3] < x[:, 4]).all()
    x0, y0, x1, y1 = mirrored.box.T[:, :, None]
    assert ((x0 < x) & (x < x1) & (y0 < y) & (y < y1)).all()
    assert torch.equal(mirrored.regions, faces.regions.flip(-1))
    rows = torch.arange(len(some))
    for eye in (0, 1):  # the region has the landmark's cell or one beside it
        column, row = (mirrored.landmarks[:, eye] / 4).long().unbind(1)
        eyes = nnf.max_pool2d(mirrored.regions[:, index("Narrow_Eyes")].float(), 3, 1, 1)
        assert eyes[rows, row, column].all()


def test_wild_box_fits_the_drawn_head(wild):
    head = wild.faces.regions[:, index("Attractive")]  # the head's outline, 4 pixels a cell
    for mask, box in zip(head, wild.faces.box, strict=True):
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        drawn = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert np.abs(np.array(drawn) * 4 - box.numpy()).max() <= 6
    sizes = wild.faces.box[:, 3] - wild.faces.box[:, 1]
    assert sizes.max() > 1.5 * sizes.min()
    centres = (wild.faces.box[:, :2] + wild.faces.box[:, 2:]) / 2
    assert centres.std(0).min() > 5


def test_unaligned_faces_fill_the_picture_and_move_about(unaligned):
    box = unaligned.faces.box
    sizes, centres = box[:, 3] - box[:, 1], (box[:, :2] + box[:, 2:]) / 2
    assert sizes.min() > 0.3 * 96
    assert sizes.max() > 1.25 * sizes.min()
    aligned = SynthFaces(60, size=96, seed=4, faces_per_person=2).faces.box
    beside = (aligned[:, :2] + aligned[:, 2:]) / 2
    assert (centres.std(0) > 2 * beside.std(0)).all()
    assert unaligned.faces.regions.flatten(2).any(2).float().mean() > 0.98


def test_labels_are_the_label_model_s(some):
    attributes, identity = LabelModel.load().sample(10, 4, 9)
    for person in range(10):
        ours = some.clean_attributes[some.faces.identity == person].numpy()
        theirs = attributes[identity == person]
        assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))
    assert torch.equal(some.attributes, some.clean_attributes)
    assert torch.allclose(some.prevalence, some.attributes.mean(0))
    assert some.label_model.graph(0.3).shape == (40, 40)


def test_people_of_the_splits_are_disjoint_and_all_is_their_union():
    whole = SynthFaces(40, size=32, split="all", faces_per_person=2)
    parts = [
        SynthFaces(count, size=32, split=split, faces_per_person=2)
        for split, count in (("train", 32), ("valid", 4), ("test", 4))
    ]
    assert torch.equal(whole.faces.images, torch.cat([part.faces.images for part in parts]))
    people = [set(part.faces.identity.tolist()) for part in parts]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]
    assert len(people[0]) == 16


def test_label_noise_and_hidden_labels(some):
    noisy = SynthFaces(60, size=32, label_noise=0.1, labelled=25, seed=1)
    known = (noisy.attributes != UNKNOWN).all(1)
    assert known.sum() == 25
    assert (noisy.attributes[~known] == UNKNOWN).all()
    flipped = noisy.attributes[known] != noisy.clean_attributes[known]
    assert 0.06 < flipped.float().mean() < 0.14
    assert torch.isin(noisy.clean_attributes, torch.tensor([0.0, 1.0])).all()
    assert ((noisy.prevalence >= 0) & (noisy.prevalence <= 1)).all()
    upside_down = SynthFaces(5, size=32, label_noise=1)
    assert torch.equal(upside_down.attributes, 1 - upside_down.clean_attributes)
    assert SynthFaces(5, size=32, labelled=0).prevalence.isnan().all()


def test_a_data_set_like_any_other(some):
    face = some[5]
    assert face.images.dtype == torch.float32
    assert 0 <= face.images.min() < face.images.max() <= 1
    assert some.faces.images.dtype == torch.uint8
    assert some.size == (64, 64)
    batches = list(some.batches(16, shuffle=True))
    assert sum(map(len, batches)) == 40
    assert batches[0].regions.shape == (16, 40, 16, 16)
    assert SynthFaces(2, size=32).faces.regions is None


def test_redraw_gives_the_same_face_and_its_counterfactual(some):
    again = some.redraw(7)
    assert torch.equal((again.images * 255).round().byte(), some.faces.images[7])
    assert torch.equal(again.regions, some.faces.regions[7])
    assert torch.equal(again.identity, some.faces.identity[7])
    other = some.clean_attributes[7].clone()
    j = index("Eyeglasses")
    other[j] = 1 - other[j]
    changed = (some.redraw(7, other).images != again.images).any(0)
    assert 0 < changed.float().mean() < 0.15
    assert some.redraw(7, size=96).images.shape == (3, 96, 96)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"num_faces": 0}, "num_faces"),
        ({"num_faces": -3}, "num_faces"),
        ({"num_faces": 2.5}, "num_faces"),
        ({"split": "holdout"}, "holdout.*train, valid, test, all"),
        ({"view": "side"}, "side.*aligned, unaligned, wild"),
        ({"size": 31}, "size is 31"),
        ({"size": (64, 64)}, "size"),
        ({"seed": -1}, "seed"),
        ({"label_noise": 1.5}, "label_noise"),
        ({"label_noise": -0.1}, "label_noise"),
        ({"labelled": 5}, "labelled is 5.*4 faces"),
        ({"labelled": -1}, "labelled"),
        ({"workers": 0}, "workers"),
        ({"faces_per_person": 0}, "faces_per_person"),
        ({"person_strength": 3}, "person_strength"),
    ],
)
def test_bad_arguments_are_named(arguments, names):
    arguments = {"num_faces": 4, "size": 32, **arguments}
    with pytest.raises(DataError, match=names):
        SynthFaces(arguments.pop("num_faces"), **arguments)


@pytest.mark.parametrize("view", ["unaligned", "wild"])
def test_faces_of_any_view_are_drawn_again(view):
    faces = SynthFaces(3, size=64, view=view, regions=True, workers=1)
    again, sharp = faces.redraw(1), faces.redraw(1, size=128)
    assert torch.equal((again.images * 255).round().byte(), faces.faces.images[1])
    assert torch.equal(again.box, faces.faces.box[1])
    torch.testing.assert_close(sharp.box, 2 * again.box, atol=1.5, rtol=0)
    with pytest.raises(DataError, match="side.*aligned, unaligned, wild"):
        draw_face(faces.clean_attributes[0], view="side")


def test_a_killed_drawing_process_is_one_clear_error(monkeypatch):
    if sys.platform != "linux":
        pytest.skip("the replaced function reaches the processes by fork only")
    monkeypatch.setattr(workshop, "paint_faces", lambda *a, **k: os._exit(9))
    with pytest.raises(DataError, match="workers=1"):
        SynthFaces(70, size=32, workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_too_many_faces_for_the_memory(workers):
    many = np.broadcast_to(np.zeros(40, dtype=np.float32), (10**10, 40))
    with pytest.raises(DataError, match="memory"):
        workshop.draw_many(many, many, many, 4096, view="aligned", regions=False, workers=workers)
