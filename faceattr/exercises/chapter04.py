"""Checkers of chapter 4, localising regions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.localization import inside_boxes
from faceattr.models import FRL
from faceattr.models.regions import crop_boxes


@checker
def check_parameters(answer: Callable) -> Verdict:
    """Exercise 1: the parameters behind the fifth module, for any number of attributes and maps.

    Args:
        answer: function of ``C``, ``M`` and ``N`` that returns a number of parameters.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_parameters(branch_parameters).")
    for c, m, n in ((512, 40, 32), (96, 40, 8), (5, 3, 7)):
        with torch.device("meta"):
            model = FRL(m, n, widths=(c,), repeats=(1,), pools=0)
        right = sum(p.numel() for part in (model.branches, model.head) for p in part.parameters())
        slips = {
            "Nearly: every map of the convolution has a bias.": right - m * n,
            "Nearly: count the bias of the weighted sum, one for each attribute.": right - m,
            "That is a fully connected last layer, in which every attribute weighs the maps of "
            "all the others. Here it weighs its own N.": right + m * n * (m - 1),
            "M N + M are missing: either you forget the weighted sums behind the pooling, or all "
            "biases.": right - m * n - m,
            "You count batch norm, two numbers a map. Leave it out.": right + 2 * m * n,
            "A branch looks at 3 x 3 places, not at one.": right - 8 * c * m * n,
            "That is one branch, and there are M.": right / m,
            "Each branch sees all C shared maps, not a share of them.": (
                right - 9 * c * m * n + 9 * c * n
            ),
        }
        same = compare(
            answer(c, m, n),
            right,
            what=f"the count for C = {c}, M = {m}, N = {n}",
            slips=slips if len(set(slips.values())) == len(slips) else (),
        )
        if not same:
            return same
    whole = FRL.small().count()
    branches = sum(p.numel() for p in FRL.small().branches.parameters())
    return yes(
        f"Of our small network's {whole:,} parameters {branches / whole:.0%} sit in the branches: "
        "they grow with M, and every attribute pays for its own."
    )


@checker
def check_field(answer: Callable) -> Verdict:
    """Exercise 2: how many pixels a cell sees, against where a gradient arrives.

    Args:
        answer: function of a list of layers ``(kernel, step)``, first to last, that returns the
            side in pixels of what one cell of the last layer sees.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_field(field).")
    for layers in (
        [(3, 1)],
        [(3, 1), (3, 1)],
        [(3, 1), (2, 2), (3, 1)],
        [(5, 2), (3, 1), (2, 2), (3, 1), (1, 1), (3, 2)],
    ):
        right, step, slow, early = _reached(layers), 1, 1, 1
        for kernel, stride in layers:
            slow += kernel - 1
            step *= stride
            early += (kernel - 1) * step
        slips = {
            "Nearly: behind a layer that steps by 2, neighbouring cells stand 2 pixels apart, and "
            "a kernel spans that many more.": slow,
            "That is the distance between two cells, not what one of them sees.": step,
            "Nearly: a layer's own step spreads the cells that it makes, not those that it reads. "
            "Add its kernel first, multiply by its step afterwards.": early,
            "A layer adds its kernel less one: the middle was seen before.": slow + len(layers),
            "Neighbouring kernels overlap: a layer adds its kernel less one.": slow
            + len(layers)
            - 1,
        }
        same = compare(
            answer(list(layers)),
            right,
            what=f"the side for {layers}",
            slips={why: wrong for why, wrong in slips.items() if wrong != right},
        )
        if not same:
            return same
    return yes("Equal to where the gradient of one cell arrives, for four stacks of layers.")


def _reached(layers: list[tuple[int, int]]) -> int:
    """Pixels along x to which the gradient of one middle cell flows back."""
    stack = nn.Sequential(
        *[nn.Conv2d(1, 1, kernel, step, padding=kernel // 2) for kernel, step in layers]
    )
    for layer in stack:
        nn.init.ones_(layer.weight)
    image = torch.zeros(1, 1, 97, 97, requires_grad=True)
    maps = stack(image)
    maps[0, 0, maps.shape[2] // 2, maps.shape[3] // 2].backward()
    return int((image.grad[0, 0].abs().sum(0) > 0).sum())


@checker
def check_inside(answer: Callable) -> Verdict:
    """Exercise 3: a square around a point, kept inside the image.

    Args:
        answer: function of ``x``, ``y`` (the middle, in pixels), ``side``, ``height`` and
            ``width`` that returns the upper left corner ``(x0, y0)`` as whole numbers.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_inside(corner).")
    height, width = 60, 100
    for side in (20, 21):
        half = side // 2
        for x, y in ((50, 30), (0, 0), (99, 59), (3, 30), (50, 58), (97, 2)):
            point = torch.tensor([[[float(x), float(y)]]])
            x0, y0 = crop_boxes(point, side, (height, width))[0, 0, :2].tolist()
            low_x, low_y = x - half, y - half
            given = torch.as_tensor(answer(x, y, side, height, width))
            if given.shape != (2,):
                return no(f"Return two numbers, x0 and y0; yours has shape {tuple(given.shape)}.")
            where = f"for a side of {side} round ({x}, {y})"
            if (given != given.round()).any():
                return no(
                    f"Return whole numbers; yours are {given.tolist()} {where}. Half of an odd "
                    "side is not one: round it down."
                )
            if given[0] < 0 or given[1] < 0:
                return no(f"Your square begins left of or above the image {where}.")
            if given[0] + side > width or given[1] + side > height:
                return no(
                    f"Your square ends beyond the image {where}: its last pixel is at x0 + side - "
                    "1, and that must be below the width."
                )
            # an even side has no middle pixel: both ways of rounding are right
            if (given - torch.tensor([x0, y0])).abs().max() > (side % 2 == 0):
                if given.tolist() == [min(max(low_y, 0), height - side), low_x]:
                    return no("x and y are mixed up: x runs along the width.")
                if (x0, y0) == (low_x, low_y):
                    return no(
                        f"{where[0].upper()}{where[1:]} no border is near and the point should be "
                        f"in the middle: the corner at ({x0}, {y0}), yours is at "
                        f"({int(given[0])}, {int(given[1])}). Move the square only as far as it "
                        "must."
                    )
                return no(
                    f"{where[0].upper()}{where[1:]} the corner should be at ({x0}, {y0}), yours is "
                    f"at ({int(given[0])}, {int(given[1])}): move the square only as far as it "
                    "must."
                )
    return yes("The squares touch the border and never leave; elsewhere the point is the middle.")


