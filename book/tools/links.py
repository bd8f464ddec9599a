"""Generate everything that holds the public address: badges, Colab buttons, install cells.

The one setting is ``repository.url`` in ``_config.yml``. While it is empty there is no button
anywhere and the install cell works from a checkout; once it is set, this script writes the same
address everywhere. It changes only text between its own markers.

    links.py            write
    links.py --check    exit 1 and say which file is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from chapters import ROOT, chapters, has_tag, write

COLAB = "https://colab.research.google.com"
BADGE = f"{COLAB}/assets/colab-badge.svg"

FROM_CHECKOUT = """\
# Finds the library. A checkout set up with `make`, or with `pip install -e .`, has it already.
import importlib.util

if importlib.util.find_spec("faceattr") is None:
    %run ../book/tools/install_light.py"""

FROM_ADDRESS = """\
# Finds the library: at home it is installed already, on Colab it is fetched. torch stays as it is.
import importlib.util
import os

if importlib.util.find_spec("faceattr") is None:
    if not os.path.exists("../book/tools/install_light.py"):
        !git clone --quiet --depth 1 --branch {branch} {url} faceattr-book
        os.chdir("faceattr-book/notebooks")
    %run ../book/tools/install_light.py"""

WITHOUT = (
    "Colab buttons and badges appear here and in every chapter once `repository.url` in "
    "`_config.yml` holds the public address and `python book/tools/links.py` has run."
)


class Address:
    """The public address, and the links made from it; false while there is none."""

    def __init__(self, root: Path):
        setting = yaml.safe_load((root / "_config.yml").read_text())["repository"]
        self.url = (setting.get("url") or "").rstrip("/").removesuffix(".git")
        self.branch = setting.get("branch") or "main"
        if self.url and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", self.url):
            sys.exit(
                f"_config.yml: repository.url is {self.url!r}; Colab needs the form "
                "https://github.com/OWNER/NAME"
            )

    def __bool__(self) -> bool:
        return bool(self.url)

    def colab(self, path: str) -> str:
        """A Colab button for a notebook, as Markdown."""
        where = self.url.removeprefix("https://github.com/")
        return f"[![Open in Colab]({BADGE})]({COLAB}/github/{where}/blob/{self.branch}/{path})"

    def badges(self) -> str:
        """The tests' and the book's state, as Markdown."""
        owner, name = self.url.removeprefix("https://github.com/").split("/")
        tests = f"{self.url}/actions/workflows/tests.yml"
        return (
            f"[![tests]({tests}/badge.svg)]({tests}) "
            f"[![book](https://img.shields.io/badge/book-read-blue)](https://{owner.lower()}.github.io/{name}/)"
        )

    def install_cell(self) -> str:
        """The code of a chapter's install cell."""
        if not self:
            return FROM_CHECKOUT
        return FROM_ADDRESS.format(url=self.url, branch=self.branch)


def between(text: str, name: str, inside: str) -> str:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in text or end not in text:
        sys.exit(f"the markers {start} and {end} are not there: put them where the text belongs")
    head, rest = text.split(start, 1)
    tail = rest.split(end, 1)[1]
    return f"{head}{start}\n{inside}\n{end}{tail}"


def title_of(notebook: dict) -> str:
    """A chapter's title: its first heading."""
    for cell in notebook["cells"]:
        if found := re.search(r"^# (.+)$", cell["source"], re.MULTILINE):
            return found[1].strip()
    sys.exit("a chapter has no heading '# ...'")


def question_of(notebook: dict) -> str:
    """A chapter's question, in one line: the metadata field ``question``, else nothing."""
    return notebook["metadata"].get("question", "")


def readme(text: str, root: Path, address: Address) -> str:
    """README with badges and the map of chapters."""
    button = " |" if address else ""
    rows = [f"| chapter | what it asks |{button}", "|---|---|" + ("---|" if address else "")]
    for path in chapters(root / "notebooks"):
        notebook = nbformat.read(path, as_version=4)
        name = path.relative_to(root).as_posix()
        row = f"| [{path.stem[:2]} {title_of(notebook)}]({name}) | {question_of(notebook)} |"
        rows.append(row + (f" {address.colab(name)} |" if address else ""))
    text = between(text, "badges", address.badges() if address else "")
    note = [] if address else ["", WITHOUT]
    return between(text, "chapters", "\n".join(rows + note))


def chapter(notebook: nbformat.NotebookNode, path: str, address: Address) -> bool:
    """Bring a chapter's button and install cell up to date; return whether either changed."""
    changed = False
    first = notebook["cells"][0]
    lines = [x for x in first["source"].split("\n") if not x.startswith("[![Open in Colab]")]
    while lines and not lines[-1].strip():
        lines.pop()
    if address:
        heading = next((i for i, x in enumerate(lines) if x.startswith("# ")), -1)
        lines[heading + 1 : heading + 1] = ["", address.colab(path)]
    source = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    if source != first["source"]:
        first["source"], changed = source, True
    for cell in notebook["cells"]:
        if has_tag(cell, "install") and cell["source"] != address.install_cell():
            cell["source"], changed = address.install_cell(), True
    return changed


def update(root: Path = ROOT, *, check: bool = False) -> list[str]:
    """Write (or with ``check`` only compare) all generated links; return what was out of date."""
    address = Address(root)
    changed = []
    front = root / "README.md"
    text = readme(front.read_text(encoding="utf-8"), root, address)
    if text != front.read_text(encoding="utf-8"):
        changed.append("README.md")
        if not check:
            front.write_text(text, encoding="utf-8")
    for path in chapters(root / "notebooks"):
        notebook = nbformat.read(path, as_version=4)
        name = path.relative_to(root).as_posix()
        if chapter(notebook, name, address):
            changed.append(name)
            if not check:
                write(notebook, path)
    return changed


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args()
    changed = update(options.root, check=options.check)
    for name in changed:
        print(f"{'out of date' if options.check else 'updated'}: {name}")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
