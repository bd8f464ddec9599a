"""The runs behind chapter 5's verdict: Table 3's teacher and its students, with and without hints.

    python book/experiments/students.py run synth --seed 0    # one seed; again: goes on
    python book/experiments/students.py run celeba --seed 0 --root DIR
    python book/experiments/students.py collect synth         # -> book/results/students_synth.json

==========================  ===================================================================
name                        what it is
==========================  ===================================================================
tnet                        the teacher, trained on the attributes
snet1, snet2, snet3         a student: first the teacher's maps (hint), then the attributes
snet1-plain, ...            the same student, attributes alone, as many passes in all
snet3-soft                  SNet3 with the teacher's answers (soft labels) in place of its maps
==========================  ===================================================================

All eight get the same faces, the same passes over them (six; a student's first two are the hint
stage, or that of soft labels), batches of 32, AdamW with a one-cycle rate for each stage, averaged
weights and mirrored faces, and the log-odds of each attribute as first biases; a seed's students
have that seed's teacher. Of the sizes: 64 pixels make maps of 4 x 4, below which a heat map says
nothing; 2,000 faces and six passes are what lets the eight networks of a seed train within 20
minutes of one thread. TNet and SNet1 take most of that (measured in bf16-mixed, a
thread: 26 faces/s, 56, 130 and 370 for TNet and the three students), so bf16-mixed is the default,
twice as fast as 32-true on processors that have it in hardware. The paper trains on 80 times as
many faces, from a network that has seen millions: what is tested here is whether hints help where
passes are few, not how good the networks can get.

Reports with their predictions stay under ``runs/``, which is not published: those of CelebA hold
its labels. ``collect`` writes means, intervals and differences.
"""

from __future__ import annotations

import argparse
import functools
import time
import warnings
from pathlib import Path

import collecting
import torch

from faceattr.data.celeba import CelebA
from faceattr.data.faces import FaceDataset
from faceattr.data.synthetic import SynthFaces
from faceattr.evaluation import evaluate
from faceattr.models import FaceModel, WholeImage
from faceattr.objectives import attribute_loss
from faceattr.objectives.soft import SoftLabels
from faceattr.recipes.steps import AUGMENTS, prevalence, run_step, seeded
from faceattr.recipes.students import new_student, train_student
from faceattr.training.history import History

TRAIN, TEST, SIZE, BATCH = 2000, 1000, 64, 32
#: Passes over the faces of every network, and how many of them are a student's hint stage.
PASSES, HINT_PASSES = 6, 2
#: Peak of the one-cycle rate, the same in both stages.
RATE = 3e-3
STUDENTS = ("snet3", "snet2", "snet1")  # smallest first
#: In the order in which they are trained: what needs no teacher comes before it.
NETWORKS = (*(f"{student}-plain" for student in STUDENTS), "tnet", "snet3-soft", *STUDENTS)
DIFFERENCES = tuple(
    pair
    for s in reversed(STUDENTS)
    for pair in (f"{s} - tnet", f"{s}-plain - tnet", f"{s} - {s}-plain")
) + ("snet3-soft - snet3-plain", "snet3 - snet3-soft")


def datasets(name: str, root: str | None, faces: int) -> tuple[FaceDataset, FaceDataset]:
    """Faces to train and to test on, of different people."""
    if name == "synth":
        how = {"size": SIZE, "view": "unaligned", "seed": 0}
        return (
            SynthFaces(faces, split="train", **how),
            SynthFaces(min(faces, TEST), split="test", **how),
        )
    how = {"view": "wild", "partition": "identity", "size": (SIZE, SIZE), "seed": 0}
    return CelebA(root, split="train", limit=faces, **how), CelebA(root, split="test", **how)


