"""The static form's stage: named panels in a row, pictures and words chosen by drop-downs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceattr import theme
from faceattr.explore.common import altair

#: Between two panels, and above them for their titles, in pixels.
_GAP, _HEAD, _FOOT = 14, 24, 28


class Stage:
    """A chart of panels side by side, built layer by layer.

    Args:
        panels: their titles.
        size: width and height of a panel in pixels.
        menus: drop-downs: field name to its options; the first is chosen, or ``start``'s.
        start: field name to the option chosen at first.
        labels: field name to the words before its drop-down.
    """

    def __init__(
        self,
        panels: Sequence[str],
        size: tuple[int, int],
        menus: Mapping[str, Sequence[str]],
        *,
        start: Mapping[str, str],
        labels: Mapping[str, str],
    ):
        self.alt = altair()
        self.panels, (self.width, self.height), self.menus = panels, size, menus
        self.full = (len(panels) * (self.width + _GAP) - _GAP, self.height + _HEAD + _FOOT)
        self.params = [
            self.alt.param(
                name=field,
                value=start.get(field, options[0]),
                bind=self.alt.binding_select(options=list(options), name=f"{labels[field]} "),
            )
            for field, options in menus.items()
        ]
        self.layers = [
            self._words([{"text": title}], x=self._left(i), y=_HEAD / 2, weight="bold")
            for i, title in enumerate(panels)
        ]

    def _left(self, panel: int) -> float:
        return panel * (self.width + _GAP)

    def _chart(self, rows: list[dict]):
        """A chart of rows, of which only those show whose fields equal the menus' choices.

        Equal rows are stored once, however many panels show them.
        """
        chart = self.alt.Chart(self.alt.InlineData(values=rows))
        for field in self.menus:
            if field in rows[0]:
                chart = chart.transform_filter(f"datum.{field} === {field}")
        return chart

    def _words(self, rows: list[dict], *, x: float, y: float, weight: str = "normal"):
        mark = {"align": "left", "baseline": "middle", "color": theme.INK, "fontSize": 13}
        text = self.alt.Text("text", type="nominal")
        return self._chart(rows).mark_text(fontWeight=weight, **mark).encode(
            x=self.alt.value(x), y=self.alt.value(y), text=text
        )  # fmt: skip

    def pictures(self, panel: int, rows: list[dict]) -> None:
        """Lay pictures over a panel: rows with ``url`` and the fields of the menus they obey."""
        mark = self._chart(rows).mark_image(
            width=self.width, height=self.height, align="left", baseline="top", aspect=False
        )
        x, y = self.alt.value(self._left(panel)), self.alt.value(_HEAD)
        self.layers.append(mark.encode(x=x, y=y, url=self.alt.Url("url", type="nominal")))

    def words(self, rows: list[dict]) -> None:
        """Write below the panels: rows with ``text`` and the fields of the menus they obey."""
        self.layers.append(self._words(rows, x=0, y=self.full[1] - _FOOT / 2))

    def chart(self, title: str, description: str):
        """The finished chart: opaque, described in words."""
        return (
            self.alt.layer(*self.layers)
            .add_params(*self.params)
            .properties(
                width=self.full[0], height=self.full[1], title=title, description=description
            )
            .configure(**theme.vega_config())
        )
