"""The cascade: its pyramid, its stages, pictures of any kind and size, thresholds and scores."""

import json

import numpy as np
import pytest
import torch
from bright import TINY, M, bright, squares_on
from PIL import Image
from sklearn.metrics import average_precision_score
from torch import nn
from torchvision.ops import batched_nms, box_iou, nms

from faceattr.cascade import (
    Cascade,
    FoundFaces,
    average_precision,
    choose_thresholds,
    draw_faces,
    landmark_error,
    match,
)
from faceattr.cascade.detector import OVERLAP, Candidates
from faceattr.cascade.folded import Folded
from faceattr.cascade.resampling import windows_of
from faceattr.cascade.sheets import Piece, _resampled, lay_out, paint, pieces, resample, scales
from faceattr.checkpoint import save_checkpoint
from faceattr.data.windows import cut_windows, halves
from faceattr.errors import CheckpointError, DataError, ImageError
from faceattr.models.mcfa import MCFA, corners


@pytest.fixture(scope="module")
def cascade():
    return Cascade(bright(), (0.5, 0.5, 0.5), device="cpu", min_face=16)


def recall(found: FoundFaces, boxes, iou=0.5) -> float:
    truth = torch.tensor(boxes).float()
    return (match(found.boxes, found.scores, truth, iou) >= 0).sum().item() / len(boxes)


# --- pyramid and sheets ---------------------------------------------------------------------------


def test_scales_go_from_the_smallest_face_to_the_picture():
    found = scales((480, 640), 28, 20.0, 1.5, 0.709)
    assert found[0] == pytest.approx(28 / 30)
    ratios = [b / a for a, b in zip(found, found[1:], strict=False)]
    assert ratios == pytest.approx([0.709] * (len(found) - 1))
    assert 14 <= 640 * found[-1] < 28 / 0.709
    assert scales((16, 16), 28, 20.0, 1.5, 0.709) != []
    with pytest.raises(DataError, match="factor=1.5"):
        scales((9, 9), 28, 20.0, 1.5, 1.5)
    with pytest.raises(DataError, match="min_face=0"):
        scales((9, 9), 28, 0, 1.5, 0.7)


