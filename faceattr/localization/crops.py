"""How much of the true regions PaW's squares have inside, beside squares that know less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from faceattr.data.faces import FaceDataset, Faces
from faceattr.device import resolve
from faceattr.errors import MapError
from faceattr.localization.cam import crop_of, normalize_maps
from faceattr.localization.coverage import best_inside, inside_boxes
from faceattr.localization.report import mean_map_of, members_of, passes, table_of, truth_of
from faceattr.models.regions import crop_boxes, regions_from_heatmaps

#: What knows nothing of the attribute: the image's middle, the mean map, the face's other maps.
BLIND = ("centre", "mean_map", "face")


def crop_report(
    model: nn.Module | Sequence[nn.Module],
    data: FaceDataset,
    crop: int | None = None,
    *,
    batch_size: int = 64,
    device: str | torch.device = "auto",
    bootstrap: int = 1_000,
    seed: int = 0,
    groups: Mapping[str, Sequence[str]] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Score squares round the highest points of heat maps by the share of true region inside.

    Scored are the faces that wear the attribute. The other squares are of the same side:

    ============  ================================================================================
    ``centre``    in the middle of the image
    ``mean_map``  at the peak of the model's mean map over all faces
    ``face``      at the peak of the mean of the face's own maps of whatever it wears: one square
                  for all attributes, which knows where the face is and nothing else
    ``best``      placed with the truth known: the limit, below 1 where a region does not fit
    ============  ================================================================================

    Args:
        model: see :func:`faceattr.localization.heatmaps`; or several, for the mean over them.
        data: faces with ``regions`` and labels.
        crop: side of the squares in pixels; by default a PaW's own, else 2/7 of the shorter side,
            the paper's 64 of 224.
        batch_size, device, bootstrap, seed, groups, progress: as in
            :func:`~faceattr.localization.localization_report`.

    Returns:
        A frame like that report's with the one score ``crop``; the sources are ``model`` and the
        four above, ``gain`` is the model above the best of the three blind ones.

    Raises:
        MapError, UnknownNameError: as that report. DataError: the images are smaller than the crop.
    """
    models = [model] if isinstance(model, nn.Module) else list(model)
    if not models:
        raise MapError("there is no model to score: give one or more")
    size = tuple(data.faces.images.shape[-2:])
    crop = crop_of(models[0], size) if crop is None else crop
    members, device = members_of(data.names, groups or {}), resolve(device)
    runs = [_run(each, data, crop, size, batch_size, device, progress) for each in models]
    return table_of(runs, data, bootstrap, seed, members, baselines=BLIND)


def _run(model, data, crop, size, batch_size, device, progress) -> dict[tuple[str, str], Tensor]:
    """Per-face shares of one model and of the others, ``(N, M)`` each."""
    was_on = next((p.device for p in model.parameters()), device)
    model.to(device)
    try:
        mean_map, _ = mean_map_of(model, data, batch_size, device, True, progress)
        parts = [
            _score(faces, maps, mean_map, crop, size)
            for faces, maps in passes(model, data, batch_size, device, progress, "scoring")
        ]
    finally:
        model.to(was_on)
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def _score(
    faces: Faces, maps: Tensor, mean_map: Tensor, crop: int, size: tuple[int, int]
) -> dict[tuple[str, str], Tensor]:
    truth = truth_of(faces, present=True)
    worn = (faces.attributes > 0.5).to(maps.dtype)  # (B, M)
    own = torch.einsum("bmhw,bm->bhw", normalize_maps(maps), worn)[:, None]  # (B, 1, h, w)
    middle = torch.tensor([size[1] - 1, size[0] - 1], device=maps.device) / 2
    centres = {
        "model": regions_from_heatmaps(maps, size),
        "centre": middle.expand(1, 1, 2),
        "mean_map": regions_from_heatmaps(mean_map, size),
        "face": regions_from_heatmaps(own, size),
    }  # (B, M, 2), or what broadcasts
    shares = {
        name: inside_boxes(crop_boxes(at, crop, size), truth, size) for name, at in centres.items()
    }
    shares["best"] = best_inside(truth, crop, size)
    return {("crop", name): share.cpu() for name, share in shares.items()}
