"""Checkers of chapter 3, where does it look."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.ops import box_iou

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.localization import (
    THRESHOLDS,
    best_box_iou,
    boxes_of,
    class_activation_maps,
    pointing_game,
    regions_from_heatmaps,
    upsample,
)


@checker
def check_pointing(answer: Callable) -> Verdict:
    """Exercise 1: the pointing game by hand, against the library's.

    Args:
        answer: function of ``maps (B, M, H, W)`` and ``truth (B, M, H, W)`` bool that returns
            ``(M,)`` shares of faces; a face whose truth is empty does not count.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_pointing(pointing).")
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(40, 3, 9, 13, generator=generator)
    truth = _rectangles(40, 3, (9, 13), generator)
    maps += 1.5 * truth  # a model that is right now and then
    truth[::3, 1] = False
    right = pointing_game(maps, truth)
    known = truth.flatten(2).any(-1)  # (B, M)
    hits = torch.nan_to_num(_hits(maps, truth))  # (B, M)
    slips = {
        "You count faces without the attribute as misses. They have no region to hit: leave them "
        "out of the mean.": hits.mean(0),
        "You count hits, not their share: divide by the faces that have a region.": hits.sum(0),
        "You point at the lowest place of each map.": pointing_game(-maps, truth),
        "That is the area of the regions, which is what pointing blindly scores.": (
            (truth.float().mean((-2, -1)) * known).sum(0) / known.sum(0)
        ),
        "Row and column are mixed up: an arg-max k over H * W cells lies in row k // W and column "
        "k % W.": pointing_game(maps.transpose(-2, -1).reshape(maps.shape), truth),
        "That is one number over all attributes. Return one for each.": hits[known].mean(),
    }
    same = compare(answer(maps.clone(), truth.clone()), right, what="the share", slips=slips)
    return same and yes(
        "Equal to the library's, on maps that are not square and with faces that have no region."
    )


def _rectangles(count: int, kinds: int, size: tuple[int, int], generator) -> Tensor:
    """Bool masks ``(count, kinds, *size)``, a rectangle of 3 x 4 each."""
    masks = torch.zeros(count, kinds, *size, dtype=torch.bool)
    for i in range(count):
        for j in range(kinds):
            top = int(torch.randint(size[0] - 2, (), generator=generator))
            left = int(torch.randint(size[1] - 3, (), generator=generator))
            masks[i, j, top : top + 3, left : left + 4] = True
    return masks


def _hits(maps: Tensor, truth: Tensor) -> Tensor:
    """1 where the arg-max lies in the truth, ``(B, M)``."""
    best = maps.flatten(2).argmax(-1, keepdim=True)  # (B, M, 1)
    return truth.flatten(2).gather(2, best)[..., 0].float()


@checker
def check_mended(answer: Callable) -> Verdict:
    """Exercise 2: class activation maps without the snippet's mistake.

    Args:
        answer: function of ``features (B, C, h, w)`` and ``weights (M, C)`` that returns maps
            ``(B, M, h, w)``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_mended(mended_cam).")
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(3, 8, 4, 5, generator=generator)
    weights = torch.randn(6, 8, generator=generator)
    right = class_activation_maps(features, weights)  # (3, 6, 4, 5)
    snippet = (features.reshape(3, 20, 8) @ weights.T).transpose(1, 2).reshape(3, 6, 4, 5)
    turned = right.transpose(-2, -1).reshape(right.shape)
    slips = {
        "This is still the snippet's map. Its mean plus the bias is not the logit: at which line "
        "does a row stop being one position?": snippet,
        "Positions are right as a set but not in their places: height and width changed roles on "
        "the way back to (h, w).": turned,
        "The map itself may be negative: cutting to positive values is for showing, and after it "
        "the mean is no longer the logit.": right.clamp_min(0),
        "Divided by the number of positions. The mean over positions does that already.": right
        / 20,
    }
    maps = answer(features.clone(), weights.clone())
    if torch.is_tensor(maps):
        maps = maps.detach()
    same = compare(maps, right, what="the map", tolerance=1e-4, slips=slips)
    return same and yes(
        "Its mean plus the bias is the logit, as it must be. A view or reshape never moves a "
        "number in memory; only transpose, permute or movedim change which axis is which."
    )


@checker
def check_threshold(answer: Callable) -> Verdict:
    """Exercise 3: the one threshold whose boxes fit best on average.

    Args:
        answer: function of ``maps (N, H, W)`` in [0, 1], ``truth (N, H, W)`` bool and a list of
            thresholds that returns the best of them.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_threshold(best_threshold).")
    for seed in (6, 0, 2, 4):
        maps, truth = _hills(seed)
        found = best_box_iou(maps[:, None], truth[:, None], THRESHOLDS)
        ious = torch.stack([_ious(maps >= cut, truth) for cut in THRESHOLDS], dim=1)  # (N, T)
        pixels = torch.stack([_overlap(maps >= cut, truth) for cut in THRESHOLDS], dim=1)
        cuts = torch.tensor(THRESHOLDS)
        slips = {
            "That is the mean of each face's own best threshold. Choosing it for each face needs "
            "the truth of that face: choose one for all.": cuts[ious.argmax(1)].mean(),
            "You compare the pixels above the threshold with the region's. Put a tight box round "
            "each first.": cuts[pixels.mean(0).argmax()],
            "That is the worst threshold.": cuts[ious.mean(0).argmin()],
            "That is the mean IoU at the best threshold. Return the threshold.": found.iou[0],
        }
        slips = {why: float(wrong) for why, wrong in slips.items()}
        taken = [float(found.threshold), *slips.values()]
        slips = {  # those that only one mistake can explain
            why: wrong
            for why, wrong in slips.items()
            if sum(abs(wrong - other) < 3e-3 for other in taken) == 1
        }
        cut = answer(maps.clone(), truth.clone(), list(THRESHOLDS))
        same = compare(cut, found.threshold[0], what="the threshold", tolerance=1e-3, slips=slips)
        if not same:
            return same
    return yes(
        "The same as the library's on four sets of maps. It was chosen on the faces that it is "
        "reported on, so read such an IoU as what the maps allow at best."
    )


