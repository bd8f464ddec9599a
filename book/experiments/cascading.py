"""The cascade on whole scenes: precision of detection, landmarks, attributes of the faces it finds.

One run leaves what it found scene by scene; :func:`cascade_table` draws scenes and seeds again for
its intervals, the same scenes for every network.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from faceattr.cascade import Cascade, FoundFaces, choose_thresholds, landmark_error, match
from faceattr.models.mcfa import MCFA

#: Resamples behind each interval.
RESAMPLES = 1000


def measure_cascade(
    model: MCFA,
    choose: Sequence[tuple[Tensor, ...]],
    scenes: Sequence[tuple[Tensor, ...]],
    recall: float,
    device: str,
    group: int = 16,
    thresholds: Sequence[float] | None = None,
) -> dict:
    """Choose thresholds on some scenes, unless they are given, and look at others.

    Args:
        model: a trained network that detects.
        choose, scenes: ``(picture, boxes, landmarks, attributes)`` of each scene.
        recall: that thresholds are chosen for.
        device: where it runs.
        thresholds: chosen already.

    Returns:
        Thresholds and what they reach; ``seconds`` a scene; ``scenes``, a row each: ``truth`` (how
        many faces), ``scores`` and ``hits`` of what was found, ``errors`` of landmarks of the faces
        found, ``right`` and ``known`` of their attributes.
    """
    cascade, reached = Cascade(model, device=device), None
    if thresholds is None:
        thresholds, reached = chosen_on(cascade, choose, recall)
    last = thresholds[2]
    cascade.thresholds = (*thresholds[:2], 0.02)  # for the whole curve, faces less sure too
    began = time.perf_counter()
    found: list[FoundFaces] = []
    for start in range(0, len(scenes), group):
        found += cascade([scene[0] for scene in scenes[start : start + group]])
    seconds = (time.perf_counter() - began) / len(scenes)
    return {
        "thresholds": list(thresholds),
        "recall_chosen_on": reached,
        "recall_wanted": recall,
        "seconds_a_scene": seconds,
        "windows": {net: float(np.mean([f.windows[net] for f in found])) for net in "SML"},
        "passed": {net: float(np.mean([len(f.stages[net][1]) for f in found])) for net in "SM"},
        "scenes": [
            {**_row(surer(faces, last), scene), "curve": _hits(faces, scene)}
            for faces, scene in zip(found, scenes, strict=True)
        ],
    }


def chosen_on(
    cascade: Cascade, scenes: Sequence[tuple[Tensor, ...]], recall: float
) -> tuple[list[float], list[float]]:
    """Thresholds for a recall on scenes, and the recall after each stage."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="a recall of")  # it is written down
        pictures, truth = [s[0] for s in scenes], [s[1] for s in scenes]
        chosen = choose_thresholds(cascade, pictures, truth, recall=recall)
    return list(chosen.thresholds), list(chosen.recall)


def surer(found: FoundFaces, threshold: float) -> FoundFaces:
    """The faces above a higher threshold of L_Net; a less sure window never drops a surer one."""
    rows = found.scores >= threshold
    points = None if found.landmarks is None else found.landmarks[rows]
    return FoundFaces(found.boxes[rows], found.scores[rows], points, found.probabilities[rows])


def _hits(found: FoundFaces, scene: tuple[Tensor, ...]) -> dict:
    hits = match(found.boxes, found.scores, scene[1]) >= 0
    scores = found.scores.double().round(decimals=6).tolist()
    return {"scores": scores, "hits": hits.int().tolist()}


def _row(found: FoundFaces, scene: tuple[Tensor, ...]) -> dict:
    _, boxes, points, labels = scene
    face = match(found.boxes, found.scores, boxes)
    hit = face >= 0
    row = {"truth": len(boxes), "found": len(found), "hits": int(hit.sum()), "errors": []}
    truth = labels[face[hit]]
    known = truth >= 0
    row["right"] = int((((found.probabilities[hit] > 0.5) == (truth > 0.5)) & known).sum())
    row["known"] = int(known.sum())
    if found.landmarks is not None:
        errors = landmark_error(found.landmarks[hit], points[face[hit]])
        row["errors"] = errors[errors.isfinite()].tolist()
    return row


