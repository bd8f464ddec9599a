"""The runs behind the verdicts of chapters 4 to 6: PaW, its parts, and its baselines.

    python book/experiments/paw.py run synth --seed 0        # one seed; again: goes on
    python book/experiments/paw.py run celeba --seed 0 --root DIR
    python book/experiments/paw.py collect synth             # -> book/results/paw_synth.json

Everything that is compared gets the same faces and the same passes over them:

===========  ==================================================================================
name         what it is
===========  ==================================================================================
frl          localization network, multi-net learning (step 1)
frl-plain    the same without the second head
whole        SNet3 from the localization network's hints (step 2)
whole-plain  SNet3 without hints, as many passes in all
paw          regions from heat maps, steps 3 to 5
paw-grid     the same with the 4 x 4 blocks of a grid
paw-random   the same with squares at places drawn once
whole-only   ``whole``, trained on for as many passes as steps 3 and 5 take
part-only    step 3, its parts trained on for as many passes as step 5 takes; s_jj
paw-taught   regions from a network that was taught the true ones (:mod:`taught`; drawn faces)
X-parts      s_jj of network X after step 3, before any part can hear another: what its squares,
             and nothing else, are worth (paw, paw-random, paw-taught)
paw-wide, paw-strangers, paw-still: see :mod:`probes`, which alone trains them
===========  ==================================================================================

Of the sizes: 80 and 24 pixels are about a third of the paper's 224 and 64; 3,000 faces, the small
preset's passes (20, 20, 6 + 3 + 4) and bf16-mixed let the nine networks of a seed train within 45
minutes on one core of two threads.

Reports with their predictions stay under ``runs/``, which is not published: those of CelebA hold
its labels. ``collect`` writes means, intervals and differences, the weights of both layers, and
what some of the networks score on faces that they were trained on.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import collecting
import torch
from seen import fitted, skill, squares, telling
from taught import train_taught

from faceattr.checkpoint import load_checkpoint
from faceattr.data.celeba import CelebA
from faceattr.data.faces import FaceDataset
from faceattr.data.synthetic import SynthFaces
from faceattr.evaluation import evaluate
from faceattr.localization import crop_report, localization_report
from faceattr.models import FaceModel
from faceattr.objectives import Objective, attribute_loss
from faceattr.objectives.parts import parts_loss
from faceattr.recipes.frl import train_frl
from faceattr.recipes.paw import FROZEN, PLANS, train_paw
from faceattr.recipes.steps import augmentation, run_step
from faceattr.recipes.students import PLANS as STUDENT_PLANS
from faceattr.recipes.students import train_student
from faceattr.training.history import History

TRAIN, TEST, SIZE, CROP, WIDE, BATCH = 3000, 1000, 80, 24, 40, 64
#: In the order in which they are trained; each needs some before it.
NETWORKS = (
    "frl", "whole", "paw", "whole-only", "part-only", "paw-grid", "paw-random", "frl-plain",
    "whole-plain", "paw-parts", "paw-random-parts",
)  # fmt: skip
#: Where the true regions are known.
DRAWN = ("paw-taught", "paw-taught-parts")
DIFFERENCES = (
    "paw - whole-only",
    "paw - part-only",
    "whole-only - part-only",
    "frl - frl-plain",
    "whole - frl",
    "whole - whole-plain",
    "paw - paw-grid",
    "paw - paw-random",
    "paw-grid - paw-random",
    "paw-parts - paw-random-parts",
)
DRAWN_DIFFERENCES = ("paw-taught - paw", "paw-taught - paw-random", "paw-taught-parts - paw-parts")
REGIONS = {
    "paw": "heatmaps", "paw-grid": "grid", "paw-random": "random", "paw-taught": "heatmaps",
    "paw-wide": "heatmaps", "paw-strangers": "heatmaps",
}  # fmt: skip
#: Networks whose squares another localizer finds than ``frl``.
LOCALIZERS = {"paw-taught": "frl-taught", "paw-strangers": "frl-strangers"}
#: Asked about training faces as well, and where the checkpoint of each is.
FITTED = {"paw": "paw", "whole-only": "whole-only/together", "part-only": "part-only/together"}


def datasets(
    name: str, root: str | None, faces: int, seed: int = 0
) -> tuple[FaceDataset, FaceDataset]:
    """Faces to train and to test on, of different people; drawn ones of another seed are others."""
    if name == "synth":
        how = {"size": SIZE, "view": "unaligned", "seed": seed}
        return (
            SynthFaces(faces, split="train", **how),
            SynthFaces(min(faces, TEST), split="test", regions=True, **how),
        )
    how = {"view": "wild", "partition": "identity", "size": (SIZE, SIZE), "seed": 0}
    return CelebA(root, split="train", limit=faces, **how), CelebA(root, split="test", **how)


class Runs:
    """The networks of one seed, each trained once and kept in a folder of its own.

    Args:
        data: faces to train on.
        seed: of initial weights, order and mirroring.
        folder: of the seed.
        precision: see :func:`faceattr.training.fit`.
    """

    def __init__(self, data: FaceDataset, seed: int, folder: Path, precision: str):
        self.data, self.runs = data, folder / "runs"
        self.shared = {"batch_size": BATCH, "augment": "flip", "seed": seed, "resume": True}
        self.shared |= {"device": "cpu", "precision": precision, "progress": False}
        self.known: dict[str, FaceModel] = {}

    def __call__(self, name: str) -> FaceModel:
        """A trained network; what its folder holds is not trained again."""
        if name not in self.known:
            self.known[name] = self._make(name)
        return self.known[name]

    def _make(self, name: str) -> FaceModel:
        where = {"checkpoint": self.runs / name, **self.shared}
        if name == "frl-taught":
            return train_taught(self.data, **where)
        if name == "frl-strangers":
            others, _ = datasets("synth", None, len(self.data), seed=1)
            return train_frl(others, preset="small", **where)[0]
        if name.startswith("frl"):
            multinet = name == "frl"
            return train_frl(self.data, preset="small", multinet=multinet, **where)[0]
        if name == "whole":
            return train_student(self.data, teacher=self("frl"), **where)[0]
        if name == "whole-plain":
            passes = sum(plan.epochs for plan in STUDENT_PLANS["small"])
            plain = {"hint_epochs": 0, "epochs": passes}
            return train_student(self.data, teacher=self("frl"), **plain, **where)[0]
        if name == "whole-only":
            network, _ = load_checkpoint(self.runs / "whole")
            return self._more(network, attribute_loss, name, "parts", "together")
        if name.endswith("-parts"):
            network, _ = load_checkpoint(self.runs / name.removesuffix("-parts") / "3-parts")
            return network.variant("part-only")
        if name == "part-only":
            network, _ = load_checkpoint(self.runs / "paw" / "3-parts")
            network.freeze(*FROZEN["parts"])
            return self._more(network, parts_loss, name, "together").variant("part-only")
        return train_paw(
            self.data, preset="small", steps="parts,switch,together", regions=REGIONS[name],
            crop=crop_of(name), frl=self(LOCALIZERS.get(name, "frl")),
            whole=self("whole"), **where,
        )[0]  # fmt: skip

    def _more(self, model: FaceModel, objective: Objective, name: str, *steps: str) -> FaceModel:
        """Train on for as many passes, at the same rates, as PaW's steps take."""
        for step in steps:
            how = {**PLANS["small"][step].arguments(), **self.shared}
            how["augment"] = augmentation(how["augment"])
            run_step(model, self.data, objective, folder=self.runs / name / step, **how)
        return model

    def seconds(self, name: str) -> int:
        """What training it took, all its steps together."""
        stages = ("",) if name in REGIONS else ("", "hint", "parts", "together")
        if name.endswith("-parts"):
            name, stages = name.removesuffix("-parts"), ("3-parts",)
        paths = [self.runs / name / stage / "history.csv" for stage in stages]
        return round(sum(sum(History.load(path)["seconds"]) for path in paths if path.is_file()))


