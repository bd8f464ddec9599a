"""What MTFAP adds to the attribute loss: the price of a graph (Eq. 14) or of groups (Eq. 3).

The paper leaves open whether its losses sum or average over faces. Here Eqs. 3 and 14 sum over
the N training faces and the M tasks; what is minimised is that, divided by ``N M``, so that the
attribute loss reads as it does everywhere in this library, and a penalty weighs the more the fewer
labelled faces there are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceattr.data.faces import Faces
from faceattr.errors import DataError
from faceattr.models.mtfap import MTFAP
from faceattr.objectives.attributes import cross_entropy
from faceattr.taskgraph import regulariser


def _check(model: nn.Module) -> None:
    if not isinstance(model, MTFAP):
        raise DataError(
            f"structure of tasks is learned from the weights of an MTFAP, and this is a "
            f"{type(model).__name__}: train it with attribute_loss"
        )


class GraphPenalty(nn.Module):
    """Eq. 14: ``{"attributes": ..., "graph": xi Tr(W A W^T) / (N M)}``.

    A module, so that A is saved and resumed with a run. It begins as the identity, which is the
    penalty of tasks that are learned one by one (Eq. 1).

    Args:
        tasks: M.
        faces: N, labelled faces that are trained on.
        xi: the paper's.
        learned: in words, by what A is learned; None where nothing learns it. A run is not
            resumed with another.

    Attributes:
        matrix: A ``(M, M)``.
    """

    matrix: Tensor

    def __init__(self, tasks: int, faces: int, xi: float = 0.75, *, learned: str | None = None):
        super().__init__()
        self.config = {"tasks": tasks, "faces": faces, "xi": xi}
        if learned is not None:
            self.config["learned"] = learned
        self.register_buffer("matrix", torch.eye(tasks))

    def forward(self, model: MTFAP, faces: Faces) -> dict[str, Tensor]:
        """Losses of a batch.

        Raises:
            DataError: the model is no MTFAP.
        """
        _check(model)
        logits = model(faces.images).logits
        price = regulariser(model.weights, self.matrix)  # Eqs. 11, 14
        scale = self.config["xi"] / (self.config["faces"] * self.config["tasks"])
        return {"attributes": cross_entropy(logits, faces.attributes), "graph": scale * price}


class GroupPenalty(nn.Module):
    """Eq. 3: ``{"attributes": ..., "rank": gamma |L|_* / (N M), "sparsity": lam |S|_1 / (N M)}``.

    The two penalties carry no gradient: Algorithms 1 and 2 take theirs themselves
    (:class:`faceattr.sparse.optimizer.Alternating`); they are here to be logged.

    Args:
        tasks: M. faces: N.
        gamma, lam: the paper's gamma and lambda. At a minimum only their product counts: L and S
            share the size of ``L S`` as the penalties would have it.
    """

    def __init__(self, tasks: int, faces: int, gamma: float = 1.0, lam: float = 0.01):
        super().__init__()
        self.config = {"tasks": tasks, "faces": faces, "gamma": gamma, "lam": lam}

    def forward(self, model: MTFAP, faces: Faces) -> dict[str, Tensor]:
        """Losses of a batch.

        Raises:
            DataError: the model is no MTFAP with groups.
        """
        _check(model)
        if model.config["groups"] is None:
            raise DataError("this MTFAP knows no groups: build it with groups=...")
        loss = cross_entropy(model(faces.images).logits, faces.attributes)
        size = self.config["faces"] * self.config["tasks"]
        with torch.no_grad():
            rank = sum(torch.linalg.svdvals(base.float()).sum() for base in model.tasks.bases)
            entries = sum(some.abs().sum() for some in model.tasks.coefficients)
        return {
            "attributes": loss,
            "rank": self.config["gamma"] / size * rank.to(loss),
            "sparsity": self.config["lam"] / size * entries.to(loss),
        }
