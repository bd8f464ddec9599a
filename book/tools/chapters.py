"""What a chapter is on disk: its cells, its hash, whether it is stale, what may be saved."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import tempfile
import tokenize
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"

MAX_BYTES = 1_500_000
DATA_SUFFIXES = {".csv", ".json", ".safetensors"}
#: Paths of somebody's machine. The lookbehind spares web addresses and relative paths.
ABSOLUTE = re.compile(r"(?<![\w.:/~-])/(?:home|root|work|tmp|Users|content|mnt)/\w")
ABSOLUTE_WINDOWS = re.compile(r"\b[A-Z]:\\{1,2}Users\b")
LIVE = "*These controls answer when the chapter runs in JupyterLab or Colab.*"


class ChapterError(Exception):
    """A chapter that must not be saved or published; the message says what to change."""


def chapters(folder: Path = NOTEBOOKS) -> list[Path]:
    """All chapters, in order."""
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def has_tag(cell: dict, tag: str) -> bool:
    """Whether a cell carries a tag."""
    return tag in cell.get("metadata", {}).get("tags", [])


def code_cells(notebook: dict) -> list[dict]:
    """Code cells that hold code."""
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and c["source"].strip()]


def plain_code(notebook: dict) -> str:
    """The chapter's own Python: no install cell (generated), no lines that only IPython reads."""
    sources = [c["source"] for c in code_cells(notebook) if not has_tag(c, "install")]
    lines = "\n".join(sources).splitlines()
    return "\n".join(
        re.match(r"\s*", line).group() + "pass" if line.lstrip()[:1] in {"%", "!"} else line
        for line in lines
    )


# What a chapter's outputs depend on -----------------------------------------------------------


def imports(code: str, package: tuple[str, ...] = ()) -> set[str]:
    """Dotted names that ``code`` may import, at any depth; ``package`` resolves relative ones."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            stem = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (stem, node.module or "") if part)
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def module_file(name: str, root: Path) -> Path | None:
    """The file of a dotted module name under ``root``, if it is one of ours."""
    path = root.joinpath(*name.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def library_files(code: str, root: Path = ROOT) -> list[Path]:
    """Every file of the library that ``code`` depends on, through any chain of imports.

    Importing ``a.b.c`` also runs ``a`` and ``a.b``, and the tables that lie beside a module
    (package data) count with it.
    """
    seen: set[Path] = set()
    waiting = {name for name in imports(code) if name.split(".")[0] == "faceattr"}
    while waiting:
        parts = tuple(waiting.pop().split("."))
        for depth in range(1, len(parts) + 1):
            file = module_file(".".join(parts[:depth]), root)
            if file is None or file in seen:
                continue
            seen.add(file)
            package = parts[:depth] if file.name == "__init__.py" else parts[: depth - 1]
            names = imports(file.read_text(encoding="utf-8"), package)
            waiting |= {name for name in names if name.split(".")[0] == "faceattr"}
    folders = {file.parent for file in seen}
    data = {p for folder in folders for p in folder.iterdir() if p.suffix in DATA_SUFFIXES}
    return sorted(seen | data)


def without_comments(code: str) -> str:
    """Python source less comments, docstrings and blank lines: prose may change, outputs do not."""
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            for line in range(body[0].lineno - 1, body[0].end_lineno):
                lines[line] = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
    except (tokenize.TokenError, IndentationError):
        pass  # a body that was only a docstring does not tokenise; its comments then count
    return "\n".join(line.rstrip() for line in lines if line.strip())


def chapter_hash(notebook: dict, root: Path = ROOT) -> str:
    """Hash of all that decides a chapter's outputs: its own code and the library under it."""
    code = plain_code(notebook)
    digest = hashlib.sha256(without_comments(code).encode())
    for file in library_files(code, root):
        digest.update(file.relative_to(root).as_posix().encode())
        if file.suffix == ".py":
            digest.update(without_comments(file.read_text(encoding="utf-8")).encode())
        else:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def why_stale(path: Path, root: Path = ROOT) -> str | None:
    """Why a chapter's saved outputs cannot be trusted; None when they can."""
    notebook = nbformat.read(path, as_version=4)
    facts = notebook["metadata"].get("faceattr", {})
    if not facts:
        return "never executed by make notebooks"
    if facts.get("profile") != "book":
        return f"executed with profile {facts.get('profile')}"
    if facts.get("hash") != chapter_hash(notebook, root):
        return "the chapter's code or the library under it has changed"
    return None


