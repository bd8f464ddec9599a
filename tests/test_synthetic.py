"""Drawn faces: same pixels everywhere, every attribute visible in its place, truth that is true."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from faceattr import ATTRIBUTES, index
from faceattr.data.drawing import paint_face, paint_scene, workshop
from faceattr.data.drawing.regions import ATTRIBUTE_PARTS
from faceattr.data.faces import UNKNOWN, Faces
from faceattr.data.labels import LabelModel
from faceattr.data.scenes import SynthScenes
from faceattr.data.synthetic import SynthFaces, draw_face
from faceattr.errors import DataError

#: Attributes that CelebA's own definition spreads over head or picture: no small place to find.
GLOBAL = {"Attractive", "Blurry", "Male", "Young", "Pale_Skin", "Oval_Face", "Chubby"}
FIELDS = ("images", "attributes", "identity", "box", "landmarks", "regions", "is_face")


def same(first: Faces, second: Faces) -> bool:
    return all(torch.equal(getattr(first, f), getattr(second, f)) for f in FIELDS)


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    """Labels of six people without hat and with hair, so that nothing hides what is switched."""
    attributes, _ = LabelModel.load().sample(6, 1, 5)
    attributes[:, [index("Wearing_Hat"), index("Bald")]] = 0
    return attributes


@pytest.fixture(scope="module")
def switched(people) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """For each attribute and person: how much each pixel changes, and the attribute's region."""
    out: dict[str, list] = {name: [] for name in ATTRIBUTES}
    for k, attributes in enumerate(people):
        before = paint_face(attributes, [k], [k, 7], 64)
        for j, name in enumerate(ATTRIBUTES):
            other = attributes.copy()
            other[j] = 1 - other[j]
            after = paint_face(other, [k], [k, 7], 64)
            change = np.abs(after.image.astype(int) - before.image).sum(axis=0)  # (S, S)
            region = before.regions[0, j] | after.regions[0, j]
            out[name].append((change, np.kron(region, np.ones((4, 4), dtype=bool))))
    return out


@pytest.fixture(scope="module")
def some() -> SynthFaces:
    return SynthFaces(40, size=64, regions=True, seed=3, faces_per_person=4, workers=1)


@pytest.fixture(scope="module")
def wild() -> SynthFaces:
    return SynthFaces(24, size=96, view="wild", regions=True, seed=4, faces_per_person=2)


@pytest.mark.parametrize("view", ["aligned", "wild"])
def test_same_pixels_whatever_the_number_of_processes(view):
    one, two = (
        SynthFaces(40, size=32, view=view, regions=True, workers=workers) for workers in (1, 2)
    )
    assert same(one.faces, two.faces)
    assert torch.equal(one.clean_attributes, two.clean_attributes)


def test_same_pixels_in_another_interpreter():
    labels = np.arange(40) % 3 == 0
    script = (
        "import hashlib, numpy as np\n"
        "from faceattr.data.drawing import paint_face\n"
        "p = paint_face((np.arange(40) % 3 == 0).astype(float), [9], [9, 1], 64)\n"
        "print(hashlib.sha256(p.image.tobytes() + p.regions.tobytes()).hexdigest())\n"
    )
    here = paint_face(labels.astype(float), [9], [9, 1], 64)
    there = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    ).stdout.strip()
    assert there == hashlib.sha256(here.image.tobytes() + here.regions.tobytes()).hexdigest()


def test_drawing_needs_no_torch():
    script = "import sys, faceattr.data.drawing; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_another_seed_person_and_picture_give_other_pixels():
    labels = np.zeros(40)
    face = draw_face(labels, size=32).images
    assert not torch.equal(face, draw_face(labels, person=1, size=32).images)
    assert not torch.equal(face, draw_face(labels, seed=1, size=32).images)
    first, second = (SynthFaces(4, size=32, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.faces.images, second.faces.images)


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "Attractive"])
def test_every_attribute_alone_changes_the_picture(switched, name):
    largest = [change.max() for change, _ in switched[name]]
    assert np.median(largest) >= 30, largest  # of 765, on the pixel that changes most
    # Something before the face may hide a part, but hardly ever for most people.
    assert sum(value > 8 for value in largest) >= 5, largest


