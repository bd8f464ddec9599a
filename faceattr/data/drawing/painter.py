"""One face or several on one picture: sketch, pose, paint, photograph, and note the truth."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from faceattr.data.drawing import accessories, beard, colours, features, hair, head, scenery
from faceattr.data.drawing.regions import masks
from faceattr.data.drawing.sketch import CENTRE, Pose, Posed, Sketch
from faceattr.data.drawing.traits import draws, traits


@dataclass
class Painting:
    """A picture and the truth about each face in it.

    Attributes:
        image: ``(3, S, S)`` uint8.
        box: ``(K, 4)`` float32, ``x0, y0, x1, y1`` around crown, cheeks and chin (no hair, no
            ears), in pixels.
        landmarks: ``(K, 5, 2)`` float32, pixels.
        regions: ``(K, M, S // 4, S // 4)`` bool, or None where not asked for.
    """

    image: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray
    regions: np.ndarray | None


def sketch_face(t: SimpleNamespace) -> Sketch:
    """All shapes of one face, from back to front."""
    sketch, skin = Sketch(), colours.skin(t)
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
    accessories.hat(sketch, t)
    accessories.earrings(sketch, t)
    accessories.occluder(sketch, t, skin)
    return sketch


def aligned_pose(now: dict[str, float], size: int) -> Pose:
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


def truth(posed: Posed) -> tuple[np.ndarray, np.ndarray]:
    """Box ``(4,)`` and landmarks ``(5, 2)`` of a posed face, pixels."""
    outline = posed.of(posed.sketch.outline)
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    marks = posed.of(posed.sketch.polygons[-1][0])
    return box.astype(np.float32), marks.astype(np.float32)


def paint_aligned(
    attributes: np.ndarray, person, picture, size: int, regions: bool = True
) -> Painting:
    """One aligned face. ``person`` and ``picture`` seed :func:`~.traits.draws`."""
    who, now, rng = draws(person, picture)
    t = traits(attributes, who, now)
    t.texture = rng.standard_normal(128)
    posed = sketch_face(t).posed(aligned_pose(now, size))
    zoom = magnification(size)
    image = scenery.background(rng, size * zoom, clutter=0.1)
    posed.paint(image, zoom)
    image = scenery.blurred(image.reduce(zoom), t.blur * size / 128)
    box, landmarks = truth(posed)
    return Painting(
        scenery.photograph(image, now, rng),
        box[None].clip(0, size),
        landmarks[None],
        masks(posed, size // 4, 4)[None] if regions else None,
    )
