"""Report how well a checkpoint does, per attribute and on average."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from faceattr.checkpoint import load_checkpoint
from faceattr.cli.options import add_data, add_device, open_data
from faceattr.evaluation import evaluate


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``evaluate CHECKPOINT``."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, a folder, or a name")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the report as JSON")
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples behind the intervals"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resamples")
    add_data(parser, split="test")
    add_device(parser)


def run(options: argparse.Namespace) -> None:
    """Load, evaluate, print."""
    model, metadata = load_checkpoint(options.checkpoint)
    view = "wild" if metadata.get("framing") == "wild" else "aligned"
    data = open_data(options, size=metadata.get("size"), view=view)
    report = evaluate(
        model,
        data,
        device=options.device,
        batch_size=options.batch_size or 256,
        bootstrap=options.bootstrap,
        seed=options.seed,
        record={"training": metadata.get("record")},
    )
    if options.out:
        report.save(options.out)
    print(json.dumps(report.to_dict()) if options.json else report.frame().round(4).to_string())
