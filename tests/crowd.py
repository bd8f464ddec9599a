"""Squares with somebody on them: pictures whose upper half says who it is."""

import torch
from squares import QUIET, squares

TINY = {
    "widths": (6, 8), "kernels": (3, 3), "channels": 4, "hidden": 8, "embedding": 16,
    "dropout": 0.0,
}  # fmt: skip
#: Arguments of a recipe that trains for a moment.
BRIEF = {"preset": "small", "epochs": 1, "batch_size": 16, **QUIET}


def crowd(count=48, people=6, seed=0, size=32, first=100):
    """Faces of so many people: each person has a pattern of 4 x 8 cells over the upper half.

    The pattern is the same in every picture of the person and in every data set; attributes are
    those of :func:`squares.squares`, and have nothing to do with it. Persons are numbered from
    ``first`` in steps of seven and come in turn.
    """
    data = squares(count, seed, size)
    patterns = torch.rand(people, 3, 4, 8, generator=torch.Generator().manual_seed(99))
    who = torch.arange(count) % people  # (N,)
    half = size // 2
    cells = torch.nn.functional.interpolate(patterns, size=(half, size))  # (people, 3, S / 2, S)
    data.faces.images[:, :, :half] //= 2
    data.faces.images[:, :, :half] += (160 * cells[who]).to(torch.uint8)
    data.faces.identity = first + 7 * who
    data.source = f"crowd {seed}"
    return data