def test_attractive_alone_draws_nothing(switched):
    assert all(change.max() == 0 for change, _ in switched["Attractive"])


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name not in GLOBAL])
def test_local_attributes_change_their_region(switched, name):
    inside = [change[region].sum() / change.sum() for change, region in switched[name]]
    area = [region.mean() for _, region in switched[name]]
    assert np.mean(area) < 0.25
    assert np.mean(inside) > 0.75, inside
    assert np.mean(inside) > 3 * np.mean(area)


@pytest.mark.parametrize("name", sorted(GLOBAL - {"Attractive"}))
def test_global_attributes_change_their_wide_region(switched, name):
    inside = [change[region].sum() / change.sum() for change, region in switched[name]]
    area = [region.mean() for _, region in switched[name]]
    assert np.mean(inside) > 0.5
    assert np.mean(inside) >= min(1, 1.8 * np.mean(area))


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


def test_regions_are_there_also_for_what_is_not_worn(people):
    for j in (index("Eyeglasses"), index("Wearing_Hat"), index("Wearing_Necktie"), index("Goatee")):
        worn, bare = people[0].copy(), people[0].copy()
        worn[j], bare[j] = 1, 0
        first, second = (paint_face(a, [1], [1, 1], 64).regions[0, j] for a in (worn, bare))
        assert (first & second).sum() / (first | second).sum() > 0.9


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


def test_a_mirror_swaps_left_and_right(some):
    side = some.size[1]
    mirrored = some.faces.landmarks[:, [1, 0, 2, 4, 3]].clone()
    mirrored[..., 0] = side - mirrored[..., 0]
    assert (mirrored[:, 0, 0] < mirrored[:, 1, 0]).all()
    assert (mirrored[:, 3, 0] < mirrored[:, 4, 0]).all()


def test_eye_landmarks_sit_on_pupils():
    labels = np.zeros(40)
    labels[[index("Young"), index("No_Beard")]] = 1
    centre, beside = [], []
    for k in range(12):
        face = draw_face(labels, person=k, seed=k, size=128)
        grey = face.images.mean(0)
        for x, y in face.landmarks[:2].round().long().tolist():
            centre.append(grey[y - 1 : y + 1, x - 1 : x + 1].mean())
            beside.append(grey[y - 1 : y + 1, [x - 5, x + 5]].max())
    darker = torch.stack(centre) < torch.stack(beside)
    assert darker.float().mean() > 0.9


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


def test_identity_sets_the_geometry():
    labels = np.zeros(40)
    labels[index("No_Beard")] = 1
    ratios = []
    for person in range(12):
        for picture in range(4):
            face = draw_face(labels, person=person, seed=picture, size=32)
            eyes, nose, mouth = face.landmarks[:2], face.landmarks[2], face.landmarks[3:].mean(0)
            height = face.box[3] - face.box[1]
            ratios.append([(eyes[1] - eyes[0]).norm() / height, (mouth - nose).norm() / height])
    ratios = np.array(ratios).reshape(12, 4, 2)
    within, between = ratios.var(axis=1).mean(axis=0), ratios.mean(axis=1).var(axis=0)
    assert (between > 2 * within).all(), (between, within)


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


def test_scenes_hold_the_faces_they_say():
    scenes = SynthScenes(8, size=128, faces=(0, 4), seed=2)
    for k in range(len(scenes)):
        scene = scenes[k]
        count = scenes.counts[k]
        assert scene.image.shape == (3, 128, 128)
        assert scene.boxes.shape == (count, 4)
        assert scene.landmarks.shape == (count, 5, 2)
        assert scene.attributes.shape == (count, 40)
        assert scene.identity.shape == (count,)
        assert torch.allclose(box_iou(scene.boxes, scene.boxes), torch.eye(count))
        inside = (scene.landmarks > scene.boxes[:, None, :2]) & (
            scene.landmarks < scene.boxes[:, None, 2:]
        )
        assert inside.all()
    assert len(set(scenes.counts.tolist())) > 2
    again = SynthScenes(8, size=128, faces=(0, 4), seed=2)
    assert torch.equal(again[3].image, scenes[3].image)
    assert torch.equal(scenes[-1].image, scenes[7].image)
    with pytest.raises(IndexError):
        scenes[8]


