"""What the experiments behind chapters 4 to 6 compute beside what the library does."""

from pathlib import Path
from types import SimpleNamespace as Said

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.synthetic import SynthFaces
from faceattr.evaluation import evaluate
from faceattr.localization import crop_report
from faceattr.models import FRL, FaceModel, Outputs, PaW
from faceattr.models.regions import boxes_at

ROOT = Path(__file__).parents[1]


class Says(FaceModel):
    """Answers what it was given, row by row."""

    def __init__(self, told):
        super().__init__(num_attributes=told.shape[1])
        self.told = told

    def forward(self, images):
        return Outputs(logits=2 * self.told[: len(images)] - 1)


@pytest.fixture
def experiments(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "experiments")


def test_covered_counts_each_pixel_once(experiments):
    from seen import covered

    boxes = torch.tensor([[[0, 0, 4, 4], [2, 2, 6, 6]], [[0, 0, 4, 4], [0, 0, 4, 4]]])
    share = covered(boxes, (8, 10))
    torch.testing.assert_close(share, torch.tensor([28 / 80, 16 / 80]))


def test_squares_of_a_random_paw(experiments):
    from seen import squares

    regions = torch.zeros(4, 2, 8, 8, dtype=torch.bool)
    regions[:, :, 2:6, 2:6] = True
    labels = torch.tensor([[1.0, 0.0]] * 4)
    images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    test = FaceDataset(
        Faces(images=images, attributes=labels, regions=regions), names=("Bald", "Young")
    )
    model = PaW(2, 2, regions="random", crop=32)
    assert squares([model], test) == {"covered": 1.0, "inside": 1.0, "inside_bare": 1.0}
    grid = squares([PaW(2, 2, regions="grid", grid=(2, 2))], test)
    assert grid == {"covered": 1.0}, "blocks belong to no attribute"


def test_squares_that_stand_still_stray_as_the_face_moves(experiments):
    from seen import squares

    box = torch.tensor([[4.0, 0, 20, 16], [8.0, 0, 24, 16]])  # the second 4 pixels to the right
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    faces = Faces(images=images, attributes=torch.ones(2, 2), box=box)
    models = [PaW(2, 2, regions="random", crop=16, seed=seed) for seed in (0, 1)]
    found = squares(models, FaceDataset(faces, names=("Bald", "Young")))
    assert found["wander"] == pytest.approx(2 / 16), "two pixels either side of the middle"


