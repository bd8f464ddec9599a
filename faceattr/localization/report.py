"""One table: how well a model's maps find the true regions, beside what knows nothing of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from faceattr.bootstrap import FEWEST_PEOPLE, interval, weights
from faceattr.data.faces import FaceDataset, Faces
from faceattr.device import resolve
from faceattr.localization.cam import MapError, heatmaps, map_similarity, normalize_maps
from faceattr.localization.regions import centre_baseline
from faceattr.localization.scores import THRESHOLDS, box_ious, inside_shares, pointing_hits

SOURCES = ("model", "centre", "mean_map")
SCORES = ("pointing", "energy", "box_iou")


def localization_report(
    model: nn.Module,
    data: FaceDataset,
    *,
    batch_size: int = 64,
    device: str | torch.device = "auto",
    present: bool = True,
    tolerance: int = 0,
    thresholds: tuple[float, ...] = THRESHOLDS,
    bootstrap: int = 1_000,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Score a model's heat maps against true regions, beside both baselines.

    Args:
        model: see :func:`faceattr.localization.heatmaps`.
        data: faces with ``regions`` (SynthFaces with ``regions=True``).
        batch_size: faces in one pass.
        device: where the passes run.
        present: score an attribute only on the faces that have it, as the pointing game does;
            otherwise on every face whose region is known.
        tolerance: of the pointing game, in pixels of the regions' grid.
        thresholds: of the boxes; each source gets its own best one for each attribute.
        bootstrap: resamples behind each 95% interval: of whole people where everybody is known
            and there are ten or more, else of single faces. Thresholds stay as chosen.
        seed: of the resampling.
        progress: show a progress bar.

    Returns:
        A frame indexed by ``(score, attribute)``: ``score`` is ``pointing``, ``energy`` or
        ``box_iou``; ``attribute`` ends with ``mean``, the mean over the attributes that have a
        truth. Columns: ``faces`` scored; ``model``, ``centre``, ``mean_map`` each with ``_low``
        and ``_high``; ``gain``, the model above the better baseline, with its paired interval.

    Raises:
        MapError: the model makes no maps, no face has a region, or no face has the attribute.
    """
    device = resolve(device)
    was_on = next((p.device for p in model.parameters()), device)
    model.to(device)
    try:
        mean_map, alike = _mean_map(model, data, batch_size, device, progress)
        if alike > 0.95:
            warnings.warn(
                f"the maps of different attributes are alike (mean correlation {alike:.2f}): the "
                "model shows one picture for all of them; read the gain, not the score",
                stacklevel=2,
            )
        parts = [
            _score(faces, maps, mean_map, present, tolerance, thresholds)
            for faces, maps in _passes(model, data, batch_size, device, progress, "scoring")
        ]
    finally:
        model.to(was_on)
    scores = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    if scores["pointing", "model"].isnan().all():
        raise MapError(
            f"no face of {data.source} has a labelled attribute with a region: there is nothing to "
            "score; choose more faces, or present=False"
        )
    return _table(scores, data, bootstrap, seed)


def _passes(
    model: nn.Module, data: FaceDataset, batch_size: int, device, progress: bool, what: str
) -> Iterator[tuple[Faces, Tensor]]:
    bar = tqdm(total=len(data), desc=what, unit="face", disable=not progress, leave=False)
    with bar:
        for faces in data.batches(batch_size, device=device):
            if faces.regions is None:
                raise MapError(
                    f"{data.source} has no regions: scores need their truth, which SynthFaces "
                    "gives with regions=True"
                )
            yield faces, heatmaps(model, faces.images)
            bar.update(len(faces))


def _mean_map(model, data, batch_size, device, progress) -> tuple[Tensor, float]:
    """The mean map ``(1, 1, h, w)`` over the whole data set, and how alike the maps are."""
    total, alike, count = 0, 0.0, 0
    for _, maps in _passes(model, data, batch_size, device, progress, "mean map"):
        total = total + normalize_maps(maps).mean(dim=1, keepdim=True).sum(dim=0, keepdim=True)
        alike += float(map_similarity(maps).sum()) if maps.shape[1] > 1 else 0.0
        count += len(maps)
    if not count:
        raise MapError(f"{data.source} is empty: there is nothing to score")
    return total / count, alike / count


def _score(
    faces: Faces, maps: Tensor, mean_map: Tensor, present: bool, tolerance: int, thresholds
) -> dict[tuple[str, str], Tensor]:
    """Per-face scores of the three sources, ``(B, M)``; box IoU ``(B, M, T)``."""
    truth = faces.regions.bool()
    if present:
        truth = truth & (faces.attributes > 0.5)[:, :, None, None]
    centre = centre_baseline(truth.shape[-2:], device=truth.device)
    rows = {}
    for source, heat in zip(SOURCES, (maps, centre, mean_map), strict=True):
        rows["pointing", source] = pointing_hits(heat, truth, tolerance).cpu()
        rows["energy", source] = inside_shares(heat, truth).cpu()
        rows["box_iou", source] = box_ious(heat, truth, thresholds).cpu()
    return rows


def _table(scores: dict, data: FaceDataset, bootstrap: int, seed: int) -> pd.DataFrame:
    for source in SOURCES:  # (N, M, T) -> (N, M) at the attribute's best threshold
        iou = scores["box_iou", source]
        best = iou.nanmean(dim=0).nan_to_num(nan=-1).argmax(dim=-1)  # (M,)
        scores["box_iou", source] = iou.gather(
            2, best[None, :, None].expand(len(iou), -1, 1)
        ).squeeze(2)
    count = len(scores["pointing", "model"])
    ones = torch.ones(count, 1)  # the data set itself, before its resamples
    blocks = [ones, *weights(count, bootstrap, groups=_people(data), seed=seed)]  # (N, r) each
    means = {
        key: torch.cat([_means(score, block) for block in blocks])  # (1+R, M+1)
        for key, score in scores.items()
    }
    frames = []
    for score in SCORES:
        seen = (~scores[score, "model"].isnan()).sum(dim=0)  # (M,)
        frame = pd.DataFrame({"faces": [*seen.tolist(), int(seen.sum())]}, [*data.names, "mean"])
        values = {source: means[score, source] for source in SOURCES}
        # Which baseline is the better one is decided once, on the data set, not in each resample.
        better = values["centre"][0] >= values["mean_map"][0]
        values["gain"] = values["model"] - torch.where(better, values["centre"], values["mean_map"])
        for name, value in values.items():
            frame[name] = value[0].numpy()
            frame[f"{name}_low"], frame[f"{name}_high"] = interval(value[1:].numpy())
        frames.append(frame)
    return pd.concat(frames, keys=SCORES, names=["score", "attribute"])


def _people(data: FaceDataset) -> Tensor | None:
    """Codes 0 .. G-1 of whose face each is, ``(N,)``; None where they cannot be resampled."""
    if data.faces.identity is None or (data.faces.identity < 0).any():
        return None
    people, codes = data.faces.identity.cpu().unique(return_inverse=True)
    return codes if len(people) >= FEWEST_PEOPLE else None


def _means(score: Tensor, draws: Tensor) -> Tensor:
    """Means over the faces with a truth, and their mean over attributes: ``(r, M+1)``."""
    known = (~score.isnan()).float()  # (N, M)
    means = (draws.T @ score.nan_to_num()) / (draws.T @ known)  # NaN where no face has it
    return torch.cat([means, means.nanmean(dim=1, keepdim=True)], dim=1)
