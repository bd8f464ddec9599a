"""Every method at its best strength, chosen on people that it is not reported on.

A penalty is to be held against its rival at the rival's best, and whoever picks the best strength
on the test faces flatters both. So the test people fall into two halves: of a method's strengths,
the one that is best on either half answers for the other. Best by accuracy (``+chosen``) or by
average precision (``+ranked``), to be reported by the same: what answers best need not rank best. A
choice costs nothing to train: every strength was trained already. Where the halves choose unlike
strengths, average precision ranks faces of both together; biases are fitted at each strength, so
that their logits are of one scale.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mtfap_jobs import DENSE as ALPHA
from torch import Tensor

from faceattr.report import Report
from faceattr.scored import Scored

#: More than the step's own alpha (0.3) of the log-det step: a dense graph.
DENSE = f"graph-logdet+alpha={ALPHA:g}"
#: Method to its five strengths, the paper's first. They weigh a loss summed over faces. ``A = I +
#: L`` is nowhere smaller than I, so that a graph also shortens the weights more than l2 does with
#: the same xi: hence the same strengths for both. Of gamma and lambda only the product counts.
STRENGTHS = {
    **{m: (m, *(f"{m}+xi={x}" for x in (5, 20, 50, 100))) for m in ("l2", "graph-logdet", DENSE)},
    **{
        m: (m, *(f"{m}+gamma={x}" for x in (1000, 10000, 30000, 100000)))
        for m in ("groups", "shuffled")
    },
}
#: Behind a method's name where its strength was chosen, and by what.
CHOSEN = {"+chosen": "accuracy", "+ranked": "average_precision"}


def rivals(method: str) -> tuple[str, ...]:
    """What a method with a chosen strength is compared with: others at theirs, and the paper's."""
    base, _, way = method.rpartition("+")
    others = {
        "groups": ("l2", "shuffled", "graph-logdet", DENSE),
        "shuffled": ("l2",),
        DENSE: ("l2", "graph-logdet"),
        "graph-logdet": ("l2",),
        "l2": (),
    }[base]
    return (base, *(f"{other}+{way}" for other in others))


def halves(groups: Tensor, seed: int) -> Tensor:
    """``(N,)`` bool: whose half a face is in, all of a person in one. ``groups``: who it is."""
    people = int(groups.max()) + 1
    first = torch.randperm(people, generator=torch.Generator().manual_seed(seed)) < people // 2
    return first[groups]


def choose(
    folder: Path, method: str, count: int, seed: int, by: str = "accuracy"
) -> tuple[Report, list[str]]:
    """The report of a method at chosen strengths, and those of the two halves.

    Args:
        folder: of the seed, with a report of every strength. method: of :data:`STRENGTHS`.
        count: labelled faces. seed: of the halves. by: the metric that is best.
    """
    names = [f"heads-{strength}-{count}" for strength in STRENGTHS[method]]
    reports = [Report.load(folder / f"{name}.json") for name in names]
    scored = reports[0].scored
    first = halves(scored.groups, seed)
    said = torch.stack([report.scored.logits for report in reports])  # (5, 1, N, M)
    best = []
    for half in (first, ~first):
        points = [report.scored.rows(half).point()[by] for report in reports]  # (M,) each
        best.append(int(np.argmax([np.nanmean(point) for point in points])))
    logits = torch.where(first[:, None], said[best[1]], said[best[0]])  # (1, N, M), the other's
    record = {key: reports[0].record[key] for key in ("data", "seed", "parameters", "training")}
    record["training_seconds"] = 0
    how = {"bootstrap": reports[0].record["resamples"], "record": record}
    made = Report.of(Scored(scored.names, logits, scored.labels, scored.groups), **how)
    return made, [STRENGTHS[method][k] for k in best]
