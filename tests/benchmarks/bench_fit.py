"""fit against the same loop written by hand in plain torch.

Both train the same network from the same weights on the same batches, with the same augmentation,
optimiser and schedule, and must end at the same weights before any time counts. They take turns;
each side's time is its fastest epoch, whole (fit's with progress bar, checks and history row).

    python tests/benchmarks/bench_fit.py [--rounds 5] [--faces 512] [--size 64] [--device cpu]

Prints one JSON object and exits with 1 when fit takes more than 3% longer.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch

from faceattr.attributes import ATTRIBUTES
from faceattr.data.augment import FaceAugment
from faceattr.data.faces import FaceDataset, Faces
from faceattr.device import resolve
from faceattr.models.whole import WholeImage
from faceattr.objectives import attribute_loss
from faceattr.training import fit
from faceattr.training.resume import epoch_seed

TARGET = 1.03
EPOCHS, BATCH, RATE = 3, 64, 3e-3


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


def main() -> int:
    """Print the row; 1 when the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--faces", type=int, default=512)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = resolve(options.device)

    seeded = torch.Generator().manual_seed(0)
    shape = (options.faces, 3, options.size, options.size)
    pictures = torch.randint(0, 256, shape, generator=seeded, dtype=torch.uint8)
    labels = torch.rand(options.faces, len(ATTRIBUTES), generator=seeded).round()
    data, augment = FaceDataset(Faces(pictures, labels)), FaceAugment(flip=True, shift=4)

    times = {by_hand: [], by_fit: []}
    for turn in range(options.rounds + 1):
        ends = []
        for side in (by_hand, by_fit) if turn % 2 else (by_fit, by_hand):
            torch.manual_seed(0)
            model = WholeImage("snet3")
            seconds = side(model, data, augment, device)
            times[side] += seconds if turn else []  # the first turn warms up
            ends.append(model.state_dict())
        far = max(float((ends[0][n] - ends[1][n]).abs().max()) for n in ends[0])
        if far > 1e-4:
            sys.exit(f"the two loops end {far:.1e} apart: they do not do the same")
    ratio = min(times[by_fit]) / min(times[by_hand])
    row = {
        "name": "seconds of `fit`, over those of the same loop written by hand",
        "ratio": round(ratio, 4),
        "better": "lower",
        "target": TARGET,
        "fit_s": round(min(times[by_fit]), 4),
        "by_hand_s": round(min(times[by_hand]), 4),
        "work": f"an epoch of {options.faces} faces of {options.size} pixels, snet3, batch {BATCH}",
        "rounds": options.rounds,
        "device": str(device),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(row))
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