@pytest.mark.parametrize(("tile", "size"), [(64, (150, 203)), (640, (150, 203)), (64, (20, 9))])
def test_pieces_hold_every_window_once(tile, size):
    window, stride = 28, 4
    parts = pieces(0, size, [1.0, 0.5], window, stride, tile)
    assert max(max(p.width, p.height) for p in parts) <= max(tile, window)
    for level in (0, 1):
        seen = []
        for p in (p for p in parts if p.level == level):
            for i in range((p.height - window) // stride + 1):
                for j in range((p.width - window) // stride + 1):
                    seen.append((p.x + stride * j, p.y + stride * i))
        assert len(seen) == len(set(seen))
        xs, ys = sorted({x for x, _ in seen}), sorted({y for _, y in seen})
        assert len(seen) == len(xs) * len(ys), "a whole grid"
        for at, side in ((xs, size[1]), (ys, size[0])):
            side = round(side * [1.0, 0.5][level])
            assert {b - a for a, b in zip(at, at[1:], strict=False)} <= {stride}
            if side > window:
                assert at[0] == -(window // 3)
                assert at[-1] + window >= side + window // 3
            else:
                assert at[0] <= 0
                assert at[-1] + window >= side


@pytest.mark.parametrize("side", [64, 160])
def test_sheets_hold_every_piece_and_none_on_another(side):
    parts = pieces(0, (150, 203), [1.0, 0.7, 0.5, 0.3], 28, 4, min(side, 64))
    laid, sheets = lay_out(parts, 4, side)
    assert sorted(id(one.piece) for one in laid) == sorted(id(piece) for piece in parts)
    for number, (height, width) in enumerate(sheets):
        assert max(height, width) <= side
        taken = torch.zeros(height, width)
        for one in (one for one in laid if one.sheet == number):
            assert one.x % 4 == one.y % 4 == 0
            taken[one.y : one.y + one.piece.height, one.x : one.x + one.piece.width] += 1
        assert taken.max() == 1
    assert lay_out([], 4, 64) == ([], [])


def test_a_piece_shows_its_part_of_the_picture():
    picture = squares_on(100, 80, [(40, 20, 60, 40)])
    parts = [Piece(0, 0, 1.0, 36, 16, 28, 28), Piece(0, 1, 0.5, -4, -4, 40, 30)]
    laid, sheets = lay_out(parts, 4, 64)
    assert len(sheets) == 1
    sheet = paint(laid, sheets[0], [halves(picture)])
    at = {one.piece.level: one for one in laid}
    first = sheet[:, at[0].y :, at[0].x :][:, :28, :28]
    torch.testing.assert_close(first[0, 6:22, 6:22], torch.full((16, 16), 230 / 255))
    torch.testing.assert_close(first[0, :2, :2], torch.full((2, 2), 20 / 255))
    second = sheet[:, at[1].y :, at[1].x :][:, :30, :40]
    assert second[:, :3].max() == 0, "black beyond the picture"
    torch.testing.assert_close(second[0, 16:22, 26:32], torch.full((6, 6), 230 / 255))


@pytest.mark.parametrize("scale", [0.93, 0.6, 0.2])
def test_pieces_and_windows_are_cut_alike(scale):
    """What S_Net is slid over is what training windows are made of."""
    picture = (torch.rand(3, 240, 300) * 255).to(torch.uint8)
    picture = halves(picture)[1].repeat_interleave(2, 1).repeat_interleave(2, 2)
    piece = Piece(0, 0, scale, 8, 12, 36, 28)
    x0, y0 = 8 / scale, 12 / scale
    source = torch.tensor([[x0, y0, x0 + 36 / scale, y0 + 28 / scale]])
    theirs = cut_windows(halves(picture), source, (28, 36))[0]
    torch.testing.assert_close(resample(halves(picture), piece), theirs, atol=1e-3, rtol=0)
    beyond = resample(halves(picture), Piece(0, 0, scale, 4000, 12, 36, 28))
    assert beyond.shape == (3, 28, 36)
    assert beyond.max() == 0


@pytest.mark.parametrize("piece", [
    Piece(0, 0, 0.93, -9, -9, 60, 40), Piece(0, 0, 0.6, 150, 120, 52, 44),
    Piece(0, 0, 0.2, -9, -9, 78, 66), Piece(0, 0, 1.7, 3, -5, 28, 28),
])  # fmt: skip
def test_axis_by_axis_a_piece_is_grid_samples(piece):
    halved = halves((torch.rand(3, 240, 300) * 255).to(torch.uint8))
    level = max(0, int(np.log2(max(1, 1 / piece.scale))))
    theirs = _resampled(halved[level], 1 / (piece.scale * 2**level), piece)
    torch.testing.assert_close(resample(halved, piece), theirs, atol=1e-4, rtol=0)


def test_axis_by_axis_windows_are_roi_aligns():
    torch.manual_seed(0)
    halved = halves((torch.rand(3, 240, 300) * 255).to(torch.uint8))
    corner = torch.rand(40, 2) * torch.tensor([340.0, 280.0]) - 40
    windows = torch.cat([corner, corner + 5 + 200 * torch.rand(40, 1)], 1)
    windows = torch.cat([windows, torch.tensor([[0.0, 0, 28, 28], [-90, -90, -20, -20]])])
    found = windows_of(halved, windows, 28)
    torch.testing.assert_close(found, cut_windows(halved, windows, 28), atol=1e-4, rtol=0)
    assert found[-1].max() == 0, "beyond the picture"
    assert windows_of(halved, windows[:0], 28).shape == (0, 3, 28, 28)


def test_folded_networks_answer_as_the_model_does():
    torch.manual_seed(0)
    model = MCFA(**TINY).train()
    for _ in range(3):
        model(torch.rand(8, 3, 64, 64))
    model.eval()
    nets = Folded(model)
    with torch.no_grad():
        for depth in (2, 3):
            windows = torch.rand(5, 3, model.sides[depth - 1], model.sides[depth - 1])
            theirs = model.see(windows, depth)[-1]
            ours = nets.look(windows, depth, ("face", "attributes"))
            assert set(ours) == {"face", "attributes"}
            close = {"atol": 1e-5, "rtol": 1e-4}
            torch.testing.assert_close(ours["face"][:, 0], theirs.face_logits, **close)
            torch.testing.assert_close(ours["attributes"], theirs.logits, **close)
        window = torch.rand(3, 16, 16)
        shared, scores = nets.slide(window)
        theirs = model.see(window[None], 1)[0]
        torch.testing.assert_close(scores.flatten(), theirs.face_logits, **close)
        share = nets.boxes(shared[..., 0, 0])
        torch.testing.assert_close(corners(share) * 16, theirs.boxes, atol=1e-4, rtol=1e-4)


def test_folded_for_use_s_net_answers_the_same():
    net = MCFA(**TINY).s_net.train()
    for _ in range(3):
        net(torch.rand(8, 3, 16, 16))
    net.eval()
    images = torch.rand(1, 3, 50, 41)
    folded = net.folded()
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    torch.testing.assert_close(folded(images), net(images), atol=1e-5, rtol=1e-4)
    plain = MCFA(**{**TINY, "norm": False}).s_net
    torch.testing.assert_close(plain.folded()(images), plain(images), atol=1e-5, rtol=1e-4)


# --- the cascade ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [40, 72, 640])
def test_every_scale_and_place_is_found(cascade, tile):
    boxes = [(20, 30, 50, 60), (100, 20, 180, 100), (30, 100, 50, 120)]
    cascade = Cascade(cascade.model, cascade.thresholds, device="cpu", min_face=16, tile=tile)
    found = cascade(squares_on(220, 160, boxes))
    assert recall(found, boxes) == 1
    assert len(found) == 3
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert found.probabilities.shape == (3, M)
    assert found.landmarks.shape == (3, 5, 2)
    centre = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    torch.testing.assert_close(found.landmarks, centre[:, None].expand(3, 5, 2))


def test_tiles_change_nothing(cascade):
    boxes = [(20, 30, 50, 60), (100, 20, 180, 100), (30, 100, 50, 120)]
    picture = squares_on(220, 160, boxes)
    one = cascade(picture)
    for tile in (40, 100):
        other = Cascade(cascade.model, cascade.thresholds, device="cpu", min_face=16, tile=tile)
        again = other(picture)
        assert again.windows["S"] == one.windows["S"]
        torch.testing.assert_close(again.boxes, one.boxes, atol=1e-2, rtol=0)
        torch.testing.assert_close(again.scores, one.scores, atol=1e-4, rtol=0)


def test_several_pictures_at_once_are_each_by_itself(cascade):
    pictures = [
        squares_on(120, 90, [(20, 20, 50, 50)]),
        squares_on(60, 130, []),
        squares_on(200, 60, [(10, 10, 40, 40), (120, 20, 150, 50)]),
    ]
    together = cascade(pictures)
    for found, picture in zip(together, pictures, strict=True):
        alone = cascade(picture)
        torch.testing.assert_close(found.boxes, alone.boxes, atol=1e-2, rtol=0)
        assert found.windows == alone.windows
    assert [len(found) for found in together] == [1, 0, 2]
    same = cascade(torch.stack([pictures[0]] * 2))
    assert [len(found) for found in same] == [1, 1]
    assert cascade([]) == []


def test_each_stage_is_kept(cascade):
    found = cascade(squares_on(120, 90, [(20, 20, 50, 50)]))
    assert set(found.stages) == set(found.windows) == {"S", "M", "L"}
    assert torch.equal(found.stages["L"][0], found.boxes)
    assert found.windows["S"] > found.windows["M"] >= found.windows["L"] >= 1
    assert found.windows["M"] == len(found.stages["S"][0])


def test_suppression_is_torchvisions(cascade):
    torch.manual_seed(0)
    corner = torch.rand(80, 2) * 40
    boxes = torch.cat([corner, corner + 20 + 10 * torch.rand(80, 2)], 1)
    scores, image = torch.rand(80), torch.randint(0, 3, (80,))
    rows = cascade._rows(Candidates(boxes, scores, image), 1)
    good = (scores >= 0.5).nonzero()[:, 0]
    theirs = good[batched_nms(boxes[good], scores[good], image[good], OVERLAP[1])]
    assert torch.equal(rows, theirs)
    for k in range(3):
        mine = good[image[good] == k]
        alone = mine[nms(boxes[mine], scores[mine], OVERLAP[1])]
        assert torch.equal(rows[image[rows] == k], alone)
    cascade.most = 2
    try:
        few = cascade._rows(Candidates(boxes, scores, image), 1)
        assert (few.new_tensor(image[few].bincount().tolist()) <= 2).all()
        assert set(few.tolist()) <= set(rows.tolist())
    finally:
        cascade.most = 500


def test_suppression_compares_no_more_than_it_can(cascade, monkeypatch):
    from faceattr.cascade import detector

    torch.manual_seed(0)
    corner = torch.arange(400.0)[:, None] * torch.tensor([30.0, 0.0])
    boxes = torch.cat([corner, corner + 20], 1)  # none on another
    scores, image = 0.5 + torch.rand(400) / 2, torch.randint(0, 3, (400,))
    asked = []
    inner = detector.batched_nms
    monkeypatch.setattr(
        detector, "batched_nms", lambda b, *how: asked.append(len(b)) or inner(b, *how)
    )
    monkeypatch.setattr(detector, "COMPARED", 50)
    rows = cascade._rows(Candidates(boxes, scores, image), 1)
    assert asked == [150]
    for k in range(3):
        mine = (image == k).nonzero()[:, 0]
        surest = mine[scores[mine].argsort(descending=True)[:50]]
        assert rows[image[rows] == k].tolist() == surest.tolist()


# --- any picture ----------------------------------------------------------------------------------


def test_no_face(cascade):
    found = cascade(squares_on(90, 60, []))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)
    assert found.probabilities.shape == (0, M)
    assert found.to_dict() == {"faces": []}


def test_forty_faces(cascade):
    boxes = [
        (x, y, x + 24, y + 24) for y in range(20, 20 + 5 * 60, 60) for x in range(20, 500, 60)
    ][:40]
    found = cascade(squares_on(520, 330, boxes))
    assert recall(found, boxes) == 1
    assert len(found) == 40


def test_a_face_cut_by_the_border(cascade):
    cascade = Cascade(cascade.model, (0.2, 0.2, 0.2), device="cpu", min_face=16)
    for box in ((-8, 40, 36, 84), (60, -8, 100, 32), (110, 50, 146, 86)):
        found = cascade(squares_on(140, 130, [box]))
        assert recall(found, [box], 0.4) == 1, box


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (1, 300), (500, 7)])
def test_small_pictures(cascade, size):
    found = cascade(squares_on(*size, []))
    assert len(found) == 0
    assert cascade(np.full((size[1], size[0], 3), 255, np.uint8)).boxes.isfinite().all()


