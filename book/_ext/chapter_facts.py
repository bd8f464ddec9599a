"""A Sphinx extension: what this page cost to execute, at the bottom of every chapter.

The facts are the notebook's own metadata (profile, seconds, peak memory), written by
``book/tools/run_notebooks.py`` when it saved the outputs. Launch buttons are switched off while the
book has no public address, so that no button leads nowhere.
"""

from __future__ import annotations

import json
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


def hide_buttons(app: Sphinx, config) -> None:
    """Without an address, no launch button."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", hide_buttons)
    app.connect("doctree-read", add_facts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
