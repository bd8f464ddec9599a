"""Who gets the weight: mean weight and mean loss of every attribute, epoch by epoch, over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

#: MCFA's networks in the order of a trace.
NETS = ("S", "M", "L")


def weights_table(traces: Sequence) -> dict:
    """Means over seeds, and whether weight goes with loss.

    Args:
        traces: of each seed ``(epochs, 2, 3, M)``: weights and losses in the three networks.

    Returns:
        ``weight``, ``loss``: L_Net's, ``(epochs, M)``, means over seeds. ``largest``: the greatest
        weight of any attribute, net by net and epoch by epoch, mean over seeds. ``effective``: how
        many attributes would share the weight evenly, ``exp(entropy)``. ``spearman``: net by
        net and epoch by epoch, the rank correlation of weight and loss over attributes, a list of
        the seeds' values, None where all weights are equal.
    """
    every = np.asarray(traces, dtype=float)  # (S, E, 2, 3, M)
    weights, losses = every[:, :, 0], every[:, :, 1]  # (S, E, 3, M)
    share = weights / weights.sum(-1, keepdims=True).clip(1e-12)
    entropy = -(share * np.log(share.clip(1e-12))).sum(-1)  # (S, E, 3)
    return {
        "weight": weights[:, :, 2].mean(0).tolist(),
        "loss": losses[:, :, 2].mean(0).tolist(),
        "largest": {n: share.max(-1)[:, :, k].mean(0).tolist() for k, n in enumerate(NETS)},
        "effective": {n: np.exp(entropy[:, :, k]).mean(0).tolist() for k, n in enumerate(NETS)},
        "spearman": {
            n: [
                [rank_correlation(weights[s, e, k], losses[s, e, k]) for s in range(len(every))]
                for e in range(every.shape[1])
            ]
            for k, n in enumerate(NETS)
        },
    }


def rank_correlation(weight: np.ndarray, loss: np.ndarray) -> float | None:
    """Spearman's, None where one of them is the same for all attributes."""
    if np.ptp(weight) < 1e-5 or np.ptp(loss) < 1e-5:
        return None
    return float(spearmanr(weight, loss).statistic)
