"""The person explorer: choose somebody; see labels and answers, picture by picture."""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from faceattr import theme
from faceattr.agreement import image_correlation, mean_off_diagonal
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.label_statistics import measure
from faceattr.errors import DataError, UnknownNameError
from faceattr.explore.common import choose, enlarged, picture, png, widgets
from faceattr.explore.person_chart import COLOURS, KINDS, MARKED, person_chart
from faceattr.explore.person_table import HEADS


@dataclass
class People:
    """What both forms of the explorer show.

    Attributes:
        panels: name to ``(N, M)`` probabilities in [0, 1]: the labels first, then each network's.
        rows: person to the rows of the pictures shown.
        names: the M attribute names.
        order: the attributes' columns, from the top.
        images: ``(N, 3, H, W)``, or None.
    """

    panels: dict[str, np.ndarray]
    rows: dict[int, list[int]]
    names: tuple[str, ...]
    order: list[int]
    images: Tensor | None

    def answers(self, panel: str, person: int) -> np.ndarray:
        """``(K, M)`` bool: what the panel says of each picture of a person."""
        return self.panels[panel][self.rows[person]] > 0.5

    def usual(self, panel: str, person: int) -> np.ndarray:
        """``(M,)`` bool: what the panel says of more than half of a person's pictures."""
        return self.answers(panel, person).mean(0) > 0.5

    def marks(self, panel: str, person: int, kind: int) -> np.ndarray:
        """``(K, M)`` bool: the cells that one of :data:`MARKED` marks."""
        said = self.answers(panel, person)
        if kind == 0:
            return said != self.usual(panel, person)
        return said != self.answers(next(iter(self.panels)), person)

    @functools.cached_property
    def correlation(self) -> dict[str, dict[int, float]]:
        """Panel to person to the mean correlation of the person's pictures; NaN where none is."""
        return {
            panel: {
                p: mean_off_diagonal(image_correlation(self.answers(panel, p))) for p in self.rows
            }
            for panel in self.panels
        }

    def called(self, person: int) -> str:
        """What a person is called: by the place among all, and how many pictures there are."""
        place = list(self.rows).index(person) + 1
        return f"person {place} ({len(self.rows[person])} pictures)"

    def table(self, person: int) -> list[list[str]]:
        """A line a panel under :data:`HEADS`: its name, and three numbers in words."""
        lines = []
        for panel in self.panels:
            mean = self.correlation[panel][person]
            departing, wrong = (self.marks(panel, person, kind) for kind in (0, 1))
            lines.append([
                panel,
                f"{mean:+.2f}" if np.isfinite(mean) else "not defined",
                f"{departing.sum(1).mean():.1f}",
                "" if panel == next(iter(self.panels)) else f"{1 - wrong.mean():.1%}",
            ])  # fmt: skip
        return lines

    def strip(self, person: int, side: int) -> Image.Image:
        """A person's pictures in a row, each ``side`` pixels wide."""
        faces = [enlarged(picture(self.images[row]), side) for row in self.rows[person]]
        shown = Image.new("RGB", (side * len(faces), faces[0].height))
        for k, face in enumerate(faces):
            shown.paste(face, (k * side, 0))
        return shown


def person_explorer(
    labels,
    predictions: Mapping[str, object],
    identity,
    names: Sequence[str] = ATTRIBUTES,
    images: Tensor | None = None,
    *,
    people: Sequence[int] | None = None,
    pictures: int = 12,
    start: int | None = None,
    form: str = "auto",
):
    """Choose a person; see labels and predictions of all pictures as matrices, side by side.

    A row is an attribute, those that a person fixes most on top; a column is a picture. What
    departs from the person's usual answer is marked, or what differs from the label; below each
    column is how many. Below that, how alike the person's pictures are in labels and in answers,
    and the same of all people as dots: above the line, a network sees one person more alike than
    the labels are.

    Args:
        labels: ``(N, M)`` in {0, 1}.
        predictions: network to ``(N, M)`` probabilities, or answers 0 and 1; one or two networks
            fit the page. Yes is above 0.5.
        identity: ``(N,)`` whose picture it is.
        names: the M attribute names.
        images: ``(N, 3, H, W)`` of drawn or public-domain faces, shown small above the matrices.
        people: those whom the static form holds; by default the first twelve with two pictures or
            more. The live form has everybody with two pictures or more.
        pictures: as many of each person are used, the first ones.
        start: the person shown first.
        form: see :mod:`faceattr.explore`.

    Raises:
        DataError: arrays that do not fit each other, unknown labels, probabilities outside [0, 1],
            no network, nobody with two pictures, a person with fewer.
        UnknownNameError: no such form, or ``start`` is not among the people.
        MissingDependencyError: ipywidgets or altair is needed and not installed.
    """
    labels, identity, names = np.asarray(labels), np.asarray(identity), tuple(names)
    panels = {"labels": labels} | {n: np.asarray(p, dtype=float) for n, p in predictions.items()}
    _check(panels, identity, names, images)
    if pictures < 2:
        raise DataError(f"pictures={pictures}: two of a person at least can agree")
    rows = {
        int(person): np.flatnonzero(identity == person)[:pictures].tolist()
        for person in np.unique(identity)
    }
    rows = {person: places for person, places in rows.items() if len(places) > 1}
    if not rows:
        raise DataError("nobody has two pictures: nothing can agree or disagree")
    chosen = list(rows)[:12] if people is None else [int(person) for person in people]
    if alone := [person for person in chosen if person not in rows]:
        raise DataError(f"person {alone[0]} has fewer than two pictures here: choose somebody else")
    start = chosen[0] if start is None else start
    if start not in chosen:
        raise UnknownNameError(f"person {start} is not shown: choose one of {chosen}")
    agreement = measure(labels, identity).agreement  # (M,) NaN where a label never varies
    order = np.argsort(-np.nan_to_num(agreement, nan=-1), kind="stable").tolist()
    view = People(panels, rows, names, order, images)
    return choose(form, lambda: _live(view, start), lambda: person_chart(view, chosen, start))


