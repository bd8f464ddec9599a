"""Figures: data in, :class:`Picture` out. Nothing here trains, loads or decides.

Each function takes plain tensors or frames, draws in the book's style and returns a matplotlib
figure that describes itself in words (``figure.alt``). None of them touches ``pyplot``, so nothing
is shown twice and nothing stays open.
"""

from faceattr.optional import require

require("matplotlib", purpose="figures")

from faceattr.plots.faces import plot_gallery, plot_heatmaps  # noqa: E402
from faceattr.plots.labels import (  # noqa: E402
    cluster_order,
    plot_agreement,
    plot_correlation,
    plot_prevalence,
)
from faceattr.plots.learning import (  # noqa: E402
    plot_accuracy,
    plot_calibration,
    plot_history,
    plot_localization,
)
from faceattr.plots.picture import Picture, alt  # noqa: E402

__all__ = [
    "Picture",
    "alt",
    "cluster_order",
    "plot_accuracy",
    "plot_agreement",
    "plot_calibration",
    "plot_correlation",
    "plot_gallery",
    "plot_heatmaps",
    "plot_history",
    "plot_localization",
    "plot_prevalence",
]
