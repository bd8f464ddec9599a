"""Suspects of chapter 6: what PaW gains with fewer faces to learn from, and with larger squares.

    python book/experiments/probes.py run faces --seed 0           # drawn faces, a third of them
    python book/experiments/probes.py run squares synth --seed 0   # or: squares celeba --root DIR
    python book/experiments/probes.py run others --seed 0
    python book/experiments/probes.py run still synth --seed 0
    python book/experiments/probes.py collect                      # -> book/results/paw_probes.json

=======  ======================================================================================
probe    what differs from :mod:`paw`
=======  ======================================================================================
faces    1,000 drawn faces instead of 3,000, and as many passes over them
squares  squares of half the picture's side (40 of 80 pixels) instead of three tenths (24); the
         localization network and the whole-image subnet are those of :mod:`paw`, which come first
others   the localization network has learned from 3,000 drawn faces of other people, so on the
         faces that the parts learn from it cannot know a label by heart
still    squares that do not follow the face: each at the mean peak of its heat map over the
         training faces that wear the attribute, so that no place tells an answer
=======  ======================================================================================

``collect`` takes the seeds that there are and says which; differences are paired as in
:mod:`collecting`. These are probes, not verdicts: one seed may have to do.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import collecting
import torch
from paw import CROP, TRAIN, WIDE, Runs, datasets, run
from torch import Tensor

from faceattr.data.faces import FaceDataset
from faceattr.localization import heatmaps, regions_from_heatmaps
from faceattr.models import FaceModel, PaW
from faceattr.objectives import attribute_loss
from faceattr.objectives.parts import parts_loss
from faceattr.recipes.paw import FROZEN, PLANS
from faceattr.recipes.steps import augmentation, run_step
from faceattr.record import run_record
from faceattr.report import Report
from faceattr.training.history import History

FEW = 1000
#: What each probe reports.
PROBES = {
    "faces": ("frl", "whole", "paw", "whole-only"),
    "squares": ("paw-wide",),
    "others": ("paw-strangers",),
    "still": ("paw-still",),
}
WITH_PHOTOS = ("squares", "still")


class Probes(Runs):
    """Adds the network whose squares stand still."""

    def _make(self, name: str) -> FaceModel:
        if name != "paw-still":
            return super()._make(name)
        model = PaW.from_subnets([self("whole")], self("frl"), regions="random", crop=CROP)
        model.places.copy_(usual_places(self("frl"), self.data, CROP))
        for step, plan in PLANS["small"].items():
            model.freeze(*FROZEN[step])
            how = {**plan.arguments(terms=len(self.data.names)), **self.shared}
            how["augment"] = augmentation(how["augment"])
            objective = parts_loss if step == "parts" else attribute_loss
            run_step(model, self.data, objective, folder=self.runs / name / step, **how)
        return model

    def seconds(self, name: str) -> int:
        """What training it took, all its steps together."""
        if name != "paw-still":
            return super().seconds(name)
        histories = (self.runs / name / step / "history.csv" for step in PLANS["small"])
        return round(sum(sum(History.load(path)["seconds"]) for path in histories))


@torch.no_grad()
def usual_places(localizer: FaceModel, data: FaceDataset, crop: int) -> Tensor:
    """Mean peak of each heat map over the faces that wear the attribute (over all, if none does).

    As shares of the room that a square of ``crop`` pixels has: ``(M, 2)``.
    """
    size, peaks = data.size, []
    for faces in data.batches(100):
        peaks.append(regions_from_heatmaps(heatmaps(localizer, faces.images), size))
    peaks = torch.cat(peaks)  # (N, M, 2) pixels
    worn = (data.attributes == 1).float()
    worn[:, worn.sum(0) == 0] = 1
    mean = (peaks * worn[..., None]).sum(0) / worn.sum(0)[:, None]  # (M, 2)
    room = torch.tensor(size[::-1]) - crop  # of a square's left and upper edge
    return ((mean - crop / 2) / room).clamp(0, 1)


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
        *(
            (kind, folder, "paw-still", second)
            for kind, folder in (("drawn faces", drawn), ("photographs", photos))
            for second in ("paw", "paw-random", "whole-only")
        ),
        ("drawn faces", drawn, "paw-random", "whole-only"),
        ("photographs", photos, "paw-random", "whole-only"),
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
    if options.data == "celeba" and options.probe not in WITH_PHOTOS:
        parser.error(f"{options.probe}: with drawn faces alone, of which there are more")
    runs, faces, names = options.runs, options.faces, PROBES[options.probe]
    if options.probe == "faces":
        runs, faces = runs.parent / f"{runs.name}-{FEW}", FEW
    data, test = datasets(options.data, options.root, faces)
    print(f"{data.source}\n{test.source}", flush=True)
    folder = runs / options.data / f"seed{options.seed}"
    run(data, test, options.seed, folder, options.precision, names, Probes)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        main()
