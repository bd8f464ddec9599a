"""What CelebA's label files say in aggregate: prevalence, correlation, agreement within a person.

:func:`measure` takes any labels with identities, real or sampled, so that both are judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faceattr.attributes import ATTRIBUTES
from faceattr.data.celeba_tables import read_table
from faceattr.errors import DataError

if TYPE_CHECKING:
    from faceattr.data.labels import LabelModel

#: The label files, as the CelebA site names them.
FILES = ("list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt")
#: What 0, 1 and 2 mean in the last of them.
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class LabelStatistics:
    """What a label matrix says in aggregate; :func:`measure` makes it.

    Attributes:
        prevalence: ``(M,)`` share of faces that wear each attribute.
        correlation: ``(M, M)`` phi, Pearson's correlation of two attributes of one face.
        across: ``(M, M)`` the same of attribute ``i`` of one picture and ``j`` of another picture
            of the same person, over all such pairs.
    """

    prevalence: np.ndarray
    correlation: np.ndarray
    across: np.ndarray = field(repr=False)

    @property
    def agreement(self) -> np.ndarray:
        """``(M,)`` intra-class correlation over all pairs of pictures of one person."""
        return np.diag(self.across)

    def gaps(self, other: LabelStatistics | LabelModel) -> dict[str, float]:
        """Largest and mean absolute differences from ``other``, for reports and tests."""
        pairs = np.triu_indices(len(self.prevalence), 1)
        phi = np.abs(self.correlation - other.correlation)[pairs]
        return {
            "prevalence max": float(np.abs(self.prevalence - other.prevalence).max()),
            "phi mean": float(phi.mean()),
            "phi max": float(phi.max()),
            "agreement max": float(np.abs(self.agreement - other.agreement).max()),
        }


def measure(attributes, identity) -> LabelStatistics:
    """Measure prevalences, phi and agreement of labels ``(N, M)`` with identities ``(N,)``.

    Agreement is Fisher's intra-class correlation: each ordered pair of different pictures of one
    person counts once, and the mean and variance are those of the pictures in such pairs. A label
    that never varies, or people with one picture each, have none: NaN.
    """
    worn = np.asarray(attributes, dtype=np.float64)
    _, person, count = np.unique(np.asarray(identity), return_inverse=True, return_counts=True)
    starts = np.r_[0, np.cumsum(count)[:-1]]
    sums = np.add.reduceat(worn[np.argsort(person, kind="stable")], starts, axis=0)  # (P, M)
    together = worn.T @ worn  # (M, M)
    mean = worn.mean(axis=0)
    pairs = float((count * (count - 1)).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(mean * (1 - mean))
        correlation = (together / len(worn) - np.outer(mean, mean)) / np.outer(scale, scale)
        mean_pair = (count - 1) @ sums / pairs
        scale = np.sqrt(mean_pair * (1 - mean_pair))
        across = (sums.T @ sums - together) / pairs - np.outer(mean_pair, mean_pair)
        across /= np.outer(scale, scale)
    return LabelStatistics(mean, correlation, across)


def read_label_files(root: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read CelebA's three label files, strictly: every row of each.

    Returns:
        attributes ``(N, M)`` bool, identity ``(N,)`` int64, split ``(N,)`` int64 (0 train, 1 valid,
        2 test).

    Raises:
        DataError: a file is missing or cut, or a line is wrong; the message names file and line.
    """
    paths = [Path(root) / name for name in FILES]
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"no label file {path}: --root must be the folder with {', '.join(FILES)}, "
                "from the CelebA site's Anno and Eval folders"
            )
    labels = read_table(paths[0], head=True, columns=len(ATTRIBUTES), allowed=(-1, 1))
    if labels.names != ATTRIBUTES:
        raise DataError(f"{paths[0]}, line 2: not CelebA's 40 names: copy the original file again")
    identity = read_table(paths[1], head=False, columns=1)
    split = read_table(paths[2], head=False, columns=1, allowed=(0, 1, 2))
    whose, part = (
        table.rows_of(labels.files, paths[0], True)[:, 0].astype(np.int64)
        for table in (identity, split)
    )
    return labels.values > 0, whose, part


def celeba_facts(attributes: np.ndarray, identity: np.ndarray, split: np.ndarray) -> dict:
    """The ``celeba`` part of the table: what is measured, rounded to 4 decimals."""
    statistics = measure(attributes, identity)
    count = np.unique(identity, return_counts=True)[1]
    quantiles = {"min": 0, "q25": 25, "median": 50, "q75": 75, "max": 100}
    edges = range(0, int(count.max()) + 5, 5)
    return {
        "faces": len(attributes),
        "people": len(count),
        "prevalence": statistics.prevalence.round(4).tolist(),
        "agreement": statistics.agreement.round(4).tolist(),
        "correlation": statistics.correlation.round(4).tolist(),
        "splits": {
            name: {
                "faces": int((split == k).sum()),
                "people": len(np.unique(identity[split == k])),
                "prevalence": attributes[split == k].mean(axis=0).round(4).tolist(),
            }
            for k, name in enumerate(SPLITS)
            if (split == k).any()
        },
        "images_per_person": {
            **{name: int(np.percentile(count, q)) for name, q in quantiles.items()},
            "mean": round(float(count.mean()), 4),
            "people_with": {
                f"{low + 1}-{low + 5}": int(((count > low) & (count <= low + 5)).sum())
                for low in edges[:-1]
            },
        },
    }
