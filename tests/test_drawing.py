"""Drawing one face: the same everywhere, every attribute seen in its place, geometry by person."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from faceattr import ATTRIBUTES, index
from faceattr.data.drawing import paint_face
from faceattr.data.drawing.painter import paint_faces
from faceattr.data.drawing.painting import blank
from faceattr.data.labels import LabelModel
from faceattr.data.synthetic import draw_face
from faceattr.errors import DataError

#: Attributes that CelebA's own definition spreads over head or picture: no small place to find.
GLOBAL = {"Attractive", "Blurry", "Male", "Young", "Pale_Skin", "Oval_Face", "Chubby"}


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


@pytest.mark.parametrize("view", ["aligned", "wild"])
def test_a_face_is_the_same_whatever_is_drawn_with_it(people, view):
    together = blank(len(people), 64, True)
    seeds = [[k] for k in range(len(people))]
    paint_faces(together, people, seeds, [[k, 3] for k in range(len(people))], view)
    for k, attributes in enumerate(people):
        alone = paint_face(attributes, [k], [k, 3], 64, view=view)
        assert (alone.image == together.image[k]).all()
        assert (alone.box[0] == together.box[k]).all()
        assert (alone.landmarks[0] == together.landmarks[k]).all()
        assert (alone.regions[0] == together.regions[k]).all()


def test_drawing_needs_no_torch():
    script = "import sys, faceattr.data.drawing; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


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


def test_regions_are_there_also_for_what_is_not_worn(people):
    for j in (index("Eyeglasses"), index("Wearing_Hat"), index("Wearing_Necktie"), index("Goatee")):
        worn, bare = people[0].copy(), people[0].copy()
        worn[j], bare[j] = 1, 0
        first, second = (paint_face(a, [1], [1, 1], 64).regions[0, j] for a in (worn, bare))
        assert (first & second).sum() / (first | second).sum() > 0.9


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
    ],
)
def test_bad_faces_are_named(call, names):
    with pytest.raises(DataError, match=names):
        call()
