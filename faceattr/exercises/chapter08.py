"""Checkers of chapter 8, a cascade."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_convert, box_iou, nms

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.exercises.chapter08_slips import PIXELS, slid, wrong_nms, wrong_windows


def _faces() -> tuple[Tensor, Tensor, Tensor]:
    """Boxes and truth ``(B, 4)`` in a window of 50 pixels, and who is a face ``(B,)``."""
    generator = torch.Generator().manual_seed(0)
    corner = torch.randint(5, 20, (2, 6, 2), generator=generator)
    sides = torch.randint(15, 30, (2, 6, 2), generator=generator)
    boxes, truth = torch.cat([corner, corner + sides], -1).float()  # (B, 4) each
    face = torch.tensor([True, False, True, True, False, True])
    return boxes, truth.where(face[:, None], torch.nan), face


@checker
def check_box_loss(answer: Callable) -> Verdict:
    """Exercise 1: Eq. 2 on a batch in which not every window has a box.

    Args:
        answer: function of ``boxes (B, 4)`` and ``truth (B, 4)``, xyxy in pixels, rows of truth NaN
            where there is no face, and ``side``, the window's in pixels, that returns the loss, a
            scalar tensor.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_box_loss(box_loss).")
    boxes, truth, face = _faces()
    side, count, batch = 50, int(face.sum()), len(face)
    pairs = [box_convert(b[face] / side, "xyxy", "xywh") for b in (boxes, truth)]
    right = F.mse_loss(*pairs, reduction="sum") / count  # torchvision's and PyTorch's
    corners = F.mse_loss(boxes[face] / side, truth[face] / side, reduction="sum") / count
    pixels = [box_convert(b[face], "xyxy", "xywh") for b in (boxes, truth)]
    pixels = F.mse_loss(*pixels, reduction="sum") / count
    centres = [box_convert(b[face] / side, "xyxy", "cxcywh") for b in (boxes, truth)]
    walls = [box_convert(b.nan_to_num() / side, "xyxy", "xywh") for b in (boxes, truth)]
    walls = (walls[0] - walls[1]).square().sum(1)  # (B,)
    each = (pairs[0] - pairs[1]).square().sum(1)  # (faces,)
    slips = [
        (
            "These are distances of two corners, x0, y0, x1, y1. The paper's vector is left, top, "
            "height and width: subtract before you compare.",
            corners,
        ),
        (
            "That places a box by its centre. The paper's vector is left, top, height and width.",
            F.mse_loss(*centres, reduction="sum") / count,
        ),
        (
            "You took the mean over the four numbers of a box as well. A squared distance is their "
            "sum; the mean is over faces.",
            right / 4,
        ),
        ("That is in pixels: divide by the side of the window first.", pixels),
        (
            "You divided by the side once, after squaring. Divide the boxes, or by its square.",
            pixels / side,
        ),
        (
            "You divide by all windows of the batch. Those without a face feed nothing into this "
            "loss and do not count: divide by the number of faces.",
            right * count / batch,
        ),
        ("That is the sum over faces; their mean is asked for.", right * count),
        (
            "A distance, and the squared one is asked for: leave out the root.",
            each.sqrt().mean(),
        ),
        (
            "NaN became 0, so that a wall has its face at (0, 0, 0, 0): you teach that faces live "
            "in corners. Leave these windows out.",
            walls.mean(),
        ),
        (
            "NaN became 0, so that a wall has its face at (0, 0, 0, 0): you teach that faces live "
            "in corners. Leave these windows out.",
            walls.sum() / count,
        ),
    ]
    found = answer(boxes.clone(), truth.clone(), side)
    if torch.is_tensor(found) and found.ndim == 0 and bool(found.isnan()):
        return no(
            "The loss is NaN: rows of truth without a face came along. A mask times NaN is NaN "
            "still; choose the rows, or put something in NaN's place first."
        )
    same = compare(found, right, what="the loss", tolerance=1e-5, slips=slips)
    if not same:
        return same
    nobody = torch.full_like(truth, torch.nan)
    same = compare(
        answer(boxes.clone(), nobody, side),
        0.0,
        what="the loss of a batch without a face",
    )
    return same and _teaches(answer, boxes, truth, side)


