"""What the experiments behind chapters 4 to 6 compute beside what the library does."""

from pathlib import Path

import pytest
import torch

from faceattr.data.faces import FaceDataset, Faces
from faceattr.data.synthetic import SynthFaces
from faceattr.localization import crop_report
from faceattr.models import FRL, PaW

ROOT = Path(__file__).parents[1]


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
    assert squares([model], test) == {"covered": 1.0, "inside": 1.0}
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
