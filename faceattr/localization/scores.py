"""How well heat maps find the true regions: pointing game, energy inside, best-box IoU.

Each score comes twice: per face ``(B, M)``, with NaN where the truth is empty (that is what a
bootstrap resamples), and per attribute ``(M,)``, the mean over the faces that have a truth. Maps
that are smaller than the truth are upsampled bilinearly to its grid; a map ``(1, 1, h, w)`` stands
for all faces and attributes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from faceattr.errors import MapError
from faceattr.localization.cam import normalize_maps, upsample
from faceattr.localization.regions import boxes_of, spans_to_boxes
from faceattr.models.regions import finite

#: Shares of a map's range at which :func:`best_box_iou` cuts it.
THRESHOLDS: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(1, 20))


class BoxScores(NamedTuple):
    """Best-box IoU of each attribute ``(M,)`` and the threshold ``(M,)`` that reached it."""

    iou: Tensor
    threshold: Tensor


def pointing_hits(maps: Tensor, truth: Tensor, tolerance: int = 0) -> Tensor:
    """Return 1 where the highest point of a map lies in the truth, else 0; ``(B, M)``.

    Equal maxima share the point: a flat map scores the area of the region, which is what
    pointing blindly would.

    Args:
        maps: ``(B, M, h, w)`` or ``(1, 1, h, w)``.
        truth: ``(B, M, H, W)`` bool.
        tolerance: a point this many pixels of the truth's grid beside the region still counts.
    """
    maps = _on_grid_of(truth, maps)
    near = truth
    if tolerance:
        near = F.max_pool2d(truth.float(), 2 * tolerance + 1, stride=1, padding=tolerance) > 0
    top = maps == maps.amax(dim=(-2, -1), keepdim=True)  # (B, M, H, W)
    hits = (top & near).sum(dim=(-2, -1)) / top.sum(dim=(-2, -1))  # (B, M)
    return _where_true(hits, truth)


def inside_shares(maps: Tensor, truth: Tensor) -> Tensor:
    """Return the share of each map's positive heat that lies in the truth, ``(B, M)``.

    A map without positive heat points nowhere and scores 0.
    """
    heat = _on_grid_of(truth, maps).clamp_min(0)
    total = heat.sum(dim=(-2, -1))
    inside = (heat * truth).sum(dim=(-2, -1))
    return _where_true(torch.where(total > 0, inside / total.where(total > 0, 1), 0), truth)


def box_ious(maps: Tensor, truth: Tensor, thresholds=THRESHOLDS) -> Tensor:
    """Return the IoU of map box and truth box at every threshold, ``(B, M, T)``.

    The map, brought to [0, 1], is cut at each threshold; its box is the tight one around all that
    remains, as the truth's box is around all of the region (two earrings share one box, too). A
    flat map has nothing to cut: its box is the whole image.

    Args:
        maps: ``(B, M, h, w)`` or ``(1, 1, h, w)``.
        truth: ``(B, M, H, W)`` bool.
        thresholds: shares of the map's range, above 0 and below 1.
    """
    cuts = torch.as_tensor(thresholds, dtype=torch.float32, device=truth.device)
    if cuts.ndim != 1 or not ((cuts > 0) & (cuts < 1)).all():
        raise MapError(f"thresholds {thresholds} must lie above 0 and below 1")
    maps = normalize_maps(_on_grid_of(truth, maps))
    maps = torch.where(maps.amax(dim=(-2, -1), keepdim=True) > 0, maps, 1)
    # A column is occupied at a threshold when its maximum reaches it: no (T, H, W) masks needed.
    columns = maps.amax(dim=-2)[..., None, :] >= cuts[:, None]  # (B, M, T, W)
    rows = maps.amax(dim=-1)[..., None, :] >= cuts[:, None]  # (B, M, T, H)
    iou = _iou(spans_to_boxes(columns, rows), boxes_of(truth)[..., None, :])  # (B, M, T)
    return iou.masked_fill(~truth.flatten(2).any(dim=-1)[..., None], torch.nan)


def pointing_game(maps: Tensor, truth: Tensor, tolerance: int = 0) -> Tensor:
    """Return the share of faces whose highest point hits the region, per attribute ``(M,)``.

    The pointing game is Zhang et al.'s (ECCV 2016), played on every attribute. NaN for an
    attribute that has no truth on any face. Arguments as in :func:`pointing_hits`.
    """
    return pointing_hits(maps, truth, tolerance).nanmean(dim=0)


def energy_inside(maps: Tensor, truth: Tensor) -> Tensor:
    """Return the mean share of positive heat inside the region, per attribute ``(M,)``.

    NaN for an attribute that has no truth on any face. Arguments as in :func:`inside_shares`.
    """
    return inside_shares(maps, truth).nanmean(dim=0)


def best_box_iou(maps: Tensor, truth: Tensor, thresholds=THRESHOLDS) -> BoxScores:
    """Return the best mean IoU over thresholds, and that threshold, per attribute.

    One threshold is chosen for each attribute over all faces given, not for each face: choosing
    it for each face would need the truth. It is still chosen on the faces that it is reported on,
    so the number is what the maps allow at best, for the model and its baselines alike. NaN for
    an attribute without truth. Arguments as in :func:`box_ious`.
    """
    mean = box_ious(maps, truth, thresholds).nanmean(dim=0)  # (M, T)
    iou, best = mean.nan_to_num(nan=-1).max(dim=-1)  # (M,)
    chosen = torch.as_tensor(thresholds, dtype=torch.float32, device=truth.device)[best]
    empty = mean.isnan().all(dim=-1)
    return BoxScores(iou.masked_fill(empty, torch.nan), chosen.masked_fill(empty, torch.nan))


def _on_grid_of(truth: Tensor, maps: Tensor) -> Tensor:
    """Maps on the truth's grid: ``(B, M, H, W)``, or ``(1, 1, H, W)``, which broadcasts."""
    if truth.ndim != 4 or truth.dtype != torch.bool or maps.ndim != 4:
        raise MapError(
            f"maps {tuple(maps.shape)} and truth {tuple(truth.shape)} ({truth.dtype}) cannot be "
            "compared: give maps (B, M, h, w) and a bool truth (B, M, H, W)"
        )
    if tuple(maps.shape[:2]) not in (tuple(truth.shape[:2]), (1, 1)):
        raise MapError(
            f"maps of {tuple(maps.shape[:2])} faces and attributes against a truth of "
            f"{tuple(truth.shape[:2])}: they must be of the same faces and attributes"
        )
    finite(maps)  # a NaN would count as no heat, and score 0
    if maps.shape[-2:] != truth.shape[-2:]:
        maps = upsample(maps, truth.shape[-2:])
    return maps


def _where_true(score: Tensor, truth: Tensor) -> Tensor:
    return score.masked_fill(~truth.flatten(2).any(dim=-1), torch.nan)


def _iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes with boxes, element by element (they broadcast)."""
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    common = (high - low).clamp_min(0).prod(dim=-1)
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(-1) + (others[..., 2:] - others[..., :2]).prod(
        -1
    )
    return common / (areas - common).clamp_min(1e-12)
