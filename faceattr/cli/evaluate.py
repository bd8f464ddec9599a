"""Report how well a checkpoint does, per attribute and on average."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from faceattr.checkpoint import load_checkpoint, write_atomically
from faceattr.cli.options import add_data, add_device, open_data, open_scenes, whole_number
from faceattr.data.faces import FaceDataset
from faceattr.data.window_samples import EXACT, FaceWindows
from faceattr.errors import DataError
from faceattr.evaluation import evaluate
from faceattr.models.mcfa import MCFA
from faceattr.recipes.mcfa import SceneRecipe
from faceattr.report import Report


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``evaluate CHECKPOINT``."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, a folder, or a name")
    parser.add_argument(
        "--against", metavar="CHECKPOINT", help="compare with it on the same faces (paired)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save what is printed as JSON")
    parser.add_argument(
        "--predictions",
        action="store_true",
        help="--out keeps every score and label as well, for later comparisons "
        "(do not publish those of CelebA)",
    )
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples behind the intervals"
    )
    parser.add_argument("--seed", type=whole_number, default=0, help="of the resamples")
    parser.add_argument(
        "--flip", action="store_true", help="average each face with its mirror image"
    )
    add_data(parser, split="test")
    add_device(parser)


def run(options: argparse.Namespace) -> None:
    """Load, evaluate, compare where asked, print."""
    if options.predictions and (options.out is None or options.against is not None):
        raise DataError(
            "--predictions belongs to --out FILE without --against: it keeps the scores of one "
            "checkpoint in that file"
        )
    data, report = _evaluate(options, options.checkpoint, None)
    if options.against is None:
        if options.out:
            report.save(options.out, predictions=options.predictions)
        print(json.dumps(report.to_dict()) if options.json else _table(report.frame()))
        return
    _, other = _evaluate(options, options.against, data)
    comparison = report.compare(other, bootstrap=options.bootstrap, seed=options.seed)
    if options.out:
        write_atomically(options.out, json.dumps(comparison.to_dict(), indent=1).encode())
    print(json.dumps(comparison.to_dict()) if options.json else _table(comparison.frame()))


def _table(frame) -> str:
    return frame.round(4).to_string()


def _evaluate(
    options: argparse.Namespace, checkpoint: str, data: FaceDataset | None
) -> tuple[FaceDataset, Report]:
    model, header = load_checkpoint(checkpoint)
    if data is None and isinstance(model, MCFA):
        scenes = open_scenes(options, SceneRecipe.side)
        data = FaceWindows(scenes, **EXACT, **{k: model.config[k] for k in ("size", "frame")})
    if data is None:
        view = "wild" if header.get("framing") == "wild" else "aligned"
        view = (header.get("record") or {}).get("view", view)
        data = open_data(options, size=header.get("size"), view=view)
    names = header["attributes"]
    if names is not None and tuple(names) != tuple(data.names):
        differs = next((n for n, m in zip(names, data.names, strict=False) if n != m), names[-1])
        raise DataError(
            f"{checkpoint} answers other attributes than {data.source} has, or in another order "
            f"(first {differs}): take data with its attributes, or another checkpoint"
        )
    report = evaluate(
        model,
        data,
        device=options.device,
        batch_size=256 if options.batch_size is None else options.batch_size,
        bootstrap=options.bootstrap,
        seed=options.seed,
        flip=options.flip,
        record={"training": header.get("record")},
    )
    return data, report
