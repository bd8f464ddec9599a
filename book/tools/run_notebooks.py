"""Execute chapters with papermill, measure them, and save them where that is allowed.

run_notebooks.py --profile book [--only-stale] [NAME ...]  execute, save the outputs
run_notebooks.py --profile smoke [NAME ...]                execute, save nothing
run_notebooks.py --list-stale [--strict]                   list what to execute again
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent))
from chapters import NOTEBOOKS, ChapterError, chapter_hash, chapters, check, tidy, why_stale, write
from meter import Meter

from faceattr.theme import carry_alt

#: Seconds and megabytes that a chapter may take. ``full`` is the papers' scale: no limit.
LIMITS = {"smoke": (120, 4_000), "book": (480, 6_000), "full": (float("inf"), float("inf"))}


@dataclass
class Run:
    """One execution of one chapter."""

    name: str
    profile: str
    seconds: float  # by the clock
    cpu_seconds: float  # of all the kernel's processes
    peak_mb: float  # largest resident memory of the kernel and its children
    notebook: nbformat.NotebookNode | None = None

    def too_much(self) -> str | None:
        """What went over its limit; None when nothing did.

        Time counts as over when both clock and processor say so: a busy machine is not a slow
        chapter.
        """
        seconds, megabytes = LIMITS[self.profile]
        if self.seconds > seconds and self.cpu_seconds > seconds:
            return f"{self.name}: {self.seconds:.0f} s at profile {self.profile}, limit {seconds} s"
        if self.peak_mb > megabytes:
            return f"{self.name}: {self.peak_mb:.0f} MB at its peak, limit {megabytes} MB"
        return None


def execute(path: Path, profile: str, *, save: bool = False) -> Run:
    """Execute one chapter in its own folder; with ``save``, write its outputs back.

    Smaller profiles reach the chapter as papermill would pass them, a parameter cell; ``book`` is
    the default that stands in the chapter, so that what is saved holds no injected cell.

    Raises:
        ChapterError: saving anything but profile ``book``, a cell that fails, a result that may
            not be saved (see :func:`chapters.check`), or a limit exceeded.
    """
    import papermill

    if save and profile != "book":
        raise ChapterError(f"{path.name}: only profile book is published; {profile} saves nothing")
    os.environ["FACEATTR_PROFILE"] = profile
    source = nbformat.read(path, as_version=4)
    digest = chapter_hash(source)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / path.name
        started = time.perf_counter()
        with Meter() as meter:
            try:
                papermill.execute_notebook(
                    str(path),
                    str(output),
                    parameters={} if profile == "book" else {"PROFILE": profile},
                    cwd=str(path.parent),
                    kernel_name="python3",
                    language="python",
                    progress_bar=sys.stderr.isatty(),
                    execution_timeout=None if profile == "full" else 1800,
                )
            except papermill.PapermillExecutionError as error:
                raise ChapterError(
                    f"{path.name}: cell {error.exec_count} fails: {error.ename}: {error.evalue}\n"
                    f"{error.source}\n" + "\n".join(error.traceback[-3:])
                ) from error
        seconds = time.perf_counter() - started
        notebook = nbformat.read(output, as_version=4)
    run = Run(path.stem, profile, seconds, meter.cpu_seconds, meter.peak / 1e6, notebook)
    tidy(notebook)
    carry_alt(notebook)
    if over := run.too_much():
        raise ChapterError(over)
    if save:
        import torch

        notebook["metadata"]["faceattr"] = {
            "profile": profile,
            "seconds": round(seconds),
            "peak_mb": round(run.peak_mb),
            "hash": digest,
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
        check(notebook, path.name)
        write(notebook, path)
    return run


def table(runs: list[Run]) -> str:
    """The runs as a table: seconds, processor seconds, peak memory."""
    lines = [f"{'chapter':32} {'profile':8} {'seconds':>8} {'cpu':>8} {'peak MB':>8}"]
    lines += [
        f"{r.name:32} {r.profile:8} {r.seconds:8.1f} {r.cpu_seconds:8.1f} {r.peak_mb:8.0f}"
        for r in runs
    ]
    if len(runs) > 1:
        lines.append(f"{'together':41} {sum(r.seconds for r in runs):8.1f}")
    return "\n".join(lines)


def stale(folder: Path = NOTEBOOKS) -> dict[Path, str]:
    """Chapters whose saved outputs cannot be trusted, and why."""
    return {path: why for path in chapters(folder) if (why := why_stale(path))}


def choose(names: list[str], only_stale: bool) -> list[Path]:
    """The chapters to execute; a name is a file, a stem or its number."""
    there = chapters()
    if names:
        picked = [p for p in there if any(p.stem == Path(n).stem or p.stem[:2] == n for n in names)]
        if len(picked) < len(set(names)):
            known = ", ".join(p.stem for p in there) or "none"
            sys.exit(f"no such chapter among {', '.join(names)}; there are: {known}")
        there = picked
    return [p for p in there if p in stale()] if only_stale else there


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help="chapters: a file, its stem or its number")
    parser.add_argument("--profile", choices=sorted(LIMITS), default="book")
    parser.add_argument("--only-stale", action="store_true")
    parser.add_argument("--list-stale", action="store_true")
    parser.add_argument("--strict", action="store_true", help="exit 1 if any chapter is stale")
    options = parser.parse_args(arguments)
    if options.list_stale:
        found = stale()
        for path, why in found.items():
            print(f"stale: {path.name}: {why}")
        if not found:
            print(f"no chapter is stale ({len(chapters())} chapters)")
        return int(options.strict and bool(found))
    runs: list[Run] = []
    try:
        for path in choose(options.names, options.only_stale):
            print(f"executing {path.name} at profile {options.profile}", flush=True)
            runs.append(execute(path, options.profile, save=options.profile == "book"))
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if runs:
            print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
