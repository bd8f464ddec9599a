"""All heat maps of a batch in one expression, against captum and pytorch-grad-cam per attribute.

Both libraries explain one target a call, so M attributes cost M passes; they are called here as
their manuals say. The same network, the same images, the same number of threads; the fastest of
several rounds that take turns. Maps are compared before anything is timed. Against captum only
the maps are timed; pytorch-grad-cam also enlarges and normalises, so ours do too.

    python tests/benchmarks/bench_cam.py [--batch 16] [--rounds 3] [--device cpu]

Prints one JSON object a line and exits with 1 when a ratio is below the promised 20.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from faceattr.device import resolve
from faceattr.localization import heatmaps, normalize_maps, upsample
from faceattr.models.whole import WholeImage

PROMISED = 20


class Logits(nn.Module):
    """The libraries want a tensor, not Outputs."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images).logits


def clock(work, device: torch.device) -> float:
    """Seconds that ``work()`` takes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def bench(trunk: str, size: int, batch: int, rounds: int, device: torch.device) -> list[dict]:
    """Both ratios on one network."""
    torch.manual_seed(0)
    model = WholeImage(trunk).eval().to(device)
    images = torch.rand(batch, 3, size, size, device=device)
    logits, layer = Logits(model), model.trunk
    count = model(images).logits.shape[1]

    def ours():
        return heatmaps(model, images)

    def ours_enlarged():
        return normalize_maps(upsample(heatmaps(model, images), (size, size)), "relu")

    captum = LayerGradCam(logits, layer)

    def captums():
        return [captum.attribute(images, target=j) for j in range(count)]

    def gradcams():
        with GradCAM(model=logits, target_layers=[layer]) as cam:
            return [cam(images, targets=[ClassifierOutputTarget(j)] * batch) for j in range(count)]

    maps, theirs = ours(), torch.cat(captums(), dim=1).detach()  # (B, M, h, w)
    cells = maps.shape[-2] * maps.shape[-1]  # Grad-CAM weighs by the mean gradient, w / cells
    difference = float((maps - theirs * cells).abs().max() / maps.abs().max())
    if difference > 1e-4:
        sys.exit(f"{trunk}: maps differ from captum's by {difference:.1e} of their range")

    rows = []
    for name, mine, other in (
        ("captum LayerGradCam", ours, captums),
        ("pytorch-grad-cam", ours_enlarged, gradcams),
    ):
        for work in (mine, other):
            work()  # warm up
        times = [(clock(mine, device), clock(other, device)) for _ in range(rounds)]
        fast, slow = (min(column) for column in zip(*times, strict=True))
        rows.append(
            {
                "name": f"{count} heat maps of {trunk}, speed against {name}",
                "work": f"{size} pixels, batch {batch}",
                "ours_s": round(fast, 4),
                "theirs_s": round(slow, 3),
                "ratio": round(slow / fast, 1),
                "target": PROMISED,
                "difference": difference,
                "device": str(device),
                "threads": torch.get_num_threads(),
            }
        )
    return rows


def main() -> int:
    """Print a row for each network and library; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = resolve(options.device)
    met = True
    for trunk, size in (("snet3", 96), ("resnet18", 96)):
        for row in bench(trunk, size, options.batch, options.rounds, device):
            print(json.dumps(row), flush=True)
            met = met and row["ratio"] >= PROMISED
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
