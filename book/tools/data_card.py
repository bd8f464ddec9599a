"""Write the numbers of SynthFaces' data card from the code, so that nobody types them.

data_card.py            write book/_generated/synthfaces.md
data_card.py --check    exit 1 if it would change
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.data.label_statistics import measure
from faceattr.data.labels import LabelModel

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "_generated" / "synthfaces.md"
PEOPLE, FACES_EACH, SEED = 10_000, 20, 0


def page() -> str:
    """The generated part of the card, as Markdown."""
    celeba = LabelModel.load()
    drawn = measure(*celeba.sample(PEOPLE, FACES_EACH, SEED))
    gap = drawn.gaps(celeba)
    rare = int((celeba.prevalence < 0.1).sum())
    lines = [
        f"In numbers: how far the labels of {PEOPLE * FACES_EACH:,} drawn faces "
        f"({PEOPLE:,} people, seed {SEED}) are from CelebA's.",
        "",
        "| | largest gap | mean gap |",
        "|---|---|---|",
        f"| prevalence of an attribute | {gap['prevalence max']:.3f} | "
        f"{np.abs(drawn.prevalence - celeba.prevalence).mean():.3f} |",
        f"| correlation (phi) of two attributes | {gap['phi max']:.3f} | {gap['phi mean']:.3f} |",
        f"| agreement of one person's pictures | {gap['agreement max']:.3f} | "
        f"{np.abs(drawn.agreement - celeba.agreement).mean():.3f} |",
        "",
        f"{rare} of the {len(ATTRIBUTES)} attributes are worn by fewer than one face in ten. "
        "Agreement is the intra-class correlation over all pairs of pictures of one person.",
        "",
        f":::{{dropdown}} All {len(ATTRIBUTES)} attributes",
        "| attribute | CelebA: how common | SynthFaces | CelebA: agreement within a person "
        "| SynthFaces |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {pretty(name)} | {celeba.prevalence[j]:.1%} | {drawn.prevalence[j]:.1%} "
        f"| {celeba.agreement[j]:.2f} | {drawn.agreement[j]:.2f} |"
        for j, name in enumerate(ATTRIBUTES)
    ]
    return "\n".join([*lines, ":::", ""])


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    if "--check" in sys.argv[1:]:
        if text != current:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run python book/tools/data_card.py")
        return int(text != current)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
