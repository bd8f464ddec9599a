"""The cascade explorer: move three thresholds; see which boxes pass, and what it does to recall."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from faceattr import theme
from faceattr.cascade.survivors import Passed, Survivors
from faceattr.data.convert import PictureLike, read_image
from faceattr.errors import DataError
from faceattr.explore.cascade_chart import COLOURS, GRID, SIDE, cascade_chart
from faceattr.explore.common import choose, enlarged, jpeg_uri, widgets

#: Thresholds of the live form's sliders.
STEPS = (
    0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999,
    0.9995, 0.9998, 0.9999, 0.99995, 0.99999,
)  # fmt: skip


@dataclass
class Search:
    """What both forms of the explorer show.

    Attributes:
        survivors: of the search in all pictures.
        images: of the pictures shown, each at most ``SIDE`` pixels wide and high.
        scales: of each shown picture, pixels of the chart in one of its own.
        shown: which pictures.
    """

    survivors: Survivors
    images: list[Image.Image]
    scales: list[float]
    shown: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        """Of the pictures in the menu."""
        return [f"scene {k + 1}" for k in range(len(self.shown))]

    def lines(self, passed: Passed) -> list[str]:
        """What each stage does over all pictures, in words: S_Net, M_Net, L_Net."""
        words = [
            f"{net}_Net ≥ {threshold:g}: {len(passed.rows[net]):,} boxes, "
            for net, threshold in zip("SML", passed.thresholds, strict=True)
        ]
        left = [f"{_percent(share)} of the faces have one" for share in passed.recall[:2]]
        last = f"recall {_percent(passed.recall[2])}, precision {_percent(passed.precision)}"
        return [word + end for word, end in zip(words, [*left, last], strict=True)]

    @property
    def heading(self) -> str:
        """What the numbers are over."""
        return f"over {len(self.survivors.truth)} scenes with {self.survivors.faces} faces"


def cascade_explorer(
    survivors: Survivors,
    pictures: Sequence[PictureLike],
    truth: Sequence[Tensor],
    *,
    shown: Sequence[int] = (0, 1, 2),
    start: Sequence[float] = (0.5, 0.5, 0.5),
    grid: Sequence[float] = GRID,
    form: str = "auto",
):
    """Move the thresholds of S_Net, M_Net and L_Net; see what passes each.

    In a scene: thin grey boxes pass S_Net, amber ones M_Net, thick ones L_Net, green where they are
    a face and red with a cross where they are not; a dashed white box is a face that was missed.
    Beside it, recall and precision over all pictures of the search. Scores crowd at 0 and 1, so the
    steps of the sliders are even in log-odds rather than in probability.

    The live form works out what passes at each step of its sliders (no network runs). The static
    form holds what passes at all combinations of the thresholds of ``grid``, worked out beforehand
    with the cascade's own suppression: what it shows is exact.

    Args:
        survivors: of a search in ``pictures`` (:func:`faceattr.cascade.survivors.survivors`).
        pictures: all that were searched. truth: their true boxes.
        shown: places of the pictures that one can look at.
        start: thresholds at first; the static form takes the nearest of its own.
        grid: thresholds of the static form, ascending, the same for each network.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: other pictures than those searched, a picture to be shown that is not there, or
            thresholds that are not probabilities or lie below that of the search.
        UnknownNameError: no such form.
        ImageError: a picture cannot be read.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    counts = [len(boxes) for boxes in truth]
    if len(pictures) != len(counts) or counts != [len(boxes) for boxes in survivors.truth]:
        raise DataError(
            f"{len(pictures)} pictures with true boxes of {len(counts)}, a search in "
            f"{len(survivors.truth)}: give the pictures and boxes that were searched"
        )
    if not shown or not all(0 <= k < len(pictures) for k in shown):
        raise DataError(f"shown={tuple(shown)}: choose among {len(pictures)} pictures")
    if list(grid) != sorted(set(grid)) or len(grid) < 2:
        raise DataError(f"grid={tuple(grid)}: give two thresholds or more, ascending")
    for thresholds in (tuple(start), (grid[0],) * 3, (grid[-1],) * 3):
        survivors.at(thresholds)  # refuses what cannot be asked for
    images = [read_image(pictures[k]) for k in shown]
    scales = [SIDE / max(image.size) for image in images]
    small = [
        enlarged(image, max(1, round(image.width * scale)))
        for image, scale in zip(images, scales, strict=True)
    ]
    view = Search(survivors, small, scales, tuple(shown))
    return choose(
        form,
        lambda: _live(view, tuple(start)),
        lambda: cascade_chart(view, tuple(grid), [_nearest(grid, value) for value in start]),
    )


def _nearest(grid: Sequence[float], value: float) -> int:
    """Place of the threshold nearest in log-odds."""
    return int(np.argmin([abs(_odds(one) - _odds(value)) for one in grid]))


def _odds(probability: float) -> float:
    kept = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(kept / (1 - kept))


def _percent(share: float) -> str:
    return "undefined" if math.isnan(share) else f"{100 * share:.1f}%"


