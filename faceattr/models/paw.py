"""The parts and whole (PaW) classification network of Ding et al. (AAAI 2018), Figure 1.

A frozen localizer finds one region for each attribute. M part subnets see a region each, one whole
subnet sees the image, and every one of them scores all M attributes. Two small layers combine the
``(M + 1) x M`` scores::

    r_j = sum_i W_ij s_ij            region switch layer (RSL), i = 0 is the whole image
    o   = A r + b                    attribute relation layer (ARL)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from faceattr.errors import DataError, UnknownNameError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.frl import FRL
from faceattr.models.parallel import ParallelSubnets
from faceattr.models.regions import (
    boxes_at,
    check_layout,
    crop_boxes,
    cut,
    grid_boxes,
    random_places,
    regions_from_heatmaps,
)
from faceattr.models.switch import RegionSwitch
from faceattr.models.whole import WholeImage

#: Networks whose heat maps may place the parts.
LOCALIZERS: dict[str, type[FaceModel]] = {"FRL": FRL, "WholeImage": WholeImage}
#: Where parts come from: a localizer's heat maps, the blocks of a grid, places drawn once.
REGIONS = ("heatmaps", "grid", "random")
#: What the scores become: the whole network, or one of the paper's two baselines.
ANSWERS = ("paw", "part-only", "whole-only")
#: Pieces that can be frozen; the localizer always is.
PIECES = ("localizer", "whole", "parts", "switch", "relation")


class PaW(FaceModel):
    """Localizer, part subnets, whole subnet, region switch and attribute relation.

    At the paper's size its 41 subnets of SNet3 and the two layers hold 10,947,000 parameters, the
    11M of the paper's text; ``count()`` adds those of the localizer, which the paper leaves out.

    Args:
        num_attributes: M.
        maps_per_attribute: N of each subnet.
        trunk: of each subnet, see :class:`~faceattr.models.whole.WholeImage`.
        regions: ``"heatmaps"``: a square of ``crop`` pixels where the localizer's heat map of each
            attribute is highest, M parts. ``"grid"``: the blocks of a grid, the paper's crude part
            detectors. ``"random"``: M squares at places drawn once.
        crop: side of the squares in pixels; the paper's 64 are for images of 224 x 224.
        grid: rows and columns of blocks.
        seed: of the random places.
        localizer: ``{"model": "FRL" or "WholeImage", "arguments": {...}}``, an FRL of the
            paper's size by default; it is not built for ``grid`` and ``random``.
        answer: what ``logits`` are: ``"paw"``, or ``"part-only"`` (the score of attribute j from
            its own part), or ``"whole-only"``.

    Raises:
        UnknownNameError: no such localizer, regions or answer.
        DataError: part-only without a part for each attribute; subnets that cannot run as one; a
            crop or a grid that is none.
    """

    def __init__(
        self,
        num_attributes: int = 40,
        maps_per_attribute: int = 32,
        *,
        trunk: str = "snet3",
        regions: str = "heatmaps",
        crop: int = 64,
        grid: Sequence[int] = (4, 4),
        seed: int = 0,
        localizer: Mapping[str, Any] | None = None,
        answer: str = "paw",
    ):
        for what, name, known in (("regions", regions, REGIONS), ("answer", answer, ANSWERS)):
            if name not in known:
                raise UnknownNameError(f"unknown {what} {name!r}: choose {', '.join(known)}")
        check_layout(crop, grid)
        sizes = {"num_attributes": num_attributes, "maps_per_attribute": maps_per_attribute}
        if regions != "heatmaps":
            localizer = None
        elif localizer is None:
            localizer = {"model": "FRL", "arguments": {"num_attributes": num_attributes}}
        config = {"trunk": trunk, "regions": regions, "crop": crop, "grid": list(grid)}
        localizer = None if localizer is None else dict(localizer)
        super().__init__(**sizes, **config, seed=seed, localizer=localizer, answer=answer)
        self.localizer = None if localizer is None else _build(localizer, num_attributes)
        self.whole = WholeImage(trunk, **sizes)
        parts = grid[0] * grid[1] if regions == "grid" else num_attributes
        self.parts = ParallelSubnets(parts, trunk=trunk, **sizes)
        self.register_buffer("places", random_places(parts, seed), persistent=False)
        self.switch = RegionSwitch(parts + 1, num_attributes)
        self.relation = nn.Linear(num_attributes, num_attributes)
        nn.init.eye_(self.relation.weight)
        nn.init.zeros_(self.relation.bias)
        if answer == "part-only" and parts != num_attributes:
            raise DataError(
                f"part-only takes attribute j from part j, and {num_attributes} attributes have "
                f"{parts} blocks: use answer='paw' or 'whole-only' with a grid"
            )
        block = self.whole.smallest * max(grid) if regions == "grid" else max(crop, 1)
        eyes = self.localizer.smallest if self.localizer is not None else 1
        self.smallest = max(self.whole.smallest, block, eyes)
        if regions != "grid" and crop < self.whole.smallest:
            raise DataError(
                f"crop={crop}: a {trunk} needs at least {self.whole.smallest} pixels a side"
            )
        self._frozen: set[str] = set()
        self.freeze()

    @classmethod
    def small(cls, **changes) -> PaW:
        """For pictures of 64 pixels on two cores: crops of 24, 8 maps an attribute, a small FRL."""
        arguments = {"num_attributes": changes.get("num_attributes", 40)}
        if changes.get("localizer") is None:
            changes["localizer"] = {"model": "FRL", "arguments": FRL.small(**arguments).config}
        return cls(**{"maps_per_attribute": 8, "crop": 24, **changes})

    @classmethod
    def from_subnets(
        cls, subnets: Sequence[WholeImage], localizer: FaceModel | None = None, **how
    ) -> PaW:
        """Put trained networks together; all are copied.

        Args:
            subnets: the whole subnet, then one for each part (``to_subnets`` gives them back). A
                single one stands for all, as the paper initialises its parts.
            localizer: whose heat maps place the parts; None for ``grid`` and ``random`` regions.
            how: ``regions``, ``crop``, ``grid``, ``seed``, ``answer``.

        Raises:
            DataError: no subnets, another number than parts and whole, or of different layouts.
        """
        if not subnets or not all(isinstance(subnet, WholeImage) for subnet in subnets):
            raise DataError("PaW is made of WholeImage networks: give the whole subnet, then parts")
        layout = {key: value for key, value in subnets[0].config.items() if key != "grouped"}
        if localizer is not None:
            name = type(localizer).__name__
            how["localizer"] = {"model": name, "arguments": dict(localizer.config)}
        elif how.get("regions", "heatmaps") == "heatmaps":
            raise DataError("regions='heatmaps' needs a localizer: pass a trained FRL")
        model = cls(**layout, **how)
        whole, parts = subnets[0], subnets[1:] or [subnets[0]] * model.parts.count
        model.parts.lay(parts)
        if whole.config != model.parts.arguments:
            raise DataError(
                f"the whole subnet has the layout {whole.config}, the parts "
                f"{model.parts.arguments}: all need one layout"
            )
        model.whole.load_state_dict(whole.state_dict())
        if localizer is not None and model.localizer is not None:
            model.localizer.load_state_dict(localizer.state_dict())
        return model

    def to_subnets(self) -> list[WholeImage]:
        """The whole subnet and the part subnets as networks of their own, copied."""
        whole = copy.deepcopy(self.whole).eval().requires_grad_(True)
        return [whole, *self.parts.apart()]

    def variant(self, answer: str) -> PaW:
        """This very network, sharing all weights, with another ``answer``; for reports.

        Raises:
            UnknownNameError: no such answer. DataError: part-only without a part each.
        """
        if answer not in ANSWERS:
            raise UnknownNameError(f"unknown answer {answer!r}: choose {', '.join(ANSWERS)}")
        if answer == "part-only" and self.parts.count != self.config["num_attributes"]:
            raise DataError("part-only needs a part for each attribute, not the blocks of a grid")
        other = copy.copy(self)  # shallow: modules and parameters are the same objects
        other.config = {**self.config, "answer": answer}
        return other

    def sizes(self) -> dict[str, int]:
        """Parameters of each piece, by its name in :data:`PIECES`."""
        pieces = {name: getattr(self, name) for name in PIECES}
        return {
            name: sum(p.numel() for p in piece.parameters()) if piece is not None else 0
            for name, piece in pieces.items()
        }

    def freeze(self, *pieces: str) -> None:
        """Train everything but these (and the localizer), until called again.

        A frozen piece takes no gradient and stays in evaluation mode, so that its batch norms keep
        their statistics too.

        Raises:
            UnknownNameError: no such piece.
        """
        for name in pieces:
            if name not in PIECES:
                raise UnknownNameError(f"unknown piece {name!r}: choose {', '.join(PIECES)}")
        self._frozen = {"localizer", *pieces}
        for name in PIECES:
            piece = getattr(self, name)
            if piece is not None:
                piece.requires_grad_(name not in self._frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> PaW:
        """Training mode for what is not frozen."""
        super().train(mode)
        for name in self._frozen:
            piece = getattr(self, name)
            if piece is not None:
                piece.train(False)
        return self

    @torch.no_grad()
    def locate(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Where the parts are: boxes ``(B, P, 4)`` int64 xyxy, and heat maps ``(B, M, h, w)``.

        Boxes lie inside the image, ends exclusive. Heat maps are None for ``grid`` and ``random``.
        """
        size, maps = tuple(images.shape[-2:]), None
        crop, kind = self.config["crop"], self.config["regions"]
        if kind == "grid":
            boxes = grid_boxes(size, self.config["grid"])
        elif kind == "random":
            boxes = boxes_at(self.places, crop, size)
        else:
            outputs = self.localizer(images)
            rule = "bmnhw,mn->bmhw" if outputs.features.ndim == 5 else "bchw,mc->bmhw"
            maps = torch.einsum(rule, outputs.features, self.localizer.cam_weights)
            return crop_boxes(regions_from_heatmaps(maps, size), crop, size), maps
        return boxes.to(images.device).expand(images.shape[0], -1, -1), maps

    def region_boxes(self, images: Tensor) -> Tensor:
        """Where each part subnet looks, ``(B, P, 4)`` int64 xyxy in pixels, ends exclusive."""
        self.check(images)
        return self.locate(images)[0]

    def _cut(self, images: Tensor, boxes: Tensor) -> Tensor:
        side = (self.config["crop"], self.config["crop"])
        if self.config["regions"] == "grid":
            (height, width), (rows, columns) = images.shape[-2:], self.config["grid"]
            side = (height // rows, width // columns)
        return cut(images, boxes, side)  # (B, P, 3, h, w)

    def part_scores(self, images: Tensor) -> Tensor:
        """What each part subnet answers, ``(B, P, M)``; the whole image is not looked at."""
        self.check(images)
        return self.parts(self._cut(images, self.locate(images)[0]))

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to ``logits``, ``part_logits``, ``heatmaps``.

        ``part_logits`` are ``s_ij``, ``(B, P + 1, M)``, subnet 0 the whole image's (absent for
        whole-only); ``heatmaps`` are the localizer's.
        """
        self.check(images)
        answer = self.config["answer"]
        if answer == "whole-only":
            return Outputs(logits=self.whole(images).logits)
        boxes, maps = self.locate(images)
        parts = self.parts(self._cut(images, boxes))  # (B, P, M)
        scores = torch.cat([self.whole(images).logits[:, None], parts], dim=1)  # (B, P + 1, M)
        if answer == "part-only":
            logits = parts.diagonal(dim1=1, dim2=2)  # (B, M): s_jj
        else:
            logits = self.relation(self.switch(scores))  # (B, M)
        return Outputs(logits=logits, part_logits=scores, heatmaps=maps)


def _build(config: Mapping[str, Any], num_attributes: int) -> FaceModel:
    """A localizer from its config."""
    name = config.get("model")
    if name not in LOCALIZERS:
        raise UnknownNameError(f"unknown localizer {name!r}: choose {', '.join(LOCALIZERS)}")
    localizer = LOCALIZERS[name](**config.get("arguments", {}))
    scored = localizer.config["num_attributes"]
    if scored != num_attributes:
        raise DataError(
            f"the localizer has maps of {scored} attributes, PaW scores {num_attributes}: train "
            "both on the same attributes"
        )
    return localizer
