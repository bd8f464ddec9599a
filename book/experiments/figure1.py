"""The paper's Figure 1 from CelebA's own labels: 35 pictures of one person, and of 35 people.

    python book/experiments/figure1.py --root DIR            # -> book/results/franet_figure1.json

No picture is opened. What is written are correlations between the forty labels of two pictures,
rounded, and their means over everybody with as many pictures; no label of any picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import collecting
import numpy as np

from faceattr.agreement import image_correlation, mean_off_diagonal
from faceattr.data.label_statistics import read_label_files
from faceattr.record import run_record

PICTURES = 35


def figure(labels: np.ndarray, identity: np.ndarray, pictures: int = PICTURES) -> dict:
    """Both matrices, and the mean correlation of everybody with as many pictures.

    Args:
        labels: ``(N, M)`` bool. identity: ``(N,)``.
        pictures: so many of one person, and of as many people.
    """
    rng = np.random.default_rng(0)
    people, count = np.unique(identity, return_counts=True)
    enough = people[count >= pictures]
    rows = {p: np.flatnonzero(identity == p)[:pictures] for p in enough.tolist()}
    within = [mean_off_diagonal(image_correlation(labels[r])) for r in rows.values()]

    def strangers() -> np.ndarray:
        chosen = rng.choice(people, size=pictures, replace=False)
        return np.array([rng.choice(np.flatnonzero(identity == p)) for p in chosen])

    drawn = [strangers() for _ in range(100)]
    among = [mean_off_diagonal(image_correlation(labels[r])) for r in drawn]
    # the person in the middle, so that nobody was picked for the picture they make
    middle = enough[np.argsort(within)[len(within) // 2]]
    return {
        "pictures": pictures,
        "people": len(enough),
        "within": image_correlation(labels[rows[int(middle)]]).round(2).tolist(),
        "among": image_correlation(labels[drawn[0]]).round(2).tolist(),
        "within_means": np.sort(within).round(3).tolist(),
        "among_means": np.sort(among).round(3).tolist(),
    }


def main() -> None:
    """Read the label files and write the figure's numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="CelebA's folder")
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    labels, identity, _ = read_label_files(options.root)
    found = figure(labels.astype(float), identity)
    record = run_record(seed=0, data="CelebA, all labels")
    print(collecting.write(options.results / "franet_figure1.json", {"record": record, **found}))


if __name__ == "__main__":
    main()
