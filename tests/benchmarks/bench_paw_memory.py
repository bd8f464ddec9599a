"""Memory that paper-size PaW takes: forty-one subnets of SNet3, a VGG-16 localizer, 224 pixels.

One step of training as in step 5 of the recipe (all but the localizer learns; SGD with momentum),
then one batch of answers. On a CPU the figure is the largest resident memory of this process, with
PyTorch itself in it, so each is measured in a process of its own; on a GPU it is the largest that
the allocator held.

    python tests/benchmarks/bench_paw_memory.py [--batch 16] [--device cpu] [--precision 32]

Prints one JSON object a line. Nothing is promised: the figures are stated.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource

import torch

from faceattr.attributes import ATTRIBUTES
from faceattr.data.faces import Faces
from faceattr.device import resolve
from faceattr.models import PaW
from faceattr.objectives import attribute_loss
from faceattr.recipes.paw import FROZEN

SIDE = 224


def gigabytes(training: bool, batch: int, device: str, precision: str) -> float:
    """Peak of one step of training, or of one batch of answers."""
    torch.manual_seed(0)
    model = PaW().to(device)
    images = torch.rand(batch, 3, SIDE, SIDE, device=device)
    labels = torch.randint(2, (batch, len(ATTRIBUTES)), device=device).float()
    half = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")
    if training:
        model.freeze(*FROZEN["together"])
        model.train()
        learning = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.SGD(learning, lr=1e-3, momentum=0.9)
        with half:
            loss = sum(attribute_loss(model, Faces(images=images, attributes=labels)).values())
        loss.backward()
        optimizer.step()
    else:
        with torch.inference_mode(), half:
            model.eval()(images)
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Print a row for training and one for answering."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    options = parser.parse_args()
    device = str(resolve(options.device))
    context = multiprocessing.get_context("spawn")
    for what, training in (("a step of training", True), ("answers", False)):
        with context.Pool(1) as alone:
            peak = alone.apply(gigabytes, (training, options.batch, device, options.precision))
        row = {
            "name": f"paper-size PaW at batch {options.batch}, memory of {what}",
            "work": f"{SIDE} pixels, precision {options.precision}",
            "value": round(peak, 2),
            "unit": "GB",
            "target": "stated",
            "device": device,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
