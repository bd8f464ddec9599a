"""Stopping and going on: what a run is (its settings), and the state that continues it."""

from __future__ import annotations

import dataclasses
import functools
import os
import random
import types
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from faceattr.data.faces import FaceDataset
from faceattr.errors import TrainingError


def describe(thing, depth: int = 4) -> str:
    """Words for a setting that are the same in the next process: no addresses, no paths.

    Functions are named with the values that they close over, objects with their public
    attributes; tensors, arrays and data sets with a checksum.
    """
    inner = functools.partial(describe, depth=depth - 1)
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return repr(thing)
    if isinstance(thing, os.PathLike):
        return repr(os.path.basename(thing))
    if isinstance(thing, (Tensor, np.ndarray)):
        array = np.ascontiguousarray(torch.as_tensor(thing).detach().cpu().float().numpy())
        return f"array{array.shape} {zlib.crc32(array.tobytes()):08x}"
    if isinstance(thing, FaceDataset):
        return describe_data(thing)
    if isinstance(thing, nn.Module):
        return f"{type(thing).__name__}({getattr(thing, 'config', None) or repr(thing)})"
    if depth == 0:
        return type(thing).__name__
    if isinstance(thing, Mapping):
        return "{" + ", ".join(f"{k}: {inner(v)}" for k, v in thing.items()) + "}"
    if isinstance(thing, (list, tuple, set, frozenset)):
        words = [inner(v) for v in thing]
        return f"({', '.join(sorted(words) if isinstance(thing, (set, frozenset)) else words)})"
    if isinstance(thing, functools.partial):
        return f"{inner(thing.func)}{inner([*thing.args])}{inner(thing.keywords)}"
    if isinstance(thing, types.MethodType):
        return f"{inner(thing.__self__)}.{thing.__name__}"
    if isinstance(thing, types.FunctionType):
        held = [cell.cell_contents for cell in thing.__closure__ or ()] + [
            *(thing.__defaults__ or ())
        ]
        return thing.__qualname__ + (inner(held) if held else "")
    if isinstance(thing, type) or not hasattr(thing, "__dict__"):
        return getattr(thing, "__qualname__", type(thing).__name__)
    if dataclasses.is_dataclass(thing):
        public = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
    else:
        public = {name: v for name, v in vars(thing).items() if not name.startswith("_")}
    return f"{type(thing).__name__}{inner(public)}"


def describe_data(data: FaceDataset) -> str:
    """Source, number, size, and a checksum of all labels and of sixteen pictures."""
    rows = torch.linspace(0, len(data) - 1, min(16, len(data))).long()
    sample = data.gather_raw(rows).images.cpu().contiguous().numpy()
    check = zlib.crc32(sample.tobytes())
    if data.attributes is not None:
        check = zlib.crc32(data.attributes.to(torch.int8).contiguous().numpy().tobytes(), check)
    height, width = data.size
    return f"{data.source}: {len(data)} faces of {height} x {width}, {check:08x}"


def compare(now: Mapping[str, str], before: Mapping[str, str], path: os.PathLike) -> None:
    """Refuse to go on with a run of other settings.

    Raises:
        TrainingError: names what differs.
    """
    changed = [
        f"{name} (was {_short(before.get(name))}, now {_short(now.get(name))})"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise TrainingError(
            f"cannot resume {path}: it was trained with other settings: {'; '.join(changed)}. Use "
            "the old ones, or train anew with resume=False or in another folder"
        )


def _short(text: str | None) -> str:
    text = str(text)
    return text if len(text) <= 100 else text[:60] + "..." + text[-37:]


def pack_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict]:
    """An optimiser's state as tensors by name and JSON."""
    state = optimizer.state_dict()
    tensors, numbers = {}, {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            place = f"optimizer/{index}/{key}"
            if isinstance(value, Tensor):
                tensors[place] = value
            else:
                numbers[place] = value
    return tensors, {"groups": state["param_groups"], "numbers": numbers}


def unpack_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], state: Mapping) -> None:
    """Put back what :func:`pack_optimizer` took."""
    entries: dict[int, dict] = {}
    held = {name: t for name, t in tensors.items() if name.startswith("optimizer/")}
    for place, value in {**held, **state["numbers"]}.items():
        _, index, key = place.split("/", 2)
        entries.setdefault(int(index), {})[key] = value
    groups = [
        {  # JSON knows no tuples; betas were one
            key: tuple(value) if isinstance(value, list) and key != "params" else value
            for key, value in group.items()
        }
        for group in state["groups"]
    ]
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def epoch_seed(seed: int, epoch: int, rank: int | None = None) -> int:
    """A seed for an epoch, and for one process in it; neighbouring seeds share nothing."""
    words = [seed, epoch] if rank is None else [seed, epoch, rank]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_all(seed: int) -> None:
    """Seed torch (all devices), NumPy and ``random``.

    ``fit`` does so at the start of every epoch. A run that resumes there draws the same numbers,
    so that no generator's state need be stored.
    """
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Leave the caller's random generators as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    gpus = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
