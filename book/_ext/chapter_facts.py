"""A Sphinx extension: what a chapter cost to execute, and pages that are quiet from disk.

The facts at the bottom of a chapter are the notebook's own metadata (profile, seconds, peak
memory), written by ``book/tools/run_notebooks.py`` when it saved the outputs. Launch buttons are
switched off while the book has no public address, so that no button leads nowhere. Two lines of the
theme are dropped because a page opened from disk cannot obey them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx


def sentence(facts: dict) -> str:
    """One line for a reader: profile, time, memory, versions."""
    minutes, seconds = divmod(int(facts["seconds"]), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return (
        f"This chapter was executed with profile {facts['profile']} in {took}, "
        f"with {facts['peak_mb'] / 1000:.1f} GB of memory at its peak "
        f"(Python {facts['python']}, torch {facts['torch']})."
    )


def add_facts(app: Sphinx, doctree: nodes.document) -> None:
    """Append the sentence to a chapter's page."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    facts = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("faceattr")
    sections = [node for node in doctree.children if isinstance(node, nodes.section)]
    if facts and sections:
        line = nodes.paragraph(text=sentence(facts), classes=["chapter-facts"])
        sections[-1].append(line)


#: Fonts that a page from disk may not preload (it loads them all the same), and thebe, which asks
#: for a kernel on a server; it is loaded twice and nothing here uses it.
UNWANTED = re.compile(
    r'<link rel="preload"[^>]*as="font"[^>]*>\s*'
    r"|<script[^>]*sphinx-thebe\.js[^>]*></script>\s*"
    r"|<script>\s*const THEBE_JS_URL[^<]*</script>\s*"
)


def quiet(app: Sphinx, failure: Exception | None) -> None:
    """Drop what would only write errors to the console of a reader without a network."""
    if failure or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if (clean := UNWANTED.sub("", text)) != text:
            page.write_text(clean, encoding="utf-8")


def settle(app: Sphinx, config) -> None:
    """Follow the reader's light or dark by default; without an address, no launch button."""
    config.html_context.setdefault("default_mode", "auto")
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", settle)
    app.connect("doctree-read", add_facts)
    app.connect("build-finished", quiet)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
