"""Parts and whole: subnets side by side, the two combining layers, regions, variants."""

import pytest
import torch
from torch import nn

from faceattr.checkpoint import load_checkpoint, save_checkpoint
from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.errors import DataError, MapError, UnknownNameError
from faceattr.evaluation import predict_logits
from faceattr.localization import attribute_regions, crop_regions, heatmaps, regions_from_heatmaps
from faceattr.models import FRL, PaW, WholeImage
from faceattr.models.parallel import ParallelSubnets
from faceattr.models.paw import RegionSwitch
from faceattr.objectives import attribute_loss, cross_entropy
from faceattr.objectives.parts import parts_loss

M, N = 5, 3
SIZES = {"num_attributes": M, "maps_per_attribute": N}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def settled(model, size=32):
    """Batch norms that have seen something, and biases that are not zero."""
    model.train()
    with torch.no_grad():
        model(torch.rand(4, 3, size, size))
        nn.init.normal_(model.head.bias)
    return model.eval()


def subnet(trunk="snet3"):
    return settled(WholeImage(trunk, **SIZES))


def localizer():
    return settled(FRL(M, 2, widths=(4, 6), repeats=(1, 1), pools=2, norm=True))


def loop(subnets, pictures):
    return torch.stack([net(pictures[:, i]).logits for i, net in enumerate(subnets)], dim=1)


def images(count=3, size=40):
    return torch.rand(count, 3, size, size)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    model = PaW.from_subnets([subnet() for _ in range(M + 1)], localizer(), crop=16)
    nn.init.normal_(model.switch.weight)
    nn.init.normal_(model.relation.weight)
    nn.init.normal_(model.relation.bias)
    return model.eval()


# --- side by side ---------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [1, 2, 4])
@pytest.mark.parametrize("training", [False, True])
def test_all_at_once_equals_a_loop(together, training):
    subnets = [subnet().train(training) for _ in range(4)]
    several = ParallelSubnets.of(subnets).train(training)
    several.cache = 3 * 16 * 24 * 20 * together
    pictures = torch.rand(3, 4, 3, 24, 20)
    assert several._block(pictures) == together
    if not training:
        with torch.no_grad():
            odd = torch.rand(3, 4, 3, 37, 54)
            torch.testing.assert_close(several(odd), loop(subnets, odd), atol=1e-5, rtol=1e-5)
    mine, theirs = several(pictures), loop(subnets, pictures)
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
    mine.square().sum().backward()
    theirs.square().sum().backward()
    for name, parameter in several.trunk.named_parameters():
        if training and name.endswith("bias") and parameter.grad.abs().max() < 1e-3:
            continue  # batch norm takes a convolution's bias away again: rounding is all there is
        expected = torch.cat([dict(net.trunk.named_parameters())[name].grad for net in subnets])
        torch.testing.assert_close(parameter.grad, expected, atol=1e-3, rtol=1e-3)
    for name, buffer in several.trunk.named_buffers():
        each = [dict(net.trunk.named_buffers())[name] for net in subnets]
        expected = torch.cat(each) if buffer.ndim else each[0]
        torch.testing.assert_close(buffer, expected)
    torch.testing.assert_close(
        several.weight.grad, torch.stack([net.head.weight.grad for net in subnets]),
        atol=1e-4, rtol=1e-4,
    )  # fmt: skip


@pytest.mark.parametrize("trunk", ["snet2", "snet1"])
def test_other_students_run_side_by_side_too(trunk):
    subnets = [subnet(trunk) for _ in range(2)]
    pictures = torch.rand(2, 2, 3, 16, 16)
    with torch.no_grad():
        mine, theirs = ParallelSubnets.of(subnets).eval()(pictures), loop(subnets, pictures)
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_without_gradient_the_weights_kept_are_those_of_now():
    subnets = [subnet() for _ in range(2)]
    several, pictures = ParallelSubnets.of(subnets).eval(), torch.rand(2, 2, 3, 16, 16)
    with torch.no_grad():
        before = several(pictures)
        assert torch.equal(several(pictures), before)
        for change in (
            lambda: several.trunk[0].weight.mul_(2),
            lambda: several.trunk[1].running_var.mul_(4),
            lambda: several.lay([subnet(), subnet()]),
        ):
            change()
            expected = loop(several.apart(), pictures)
            torch.testing.assert_close(several(pictures), expected, atol=1e-5, rtol=1e-5)


