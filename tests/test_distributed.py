"""Several processes give the weights of one: run as scripts, as users run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from faceattr.errors import TrainingError
from faceattr.training import distributed
from faceattr.training.distributed import SharedBatchNorm, launched, shared_batchnorm, start

# 17 faces in batches of 8: the last batch is one face, so one of two processes has none of it.
SCRIPT = """
import sys, torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from faceattr.data.faces import FaceDataset, Faces
from faceattr.errors import TrainingError
from faceattr.models.base import FaceModel, Outputs
from faceattr.training import fit
torch.set_num_threads(1)

class Tiny(FaceModel):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.out, self.unused = nn.Linear(6, 3), nn.Linear(2, 2)
    def forward(self, images):
        maps = torch.relu(self.norm(self.conv(self.normalize(images))))
        return Outputs(self.out(maps.mean((2, 3))))

class Shade:
    def draw(self, count, generator):
        return {"shift": torch.randn(count, generator=generator) * 0.2}
    def apply(self, faces, draws):
        faces.images = faces.images + draws["shift"][:, None, None, None]
        return faces

def objective(model, faces):
    logits = model(faces.images).logits
    model(faces.images.flip(3))  # BatchNorm sees a second pass, as objectives with two stages give
    return {"fit": cross_entropy(logits, faces.attributes), "small": 0.1 * logits.square().mean()}

g = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (17, 3, 8, 8), generator=g, dtype=torch.uint8)
data = FaceDataset(Faces(images, torch.rand(17, 3, generator=g).round()), names=["a", "b", "c"])
torch.manual_seed(1)
model = Tiny()
folder, devices = sys.argv[1], int(sys.argv[2])
settings = dict(device="cpu", devices=devices, progress=False)
history = fit(model, data, objective, epochs=3, batch_size=8, lr=1e-3, schedule="one-cycle",
    optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), average="ema", valid=data,
    augment=Shade(), checkpoint=folder, **settings)
assert type(model.norm) is nn.BatchNorm2d

def broken(model, faces):
    scale = float("nan") if 3 in faces.index else 1  # one face, in the share of one process
    return {"fit": scale * objective(model, faces)["fit"]}

try:
    fit(model, data, broken, epochs=1, batch_size=8, **settings)
except TrainingError as error:
    print(error, flush=True)
"""


def launch(tmp_path, name, command, *arguments):
    """Run the script; the folder that it wrote and how it ended."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    clean = ("LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR", "NODE_RANK")
    environment = {k: v for k, v in os.environ.items() if k not in clean}
    folder = tmp_path / name
    done = subprocess.run(
        [sys.executable, *command, str(script), str(folder), *arguments],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return folder, done


def weights(folder):
    return load_file(folder / "last.safetensors")


def losses(folder):
    lines = (folder / "history.csv").read_text().splitlines()
    return torch.tensor([[float(v) for v in line.split(",")[:-2]] for line in lines[1:]])


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder, threads = tmp_path_factory.mktemp("one"), torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["script.py", str(folder), "1"])
        exec(compile(SCRIPT, "script.py", "exec"), {"__name__": "script"})
    torch.set_num_threads(threads)
    return folder


TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29613"]


@pytest.mark.parametrize(
    ("command", "devices"), [([], "2"), (TORCHRUN, "1")], ids=["fit launches", "torchrun"]
)
def test_two_processes_give_the_weights_of_one(one, tmp_path, command, devices):
    folder, done = launch(tmp_path, "two", command, devices)
    assert done.returncode == 0, done.stderr
    mine, theirs = weights(folder), weights(one)
    assert mine.keys() == theirs.keys()
    moved = [name for name in mine if name.endswith(("weight", "running_var")) and "@" not in name]
    assert len(moved) >= 4
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, atol=1e-5, rtol=1e-5, msg=name)
    torch.testing.assert_close(losses(folder), losses(one), atol=1e-5, rtol=1e-5)
    assert done.stdout.count("loss 'fit' is nan at epoch 1, step") == 2  # every process stops


def test_shared_batchnorm_on_one_process_is_torchs(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1
    )
    try:
        for plain, shape in ((nn.BatchNorm2d(5), (6, 5, 4, 3)), (nn.BatchNorm1d(5), (6, 5))):
            for momentum in (0.1, None):
                plain.momentum = momentum
                nn.init.normal_(plain.weight)
                theirs = type(plain)(5, momentum=momentum)
                theirs.load_state_dict(plain.state_dict())
                model = nn.Sequential(plain)
                with shared_batchnorm(model, 2):
                    assert isinstance(model[0], SharedBatchNorm)
                    for _ in range(2):
                        x = torch.randn(shape, requires_grad=True)
                        y = x.detach().clone().requires_grad_()
                        mine, other = model(x), theirs(y)
                        torch.testing.assert_close(mine, other)
                        weight = torch.randn_like(mine)
                        (mine * weight).sum().backward()
                        (other * weight).sum().backward()
                        torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=1e-4)
                    model.eval()
                    torch.testing.assert_close(model(x), theirs.eval()(x))
                assert model[0] is plain
                assert not plain.training
                plain.train()
                for name, tensor in theirs.state_dict().items():
                    torch.testing.assert_close(plain.state_dict()[name], tensor)
        with shared_batchnorm(model, 2), pytest.raises(ValueError, match="no variance"):
            model(torch.randn(1, 5))
    finally:
        torch.distributed.destroy_process_group()


def test_counts_must_match_what_runs(monkeypatch):
    assert launched() is None
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched() == (4, 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert launched() == (2, 2)
    with pytest.raises(TrainingError, match="one of 2 x 2 processes"):
        start("cpu", devices=1)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert distributed._counts((2, 2), 1, 1) == (2, 2)


def test_no_processes_from_a_prompt(monkeypatch):
    monkeypatch.setattr("sys.ps1", ">>>", raising=False)
    with pytest.raises(TrainingError, match="put the call in a script"):
        start("cpu", devices=2)


@pytest.mark.parametrize("counts", [(0, 1), (1, 0), ("two", 1)])
def test_bad_counts(counts):
    with pytest.raises(TrainingError, match="at least 1"):
        start("cpu", *counts)


def test_results_are_json(one):
    from faceattr.checkpoint import read_checkpoint

    assert json.dumps(read_checkpoint(one)[1]["record"])
