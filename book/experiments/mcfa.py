"""The runs behind the verdicts of chapters 8 and 9: MCFA's variants, its networks, its weights.

    python book/experiments/mcfa.py pack --root DIR           # photographs to take along
    python book/experiments/mcfa.py prepare synth             # windows and scenes, once
    python book/experiments/mcfa.py run synth --seed 0        # one seed; again: goes on
    python book/experiments/mcfa.py run celeba --seed 0 --root DIR --device cuda
    python book/experiments/mcfa.py collect synth             # -> book/results/mcfa_synth.json

=====================  ========================================================================
name                   what it is
=====================  ========================================================================
mcfa                   all three tasks, the paper's dynamic weights (Eq. 6)
fac, fll-fac, fd-fac   the paper's other variants, with the same weights
X-equal                each of the four with equal weights
mcfa-inverse, ...      all tasks, weights after Ming et al., Kendall et al., Liu et al., at random
mcfa-equal-far         mcfa-equal whose windows without a face are the paper's alone: none of them
                       is a near miss
fac-equal-among        fac-equal among the windows without a face that detection has: they are in
                       its batches and its batch norm, and teach nothing; as many steps as detection
X-S, X-M               what S_Net and M_Net of network X answer
=====================  ========================================================================

All networks of a seed see the same windows of faces in as many passes; those that learn detection
see as many windows without a face besides, in the same passes, and take twice the steps (the
paper's Table I likewise has three times the pictures where detection is trained). Windows of a face
are cut twice, each time jittered; reports are on windows cut exactly round the true faces of other
people. The cascade is measured on whole scenes, its thresholds chosen on others.

In the photographs "true" faces are those that MTCNN finds: what is measured there is agreement with
MTCNN.

Reports with their predictions, and scores of single scenes, stay under ``runs/``, which is not
published. ``collect`` writes means, intervals and differences.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

import collecting
import torch
from cascading import cascade_table, measure_cascade
from material import CHOOSE, SCENES, TEST, TRAIN, Material, keep, kept, make, on_device
from pack import pack
from weights_seen import weights_table

from faceattr.data.faces import FaceDataset
from faceattr.errors import DataError
from faceattr.evaluation import evaluate
from faceattr.files import write_atomically
from faceattr.models.mcfa import MCFA, VARIANTS
from faceattr.recipes.mcfa import train_windows
from faceattr.training.history import History

BATCH, PASSES, RATE = 64, 8, 3e-3
RECALL = 0.9
#: Networks in the order in which they are trained: variant and weighting.
NETWORKS = {
    "mcfa-equal": ("MCFA", "equal"),
    "mcfa": ("MCFA", "dynamic"),
    "fac-equal": ("MCFA_FAC", "equal"),
    "fll-fac-equal": ("MCFA_FLL_FAC", "equal"),
    "fd-fac-equal": ("MCFA_FD_FAC", "equal"),
    "mcfa-inverse": ("MCFA", "inverse"),
    "mcfa-uncertainty": ("MCFA", "uncertainty"),
    "mcfa-dwa": ("MCFA", "dwa"),
    "mcfa-random": ("MCFA", "random"),
    "fac": ("MCFA_FAC", "dynamic"),
    "fll-fac": ("MCFA_FLL_FAC", "dynamic"),
    "fd-fac": ("MCFA_FD_FAC", "dynamic"),
    "mcfa-equal-far": ("MCFA", "equal"),
    "fac-equal-among": ("MCFA_FAC", "equal"),
}
#: Those whose S_Net and M_Net are reported as well.
COARSE = ("mcfa", "mcfa-equal")
#: Those whose cascade is measured.
CASCADES = ("mcfa", "mcfa-equal", "fd-fac", "fd-fac-equal", "mcfa-equal-far")
DIFFERENCES = (
    *(f"mcfa - {name}" for name in ("fac", "fll-fac", "fd-fac")),
    *(f"mcfa-equal - {name}-equal" for name in ("fac", "fll-fac", "fd-fac")),
    *(pair for n in COARSE for pair in (f"{n} - {n}-M", f"{n}-M - {n}-S")),
    *(f"mcfa{s} - mcfa-equal" for s in ("", "-inverse", "-uncertainty", "-dwa", "-random")),
    "fac - fac-equal",
    "fac-equal-among - fac-equal", "mcfa-equal - fac-equal-among", "mcfa-equal - mcfa-equal-far",
)  # fmt: skip


def run(
    material: Material, seed: int, folder: Path, *, device: str, precision: str, passes: int,
    batch: int, names: list[str],
) -> None:  # fmt: skip
    """Train and report networks of one seed; what is there is not done again."""
    how = {"preset": "small", "epochs": passes, "lr": RATE, "seed": seed, "batch_size": batch}
    how |= {"device": device, "precision": precision, "progress": False, "resume": True}
    for name in names:
        if (folder / f"{name}.json").is_file():
            continue
        variant, scheme = NETWORKS[name]
        train = material.far if name.endswith("-far") else material.train
        train = among(train) if name.endswith("-among") else train
        train = on_device(train, device) if device != "cpu" else train
        place = folder / "runs" / name
        model, history, trace = train_windows(
            train, variant=variant, scheme=scheme, checkpoint=place, **how
        )
        record = about(history, seed, train, passes, batch, precision)
        if name in CASCADES:
            found = measure_cascade(model, material.choose, material.scenes, RECALL, device)
            write_atomically(folder / f"{name}.cascade.json", json.dumps(found).encode())
        for net in ("S", "M") if name in COARSE else ():
            report(model.variant(net), material.test, folder / f"{name}-{net}.json", record, device)
        noted = {**record, "trace": collecting.rounded(trace.tolist())}
        report(model, material.test, folder / f"{name}.json", noted, device)


def among(windows: FaceDataset) -> FaceDataset:
    """The same windows for attributes alone; those without a face stay, as if nobody labelled."""
    whole = replace(windows.faces, is_face=None)
    kept = FaceDataset(whole, names=windows.names, source=f"{windows.source}, all as faces")
    kept.framing = windows.framing
    return kept


def about(
    history: History, seed: int, data: FaceDataset, passes: int, batch: int, precision: str
) -> dict:
    """The record of a report."""
    losses = [c for c in ("attributes", "faces", "boxes", "landmarks") if c in history.columns]
    return {
        "seed": seed,
        "training_seconds": round(sum(history["seconds"])),
        "losses": {column: history[column] for column in losses},
        "training": {
            "data": data.source, "windows": len(data), "passes": passes, "batch_size": batch,
            "rate": RATE, "precision": precision,
        },
    }  # fmt: skip


def report(model: MCFA, test: FaceDataset, path: Path, record: dict, device: str) -> None:
    """Write a network's report on exact windows, and what it misses the landmarks by."""
    if model.config["tasks"] != list(VARIANTS["MCFA_FAC"]):
        record = {**record, "places": places(model, test, device)}
    found = evaluate(model, test, device=device, record=record)
    found.save(path)
    accuracy, balanced = found.mean["accuracy"], found.mean["balanced_accuracy"]
    print(
        f"{time.strftime('%H:%M:%S')} {path.stem}: {record['training_seconds']} s, accuracy "
        f"{accuracy:.4f}, balanced {balanced:.4f}",
        flush=True,
    )


