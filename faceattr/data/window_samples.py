"""MCFA's training samples: windows with a face, near misses, and windows without one.

The paper trains on four kinds of annotations (section III-A): non-faces, which overlap no face by
more than 0.001; faces with their boxes; five landmarks; attributes. In a batch they are told apart
by what is known of a window, and the losses look at nothing else:

=============  =========  ==========  ===========  ==============
kind           is_face    box         landmarks    attributes
=============  =========  ==========  ===========  ==============
non-face       False      NaN         NaN          -1
face           True       known       NaN          -1
landmarks      True       NaN         known        -1
attributes     True       NaN         NaN          known
=============  =========  ==========  ===========  ==============

A window of which all is known is of the last three kinds at once. Table I of the paper counts its
samples so that on CelebA landmarks and attributes share their pictures, and on LFWA no two kinds
do; :func:`apart` separates the kinds as for LFWA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.data.windows import FRAME, box_within, cut_windows, to_window, window_round
from faceattr.errors import DataError

#: A non-face overlaps no face by this much (the paper's).
FAR = 0.001
#: The middle of a near miss overlaps no face by this much (MTCNN's bound for negatives).
NEAR = 0.3
#: How :class:`FaceWindows` cuts faces for reports: exactly, once, and nothing but faces.
EXACT = {"shift": 0.0, "scale": 1.0, "non_faces": 0.0, "border": 0.0}
#: Least share of a near miss that lies inside the picture.
INSIDE = 0.7
#: Draws at a time, and how often, before it is given up.
_DRAWS, _ROUNDS = 64, 8


class FaceWindows(FaceDataset):
    """Windows cut from scenes, ready for ``fit``.

    Args:
        scenes: whole pictures with at most one labelled face each: ``box``, and ``landmarks`` and
            ``attributes`` where known; ``is_face`` False where there is none
            (:class:`~faceattr.data.synthetic.SynthFaces` with ``view="wild"``,
            :class:`~faceattr.data.photographs.Photographs`). An attribute ``others``, ``(N, K, 4)``
            boxes of further faces, NaN where there is none, keeps non-faces away from them; an
            attribute ``extent``, ``(N, 2)`` width and height of the part that is no padding, keeps
            them inside it.
        size: side of the windows in pixels; that of L_Net.
        frame: as :data:`~faceattr.data.windows.FRAME`.
        per_face: windows of each face.
        shift: a face's window is off by up to this share of its side in x and in y.
        scale: and larger or smaller by up to this factor. For reports see :data:`EXACT`.
        non_faces: windows without a face for each window with one.
        near: the share of these that are near misses: windows beside a face, far too large or far
            too small for it. 0 gives the paper's own non-faces alone.
        border: the share of windows, with a face or without, of which up to a quarter is blackened
            from one side, as where a picture ends: faces at the border must be known from half
            of them, and black must not tell a face from none.
        seed: of all draws.

    Attributes:
        windows: ``(N, 4)`` xyxy, where each was cut. scene: ``(N,)`` from which scene.

    Raises:
        DataError: no face, no box, no room for a window without a face; an argument out of range.
    """

    framing = "wild"

    def __init__(
        self,
        scenes: FaceDataset,
        *,
        size: int = 112,
        frame: float = FRAME,
        per_face: int = 1,
        shift: float = 0.12,
        scale: float = 1.25,
        non_faces: float = 1.0,
        near: float = 0.5,
        border: float = 0.1,
        seed: int = 0,
    ):
        _check_numbers(size, frame, per_face, shift, scale, non_faces, near, border)
        boxes, faces = _faces_of(scenes)
        generator = torch.Generator().manual_seed(seed)
        rows = torch.arange(len(faces)).repeat(per_face)
        windows = jittered(window_round(boxes[faces[rows], 0], frame), shift, scale, generator)
        place = faces[rows]
        empty = round(non_faces * len(rows))
        extent = torch.tensor([scenes.size[1], scenes.size[0]]).expand(len(boxes), 2)
        extent = getattr(scenes, "extent", extent).float()
        nothing, where = _non_faces(boxes, extent, empty, near, frame, generator)
        self.windows, self.scene = torch.cat([windows, nothing]), torch.cat([place, where])
        images = _cut_all(scenes, self.windows, self.scene, size)
        _blacken(images, border, generator)
        stored = scenes.faces
        known = replace(stored, images=stored.attributes, regions=None, is_face=None, index=None)
        known = known.map(lambda tensor: tensor[place])  # images are not copied
        made = Faces(
            images=images,
            attributes=_padded(known.attributes, empty, UNKNOWN),
            identity=None if known.identity is None else _padded(known.identity, empty, -1),
            box=_padded(_boxes_in(boxes[place, 0], windows, size), empty, torch.nan),
            is_face=torch.arange(len(images)) < len(rows),
        )
        if known.landmarks is not None:
            points = to_window(known.landmarks, windows, size)
            made.landmarks = _padded(points, empty, torch.nan)
        source = f"{scenes.source}: {len(rows)} windows of faces, {empty} of none, {size} pixels"
        super().__init__(made, names=scenes.names, source=source)


def jittered(windows: Tensor, shift: float, scale: float, generator: torch.Generator) -> Tensor:
    """Windows ``(N, 4)`` moved by up to ``shift`` of their side and scaled by up to ``scale``."""
    count = len(windows)
    power = 2 * torch.rand(count, 1, generator=generator) - 1  # (N, 1), even on a log scale
    move = (2 * torch.rand(count, 2, generator=generator) - 1) * shift
    side = windows[:, 2:3] - windows[:, :1]  # (N, 1)
    centre = (windows[:, :2] + windows[:, 2:]) / 2 + move * side
    half = side / 2 * scale**power
    return torch.cat([centre - half, centre + half], 1)


def apart(data: FaceDataset, tasks: Sequence[str]) -> FaceDataset:
    """The kinds of annotations apart, as Table I counts LFWA: each window once for each kind.

    Args:
        data: windows with all that is known of them.
        tasks: some of ``detection``, ``landmarks``, ``attributes``; other kinds are left out.

    Returns:
        Of N windows with a face: N with attributes alone, N with landmarks alone, N with boxes
        alone, and the windows without a face.
    """
    faces = data.faces
    is_face = _is_face(faces)
    whole = faces[is_face]
    no_box = None if whole.box is None else torch.full_like(whole.box, torch.nan)
    no_points = None if whole.landmarks is None else torch.full_like(whole.landmarks, torch.nan)
    no_labels = torch.full_like(whole.attributes, UNKNOWN)
    parts = [replace(whole, box=no_box, landmarks=no_points)]
    if "landmarks" in tasks:
        parts.append(replace(whole, box=no_box, attributes=no_labels))
    if "detection" in tasks:
        parts.append(replace(whole, landmarks=no_points, attributes=no_labels))
        parts.append(faces[~is_face])
    return _like(data, Faces.cat(parts), "kinds apart")


def for_tasks(data: FaceDataset, tasks: Sequence[str]) -> FaceDataset:
    """The windows that these tasks can learn from: those without a face only for detection."""
    is_face = _is_face(data.faces)
    if "detection" in tasks or bool(is_face.all()):
        return data
    return _like(data, data.faces[is_face], "faces alone")


def _like(data: FaceDataset, faces: Faces, what: str) -> FaceDataset:
    made = FaceDataset(faces, names=data.names, source=f"{data.source}, {what}")
    made.framing = data.framing
    return made


def _is_face(faces: Faces) -> Tensor:
    if faces.is_face is None:
        return torch.ones(len(faces), dtype=torch.bool, device=faces.images.device)
    return faces.is_face


def _check_numbers(size, frame, per_face, shift, scale, non_faces, near, border) -> None:
    checks = {
        "size": (size, size == int(size) and size >= 16, "whole pixels, 16 or more"),
        "frame": (frame, frame >= 1, "1 or more"),
        "per_face": (per_face, per_face == int(per_face) and per_face >= 1, "1 or more"),
        "shift": (shift, 0 <= shift <= 0.5, "a share in [0, 0.5]"),
        "scale": (scale, 1 <= scale <= 4, "a factor in [1, 4]"),
        "non_faces": (non_faces, 0 <= non_faces <= 100, "in [0, 100]"),
        "near": (near, 0 <= near <= 1, "a share in [0, 1]"),
        "border": (border, 0 <= border <= 1, "a share in [0, 1]"),
    }
    for name, (value, good, need) in checks.items():
        if not good:
            raise DataError(f"FaceWindows({name}={value}): must be {need}")


def _faces_of(scenes: FaceDataset) -> tuple[Tensor, Tensor]:
    """Boxes ``(N, 1 + K, 4)`` of all faces, the labelled one first; rows that have a labelled one.

    Raises:
        DataError: no boxes, no attributes, or no face.
    """
    faces = scenes.faces
    if faces.box is None or faces.attributes is None:
        lacks = "boxes" if faces.box is None else "attributes"
        raise DataError(
            f"{scenes.source} has no {lacks}: MCFA learns from whole pictures that say where the "
            "face is and what it wears; take drawn faces with view='wild', or Photographs"
        )
    others = getattr(scenes, "others", None)
    boxes = faces.box[:, None].float()
    boxes = boxes if others is None else torch.cat([boxes, others.float()], 1)  # (N, 1 + K, 4)
    sides = faces.box[:, 2:] - faces.box[:, :2]
    there = (sides > 0).all(1) & _is_face(faces)  # False for NaN
    real = ((boxes[..., 2:] - boxes[..., :2]) > 0).all(-1, keepdim=True)  # False for NaN
    boxes = torch.where(real, boxes, torch.nan)
    rows = there.nonzero()[:, 0]
    if not len(rows):
        raise DataError(f"{scenes.source} shows no face: take scenes with faces to learn from")
    return boxes, rows


def _non_faces(
    boxes: Tensor, extent: Tensor, count: int, near: float, frame: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Windows ``(count, 4)`` and the scene of each, a share ``near`` of them beside faces."""
    with_face = boxes[:, 0].isfinite().all(1).nonzero()[:, 0]
    close = round(near * count)
    found, where = [], []
    for wanted, rows, draw in (
        (close, with_face, _draw_near),
        (count - close, torch.arange(len(boxes)), _draw_far),
    ):
        done = 0
        for _ in range(_ROUNDS):
            missing = wanted - done
            if not missing:
                break
            scene = rows[torch.randint(len(rows), (missing,), generator=generator)]
            windows, good = draw(boxes[scene], extent[scene], frame, generator)  # (n, D, 4), (n, D)
            first = good.float().argmax(1)  # the first good one of each
            some = good.any(1)
            found.append(windows[torch.arange(missing), first][some])
            where.append(scene[some])
            done += int(some.sum())
        if done < wanted:
            raise DataError(
                f"{wanted - done} of {wanted} windows without a face found no room: the faces fill "
                "their pictures; take larger scenes, some without faces, or fewer non_faces"
            )
    if not found:
        return torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    return torch.cat(found), torch.cat(where)


