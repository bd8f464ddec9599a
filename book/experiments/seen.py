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
        attributes that a face wears. ``wander``, where the face's box is known: how far a part's
        square strays over the face, the root mean square distance from its mean place in widths of
        the face, mean over parts. A square that stands still in the picture strays as the face
        moves under it.
    """
    found: dict[str, list[Tensor]] = {"covered": [], "inside": [], "places": []}
    for model in models:
        model.eval()
        for rows in torch.arange(len(test)).split(batch_size):
            faces = test.gather(rows).with_float_images()
            boxes = model.region_boxes(faces.images)  # (B, P, 4)
            found["covered"].append(covered(boxes, test.size))
            if faces.box is not None:
                corner, width = faces.box[:, None, :2], (faces.box[:, 2] - faces.box[:, 0])
                middle = (boxes[..., :2] + boxes[..., 2:]) / 2  # (B, P, 2)
                found["places"].append((middle - corner) / width[:, None, None])
            if faces.regions is not None and boxes.shape[1] == faces.regions.shape[1]:
                inside = inside_boxes(boxes, faces.regions, test.size)  # (B, M)
                inside = inside.where(faces.attributes == 1, torch.nan)
                found["inside"].append(inside)
    means = {"covered": torch.cat(found["covered"]).mean().item()}
    if found["places"]:
        places = torch.cat(found["places"])  # (seeds * N, P, 2)
        seeds = places.unflatten(0, (len(models), -1))  # (seeds, N, P, 2)
        means["wander"] = seeds.var(1, correction=0).sum(-1).sqrt().mean().item()
    if found["inside"]:
        means["inside"] = torch.cat(found["inside"]).nanmean(0).nanmean().item()
    return means
