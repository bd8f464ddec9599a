"""How MTFAP trains: Algorithm 3, the alternating optimiser, resuming, independent networks."""

from __future__ import annotations

import pytest
import torch
from squares import NAMES, QUIET, same, squares

from faceattr.attributes import GROUPS
from faceattr.checkpoint import load_checkpoint, read_checkpoint
from faceattr.errors import DataError, TrainingError, UnknownNameError
from faceattr.localization import heatmaps, upsample
from faceattr.models import WholeImage
from faceattr.models.independent import IndependentTasks
from faceattr.models.mtfap import MTFAP
from faceattr.objectives.structure import GraphPenalty, GroupPenalty
from faceattr.recipes.mtfap import STRUCTURES, columns_of, train_mtfap
from faceattr.training.callbacks import Callback


class Interrupt(Callback):
    """Ctrl-C at the end of the third epoch."""

    def on_epoch_end(self, run):
        if run.epoch == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_stopped_run_goes_on_to_the_same_weights(structure, tmp_path):
    how = {"structure": structure, "epochs": 5, "batch_size": 16, **QUIET}
    if structure == "groups":
        how |= {"columns": 1, "lam": 30.0}  # probing matrices are drawn again; some entries are 0
    whole, _ = train_mtfap(squares(48), **how)
    with pytest.raises(KeyboardInterrupt):
        train_mtfap(squares(48), checkpoint=tmp_path, callbacks=[Interrupt()], **how)
    again, history = train_mtfap(squares(48), checkpoint=tmp_path, resume=True, **how)
    assert len(history) == 5
    assert same(whole, again)
    again, header = load_checkpoint(tmp_path)
    assert header["record"]["structure"] == structure


def test_a_run_is_not_resumed_with_another_way_to_learn_its_graph(tmp_path):
    how = {"epochs": 1, "batch_size": 16, "checkpoint": tmp_path, **QUIET}
    train_mtfap(squares(32), structure="l2", **how)
    with pytest.raises(TrainingError, match="other settings: objective"):
        train_mtfap(squares(32), structure="graph", resume=True, **how)
    train_mtfap(squares(32), structure="graph", graph_settings={"alpha": 1.0}, **how)
    for other in ({"graph_step": "mtrl"}, {"graph_settings": {"alpha": 2.0}}):
        with pytest.raises(TrainingError, match="other settings: objective"):
            train_mtfap(squares(32), **{"structure": "graph", "resume": True, **how, **other})


def test_algorithm_3_learns_a_graph_after_each_epoch_and_keeps_it(tmp_path):
    how = {"structure": "graph", "graph_settings": {"alpha": 2.0}, "epochs": 2, "batch_size": 16}
    model, history = train_mtfap(squares(48), checkpoint=tmp_path, **how, **QUIET)
    tensors, _ = read_checkpoint(tmp_path / "last.safetensors")
    (kept,) = (value for name, value in tensors.items() if name.endswith("matrix"))
    assert not torch.equal(kept, torch.eye(3)), "with alpha 2 every pair is tried"
    torch.testing.assert_close(kept.sum(1), torch.ones(3))
    assert history["graph"][-1] > 0
    alone, _ = train_mtfap(
        squares(48), **{**how, "graph_step": "printed", "graph_settings": {}}, **QUIET
    )
    short, _ = train_mtfap(squares(48), structure="l2", epochs=2, batch_size=16, **QUIET)
    assert same(alone, short), "as printed it is Eq. 1"


def test_exact_zeros_of_algorithm_2_outlive_the_averaging_of_weights(tmp_path):
    raw = []

    def watch(run):
        raw[:] = [some.detach().clone() for some in run.model.tasks.coefficients]

    how = {"structure": "groups", "groups": {"all": NAMES}, "basis": 3, "lam": 100.0}
    model, _ = train_mtfap(
        squares(64), epochs=8, batch_size=16, callbacks=[watch], checkpoint=tmp_path, **how, **QUIET
    )
    zeros = raw[0] == 0
    assert 0 < zeros.sum() < zeros.numel()
    assert ((model.tasks.coefficients[0] == 0) == zeros).all()
    assert not torch.equal(model.tasks.coefficients[0], raw[0]), "the others are averaged"
    kept, _ = load_checkpoint(tmp_path / "last.safetensors")
    assert same(kept, model)


