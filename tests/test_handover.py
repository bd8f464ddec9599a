"""What one step of a recipe hands to the next, and what is refused before any training."""

import pytest
import torch
from squares import NAMES, QUIET, SHORT, same, squares

from faceattr.checkpoint import save_checkpoint
from faceattr.errors import CheckpointError, DataError, TrainingError
from faceattr.models import FRL, Majority, WholeImage
from faceattr.recipes import recipe, train_frl, train_paw, train_student
from faceattr.recipes.paw import FOLDERS
from faceattr.recipes.students import PLANS
from faceattr.training.callbacks import Callback

SIZES = {"num_attributes": 3, "maps_per_attribute": 4}
#: Steps three to five alone: squares at random places need no localizer.
LATER = {**SHORT, "regions": "random", "augment": "none"}


def subnet(seed):
    torch.manual_seed(seed)
    return WholeImage("snet3", **SIZES)


class Interrupt(Callback):
    """Ctrl-C at the end of an epoch of the step that logs a column."""

    def __init__(self, column, epoch=1):
        self.column, self.epoch = column, epoch

    def on_epoch_end(self, run):
        if self.column in run.history.rows[-1] and run.epoch == self.epoch:
            raise KeyboardInterrupt


# --- networks from elsewhere ----------------------------------------------------------------------


def test_networks_of_other_attributes_are_refused(tmp_path):
    other = ("Bald", "Male", "Bangs")  # as many, in another order
    frl = save_checkpoint(tmp_path / "frl.safetensors", FRL.small(**SIZES), attributes=other)
    whole = save_checkpoint(tmp_path / "whole.safetensors", subnet(0), attributes=other)
    words = r"was trained on other attributes .*Male where the data have Bangs"
    with pytest.raises(DataError, match=f"frl.safetensors {words}"):
        train_paw(squares(), frl=frl, **SHORT)
    with pytest.raises(DataError, match=f"whole.safetensors {words}"):
        train_paw(squares(), whole=whole, **SHORT)
    with pytest.raises(DataError, match=f"frl.safetensors {words}"):
        train_student(squares(), teacher=frl, **QUIET)
    fewer = save_checkpoint(
        tmp_path / "two.safetensors", FRL.small(num_attributes=2), attributes=other[:2]
    )
    with pytest.raises(DataError, match=r"two.safetensors .*\(2 instead of 3\)"):
        train_paw(squares(), frl=fewer, **SHORT)
    place = tmp_path / "1-frl" / "last.safetensors"
    save_checkpoint(place, FRL.small(num_attributes=3), attributes=other)
    with pytest.raises(DataError, match=f"1-frl.last.safetensors {words}"):
        train_paw(squares(), steps="student", checkpoint=tmp_path, **SHORT)


def test_what_no_step_would_use_is_refused():
    with pytest.raises(TrainingError, match="pretrained='imagenet' is where step frl starts"):
        train_paw(squares(), whole=subnet(0), pretrained="imagenet", **{**SHORT, "steps": "parts"})
    with pytest.raises(TrainingError, match="crop=24: blocks of a grid have the size"):
        train_paw(squares(), **{**SHORT, "crop": 24, "regions": "grid"})


def test_networks_that_are_broken_or_without_maps_are_refused(tmp_path):
    broken = FRL.small(**SIZES)
    broken.head.weight.data[0, 0] = float("nan")
    path = save_checkpoint(tmp_path / "frl.safetensors", broken, attributes=NAMES)
    words = r"has weights that are not finite \(head.weight\): take another network"
    with pytest.raises(CheckpointError, match=f"frl.safetensors {words}"):
        train_paw(squares(), frl=path, **SHORT)
    with pytest.raises(CheckpointError, match=f"the FRL that was given {words}"):
        train_student(squares(), teacher=broken, **QUIET)
    with pytest.raises(DataError, match="a Majority cannot teach maps"):
        train_paw(squares(), frl=Majority(3), **SHORT)


# --- steps one by one -----------------------------------------------------------------------------


