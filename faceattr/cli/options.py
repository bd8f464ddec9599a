"""Options that several verbs share: which data, which device."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from faceattr.data.faces import FaceDataset
from faceattr.errors import DataError

DATA = ("synth", "celeba")
VIEWS = ("aligned", "unaligned", "wild")
SPLITS = ("train", "valid", "test", "all")
PARTITIONS = ("official", "identity")
#: Height and width in pixels where the user names none.
DEFAULT_SIZE = {
    ("synth", "aligned"): (64, 64),
    ("synth", "unaligned"): (80, 80),
    ("synth", "wild"): (64, 64),
    ("celeba", "aligned"): (96, 80),
    ("celeba", "wild"): (96, 96),
}
#: Faces that SynthFaces draws where the user names no number.
DEFAULT_FACES = {"train": 6_000, "valid": 1_000, "test": 2_000, "all": 9_000}


def picture_size(text: str) -> tuple[int, int]:
    """Read ``96x80`` (height x width) or ``64`` (square)."""
    parts = text.lower().split("x")
    try:
        height, width = int(parts[0]), int(parts[-1])
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size: write HEIGHTxWIDTH, such as 96x80"
        ) from None
    if len(parts) > 2 or min(height, width) < 16:
        raise argparse.ArgumentTypeError(f"{text!r}: height and width must be 16 pixels or more")
    return height, width


def whole_number(text: str) -> int:
    """Read a seed: a whole number from 0 to 2**63 - 1."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: give a whole number of at least 0")
    return number


def settings(text: str) -> dict[str, float]:
    """Read ``alpha=0.5,sparsity=0.02``."""
    found = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not (equals and name.strip()):
            raise argparse.ArgumentTypeError(f"{part!r} is no setting: write NAME=NUMBER")
    return found


def picture_format(path: Path, endings: tuple[str, ...]) -> str:
    """The format that a file's ending asks for, such as ``png``.

    Raises:
        DataError: another ending, or none.
    """
    ending = path.suffix.lower()
    if ending not in endings:
        raise DataError(f"--out {path}: end the name of the picture in {', '.join(endings)}")
    return "jpeg" if ending == ".jpg" else ending[1:]


def add_data(parser: argparse.ArgumentParser, *, split: str) -> None:
    """Declare the options that choose a data set."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", choices=DATA, default="synth", help="drawn faces, or CelebA")
    group.add_argument(
        "--root",
        type=Path,
        default=os.environ.get("FACEATTR_CELEBA"),
        help="CelebA's folder; without it, the environment variable FACEATTR_CELEBA",
    )
    group.add_argument(
        "--view",
        choices=VIEWS,
        help="aligned, unaligned (drawn faces as a detector cuts them out), or in the wild",
    )
    group.add_argument("--split", choices=SPLITS, default=split, help="part of the data")
    group.add_argument(
        "--partition", choices=PARTITIONS, default="official", help="who belongs to which split"
    )
    group.add_argument(
        "--partition-seed",
        type=whole_number,
        default=0,
        metavar="N",
        help="of the identity partition",
    )
    group.add_argument(
        "--size", type=picture_size, metavar="HxW", help="picture height and width in pixels"
    )
    group.add_argument("--faces", type=int, metavar="N", help="number of drawn faces")
    group.add_argument("--limit", type=int, metavar="N", help="use the first N faces only")
    group.add_argument("--cache", type=Path, metavar="DIR", help="where decoded pictures are kept")


def open_data(
    options: argparse.Namespace,
    *,
    split: str | None = None,
    size: tuple[int, int] | None = None,
    view: str | None = None,
) -> FaceDataset:
    """Open the data set that the options choose.

    Args:
        options: parsed options of :func:`add_data`.
        split: instead of ``--split``.
        size: picture size where ``--size`` is absent, such as a checkpoint's.
        view: view where ``--view`` is absent, such as a checkpoint's.

    Raises:
        DataError: CelebA is asked for and no folder is named, or it cannot be read.
    """
    split = split or options.split
    view = options.view or view or "aligned"
    if (options.data, view) not in DEFAULT_SIZE:
        if options.view is not None:
            raise DataError(f"--view {view} is for drawn faces: photographs are aligned or wild")
        view = "wild"  # the photographs that are framed like the unaligned drawn faces
    size = options.size or size or DEFAULT_SIZE[options.data, view]
    if options.faces is not None and options.data != "synth":
        raise DataError(f"--faces {options.faces} is for drawn faces: use --limit N instead")
    if options.data == "synth":
        from faceattr.data.synthetic import SynthFaces

        if size[0] != size[1]:
            raise DataError(
                f"drawn faces are square and the size is {size[0]}x{size[1]}: "
                "give --size N, or choose --data celeba"
            )
        faces = options.faces if options.faces is not None else DEFAULT_FACES[split]
        faces = min(faces, options.limit) if options.limit is not None else faces
        return SynthFaces(faces, size=size[0], split=split, view=view, seed=options.partition_seed)
    if options.root is None:
        raise DataError(
            "--data celeba needs --root DIR, the folder of list_attr_celeba.txt and the images "
            "(or set the environment variable FACEATTR_CELEBA)"
        )
    from faceattr.data.celeba import CelebA

    return CelebA(
        options.root,
        view=view,
        split=split,
        partition=options.partition,
        size=size,
        seed=options.partition_seed,
        cache=options.cache,
        limit=options.limit,
    )


def open_scenes(options: argparse.Namespace, side: int, *, split: str | None = None) -> FaceDataset:
    """Open whole pictures that the options choose, for methods that look for faces themselves.

    Args:
        options: parsed options of :func:`add_data`.
        side: of the pictures in pixels where ``--size`` is absent.
        split: instead of ``--split``.

    Raises:
        DataError: a view that is cut already, a size that is not square, or as :func:`open_data`.
    """
    if options.view not in (None, "wild"):
        raise DataError(
            f"--view {options.view} shows faces that are cut out already, and this method learns "
            "from whole pictures: leave it out, or give --view wild"
        )
    size = options.size or (side, side)
    if options.data == "synth":
        return open_data(options, split=split, size=size, view="wild")
    if size[0] != size[1]:
        raise DataError(f"--size {size[0]}x{size[1]}: whole photographs lie in a square, give N")
    if options.faces is not None:
        raise DataError(f"--faces {options.faces} is for drawn faces: use --limit N instead")
    if options.root is None:
        raise DataError(
            "--data celeba needs --root DIR, the folder of list_attr_celeba.txt and the images "
            "(or set the environment variable FACEATTR_CELEBA)"
        )
    from faceattr.data.photographs import Photographs

    return Photographs(
        options.root,
        split=split or options.split,
        partition=options.partition,
        size=size[0],
        seed=options.partition_seed,
        cache=options.cache,
        limit=options.limit,
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Declare where the work runs."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--batch-size", type=int, default=None, metavar="N", help="faces at once")