def crop_of(name: str) -> int | None:
    """Side of a network's squares in pixels; blocks of a grid have their own."""
    return {"paw-grid": None, "paw-wide": WIDE}.get(name, CROP)


def networks(test: FaceDataset) -> tuple[str, ...]:
    """What is trained: more where true regions are known."""
    return NETWORKS + DRAWN * (test.faces.regions is not None)


def run(
    data: FaceDataset, test: FaceDataset, seed: int, folder: Path, precision: str,
    names: Iterable[str] | None = None, kind: type[Runs] = Runs,
) -> None:  # fmt: skip
    """Train and report networks of one seed, all unless named; what is there is not done again."""
    runs = kind(data, seed, folder, precision)
    folder.mkdir(parents=True, exist_ok=True)
    for name in networks(test) if names is None else names:
        if (folder / f"{name}.json").is_file():
            continue
        model = runs(name)
        record = {
            "seed": seed,
            "training_seconds": runs.seconds(name),
            "training": {
                "data": data.source, "faces": len(data), "batch_size": BATCH,
                "crop": crop_of(name) or CROP, "precision": precision,
                "threads": torch.get_num_threads(),
            },
        }  # fmt: skip
        found = evaluate(model, test, device="cpu", record=record)
        found.save(folder / f"{name}.json")
        means = f"accuracy {found.mean['accuracy']:.4f}, F1 {found.mean['f1']:.4f}"
        print(f"{time.strftime('%H:%M')} {name}: {runs.seconds(name)} s, {means}", flush=True)


