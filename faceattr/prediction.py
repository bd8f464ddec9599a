"""From a photo to attributes: find the face, cut it as the network's training data were cut, score.

A network knows only faces framed like those it was trained on; a checkpoint therefore records its
framing (see :class:`~faceattr.data.faces.FaceDataset`), and :class:`Predictor` repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from faceattr.attributes import ATTRIBUTES
from faceattr.checkpoint import input_of, load_checkpoint
from faceattr.data.align import (
    WILD_MARGIN,
    align,
    canonical_landmarks,
    crop_box,
    invert,
    similarity,
    transform_boxes,
)
from faceattr.data.detect import Detections, find_faces, read_image
from faceattr.device import resolve
from faceattr.errors import CheckpointError, DataError
from faceattr.localization import attribute_regions, heatmaps
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
        affine: ``(2, 3)`` from pixels of the photo to pixels of the crop.
        regions: ``(M, 4)`` boxes ``x0, y0, x1, y1`` in pixels of the photo, where the network
            looks for each attribute; only where they were asked for.
    """

    file: str | None
    box: Tensor
    score: float
    probabilities: Tensor
    crop: Tensor
    names: tuple[str, ...] = ATTRIBUTES
    affine: np.ndarray | None = None
    regions: Tensor | None = None

    def to_dict(self) -> dict:
        """A JSON-able summary, without pixels."""
        found = {
            "file": self.file,
            "box": [round(value, 1) for value in self.box.tolist()],
            "score": round(self.score, 4),
            "attributes": {
                name: round(p, 4)
                for name, p in zip(self.names, self.probabilities.tolist(), strict=True)
            },
        }
        if self.regions is not None:
            boxes = [[round(value, 1) for value in box] for box in self.regions.tolist()]
            found["regions"] = dict(zip(self.names, boxes, strict=True))
        return found


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
        self, photo: str | Path | Image.Image, *, find: bool = True, regions: bool = False
    ) -> list[FacePrediction]:
        """Score every face of a photo, the largest first.

        Args:
            photo: a file or a PIL image of any mode.
            find: look for faces; False says that the photo already is one face, framed as the
                network expects. Networks with framing ``whole`` never look.
            regions: say for each attribute where the network looks for it.

        Raises:
            MapError: the network has no regions, and they were asked for.
            ImageError: the file cannot be read.
            DataError: no face was found.
            CheckpointError: the network's answer is not finite.
            MissingDependencyError: the face detector is not installed.
        """
        file = str(photo) if isinstance(photo, str | Path) else None
        image = read_image(photo)
        if not find or self.framing == "whole":
            crops, boxes, scores, affines = self._whole(image)
        else:
            found = find_faces(image)
            if len(found.boxes) == 0:
                raise DataError(
                    f"no face found in {file or 'the image'}: try a larger or more frontal face, "
                    "or, if it is a face crop already, --no-find (find=False)"
                )
            crops, boxes, scores, affines = self._cut(image, found)
        with torch.no_grad():
            probabilities = self.model(crops.to(self.device)).logits.sigmoid().cpu()  # (K, M)
        if not probabilities.isfinite().all():
            raise CheckpointError(
                f"the {type(self.model).__name__} answers NaN for {file or 'the image'}: its "
                "weights are not finite; take another checkpoint, or train again at a lower rate"
            )
        faces = [
            FacePrediction(file, box, float(score), p, crop, self.names, affine)
            for box, score, p, crop, affine in zip(
                boxes, scores, probabilities, crops, affines, strict=True
            )
        ]
        for face in faces if regions else ():
            face.regions = self.regions(face)
        return faces

    def heatmap(self, face: FacePrediction, attribute: int) -> Tensor:
        """``(h, w)`` class activation map of attribute ``j`` on the crop of a face."""
        with torch.no_grad():
            maps = heatmaps(self.model, face.crop[None].to(self.device))  # (1, M, h, w)
        return maps[0, attribute].cpu()

    def regions(self, face: FacePrediction) -> Tensor:
        """Where the network looks for each attribute, ``(M, 4)`` xyxy in pixels of the photo.

        See :func:`faceattr.localization.attribute_regions`. A face that was turned upright has its
        squares turned back: the upright boxes round them are returned.

        Raises:
            MapError: the network has no heat maps.
        """
        boxes = attribute_regions(self.model, face.crop[None].to(self.device))[0].cpu().double()
        return transform_boxes(invert(face.affine), boxes).float()  # (M, 4)

    def _whole(self, image: Image.Image) -> tuple[Tensor, Tensor, Tensor, list[np.ndarray]]:
        crop = F.to_dtype(F.to_image(image), torch.float32, scale=True)  # (3, H, W)
        crop = F.resize(crop, list(self.size), antialias=True).clamp(0, 1)
        box = torch.tensor([[0.0, 0.0, image.width, image.height]])
        scale = self.size[1] / image.width, self.size[0] / image.height
        affine = np.array([[scale[0], 0.0, 0.0], [0.0, scale[1], 0.0]])
        return crop[None].as_subclass(Tensor), box, torch.ones(1), [affine]

    def _cut(
        self, image: Image.Image, found: Detections
    ) -> tuple[Tensor, Tensor, Tensor, list[np.ndarray]]:
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        order = sides.prod(1).argsort(descending=True)
        cuts = []
        for k in order.tolist():
            if self.framing == "aligned":
                affine = similarity(found.landmarks[k], canonical_landmarks(self.size))
                cuts.append((align(image, found.landmarks[k], self.size), affine))
            else:
                cuts.append(crop_box(image, found.boxes[k], self.size, WILD_MARGIN))
        crops = [F.to_dtype(F.to_image(crop), torch.float32, scale=True) for crop, _ in cuts]
        affines = [affine for _, affine in cuts]
        stacked = torch.stack(crops).as_subclass(Tensor)
        return stacked, found.boxes[order], found.scores[order], affines
