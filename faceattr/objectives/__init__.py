"""Objectives: ``(model, faces) -> {name: scalar loss}``. ``fit`` adds them up and logs each.

An objective runs the model itself, so that it decides what the model is shown. The loss that every
paper uses is offered here; what a paper adds has a room of its own: :mod:`.multinet`,
:mod:`.hints` and :mod:`.parts` are PaW's.
"""

from faceattr.objectives.attributes import Objective, attribute_loss, cross_entropy, weighted

__all__ = ["Objective", "attribute_loss", "cross_entropy", "weighted"]
