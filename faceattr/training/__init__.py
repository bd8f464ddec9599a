"""Training: ``fit`` is the one loop; the files beside it each hold one thing that it needs."""

from faceattr.training.averaging import Average
from faceattr.training.callbacks import Callback, EarlyStopping, Run
from faceattr.training.history import History
from faceattr.training.loop import fit

__all__ = ["Average", "Callback", "EarlyStopping", "History", "Run", "fit"]