def test_a_step_that_was_stopped_is_not_taken_for_trained(tmp_path):
    how = {**SHORT, "epochs": 2, "checkpoint": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train_paw(squares(), steps="frl", callbacks=[Interrupt("attributes", 2)], **how)
    with pytest.raises(TrainingError, match="step frl was stopped after epoch 1 of 2 .*--resume"):
        train_paw(squares(), steps="student", **how)


def test_a_step_is_not_trained_to_be_passed_over(tmp_path):
    with pytest.raises(TrainingError, match="switch goes on from step parts, which knows nothing"):
        train_paw(squares(), steps="frl,switch", checkpoint=tmp_path, **SHORT)
    assert not list(tmp_path.iterdir())


def test_overwriting_that_was_stopped_goes_on_with_nothing_of_the_old_run(tmp_path):
    data, how = squares(32), {**LATER, "steps": "parts,switch", "checkpoint": tmp_path / "run"}
    train_paw(data, whole=subnet(1), **how)
    with pytest.raises(KeyboardInterrupt):
        train_paw(data, whole=subnet(2), callbacks=[Interrupt("parts")], **how)
    assert not list((tmp_path / "run").rglob("*.safetensors"))
    again, _ = train_paw(data, whole=subnet(2), resume=True, **how)
    fresh, _ = train_paw(data, whole=subnet(2), **{**how, "checkpoint": None})
    assert same(again, fresh)


def test_a_step_is_not_resumed_where_those_before_it_are_others(tmp_path):
    data, how = squares(32), {**LATER, "checkpoint": tmp_path}
    train_paw(data, whole=subnet(1), steps="parts,switch", **how)
    train_paw(data, whole=subnet(2), steps="parts", **how)
    with pytest.raises(TrainingError, match=f"cannot resume .*{FOLDERS['switch']}.*--steps switch"):
        train_paw(data, steps="switch", resume=True, whole=subnet(2), **how)
    train_paw(data, steps="switch", whole=subnet(2), **how)
    train_paw(data, steps="switch", whole=subnet(2), resume=True, **how)  # and now it is


def test_a_student_is_not_resumed_after_other_hints(tmp_path):
    torch.manual_seed(0)
    teachers = [FRL.small(**SIZES) for _ in range(2)]
    how = {"epochs": 1, "hint_epochs": 1, "batch_size": 16, "checkpoint": tmp_path, **QUIET}
    train_student(squares(16), teacher=teachers[0], **how)
    with pytest.raises(KeyboardInterrupt):
        train_student(squares(16), teacher=teachers[1], callbacks=[Interrupt("hint")], **how)
    again, _ = train_student(squares(16), teacher=teachers[1], resume=True, **how)
    fresh, _ = train_student(squares(16), teacher=teachers[1], **{**how, "checkpoint": None})
    assert same(again, fresh)


# --- bad input, before the first step -------------------------------------------------------------


def test_a_face_alone_in_the_last_batch(tmp_path):
    """Crops of 16 pixels leave maps of one cell, which batch norm cannot take of one face."""
    with pytest.raises(TrainingError, match="17 faces in batches of 16 leave one .* norm in PaW"):
        train_paw(squares(17), checkpoint=tmp_path, **SHORT)
    with pytest.raises(TrainingError, match="batches of 1 leave one face alone"):
        train_paw(squares(4), checkpoint=tmp_path, **{**SHORT, "batch_size": 1})
    with pytest.raises(TrainingError, match="norm in WholeImage"):
        train_student(squares(17, size=16), epochs=1, batch_size=16, **QUIET)
    assert not list(tmp_path.iterdir())
    train_paw(squares(17), drop_last=True, whole=subnet(0), steps="parts", **LATER)


def test_numbers_and_data_that_cannot_work(tmp_path):
    how = {**SHORT, "checkpoint": tmp_path}
    for name in ("epochs", "batch_size"):
        with pytest.raises(TrainingError, match=f"{name}=0: give a whole number of at least 1"):
            train_paw(squares(), **{**how, name: 0})
    teacher = FRL.small(**SIZES)
    with pytest.raises(TrainingError, match="epochs=0"):
        train_student(squares(), teacher=teacher, epochs=0, checkpoint=tmp_path, **QUIET)
    with pytest.raises(TrainingError, match="hint_epochs=-1: .* at least 0"):
        train_student(squares(), teacher=teacher, hint_epochs=-1, checkpoint=tmp_path, **QUIET)
    empty = squares().subset([])
    for train in (train_paw, train_frl):
        with pytest.raises(DataError, match="squares 0 has no faces to train on"):
            train(empty, **QUIET)
    with pytest.raises(DataError, match="WholeImage has none: train it with attribute_loss"):
        train_frl(squares(), preset="small", model=subnet(0), **QUIET)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", [{"preset": "paper"}, {"hint_epochs": 3}])
def test_what_only_a_teacher_makes_sense_of_is_not_passed_over(what):
    with pytest.raises(TrainingError, match=f"without a teacher has no {next(iter(what))}: pass"):
        train_student(squares(), epochs=1, **what, **QUIET)


def test_a_students_passes_are_its_presets():
    how = {"teacher": FRL.small(**SIZES), "hint_epochs": 0, **QUIET}
    _, history = recipe("snet3").train(squares(4), **how)
    assert len(history) == PLANS["small"][1].epochs
