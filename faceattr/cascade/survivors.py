"""What any three thresholds let pass, from one search with low ones.

Which windows S_Net proposes is cut only by its own threshold; what M_Net and L_Net say of a window
does not depend on the other windows. So all proposals of a low threshold are looked at by all three
networks once, and thresholds and suppression are applied afterwards, as often as wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from faceattr.cascade.detector import OVERLAP, Candidates, Cascade
from faceattr.cascade.scores import match
from faceattr.cascade.thresholds import KEPT, LOWEST
from faceattr.data.convert import PictureLike
from faceattr.errors import DataError
from faceattr.models.mcfa import NETS


@dataclass(frozen=True)
class Passed:
    """What passes at three thresholds.

    Attributes:
        thresholds: of S_Net, M_Net and L_Net.
        rows: network to the windows that passed it, rows of :class:`Survivors`, the surest first.
        face: which true face each window that passed L_Net is, -1 for a false alarm; faces are
            counted through all pictures.
        recall: the share of true faces that each stage leaves: after S_Net and M_Net those that
            some box overlaps by :data:`~faceattr.cascade.thresholds.KEPT`, after L_Net those that
            are matched (:func:`~faceattr.cascade.scores.match`). NaN without any true face.
        precision: share of L_Net's boxes that are faces; NaN where there is no box.
    """

    thresholds: tuple[float, float, float]
    rows: dict[str, Tensor]
    face: Tensor
    recall: tuple[float, float, float]
    precision: float


@dataclass
class Survivors:
    """All N windows that S_Net proposes in some pictures, as the three networks see them.

    Attributes:
        boxes: network to the ``(N, 4)`` boxes xyxy that it makes of the windows, in pixels.
        scores: network to the ``(N,)`` probabilities of a face.
        image: ``(N,)`` in which picture.
        truth: of each picture its true boxes ``(T, 4)``.
        face: ``(N,)`` the true face that S_Net's box overlaps most, counted through all pictures;
            -1 where none by :data:`~faceattr.cascade.thresholds.KEPT`.
        looked: how many windows S_Net looked at in each picture.
        most: windows of a picture that go on after each stage.
        lowest: S_Net's threshold in the search: no lower one can be asked for.
    """

    boxes: dict[str, Tensor]
    scores: dict[str, Tensor]
    image: Tensor
    truth: list[Tensor]
    face: Tensor
    looked: list[int]
    most: int
    lowest: float = LOWEST
    _near: dict[str, tuple[Tensor, Tensor]] = field(init=False, repr=False)
    _first: list[int] = field(init=False, repr=False)

    def __post_init__(self):
        counts = torch.tensor([0, *(len(boxes) for boxes in self.truth)])
        self._first = counts.cumsum(0).tolist()
        self._near = {
            net: self._pairs(self.boxes[net], overlap)
            for net, overlap in zip(NETS, KEPT, strict=True)
        }

    def __len__(self) -> int:
        return len(self.image)

    @property
    def faces(self) -> int:
        """How many true faces there are in all pictures."""
        return self._first[-1]

    def at(self, thresholds: Sequence[float]) -> Passed:
        """What the cascade would let pass at these thresholds; no network runs.

        The same boxes as :class:`~faceattr.cascade.detector.Cascade` gives. A score that is equal
        to a threshold, or two that are equal, to within rounding may fall to the other side: the
        networks see windows in other batches there.

        Raises:
            DataError: not three probabilities, or S_Net's is below that of the search.
        """
        if len(thresholds) != 3 or not all(0 <= t <= 1 for t in thresholds):
            raise DataError(f"thresholds={tuple(thresholds)}: give three probabilities")
        if thresholds[0] < self.lowest:
            raise DataError(
                f"S_Net's threshold {thresholds[0]:g}: the search went down to {self.lowest:g}"
            )
        left, rows = torch.arange(len(self)), {}
        for stage, net in enumerate(NETS):
            left = left[self.scores[net][left] >= thresholds[stage]]
            left = self._surest(left, net, stage)
            rows[net] = left
        face = self._match(left)
        reached = [self._recall(rows[net], net) for net in NETS[:2]]
        hits = int((face >= 0).sum())
        return Passed(
            tuple(float(t) for t in thresholds),
            rows,
            face,
            (*reached, hits / self.faces if self.faces else float("nan")),
            hits / len(face) if len(face) else float("nan"),
        )

    def of(self, rows: Tensor, picture: int) -> Tensor:
        """Those of some rows that are in one picture."""
        return rows[self.image[rows] == picture]

    def missed(self, passed: Passed, picture: int) -> Tensor:
        """``(n, 4)`` true boxes of a picture that L_Net did not find."""
        found = set(passed.face.tolist())
        first = self._first[picture]
        lost = [k for k in range(len(self.truth[picture])) if first + k not in found]
        return self.truth[picture][lost]

    def _surest(self, rows: Tensor, net: str, stage: int) -> Tensor:
        """Of windows on one face the surest, as the cascade has it; at most ``most`` a picture."""
        boxes = self.boxes[net][rows]
        wide = (boxes[:, 2:] - boxes[:, :2] > 1).all(1)
        rows, boxes = rows[wide], boxes[wide]
        image = self.image[rows]
        kept = batched_nms(boxes, self.scores[net][rows], image, OVERLAP[stage])
        rows, image = rows[kept], image[kept]
        place = torch.zeros_like(rows)
        for k in image.unique():
            place[image == k] = torch.arange(int((image == k).sum()))
        return rows[place < self.most]

    def _pairs(self, boxes: Tensor, overlap: float) -> tuple[Tensor, Tensor]:
        """Windows and true faces that overlap by so much: rows and faces of each pair."""
        rows, faces = [torch.zeros(0).long()], [torch.zeros(0).long()]
        for k, truth in enumerate(self.truth):
            mine = (self.image == k).nonzero()[:, 0]
            if len(mine) and len(truth):
                near = (box_iou(boxes[mine], truth.float()) >= overlap).nonzero()
                rows.append(mine[near[:, 0]])
                faces.append(near[:, 1] + self._first[k])
        return torch.cat(rows), torch.cat(faces)

    def _recall(self, rows: Tensor, net: str) -> float:
        if not self.faces:
            return float("nan")
        near, faces = self._near[net]
        kept = torch.zeros(len(self), dtype=torch.bool)
        kept[rows] = True
        return len(faces[kept[near]].unique()) / self.faces

    def _match(self, rows: Tensor) -> Tensor:
        """The true face of each of L_Net's windows, -1 for a false alarm."""
        face = torch.full((len(rows),), -1)
        image = self.image[rows]
        for k in image.unique().tolist():
            mine = image == k
            own = rows[mine]
            found = match(self.boxes["L"][own], self.scores["L"][own], self.truth[k])
            face[mine] = torch.where(found >= 0, found + self._first[k], found)
        return face


