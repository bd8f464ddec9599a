"""What identity did to a network: people recognised, answers that agree, and which attributes gain.

Every interval is over the same resamples of people and of seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from faceattr.attributes import indices
from faceattr.bootstrap import Estimate
from faceattr.data.labels import LabelModel
from faceattr.identity import WithinPerson, bootstrap_people
from faceattr.report import Report

RESAMPLES = 1000
Reports = Mapping[str, Mapping[int, Report]]


def row(estimate: Estimate) -> dict[str, float]:
    """``value``, ``low`` and ``high``."""
    return {"value": float(estimate), "low": estimate.low, "high": estimate.high}


def identity_tables(
    reports: Mapping[str, Reports],
    right: Mapping[str, Mapping[int, Sequence[int]]],
    differences: Iterable[str],
) -> dict[str, dict]:
    """Three tables beside the reports of an experiment.

    Args:
        reports: where (``people``, ``pictures``) to network to seed to report with predictions.
        right: network to seed to who was recognised among ``pictures``
            (:func:`faceattr.identity.recognised`).
        differences: pairs ``"a - b"``.

    Returns:
        ``identity``: network to the share of unseen pictures recognised, where it can recognise.
        ``agreement``: where to ``labels`` (how much the labels agree within a person),
        ``networks`` and ``differences``, each with ``scores`` (intra-class correlation of the
        logits), ``answers`` (the same of yes and no) and ``alike`` (share of pairs of pictures of
        a person with the same answer), means over attributes. ``belonging``: where to difference
        to the rank correlation over attributes of the gain in accuracy with the agreement of
        CelebA's labels within a person.
    """
    pairs = {name: name.split(" - ") for name in differences}
    agreement, belonging = {}, {}
    for where, found in reports.items():
        agreement[where] = agreements(found, pairs)
        sticky = sticks(found)
        belonging[where] = {
            name: gain_follows(found[a], found[b], sticky) for name, (a, b) in pairs.items()
        }
    people = {
        name: recognition(reports["pictures"][name], runs) for name, runs in right.items() if runs
    }
    return {"identity": people, "agreement": agreement, "belonging": belonging}


def sticks(reports: Reports) -> np.ndarray:
    """``(M,)`` within-person agreement of CelebA's labels, of the attributes of these reports."""
    first = next(iter(next(iter(reports.values())).values()))
    return LabelModel.load().agreement[indices(first.attributes)]


def recognition(runs: Mapping[int, Report], right: Mapping[int, Sequence[int]]) -> dict:
    """Share of faces recognised, over people and seeds; each seed's own beside it."""
    who = next(iter(runs.values())).scored.groups.numpy()
    hits = np.array([[right[seed][i] for i in range(len(who))] for seed in right]) == 1  # (S, N)
    people = who.max() + 1
    count = np.bincount(who, minlength=people)
    sums = np.stack([np.bincount(who, weights=h, minlength=people) for h in hits])  # (S, P)
    rng, samples = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(people, size=people), minlength=people)
        drawn = rng.integers(len(hits), size=len(hits))
        samples.append((sums[drawn] @ weights).mean() / (count @ weights))
    low, high = np.quantile(samples, [0.025, 0.975])
    own = {
        "runs": [{"seed": s, "value": float(h.mean())} for s, h in zip(right, hits, strict=True)]
    }
    return {"value": float(hits.mean()), "low": low, "high": high, **own}


