"""What models said about faces whose truth is known: the raw material of every report."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceattr.errors import DataError
from faceattr.metrics import calibration_error, check_scores, metrics


@dataclass(frozen=True)
class Scored:
    """Logits of one or several runs on the same faces, with the labels of these faces.

    Attributes:
        names: M attribute names.
        logits: ``(S, N, M)`` float32, one slice a run (a training seed).
        labels: ``(N, M)`` int8 in {0, 1}, -1 where unknown.
        groups: ``(N,)`` int64 codes of who is on the image, numbered by first appearance so that
            they carry no identity of the data set; None where that is not known of every face.
    """

    names: tuple[str, ...]
    logits: Tensor
    labels: Tensor
    groups: Tensor | None = None

    def __post_init__(self):
        for logits in self.logits:
            check_scores(logits, self.labels)

    @property
    def runs(self) -> int:
        """S, the number of runs."""
        return len(self.logits)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def probabilities(self) -> Tensor:
        """``(S, N, M)``: the sigmoid of the logits."""
        return self.logits.sigmoid()

    def point(self) -> dict[str, np.ndarray]:
        """Each metric and the calibration error on these faces, mean over runs: name to (M,)."""
        runs = [
            {**metrics(said, self.labels), "calibration_error": calibration_error(p, self.labels)}
            for said, p in zip(self.logits, self.probabilities, strict=True)
        ]
        return {name: torch.stack([run[name] for run in runs]).mean(0).numpy() for name in runs[0]}

    @property
    def fingerprint(self) -> str:
        """A hash of names and labels: equal for two reports on the same faces in one order."""
        names = "\n".join(self.names).encode()
        return hashlib.sha256(names + self.labels.numpy().tobytes()).hexdigest()

    def rows(self, chosen: Tensor) -> Scored:
        """The chosen faces only: ``(N,)`` bool, or int64 positions."""
        groups = None if self.groups is None else first_seen(self.groups[chosen])
        return replace(
            self, logits=self.logits[:, chosen], labels=self.labels[chosen], groups=groups
        )

    def pack(self) -> dict[str, Any]:
        """A JSON-able copy: logits as float16, about 90 bytes a face and run with 40 attributes.

        A logit keeps its sign, so that every count stays exact; rounding may move average
        precision by some 0.0001.
        """
        half = self.logits.numpy().clip(-60_000, 60_000).astype("<f2")
        half[(half == 0) & (self.logits.numpy() > 0)] = np.finfo(np.float16).smallest_subnormal
        return {
            "runs": self.runs,
            "faces": len(self),
            "logits": _squeeze(half),
            "labels": _squeeze(self.labels.numpy()),
            "groups": None if self.groups is None else _squeeze(self.groups.numpy().astype("<u4")),
        }

    @staticmethod
    def unpack(names: tuple[str, ...], packed: dict[str, Any]) -> Scored:
        """The opposite of :meth:`pack`.

        Raises:
            KeyError, ValueError, zlib.error: the copy is damaged; the caller names the file.
        """
        runs, faces, columns = packed["runs"], packed["faces"], len(names)
        logits = _stretch(packed["logits"], "<f2").astype(np.float32)
        labels = _stretch(packed["labels"], "i1")
        groups = packed["groups"]
        return Scored(
            tuple(names),
            torch.from_numpy(logits.reshape(runs, faces, columns)),
            torch.from_numpy(labels.reshape(faces, columns)),
            None
            if groups is None
            else torch.from_numpy(_stretch(groups, "<u4").astype(np.int64).reshape(faces)),
        )


def first_seen(identity: Tensor) -> Tensor:
    """Number people 0, 1, 2, ... in the order in which they first appear, ``(N,)`` to ``(N,)``."""
    _, first, code = np.unique(identity.numpy(), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return torch.from_numpy(rank[code.reshape(-1)])


def stack(runs: list[Scored]) -> Scored:
    """Several runs on the same faces as one.

    Raises:
        DataError: they are of different faces.
    """
    if len({run.fingerprint for run in runs}) > 1:
        raise DataError(
            "these reports are on different faces: evaluate every run on the same data set, with "
            "the same split and seed"
        )
    return replace(runs[0], logits=torch.cat([run.logits for run in runs]))


def _squeeze(array: np.ndarray) -> str:
    """Bytes of equal significance side by side (they compress better), deflated, as text."""
    planes = np.ascontiguousarray(array).view(np.uint8).reshape(-1, array.itemsize).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def _stretch(text: str, kind: str) -> np.ndarray:
    """The opposite of :func:`_squeeze`, flat."""
    width = np.dtype(kind).itemsize
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(width, -1)
    return np.ascontiguousarray(planes.T).view(kind).reshape(-1).copy()
