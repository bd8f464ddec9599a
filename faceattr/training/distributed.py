"""Several processes that compute what one process would.

``fit`` gives every process its share of each batch. Two things must then be made equal to the
one-process run: BatchNorm statistics, which have to be those of the whole batch (here), and the
mean over faces when shares are unequal (a weight on each share's loss, in ``loop.py``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from faceattr.device import resolve
from faceattr.errors import TrainingError

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes. As every process's loss depends on the sum, its
    gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class SharedBatchNorm(_BatchNorm):
    """BatchNorm over the faces of all processes, for the CPU (torch's SyncBatchNorm needs a GPU).

    Mean and variance are taken in two passes, each one sum over processes, because the shorter
    way, E[x^2] - E[x]^2, loses digits. A process may hold no face at all.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2 dimensions, got {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, ...)`` to the same shape, normalised over all processes when training."""
        if not (self.training or self.running_mean is None):
            return super().forward(input)
        others = [d for d in range(input.dim()) if d != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        values = input.float()
        number = values.new_full((1,), values.numel() // values.shape[1])
        sums = _SumOverProcesses.apply(torch.cat([values.sum(others), number]))  # (C + 1,)
        number = sums[-1].detach()
        if number <= 1:
            raise ValueError(f"one value per channel has no variance: {tuple(input.shape)}")
        centred = values - (mean := sums[:-1] / number).view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(others)) / number  # (C,)
        if self.training and self.track_running_stats:
            self._track(mean.detach(), variance.detach() * number / (number - 1))
        scaled = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        rate = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance, rate)

    @classmethod
    def like(cls, module: _BatchNorm) -> SharedBatchNorm:
        """A shared norm that holds the very parameters and buffers of ``module``."""
        shared = cls(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        shared._parameters, shared._buffers = module._parameters, module._buffers
        return shared.train(module.training)


@contextmanager
def shared_batchnorm(model: nn.Module, world: int) -> Iterator[None]:
    """Within the block, BatchNorm layers of a model see the whole batch of ``world`` processes.

    On a GPU they become torch's SyncBatchNorm, on the CPU :class:`SharedBatchNorm`. Parameters
    and buffers stay the same tensors, and the layers of before come back at the end.
    """
    swapped: list[tuple[nn.Module, str, _BatchNorm]] = []
    if world > 1:
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if not isinstance(child, _BatchNorm) or isinstance(child, nn.SyncBatchNorm):
                    continue
                on_gpu = next(child.buffers(), torch.empty(0)).is_cuda
                convert = (
                    nn.SyncBatchNorm.convert_sync_batchnorm if on_gpu else SharedBatchNorm.like
                )
                swapped.append((parent, name, child))
                setattr(parent, name, convert(child))
    try:
        yield
    finally:
        for parent, name, child in swapped:
            child.load_state_dict(getattr(parent, name).state_dict())
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)


def launched() -> tuple[int, int] | None:
    """``(processes on this node, nodes)`` if something has started several processes already.

    That is torchrun, ``fabric run``, or an earlier ``fit(devices=...)`` in this script.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if "LOCAL_RANK" not in os.environ or world == 1:
        return None
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "0"))
    return (here, world // here) if here else (world, 1)


def start(
    device: str | torch.device = "auto", devices: int = 1, num_nodes: int = 1, precision="32-true"
) -> Fabric:
    """A launched Fabric: from here on every process runs the lines that follow.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        devices: processes on this node, one a GPU; more than one runs this script again in each
            of them, unless torchrun or ``fabric run`` has started them, whose count then holds.
        num_nodes: machines.
        precision: ``32-true``, ``bf16-mixed``, or ``16-mixed`` (CUDA).

    Raises:
        TrainingError: counts or precision that do not work here; several processes in a notebook.
    """
    if (
        not isinstance(devices, int)
        or devices < 1
        or not isinstance(num_nodes, int)
        or num_nodes < 1
    ):
        raise TrainingError(
            f"devices={devices!r}, num_nodes={num_nodes!r}: give whole numbers of at least 1"
        )
    device = resolve(device)
    if precision not in PRECISIONS or (precision == "16-mixed" and device.type != "cuda"):
        raise TrainingError(
            f"precision={precision!r} on {device.type}: choose one of {', '.join(PRECISIONS)} "
            "(16-mixed needs CUDA)"
        )
    running = launched()
    if running is None and devices * num_nodes > 1 and hasattr(sys, "ps1"):
        raise TrainingError(
            f"devices={devices} cannot be started from a notebook or a prompt: put the call in a "
            "script, or pass devices=1"
        )
    if device.type == "cuda" and devices > torch.cuda.device_count():
        raise TrainingError(
            f"devices={devices}, but {torch.cuda.device_count()} GPU(s) are here: pass fewer"
        )
    if running:
        devices, num_nodes = _counts(running, devices, num_nodes)
    several = devices * num_nodes > 1
    by_cli = os.environ.get("LT_CLI_USED", "0") == "1"
    strategy = "auto"
    if several and not (by_cli and "LT_STRATEGY" in os.environ):
        strategy = DDPStrategy(
            process_group_backend="gloo" if device.type == "cpu" else None,
            find_unused_parameters=True,  # stages and masks leave parameters out
        )
    chosen = [device.index] if device.index is not None and not several else devices
    fabric = Fabric(
        accelerator="auto" if by_cli and "LT_ACCELERATOR" in os.environ else device.type,
        strategy=strategy,
        devices="auto" if by_cli else chosen,
        num_nodes=1 if by_cli else num_nodes,
        precision=precision,
    )
    if not by_cli:
        fabric.launch()
    return fabric


def _counts(running: tuple[int, int], devices: int, num_nodes: int) -> tuple[int, int]:
    """The counts given, which must be those running; 1 x 1 takes what torchrun started."""
    if devices * num_nodes == running[0] * running[1]:
        return devices, num_nodes
    if "TORCHELASTIC_RUN_ID" in os.environ and devices * num_nodes == 1:
        return running
    raise TrainingError(
        f"devices={devices}, num_nodes={num_nodes}, but this is one of {running[0]} x {running[1]} "
        "processes started before: pass those counts, or start again without them"
    )
