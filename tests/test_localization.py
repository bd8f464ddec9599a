"""Heat maps, regions and scores, held against captum and torchvision."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
import torchvision
from captum.attr import LayerGradCam
from torch import nn

from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import DataError, FaceattrError, UnknownNameError
from faceattr.localization import (
    MapError,
    best_box_iou,
    box_ious,
    boxes_of,
    centre_baseline,
    class_activation_maps,
    crop_boxes,
    crop_regions,
    energy_inside,
    heatmaps,
    localization_report,
    map_similarity,
    mean_map_baseline,
    normalize_maps,
    pointing_game,
    regions_from_heatmaps,
    upsample,
)
from faceattr.models.base import FaceModel, Outputs

M, C = 5, 8


class Gap(FaceModel):
    """The smallest network with a CAM: convolutions, pooling, one linear layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, C, 3, stride=2, padding=1),
            nn.BatchNorm2d(C),
            nn.ReLU(),
            nn.Conv2d(C, C, 3, stride=2, padding=1),
        )
        self.head = nn.Linear(C, M)

    @property
    def cam_weights(self):
        return self.head.weight

    def forward(self, images):
        features = self.conv(self.normalize(images))
        return Outputs(self.head(features.mean(dim=(2, 3))), features=features)


class Logits(nn.Module):
    """Captum wants a tensor."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images).logits


@pytest.fixture
def gap():
    torch.manual_seed(0)
    return Gap().eval()


@pytest.fixture
def images():
    return torch.rand(6, 3, 24, 32, generator=torch.Generator().manual_seed(1))


# --- maps ---------------------------------------------------------------------------------------


def test_maps_equal_captum_for_every_attribute(gap, images):
    maps = heatmaps(gap, images)  # (6, M, 6, 8)
    cam = LayerGradCam(Logits(gap), gap.conv)
    cells = (
        maps.shape[-2] * maps.shape[-1]
    )  # Grad-CAM's weights are the pooled gradients, w / cells
    for j in range(M):
        theirs = cam.attribute(images, target=j, relu_attributions=False)[:, 0] * cells
        torch.testing.assert_close(maps[:, j], theirs.detach(), atol=1e-5, rtol=1e-4)


def test_map_means_are_the_logits(gap, images):
    maps = heatmaps(gap, images)
    logits = maps.mean(dim=(2, 3)) + gap.head.bias
    torch.testing.assert_close(logits, gap(images).logits, atol=1e-5, rtol=1e-4)


def test_mistake_one_target_for_the_whole_batch(gap, images):
    """Each image has its own target; using the first image's for all gives other maps."""
    targets = torch.tensor([3, 1, 4, 0, 2, 1])
    cam = LayerGradCam(Logits(gap), gap.conv)
    own = cam.attribute(images, target=targets, relu_attributions=False)[:, 0] * 48
    maps = heatmaps(gap, images)
    torch.testing.assert_close(maps[torch.arange(6), targets], own.detach(), atol=1e-5, rtol=1e-4)
    assert (maps[:, targets[0]] - own).abs().max() > 0.01


