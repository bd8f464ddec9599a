"""Which device work runs on."""

from __future__ import annotations

import torch

from faceattr.errors import UnknownNameError


def resolve(device: str | torch.device = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` into a device that is there.

    ``auto`` takes the first of CUDA, MPS, CPU that this machine has.

    Raises:
        UnknownNameError: no such device here.
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).item()  # meta, which computes nothing, fails here
    except (RuntimeError, AssertionError) as error:
        raise UnknownNameError(
            f"device {device!r} is not usable here ({error}): try cpu"
        ) from error
    return found
