"""Explorers: one function, two forms of the same view.

The *live* form (ipywidgets) asks the kernel and can show anything. The *static* form (Altair) holds
all it can show inside itself: it works in a saved notebook or a web page, with no kernel and no
network. Each function takes ``form``:

- ``"auto"``: an :class:`Explorer`. As the last expression of a cell it shows the live form where a
  person sits at a kernel, and below it, always, the static one, so that what is saved stays alive.
- ``"live"`` or ``"static"``: that form alone, a widget or a chart.

A page embeds the faces that an explorer shows: give it drawn or public-domain faces.
"""

from faceattr.explore.common import Explorer, interactive
from faceattr.explore.face_builder import face_builder
from faceattr.explore.heatmap_explorer import heatmap_explorer
from faceattr.explore.region_explorer import region_explorer
from faceattr.explore.relation_explorer import relation_explorer
from faceattr.explore.switch_explorer import region_squares, switch_explorer
from faceattr.explore.threshold_explorer import threshold_explorer

__all__ = [
    "Explorer",
    "face_builder",
    "heatmap_explorer",
    "interactive",
    "region_explorer",
    "region_squares",
    "relation_explorer",
    "switch_explorer",
    "threshold_explorer",
]