def _draw_far(boxes: Tensor, extent: Tensor, frame: float, generator) -> tuple[Tensor, Tensor]:
    """Windows anywhere that overlap no face by :data:`FAR`: the paper's non-faces."""
    extent = extent[:, None]  # (n, 1, 2)
    longest = extent.amin(-1, keepdim=True)
    side = longest * 0.08 ** torch.rand(len(boxes), _DRAWS, 1, generator=generator)  # 8% to 100%
    corner = torch.rand(len(boxes), _DRAWS, 2, generator=generator) * (extent - side)
    windows = torch.cat([corner, corner + side], -1)  # (n, D, 4)
    return windows, _overlap(windows, boxes) < FAR


def _draw_near(boxes: Tensor, extent: Tensor, frame: float, generator) -> tuple[Tensor, Tensor]:
    """Windows that touch the labelled face and whose middle overlaps no face by :data:`NEAR`."""
    n = len(boxes)
    around = window_round(boxes[:, 0], frame)[:, None].expand(-1, _DRAWS, -1).reshape(-1, 4)
    windows = jittered(around, 1.0, 3.0, generator).view(n, _DRAWS, 4)
    good = _overlap(windows, boxes[:, :1]) > FAR
    good &= _overlap(box_within(windows, frame), boxes) < NEAR
    seen = (windows[..., 2:].minimum(extent[:, None]) - windows[..., :2].clamp(min=0)).clamp(min=0)
    return windows, good & (seen.prod(-1) > INSIDE * (windows[..., 2] - windows[..., 0]) ** 2)


