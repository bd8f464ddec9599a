"""An epoch of CelebA after the first, against torchvision's CelebA behind a DataLoader.

Both read the same folder of full-size JPEGs in the official layout, give float batches of the same
centre crop (checked to be equal), shuffle, and do nothing else with them. torchvision decodes the
JPEGs every epoch, in two worker processes; ours reads, in one thread of one process, the cache that
its first opening made (that cost is printed too). The sides take turns for several epochs, and the
fastest of each counts. The ratio of processor time, workers included, is printed beside: half of it
is what a machine with two idle cores can be expected to show, whatever else runs on this one.

    python tests/benchmarks/bench_input.py                  # drawn pictures in a temporary folder
    python tests/benchmarks/bench_input.py --root CELEBA    # the real ones (full size, all labels)

Prints one JSON object; exits with 1 below the target.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image, ImageDraw
from torch.utils.data import DataLoader, Subset
from torchvision import transforms

from faceattr.attributes import ATTRIBUTES
from faceattr.data.celeba import CelebA

TARGET = 5.0
SIZE = (192, 160)  # CelebA's central field at full size: no side has to resample
BATCH = 64


class TorchvisionCelebA(torchvision.datasets.CelebA):
    """torchvision's CelebA without the check that the label files are the originals."""

    def _check_integrity(self) -> bool:
        return True


def draw_tree(root: Path, count: int) -> None:
    """Write ``count`` drawn JPEGs of 178 x 218 and the label files that torchvision wants.

    The pictures are as long as CelebA's, 7 kB on average, and so about as hard to decode.
    """
    rng = np.random.default_rng(0)
    folder = root / "celeba/img_align_celeba"
    folder.mkdir(parents=True)
    files = [f"{row + 1:06d}.jpg" for row in range(count)]
    for file in files:
        blocks = Image.fromarray(rng.integers(0, 256, (14, 12, 3), dtype=np.uint8))
        picture = blocks.resize((178, 218), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(picture)
        pen.ellipse((35, 40, 143, 190), fill=tuple(rng.integers(90, 230, 3).tolist()))
        for x in (68, 110):
            pen.ellipse((x - 9, 104, x + 9, 116), fill="white", outline="black")
        for _ in range(60):  # hair
            x = int(rng.integers(30, 150))
            pen.line((x, 20, x + int(rng.integers(-20, 20)), 80), fill="black", width=1)
        picture.save(folder / file, quality=65)
    attributes = rng.choice([-1, 1], (count, len(ATTRIBUTES)))
    tables = {
        "list_attr_celeba": (" ".join(ATTRIBUTES), attributes),
        "identity_CelebA": (None, rng.integers(1, 99, (count, 1))),
        "list_eval_partition": (None, np.zeros((count, 1), int)),
        "list_bbox_celeba": ("image_id x_1 y_1 width height", np.full((count, 4), 50)),
        "list_landmarks_align_celeba": (
            " ".join(f"p{n}" for n in range(10)),
            np.full((count, 10), 90),
        ),
    }
    for stem, (head, values) in tables.items():
        lines = [] if head is None else [str(count), head]
        lines += [" ".join([f, *map(str, v)]) for f, v in zip(files, values.tolist(), strict=True)]
        (root / "celeba" / f"{stem}.txt").write_text("\n".join(lines) + "\n")


def epoch(batches: Iterable) -> tuple[float, float]:
    """Seconds, and seconds of processor time of this process and its workers, for one epoch."""
    wall, before = time.perf_counter(), os.times()
    for images, attributes in batches:
        assert images.is_floating_point()
        assert len(attributes) == len(images)
    wall, after = time.perf_counter() - wall, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def epoch_of_torchvision(data: Subset) -> tuple[float, float]:
    """One shuffled epoch through two worker processes."""
    return epoch(DataLoader(data, BATCH, shuffle=True, num_workers=2))


def epoch_of_ours(data: CelebA, seed: int) -> tuple[float, float]:
    """One shuffled epoch through ``batches``."""
    faces = data.batches(BATCH, shuffle=True, seed=seed)
    return epoch((part.images, part.attributes) for part in faces)


def measure(root: Path, cache: Path, limit: int | None, rounds: int) -> dict:
    """Time both sides in turn on the training split under ``root/celeba``."""
    transform = transforms.Compose([transforms.CenterCrop(SIZE), transforms.ToTensor()])
    theirs = TorchvisionCelebA(str(root), split="train", transform=transform)
    start = time.perf_counter()
    ours = CelebA(root, split="train", size=SIZE, cache=cache, limit=limit)
    first = time.perf_counter() - start
    theirs = Subset(theirs, range(len(ours)))
    for row in (0, len(ours) // 2, len(ours) - 1):  # the same work is compared
        assert torch.equal(ours[row].images, theirs[row][0]), f"row {row} differs"
    epoch_of_ours(ours, 0)  # the cache is warm, as are the JPEGs that were just decoded
    times = [epoch_of_torchvision(theirs) + epoch_of_ours(ours, n) for n in range(rounds)]
    slow, slow_cpu, fast, fast_cpu = map(min, zip(*times, strict=True))
    return {
        "name": "a CelebA epoch after the first, speed against torchvision's DataLoader",
        "ratio": round(slow / fast, 2),
        "target": TARGET,
        "processor_time_ratio": round(slow_cpu / fast_cpu, 2),
        "images": len(ours),
        "torchvision_images_per_s": round(len(ours) / slow),
        "faceattr_images_per_s": round(len(ours) / fast),
        "first_open_s": round(first, 2),
        "threads": torch.get_num_threads(),
    }


def main() -> int:
    """Run, print the row, and say by the exit code whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--root", type=Path, help="folder that holds celeba/, as torchvision has it"
    )
    parser.add_argument("--limit", type=int, help="use the first N training faces")
    parser.add_argument("--count", type=int, default=3_000, help="how many pictures to draw")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each side")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", ".*have no picture")
    torch.set_num_threads(1)  # as each of torchvision's two workers has
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or Path(folder, "data")
        if options.root is None:
            draw_tree(root, options.count)
        row = measure(root, Path(folder, "cache"), options.limit, options.rounds)
    print(json.dumps(row))
    return 0 if row["ratio"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
