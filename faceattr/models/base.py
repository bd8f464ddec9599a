"""What every model returns (:class:`Outputs`) and what every model is (:class:`FaceModel`)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from faceattr.errors import DataError


@dataclass
class Outputs:
    """What a forward pass returns. ``logits`` is always there; the rest is what a paper adds.

    Attributes:
        logits: ``(B, M)``, one score per attribute; the attribute is predicted where it is > 0.
        features: ``(B, C, h, w)`` or ``(B, M, N, h, w)`` (N maps an attribute), the last
            convolution's maps, which pooling and one weighted sum turn into the logits.
        heatmaps: ``(B, M, h, w)``, class activation maps.
        part_logits: ``(B, S, M)``, scores of S subnets (PaW).
        identity_logits: ``(B, P)``, one score per training person (FR-ANet).
        boxes: ``(B, 4)`` (MCFA). landmarks: ``(B, 5, 2)`` (MCFA). face_logits: ``(B,)`` (MCFA).
        loss_weights: ``(B, M)`` or ``(M,)`` (MCFA).
    """

    logits: Tensor
    features: Tensor | None = None
    heatmaps: Tensor | None = None
    part_logits: Tensor | None = None
    identity_logits: Tensor | None = None
    boxes: Tensor | None = None
    landmarks: Tensor | None = None
    face_logits: Tensor | None = None
    loss_weights: Tensor | None = None

    def __iter__(self):
        """Iterate over ``(name, tensor)`` of what is present."""
        return (
            (f.name, value) for f in fields(self) if (value := getattr(self, f.name)) is not None
        )


class FaceModel(nn.Module):
    """A network from float images in [0, 1] to :class:`Outputs`; it normalises its own input.

    A subclass passes the arguments that build it to ``super().__init__`` so that a checkpoint can
    build it again; its default arguments are the paper's size and ``small()`` is the CPU preset.

    Attributes:
        smallest: least height and width of an image in pixels.
    """

    smallest: int = 1
    mean: Tensor
    std: Tensor

    def __init__(self, **config):
        super().__init__()
        self.config: dict = config  # JSON-able keyword arguments that rebuild this model
        self.register_buffer("mean", torch.tensor([0.5, 0.5, 0.5]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.25, 0.25]).view(1, 3, 1, 1))

    def check(self, images: Tensor) -> None:
        """Refuse images that this model cannot take.

        Raises:
            DataError: not ``(B, 3, H, W)``, integers (the stored form) or float64 instead of
                float32 in [0, 1], or a side shorter than ``smallest`` pixels.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise DataError(
                f"{type(self).__name__} takes images (B, 3, H, W), got {tuple(images.shape)}: "
                "a single face needs images[None], a grey one images.expand(-1, 3, -1, -1)"
            )
        wide = images.dtype == torch.float64 != self.mean.dtype
        if wide or not images.is_floating_point():
            raise DataError(
                f"{type(self).__name__} takes float images in [0, 1], got {images.dtype}: "
                "use faces.with_float_images(), or images.float()"
            )
        if torch.compiler.is_compiling():  # a size test would pin what an export leaves open
            return
        height, width = images.shape[-2:]
        if min(height, width) < self.smallest:
            raise DataError(
                f"{type(self).__name__} needs images of at least {self.smallest} x "
                f"{self.smallest} pixels, got {height} x {width}: load the faces at a larger size"
            )

    def normalize(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in [0, 1] to zero-centred values, after :meth:`check`."""
        self.check(images)
        return (images - self.mean) / self.std

    def expect(self, prevalence: Tensor) -> FaceModel:
        """Give an untrained network its biases: the log-odds of how common each attribute is.

        A bias of zero says that every second face wears the attribute. Most are rarer, and a heat
        map has one way to say so: to be negative everywhere. The highest point of such a map is
        where the network looks least. (Focal loss starts its biases so for another reason: Lin et
        al., ICCV 2017, section 3.3.)

        Args:
            prevalence: ``(M,)`` shares of the training faces, NaN where nothing is known (one
                half, then); kept away from 0 and 1 by a hundredth.

        Returns:
            The network itself.

        Raises:
            DataError: another number of attributes, or no shares; a network whose scores are not
                a pooled map and a bias.
        """
        bias = getattr(self, "cam_bias", None)
        if bias is None:
            raise DataError(
                f"a {type(self).__name__} has no bias for each attribute to start from: call "
                "expect() of an FRL or a WholeImage"
            )
        if prevalence.shape != bias.shape or ((prevalence < 0) | (prevalence > 1)).any():
            raise DataError(
                f"prevalence {tuple(prevalence.shape)} for {len(bias)} attributes: give the share "
                "of faces, 0 to 1, that wear each"
            )
        share = prevalence.nan_to_num(nan=0.5).clamp(0.01, 0.99)
        with torch.no_grad():
            bias.copy_(torch.logit(share))
        return self

    def forward(self, images: Tensor) -> Outputs:
        """Float images ``(B, 3, H, W)`` in [0, 1] to outputs."""
        raise TypeError(f"{type(self).__name__} must define forward(images) -> Outputs")

    def count(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.parameters())

    @classmethod
    def small(cls, **changes) -> FaceModel:
        """The preset that trains on two CPU cores."""
        return cls(**changes)