def test_mistake_maps_that_look_the_same(gap, images):
    maps = heatmaps(gap, images)
    one = maps[:, :1].expand(-1, M, -1, -1)
    scaled = one * torch.arange(1, M + 1)[None, :, None, None] - 3
    assert map_similarity(scaled).min() > 0.999
    assert map_similarity(maps).max() < 0.9
    correlations = torch.corrcoef(maps[0].flatten(1))
    expected = (correlations.sum() - correlations.trace()) / (M * (M - 1))
    torch.testing.assert_close(map_similarity(maps)[0], expected)
    assert map_similarity(torch.ones(2, M, 3, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("mode", ["minmax", "relu"])
def test_mistake_negative_and_constant_maps_turn_nan(mode):
    maps = torch.stack([torch.zeros(4, 4), torch.full((4, 4), -2.0), -torch.rand(4, 4) - 0.1])[None]
    norm = normalize_maps(maps, mode)
    assert torch.isfinite(norm).all()
    assert norm[0, :2].eq(0).all()
    assert norm[0, 2].amax() == (1 if mode == "minmax" else 0)
    usual = maps.clamp_min(0) / maps.clamp_min(0).amax(dim=(-2, -1), keepdim=True)
    assert usual.isnan().all()  # what the usual one-liner makes of them


def test_normalized_maps_reach_both_ends():
    norm = normalize_maps(torch.randn(3, M, 5, 7))
    assert norm.amin(dim=(2, 3)).eq(0).all()
    assert norm.amax(dim=(2, 3)).eq(1).all()


def test_grouped_maps_equal_one_attribute_at_a_time():
    features, weights = torch.randn(2, M, 4, 3, 3), torch.randn(M, 4)
    maps = class_activation_maps(features, weights)
    for j in range(M):
        alone = class_activation_maps(features[:, j], weights[j : j + 1])[:, 0]
        torch.testing.assert_close(maps[:, j], alone)


def test_heatmaps_leave_the_model_as_found(gap, images):
    gap.train()
    before = {k: v.clone() for k, v in gap.state_dict().items()}
    maps = heatmaps(gap, images)
    assert gap.training
    assert not maps.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in gap.state_dict().items())
    torch.testing.assert_close(maps[:1], heatmaps(gap, images[:1]))  # no batch statistics


def test_heatmaps_of_the_models_own(images):
    class Own(FaceModel):
        def forward(self, images):
            return Outputs(images.mean((1, 2, 3))[:, None], heatmaps=images.mean(1, keepdim=True))

    torch.testing.assert_close(heatmaps(Own(), images), images.mean(1, keepdim=True))


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_upsampling(mode):
    maps = torch.randn(2, M, 3, 4)
    big = upsample(maps, (24, 40), mode)
    corners = {"align_corners": False} if mode == "bilinear" else {}
    expected = nn.functional.interpolate(maps, (24, 40), mode=mode, **corners)
    assert torch.equal(big, expected)
    assert (big.unique().numel() == maps.numel()) == (mode == "nearest")


def test_map_errors(gap, images):
    class Blind(FaceModel):
        def forward(self, images):
            return Outputs(torch.zeros(len(images), M))

    with pytest.raises(MapError, match="Blind has no class activation maps"):
        heatmaps(Blind(), images)
    with pytest.raises(MapError, match="do not belong together"):
        class_activation_maps(torch.randn(2, 7, 3, 3), torch.randn(M, C))
    with pytest.raises(MapError, match="unknown upsampling 'cubic'"):
        upsample(torch.zeros(1, 1, 2, 2), (4, 4), "cubic")
    with pytest.raises(MapError, match="unknown normalisation"):
        normalize_maps(torch.zeros(1, 1, 2, 2), "softmax")
    with pytest.raises(MapError, match="NaN"):
        normalize_maps(torch.full((1, 1, 2, 2), torch.nan))
    with pytest.raises(MapError, match="two attributes"):
        map_similarity(torch.zeros(1, 1, 2, 2))
    with torch.no_grad():
        gap.head.weight[0, 0] = torch.inf
    with pytest.raises(MapError, match="infinity"):
        heatmaps(gap, images)
    assert issubclass(MapError, FaceattrError)


# --- regions ------------------------------------------------------------------------------------


def test_regions_are_the_arg_max_of_the_upsampled_map():
    maps = torch.randn(8, M, 7, 5)
    size = (224, 160)
    centres = regions_from_heatmaps(maps, size)  # (8, M, 2)
    best = upsample(maps, size).flatten(2).argmax(-1)
    there = torch.stack([best % size[1], best // size[1]], dim=-1)
    # In a border cell the interpolant is flat to the edge: the plateau may end half a cell away.
    inner = ((maps.flatten(2).argmax(-1) % 5) % 4 != 0) & (
        (maps.flatten(2).argmax(-1) // 5) % 6 != 0
    )
    assert inner.sum() > 5
    assert (centres - there)[inner].abs().max() <= 1


def test_crops_are_slices_and_stay_inside():
    images = torch.randint(0, 256, (3, 3, 40, 30), dtype=torch.uint8)
    centres = torch.tensor([[[15.0, 20.0], [0.0, 0.0], [29.0, 39.0], [-50.0, 90.0]]]).repeat(
        3, 1, 1
    )
    crops = crop_regions(images, centres, 9)
    assert crops.shape == (3, 4, 3, 9, 9)
    assert crops.dtype == torch.uint8
    corners = [(11, 16), (0, 0), (21, 31), (0, 31)]  # left, top
    for b in range(3):
        for j, (left, top) in enumerate(corners):
            assert torch.equal(crops[b, j], images[b, :, top : top + 9, left : left + 9])
    boxes = crop_boxes(centres, 9, (40, 30))
    assert boxes[0].tolist() == [[x, y, x + 9, y + 9] for x, y in corners]


def test_crop_of_the_whole_image_and_beyond():
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(crop_regions(images, torch.zeros(1, 2, 2), 16)[0, 1], images[0])
    with pytest.raises(
        DataError, match="a crop of 17 x 17 pixels does not fit an image of 16 x 16"
    ):
        crop_regions(images, torch.zeros(1, 2, 2), 17)


def test_boxes_equal_torchvisions():
    masks = torch.rand(20, 9, 11) > 0.93
    masks[0] = False
    ours, some = boxes_of(masks), masks.flatten(1).any(1)
    theirs = torchvision.ops.masks_to_boxes(masks[some])
    theirs[:, 2:] += 1  # torchvision's ends are inclusive
    assert torch.equal(ours[some], theirs)
    assert ours[0].tolist() == [0, 0, 0, 0]


# --- scores -------------------------------------------------------------------------------------


def square(top, left, side, size=16):
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_pointing_game_by_hand():
    truth = torch.stack([square(2, 2, 4), square(8, 8, 4), torch.zeros(16, 16, dtype=torch.bool)])
    truth = truth[None].repeat(2, 1, 1, 1)  # (2, 3, 16, 16)
    maps = torch.zeros(2, 3, 16, 16)
    maps[0, 0, 3, 3] = maps[1, 0, 12, 12] = 1  # a hit and a miss
    maps[0, 1, 8, 6] = maps[1, 1, 8, 7] = 1  # two pixels beside, one pixel beside
    assert pointing_game(maps, truth)[:2].tolist() == [0.5, 0]
    assert pointing_game(maps, truth, tolerance=1)[:2].tolist() == [0.5, 0.5]
    assert pointing_game(maps, truth, tolerance=2)[:2].tolist() == [0.5, 1]
    assert pointing_game(maps, truth)[2].isnan()  # no truth, no score
    flat = pointing_game(torch.zeros(1, 1, 16, 16), truth)
    assert flat[0] == 16 / 256  # a flat map scores what chance does


def test_faces_without_truth_do_not_count():
    truth = torch.stack([square(2, 2, 4), torch.zeros(16, 16, dtype=torch.bool)])[:, None]
    maps = torch.zeros(2, 1, 16, 16)
    maps[:, :, 3, 3] = 1
    assert pointing_game(maps, truth).item() == 1
    assert energy_inside(maps, truth).item() == 1


def test_energy_by_hand():
    truth = square(0, 0, 8)[None, None]
    maps = torch.full((1, 1, 16, 16), -1.0)
    assert energy_inside(maps, truth).item() == 0  # no positive heat, no NaN
    maps[0, 0, :8, :8], maps[0, 0, 8:, 8:] = 1.0, 3.0
    assert energy_inside(maps, truth).item() == pytest.approx(0.25)


def test_box_iou_equals_torchvisions():
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(4, M, 12, 16, generator=generator) > 0.97
    maps = torch.randn(4, M, 6, 8, generator=generator)
    thresholds = (0.3, 0.6, 0.9)
    ours = box_ious(maps, truth, thresholds)  # (4, M, 3)
    norm = normalize_maps(upsample(maps, (12, 16)))
    compared = 0
    for b in range(4):
        for j in range(M):
            if not truth[b, j].any():
                assert ours[b, j].isnan().all()
                continue
            for t, threshold in enumerate(thresholds):
                boxes = torchvision.ops.masks_to_boxes(
                    torch.stack([norm[b, j] >= threshold, truth[b, j]])
                )
                boxes[:, 2:] += 1
                expected = torchvision.ops.box_iou(boxes[:1], boxes[1:])[0, 0]
                assert ours[b, j, t].item() == pytest.approx(expected.item(), abs=1e-6)
                compared += 1
    assert compared > 30


def test_best_threshold_is_one_for_all_faces():
    truth = torch.stack([square(4, 4, 4), square(4, 4, 8)])[:, None]
    hill = torch.zeros(16, 16)
    hill[2:14, 2:14], hill[4:12, 4:12], hill[4:8, 4:8] = 0.2, 0.5, 1.0
    maps = hill.expand(2, 1, 16, 16)
    found = best_box_iou(maps, truth, thresholds=(0.1, 0.4, 0.9))
    # 0.4 gives 16/64 and 1, 0.9 gives 1 and 16/64, 0.1 gives 16/144 and 64/144; 0.4 comes first
    assert found.iou.item() == pytest.approx(0.625)
    assert found.threshold.item() == pytest.approx(0.4)
    none = best_box_iou(maps, torch.zeros_like(truth))
    assert none.iou.isnan().all()
    assert none.threshold.isnan().all()
    flat = best_box_iou(torch.zeros(1, 1, 16, 16), truth)
    assert flat.iou.item() == pytest.approx((16 / 256 + 64 / 256) / 2)  # the whole image


def test_baselines():
    centre = centre_baseline((16, 16))
    assert centre.shape == (1, 1, 16, 16)
    torch.testing.assert_close(centre, centre.flip(-1))
    truth = square(6, 6, 4)[None, None]
    assert pointing_game(centre, truth).item() == 1
    maps = torch.randn(4, M, 3, 3)
    torch.testing.assert_close(mean_map_baseline(maps)[0, 0], normalize_maps(maps).mean((0, 1)))
    worn = torch.tensor([[1, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]).bool()
    norm = normalize_maps(maps)
    each = torch.stack([norm[worn[:, j], j].mean(0) for j in (0, 2, 3)])  # the others: nobody
    torch.testing.assert_close(mean_map_baseline(maps, worn)[0, 0], each.mean(0))
    with pytest.raises(MapError, match="empty"):
        mean_map_baseline(maps[:0])
    with pytest.raises(MapError, match="nobody has"):
        mean_map_baseline(maps, torch.zeros_like(worn))


def test_mean_map_of_a_report_is_of_the_maps_that_are_scored():
    """Absent attributes' maps would move the baseline's point away from the face."""
    data = spots()
    frame = localization_report(Sighted(), data, batch_size=16, device="cpu", **QUICK)
    faces = data.gather(range(len(data)))
    worn = faces.attributes > 0.5
    mean_map = mean_map_baseline(heatmaps(Sighted(), faces.images), worn)
    truth = faces.regions & worn[:, :, None, None]
    expected = energy_inside(mean_map, truth)[:2]
    assert frame.loc["energy"]["mean_map"][["a", "b"]].tolist() == pytest.approx(expected.tolist())


def test_score_errors():
    truth = square(2, 2, 4)[None, None]
    with pytest.raises(MapError, match="bool truth"):
        pointing_game(torch.zeros(1, 1, 16, 16), truth.float())
    with pytest.raises(MapError, match="same faces and attributes"):
        energy_inside(torch.zeros(2, 3, 16, 16), truth)
    with pytest.raises(MapError, match="above 0 and below 1"):
        box_ious(torch.zeros(1, 1, 16, 16), truth, (0.0, 0.5))


# --- the report ---------------------------------------------------------------------------------


class Sighted(FaceModel):
    """Maps that are the truth, drawn into the picture: channel j of 3 is attribute j's."""

    def forward(self, images):
        maps = images - 0.2
        return Outputs(maps.mean((2, 3)), heatmaps=maps)


def spots(count=40, same=False, regions=True):
    """Pictures whose three channels each light up in one square: the attribute's region."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(count, 3, 16, 16, dtype=torch.bool)
    for i in range(count):
        for j in range(3):
            top, left = torch.randint(0, 12, (2,), generator=generator).tolist()
            masks[i, j] = square(top, left, 4)
    if same:
        masks = masks[:, :1].repeat(1, 3, 1, 1)
    attributes = (torch.rand(count, 3, generator=generator) > 0.4).float()
    attributes[:, 2] = 0  # nobody has the third one
    images = (masks * 255).to(torch.uint8)
    faces = Faces(images, attributes=attributes, regions=masks if regions else None)
    return FaceDataset(faces, names=("a", "b", "c"), source="spots")


QUICK = {"bootstrap": 5, "progress": False}


def test_report_of_a_model_that_sees_everything():
    data = spots()
    frame = localization_report(
        Sighted(), data, batch_size=16, device="cpu", bootstrap=200, progress=False
    )
    assert frame.loc["pointing"].index.tolist() == ["a", "b", "c", "mean"]
    assert frame.loc[("pointing", "a"), "faces"] == int(data.attributes[:, 0].sum())
    for score in ("pointing", "energy", "box_iou"):
        row = frame.loc[(score, "mean")]
        assert row["model"] == pytest.approx(1)
        assert row["model_low"] == row["model_high"] == pytest.approx(1)
        assert row["gain"] == pytest.approx(1 - max(row["centre"], row["mean_map"]))
        assert 0 < row["gain_low"] <= row["gain"] <= row["gain_high"]
        assert row["centre_low"] <= row["centre"] <= row["centre_high"]
        assert frame.loc[(score, "c"), "model":].isna().all()
    every = localization_report(
        Sighted(), data, device="cpu", bootstrap=10, present=False, progress=False
    )
    assert every.loc[("pointing", "c"), "faces"] == 40


def test_report_intervals_cover_the_mean_like_scipys_bootstrap():
    from scipy.stats import bootstrap

    data = spots()
    frame = localization_report(Sighted(), data, device="cpu", bootstrap=2_000, progress=False)
    truth = data.faces.regions & (data.attributes > 0.5)[:, :, None, None]
    from faceattr.localization import inside_shares

    shares = inside_shares(centre_baseline((16, 16)), truth)[:, 0]
    shares = shares[~shares.isnan()].double().numpy()
    row = frame.loc[("energy", "a")]
    assert row["centre"] == pytest.approx(shares.mean(), abs=1e-6)
    interval = bootstrap((shares,), lambda x, axis: x.mean(axis), method="percentile", rng=0)
    assert row["centre_low"] == pytest.approx(interval.confidence_interval.low, abs=0.01)
    assert row["centre_high"] == pytest.approx(interval.confidence_interval.high, abs=0.01)


class Blind(FaceModel):
    """Maps that say the opposite of the truth."""

    def forward(self, images):
        return Outputs(-images.mean((2, 3)), heatmaps=-images)


def test_report_of_several_models_is_the_mean_of_theirs():
    data, how = spots(), {"device": "cpu", "bootstrap": 400, "progress": False}
    one, other = (localization_report(m, data, **how) for m in (Sighted(), Blind()))
    both = localization_report([Sighted(), Blind()], data, **how)
    assert both.index.equals(one.index)
    for source in ("model", "centre", "mean_map"):
        expected = (one[source] + other[source]) / 2
        pd.testing.assert_series_equal(both[source], expected, rtol=1e-5)
    row = both.loc[("pointing", "mean")]
    assert (row["model_low"], row["model_high"]) == (0, 1), "a resample may draw one model twice"
    twins = localization_report([Sighted(), Sighted()], data, **how)
    pd.testing.assert_frame_equal(twins, one, rtol=1e-5)
    with pytest.raises(MapError, match="no model"):
        localization_report([], data)


def test_report_of_groups():
    data, how = spots(), {"device": "cpu", "bootstrap": 200, "progress": False}
    plain = localization_report(Sighted(), data, **how)
    groups = {"first": ["a"], "both": ["b", "a"], "nobody's": ["c"]}
    frame = localization_report(Sighted(), data, groups=groups, **how)
    assert frame.loc["energy"].index.tolist() == ["a", "b", "c", "mean", *groups]
    pd.testing.assert_frame_equal(frame.loc[plain.index], plain)
    for score in ("pointing", "energy", "box_iou"):
        table = frame.loc[score]
        pd.testing.assert_series_equal(table.loc["first"], table.loc["a"], check_names=False)
        pd.testing.assert_series_equal(table.loc["both"], table.loc["mean"], check_names=False)
        assert table.loc["nobody's", "model":].isna().all()
    with pytest.raises(UnknownNameError, match="'odd' holds 'z'.*a, b, c"):
        localization_report(Sighted(), data, groups={"odd": ["a", "z"]})


def test_report_warns_when_all_maps_are_one():
    with pytest.warns(UserWarning, match="alike"):
        localization_report(Sighted(), spots(same=True), device="cpu", bootstrap=5, progress=False)


def test_report_errors():
    with pytest.raises(MapError, match="spots has no regions"):
        localization_report(Sighted(), spots(regions=False), device="cpu", progress=False)
    nobody = spots()
    nobody.faces.attributes.zero_()
    with pytest.raises(MapError, match="nothing to score"):
        localization_report(Sighted(), nobody, device="cpu", progress=False)
    with pytest.raises(MapError, match="empty"):
        localization_report(Sighted(), spots().subset([]), device="cpu", progress=False)


def test_maps_with_nan_are_refused_and_not_scored_as_cold():
    maps, truth = torch.rand(2, 3, 4, 4), torch.ones(2, 3, 4, 4, dtype=torch.bool)
    maps[1, 2, 0, 0] = torch.nan
    for score in (pointing_game, energy_inside, best_box_iou):
        with pytest.raises(FaceattrError, match="NaN"):
            score(maps, truth)
    with pytest.raises(FaceattrError, match="NaN"):
        regions_from_heatmaps(maps, (8, 8))


def test_centres_of_other_images_are_refused():
    with pytest.raises(DataError, match="1 images and the centres of 2"):
        crop_regions(torch.rand(1, 3, 8, 8), torch.full((2, 3, 2), 4.0), 2)
