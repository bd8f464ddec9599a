"""How far the labels of two pictures agree: what Figure 1 of FR-ANet (Cao et al.) is made of.

A row of labels is one picture's vector of attributes. Rows of one person correlate more than rows
of different people; how much more says how far a person fixes the attributes.
"""

from __future__ import annotations

import numpy as np

from faceattr.errors import DataError


def image_correlation(labels) -> np.ndarray:
    """Pearson's correlation of each two pictures over their attributes (Figure 1 of the paper).

    The paper does not say which correlation its heat maps show; Pearson's is our choice. A rare
    attribute that nobody in the rows wears makes all pictures alike, so that different people
    too correlate above zero: compare two matrices, rather than one with zero.

    Args:
        labels: ``(N, M)`` one row a picture: labels (0 and 1, or -1 and 1) or scores.

    Returns:
        ``(N, N)`` in [-1, 1]. A picture whose M values are all equal varies with nothing: its row
        and its column are NaN, the diagonal too.

    Raises:
        DataError: not ``(N, M)`` with two attributes at least, or a value is not a number.
    """
    values = np.asarray(labels, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise DataError(
            f"labels of shape {values.shape}: give (N, M), a row for each picture and two "
            "attributes at least"
        )
    if not np.isfinite(values).all():
        raise DataError("a label is not a number: leave pictures with unknown labels out")
    centred = values - values.mean(axis=1, keepdims=True)  # (N, M)
    length = np.sqrt((centred**2).sum(axis=1))  # (N,)
    length[values.max(axis=1) == values.min(axis=1)] = np.nan  # whatever rounding left of it
    rows = centred / length[:, None]
    return np.clip(rows @ rows.T, -1, 1)  # (N, N)


def mean_off_diagonal(matrix) -> float:
    """The mean of a square matrix without its diagonal, over the entries that are numbers.

    Args:
        matrix: ``(N, N)``, such as :func:`image_correlation` gives.

    Returns:
        The mean; NaN where there is no number off the diagonal (one picture, or constant rows).

    Raises:
        DataError: not square.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise DataError(f"a matrix of shape {values.shape}: give (N, N)")
    off = values[~np.eye(len(values), dtype=bool)]
    off = off[np.isfinite(off)]
    return float(off.mean()) if off.size else float("nan")
