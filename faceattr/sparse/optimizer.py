"""Algorithms 1 and 2 as an optimiser of a network with known groups (MTFAP, section 4.1.1).

Every step moves the trunk and the biases by AdamW (the paper says SGD and no more) and, in turn,
either all ``L_g`` by Algorithm 1 or all ``S_g`` by Algorithm 2: "Fixing S and optimizing L", then
"Fixing L and optimizing S". That the turn changes with every mini-batch is our choice; the paper
does not say how long each lasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from faceattr.errors import TrainingError
from faceattr.sparse.lowrank import Factors, factorize, fast_ssgd_update, probing_matrix
from faceattr.sparse.smidas import exponent, link, smidas_update


class Alternating(AdamW):
    """AdamW for what has no structure, Algorithms 1 and 2 for ``L_g`` and ``S_g``.

    The penalties are this optimiser's: a loss that it minimises must give them no gradient.

    Args:
        rest: parameters of the trunk, and biases.
        bases: all ``L_g (d, K_g)``. coefficients: all ``S_g (K_g, T_g)``.
        lr: of AdamW.
        eta: step size of Algorithm 1. r: of Algorithm 2.
        gamma, lam: of the nuclear norms and of the absolute values, in the unit of the loss.
        columns: k of the probing matrices; None looks at the whole sub-gradient.
        seed: of the probing matrices, which are drawn from it and the number of the step alone: so
            that processes that share a run draw the same ones.

    Raises:
        TrainingError: a step size that is not above 0 or not finite, a probing matrix without
            columns, or nothing beside L and S.
    """

    def __init__(
        self,
        rest: Iterable[nn.Parameter],
        bases: Iterable[nn.Parameter],
        coefficients: Iterable[nn.Parameter],
        *,
        lr: float = 3e-3,
        eta: float = 20.0,
        r: float = 10.0,
        gamma: float = 0.0,
        lam: float = 0.0,
        columns: int | None = None,
        seed: int = 0,
    ):
        if not (0 < eta < math.inf and 0 < r < math.inf):
            raise TrainingError(f"eta={eta} and r={r}: give finite step sizes above 0")
        if columns is not None and not (isinstance(columns, int) and columns >= 1):
            raise TrainingError(f"columns={columns}: give a whole number of at least 1, or None")
        rest = list(rest)
        if not rest:
            raise TrainingError("no parameters beside L and S: the biases at least must be trained")
        groups = [
            {"params": rest, "kind": "rest", "turn": 0},
            {"params": list(bases), "lr": eta, "kind": "bases", "weight": gamma},
            {"params": list(coefficients), "lr": r, "kind": "coefficients", "weight": lam},
        ]
        self.columns, self.seed = columns, seed
        super().__init__([group for group in groups if group["params"]], lr=lr)

    @torch.no_grad()
    def step(self, closure=None) -> Tensor | None:
        """One step of the rest, and one of either the bases or the coefficients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        held = {}
        for group in self._structured():  # out of AdamW's sight
            for p in group["params"]:
                held[p], p.grad = p.grad, None
        super().step()
        turn = self.param_groups[0]["turn"]
        self.param_groups[0]["turn"] = turn + 1
        draws = torch.Generator().manual_seed((self.seed * 1_000_003 + turn) % 2**63)
        for group in self._structured():
            mine = (group["kind"] == "bases") == (turn % 2 == 0)
            for p in group["params"]:
                if mine and held[p] is not None:
                    how = (p, held[p], group["lr"], group["weight"])
                    if group["kind"] == "bases":
                        self._low_rank(*how, draws)
                    else:
                        self._sparse(*how)
                p.grad = held[p]
        return loss

    def _structured(self) -> list[dict]:
        return [group for group in self.param_groups if group["kind"] != "rest"]

    def _low_rank(
        self,
        p: nn.Parameter,
        gradient: Tensor,
        rate: float,
        gamma: float,
        draws: torch.Generator,
    ) -> None:
        """Algorithm 1; U, Sigma and V are kept from step to step."""
        state, size = self.state[p], p.shape[1]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for one when it is loaded
            state.update(zip(Factors._fields, factorize(p.detach(), size), strict=True))
        factors = Factors(*(state[name] for name in Factors._fields))
        if self.columns is None:
            probe = torch.eye(size).to(p)
        else:
            probe = probing_matrix(size, self.columns, draws, p)
        factors = fast_ssgd_update(
            factors, gradient.to(p.dtype), probe, rate=rate, gamma=gamma, rank=size
        )
        state.update(zip(Factors._fields, factors, strict=True))
        p.copy_(factors.matrix)

    def _sparse(self, p: nn.Parameter, gradient: Tensor, rate: float, lam: float) -> None:
        """Algorithm 2 on every column; theta is kept from step to step."""
        state, power = self.state[p], exponent(len(p))
        if not state:
            state["step"] = torch.zeros(())
            state["theta"] = link(p.detach(), power)
        state["theta"], s = smidas_update(
            state["theta"], gradient.to(p.dtype), rate=rate, weight=lam, p=power
        )
        p.copy_(s)
