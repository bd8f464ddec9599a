"""The runs behind chapter 7's verdict: does recognising people help to recognise attributes?

    python book/experiments/franet.py run synth --seed 0        # one seed; again: goes on
    python book/experiments/franet.py run celeba --seed 0 --root DIR
    python book/experiments/franet.py run strength --seed 0     # how much labels stick to a person
    python book/experiments/franet.py collect synth             # -> book/results/franet_synth.json

===========  ==================================================================================
name         what it is
===========  ==================================================================================
lambda-X     FR-ANet with the identity loss at weight X; lambda-1 is the paper's, and at
             lambda-0 the identity branch is there and teaches nothing
fr+anet      people as one more branch after Pool3, lambda = 1
mcnn         no identity branch at all: lambda-0 again, with other initial weights, so that their
             difference shows what chance alone does
mcnn-aux     the same with a last layer from all scores to all scores
idnet        people first, then a linear support vector machine for each attribute
===========  ==================================================================================

All get the same faces, the same 20 passes over them (the small preset's), batches of 64, AdamW with
a one-cycle rate, averaged weights, and mirrored and shifted faces. Nothing was tuned, for any.

Everything is asked about two sets of faces: ``people``, whom no network was trained on, and
``pictures``, a fifth of the pictures of each person of the training faces, kept back. Of the
sizes: 80 pixels as in chapters 4 to 6; 25 pictures a person, of which 20 are trained on, are what
CelebA's people have.

``run strength`` draws faces of which labels stick to a person as in CelebA (1), less, not at all
(0), or wholly (2), and trains lambda-0 and lambda-1 on each; strength 1 is ``run synth``.

Reports with their predictions stay under ``runs/``, which is not published: those of CelebA hold
its labels. ``collect`` writes means, intervals and differences.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import collecting
import torch
from belonging import identity_tables, strength_table

from faceattr.data.celeba import CelebA
from faceattr.data.faces import FaceDataset
from faceattr.data.synthetic import SynthFaces
from faceattr.data.within import held_out
from faceattr.evaluation import evaluate
from faceattr.files import write_atomically
from faceattr.identity import recognised
from faceattr.models import FaceModel
from faceattr.recipes.franet import PLANS, train_franet
from faceattr.recipes.idnet import train_idnet
from faceattr.training.history import History

PEOPLE, PICTURES, TEST_PEOPLE, SIZE, BATCH = 200, 25, 40, 80, 64
#: Share of each person's pictures that nobody trains on.
KEPT_BACK = 0.2
LAMBDAS = (0, 0.01, 0.1, 0.3, 1, 3, 10)
#: In the order in which they are trained: what the claims need most comes first.
NETWORKS = (
    "lambda-0", "lambda-1", "fr+anet", "mcnn", "idnet", "mcnn-aux", "lambda-0.1", "lambda-10",
    "lambda-0.3", "lambda-3", "lambda-0.01",
)  # fmt: skip
DIFFERENCES = (
    *(f"lambda-{x:g} - lambda-0" for x in LAMBDAS[1:]),
    "mcnn - lambda-0",
    "mcnn-aux - mcnn",
    "fr+anet - lambda-0",
    "lambda-1 - fr+anet",
    "lambda-1 - mcnn-aux",
    "lambda-1 - idnet",
)
STRENGTHS = (0, 2, 0.5, 1.5)
#: Trained at every strength.
COMPARED = ("lambda-0", "lambda-1")
#: Faces that everything is asked about.
WHERE = ("people", "pictures")


def datasets(
    name: str, root: str | None, people: int, strength: float = 1.0
) -> dict[str, FaceDataset]:
    """Faces to train on (``train``), unseen ``pictures`` of the same people, unseen ``people``."""
    if name == "celeba":
        how = {"view": "wild", "partition": "identity", "size": (SIZE, SIZE), "seed": 0}
        limit = None if people == PEOPLE else people * PICTURES
        known = CelebA(root, split="train", limit=limit, **how)
        strangers = CelebA(root, split="test", **how)
    else:
        how = {"size": SIZE, "view": "unaligned", "faces_per_person": PICTURES}
        how |= {"person_strength": strength}
        known = SynthFaces(people * PICTURES, split="train", **how)
        strangers = SynthFaces(min(people, TEST_PEOPLE) * PICTURES, split="test", **how)
    back = held_out(known.faces.identity, KEPT_BACK)
    words = "" if strength == 1 else f", person strength {strength:g}"
    return {
        "train": known.subset(
            (~back).nonzero()[:, 0],
            source=f"{known.source}{words}, less {int(back.sum())} pictures kept back",
        ),
        "pictures": known.subset(
            back.nonzero()[:, 0], source=f"{known.source}{words}, {int(back.sum())} kept back"
        ),
        "people": strangers,
    }


def train(name: str, data: FaceDataset, folder: Path, **how) -> FaceModel:
    """Train a network by its name; what its folder holds is not trained again."""
    how = {"preset": "small", "batch_size": BATCH, "checkpoint": folder, "resume": True, **how}
    if name == "idnet":
        return train_idnet(data, **how)[0]
    if name.startswith("mcnn"):
        return train_franet(data, identity="none", aux=name == "mcnn-aux", **how)[0]
    if name == "fr+anet":
        return train_franet(data, identity="separate", **how)[0]
    return train_franet(data, lambda_id=float(name.removeprefix("lambda-")), **how)[0]


def run(
    faces: dict[str, FaceDataset],
    names: Iterable[str],
    seed: int,
    folder: Path,
    *,
    device: str = "cpu",
    precision: str = "32-true",
) -> None:
    """Train and report the networks of one seed; what is there is not done again."""
    shared = {"seed": seed, "device": device, "precision": precision, "progress": False}
    for name in names:
        paths = {where: folder / where / f"seed{seed}" / f"{name}.json" for where in WHERE}
        if all(path.is_file() for path in paths.values()):
            continue
        place = folder / "runs" / f"seed{seed}" / name
        model = train(name, faces["train"], place, **shared)
        seconds = sum(History.load(place / "history.csv")["seconds"])
        record = {
            "seed": seed,
            "training_seconds": round(seconds),
            "training": {
                "data": faces["train"].source, "faces": len(faces["train"]),
                "people": len(faces["train"].faces.identity.unique()),
                "passes": PLANS["small"].epochs, "batch_size": BATCH, "precision": precision,
                "device": torch.cuda.get_device_name() if device == "cuda" else device,
                "threads": torch.get_num_threads(), "torch": torch.__version__,
            },
        }  # fmt: skip
        if model.people is not None:
            who = recognised(model.to(device), faces["pictures"])
            right = {"recognised": who.tolist()}
            path = paths["pictures"].with_suffix(".recognised.json")
            write_atomically(path, json.dumps(right).encode())
        said = {}
        for where in WHERE:  # the last one written says that all is there
            found = evaluate(model, faces[where], device=device, bootstrap=1000, record=record)
            found.save(paths[where])
            said[where] = found.mean["accuracy"]
        print(
            f"{time.strftime('%H:%M:%S')} {name} {seed}: {seconds:.0f} s, accuracy on unseen people"
            f" {said['people']:.4f}, on unseen pictures {said['pictures']:.4f}",
            flush=True,
        )


def collect(folder: Path, networks: Iterable[str], differences: Iterable[str]) -> dict:
    """Both sets of faces as :func:`collecting.collect` has them, and what identity did."""
    networks, differences = list(networks), list(differences)
    parts = {w: collecting.collect(folder / w, networks, differences) for w in WHERE}
    reports = {w: collecting.read_reports(folder / w, networks) for w in WHERE}
    right = {
        name: {
            seed: json.loads(path.read_text())["recognised"]
            for seed in runs
            if (path := folder / "pictures" / f"seed{seed}" / f"{name}.recognised.json").is_file()
        }
        for name, runs in reports["pictures"].items()
    }
    # who trained where: a sweep may be finished on another machine than it was begun on
    devices = {
        name: sorted({run.record["training"]["device"] for run in runs.values()})
        for name, runs in reports["people"].items()
    }
    tables = collecting.rounded(identity_tables(reports, right, differences))
    return {**parts, "devices": devices, **tables}


def main() -> None:
    """Run one seed, or collect all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "collect"))
    parser.add_argument("data", choices=("synth", "celeba", "strength"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="CelebA's folder")
    parser.add_argument("--people", type=int, default=PEOPLE, help="people of the training faces")
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--runs", type=Path, default=Path("runs/franet"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    folder = options.runs / options.data
    where = {"device": options.device, "precision": options.precision}
    if options.what == "collect":
        if options.data == "strength":
            steps = {
                strength: collect(place, COMPARED, ("lambda-1 - lambda-0",))
                for strength, place in sorted(
                    {s: folder / f"{s:g}" for s in STRENGTHS}.items()
                    | {1: options.runs / "synth"}.items()
                )
            }
            found = strength_table(steps)
        else:
            found = collect(folder, options.networks, DIFFERENCES)
        print(collecting.write(options.results / f"franet_{options.data}.json", found))
        return
    steps = STRENGTHS if options.data == "strength" else (None,)
    for strength in steps:
        if strength is None:
            faces, place, names = datasets(options.data, options.root, options.people), folder, None
        else:
            faces = datasets("synth", None, options.people, strength)
            place, names = folder / f"{strength:g}", COMPARED
        print("\n".join(data.source for data in faces.values()), flush=True)
        run(faces, names or options.networks, options.seed, place, **where)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        main()
