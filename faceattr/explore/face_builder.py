"""The face builder: forty switches, one drawn face, and where each switch shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from faceattr.attributes import ATTRIBUTES, GROUPS, index, indices, pretty
from faceattr.data.labels import BEARD_WORDS, RIVALS, LabelModel
from faceattr.data.synthetic import draw_face
from faceattr.explore.common import (
    choose,
    enlarged,
    jpeg_uri,
    over,
    picture,
    png,
    png_uri,
    spotlight,
    widgets,
)
from faceattr.explore.panels import Stage

#: Who stands there before any switch is touched: name to attributes and person.
BASES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "first person": (("Brown_Hair", "No_Beard", "Wavy_Hair", "Young"), 3),
    "second person": (("Black_Hair", "Male", "No_Beard", "Straight_Hair", "Young"), 8),
}

_PAIRS = (*RIVALS, *((word, "No_Beard") for word in BEARD_WORDS))


def face_builder(
    *,
    attributes: Sequence[str] = ATTRIBUTES,
    start: str = "Eyeglasses",
    size: int = 96,
    seed: int = 0,
    form: str = "auto",
):
    """Switch attributes of a drawn face on and off; see what each one changes, and where.

    Live: every combination, every person, and the true region of any attribute. Static: two
    people, and each attribute switched on its own.

    Args:
        attributes: the switches that the static form offers (the live one has all).
        start: the attribute shown first.
        size: pixels of the static form's pictures; its weight grows with the square.
        seed: of pose, light and background.
        form: see :mod:`faceattr.explore`.

    Raises:
        UnknownNameError: no such attribute or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    names = [ATTRIBUTES[j] for j in indices(attributes)]
    shown = ATTRIBUTES[index(start)]
    return choose(form, lambda: _live(shown, seed), lambda: _static(names, shown, size, seed))


def switch(attributes: Tensor, name: str) -> tuple[Tensor, list[str]]:
    """Flip one attribute of ``(M,)``; what contradicts it gives way.

    Returns:
        The new attributes, and the names of those that were switched off with it.
    """
    changed = attributes.clone()
    changed[index(name)] = 1 - changed[index(name)]
    gone = []
    if changed[index(name)]:
        rivals = [b if a == name else a for a, b in _PAIRS if name in (a, b)]
        gone = [rival for rival in rivals if changed[index(rival)]]
        changed[indices(gone)] = 0
    return changed, gone


def _words(group: str) -> str:
    """``AroundHead`` as ``Around head``."""
    return " ".join(re.findall("[A-Z][a-z]*", group)).capitalize()


def _of(names: Sequence[str]) -> Tensor:
    attributes = torch.zeros(len(ATTRIBUTES))
    attributes[indices(names)] = 1
    return attributes


def _static(names: list[str], start: str, size: int, seed: int):
    before, after, regions, words = [], [], [], []
    for base, (worn, person) in BASES.items():
        attributes = _of(worn)
        face = draw_face(attributes, person=person, seed=seed, size=128)
        before.append({"base": base, "url": jpeg_uri(enlarged(picture(face.images), size))})
        for name in names:
            changed, gone = switch(attributes, name)
            on = bool(changed[index(name)])
            other = draw_face(changed, person=person, seed=seed, size=128)
            # A region is where the attribute is worn: of the face that has it.
            mask = (other if on else face).regions[index(name)]
            chosen = {"base": base, "attribute": pretty(name)}
            after.append({**chosen, "url": jpeg_uri(enlarged(picture(other.images), size))})
            if mask.any():
                regions.append({**chosen, "url": png_uri(spotlight(mask))})
            words.append({**chosen, "text": _sentence(name, on, gone, bool(mask.any()))})
    stage = Stage(
        ("before", "switched", "its true region"),
        (190, 190),
        {"base": list(BASES), "attribute": [pretty(name) for name in names]},
        start={"attribute": pretty(start)},
        labels={"base": "Face", "attribute": "Switch"},
    )
    stage.pictures(0, before)
    stage.pictures(1, after)
    stage.pictures(2, after)
    if regions:
        stage.pictures(2, regions)
    stage.words(words)
    return stage.chart(
        "One switch at a time",
        "Three pictures of a drawn face: as it was, with the chosen attribute switched, and the "
        "same with all but the attribute's true region veiled. Two menus choose face and switch.",
    )


def _sentence(name: str, on: bool, gone: list[str], anywhere: bool) -> str:
    words = f"{pretty(name)} switched {'on' if on else 'off'}"
    if gone:
        words += f", and {', '.join(pretty(rival) for rival in gone)} off: no face wears both"
    if not anywhere:
        words += ". It has no place of its own in the picture"
    return words + "."


def _live(start: str, seed: int):
    w = widgets()
    worn, person = next(iter(BASES.values()))
    state = {"attributes": _of(worn), "settling": False}
    wide = w.Layout(width="300px")
    switches = {
        name: w.ToggleButton(
            value=name in worn, description=pretty(name), layout=w.Layout(width="150px")
        )
        for name in ATTRIBUTES
    }
    who = w.IntSlider(value=person, min=0, max=199, description="Person", layout=wide)
    taken = w.IntSlider(value=seed, min=seed, max=seed + 99, description="Picture", layout=wide)
    region = w.Dropdown(
        options=[(pretty(name), name) for name in ATTRIBUTES], value=start, description="Region"
    )
    anyone = w.Button(description="Anyone", tooltip="Labels as CelebA's come together")
    face = w.Image(format="png", width=256, height=256)
    mask = w.Image(format="png", width=256, height=256)
    note = w.Label()

    def redraw() -> None:
        drawn = draw_face(state["attributes"], person=who.value, seed=taken.value, size=128)
        face.value = png(picture(drawn.images))
        layer = spotlight(drawn.regions[index(region.value)])
        mask.value = png(over(enlarged(picture(drawn.images), 256), layer))

    def settle(attributes: Tensor, words: str = "") -> None:
        """Show these attributes on switches and face; the switches' own events stay silent."""
        state.update(attributes=attributes, settling=True)
        for name, button in switches.items():
            button.value = bool(attributes[index(name)])
        state["settling"] = False
        note.value = words
        redraw()

    def flip(name: str) -> None:
        if not state["settling"]:
            changed, gone = switch(state["attributes"], name)
            settle(changed, _sentence(name, bool(changed[index(name)]), gone, True))

    def draw_anyone(_) -> None:
        generator = torch.Generator().manual_seed(who.value + 1_000 * taken.value + 1)
        draw = int(torch.randint(2**31, (), generator=generator))
        settle(torch.from_numpy(LabelModel.load().sample(1, 1, draw)[0][0]).float())
        who.value = draw % 200

    for name, button in switches.items():
        button.observe(lambda _, name=name: flip(name), names="value")
    for control in (who, taken, region):
        control.observe(lambda _: redraw(), names="value")
    anyone.on_click(draw_anyone)
    redraw()

    label, wrap = w.Layout(width="90px"), w.Layout(flex_flow="row wrap", max_width="660px")
    rooms = [
        w.HBox(
            [w.Label(_words(group), layout=label), w.Box([switches[n] for n in names], layout=wrap)]
        )
        for group, names in GROUPS.items()
    ]
    view = w.VBox([w.HBox([who, taken, anyone]), w.HBox([face, mask]), region, note, w.VBox(rooms)])
    view.switches, view.face, view.mask = switches, face, mask
    view.person, view.picture, view.region, view.anyone = who, taken, region, anyone
    view.note = note
    return view
