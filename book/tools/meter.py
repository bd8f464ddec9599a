"""How much processor time and memory the programs started from here take."""

from __future__ import annotations

import threading

import psutil


def resident(process: psutil.Process) -> int:
    """Bytes of memory that a process holds; pages shared with others count by their share."""
    try:
        return process.memory_full_info().pss
    except (AttributeError, psutil.AccessDenied):  # not Linux, or not ours to read
        return process.memory_info().rss


class Meter(threading.Thread):
    """Watches the children of this process: processor seconds and peak resident memory."""

    def __init__(self, every: float = 0.2):
        super().__init__(daemon=True)
        self.every = every
        self.peak = 0  # bytes, of all children together
        self.cpu: dict[int, float] = {}  # process id -> seconds so far
        self.stop = threading.Event()
        self.before = {p.pid for p in psutil.Process().children(recursive=True)}

    def run(self) -> None:
        """Sample until stopped."""
        while not self.stop.wait(self.every):
            memory = 0
            for child in psutil.Process().children(recursive=True):
                if child.pid in self.before:
                    continue
                try:
                    memory += resident(child)
                    times = child.cpu_times()
                    self.cpu[child.pid] = times.user + times.system
                except psutil.Error:  # it ended while we looked
                    continue
            self.peak = max(self.peak, memory)

    def __enter__(self) -> Meter:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop.set()
        self.join()

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds of all children so far, also of those that have ended."""
        return sum(self.cpu.values())
