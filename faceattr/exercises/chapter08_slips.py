"""Wrong answers to the exercises of chapter 8 that are easily given, with what is wrong."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou

#: Said of sides that are one too long, or one too short.
PIXELS = "From 0 to 14 is a side of 14, not of 15 or 13: xyxy are edges, not pixels."


def _shared(boxes: Tensor) -> Tensor:
    """Width and height of what two boxes share, ``(K, K, 2)``; negative where they are apart."""
    corner = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    return corner - torch.maximum(boxes[:, None, :2], boxes[None, :, :2])


def _suppress(near: Tensor, order: list[int], against: str = "kept") -> list[int]:
    """Go through ``order`` and keep what is near to none of the kept, of all, or the last kept."""
    kept: list[int] = []
    for place, k in enumerate(order):
        rivals = {"kept": kept, "all": order[:place], "last": kept[-1:]}[against]
        if not bool(near[k, rivals].any()):
            kept.append(k)
    return kept


def wrong_nms(boxes: Tensor, scores: Tensor, overlap: float) -> list[tuple[str, list[int]]]:
    """What goes wrong easily, with the answer that it gives."""
    near = box_iou(boxes, boxes) > overlap
    order = scores.argsort(descending=True).tolist()
    right, place = _suppress(near, order), scores.argsort(descending=True).argsort()
    area, shared = (boxes[:, 2:] - boxes[:, :2]).prod(1), _shared(boxes).clamp(min=0).prod(-1)
    first, second = area[:, None], area[None]
    smaller = shared / torch.minimum(first, second) > overlap
    unsubtracted = shared / (first + second) > overlap
    own = shared / first > overlap  # of the window that may be dropped
    turned = _shared(boxes).prod(-1)  # apart in both directions: positive
    turned = turned / (first + second - turned) > overlap
    counted = (_shared(boxes) + 1).clamp(min=0).prod(-1)
    larger = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    counted = counted / (larger[:, None] + larger - counted) > overlap
    return [
        ("That is every box, the surest first: nothing was dropped.", order),
        (
            "You drop what overlaps any surer box. A box that is dropped itself drops nobody: "
            "compare with those that are kept.",
            _suppress(near, order, "all"),
        ),
        (
            "You compare with the one that was kept last. Compare with all that are kept.",
            _suppress(near, order, "last"),
        ),
        (
            "You divide the intersection by the smaller area: a small box inside a large one "
            "would be wholly covered. Divide by the union.",
            _suppress(smaller, order),
        ),
        (
            "You divide the intersection by the area of one of the two boxes: divide by the union.",
            _suppress(own, order),
        ),
        (
            "You divide by the sum of both areas, which counts what they share twice. The union is "
            "the sum less the intersection.",
            _suppress(unsubtracted, order),
        ),
        (
            "Boxes that are apart both sideways and upright share a negative width and a negative "
            "height, and their product is positive: clamp both at 0.",
            _suppress(turned, order),
        ),
        (PIXELS, _suppress(counted, order)),
        (
            "You went from the least sure box to the surest: then the least sure are kept.",
            _suppress(near, order[::-1]),
        ),
        (
            "You went through the boxes as they come. The surest one chooses first: sort them.",
            _suppress(near, list(range(len(boxes)))),
        ),
        (
            "The right boxes, in the order in which they came. The surest one comes first.",
            sorted(right),
        ),
        ("The right boxes, the least sure first. Turn them round.", right[::-1]),
        (
            "These are places among the sorted boxes. Say which they are among those that came: "
            "order[place].",
            place[right].tolist(),
        ),
        ("These are the boxes that are dropped.", [k for k in order if k not in right]),
    ]


def slid(h: int, w: int, stride: int, side: int) -> Tensor:
    """Windows of a level ``(h, w, 4)`` xyxy in its pixels, as ``Tensor.unfold`` slides them."""
    rows, columns = (h - 1) * stride + side, (w - 1) * stride + side
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    y, x = (v.unfold(0, side, stride).unfold(1, side, stride) for v in (y, x))  # (h, w, side, side)
    ends = [x[..., 0, 0], y[..., 0, 0], x[..., -1, -1] + 1, y[..., -1, -1] + 1]
    return torch.stack(ends, -1).double()


def wrong_windows(
    scores: Tensor, threshold: float, stride: int, side: int, scale: float
) -> list[tuple[str, Tensor]]:
    """What goes wrong easily, with the windows that it gives."""
    every = slid(*scores.shape, stride, side)
    passed, above = every[scores >= threshold], every[scores > threshold]
    corner = passed[:, :2]
    begins = "Stride times row and column is where a window begins, not its middle"
    half = torch.tensor([-side / 2, -side / 2, side / 2, side / 2], dtype=torch.float64)
    cells = corner.repeat(1, 2) / stride
    return [
        (
            "x and y are swapped: a row of the map is y, a column is x, and xyxy begins with x.",
            passed[:, [1, 0, 3, 2]] / scale,
        ),
        (
            "You multiplied by the scale. It is pixels of the level in one pixel of the picture: "
            "on a level that was shrunk, a window covers more of the picture.",
            passed * scale,
        ),
        ("These are pixels of the level. Those of the picture are asked for.", passed),
        (
            "The corner is brought back to the picture, the side is not: it is in pixels of the "
            "level, too.",
            torch.cat([corner / scale, corner / scale + side], 1),
        ),
        (
            "The side is brought back to the picture, the corner is not.",
            torch.cat([corner, corner + side / scale], 1),
        ),
        (f"{begins}.", (corner.repeat(1, 2) + half) / scale),
        (
            f"{begins}: add no half cell.",
            (corner.repeat(1, 2) + stride / 2 + half) / scale,
        ),
        (
            f"{begins}: add no half cell.",
            (passed + stride / 2) / scale,
        ),
        (
            "Neighbouring cells are stride pixels apart: multiply row and column by it.",
            (cells + torch.tensor([0, 0, side, side])) / scale,
        ),
        (
            "Windows lie stride pixels apart and overlap; you laid them side by side.",
            (cells * side + torch.tensor([0, 0, side, side])) / scale,
        ),
        (
            "A window that reaches the threshold exactly passes as well: >=, as in the library.",
            above / scale,
        ),
        (
            "You let all windows pass: where does the threshold come in?",
            every.flatten(0, 1) / scale,
        ),
        (
            "That is left, top, width, height: xyxy is asked for.",
            torch.cat([corner, passed[:, 2:] - corner], 1) / scale,
        ),
        (PIXELS, (passed - torch.tensor([0, 0, 1, 1])) / scale),
        ("You rounded to whole pixels; keep the fractions.", (passed / scale).round()),
    ]