def run(
    data: FaceDataset, test: FaceDataset, seed: int, folder: Path, *, precision: str = "bf16-mixed"
) -> None:
    """Train and report all networks of one seed; what is there is not done again."""
    shared = {"batch_size": BATCH, "augment": "flip", "seed": seed, "lr": RATE}
    shared |= {"device": "cpu", "precision": precision, "progress": False}

    share = prevalence(data)

    def new(student: str) -> WholeImage:
        sizes = {"num_attributes": len(data.names)}
        return seeded(seed, lambda: WholeImage(student, **sizes)).expect(share)

    @functools.cache
    def train(name: str) -> FaceModel:
        student, _, without = name.partition("-")
        place = folder / "runs" / name
        if without == "soft":
            return after_soft_labels(data, train("tnet"), student, place, **shared)
        how = {"student": student, "model": new(student), "checkpoint": place}
        if without == "plain" or student == "tnet":
            how |= {"epochs": PASSES, "resume": (place / "last.safetensors").is_file()}
        else:
            how |= {"teacher": train("tnet"), "hint_epochs": HINT_PASSES}
            how |= {"epochs": PASSES - HINT_PASSES, "resume": True}
        return train_student(data, **how, **shared)[0]

    for name in NETWORKS:
        path = folder / f"{name}.json"
        if path.is_file():
            continue
        model = train(name)
        stages = stages_of(folder / "runs" / name)
        seconds = sum(sum(history["seconds"]) for history in stages.values())
        record = {
            "seed": seed,
            "training_seconds": round(seconds),
            "losses": {stage: history["loss"] for stage, history in stages.items()},
            "training": {
                "data": data.source, "faces": len(data), "passes": PASSES,
                "hint_passes": HINT_PASSES, "batch_size": BATCH, "rate": RATE,
                "precision": precision, "threads": torch.get_num_threads(),
            },
        }  # fmt: skip
        found = evaluate(model, test, device="cpu", bootstrap=1000, record=record)
        found.save(path)
        accuracy, balanced = found.mean["accuracy"], found.mean["balanced_accuracy"]
        print(
            f"{time.strftime('%H:%M')} {name}: {seconds:.0f} s, accuracy {accuracy:.4f}, "
            f"balanced {balanced:.4f}",
            flush=True,
        )


def after_soft_labels(
    data: FaceDataset, teacher: FaceModel, student: str, place: Path, *, seed: int, **how
) -> FaceModel:
    """The student with hints in every respect but one: its first stage has soft labels instead."""
    model = new_student(student, teacher, seed).expect(prevalence(data))
    how |= {"resume": True, "seed": seed, "augment": AUGMENTS[how["augment"]]}
    how |= {"schedule": "one-cycle", "average": "ema"}
    run_step(
        model, data, SoftLabels(teacher), folder=place / "soft", epochs=HINT_PASSES, **how
    )  # fmt: skip
    run_step(model, data, attribute_loss, folder=place, epochs=PASSES - HINT_PASSES, **how)
    return model


def stages_of(folder: Path) -> dict[str, History]:
    """Histories of a network's stages: ``hint`` or ``soft``, if it had one, and ``attributes``."""
    places = {"hint": folder / "hint", "soft": folder / "soft", "attributes": folder}
    return {
        stage: History.load(place / "history.csv")
        for stage, place in places.items()
        if (place / "history.csv").is_file()
    }


def collect(folder: Path) -> dict:
    """All seeds as :func:`collecting.collect` has them; each run with its losses pass by pass."""
    results = collecting.collect(folder, sorted(NETWORKS), DIFFERENCES)
    for name, runs in collecting.read_reports(folder, NETWORKS).items():
        for row in results["networks"][name]["runs"]:
            row["losses"] = collecting.rounded(runs[row["seed"]].record["losses"])
    return results


def main() -> None:
    """Run one seed, or collect all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "collect"))
    parser.add_argument("data", choices=("synth", "celeba"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="CelebA's folder")
    parser.add_argument("--faces", type=int, default=TRAIN)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--runs", type=Path, default=Path("runs/students"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    folder = options.runs / options.data
    if options.what == "collect":
        path = options.results / f"students_{options.data}.json"
        print(collecting.write(path, collect(folder)))
        return
    data, test = datasets(options.data, options.root, options.faces)
    print(f"{data.source}\n{test.source}", flush=True)
    run(data, test, options.seed, folder / f"seed{options.seed}", precision=options.precision)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        main()