class _Whole(Cascade):
    """A cascade whose second and third stages drop nothing."""

    def __init__(self, cascade: Cascade):
        vars(self).update(vars(cascade))
        self.thresholds = (LOWEST,) * 3

    def _rows(self, candidates: Candidates, stage: int) -> Tensor:
        if stage == 0:
            return super()._rows(candidates, stage)
        return torch.arange(len(candidates.boxes), device=self.device)


@torch.inference_mode()
def survivors(
    cascade: Cascade,
    pictures: Sequence[PictureLike],
    truth: Sequence[Tensor],
    *,
    group: int = 16,
) -> Survivors:
    """Search pictures once with a low threshold, so that any higher ones can be tried at once.

    All that S_Net lets pass at :data:`~faceattr.cascade.thresholds.LOWEST` is looked at by M_Net
    and, wherever M_Net moves it, by L_Net. S_Net's suppression is done here once and for all: a
    window below a threshold never suppresses one above it. The cascade's own thresholds are left
    alone.

    Args:
        cascade: of a trained network.
        pictures: to search. truth: boxes ``(T, 4)`` of all faces in each.
        group: pictures searched at a time.

    Raises:
        DataError: no picture, or not as many pictures as true boxes.
        ImageError: a picture cannot be read.
        CheckpointError: the network's answers are not finite.
    """
    if not len(pictures) or len(pictures) != len(truth):
        raise DataError(f"{len(pictures)} pictures, true boxes of {len(truth)}: give both of each")
    whole = _Whole(cascade)
    parts: dict[str, list[Candidates]] = {net: [] for net in NETS}
    looked: list[int] = []
    with torch.autocast(cascade.device.type, enabled=False):
        for start in range(0, len(pictures), group):
            pixels = [whole.pixels(one) for one in pictures[start : start + group]]
            found, seen = whole.propose(pixels)
            looked += seen.tolist()
            for depth, net in enumerate(NETS, start=1):
                if depth > 1:
                    found, _, _ = whole.look(pixels, found, depth)
                image = found.image.cpu() + start
                parts[net].append(Candidates(found.boxes.cpu(), found.scores.cpu(), image))
    boxes = {net: torch.cat([part.boxes for part in of]) for net, of in parts.items()}
    scores = {net: torch.cat([part.scores for part in of]) for net, of in parts.items()}
    image = torch.cat([part.image for part in parts[NETS[0]]])
    true = [torch.as_tensor(one).float().view(-1, 4).cpu() for one in truth]
    face = _nearest(boxes[NETS[0]], image, true)
    return Survivors(boxes, scores, image, true, face, looked, cascade.most)


def _nearest(boxes: Tensor, image: Tensor, truth: Sequence[Tensor]) -> Tensor:
    """``(N,)`` the true face that each box overlaps most, -1 where too little."""
    face, first = torch.full((len(boxes),), -1), 0
    for k, true in enumerate(truth):
        mine = image == k
        if len(true) and mine.any():
            overlap, best = box_iou(boxes[mine], true).max(1)
            face[mine] = torch.where(overlap >= KEPT[0], best + first, -1)
        first += len(true)
    return face
