"""Table 3 of PaW recounted, and hints."""

import pytest
import torch
from torch import nn

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError
from faceattr.models import FRL, Majority, WholeImage
from faceattr.models.backbones import TRUNKS
from faceattr.models.students import SNet1, SNet2, SNet3, Table3, TNet
from faceattr.objectives import attribute_loss
from faceattr.objectives.hints import Hint, hint_loss
from faceattr.training import fit

#: Table 3, line by line: kernel, maps, how often.
TABLE3 = {
    "tnet": [(3, 32, 2), (3, 64, 2), (3, 128, 3), (3, 256, 3), (3, 512, 3), (3, 1280, 1)],
    "snet1": [(3, 32, 1), (3, 64, 1), (3, 128, 1), (3, 256, 1), (3, 512, 1), (3, 1280, 1)],
    "snet2": [(3, 32, 1), (3, 64, 1), (3, 128, 1), (3, 256, 1), (3, 512, 1), (1, 1280, 1)],
    "snet3": [(3, 16, 1), (3, 32, 1), (3, 64, 1), (3, 128, 1), (1, 1280, 1)],
}
#: What the layers give, and what the paper prints, in millions.
COUNTS = {
    "tnet": (13_718_856, 19),
    "snet1": (7_473_960, 6),
    "snet2": (2_231_080, 2),
    "snet3": (266_920, 0.27),
}
SIZES = {"num_attributes": 3, "maps_per_attribute": 2}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def counted(rows):
    """Weights, biases, and scale and offset of batch norm."""
    total, inputs = 0, 3
    for kernel, maps, times in rows:
        for _ in range(times):
            total += kernel * kernel * inputs * maps + maps + 2 * maps
            inputs = maps
    return total


@pytest.mark.parametrize("name", TABLE3)
def test_parameters_of_table_3(name):
    with torch.device("meta"):
        trunk = TRUNKS[name]()
    layers = sum(p.numel() for p in trunk.parameters())
    grouped, full = 40 * 32 + 40, 1280 * 40 + 40
    assert layers == counted(TABLE3[name])
    assert layers + grouped == COUNTS[name][0]
    assert full - grouped == 49_920  # what the grouped last layer saves


def test_which_of_the_printed_numbers_can_be_reached():
    printed = {name: COUNTS[name][0] / 1e6 / paper for name, (_, paper) in COUNTS.items()}
    assert printed["snet3"] == pytest.approx(1, abs=0.02)  # 0.267 against 0.27
    assert round(COUNTS["snet2"][0] / 1e6) == 2
    assert printed["snet1"] > 1.2  # 7.5M against 6M: Conv6 alone has 5.9M
    assert counted(TABLE3["snet1"][-1:]) < counted([(3, 1280, 1)]) + 512 * 9 * 1280
    assert printed["tnet"] < 0.75  # 13.7M against 19M ...
    doubled = [(k, min(2 * m, 512) if m < 1280 else m, t) for k, m, t in TABLE3["tnet"]]
    assert 19 < counted(doubled) / 1e6 < 21  # ... which VGG-16's own widths come close to
    assert 19 < FRL().count() / 1e6 < 21


def test_41_of_the_third_are_the_11_million_of_the_text():
    subnets = 41 * COUNTS["snet3"][0]
    assert round((subnets + 41 * 40 + 40 * 40 + 40) / 1e6) == 11


@pytest.mark.parametrize("name", TABLE3)
@pytest.mark.parametrize("grouped", [True, False])
def test_networks_with_and_without_the_grouped_layer(name, grouped):
    model = WholeImage(name, **SIZES, grouped=grouped).eval()
    outputs = model(torch.rand(2, 3, 32, 48))
    assert outputs.logits.shape == (2, 3)
    assert outputs.features.shape == ((2, 3, 2, 2, 3) if grouped else (2, 6, 2, 3))
    assert model.cam_weights.shape == ((3, 2) if grouped else (3, 6))
    kinds = {"tnet": TNet, "snet1": SNet1, "snet2": SNet2, "snet3": SNet3}
    assert type(model.trunk) is kinds[name]


@pytest.mark.parametrize("name", TABLE3)
def test_depth_and_pooling(name):
    trunk = TRUNKS[name](6)
    assert isinstance(trunk, Table3)
    layers = [m for m in trunk if isinstance(m, nn.Conv2d)]
    assert len(layers) == sum(times for _, _, times in TABLE3[name])
    assert sum(isinstance(m, nn.MaxPool2d) for m in trunk) == 4
    sides = [m.kernel_size[0] for m in layers]
    assert sides == [kernel for kernel, _, times in TABLE3[name] for _ in range(times)]


