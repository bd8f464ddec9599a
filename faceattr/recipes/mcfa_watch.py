"""What watches MCFA while it trains: the end of each epoch, and metrics of all its tasks."""

from __future__ import annotations

import torch

from faceattr.data.faces import FaceDataset
from faceattr.models.mcfa import MCFA
from faceattr.objectives.mcfa import Masks, is_face
from faceattr.training.callbacks import Callback, Run
from faceattr.training.validation import quick_metrics


class EndOfEpoch(Callback):
    """Tells an :class:`MCFALoss` when an epoch ends; it keeps nothing itself."""

    def on_epoch_end(self, run: Run) -> None:
        """After the metrics, before the checkpoint, which holds the objective's state."""
        run.objective.end_epoch(run.epoch)


@torch.no_grad()
def window_metrics(model: MCFA, data: FaceDataset, batch_size: int = 256) -> dict[str, float]:
    """Metrics of validation windows for ``fit``: accuracy, and of what else the network is trained.

    Returns:
        ``accuracy``, ``balanced_accuracy``, ``loss`` of the attributes
        (:func:`~faceattr.training.validation.quick_metrics`); ``faces``, the balanced accuracy of
        face against non-face; ``landmark_error``, the mean distance in sides of the window.
    """
    found = quick_metrics(model, data, batch_size)
    right, number = torch.zeros(2), torch.zeros(2)
    distance, points = 0.0, 0
    for faces in data.batches(batch_size, device=model.mean.device):
        outputs, masks = model(faces.images), Masks.of(faces)
        if outputs.face_logits is not None:
            said, truth = outputs.face_logits > 0, is_face(faces)
            for answer in (False, True):
                here = masks.faces & (truth == answer)
                number[int(answer)] += here.sum().cpu()
                right[int(answer)] += (here & (said == answer)).sum().cpu()
        if outputs.landmarks is not None and masks.landmarks.any():
            off = (outputs.landmarks.float() - faces.landmarks).norm(dim=-1).mean(1)  # (B,)
            distance += off[masks.landmarks].sum().item() / faces.images.shape[-1]
            points += int(masks.landmarks.sum())
    if (number > 0).all():
        found["faces"] = (right / number).mean().item()
    if points:
        found["landmark_error"] = distance / points
    return found
