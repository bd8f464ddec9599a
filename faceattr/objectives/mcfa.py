"""MCFA's losses (Zhuang et al., ICPR 2018, Eqs. 1 to 5), summed over its three networks.

Which sample feeds which loss is told by what is known of it (:mod:`faceattr.data.window_samples`):

==============  ===============================================================
faces           windows without a face, and faces whose box is known    (Eq. 1)
boxes           faces whose box is known                                (Eq. 2)
landmarks       faces whose landmarks are known                         (Eq. 3)
attributes      faces of which some attribute is known                  (Eq. 4)
==============  ===============================================================

Eq. 5 sums over all samples; here each loss is the mean over the samples that feed it, so that a
batch with more non-faces does not teach the attributes less. That is a choice. The paper gives the
four losses equal weight, and so do we.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.errors import DataError
from faceattr.models.base import Outputs
from faceattr.models.mcfa import MCFA, NETS, left_top_height_width
from faceattr.models.mcfa_nets import TASKS
from faceattr.objectives.weighting import Weighting, weighting


@dataclass(frozen=True)
class Masks:
    """Which samples of a batch feed which loss, bool ``(B,)`` each; ``attributes`` ``(B, M)``."""

    faces: Tensor
    boxes: Tensor
    landmarks: Tensor
    attributes: Tensor

    @staticmethod
    def of(faces: Faces) -> Masks:
        """From what is known of each window: unknown are NaN, or -1 for an attribute.

        Raises:
            DataError: no field at all tells a face from none, or there are no attributes.
        """
        if faces.attributes is None:
            raise DataError(
                "these windows have no attribute labels to learn from: cut them from labelled "
                "scenes with FaceWindows"
            )
        count, device = len(faces), faces.images.device
        never = torch.zeros(count, dtype=torch.bool, device=device)
        face = is_face(faces)
        boxes = never if faces.box is None else faces.box.isfinite().all(1) & face
        points = never
        if faces.landmarks is not None:
            points = faces.landmarks.isfinite().flatten(1).all(1) & face
        known = (faces.attributes >= 0) & face[:, None]  # (B, M)
        return Masks(~face | boxes, boxes, points, known)


def face_loss(face_logits: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Eq. 1: cross-entropy of face against non-face, mean over the samples of the mask.

    The paper prints the log-likelihood, ``y log p + (1 - y) log(1 - p)``; the loss is its negative.
    """
    each = F.binary_cross_entropy_with_logits(face_logits.float(), truth.float(), reduction="none")
    return _mean(each, mask)


def box_loss(boxes: Tensor, truth: Tensor, mask: Tensor, side: float) -> Tensor:
    """Eq. 2: squared distance of left, top, height and width, in sides of the window.

    Args:
        boxes, truth: ``(B, 4)`` xyxy in pixels; truth may be NaN outside the mask.
        mask: ``(B,)``. side: of the window in pixels.
    """
    ours, theirs = (left_top_height_width(b.float()) / side for b in (boxes, truth))
    theirs = theirs.where(mask[:, None], ours.detach())  # NaN times zero would be NaN
    return _mean((ours - theirs).square().sum(1), mask)


def landmark_loss(landmarks: Tensor, truth: Tensor, mask: Tensor, side: float) -> Tensor:
    """Eq. 3: squared distance of the five landmarks, in sides of the window; ``(B, 5, 2)``."""
    ours, theirs = landmarks.float() / side, truth.float() / side
    theirs = theirs.where(mask[:, None, None], ours.detach())
    return _mean((ours - theirs).square().flatten(1).sum(1), mask)