def test_many_faces_are_computed_in_chunks():
    several, pictures = ParallelSubnets.of([subnet(), subnet()]).eval(), torch.rand(7, 2, 3, 16, 16)
    several.chunk = 3
    with torch.no_grad():
        torch.testing.assert_close(several(pictures), several._scores(pictures))


def test_apart_gives_back_what_was_laid():
    subnets = [subnet() for _ in range(3)]
    for mine, theirs in zip(ParallelSubnets.of(subnets).apart(), subnets, strict=True):
        assert mine.config == theirs.config
        state = theirs.state_dict()
        assert all(torch.equal(t, state[name]) for name, t in mine.state_dict().items())


def test_subnets_share_nothing():
    several = ParallelSubnets.of([subnet()] * 3).eval()
    pictures = torch.rand(2, 3, 3, 16, 16, requires_grad=True)
    several(pictures)[:, 1].sum().backward()
    assert (pictures.grad.abs().sum((0, 2, 3, 4)) > 0).tolist() == [False, True, False]
    touched = several.trunk[0].weight.grad.abs().sum((1, 2, 3)).reshape(3, 16).sum(1) > 0
    assert touched.tolist() == [False, True, False]


def test_networks_that_cannot_run_side_by_side():
    with pytest.raises(DataError, match="choose snet3"):
        ParallelSubnets(2, trunk="resnet18", num_attributes=M)
    with pytest.raises(DataError, match="grouped=False"):
        ParallelSubnets(2, trunk="snet3", grouped=False, **SIZES)
    with pytest.raises(DataError, match="at least one"):
        ParallelSubnets.of([])
    with pytest.raises(DataError, match="subnet 1 is WholeImage.*snet2.*one layout"):
        ParallelSubnets.of([subnet(), subnet("snet2")])
    with pytest.raises(DataError, match="1 subnets where 2 are needed"):
        ParallelSubnets.of([subnet(), subnet()]).lay([subnet()])


# --- the network ----------------------------------------------------------------------------------


def test_the_11_million_of_the_text():
    with torch.device("meta"):
        model = PaW.__new__(PaW)  # the localizer of 20.6M is beside the point
        PaW.__init__(model, regions="random")
    sizes = model.sizes()
    assert sizes == {
        "localizer": 0,
        "whole": 266_920,
        "parts": 40 * 266_920,
        "switch": 41 * 40,
        "relation": 40 * 40 + 40,
    }
    assert model.count() == sum(sizes.values()) == 10_947_000


def test_every_equation_by_hand(network):
    pictures = images()
    outputs = network(pictures)
    whole, *parts = network.to_subnets()
    maps = heatmaps(network.localizer, pictures)
    crops = crop_regions(pictures, regions_from_heatmaps(maps, (40, 40)), 16)
    s = torch.cat([whole(pictures).logits[:, None], loop(parts, crops)], dim=1)  # (B, M + 1, M)
    torch.testing.assert_close(outputs.part_logits, s, atol=1e-5, rtol=1e-5)
    W, A, b = network.switch.weight, network.relation.weight, network.relation.bias
    for face in range(3):
        r = [sum(W[i, j] * s[face, i, j] for i in range(M + 1)) for j in range(M)]
        o = A @ torch.stack(r) + b
        torch.testing.assert_close(outputs.logits[face], o, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs.heatmaps, maps)


def test_output_j_of_the_switch_sees_only_scores_of_attribute_j():
    switch, scores = RegionSwitch(4, M), torch.randn(2, 4, M, requires_grad=True)
    switch(scores)[:, 2].sum().backward()
    assert (scores.grad.abs().sum((0, 1)) > 0).tolist() == [j == 2 for j in range(M)]
    torch.testing.assert_close(switch(scores), scores.mean(1))  # before training


def test_the_fresh_network_answers_the_mean_of_its_subnets():
    model = PaW.from_subnets([subnet()], localizer(), crop=16).eval()
    outputs = model(images())
    torch.testing.assert_close(outputs.logits, outputs.part_logits.mean(1))
    first, *others = model.to_subnets()
    assert all(torch.equal(first.trunk[0].weight, other.trunk[0].weight) for other in others)


