"""Guards over the whole repository: what no single test would notice going wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import chapters as tools
import pytest
import yaml
from conftest import ROOT

import faceattr

LIBRARY = sorted((ROOT / "faceattr").rglob("*.py"))
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def tracked() -> list[Path]:
    """Files that a clone would have."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


# What may be in the repository ------------------------------------------------------------------


def test_no_path_of_one_machine():
    spared = {ROOT / ".ci" / "run", Path(__file__), ROOT / "book" / "tools" / "chapters.py"}
    texts = {".py", ".md", ".ipynb", ".toml", ".yml", ".txt", ".json", ".css", ".bib", ".cff", ""}
    for path in tracked():
        if path in spared or path.suffix not in texts:
            continue
        text = re.sub(r"base64,[\w+/=]+", "", path.read_text(encoding="utf-8"))
        text = re.sub(r'"image/png": "[^"]*"', "", text)
        text = re.sub(r"/home/(me|someone)/", "", text)  # made up by tests of paths
        hit = tools.ABSOLUTE.search(text)
        assert not hit, f"{path.relative_to(ROOT)}: {text[hit.start() : hit.end() + 30]!r}"


def test_no_photograph_and_no_array_is_committed():
    banned = {".jpg", ".jpeg", ".npz", ".npy", ".pt", ".pth", ".zip", ".mat", ".pkl", ".webp"}
    found = [p.name for p in tracked() if p.suffix.lower() in banned]
    assert not found


def test_pictures_are_few_and_small():
    for path in tracked():
        if path.suffix in {".png", ".svg", ".gif"}:
            assert path.parent == ROOT / "book" / "_static", f"{path}: only drawn pictures, there"
            assert path.stat().st_size < 150_000, path.name


@pytest.mark.parametrize("path", tools.chapters(), ids=lambda p: p.stem)
def test_notebooks_stay_small(path):
    assert path.stat().st_size <= tools.MAX_BYTES


def test_the_top_level_holds_what_it_should():
    named = {"book", "faceattr", "notebooks", "tests"}
    named |= {"_config.yml", "_toc.yml", "requirements.txt", "README.md"}
    usual = {"pyproject.toml", "Makefile", "LICENSE", "LICENSE-prose", "CITATION.cff"}
    usual |= {"CONTRIBUTING.md", ".gitignore", ".pre-commit-config.yaml", ".ci", ".github"}
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert top <= named | usual


# The library --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_holds_one_idea(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 350, f"{lines} lines: split it"


#: Floors from the ground up; an import may only go down, or stay on its floor.
FLOORS = (
    {"attributes", "errors", "device", "profiles", "optional", "theme"},
    {"data"},
    {"models"},
    {"metrics", "scored", "bootstrap"},
    {"objectives", "localization", "taskgraph", "sparse"},
    None,  # whatever supports training and evaluation: History, checkpoints, reports, records
    {"recipes"},
    {"explore"},
    {"plots"},
    {"cli"},
)


def floor(module: str) -> int:
    """The floor of a module of faceattr, by its first name under the package."""
    for level, names in enumerate(FLOORS):
        if names is not None and module in names:
            return level
    return FLOORS.index(None)