def collect(folder: Path, data: FaceDataset, test: FaceDataset) -> dict:
    """All seeds as :func:`collecting.collect` has them, with both layers and localisation."""
    drawn = test.faces.regions is not None
    differences = DIFFERENCES + DRAWN_DIFFERENCES * drawn
    results = collecting.collect(folder, sorted(networks(test)), differences)
    seeds = [folder / f"seed{seed}" for seed in results["record"]["seeds"]]
    paws = {
        name: [load_checkpoint(seed / "runs" / name)[0] for seed in seeds]
        for name in REGIONS
        if name in results["networks"]
    }
    more = {
        "switch": [model.switch.weight.tolist() for model in paws["paw"]],
        "switch_grid": [model.switch.weight.tolist() for model in paws["paw-grid"]],
        "relation": [model.relation.weight.tolist() for model in paws["paw"]],
        "squares": {
            name: squares(models, test) | telling(models, data, test)
            for name, models in paws.items()
        },
        "skill": {
            name: skill(
                [load_checkpoint(seed / "runs" / name / "3-parts")[0] for seed in seeds], test
            )
            for name in paws
            if f"{name}-parts" in results["networks"]
        },
        "fitted": {
            name: fitted([load_checkpoint(seed / "runs" / where)[0] for seed in seeds], data)
            for name, where in FITTED.items()
        },
    }
    more["label_correlation"] = torch.corrcoef(data.attributes.T.float()).tolist()
    if drawn:
        regions = test.faces.regions
        face = (test.faces.box[:, 2:] - test.faces.box[:, :2]).prod(1)  # (N,) pixels
        cell = (test.size[0] / regions.shape[-1]) ** 2
        more["region_share"] = (regions.sum((2, 3)) * cell / face[:, None]).mean(0).tolist()
        more["localization"] = {
            name: localisation([seed / "runs" / name for seed in seeds], test)
            for name in ("frl", "frl-plain", "frl-taught")
        }
    return results | collecting.rounded(more)


def localisation(checkpoints: list[Path], test: FaceDataset) -> dict:
    """Scores of heat maps over seeds: score to attribute to what the table's columns say."""
    models = [load_checkpoint(path)[0] for path in checkpoints]
    tables = (
        localization_report(models, test, device="cpu", progress=False),
        crop_report(models, test, CROP, device="cpu", progress=False),
    )
    found: dict[str, dict] = {}
    for table in tables:
        for (score, attribute), row in table.iterrows():
            found.setdefault(score, {})[attribute] = row.to_dict()
    return found


def main() -> None:
    """Run one seed, or collect all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "collect"))
    parser.add_argument("data", choices=("synth", "celeba"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="CelebA's folder")
    parser.add_argument("--faces", type=int, default=TRAIN)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--runs", type=Path, default=Path("runs/paw"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    folder = options.runs / options.data
    data, test = datasets(options.data, options.root, options.faces)
    print(f"{data.source}\n{test.source}", flush=True)
    if options.what == "collect":
        path = options.results / f"paw_{options.data}.json"
        print(collecting.write(path, collect(folder, data, test)))
        return
    run(data, test, options.seed, folder / f"seed{options.seed}", options.precision)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        main()