def test_a_face_that_fills_a_picture_of_sixteen_pixels():
    cascade = Cascade(bright(), (0.2, 0.2, 0.2), device="cpu", min_face=6)
    found = cascade(squares_on(16, 16, [(3, 3, 13, 13)]))
    assert recall(found, [(3, 3, 13, 13)]) == 1


def test_grey_transparent_and_files(cascade, tmp_path):
    box = (20, 20, 50, 50)
    picture = Image.fromarray(squares_on(90, 80, [box]).permute(1, 2, 0).numpy())
    first = cascade(picture)
    assert recall(first, [box]) == 1
    picture.save(tmp_path / "scene.png")
    kinds = [
        picture.convert("L"),
        picture.convert("RGBA"),
        picture.convert("P"),
        np.asarray(picture.convert("L")),
        np.asarray(picture),
        tmp_path / "scene.png",
        str(tmp_path / "scene.png"),
        torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255,
    ]
    for kind in kinds:
        found = cascade(kind)
        torch.testing.assert_close(found.boxes, first.boxes, atol=0.5, rtol=0)
    with pytest.raises(ImageError, match="no-such.png"):
        cascade(tmp_path / "no-such.png")
    with pytest.raises(ImageError, match="no picture"):
        cascade(np.zeros((5, 5, 7)))
    with pytest.raises(ImageError, match="no picture"):
        cascade(torch.zeros(3, 0, 4, dtype=torch.uint8))


