"""PaW's third step: every part subnet learns on its own from the region it is shown."""

from __future__ import annotations

from torch import Tensor

from faceattr.data.faces import Faces
from faceattr.models.paw import PaW
from faceattr.objectives.attributes import cross_entropy


def parts_loss(model: PaW, faces: Faces) -> dict[str, Tensor]:
    """Sum over part subnets of the attribute loss of each, ``{"parts": scalar}``.

    Every subnet predicts all M attributes from its own region ("some attributes can usually be
    predicted by other ones"). The subnets share no parameter, so the gradient of the sum gives
    each of them the gradient of its own loss: they train independently, in one batch. The sum is
    logged: divide it by the number of subnets to compare it with other losses.
    """
    scores = model.part_scores(faces.images)  # (B, P, M)
    count = scores.shape[1]
    labels = faces.attributes
    if labels is not None:
        labels = labels.repeat_interleave(count, 0)  # (B * P, M)
    return {"parts": count * cross_entropy(scores.flatten(0, 1), labels)}
