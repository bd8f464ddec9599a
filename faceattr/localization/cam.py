"""Class activation maps of every attribute in one tensor expression (Zhou et al., CVPR 2016).

A network that ends in global average pooling and one linear layer computes each logit as a
weighted mean over positions. Leaving the mean out keeps the positions: a map per attribute whose
mean, plus the bias, is the logit again. No gradient and no second pass is needed, so the maps of
40 attributes cost hardly more than the logits do.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceattr.errors import MapError
from faceattr.models.regions import crop_boxes, finite, regions_from_heatmaps


def class_activation_maps(features: Tensor, weights: Tensor) -> Tensor:
    """Return the map of every attribute: ``H_j = sum_i w_ji F_i``.

    PaW (Ding et al., AAAI 2018, section "Face Region Localization") and equation 16 of MTFAP
    (Taherkhani et al., there written ``A_c = sum_k w_k^c g_k``) are this same sum.

    Args:
        features: ``(B, C, h, w)``, the maps that are pooled, shared by all attributes; or
            ``(B, M, N, h, w)``, N maps for each attribute (PaW's branches, N = 32).
        weights: ``(M, C)`` or ``(M, N)``, row ``j`` is the linear layer's for attribute ``j``.

    Returns:
        ``(B, M, h, w)``. Its mean over positions plus the bias is the logit.

    Raises:
        MapError: the shapes do not belong together.
    """
    shared = features.ndim == 4 and features.shape[1] == weights.shape[-1]
    grouped = features.ndim == 5 and features.shape[1:3] == weights.shape
    if weights.ndim != 2 or not (shared or grouped):
        raise MapError(
            f"features {tuple(features.shape)} and weights {tuple(weights.shape)} do not belong "
            "together: give (B, C, h, w) with (M, C), or (B, M, N, h, w) with (M, N)"
        )
    if grouped:
        return torch.einsum("bmnhw,mn->bmhw", features, weights)  # (B, M, h, w)
    return torch.einsum("bchw,mc->bmhw", features, weights)  # (B, M, h, w)


@torch.no_grad()
def heatmaps(model: nn.Module, images: Tensor) -> Tensor:
    """Return a model's maps of all attributes, ``(B, M, h, w)``, at the last layer's resolution.

    The model is put in evaluation mode for the pass and left as it was found; no gradient is kept.

    Args:
        model: anything whose outputs carry ``heatmaps``, or ``features`` beside an attribute
            ``cam_weights`` of the model.
        images: ``(B, 3, H, W)`` float in [0, 1].

    Raises:
        MapError: the model has neither (the majority baseline, for one), or a map is not finite.
    """
    was_training = model.training
    model.eval()
    try:
        outputs = model(images)
    finally:
        model.train(was_training)
    maps = outputs.heatmaps
    if maps is None:
        weights = getattr(model, "cam_weights", None)
        if outputs.features is None or weights is None:
            raise MapError(
                f"{type(model).__name__} has no class activation maps: they need a network that "
                "ends in global average pooling, such as WholeImage"
            )
        maps = class_activation_maps(outputs.features, weights)
    return finite(maps.detach())


@torch.no_grad()
def attribute_regions(model: nn.Module, images: Tensor, crop: int | None = None) -> Tensor:
    """Return where a model looks for each attribute, ``(B, M, 4)`` int64 xyxy in pixels.

    The middle of each square is the highest point of the attribute's heat map: for a PaW these are
    the regions that its part subnets are shown. Where those are squares at random places, they are
    what is returned.

    Args:
        model: as :func:`heatmaps` takes it.
        images: ``(B, 3, H, W)`` float in [0, 1].
        crop: side of the squares in pixels; by default a PaW's own, else 2/7 of the shorter side,
            the paper's 64 of 224.

    Raises:
        MapError: the model has no heat maps, or its parts are blocks of a grid, which belong to no
            attribute. DataError: the image is smaller than the crop.
    """
    kind = getattr(model, "config", {}).get("regions")
    if kind == "grid":
        raise MapError(
            f"{type(model).__name__} looks at the blocks of a grid, none of which is an "
            "attribute's: ask model.region_boxes(images) for all, or take one with heat maps"
        )
    if kind == "random" and crop is None:
        return model.region_boxes(images)
    size = tuple(images.shape[-2:])
    centres = regions_from_heatmaps(heatmaps(model, images), size)
    return crop_boxes(centres, crop_of(model, size) if crop is None else crop, size)


def crop_of(model: object, size: tuple[int, int]) -> int:
    """Side of a model's squares in pixels: a PaW's own, else the paper's 64 of 224.

    Args:
        model: any model, or none.
        size: height and width of the image in pixels.
    """
    return getattr(model, "config", {}).get("crop") or round(min(size) * 2 / 7)


def upsample(maps: Tensor, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Bring maps ``(B, M, h, w)`` to ``size`` (height, width) in pixels.

    Args:
        maps: what :func:`heatmaps` returns.
        size: usually the image's.
        mode: ``bilinear``, as PaW's figures are, or ``nearest``, as MTFAP's section 5.3 says.

    Raises:
        MapError: another mode.
    """
    if mode not in ("bilinear", "nearest"):
        raise MapError(f"unknown upsampling {mode!r}: choose bilinear or nearest")
    corners = {"align_corners": False} if mode == "bilinear" else {}
    return F.interpolate(maps, size=tuple(size), mode=mode, **corners)  # (B, M, H, W)


def normalize_maps(maps: Tensor, mode: str = "minmax") -> Tensor:
    """Bring each map to [0, 1] on its own, without ever making a NaN.

    Dividing by the maximum is the usual step, and it breaks on the two maps that a multi-label
    network makes all the time: the constant one, and the one that is negative everywhere because
    the attribute is absent. Both are answered with zeros where there is nothing to tell apart.

    Args:
        maps: ``(..., h, w)``.
        mode: ``minmax``: the lowest value becomes 0, the highest 1, a constant map all 0.
            ``relu``: evidence against is cut to 0, the highest becomes 1, a map without any
            positive value stays all 0.

    Raises:
        MapError: another mode, or maps that hold NaN or infinity.
    """
    finite(maps)
    if mode == "minmax":
        low = maps.amin(dim=(-2, -1), keepdim=True)
    elif mode == "relu":
        low, maps = torch.zeros_like(maps[..., :1, :1]), maps.clamp_min(0)
    else:
        raise MapError(f"unknown normalisation {mode!r}: choose minmax or relu")
    span = maps.amax(dim=(-2, -1), keepdim=True) - low
    return torch.where(span > 0, (maps - low) / span.where(span > 0, 1), 0)


def map_similarity(maps: Tensor) -> Tensor:
    """Return how alike the M maps of each face are, ``(B,)``: their mean pairwise correlation.

    Near 1, the network shows one picture forty times (it looks at "a face", not at the
    attribute); near 0, the maps differ. A constant map correlates with nothing and counts as 0.
    """
    count = maps.shape[1]
    if count < 2:
        raise MapError("comparing maps needs two attributes or more: give (B, M, h, w), M > 1")
    flat = maps.flatten(2)  # (B, M, h*w)
    unit = F.normalize(flat - flat.mean(dim=-1, keepdim=True), dim=-1, eps=1e-12)  # (B, M, h*w)
    # The sum of all M*M correlations is the squared length of the sum of the unit vectors.
    everything = unit.sum(dim=1).square().sum(dim=-1)  # (B,)
    themselves = unit.square().sum(dim=(1, 2))  # (B,)
    return (everything - themselves) / (count * (count - 1))  # (B,)