def test_eight_thousand_pixels_in_bounded_pieces(monkeypatch):
    """The largest sheet and the largest crop do not grow with the picture."""
    cascade = Cascade(bright(), device="cpu", tile=256)
    largest = []
    inner = cascade.model.s_net.forward
    monkeypatch.setattr(
        cascade.model.s_net,
        "forward",
        lambda images: largest.append(images.numel()) or inner(images),
    )
    box = (3000, 1000, 4200, 2200)
    picture = squares_on(8000, 2500, [box])
    found = cascade(picture)
    assert recall(found, [box]) == 1
    assert len(found) == 1
    assert max(largest) <= 3 * 256 * 256
    assert len(largest) > 3


def test_weights_that_are_not_finite(cascade):
    model = bright()
    model.heads[0].register_forward_hook(lambda *_: {"face": torch.full((1, 1, 9, 9), torch.nan),
                                                     "box": torch.zeros(1, 4, 9, 9)})  # fmt: skip
    with pytest.raises(CheckpointError, match="not finite"):
        Cascade(model, device="cpu")(squares_on(60, 60, []))


def test_settings_that_cannot_be():
    for how, says in (
        ({"thresholds": (0.5, 0.5)}, "three probabilities"),
        ({"thresholds": (0.5, 0.5, 1.5)}, "three probabilities"),
        ({"most": 0}, "most=0"),
        ({"tile": 20}, "tile=20"),
        ({"factor": 1.0}, "factor=1.0"),
        ({"min_face": 0.1}, "min_face=0.1"),
        ({"names": ["a"]}, "1 names for 3 attributes"),
    ):
        with pytest.raises(DataError, match=says):
            Cascade(bright(), device="cpu", **how)
    with pytest.raises(DataError, match="not trained to detect"):
        Cascade(MCFA(**{**TINY, "tasks": ("landmarks", "attributes")}), device="cpu")


