"""Which faces to train on, to choose by and to report on.

The official partition of CelebA is a list of files. The other one splits *people*: nobody is in
two parts, and who is where depends on the seed and the person's number alone. So the same person
falls into the same part in a folder of ten thousand pictures and in the whole of CelebA.
"""

from __future__ import annotations

import hashlib

import numpy as np

from faceattr.errors import DataError, UnknownNameError

#: The parts, in the numbering of ``list_eval_partition.txt``.
SPLITS = ("train", "valid", "test")
#: Share of the people in each part of the identity partition.
SHARES = (0.8, 0.05, 0.15)


def by_identity(identity: np.ndarray, seed: int = 0, shares=SHARES) -> np.ndarray:
    """Put every person into one part.

    A hash of the seed and the person's number, read as a fraction, is compared with the running
    sum of the shares: a coin with three sides that always falls the same way.

    Args:
        identity: ``(N,)`` who is in each picture; negative where nobody knows.
        seed: another seed makes another split.
        shares: of the people in train, valid and test; they add up to one.

    Returns:
        ``(N,)`` int8: 0 train, 1 valid, 2 test; -1 where the identity is unknown, for such a face
        might be in any part.

    Raises:
        DataError: the shares are not three numbers that add up to one.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if shares.shape != (len(SPLITS),) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise DataError(
            f"shares {tuple(shares.tolist())}: give three numbers from 0 to 1 for "
            f"{', '.join(SPLITS)} that add up to one, such as {SHARES}"
        )
    people, person_of = np.unique(np.asarray(identity, dtype=np.int64), return_inverse=True)
    fractions = np.array([_fraction(seed, person) for person in people.tolist()])
    parts = np.searchsorted(np.cumsum(shares)[:-1], fractions, side="right").astype(np.int8)
    parts[people < 0] = -1
    return parts[person_of]


def _fraction(seed: int, person: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{person}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def check_split(split: str) -> None:
    """Refuse a part that does not exist.

    Raises:
        UnknownNameError: the name is not ``train``, ``valid``, ``test`` or ``all``.
    """
    if split not in (*SPLITS, "all"):
        raise UnknownNameError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}, all")
