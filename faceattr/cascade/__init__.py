"""From a whole picture to its faces with MCFA's three networks, and how good the answer is.

A pyramid of the picture is laid out on sheets (:mod:`.sheets`), S_Net is slid over them, and what
passes goes through M_Net and L_Net (:mod:`.detector`). Thresholds are chosen on scenes whose faces
are known (:mod:`.thresholds`); :mod:`.scores` has the average precision of detection and the error
of landmarks.
"""

from faceattr.cascade.detector import Cascade, FoundFaces
from faceattr.cascade.drawing import draw_faces
from faceattr.cascade.scores import average_precision, landmark_error, match
from faceattr.cascade.thresholds import choose_thresholds

__all__ = [
    "Cascade",
    "FoundFaces",
    "average_precision",
    "choose_thresholds",
    "draw_faces",
    "landmark_error",
    "match",
]
