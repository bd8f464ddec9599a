"""One table: how well a model's maps find the true regions, beside what knows nothing of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from faceattr.bootstrap import FEWEST_PEOPLE, interval, weights
from faceattr.data.faces import FaceDataset, Faces
from faceattr.device import resolve
from faceattr.errors import MapError, UnknownNameError
from faceattr.localization.cam import heatmaps, map_similarity
from faceattr.localization.regions import centre_baseline, map_sums, mean_of_sums
from faceattr.localization.scores import THRESHOLDS, box_ious, inside_shares, pointing_hits

SOURCES = ("model", "centre", "mean_map")


def localization_report(
    model: nn.Module | Sequence[nn.Module],
    data: FaceDataset,
    *,
    batch_size: int = 64,
    device: str | torch.device = "auto",
    present: bool = True,
    tolerance: int = 0,
    thresholds: tuple[float, ...] = THRESHOLDS,
    bootstrap: int = 1_000,
    seed: int = 0,
    groups: Mapping[str, Sequence[str]] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Score a model's heat maps against true regions, beside both baselines.

    Args:
        model: see :func:`faceattr.localization.heatmaps`; or several (training seeds), for the
            mean of their scores. Each has its own mean map (of the maps that are scored, see
            :func:`faceattr.localization.mean_map_baseline`) and thresholds.
        data: faces with ``regions`` (SynthFaces with ``regions=True``).
        batch_size: faces in one pass.
        device: where the passes run.
        present: score an attribute only on the faces that have it, as the pointing game does;
            otherwise on every face whose region is known.
        tolerance: of the pointing game, in pixels of the regions' grid.
        thresholds: of the boxes; each source gets its own best one for each attribute.
        bootstrap: resamples behind each 95% interval: of whole people where everybody is known
            and there are ten or more, else of single faces. Thresholds stay as chosen. With
            several models each resample also draws as many of them with replacement.
        seed: of the resampling.
        groups: further means to report, name to attributes, such as ``faceattr.GROUPS``.
        progress: show a progress bar.

    Returns:
        A frame indexed by ``(score, attribute)``: ``score`` is ``pointing``, ``energy`` or
        ``box_iou``; after the attributes comes ``mean``, over those that have a truth, then the
        groups. Columns: ``faces`` scored; ``model``, ``centre``, ``mean_map`` each with ``_low``
        and ``_high``; ``gain``, the model above the better baseline, with its paired interval.

    Raises:
        MapError: the model makes no maps, no face has a region, or no face has the attribute.
        UnknownNameError: a group holds an attribute that the data do not have.
    """
    models = [model] if isinstance(model, nn.Module) else list(model)
    if not models:
        raise MapError("there is no model to score: give one or more")
    members = members_of(data.names, groups or {})
    device = resolve(device)
    how = (batch_size, device, present, tolerance, thresholds, progress)
    runs = [_run(each, data, *how) for each in models]
    return table_of(runs, data, bootstrap, seed, members)


