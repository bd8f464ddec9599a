"""PaW's 41 subnets as one computation, against a Python loop over them.

The same weights, the same pictures, the same number of threads; outputs (and gradients) are
compared before anything is timed, and the sides take turns. The loop is the plain one: each subnet
is a network of its own in evaluation (or training) mode, channels-last as it always runs.

    python tests/benchmarks/bench_paw.py [--batch 16] [--crop 64] [--rounds 5] [--device cpu]

Prints one JSON object a line and exits with 1 when a ratio is below its target: forward 1.3 on a
CPU and 3 on a GPU, forward and backward together no slower.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch
from torch import Tensor

from faceattr.device import resolve
from faceattr.models.parallel import ParallelSubnets
from faceattr.models.whole import WholeImage

SUBNETS = 41
#: Largest difference of two scores that still counts as the same.
TOLERANCE = 1e-5


def clock(work, device: torch.device) -> float:
    """Seconds that ``work()`` takes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def bench(batch: int, crop: int, rounds: int, device: torch.device) -> list[dict]:
    """Both ratios."""
    torch.manual_seed(0)
    subnets = [WholeImage("snet3").to(device).train() for _ in range(SUBNETS)]
    with torch.no_grad():
        for subnet in subnets:  # so that batch norm has something to do
            subnet(torch.rand(8, 3, 32, 32, device=device))
    together = ParallelSubnets.of(subnets).to(device)
    pictures = torch.rand(batch, SUBNETS, 3, crop, crop, device=device)

    def loop() -> Tensor:
        return torch.stack([subnet(pictures[:, i]).logits for i, subnet in enumerate(subnets)], 1)

    def at_once() -> Tensor:
        return together(pictures)

    def learn(scores) -> None:
        for module in (together, *subnets):
            module.zero_grad(set_to_none=True)
        scores().square().mean().backward()

    rows = []
    for name, training, target in (
        ("forward", False, 1.3 if device.type == "cpu" else 3),
        ("forward and backward", True, 1),
    ):
        for module in (together, *subnets):
            module.train(training)
        # a GPU's TF32 has 10 bits: the sides would differ by its rounding, not by what they compute
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            difference = float((loop() - at_once()).abs().max())
        if difference > TOLERANCE:
            sys.exit(f"{name}: scores differ by {difference:.1e}")
        if training:
            sides = (lambda: learn(at_once), lambda: learn(loop))
        else:
            sides = (torch.no_grad()(at_once), torch.no_grad()(loop))
        for side in sides:
            side()  # warm up
        times = [[clock(side, device) for side in sides] for _ in range(rounds)]
        ours, theirs = (min(column) for column in zip(*times, strict=True))
        rows.append(
            {
                "name": f"PaW's {SUBNETS} subnets, {name}, speed against a loop over them",
                "work": f"crops of {crop} pixels, batch {batch}",
                "ours_s": round(ours, 4),
                "theirs_s": round(theirs, 4),
                "ratio": round(theirs / ours, 2),
                "target": target,
                "difference": difference,
                "device": str(device),
                "threads": torch.get_num_threads(),
            }
        )
    return rows


def main() -> int:
    """Print a row for each direction; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    met = True
    for row in bench(options.batch, options.crop, options.rounds, resolve(options.device)):
        print(json.dumps(row), flush=True)
        met = met and row["ratio"] >= row["target"]
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
