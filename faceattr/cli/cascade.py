"""``predict --method mcfa``: a network that finds the faces of a photo itself."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

from faceattr.attributes import pretty
from faceattr.cascade import Cascade, FoundFaces, draw_faces
from faceattr.checkpoint import shipped, write_atomically
from faceattr.cli.options import picture_format
from faceattr.data.convert import read_image
from faceattr.errors import DataError, FaceattrError

#: Methods that need no other detector.
METHODS = ("mcfa",)
#: The checkpoint that is meant where none is named.
DEFAULT = "mcfa-mixed"
#: Endings of the picture that is drawn.
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
#: What makes no sense here: each is about faces that another detector cuts out.
_OTHERS = ("heatmap", "regions", "no_find")


def find_and_show(options: argparse.Namespace, checkpoint: str | None, photos: list[str]) -> int:
    """Find the faces of every photo and print, and draw them where asked.

    A photo that fails is named at the end and does not stop the others.

    Args:
        options: parsed options of ``predict``.
        checkpoint: of an MCFA that detects; None for the shipped one. photos: files.

    Raises:
        DataError: options that do not go together, several photos for one picture, no checkpoint.
    """
    for name in _OTHERS:
        if getattr(options, name):
            raise DataError(
                f"--{name.replace('_', '-')} does not go with --method mcfa: leave it out"
            )
    if options.out is not None:
        picture_format(options.out, PICTURES)  # a wrong ending fails before any work
        if len(photos) > 1:
            raise DataError(f"--out {options.out} is one picture: give one photo, or leave it out")
    cascade = Cascade.load(_named(checkpoint), device=options.device)
    rows, failures = [], []
    for photo in photos:
        try:
            picture = read_image(photo)
            found = cascade(picture)
        except FaceattrError as error:  # this photo only: the next may be fine
            failures.append(error)
            continue
        rows.append({"file": photo, **found.to_dict()})
        if not options.json:
            print(told(photo, found, every=options.all))
        if options.out is not None:
            memory = io.BytesIO()
            draw_faces(picture, found).save(memory, picture_format(options.out, PICTURES))
            write_atomically(Path(options.out), memory.getvalue())
            print(f"{len(found)} faces drawn on {options.out}", file=sys.stderr)
    if options.json:
        print(json.dumps(rows))
    for error in failures:
        print(f"faceattr: error: {error}", file=sys.stderr)
    return 1 if failures else 0


def _named(checkpoint: str | None) -> str:
    """The checkpoint that was named, or the shipped one of this method.

    Raises:
        DataError: none was named and none is shipped.
    """
    if checkpoint is not None:
        return checkpoint
    if DEFAULT not in shipped():
        raise DataError(
            "--method mcfa needs a checkpoint before the photos: train one with faceattr train mcfa"
        )
    return DEFAULT


def told(photo: str, found: FoundFaces, *, every: bool) -> str:
    """The faces of a photo in words, the surest first."""
    lines = [f"{photo}: {len(found)} face{'' if len(found) == 1 else 's'}"]
    for k in range(len(found)):
        box = ", ".join(f"{value:.0f}" for value in found.boxes[k].tolist())
        lines.append(f" face at ({box}), score {found.scores[k].item():.2f}")
        if found.landmarks is not None:
            points = "; ".join(f"{x:.0f}, {y:.0f}" for x, y in found.landmarks[k].tolist())
            lines.append(f"  eyes, nose, mouth at ({points})")
        for j in found.probabilities[k].argsort(descending=True).tolist():
            p = found.probabilities[k, j].item()
            if p >= 0.5 or every:
                lines.append(f"  {pretty(found.names[j]):20} {p:6.1%}  {'#' * round(30 * p)}")
    return "\n".join(lines)
