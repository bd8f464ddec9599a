"""Fit the label table from CelebA's public label files (aggregates only, no image).

    python -m faceattr.data.fit_labels --root DIR --out FILE      fit and write
    python -m faceattr.data.fit_labels --root DIR --check         compare table, files and samples

``DIR`` holds ``list_attr_celeba.txt``, ``identity_CelebA.txt`` and ``list_eval_partition.txt``.

The method is moment matching by simulation. Fitting tetrachoric correlations pair by pair would
give matrices far from positive definite, since hair colours exclude each other. So we sample from
the whole model of :mod:`faceattr.data.labels`, rivals included, measure the samples as CelebA is
measured, and move every threshold and every latent correlation by half its own gap divided by its
slope (for a correlation, the bivariate normal density at the two thresholds). The moved matrices
need not be covariances; :func:`nearest_split` finds the pair ``R_person, R_image`` that is, and
that comes nearest in phi, not in latent correlation, so that entries give way where it costs
little. The same normal numbers serve every round, in pairs of opposite sign, so that rounds can be
compared. What remains is structure, not noise: see the note on Male in the other module.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch
from tqdm import tqdm

from faceattr.attributes import ATTRIBUTES, index
from faceattr.data.label_statistics import (
    FILES,
    LabelStatistics,
    celeba_facts,
    measure,
    read_label_files,
)
from faceattr.data.labels import (
    TABLE,
    LabelModel,
    contradictions,
    covariance_root,
    decide,
)
from faceattr.errors import DataError

#: What a sample of 200,000 faces must keep to.
TOLERANCES = {"prevalence max": 0.015, "phi mean": 0.015, "phi max": 0.08, "agreement max": 0.08}


def nearest_split(
    person: np.ndarray,
    total: np.ndarray,
    goals: tuple[np.ndarray, np.ndarray],
    weights: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The covariances ``R_person`` and ``R`` nearest to ``goals``, each entry weighted.

    ``R_person = A A'`` and ``R - R_person = B B'`` with rows of ``[A B]`` of length one: so every
    candidate is a valid pair. LBFGS from the present ``person`` and ``total``, all ``(K, K)``.
    """
    factors = [
        torch.tensor(covariance_root(c), requires_grad=True) for c in (person, total - person)
    ]
    goals, weights = (tuple(map(torch.tensor, pair)) for pair in (goals, weights))

    def covariances() -> tuple[torch.Tensor, torch.Tensor]:
        length = sum(f.square().sum(1) for f in factors).sqrt()[:, None]
        of_person, of_image = ((f / length) @ (f / length).T for f in factors)
        return of_person, of_person + of_image

    def misfit() -> torch.Tensor:
        optimizer.zero_grad()
        loss = sum(
            (w * (c - g)).square().sum()
            for c, g, w in zip(covariances(), goals, weights, strict=True)
        )
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS(factors, max_iter=40, line_search_fn="strong_wolfe")
    optimizer.step(misfit)
    with torch.no_grad():
        return tuple(c.numpy() for c in covariances())


