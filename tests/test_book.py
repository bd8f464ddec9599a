"""The book builds without a warning, loads nothing from elsewhere, and its links are generated."""

from __future__ import annotations

import re
import subprocess
import sys

import nbformat
import pytest
import yaml
from conftest import ROOT, built

pytest.importorskip("jupyter_book")

import chapters as tools
import links
from build_book import build

pytestmark = pytest.mark.chapters


def toc_files() -> list[str]:
    """Every page that the table of contents names."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    parts = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *parts]


def pages(folder):
    """The built pages a reader opens."""
    return [p for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts]


def test_every_page_is_built(built_book):
    for name in toc_files():
        assert (built_book / f"{name}.html").is_file(), name
    assert (built_book / "index.html").is_file()


def test_pages_load_nothing_from_elsewhere(built_book, built_specimen):
    loads = re.compile(r'<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]*)"')
    sheets = re.compile(r'<link[^>]*rel="(?:stylesheet|preload)"[^>]*href="(https?:[^"]*)"')
    for folder in (built_book, built_specimen):
        for page in pages(folder):
            text = page.read_text(encoding="utf-8")
            assert not loads.findall(text) + sheets.findall(text), page.name


def test_no_button_leads_nowhere(built_specimen, built_book):
    address = links.Address(ROOT)
    for folder in (built_specimen, built_book):
        for page in pages(folder):
            found = "colab.research.google.com" in page.read_text(encoding="utf-8")
            if not address:
                assert not found, page.name


def test_a_chapter_says_what_it_cost(built_specimen):
    text = (built_specimen / "notebooks" / "01_specimen.html").read_text(encoding="utf-8")
    assert "executed with profile book in 1 min 15 s, with 1.2 GB of memory" in text


def test_a_warning_stops_the_build(specimen):
    page = specimen / "book" / "intro.md"
    page.write_text(page.read_text() + "\n[nowhere](no_such_page.md)\n")
    done = build(specimen / "build", specimen, fresh=True)
    assert done.returncode != 0
    assert "no_such_page" in done.stdout + done.stderr


def test_vega_is_the_one_that_altair_writes(vendor_versions):
    altair = pytest.importorskip("altair")
    for package, wanted in (
        ("vega", altair.VEGA_VERSION),
        ("vega-lite", altair.VEGALITE_VERSION),
        ("vega-embed", altair.VEGAEMBED_VERSION),
    ):
        assert vendor_versions[package]["wanted"] == wanted, "run python book/tools/vendor.py"
        exact = vendor_versions[package]["version"].split(".")
        assert exact[: len(wanted.split("."))] == wanted.split(".")
    local = (ROOT / "book" / "_static" / "vendor" / "vega-local.js").read_text()
    with altair.renderers.enable("html"):
        stock = altair.Chart().mark_bar()._repr_mimebundle_()["text/html"]
    loads = re.findall(r'maybeLoadScript\("([\w-]+)", "([\w.]+)"\)', stock)
    assert len(loads) == 3
    for library, version in loads:
        assert f'"{library.replace("-", "", 1)}_version": "{version}"' in local


# The public address ------------------------------------------------------------------------------


def with_address(root, url):
    """Set ``repository.url`` in a copy and generate every link."""
    config = root / "_config.yml"
    config.write_text(re.sub(r"(?m)^  url: .*$", f'  url: "{url}"', config.read_text(), count=1))
    return links.update(root)


def test_an_address_turns_every_link_on_and_off_again(specimen):
    links.update(specimen)
    chapter = specimen / "notebooks" / "01_specimen.ipynb"
    plain = chapter.read_text(), (specimen / "README.md").read_text()
    assert "colab.research" not in plain[0] + plain[1]
    assert "repository.url" in plain[1], "the README says how to turn the buttons on"
    assert links.FROM_CHECKOUT.splitlines()[-1].strip() in plain[0]

    changed = with_address(specimen, "https://github.com/someone/faces")
    assert changed == ["README.md", "notebooks/01_specimen.ipynb"]
    notebook = nbformat.read(chapter, as_version=4)
    button = "colab.research.google.com/github/someone/faces/blob/main/notebooks/01_specimen.ipynb"
    assert button in notebook["cells"][0]["source"]
    install = next(c for c in notebook["cells"] if tools.has_tag(c, "install"))["source"]
    assert "git clone" in install
    assert "https://github.com/someone/faces faceattr-book" in install
    assert not re.search(r"pip install.*\btorch", install)
    readme = (specimen / "README.md").read_text()
    assert button in readme
    assert "actions/workflows/tests.yml/badge.svg" in readme
    assert "someone.github.io/faces" in readme
    assert links.update(specimen, check=True) == [], "a second run changes nothing"
    page = built(specimen / "build", specimen) / "notebooks" / "01_specimen.html"
    assert page.read_text().count("colab.research.google.com/github/someone/faces") >= 2

    with_address(specimen, "")
    assert (chapter.read_text(), (specimen / "README.md").read_text()) == plain


def test_an_address_that_colab_cannot_use_is_refused(specimen):
    with pytest.raises(SystemExit, match="https://github.com/OWNER/NAME"):
        with_address(specimen, "https://example.org/x")


def test_generated_links_are_up_to_date():
    assert links.update(ROOT, check=True) == [], "run python book/tools/links.py"


def test_the_install_cell_never_touches_torch():
    import install_light

    names = set(install_light.LIGHT.values())
    assert not names & {"torch", "torchvision"}
    listed = (ROOT / "pyproject.toml").read_text().split("\ndependencies = [")[1].split("\n]")[0]
    core = set(re.findall(r'"([\w-]+)', listed))
    assert core - {"torch", "torchvision"} <= names
    assert install_light.missing(present=lambda name: None) == list(install_light.LIGHT.values())
    assert install_light.missing(present=lambda name: object()) == []


def test_numbers_of_the_data_card_come_from_the_code():
    tool = ROOT / "book" / "tools" / "data_card.py"
    done = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
