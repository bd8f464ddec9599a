"""Train the cascade that comes with the package, on drawn scenes and on photographs together.

    python book/experiments/shipped.py train --root DIR      # again: goes on
    python book/experiments/shipped.py ship --root DIR       # thresholds, card, checkpoint

One network for both, so that ``faceattr predict --method mcfa`` knows drawn scenes and photographs.
Its attributes have equal weights: with the paper's weights a network of this size learns next to
nothing of them (chapter 9). Thresholds are chosen on validation people of each kind, and the lower
ones taken; figures on the card are of test people.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from cascading import Counted, chosen_on, measure_cascade
from material import drawn_scenes, photographed
from torch import Tensor

from faceattr.cascade import Cascade
from faceattr.checkpoint import SHIPPED, load_checkpoint, save_checkpoint
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.photographs import Photographs
from faceattr.data.scenes import SynthScenes
from faceattr.data.synthetic import SynthFaces
from faceattr.data.window_samples import FaceWindows
from faceattr.models.mcfa import MCFA
from faceattr.recipes.mcfa import train_windows

NAME = "mcfa-mixed"
SIDE, SIZE, RECALL, SEED = 256, 112, 0.95, 0
FIELDS = ("images", "attributes", "identity", "box", "landmarks", "is_face")

CARD = """# Model card: {name}

**What it is.** MCFA (Zhuang et al., ICPR 2018) in the small preset: {count:,} parameters in three
networks that take windows of 28, 56 and 112 pixels. `faceattr predict --method mcfa` slides it over
a picture of any size; it answers with boxes, five landmarks and {attributes} attributes a face.

**Data.** {data}. The photographs are CelebA's (Liu et al., ICCV 2015), which is for non-commercial
research only, and so is this checkpoint. Their boxes and landmarks are those that MTCNN found, so
on photographs it learned to agree with MTCNN. Labels were given by annotators who disagree with
each other, and some attributes (Attractive, Young, Chubby) are opinions.

**Training.** `python book/experiments/shipped.py train`, then `ship`; {passes} passes, equal
weights of the attributes, seed {seed}, {seconds:,.0f} seconds on one core. One run.

**How good**, on people it was not trained on. Thresholds {thresholds} were chosen on
others, for a recall of at least {recall:.0%} on either kind.

| | drawn scenes | photographs |
|---|---|---|
{rows}

**Do not use it** to decide anything about a person. It guesses looks, not traits; it was not
tested on people unlike CelebA's, and its errors are not spread evenly over people.
"""


def windows(root: str, drawn: int, photographs: int) -> FaceDataset:
    """Training windows of drawn scenes and of photographs, one after the other."""
    how = {"size": SIDE, "seed": SEED}
    parts = [
        FaceWindows(scenes, size=SIZE, per_face=2, seed=SEED)
        for scenes in (
            SynthFaces(drawn, split="train", view="wild", **how),
            Photographs(root, split="train", partition="identity", limit=photographs, **how),
        )
    ]
    joined = {f: torch.cat([getattr(p.faces, f) for p in parts]) for f in FIELDS}
    people = parts[0].faces.identity.max() + 1
    second = parts[1].faces.identity
    shifted = torch.where(second >= 0, second + people, second)  # two sets of people
    joined["identity"] = torch.cat([parts[0].faces.identity, shifted])
    names = parts[0].names
    source = " and ".join(part.source for part in parts)
    both = FaceDataset(Faces(**joined), names=names, source=source)
    both.framing = "wild"
    return both


def scenes(root: str, split: str, count: int) -> dict[str, list[tuple[Tensor, ...]]]:
    """``(picture, boxes, landmarks, attributes)`` of drawn scenes and of photographs."""
    drawn = SynthScenes(count, size=SIDE, faces=(0, 4), seed={"valid": 3, "test": 4}[split])
    how = {"partition": "identity", "limit": count, "size": SIDE, "seed": SEED}
    photographs = photographed(Photographs(root, split=split, **how), count)
    return {"drawn scenes": drawn_scenes(drawn), "photographs": photographs}


def measured(model: MCFA, thresholds: list[float], part: list[tuple]) -> dict[str, float]:
    """What the cascade is worth on scenes."""
    found = measure_cascade(model, [], part, RECALL, "cpu", thresholds=thresholds)
    scores = Counted(found["scenes"]).scores(np.ones(len(part)))
    return {
        "faces": sum(len(boxes) for _, boxes, *_ in part),
        "average precision of detection": scores["average_precision"],
        "recall": scores["recall"],
        "precision": scores["precision"],
        "landmark error, in distances of the eyes": scores["landmark_error"],
        "accuracy of 40 attributes of the faces found": scores["accuracy"],
    }


def row(name: str, values: dict[str, dict[str, float]]) -> str:
    """A line of the card's table."""
    cells = [
        f"{v[name]:,}" if name == "faces" else f"{v[name]:.3f}" if "error" in name
        else f"{v[name]:.1%}"
        for v in values.values()
    ]  # fmt: skip
    return f"| {name} | " + " | ".join(cells) + " |"


def ship(options: argparse.Namespace) -> None:
    """Choose thresholds, measure, and write checkpoint and card into the package."""
    model, header = load_checkpoint(options.run / "last.safetensors", expect=MCFA)
    cascade = Cascade(model, device="cpu")
    valid = scenes(options.root, "valid", options.choose)
    chosen = [chosen_on(cascade, part, RECALL)[0] for part in valid.values()]
    thresholds = np.min(chosen, 0).tolist()  # both kinds keep the recall
    tests = scenes(options.root, "test", options.test)
    values = {kind: measured(model, thresholds, part) for kind, part in tests.items()}
    record = {
        **header["record"],
        "cascade": {"thresholds": thresholds, "recall": RECALL},
        "measured": values,
    }
    path = SHIPPED / f"{NAME}.safetensors"
    kept = {key: header[key] for key in ("attributes", "size", "epoch", "framing")}
    save_checkpoint(path, model, **kept, record=record)
    text = CARD.format(
        name=NAME, count=model.count(), attributes=len(header["attributes"]),
        data=record["data"], passes=header["epoch"], seed=SEED, seconds=record["seconds"],
        thresholds=", ".join(f"{t:.4f}" for t in thresholds), recall=RECALL,
        rows="\n".join(row(name, values) for name in next(iter(values.values()))),
    )  # fmt: skip
    path.with_suffix(".md").write_text(text)
    print(json.dumps(values, indent=1))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Train, or ship what was trained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "ship"))
    parser.add_argument("--root", required=True, help="CelebA's folder")
    parser.add_argument("--run", type=Path, default=Path("runs") / NAME)
    parser.add_argument("--drawn", type=int, default=2500, help="training scenes")
    parser.add_argument("--photographs", type=int, default=4000, help="of training")
    parser.add_argument("--passes", type=int, default=7)
    parser.add_argument("--choose", type=int, default=150, help="scenes of each kind")
    parser.add_argument("--test", type=int, default=300, help="scenes of each kind")
    parser.add_argument("--precision", default="bf16-mixed")
    options = parser.parse_args()
    if options.what == "ship":
        ship(options)
        return
    began = time.perf_counter()
    train = windows(options.root, options.drawn, options.photographs)
    print(f"{time.perf_counter() - began:.0f} s to cut {len(train):,} windows", flush=True)
    train_windows(
        train, scheme="equal", epochs=options.passes, lr=3e-3, batch_size=64, seed=SEED,
        device="cpu", precision=options.precision, checkpoint=options.run, resume=True,
        progress=False, record={"data": train.source},
    )  # fmt: skip
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
