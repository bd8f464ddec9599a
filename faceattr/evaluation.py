"""From a model and a data set to logits, probabilities and a :class:`faceattr.report.Report`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from faceattr.bootstrap import Estimate
from faceattr.checkpoint import model_config
from faceattr.data.faces import FaceDataset, Faces
from faceattr.device import resolve
from faceattr.errors import DataError, MissingDependencyError
from faceattr.models.base import FaceModel
from faceattr.record import run_record, shorten
from faceattr.report import Report
from faceattr.scored import Scored, first_seen, stack


@torch.no_grad()
def predict_logits(
    model: FaceModel,
    data: FaceDataset | Faces,
    *,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    flip: bool = False,
    progress: bool = False,
) -> Tensor:
    """Logits of every face, in the order of the data set.

    The model runs in evaluation mode; its mode and its device are as before afterwards.

    Args:
        model: the model.
        data: a data set, or a batch of faces.
        batch_size: faces at a time.
        device: where to compute; ``"auto"`` takes a GPU if there is one.
        flip: average the logits of each face and of its mirror image.
        progress: show a progress bar.

    Returns:
        ``(N, M)`` float32 on the CPU.

    Raises:
        DataError: the model cannot take these images, or ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise DataError(f"batch_size={batch_size}: give a whole number of at least 1")
    if isinstance(data, Faces):
        data = FaceDataset(data)
    device, home, was_training = resolve(device), model.mean.device, model.training
    model.to(device).eval()
    found = []
    try:
        batches = data.batches(batch_size, device=device)
        steps = -(-len(data) // batch_size)
        for faces in tqdm(batches, "predict", steps, unit="batch", disable=not progress):
            logits = model(faces.images).logits
            if flip:
                logits = (logits + model(faces.images.flip(-1)).logits) / 2
            found.append(logits.float().cpu())
    finally:
        model.to(home).train(was_training)
    return torch.cat(found) if found else torch.empty(0, len(getattr(data, "names", ())))


def predict_proba(model: FaceModel, data: FaceDataset | Faces, **how) -> Tensor:
    """Probabilities ``(N, M)``: the sigmoid of :func:`predict_logits`, same arguments."""
    return predict_logits(model, data, **how).sigmoid()


def score(model: FaceModel, data: FaceDataset, **how) -> Scored:
    """Logits beside labels: what a report is computed from. Arguments of :func:`predict_logits`.

    Raises:
        DataError: the data have no labels or no faces, another number of attributes, or labels
            other than 0, 1 and unknown.
    """
    if not len(data):
        raise DataError(f"{data.source} has no faces to report on: choose another split or limit")
    if data.attributes is None:
        raise DataError(
            f"{data.source} has no attribute labels to report on: use predict_logits, or data with "
            "labels"
        )
    data.check_labels()
    logits, labels = predict_logits(model, data, **how), data.attributes
    if logits.shape != labels.shape:
        raise DataError(
            f"{type(model).__name__} scores {logits.shape[1]} attributes, {data.source} has "
            f"{labels.shape[1]}: evaluate a model with num_attributes={labels.shape[1]}"
        )
    identity = data.faces.identity
    known = identity is not None and bool((identity >= 0).all())
    return Scored(
        tuple(data.names),
        logits[None],
        labels.to("cpu", torch.int8),
        first_seen(identity.cpu()) if known else None,
    )


def evaluate(
    model: FaceModel,
    data: FaceDataset,
    *,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    flip: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
    by: str = "auto",
    groups: Mapping[str, Sequence[str]] | None = None,
    record: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Report:
    """How well a model does on a data set.

    Args:
        model: the model.
        data: labelled faces, of people it was not trained on.
        batch_size: faces at a time.
        device: where to compute the logits.
        flip: average each face with its mirror image.
        bootstrap: resamples behind the 95% intervals; 0 computes none.
        seed: of the resamples.
        by: what a resample draws. ``"identity"`` draws people with all their faces, which are not
            independent of each other; ``"image"`` draws faces, as papers do, and gives the
            narrower interval. ``"auto"`` draws people where everybody is known and there are at
            least ten, faces otherwise.
        groups: further means to report, such as ``faceattr.GROUPS``.
        record: further entries of the report's record.
        progress: show a progress bar.

    Raises:
        DataError: the data have no labels, do not fit the model, or hold NaN.
        UnknownNameError: no such device, or a group names an unknown attribute.
    """
    began = time.perf_counter()
    how = {"batch_size": batch_size, "device": device, "flip": flip, "progress": progress}
    scored = score(model, data, **how)
    made = run_record(
        data=data.source,
        seconds=time.perf_counter() - began,
        device=resolve(device),
        **model_config(model),
        parameters=model.count(),
        size=list(data.size),
        flip=flip,
    )
    # a caller's entry wins over ours; where files lie on a disk is left out of it as well
    made |= {k: shorten(v) if isinstance(v, str) else v for k, v in (record or {}).items()}
    return Report.of(scored, bootstrap=bootstrap, seed=seed, by=by, groups=groups, record=made)


def combine(reports: Sequence[Report], *, interval: str = "bootstrap", seed: int = 0) -> Report:
    """One report over several runs of a method (training seeds): the mean of every metric.

    Two intervals answer two questions:

    - ``"bootstrap"``: other faces *and* other seeds. Each resample draws the faces (or people) of
      the test set again and, with replacement, as many of the runs. All reports must be on
      the same faces and hold predictions. With few runs it understates what seeds add (three runs
      drawn again vary by two thirds of the variance that new ones would).
    - ``"t"``: other seeds on this test set. Student's t over the runs' values, S - 1 degrees of
      freedom: wide for three runs (4.3 standard errors), exact if they are normal. Needs no
      predictions, and the reports may be on different faces.

    Args:
        reports: at least two, of the same attributes.
        interval: ``"bootstrap"`` or ``"t"``.
        seed: of the resamples.

    Raises:
        DataError: fewer than two reports, different attributes or faces, missing predictions.
        MissingDependencyError: ``"t"`` without scipy.
    """
    reports = list(reports)
    if interval not in ("bootstrap", "t"):
        raise DataError(f"interval={interval!r}: choose 'bootstrap' (faces and runs) or 't' (runs)")
    if len(reports) < 2:
        raise DataError(f"combine() needs the reports of two runs or more, got {len(reports)}")
    if len({tuple(report.attributes) for report in reports}) > 1:
        raise DataError("these reports are about different attributes: evaluate on the same labels")
    first = reports[0]
    record = {"members": [report.record for report in reports], "data": first.record.get("data")}
    scored = [report.scored for report in reports if report.scored is not None]
    if interval == "bootstrap":
        if len(scored) < len(reports):
            raise DataError(
                "combine(interval='bootstrap') needs reports with predictions: save them with "
                "report.save(path, predictions=True), or use interval='t'"
            )
        return Report.of(
            stack(scored),
            bootstrap=first.record["resamples"],
            seed=seed,
            by=first.record["resampled"],
            groups=first.members,
            record=record,
        )

    def rows(part: Sequence[Mapping[str, Estimate]]) -> dict[str, Estimate]:
        return {metric: _student([row[metric] for row in part]) for metric in part[0]}

    same = len(scored) == len(reports) and len({s.fingerprint for s in scored}) == 1
    same_faces = {"faces": first.record.get("faces"), "people": first.record.get("people")}
    return Report(
        {name: rows([r.attributes[name] for r in reports]) for name in first.attributes},
        rows([report.mean for report in reports]),
        first.support,
        {**record, **same_faces, "runs": len(reports), "interval": "95%, Student t over runs"},
        groups={name: rows([r.groups[name] for r in reports]) for name in first.groups},
        members=first.members,
        scored=stack(scored) if same else None,
    )


def _student(values: Sequence[Estimate]) -> Estimate:
    """Mean of the runs with Student's t interval."""
    try:
        from scipy.stats import t
    except ImportError as error:
        raise MissingDependencyError(
            "combine(interval='t') takes Student's t from scipy: pip install scipy"
        ) from error
    numbers = np.array(values, dtype=float)
    middle = numbers.mean()
    half = t.ppf(0.975, len(numbers) - 1) * numbers.std(ddof=1) / np.sqrt(len(numbers))
    return Estimate(middle, middle - half, middle + half, values[0].count)
