"""The book opened from disk with no network, as a reader would, in light and in dark.

Math is set, pictures and charts are drawn, controls move them, nothing is asked of the network and
the console stays silent. Screenshots land in ``build/screenshots``. Chromium comes from the system
(``/usr/bin/chromium``, or the program that ``FACEATTR_CHROMIUM`` names).
"""

from __future__ import annotations

import os
import shutil

import pytest
from conftest import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [pytest.mark.chapters, pytest.mark.timeout(300)]

SCREENSHOTS = ROOT / "build" / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser():
    """Chromium, headless; skips where there is none."""
    program = os.environ.get("FACEATTR_CHROMIUM") or shutil.which("chromium")
    if not program:
        pytest.skip("no Chromium here: install one, or set FACEATTR_CHROMIUM to its path")
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


class Reader:
    """One tab with the network off, which writes down everything that goes wrong in it."""

    def __init__(self, browser, theme: str):
        self.theme = theme
        self.troubles: list[str] = []
        self.context = browser.new_context(
            color_scheme=theme, viewport={"width": 1280, "height": 900}
        )
        self.context.set_offline(True)
        self.context.route("**/*", self._gate)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        self.page.on("console", self._heard)
        self.page.on(
            "requestfailed", lambda r: self.troubles.append(f"not loaded: {r.url} {r.failure}")
        )

    def _gate(self, route):
        """Let files through; anything else would be a request to the network."""
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            self.troubles.append(f"asked the network for {route.request.url}")
            route.abort()

    def _heard(self, message):
        if message.type in {"error", "warning"}:
            self.troubles.append(f"console {message.type}: {message.text}")

    def open(self, path):
        """Open a page and wait until math and charts had their time."""
        self.page.goto(path.as_uri(), wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        self.page.evaluate("() => document.fonts.ready.then(() => true)")
        charts = self.page.locator("[id^=altair-viz]")
        for position in range(charts.count()):
            drawn = charts.nth(position).locator("canvas, svg").first
            drawn.wait_for(state="attached", timeout=20_000)
        return self.page

    def close(self):
        """End the tab."""
        self.context.close()


@pytest.fixture(params=THEMES)
def reader(request, browser):
    """A reader in light and one in dark."""
    tab = Reader(browser, request.param)
    yield tab
    tab.close()


def check_page(reader, page):
    """What must hold on any page of the book."""
    assert page.evaluate("document.documentElement.dataset.theme") == reader.theme
    empty = page.evaluate(
        "[...document.querySelectorAll('.bd-article img')]"
        ".filter(i => !(i.complete && i.naturalWidth > 0)).map(i => i.src)"
    )
    assert not empty, f"pictures that are not there: {empty}"
    raw = page.evaluate(
        "[...document.querySelectorAll('.bd-article .math')]"
        ".filter(m => !m.querySelector('mjx-container')).map(m => m.textContent)"
    )
    assert not raw, f"math that is not set: {raw}"
    assert page.locator(".bd-article mjx-merror").count() == 0, "TeX that MathJax does not know"
    if page.locator(".bd-article mjx-container").count():
        fonts = page.evaluate(
            "[...document.fonts].filter(f => f.family.startsWith('MJX')).map(f => f.status)"
        )
        assert "loaded" in fonts
        assert "error" not in fonts
    assert page.locator("[role=search]:visible, form.bd-search:visible").count() <= 1
    assert not reader.troubles, reader.troubles


def chapter_pages():
    """The chapters' pages by name."""
    from chapters import chapters

    return [path.stem for path in chapters()]


def test_a_specimen_of_everything(reader, built_specimen):
    page = reader.open(built_specimen / "notebooks" / "01_specimen.html")
    check_page(reader, page)
    assert page.locator("mjx-container").count() >= 2
    assert page.locator(".bd-article img").count() == 1
    chart = page.locator(".vega-embed").first
    picture = chart.locator("canvas, svg").first
    for control, change in (
        ("input[type=range]", lambda c: c.evaluate("c => { c.value = 800; }")),
        ("select", lambda c: c.select_option("b")),
    ):
        before = picture.screenshot()
        handle = chart.locator(control)
        change(handle)
        handle.dispatch_event("input")
        handle.dispatch_event("change")
        page.wait_for_timeout(300)
        assert picture.screenshot() != before, f"{control} does not change the chart"
    assert not reader.troubles, reader.troubles


def test_figures_stay_opaque(reader, built_specimen):
    page = reader.open(built_specimen / "notebooks" / "01_specimen.html")
    for selector in (".bd-article img", ".vega-embed"):
        colour = page.locator(selector).first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert colour == "rgb(255, 255, 255)", selector


@pytest.mark.parametrize("name", ["intro", "how_to_read", "notation", "data_card", "whose_faces"])
def test_pages(reader, built_book, name):
    page = reader.open(built_book / "book" / f"{name}.html")
    check_page(reader, page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{reader.theme}.png", full_page=True)


@pytest.mark.parametrize("name", chapter_pages())
def test_chapters(reader, built_book, name):
    page = reader.open(built_book / "notebooks" / f"{name}.html")
    check_page(reader, page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{reader.theme}.png", full_page=True)
    for position in range(page.locator(".vega-embed").count()):
        chart = page.locator(".vega-embed").nth(position)
        controls = chart.locator(
            "select, input[type=range], input[type=checkbox], input[type=radio]"
        )
        if controls.count():
            assert moves(page, chart, controls), f"chart {position}: no control changes the picture"
    assert page.locator("p.chapter-facts").count() == 1
    assert not reader.troubles, reader.troubles


def moves(page, chart, controls) -> bool:
    """Whether some control of a chart changes its picture."""
    picture = chart.locator("canvas, svg").first
    for position in range(controls.count()):
        control = controls.nth(position)
        before = picture.screenshot()
        kind = control.evaluate("c => c.type")
        if kind == "range":
            control.evaluate("c => { c.value = +c.value === +c.max ? c.min : c.max; }")
        elif kind.startswith("select"):
            count = control.locator("option").count()
            at = control.evaluate("c => c.selectedIndex")
            control.select_option(index=(at + 1) % count)
        else:
            control.click(force=True)
        control.dispatch_event("input")
        control.dispatch_event("change")
        page.wait_for_timeout(300)
        if picture.screenshot() != before:
            return True
    return False
