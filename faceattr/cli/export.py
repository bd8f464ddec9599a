"""Export a checkpoint to ONNX, checked with onnxruntime."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceattr.checkpoint import input_of, load_checkpoint
from faceattr.export import TOLERANCE, export_onnx


def add(parser: argparse.ArgumentParser) -> None:
    """Declare ``export CHECKPOINT --onnx FILE``."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, a folder, or a name")
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="file to write")


def run(options: argparse.Namespace) -> None:
    """Load, export, check, say so."""
    model, metadata = load_checkpoint(options.checkpoint)
    size, names = input_of(options.checkpoint, metadata)
    gap = export_onnx(model, options.onnx, size=size, names=names)
    print(
        f"{options.onnx} written: {options.onnx.stat().st_size / 1e6:.2f} MB, "
        f"largest difference {gap:.1e} (limit {TOLERANCE:.0e})"
    )
