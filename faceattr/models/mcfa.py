"""MCFA's cascaded networks (Zhuang, Yan, Chen and Wang, ICPR 2018), section II-B.

S_Net, M_Net and L_Net see one window at three sizes, made by average pooling. Each answers all
tasks; M_Net also gets what S_Net shares, L_Net what M_Net shares::

    x_S (256)    x_M = [1024, x_S] (1280)    x_L = [1024, x_M] (2304)

They are trained as one (:mod:`faceattr.objectives.mcfa`). In use (:mod:`faceattr.cascade`) S_Net is
slid over a picture and only windows that pass go on to M_Net and L_Net.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from faceattr.data.windows import FRAME
from faceattr.errors import DataError, UnknownNameError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.mcfa_nets import TASKS, CoarseToFine, Heads, SNet

#: The networks, coarse to fine.
NETS = ("S", "M", "L")
#: The paper's variants, by the tasks that each is trained for (section III-B).
VARIANTS: dict[str, tuple[str, ...]] = {
    "MCFA_FAC": ("attributes",),
    "MCFA_FLL_FAC": ("landmarks", "attributes"),
    "MCFA_FD_FAC": ("detection", "attributes"),
    "MCFA": ("detection", "landmarks", "attributes"),
}


class MCFA(FaceModel):
    """S_Net, M_Net and L_Net in a cascade.

    Args:
        num_attributes: M.
        size: side of L_Net's window; M_Net's is half of it, S_Net's a quarter.
        widths, repeats: of VGG's modules; S_Net has the first three, M_Net four, L_Net five.
        pools: modules of S_Net that pool.
        channels: shared features of S_Net. units: of M_Net's and L_Net's own layer.
        hidden: width of each task's two layers.
        norm: with batch norm behind the convolutions.
        tasks: some of :data:`~faceattr.models.mcfa_nets.TASKS`; attributes always. Heads exist for
            these alone; see :data:`VARIANTS`.
        weights: with the layer of Eq. 6, one in each network; ``"apart"``: what it is trained on
            does not reach the features that it reads.
        frame: side of a window over the longer side of the face box that it is centred on.
        answer: the network whose answers ``forward`` gives: ``"L"``, as in the paper, ``"M"`` or
            ``"S"``.

    Attributes:
        sides: of the three windows in pixels.

    Raises:
        UnknownNameError: no such task or answer.
        DataError: sizes that do not fit one another.
    """

    smallest = 16

    def __init__(
        self,
        num_attributes: int = 40,
        *,
        size: int = 224,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        repeats: Sequence[int] = (2, 2, 3, 3, 3),
        pools: int = 3,
        channels: int = 256,
        units: int = 1024,
        hidden: int = 256,
        norm: bool = False,
        tasks: Sequence[str] = TASKS,
        weights: bool | str = True,
        frame: float = FRAME,
        answer: str = "L",
    ):
        for task in tasks:
            if task not in TASKS:
                raise UnknownNameError(f"unknown task {task!r}: choose some of {', '.join(TASKS)}")
        if answer not in NETS:
            raise UnknownNameError(f"unknown answer {answer!r}: choose {', '.join(NETS)}")
        if weights not in (True, False, "apart"):
            raise DataError(f"weights={weights!r}: give True, False or 'apart'")
        _check(size, widths, repeats, pools, tasks, frame)
        super().__init__(
            num_attributes=num_attributes, size=size, widths=list(widths), repeats=list(repeats),
            pools=pools, channels=channels, units=units, hidden=hidden, norm=norm,
            tasks=[task for task in TASKS if task in tasks], weights=weights, frame=frame,
            answer=answer,
        )  # fmt: skip
        self.sides = (size // 4, size // 2, size)
        how = {"norm": norm}
        self.s_net = SNet(self.sides[0], widths[:3], repeats[:3], channels, pools=pools, **how)
        self.m_net = CoarseToFine(self.sides[1], widths[:4], repeats[:4], units, **how)
        self.l_net = CoarseToFine(self.sides[2], widths, repeats, units, **how)
        shared = (channels, channels + units, channels + 2 * units)  # 256, 1280, 2304
        self.heads = torch.nn.ModuleList(
            Heads(c, hidden, tasks, num_attributes, weights=weights, frame=frame) for c in shared
        )

    @classmethod
    def small(cls, **changes) -> MCFA:
        """For two cores: windows of 28, 56 and 112 pixels, one convolution a module, batch norm."""
        preset = {
            "size": 112, "widths": (16, 24, 48, 64, 96), "repeats": (1,) * 5, "pools": 2,
            "channels": 64, "units": 128, "hidden": 64, "norm": True,
        }  # fmt: skip
        return cls(**{**preset, **changes})

    def sizes(self) -> dict[str, int]:
        """Parameters of each network, its heads included: ``S_Net``, ``M_Net``, ``L_Net``."""
        nets = zip(NETS, (self.s_net, self.m_net, self.l_net), self.heads, strict=True)
        return {
            f"{name}_Net": sum(p.numel() for piece in pieces for p in piece.parameters())
            for name, *pieces in nets
        }

    def variant(self, answer: str) -> MCFA:
        """This very network, sharing all weights, that answers as S_Net, M_Net or L_Net does.

        Raises:
            UnknownNameError: no such answer.
        """
        if answer not in NETS:
            raise UnknownNameError(f"unknown answer {answer!r}: choose {', '.join(NETS)}")
        other = copy.copy(self)  # shallow: modules and parameters are the same objects
        other.config = {**self.config, "answer": answer}
        return other

    def expect(self, prevalence: Tensor) -> MCFA:
        """As :meth:`FaceModel.expect`, in all three networks."""
        count = self.config["num_attributes"]
        if prevalence.shape != (count,) or ((prevalence < 0) | (prevalence > 1)).any():
            raise DataError(
                f"prevalence {tuple(prevalence.shape)} for {count} attributes: give the share of "
                "faces, 0 to 1, that wear each"
            )
        share = torch.logit(prevalence.nan_to_num(nan=0.5).clamp(0.01, 0.99))
        with torch.no_grad():
            for heads in self.heads:
                heads.answers["attributes"][-1].bias.copy_(share)
        return self

    def see(self, windows: Tensor, depth: int = 3) -> list[Outputs]:
        """The first ``depth`` networks on windows that are as large as the last of them takes.

        Args:
            windows: ``(B, 3, side, side)`` float in [0, 1], ``side = sides[depth - 1]``.
            depth: 1 for S_Net alone, 3 for all.

        Returns:
            Outputs of each network, as ``forward`` gives them; places are in pixels of ``windows``.

        Raises:
            DataError: as :meth:`FaceModel.check`, or windows of another size.
        """
        side = self.sides[depth - 1]
        if tuple(windows.shape[-2:]) != (side, side):
            raise DataError(
                f"windows of {tuple(windows.shape[-2:])}: the first {depth} networks together take "
                f"{side} x {side} pixels"
            )
        images = self.normalize(windows)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        scaled = [F.avg_pool2d(images, 2 ** (depth - 1 - k)) for k in range(depth)]
        shared = self.s_net(scaled[0]).flatten(1)  # (B, 256)
        found = [self._outputs(0, shared, side)]
        for k, net in enumerate((self.m_net, self.l_net)[: depth - 1], start=1):
            shared = net(scaled[k], shared)  # (B, 1280), (B, 2304)
            found.append(self._outputs(k, shared, side))
        return found

    def _outputs(self, net: int, shared: Tensor, side: int) -> Outputs:
        raw = self.heads[net](shared[..., None, None])
        raw = {task: answer.flatten(1) for task, answer in raw.items()}  # (B, size)
        outputs = Outputs(logits=raw["attributes"])
        if "face" in raw:
            outputs.face_logits = raw["face"][:, 0]
            outputs.boxes = corners(raw["box"]) * side
        if "landmarks" in raw:
            outputs.landmarks = raw["landmarks"].unflatten(1, (5, 2)) * side  # (B, 5, 2)
        if "weights" in raw:
            outputs.loss_weights = raw["weights"].softmax(1)  # Eqs. 6 and 7
        return outputs

    def nets(self, images: Tensor) -> list[Outputs]:
        """Outputs of S_Net, M_Net and L_Net; what the losses are computed from.

        Images of another size than ``size`` are resampled to it; ``boxes`` and ``landmarks`` are in
        pixels of the images as they were given.
        """
        self.check(images)
        size, (height, width) = self.config["size"], images.shape[-2:]
        if (height, width) == (size, size):
            return self.see(images)
        resized = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
        found = self.see(resized.clamp(0, 1))
        scale = torch.tensor([width / size, height / size], device=images.device)
        for outputs in found:
            if outputs.boxes is not None:
                outputs.boxes = outputs.boxes * scale.repeat(2)
            if outputs.landmarks is not None:
                outputs.landmarks = outputs.landmarks * scale
        return found

    def forward(self, images: Tensor) -> Outputs:
        """Float windows ``(B, 3, H, W)`` in [0, 1] to one network's answers, L_Net's by default.

        ``logits (B, M)``; with detection ``face_logits (B,)`` (the log-odds of a face, of which the
        paper's softmax of two is a function) and ``boxes (B, 4)`` xyxy in pixels of the images;
        with landmarks ``landmarks (B, 5, 2)`` in pixels; ``loss_weights (B, M)`` of Eq. 6.
        """
        return self.nets(images)[NETS.index(self.config["answer"])]


def corners(box: Tensor) -> Tensor:
    """Left, top, height, width (Eq. 2) to ``x0, y0, x1, y1``; last dimension 4."""
    left, top, height, width = box.unbind(-1)
    return torch.stack([left, top, left + width, top + height], -1)


def left_top_height_width(boxes: Tensor) -> Tensor:
    """``x0, y0, x1, y1`` to the paper's left, top, height, width; last dimension 4."""
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([x0, y0, y1 - y0, x1 - x0], -1)


def _check(size, widths, repeats, pools, tasks, frame) -> None:
    if len(widths) != 5 or len(repeats) != 5:
        raise DataError(
            f"widths {tuple(widths)} and repeats {tuple(repeats)}: give one number for each of "
            "VGG's five modules"
        )
    if size % 4 or size < 64:
        raise DataError(f"size={size}: give a multiple of 4 of at least 64, such as 112 or 224")
    if not 1 <= pools <= 3:
        raise DataError(f"pools={pools}: one to three of S_Net's modules can pool")
    side = size // 4
    for module in range(3):
        side = (side - 2 * repeats[module]) // (2 if module < pools else 1)
    if side < 1:
        raise DataError(
            f"nothing is left of S_Net's window of {size // 4} pixels behind {sum(repeats[:3])} "
            f"unpadded convolutions and {pools} poolings: take a larger size or fewer of them"
        )
    if "attributes" not in tasks:
        raise DataError(f"tasks {tuple(tasks)}: attributes are what MCFA is trained for, add them")
    if not frame >= 1:
        raise DataError(
            f"frame={frame}: a window is at least as large as the face in it, 1 or more"
        )
