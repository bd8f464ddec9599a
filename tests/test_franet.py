"""FR-ANet, FR+ANet, MCNN, ID Net: layers, groups, sizes, and whom the identity logits mean."""

import json

import numpy as np
import pytest
import torch
from crowd import TINY, crowd
from torch import nn

from faceattr.attributes import ATTRIBUTES, GROUPS
from faceattr.checkpoint import load_checkpoint, save_checkpoint
from faceattr.errors import CheckpointError, DataError, UnknownNameError
from faceattr.models import models
from faceattr.models.franet import BRANCHES, FRANet, GridMax, branches_of
from faceattr.models.idnet import IDNet
from faceattr.models.people import IdentityBranch, people_of

M, P = 3, 6
PLACES = {"Rest": {"AroundHead": [0, 1]}, "Gender": {"Gender": [2]}}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tiny(**changes):
    return FRANet(P, **{"num_attributes": M, "branches": PLACES, **TINY, **changes})


def tiny_idnet(**changes):
    sizes = {name: value for name, value in TINY.items() if name != "hidden"}
    return IDNet(P, **{"num_attributes": M, **sizes, "channels": 8, **changes})


def images(count=4, size=32):
    return torch.rand(count, 3, size, size)


def settled(model):
    """Batch norms that have seen something, and biases that are not zero."""
    model.train()
    with torch.no_grad():
        model(images(8))
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
    return model.eval()


# --- the last pool --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_grid_max_is_torchs_adaptive_pool(side):
    mine, theirs = GridMax(side), nn.AdaptiveMaxPool2d(side)
    for height in (*range(1, 15), 28, 113):
        width = 1 + (5 * height) % 17
        maps = torch.randn(2, 3, height, width, requires_grad=True)
        twin = maps.detach().clone().requires_grad_()
        one, other = mine(maps), theirs(twin)
        assert torch.equal(one, other)
        weight = torch.randn_like(one)
        (one * weight).sum().backward()
        (other * weight).sum().backward()
        torch.testing.assert_close(maps.grad, twin.grad)


