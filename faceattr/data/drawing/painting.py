"""What drawing gives: pictures, and the truth about the faces in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceattr.attributes import ATTRIBUTES


@dataclass
class Painting:
    """A picture and the truth about each face in it; or N pictures of one face each.

    Attributes:
        image: ``(3, S, S)`` uint8; of N pictures ``(N, 3, S, S)``, and K is N.
        box: ``(K, 4)`` float32, ``x0, y0, x1, y1`` around crown, cheeks and chin (no hair, no
            ears), in pixels.
        landmarks: ``(K, 5, 2)`` float32, pixels.
        regions: ``(K, M, S // 4, S // 4)`` bool, or None where not asked for.
    """

    image: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray
    regions: np.ndarray | None

    def part(self, rows: slice) -> Painting:
        """Some of N pictures, in the same memory."""
        regions = None if self.regions is None else self.regions[rows]
        return Painting(self.image[rows], self.box[rows], self.landmarks[rows], regions)


def blank(count: int, size: int, regions: bool, empty=np.empty) -> Painting:
    """Room for N pictures of one face each.

    Args:
        count: N. size: side of a picture in pixels. regions: also room for regions.
        empty: makes an array of a shape and a dtype.
    """
    return Painting(
        empty((count, 3, size, size), np.uint8),
        empty((count, 4), np.float32),
        empty((count, 5, 2), np.float32),
        empty((count, len(ATTRIBUTES), size // 4, size // 4), np.bool_) if regions else None,
    )
