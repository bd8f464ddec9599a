"""The baselines' recipes, on faces small enough to train in a second."""

import pytest
import torch

from faceattr.checkpoint import load_checkpoint
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.errors import CheckpointError, DataError, TrainingError, UnknownNameError
from faceattr.evaluation import evaluate, predict_logits
from faceattr.models import Majority, WholeImage
from faceattr.recipes import methods, recipe, train_whole
from faceattr.training.callbacks import Callback

NAMES = ("Bald", "Bangs", "Male")
QUIET = {"device": "cpu", "progress": False}


def squares(count=96, seed=0, size=16):
    """Pictures in which attribute j is a bright channel j in the lower half."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, 3, generator=generator) < 0.4).float()
    images = 80 * torch.rand(count, 3, size, size, generator=generator)
    images[:, :, size // 2 :] += 120 * labels[:, :, None, None]
    faces = Faces(images=images.to(torch.uint8), attributes=labels)
    return FaceDataset(faces, names=NAMES, source=f"squares {seed}")


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_every_method_is_named_and_explained():
    assert {"snet3", "resnet18", "majority"} <= set(methods())
    for name, method in methods().items():
        assert recipe(name) is method
        assert method.name == name
        assert method.summary
    with pytest.raises(UnknownNameError, match=r"did you mean snet3\?.*majority"):
        recipe("snet4")
    with pytest.raises(UnknownNameError, match="'strong': use none, flip, light"):
        train_whole(squares(), augment="strong")
    with pytest.raises(UnknownNameError, match="snet1, tnet, resnet18 or majority"):
        train_whole(squares(), method="vgg")


def test_snet3_learns_what_can_be_seen():
    model, history = recipe("snet3").train(squares(), epochs=8, batch_size=16, **QUIET)
    assert isinstance(model, WholeImage)
    assert not model.training
    assert model.config["num_attributes"] == 3
    assert len(history) == 8
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    report = evaluate(model, squares(seed=1), device="cpu", bootstrap=0)
    assert report.mean["accuracy"] > 0.9 > report.mean["majority_accuracy"]


def test_resnet18_trains():
    model, history = recipe("resnet18").train(squares(32), epochs=1, batch_size=16, **QUIET)
    assert model.config["trunk"] == "resnet18"
    assert len(history) == 1


def test_same_seed_same_weights_and_the_callers_random_numbers_untouched():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    runs = [train_whole(squares(32), epochs=1, seed=s, **QUIET)[0].state_dict() for s in (1, 1, 2)]
    assert torch.equal(torch.rand(3), expected)
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_resuming_gives_the_weights_of_never_stopping(tmp_path):
    data = squares(48)
    whole, _ = train_whole(data, epochs=2, **QUIET)
    stopped = {"epochs": 2, "checkpoint": tmp_path, "callbacks": [InSecondEpoch()], **QUIET}
    with pytest.raises(KeyboardInterrupt, match="resume=True"):
        train_whole(data, **stopped)
    again, history = train_whole(data, epochs=2, checkpoint=tmp_path, resume=True, **QUIET)
    assert len(history) == 2
    assert same(whole.state_dict(), again.state_dict())


class InSecondEpoch(Callback):
    """Ctrl-C after the first step of the second epoch."""

    def on_step_end(self, run):
        if run.epoch == 2:
            raise KeyboardInterrupt


def test_checkpoint_holds_the_model_and_how_it_came_about(tmp_path):
    data, valid = squares(48), squares(20, seed=1)
    model, _ = recipe("snet3").train(
        data, valid=valid, epochs=1, checkpoint=tmp_path, record={"profile": "smoke"}, **QUIET
    )
    again, header = load_checkpoint(tmp_path)
    x = valid.gather(range(20)).images
    torch.testing.assert_close(again(x).logits, model(x).logits)
    assert header["attributes"] == list(NAMES)
    assert header["record"]["method"] == "snet3"
    assert header["record"]["profile"] == "smoke"
    assert header["record"]["pretrained"] is None
    assert (tmp_path / "history.csv").is_file()


def test_training_goes_on_from_given_weights(tmp_path):
    train_whole(squares(32), epochs=1, checkpoint=tmp_path, **QUIET)
    file = tmp_path / "best.safetensors"
    trained = load_checkpoint(file)[0].trunk
    model, history = train_whole(
        squares(32), epochs=1, lr=1e-12, average=None, pretrained=str(file), **QUIET
    )
    torch.testing.assert_close(model.trunk[0].weight, trained[0].weight)
    assert history.record["pretrained"] == "best.safetensors"
    with pytest.raises(CheckpointError, match="no weights at"):
        train_whole(squares(32), epochs=1, pretrained="gone.pth", **QUIET)


def test_majority_counts_and_writes_what_fit_writes(tmp_path):
    data, valid = squares(), squares(seed=1)
    model, history = recipe("majority").train(
        data, valid=valid, checkpoint=tmp_path, devices=1, precision="32-true", compile=False,
        resume=False, seed=3, **QUIET,
    )  # fmt: skip
    assert isinstance(model, Majority)
    torch.testing.assert_close(model.prevalence, data.attributes.mean(0))
    p = data.attributes.mean(0)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).mean().item()
    row = history.frame().iloc[-1]
    assert row["loss"] == pytest.approx(entropy, rel=1e-5)
    assert row["valid_balanced_accuracy"] == pytest.approx(0.5)
    for name in ("best", "last"):
        again, header = load_checkpoint(tmp_path / f"{name}.safetensors")
        assert torch.equal(again.prevalence, model.prevalence)
        assert header["size"] == [16, 16]
    assert (tmp_path / "history.csv").is_file()
    assert predict_logits(model, valid, device="cpu").shape == (96, 3)


def test_majority_of_partly_labelled_faces():
    data = squares()
    data.faces.attributes[:60, 0] = UNKNOWN
    data.faces.attributes[:, 1] = UNKNOWN
    with pytest.warns(UserWarning, match="no label of Bangs"):
        model, _ = recipe("majority").train(data, **QUIET)
    assert model.prevalence[0] == pytest.approx(data.attributes[60:, 0].mean().item())
    assert model.prevalence[1] == 0.5


@pytest.mark.parametrize("method", ["snet3", "majority"])
def test_data_that_cannot_be_trained_on(method):
    data = squares(8)
    with pytest.raises((DataError, TrainingError), match="no .*faces"):
        recipe(method).train(data.subset([]), **QUIET)
    data.faces.attributes = None
    with pytest.raises(DataError, match="no attribute labels to learn from"):
        recipe(method).train(data, **QUIET)
