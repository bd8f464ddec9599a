"""Faces in an order in which some of each person come together, for losses on pairs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from faceattr.data.faces import Augment, FaceDataset, Faces
from faceattr.data.lfw import Pairs
from faceattr.errors import DataError


class ByPerson(FaceDataset):
    """The same faces; a shuffled pass visits them in handfuls of one person each.

    Every face is visited once a pass, as always. With 4 at a time, a batch of 64 has about 16
    people and 96 pairs of one person, where one drawn at random from many people would have few
    or none.

    Args:
        data: any faces with identities; those of unknown people come one by one.
        each: faces of a person that come together, at most.

    Raises:
        DataError: the data have no identities, or ``each`` is below 1.
    """

    def __init__(self, data: FaceDataset, each: int = 4):
        if data.faces.identity is None or not bool((data.faces.identity >= 0).any()):
            raise DataError(f"{data.source} does not say who is who: use faces with identities")
        if each < 1:
            raise DataError(f"each={each}: give at least one face of a person at a time")
        super().__init__(data.faces, names=data.names, source=f"{data.source}, by person {each}")
        self.framing, self.each = data.framing, each

    def order(self, generator: torch.Generator) -> Tensor:
        """Rows of one pass, ``(N,)``."""
        mixed = torch.randperm(len(self), generator=generator)
        people = self.faces.identity.cpu()[mixed]
        unknown = people < 0
        people = torch.where(unknown, people.amax() + 1 + torch.arange(len(mixed)), people)
        kept = people.argsort(stable=True)  # each person's faces together, in mixed order
        mixed, people = mixed[kept], people[kept]
        _, counts = people.unique_consecutive(return_counts=True)
        first = (counts.cumsum(0) - counts).repeat_interleave(counts)
        place = torch.arange(len(mixed)) - first  # 0, 1, 2, ... within a person
        handful = (place % self.each == 0).cumsum(0) - 1
        lucky = torch.randperm(int(handful[-1]) + 1, generator=generator)
        return mixed[lucky[handful].argsort(stable=True)]

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        device: torch.device | str = "cpu",
        augment: Augment | None = None,
        drop_last: bool = False,
        part: tuple[int, int] = (0, 1),
    ) -> Iterator[Faces]:
        """As :meth:`FaceDataset.batches`, shuffled by handfuls."""
        how = {"device": device, "augment": augment, "drop_last": drop_last, "part": part}
        if not shuffle:
            yield from super().batches(batch_size, seed=seed, **how)
            return
        order = self.order(torch.Generator().manual_seed(seed))
        ordered = _Ordered(self, order)
        for faces in ordered.batches(batch_size, seed=seed, **how):
            faces.index = order[faces.index.cpu()].to(faces.index.device)
            yield faces


class _Ordered(FaceDataset):
    """Another data set's faces in a given order, without copying them."""

    def __init__(self, data: FaceDataset, order: Tensor):
        super().__init__(data.faces, names=data.names, source=data.source)
        self._data, self._order = data, order

    def __len__(self) -> int:
        return len(self._order)

    def gather_raw(self, rows) -> Faces:
        rows = torch.as_tensor(rows, dtype=torch.int64)
        faces = self._data.gather_raw(self._order[rows])
        faces.index = rows
        return faces


def draw_pairs(identity: Tensor, each: int, *, folds: int = 10, seed: int = 0) -> Pairs:
    """Verification pairs as LFW has them: so many of one person and of two, fold by fold.

    Nobody is in two folds, and no pair comes twice.

    Args:
        identity: ``(N,)``; faces of -1 are in no pair.
        each: pairs of either kind in a fold; all there are, where there are fewer of one person.
        folds: how many.
        seed: of the draws.

    Raises:
        DataError: fewer than two folds, or a fold in which nobody has two pictures or there are
            no two people.
    """
    if folds < 2 or each < 1:
        raise DataError(f"{folds} folds of {each} pairs: give at least 2 of 1")
    generator = torch.Generator().manual_seed(seed)
    identity = identity.cpu()
    people = identity[identity >= 0].unique()
    people = people[torch.randperm(len(people), generator=generator)]
    rows: list[list[Tensor]] = [[], [], [], []]
    for fold in range(folds):
        mine = people[fold::folds]
        inside = torch.isin(identity, mine).nonzero()[:, 0]
        first, second = torch.combinations(inside).T if len(inside) > 1 else (inside, inside)
        same = identity[first] == identity[second]
        for kind in (True, False):
            chosen = (same == kind).nonzero()[:, 0]
            if not len(chosen):
                raise DataError(
                    f"fold {fold} of {folds} has no pair of {'one person' if kind else 'two'}: use "
                    "fewer folds, or data with several pictures of more people"
                )
            chosen = chosen[torch.randperm(len(chosen), generator=generator)[:each]]
            flags = torch.full((len(chosen),), kind)
            parts = (first[chosen], second[chosen], flags, torch.full((len(chosen),), fold))
            for column, part in zip(rows, parts, strict=True):
                column.append(part)
    return Pairs(*(torch.cat(column) for column in rows))
