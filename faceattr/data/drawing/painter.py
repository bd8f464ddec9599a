"""One face or several on one picture: sketch, pose, paint, photograph, and note the truth."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from faceattr.data.drawing import (
    accessories,
    beard,
    colours,
    features,
    hair,
    hats,
    head,
    obstacles,
    scenery,
)
from faceattr.data.drawing.canvas import magnified, paint
from faceattr.data.drawing.curves import polygon
from faceattr.data.drawing.painting import Painting, blank
from faceattr.data.drawing.posing import CENTRE, Placed, Pose, place
from faceattr.data.drawing.regions import masks
from faceattr.data.drawing.sketch import Notes, Sketch
from faceattr.data.drawing.traits import draws, traits


def sketch_face(notes: Notes, t: SimpleNamespace) -> Sketch:
    """All shapes of one face, from back to front."""
    sketch, skin = Sketch(notes), colours.skin(t)
    hair.behind(sketch, t)
    head.torso(sketch, t, skin)
    accessories.necktie(sketch, t)
    accessories.necklace(sketch, t)
    head.ears(sketch, t, skin)
    head.head(sketch, t, skin)
    head.cheeks(sketch, t, skin)
    beard.shadow(sketch, t, skin)
    features.eye_marks(sketch, t)
    features.eyes(sketch, t, skin)
    head.age(sketch, t, skin)
    features.brows(sketch, t)
    features.nose(sketch, t, skin)
    beard.beard(sketch, t)
    features.mouth(sketch, t, skin)
    if t.a["Bald"]:
        hair.bald(sketch, t, skin)
    else:
        hair.front(sketch, t)
        hair.bangs(sketch, t)
    hair.parts(sketch, t)
    accessories.glasses(sketch, t)
    hats.hat(sketch, t)
    accessories.earrings(sketch, t)
    obstacles.occluder(sketch, t, skin)
    sketch.landmarks = sketch.note(polygon(sketch.marks), 1.0)
    return sketch


def aligned_pose(now: dict[str, float], rng: np.random.Generator, size: int) -> Pose:
    """The pose of an aligned face: near the middle, nearly upright, slightly turned."""
    unit = size / 100
    return Pose(
        scale=unit * (1.1 + 0.03 * now["scale"]),
        x=(CENTRE[0] + 1.3 * now["x"]) * unit,
        y=(CENTRE[1] + 0.9 * now["y"]) * unit,
        roll=0.05 * now["roll"],
        yaw=0.13 * now["yaw"],
        pitch=0.06 * now["pitch"],
    )


def magnification(size: int) -> int:
    """How many times larger than its final size a picture is painted, to smooth its edges."""
    return 2 if size >= 96 else 3 if size >= 48 else 4


def truth(sketches: Sequence[Sketch], placed: Placed) -> tuple[np.ndarray, np.ndarray]:
    """Boxes ``(K, 4)`` and landmarks ``(K, 5, 2)`` of posed faces, float32 pixels."""
    outlines = np.stack([placed.of(sketch.outline) for sketch in sketches])  # (K, n, 2)
    landmarks = np.stack([placed.of(sketch.landmarks) for sketch in sketches])
    return np.concatenate([outlines.min(axis=1), outlines.max(axis=1)], axis=1), landmarks


def unaligned_pose(now: dict[str, float], rng: np.random.Generator, size: int) -> Pose:
    """The pose of a face that was cut out round a detector's box: held and framed as it comes.

    It is 0.95 to 1.3 hundredths of the picture to a unit (1.1 when aligned), off the middle by up
    to 7 of them, and turned as in the wild.
    """
    scale, *place = rng.random(3).tolist()
    unit = size / 100
    x, y = (unit * (c + 14 * (p - 0.5)) for c, p in zip(CENTRE, place, strict=True))
    return Pose(
        unit * 0.95 * (1.3 / 0.95) ** scale, x, y,
        0.20 * now["roll"], 0.18 * now["yaw"], 0.08 * now["pitch"],
    )  # fmt: skip


def wild_pose(now: dict[str, float], rng: np.random.Generator, size: int) -> Pose:
    """A pose anywhere in a scene: a third to nine tenths of it, turned, head and collar inside."""
    share, *place = rng.random(3).tolist()
    share = 0.32 * (0.9 / 0.32) ** share
    reach = 0.5 * share  # what must stay inside round the centre, as a share of the scene
    x, y = (size * (reach + (1 - 2 * reach) * p) for p in place)
    return Pose(
        size * share / 100, x, y, 0.20 * now["roll"], 0.18 * now["yaw"], 0.08 * now["pitch"]
    )


#: How a face is held in each view, and how full of things the background is.
VIEWS = {
    "aligned": (aligned_pose, 0.1),
    "unaligned": (unaligned_pose, 1.0),
    "wild": (wild_pose, 1.0),
}


def begin_face(notes: Notes, attributes, person, picture) -> tuple:
    """Sketch one face; returns the sketch, its traits and its generator."""
    who, now, rng = draws(person, picture)
    t = traits(attributes, who, now)
    t.texture = rng.standard_normal(128).tolist()
    return sketch_face(notes, t), t, rng


def paint_faces(
    into: Painting, attributes: np.ndarray, people: Sequence, pictures: Sequence, view: str
) -> None:
    """Paint N pictures of one face each: aligned, as a detector cuts it out, or in a scene.

    Shapes are moved to their places together, for that is faster; each picture depends on its own
    arguments alone.

    Args:
        into: from :func:`~.painting.blank`.
        attributes: ``(N, M)`` 0 or 1.
        people, pictures: N sequences of ints that seed :func:`~.traits.draws`.
        view: ``aligned``, ``unaligned`` or ``wild`` (in a scene of that size), each with a pose
            of that name above.
    """
    pose_of, clutter = VIEWS[view]
    size, notes = into.image.shape[-1], Notes()
    zoom = magnification(size)
    begun = [begin_face(notes, *face) for face in zip(attributes, people, pictures, strict=True)]
    poses = [pose_of(t.now, rng, size) for _, t, rng in begun]
    sketches = [sketch for sketch, _, _ in begun]
    placed = place(notes, sketches, poses)
    points = magnified(placed, zoom)
    for out, (sketch, t, rng), pose in zip(into.image, begun, poses, strict=True):
        image = scenery.background(rng, size * zoom, clutter)
        paint(image, sketch, placed, points, pose.scale * zoom)
        image = scenery.blurred(image.reduce(zoom), t.blur * pose.scale / 1.28)
        scenery.photograph(image, t.now, rng, out)
    box, into.landmarks[:] = truth(sketches, placed)
    box.clip(0, size, out=into.box)
    if into.regions is not None:
        masks(sketches, placed, size / into.regions.shape[-1], into.regions)


def paint_face(
    attributes: np.ndarray, person, picture, size: int, *, view="aligned", regions=True
) -> Painting:
    """One face, as :func:`paint_faces` paints several."""
    painting = blank(1, size, regions)
    paint_faces(painting, [attributes], [person], [picture], view)
    painting.image = painting.image[0]
    return painting


def paint_scene(
    attributes: np.ndarray, people: Sequence, scene: Sequence[int], size: int
) -> Painting:
    """A cluttered scene with any number of faces, none included; no regions.

    Args:
        attributes: ``(K, M)``. people: K seeds of persons. scene: ints that name the scene.
        size: side of the picture in pixels.
    """
    rng = np.random.default_rng([*scene, 0])
    zoom = magnification(size)
    image = scenery.background(rng, size * zoom, clutter=1.0)
    places = scatter(rng, len(people), size)
    boxes = np.zeros((len(people), 4), dtype=np.float32)
    landmarks = np.zeros((len(people), 5, 2), dtype=np.float32)
    for k in sorted(range(len(people)), key=lambda k: places[k][1]):  # the lower, the nearer
        notes = Notes()
        sketch, t, _ = begin_face(notes, attributes[k], people[k], [*scene, 1, k])
        x, y, scale = places[k]
        turned = 0.16 * t.now["roll"], 0.18 * t.now["yaw"], 0.08 * t.now["pitch"]
        placed = place(notes, [sketch], [Pose(scale, x, y, *turned)])
        paint(image, sketch, placed, magnified(placed, zoom), scale * zoom)
        boxes[k : k + 1], landmarks[k : k + 1] = truth([sketch], placed)
        scenery.blur_patch(image, boxes[k] * zoom, t.blur * scale / 1.28 * zoom)
    _, now, _ = draws([0], [*scene, 2])
    photo = np.empty((3, size, size), dtype=np.uint8)
    scenery.photograph(image.reduce(zoom), now, rng, photo)
    return Painting(photo, boxes.clip(0, size), landmarks, None)


def scatter(rng: np.random.Generator, count: int, size: int) -> list[tuple[float, float, float]]:
    """Places for faces that do not hide one another: ``x, y`` in pixels, pixels per face unit.

    A face keeps 26 units left and right and 40 above and below its centre to itself; the
    more attempts fail, the smaller it is drawn.
    """
    places: list[tuple[float, float, float]] = []
    largest = 0.85 / max(1.0, count**0.5)
    while len(places) < count:
        for attempt in range(1000):
            share = largest * (0.35 + 0.65 * rng.random()) * 0.97**attempt
            scale, reach = size * share / 100, 0.5 * share * size
            x, y = (reach + (size - 2 * reach) * rng.random(2)).tolist()
            if all(
                abs(x - u) > 26 * (scale + s) or abs(y - v) > 40 * (scale + s) for u, v, s in places
            ):
                places.append((x, y, scale))
                break
    return places