def test_grid_max_of_other_numbers():
    maps = torch.randn(1, 2, 7, 5)
    assert torch.equal(GridMax(3)(maps.bfloat16()), nn.AdaptiveMaxPool2d(3)(maps.bfloat16()))
    maps[0, 0, 0, 0] = torch.nan  # a fault is not hidden by the maximum
    assert GridMax(3)(maps).isnan().sum() == 1
    channels_last = torch.randn(2, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    assert torch.equal(GridMax(3)(channels_last), nn.AdaptiveMaxPool2d(3)(channels_last))


# --- groups ---------------------------------------------------------------------------------------


def test_the_papers_groups_hold_every_attribute_once():
    found = branches_of(ATTRIBUTES)
    assert list(found) == ["Eyes", "Nose", "Mouth", "Face", "Gender", "Rest"]
    assert list(found["Rest"]) == ["FacialHair", "AroundHead", "Cheeks", "Fat"]
    assert [len(groups) for groups in found.values()] == [1, 1, 1, 1, 1, 4]
    assert sorted(g for groups in BRANCHES.values() for g in groups) == sorted(GROUPS)
    names = [ATTRIBUTES[j] for gs in found.values() for columns in gs.values() for j in columns]
    assert sorted(names) == sorted(ATTRIBUTES)
    for groups in found.values():
        for group, columns in groups.items():
            assert {ATTRIBUTES[j] for j in columns} == set(GROUPS[group])
    assert FRANet.small().config["branches"] == found


def test_groups_of_other_labels():
    names = ("Smiling", "Male", "Bald", "Chubby")
    assert branches_of(names) == {
        "Mouth": {"Mouth": [0]}, "Gender": {"Gender": [1]},
        "Rest": {"AroundHead": [2], "Fat": [3]},
    }  # fmt: skip
    with pytest.raises(DataError, match="Tall, Kind in none of MCNN's groups"):
        branches_of(("Smiling", "Tall", "Kind"))


def test_groups_that_cannot_be():
    with pytest.raises(DataError, match="Eyes holds no attribute: leave empty groups out"):
        tiny(branches={**PLACES, "Face": {"Eyes": []}})
    with pytest.raises(DataError, match="Face holds no attribute"):
        tiny(branches={**PLACES, "Face": {}})
    for columns in ([0, 1, 2], [0], [], [0, 1, 1], [0, 5], [0, -1]):
        with pytest.raises(DataError, match="must be in one group|holds no attribute"):
            tiny(branches={"A": {"a": columns}, "B": {"b": [2]}})
    with pytest.raises(DataError, match="must be in one group"):
        tiny(branches={})
    with pytest.raises(DataError, match="CelebA's 40 attributes, not of 3: give branches="):
        FRANet(P, num_attributes=3)
    with pytest.raises(UnknownNameError, match="choose one of merged, separate, none"):
        tiny(identity="both")
    with pytest.raises(DataError, match="give as many of each"):
        tiny(kernels=(3,))
    with pytest.raises(DataError, match="1 people to tell apart.*mcnn"):
        FRANet(1, num_attributes=M, branches=PLACES, **TINY)


def test_every_score_comes_from_its_own_group():
    model = settled(tiny(branches={"A": {"x": [2], "y": [0]}, "B": {"z": [1]}}))
    pool = torch.rand(2, 8, 3, 3)  # (B, two branches' maps, 3, 3)
    scores = model.attribute_scores(pool)
    for branch, group, column, maps in (("A", "x", 2, 0), ("A", "y", 0, 0), ("B", "z", 1, 1)):
        alone = model.groups[branch][group](pool[:, 4 * maps : 4 * maps + 4])[:, 0]
        torch.testing.assert_close(scores[:, column], alone + model.bias[column])
    pool.requires_grad_()
    model.attribute_scores(pool)[:, 1].sum().backward()
    assert (pool.grad.abs().sum((0, 2, 3)) > 0).tolist() == [False] * 4 + [True] * 4


# --- layers ---------------------------------------------------------------------------------------


def test_six_convolutions_as_one():
    model = settled(FRANet.small(P))
    pool3, maps = model.branch_maps(images(2, 64))
    assert maps.shape == (2, 6 * 32, 3, 3)
    conv, norm = model.conv_attr[0], model.conv_attr[1]
    for i in range(6):
        rows = slice(32 * i, 32 * i + 32)
        own = nn.Sequential(
            nn.Conv2d(96, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.AdaptiveMaxPool2d(3),
        ).eval()  # fmt: skip
        own[0].load_state_dict({"weight": conv.weight[rows], "bias": conv.bias[rows]})
        state = {name: t[rows] if t.ndim else t for name, t in norm.state_dict().items()}
        own[1].load_state_dict(state)
        torch.testing.assert_close(own(pool3), maps[:, rows], atol=1e-5, rtol=1e-5)


def parameters(inputs, outputs, kernel):
    """Of a convolution and its batch norm."""
    return inputs * outputs * kernel**2 + outputs + 2 * outputs


def test_the_papers_size():
    with torch.device("meta"):
        merged, separate, none, aux = (
            FRANet(), FRANet(identity="separate"), FRANet(identity="none"),
            FRANet(identity="none", aux=True),
        )  # fmt: skip
    count = {name: sum(p.numel() for p in m.parameters()) for name, m in merged.named_children()}
    cells = 300 * 3 * 3
    norm = 2 * 512  # layer norm's scale and shift, of each hidden layer
    fc1, fc2 = 9 * (cells * 512 + 512 + norm), 512 * 40
    people = 512 * 8_192 + 8_192
    assert count == {
        "shared": parameters(3, 75, 7) + parameters(75, 200, 5) + parameters(200, 300, 3),
        "conv_attr": 6 * parameters(300, 300, 3),
        "groups": fc1 + fc2,
        "people": 6 * cells * 512 + 512 + norm + people,
    }
    assert merged.count() == sum(count.values()) + 40 == 30_757_286 + 10 * norm
    assert none.count() == merged.count() - count["people"]
    alone = parameters(300, 300, 3) + cells * 512 + 512 + norm + people
    assert separate.count() == none.count() + alone
    assert aux.count() == none.count() + 40 * 40 + 40
    layers = [(c.out_channels, c.kernel_size[0]) for c in merged.shared if hasattr(c, "kernel_size")
              and hasattr(c, "out_channels")]  # fmt: skip
    assert layers == [(75, 7), (200, 5), (300, 3)]


def test_id_nets_size():
    with torch.device("meta"):
        guided, model = FRANet(), IDNet()
    for mine, theirs in ((model.shared, guided.shared), (model.conv, guided.conv_attr),
                         (model.people, guided.people)):  # fmt: skip
        shapes = [p.shape for p in mine.parameters()]
        assert shapes == [p.shape for p in theirs.parameters()]
    pieces = (model.shared, model.conv, model.people)
    assert model.count() == sum(p.numel() for m in pieces for p in m.parameters()) + 513 * 40


def test_maps_at_227_pixels():
    model = FRANet(
        2, num_attributes=M, branches=PLACES, widths=(2, 2, 2), kernels=(7, 5, 3), channels=3,
        hidden=4, embedding=4,
    ).eval()  # fmt: skip
    sizes = []
    for layer in model.shared:
        if isinstance(layer, nn.MaxPool2d):
            layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[-2:])))
    outputs = model(images(1, 227))
    assert sizes == [(113, 113), (56, 56), (28, 28)]
    assert model.branch_maps(images(1, 227))[1].shape == (1, 2 * 3, 3, 3)
    assert outputs.logits.shape == (1, M)
    assert outputs.identity_logits.shape == (1, 2)