def _live(view: Search, start: tuple[float, ...]):
    w = widgets()
    lowest = view.survivors.lowest
    sliders = []
    for net, value in zip("SML", start, strict=True):
        steps = sorted({value, *(step for step in STEPS if step >= lowest)})
        sliders.append(
            w.SelectionSlider(
                options=[(f"{step:g}", step) for step in steps], value=value,
                description=f"{net}_Net", continuous_update=True,
            )
        )  # fmt: skip
    scene = w.Dropdown(
        options=[(name, k) for k, name in enumerate(view.names)], value=0, description="look at"
    )
    drawn, note = w.HTML(), w.HTML()
    trail: list[tuple[float, float]] = []

    def redraw() -> None:
        passed = view.survivors.at([slider.value for slider in sliders])
        here = (passed.recall[2], passed.precision)
        drawn.value = (
            f'<div style="display:inline-flex;background:{theme.PAPER}">'
            f"{_scene(view, passed, scene.value)}{_plane(trail, here)}</div>"
        )
        words = "<br>".join(
            f'<span style="color:{colour}">&#9632;</span> {html.escape(line)}'
            for line, colour in zip(view.lines(passed), COLOURS, strict=True)
        )
        note.value = f"<b>{view.heading}</b><br>{words}"
        if here not in trail and not any(map(math.isnan, here)):
            trail.append(here)

    for control in (*sliders, scene):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    shown = w.VBox([w.HBox([*sliders]), scene, note, drawn])
    shown.sliders, shown.scene, shown.note, shown.drawn = sliders, scene, note, drawn
    return shown


def _scene(view: Search, passed: Passed, place: int) -> str:
    """One scene with its boxes as an SVG."""
    found, k, scale = view.survivors, view.shown[place], view.scales[place]
    image = view.images[place]
    shown = [f'<image href="{jpeg_uri(image)}" width="{image.width}" height="{image.height}"/>']
    for net, colour, width in (("S", COLOURS[0], 1), ("M", COLOURS[1], 2)):
        look = f'class="{net}" stroke="{colour}" stroke-width="{width}"'
        for box in found.boxes[net][found.of(passed.rows[net], k)].tolist():
            shown.append(_rect(box, scale, look))
    rows = passed.rows["L"]
    for row, face in zip(rows.tolist(), passed.face.tolist(), strict=True):
        if int(found.image[row]) != k:
            continue
        colour, kind = (theme.RIGHT, "hit") if face >= 0 else (theme.WRONG, "alarm")
        box = found.boxes["L"][row].tolist()
        shown.append(_rect(box, scale, f'class="{kind}" stroke="{colour}" stroke-width="3.5"'))
        if face < 0:
            shown.append(
                f'<text x="{scale * (box[0] + box[2]) / 2:.1f}" '
                f'y="{scale * (box[1] + box[3]) / 2 + 8:.1f}" text-anchor="middle" '
                f'font-size="24" font-weight="bold" fill="{colour}">&#215;</text>'
            )
    for box in found.missed(passed, k).tolist():
        shown.append(_rect(box, scale, 'stroke="black" stroke-width="4" opacity="0.5"'))
        shown.append(
            _rect(box, scale, 'class="miss" stroke="white" stroke-width="2.5" '
                  'stroke-dasharray="7 4"')
        )  # fmt: skip
    return _svg("".join(shown), image.width, image.height)


def _rect(box: Sequence[float], scale: float, look: str) -> str:
    x0, y0, x1, y1 = (scale * value for value in box)
    return (
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
        f'fill="none" {look}/>'
    )


def _plane(trail: Sequence[tuple[float, float]], here: tuple[float, float]) -> str:
    """Precision over recall: where the thresholds are, and where they have been."""
    side, left, top = 180, 46, 14

    def at(point: tuple[float, float]) -> str:
        return f'cx="{left + side * point[0]:.1f}" cy="{top + side * (1 - point[1]):.1f}"'

    shown = []
    for value in (0, 0.5, 1):
        x, y = left + side * value, top + side * (1 - value)
        shown.append(
            f'<path d="M{left} {y}h{side}M{x} {top}v{side}" stroke="{theme.GRID}"/>'
            f'<text x="{left - 4}" y="{y + 4}" text-anchor="end">{100 * value:.0f}%</text>'
            f'<text x="{x}" y="{top + side + 14}" text-anchor="middle">{100 * value:.0f}%</text>'
        )
    shown += [f'<circle {at(point)} r="3" fill="{theme.MUTED}" opacity="0.5"/>' for point in trail]
    if not any(map(math.isnan, here)):
        shown.append(f'<circle class="here" {at(here)} r="6" fill="{theme.SERIES[0]}"/>')
    shown.append(
        f'<text x="{left + side / 2}" y="{top + side + 28}" text-anchor="middle">recall</text>'
        f'<text transform="translate(10 {top + side / 2}) rotate(-90)" text-anchor="middle">'
        "precision</text>"
    )
    return _svg("".join(shown), left + side + 20, top + side + 34)


def _svg(inside: str, width: int, height: int) -> str:
    return (
        f'<svg width="{width}" height="{height}" font-family="sans-serif" font-size="10" '
        f'style="background:{theme.PAPER}" fill="{theme.INK}">{inside}</svg>'
    )
