"""The true region of every attribute: where it is seen, or would be seen if it were there.

Each attribute is a union of parts whose outlines the sketch notes while it draws. Where CelebA's
attribute is global (Blurry, Young, Male, Attractive) so is the region.
"""

from __future__ import annotations

import numpy as np

from faceattr.attributes import ATTRIBUTES
from faceattr.data.drawing.sketch import Posed

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

_PARTS = sorted({part for parts in ATTRIBUTE_PARTS.values() for part in parts} - {"image"})
_FIRST = np.array([["image", *_PARTS].index(ATTRIBUTE_PARTS[name][0]) for name in ATTRIBUTES])
_REST = [
    (j, _PARTS.index(part) + 1)
    for j, name in enumerate(ATTRIBUTES)
    for part in ATTRIBUTE_PARTS[name][1:]
]


def masks(posed: Posed, side: int, shrink: float) -> np.ndarray:
    """All regions of one face, ``(M, side, side)`` bool, ``shrink`` pixels to a cell."""
    drawn = np.concatenate(
        [np.ones((1, side, side), dtype=bool), posed.masks(_PARTS, side, shrink)]
    )
    out = drawn[_FIRST]  # (M, side, side)
    for attribute, part in _REST:
        out[attribute] |= drawn[part]
    return out