@pytest.mark.parametrize("identity", ["merged", "separate", "none"])
def test_shapes(identity):
    model = tiny(identity=identity)
    for size in ((8, 8), (9, 31), (40, 16)):
        outputs = model(torch.rand(2, 3, *size))
        assert outputs.logits.shape == (2, M)
        if identity == "none":
            assert outputs.identity_logits is None
        else:
            assert outputs.identity_logits.shape == (2, P)
    with pytest.raises(DataError, match="FRANet needs images of at least 8 x 8 pixels, got 7 x 9"):
        model(torch.rand(2, 3, 7, 9))


def test_small_presets():
    for model in (FRANet.small(), FRANet.small(identity="separate"), IDNet.small()):
        outputs = model(images(2, 64))
        assert outputs.logits.shape == (2, 40)
        assert outputs.identity_logits.shape == (2, 100)
    norms = 9 * 2 * 64 + 2 * 128  # of nine groups' hidden layers and of the embedding
    assert FRANet.small().count() == 623_884 + norms
    assert FRANet.small(101).count() - FRANet.small(100).count() == 129
    assert {"FRANet", "IDNet"} <= set(models())


def test_the_last_layer_of_aux_begins_as_the_identity():
    plain, aux = tiny(identity="none"), tiny(identity="none", aux=True)
    assert torch.equal(aux.aux.weight, torch.eye(M))
    assert torch.equal(aux.aux.bias, torch.zeros(M))
    own = aux.state_dict()
    aux.load_state_dict({**own, **plain.state_dict()})
    pictures = images()
    torch.testing.assert_close(aux.eval()(pictures).logits, plain.eval()(pictures).logits)
    nn.init.normal_(aux.aux.weight)
    nn.init.normal_(aux.aux.bias)
    scores = plain(pictures).logits
    by_hand = scores @ aux.aux.weight.T + aux.aux.bias
    torch.testing.assert_close(aux(pictures).logits, by_hand)


def test_biases_begin_at_the_log_odds():
    share = torch.tensor([0.2, 0.5, torch.nan])
    model = tiny().expect(share)
    torch.testing.assert_close(model.bias.sigmoid(), torch.tensor([0.2, 0.5, 0.5]))
    with pytest.raises(DataError, match="for 3 attributes"):
        model.expect(torch.rand(4))
    with pytest.raises(DataError, match="IDNet has no bias for each attribute"):
        tiny_idnet().expect(share)


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{}, {"identity": "separate"}, {"identity": "none"}, {"aux": True}],
    ids=["merged", "separate", "none", "aux"],
)
def test_a_checkpoint_brings_the_network_and_its_people_back(tmp_path, changes):
    model = settled(tiny(**changes))
    again = FRANet(**json.loads(json.dumps(model.config)))
    assert again.config == model.config
    if model.people is not None:
        model.people.meet([10**12, 5, 7, 7, 9, -1, 0, 1234])
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "f.safetensors", model), expect=FRANet)
    pictures = images()
    for (name, mine), (_, theirs) in zip(model(pictures), again(pictures), strict=True):
        assert torch.equal(mine, theirs), name
    if model.people is not None:
        assert again.people.known.tolist() == [0, 5, 7, 9, 1234, 10**12]
    with pytest.raises(CheckpointError, match="holds a FRANet, not a IDNet"):
        load_checkpoint(tmp_path / "f.safetensors", expect=IDNet)


def test_the_columns_of_a_group_may_be_numpys(tmp_path):
    places = {"A": {"a": np.array([0, 2])}, "B": {"b": range(1, 2)}}
    model = tiny(branches=places)
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "f.safetensors", model))
    assert again.config["branches"] == {"A": {"a": [0, 2]}, "B": {"b": [1]}}