def _teaches(answer: Callable, boxes: Tensor, truth: Tensor, side: int) -> Verdict:
    """Right as a number; does the gradient come back, and is it one?"""
    learned = boxes.clone().requires_grad_()
    found = answer(learned, truth.clone(), side)
    if not torch.is_tensor(found) or not found.requires_grad:
        return no(
            "The number is right, but no gradient comes back from it, and a network learns from "
            "nothing else: stay with tensors, without detach or no_grad."
        )
    (gradient,) = torch.autograd.grad(found, learned)
    if not bool(gradient.isfinite().all()):
        return no(
            "The number is right, and its gradient is NaN. Where NaN is put away after the "
            "squaring, the way back multiplies 0 by NaN: choose the rows of faces first."
        )
    return yes(
        "Each window teaches what it knows. The paper writes height before width: a squared "
        "distance does not mind. And of two boxes that miss by equally many pixels, the loss of "
        "both is the same, however small the face: intersection over union would not say so."
    )


def _crowd(seed: int) -> tuple[Tensor, Tensor]:
    """Boxes ``(K, 4)``, in whole pixels, in heaps, and their scores ``(K,)``, none alike."""
    rng = np.random.default_rng(seed)
    heaps = np.array([[40.0, 40.0], [80.0, 60.0], [130.0, 120.0]])
    centre = np.repeat(heaps, 6, axis=0) + rng.normal(0, 9, (18, 2))
    half = rng.uniform(9, 24, (18, 2))
    boxes = torch.from_numpy(np.concatenate([centre - half, centre + half], 1).round()).float()
    return boxes, torch.from_numpy(rng.permutation(np.linspace(0.31, 0.99, 18))).float()