# --- hints ----------------------------------------------------------------------------------------


def teacher(**changes):
    arguments = {"widths": (4, 6, 6, 6), "repeats": (1,) * 4, "norm": True}
    return FRL(**{**SIZES, **arguments, **changes})


def faces(count=8, size=32):
    labels = (torch.rand(count, 3) < 0.5).float()
    return Faces(images=torch.rand(count, 3, size, size), attributes=labels)


def data(count=8, size=32):
    stored = faces(count, size)
    stored.images = (stored.images * 255).to(torch.uint8)
    return FaceDataset(stored, names=("Bald", "Bangs", "Male"), source="noise")


def test_hint_loss_is_torchs_mean_squared_error():
    one, other = torch.randn(2, 3, 2, 4, 4), torch.randn(2, 3, 2, 4, 4)
    length = (one - other).flatten(1).norm(dim=1)  # Eq. 1, for each face
    torch.testing.assert_close(hint_loss(one, other), length.square().mean() / (3 * 2 * 16))
    assert hint_loss(one, one) == 0


def test_maps_of_different_size_are_one_clear_error():
    student = WholeImage("snet3", **SIZES)
    with pytest.raises(DataError, match=r"teacher's maps \(3, 2, 4, 4\).*student's \(3, 2, 2, 2\)"):
        Hint(teacher(pools=3))(student, faces())
    with pytest.raises(DataError, match="maps_per_attribute"):
        Hint(teacher(maps_per_attribute=4)).check(student, data())
    with pytest.raises(DataError, match="the teacher has no maps"):
        Hint(Majority(3))(student, faces())
    with pytest.raises(DataError, match="the student has no maps"):
        Hint(teacher())(Majority(3), faces())


def test_finer_maps_of_a_teacher_are_averaged_when_asked():
    fine, student, some = teacher(pools=3), WholeImage("snet3", **SIZES).eval(), faces()
    loss = Hint(fine, reduce=2)(student, some)["hint"]
    maps = fine(some.images).features
    halves = maps.reshape(8, 3, 2, 2, 2, 2, 2).mean((4, 6))  # (B, M, N, h, 2, w, 2)
    torch.testing.assert_close(loss, hint_loss(student(some.images).features, halves))


def test_the_two_stages():
    master, student, some = teacher(), WholeImage("snet3", **SIZES).train(), faces()
    first, second = Hint(master), Hint(master, hint=0, attributes=1)
    assert list(first(student, some)) == ["hint"]
    assert list(second(student, some)) == ["attributes"]
    both = Hint(master, hint=2, attributes=3)(student, some)
    plain = attribute_loss(student, some)["attributes"]
    torch.testing.assert_close(both["attributes"], 3 * plain)
    torch.testing.assert_close(both["hint"], 2 * first(student, some)["hint"])


def test_the_teacher_stands_still():
    master, student = teacher().train(), WholeImage("snet3", **SIZES)
    before = {name: t.clone() for name, t in master.state_dict().items()}
    how = {"epochs": 2, "batch_size": 4, "lr": 1e-2, "device": "cpu", "progress": False}
    history = fit(student, data(), Hint(master), **how)
    assert not master.training
    assert all(torch.equal(t, before[name]) for name, t in master.state_dict().items())
    assert history["hint"][-1] < history["hint"][0]


def test_hints_bring_the_maps_together():
    master, student = teacher().eval(), WholeImage("snet3", **SIZES)
    some = data(16)
    hint = Hint(master)
    apart = hint.measure(student.eval(), some)["hint_loss"]
    fit(student, some, hint, epochs=15, batch_size=8, lr=1e-2, device="cpu", progress=False)
    assert hint.measure(student, some)["hint_loss"] < 0.5 * apart
    whole = hint(student, some.gather(range(16)))["hint"].item()
    assert hint.measure(student, some, batch_size=5)["hint_loss"] == pytest.approx(whole, rel=1e-4)


def test_another_teacher_is_another_run():
    from faceattr.training.resume import describe

    one, same, other = Hint(teacher()), None, Hint(teacher())
    copy = teacher()
    copy.load_state_dict(one._teacher.state_dict())
    same = Hint(copy)
    assert describe(one) == describe(same)
    assert describe(one) != describe(other)
