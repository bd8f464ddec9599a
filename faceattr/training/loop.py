"""``fit``: the one training loop of this library."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from tqdm import tqdm

from faceattr.data.faces import Augment, FaceDataset, Faces
from faceattr.errors import FaceattrError, TrainingError
from faceattr.models.base import FaceModel
from faceattr.record import run_record, shorten
from faceattr.training.averaging import Average, Averager, take_faces
from faceattr.training.callbacks import Callback, Run, as_callback
from faceattr.training.distributed import shared_batchnorm, start
from faceattr.training.history import History
from faceattr.training.meter import LossMeter
from faceattr.training.preflight import check_folder, check_run, check_seed, check_weights
from faceattr.training.resume import describe, epoch_seed, own_randomness, seed_all
from faceattr.training.schedules import (
    OptimizerChoice,
    ScheduleChoice,
    build_optimizer,
    build_schedule,
    fast_forward,
)
from faceattr.training.snapshots import Snapshots, how_to_go_on, remedy
from faceattr.training.validation import quick_metrics

Objective = Callable[[FaceModel, Faces], Mapping[str, Tensor]]
Metrics = Callable[[FaceModel, FaceDataset], Mapping[str, float]]


class _Step(nn.Module):
    """An objective as a module: what Fabric wraps, so that the objective sees the bare model and
    may call any part of it, any number of times."""

    def __init__(self, model: FaceModel, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, faces: Faces) -> Mapping[str, Tensor]:
        return self.objective(self.model, faces)


def fit(
    model: FaceModel,
    data: FaceDataset,
    objective: Objective,
    *,
    epochs: int,
    batch_size: int = 64,
    lr: float = 3e-3,
    optimizer: OptimizerChoice = None,
    schedule: ScheduleChoice = None,
    device: str | torch.device = "auto",
    devices: int = 1,
    num_nodes: int = 1,
    precision: str = "32-true",
    seed: int = 0,
    valid: FaceDataset | None = None,
    metrics: Metrics | None = None,
    monitor: str | None = None,
    augment: Augment | None = None,
    callbacks: Sequence[Callback | Callable[[Run], bool | None]] = (),
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    average: str | Average | None = None,
    compile: bool | str = False,
    clip: float | None = None,
    drop_last: bool = False,
    progress: bool = True,
    record: Mapping | None = None,
) -> History:
    """Minimise the sum of an objective's losses. The model is changed in place.

    Afterwards the model is in evaluation mode, on the device, and holds the weights of the last
    epoch, averaged if ``average`` says so. The random generators of the caller are left as they
    were. The same seed gives the same weights, whether the run is stopped and resumed or not
    (bit by bit on a CPU), and, to rounding, however many processes share it.

    Args:
        model: to train.
        data: faces to train on.
        objective: ``(model, faces) -> {name: scalar loss}``, means over the faces; labels of -1
            are unknown and for the objective to leave out. An ``nn.Module`` is trained too.
        epochs: passes over the data.
        batch_size: faces in a step, over all processes.
        lr, optimizer, schedule: see :mod:`faceattr.training.schedules`; AdamW at 3e-3, constant.
        device, devices, num_nodes, precision: see :func:`faceattr.training.distributed.start`.
        seed: of the order of faces, of augmentation, of dropout; not of the initial weights.
        valid: faces to report on after every epoch.
        metrics: ``(model, valid) -> {name: value}``, logged as ``valid_name``; accuracy, balanced
            accuracy and cross-entropy by default.
        monitor: the column that chooses ``best.safetensors``; ``valid_accuracy`` by default, or
            ``loss`` without validation faces. Names ending in ``loss`` or ``error`` should fall.
        augment: random changes of the training faces, on the device.
        callbacks: see :mod:`faceattr.training.callbacks`.
        checkpoint: folder for ``last.safetensors``, ``best.safetensors``, ``history.csv``,
            replaced after every epoch.
        resume: go on from ``last.safetensors`` there; settings must be those of before.
        average: ``ema``, ``swa`` or an :class:`~faceattr.training.averaging.Average`.
        compile: ``torch.compile`` the model's forward pass, in place; a string names the backend.
        clip: largest norm of the gradient.
        drop_last: leave out a last batch that is not full.
        progress: show a bar.
        record: more entries for the record, such as ``{"profile": "book"}``.

    Raises:
        TrainingError: settings that cannot work, before work starts; a loss that is not finite;
            a full disk; a run that cannot be resumed with these settings.
        KeyboardInterrupt: Ctrl-C, with a message that tells how to go on.
    """
    plan = Average.parse(average)
    callbacks = [as_callback(callback) for callback in callbacks]
    seed = check_seed(seed)
    check_run(model, data, valid, epochs, batch_size, drop_last, clip, monitor)
    check_folder(checkpoint, resume)
    # The number of epochs may grow on resuming only where no step depends on it.
    grows = schedule in (None, "constant") and (plan is None or plan.kind == "ema")
    settings = {
        "model": describe(model),
        "data": describe(data),
        "objective": describe(objective),
        "epochs": "any" if grows else str(epochs),
        "batch_size": f"{batch_size}, drop_last {drop_last}",
        "optimizer": f"{describe(optimizer)}, lr {lr}, clip {clip}",
        "schedule": describe(schedule),
        "average": describe(plan),
        "augment": describe(augment),
        "precision": precision,
        "seed": str(seed),
        "validation": f"{describe(valid)}, {describe(metrics)}, {monitor}",
    }
    snapshots = Snapshots(checkpoint, settings) if checkpoint is not None else None

    fabric = start(device, devices, num_nodes, precision)
    part = (fabric.global_rank, fabric.world_size)
    if batch_size < fabric.world_size:
        raise TrainingError(f"batch_size={batch_size}: give each of {part[1]} processes a face")
    model.to(fabric.device)
    steps = len(data) // batch_size if drop_last else math.ceil(len(data) / batch_size)
    with own_randomness(fabric.device), shared_batchnorm(model, fabric.world_size):
        seed_all(epoch_seed(seed, 0, fabric.global_rank))
        module = _Step(model, objective).to(fabric.device)
        plain = build_optimizer(optimizer, module.parameters(), lr)
        pace = build_schedule(schedule, plain, epochs * steps)
        averager = Averager(plan, model, epochs) if plan else None
        about = run_record(seed=seed, data=data.source, device=fabric.device)
        public = {name: shorten(words) for name, words in settings.items()}
        about |= {"parameters": model.count(), "settings": public, **(record or {})}
        history = History(record=about)
        run = Run(model, model, objective, plain, data, valid, history, epochs, fabric)

        found = snapshots.read() if snapshots and resume else None
        if found:
            fast_forward(pace, found[1]["epoch"] * steps)
            if snapshots.restore(run, averager, *found):
                return _finish(run)
        if compile:
            model.compile(backend="inductor" if compile is True else compile)
        step, stepper = fabric.setup(module, plain)
        for callback in callbacks:
            callback.on_start(run)

        def batches() -> Iterator[Faces]:
            """This process's share of an epoch's batches, the same ones each time it is asked."""
            return data.batches(
                batch_size,
                shuffle=True,
                seed=epoch_seed(seed, run.epoch),
                device=fabric.device,
                augment=augment,
                drop_last=drop_last,
                part=part,
            )

        hidden = not progress or fabric.global_rank != 0
        seen = steps * batch_size if drop_last else len(data)  # faces an epoch
        bar = tqdm(
            total=epochs * seen,
            initial=run.epoch * seen,
            unit="img",
            disable=hidden,
            mininterval=0.5,
        )
        try:
            while run.epoch < epochs:
                began = time.perf_counter()
                run.epoch += 1
                bar.set_description(f"epoch {run.epoch}/{epochs}", refresh=False)
                seed_all(epoch_seed(seed, run.epoch, fabric.global_rank))
                step.train()
                for callback in callbacks:
                    callback.on_epoch_start(run)
                meter = LossMeter(fabric, run.epoch, remedy(snapshots, run))

                for run.step, faces in enumerate(batches(), start=1):
                    whole = min(batch_size, len(data) - (run.step - 1) * batch_size)
                    loss = meter.add(step(faces), len(faces), whole)
                    stepper.zero_grad()
                    fabric.backward(loss)
                    if clip is not None:
                        fabric.clip_gradients(step, stepper, max_norm=clip)
                    stepper.step()
                    rate = plain.param_groups[0]["lr"]
                    pace.step()
                    if averager:
                        averager.after_step(model)
                    for callback in callbacks:
                        callback.on_step_end(run)
                    if not bar.disable:
                        bar.set_postfix_str(f"loss {meter.means()['loss']:.4f}", refresh=False)
                        bar.update(whole)

                meter.read()
                check_weights(model, run.epoch, remedy(snapshots, run))
                speed = meter.faces / (time.perf_counter() - began)
                step.eval()
                if averager:
                    some = take_faces(batches(), batch_size, averager.plan.faces)
                    averager.after_epoch(model, run.epoch, some)
                    run.evaluated = averager.model or model
                row = {"epoch": run.epoch, **meter.means(), **_measure(run, metrics), "lr": rate}
                row |= {"seconds": time.perf_counter() - began, "images_per_second": speed}
                history.rows.append(fabric.broadcast(row))
                history.record["seconds"] = round(sum(history["seconds"]), 1)
                votes = [bool(callback.on_epoch_end(run)) for callback in callbacks]
                stop = fabric.broadcast(any(votes))
                if snapshots:
                    _write(snapshots, run, averager, monitor, stop or run.epoch == epochs)
                if stop:
                    break
        except KeyboardInterrupt as interrupt:
            interrupt.args = (how_to_go_on(snapshots, run),)
            raise
        finally:
            bar.close()
        return _finish(run)


def _finish(run: Run) -> History:
    """Leave the model as it is reported: averaged, in evaluation mode."""
    if run.evaluated is not run.model:
        run.model.load_state_dict(run.evaluated.state_dict())
    run.model.eval()
    return run.history


def _measure(run: Run, metrics: Metrics | None) -> dict[str, float]:
    """Metrics of the validation faces, by the first process for all."""
    if run.valid is None:
        return {}
    found: dict[str, float] = {}
    if run.fabric.global_rank == 0:
        with torch.no_grad():
            found = dict((metrics or quick_metrics)(run.evaluated, run.valid))
    found = run.fabric.broadcast(found)
    return {f"valid_{name.removeprefix('valid_')}": float(v) for name, v in found.items()}


def _write(
    snapshots: Snapshots,
    run: Run,
    averager: Averager | None,
    monitor: str | None,
    finished: bool,
) -> None:
    """The first process writes; all raise if it could not, so that none waits for ever."""
    columns = ["valid_accuracy", "valid_loss", *(c for c in run.history.columns if "valid_" in c)]
    watched = monitor or next((c for c in columns if c in run.history.columns), "loss")
    best = run.history.best(watched) is run.history.rows[-1]
    problem = None
    if run.fabric.global_rank == 0:
        try:
            snapshots.write(run, averager, best=best, finished=finished)
        except FaceattrError as error:
            problem = error
    problem = run.fabric.broadcast(problem)
    if problem is not None:
        raise problem
