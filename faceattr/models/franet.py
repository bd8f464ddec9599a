"""FR-ANet (Cao, Li, Li and Zhang, AAAI 2018): recognising the person guides the attributes.

=========  ======================================================  =======================
layer      paper size (227 pixels)                                 maps
=========  ======================================================  =======================
Conv1      7x7x75, Pool1                                           (B, 75, 113, 113)
Conv2      5x5x200, Pool2                                          (B, 200, 56, 56)
Conv3      3x3x300, Pool3                                          (B, 300, 28, 28)
ConvAttr   3x3x300 for each of six branches, PoolAttr              (B, 6, 300, 3, 3)
FC1        512 units for each of nine groups                       (B, 512), nine times
FC2        the scores of a group's attributes                      (B, M) together
Identity   the six branches' maps, 512 units, one logit a person   (B, P)
=========  ======================================================  =======================

The paper gives "a 10-layer-depth network", the names Pool3 and ConvAttr, the six branches, and the
four groups that Rest splits into. Its sizes are left open. Ours are a choice, made after MCNN (Hand
and Chellappa, AAAI 2017), whose grouping the paper takes over: MCNN's kernels and widths for the
first convolutions and its two fully connected layers for each group. Ten layers come out where
pools are counted, Conv1 to Pool3, ConvAttr, PoolAttr, FC1, FC2. Batch norm stands where MCNN had
local response normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from faceattr.attributes import ATTRIBUTES, GROUPS
from faceattr.errors import DataError, UnknownNameError
from faceattr.models.base import FaceModel, Outputs
from faceattr.models.blocks import convolution, initialise
from faceattr.models.people import IdentityBranch

#: Branches after Pool3, and the groups that share each branch's ConvAttr (the paper, Figure 2).
BRANCHES: dict[str, tuple[str, ...]] = {
    "Eyes": ("Eyes",),
    "Nose": ("Nose",),
    "Mouth": ("Mouth",),
    "Face": ("Face",),
    "Gender": ("Gender",),
    "Rest": ("FacialHair", "AroundHead", "Cheeks", "Fat"),
}
#: Where people are recognised: from all branches' maps (FR-ANet), from a branch of their own after
#: Pool3 (FR+ANet), or nowhere (MCNN).
IDENTITY = ("merged", "separate", "none")


def branches_of(names: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """The paper's branches and groups for data with these attributes.

    Groups and branches of which ``names`` has no attribute are left out.

    Args:
        names: the M attribute names, in the order of the labels.

    Returns:
        Branch to group to columns of the labels.

    Raises:
        DataError: an attribute is in no group; the message names it.
    """
    stray = [name for name in names if not any(name in members for members in GROUPS.values())]
    if stray:
        raise DataError(
            f"{', '.join(stray)} in none of MCNN's groups: say where each attribute belongs with "
            "branches={'Rest': {'Rest': [0, 1, ...]}}"
        )
    found = {}
    for branch, groups in BRANCHES.items():
        columns = {g: [j for j, name in enumerate(names) if name in GROUPS[g]] for g in groups}
        columns = {group: members for group, members in columns.items() if members}
        if columns:
            found[branch] = columns
    return found


class GridMax(nn.Module):
    """Max pooling to a grid of ``side x side`` cells, whatever the size of the maps.

    The same cells as :class:`torch.nn.AdaptiveMaxPool2d`, written with masks: these can be exported
    with height and width left free, and their gradient is the same in every run on a GPU.
    """

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, C, side, side)``."""
        maps = self._rows(maps)  # (B, C, side, w)
        return self._rows(maps.transpose(-2, -1)).transpose(-2, -1)  # (B, C, side, side)

    def _rows(self, maps: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, C, side, w)``: cell i has the rows that touch its share."""
        height, cells = maps.shape[-2], []
        row = torch.arange(height, device=maps.device)[:, None]  # (h, 1)
        for i in range(self.side):
            outside = ((row + 1) * self.side <= i * height) | (row * self.side >= (i + 1) * height)
            cells.append(maps.masked_fill(outside, -torch.inf).amax(-2))  # (B, C, w)
        return torch.stack(cells, -2)


class FRANet(FaceModel):
    """Attributes in groups, guided by recognising who it is.

    All attributes share Conv1 to Pool3. Behind Pool3 there is one ConvAttr for each branch, behind
    each ConvAttr two fully connected layers for each of its groups. Six convolutions of the same
    maps are one convolution with six times the maps, and so they are computed.

    Args:
        num_identities: P, the people to tell apart.
        num_attributes: M.
        branches: branch to group to columns of the labels, as :func:`branches_of` returns it;
            the paper's for CelebA's forty attributes.
        identity: ``"merged"``: from the branches' maps together (FR-ANet); ``"separate"``: from a
            convolution of its own after Pool3, "as another attribute" (FR+ANet); ``"none"``: not
            at all (MCNN).
        aux: a last linear layer from all scores to all scores, MCNN-AUX's way of relating
            attributes. It begins as the identity matrix.
        widths: maps of Conv1, Conv2, Conv3. kernels: their sides.
        channels: maps of each branch's ConvAttr.
        hidden: units of FC1 of each group. embedding: units of the identity branch.
        grid: side of PoolAttr's maps.
        dropout: of the hidden units, MCNN's half.

    Attributes:
        people: the :class:`~faceattr.models.people.IdentityBranch`, None where there is none.

    Raises:
        DataError: an empty group, a column in two groups or in none, a group of an impossible name,
            fewer than two people.
        UnknownNameError: no such ``identity``.
    """

    def __init__(
        self,
        num_identities: int = 8_192,
        *,
        num_attributes: int = 40,
        branches: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
        identity: str = "merged",
        aux: bool = False,
        widths: Sequence[int] = (75, 200, 300),
        kernels: Sequence[int] = (7, 5, 3),
        channels: int = 300,
        hidden: int = 512,
        embedding: int = 512,
        grid: int = 3,
        dropout: float = 0.5,
    ):
        if identity not in IDENTITY:
            raise UnknownNameError(f"identity={identity!r}: choose one of {', '.join(IDENTITY)}")
        branches = _checked(branches, num_attributes)
        super().__init__(
            num_identities=num_identities,
            num_attributes=num_attributes,
            branches=branches,
            identity=identity,
            aux=aux,
            widths=list(widths),
            kernels=list(kernels),
            channels=channels,
            hidden=hidden,
            embedding=embedding,
            grid=grid,
            dropout=dropout,
        )
        self.smallest = 2 ** (len(widths) + 1)
        self.shared, inputs = shared_layers(widths, kernels)
        self.conv_attr = nn.Sequential(
            *convolution(inputs, len(branches) * channels, 3, pool=True), GridMax(grid)
        )
        cells = channels * grid * grid
        self.groups = nn.ModuleDict(
            {
                branch: nn.ModuleDict(
                    {
                        group: nn.Sequential(
                            nn.Flatten(),
                            nn.Linear(cells, hidden),  # FC1
                            nn.LayerNorm(hidden),
                            nn.ReLU(),
                            nn.Dropout(dropout),
                            nn.Linear(hidden, len(columns), bias=False),  # FC2
                        )
                        for group, columns in groups.items()
                    }
                )
                for branch, groups in branches.items()
            }
        )
        self.bias = nn.Parameter(torch.zeros(num_attributes))  # of FC2, in the labels' order
        order = [j for groups in branches.values() for columns in groups.values() for j in columns]
        self.register_buffer("place", torch.tensor(order).argsort(), persistent=False)
        self.aux = nn.Linear(num_attributes, num_attributes) if aux else None
        if aux:
            nn.init.eye_(self.aux.weight)
            nn.init.zeros_(self.aux.bias)
        self.conv_id = self.people = None
        if identity == "separate":
            self.conv_id = nn.Sequential(
                *convolution(inputs, channels, 3, pool=True), GridMax(grid)
            )
        if identity != "none":
            maps = cells * (len(branches) if identity == "merged" else 1)
            self.people = IdentityBranch(maps, embedding, num_identities, dropout=dropout)
        initialise(self)

    @classmethod
    def small(cls, num_identities: int = 100, **changes) -> FRANet:
        """For pictures of 64 to 128 pixels on two cores: 0.6M parameters and 129 a person."""
        preset = {"widths": (24, 48, 96), "kernels": (5, 3, 3), "channels": 32, "hidden": 64}
        return cls(num_identities, **{**preset, "embedding": 128, "dropout": 0.25, **changes})

    @property
    def cam_bias(self) -> Tensor:
        """Bias of each attribute, ``(M,)``, which :meth:`FaceModel.expect` starts from."""
        return self.bias

    def branch_maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Float images ``(B, 3, H, W)`` to Pool3 ``(B, C3, h, w)`` and PoolAttr ``(B, G C, g, g)``.

        The maps of the six branches lie one after the other, in the order of ``branches``.
        """
        images = self.normalize(images)
        if images.device.type in ("cpu", "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
        pool3 = self.shared(images)  # (B, C3, h, w)
        return pool3, self.conv_attr(pool3)  # (B, G C, g, g)

    def attribute_scores(self, maps: Tensor) -> Tensor:
        """PoolAttr ``(B, G C, g, g)`` to the scores ``(B, M)``."""
        found = [
            layers(part)  # (B, attributes of the group)
            for part, groups in zip(
                maps.chunk(len(self.groups), 1), self.groups.values(), strict=True
            )
            for layers in groups.values()
        ]
        scores = torch.cat(found, 1)[:, self.place] + self.bias  # (B, M)
        return scores if self.aux is None else self.aux(scores)

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to ``logits`` and ``identity_logits (B, P)``."""
        pool3, maps = self.branch_maps(images)
        people = None
        if self.people is not None:
            people = self.people(maps if self.conv_id is None else self.conv_id(pool3))  # (B, P)
        return Outputs(logits=self.attribute_scores(maps), identity_logits=people)


def shared_layers(widths: Sequence[int], kernels: Sequence[int]) -> tuple[nn.Sequential, int]:
    """Conv1, Pool1 ... Pool3 and the number of maps behind them.

    Raises:
        DataError: not as many kernels as widths.
    """
    if len(widths) != len(kernels) or not widths:
        raise DataError(f"widths {list(widths)} and kernels {list(kernels)}: give as many of each")
    layers, inputs = [], 3
    for width, kernel in zip(widths, kernels, strict=True):
        layers += convolution(inputs, width, kernel, pool=True)
        inputs = width
    return nn.Sequential(*layers), inputs


def _checked(branches: Mapping | None, num_attributes: int) -> dict[str, dict[str, list[int]]]:
    """The branches as plain dictionaries, each attribute in one group.

    Raises:
        DataError: an empty group; an attribute in two, or in none; a name that no layer can have.
    """
    if branches is None:
        if num_attributes != len(ATTRIBUTES):
            raise DataError(
                f"the paper's groups are of CelebA's {len(ATTRIBUTES)} attributes, not of "
                f"{num_attributes}: give branches=branches_of(names) as well"
            )
        branches = branches_of(ATTRIBUTES)
    plain = {
        branch: {group: [int(j) for j in columns] for group, columns in groups.items()}
        for branch, groups in branches.items()
    }
    for branch, groups in plain.items():
        for name in (branch, *groups):
            if not isinstance(name, str) or not name or "." in name or hasattr(nn.ModuleDict, name):
                raise DataError(
                    f"{name!r} is no name for a group: its layers are kept under it, so give words "
                    "without dots that are no method of a ModuleDict"
                )
        empty = [group for group, columns in groups.items() if not columns] if groups else [branch]
        if empty:
            raise DataError(
                f"{empty[0]} holds no attribute: leave empty groups out (branches_of(names) does)"
            )
    columns = sorted(j for groups in plain.values() for members in groups.values() for j in members)
    if columns != list(range(num_attributes)):
        raise DataError(
            f"branches hold the columns {columns}: each of 0 to {num_attributes - 1} must be in "
            "one group"
        )
    return plain
