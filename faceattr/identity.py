"""What a network makes of who it is: people recognised, and answers that agree within a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from faceattr.bootstrap import Estimate, interval
from faceattr.data.faces import FaceDataset
from faceattr.errors import DataError
from faceattr.models.base import FaceModel
from faceattr.models.people import IdentityBranch


@torch.no_grad()
def recognised(model: FaceModel, data: FaceDataset, *, batch_size: int = 256) -> Tensor:
    """Whether the highest identity logit is the face's own person.

    Args:
        model: with an identity branch; it runs where it is, in evaluation mode.
        data: faces with identities.
        batch_size: faces at a time.

    Returns:
        ``(N,)`` int8 on the CPU: 1 recognised, 0 taken for somebody else, -1 where the person is
        unknown or has no logit.

    Raises:
        DataError: the model recognises nobody, or the data do not say who it is.
    """
    people = getattr(model, "people", None)
    if not isinstance(people, IdentityBranch):
        raise DataError(f"a {type(model).__name__} without an identity branch recognises nobody")
    if data.faces.identity is None:
        raise DataError(f"{data.source} does not say who is who: add identities")
    device, was_training, found = model.mean.device, model.training, []
    model.eval()
    try:
        for faces in data.batches(batch_size, device=device):
            target = people.targets(faces.identity)  # (B,)
            right = (model(faces.images).identity_logits.argmax(1) == target).to(torch.int8)
            found.append(torch.where(target >= 0, right, -1).cpu())
    finally:
        model.train(was_training)
    return torch.cat(found) if found else torch.empty(0, dtype=torch.int8)


def identity_accuracy(
    model: FaceModel, data: FaceDataset, *, batch_size: int = 256
) -> float | None:
    """Share of faces recognised, among those whose person has a logit; None where there is none.

    Also None where the model has no identity branch or the data no identities: then nothing can be
    recognised, which is no failure to do so.
    """
    people = getattr(model, "people", None)
    if not isinstance(people, IdentityBranch) or data.faces.identity is None:
        return None
    if not torch.isin(data.faces.identity, people.known.to(data.faces.identity.device)).any():
        return None
    found = recognised(model, data, batch_size=batch_size)
    return float((found == 1).sum() / (found >= 0).sum())


class WithinPerson:
    """How much numbers of a face agree within a person: sums from which resamples are quick.

    Args:
        values: ``(N, M)`` or ``(S, N, M)``, of S runs on the same faces: labels (all of them
            known), answers or scores.
        identity: ``(N,)`` who is in each picture. People with one picture say nothing and are left
            out.

    Attributes:
        who: ``(P,)`` the people with two pictures or more, ascending. count: their pictures.
        sums, squares: ``(S, P, M)`` of the values of each person's pictures.
        answers: whether all values are 0 or 1.

    Raises:
        DataError: the numbers do not match or are not finite, an identity is unknown, or nobody has
            two pictures.
    """

    def __init__(self, values: Tensor | np.ndarray, identity: Tensor | np.ndarray):
        x = torch.as_tensor(values).detach().cpu().double().numpy()
        x = x[None] if x.ndim == 2 else x  # (S, N, M)
        who = torch.as_tensor(identity).cpu().numpy()
        if x.ndim != 3 or who.shape != x.shape[1:2] or (who < 0).any():
            raise DataError(
                f"values {x.shape} and identities {who.shape}: give (N, M) or (S, N, M) and (N,), "
                "of faces whose person is known"
            )
        if not np.isfinite(x).all():
            raise DataError("values that are not finite agree with nothing: look for NaN in them")
        numbers, person, count = np.unique(who, return_inverse=True, return_counts=True)
        several = count > 1
        if not several.any():
            raise DataError("nobody has two pictures: agreement within a person needs them")
        order = np.argsort(person, kind="stable")
        starts = np.r_[0, np.cumsum(count)[:-1]]
        self.who = numbers[several]  # (P,)
        self.count = count[several].astype(np.float64)  # (P,)
        self.answers = bool(np.isin(x, (0.0, 1.0)).all())
        self.sums = np.add.reduceat(x[:, order], starts, axis=1)[:, several]  # (S, P, M)
        self.squares = np.add.reduceat(x[:, order] ** 2, starts, axis=1)[:, several]

    @property
    def people(self) -> int:
        """How many people have two pictures or more."""
        return len(self.count)

    def agreement(
        self, people: np.ndarray | None = None, runs: Sequence[int] | None = None
    ) -> np.ndarray:
        """Intra-class correlation over all pairs of pictures of one person, ``(M,)``.

        1: a person's pictures all have one value; 0: no more alike than pictures of two people.
        Fisher's, as :func:`faceattr.data.label_statistics.measure` has it: each ordered pair of
        pictures of a person counts once. Mean over the runs; NaN where nothing varies.

        Args:
            people: ``(P,)`` how often each person counts; once each if left out.
            runs: which of the runs, as often as they are to count; once each if left out.
        """
        w = np.ones(self.people) if people is None else np.asarray(people, dtype=np.float64)
        n, rows = self.count, slice(None) if runs is None else list(runs)
        pairs = (w * n * (n - 1)).sum()
        mean = np.einsum("p,spm->sm", w * (n - 1), self.sums[rows]) / pairs
        square = np.einsum("p,spm->sm", w * (n - 1), self.squares[rows]) / pairs
        product = np.einsum("p,spm->sm", w, self.sums[rows] ** 2 - self.squares[rows]) / pairs
        variance = square - mean**2
        known = variance > 1e-12 * np.maximum(square, 1e-300)
        found = np.where(known, (product - mean**2) / np.where(known, variance, 1.0), np.nan)
        return found.mean(0)  # (M,)

    def alike(
        self, people: np.ndarray | None = None, runs: Sequence[int] | None = None
    ) -> np.ndarray:
        """Share of pairs of pictures of one person with the same answer, ``(M,)``, of 0s and 1s.

        Args:
            people, runs: as :meth:`agreement`.

        Raises:
            DataError: the values are not 0s and 1s.
        """
        if not self.answers:
            raise DataError(
                "alike() is for answers of 0 and 1: give scores > 0 instead of scores, or use "
                "agreement()"
            )
        w = np.ones(self.people) if people is None else np.asarray(people, dtype=np.float64)
        n, rows = self.count, slice(None) if runs is None else list(runs)
        yes, no = self.sums[rows], n[:, None] - self.sums[rows]  # (S, P, M)
        same = yes * (yes - 1) + no * (no - 1)
        return (np.einsum("p,spm->sm", w, same) / (w * n * (n - 1)).sum()).mean(0)  # (M,)


def bootstrap_people(
    parts: Mapping[str, WithinPerson],
    statistic,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Numbers of several networks with intervals, on the same resamples of people and of runs.

    Args:
        parts: network to what its runs said of the same faces.
        statistic: ``(draw) -> {name: number}``, where ``draw(network, method)`` gives ``(M,)`` of
            ``WithinPerson.agreement`` or ``alike`` on the resample.
        resamples: R; 0 gives no intervals. Networks of as many runs draw the same of them.
        seed: of the draws.
        level: of the percentile intervals.

    Raises:
        DataError: no networks, or they were not asked about the same people; a negative number of
            resamples or seed; a level outside (0, 1).
    """
    for name, value in (("resamples", resamples), ("seed", seed)):
        if value < 0:
            raise DataError(f"{name}={value}: give a whole number of at least 0")
    if not 0 < level < 1:
        raise DataError(f"level={level}: give a share between 0 and 1, such as 0.95")
    if not parts:
        raise DataError("there is no network to draw people for: give one at least")
    first = next(iter(parts.values()))
    for part in parts.values():
        same = np.array_equal(part.who, first.who) and np.array_equal(part.count, first.count)
        if not same:
            raise DataError(
                "these networks were asked about different people: compare the same faces"
            )
    people = first.people

    def drawn(weights: np.ndarray | None, runs: np.ndarray | None) -> dict[str, float]:
        def draw(network: str, method: str) -> np.ndarray:
            part = parts[network]
            chosen = None if runs is None else (runs * len(part.sums)).astype(int)[: len(part.sums)]
            return getattr(part, method)(weights, chosen)

        return statistic(draw)

    points = drawn(None, None)
    rng, samples = np.random.default_rng(seed), []
    most = max(len(part.sums) for part in parts.values())
    for _ in range(resamples):
        weights = np.bincount(rng.integers(people, size=people), minlength=people)
        samples.append(drawn(weights, rng.random(most)))
    found = {}
    for name, value in points.items():
        ends = interval(np.array([sample[name] for sample in samples]), level=level)
        found[name] = Estimate(value, *ends)
    return found