def _overlap(windows: Tensor, boxes: Tensor) -> Tensor:
    """Greatest intersection over union of ``(n, D, 4)`` with ``(n, K, 4)``: ``(n, D)``.

    As ``torchvision.ops.box_iou`` picture by picture, which takes one picture at a time. A box of
    NaN overlaps nothing.
    """
    w, b = windows[:, :, None], boxes[:, None]  # (n, D, 1, 4), (n, 1, K, 4)
    sides = w[..., 2:].minimum(b[..., 2:]) - w[..., :2].maximum(b[..., :2])
    shared = sides.clamp(min=0).prod(-1)  # (n, D, K)
    areas = [(corner[..., 2:] - corner[..., :2]).prod(-1) for corner in (w, b)]
    return (shared / (areas[0] + areas[1] - shared)).nan_to_num().amax(-1)


def _boxes_in(boxes: Tensor, windows: Tensor, size: int) -> Tensor:
    return to_window(boxes.view(-1, 2, 2), windows, size).flatten(1)  # (N, 4)


def _padded(known: Tensor, empty: int, value: float) -> Tensor:
    return torch.cat([known, torch.full((empty, *known.shape[1:]), value, dtype=known.dtype)])


def _cut_all(scenes: FaceDataset, windows: Tensor, scene: Tensor, size: int) -> Tensor:
    """``(N, 3, size, size)`` uint8."""
    images = torch.empty(len(windows), 3, size, size, dtype=torch.uint8)
    order = scene.argsort(stable=True)
    for k, rows in zip(*_groups(scene[order], order), strict=True):
        cut = cut_windows(scenes.faces.images[k], windows[rows], size)
        images[rows] = (cut * 255).round().to(torch.uint8)
    return images


def _blacken(images: Tensor, share: float, generator: torch.Generator) -> None:
    """Black bands on one side of some windows ``(N, 3, S, S)``, in place."""
    size = images.shape[-1]
    some = torch.rand(len(images), generator=generator) < share
    for row in some.nonzero()[:, 0].tolist():
        side, band = torch.rand(2, generator=generator).tolist()
        wide = max(1, int(band * size / 4))
        end = slice(0, wide) if side < 0.5 else slice(size - wide, size)
        if side % 0.5 < 0.25:
            images[row, :, end] = 0
        else:
            images[row, :, :, end] = 0


def _groups(ordered: Tensor, order: Tensor) -> tuple[list[int], list[Tensor]]:
    values, counts = ordered.unique_consecutive(return_counts=True)
    return values.tolist(), list(order.split(counts.tolist()))
