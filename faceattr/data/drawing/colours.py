"""Colours of skin, hair, eyes, cloth and metal. A colour is three ints 0..255."""

from __future__ import annotations

import colorsys

_SKIN = (
    (250, 222, 203), (241, 201, 171), (226, 178, 140), (199, 145, 105), (158, 106, 73),
    (116, 75, 51), (78, 50, 38),
)  # fmt: skip
_IRIS = ((74, 48, 30), (98, 66, 38), (92, 104, 60), (84, 116, 140), (110, 128, 120), (52, 36, 28))
_HAIR = {
    "Black_Hair": (34, 29, 30),
    "Brown_Hair": (98, 65, 40),
    "Blond_Hair": (216, 180, 112),
    "Gray_Hair": (170, 168, 166),
}
_OTHER_HAIR = ((146, 66, 34), (62, 45, 38), (158, 118, 76), (118, 58, 52))
_METALS = ((222, 184, 82), (206, 208, 214), (196, 122, 92), (240, 232, 220), (70, 66, 70))


def mix(first, second, share: float):
    """``share`` of the second colour in the first."""
    share = min(max(share, 0.0), 1.0)
    (a, b, c), (p, q, r) = first, second
    return int(a + (p - a) * share), int(b + (q - b) * share), int(c + (r - c) * share)


def shade(colour, factor: float):
    """Darker (factor < 1) or lighter (factor > 1)."""
    red, green, blue = colour
    return min(255, int(red * factor)), min(255, int(green * factor)), min(255, int(blue * factor))


def pick(table, u: float):
    """An entry of a table by a uniform number."""
    return table[min(int(u * len(table)), len(table) - 1)]


def hsv(hue: float, saturation: float, value: float):
    """A colour from hue, saturation and value, each in [0, 1]."""
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(hue % 1, saturation, value))


def skin(t):
    """Skin colour: the person's tone on a ramp from light to deep; Pale_Skin moves it to light."""
    tone = t.who["tone"] + 0.03 * t.now["skin_value"]
    if t.a["Pale_Skin"]:
        tone = 0.50 * tone - 0.14 + 0.05 * t.now["pale"]
    place = min(max(tone, 0.0), 1.0) * (len(_SKIN) - 1)
    step = min(int(place), len(_SKIN) - 2)
    red, green, blue = mix(_SKIN[step], _SKIN[step + 1], place - step)
    warmth = 4 * t.who["warmth"]
    colour = (min(255, int(red + warmth)), green, max(0, min(255, int(blue - warmth))))
    return mix(colour, (248, 240, 236), 0.36) if t.a["Pale_Skin"] else colour


def hair(t):
    """Hair colour: the mean of the colours that are labelled, or one that has no label."""
    chosen = [colour for name, colour in _HAIR.items() if t.a[name]]
    if chosen:
        colour = tuple(sum(channel) // len(chosen) for channel in zip(*chosen, strict=True))
    else:
        colour = pick(_OTHER_HAIR, t.who["other_hair"])
    return shade(colour, 1 + 0.13 * t.now["hair_value"])


def natural(t):
    """Colour of brows and beard: the person's own, whatever the hair is dyed."""
    return mix((36, 28, 26), (124, 84, 52), t.who["natural"] ** 1.5)


def iris(t):
    """Colour of the iris."""
    return pick(_IRIS, t.who["iris"])


def metal(u: float):
    """Colour of jewellery."""
    return pick(_METALS, u)


def cloth(hue: float, value: float):
    """Colour of cloth, muted."""
    return hsv(hue, 0.25 + 0.45 * ((hue * 7) % 1), 0.18 + 0.72 * value)