def agreements(reports: Reports, pairs: Mapping[str, Sequence[str]]) -> dict[str, dict]:
    """How much labels, answers and scores of a person's pictures agree; see above."""
    first = next(iter(next(iter(reports.values())).values())).scored
    who, parts = first.groups.numpy(), {}
    for name, runs in reports.items():
        logits = np.stack([run.scored.logits[0].numpy() for run in runs.values()])  # (S, N, M)
        parts[f"{name} scores"] = WithinPerson(logits, who)
        parts[f"{name} answers"] = WithinPerson(logits > 0, who)
    parts["labels"] = WithinPerson(first.labels.numpy(), who)

    def statistic(draw) -> dict[str, float]:
        numbers = {
            "labels answers": np.nanmean(draw("labels", "agreement")),
            "labels alike": draw("labels", "alike").mean(),
        }
        for name in reports:
            numbers[f"{name} scores"] = np.nanmean(draw(f"{name} scores", "agreement"))
            # an attribute that a network never answers with yes agrees with nothing: 0
            answers = np.nan_to_num(draw(f"{name} answers", "agreement"))
            numbers[f"{name} answers"] = answers.mean()
            numbers[f"{name} alike"] = draw(f"{name} answers", "alike").mean()
        for pair, (a, b) in pairs.items():
            for kind in ("scores", "answers", "alike"):
                numbers[f"{pair} {kind}"] = numbers[f"{a} {kind}"] - numbers[f"{b} {kind}"]
        return numbers

    found = bootstrap_people(parts, statistic, resamples=RESAMPLES)

    def kinds(name: str) -> dict[str, dict]:
        every = ("scores", "answers", "alike")
        return {kind: row(found[f"{name} {kind}"]) for kind in every if f"{name} {kind}" in found}

    return {
        "labels": kinds("labels"),
        "networks": {name: kinds(name) for name in reports},
        "differences": {name: kinds(name) for name in pairs},
    }


def gain_follows(
    one: Mapping[int, Report], other: Mapping[int, Report], sticky: np.ndarray
) -> dict[str, float]:
    """Rank correlation of the gain in accuracy with within-person agreement, over attributes.

    Returns:
        ``value``, ``low``, ``high`` over people and seeds; ``p`` of a two-sided permutation test
        over attributes; ``runs``, each seed's own.
    """
    first = next(iter(one.values())).scored
    who, truth = first.groups.numpy(), first.labels.numpy()
    gains = []
    for seed in one:
        a, b = one[seed].scored.logits[0].numpy() > 0, other[seed].scored.logits[0].numpy() > 0
        gains.append(((a == truth).astype(float) - (b == truth)) * (truth >= 0))
    people = who.max() + 1
    member = np.eye(people)[who]  # (N, P)
    sums = np.stack([member.T @ g for g in gains])  # (S, P, M)
    ranks = rankdata(sticky)

    def correlation(per_attribute: np.ndarray) -> float:
        if np.ptp(per_attribute) == 0:
            return np.nan  # nothing gained, nothing lost: no order
        return float(np.corrcoef(rankdata(per_attribute), ranks)[0, 1])

    rng, samples = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(people, size=people), minlength=people)
        drawn = rng.integers(len(sums), size=len(sums))
        samples.append(correlation(np.einsum("p,spm->m", weights, sums[drawn])))
    whole = sums.sum((0, 1))  # (M,)
    value, gained = correlation(whole), rankdata(whole)
    if np.isnan(value):
        return {"value": value, "low": value, "high": value, "p": 1.0, "runs": []}
    low, high = np.nanquantile(samples, [0.025, 0.975])
    shuffled = [np.corrcoef(gained, rng.permutation(ranks))[0, 1] for _ in range(10 * RESAMPLES)]
    extreme = (np.abs(shuffled) >= abs(value)).sum()
    own = [{"seed": s, "value": correlation(x.sum(0))} for s, x in zip(one, sums, strict=True)]
    return {
        "value": value,
        "low": low,
        "high": high,
        "p": float((extreme + 1) / (len(shuffled) + 1)),
        "runs": own,
    }


def strength_table(steps: Mapping[float, Mapping]) -> dict:
    """What identity is worth at each strength: accuracy gained, people recognised, agreement.

    Args:
        steps: strength to what ``collect`` made of its runs.
    """
    pair, rows = "lambda-1 - lambda-0", []
    for strength, found in steps.items():
        line = {"strength": strength, "identity": found["identity"]["lambda-1"]}
        for where in ("people", "pictures"):
            means = found[where]["differences"][pair]["mean"]
            part = {
                metric: {end: means[f"{metric}{tail}"] for end, tail in
                         (("value", ""), ("low", "_low"), ("high", "_high"))}
                for metric in ("accuracy", "balanced_accuracy", "average_precision")
            }  # fmt: skip
            part["accuracy_of"] = {
                name: network["mean"]["accuracy"]
                for name, network in found[where]["networks"].items()
            }
            part["labels"] = found["agreement"][where]["labels"]["answers"]
            part["agreement"] = found["agreement"][where]["differences"][pair]
            line[where] = part
        rows.append(line)
    first = next(iter(steps.values()))
    return {"record": first["people"]["record"], "strengths": rows}
