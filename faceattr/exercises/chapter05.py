"""Checkers of chapter 5, compressing with hints."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.models import WholeImage
from faceattr.models.blocks import convolution

#: Columns as Table 3 has them: side of the kernel, maps, how often.
COLUMNS: dict[str, list[tuple[int, int, int]]] = {
    "SNet3": [(3, 16, 1), (3, 32, 1), (3, 64, 1), (3, 128, 1), (1, 1280, 1)],
    "SNet1": [(3, 32, 1), (3, 64, 1), (3, 128, 1), (3, 256, 1), (3, 512, 1), (3, 1280, 1)],
    "TNet": [(3, 32, 2), (3, 64, 2), (3, 128, 3), (3, 256, 3), (3, 512, 3), (3, 1280, 1)],
}


#: Of exercise 4.
STEPS, RATE = 6, 0.5


@checker
def check_work(answer: Callable) -> Verdict:
    """Exercise 1: multiply-adds of a column of Table 3, against torch's own counter.

    Args:
        answer: function of a column ``[(kernel, maps, times), ...]`` and the side of the picture
            in pixels that returns the multiply-adds of its convolutions for one face.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_work(multiply_adds).")
    for name, column in COLUMNS.items():
        for side in (64, 96):
            right = _counted(column, side)
            slips = {
                "You pool after every convolution. A module pools once, after its last one: in "
                "TNet the second convolution of a module works on maps as large as the "
                "first.": _slip(column, side, pool="each"),
                "You pool before a module's convolutions: Pool1 comes after Conv1, whose maps are "
                "as large as the picture.": _slip(column, side, pool="before"),
                "You pool after every module. Four of them pool; what follows works on maps of "
                "the same size.": _slip(column, side, pool="all"),
                "Nothing is pooled. The first four modules each end in a pooling that halves both "
                "sides.": _slip(column, side, pool="never"),
                "You take each line of the table once: its third number says how many convolutions "
                "it stands for.": _slip([(k, n, 1) for k, n, _ in column], side),
                "Every convolution of a module takes in the maps of the one before it, not of the "
                "module before.": _slip(column, side, inputs="module"),
                "A multiply-add is one multiplication and one addition; you count both.": 2 * right,
                "That is the number of weights. Each of them is used at every place of the "
                "map.": _slip(column, side, places=False),
            }
            same = compare(
                answer(list(column), side), right, what=f"{name}'s number at {side} pixels",
                tolerance=0.5,
                slips={why: wrong for why, wrong in slips.items() if wrong != right},
            )  # fmt: skip
            if not same:
                return same
    return yes(
        "As torch's counter has it, for three columns at two sizes. At 64 pixels TNet multiplies "
        f"{_counted(COLUMNS['TNet'], 64) / _counted(COLUMNS['SNet3'], 64):.0f} times as often as "
        "SNet3."
    )


def _counted(column: list[tuple[int, int, int]], side: int) -> int:
    """What torch counts when the convolutions run, halved: it counts both operations."""
    layers, inputs = [], 3
    for module, (kernel, maps, times) in enumerate(column):
        for position in range(times):
            pool = module < 4 and position == times - 1
            layers += convolution(inputs, maps, kernel, pool=pool, norm=False)
            inputs = maps
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():  # on "meta" nothing is computed, and shapes are all it takes
        nn.Sequential(*layers).to("meta")(torch.empty(1, 3, side, side, device="meta"))
    return counter.get_total_flops() // 2


def _slip(
    column: list[tuple[int, int, int]],
    side: int,
    pool: str = "",
    inputs: str = "",
    places: bool = True,
) -> int:
    """The count with one mistake in it."""
    total, before = 0, 3
    for module, (kernel, maps, times) in enumerate(column):
        entering = before
        for position in range(times):
            pools = {"all": True, "never": False}.get(pool, module < 4)
            if pool == "before" and pools and position == 0:
                side //= 2
            taken = entering if inputs == "module" else before
            total += kernel * kernel * taken * maps * (side * side if places else 1)
            before = maps
            if pools and pool != "before" and (pool == "each" or position == times - 1):
                side //= 2
    return total


