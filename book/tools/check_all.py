"""Everything that ``make test`` promises, in order, with the time and the peak memory of each part.

Lint; the saved outputs of every chapter against fresh ones (nbval, profile smoke); the tests, which
run every chapter with papermill, every solution, and the built book in a browser; the list of stale
chapters. A part that fails does not hide the others; the exit status is 0 only if none failed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from chapters import ROOT, chapters
from meter import Meter

MAX_GB = 6.0
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)")


def parts() -> list[tuple[str, list[str], dict[str, str]]]:
    """Name, command and extra environment of each part."""
    python = [sys.executable, "-m"]
    found = [
        ("ruff check", [*python, "ruff", "check", "."], {}),
        ("ruff format", [*python, "ruff", "format", "--check", "."], {}),
    ]
    nbval = [*python, "pytest", "--nbval", *map(str, chapters()), "-p", "no:cacheprovider"]
    nbval += ["--nbval-cell-timeout", "300", "--durations", "5"]
    found.append(("pytest --nbval", nbval, {"FACEATTR_PROFILE": "smoke"}))
    found.append(
        (
            "pytest",
            [*python, "pytest", "tests", "--durations", "12", "--continue-on-collection-errors"],
            {},
        )
    )
    runner = str(ROOT / "book" / "tools" / "run_notebooks.py")
    found.append(("stale chapters", [sys.executable, runner, "--list-stale"], {}))
    return found


def follow(command: list[str], environment: dict[str, str]) -> tuple[int, dict[str, int]]:
    """Run a command with its output passed through; return its status and pytest's last counts."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    counts: dict[str, int] = {}
    for line in process.stdout:
        print(line, end="", flush=True)
        if re.search(r"\bin [\d.]+s\b", line) and (found := COUNT.findall(line)):
            counts = {kind.rstrip("s") if kind == "errors" else kind: int(n) for n, kind in found}
    return process.wait(), counts


def main() -> int:
    """Run all parts; print what each took, and one closing line over all of pytest."""
    failed, rows, totals, peak = [], [], {}, 0.0
    for name, command, environment in parts():
        print(f"\n=== {name}", flush=True)
        started = time.perf_counter()
        with Meter() as meter:
            status, counts = follow(command, environment)
        rows.append((name, time.perf_counter() - started, meter.peak / 1e9, status))
        peak = max(peak, meter.peak / 1e9)
        for kind, number in counts.items():
            totals[kind] = totals.get(kind, 0) + number
        if status:
            failed.append(name)
    print(f"\n{'part':20} {'seconds':>8} {'peak GB':>8}")
    for name, seconds, gigabytes, status in rows:
        print(f"{name:20} {seconds:8.1f} {gigabytes:8.2f}{'  FAILED' if status else ''}")
    print(f"{'together':20} {sum(r[1] for r in rows):8.1f} {peak:8.2f}")
    if peak > MAX_GB:
        failed.append(f"peak memory {peak:.2f} GB, limit {MAX_GB} GB")
    if failed:
        print("failed:", "; ".join(failed))
    bad = totals.get("failed", 0) + totals.get("error", 0)
    print(
        f"total: {totals.get('passed', 0)} passed, {bad} failed, {totals.get('skipped', 0)} skipped"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