def test_regions_are_cut_where_it_says(network):
    pictures = images()
    boxes = network.region_boxes(pictures)
    assert boxes.shape == (3, M, 4)
    assert torch.equal(boxes, attribute_regions(network, pictures))
    parts = network.part_scores(pictures)
    nets = network.to_subnets()[1:]
    for j, (x0, y0, x1, y1) in enumerate(boxes[0].tolist()):
        alone = nets[j](pictures[:1, :, y0:y1, x0:x1]).logits[0]
        torch.testing.assert_close(parts[0, j], alone, atol=1e-5, rtol=1e-5)


def test_part_only_and_whole_only_share_the_weights(network):
    pictures = images()
    scores = network(pictures).part_logits
    part, whole = network.variant("part-only"), network.variant("whole-only")
    torch.testing.assert_close(part(pictures).logits, scores[:, 1:].diagonal(dim1=1, dim2=2))
    torch.testing.assert_close(whole(pictures).logits, scores[:, 0])
    assert whole(pictures).part_logits is None
    assert part.whole is network.whole
    assert network.config["answer"] == "paw"


@pytest.mark.parametrize("regions", ["grid", "random"])
def test_regions_that_never_look(regions):
    model = PaW.from_subnets([subnet()], regions=regions, crop=16, grid=(2, 2), seed=3).eval()
    pictures = images()
    boxes = model.region_boxes(pictures)
    assert model.localizer is None
    assert torch.equal(boxes[0], boxes[2])
    assert boxes.shape[1] == (4 if regions == "grid" else M)
    outputs = model(pictures)
    assert outputs.heatmaps is None
    x0, y0, x1, y1 = boxes[1, 2].tolist()
    alone = model.to_subnets()[3](pictures[1:2, :, y0:y1, x0:x1]).logits
    torch.testing.assert_close(outputs.part_logits[1:2, 3], alone, atol=1e-5, rtol=1e-5)
    if regions == "grid":
        assert model.switch.weight.shape == (5, M)
        with pytest.raises(DataError, match="part for each attribute"):
            model.variant("part-only")


def test_a_whole_image_network_may_place_the_parts():
    eyes = settled(WholeImage("snet3", **SIZES, grouped=False))
    model = PaW.from_subnets([subnet()], eyes, crop=16).eval()
    pictures = images()
    torch.testing.assert_close(model(pictures).heatmaps, heatmaps(eyes, pictures))


def test_a_checkpoint_brings_everything_back(tmp_path, network):
    again, _ = load_checkpoint(save_checkpoint(tmp_path / "p.safetensors", network))
    pictures = images()
    torch.testing.assert_close(again(pictures).logits, network(pictures).logits)
    assert again.config == network.config


def test_small_is_for_64_pixels():
    model = PaW.small(num_attributes=M)
    outputs = model.eval()(images(2, 64))
    assert outputs.logits.shape == (2, M)
    assert outputs.part_logits.shape == (2, M + 1, M)
    assert isinstance(model.localizer, FRL)


# --- training -------------------------------------------------------------------------------------


def test_frozen_pieces_stand_still():
    model = PaW.from_subnets([subnet()], localizer(), crop=16)
    for frozen in ((), ("whole", "switch", "relation"), ("whole", "parts")):
        model.freeze(*frozen)
        model.train()
        before = {name: t.clone() for name, t in model.state_dict().items()}
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        pictures = Faces(images=images(), attributes=(torch.rand(3, M) < 0.5).float())
        objective = parts_loss if "switch" in frozen else attribute_loss
        optimizer.zero_grad()
        sum(objective(model, pictures).values()).backward()
        optimizer.step()
        now = model.state_dict()
        moved = {n.split(".")[0] for n, t in now.items() if not torch.equal(t, before[n])}
        assert moved == {"whole", "parts", "switch", "relation"} - set(frozen)
    with pytest.raises(UnknownNameError, match="unknown piece 'head'"):
        model.freeze("head")


def test_parts_learn_independently():
    model = PaW.from_subnets([subnet() for _ in range(M + 1)], localizer(), crop=16)
    model.freeze("whole", "switch", "relation")
    labels = (torch.rand(3, M) < 0.5).float()
    labels[0, 1] = UNKNOWN
    batch = Faces(images=images(), attributes=labels)
    loss = parts_loss(model, batch)["parts"]
    scores = model.part_scores(batch.images)
    torch.testing.assert_close(loss, sum(cross_entropy(scores[:, i], labels) for i in range(M)))
    assert not loss.isnan()
    with pytest.raises(DataError, match="no attribute labels"):
        parts_loss(model, Faces(images=images()))