def test_names_that_no_group_can_have():
    for name in ("a.b", "", "keys", 7):
        with pytest.raises(DataError, match="no name for a group"):
            tiny(branches={"A": {name: [0, 1, 2]}})
        with pytest.raises(DataError, match="no name for a group"):
            tiny(branches={name: {"A": [0, 1, 2]}})


# --- who it is ------------------------------------------------------------------------------------


def test_logits_stand_for_the_people_of_training():
    branch = IdentityBranch(18, 4, 3)
    assert branch.people == 3
    assert branch.known.tolist() == [0, 1, 2]
    branch.meet(torch.tensor([70, 5, -1, 70, 10**12, 5]))
    assert branch.known.tolist() == [5, 70, 10**12]
    asked = torch.tensor([70, 10**12, 5, -1, 6, 0, 10**12 + 1, -7])
    assert branch.targets(asked).tolist() == [1, 2, 0, -1, -1, -1, -1, -1]
    assert branch.targets(asked[:0]).tolist() == []
    for wrong in ([1, 2], [1, 2, 3, 4], [-1, -1], []):
        with pytest.raises(DataError, match="people for a network that tells 3 apart"):
            branch.meet(torch.tensor(wrong, dtype=torch.int64))


@pytest.mark.parametrize("kind", [torch.int16, torch.int32, torch.int64])
def test_numbers_of_every_width(kind):
    branch = IdentityBranch(18, 4, 3)
    branch.meet(torch.tensor([70, 5, 300], dtype=kind))
    targets = branch.targets(torch.tensor([300, 5, 7, -1], dtype=kind))
    assert targets.tolist() == [2, 0, -1, -1]
    assert targets.dtype == torch.int64


def test_how_many_people():
    assert people_of(None) == 0
    assert people_of(torch.tensor([-1, -1])) == 0
    assert people_of(torch.tensor([3, 10**12, 3, -1])) == 2
    assert people_of(crowd(20, 6).faces.identity) == 6


def test_where_people_are_recognised():
    """From all branches' maps, or from a convolution that no attribute shares."""
    for identity, touched in (("merged", True), ("separate", False)):
        model = tiny(identity=identity)
        model(images()).identity_logits.square().sum().backward()
        grad = model.conv_attr[0].weight.grad
        assert (grad is not None and bool((grad != 0).any())) is touched
        if touched:  # each branch's maps
            assert (grad.abs().sum((1, 2, 3)).reshape(2, 4).sum(1) > 0).all()
        assert (model.shared[0].weight.grad != 0).any()
        assert all(p.grad is None for p in model.groups.parameters())


# --- ID Net ---------------------------------------------------------------------------------------


def test_id_net_reads_attributes_from_its_hidden_layer():
    pictures = images()
    fresh = tiny_idnet().eval()
    assert torch.equal(fresh(pictures).logits, torch.zeros(4, M))  # until machines are fitted
    model = settled(tiny_idnet())
    hidden = model.embed(pictures)
    assert hidden.shape == (4, 16)
    weight, bias = torch.randn(M, 16), torch.randn(M)
    middle, spread = torch.randn(16), torch.rand(16) + 0.5
    model.set_machines(weight, bias, middle, spread)
    by_hand = ((hidden - middle) / spread) @ weight.T + bias
    torch.testing.assert_close(model(pictures).logits, by_hand)
    torch.testing.assert_close(model(pictures).identity_logits, model.people.scores(hidden))
    model(pictures).logits.sum().backward()
    assert all(p.grad is None for p in model.shared.parameters())  # people only teach these


def test_machines_that_do_not_fit():
    model = tiny_idnet()
    good = {"weight": torch.zeros(M, 16), "bias": torch.zeros(M), "middle": torch.zeros(16)}
    good["spread"] = torch.ones(16)
    for name, wrong in (("weight", torch.zeros(16, M)), ("bias", torch.full((M,), torch.nan)),
                        ("spread", torch.full((16,), torch.inf))):  # fmt: skip
        before = model.svm.weight.clone()
        with pytest.raises(DataError, match=f"{name} of the support vector machines"):
            model.set_machines(**{**good, "weight": torch.ones(M, 16), name: wrong})
        assert torch.equal(model.svm.weight, before)


def test_id_nets_checkpoint(tmp_path):
    model = settled(tiny_idnet())
    model.set_machines(torch.randn(M, 16), torch.randn(M), torch.randn(16), torch.rand(16) + 0.1)
    model.people.meet(crowd(12, P).faces.identity)
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "i.safetensors", model), expect=IDNet)
    pictures = images()
    assert torch.equal(again(pictures).logits, model(pictures).logits)
    assert torch.equal(again.people.known, model.people.known)
