"""The cascade at test time (MCFA, section II-A): S_Net over a picture, then M_Net, then L_Net.

Each stage scores windows, drops those below its threshold, moves the others to where it sees the
face (box refinement), and of windows on one face keeps the surest (non-maximum suppression).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from faceattr.attributes import ATTRIBUTES
from faceattr.cascade.folded import Folded
from faceattr.cascade.found import Candidates, FoundFaces
from faceattr.cascade.resampling import windows_of
from faceattr.cascade.sheets import Laid, lay_out, paint, pieces, scales
from faceattr.checkpoint import find_checkpoint, load_checkpoint
from faceattr.data.convert import PictureLike, read_image
from faceattr.data.windows import from_window, halves, window_round
from faceattr.device import resolve
from faceattr.errors import CheckpointError, DataError
from faceattr.models.mcfa import MCFA, NETS, corners

#: The file beside a checkpoint that holds thresholds.
SETTINGS = "cascade.json"
#: Intersection over union above which the less sure of two windows is dropped, stage by stage.
OVERLAP = (0.6, 0.6, 0.4)
#: Windows of a picture that suppression compares with each other, the surest: its time grows with
#: their square, and with low thresholds a large picture has a million.
COMPARED = 10_000
#: The smallest face searched for by default: in pixels, and as a share of the longer side.
MIN_FACE, MIN_SHARE = 20.0, 1 / 32


class Cascade:
    """Finds faces, their landmarks and attributes in pictures of any size.

    Args:
        model: a trained MCFA that detects (tasks with ``detection``).
        thresholds: least probability of a face, for S_Net, M_Net and L_Net.
        names: its M attributes.
        min_face: smallest face in pixels (longer side of its box); by default 20, or 1/32 of a
            picture's longer side where that is more.
        factor: of each level of the pyramid to the one before.
        most: windows of a picture that go on after each stage, the surest.
        batch: windows that go through M_Net or L_Net at once.
        tile: greatest side of a sheet in pixels, which bounds the memory.
        device: where it runs.

    Raises:
        DataError: the network does not detect, or a setting is out of its range.
    """

    def __init__(
        self,
        model: MCFA,
        thresholds: Sequence[float] = (0.5, 0.5, 0.5),
        *,
        names: Sequence[str] | None = None,
        min_face: float | None = None,
        factor: float = 0.709,
        most: int = 500,
        batch: int = 256,
        tile: int = 640,
        device: str | torch.device = "auto",
    ):
        if "detection" not in model.config["tasks"]:
            raise DataError(
                "this MCFA was not trained to detect faces (MCFA_FAC, MCFA_FLL_FAC): train mcfa or "
                "mcfa-fd-fac, or cut the faces out with another detector"
            )
        if len(thresholds) != 3 or not all(0 <= t <= 1 for t in thresholds):
            raise DataError(f"thresholds={tuple(thresholds)}: give three probabilities")
        if min(most, batch) < 1 or tile < 2 * model.sides[0]:
            raise DataError(
                f"most={most}, batch={batch}, tile={tile}: at least 1, 1 and {2 * model.sides[0]}"
            )
        self.device = resolve(device)
        self.model = model.to(self.device).eval()
        self.nets = Folded(self.model)  # as it is now: not trained on
        count = model.config["num_attributes"]
        if names is None:
            names = (
                ATTRIBUTES if count == len(ATTRIBUTES) else [f"attribute {j}" for j in range(count)]
            )
        if len(names) != count:
            raise DataError(f"{len(names)} names for {count} attributes: give one for each")
        self.names = tuple(names)
        self.thresholds, self.min_face, self.factor = tuple(thresholds), min_face, factor
        self.most, self.batch, self.tile = most, batch, tile
        scales((32, 32), model.sides[0], min_face or MIN_FACE, model.config["frame"], factor)

    @classmethod
    def load(cls, checkpoint: str | Path, **how) -> Cascade:
        """From a checkpoint file, folder or shipped name, with the thresholds chosen for it.

        They are in its record, under ``cascade``, or in ``cascade.json`` beside it; 0.5 each where
        there are none.

        Raises:
            CheckpointError: it holds no MCFA, or ``cascade.json`` is torn. DataError: as above.
        """
        model, header = load_checkpoint(checkpoint, expect=MCFA)
        file = find_checkpoint(checkpoint).with_name(SETTINGS)
        chosen = (header.get("record") or {}).get("cascade")
        if "thresholds" not in how and (chosen is not None or file.is_file()):
            try:
                chosen = json.loads(file.read_text()) if chosen is None else chosen
                how["thresholds"] = [float(t) for t in chosen["thresholds"]]
                if len(how["thresholds"]) != 3 or not all(0 <= t <= 1 for t in how["thresholds"]):
                    raise ValueError("thresholds are three probabilities")
            except (ValueError, KeyError, TypeError) as error:
                raise CheckpointError(
                    f"{file} is torn ({error}): delete it, or choose thresholds again"
                ) from error
        return cls(model, names=header["attributes"], **how)

    def __call__(self, image: PictureLike | Sequence[PictureLike]) -> FoundFaces | list[FoundFaces]:
        """Find the faces of a picture, or of each of several.

        Args:
            image: as :func:`~faceattr.data.convert.read_image` takes it, of any size, grey or with
                transparency; a list of them, or a batch ``(B, 3, H, W)``, gives a list.

        Raises:
            ImageError: a picture cannot be read.
            CheckpointError: the network's answers are not finite.
        """
        several = isinstance(image, (list, tuple)) or getattr(image, "ndim", 0) == 4
        found = self.run([self.pixels(one) for one in (image if several else [image])])
        return found if several else found[0]

    def pixels(self, image: PictureLike) -> list[Tensor]:
        """A picture, uint8 ``(3, H, W)`` on the device, and its halves."""
        return halves(_pixels(image).to(self.device))

    @torch.inference_mode()
    def run(self, pictures: list[list[Tensor]]) -> list[FoundFaces]:
        """As a call, on what :meth:`pixels` made of pictures."""
        with torch.autocast(self.device.type, enabled=False):
            found, seen = self.propose(pictures)
            stages, windows = {"S": found}, {"S": seen}
            for depth in (2, 3):
                windows[NETS[depth - 1]] = found.image.bincount(minlength=len(pictures))
                found, landmarks, probabilities = self.look(pictures, found, depth)
                stages[NETS[depth - 1]] = found
        results = []
        for k in range(len(pictures)):
            mine = found.image == k
            results.append(
                FoundFaces(
                    found.boxes[mine].cpu(),
                    found.scores[mine].cpu(),
                    None if landmarks is None else landmarks[mine].cpu(),
                    probabilities[mine].cpu(),
                    self.names,
                    {
                        net: (one.boxes[one.image == k].cpu(), one.scores[one.image == k].cpu())
                        for net, one in stages.items()
                    },
                    {net: int(count[k]) for net, count in windows.items()},
                )
            )
        return results

    def propose(self, pictures: list[list[Tensor]]) -> tuple[Candidates, Tensor]:
        """The first stage: boxes that S_Net lets pass, and its windows in each picture."""
        net, frame = self.nets, self.model.config["frame"]
        parts = []
        for k, picture in enumerate(pictures):
            size = tuple(picture[0].shape[-2:])
            least = self.min_face or max(MIN_FACE, MIN_SHARE * max(size))
            levels = scales(size, net.side, least, frame, self.factor)
            tile = self.tile // net.stride * net.stride
            parts += pieces(k, size, levels, net.side, net.stride, tile)
        laid, sheets = lay_out(parts, net.stride, self.tile)
        found, seen = [], torch.zeros(len(pictures), dtype=torch.int64)
        for number, size in enumerate(sheets):
            mine = [one for one in laid if one.sheet == number]
            found.append(self._slide(paint(mine, size, pictures), mine))
            for one in mine:
                seen[one.piece.image] += net.positions(one.piece.height) * net.positions(
                    one.piece.width
                )
        if not found:
            nothing = torch.zeros(0, device=self.device)
            return Candidates(nothing.view(0, 4), nothing, nothing.long()), seen
        every = Candidates(
            *(torch.cat([getattr(f, n) for f in found]) for n in ("boxes", "scores", "image"))
        )
        return self._keep(every, 0), seen

    def _slide(self, sheet: Tensor, laid: list[Laid]) -> Candidates:
        """Boxes on one sheet ``(3, H, W)`` that pass the first threshold."""
        net = self.nets
        shared, scores = net.slide(sheet)
        scores = scores.sigmoid()  # (h, w)
        self._check(scores)
        parts: dict[str, list[Tensor]] = {"boxes": [], "scores": [], "image": []}
        for one in laid:
            piece, row, column = one.piece, one.y // net.stride, one.x // net.stride
            high, wide = net.positions(piece.height), net.positions(piece.width)
            mine = scores[row : row + high, column : column + wide]
            y, x = (mine >= self.thresholds[0]).nonzero().unbind(1)
            passed = shared[0, :, row + y, column + x].T  # (n, C)
            share = corners(net.boxes(passed))  # (n, 4) of the window
            corner = torch.stack([x, y], 1) * net.stride  # (n, 2) in pixels of the piece
            corner = corner + torch.tensor([piece.x, piece.y], device=self.device)
            parts["boxes"].append((corner.repeat(1, 2) + share * net.side) / piece.scale)
            parts["scores"].append(mine[y, x])
            parts["image"].append(torch.full_like(x, piece.image))
        return Candidates(**{name: torch.cat(values) for name, values in parts.items()})

    def look(
        self, pictures: list[list[Tensor]], candidates: Candidates, depth: int
    ) -> tuple[Candidates, Tensor | None, Tensor | None]:
        """The second or third stage on windows round boxes.

        Returns:
            What passes; of the third stage its landmarks in pixels of the picture (None if the
            network was not trained for them) and probabilities, None and None of the second.
        """
        model, side = self.model, self.model.sides[depth - 1]
        windows = window_round(candidates.boxes, model.config["frame"])
        found = Candidates(candidates.boxes.clone(), candidates.scores.clone(), candidates.image)
        count, last = len(windows), depth == len(NETS)
        points = torch.zeros(count, 5, 2, device=self.device)
        logits = torch.zeros(count, model.config["num_attributes"], device=self.device)
        landmarks = last and "landmarks" in model.config["tasks"]
        only = ("face", "box", "landmarks", "attributes") if last else ("face", "box")
        for rows in torch.arange(count, device=self.device).split(self.batch):
            crops = torch.empty(len(rows), 3, side, side, device=self.device)
            crops = crops.contiguous(memory_format=torch.channels_last)
            for k in candidates.image[rows].unique().tolist():
                mine = (candidates.image[rows] == k).nonzero()[:, 0]
                crops[mine] = windows_of(pictures[k], windows[rows[mine]], side)
            raw = self.nets.look(crops, depth, only)
            places = (corners(raw["box"].float()) * side).view(-1, 2, 2)
            found.boxes[rows] = from_window(places, windows[rows], side).flatten(1)
            found.scores[rows] = raw["face"][:, 0].float().sigmoid()
            if last:
                logits[rows] = raw["attributes"].float()
            if landmarks:
                places = raw["landmarks"].float().unflatten(1, (5, 2)) * side
                points[rows] = from_window(places, windows[rows], side)
        self._check(found.scores)
        kept = self._rows(found, depth - 1)
        if not last:
            return found[kept], None, None
        return found[kept], points[kept] if landmarks else None, logits[kept].sigmoid()

    def _keep(self, candidates: Candidates, stage: int) -> Candidates:
        return candidates[self._rows(candidates, stage)]

    def _rows(self, candidates: Candidates, stage: int) -> Tensor:
        """Rows above the threshold, of some area, the surest of each face, the surest first."""
        sides = candidates.boxes[:, 2:] - candidates.boxes[:, :2]
        good = (candidates.scores >= self.thresholds[stage]) & (sides > 1).all(1)
        rows = good.nonzero()[:, 0]
        if len(rows) > COMPARED:
            rows = rows[candidates.scores[rows].argsort(descending=True, stable=True)]
            rows = rows[_place(candidates.image[rows]) < COMPARED]
        some = candidates[rows]
        rows = rows[batched_nms(some.boxes, some.scores, some.image, OVERLAP[stage])]
        return rows[_place(candidates.image[rows]) < self.most]

    def _check(self, scores: Tensor) -> None:
        if not bool(scores.isfinite().all()):
            raise CheckpointError(
                "the network answers NaN: its weights are not finite; take another checkpoint, or "
                "train again at a lower rate"
            )


def _place(image: Tensor) -> Tensor:
    """The place of each row ``(n,)`` among the rows of its picture, from 0."""
    order = image.argsort(stable=True)
    count = image.bincount()
    place = torch.empty_like(image)
    first = (count.cumsum(0) - count)[image[order]]
    place[order] = torch.arange(len(image), device=image.device) - first
    return place


def _pixels(image: PictureLike) -> Tensor:
    """uint8 ``(3, H, W)`` of any kind of picture."""
    plain = isinstance(image, Tensor) and image.dtype == torch.uint8 and image.ndim == 3
    if plain and len(image) == 3 and image.numel():
        return image
    pixels = np.asarray(read_image(image))  # (H, W, 3)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous()
