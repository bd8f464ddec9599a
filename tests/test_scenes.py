"""Scenes with several faces or none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from faceattr.data.drawing import paint_scene
from faceattr.data.faces import UNKNOWN
from faceattr.data.labels import LabelModel
from faceattr.data.scenes import SynthScenes
from faceattr.errors import DataError


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


def test_a_face_is_drawn_where_its_box_says():
    people, _ = LabelModel.load().sample(1, 1, 5)
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
    ("call", "names"),
    [
        (lambda: SynthScenes(0), "num_scenes"),
        (lambda: SynthScenes(1, size=40), "size is 40"),
        (lambda: SynthScenes(1, faces=(3, 2)), "least"),
        (lambda: SynthScenes(1, faces=(0, 99)), "16"),
        (lambda: SynthScenes(1, faces=(1, 2, 3)), "pair"),
    ],
)
def test_bad_scenes_are_named(call, names):
    with pytest.raises(DataError, match=names):
        call()