def test_logits_of_a_data_set_do_not_depend_on_the_batch(network):
    stored = (torch.rand(7, 3, 40, 40) * 255).to(torch.uint8)
    data = FaceDataset(Faces(images=stored), names=tuple("abcde"), source="noise")
    one = predict_logits(network, data, device="cpu", batch_size=2)
    all_at_once = predict_logits(network, data, device="cpu")
    torch.testing.assert_close(all_at_once, one, atol=1e-4, rtol=1e-4)


# --- bad input ------------------------------------------------------------------------------------


def test_images_smaller_than_the_crop(network):
    with pytest.raises(DataError, match="PaW needs images of at least 16 x 16 pixels, got 15 x 30"):
        network(torch.rand(1, 3, 15, 30))
    grid = PaW.from_subnets([subnet()], regions="grid")
    with pytest.raises(DataError, match="at least 64 x 64 pixels, got 63 x 80"):
        grid(torch.rand(1, 3, 63, 80))
    with pytest.raises(DataError, match="crop=12: a snet3 needs at least 16"):
        PaW.from_subnets([subnet()], regions="random", crop=12)


def test_a_localizer_whose_maps_are_constant_looks_at_the_middle(network):
    model = PaW.from_subnets(network.to_subnets(), localizer(), crop=16).eval()
    with torch.no_grad():
        model.localizer.head.weight.zero_()
        middle = model.region_boxes(images(1))[0]
        assert middle.tolist() == [[12, 12, 28, 28]] * M
        model.localizer.head.weight.fill_(-1)  # maps that are nowhere positive
    outputs = model(images())
    assert (outputs.heatmaps <= 0).all()
    assert outputs.logits.isfinite().all()


def test_names_and_networks_that_do_not_belong():
    with pytest.raises(UnknownNameError, match="unknown regions 'blocks': choose heatmaps, grid"):
        PaW(regions="blocks")
    with pytest.raises(UnknownNameError, match="unknown answer 'part'"):
        PaW(answer="part")
    with pytest.raises(UnknownNameError, match="unknown localizer 'Majority': choose FRL"):
        PaW(localizer={"model": "Majority", "arguments": {}})
    with pytest.raises(DataError, match="maps of 3 attributes, PaW scores 5"):
        PaW.from_subnets([subnet()], FRL(3, 2, widths=(4,), repeats=(1,), pools=1), crop=16)
    with pytest.raises(DataError, match="needs a localizer"):
        PaW.from_subnets([subnet()])
    with pytest.raises(DataError, match="2 subnets where 5 are needed"):
        PaW.from_subnets([subnet()] * 3, localizer(), crop=16)
    with pytest.raises(DataError, match="give the whole subnet"):
        PaW.from_subnets([localizer()], localizer())
    with pytest.raises(DataError, match="part-only takes attribute j"):
        PaW(M, N, regions="grid", answer="part-only")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"crop": 16.5}, "crop=16.5: give the side of a square as a whole number"),
        ({"crop": -3, "regions": "grid"}, "crop=-3"),
        ({"grid": (0, 4), "regions": "grid"}, r"grid=\(0, 4\): give rows and columns"),
        ({"grid": (-1, -4), "regions": "grid"}, r"grid=\(-1, -4\)"),
        ({"grid": (4,), "regions": "grid"}, r"grid=\(4,\)"),
    ],
)
def test_crops_and_grids_that_are_none(how, message):
    with pytest.raises(DataError, match=message):
        PaW(M, N, **how)


def test_subnets_of_other_colours_are_not_laid_side_by_side():
    """The first one's mean and spread would be applied to the pictures of all."""
    subnets = [subnet() for _ in range(3)]
    subnets[2].std.mul_(2)
    with pytest.raises(DataError, match="subnet 2 normalises .* the std .* the same colours"):
        ParallelSubnets.of(subnets)


def test_where_a_network_without_heat_maps_looks():
    fixed = PaW.from_subnets([subnet()], regions="random", crop=16).eval()
    assert torch.equal(attribute_regions(fixed, images()), fixed.region_boxes(images()))
    blocks = PaW.from_subnets([subnet()], regions="grid", grid=(2, 2)).eval()
    with pytest.raises(MapError, match="blocks of a grid, none of which is an attribute's"):
        attribute_regions(blocks, images())
