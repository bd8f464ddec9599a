"""Show, sample or cache a data set."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import torch

from faceattr.attributes import pretty
from faceattr.checkpoint import write_atomically
from faceattr.cli.options import add_data, open_data, picture_format, whole_number
from faceattr.data.faces import FaceDataset
from faceattr.errors import DataError

#: Endings of a sheet of faces.
SHEETS = (".png", ".jpg", ".jpeg", ".webp")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``data info|sample|cache``."""
    parser.add_argument("what", choices=("info", "sample", "cache"), help="what to do")
    add_data(parser, split="all")
    parser.add_argument("--json", action="store_true", help="info: print one JSON object")
    parser.add_argument("--count", type=int, default=16, help="sample: how many faces")
    parser.add_argument("--seed", type=whole_number, default=0, help="sample: which faces")
    parser.add_argument(
        "--out", type=Path, default=Path("faces.png"), help="sample: the picture to write"
    )


def describe(data: FaceDataset) -> dict:
    """Numbers of a data set: faces, picture size, people, prevalence of each attribute."""
    people = data.faces.identity
    known = people[people >= 0] if people is not None else torch.empty(0)
    labels = data.attributes
    seen = labels >= 0  # (N, M)
    prevalence = ((labels == 1).sum(0) / seen.sum(0).clamp(min=1)).tolist()
    return {
        "source": data.source,
        "faces": len(data),
        "height": data.size[0],
        "width": data.size[1],
        "people": int(known.unique().numel()),
        "prevalence": dict(zip(data.names, (round(p, 4) for p in prevalence), strict=True)),
    }


def run(options: argparse.Namespace) -> None:
    """Open the data (which caches it) and report, or draw a sheet of faces."""
    if options.what == "sample":  # what cannot be written fails before any data is read
        picture_format(options.out, SHEETS)
        if options.count < 1:
            raise DataError(f"--count {options.count}: show at least one face")
    data = open_data(options)
    facts = describe(data)
    if hasattr(data, "info"):
        facts |= data.info()
    if options.what == "sample":
        sample(data, options.count, options.seed, options.out)
        print(f"{min(options.count, len(data))} faces of {data.source} written to {options.out}")
    elif options.json:
        print(json.dumps(facts, default=str))
    elif options.what == "cache":
        print(f"{facts['faces']} faces of {data.source} are decoded and cached")
    else:
        for name, value in facts.items():
            if name != "prevalence":
                print(f"{name:12} {value}")
        print("\nprevalence")
        for name, value in facts["prevalence"].items():
            print(f"  {pretty(name):20} {value:6.1%}  {'#' * round(40 * value)}")


def sample(data: FaceDataset, count: int, seed: int, path: Path) -> None:
    """Write a contact sheet of ``count`` faces drawn at random."""
    from torchvision.transforms.v2.functional import to_pil_image
    from torchvision.utils import make_grid

    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:count]
    images = data.gather(rows).images
    sheet = make_grid(images, nrow=max(1, round(len(images) ** 0.5)), padding=2, pad_value=1.0)
    memory = io.BytesIO()
    to_pil_image(sheet).save(memory, picture_format(path, SHEETS))
    write_atomically(path, memory.getvalue())
