"""Splitting the pictures of each person: everybody is trained on, and asked about other pictures.

:mod:`faceattr.data.partition` keeps people apart. Here they are on both sides, which is what
recognising them asks for.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from faceattr.errors import DataError


def held_out(identity: Tensor | None, share: float = 0.2, seed: int = 0) -> Tensor:
    """Choose some pictures of every person.

    Of somebody with ``n`` pictures, ``share * n`` are chosen, rounded, but at least one and never
    all; of somebody with a single picture, and of faces that nobody knows, none. Which ones depends
    on the seed, the person's number and the order of the pictures, not on who else is there.

    Args:
        identity: ``(N,)`` who is in each picture; negative where nobody knows.
        share: of each person's pictures, strictly between 0 and 1.
        seed: another seed chooses others; at least 0.

    Returns:
        ``(N,)`` bool, True for the chosen pictures.

    Raises:
        DataError: no identities, a share outside (0, 1), a negative seed.
    """
    if identity is None:
        raise DataError(
            "these faces do not say who they are: pictures of a person can only be held out where "
            "identities are known"
        )
    if not 0 < share < 1:
        raise DataError(f"share={share}: give a share of the pictures between 0 and 1, such as 0.2")
    if seed < 0:
        raise DataError(f"seed={seed}: give a whole number of at least 0")
    who = torch.as_tensor(identity).cpu().numpy()
    chosen = np.zeros(len(who), dtype=bool)
    for person in np.unique(who[who >= 0]).tolist():
        rows = np.flatnonzero(who == person)
        if len(rows) > 1:
            count = min(max(round(share * len(rows)), 1), len(rows) - 1)
            rng = np.random.default_rng([seed, person])
            chosen[rng.choice(rows, size=count, replace=False)] = True
    return torch.from_numpy(chosen)
