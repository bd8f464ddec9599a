"""What networks have seen: of the picture, of their attributes, and of the very faces asked about.

Forty squares that all sit well on their attributes sit close together, for most attributes are
about the eyes and the mouth. Forty that were thrown sit badly and cover the face. Both numbers are
needed to understand which kind of squares makes the better network. And a network that has seen a
face before knows its labels: how much better it is there tells how much it has learned by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from torch import Tensor

from faceattr.data.faces import FaceDataset
from faceattr.evaluation import evaluate
from faceattr.localization.coverage import inside_boxes
from faceattr.models import FaceModel, PaW


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
        attributes that a face wears; ``inside_bare``, over those that it does not wear, where the
        region is the place at which the attribute would be. ``wander``, where the face's box is
        known: how far a part's square strays over the face, the root mean square distance from its
        mean place in widths of the face, mean over parts. A square that stands still in the picture
        strays as the face moves under it.
    """
    found: dict[str, list[Tensor]] = {key: [] for key in ("covered", "worn", "bare", "places")}
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
                found["worn"].append(inside.where(faces.attributes == 1, torch.nan))
                found["bare"].append(inside.where(faces.attributes == 0, torch.nan))
    means = {"covered": torch.cat(found["covered"]).mean().item()}
    if found["places"]:
        places = torch.cat(found["places"])  # (seeds * N, P, 2)
        seeds = places.unflatten(0, (len(models), -1))  # (seeds, N, P, 2)
        means["wander"] = seeds.var(1, correction=0).sum(-1).sqrt().mean().item()
    for name, key in (("inside", "worn"), ("inside_bare", "bare")):
        if found[key]:
            means[name] = torch.cat(found[key]).nanmean(0).nanmean().item()
    return means


def telling(
    models: Sequence[PaW], data: FaceDataset, test: FaceDataset, cells: int = 10
) -> dict[str, float]:
    """How well the place of an attribute's square, without a look inside, tells its label.

    Faces wear an attribute as often as those of the training set whose square of it lay in the same
    of ``cells`` x ``cells`` fields of the picture; this share is taken for a score. It is counted
    on a random half of the training faces and asked about the other half and about the test faces.

    Returns:
        ``tells_training`` and ``tells_others``: area under the ROC curve, a half is chance; means
        over attributes that some of the faces wear and some do not, and over seeds. Empty for
        blocks of a grid, which belong to no attribute.
    """
    if models[0].config["regions"] == "grid":
        return {}
    half = torch.rand(len(data), generator=torch.Generator().manual_seed(0)) < 0.5
    found: dict[str, list[float]] = {"tells_training": [], "tells_others": []}
    for model in models:
        seen, others = (_fields(model.eval(), part, cells) for part in (data, test))
        for j, (fields, labels) in enumerate(zip(seen.T, data.attributes.T, strict=True)):
            worn, mean = labels[half] == 1, (labels[half] == 1).float().mean()
            faces = torch.bincount(fields[half], minlength=cells**2)
            wearers = torch.bincount(fields[half][worn], minlength=cells**2)
            share = (wearers + 4 * mean) / (faces + 4)  # four faces of the usual share in each
            asked = {
                "tells_training": (labels[~half] == 1, share[fields[~half]]),
                "tells_others": (test.attributes[:, j] == 1, share[others[:, j]]),
            }
            for key, (truth, score) in asked.items():
                if 0 < truth.sum() < len(truth):
                    found[key].append(float(roc_auc_score(truth, score)))
    return {key: sum(values) / len(values) for key, values in found.items()}


@torch.no_grad()
def _fields(model: PaW, data: FaceDataset, cells: int) -> Tensor:
    """The field that the middle of each square lies in: ``(N, M)``."""
    size = torch.tensor(data.size[::-1])
    places = []
    for faces in data.batches(100):
        boxes = model.region_boxes(faces.with_float_images().images)  # (B, M, 4)
        middle = (boxes[..., :2] + boxes[..., 2:]) / 2
        x, y = (middle * cells / size).long().clamp(0, cells - 1).unbind(-1)
        places.append(y * cells + x)
    return torch.cat(places)


@torch.no_grad()
def skill(models: Sequence[PaW], test: FaceDataset) -> dict[str, float]:
    """How well parts tell attributes, as areas under the ROC curve: their own, and others'.

    Returns:
        ``own``: of each attribute's own part; ``others``: mean of all other parts; ``best_other``:
        the best of them, chosen on these very faces, so a little too good. Means over attributes
        that some faces wear and some do not, and over models.
    """
    worn = (test.attributes == 1).numpy()  # (N, M)
    known = worn.any(0) & ~worn.all(0)
    found: dict[str, list[float]] = {"own": [], "others": [], "best_other": []}
    for model in models:
        model.eval()
        scores = [model(f.with_float_images().images).part_logits for f in test.batches(100)]
        area = roc_areas(torch.cat(scores)[:, 1:, known].float().numpy(), worn[:, known])  # (M, K)
        own = np.flatnonzero(known), np.arange(known.sum())
        found["own"].append(area[own].mean())
        area[own] = np.nan
        found["others"].append(np.nanmean(area))
        found["best_other"].append(np.nanmax(area, axis=0).mean())
    return {key: float(np.mean(values)) for key, values in found.items()}


def roc_areas(scores: np.ndarray, worn: np.ndarray) -> np.ndarray:
    """Areas under the ROC curve of scores ``(N, P, K)`` for labels ``(N, K)``: ``(P, K)``."""
    ranks = (rankdata(scores, axis=0) * worn[:, None]).sum(0)  # (P, K)
    count = worn.sum(0)
    return (ranks / count - (count + 1) / 2) / (len(worn) - count)


def fitted(models: Sequence[FaceModel], data: FaceDataset, limit: int = 1000) -> dict[str, float]:
    """Accuracy and average precision on faces of the training set, evenly chosen; means of seeds.

    Faces are not mirrored here; training mirrored half of them.
    """
    some = data.subset(torch.linspace(0, len(data) - 1, min(limit, len(data))).long())
    reports = [evaluate(m, some, device="cpu", bootstrap=0, progress=False) for m in models]
    return {
        metric: sum(float(report.mean[metric]) for report in reports) / len(reports)
        for metric in ("accuracy", "average_precision")
    }
