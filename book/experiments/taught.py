"""A localization network that is taught the true regions: what would better squares be worth?

PaW's localizer learns from labels alone where an attribute is. On drawn faces the truth is known,
so the same network can be told: its heat map of every attribute is to be high where the attribute
is drawn, and on faces without it where it would be. What PaW then gains is what its own localizer
costs it. No photograph has such a truth, and nothing of PaW itself is changed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.data.synthetic import SynthFaces
from faceattr.localization import class_activation_maps
from faceattr.models import FRL
from faceattr.recipes.frl import PLANS, new_frl
from faceattr.recipes.steps import augmentation, run_step


def region_loss(model: nn.Module, faces: Faces) -> dict[str, Tensor]:
    """Cross-entropy in nats between a softmax over the places of each map and its true region.

    A region is spread evenly over the cells that it covers; attributes without one (hidden, or
    outside the picture) are left out.
    """
    maps = class_activation_maps(model(faces.images).features, model.cam_weights)  # (B, M, h, w)
    truth = F.adaptive_avg_pool2d(faces.regions.float(), maps.shape[-2:]).flatten(2)  # (B, M, h w)
    area = truth.sum(-1)  # (B, M)
    shown = area > 0
    loss = -(truth * maps.float().flatten(2).log_softmax(-1)).sum(-1)[shown] / area[shown]
    return {"regions": loss.sum() / shown.sum().clamp(min=1)}


def train_taught(data: SynthFaces, *, seed: int, augment: str, checkpoint, **how) -> FRL:
    """The small localization network, as many passes as without a teacher."""
    drawn = SynthFaces(
        len(data), size=data.size[0], split="train", view="unaligned", seed=0, regions=True
    )
    assert torch.equal(drawn.attributes, data.attributes)  # the same faces
    model = new_frl("small", len(data.names), seed)
    settings = PLANS["small"].arguments()
    run_step(
        model, drawn, region_loss, folder=checkpoint, seed=seed, augment=augmentation(augment),
        record={"method": "frl-taught"}, **{**settings, **how},
    )  # fmt: skip
    return model