@checker
def check_nms(answer: Callable) -> Verdict:
    """Exercise 2: greedy non-maximum suppression, against torchvision's.

    Args:
        answer: function of ``boxes (K, 4)`` xyxy, ``scores (K,)`` and ``overlap``, the intersection
            over union above which the less sure of two boxes is dropped, that returns the numbers
            of the boxes that are kept, the surest first.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_nms(suppress).")
    for seed, overlap in ((239, 0.3), (86, 0.3), (33, 0.4)):
        boxes, scores = _crowd(seed)
        found = _numbers(answer(boxes.clone(), scores.clone(), overlap), len(boxes))
        if isinstance(found, Verdict):
            return found
        right = nms(boxes, scores, overlap).tolist()
        if found != right:
            for reason, wrong in wrong_nms(boxes, scores, overlap):
                if found == wrong:
                    return no(reason)
            return no(_why_not(found, right, boxes, overlap))
    thirds = torch.tensor([[0.0, 0, 4, 4], [0, 2, 4, 6]])  # their overlap is 1/3
    found = _numbers(answer(thirds.clone(), torch.tensor([0.6, 0.9]), 0.4), 2)
    if found != nms(thirds, torch.tensor([0.6, 0.9]), 0.4).tolist():
        return no(f"{PIXELS} Of small boxes one pixel more makes much overlap.")
    halves = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 2]])  # their overlap is 1/2, exactly
    found = _numbers(answer(halves.clone(), torch.tensor([0.6, 0.9]), 0.5), 2)
    if found != nms(halves, torch.tensor([0.6, 0.9]), 0.5).tolist():
        return no(
            "Two boxes overlap by exactly one half, and overlap is 0.5: torchvision keeps both. "
            "Drop what overlaps by more (>), not what reaches it (>=)."
        )
    found = _numbers(answer(boxes[:0], scores[:0], 0.5), 0)
    if found != []:
        return no("Where there is no box, none is kept: return nothing.")
    return yes(
        "As torchvision's. Greedy: what is dropped drops nobody, so of a chain of boxes, each near "
        "the next, every other one may stay. And two people cheek to cheek whose boxes overlap by "
        "more than the threshold are one face to it, however sure the network is of both."
    )


def _numbers(found, count: int) -> list[int] | Verdict:
    """An answer as a list of whole numbers; a no where it is something else."""
    if found is None:
        return no("Your function returns None: return the numbers of the boxes that are kept.")
    values = np.asarray([int(k) for k in found] if _whole(found) else found)
    if not values.size:
        return []
    if values.dtype == bool:
        return no("That is a mask. Return numbers of boxes, which can tell who is the surest.")
    if values.ndim == 2:
        return no("These are the boxes themselves: return their numbers, the surest first.")
    if values.ndim != 1 or values.dtype.kind not in "iu":
        return no("Return the numbers of the boxes that are kept, whole ones, in one row.")
    if values.min() < 0 or values.max() >= count:
        return no(f"There are {count} boxes, numbered from 0: {values.max()} is none of them.")
    return values.tolist()


def _whole(found) -> bool:
    """Is it a list of numbers, which may be tensors of one?"""
    return isinstance(found, list | tuple) and all(
        getattr(k, "ndim", 0) == 0 and isinstance(k, int | np.integer | Tensor) for k in found
    )


def _why_not(found: list[int], right: list[int], boxes: Tensor, overlap: float) -> str:
    """The first box at which an answer leaves the right one."""
    iou = box_iou(boxes, boxes)
    if len(set(found)) < len(found):
        return "A box is in it twice: each is kept once or not at all."
    for k in found:
        if k not in right:
            rival = max(right, key=lambda other: iou[k, other].item())
            return (
                f"Box {k} should go: its intersection over union with box {rival}, which is "
                f"surer and kept, is {iou[k, rival]:.2f}, more than {overlap}."
            )
    for k in right:
        if k not in found:
            return f"Box {k} should stay: no surer box that is kept overlaps it by over {overlap}."
    return "The right boxes in another order: the surest comes first."


@checker
def check_windows_of(answer: Callable) -> Verdict:
    """Exercise 3: from S_Net's map of scores on one level of the pyramid back to the picture.

    Args:
        answer: function of ``scores (h, w)``, ``threshold``, ``stride`` and ``side`` of S_Net's
            windows in pixels of the level, and ``scale``, pixels of the level in one of the
            picture, that returns the windows that pass, ``(n, 4)`` xyxy in pixels of the picture.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_windows_of(windows_of).")
    generator = torch.Generator().manual_seed(3)
    for (h, w), stride, side, scale in (((4, 7), 4, 14, 0.4), ((5, 3), 2, 28, 1.6)):
        scores = torch.rand(h, w, generator=generator)
        scores[2, 1] = 0.5  # exactly at the threshold
        right = slid(h, w, stride, side)[scores >= 0.5] / scale
        found = answer(scores.clone(), 0.5, stride, side, scale)
        what = f"the windows at scale {scale}"
        slips = wrong_windows(scores, 0.5, stride, side, scale)
        same = compare(found, right, what=what, tolerance=1e-3, slips=slips)
        if not same:
            given = np.asarray(found, dtype=float) if found is not None else np.zeros(0)
            if given.shape == tuple(right.shape):
                order = [np.lexsort(rows.T) for rows in (given, right.numpy())]
                if np.allclose(given[order[0]], right.numpy()[order[1]], atol=1e-3):
                    return no(
                        "The right windows in another order: row by row from the top, and from "
                        "left to right, as one reads."
                    )
            return same
    nothing = answer(torch.zeros(3, 5), 0.5, 4, 14, 0.5)
    same = compare(nothing, np.zeros((0, 4)), what="what passes where nothing does")
    return same and yes(
        "On a level that was shrunk to 0.4 the same 14 pixels are 35 of the picture: one network "
        "for one size finds faces of all. A score need not remember where it came from, row, "
        "column and level say it; and as S_Net pads nothing, it saw these pixels and no others."
    )
