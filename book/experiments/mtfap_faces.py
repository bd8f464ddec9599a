"""The faces of chapters 10 to 12, and what of them travels to another machine.

Each experiment decodes (or draws) its faces once, into one file under ``runs/``, from which every
process reads. CelebA's half-size aligned pictures and LFW's pairs are real people's: nothing of
them leaves ``runs/``, which is not published.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from faceattr.data.celeba import CelebA
from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.lfw import LFWPairs, Pairs
from faceattr.data.people import draw_pairs
from faceattr.data.synthetic import SynthFaces

#: Faces that labels may be asked of, faces to report on, and other faces that teach a trunk.
POOL, TEST, OTHER = 4000, 1000, 4000
#: Height and width in pixels.
SIZE = {"synth": (48, 48), "celeba": (56, 48)}
#: People and pictures of each for verification pairs of drawn faces; pairs of either kind a fold.
VERIFY_PEOPLE, VERIFY_FACES, EACH = 200, 8, 300


@dataclass(frozen=True)
class Experiment:
    """The faces of an experiment.

    Attributes:
        pool: whose labels are handed out. test: other people. other: others still, all labelled.
        people: to learn an embedding from. strangers: whose pairs are verified.
        pairs: rows of ``strangers``.
    """

    pool: FaceDataset
    test: FaceDataset
    other: FaceDataset
    people: FaceDataset
    strangers: FaceDataset
    pairs: Pairs


def draw(faces: int, test: int) -> Experiment:
    """Drawn faces; of the test people four pictures each, so that there are many people."""
    size = SIZE["synth"][0]
    how = {"size": size, "seed": 0}
    pool = SynthFaces(faces, split="train", **how)
    few = {"size": size, "faces_per_person": VERIFY_FACES, "split": "test"}
    strangers = SynthFaces(min(VERIFY_PEOPLE * VERIFY_FACES, 4 * test), seed=1, **few)
    return Experiment(
        pool,
        SynthFaces(test, split="test", faces_per_person=4, **how),
        SynthFaces(min(faces, OTHER), split="train", size=size, seed=1),
        pool,
        strangers,
        draw_pairs(strangers.faces.identity, min(EACH, test // 4), folds=10),
    )


def read(celeba: Path, lfw: Path, faces: int, test: int, cache: Path) -> Experiment:
    """CelebA's half-size aligned pictures, split by people, and LFW's pairs in the same frame."""
    how = {"size": SIZE["celeba"], "partition": "identity", "seed": 0, "cache": cache}
    train = CelebA(celeba, split="train", **how)
    strangers = LFWPairs(lfw, size=SIZE["celeba"], view="centre", cache=cache)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    faces = min(faces, len(train) // 2)
    return Experiment(
        train.subset(order[:faces], source=f"{train.source}: {faces} drawn"),
        CelebA(celeba, split="test", limit=test, **how),
        train.subset(order[faces:], source=f"{train.source}: the other {len(train) - faces}"),
        train,
        strangers,
        strangers.pairs,
    )


def keep(found: Experiment, path: Path) -> None:
    """Write the faces as one file that all processes read."""
    kept = {
        name: {
            "images": data.faces.images,
            "attributes": data.attributes,
            "identity": data.faces.identity,
            "names": list(data.names),
            "source": data.source,
        }
        for name, data in vars(found).items()
        if isinstance(data, FaceDataset)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({**kept, "pairs": vars(found.pairs)}, part)
    part.replace(path)


def kept(path: Path) -> Experiment:
    """The faces that :func:`keep` wrote, mapped into memory rather than read."""
    parts = torch.load(path, mmap=True, weights_only=True)
    pairs = Pairs(**parts.pop("pairs"))
    data = {}
    for name, part in parts.items():
        faces = Faces(part["images"], attributes=part["attributes"], identity=part["identity"])
        data[name] = FaceDataset(faces, names=part["names"], source=part["source"])
    return Experiment(**data, pairs=pairs)


def prepare(celeba: Path, lfw: Path, to: Path, *, side: int = 125, quality: int = 85) -> int:
    """Copy what the experiments read, small enough to travel; returns its bytes.

    CelebA's half-size pictures are copied as they are, the label files cut to their rows; LFW's
    pictures, of which a small centred face is taken, are halved.
    """
    target = to / "celeba"
    pictures = target / "img_align_celeba_half"
    pictures.mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for path in (celeba / "img_align_celeba_half").glob("*.jpg"))
    for name in names:
        shutil.copyfile(celeba / "img_align_celeba_half" / name, pictures / name)
    wanted = set(names)
    for file in ("identity_CelebA.txt", "list_eval_partition.txt", "list_attr_celeba.txt"):
        lines = (celeba / file).read_text().splitlines()
        head = [str(len(names)), lines[1]] if file == "list_attr_celeba.txt" else []
        rows = [line for line in lines if line.split() and line.split()[0] in wanted]
        (target / file).write_text("\n".join([*head, *rows]) + "\n")
    folder = next(path for path in lfw.iterdir() if path.is_dir())
    for picture in folder.rglob("*.jpg"):
        place = to / "lfw" / folder.name / picture.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.open(picture).resize((side, side), Image.LANCZOS).save(place, quality=quality)
    for pairs in lfw.glob("pairs*.txt"):
        shutil.copyfile(pairs, to / "lfw" / pairs.name)
    total = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    facts = {"pictures": len(names), "lfw_side": side, "bytes": total}
    (to / "prepared.json").write_text(json.dumps(facts))
    return total