@torch.no_grad()
def places(model: MCFA, test: FaceDataset, device: str) -> dict[str, float]:
    """On exact windows: mean landmark error in distances of the eyes, mean overlap of the box."""
    from torchvision.ops import box_iou

    from faceattr.cascade import landmark_error

    errors, overlaps = [], []
    model.to(device).eval()
    for faces in test.batches(256, device=device):
        outputs = model(faces.images)
        if outputs.landmarks is not None:
            errors.append(landmark_error(outputs.landmarks.float(), faces.landmarks))
        if outputs.boxes is not None:
            overlaps.append(box_iou(outputs.boxes.float(), faces.box).diagonal())
    found = {"landmark_error": errors, "box_iou": overlaps}
    return {name: torch.cat(parts).mean().item() for name, parts in found.items() if parts}


def collect(folder: Path) -> dict:
    """All seeds as :func:`collecting.collect` has them, the cascade's scores and the weights."""
    seeds = [place for place in sorted(folder.glob("seed*")) if place.is_dir()]
    there = [n for n in NETWORKS if seeds and all((s / f"{n}.json").is_file() for s in seeds)]
    there += [f"{n}-{net}" for n in COARSE if n in there for net in ("S", "M")]
    if not there:
        raise DataError(f"no network under {folder} was run with every seed: run one first")
    pairs = [pair for pair in DIFFERENCES if set(pair.split(" - ")) <= set(there)]
    results = collecting.collect(folder, sorted(there), pairs)
    reports = collecting.read_reports(folder, there)
    for name, runs in reports.items():
        for row in results["networks"][name]["runs"]:
            noted = runs[row["seed"]].record
            row |= collecting.rounded({k: noted[k] for k in ("losses", "places") if k in noted})
    traced = {n: runs for n, runs in reports.items() if n in NETWORKS}
    results["weights"] = collecting.rounded(
        {
            n: weights_table([run.record["trace"] for run in runs.values()])
            for n, runs in traced.items()
        }
    )
    results["cascade"] = collecting.rounded(
        cascade_table(seeds, [n for n in CASCADES if n in there])
    )
    return results


def main() -> None:
    """Prepare, run one seed, or collect all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("pack", "prepare", "run", "collect"))
    parser.add_argument("data", choices=("synth", "celeba"), nargs="?", default="synth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="CelebA's folder, or a packed one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--faces", type=int, default=TRAIN, help="training scenes")
    parser.add_argument("--test", type=int, default=TEST)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="names with commas")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/mcfa/photographs"), help="pack: where"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/mcfa"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    if options.what == "pack":
        print(pack(options.root, options.out))
        return
    folder = options.runs / options.data
    if options.what == "collect":
        path = options.results / f"mcfa_{options.data}.json"
        print(collecting.write(path, collect(folder)))
        return
    material = kept(folder)
    if material is None:
        began = time.perf_counter()
        choose = max(8, min(CHOOSE, options.scenes // 2))
        sizes = (options.faces, options.test, choose, options.scenes)
        material = make(options.data, options.root, *sizes)
        keep(material, folder)
        print(f"{time.perf_counter() - began:.0f} s to make {material.train.source}", flush=True)
    if options.what == "run":
        names = options.networks.split(",")
        if unknown := set(names) - set(NETWORKS):
            raise DataError(f"unknown networks {', '.join(sorted(unknown))}: {', '.join(NETWORKS)}")
        where = {"device": options.device, "precision": options.precision}
        where |= {"passes": options.passes, "batch": options.batch, "names": names}
        run(material, options.seed, folder / f"seed{options.seed}", **where)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        main()
