"""Tight boxes round masks, and two blind baselines.

From a heat map to a place in the image and its crop: :mod:`faceattr.models.regions`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.errors import MapError
from faceattr.localization.cam import normalize_maps


def boxes_of(masks: Tensor) -> Tensor:
    """Return the tight box around each mask, ``(..., 4)`` float xyxy; an empty mask gives zeros.

    Args:
        masks: ``(..., h, w)`` bool. The right and lower ends are exclusive, so a single pixel has
            a box of area 1.
    """
    return spans_to_boxes(masks.any(dim=-2), masks.any(dim=-1))


def spans_to_boxes(columns: Tensor, rows: Tensor) -> Tensor:
    """Join occupied columns ``(..., w)`` and rows ``(..., h)``, both bool, to ``(..., 4)``."""
    (left, right), (top, bottom) = _ends(columns), _ends(rows)
    return torch.stack([left, top, right, bottom], dim=-1).float()  # (..., 4)


def centre_baseline(size: tuple[int, int], *, spread: float = 0.25, device=None) -> Tensor:
    """Return a Gaussian hill in mid-image, ``(1, 1, h, w)``: the face is there anyway.

    Args:
        size: height and width of the grid.
        spread: standard deviation as a share of each side.
        device: where the map is made.
    """
    y, x = (
        (torch.arange(n, device=device) + 0.5) / n - 0.5 for n in size
    )  # distance from the middle in units of the side
    return torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * spread**2))[None, None]


def mean_map_baseline(maps: Tensor, present: Tensor | None = None) -> Tensor:
    """Return the model's map without the attribute, ``(1, 1, h, w)``.

    Every map is brought to [0, 1] on its own, then averaged over faces, then over attributes. What
    a model scores above this is what it knows about the attribute itself.

    Args:
        maps: ``(B, M, h, w)``.
        present: ``(B, M)`` bool, which maps to average: where attributes are scored on their
            wearers, give their wearers, for the map of an absent attribute is evidence against it
            and turns its back on the face. An attribute without any is left out. None: all maps.

    Raises:
        MapError: no maps.
    """
    total, count = map_sums(maps, present)
    return mean_of_sums(total, count)


def map_sums(maps: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Sums of normalised maps over faces, ``(M, h, w)``, and how many each is of, ``(M,)``."""
    maps = normalize_maps(maps)
    if present is None:
        present = torch.ones(maps.shape[:2], dtype=torch.bool, device=maps.device)
    return torch.einsum("bmhw,bm->mhw", maps, present.to(maps.dtype)), present.sum(0)


def mean_of_sums(total: Tensor, count: Tensor) -> Tensor:
    """The mean map ``(1, 1, h, w)`` from what :func:`map_sums` returns, which adds up over batches.

    Raises:
        MapError: no attribute has a map.
    """
    some = count > 0
    if not some.any():
        raise MapError(
            "a mean map needs at least one face: the data set is empty, or nobody has an attribute"
        )
    return (total[some] / count[some, None, None]).mean(dim=0)[None, None]


def _ends(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First occupied place and one past the last of ``(..., n)`` bool; 0, 0 where none is."""
    steps = occupied.int()
    first = steps.argmax(dim=-1)
    last = occupied.shape[-1] - steps.flip(-1).argmax(dim=-1)
    some = occupied.any(dim=-1)
    return first * some, last * some