def test_from_a_checkpoint_with_its_thresholds(tmp_path):
    model = MCFA(**TINY)
    save_checkpoint(tmp_path / "best.safetensors", model, attributes=("a", "b", "c"), size=(64, 64))
    assert Cascade.load(tmp_path, device="cpu").thresholds == (0.5, 0.5, 0.5)
    (tmp_path / "cascade.json").write_text(json.dumps({"thresholds": [0.1, 0.2, 0.3]}))
    loaded = Cascade.load(tmp_path, device="cpu")
    assert loaded.thresholds == (0.1, 0.2, 0.3)
    assert loaded.names == ("a", "b", "c")
    assert Cascade.load(tmp_path, device="cpu", thresholds=(0, 0, 0)).thresholds == (0, 0, 0)
    for torn in ("{", "[1]", '{"thresholds": [0.5, 0.5]}', '{"thresholds": [0.5, 0.5, NaN]}'):
        (tmp_path / "cascade.json").write_text(torn)
        with pytest.raises(CheckpointError, match=r"cascade.json is torn"):
            Cascade.load(tmp_path, device="cpu")
    told = {"cascade": {"thresholds": [0.7, 0.8, 0.9]}}
    alone = save_checkpoint(tmp_path / "x" / "a.safetensors", model, record=told)
    assert Cascade.load(alone, device="cpu").thresholds == (0.7, 0.8, 0.9)


# --- thresholds and scores ------------------------------------------------------------------------


def test_thresholds_for_a_stated_recall():
    torch.manual_seed(0)
    images, truth = [], []
    for k in range(20):
        boxes = [(20, 20, 50, 50)] if k % 4 else [(20, 20, 50, 50), (80, 30, 110, 60)]
        images.append(squares_on(130, 90, boxes, level=160 + 3 * k))
        truth.append(torch.tensor(boxes).float())
    faces = sum(len(t) for t in truth)
    last = None
    for wanted in (0.6, 0.9):
        cascade = Cascade(bright(), device="cpu", min_face=16)
        chosen = choose_thresholds(cascade, images, truth, recall=wanted, group=7)
        assert cascade.thresholds == chosen.thresholds
        assert chosen.faces == faces
        assert wanted <= chosen.recall[2] <= wanted + 0.15
        assert chosen.recall[0] >= wanted ** (1 / 3)
        found = cascade(images)
        hits = sum(
            (match(f.boxes, f.scores, t) >= 0).sum().item()
            for f, t in zip(found, truth, strict=True)
        )
        assert hits / faces == pytest.approx(chosen.recall[2])
        assert last is None or chosen.thresholds[2] < last
        last = chosen.thresholds[2]


