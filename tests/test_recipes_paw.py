"""PaW's recipes and their place on the command line, on faces small enough to train in seconds."""

import json

import pytest
import torch
from PIL import Image
from squares import NAMES, QUIET, SHORT, same, squares

from faceattr.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint
from faceattr.cli import main
from faceattr.errors import DataError, TrainingError, UnknownNameError
from faceattr.evaluation import evaluate
from faceattr.models import FRL, Majority, PaW, WholeImage
from faceattr.prediction import Predictor
from faceattr.recipes import methods, recipe, train_frl, train_paw, train_student
from faceattr.recipes.paw import FOLDERS, STEPS
from faceattr.recipes.steps import PaperSGD, Plan
from faceattr.training.callbacks import Callback


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The five steps, an epoch each."""
    folder = tmp_path_factory.mktemp("paw")
    model, history = train_paw(squares(), valid=squares(20, 1), checkpoint=folder, **SHORT)
    return folder, model, history


# --- five steps -----------------------------------------------------------------------------------


def test_five_steps_leave_five_folders_and_one_network(run):
    folder, model, history = run
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(FOLDERS.values())
    assert isinstance(model, PaW)
    assert not model.training
    assert history["step"] == [1, 2, 3, 4, 5, 6]
    assert history["epoch"] == [1, 2, 3, 4, 5, 6]
    assert history.record["steps"] == list(FOLDERS)
    columns = ("classification", "hint", "attributes", "parts", "attributes", "attributes")
    for row, column in zip(history.rows, columns, strict=True):
        assert row[column] > 0
    again, header = load_checkpoint(folder)
    assert header["record"]["method"] == "paw"
    assert header["record"]["step"] == "together"
    assert header["attributes"] == list(NAMES)
    assert isinstance(again, PaW)
    report = evaluate(again, squares(20, 1), device="cpu", bootstrap=0)
    assert 0 <= report.mean["accuracy"] <= 1


def last(folder, step):
    return load_checkpoint(folder / FOLDERS[step] / "last.safetensors")[0]


def test_each_step_begins_where_the_one_before_ended(run):
    folder, model, _ = run
    frl, student = last(folder, "frl"), last(folder, "student")
    parts, switch, together = (last(folder, step) for step in STEPS[2:])
    assert isinstance(frl, FRL)
    assert isinstance(student, WholeImage)
    for network in (parts, switch, together):
        assert same(network.localizer, frl)  # never trained again
    assert same(parts.whole, student)  # step 3 trains the parts only
    assert not same(parts.to_subnets()[1], student)
    assert torch.equal(parts.switch.weight, torch.full((4, 3), 0.25))
    assert same(switch.whole, parts.whole)  # step 4 trains RSL and ARL only
    assert same(switch.parts, parts.parts)
    assert not same(switch.switch, parts.switch)
    assert not same(switch.relation, parts.relation)
    assert not same(together.parts, switch.parts)  # step 5 trains all of it
    assert not same(together.whole, switch.whole)
    assert same(together, model)


class Interrupt(Callback):
    """Ctrl-C in a step that is told by what it trains."""

    def __init__(self, column):
        self.column = column

    def on_epoch_end(self, run):
        if self.column in run.history.rows[-1]:
            raise KeyboardInterrupt


def test_a_run_stopped_in_the_third_step_goes_on_there(run, tmp_path):
    _, model, history = run
    how = {"valid": squares(20, 1), "checkpoint": tmp_path, **SHORT}
    with pytest.raises(KeyboardInterrupt):
        train_paw(squares(), callbacks=[Interrupt("parts")], **how)
    assert (tmp_path / FOLDERS["student"] / "last.safetensors").is_file()
    assert not (tmp_path / FOLDERS["switch"]).exists()
    assert not (tmp_path / "best.safetensors").exists()
    again, rows = train_paw(squares(), resume=True, **how)
    assert same(again, model)
    assert [row["loss"] for row in rows.rows] == [row["loss"] for row in history.rows]


def test_a_finished_run_is_not_trained_again(run):
    folder, model, _ = run
    before = (folder / FOLDERS["parts"] / "last.safetensors").stat().st_mtime_ns
    how = {"valid": squares(20, 1), "checkpoint": folder, **SHORT}
    again, _ = train_paw(squares(), resume=True, **how)
    assert same(again, model)
    assert (folder / FOLDERS["parts"] / "last.safetensors").stat().st_mtime_ns == before


def test_steps_one_by_one_are_the_five_at_once(run, tmp_path):
    _, model, _ = run
    how = {"valid": squares(20, 1), "checkpoint": tmp_path, **SHORT}
    for steps in ("frl", "student", "parts", "switch,together"):
        again, history = train_paw(squares(), steps=steps, **how)
    assert same(again, model)
    assert history["step"] == [1, 2]


def test_a_step_without_the_one_before(tmp_path):
    with pytest.raises(TrainingError, match="result of step frl is needed and .*1-frl.*not there"):
        train_paw(squares(), steps="student", checkpoint=tmp_path, **SHORT)
    with pytest.raises(TrainingError, match="step student is needed and no checkpoint folder"):
        train_paw(squares(), steps="parts", frl=FRL.small(num_attributes=3), **SHORT)
    save_checkpoint(tmp_path / "1-frl" / "last.safetensors", FRL.small(num_attributes=3, pools=2))
    with pytest.raises(DataError, match="trained with another pools"):
        train_paw(squares(), steps="student", checkpoint=tmp_path, **SHORT)


@pytest.mark.parametrize("regions", ["grid", "random"])
def test_other_regions_from_the_same_first_steps(run, regions):
    folder = run[0]
    size = 64 if regions == "grid" else 32
    how = {"frl": last(folder, "frl"), "whole": folder / FOLDERS["student"], "regions": regions}
    how = {**SHORT, **how, "crop": None if regions == "grid" else SHORT["crop"]}
    model, history = train_paw(squares(size=size), valid=squares(9, 1, size), **how)
    assert model.parts.count == (16 if regions == "grid" else 3)
    assert history["step"] == [1, 2, 3]


# --- bad input ------------------------------------------------------------------------------------


def test_what_cannot_work_is_refused_before_the_first_step(tmp_path):
    how = {**SHORT, "checkpoint": tmp_path}
    with pytest.raises(DataError, match="at least 40 x 40 pixels, got 32 x 32"):
        train_paw(squares(), **{**how, "crop": 40})
    coarse = FRL(3, 4, widths=(4,) * 5, repeats=(1,) * 5, pools=5)
    with pytest.raises(DataError, match="cannot be compared"):
        train_student(squares(), teacher=coarse, **QUIET)
    with pytest.raises(UnknownNameError, match="unknown step 'rsl': choose some of frl, student"):
        train_paw(squares(), steps="rsl", **how)
    with pytest.raises(UnknownNameError, match="unknown preset 'large'"):
        train_paw(squares(), **{**how, "preset": "large"})
    with pytest.raises(UnknownNameError, match="unknown augmentation"):
        train_paw(squares(), augment="strong", **how)
    with pytest.raises(TrainingError, match="seed=-1"):
        train_paw(squares(), seed=-1, **how)
    nobody = squares()
    nobody.faces.attributes = None
    for train in (train_paw, train_frl):
        with pytest.raises(DataError, match="no attribute labels"):
            train(nobody, **QUIET)
    assert not list(tmp_path.iterdir())


def test_an_attribute_that_nobody_has_is_reported_and_trained_on(tmp_path):
    data = squares(32)
    data.faces.attributes[:, 1] = 0
    with pytest.warns(UserWarning, match=r"no face of squares 0 has Bangs"):
        model, _ = train_paw(data, **SHORT)
    outputs = model(data.gather(range(4)).images)
    assert outputs.logits.isfinite().all()


# --- one network at a time ------------------------------------------------------------------------


def test_the_localization_network_learns(tmp_path):
    how = {"preset": "small", "epochs": 5, "batch_size": 16, "checkpoint": tmp_path, **QUIET}
    model, history = train_frl(squares(), valid=squares(20, 1), **how)
    assert history["attributes"][-1] < 0.9 * history["attributes"][0]
    assert history["valid_accuracy"][-1] > 0.7
    again, header = load_checkpoint(tmp_path / "last.safetensors")
    assert same(again, model)
    assert header["record"]["preset"] == "small"
    plain, rows = train_frl(squares(), multinet=False, **{**how, "checkpoint": None, "epochs": 1})
    assert "classification" not in rows.columns
    assert plain.count() == model.count()


def test_new_networks_begin_at_the_log_odds():
    data = squares()
    share = data.attributes.mean(0).clamp(0.01, 0.99)
    still = {"epochs": 1, "lr": 1e-30, "schedule": None, "average": None, "batch_size": 16, **QUIET}
    frl, _ = train_frl(data, preset="small", **still)
    torch.testing.assert_close(frl.cam_bias.detach().sigmoid(), share)
    student, _ = train_student(data, teacher=frl, hint_epochs=0, **still)
    torch.testing.assert_close(student.cam_bias.detach().sigmoid(), share)
    paw, _ = train_paw(data, **{**SHORT, "steps": "frl,student,parts", **still})
    torch.testing.assert_close(paw.localizer.cam_bias.detach().sigmoid(), share)
    torch.testing.assert_close(paw.whole.cam_bias.detach().sigmoid(), share)
    own = FRL.small(num_attributes=3)
    as_it_is, _ = train_frl(data, preset="small", model=own, **still)
    assert as_it_is is own
    assert (own.cam_bias.abs() < 1e-20).all()


def test_a_student_of_a_teacher_has_two_stages(tmp_path):
    teacher = FRL.small(num_attributes=3)
    path = save_checkpoint(tmp_path / "t.safetensors", teacher)
    how = {"epochs": 2, "hint_epochs": 3, "batch_size": 16, **QUIET}
    model, history = train_student(
        squares(), teacher=path, valid=squares(9, 1), checkpoint=tmp_path / "run", **how
    )
    assert model.config["maps_per_attribute"] == teacher.config["maps_per_attribute"]
    assert "hint" not in history.columns
    _, header = read_checkpoint(tmp_path / "run" / "hint")
    hints = [row["hint"] for row in header["history"]]
    assert hints[-1] < hints[0]
    assert header["history"][0]["valid_hint_loss"] > 0
    assert all(p.requires_grad for p in model.parameters())
    again, _ = train_student(
        squares(), teacher=path, valid=squares(9, 1), checkpoint=tmp_path / "run", resume=True,
        **how,
    )  # fmt: skip
    assert same(model, again)
    with pytest.raises(DataError, match="a Majority cannot teach maps"):
        train_student(squares(), teacher=Majority(3), **QUIET)


@pytest.mark.parametrize("name", ["snet1", "snet2"])
def test_students_without_a_teacher(name):
    model, _ = recipe(name).train(squares(16), epochs=1, batch_size=16, **QUIET)
    assert model.config["trunk"] == name


def test_the_papers_steps_are_those_of_its_sum():
    """SGD on a mean of M terms with the rate times M is SGD on their sum, decay included."""
    start = torch.randn(4)
    runs = []
    for terms in (1, 40):
        weight = torch.nn.Parameter(start.clone())
        optimizer = PaperSGD(0.01, terms)([weight])
        for _ in range(5):
            optimizer.zero_grad()
            ((weight - 1).square().sum() * 40 / terms).backward()
            optimizer.step()
        runs.append(weight.detach())
    torch.testing.assert_close(runs[0], runs[1])
    assert Plan(10, 1e-4, sgd=True).arguments(40)["optimizer"] == PaperSGD(1e-4, 40)


# --- the command line -----------------------------------------------------------------------------


SMALL = ["--data", "synth", "--size", "32", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli")
    arguments = ["train", "paw", *SMALL, "--faces", "24", "--batch-size", "12", "--epochs", "1"]
    more = ["--preset", "small", "--crop", "16", "--out", str(out), "--quiet", "--no-valid"]
    assert main([*arguments, *more]) == 0
    return out


def test_train_and_evaluate_paw(folder, capsys):
    arguments = ["evaluate", str(folder), *SMALL, "--faces", "20", "--bootstrap", "5", "--json"]
    assert main(arguments) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["mean"]["accuracy"] <= 1


def test_predict_says_where_it_looks(folder, tmp_path, capsys):
    photo = tmp_path / "drawn.png"
    sample = ["data", "sample", "--data", "synth", "--size", "64", "--faces", "4", "--count", "1"]
    assert main([*sample, "--out", str(photo)]) == 0
    capsys.readouterr()
    assert main(["predict", str(folder), str(photo), "--regions", "--no-find", "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)
    width, height = Image.open(photo).size
    assert set(face["regions"]) == set(face["attributes"])
    for x0, y0, x1, y1 in face["regions"].values():
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert (x1 - x0) / width == pytest.approx(0.5, abs=0.01)  # a crop of 16 in 32
    assert main(["predict", str(folder), str(photo), "--regions", "--no-find", "--all"]) == 0
    assert " at (" in capsys.readouterr().out


def test_regions_of_a_photo_follow_its_frame(folder):
    predictor = Predictor.load(folder, device="cpu")
    (face,) = predictor(Image.new("RGB", (320, 160), "grey"), find=False, regions=True)
    in_crop = predictor.model.region_boxes(face.crop[None])[0]
    torch.testing.assert_close(face.regions, in_crop * torch.tensor([10.0, 5.0, 10.0, 5.0]))


def test_export(run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
    folder, file = run[0], tmp_path / "net.onnx"
    assert main(["export", str(folder), "--onnx", str(file)]) == 0
    model, _ = load_checkpoint(folder)
    images = torch.rand(5, 3, 48, 40)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(theirs, model(images).logits, atol=1e-4, rtol=1e-4)


def test_every_method_is_on_the_command_line():
    assert {"paw", "frl", "snet1", "snet2", "snet3"} <= set(methods())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frl", "--steps", "frl"], "frl has no --steps: it is for paw"),
        (["paw", "--teacher", "x"], "paw has no --teacher: it is for snet3, snet2, snet1"),
        (["snet1", "--teacher", "gone"], "no checkpoint 'gone'"),
        (["paw", "--preset", "small", "--steps", "six"], "unknown step 'six'"),
        (["paw", "--preset", "paper"], "at least 64 x 64 pixels, got 32 x 32"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, capsys):
    common = [*SMALL, "--faces", "6", "--no-valid", "--quiet", "--out", str(tmp_path / "out")]
    assert main(["train", *arguments, *common]) == 1
    assert message in capsys.readouterr().err
