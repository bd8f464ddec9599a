"""What all seeds of MCFA's experiment share: windows to learn from, faces and scenes to test on.

Made once and kept under ``runs/``: drawing, decoding and cutting take longer than reading.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.photographs import Photographs
from faceattr.data.scenes import SynthScenes
from faceattr.data.synthetic import SynthFaces
from faceattr.data.window_samples import EXACT, FaceWindows
from faceattr.files import write_atomically
from faceattr.recipes.mcfa import scenes_with_boxes

#: Drawn training scenes, test faces, scenes to choose thresholds on, scenes to measure on.
TRAIN, TEST, CHOOSE, SCENES = 1000, 1000, 100, 200
#: Sides of scenes and of windows in pixels.
SIDE, SIZE = 256, 112
#: The windows of :class:`Material`.
WINDOWS = ("train", "far", "test")


@dataclass
class Material:
    """What the networks of all seeds share.

    Attributes:
        train: windows to train on. far: the same without near misses. test: exact windows of other
            people's faces.
        choose, scenes: pictures and boxes to choose the cascade's thresholds and to measure it on;
            each a list of ``(picture, boxes, landmarks, attributes)``, landmarks and attributes of
            NaN and -1 where they are not known.
    """

    train: FaceDataset
    far: FaceDataset
    test: FaceDataset
    choose: list[tuple[Tensor, ...]]
    scenes: list[tuple[Tensor, ...]]


def make(name: str, root: str | None, train: int, test: int, choose: int, scenes: int) -> Material:
    """Draw or read scenes and cut their windows."""
    if name == "synth":
        how = {"size": SIDE, "view": "wild", "seed": 0}
        learn, others = (
            SynthFaces(train, split="train", **how),
            SynthFaces(test, split="test", **how),
        )
        whole = [
            drawn_scenes(SynthScenes(count, size=SIDE, faces=(0, 4), seed=seed))
            for count, seed in ((choose, 1), (scenes, 2))
        ]
    else:
        how = {"partition": "identity", "size": SIDE, "seed": 0}
        learn = Photographs(root, split="train", limit=train, **how)
        others = Photographs(root, split="test", limit=test, **how)
        valid = Photographs(root, split="valid", limit=choose, **how)
        whole = [photographed(valid, choose), photographed(others, scenes)]
    return Material(
        FaceWindows(learn, size=SIZE, per_face=2, seed=0),
        FaceWindows(learn, size=SIZE, per_face=2, seed=0, near=0.0),
        FaceWindows(others, size=SIZE, **EXACT),
        *whole,
    )


def drawn_scenes(scenes: SynthScenes) -> list[tuple[Tensor, ...]]:
    """``(picture, boxes, landmarks, attributes)`` of each scene."""
    drawn = (scenes[k] for k in range(len(scenes)))
    return [
        ((s.image * 255).round().to(torch.uint8), s.boxes, s.landmarks, s.attributes) for s in drawn
    ]


def photographed(data: Photographs, limit: int) -> list[tuple[Tensor, ...]]:
    """Only the labelled face of a photograph, its first box, has landmarks and attributes here."""
    found = []
    for row, (picture, boxes) in enumerate(zip(*scenes_with_boxes(data, limit), strict=True)):
        points = torch.full((len(boxes), 5, 2), torch.nan)
        labels = torch.full((len(boxes), len(data.names)), -1.0)
        points[0], labels[0] = data.faces.landmarks[row], data.attributes[row]
        found.append((picture, boxes, points, labels))
    return found


def keep(material: Material, folder: Path) -> None:
    """Write it under ``runs/``, so that every seed reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors, about = {}, {}
    for part in WINDOWS:
        data = getattr(material, part)
        for key in ("images", "attributes", "identity", "box", "landmarks", "is_face"):
            tensors[f"{part}/{key}"] = getattr(data.faces, key).contiguous()
        about[part] = data.source
    about["names"] = list(material.train.names)
    for part in ("choose", "scenes"):
        for k, values in enumerate(getattr(material, part)):
            for j, value in enumerate(values):
                tensors[f"{part}/{k:05d}/{j}"] = value.contiguous()
    temporary = folder / "material.part"
    save_file(tensors, temporary, {"about": json.dumps(about)})
    write_atomically(folder / "material.json", json.dumps(about).encode())
    temporary.rename(folder / "material.safetensors")


def kept(folder: Path) -> Material | None:
    """What :func:`keep` wrote, None where nothing is there."""
    if not (folder / "material.safetensors").is_file():
        return None
    tensors = load_file(folder / "material.safetensors")
    about = json.loads((folder / "material.json").read_text())
    parts: dict[str, FaceDataset] = {}
    for part in WINDOWS:
        fields = {k.split("/")[1]: v for k, v in tensors.items() if k.startswith(f"{part}/")}
        parts[part] = FaceDataset(Faces(**fields), names=about["names"], source=about[part])
        parts[part].framing = "wild"
    scenes: dict[str, dict[str, dict[int, Tensor]]] = {"choose": {}, "scenes": {}}
    for key, value in tensors.items():
        part, *place = key.split("/")
        if part in scenes:
            scenes[part].setdefault(place[0], {})[int(place[1])] = value
    lists = {
        part: [tuple(row[j] for j in sorted(row)) for _, row in sorted(rows.items())]
        for part, rows in scenes.items()
    }
    return Material(**parts, **lists)


def on_device(data: FaceDataset, device: str) -> FaceDataset:
    """The same windows with their pictures in the device's memory."""
    moved = FaceDataset(
        replace(data.faces, images=data.faces.images.to(device)),
        names=data.names,
        source=data.source,
    )
    moved.framing = data.framing
    return moved
