"""The teacher and the three students of PaW, Table 3, without their classifiers.

=====  ==========  =======  =======  =======
layer  TNet        SNet1    SNet2    SNet3
=====  ==========  =======  =======  =======
Conv1  3x3x32(2)   3x3x32   3x3x32   3x3x16
Conv2  3x3x64(2)   3x3x64   3x3x64   3x3x32
Conv3  3x3x128(3)  3x3x128  3x3x128  3x3x64
Conv4  3x3x256(3)  3x3x256  3x3x256  3x3x128
Conv5  3x3x512(3)  3x3x512  3x3x512  1x1x1280
Conv6  3x3x1280    3x3x1280 1x1x1280 n/a
=====  ==========  =======  =======  =======

``s x s x n(t)`` is t convolutions with kernels of s x s and n maps. Each of the first four modules
ends in 2 x 2 max pooling, so that all four networks answer on one grid, 1/16 of the image, which
is what lets a student be compared with its teacher. Batch norm and ReLU follow each convolution;
the paper names neither, but SNet3's 0.27M parameters leave room for both.

Parameters, counted from the table with M = 40 and the grouped classifier (with a full one each
network has 49,920 more):

=====  ===========  =======
net    counted      printed
=====  ===========  =======
TNet   13,718,856   19M
SNet1  7,473,960    6M
SNet2  2,231,080    2M
SNet3  266,920      0.27M
=====  ===========  =======

The last two agree, the first two do not. The teacher of 19M can only be the face region
localization network with VGG-16's own widths (:class:`faceattr.models.frl.FRL`), twice as wide in
its first four modules: 20.6M. For the first student no reading of its column gives 6M (5.9M are in
Conv6 alone, 1.6M in the five layers below it).
"""

from __future__ import annotations

from torch import nn

from faceattr.models.blocks import convolution, initialise


class Table3(nn.Sequential):
    """A column of Table 3 as a trunk: ``(B, 3, H, W)`` to ``(B, channels, H // 16, W // 16)``.

    Args:
        channels: maps of the last convolution; the paper's 1280 are 32 for each of 40 attributes.

    Attributes:
        widths: maps of each module but the last.
        repeats: convolutions in each.
        last: side of the last convolution's kernels.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    repeats: tuple[int, ...] = (1, 1, 1, 1, 1)
    last: int = 3
    stride = 16
    smallest = 16

    def __init__(self, channels: int = 1280):
        layers, inputs = [], 3
        for module, (width, times) in enumerate(zip(self.widths, self.repeats, strict=True)):
            for position in range(times):
                pool = module < 4 and position == times - 1
                layers += convolution(inputs, width, 3, pool=pool)
                inputs = width
        super().__init__(*layers, *convolution(inputs, channels, self.last))
        self.channels = channels
        initialise(self)


class TNet(Table3):
    """The teacher: 14 convolutions, 13.7M parameters with its classifier."""

    repeats = (2, 2, 3, 3, 3)


class SNet1(Table3):
    """The first student: 6 convolutions, 7.5M parameters with its classifier."""


class SNet2(Table3):
    """The second student: SNet1 with 1 x 1 kernels in its last convolution, 2.2M parameters."""

    last = 1


class SNet3(Table3):
    """The third student, which all of PaW's subnets are: 5 convolutions, 0.27M parameters.

    =======  ============  =========================================
    layer    Table 3       maps of a 96 x 80 image
    =======  ============  =========================================
    Conv1    3x3x16        (B, 16, 96, 80), pooled to (B, 16, 48, 40)
    Conv2    3x3x32        (B, 32, 48, 40), pooled to (B, 32, 24, 20)
    Conv3    3x3x64        (B, 64, 24, 20), pooled to (B, 64, 12, 10)
    Conv4    3x3x128       (B, 128, 12, 10), pooled to (B, 128, 6, 5)
    Conv5    1x1x1280      (B, 1280, 6, 5)
    =======  ============  =========================================
    """

    widths = (16, 32, 64, 128)
    repeats = (1, 1, 1, 1)
    last = 1
