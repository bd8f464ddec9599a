"""The 40 CelebA attributes: their names, their groups, and how to look one up.

The order is CelebA's own (``list_attr_celeba.txt``): column ``j`` of every label matrix and every
logit in this library belongs to ``ATTRIBUTES[j]``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from faceattr.errors import UnknownNameError

ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald",
    "Bangs", "Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair",
    "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin",
    "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones",
    "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard",
    "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks",
    "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings",
    "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip

#: The nine groups of MCNN (Hand and Chellappa, AAAI 2017), which FR-ANet and MTFAP take over.
GROUPS: dict[str, tuple[str, ...]] = {
    "Gender": ("Male",),
    "Nose": ("Big_Nose", "Pointy_Nose"),
    "Mouth": ("Big_Lips", "Smiling", "Wearing_Lipstick", "Mouth_Slightly_Open"),
    "Eyes": (
        "Arched_Eyebrows", "Bags_Under_Eyes", "Bushy_Eyebrows", "Narrow_Eyes", "Eyeglasses",
    ),
    "Face": ("Attractive", "Blurry", "Oval_Face", "Pale_Skin", "Young", "Heavy_Makeup"),
    "AroundHead": (
        "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Wearing_Earrings",
        "Wearing_Necklace", "Wearing_Necktie", "Wearing_Hat", "Bald", "Receding_Hairline",
        "Bangs", "Straight_Hair", "Wavy_Hair",
    ),
    "FacialHair": ("5_o_Clock_Shadow", "Mustache", "No_Beard", "Sideburns", "Goatee"),
    "Cheeks": ("High_Cheekbones", "Rosy_Cheeks"),
    "Fat": ("Chubby", "Double_Chin"),
}  # fmt: skip

_POSITION = {name: j for j, name in enumerate(ATTRIBUTES)}
_FOLDED = {name.lower().replace("_", " ").replace("'", ""): name for name in ATTRIBUTES}
_FOLDED["5 oclock shadow"] = "5_o_Clock_Shadow"


def attribute(name: str) -> str:
    """Return the CelebA spelling of ``name`` (case, spaces and underscores are forgiven).

    Raises:
        UnknownNameError: no attribute is called so; the message names the closest ones.
    """
    folded = name.strip().lower().replace("_", " ").replace("'", "").replace("-", " ")
    if folded in _FOLDED:
        return _FOLDED[folded]
    close = [_FOLDED[c] for c in difflib.get_close_matches(folded, _FOLDED, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(close)}?" if close else "see faceattr.ATTRIBUTES."
    raise UnknownNameError(f"unknown attribute {name!r}: {hint}")


def index(name: str) -> int:
    """Return the column ``j`` of an attribute, 0 <= j < 40, in any spelling."""
    return _POSITION[attribute(name)]


def indices(names: Iterable[str]) -> list[int]:
    """Return the columns of several attributes, in the order given."""
    return [index(name) for name in names]


def group_of(name: str) -> str:
    """Return the MCNN group that an attribute belongs to."""
    name = attribute(name)
    return next(group for group, members in GROUPS.items() if name in members)


def pretty(name: str) -> str:
    """Return the name as figures and prose print it: ``5 o'Clock Shadow``, ``Wavy Hair``."""
    return name.replace("_", " ").replace("5 o Clock", "5 o'Clock")
