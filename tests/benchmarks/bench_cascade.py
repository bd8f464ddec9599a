"""MCFA's cascade beside MTCNN (facenet-pytorch) on the same scenes, in one run.

Drawn scenes of 640 x 480 pixels, some with several faces. Both search for faces from the same size
on; the cascade's box is the whole head and MTCNN's ends at the brow: 20 pixels for MTCNN are
28 for the cascade. The cascade's thresholds are chosen on other scenes for the recall that MTCNN
reaches on those (a face is found where the landmarks' nose lies in its box: the two kinds of boxes
cannot be compared). Each picture is searched by itself, the two taking turns; the fastest round of
each counts.

    python tests/benchmarks/bench_cascade.py CHECKPOINT [--scenes 24] [--rounds 3] [--device cpu]

CHECKPOINT is an MCFA that knows drawn scenes, by default the shipped one. Prints one JSON object a
line and exits with 1 when the cascade is slower than MTCNN.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch
from torch import Tensor

from faceattr.cascade import Cascade, choose_thresholds
from faceattr.data.mtcnn import find_faces
from faceattr.data.scenes import SynthScenes

PROMISED = 1.0
#: The same smallest face, as MTCNN's box and as a box round the head.
SMALLEST = {"mtcnn": 20, "cascade": 28}


def scenes(count: int, seed: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Pictures of 640 x 480 pixels, boxes and noses of the faces that lie in them whole."""
    drawn, pictures, boxes, noses = SynthScenes(count, size=640, seed=seed), [], [], []
    for k in range(count):
        scene = drawn[k]
        inside = scene.boxes[:, 3] <= 480
        pictures.append((scene.image * 255).round().to(torch.uint8)[:, :480].contiguous())
        boxes.append(scene.boxes[inside])
        noses.append(scene.landmarks[inside, 2])
    return pictures, boxes, noses


def recall(found: list[Tensor], noses: list[Tensor]) -> float:
    """Share of faces whose nose lies in a found box."""
    seen = faces = 0
    for boxes, points in zip(found, noses, strict=True):
        inside = (points[:, None] > boxes[:, :2]) & (points[:, None] < boxes[:, 2:])  # (T, K, 2)
        seen += int(inside.all(2).any(1).sum()) if len(boxes) else 0
        faces += len(points)
    return seen / faces


def main() -> int:
    """Measure both and print a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", default="mcfa-mixed")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    cascade = Cascade.load(options.checkpoint, device=options.device, min_face=SMALLEST["cascade"])
    mtcnn = {"device": options.device, "min_face": SMALLEST["mtcnn"]}
    pictures, boxes, noses = scenes(options.scenes, seed=11)
    wanted = recall([find_faces(p, **mtcnn).boxes for p in pictures], noses)
    choose_thresholds(cascade, pictures, boxes, recall=min(0.99, wanted))
    pictures, _, noses = scenes(options.scenes, seed=12)
    seconds: dict[str, list[float]] = {"mtcnn": [], "cascade": []}
    found: dict[str, list[Tensor]] = {}
    work = {"mtcnn": lambda p: find_faces(p, **mtcnn), "cascade": cascade}
    for _ in range(options.rounds + 1):  # the first warms up
        for name, search in work.items():
            began = time.perf_counter()
            found[name] = [search(picture).boxes for picture in pictures]
            seconds[name].append((time.perf_counter() - began) / len(pictures))
    best = {name: min(times[1:]) for name, times in seconds.items()}
    row = {
        "name": "MCFA's cascade against MTCNN, 640 x 480",
        "ratio": round(best["mtcnn"] / best["cascade"], 3),
        "target": PROMISED,
        "seconds": {name: round(value, 4) for name, value in best.items()},
        "recall": {name: round(recall(boxes, noses), 4) for name, boxes in found.items()},
    }
    print(json.dumps(row))
    return int(row["ratio"] < PROMISED)


if __name__ == "__main__":
    sys.exit(main())
