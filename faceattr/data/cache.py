"""Pictures decoded once: one uint8 array on disk, memory-mapped ever after.

A cache is a folder named by a hash of everything that decides its pixels. It is filled in a folder
``<name>.partial`` beside it, a block of rows at a time, each block noted in ``progress.json`` only
when it is safely on disk; renamed, it is whole. So stopping it, by Ctrl-C or by pulling the plug,
costs one block, and what is half-written is never taken for whole. A lock keeps two processes
from filling the same cache: the second waits and then opens what the first one made.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from faceattr.data.filling import Filling, disk_error, kept_rows, read_note
from faceattr.errors import DataError, ImageError


@dataclass(frozen=True)
class Decoded:
    """What a cache holds.

    Attributes:
        images: ``(K, 3, H, W)`` uint8, memory-mapped, to be read only.
        rows: ``(K,)`` int64, which of the items each image came from. It is 0, 1, 2, ... unless
            some were unreadable; then images from the end stand in their places.
        facts: ``(K, F)`` float64, the numbers that ``load`` gave beside each image.
        bad: item number -> why it could not be read.
        folder: where all this lies.
    """

    images: Tensor
    rows: np.ndarray
    facts: np.ndarray
    bad: dict[int, str]
    folder: Path


def cache_root(cache: str | Path | None = None) -> Path:
    """Where caches go: ``cache``, else ``$FACEATTR_CACHE``, else ``~/.cache/faceattr``."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache or os.environ.get("FACEATTR_CACHE") or Path(home, "faceattr")).expanduser()


def file_key(paths: Iterable[str | Path], *settings: object) -> str:
    """A name for what these files, as they are now, give under these settings.

    It changes with any file's name, size or time of change, and with any setting (as printed).
    """
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=12)
    for path in paths:
        state = os.stat(path)
        digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def decode_images(
    paths: Sequence[str | Path],
    load: Callable[[Any], np.ndarray],
    size: tuple[int, int],
    folder: str | Path,
    *,
    settings: object = (),
    workers: int | None = None,
    what: str = "pictures",
) -> Tensor:
    """Decode files once into ``folder``: ``(N, 3, H, W)`` uint8, memory-mapped.

    Args:
        paths: the files, in order.
        load: gives one file's pixels, uint8 ``(3, H, W)``; it is called from several threads.
        size: ``(H, W)``.
        folder: where caches lie, as :func:`cache_root` gives it.
        settings: whatever else decides the pixels; its ``repr`` is part of the cache's name.
        workers: threads; all cores by default.
        what: said by the progress bar.

    Raises:
        ImageError: a picture cannot be used.
        DataError: the cache cannot be written: disk full, or no permission.
    """
    key = file_key(paths, size, settings)
    return decode(
        paths, load, size, folder, key=key, strict=True, workers=workers, what=what
    ).images


def decode(
    items: Sequence[Any],
    load: Callable[[Any], Any],
    size: tuple[int, int],
    folder: str | Path,
    *,
    key: str,
    facts: int = 0,
    strict: bool = False,
    workers: int | None = None,
    what: str = "pictures",
) -> Decoded:
    """Open the cache called ``key``, first decoding the items into it where that is not yet done.

    Args:
        items: what ``load`` is called with, in order.
        load: gives uint8 ``(3, H, W)``, or with ``facts`` a pair of that and as many numbers; it
            is called from several threads. An
            :class:`~faceattr.data.pictures.UnreadableImageError` leaves the item out, any other
            error ends the work.
        size: ``(H, W)``.
        folder: where caches lie.
        key: the cache's name; must change with anything that changes a pixel.
        facts: how many numbers come with each image.
        strict: an unreadable item is an error.
        workers: threads; all cores by default.
        what: said by the progress bar.

    Raises:
        ImageError: an item cannot be used, or under ``strict`` not be read.
        DataError: nothing could be read, or the cache cannot be written.
    """
    if not len(items):
        raise DataError(f"no {what} to decode: check the folder and the split")
    shape = (len(items), 3, *size)
    final = Path(folder).absolute() / key
    filling = Filling(final, shape, facts, what)
    try:
        if not filling.whole():
            final.parent.mkdir(parents=True, exist_ok=True)
            with _alone(final.with_name(f"{key}.lock"), what):
                if not filling.whole():
                    filling.fill(items, load, strict, workers or os.cpu_count() or 1)
    except OSError as error:
        raise disk_error(error, final, filling.needed, f"{len(items):,} {what}") from error
    return _open(final, shape, facts, strict, what)


def _alone(path: Path, what: str):
    """Hold the lock, waiting for whoever holds it now; use as a context manager."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"another process is decoding these {what}: waiting for it ({path})", file=sys.stderr)
        return lock.acquire()


def _open(final: Path, shape: tuple[int, ...], facts: int, strict: bool, what: str) -> Decoded:
    note = read_note(final / "cache.json")
    bad = {int(row): why for row, why in note["bad"].items()}
    if bad and (strict or len(bad) == shape[0]):
        raise ImageError(
            f"{len(bad):,} of {shape[0]:,} {what} cannot be read, the first: {bad[min(bad)]}"
        )
    rows = kept_rows(shape[0], bad)
    path = final / "images.npy"
    try:  # a private mapping: writing to it stays in this process
        pixels = np.memmap(path, np.uint8, "c", note["offset"], shape)
    except OSError:  # refused by systems that promise memory strictly, if larger than theirs
        pixels = np.memmap(path, np.uint8, "r", note["offset"], shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        images = torch.from_numpy(pixels)[: len(rows)]  # (K, 3, H, W)
    numbers = np.fromfile(final / "facts.bin").reshape(shape[0], facts)[: len(rows)]
    return Decoded(images, rows, numbers, bad, final)