def members_of(names: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Columns of the means: ``mean`` over all, then each group."""
    place = {name: j for j, name in enumerate(names)}
    for group, wanted in groups.items():
        if unknown := [name for name in wanted if name not in place]:
            raise UnknownNameError(
                f"group {group!r} holds {unknown[0]!r}, which the data do not have: choose among "
                f"{', '.join(names)}"
            )
    chosen = {group: [place[name] for name in wanted] for group, wanted in groups.items()}
    return {"mean": list(place.values()), **chosen}


def _run(
    model: nn.Module,
    data: FaceDataset,
    batch_size,
    device,
    present,
    tolerance,
    thresholds,
    progress,
) -> dict[tuple[str, str], Tensor]:
    """Per-face scores of one model and of both baselines, ``(N, M)`` each."""
    was_on = next((p.device for p in model.parameters()), device)
    model.to(device)
    try:
        mean_map, alike = mean_map_of(model, data, batch_size, device, present, progress)
        if alike > 0.95:
            warnings.warn(
                f"the maps of different attributes are alike (mean correlation {alike:.2f}): the "
                "model shows one picture for all of them; read the gain, not the score",
                stacklevel=2,
            )
        parts = [
            _score(faces, maps, mean_map, present, tolerance, thresholds)
            for faces, maps in passes(model, data, batch_size, device, progress, "scoring")
        ]
    finally:
        model.to(was_on)
    scores = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    for source in SOURCES:  # (N, M, T) -> (N, M) at the attribute's best threshold
        iou = scores["box_iou", source]
        best = iou.nanmean(dim=0).nan_to_num(nan=-1).argmax(dim=-1)  # (M,)
        scores["box_iou", source] = iou.gather(
            2, best[None, :, None].expand(len(iou), -1, 1)
        ).squeeze(2)
    return scores


def passes(
    model: nn.Module, data: FaceDataset, batch_size: int, device, progress: bool, what: str
) -> Iterator[tuple[Faces, Tensor]]:
    """Batches that have a truth, each with the model's maps."""
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


def mean_map_of(model, data, batch_size, device, present, progress) -> tuple[Tensor, float]:
    """The mean ``(1, 1, h, w)`` of the maps that are scored, and how alike all maps are."""
    sums, alike, faces_seen = [], 0.0, 0
    for faces, maps in passes(model, data, batch_size, device, progress, "mean map"):
        sums.append(map_sums(maps, truth_of(faces, present).flatten(2).any(dim=-1)))
        alike += float(map_similarity(maps).sum()) if maps.shape[1] > 1 else 0.0
        faces_seen += len(maps)
    if not faces_seen:
        raise MapError(f"{data.source} is empty: there is nothing to score")
    total, count = (torch.stack(part).sum(dim=0) for part in zip(*sums, strict=True))
    if not count.any():
        raise MapError(
            f"no face of {data.source} has a labelled attribute with a region: there is nothing to "
            "score; choose more faces, or present=False"
        )
    return mean_of_sums(total, count), alike / faces_seen


def truth_of(faces: Faces, present: bool) -> Tensor:
    """The regions that are scored, ``(B, M, H, W)`` bool: of wearers only, where asked for."""
    truth = faces.regions.bool()
    return truth & (faces.attributes > 0.5)[:, :, None, None] if present else truth


def _score(
    faces: Faces, maps: Tensor, mean_map: Tensor, present: bool, tolerance: int, thresholds
) -> dict[tuple[str, str], Tensor]:
    """Per-face scores of the three sources, ``(B, M)``; box IoU ``(B, M, T)``."""
    truth = truth_of(faces, present)
    centre = centre_baseline(truth.shape[-2:], device=truth.device)
    rows = {}
    for source, heat in zip(SOURCES, (maps, centre, mean_map), strict=True):
        rows["pointing", source] = pointing_hits(heat, truth, tolerance).cpu()
        rows["energy", source] = inside_shares(heat, truth).cpu()
        rows["box_iou", source] = box_ious(heat, truth, thresholds).cpu()
    return rows


def table_of(
    runs: list[dict],
    data: FaceDataset,
    bootstrap: int,
    seed: int,
    members: dict[str, list[int]],
    baselines: Sequence[str] = SOURCES[1:],
) -> pd.DataFrame:
    """The frame of a report from each run's ``(score, source)`` to per-face scores ``(N, M)``.

    Columns and arguments as :func:`localization_report`; ``gain`` is ``model`` above the best of
    ``baselines``.
    """
    count = len(next(iter(runs[0].values())))
    ones = torch.ones(count, 1)  # the data set itself, before its resamples
    blocks = [ones, *weights(count, bootstrap, groups=_people(data), seed=seed)]  # (N, r) each
    share = _shares(len(runs), bootstrap, seed)  # (1+R, S)
    means = {}
    for key in runs[0]:
        each = [torch.cat([_means(run[key], block) for block in blocks]) for run in runs]
        mean = torch.einsum("srm,rs->rm", torch.stack(each), share)  # (1+R, M)
        over = [mean[:, columns].nanmean(dim=1) for columns in members.values()]
        means[key] = torch.cat([mean, torch.stack(over, dim=1)], dim=1)  # (1+R, M+groups)
    frames, scores = [], list(dict.fromkeys(score for score, _ in means))
    for score in scores:
        seen = (~runs[0][score, "model"].isnan()).sum(dim=0)  # (M,)
        faces = [*seen.tolist(), *(int(seen[columns].sum()) for columns in members.values())]
        frame = pd.DataFrame({"faces": faces}, [*data.names, *members])
        values = {source: mean for (name, source), mean in means.items() if name == score}
        # Which baseline is the best one is decided once, on the data set, not in each resample.
        blind = torch.stack([values[source] for source in baselines])  # (K, 1+R, M+groups)
        best = blind[:, 0].nan_to_num(nan=-1).argmax(0).expand(1, *blind.shape[1:])
        values["gain"] = values["model"] - blind.gather(0, best)[0]
        for name, value in values.items():
            frame[name] = value[0].numpy()
            frame[f"{name}_low"], frame[f"{name}_high"] = interval(value[1:].numpy())
        frames.append(frame)
    return pd.concat(frames, keys=scores, names=["score", "attribute"])


def _shares(runs: int, bootstrap: int, seed: int) -> Tensor:
    """How much each run counts, ``(1 + R, S)``: equally at first, then as drawn again."""
    drawn = np.random.default_rng([seed, 1]).multinomial(runs, [1 / runs] * runs, bootstrap)
    return torch.from_numpy(np.concatenate([np.ones((1, runs)), drawn]) / runs).float()


def _people(data: FaceDataset) -> Tensor | None:
    """Codes 0 .. G-1 of whose face each is, ``(N,)``; None where they cannot be resampled."""
    if data.faces.identity is None or (data.faces.identity < 0).any():
        return None
    people, codes = data.faces.identity.cpu().unique(return_inverse=True)
    return codes if len(people) >= FEWEST_PEOPLE else None


def _means(score: Tensor, draws: Tensor) -> Tensor:
    """Means over the faces with a truth, ``(r, M)``; NaN where no face has it."""
    known = (~score.isnan()).float()  # (N, M)
    return (draws.T @ score.nan_to_num()) / (draws.T @ known)
