"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from faceattr.errors import TrainingError


def write_atomically(path: str | os.PathLike, content: bytes) -> Path:
    """Write a file whole or not at all: a temporary file beside it, then one rename.

    Raises:
        TrainingError: the disk is full, the folder cannot be written, or ``path`` is no file; a
            file that was there before is untouched.
    """
    path = Path(path)
    if os.path.exists(path) and not os.path.isfile(path):  # a rename would replace a device
        kind = "folder" if os.path.isdir(path) else "device or pipe"
        raise TrainingError(f"cannot write {path}: it is a {kind}; give the name of a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise TrainingError(
            f"cannot write {path} ({error.strerror or error}): it needs "
            f"{len(content) / 1e6:.1f} MB{_space(path.parent)}. Make room or choose another "
            "folder; what was written before is intact"
        ) from error
    finally:
        if os.path.isfile(temporary):  # only when something went wrong, Ctrl-C included
            temporary.unlink()
    return path


def _space(folder: Path) -> str:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return f" and {shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
