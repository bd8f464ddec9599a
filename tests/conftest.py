"""What several test files share: the book's tools, a specimen book, the built book, and times."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "tools"))

# Wheels of the scientific stack start a thread a core each; the tests' arrays are too small for it.
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))
os.environ.setdefault("MPLBACKEND", "Agg")

# A shell that starts a command in the background has it ignore Ctrl-C, which several tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SECONDS: dict[str, float] = defaultdict(float)
RUNS: list = []


def pytest_runtest_logreport(report):
    SECONDS[report.nodeid.split("::")[0]] += report.duration


def pytest_terminal_summary(terminalreporter):
    if RUNS:
        from run_notebooks import table

        terminalreporter.section("chapters at profile smoke")
        terminalreporter.write_line(table(RUNS))
    if len(SECONDS) > 1:
        terminalreporter.section("seconds in each file")
        for name, seconds in sorted(SECONDS.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"{seconds:8.1f}  {name}")


@pytest.fixture(scope="session")
def chapter_runs() -> list:
    """Executions of chapters, shown as a table when the tests end."""
    return RUNS


def notebook(cells: list[tuple[str, str, list[str]]], **metadata):
    """A notebook from (kind, source, tags); kinds are ``markdown`` and ``code``."""
    from nbformat import v4

    made = []
    for position, (kind, source, tags) in enumerate(cells):
        new = v4.new_markdown_cell if kind == "markdown" else v4.new_code_cell
        made.append(new(source, metadata={"tags": tags} if tags else {}, id=f"cell-{position}"))
    return v4.new_notebook(cells=made, metadata=metadata)


@pytest.fixture(scope="session")
def make_notebook():
    """The function that makes a notebook from (kind, source, tags)."""
    return notebook


def vendored() -> Path:
    """The folder of the page's scripts; skips where they were not fetched."""
    folder = ROOT / "book" / "_static" / "vendor"
    if not (folder / "versions.json").is_file():
        pytest.skip("the page's scripts are not there: python book/tools/vendor.py fetches them")
    return folder


def specimen_chart() -> dict:
    """An Altair chart with a slider and a drop-down, as a saved notebook holds it."""
    altair = pytest.importorskip("altair")
    rows = [{"x": i, "y": (i * 7) % 10, "kind": "ab"[i % 2]} for i in range(10)]
    size = altair.param(name="size", value=30, bind=altair.binding_range(min=10, max=900))
    kind = altair.param(name="kind", value="a", bind=altair.binding_select(options=["a", "b"]))
    chart = altair.Chart(altair.Data(values=rows)).mark_circle()
    chart = chart.encode(x="x:Q", y="y:Q", size=altair.value(altair.expr("size")))
    chart = chart.add_params(size, kind).transform_filter("datum.kind == kind")
    with altair.renderers.enable("html"):
        return chart._repr_mimebundle_()


def make_specimen(root: Path) -> Path:
    """A small book with the real configuration: one page, one chapter with one of everything."""
    import base64
    import io

    import nbformat
    from chapters import tidy
    from matplotlib.figure import Figure
    from nbformat import v4

    vendored()
    (root / "book").mkdir(parents=True)
    (root / "notebooks").mkdir()
    for name in ("_config.yml", "README.md"):
        (root / name).write_text((ROOT / name).read_text())
    for name in ("_ext", "_static", "tools"):
        (root / "book" / name).symlink_to(ROOT / "book" / name)
    (root / "book" / "references.bib").write_text((ROOT / "book" / "references.bib").read_text())
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters:\n  - file: notebooks/01_specimen\n"
    )
    (root / "book" / "intro.md").write_text("# A small book\n\nIt has $x_0$ in it.\n")
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 3, 2])
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    cells = [
        ("markdown", "# A specimen\n\nThe heat map $H_j$ is\n\n$$H_j = \\sum_i w_{j,i} F_i$$", []),
        ("code", 'PROFILE = "book"', ["parameters"]),
        ("code", "pass", ["install"]),
        ("code", "figure", []),
        ("code", "chart", []),
    ]
    facts = {"profile": "book", "seconds": 75, "peak_mb": 1234, "python": "3", "torch": "2"}
    book = notebook(cells, faceattr=facts, question="Is everything drawn?")
    png = {"image/png": base64.b64encode(picture.getvalue()).decode()}
    book.cells[3].outputs = [v4.new_output("display_data", data=png)]
    book.cells[4].outputs = [v4.new_output("display_data", data=specimen_chart())]
    for count, cell in enumerate(book.cells[1:], 1):
        cell.execution_count = count
    nbformat.write(tidy(book), root / "notebooks" / "01_specimen.ipynb")
    return root


@pytest.fixture
def specimen(tmp_path) -> Path:
    """A specimen book to change, not built."""
    return make_specimen(tmp_path / "specimen")


def built(output: Path, root: Path) -> Path:
    """Build a book without tolerance for warnings; return the folder of its pages."""
    from build_book import build

    done = build(output, root, fresh=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def built_specimen(tmp_path_factory) -> Path:
    """The pages of the specimen book."""
    root = make_specimen(tmp_path_factory.mktemp("specimen") / "book")
    return built(root / "build", root)


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The pages of the real book, built once for all tests."""
    vendored()
    return built(ROOT / "build" / "test", ROOT)


@pytest.fixture(scope="session")
def vendor_versions() -> dict:
    """Which versions of the page's scripts were fetched."""
    return json.loads((vendored() / "versions.json").read_text())


@pytest.fixture(scope="module")
def solutions(request):
    """The solutions of a chapter, as a module: those that its test file names ``SOLUTIONS``."""
    path = request.module.SOLUTIONS
    spec = importlib.util.spec_from_file_location(f"solutions_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
