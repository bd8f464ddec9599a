"""Where a network looks: heat maps of all attributes at once, their regions, and scores.

A map says where the evidence for one attribute lies; it is no proof that the evidence is the
right one. That is why every score here stands beside two baselines that know nothing about the
attribute: the image centre, and the model's own average map.
"""

from faceattr.localization.cam import (
    MapError,
    class_activation_maps,
    heatmaps,
    map_similarity,
    normalize_maps,
    upsample,
)
from faceattr.localization.regions import (
    boxes_of,
    centre_baseline,
    crop_boxes,
    crop_regions,
    mean_map_baseline,
    regions_from_heatmaps,
)
from faceattr.localization.report import localization_report
from faceattr.localization.scores import (
    THRESHOLDS,
    BoxScores,
    best_box_iou,
    box_ious,
    energy_inside,
    inside_shares,
    pointing_game,
    pointing_hits,
)

__all__ = [
    "THRESHOLDS",
    "BoxScores",
    "MapError",
    "best_box_iou",
    "box_ious",
    "boxes_of",
    "centre_baseline",
    "class_activation_maps",
    "crop_boxes",
    "crop_regions",
    "energy_inside",
    "heatmaps",
    "inside_shares",
    "localization_report",
    "map_similarity",
    "mean_map_baseline",
    "normalize_maps",
    "pointing_game",
    "pointing_hits",
    "regions_from_heatmaps",
    "upsample",
]