def test_a_face_is_drawn_where_its_box_says(people):
    scene = paint_scene(people[:1], [[3]], [11, 0], 128)
    empty = paint_scene(people[:0], [], [11, 0], 128)
    assert empty.box.shape == (0, 4)
    changed = np.abs(scene.image.astype(int) - empty.image).sum(axis=0) > 12
    x0, y0, x1, y1 = scene.box[0].round().astype(int)
    assert changed[y0:y1, x0:x1].mean() > 0.7
    outside = changed.copy()
    outside[:, max(0, x0 - (x1 - x0) * 2) : x1 + (x1 - x0) * 2] = False
    assert outside.mean() < 0.02


def test_scenes_without_faces():
    scenes = SynthScenes(3, size=64, faces=(0, 0))
    assert all(len(scenes[k].boxes) == 0 for k in range(3))
    single = scenes.one_face_each()
    assert not single.faces.is_face.any()
    assert (single.attributes == UNKNOWN).all()
    mixed = SynthScenes(6, size=64, faces=(0, 2), seed=1)
    faces = mixed.one_face_each().faces
    assert torch.equal(faces.is_face, torch.from_numpy(mixed.counts > 0))
    for k in range(6):
        boxes = mixed[k].boxes
        if len(boxes):
            sides = boxes[:, 2:] - boxes[:, :2]
            assert torch.equal(faces.box[k], boxes[sides.prod(1).argmax()])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"num_faces": 0}, "num_faces"),
        ({"num_faces": -3}, "num_faces"),
        ({"num_faces": 2.5}, "num_faces"),
        ({"split": "holdout"}, "holdout.*train, valid, test, all"),
        ({"view": "side"}, "side.*aligned, wild"),
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


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: draw_face(np.zeros(39)), r"\(39,\).*40 values"),
        (lambda: draw_face(np.zeros((1, 40))), r"\(1, 40\)"),
        (lambda: draw_face(np.full(40, 0.5)), "value 0.5"),
        (lambda: draw_face(np.full(40, -1)), "value -1"),
        (lambda: draw_face(np.full(40, np.nan)), "value nan"),
        (lambda: draw_face(np.zeros(40), size=16), "size is 16"),
        (lambda: draw_face(np.zeros(40), person=-1), "person"),
        (lambda: draw_face(np.zeros(40), seed="a"), "seed"),
        (lambda: SynthScenes(0), "num_scenes"),
        (lambda: SynthScenes(1, size=40), "size is 40"),
        (lambda: SynthScenes(1, faces=(3, 2)), "least"),
        (lambda: SynthScenes(1, faces=(0, 99)), "16"),
        (lambda: SynthScenes(1, faces=(1, 2, 3)), "pair"),
    ],
)
def test_bad_faces_and_scenes_are_named(call, names):
    with pytest.raises(DataError, match=names):
        call()


def test_wild_faces_are_not_drawn_again(wild):
    with pytest.raises(DataError, match="aligned"):
        wild.redraw(0)


def test_a_killed_drawing_process_is_one_clear_error(monkeypatch):
    if sys.platform != "linux":
        pytest.skip("the replaced function reaches the processes by fork only")
    monkeypatch.setattr(workshop, "paint_face", lambda *a, **k: os._exit(9))
    with pytest.raises(DataError, match="workers=1"):
        SynthFaces(70, size=32, workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_too_many_faces_for_the_memory(workers):
    many = np.broadcast_to(np.zeros(40, dtype=np.float32), (10**10, 40))
    with pytest.raises(DataError, match="memory"):
        workshop.draw_many(many, many, many, 4096, wild=False, regions=False, workers=workers)
