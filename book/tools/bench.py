"""Run every benchmark, keep its rows, and fill in the README's table.

Each ``tests/benchmarks/bench_*.py`` measures its sides in one run and prints JSON objects, one a
line: ``{"name": ..., "target": ..., "ratio": ...}``, or ``"value"`` with ``"unit"``, and
``"better": "lower"`` where the target is a ceiling. It exits non-zero when it misses its target.
Rows go to ``book/results/benchmarks.json`` with the machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from chapters import ROOT
from links import between

RESULTS = ROOT / "book" / "results" / "benchmarks.json"


def rows_of(output: str) -> list[dict]:
    """The JSON rows among the lines that a benchmark printed."""
    rows = []
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "ratio" in row or "value" in row:
                rows.append(row)
    return rows


def machine() -> dict:
    """Where the numbers were measured."""
    import torch

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "processor": processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measured(row: dict) -> str:
    """What a row measured, as a reader wants it."""
    if "ratio" in row:
        return f"{row['ratio']:.3g}×"
    return f"{row['value']:,.4g} {row.get('unit', '')}".strip()


def promised(row: dict) -> str:
    """What a row promised."""
    target = row["target"]
    if target is None or isinstance(target, str):
        return target or ""
    sign = "at most" if row.get("better") == "lower" else "at least"
    if "ratio" in row:
        return f"{sign} {target:g}×"
    return f"{sign} {target:,g} {row.get('unit', '')}".strip()


def table(results: dict) -> str:
    """The README's table."""
    lines = ["| measured side by side | promised | measured |", "|---|---|---|"]
    lines += [f"| {r['name']} | {promised(r)} | {measured(r)} |" for r in results["rows"]]
    places: dict[str, list[int]] = {}
    for number, row in enumerate(results["rows"], 1):
        places.setdefault(where(row.get("machine", results["machine"])), []).append(number)
    for place, numbers in places.items():
        rows = "" if len(places) == 1 else f"Rows {', '.join(map(str, numbers))}: "
        lines += ["", f"{rows}`make bench` on {place}."]
    return "\n".join(lines)


def where(m: dict) -> str:
    """A machine in words."""
    gpu = f", {m['gpu']}" if m["gpu"] else ""
    return (
        f"{m['cores']} cores of {m['processor']}{gpu}; Python {m['python']}, torch {m['torch']}, "
        f"{m['date']}, commit {m['commit']}"
    )


def fill_readme(results: dict, root: Path = ROOT) -> None:
    """Write the table between its markers."""
    front = root / "README.md"
    front.write_text(between(front.read_text(), "benchmarks", table(results)))


def main() -> int:
    """Run all (or the named) benchmarks; exit 1 if any is below its target."""
    wanted = sys.argv[1:]
    scripts = sorted((ROOT / "tests" / "benchmarks").glob("bench_*.py"))
    scripts = [s for s in scripts if not wanted or s.stem in wanted or s.stem[6:] in wanted]
    if not scripts:
        print("no such benchmark in tests/benchmarks")
        return 1
    rows, failed = [], []
    for script in scripts:
        print(f"=== {script.stem}", flush=True)
        done = subprocess.run(
            [sys.executable, str(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        print(done.stdout, flush=True)
        rows += rows_of(done.stdout)
        if done.returncode:
            failed.append(script.stem)
    old = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"rows": []}
    names = {row["name"] for row in rows}
    kept = [row for row in old["rows"] if row["name"] not in names] if wanted else []
    kept = [{"machine": old["machine"], **row} for row in kept]
    here = machine()
    results = {"machine": here, "rows": kept + [{**row, "machine": here} for row in rows]}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    fill_readme(results)
    print(table(results))
    if failed:
        print("below target:", ", ".join(failed))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