def imported(path: Path) -> set[str]:
    """First names under ``faceattr`` that a file imports, anywhere in it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for dotted in tools.imports(path.read_text(encoding="utf-8"), package):
        parts = dotted.split(".")
        if parts[0] == "faceattr" and len(parts) > 1:
            names.add(parts[1])
    return {n for n in names if (ROOT / "faceattr" / n).is_dir() or module_exists(n)}


def module_exists(name: str) -> bool:
    """Whether ``faceattr.name`` is a module, not something that the package exports."""
    return (ROOT / "faceattr" / f"{name}.py").is_file()


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down(path):
    own = path.relative_to(ROOT / "faceattr").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for other in imported(path):
        assert floor(other) <= floor(own), f"{own} (below) imports {other} (above)"


def test_no_half_work_is_left():
    unfinished = re.compile(
        r"NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b|except:\s|Exception:\s*pass"
    )
    for path in LIBRARY:
        hit = unfinished.search(path.read_text(encoding="utf-8"))
        assert not hit, f"{path.relative_to(ROOT)}: {hit[0]}"


# The environment ----------------------------------------------------------------------------------


def requirement_lines() -> dict[str, list[str]]:
    """Lines of each list of requirements in pyproject.toml."""
    blocks = re.findall(r"(?ms)^(\w+) = \[\n(.*?)^\]", PYPROJECT)
    kept = {"dependencies", "book", "test", "oracle", "export", "data"}
    return {name: body.strip().splitlines() for name, body in blocks if name in kept}


def test_every_dependency_has_its_reason():
    lists = requirement_lines()
    assert set(lists) >= {"dependencies", "book", "test", "oracle", "export"}
    for name, lines in lists.items():
        for line in lines:
            assert re.fullmatch(r'\s*"[\w.-]+[^"]*",\s+# .{8,}', line), f"{name}: {line}"


def test_requirements_name_everything_that_pyproject_does():
    listed = re.findall(r"(?m)^([\w.-]+)(?=[<>=~! ]|$)", (ROOT / "requirements.txt").read_text())
    wanted = re.findall(r'(?m)^\s*"([\w.-]+)', "\n".join(sum(requirement_lines().values(), [])))
    assert {w.lower() for w in wanted} <= {name.lower() for name in listed}
    fixed = {"torch", "torchvision", "jupyterlab", "jupyter-book", "ipywidgets", "matplotlib"}
    assert fixed | {"seaborn", "captum", "nbval", "papermill"} <= set(listed)


def test_every_import_is_declared():
    aliases = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
    aliases |= {"lightning_fabric": "lightning-fabric", "yaml": "pyyaml", "cycler": "matplotlib"}
    aliases |= {
        "facenet_pytorch": "facenet-pytorch",
        "IPython": "ipykernel",
        "pytorch_grad_cam": "grad-cam",
    }
    known = set(sys.stdlib_module_names) | {"faceattr", "__future__"}
    for path in LIBRARY:
        for dotted in tools.imports(path.read_text(encoding="utf-8")):
            first = dotted.split(".")[0]
            if first and first not in known and path.parent.joinpath(f"{first}.py") not in LIBRARY:
                name = aliases.get(first, first)
                assert re.search(rf"\b{re.escape(name)}\b", PYPROJECT), (
                    f"{path.name} imports {first}"
                )


def test_versions_agree():
    version = faceattr.__version__
    assert f'version = "{version}"' in PYPROJECT
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == version


def test_make_test_is_what_ci_runs():
    script = (ROOT / ".ci" / "run").read_text()
    assert "make test" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    for name in ("tests", "book"):
        assert yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())["jobs"]


@pytest.mark.parametrize("target", ["book", "test", "notebooks", "bench", "lab"])
def test_make_targets_start_from_nothing(target):
    """With no environment, every target first makes one and installs into it."""
    done = subprocess.run(
        ["make", "--dry-run", target, "VENV=no-such-environment"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "-m venv no-such-environment" in done.stdout
    assert "pip install --quiet --requirement requirements.txt" in done.stdout
    assert "--no-deps facenet-pytorch==2.6.0" in done.stdout


# The front door ---------------------------------------------------------------------------------


def test_the_table_of_contents_covers_the_chapters():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    named = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    there = [path.relative_to(ROOT).with_suffix("").as_posix() for path in tools.chapters()]
    assert [name for name in named if name.startswith("notebooks/")] == there
    pages = {p.relative_to(ROOT).with_suffix("").as_posix() for p in (ROOT / "book").glob("*.md")}
    assert pages == {toc["root"]} | {n for n in named if n.startswith("book/")}


def readme_code() -> list[str]:
    """The Python blocks of the README."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.timeout(600)
def test_the_ten_lines_of_the_readme_run(tmp_path):
    blocks = readme_code()
    assert blocks
    for code in blocks:
        assert len([line for line in code.splitlines() if line.strip()]) <= 10
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert "Eyeglasses" in done.stdout


def test_commands_of_the_readme_parse():
    """Every ``faceattr`` line of the README is one that the command line understands."""
    from faceattr.cli import parser

    lines = re.findall(r"(?m)^faceattr ([^#\n]+)", (ROOT / "README.md").read_text())
    verbs = {parser().parse_args(line.split()).verb for line in lines if "--help" not in line}
    assert verbs >= {"data", "train", "predict"}


def test_links_inside_the_repository_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text()):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_every_reference_is_used_or_listed_once():
    text = (ROOT / "book" / "references.bib").read_text()
    keys = re.findall(r"(?m)^@\w+\{([\w]+),", text)
    assert len(keys) == len(set(keys))
    for page in (ROOT / "book").glob("*.md"):
        for group in re.findall(r"\{cite:[pt]\}`([^`]+)`", page.read_text()):
            for key in group.split(","):
                assert key.strip() in keys, f"{page.name} cites {key}"


# Benchmarks ---------------------------------------------------------------------------------------


def test_benchmark_rows_become_the_readme_table(tmp_path):
    import bench

    output = "warming up\n" + '{"name": "CAM", "ratio": 41.2, "target": 20}\n{"name": "draw"'
    output += ', "value": 812.0, "unit": "faces/s", "target": 500}\n{"not": "a row"}\n{broken\n'
    output += '{"name": "fit", "ratio": 1.01, "target": 1.03, "better": "lower"}\n'
    rows = bench.rows_of(output)
    assert [row["name"] for row in rows] == ["CAM", "draw", "fit"]
    where = {"cores": 2, "processor": "P", "gpu": None, "python": "3", "torch": "2"}
    results = {"machine": {**where, "date": "d", "commit": "c"}, "rows": rows}
    (tmp_path / "README.md").write_text("a\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nb\n")
    bench.fill_readme(results, tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "old" not in text
    assert "| CAM | at least 20× | 41.2× |" in text
    assert "| draw | at least 500 faces/s | 812 faces/s |" in text
    assert "| fit | at most 1.03× | 1.01× |" in text
