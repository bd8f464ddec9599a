"""How a number came about: command, commit, seeds, data, host, versions; no private paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath

import torch

#: Absolute paths: ``/a/b``, ``~/a``, ``C:\a``, at a word's start or after ``=`` or a quote.
_PATH = re.compile(r"(?<![^\s=,:'\"(\[])(?:~?/|[A-Za-z]:[\\/])[^\s,'\"()\[\]]+")


def run_record(
    *,
    seed: int | Sequence[int] | None = None,
    data: str | None = None,
    profile: str | None = None,
    command: str | None = None,
    seconds: float | None = None,
    device: str | torch.device = "cpu",
    **more,
) -> dict:
    """Everything that someone needs to repeat a run, JSON-able and free of private paths.

    Args:
        seed: the seed or seeds.
        data: the ``source`` line of the data set.
        profile: ``smoke``, ``book`` or ``full``.
        command: the command line; by default the one that started this process.
        seconds: how long it took.
        device: what it ran on; a GPU is named.
        more: further entries, kept as they are.
    """
    return {
        "command": shorten(command if command is not None else _command()),
        "commit": commit(),
        "seed": list(seed) if isinstance(seed, (list, tuple)) else seed,
        "data": None if data is None else shorten(data),
        "profile": profile,
        "seconds": None if seconds is None else round(seconds, 1),
        "host": host(device),
        "versions": versions(),
        **more,
    }


def shorten(text: str) -> str:
    """Replace every absolute path in a line by its last component.

    Where files lie on somebody's disk is nobody's business and no help to a reader.
    """

    def last(match: re.Match) -> str:
        path = match.group()
        windows = "\\" in path or path[1:2] == ":"
        return (PureWindowsPath(path) if windows else PurePosixPath(path)).name or "."

    return _PATH.sub(last, text)


def _command() -> str:
    if "ipykernel" in sys.modules and "launcher" in Path(sys.argv[0]).name:
        return "a notebook"
    program = Path(sys.argv[0]).name or "python"
    if program == "__main__.py":  # python -m package
        program = f"python -m {Path(sys.argv[0]).parent.name}"
    return " ".join([program, *sys.argv[1:]])


def commit() -> str | None:
    """Short hash of the commit that this library is at, ``+`` if its files differ from it.

    None where the library is not a git checkout (an installed wheel) or git is not there.
    """
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # ours, not a repository around us
        return git("rev-parse", "--short=12", "HEAD") + "+" * bool(git("status", "-s", "--", "."))
    except (OSError, subprocess.SubprocessError):
        return None


def host(device: str | torch.device = "cpu") -> str:
    """The machine in words, such as ``2 cores, Linux, AMD EPYC 7B13``; a GPU first. No name."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux: the cores this process may use
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    words = f"{cores} core{'s' * (cores > 1)}, {platform.system()}, {_processor()}"
    device = torch.device(device)
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {words}"
    return f"{device.type}, {words}" if device.type != "cpu" else words


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = re.search(r"^model name\s*:\s*(.+)$", info.read_text(errors="replace"), re.M)
        if named:
            return " ".join(named.group(1).split())
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python, torch and faceattr."""
    try:
        own = version("faceattr")
    except PackageNotFoundError:  # used from a source tree that is not installed
        from faceattr import __version__ as own
    return {"python": platform.python_version(), "torch": torch.__version__, "faceattr": own}