# What may be saved ------------------------------------------------------------------------------


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what an execution leaves behind and no reader needs, in place.

    Widget state and views (blank without a kernel), papermill's paths, timestamps, and the
    kernel's exact version. A live control becomes one sentence that says where it lives, and of a
    progress bar in plain text stays what a terminal would show in the end.
    """
    notebook["metadata"].pop("widgets", None)
    notebook["metadata"].pop("papermill", None)
    notebook["metadata"]["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    notebook["metadata"]["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    for cell in notebook["cells"]:
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell["metadata"].pop(key, None)
        if cell["cell_type"] != "code":
            continue
        shown = _as_on_screen(cell["outputs"])
        cell["outputs"] = [kept for output in shown if (kept := _tidy_output(output))]
    return notebook


def _as_on_screen(outputs: list[dict]) -> list[dict]:
    """Join what one stream wrote in pieces; what a carriage return overwrote is gone."""
    joined: list[dict] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("name") and output.get("name") == last.get("name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    for output in joined:
        if output.get("name"):  # a stream
            output["text"] = re.sub(r"[^\n]*\r(?=[^\n])", "", output["text"])
    return joined


def _tidy_output(output: dict) -> dict | None:
    """One output without widgets; None where nothing is left."""
    data = output.get("data", {})
    if not any("jupyter.widget" in mime for mime in data):
        return output
    text = data.get("text/plain", "")
    if re.match(r"\s*\d+%\||.*it/s|FloatProgress|HBox\(children=\(HTML", text):
        return None  # a finished progress bar
    output["data"] = {"text/markdown": LIVE, "text/plain": LIVE}
    return output


def check(notebook: dict, name: str) -> None:
    """Refuse a chapter that must not be saved.

    Raises:
        ChapterError: an error output, cells run out of order or not at all, a path of this
            machine, or more than :data:`MAX_BYTES`.
    """
    cells = code_cells(notebook)
    counts = [cell.get("execution_count") for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        raise ChapterError(f"{name}: cells not executed in order from 1: make notebooks runs it")
    for cell, count in zip(cells, counts, strict=True):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                raise ChapterError(f"{name}: cell {count} ends in {output['ename']}: mend the cell")
    for where, text in _texts(notebook):
        if hit := ABSOLUTE.search(text) or ABSOLUTE_WINDOWS.search(text):
            around = text[max(hit.start() - 20, 0) : hit.end() + 40].replace("\n", " ")
            raise ChapterError(f"{name}: {where} names a path of one machine: ...{around}...")
    size = len(nbformat.writes(nbformat.from_dict(notebook)).encode())
    if size > MAX_BYTES:
        raise ChapterError(
            f"{name}: {size / 1e6:.2f} MB, over {MAX_BYTES / 1e6} MB: fewer or smaller figures "
            "(lower dpi), and pictures inside Altair as small PNGs"
        )


def _texts(notebook: dict):
    """Every text of a chapter a reader may see: sources, and outputs that are not pictures."""
    for number, cell in enumerate(notebook["cells"]):
        yield f"cell {number}", cell["source"]
        for output in cell.get("outputs", []):
            yield f"output of cell {number}", output.get("text", "")
            for mime, value in output.get("data", {}).items():
                if not mime.startswith("image/"):
                    text = value if isinstance(value, str) else json.dumps(value)
                    yield f"output of cell {number}", re.sub(r"base64,[\w+/=]+", "", text)


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook in one step: a reader sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".ipynb")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            nbformat.write(notebook, file)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
