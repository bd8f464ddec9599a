"""The folder that a run writes: ``last.safetensors``, ``best.safetensors``, ``history.csv``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from faceattr.checkpoint import TRAINING, load_weights, read_checkpoint, save_checkpoint
from faceattr.errors import CheckpointError
from faceattr.training.averaging import Averager
from faceattr.training.callbacks import Run
from faceattr.training.history import History
from faceattr.training.resume import compare, pack_optimizer, unpack_optimizer


class Snapshots:
    """Writes a run's state after every epoch, and puts it back.

    ``last`` holds everything that training needs to go on; ``best`` the model alone, of the epoch
    in which the monitored column was best. Each file is replaced in one rename, so that whatever
    happens, both are whole and of a finished epoch.

    Args:
        folder: where. settings: what a resumed run must have in common with this one.
    """

    def __init__(self, folder: str | os.PathLike, settings: Mapping[str, str]):
        self.folder = Path(folder)
        self.settings = dict(settings)

    @property
    def last(self) -> Path:
        """The file that continues the run."""
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        """The file of the best epoch."""
        return self.folder / "best.safetensors"

    def write(self, run: Run, averager: Averager | None, *, best: bool, finished: bool) -> None:
        """Write the state after an epoch: first ``best`` if it is one, then ``last``, then the CSV.

        Raises:
            TrainingError: the disk is full; the files of the epoch before are whole.
        """
        about = {
            "record": run.history.record,
            "attributes": run.data.names,
            "size": run.data.size,
            "framing": run.data.framing,
            "epoch": run.epoch,
            "history": run.history.rows,
        }
        if best:
            save_checkpoint(self.best, run.evaluated, **about)
        training = self._pack(run, averager, finished)
        save_checkpoint(self.last, run.evaluated, **about, training=training)
        run.history.save(self.folder / "history.csv")

    def _pack(
        self, run: Run, averager: Averager | None, finished: bool
    ) -> tuple[dict[str, Tensor], dict]:
        tensors, optimizer = pack_optimizer(run.optimizer)
        if averager is not None:  # the file's model is the average; training goes on from the raw
            tensors |= _prefixed("raw/", run.model)
        if isinstance(run.objective, nn.Module):
            tensors |= _prefixed("objective/", run.objective)
        return tensors, {
            "settings": self.settings,
            "finished": finished,
            "epochs": run.epochs,
            "optimizer": optimizer,
            "averaged": averager.count if averager else 0,
            "precision": run.fabric.strategy.precision.state_dict(),  # 16-mixed: the loss scale
        }

    def read(self) -> tuple[dict[str, Tensor], dict] | None:
        """Tensors and header of ``last``, if it is there and is of a run with these settings.

        Raises:
            TrainingError: other settings. CheckpointError: torn, or no run can go on from it.
        """
        if not self.last.is_file():
            warnings.warn(f"no {self.last} to resume: training from the beginning", stacklevel=4)
            return None
        tensors, header = read_checkpoint(self.last)
        if not header.get("training"):
            raise CheckpointError(
                f"{self.last} holds a model but no training state: resume in the folder that fit "
                "wrote, or train anew with resume=False"
            )
        compare(self.settings, header["training"]["settings"], self.last)
        return tensors, header

    def restore(
        self, run: Run, averager: Averager | None, tensors: Mapping[str, Tensor], header: Mapping
    ) -> bool:
        """Put the state back into a run; True if nothing is left to do.

        Nothing is left after the last epoch, and after an early stop unless more epochs than then
        are asked for. The schedule is not here: it is brought forward by its own steps.
        """
        state = header["training"]
        held = {
            name.removeprefix(TRAINING): t
            for name, t in tensors.items()
            if name.startswith(TRAINING)
        }
        load_weights(run.model, _without("raw/", held) if averager else tensors, self.last)
        if averager is not None and state["averaged"]:
            average = {name: t for name, t in tensors.items() if not name.startswith(TRAINING)}
            averager.load(average, state["averaged"])
        if isinstance(run.objective, nn.Module):
            run.objective.load_state_dict(_without("objective/", held))
        unpack_optimizer(run.optimizer, held, state["optimizer"])
        run.fabric.strategy.precision.load_state_dict(state["precision"])
        run.history.rows = History(header["history"]).rows
        run.epoch = header["epoch"]
        if averager is not None:
            run.evaluated = averager.model or run.model
        return run.epoch >= run.epochs or (state["finished"] and state["epochs"] >= run.epochs)


def _prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in module.state_dict().items()}


def _without(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _saved(snapshots: Snapshots | None, run: Run) -> str | None:
    """Which finished epochs are on the disk, in words."""
    if snapshots is None or not run.history.rows or not snapshots.last.is_file():
        return None
    return f"epoch {len(run.history)} is whole in {snapshots.last}"


def remedy(snapshots: Snapshots | None, run: Run) -> str:
    """What to do about a loss that is not finite, in words."""
    advice = "Lower lr, pass clip=1.0, or look for NaN in pictures and labels"
    kept = _saved(snapshots, run)
    return f"{advice}; {kept}" if kept else f"{advice}; pass checkpoint=folder to keep good epochs"


def how_to_go_on(snapshots: Snapshots | None, run: Run) -> str:
    """What Ctrl-C left behind and how to resume, in words."""
    where = f"stopped in epoch {run.epoch} of {run.epochs}"
    if snapshots is None:
        return f"{where}; nothing was saved: pass checkpoint=folder to be able to go on"
    kept = _saved(snapshots, run) or f"no epoch is whole in {snapshots.folder} yet"
    return f"{where}; {kept}: call again with resume=True (--resume) to go on"
