"""Build the book with every warning fatal, and say where it is.

Jupyter Book ends with success when a notebook is broken or a picture is missing; here both stop the
build. Nothing is executed: run_notebooks.py did that.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(output: Path, root: Path = ROOT, *, fresh: bool = False) -> subprocess.CompletedProcess:
    """Build into ``output``/_build/html; ``returncode`` is 0 only without a warning."""
    if not (root / "book" / "_static" / "vendor" / "versions.json").is_file():
        sys.exit(
            "the page's scripts are not there: run `python book/tools/vendor.py` (or make book)"
        )
    program = Path(sys.executable).parent / "jupyter-book"
    command = [str(program), "build", str(root)]
    command += ["--path-output", str(output), "--warningiserror", "--keep-going"]
    if fresh:
        command.append("--all")
    environment = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def main() -> int:
    """Build into ``build/``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--fresh", action="store_true", help="build every page again")
    options = parser.parse_args()
    done = build(ROOT / "build", fresh=options.fresh)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-8000:], sep="\n")
        print("the book was not built: see the warnings above")
        return 1
    print(f"built {(ROOT / 'build' / '_build' / 'html' / 'index.html').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
