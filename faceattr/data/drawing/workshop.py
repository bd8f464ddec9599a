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

from faceattr.attributes import ATTRIBUTES
from faceattr.data.drawing.painter import paint_faces
from faceattr.errors import DataError

#: Faces that a process draws before it reports back.
CHUNK = 32
#: Fewer faces than this are drawn faster by one process than by several.
FEW = 256
#: From so many faces on a progress bar is worth its line.
LONG = 2000


@dataclass
class Order:
    """What is to be drawn, and where to put it; ``regions`` None where they are not wanted."""

    attributes: np.ndarray
    people: np.ndarray
    pictures: np.ndarray
    size: int
    view: str
    images: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray
    regions: np.ndarray | None

    def draw(self, rows: range) -> int:
        """Draw some rows into their places; returns how many."""
        part = slice(rows.start, rows.stop)
        people, pictures = self.people[part].tolist(), self.pictures[part].tolist()
        painting = paint_faces(
            self.attributes[part],
            [[person] for person in people],
            list(zip(people, pictures, strict=True)),
            self.size,
            view=self.view,
            regions=self.regions is not None,
        )
        self.images[part] = painting.image
        self.box[part] = painting.box
        self.landmarks[part] = painting.landmarks
        if self.regions is not None:
            self.regions[part] = painting.regions
        return len(rows)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _array(shape: tuple[int, ...], dtype, shared: bool) -> np.ndarray:
    """An array; what processes forked later write into a shared one is seen here."""
    if not shared:
        return np.empty(shape, dtype)
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
) -> Order:
    """Draw N faces; the pixels depend on each face's own arguments alone.

    Args:
        attributes: ``(N, M)``. people: ``(N,)`` ints. pictures: ``(N,)`` ints.
        size: pixels. view: aligned, unaligned or wild. regions: also the truth of every attribute.
        workers: processes; None chooses. Only Linux forks them; elsewhere one process draws,
            because a process started afresh would run the caller's script a second time.

    Returns:
        Images ``(N, 3, S, S)`` uint8, box ``(N, 4)``, landmarks ``(N, 5, 2)``, regions
        ``(N, M, S // 4, S // 4)`` bool or None.

    Raises:
        DataError: there is not enough memory, or a drawing process was killed.
    """
    count, side = len(attributes), size // 4
    if workers is None:
        workers = processors() if count >= FEW else 1
    workers = min(workers, -(-count // CHUNK)) if sys.platform == "linux" else 1
    shared = workers > 1
    masks = (count, len(ATTRIBUTES), side, side)
    try:
        order = Order(
            attributes,
            people,
            pictures,
            size,
            view,
            images=_array((count, 3, size, size), np.uint8, shared),
            box=_array((count, 4), np.float32, shared),
            landmarks=_array((count, 5, 2), np.float32, shared),
            regions=_array(masks, np.bool_, shared) if regions else None,
        )
    except (MemoryError, OSError, OverflowError) as error:
        raise DataError(
            f"no memory for {count} faces of {size} pixels: take fewer or smaller ones, or leave "
            "out the regions"
        ) from error
    jobs = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    with tqdm(total=count, desc="drawing faces", unit="face", disable=count < LONG) as bar:
        if shared:
            _share(order, jobs, workers, bar)
        else:
            for rows in jobs:
                bar.update(order.draw(rows))
    return order


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
