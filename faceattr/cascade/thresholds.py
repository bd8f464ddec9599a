"""Thresholds of the cascade for a stated recall, chosen on scenes whose faces are known."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.ops import box_iou

from faceattr.cascade.detector import SETTINGS, Candidates, Cascade
from faceattr.data.convert import PictureLike
from faceattr.errors import DataError
from faceattr.files import write_atomically

#: The first search lets everything above this pass.
LOWEST = 0.02
#: Overlap at which a face counts as kept by each stage.
KEPT = (0.4, 0.5, 0.5)


@dataclass(frozen=True)
class Chosen:
    """What :func:`choose_thresholds` found.

    Attributes:
        thresholds: for S_Net, M_Net and L_Net.
        recall: the share of faces that each stage let pass, on the scenes it was chosen on.
        wanted: the recall asked for.
        faces: how many faces there were.
    """

    thresholds: tuple[float, float, float]
    recall: tuple[float, float, float]
    wanted: float
    faces: int

    def save(self, folder: str | Path) -> Path:
        """Write ``cascade.json`` into a checkpoint's folder, where :meth:`Cascade.load` looks."""
        text = json.dumps(asdict(self), indent=1)
        return write_atomically(Path(folder) / SETTINGS, text.encode() + b"\n")


def choose_thresholds(
    cascade: Cascade,
    images: Sequence[PictureLike],
    truth: Sequence[Tensor],
    *,
    recall: float = 0.95,
    group: int = 16,
) -> Chosen:
    """The highest thresholds with which the cascade still finds a share ``recall`` of the faces.

    Each stage may lose as large a share as the next: after S_Net ``recall ** (1/3)`` of the faces
    are left, after M_Net ``recall ** (2/3)``, after L_Net ``recall``. Windows below a threshold
    never suppress one above it, so one search with low thresholds tells what any higher ones give.
    The cascade's thresholds are set to what was found.

    Args:
        cascade: of a trained network.
        images: scenes. truth: boxes ``(T, 4)`` of all faces in each.
        recall: wanted, in (0, 1).
        group: scenes searched at a time.

    Raises:
        DataError: no face in any scene, or a recall out of range.
    """
    check_recall(recall)
    faces = sum(len(boxes) for boxes in truth)
    if not faces:
        raise DataError("no face in these scenes: thresholds are chosen on scenes with faces")
    pictures = [cascade.pixels(image) for image in images]
    groups = [slice(start, start + group) for start in range(0, len(pictures), group)]
    chosen, reached = [0.0] * 3, [0.0] * 3
    cascade.thresholds = (LOWEST,) * 3
    with torch.inference_mode():
        left = [cascade.propose(pictures[part])[0] for part in groups]
        for stage in range(3):
            if stage:
                left = [
                    cascade.look(pictures[part], found, stage + 1)[0]
                    for part, found in zip(groups, left, strict=True)
                ]
            best = torch.cat(
                [
                    _surest(found, truth[part], KEPT[stage])
                    for part, found in zip(groups, left, strict=True)
                ]
            )  # (faces,)
            keep = math.ceil(recall ** ((stage + 1) / 3) * faces)
            least = best.sort(descending=True).values[keep - 1].item()
            chosen[stage] = max(LOWEST, least - 1e-6)
            reached[stage] = (best >= chosen[stage]).double().mean().item()
            left = [found[found.scores >= chosen[stage]] for found in left]
    cascade.thresholds = tuple(chosen)
    if reached[-1] < recall:
        warnings.warn(
            f"a recall of {recall:g} is out of this cascade's reach: it finds {reached[-1]:.3f} of "
            f"{faces} faces; train it longer, or on windows more like these scenes",
            stacklevel=2,
        )
    return Chosen(tuple(chosen), tuple(reached), recall, faces)


def check_recall(recall: float) -> None:
    """See that a share of faces can be asked for.

    Raises:
        DataError: it is out of range.
    """
    if not 0 < recall < 1:
        raise DataError(f"recall={recall}: give the share of faces to be found, between 0 and 1")


def _surest(found: Candidates, truth: Sequence[Tensor], iou: float) -> Tensor:
    """The highest score among boxes that overlap each true face of some pictures; 0 where none."""
    best = []
    for k, boxes in enumerate(truth):
        mine = found[found.image == k]
        if len(mine.boxes) and len(boxes):
            near = box_iou(boxes.float(), mine.boxes.cpu()) >= iou  # (T, K)
            best.append(mine.scores.cpu().expand(len(boxes), -1).where(near, 0).amax(1))
        else:
            best.append(torch.zeros(len(boxes)))
    return torch.cat(best)
