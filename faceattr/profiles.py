"""Profiles: every size and epoch count of the book, three times over.

``smoke`` proves that a chapter runs (continuous integration), ``book`` makes what is published
(two cores, no GPU), ``full`` is the scale of the papers (a GPU and CelebA). A smaller profile
runs every cell on less data; it skips none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from faceattr.errors import UnknownNameError


@dataclass(frozen=True)
class Profile:
    """Sizes of one scale of work. A chapter takes its numbers from here and from nowhere else."""

    name: str
    image_size: int  # SynthFaces picture height and width in pixels
    train_faces: int  # faces to train on
    test_faces: int  # faces to report on, of people not trained on
    epochs: int  # passes over the training faces
    batch_size: int  # faces in one step
    seeds: tuple[int, ...]  # runs behind every interval
    bootstrap: int  # resamples behind every interval


PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", 64, 240, 120, 1, 40, (0, 1), 50),
    "book": Profile("book", 64, 6_000, 2_000, 5, 64, (0, 1, 2), 1_000),
    "full": Profile("full", 128, 60_000, 10_000, 20, 128, (0, 1, 2), 1_000),
}


def profile(name: str | None = None) -> Profile:
    """Return a profile by name; without one, the one that ``FACEATTR_PROFILE`` names, or ``book``.

    Raises:
        UnknownNameError: the name is not one of ``smoke``, ``book``, ``full``.
    """
    name = name or os.environ.get("FACEATTR_PROFILE", "book")
    if name not in PROFILES:
        raise UnknownNameError(
            f"unknown profile {name!r}: choose one of {', '.join(PROFILES)} "
            "(the environment variable FACEATTR_PROFILE sets the default)"
        )
    return PROFILES[name]
