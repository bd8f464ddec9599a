"""Filling one picture cache so that it survives interruption: the inside of ``cache.py``."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tqdm.auto import tqdm

from faceattr.data.pictures import UnreadableImageError
from faceattr.errors import DataError, ImageError

_BLOCK_BYTES = 16 * 2**20
_BLOCK_ROWS = 512
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Filling:
    """One cache on its way from nothing to whole.

    Args:
        final: the folder it will be.
        shape: ``(N, 3, H, W)`` of its images.
        facts: how many numbers are kept beside each image.
        what: said by the progress bar and by errors.
    """

    def __init__(self, final: Path, shape: tuple[int, ...], facts: int, what: str):
        self.final, self.partial = final, final.with_name(f"{final.name}.partial")
        self.shape, self.facts, self.what = tuple(shape), facts, what
        self.image_bytes, self.fact_bytes = int(np.prod(shape[1:])), 8 * facts
        self.needed = shape[0] * (self.image_bytes + self.fact_bytes)

    def whole(self) -> bool:
        """Is the finished cache there, and is each file as long as it was when it was finished?"""
        try:
            note = read_note(self.final / "cache.json")
            sizes = {name: (self.final / name).stat().st_size for name in note["bytes"]}
            return sizes == note["bytes"] and tuple(note["shape"]) == self.shape
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return False

    def fill(
        self, items: Sequence[Any], load: Callable[[Any], Any], strict: bool, workers: int
    ) -> None:
        """Decode what no earlier run decoded, then rename the folder: from then on it is whole.

        Raises:
            OSError: the disk is full or cannot be written; what is done so far stays.
            ImageError: an item cannot be used.
        """
        if self.final.exists():
            warnings.warn(f"{self.final} is damaged: decoding its {self.what} anew", stacklevel=4)
            shutil.rmtree(self.final)
        self.partial.mkdir(exist_ok=True)
        done, bad = self._resume()
        room = self.needed - done * (self.image_bytes + self.fact_bytes)
        if shutil.disk_usage(self.partial).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        images, facts = self.partial / "images.npy", self.partial / "facts.bin"
        images.touch()
        facts.touch()
        count = self.shape[0]
        block = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // self.image_bytes))
        pool = ThreadPoolExecutor(workers)
        bar = tqdm(total=count, initial=done, desc=self.what, unit="img", leave=False)
        try:
            with bar, images.open("r+b") as pixels, facts.open("r+b") as numbers:
                offset = self._header(pixels)
                for start in range(done, count, block):
                    rows = range(start, min(start + block, count))
                    loaded = pool.map(lambda row: self._one(items[row], load, strict), rows)
                    parts = dict(zip(rows, loaded, strict=True))
                    bad |= {row: part for row, part in parts.items() if isinstance(part, str)}
                    self._write(pixels, offset, numbers, start, list(parts.values()))
                    self._note("progress.json", {"done": rows.stop, "bad": bad})
                    bar.update(len(rows))
        except KeyboardInterrupt as interrupt:
            interrupt.args = (
                f"what is decoded is kept in {self.partial}: run again to go on from there",
            )
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        self._close_gaps(images, offset, facts, bad)
        sizes = {path.name: path.stat().st_size for path in (images, facts)}
        note = {"what": self.what, "shape": self.shape, "offset": offset, "bytes": sizes}
        self._note("cache.json", note | {"bad": bad})
        os.replace(self.partial, self.final)

    def _resume(self) -> tuple[int, dict[int, str]]:
        """How many rows an interrupted run left safely on disk, and its unreadable ones."""
        try:
            note = read_note(self.partial / "progress.json")
            done, bad = int(note["done"]), {int(row): why for row, why in note["bad"].items()}
            images = (self.partial / "images.npy").stat().st_size
            facts = (self.partial / "facts.bin").stat().st_size
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return 0, {}
        safe = images > done * self.image_bytes and facts >= done * self.fact_bytes
        return (done, bad) if safe and done <= self.shape[0] else (0, {})

    def _header(self, pixels: BinaryIO) -> int:
        """Write the ``.npy`` header; return its length."""
        form = {"descr": "|u1", "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(pixels, form)
        return pixels.tell()

    def _one(self, item, load, strict: bool) -> tuple[np.ndarray, Sequence[float]] | str:
        """One item's pixels and facts, or why there are none."""
        try:
            loaded = load(item)
        except UnreadableImageError as error:
            if strict:
                raise
            return str(error)
        pixels, facts = loaded if self.facts else (loaded, ())
        if pixels.shape != self.shape[1:] or pixels.dtype != np.uint8:
            raise ImageError(
                f"{item} was loaded as {pixels.dtype} of shape {pixels.shape}: "
                f"the loader must give uint8 of shape {self.shape[1:]}"
            )
        return pixels, facts

    def _write(self, pixels: BinaryIO, offset: int, numbers: BinaryIO, start: int, parts) -> None:
        """A block of rows, safely on disk when this returns; unreadable ones are left black.

        Written with plain writes, not through a memory map: on a full disk a write is an error
        that can be told, a memory map kills the process.
        """
        empty = np.zeros(self.shape[1:], np.uint8), [0.0] * self.facts
        parts = [empty if isinstance(part, str) else part for part in parts]
        pixels.seek(offset + start * self.image_bytes)
        pixels.write(np.stack([part[0] for part in parts]).tobytes())
        numbers.seek(start * self.fact_bytes)
        numbers.write(np.array([part[1] for part in parts], np.float64).tobytes())
        for file in (pixels, numbers):
            file.flush()
            os.fsync(file.fileno())

    def _note(self, name: str, content: dict) -> None:
        """Write a note so that it is there whole or not at all."""
        fresh = self.partial / f"{name}.new"
        fresh.write_text(json.dumps(content))
        os.replace(fresh, self.partial / name)

    def _close_gaps(self, images: Path, offset: int, facts: Path, bad: dict[int, str]) -> None:
        """Copy rows from the end over unreadable ones. Done twice, it does no harm."""
        rows = kept_rows(self.shape[0], bad)
        gaps = np.flatnonzero(rows != np.arange(len(rows)))
        if not len(gaps):
            return
        pixels = np.memmap(images, np.uint8, "r+", offset, self.shape)
        numbers = np.fromfile(facts).reshape(self.shape[0], self.facts)
        pixels[gaps], numbers[gaps] = pixels[rows[gaps]], numbers[rows[gaps]]
        pixels.flush()
        numbers.tofile(facts)


def kept_rows(count: int, bad: dict[int, str]) -> np.ndarray:
    """Which item stands in each row once unreadable ones are replaced by ones from the end."""
    good = np.setdiff1d(np.arange(count), list(bad))
    rows = np.arange(len(good))
    gaps = np.setdiff1d(rows, good)
    rows[gaps] = good[len(good) - len(gaps) :]
    return rows


def read_note(path: Path) -> dict:
    """The content of a note written by :class:`Filling`."""
    return json.loads(path.read_text())


def disk_error(error: OSError, final: Path, needed: int, what: str) -> DataError:
    """Say what went wrong with the disk, and what to do about it."""
    remedy = (
        "name a folder on another disk with the environment variable FACEATTR_CACHE "
        "or the argument cache="
    )
    if error.errno not in _FULL:
        return DataError(f"the cache {final} cannot be written ({error}): {remedy}")
    there = next(folder for folder in final.parents if folder.exists())
    return DataError(
        f"the disk of {final.parent} is full: {what} take {needed:,} bytes in all, "
        f"{shutil.disk_usage(there).free:,} are free. Free some space, or {remedy}; "
        "what is decoded already is kept, and running this again goes on from there"
    )