def _check(panels, identity, names, images) -> None:
    labels = panels["labels"]
    if len(panels) < 2:
        raise DataError("no network to show: give predictions={name: (N, M)}")
    for name, values in panels.items():
        if values.shape != (len(identity), len(names)):
            raise DataError(
                f"{name}: shape {values.shape} for {len(identity)} pictures and {len(names)} "
                "attributes: give (N, M)"
            )
        if not ((values >= 0) & (values <= 1)).all():  # NaN fails too
            raise DataError(
                f"{name}: values from 0 to 1 are needed; turn scores into probabilities"
            )
    if not np.isin(labels, (0, 1)).all():
        raise DataError("labels must be 0 or 1: leave pictures with unknown labels out")
    if images is not None and len(images) != len(identity):
        raise DataError(f"{len(images)} images for {len(identity)} pictures")


def _live(view: People, start: int):
    w = widgets()
    person = w.Dropdown(
        options=[(view.called(person), person) for person in view.rows],
        value=start,
        description="Person",
    )
    marked = w.Dropdown(
        options=[(words, k) for k, words in enumerate(MARKED)], description="Marked"
    )
    faces, matrices, table = w.Image(format="png"), w.HTML(), w.HTML()

    def redraw() -> None:
        if view.images is not None:
            faces.value = png(view.strip(person.value, 56))
        matrices.value = _matrices(view, person.value, marked.value)
        lines = [list(HEADS), *view.table(person.value)]
        table.value = "<table>" + "".join(
            "<tr>" + "".join(f'<td style="padding-right:16px">{html.escape(c)}</td>' for c in line)
            + "</tr>" for line in lines
        ) + "</table>"  # fmt: skip

    for control in (person, marked):
        control.observe(lambda _: redraw(), names="value")
    redraw()
    pictures = [faces] if view.images is not None else []
    legend = w.HTML(
        " &nbsp; ".join(
            f'<span style="color:{colour}">&#9632;</span> {kind}'
            for colour, kind in zip(COLOURS, KINDS, strict=True)
        )
    )
    shown = w.VBox([w.HBox([person, marked]), *pictures, legend, matrices, table])
    shown.person, shown.marked = person, marked
    shown.faces, shown.matrices, shown.table = faces, matrices, table
    return shown


_WIDE, _HIGH, _NAMES, _TOP = 15, 10, 120, 30  # pixels of the live form


def _matrices(view: People, person: int, kind: int) -> str:
    """All panels of a person as one SVG."""
    count = len(view.rows[person])
    step = count * _WIDE + 12
    below = _TOP + _HIGH * len(view.order)
    shown = []
    for line, j in enumerate(view.order):
        shown.append(
            f'<text x="{_NAMES - 5}" y="{_TOP + _HIGH * line + 8}" text-anchor="end">'
            f"{html.escape(pretty(view.names[j]))}</text>"
        )
    for q, panel in enumerate(view.panels):
        left = _NAMES + q * step
        said, marks = view.answers(panel, person), view.marks(panel, person, kind)
        shown.append(f'<text x="{left}" y="11" font-size="11" font-weight="bold">'
                     f"{html.escape(panel)}</text>")  # fmt: skip
        for k in range(count):
            middle = left + _WIDE * (k + 0.5)
            for y, words in ((_TOP - 4, k + 1), (below + 11, int(marks[k].sum()))):
                shown.append(f'<text x="{middle}" y="{y}" text-anchor="middle">{words}</text>')
            for line, j in enumerate(view.order):
                colour = COLOURS[2 * marks[k, j] + said[k, j]]
                shown.append(
                    f'<path d="M{left + _WIDE * k} {_TOP + _HIGH * line}h{_WIDE - 1}v{_HIGH - 1}'
                    f'h{1 - _WIDE}z" fill="{colour}"/>'
                )
    width, height = _NAMES + step * len(view.panels), below + 16
    return (
        f'<svg width="{width}" height="{height}" font-family="sans-serif" font-size="9" '
        f'style="background:{theme.PAPER}" fill="{theme.INK}">{"".join(shown)}</svg>'
    )
