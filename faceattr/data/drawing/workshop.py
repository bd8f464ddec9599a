"""Many faces at once, drawn by several processes into memory that they share."""

from __future__ import annotations

import gc
import math
import mmap
import multiprocessing
import os
import signal
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from faceattr.data.drawing.painter import paint_faces
from faceattr.data.drawing.painting import Painting, blank
from faceattr.errors import DataError

#: Faces that a process draws together, before it reports back.
CHUNK = 32
#: Fewer faces than this are drawn faster by one process than by several.
FEW = 256
#: From so many faces on a progress bar is worth its line.
LONG = 2000


@dataclass
class Order:
    """What is to be drawn, and where to put it."""

    attributes: np.ndarray
    people: np.ndarray
    pictures: np.ndarray
    view: str
    drawn: Painting

    def draw(self, rows: range) -> int:
        """Draw some rows into their places; returns how many."""
        part = slice(rows.start, rows.stop)
        people, pictures = self.people[part].tolist(), self.pictures[part].tolist()
        paint_faces(
            self.drawn.part(part),
            self.attributes[part],
            [[person] for person in people],
            list(zip(people, pictures, strict=True)),
            self.view,
        )
        return len(rows)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shared(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An array of which is seen here what processes forked later write into it."""
    size = math.prod(shape)
    memory = mmap.mmap(-1, size * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, size).reshape(shape)


def draw_many(
    attributes: np.ndarray,
    people: np.ndarray,
    pictures: np.ndarray,
    size: int,
    *,
    view: str,
    regions: bool,
    workers: int | None,
) -> Painting:
    """Draw N faces; the pixels depend on each face's own arguments alone.

    Args:
        attributes: ``(N, M)``. people: ``(N,)`` ints. pictures: ``(N,)`` ints.
        size: pixels. view: aligned, unaligned or wild. regions: also the truth of every attribute.
        workers: processes; None chooses. Only Linux forks them; elsewhere one process draws,
            because a process started afresh would run the caller's script a second time.

    Returns:
        N pictures of one face each.

    Raises:
        DataError: there is not enough memory, or a drawing process was killed.
    """
    count = len(attributes)
    if workers is None:
        workers = processors() if count >= FEW else 1
    workers = min(workers, -(-count // CHUNK)) if sys.platform == "linux" else 1
    try:
        drawn = blank(count, size, regions, _shared if workers > 1 else np.empty)
    except (MemoryError, OSError, OverflowError) as error:
        raise DataError(
            f"no memory for {count} faces of {size} pixels: take fewer or smaller ones, or leave "
            "out the regions"
        ) from error
    order = Order(attributes, people, pictures, view, drawn)
    jobs = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    with tqdm(total=count, desc="drawing faces", unit="face", disable=count < LONG) as bar:
        if workers > 1:
            _share(order, jobs, workers, bar)
        else:
            for rows in jobs:
                bar.update(order.draw(rows))
    return drawn


_ORDER: Order | None = None


def _begin(order: Order) -> None:
    """A drawing process leaves Ctrl-C to its parent, and makes no cycles to collect."""
    global _ORDER
    _ORDER = order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()


def _draw(rows: range) -> int:
    return _ORDER.draw(rows)


def _share(order: Order, jobs: list[range], workers: int, bar: tqdm) -> None:
    """Hand the jobs to processes, which inherit the order and write into its arrays."""
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, fork, initializer=_begin, initargs=(order,))
    try:
        with warnings.catch_warnings():
            # Forking beside threads is warned of; the children run numpy and Pillow alone.
            warnings.simplefilter("ignore", DeprecationWarning)
            waiting = [pool.submit(_draw, rows) for rows in jobs]
        for done in as_completed(waiting):
            bar.update(done.result())
    except BrokenProcessPool as error:
        raise DataError(
            "a drawing process was killed, most likely for want of memory: take fewer or smaller "
            "faces, or workers=1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
