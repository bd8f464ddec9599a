"""From a photo to attributes: find the face, cut it as the network's training data were cut, score.

A network knows only faces framed like those it was trained on; a checkpoint therefore records its
framing (see :class:`~faceattr.data.faces.FaceDataset`), and :class:`Predictor` repeats it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from faceattr.attributes import ATTRIBUTES
from faceattr.checkpoint import input_of, load_checkpoint
from faceattr.data.align import WILD_MARGIN, align, crop_box
from faceattr.data.detect import Detections, find_faces, read_image
from faceattr.device import resolve
from faceattr.errors import CheckpointError, DataError
from faceattr.localization import heatmaps
from faceattr.models.base import FaceModel


@dataclass
class FacePrediction:
    """One face of one photo.

    Attributes:
        file: where the photo came from, if from a file.
        box: ``(4,)`` face box ``x0, y0, x1, y1`` in pixels of the photo.
        score: the detector's confidence in [0, 1]; 1 where no detector was asked.
        probabilities: ``(M,)`` in [0, 1], one per attribute.
        crop: ``(3, H, W)`` float in [0, 1], what the network saw.
        names: the ``M`` attribute names.
    """

    file: str | None
    box: Tensor
    score: float
    probabilities: Tensor
    crop: Tensor
    names: tuple[str, ...] = ATTRIBUTES

    def to_dict(self) -> dict:
        """A JSON-able summary, without pixels."""
        return {
            "file": self.file,
            "box": [round(value, 1) for value in self.box.tolist()],
            "score": round(self.score, 4),
            "attributes": {
                name: round(p, 4)
                for name, p in zip(self.names, self.probabilities.tolist(), strict=True)
            },
        }


class Predictor:
    """A network, and how photos are cut for it.

    Args:
        model: any :class:`~faceattr.models.base.FaceModel`.
        size: height and width of its input in pixels.
        framing: ``aligned``, ``wild`` or ``whole``, as its training data were framed.
        names: its ``M`` attribute names.
        device: where it runs.
    """

    def __init__(
        self,
        model: FaceModel,
        *,
        size: tuple[int, int],
        framing: str = "whole",
        names: tuple[str, ...] = ATTRIBUTES,
        device: str | torch.device = "auto",
    ):
        self.device = resolve(device)
        self.model = model.to(self.device).eval()
        self.size, self.framing, self.names = tuple(size), framing, tuple(names)

    @classmethod
    def load(cls, checkpoint: str | Path, *, device: str | torch.device = "auto") -> Predictor:
        """Build one from a checkpoint file, folder or shipped name such as ``snet3-celeba``."""
        model, metadata = load_checkpoint(checkpoint)
        size, names = input_of(checkpoint, metadata)
        framing = metadata.get("framing") or "whole"
        return cls(model, size=size, framing=framing, names=names, device=device)

    def __call__(
        self, photo: str | Path | Image.Image, *, find: bool = True
    ) -> list[FacePrediction]:
        """Score every face of a photo, the largest first.

        Args:
            photo: a file or a PIL image of any mode.
            find: look for faces; False says that the photo already is one face, framed as the
                network expects. Networks with framing ``whole`` never look.

        Raises:
            ImageError: the file cannot be read.
            DataError: no face was found.
            CheckpointError: the network's answer is not finite.
            MissingDependencyError: the face detector is not installed.
        """
        file = str(photo) if isinstance(photo, str | Path) else None
        image = read_image(photo)
        if not find or self.framing == "whole":
            crops, boxes, scores = self._whole(image)
        else:
            found = find_faces(image)
            if len(found.boxes) == 0:
                raise DataError(
                    f"no face found in {file or 'the image'}: try a larger or more frontal face, "
                    "or, if it is a face crop already, --no-find (find=False)"
                )
            crops, boxes, scores = self._cut(image, found)
        with torch.no_grad():
            probabilities = self.model(crops.to(self.device)).logits.sigmoid().cpu()  # (K, M)
        if not probabilities.isfinite().all():
            raise CheckpointError(
                f"the {type(self.model).__name__} answers NaN for {file or 'the image'}: its "
                "weights are not finite; take another checkpoint, or train again at a lower rate"
            )
        return [
            FacePrediction(file, box, float(score), p, crop, self.names)
            for box, score, p, crop in zip(boxes, scores, probabilities, crops, strict=True)
        ]

    def heatmap(self, face: FacePrediction, attribute: int) -> Tensor:
        """``(h, w)`` class activation map of attribute ``j`` on the crop of a face."""
        with torch.no_grad():
            maps = heatmaps(self.model, face.crop[None].to(self.device))  # (1, M, h, w)
        return maps[0, attribute].cpu()

    def _whole(self, image: Image.Image) -> tuple[Tensor, Tensor, Tensor]:
        crop = F.to_dtype(F.to_image(image), torch.float32, scale=True)  # (3, H, W)
        crop = F.resize(crop, list(self.size), antialias=True).clamp(0, 1)
        box = torch.tensor([[0.0, 0.0, image.width, image.height]])
        return crop[None].as_subclass(Tensor), box, torch.ones(1)

    def _cut(self, image: Image.Image, found: Detections) -> tuple[Tensor, Tensor, Tensor]:
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        order = sides.prod(1).argsort(descending=True)
        cut: Callable[[int], Image.Image]
        if self.framing == "aligned":
            cut = lambda k: align(image, found.landmarks[k], self.size)  # noqa: E731
        else:
            cut = lambda k: crop_box(image, found.boxes[k], self.size, WILD_MARGIN)[0]  # noqa: E731
        crops = [F.to_dtype(F.to_image(cut(int(k))), torch.float32, scale=True) for k in order]
        return torch.stack(crops).as_subclass(Tensor), found.boxes[order], found.scores[order]
