"""Checkers of chapter 6, parts and whole."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.models.paw import RegionSwitch

#: Subnets and attributes of the checkers' small networks; no two sizes are equal.
_SUBNETS, _COUNT, _FACES = 6, 5, 7


def _drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores ``(B, M + 1, M)``, switch weights ``(M + 1, M)``, relation weights ``(M, M)``."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(_FACES, _SUBNETS, _COUNT, generator=generator)
    switch = torch.randn(_SUBNETS, _COUNT, generator=generator)
    relation = torch.eye(_COUNT) * 2 + torch.randn(_COUNT, _COUNT, generator=generator)
    relation.diagonal().abs_().clamp_min_(0.4)
    return scores, switch, relation


@checker
def check_folded(answer: Callable) -> Verdict:
    """Exercise 1: both layers as one.

    Args:
        answer: function of ``W (M + 1, M)`` and ``A (M, M)`` that returns ``V (M, M + 1, M)`` with
            ``o_j = sum_ik V_jik s_ik``.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_folded(folded).")
    scores, switch, relation = _drawn(0)
    right = torch.einsum("jk,ik->jik", relation, switch)
    slips = {
        "Output and source changed roles: A's row j holds what output j takes from each r_k. That "
        "is A transposed.": torch.einsum("kj,ik->jik", relation, switch),
        "That is the switch alone, one matrix for all outputs: where does A come in?": (
            switch.expand(_COUNT, -1, -1)
        ),
        "The sum over k is already taken. Keep i and k apart: every output sees every score of "
        "every subnet.": torch.einsum("jk,ik->ji", relation, switch),
        "The right numbers in another order: the first axis is the output j, the second the "
        "subnet i, the third the score's attribute k.": torch.einsum(
            "jk,ik->ijk", relation, switch
        ),
    }
    found = answer(switch.clone(), relation.clone())
    same = compare(found, right, what="the joint weight", tolerance=1e-5, slips=slips)
    if not same:
        return same
    joint = torch.einsum("jik,bik->bj", torch.as_tensor(found), scores)
    apart = (scores * switch).sum(1) @ relation.T
    assert torch.allclose(joint, apart, atol=1e-4)
    return yes(
        "Between the two layers stands nothing that bends, so they are one linear layer: 65,600 "
        "weights for 41 subnets and 40 attributes, made of 1,640 + 1,600. Of those, one scale a "
        "column cancels between W and A, so that 3,200 are free. PaW's pair of layers is a way of "
        "saying which of all linear combinations are allowed."
    )


