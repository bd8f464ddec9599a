"""Every chapter runs at the smoke profile, every solution holds, and the runner keeps its word."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import nbformat
import pytest
from conftest import ROOT
from nbformat import v4

pytest.importorskip("papermill")

import chapters as tools
import run_notebooks
from chapters import ChapterError

CHAPTERS = tools.chapters()
SOLUTIONS = sorted((ROOT / "book" / "solutions").glob("*.py"))


# The chapters --------------------------------------------------------------------------------


@pytest.mark.chapters
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapter_runs_at_smoke_within_its_limits(path, chapter_runs, monkeypatch):
    monkeypatch.setenv("FACEATTR_PROFILE", "smoke")
    before = path.read_bytes()
    run = run_notebooks.execute(path, "smoke")
    chapter_runs.append(run)
    assert path.read_bytes() == before, "a smoke run must save nothing"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapter_is_saved_as_it_is_published(path):
    notebook = nbformat.read(path, as_version=4)
    assert "faceattr" in notebook["metadata"], f"{path.name} was never executed: make notebooks"
    tools.check(notebook, path.name)
    assert notebook["metadata"]["faceattr"]["profile"] == "book"
    assert "widgets" not in notebook["metadata"]
    assert notebook["metadata"].get("question"), "metadata.question: one line for the README's map"
    cells = tools.code_cells(notebook)
    assert tools.has_tag(cells[0], "parameters")
    assert 'os.environ.get("FACEATTR_PROFILE", "book")' in cells[0]["source"]
    assert tools.has_tag(cells[1], "install")
    if why := tools.why_stale(path):
        warnings.warn(f"{path.name} is stale: {why}", stacklevel=1)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapter_with_exercises_has_a_solution(path):
    text = "\n".join(c["source"] for c in nbformat.read(path, as_version=4)["cells"])
    if "Exercise" in text:
        assert (ROOT / "book" / "solutions" / f"{path.stem}.py").is_file()


@pytest.mark.chapters
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_solution_holds(path):
    environment = {**os.environ, "FACEATTR_PROFILE": "smoke"}
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


# The runner ------------------------------------------------------------------------------------

PARAMETERS = 'import os\nPROFILE = os.environ.get("FACEATTR_PROFILE", "book")'


@pytest.fixture
def chapter(tmp_path, make_notebook, monkeypatch):
    """A tiny chapter on disk; the profile that the runner sets is put back afterwards."""
    monkeypatch.setenv("FACEATTR_PROFILE", "smoke")
    path = tmp_path / "01_tiny.ipynb"

    def write(*cells):
        first = [("markdown", "# Tiny", []), ("code", PARAMETERS, ["parameters"])]
        nbformat.write(make_notebook(first + [("code", *cell) for cell in cells]), path)
        return path

    return write


def test_smoke_refuses_to_save(chapter):
    with pytest.raises(ChapterError, match="only profile book"):
        run_notebooks.execute(chapter(("1", [])), "smoke", save=True)


def test_a_profile_reaches_the_cells_and_only_book_is_saved(chapter):
    path = chapter(("print(PROFILE)", []))
    run = run_notebooks.execute(path, "smoke")
    assert run.notebook["cells"][-1]["outputs"][0]["text"] == "smoke\n"
    assert run.seconds > 0
    assert run.peak_mb > 20, "a kernel takes more than that"
    assert not nbformat.read(path, as_version=4)["cells"][-1]["outputs"]
    run_notebooks.execute(path, "book", save=True)
    saved = nbformat.read(path, as_version=4)
    assert saved["cells"][-1]["outputs"][0]["text"] == "book\n"
    assert saved["metadata"]["faceattr"]["profile"] == "book"
    assert set(saved["metadata"]["faceattr"]) >= {"seconds", "peak_mb", "hash", "python", "torch"}
    assert "papermill" not in saved["metadata"]
    assert tools.why_stale(path) is None


def test_a_failing_cell_is_named_and_saves_nothing(chapter):
    path = chapter(("1 / 0", []))
    before = path.read_bytes()
    with pytest.raises(ChapterError, match="01_tiny.ipynb: cell 2 fails: ZeroDivisionError"):
        run_notebooks.execute(path, "book", save=True)
    assert path.read_bytes() == before


def test_limits_are_enforced():
    slow = run_notebooks.Run("x", "smoke", seconds=121, cpu_seconds=125, peak_mb=10)
    busy = run_notebooks.Run("x", "smoke", seconds=121, cpu_seconds=20, peak_mb=10)
    large = run_notebooks.Run("x", "smoke", seconds=1, cpu_seconds=1, peak_mb=4001)
    assert "limit 120 s" in slow.too_much()
    assert busy.too_much() is None
    assert "limit 4000 MB" in large.too_much()


def executed(make_notebook, *outputs, source="x"):
    book = make_notebook([("code", source, [])])
    book.cells[0].execution_count = 1
    book.cells[0].outputs = list(outputs)
    return book


def test_check_refuses_what_must_not_be_published(make_notebook):
    fine = executed(make_notebook, v4.new_output("stream", text="see https://a.org/home/x\n"))
    tools.check(fine, "fine")
    error = v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    with pytest.raises(ChapterError, match="ends in ValueError"):
        tools.check(executed(make_notebook, error), "n")
    path = v4.new_output("stream", text="in " + "/ho" + "me/ada/faces/1.jpg\n")
    with pytest.raises(ChapterError, match="path of one machine"):
        tools.check(executed(make_notebook, path), "n")
    large = v4.new_output("display_data", data={"image/png": "A" * 1_500_001})
    with pytest.raises(ChapterError, match="over 1.5 MB"):
        tools.check(executed(make_notebook, large), "n")
    unexecuted = make_notebook([("code", "x", [])])
    with pytest.raises(ChapterError, match="not executed in order"):
        tools.check(unexecuted, "n")


def test_tidy_leaves_no_widget_and_no_timestamp(make_notebook):
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    slider = v4.new_output("display_data", data={**view, "text/plain": "IntSlider(value=0)"})
    bar = v4.new_output("display_data", data={**view, "text/plain": "  0%|          | 0/3 [00:00"})
    table = v4.new_output("display_data", data={"text/html": "<table></table>"})
    book = executed(make_notebook, slider, bar, table)
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    book.metadata["papermill"] = {"input_path": "x"}
    book.cells[0].metadata["papermill"] = {"start_time": "now"}
    tools.tidy(book)
    text = nbformat.writes(book)
    assert "widget" not in text
    assert "papermill" not in text
    kept = book.cells[0].outputs
    assert len(kept) == 2, "the control as a sentence, the table as it was"
    assert tools.LIVE in kept[0]["data"]["text/markdown"]


def test_tidy_keeps_the_last_state_of_a_progress_bar(make_notebook):
    pieces = ["\rdrawing:   0%| | 0/2", "\rdrawing: 100%|█| 2/2", "\n", "a warning\n"]
    streams = [v4.new_output("stream", name="stderr", text=text) for text in pieces]
    other = v4.new_output("stream", name="stdout", text="two lines\nof words\n")
    book = tools.tidy(executed(make_notebook, *streams, other))
    texts = [output["text"] for output in book.cells[0].outputs]
    assert texts == ["drawing: 100%|█| 2/2\na warning\n", "two lines\nof words\n"]


# What a chapter depends on ------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path):
    """A library of four modules and a table; the chapter imports one that imports another."""
    package = tmp_path / "faceattr"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "data" / "__init__.py").write_text("")
    (package / "data" / "labels.py").write_text(
        "from ..ground import N\n\n\ndef f():\n    return N\n"
    )
    (package / "data" / "table.csv").write_text("1,2\n")
    (package / "ground.py").write_text('"""Ground."""\n\nN = 1  # a number\n')
    (package / "other.py").write_text("X = 1\n")
    return tmp_path


def test_hash_follows_imports_and_nothing_else(library, make_notebook):
    cells = [
        ("code", PARAMETERS, ["parameters"]),
        ("code", "!anything", ["install"]),
        ("code", "%matplotlib inline\nfrom faceattr.data import labels", []),
    ]
    book = make_notebook(cells)
    names = {p.name for p in tools.library_files(tools.plain_code(book), library)}
    assert names == {"__init__.py", "labels.py", "table.csv", "ground.py"}
    package = library / "faceattr"
    first = tools.chapter_hash(book, library)

    def changed():
        return tools.chapter_hash(book, library) != first

    (package / "other.py").write_text("X = 2\n")
    assert not changed(), "a module that it does not import"
    (package / "ground.py").write_text('"""Better words."""\n\n\nN = 1  # the number\n')
    assert not changed(), "comments and docstrings do not change outputs"
    (package / "ground.py").write_text("N = 2\n")
    assert changed(), "a module that it imports indirectly"
    (package / "ground.py").write_text("N = 1\n")
    assert not changed()
    (package / "data" / "table.csv").write_text("1,3\n")
    assert changed(), "package data beside a module that it imports"
    (package / "data" / "table.csv").write_text("1,2\n")
    book.cells[1].source = "another install cell"
    assert not changed(), "the install cell is generated"
    book.cells[2].source += "\nlabels.f()"
    assert changed(), "its own code"


def test_list_of_stale_chapters(library, make_notebook):
    folder = library / "notebooks"
    folder.mkdir()
    path = folder / "01_one.ipynb"
    book = make_notebook([("code", "import faceattr.other", [])])
    nbformat.write(book, path)
    assert "never executed" in tools.why_stale(path, library)
    book.metadata["faceattr"] = {"profile": "book", "hash": tools.chapter_hash(book, library)}
    nbformat.write(book, path)
    assert tools.why_stale(path, library) is None
    (library / "faceattr" / "other.py").write_text("X = 3\n")
    assert "library under it has changed" in tools.why_stale(path, library)
    assert list(run_notebooks.stale(folder)) == [path]
