"""From labels to what is drawn: every graded quantity of a face, in one readable table.

A quantity is the person's own value plus the attribute's shift plus a little that changes from
picture to picture. People overlap (one person's big nose is another's ordinary one), so an
attribute such as Pointy_Nose cannot be read off without error, as in CelebA. Each random number
has a name and is drawn whatever the labels are: switching one attribute changes nothing else.

``Attractive`` draws nothing. In the labels it depends on the other attributes, and that is all
a picture can show of it.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

import numpy as np

from faceattr.attributes import ATTRIBUTES

#: Standard normal numbers that belong to a person and are the same in all their pictures.
PERSON = (
    "width", "height", "temple", "jaw", "chin", "eye_gap", "eye_width", "eye_open", "eye_tilt",
    "brow_height", "brow_arch", "brow_thick", "nose_width", "nose_length", "nose_point", "lip",
    "mouth_width", "mouth_height", "cheekbone", "cheek", "fold", "hairline", "hair_length",
    "hair_volume", "part", "warmth", "ear", "neck", "oval", "shoulder", "age",
)  # fmt: skip
#: Uniform numbers in [0, 1) that belong to a person.
PERSON_UNIFORM = ("tone", "iris", "natural", "other_hair", "frame", "lip_hue")

#: Standard normal numbers of one picture.
PICTURE = (
    "yaw", "pitch", "roll", "x", "y", "scale", "hair_value", "skin_value", "lip", "nose_width",
    "nose_point", "cheekbone", "eye_open", "brow_arch", "brow_thick", "smile", "open", "beard",
    "bag", "age", "oval", "cheek", "fold", "blush", "lipstick", "makeup", "wave", "sleek",
    "hairline", "hair_length", "blur", "pale", "gaze_x", "gaze_y", "fringe", "stubble",
    "mustache", "goatee", "sideburn",
)  # fmt: skip
#: Uniform numbers of one picture.
PICTURE_UNIFORM = (
    "light", "light_strength", "warm_light", "exposure", "noise", "glasses_tint", "glasses_hue",
    "earring", "earring_size", "metal", "necklace", "tie", "tie_hue", "tie_pattern", "hat",
    "hat_hue", "clothes", "clothes_hue", "clothes_value", "occluder", "occluder_kind",
    "occluder_x", "occluder_y", "lip_hue", "shadow_hue", "phase", "fringe", "collar", "lens",
)  # fmt: skip


@lru_cache(maxsize=4096)
def _person(seeds: tuple[int, ...]) -> dict[str, float]:
    """The named numbers of a person, kept for the next picture."""
    rng = np.random.default_rng(seeds)
    who = dict(zip(PERSON, rng.standard_normal(len(PERSON)).clip(-2.2, 2.2).tolist(), strict=True))
    return who | dict(zip(PERSON_UNIFORM, rng.random(len(PERSON_UNIFORM)).tolist(), strict=True))


def draws(person, picture) -> tuple[dict[str, float], dict[str, float], np.random.Generator]:
    """The named random numbers of a person and of a picture, and a generator for texture.

    Args:
        person: sequence of ints that names the person.
        picture: sequence of ints that names the picture.
    """
    who = _person(tuple(person))
    rng = np.random.default_rng(picture)
    now = dict(
        zip(PICTURE, rng.standard_normal(len(PICTURE)).clip(-2.2, 2.2).tolist(), strict=True)
    )
    now |= {
        f"u_{name}": value
        for name, value in zip(
            PICTURE_UNIFORM, rng.random(len(PICTURE_UNIFORM)).tolist(), strict=True
        )
    }
    return who, now, rng


def traits(attributes: np.ndarray, who: dict[str, float], now: dict[str, float]) -> SimpleNamespace:
    """Everything the drawing needs to know about one face, lengths in face units.

    Args:
        attributes: ``(M,)`` 0 or 1 in CelebA's order.
        who: the person's numbers. now: the picture's numbers. Both from :func:`draws`.
    """
    a = dict(zip(ATTRIBUTES, attributes.tolist(), strict=True))
    male, old = a["Male"], 1 - a["Young"]
    chubby, oval = a["Chubby"], a["Oval_Face"] + 0.35 * who["oval"] + 0.25 * now["oval"]
    t = SimpleNamespace(a=a, who=who, now=now)

    # Shape of the head: half-widths at four heights, half-height.
    fat = chubby + 0.30 * who["cheek"] + 0.12 * now["cheek"]
    t.temple = 18.6 + 0.7 * who["temple"] + 0.5 * who["width"]
    t.cheek = t.temple + 0.2 + 2.1 * fat
    t.jaw = 15.0 + 0.7 * who["jaw"] + 0.4 * who["width"] + 1.7 * male + 3.4 * fat - 2.2 * oval
    t.chin = 6.2 + 0.7 * who["chin"] + 1.5 * male + 1.8 * fat - 1.3 * oval
    t.skull = 26.4 + 0.6 * who["height"]
    t.height = t.skull + 1.7 * oval + 0.3 * male
    t.double_chin = a["Double_Chin"] + 0.22 * who["fold"] + 0.12 * now["fold"] + 0.08 * chubby
    t.age = max(0.0, 0.08 + 0.76 * old + 0.09 * who["age"] + 0.11 * now["age"])
    t.neck = 8.6 + 0.6 * who["neck"] + 1.6 * male + 0.8 * chubby

    # Eyes and brows.
    t.eye_x = 8.9 + 0.75 * who["eye_gap"]
    t.eye_y = 45.4 + 0.3 * who["brow_height"]
    t.eye_width = 4.5 + 0.25 * who["eye_width"]
    narrow = a["Narrow_Eyes"] - 0.28 * who["eye_open"] - 0.16 * now["eye_open"]
    t.eye_open = max(0.55, 2.2 - 0.85 * narrow - 0.2 * male - 0.15 * old)
    t.eye_tilt = 0.07 * who["eye_tilt"]
    t.bags = max(0.0, a["Bags_Under_Eyes"] + 0.22 * now["bag"] + 0.15 * old)
    t.brow_y = t.eye_y - 5.6 - 0.4 * who["brow_height"] + 0.6 * male
    t.brow_arch = 0.9 + 1.5 * a["Arched_Eyebrows"] + 0.4 * who["brow_arch"] + 0.2 * now["brow_arch"]
    t.brow_thick = (
        0.95 + 0.8 * a["Bushy_Eyebrows"] + 0.18 * who["brow_thick"] + 0.1 * now["brow_thick"]
    ) + 0.22 * male

    # Nose, mouth, cheeks.
    big = a["Big_Nose"] + 0.36 * who["nose_width"] + 0.16 * now["nose_width"]
    t.nose_width = 3.2 + 1.4 * big + 0.2 * male
    t.nose_y = 56.0 + 1.0 * who["nose_length"] + 0.9 * big
    t.nose_point = a["Pointy_Nose"] + 0.40 * who["nose_point"] + 0.18 * now["nose_point"]
    t.lip = max(
        0.7, 1.45 + 0.8 * a["Big_Lips"] + 0.28 * who["lip"] + 0.12 * now["lip"] - 0.15 * old
    )
    t.mouth_width = 7.0 + 0.45 * who["mouth_width"] + 0.2 * male + 1.2 * a["Smiling"]
    t.mouth_y = 63.8 + 0.8 * who["mouth_height"] + 0.4 * who["nose_length"]
    t.smile = 0.55 + 2.1 * a["Smiling"] + 0.45 * now["smile"]
    t.open = max(0.0, -0.1 + 1.75 * a["Mouth_Slightly_Open"] + 0.30 * now["open"])
    t.cheekbone = a["High_Cheekbones"] + 0.32 * who["cheekbone"] + 0.18 * now["cheekbone"]
    t.blush = max(
        0.0, 0.10 + 0.62 * a["Rosy_Cheeks"] + 0.22 * a["Heavy_Makeup"] + 0.10 * now["blush"]
    )
    t.makeup = max(0.0, 0.08 + 0.92 * a["Heavy_Makeup"] + 0.14 * now["makeup"] - 0.08 * male)
    t.lipstick = max(
        0.0,
        0.10 + 0.72 * a["Wearing_Lipstick"] + 0.20 * a["Heavy_Makeup"]
        + 0.13 * now["lipstick"] - 0.05 * male,
    )  # fmt: skip

    # Hair of the head and of the face.
    length = 0.9 * who["hair_length"] + 0.2 * now["hair_length"] + (-1.7 if male else 1.1)
    t.hair_length = max(0.0, length)  # 0 is short; 2 reaches the shoulders
    t.hair_volume = 4.2 + 0.9 * who["hair_volume"] + 0.8 * (1 - male)
    receding = a["Receding_Hairline"] + 0.22 * who["hairline"] + 0.12 * now["hairline"]
    t.receding = receding + 0.1 * old
    t.part = 0.45 * who["part"]
    t.wave = max(0.0, 0.30 + 0.95 * a["Wavy_Hair"] - 0.28 * a["Straight_Hair"] + 0.16 * now["wave"])
    t.sleek = max(
        0.0, 0.25 + 0.75 * a["Straight_Hair"] - 0.2 * a["Wavy_Hair"] + 0.18 * now["sleek"]
    )
    t.beard = 0.0 if a["No_Beard"] else 0.62 + 0.16 * now["beard"]
    t.shadow = max(0.0, 0.05 + 0.5 * a["5_o_Clock_Shadow"] + 0.1 * now["stubble"] * (0.4 + male))
    t.mustache = a["Mustache"] * (0.8 + 0.15 * now["mustache"])
    t.goatee = a["Goatee"] * (0.85 + 0.15 * now["goatee"])
    t.sideburns = a["Sideburns"] * (0.85 + 0.15 * now["sideburn"])
    t.blur = max(0.0, 0.10 + 1.45 * a["Blurry"] + 0.27 * now["blur"])  # pixels at 128
    return t
