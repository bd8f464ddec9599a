"""How SynthFaces are drawn, in four steps.

1. :mod:`.traits`: labels, person and picture become graded quantities (lip thickness, blush, ...).
2. :mod:`.head`, :mod:`.features`, :mod:`.hair`, :mod:`.beard`, :mod:`.accessories`, :mod:`.hats`,
   :mod:`.obstacles` note shapes in a :mod:`.sketch`, and the outlines of parts from which
   :mod:`.regions` takes the truth. A shape is a few control points (:mod:`.curves`).
3. The shapes of many faces become points and are moved to their places together (:mod:`.posing`),
   then each face is painted (:mod:`.canvas`) on a background (:mod:`.scenery`).
4. The picture is shrunk, blurred and photographed: light, colour, sensor noise.

:mod:`.painter` takes these steps for one face, for some, or for a scene; :mod:`.workshop` shares
thousands of faces among processes.

Only numpy and Pillow, no torch: the drawing runs in worker processes.
"""

from faceattr.data.drawing.painter import paint_face, paint_scene
from faceattr.data.drawing.painting import Painting

__all__ = ["Painting", "paint_face", "paint_scene"]