def _hills(seed: int) -> tuple[Tensor, Tensor]:
    """Maps ``(12, 16, 20)`` in [0, 1], one hill each, and the truth round its top."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    where = torch.rand(12, 2, generator=generator) * torch.tensor([8.0, 12.0]) + 4
    wide = 1.5 + 2 * torch.rand(12, generator=generator)
    far = (y - where[:, :1, None]) ** 2 + ((x - where[:, 1:, None]) / 1.3) ** 2  # (12, 16, 20)
    maps = torch.exp(-far / (2 * wide[:, None, None] ** 2))
    truth = far < (1.4 + seed / 2) ** 2
    truth &= (x > where[:, 1:, None] - 1) | (y > where[:, :1, None])  # a corner is missing
    return maps / maps.amax((-2, -1), keepdim=True), truth


def _ious(cut: Tensor, truth: Tensor) -> Tensor:
    """IoU of tight boxes, ``(N,)``."""
    return box_iou(boxes_of(cut), boxes_of(truth)).diagonal()


def _overlap(cut: Tensor, truth: Tensor) -> Tensor:
    """IoU of pixels, ``(N,)``."""
    return (cut & truth).sum((-2, -1)) / (cut | truth).sum((-2, -1))


@checker
def check_corner(answer: Callable) -> Verdict:
    """Exercise 4: how far nearest upsampling moves the arg-max from the middle of its cell.

    Args:
        answer: function of the side of a cell in pixels that returns the distance along ``x``,
            in pixels.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_corner(corner_offset).")
    for stride in (1, 3, 7, 16, 32):
        maps = torch.zeros(1, 1, 3, 4)
        maps[0, 0, 1, 2] = 1
        size = (3 * stride, 4 * stride)
        pixel = upsample(maps, size, "nearest").flatten().argmax()  # the first of equal maxima
        middle = regions_from_heatmaps(maps, size)[0, 0, 0]
        slips = {
            "Nearly: pixels have middles, too. A cell of one pixel has its middle in that "
            "pixel.": stride / 2,
            "That is the distance to the far corner of the cell.": stride - 1,
            "Along x alone, without the square root of two.": (stride - 1) / 2**0.5,
            "All pixels of the cell are equally high, and arg-max returns the first one, which "
            "is not in the middle.": 0 if stride > 1 else -1,
        }
        same = compare(
            answer(stride),
            float(middle - pixel % size[1]),
            what=f"the distance for cells of {stride} pixels",
            slips=slips,
        )
        if not same:
            return same
    return yes(
        "With cells of 16 pixels that is 7.5 along x and as much along y: PaW's crop of 64 pixels "
        "would sit about an eighth of its side too far to the left and top. With bilinear "
        "upsampling the highest pixels are next to the middle."
    )