@checker
def check_permuted(answer: Callable) -> Verdict:
    """Exercise 2: the parts in another order.

    Args:
        answer: function of ``W (M + 1, M)`` and ``order (M,)``, where part ``order[i]`` of old is
            the new part ``i`` (both from 0), that returns the weights of the same network.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_permuted(permuted).")
    scores, switch, _ = _drawn(1)
    order = torch.tensor([2, 0, 3, 4, 1])  # not its own inverse
    inverse = order.argsort()
    rows = torch.cat([torch.zeros(1, dtype=torch.long), order + 1])
    back = torch.cat([torch.zeros(1, dtype=torch.long), inverse + 1])
    slips = {
        "Nothing moved. The scores of a part come in another row now, and its weight must come "
        "along.": switch,
        "That is the inverse order: new row i holds old part order[i].": switch[back],
        "The columns moved. They belong to the attributes, which stay where they are: only who "
        "is asked changes places.": switch[:, order],
        "Rows and columns moved. The attributes stay where they are: only who is asked changes "
        "places.": switch[rows][:, order],
        "You moved rows from 0 on. Row 0 is the whole image: parts begin in row 1.": torch.cat(
            [switch[order], switch[-1:]]
        ),
    }
    same = compare(
        answer(switch.clone(), order.clone()),
        switch[rows],
        what="the weight",
        tolerance=1e-6,
        slips=slips,
    )
    if not same:
        return same
    moved = torch.cat([scores[:, :1], scores[:, 1:][:, order]], dim=1)
    assert torch.allclose((moved * switch[rows]).sum(1), (scores * switch).sum(1), atol=1e-5)
    return yes(
        "The parts are a set: their order is book-keeping, as long as each keeps its square. Only "
        "the name 'its own part' in Figure 5 needs to know where part j went."
    )


@checker
def check_rescaled(answer: Callable) -> Verdict:
    """Exercise 3: the same network with ones on the relation layer's diagonal.

    Args:
        answer: function of ``W (M + 1, M)`` and ``A (M, M)``, no zero on its diagonal, that
            returns both anew.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_rescaled(rescaled).")
    scores, switch, relation = _drawn(2)
    found = answer(switch.clone(), relation.clone())
    if not isinstance(found, tuple | list) or len(found) != 2:
        return no("Return two things: the new W and the new A.")
    new, other = (torch.as_tensor(each).detach() for each in found)
    if new.shape != switch.shape or other.shape != relation.shape:
        return no(
            f"The new W should be {tuple(switch.shape)} and the new A {tuple(relation.shape)}; "
            f"yours are {tuple(new.shape)} and {tuple(other.shape)}."
        )
    before = (scores * switch).sum(1) @ relation.T
    after = (scores * new).sum(1) @ other.T
    diagonal = relation.diagonal()
    if not torch.allclose(after, before, atol=1e-4):
        if torch.allclose(other, relation / diagonal[:, None], atol=1e-5):
            return no(
                "You divided the rows of A. A row holds one output: dividing it changes what comes "
                "out, and no change of W makes up for it. What r_k carries is in the columns."
            )
        if torch.allclose(new, switch, atol=1e-6):
            return no("The outputs changed: what A loses, W must win. You left W as it was.")
        if torch.allclose(other, relation / diagonal, atol=1e-5):
            return no("A is right. W must make up for it: which of its axes belongs to r_k?")
        return no("The new network answers differently: compare (s * W).sum(1) @ A.T before.")
    if not torch.allclose(other.diagonal(), torch.ones(_COUNT), atol=1e-5):
        return no("The network is the same, but its diagonal is not one everywhere yet.")
    return yes(
        "So neither layer's weights mean anything alone: a column of W may be large because A's "
        "column is small. Ratios inside a column of W, part against whole, are safe; so is A with "
        "each column divided by its diagonal entry."
    )


@checker
def check_frozen(answer: Callable) -> Verdict:
    """Exercise 4: one row of the switch stands still while the others learn.

    Args:
        answer: function of a :class:`~faceattr.models.paw.RegionSwitch` and the number of a row;
            called once, before the optimiser is made. What it returns does not matter.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_frozen(freeze_row).")
    scores, start, _ = _drawn(3)
    row, target = 2, torch.randn(_FACES, _COUNT, generator=torch.Generator().manual_seed(4))
    switch = RegionSwitch(_SUBNETS, _COUNT)
    with torch.no_grad():
        switch.weight.copy_(start)
    answer(switch, row)
    if not torch.allclose(switch.weight, start, atol=1e-6):
        return no("The weights changed before any training: freezing should leave them alone.")
    parameters = [p for p in switch.parameters() if p.requires_grad]
    if not parameters:
        return no("Nothing can be trained any more: only one row should stand still.")
    optimizer = torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (switch(scores) - target).square().mean().backward()
        optimizer.step()
    moved = (switch.weight.detach() - start).abs().amax(1)  # (S,)
    others = torch.cat([moved[:row], moved[row + 1 :]])
    if moved[row] > 1e-6:
        decayed = torch.allclose(
            switch.weight[row].detach(), start[row] * (1 - 0.05 * 0.1) ** 5, atol=1e-5
        )
        if decayed:
            return no(
                "Its gradient is zero, and still it moved: AdamW's weight decay shrinks every "
                "parameter, gradient or not. The row must not be part of the parameter at all."
            )
        return no(
            f"Row {row} moved by {moved[row]:.3g} in five steps of AdamW. What the optimiser "
            "changes and what the layer uses must be two things."
        )
    if others.min() < 1e-4:
        return no("Other rows stand still as well: freeze only the one that was asked for.")
    return yes(
        "It stood still through five steps of AdamW, decay and momentum included, and all other "
        "rows moved. A gradient set to zero would not have done."
    )