@checker
def check_soft_gradient(answer: Callable) -> Verdict:
    """Exercise 2: what a soft label at temperature T pulls a logit with, against autograd.

    Args:
        answer: function of the student's logits, the teacher's logits (both ``(B, M)``) and T that
            returns the derivative of the sum of the cross entropies in the student's logits.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_soft_gradient(soft_gradient).")
    generator = torch.Generator().manual_seed(0)
    student = 3 * torch.randn(5, 4, generator=generator)
    teacher = 3 * torch.randn(5, 4, generator=generator)
    for temperature in (1.0, 2.5, 10.0):
        z = student.clone().requires_grad_()
        F.binary_cross_entropy_with_logits(
            z / temperature, (teacher / temperature).sigmoid(), reduction="sum"
        ).backward()
        apart = student.div(temperature).sigmoid() - teacher.div(temperature).sigmoid()
        slips = {
            "The sign: the loss falls where the student's logit moves towards the teacher's, so "
            "the derivative is positive where the student's is too high.": -z.grad,
            "Nearly: z / T stands inside, so the chain rule leaves a factor 1 / T.": apart,
            "The factor is 1 / T, once. (Hinton et al. multiply the loss by T squared, so that "
            "its gradients keep their size.)": apart * temperature,
            "You divide by T twice: the chain rule gives 1 / T once.": apart / temperature**2,
            "That is the derivative without a temperature: divide both logits by T, and mind the "
            "chain rule.": student.sigmoid() - teacher.sigmoid(),
            "The teacher's logit has to be divided by T as well.": (
                student.div(temperature).sigmoid() - teacher.sigmoid()
            )
            / temperature,
            "That is the pull of a hard label: what the teacher says is rounded.": (
                student.div(temperature).sigmoid() - (teacher > 0).float()
            )
            / temperature,
            "That is the mean over logits, and the sum is asked for.": z.grad / z.numel(),
        }
        slips = {why: s for why, s in slips.items() if not torch.allclose(s, z.grad)}
        given = answer(student.clone(), teacher.clone(), temperature)
        same = compare(
            given.detach() if torch.is_tensor(given) else given, z.grad,
            what=f"the gradient at T = {temperature:g}", tolerance=1e-5, slips=slips,
        )  # fmt: skip
        if not same:
            return same
    return yes(
        "Equal to autograd's at three temperatures. Its sign never depends on T: with one logit "
        "an attribute a temperature changes how hard the label pulls, not where to."
    )


@checker
def check_reduce(answer: Callable) -> Verdict:
    """Exercise 3: maps of a teacher averaged over squares, so that a coarser student can copy them.

    Args:
        answer: function of maps ``(B, M, N, h, w)`` and a whole number r that returns ``(B, M, N,
            h // r, w // r)``, the means over squares of r x r cells.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_reduce(reduced).")
    generator = torch.Generator().manual_seed(2)
    for r, (h, w) in ((2, (4, 6)), (3, (6, 3)), (1, (2, 2))):
        maps = torch.rand(2, 3, 2, h, w, generator=generator)
        flat = maps.flatten(0, 2)[:, None]  # (B M N, 1, h, w)
        shape = (2, 3, 2, h // r, w // r)
        right = F.avg_pool2d(flat, r).reshape(shape)
        mixed = maps.reshape(2, 3, 2, h // r, w // r, r, r).mean((-2, -1))
        slips = {
            "You take one cell of each square and drop the others: average them.": maps[
                ..., ::r, ::r
            ],
            "You take the largest of each square. A score comes from the mean over places, and "
            "the mean of means is the mean.": F.max_pool2d(flat, r).reshape(shape),
            "The sum of each square: divide by its cells.": right * r * r,
            "A reshape to (h / r, w / r, r, r) cuts memory, not squares: it takes r * r cells in "
            "reading order. Rows must be split on their own: (h / r, r, w / r, r).": mixed,
        }
        slips = {why: s for why, s in slips.items() if not torch.allclose(s, right)}
        same = compare(
            answer(maps.clone(), r), right, what=f"the result for r = {r}", tolerance=1e-5,
            slips=slips,
        )  # fmt: skip
        if not same:
            return same
    return yes(
        "Equal to torch's average pooling. The teacher's scores are untouched by it: they come "
        "from the mean over all places, which is the mean of these means."
    )


@checker
def check_step(answer: Callable) -> Verdict:
    """Exercise 4: a step of hint training that leaves the teacher as it was.

    Args:
        answer: function of ``student``, ``teacher``, ``optimizer`` and ``images`` that takes one
            step and returns the loss as a number.
    """
    if not callable(answer):
        return no("Hand over the function itself: check_step(hint_step).")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        sizes = {"num_attributes": 3, "maps_per_attribute": 2}
        teacher, student = (WholeImage("snet3", **sizes) for _ in range(2))
        images = torch.rand(8, 3, 32, 32)
        teacher(torch.rand(8, 3, 32, 32))  # so that batch norm has gathered something
    before = copy.deepcopy(teacher.state_dict())
    first = copy.deepcopy(student.state_dict())
    teacher.train(), student.train()
    optimizer = torch.optim.SGD([*student.parameters(), *teacher.parameters()], lr=RATE)
    losses = []
    for _ in range(STEPS):
        losses.append(answer(student, teacher, optimizer, images))
        moved = [n for n, t in teacher.state_dict().items() if not torch.equal(t, before[n])]
        if statistics := [n for n in moved if "running" in n or "tracked" in n]:
            return no(
                f"The teacher has changed: {statistics[0]} is not what it was. In training mode "
                "batch norm gathers statistics with every picture that it is shown."
            )
        if moved:
            return no(
                f"The teacher has changed: {moved[0]} took part in the step. No gradient may "
                "reach it: compute its maps under torch.no_grad()."
            )
    if not all(isinstance(loss, float) for loss in losses):
        return no("Return the loss of the step as a number: loss.item().")
    if not student.training:
        return no("The student is left in evaluation mode: it trains, and its batch norm with it.")
    if not torch.equal(first["head.weight"], student.state_dict()["head.weight"]):
        return no("The student's last layer has moved: the hint compares maps, not scores.")
    if torch.equal(first["trunk.0.weight"], student.state_dict()["trunk.0.weight"]):
        return no("The student's first convolution has not moved: did you call backward and step?")
    student.load_state_dict(first)
    with torch.no_grad():
        maps = teacher.eval()(images).features
    right = _losses(copy.deepcopy(student), maps, images)
    slips = {
        "From the second step on the gradients of all steps pile up: optimizer.zero_grad() "
        "empties them.": _losses(copy.deepcopy(student), maps, images, empty=False)
    }
    same = compare(losses, right, what="the loss, step by step,", tolerance=1e-4, slips=slips)
    return same and yes(
        f"The loss falls from {losses[0]:.3f} to {losses[-1]:.3f} in {STEPS} steps, and the "
        "teacher is, number for number, what it was."
    )


def _losses(
    student: WholeImage, maps: Tensor, images: Tensor, *, empty: bool = True
) -> list[float]:
    """What the steps should return."""
    optimizer, losses = torch.optim.SGD(student.parameters(), lr=RATE), []
    for _ in range(STEPS):
        loss = F.mse_loss(student.train()(images).features, maps)
        if empty:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
