"""What the cascade finds: faces of one picture, and the candidates of a stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from faceattr.attributes import ATTRIBUTES


@dataclass
class FoundFaces:
    """The K faces found in one picture, the surest first; K may be 0.

    Attributes:
        boxes: ``(K, 4)`` xyxy in pixels. scores: ``(K,)`` probability of a face, by L_Net.
        landmarks: ``(K, 5, 2)`` in pixels, None if the network was not trained for them.
        probabilities: ``(K, M)`` of each attribute.
        names: the M attributes.
        stages: boxes ``(n, 4)`` and scores ``(n,)`` that passed each of S_Net, M_Net and L_Net.
        windows: how many windows each stage looked at.
    """

    boxes: Tensor
    scores: Tensor
    landmarks: Tensor | None
    probabilities: Tensor
    names: tuple[str, ...] = ATTRIBUTES
    stages: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    windows: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.boxes)

    def to_dict(self) -> dict:
        """Faces as JSON-able rows: box, score, landmarks, attributes."""
        rows = []
        for k in range(len(self)):
            row = {"box": _rounded(self.boxes[k], 1), "score": round(self.scores[k].item(), 4)}
            if self.landmarks is not None:
                row["landmarks"] = _rounded(self.landmarks[k], 1)
            told = zip(self.names, self.probabilities[k].tolist(), strict=True)
            row["attributes"] = {name: round(p, 4) for name, p in told}
            rows.append(row)
        return {"faces": rows}


@dataclass
class Candidates:
    """Faces that a stage believes to see in several pictures.

    Attributes:
        boxes: ``(n, 4)`` xyxy in pixels. scores: ``(n,)``. image: ``(n,)`` in which picture.
    """

    boxes: Tensor
    scores: Tensor
    image: Tensor

    def __getitem__(self, rows) -> Candidates:
        return Candidates(self.boxes[rows], self.scores[rows], self.image[rows])


def _rounded(values: Tensor, digits: int) -> list:
    return values.double().round(decimals=digits).tolist()
