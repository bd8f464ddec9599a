"""The true region of every attribute: where it is seen, or would be seen if it were there.

Each attribute is a union of parts whose outlines the sketch notes while it draws. Where CelebA's
attribute is global (Blurry, Young, Male, Attractive) so is the region.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from faceattr.attributes import ATTRIBUTES
from faceattr.data.drawing.posing import Placed
from faceattr.data.drawing.sketch import Sketch

#: Parts of the face that each attribute is seen on. ``image`` is the whole picture.
ATTRIBUTE_PARTS: dict[str, tuple[str, ...]] = {
    "5_o_Clock_Shadow": ("jaw", "upper_lip"),
    "Arched_Eyebrows": ("brows",),
    "Attractive": ("face",),
    "Bags_Under_Eyes": ("bags",),
    "Bald": ("scalp", "hair"),
    "Bangs": ("forehead",),
    "Big_Lips": ("mouth",),
    "Big_Nose": ("nose",),
    "Black_Hair": ("hair",),
    "Blond_Hair": ("hair",),
    "Blurry": ("image",),
    "Brown_Hair": ("hair",),
    "Bushy_Eyebrows": ("brows",),
    "Chubby": ("lower_face",),
    "Double_Chin": ("under_chin",),
    "Eyeglasses": ("glasses",),
    "Goatee": ("chin",),
    "Gray_Hair": ("hair",),
    "Heavy_Makeup": ("eyes", "cheeks", "mouth"),
    "High_Cheekbones": ("cheeks",),
    "Male": ("face", "hair", "neck"),
    "Mouth_Slightly_Open": ("mouth",),
    "Mustache": ("upper_lip",),
    "Narrow_Eyes": ("eyes",),
    "No_Beard": ("jaw",),
    "Oval_Face": ("lower_face", "face"),
    "Pale_Skin": ("face", "neck"),
    "Pointy_Nose": ("nose",),
    "Receding_Hairline": ("hairline",),
    "Rosy_Cheeks": ("cheeks",),
    "Sideburns": ("sideburns",),
    "Smiling": ("mouth",),
    "Straight_Hair": ("hair",),
    "Wavy_Hair": ("hair",),
    "Wearing_Earrings": ("lobes",),
    "Wearing_Hat": ("hat",),
    "Wearing_Lipstick": ("mouth",),
    "Wearing_Necklace": ("necklace",),
    "Wearing_Necktie": ("tie",),
    "Young": ("face",),
}

_PARTS = ["image", *sorted({p for parts in ATTRIBUTE_PARTS.values() for p in parts} - {"image"})]
_ROW = {part: row for row, part in enumerate(_PARTS)}
_FIRST = np.array([_ROW[ATTRIBUTE_PARTS[name][0]] for name in ATTRIBUTES])
_REST = [(j, _ROW[part]) for j, name in enumerate(ATTRIBUTES) for part in ATTRIBUTE_PARTS[name][1:]]


_WHOLE = [j for j, row in enumerate(_FIRST) if not row]


def masks(sketches: Sequence[Sketch], placed: Placed, shrink: float, out: np.ndarray) -> None:
    """All regions of some faces into ``out (N, M, side, side)``, ``shrink`` pixels to a cell.

    All parts of all faces are drawn on one strip, a part below another: what moves a part down
    to its row is added to its points, once they are cut off to whole cells that lie on the grid.
    """
    side = out.shape[-1]
    shapes, rows = [], []
    for k, sketch in enumerate(sketches):
        for name, shape in sketch.parts:
            shapes.append(shape)
            rows.append(k * len(_PARTS) + _ROW[name])
    down = np.zeros(len(placed.order), dtype=np.float32)
    down[shapes] = np.array(rows) * side
    counts = np.subtract(placed.stops, placed.starts)
    cells = placed.points / np.float32(shrink)  # (P, 2)
    np.clip(cells[:, 1], 0, side - 1, out=cells[:, 1])
    np.floor(cells[:, 1], out=cells[:, 1])
    cells[:, 1] += np.repeat(down[placed.order], counts[placed.order])

    strip = Image.new("L", (side, side * len(_PARTS) * len(sketches)))
    draw, cells = ImageDraw.Draw(strip), memoryview(cells.ravel())
    for shape in shapes:
        draw.polygon(cells[2 * placed.starts[shape] : 2 * placed.stops[shape]], 1)
    drawn = np.asarray(strip).view(bool).reshape(len(sketches), len(_PARTS), side, side)
    np.take(drawn, _FIRST, axis=1, out=out, mode="clip")
    for attribute, part in _REST:
        out[:, attribute] |= drawn[:, part]
    out[:, _WHOLE] = True  # the whole picture
