"""How SynthFaces are drawn, in four steps.

1. :mod:`.traits`: labels, person and picture become graded quantities (lip thickness, blush, ...).
2. :mod:`.head`, :mod:`.features`, :mod:`.hair`, :mod:`.beard`, :mod:`.accessories`, :mod:`.hats`,
   :mod:`.obstacles` note shapes in a :mod:`.sketch`, and the outlines of parts from which
   :mod:`.regions` takes the truth.
3. The sketch is posed at once and painted on a background (:mod:`.painter`, :mod:`.scenery`).
4. The picture is shrunk, blurred and photographed: light, colour, sensor noise.

Only numpy and Pillow, no torch: the drawing runs in worker processes.
"""

from faceattr.data.drawing.painter import Painting, paint_face, paint_scene

__all__ = ["Painting", "paint_face", "paint_scene"]