def attribute_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The vector of Eq. 4: cross-entropy of each attribute, ``(B, M)``; meaningless where unknown.

    A softmax over yes and no, as the paper has it, is a sigmoid of their difference.
    """
    labels = labels.clamp(min=0).float()
    return F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")


class MCFALoss(nn.Module):
    """Eq. 5: ``{"attributes", "faces", "boxes", "landmarks"}`` of all three networks, as trained.

    It is a module because some weightings learn, or remember, something; pass
    :class:`~faceattr.recipes.mcfa_watch.EndOfEpoch` to ``fit`` with it.

    Args:
        tasks: what is trained, some of ``detection``, ``landmarks``, ``attributes``.
        scheme: how attributes are weighted, see :mod:`faceattr.objectives.weighting`.
        num_attributes: M.
        epochs: keep the mean weight and loss of every attribute in so many epochs in ``trace``.

    Attributes:
        trace: ``(epochs, 2, 3, M)``: means over an epoch's faces of the weights and of the losses,
            for each network.
    """

    def __init__(
        self,
        tasks: Sequence[str] = TASKS,
        scheme: str = "dynamic",
        *,
        num_attributes: int = 40,
        epochs: int = 0,
    ):
        super().__init__()
        self.tasks = tuple(tasks)
        self.weighting: Weighting = weighting(scheme, num_attributes, len(NETS))
        self.config = {"tasks": list(tasks), "scheme": scheme, "num_attributes": num_attributes}
        shape = (2, len(NETS), num_attributes)
        self.register_buffer("trace", torch.zeros(epochs, *shape))
        self.register_buffer("sums", torch.zeros(shape))
        self.register_buffer("counts", torch.zeros(shape[1:]))

    def forward(self, model: MCFA, faces: Faces) -> dict[str, Tensor]:
        """Losses of a batch, each summed over S_Net, M_Net and L_Net.

        Raises:
            DataError: a task that the network has no head for, or no attributes.
        """
        lacking = [task for task in self.tasks if task not in model.config["tasks"]]
        if lacking:
            raise DataError(
                f"the network has no head for {', '.join(lacking)}: build it with tasks="
                f"{self.tasks}, or leave these out of the losses"
            )
        masks, side = Masks.of(faces), faces.images.shape[-1]
        losses: dict[str, Tensor] = {}
        for net, outputs in enumerate(model.nets(faces.images)):
            for name, value in self._of_one(net, outputs, faces, masks, side).items():
                losses[name] = losses[name] + value if name in losses else value  # Eq. 5
        return losses

    def _of_one(
        self, net: int, outputs: Outputs, faces: Faces, masks: Masks, side: int
    ) -> dict[str, Tensor]:
        each = attribute_losses(outputs.logits, faces.attributes)  # (B, M)
        loss, mu = self.weighting(each, masks.attributes, outputs.loss_weights, net)
        losses = {"attributes": loss}
        if "detection" in self.tasks:
            losses["faces"] = face_loss(outputs.face_logits, is_face(faces), masks.faces)
            box = _or_nan(faces.box, outputs.boxes)
            losses["boxes"] = box_loss(outputs.boxes, box, masks.boxes, side)
        if "landmarks" in self.tasks:
            points = _or_nan(faces.landmarks, outputs.landmarks)
            losses["landmarks"] = landmark_loss(outputs.landmarks, points, masks.landmarks, side)
        if self.training and len(self.trace):
            self._note(net, mu, each.detach(), masks.attributes)
        return losses

    @torch.no_grad()
    def _note(self, net: int, mu: Tensor, losses: Tensor, known: Tensor) -> None:
        self.sums[0, net] += mu.where(known, 0).sum(0)
        self.sums[1, net] += losses.where(known, 0).sum(0)
        self.counts[net] += known.sum(0)

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> None:
        """Close an epoch (counted from 1): the weighting's and the trace's."""
        self.weighting.end_epoch()
        if epoch <= len(self.trace):
            self.trace[epoch - 1] = self.sums / self.counts.clamp(min=1)
        self.sums.zero_()
        self.counts.zero_()


def is_face(faces: Faces) -> Tensor:
    """Which windows show a face, ``(B,)`` bool; all, where nothing is said."""
    if faces.is_face is None:
        return torch.ones(len(faces), dtype=torch.bool, device=faces.images.device)
    return faces.is_face


def _or_nan(truth: Tensor | None, like: Tensor) -> Tensor:
    return torch.full_like(like, torch.nan) if truth is None else truth


def _mean(each: Tensor, mask: Tensor) -> Tensor:
    """Mean over the samples of the mask; 0, with a gradient of 0, where there is none."""
    return each.where(mask, 0).sum() / mask.sum().clamp(min=1)
