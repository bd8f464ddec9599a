"""Attributes in an order in which those that go together are neighbours."""

from __future__ import annotations

import numpy as np

from faceattr.optional import require


def cluster_order(correlation) -> list[int]:
    """Order the attributes so that correlated ones are neighbours (average linkage on 1 - |r|).

    Args:
        correlation: ``(M, M)``; where it is not symmetric, the mean of both directions counts.
    """
    hierarchy = require("scipy.cluster.hierarchy", purpose="clustered figures")
    strength = np.abs(np.nan_to_num(np.asarray(correlation, dtype=float)))
    apart = np.clip(1 - (strength + strength.T) / 2, 0, None)
    upper = apart[np.triu_indices(len(apart), 1)]
    return hierarchy.leaves_list(
        hierarchy.linkage(upper, "average", optimal_ordering=True)
    ).tolist()