def cascade_table(seeds: Sequence[Path], names: Sequence[str]) -> dict:
    """Means over seeds with 95% intervals over scenes and seeds; differences in average precision.

    Raises:
        FileNotFoundError: a seed lacks a network's cascade.
    """
    runs = {
        name: [json.loads((seed / f"{name}.cascade.json").read_text()) for seed in seeds]
        for name in names
    }
    if not runs:
        return {}
    scenes = len(next(iter(runs.values()))[0]["scenes"])
    rng = np.random.default_rng(0)
    draws = rng.integers(0, scenes, (RESAMPLES, scenes))
    chosen = rng.integers(0, len(seeds), (RESAMPLES, len(seeds)))
    table, samples = {}, {}
    for name, of_seeds in runs.items():
        counts = [Counted(run["scenes"]) for run in of_seeds]
        points = _mean([one.scores(np.ones(scenes)) for one in counts])
        weights = [np.bincount(draw, minlength=scenes) for draw in draws]
        by_seed = [[one.scores(w) for w in weights] for one in counts]
        samples[name] = [
            _mean([by_seed[s][k] for s in chosen[k]]) for k in range(RESAMPLES)
        ]  # of each resample, other scenes and other seeds
        table[name] = {
            metric: {"value": points[metric], **_ends([s[metric] for s in samples[name]])}
            for metric in points
        }
        table[name]["runs"] = [
            {key: value for key, value in run.items() if key != "scenes"} for run in of_seeds
        ]
    first, *others = names
    table["differences"] = {
        f"{first} - {other}": {
            "value": table[first]["average_precision"]["value"]
            - table[other]["average_precision"]["value"],
            **_ends(
                [
                    a["average_precision"] - b["average_precision"]
                    for a, b in zip(samples[first], samples[other], strict=True)
                ]
            ),
        }
        for other in others
    }
    return table


class Counted:
    """One run's scenes, ready to be weighed: how often each is drawn."""

    def __init__(self, rows: Sequence[dict]):
        scene = np.repeat(np.arange(len(rows)), [len(row["curve"]["scores"]) for row in rows])
        scores = np.concatenate([np.asarray(row["curve"]["scores"], float) for row in rows])
        hits = np.concatenate([np.asarray(row["curve"]["hits"], float) for row in rows])
        order = np.argsort(-scores, kind="stable")
        self.scene, self.hits = scene[order], hits[order]
        self.sums = {
            key: np.array([row[key] for row in rows], float)
            for key in ("truth", "found", "hits", "right", "known")
        }
        self.sums["errors"] = np.array([sum(row["errors"]) for row in rows])
        self.sums["measured"] = np.array([len(row["errors"]) for row in rows], float)

    def scores(self, weights: np.ndarray) -> dict[str, float]:
        """Metrics where scene k counts ``weights[k]`` times."""
        total = {key: float(values @ weights) for key, values in self.sums.items()}
        each = weights[self.scene] if len(self.scene) else np.zeros(0)
        right, number = np.cumsum(each * self.hits), np.cumsum(each)
        precision = right / np.maximum(number, 1e-9)
        area = float((each * self.hits) @ precision) / max(total["truth"], 1e-9)
        return {
            "average_precision": area,
            "recall": _share(total["hits"], total["truth"]),
            "precision": _share(total["hits"], total["found"]),
            "landmark_error": _share(total["errors"], total["measured"]),
            "accuracy": _share(total["right"], total["known"]),
        }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {
        metric: float(np.nanmean([row[metric] for row in rows]))
        if any(not np.isnan(row[metric]) for row in rows)
        else float("nan")
        for metric in rows[0]
    }


def _ends(values: Sequence[float]) -> dict[str, float]:
    values = np.asarray(values)[~np.isnan(values)]
    if not len(values):
        return {"low": float("nan"), "high": float("nan")}
    return {"low": float(np.quantile(values, 0.025)), "high": float(np.quantile(values, 0.975))}