def test_penalties_weigh_more_where_labels_are_few():
    model, faces = MTFAP.small(num_attributes=3), squares(8).gather(range(8))
    few, many = (GraphPenalty(3, count)(model, faces)["graph"] for count in (10, 1000))
    assert few.item() == pytest.approx(100 * many.item())
    price = 0.75 * model.weights.square().sum() / (10 * 3)
    torch.testing.assert_close(few, price)
    grouped = MTFAP.small(num_attributes=3, groups=[[0, 1], [2]])
    losses = GroupPenalty(3, 10)(grouped, faces)
    assert not losses["rank"].requires_grad, "Algorithm 1 takes the sub-gradient itself"
    assert not losses["sparsity"].requires_grad
    with pytest.raises(DataError, match="knows no groups"):
        GroupPenalty(3, 10)(model, faces)
    with pytest.raises(DataError, match="weights of an MTFAP"):
        GraphPenalty(3, 10)(WholeImage("snet3", num_attributes=3), faces)


def test_independent_networks_are_independent():
    model, images = IndependentTasks.small(num_attributes=3).eval(), torch.rand(2, 3, 32, 32)
    images.requires_grad_(True)
    model(images).logits[:, 1].sum().backward()
    first = model.trunks[0].weight.grad.unflatten(0, (3, -1))
    assert first[1].any()
    assert not first[0].any()
    assert not first[2].any()
    assert not model.head.weight.grad[[0, 2]].any()
    one = MTFAP.small(num_attributes=1).eval()
    assert model.count() == 3 * one.count()
    layers = [m for m in one.trunk if hasattr(m, "weight")]
    theirs = [m for m in model.trunks if hasattr(m, "weight")]
    for mine, his in zip(layers, theirs, strict=True):  # network 1 alone answers as in the three
        for name, tensor in mine.state_dict().items():
            if tensor.ndim:
                tensor.copy_(his.state_dict()[name].unflatten(0, (3, -1))[1])
    with torch.no_grad():
        one.tasks.free.copy_(model.head.weight[1][:, None])
        one.tasks.bias.copy_(model.head.bias[1:2])
        torch.testing.assert_close(
            one(images).logits[:, 0], model(images).logits[:, 1], atol=1e-4, rtol=1e-4
        )


def test_a_constant_attribute_and_unknown_labels_are_trained_on():
    data = squares(32)
    data.faces.attributes[:, 1] = 0
    data.faces.attributes[:16, 2] = -1
    for structure in ("groups", "graph"):
        with pytest.warns(UserWarning, match="no face of squares 0 has Bangs"):
            model, _ = train_mtfap(data, structure=structure, epochs=1, batch_size=16, **QUIET)
        assert model(data.gather(range(4)).images).logits.isfinite().all()


def test_groups_follow_the_names_of_the_data():
    assert columns_of({"a": ("Bald", "Eyeglasses"), "b": ("Smiling",)}, NAMES) == [[0], [1], [2]]
    with pytest.raises(DataError, match="none of the attributes"):
        columns_of({"a": ("Eyeglasses",)}, NAMES)
    with pytest.raises(UnknownNameError, match="'Bold', which is no attribute"):
        columns_of({"a": ("Bold", "Bangs")}, NAMES)
    for groups in ({"a": ("Bald", "Bangs"), "b": ("Bald",)}, {"a": ("Bald", "Bald")}):
        with pytest.raises(DataError, match="Bald more than once"):
            columns_of(groups, NAMES)
    names = [name for members in GROUPS.values() for name in members]
    assert sorted(j for group in columns_of(GROUPS, names) for j in group) == list(range(40))


def test_heat_maps_are_the_papers():
    model, images = MTFAP.small(num_attributes=3).eval(), torch.rand(2, 3, 32, 40)
    maps = heatmaps(model, images)  # Eq. 16
    torch.testing.assert_close(maps.mean((-2, -1)) + model.cam_bias, model(images).logits)  # Eq. 15
    large = upsample(maps, (32, 40), "nearest")
    torch.testing.assert_close(large[:, :, ::8, ::8], maps)
    assert MTFAP().count() == 14_735_208
