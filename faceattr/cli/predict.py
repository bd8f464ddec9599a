"""Predict the attributes of the faces in photos."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

from faceattr.attributes import pretty
from faceattr.checkpoint import write_atomically
from faceattr.cli.cascade import METHODS, find_and_show
from faceattr.cli.options import picture_format
from faceattr.errors import DataError, FaceattrError
from faceattr.prediction import FacePrediction, Predictor

#: Endings of weights: a file of another library is then named as what it is not.
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".onnx")
#: The checkpoint that is meant where none is named.
DEFAULT = "snet3-celeba"
#: Endings of a picture of heat maps.
MAPS = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``predict [CHECKPOINT] IMAGE...``."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="[CHECKPOINT] IMAGE",
        help=f"photos; a checkpoint (file, folder or name) before them, else {DEFAULT}",
    )
    parser.add_argument(
        "--method", choices=METHODS, help="mcfa: the network finds the faces itself, as a cascade"
    )
    parser.add_argument("--no-find", action="store_true", help="each photo already is a face crop")
    parser.add_argument(
        "--all", action="store_true", help="print the attributes that are absent too"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--heatmap", metavar="ATTRIBUTE", help="draw where it is seen")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="picture for --heatmap, or of the faces that --method mcfa found",
    )
    parser.add_argument(
        "--regions", action="store_true", help="say where each attribute is looked for"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")


def split_inputs(inputs: list[str]) -> tuple[str | None, list[str]]:
    """Tell the checkpoint, None where none is named, from the photos.

    The first word is a checkpoint when it is a folder, ends in one of :data:`WEIGHTS`, is a shipped
    name, or has no file ending and photos follow it.
    """
    from faceattr.checkpoint import shipped

    first, rest = inputs[0], inputs[1:]
    path = Path(first)
    named = path.is_dir() or path.suffix.lower() in WEIGHTS or first in shipped()
    if named or (rest and not path.suffix and not path.exists()):
        if not rest:
            raise DataError(f"{first} is a checkpoint and no photo follows it: add IMAGE...")
        return first, rest
    return None, inputs


def table(face: FacePrediction, *, every: bool) -> str:
    """The attributes of a face, most probable first."""
    box = ", ".join(f"{value:.0f}" for value in face.box.tolist())
    lines = [f"{face.file}: face at ({box}), score {face.score:.2f}"]
    for j in face.probabilities.argsort(descending=True).tolist():
        p = float(face.probabilities[j])
        if p >= 0.5 or every:
            line = f"  {pretty(face.names[j]):20} {p:6.1%}  {'#' * round(30 * p):30}"
            if face.regions is not None:
                region = ", ".join(f"{value:.0f}" for value in face.regions[j].tolist())
                line += f"  at ({region})"
            lines.append(line.rstrip())
    return "\n".join(lines)


def run(options: argparse.Namespace) -> int:
    """Score every photo; one that fails is named at the end and does not stop the others."""
    if options.method is not None:
        return find_and_show(options, *split_inputs(options.inputs))
    if bool(options.heatmap) != bool(options.out):
        raise DataError("--heatmap ATTRIBUTE and --out FILE go together: give both or neither")
    if options.out:
        picture_format(options.out, MAPS)  # a wrong ending fails before any work
    checkpoint, photos = split_inputs(options.inputs)
    predictor = Predictor.load(checkpoint or DEFAULT, device=options.device)
    column = _column(options.heatmap, predictor.names) if options.heatmap else None
    faces: list[FacePrediction] = []
    failures: list[FaceattrError] = []
    for photo in photos:
        try:
            found = predictor(photo, find=not options.no_find, regions=options.regions)
        except DataError as error:  # this photo only: the next may be fine
            failures.append(error)
            continue
        faces += found
        if not options.json:
            print("\n".join(table(face, every=options.all) for face in found))
    if options.json:
        print(json.dumps([face.to_dict() for face in faces]))
    if column is not None and faces:
        draw(predictor, faces, column, options.out)
        print(f"heat map of {options.heatmap} written to {options.out}", file=sys.stderr)
    for error in failures:
        print(f"faceattr: error: {error}", file=sys.stderr)
    return 1 if failures else 0


def _column(name: str, names: tuple[str, ...]) -> int:
    from faceattr.attributes import attribute
    from faceattr.errors import UnknownNameError

    found = attribute(name)
    if found not in names:
        raise UnknownNameError(f"this checkpoint does not know {found}: it has {', '.join(names)}")
    return names.index(found)


def draw(predictor: Predictor, faces: list[FacePrediction], column: int, path: Path) -> None:
    """Write the faces with the heat map of one attribute over each."""
    import torch

    from faceattr.plots import plot_heatmaps

    images = torch.stack([face.crop for face in faces])
    maps = torch.stack([predictor.heatmap(face, column) for face in faces])[:, None]
    figure = plot_heatmaps(images, maps, names=(predictor.names[column],))
    memory = io.BytesIO()
    figure.savefig(memory, dpi=150, format=picture_format(path, MAPS))
    write_atomically(path, memory.getvalue())