def test_squares_that_go_where_the_answer_is_tell_it(experiments, monkeypatch):
    from seen import telling

    torch.manual_seed(0)
    labels = (torch.rand(400, 2) < 0.4).float()
    images = torch.zeros(400, 3, 32, 32, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(400) % 256
    images[:, 1, 0, 0] = torch.arange(400) // 256
    data = FaceDataset(Faces(images=images, attributes=labels), names=("Bald", "Young"))
    model = PaW(2, 2, regions="random", crop=16)
    assert telling([model], data, data) == {"tells_training": 0.5, "tells_others": 0.5}

    def knows_the_first(images):
        rows = (images[:, 0, 0, 0] * 255 + 256 * images[:, 1, 0, 0] * 255).round().long()
        x = torch.stack([16 * labels[rows, 0], torch.zeros(len(rows))], 1)
        return torch.stack([x, torch.zeros_like(x), x + 16, torch.full_like(x, 16)], -1)

    monkeypatch.setattr(model, "region_boxes", knows_the_first)
    found = telling([model], data, data)
    assert found == {"tells_training": 0.75, "tells_others": 0.75}, "one of two, and chance"


def test_skill_of_parts(experiments, monkeypatch):
    from seen import roc_areas, skill

    torch.manual_seed(0)
    labels = (torch.rand(60, 2) < 0.4).float()
    scores = torch.randn(60, 3, 2)
    areas = roc_areas(scores.numpy(), labels.numpy() == 1)
    for p in range(3):
        for k in range(2):
            ours = roc_auc_score(labels[:, k], scores[:, p, k])
            assert areas[p, k] == pytest.approx(ours, abs=1e-6)
    images = torch.zeros(60, 3, 32, 32, dtype=torch.uint8)
    data = FaceDataset(Faces(images=images, attributes=labels), names=("Bald", "Young"))
    model = PaW(2, 2, regions="random", crop=16)
    monkeypatch.setattr(model, "forward", lambda _: Outputs(logits=labels, part_logits=scores))
    whole, parts = areas[0], areas[1:]
    assert skill([model], data) == pytest.approx({
        "own": parts.diagonal().mean(),
        "others": np.mean([parts[1, 0], parts[0, 1]]),
        "best_other": np.mean([parts[1, 0], parts[0, 1]]),
    }), f"the whole image's {whole} do not count"  # fmt: skip


def test_fitted_asks_about_training_faces_evenly(experiments, monkeypatch):
    import seen

    asked = []
    monkeypatch.setattr(
        seen,
        "evaluate",
        lambda m, d, **_: asked.append(d) or Said(mean={"accuracy": m, "average_precision": 2 * m}),
    )
    labels = torch.arange(10.0)[:, None].expand(10, 2) % 2
    images = torch.zeros(10, 3, 8, 8, dtype=torch.uint8)
    data = FaceDataset(Faces(images=images, attributes=labels), names=("Bald", "Young"))
    assert seen.fitted([1, 3], data, limit=4) == {"accuracy": 2, "average_precision": 4}
    assert asked[0].attributes[:, 0].tolist() == [0, 1, 0, 1]  # rows 0, 3, 6, 9


def test_probes_are_paired_over_the_seeds_that_have_both(experiments, tmp_path):
    from probes import collect

    names, faces = ("Bald", "Young"), 12
    truth = (torch.rand(faces, 2, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    data = FaceDataset(
        Faces(images=torch.zeros(faces, 3, 8, 8, dtype=torch.uint8), attributes=truth), names=names
    )

    def write(place, name, right, trained):
        told = torch.where(torch.rand(faces, 2) < right, truth, 1 - truth)
        record = {"training": {"faces": trained, "crop": 24}}
        report = evaluate(Says(told), data, device="cpu", bootstrap=10, record=record)
        report.save(place / f"{name}.json")

    torch.manual_seed(0)
    for seed in (0, 1):
        place = tmp_path / "paw" / "synth" / f"seed{seed}"
        place.mkdir(parents=True)
        write(place, "paw", 1.0, 3000), write(place, "whole-only", 0.0, 3000)
    write(tmp_path / "paw" / "synth" / "seed1", "paw-wide", 1.0, 3000)
    found = {(row["first"], row["second"]): row for row in collect(tmp_path / "paw")["probes"]}
    assert set(found) == {
        ("paw", "whole-only"), ("paw-wide", "paw"), ("paw-wide", "whole-only")
    }  # fmt: skip
    assert found["paw", "whole-only"]["seeds"] == [0, 1]
    assert found["paw-wide", "paw"]["seeds"] == [1]
    assert found["paw", "whole-only"]["mean"]["accuracy"] == 1
    assert found["paw-wide", "paw"]["mean"]["accuracy"] == 0


def test_usual_places_are_those_of_wearers(experiments, monkeypatch):
    import probes

    peaks = torch.tensor([[20.0, 30], [40.0, 30], [8.0, 8]])  # of three faces, x and y
    labels = torch.tensor([[1.0, 0], [1, 0], [0, 0]])  # nobody wears the second
    monkeypatch.setattr(probes, "heatmaps", lambda *_: None)
    monkeypatch.setattr(
        probes, "regions_from_heatmaps", lambda *_: peaks[:, None].expand(3, 2, 2)
    )  # fmt: skip
    images = torch.zeros(3, 3, 60, 64, dtype=torch.uint8)
    data = FaceDataset(Faces(images=images, attributes=labels), names=("Bald", "Young"))
    places = probes.usual_places(FRL.small(num_attributes=2), data, 16)
    boxes = boxes_at(places, 16, (60, 64)).float()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    torch.testing.assert_close(middle, torch.tensor([[30.0, 30], [68 / 3, 68 / 3]]), atol=1, rtol=0)


def test_region_loss_is_least_where_the_truth_is(experiments):
    from taught import region_loss

    torch.manual_seed(0)
    model = FRL.small(num_attributes=2)
    images = torch.rand(3, 3, 32, 32)
    regions = torch.zeros(3, 2, 8, 8, dtype=torch.bool)
    regions[:, 0, :2, :2] = True  # one cell of the 4 x 4 map; attribute 1 is not in the picture
    faces = Faces(images=images, attributes=torch.ones(3, 2), regions=regions)
    with torch.no_grad():
        model.head.weight.zero_()
    even = region_loss(model, faces)["regions"]
    torch.testing.assert_close(even.item(), torch.tensor(16.0).log().item())
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(30):
        optimizer.zero_grad()
        loss = region_loss(model, faces)["regions"]
        loss.backward()
        optimizer.step()
    assert loss < 0.2 < even


def test_a_taught_network_beats_the_middle(experiments, tmp_path):
    from taught import train_taught

    data = SynthFaces(160, size=64, view="unaligned", split="train", seed=0)
    how = {
        "seed": 0,
        "augment": "flip",
        "batch_size": 32,
        "device": "cpu",
        "progress": False,
        "resume": False,
    }
    model = train_taught(data, checkpoint=tmp_path, epochs=8, **how)
    test = SynthFaces(80, size=64, view="unaligned", split="test", regions=True)
    found = crop_report(model, test, 20, device="cpu", bootstrap=0, progress=False)
    row = found.loc[("crop", "mean")]
    assert row["model"] > row["centre"] + 0.05