def test_a_recall_out_of_reach(tmp_path):
    cascade = Cascade(bright(), device="cpu", min_face=16)
    picture = squares_on(130, 90, [(20, 20, 50, 50)])
    truth = torch.tensor([[20.0, 20, 50, 50], [90, 20, 120, 50]])  # the second is not to be seen
    with pytest.warns(UserWarning, match=r"out of this cascade's reach: it finds 0.500 of 2"):
        chosen = choose_thresholds(cascade, [picture], [truth], recall=0.9)
    assert chosen.recall[2] == 0.5
    chosen.save(tmp_path)
    assert json.loads((tmp_path / "cascade.json").read_text())["wanted"] == 0.9
    with pytest.raises(DataError, match="recall=1.5"):
        choose_thresholds(cascade, [picture], [truth], recall=1.5)
    with pytest.raises(DataError, match="no face in these scenes"):
        choose_thresholds(cascade, [picture], [truth[:0]])


def test_match_takes_each_face_once():
    truth = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    boxes = torch.tensor([[0.0, 0, 10, 9], [1, 0, 10, 10], [21, 20, 31, 30], [50, 50, 60, 60]])
    found = match(boxes, torch.tensor([0.5, 0.9, 0.8, 0.7]), truth)
    assert found.tolist() == [-1, 0, 1, -1]
    assert match(boxes, torch.ones(4), truth[:0]).tolist() == [-1] * 4
    assert match(boxes[:0], torch.ones(0), truth).tolist() == []
    assert match(boxes, torch.ones(4), truth, iou=0.95).tolist() == [-1] * 4


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_scikit_learns(ties):
    torch.manual_seed(1)
    boxes, scores, truth = [], [], []
    for _ in range(12):
        faces = torch.rand(3, 2) * 80
        real = torch.cat([faces, faces + 10], 1)
        moved = real + torch.randn(3, 4) * 1.5
        noise = torch.rand(4, 2) * 80
        every = torch.cat([moved, torch.cat([noise, noise + 12], 1)])
        sure = torch.rand(7) + torch.tensor([0.4] * 3 + [0.0] * 4)
        boxes.append(every)
        scores.append((sure * 5).round() / 5 if ties else sure)
        truth.append(torch.cat([real, real[:1] + 200]))  # one face that nobody finds
    hits = torch.cat([match(b, s, t) >= 0 for b, s, t in zip(boxes, scores, truth, strict=True)])
    total = sum(len(t) for t in truth)
    theirs = average_precision_score(hits.numpy(), torch.cat(scores).numpy())
    theirs *= hits.sum().item() / total  # scikit-learn knows nothing of faces that were missed
    assert average_precision(boxes, scores, truth) == pytest.approx(theirs)


def test_average_precision_at_the_ends():
    box = torch.tensor([[0.0, 0, 10, 10]])
    one = torch.ones(1)
    assert average_precision([box], [one], [box]) == 1
    assert average_precision([box + 50], [one], [box]) == 0
    assert average_precision([box[:0]], [one[:0]], [box]) == 0
    assert np.isnan(average_precision([box], [one], [box[:0]]))
    assert box_iou(box, box) == 1


def test_landmark_error_is_in_distances_of_the_eyes():
    truth = torch.tensor([[[10.0, 10], [30, 10], [20, 20], [12, 30], [28, 30]]])
    assert landmark_error(truth, truth).tolist() == [0]
    moved = truth + torch.tensor([3.0, 4.0])
    torch.testing.assert_close(landmark_error(moved, truth), torch.tensor([5 / 20]))
    torch.testing.assert_close(landmark_error(3 * moved, 3 * truth), torch.tensor([5 / 20]))


def test_drawing_marks_faces(cascade):
    picture = Image.new("RGB", (90, 80), (20, 20, 20))
    found = cascade(squares_on(90, 80, [(20, 20, 50, 50)]))
    shown = draw_faces(picture, found)
    assert shown.size == picture.size
    changed = np.abs(np.asarray(shown, int) - np.asarray(picture, int)).sum(2) > 0
    x0, y0, x1, _ = found.boxes[0].round().int().tolist()
    assert changed[y0 - 1 : y0 + 2, x0:x1].any(0).all()
    assert np.asarray(picture).max() == 20, "the picture itself stays"
    none = cascade(squares_on(90, 80, []))
    assert np.array_equal(np.asarray(draw_faces(picture, none)), np.asarray(picture))
