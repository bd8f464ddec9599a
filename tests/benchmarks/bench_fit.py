"""fit against the same loop written by hand in plain torch.

Both sides train on the same batches, with the same augmentation, optimiser and schedule. First they
train the same SNet3 and must end at the same weights. What fit adds to a step (progress, checks,
the history's row) does not depend on the network, and a busy machine changes the seconds of a
whole epoch by more than that; so it is measured where it shows: with a network that costs next to
nothing, turn by turn, as the median difference of a step. The ratio is ``1 + added / step``, with
the step of SNet3 by hand.

    python tests/benchmarks/bench_fit.py [--rounds 20] [--faces 1024] [--size 64] [--device cpu]

Prints one JSON object and exits with 1 when fit takes more than 3% longer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from faceattr.attributes import ATTRIBUTES
from faceattr.data.augment import FaceAugment
from faceattr.data.faces import FaceDataset, Faces
from faceattr.device import resolve
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.whole import WholeImage
from faceattr.objectives import attribute_loss
from faceattr.training import fit
from faceattr.training.resume import epoch_seed

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what exact() needs on a GPU
TARGET = 1.03
EPOCHS, BATCH, RATE = 3, 64, 3e-3


class Free(FaceModel):
    """A network that looks at one pixel: a step of it is all loop."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, len(ATTRIBUTES))

    def forward(self, images):
        """Scores from the upper left pixel."""
        return Outputs(logits=self.head(self.normalize(images)[..., 0, 0]))  # (B, M)


def by_hand(model, data, augment, device) -> list[float]:
    """The loop that one would write; seconds of each epoch."""
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    steps = EPOCHS * -(-len(data) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    seconds = []
    for epoch in range(1, EPOCHS + 1):
        began = time.perf_counter()
        model.train()
        losses = []
        for faces in data.batches(
            BATCH, shuffle=True, seed=epoch_seed(0, epoch), device=device, augment=augment
        ):
            loss = attribute_loss(model, faces)["attributes"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        torch.stack(losses).mean().item()
        seconds.append(time.perf_counter() - began)
    return seconds


def by_fit(model, data, augment, device) -> list[float]:
    """The same in one call; seconds of each epoch."""
    history = fit(
        model,
        data,
        attribute_loss,
        epochs=EPOCHS,
        batch_size=BATCH,
        lr=RATE,
        schedule="one-cycle",
        augment=augment,
        device=device,
    )
    return history["seconds"]


def step_of(side, make, data, augment, device) -> tuple[float, dict]:
    """Seconds of a step in the fastest epoch, and the weights that training ends at."""
    torch.manual_seed(0)
    model = make()
    seconds = side(model, data, augment, device)
    return min(seconds) / -(-len(data) // BATCH), model.state_dict()


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """On a GPU, kernels that add in one order; training in another order drifts apart."""
    torch.use_deterministic_algorithms(device.type == "cuda")
    try:
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(False)


def main() -> int:
    """Print the row; 1 when the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--faces", type=int, default=1024)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = resolve(options.device)

    seeded = torch.Generator().manual_seed(0)
    shape = (options.faces, 3, options.size, options.size)
    pictures = torch.randint(0, 256, shape, generator=seeded, dtype=torch.uint8)
    labels = torch.rand(options.faces, len(ATTRIBUTES), generator=seeded).round()
    data, augment = FaceDataset(Faces(pictures, labels)), FaceAugment(flip=True, shift=4)

    real = partial(step_of, make=partial(WholeImage, "snet3"), data=data, augment=augment)
    with exact(device):
        _, ends = real(by_hand, device=device)
        _, others = real(by_fit, device=device)
    far = max(float((ends[n] - others[n]).abs().max()) for n in ends)
    if far > 1e-4:
        sys.exit(f"the two loops end {far:.1e} apart: they do not do the same")

    step, _ = real(by_hand, device=device)
    added = []
    for turn in range(options.rounds + 1):
        took = {}
        for side in (by_hand, by_fit) if turn % 2 else (by_fit, by_hand):
            took[side], _ = step_of(side, Free, data, augment, device)
        added += [took[by_fit] - took[by_hand]] if turn else []  # the first turn warms up
    low, middle, high = statistics.quantiles(added, n=4)
    ratio = 1 + middle / step
    row = {
        "name": "seconds of `fit`, over those of the same loop written by hand",
        "ratio": round(ratio, 4),
        "better": "lower",
        "target": TARGET,
        "added_ms": round(middle * 1e3, 3),
        "added_quartiles_ms": [round(low * 1e3, 3), round(high * 1e3, 3)],
        "step_ms": round(step * 1e3, 2),
        "work": f"a step of {BATCH} faces of {options.size} pixels, snet3",
        "rounds": options.rounds,
        "device": str(device),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(row))
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
