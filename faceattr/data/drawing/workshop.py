"""Many faces at once, drawn by several processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import warnings
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from tqdm import tqdm

from faceattr.attributes import ATTRIBUTES
from faceattr.data.drawing.painter import paint_face
from faceattr.errors import DataError

#: Faces that a process draws before it hands them over.
CHUNK = 32
#: Fewer faces than this are drawn faster by one process than by several.
FEW = 256
#: From so many faces on a progress bar is worth its line.
LONG = 2000


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def draw_many(
    attributes: np.ndarray,
    people: np.ndarray,
    pictures: np.ndarray,
    size: int,
    *,
    wild: bool,
    regions: bool,
    workers: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Draw N faces; the pixels depend on each face's arguments alone.

    Args:
        attributes: ``(N, M)``. people: ``(N,)`` ints. pictures: ``(N,)`` ints.
        size: pixels. wild: somewhere in a scene. regions: also the truth of every attribute.
        workers: processes; None chooses. Without ``fork`` (Windows, macOS) the choice is one,
            because other ways of starting a process run the caller's script a second time.

    Returns:
        Images ``(N, 3, S, S)`` uint8, boxes ``(N, 4)``, landmarks ``(N, 5, 2)``, regions
        ``(N, M, S // 4, S // 4)`` bool or None.

    Raises:
        DataError: there is not enough memory, or a drawing process was killed.
    """
    count, side = len(attributes), size // 4
    fork = sys.platform == "linux"
    if workers is None:
        workers = processors() if count >= FEW and fork else 1
    try:
        out = [
            np.empty((count, 3, size, size), dtype=np.uint8),
            np.empty((count, 4), dtype=np.float32),
            np.empty((count, 5, 2), dtype=np.float32),
        ]
        if regions:
            out.append(np.empty((count, len(ATTRIBUTES), side, side), dtype=bool))
    except MemoryError as error:
        raise DataError(
            f"no memory for {count} faces of {size} pixels: take fewer or smaller ones, or leave "
            "out the regions"
        ) from error
    jobs = [
        (rows, (attributes[rows], people[rows], pictures[rows], size, wild, regions))
        for rows in (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
    ]
    with tqdm(total=count, desc="drawing faces", unit="face", disable=count < LONG) as bar:

        def keep(rows: slice, drawn: list[np.ndarray]) -> None:
            for whole, part in zip(out, drawn, strict=True):
                whole[rows] = part
            bar.update(len(drawn[0]))

        if workers == 1 or len(jobs) == 1:
            for rows, job in jobs:
                keep(rows, _draw(*job))
        else:
            _share(jobs, keep, min(workers, len(jobs)), "fork" if fork else "spawn")
    return tuple(out) if regions else (*out, None)


def _draw(attributes, people, pictures, size, wild, regions) -> list[np.ndarray]:
    """One chunk of faces, stacked."""
    paintings = [
        paint_face(values, [person], [person, picture], size, wild=wild, regions=regions)
        for values, person, picture in zip(
            attributes, people.tolist(), pictures.tolist(), strict=True
        )
    ]
    drawn = [
        np.stack([p.image for p in paintings]),
        np.concatenate([p.box for p in paintings]),
        np.concatenate([p.landmarks for p in paintings]),
    ]
    return [*drawn, np.concatenate([p.regions for p in paintings])] if regions else drawn


def _begin() -> None:
    """A drawing process leaves Ctrl-C to its parent, and makes no cycles to collect."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()


def _share(jobs: list, keep, workers: int, start: str) -> None:
    """Hand the jobs to processes, a few ahead of what is done, and keep what they return."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(start), initializer=_begin)
    waiting: list[tuple[slice, Future]] = []
    try:
        for rows, job in jobs:
            with warnings.catch_warnings():
                # Forking beside threads is warned of; the children run numpy and Pillow alone.
                warnings.simplefilter("ignore", DeprecationWarning)
                waiting.append((rows, pool.submit(_draw, *job)))
            if len(waiting) > 3 * workers:
                rows, done = waiting.pop(0)
                keep(rows, done.result())
        for rows, done in waiting:
            keep(rows, done.result())
    except BrokenProcessPool as error:
        raise DataError(
            "a drawing process was killed, most likely for want of memory: take fewer or smaller "
            "faces, or workers=1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
