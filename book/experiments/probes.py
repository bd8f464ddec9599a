"""Suspects of chapter 6: what PaW gains with fewer faces to learn from, and with larger squares.

    python book/experiments/probes.py run faces --seed 0           # drawn faces, a third of them
    python book/experiments/probes.py run squares synth --seed 0   # or: squares celeba --root DIR
    python book/experiments/probes.py run others --seed 0
    python book/experiments/probes.py collect                      # -> book/results/paw_probes.json

=======  ======================================================================================
probe    what differs from :mod:`paw`
=======  ======================================================================================
faces    1,000 drawn faces instead of 3,000, and as many passes over them
squares  squares of half the picture's side (40 of 80 pixels) instead of three tenths (24); the
         localization network and the whole-image subnet are those of :mod:`paw`, which come first
others   the localization network has learned from 3,000 drawn faces of other people, so on the
         faces that the parts learn from it cannot know a label by heart
=======  ======================================================================================

``collect`` takes the seeds that there are and says which; differences are paired as in
:mod:`collecting`. These are probes, not verdicts: one seed may have to do.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import collecting
from paw import CROP, TRAIN, WIDE, datasets, run

from faceattr.record import run_record
from faceattr.report import Report

FEW = 1000
#: What each probe reports.
PROBES = {
    "faces": ("frl", "whole", "paw", "whole-only"),
    "squares": ("paw-wide",),
    "others": ("paw-strangers",),
}


def difference(folder: Path, first: str, second: str) -> dict:
    """One network against another over the seeds that have both: means with intervals."""
    seeds = sorted(
        place
        for place in folder.glob("seed*")
        if all((place / f"{name}.json").is_file() for name in (first, second))
    )
    if not seeds:
        return {}
    one, other = (
        [Report.load(place / f"{name}.json") for place in seeds] for name in (first, second)
    )
    training = one[0].record["training"]
    compared = collecting.together(one).compare(collecting.together(other))
    return {
        "first": first,
        "second": second,
        "seeds": [int(place.name.removeprefix("seed")) for place in seeds],
        "faces": training["faces"],
        "crop": training["crop"],
        "mean": compared.to_dict()["mean"],
    }


def collect(runs: Path) -> dict:
    """All probes, and beside each what it is to be compared with."""
    few, drawn, photos = runs.parent / f"{runs.name}-{FEW}", runs / "synth", runs / "celeba"
    wanted = [
        ("drawn faces", few / "synth", "paw", "whole-only"),
        ("drawn faces", drawn, "paw", "whole-only"),
        ("drawn faces", drawn, "paw-strangers", "paw"),
        ("drawn faces", drawn, "paw-strangers", "paw-random"),
        *(
            (kind, folder, first, second)
            for kind, folder in (("drawn faces", drawn), ("photographs", photos))
            for first, second in (("paw-wide", "paw"), ("paw-wide", "whole-only"))
        ),
    ]
    found = [{"kind": kind} | difference(*which) for kind, *which in wanted]
    found = [row for row in found if "mean" in row]
    seeds = sorted({seed for row in found for seed in row["seeds"]})
    record = run_record(seed=seeds, data="those of paw.py", wide=WIDE, crop=CROP)
    return collecting.rounded({"record": record, "probes": found})


def main() -> None:
    """Run one seed of a probe, or collect all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "collect"))
    parser.add_argument("probe", nargs="?", choices=tuple(PROBES))
    parser.add_argument("data", nargs="?", choices=("synth", "celeba"), default="synth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="CelebA's folder")
    parser.add_argument("--faces", type=int, default=TRAIN, help="as many as paw.py had")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--runs", type=Path, default=Path("runs/paw"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    if options.what == "collect":
        print(collecting.write(options.results / "paw_probes.json", collect(options.runs)))
        return
    if options.probe is None:
        parser.error(f"run what: {', '.join(PROBES)}?")
    if options.data == "celeba" and options.probe != "squares":
        parser.error(f"{options.probe}: with drawn faces alone, of which there are more")
    runs, faces, names = options.runs, options.faces, PROBES[options.probe]
    if options.probe == "faces":
        runs, faces = runs.parent / f"{runs.name}-{FEW}", FEW
    data, test = datasets(options.data, options.root, faces)
    print(f"{data.source}\n{test.source}", flush=True)
    folder = runs / options.data / f"seed{options.seed}"
    run(data, test, options.seed, folder, options.precision, names)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        main()
