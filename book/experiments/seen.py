"""What the squares of PaW's parts see: how much of the picture, and how much of their attributes.

Forty squares that all sit well on their attributes sit close together, for most attributes are
about the eyes and the mouth. Forty that were thrown sit badly and cover the face. Both numbers are
needed to understand which kind of squares makes the better network.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceattr.data.faces import FaceDataset
from faceattr.localization.coverage import inside_boxes
from faceattr.models import PaW


def covered(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Share of each picture that lies in at least one of its boxes ``(B, P, 4)``: ``(B,)``."""
    y, x = torch.arange(size[0]), torch.arange(size[1])
    left, top, right, bottom = boxes[..., None].unbind(2)  # (B, P, 1) each
    rows = ((y >= top) & (y < bottom)).float()  # (B, P, H)
    columns = ((x >= left) & (x < right)).float()  # (B, P, W)
    return (torch.einsum("bph,bpw->bhw", rows, columns) > 0).float().mean((1, 2))


def squares(models: Sequence[PaW], test: FaceDataset, batch_size: int = 100) -> dict[str, float]:
    """Means over test faces and seeds.

    Returns:
        ``covered``: share of the picture inside at least one part. ``inside``, where truth is known
        and each attribute has a part: share of the true region in its own part, over the
        attributes that a face wears.
    """
    found: dict[str, list[Tensor]] = {"covered": [], "inside": []}
    for model in models:
        model.eval()
        for rows in torch.arange(len(test)).split(batch_size):
            faces = test.gather(rows).with_float_images()
            boxes = model.region_boxes(faces.images)  # (B, P, 4)
            found["covered"].append(covered(boxes, test.size))
            if faces.regions is not None and boxes.shape[1] == faces.regions.shape[1]:
                inside = inside_boxes(boxes, faces.regions, test.size)  # (B, M)
                inside = inside.where(faces.attributes == 1, torch.nan)
                found["inside"].append(inside)
    means = {"covered": torch.cat(found["covered"]).mean().item()}
    if found["inside"]:
        means["inside"] = torch.cat(found["inside"]).nanmean(0).nanmean().item()
    return means
