"""Report how well a checkpoint tells whether two pictures show one person."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from faceattr.checkpoint import load_checkpoint, write_atomically
from faceattr.cli.options import add_device, picture_size, whole_number
from faceattr.data.faces import FaceDataset
from faceattr.data.lfw import LFWPairs, Pairs
from faceattr.data.people import draw_pairs
from faceattr.data.synthetic import SynthFaces
from faceattr.errors import DataError
from faceattr.recipes.siamese import kept_columns
from faceattr.record import run_record
from faceattr.verification import attribute_scores, embed, fuse, pair_scores, verify

#: Which attributes the pairs are compared by.
COMPARED = ("kept", "all")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``verify CHECKPOINT``."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, a folder, or a name")
    parser.add_argument(
        "--attributes", metavar="CHECKPOINT", help="take the attributes from another network"
    )
    parser.add_argument(
        "--compare", choices=COMPARED, default="kept",
        help="attributes that a person keeps between pictures, or all of them",
    )  # fmt: skip
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data", choices=("synth", "lfw"), default="synth", help="drawn faces, or LFW's pairs"
    )
    group.add_argument(
        "--root",
        type=Path,
        default=os.environ.get("FACEATTR_LFW"),
        help="LFW's folder; without it, the environment variable FACEATTR_LFW",
    )
    group.add_argument("--pairs", type=Path, metavar="FILE", help="LFW's pairs file")
    group.add_argument("--cache", type=Path, metavar="DIR", help="where decoded pictures are kept")
    group.add_argument(
        "--size", type=picture_size, metavar="HxW", help="picture size (the checkpoint's)"
    )
    group.add_argument("--faces", type=int, default=1600, metavar="N", help="drawn faces, 8 each")
    group.add_argument("--folds", type=int, default=10, metavar="N", help="of drawn faces")
    group.add_argument(
        "--each", type=int, default=300, metavar="N", help="drawn pairs of either kind in a fold"
    )
    group.add_argument("--seed", type=whole_number, default=0, help="of the drawn faces")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save it as JSON, with the curves")
    add_device(parser)


def run(options: argparse.Namespace) -> None:
    """Load, embed, score the pairs by embedding, by attributes and by both, print."""
    if options.out is not None and options.out.is_dir():
        raise DataError(f"--out {options.out} is a folder: give the name of a file")
    if options.pairs is not None and options.data != "lfw":
        raise DataError(f"--pairs {options.pairs} is LFW's: give --data lfw, or leave it out")
    model, header = load_checkpoint(options.checkpoint)
    other = None
    if options.attributes is not None:
        other, theirs = load_checkpoint(options.attributes)
        if theirs.get("size") != header.get("size") and options.size is None:
            raise DataError(
                f"{options.checkpoint} was trained on pictures of {header.get('size')} pixels, "
                f"{options.attributes} on {theirs.get('size')}: choose one with --size HxW"
            )
        framings = [one.get("framing") or header.get("framing") for one in (header, theirs)]
        if framings[0] != framings[1]:
            raise DataError(
                f"{options.checkpoint} was trained on {framings[0]} faces, {options.attributes} on "
                f"{framings[1]} ones: take two that were trained on the same view"
            )
        header = {**header, "attributes": theirs["attributes"]}
    data, pairs = open_pairs(options, header)
    how = {
        "device": options.device,
        "batch_size": 256 if options.batch_size is None else options.batch_size,
    }
    places, chances = embed(model, data, **how)
    if other is not None:
        _, chances = embed(other, data, **how)
    columns = None
    if options.compare == "kept":
        columns = kept_columns(header["attributes"] or data.names)
        if not columns:
            raise DataError(
                f"{options.checkpoint} knows no attribute that a person keeps: --compare all takes "
                "those that it knows"
            )
    scores = {"attributes": attribute_scores(chances, pairs, columns)}
    if places is not None:
        scores = {"embedding": pair_scores(places, pairs), **scores}
        scores["both"], _ = fuse(scores["embedding"], scores["attributes"], pairs)
    found = {name: verify(score, pairs) for name, score in scores.items()}
    record = run_record(data=data.source, seed=options.seed)
    if options.out:
        rows = {name: one.to_dict(curve=100) for name, one in found.items()}
        content = json.dumps({"record": record, "scores": rows}, indent=1).encode()
        write_atomically(options.out, content)
    if options.json:
        rows = {name: one.to_dict() for name, one in found.items()}
        print(json.dumps({"record": record, "scores": rows}))
        return
    same, two = next(iter(found.values())).pairs
    print(f"{data.source}: {same} pairs of one person, {two} of two")
    for name, one in found.items():
        tar = ", ".join(f"TAR {value:.4f} at FAR {far:g}" for far, value in one.tar.items())
        print(f"{name}: accuracy {one.accuracy:.4f} +- {one.error:.4f}, AUC {one.auc:.4f}, {tar}")


def open_pairs(options: argparse.Namespace, header: dict) -> tuple[FaceDataset, Pairs]:
    """The faces and pairs that the options choose, as the checkpoint's were framed.

    Raises:
        DataError: LFW is asked for and no folder is named, or it cannot be read.
    """
    size = options.size or tuple(header.get("size") or (64, 64))
    if options.data == "lfw":
        if options.root is None:
            raise DataError(
                "--data lfw needs --root DIR, the folder that LFW was unpacked into (or set the "
                "environment variable FACEATTR_LFW)"
            )
        view = "wild" if header.get("framing") == "wild" else "centre"
        data = LFWPairs(
            options.root, size=size, pairs=options.pairs, view=view, cache=options.cache
        )
        return data, data.pairs
    if size[0] != size[1]:
        raise DataError(
            f"drawn faces are square and the size is {size[0]}x{size[1]}: give --size N, or choose "
            "--data lfw"
        )
    view = (header.get("record") or {}).get("view", "aligned")
    data = SynthFaces(
        options.faces, size=size[0], split="test", view=view, faces_per_person=8, seed=options.seed
    )
    pairs = draw_pairs(data.faces.identity, options.each, folds=options.folds, seed=options.seed)
    return data, pairs
