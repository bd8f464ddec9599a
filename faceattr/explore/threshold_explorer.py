"""The threshold explorer: when does "perhaps" become "yes", and which faces change sides?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, picture, png, widgets
from faceattr.explore.threshold_chart import BOXES, COLUMNS, ROWS, Tallies, threshold_chart

if TYPE_CHECKING:
    from faceattr.evaluation import Report


def threshold_explorer(
    report: Report,
    faces: FaceDataset | Faces,
    *,
    rows: Sequence[int] | None = None,
    start: str | None = None,
    form: str = "auto",
):
    """Choose an attribute and move the threshold; see who changes sides, and what it costs.

    Left, precision against recall over all thresholds, with the share of faces that have the
    attribute as the floor. Right, four boxes with their counts over all faces, and in each the
    faces whose score is nearest to the threshold: above, faces that have the attribute, found or
    missed; below, faces that do not, false alarms or passed over.

    Args:
        report: of these faces, with predictions; several runs are averaged.
        faces: the faces that were reported on, in that order.
        rows: the faces that the static form can show (the live one has all); by default a few in
            which every attribute is worn by some.
        start: the attribute shown first; by default the first name.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: a report without predictions or of other faces, or rows that are not there.
        UnknownNameError: no such attribute or form.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    if report.scored is None:
        raise DataError(
            "a report without predictions has no scores to put a threshold on: evaluate again, or "
            "save it with report.save(path, predictions=True)"
        )
    scored = report.scored
    stored = faces.faces if isinstance(faces, FaceDataset) else faces
    if len(stored) != len(scored):
        raise DataError(
            f"{len(stored)} faces for a report on {len(scored)}: give the faces that were evaluated"
        )
    start = scored.names[0] if start is None else start
    if start not in scored.names:
        raise UnknownNameError(
            f"no attribute {start!r} here: choose one of {', '.join(scored.names)}"
        )
    # rounded up to a thousandth, so that p > t stays what it was for every threshold of a percent
    said = np.ceil(scored.probabilities.mean(0).double().numpy() * 1000).astype(int)
    view = Tallies(stored.images, said, scored.labels.numpy(), scored.names)
    rows = various(view.labels) if rows is None else list(rows)
    if not rows or max(rows) >= len(stored) or min(rows) < 0:
        raise DataError(f"rows {rows} of {len(stored)} faces: choose some that are there")
    return choose(form, lambda: _live(view, start), lambda: threshold_chart(view, rows, start))


def various(labels: np.ndarray, each: int = 2, most: int = 72) -> list[int]:
    """Rows of a few faces in which, where it can be had, ``each`` wear each attribute.

    The rarest attribute that still wants a face is served first, by the face that wears most of
    what is wanted.

    Args:
        labels: ``(N, M)`` in {0, 1}, -1 where unknown.
        each: faces that should wear each attribute.
        most: rows at most.
    """
    worn = labels == 1
    wanted = np.minimum(worn.sum(0), each)  # (M,)
    chosen: list[int] = []
    while wanted.any() and len(chosen) < most:
        rarest = np.where(wanted > 0, worn.sum(0), worn.sum() + 1).argmin()
        gain = (worn & (wanted > 0)).sum(1).astype(float)  # (N,)
        gain[~worn[:, rarest]] = -1
        gain[chosen] = -1
        if gain.max() < 0:
            wanted[rarest] = 0
            continue
        chosen.append(int(gain.argmax()))
        wanted = np.maximum(wanted - worn[chosen[-1]], 0)
    others = [row for row in range(len(labels)) if row not in set(chosen)]
    return chosen + others[: max(0, most - len(chosen))]


def _sentence(counts: Sequence[int]) -> str:
    """Precision, recall and accuracy of one attribute, in words."""
    found, missed, alarms, passed = (int(count) for count in counts)

    def share(part: int, whole: int) -> str:
        return f"{part / whole:.0%}" if whole else "undefined"

    return (
        f"precision {share(found, found + alarms)}, recall {share(found, found + missed)}, "
        f"accuracy {share(found + passed, found + missed + alarms + passed)}"
    )


def _live(view: Tallies, start: str):
    w = widgets()
    attribute = w.Dropdown(
        options=[(pretty(name), name) for name in view.names], value=start, description="Attribute"
    )
    threshold = w.IntSlider(value=50, min=1, max=99, description="Threshold %")
    boxes = [w.Image(format="png") for _ in BOXES]
    titles, note = [w.Label() for _ in BOXES], w.Label()

    def redraw() -> None:
        column, percent = view.names.index(attribute.value), threshold.value
        counts = view.counts(percent)[:, column]
        for (label, answer, title), box, words, count in zip(
            BOXES, boxes, titles, counts, strict=True
        ):
            nearest = view.nearest(column, percent, label, answer)[: COLUMNS * ROWS]
            box.value = png(_mosaic([picture(view.images[row]) for row in nearest]))
            words.value = f"{title}: {count}"
        note.value = f"{pretty(attribute.value)}: {_sentence(counts)}"

    for control in (attribute, threshold):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    cells = [w.VBox(pair) for pair in zip(titles, boxes, strict=True)]
    view_ = w.VBox([w.HBox([attribute, threshold]), w.HBox(cells[:2]), w.HBox(cells[2:]), note])
    view_.attribute, view_.threshold, view_.boxes = attribute, threshold, boxes
    view_.titles, view_.note = titles, note
    return view_


def _mosaic(faces: Sequence[Image.Image], side: int = 56) -> Image.Image:
    """Faces in a grid on the paper's colour."""
    sheet = Image.new("RGB", (COLUMNS * (side + 3), ROWS * (side + 3)), theme.PAPER)
    for place, face in enumerate(faces):
        at = (place % COLUMNS * (side + 3), place // COLUMNS * (side + 3))
        sheet.paste(face.resize((side, side), Image.Resampling.LANCZOS), at)
    return sheet