def _slope(correlation: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Bivariate normal density at two thresholds: d P(both worn) / d correlation, ``(M, M)``."""
    r, a, b = np.clip(correlation, -0.97, 0.97), threshold[:, None], threshold[None]
    left = 1 - r * r
    return np.exp(-(a * a - 2 * r * a * b + b * b) / (2 * left)) / (2 * np.pi * np.sqrt(left))


def fit(
    target: LabelStatistics, *, rounds: int = 25, people: int = 20_000, pictures: int = 10
) -> dict[str, np.ndarray]:
    """Fit the copula's parameters to measured statistics; the ``model`` part of the table."""
    size, j = len(target.prevalence), index("Attractive")
    rest = np.arange(size) != j
    block = np.ix_(rest, rest)
    rng = np.random.default_rng(0)
    half = (
        rng.standard_normal((people // 2, size)),
        rng.standard_normal((people // 2 * pictures, size)),
    )
    of_person, of_image = (np.concatenate([h, -h]) for h in half)
    who = np.repeat(np.arange(len(of_person)), pictures)

    deviation = np.sqrt(target.prevalence * (1 - target.prevalence))
    scale = np.outer(deviation, deviation)
    threshold = np.array([NormalDist().inv_cdf(1 - p) for p in target.prevalence])
    weight = np.zeros(size)
    person, total = np.zeros((size, size)), np.eye(size)
    start = np.diag(target.agreement) + 0.0
    person[block], total[block] = nearest_split(
        start[block],
        np.eye(size - 1),
        (target.across[block], target.correlation[block]),
        (np.ones((size - 1, size - 1)),) * 2,
    )
    person[j, j] = target.agreement[j]

    for round_ in tqdm(range(rounds + 1), desc="fitting labels", unit="round"):
        latent = (of_person @ covariance_root(person))[who]
        latent += of_image @ covariance_root(total - person)
        worn = decide(latent - threshold, weight)
        if round_ == rounds:
            break
        now = measure(worn, who)
        density = np.exp(-(threshold**2) / 2) / np.sqrt(2 * np.pi)
        step = (now.prevalence - target.prevalence) / np.maximum(density, 0.02)
        threshold = threshold + np.clip(step / 2, -0.3, 0.3)

        # Attractive's weights: one damped Newton step on its covariances with the others.
        covariance = np.cov(worn.T.astype(float))
        wanted = target.correlation[j] * scale[j] - covariance[j]
        ridge = 1e-4 * np.eye(size - 1)
        weight[rest] += np.linalg.solve(covariance[block] / 4 + ridge, wanted[rest] / 2)

        if round_ >= rounds - 6:  # matrices rest, so that the prevalences can settle
            continue
        goals, weights = [], []
        for present, gap in (
            (person, target.across - now.across),
            (total, target.correlation - now.correlation),
        ):
            slope = _slope(present, threshold)
            goals.append(present + np.clip(gap * scale / np.maximum(slope, 0.01) / 2, -0.15, 0.15))
            weights.append(slope / scale)
        np.fill_diagonal(weights[0], 2 * np.diag(weights[0]))  # agreement weighs double
        np.fill_diagonal(weights[1], 0)  # ones by construction
        person[block], total[block] = nearest_split(
            person[block],
            total[block],
            tuple(g[block] for g in goals),
            tuple(w[block] for w in weights),
        )
        person[j, j] = np.clip(goals[0][j, j], 0, 1)
    propensity = worn @ weight + latent[:, j]
    attractive = [
        1.0 if k == j else np.corrcoef(propensity, latent[:, k])[0, 1] for k in range(size)
    ]
    return {
        "threshold": threshold,
        "person": person,
        "total": total,
        "attractive_weight": weight,
        "attractive_latent": np.array(attractive),
    }


def write_table(root: str | Path, out: str | Path, **effort: int) -> LabelModel:
    """Measure, fit, and write the table atomically; return it as read back.

    Args:
        root: folder of the label files.
        out: the table to write.
        effort: ``rounds``, ``people``, ``pictures`` of :func:`fit`.

    Raises:
        DataError: the label files are not as they should be, or ``out`` cannot be written.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise DataError(f"cannot write {out}: make the folder {out.parent} first")
    attributes, identity, split = read_label_files(root)
    model = fit(measure(attributes, identity), **effort)
    table = {
        "names": ATTRIBUTES,
        "provenance": {
            "data": "CelebA (Liu et al., ICCV 2015), label files only; aggregates, no image",
            "sha256": {
                name: hashlib.sha256((Path(root) / name).read_bytes()).hexdigest() for name in FILES
            },
            "command": "python -m faceattr.data.fit_labels --root DIR --out FILE",
        },
        "celeba": celeba_facts(attributes, identity, split),
        "model": {name: value.round(4).tolist() for name, value in model.items()},
    }
    text = re.sub(r"\[[^][]*\]", lambda row: " ".join(row[0].split()), json.dumps(table, indent=1))
    part = out.with_name(out.name + ".part")
    try:
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"cannot write {out} ({error}): choose another --out") from error
    return LabelModel.load(out)


def report(root: str | Path, model: LabelModel) -> bool:
    """Print files and 200,000 sampled faces side by side.

    Returns:
        True if the table says what the files say, no sampled face contradicts itself, and every
        gap keeps to :data:`TOLERANCES`.
    """
    attributes, identity, split = read_label_files(root)
    real = measure(attributes, identity)
    faces, people = model.sample(10_000, 20, seed=0)
    drawn = measure(faces, people)
    print(f"{'':20s} {'prevalence':>17s} {'agreement':>17s}   largest phi gap")
    print(f"{'':20s} {'CelebA':>8s} {'drawn':>8s} {'CelebA':>8s} {'drawn':>8s}")
    for k, name in enumerate(ATTRIBUTES):
        gap = drawn.correlation[k] - real.correlation[k]
        worst = int(np.abs(gap).argmax())
        print(
            f"{name:20s} {real.prevalence[k]:8.3f} {drawn.prevalence[k]:8.3f} "
            f"{real.agreement[k]:8.3f} {drawn.agreement[k]:8.3f}   "
            f"{gap[worst]:+.3f} {ATTRIBUTES[worst]}"
        )
    gaps = drawn.gaps(real)
    for name, gap in gaps.items():
        print(f"{name:16s} gap {gap:.4f}  (at most {TOLERANCES[name]})")
    broken, found = contradictions(faces), contradictions(attributes)
    print(f"contradictions: {sum(broken.values())} in {len(faces):,} drawn faces; CelebA's own:")
    print("  " + ", ".join(f"{rule} {count}" for rule, count in found.items()))
    facts = celeba_facts(attributes, identity, split)
    same = all(
        np.abs(np.array(facts[name]) - getattr(model, name)).max() < 1.5e-4
        for name in ("prevalence", "agreement", "correlation")
    ) and all(facts[name] == value for name, value in model.facts.items())
    print(f"the table {'equals' if same else 'DIFFERS FROM'} what the files say")
    return same and not sum(broken.values()) and all(gaps[k] <= v for k, v in TOLERANCES.items())


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when the table keeps to the tolerances."""
    parser = argparse.ArgumentParser(prog="python -m faceattr.data.fit_labels")
    parser.add_argument("--root", required=True, help="folder of CelebA's label files")
    parser.add_argument("--out", help="table to write; with --check the one to read")
    parser.add_argument("--check", action="store_true", help="do not fit, compare only")
    given = parser.parse_args(arguments)
    if not given.check and given.out is None:
        parser.error(f"say where to write with --out (the shipped table is {TABLE})")
    try:
        if given.check:
            model = LabelModel.load(given.out or TABLE)
        else:
            model = write_table(given.root, given.out)
        return 0 if report(given.root, model) else 1
    except DataError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    raise SystemExit(main())