@checker
def check_coverage(answer: Callable) -> Verdict:
    """Exercise 4: the share of a true region that lies inside a square.

    Args:
        answer: function of ``truth (N, h, w)`` bool, ``boxes (N, 4)`` xyxy in pixels that lie on
            the borders of cells, and ``cell``, pixels to a cell, that returns ``(N,)`` shares.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_coverage(coverage).")
    generator = torch.Generator().manual_seed(0)
    cell, h, w = 4, 12, 15
    truth = torch.zeros(12, h, w, dtype=torch.bool)
    for k in range(12):
        top, left = (int(torch.randint(n - 5, (), generator=generator)) for n in (h, w))
        truth[k, top : top + 5, left : left + 4] = True
    truth &= torch.rand(truth.shape, generator=generator) < 0.8
    corner = torch.stack(
        [torch.randint(n - 6, (12,), generator=generator) for n in (w, h)], dim=1
    )  # (N, 2) cells
    boxes = cell * torch.cat([corner, corner + 6], dim=1)
    right = inside_boxes(boxes[:, None], truth[:, None], (cell * h, cell * w))[:, 0]
    slips = {
        "That is the share of the square that the region fills. Divide by the area of the region, "
        "not by that of the square.": right * truth.sum((1, 2)) / 36,
        "That is an intersection over union. A large square would be punished for being large, "
        "and here only what of the region is missing counts.": _iou(right, truth),
        "Boxes are x0, y0, x1, y1: columns first. You take rows from x.": inside_boxes(
            boxes[:, None][..., [1, 0, 3, 2]], truth[:, None], (cell * h, cell * w)
        )[:, 0],
        "That is one number for all faces. Return one for each.": right.mean(),
        "Boxes are in pixels, the regions' grid has cells of `cell` pixels.": _as_cells(
            boxes, truth
        ),
    }
    same = compare(
        answer(truth.clone(), boxes.clone(), cell), right, what="the share", tolerance=1e-5,
        slips=slips,
    )  # fmt: skip
    return same and yes("Equal to the library's, which also takes squares that cut through cells.")


def _iou(share: Tensor, truth: Tensor) -> Tensor:
    area = truth.sum((1, 2))
    return share * area / (36 + area - share * area)


def _as_cells(boxes: Tensor, truth: Tensor) -> Tensor:
    """What comes out when pixels are taken for cells."""
    counts = [
        mask[y0:y1, x0:x1].sum()
        for mask, (x0, y0, x1, y1) in zip(truth, boxes.tolist(), strict=True)
    ]
    return torch.stack(counts) / truth.sum((1, 2))
