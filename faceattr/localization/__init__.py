"""Where a network looks: heat maps of all attributes at once, their regions, and scores.

A map says where the evidence for one attribute lies; it is no proof that the evidence is the
right one. That is why every score here stands beside two baselines that know nothing about the
attribute: the image centre, and the model's own average map.
"""

from faceattr.errors import MapError
from faceattr.localization.cam import (
    attribute_regions,
    class_activation_maps,
    crop_of,
    heatmaps,
    map_similarity,
    normalize_maps,
    upsample,
)
from faceattr.localization.coverage import best_inside, inside_boxes
from faceattr.localization.crops import crop_report
from faceattr.localization.regions import boxes_of, centre_baseline, mean_map_baseline
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
from faceattr.models.regions import (
    crop_boxes,
    crop_regions,
    grid_boxes,
    random_boxes,
    regions_from_heatmaps,
)

__all__ = [
    "THRESHOLDS",
    "BoxScores",
    "MapError",
    "attribute_regions",
    "best_box_iou",
    "best_inside",
    "box_ious",
    "boxes_of",
    "centre_baseline",
    "class_activation_maps",
    "crop_boxes",
    "crop_of",
    "crop_regions",
    "crop_report",
    "energy_inside",
    "grid_boxes",
    "heatmaps",
    "inside_boxes",
    "inside_shares",
    "localization_report",
    "map_similarity",
    "mean_map_baseline",
    "normalize_maps",
    "pointing_game",
    "pointing_hits",
    "random_boxes",
    "regions_from_heatmaps",
    "upsample",
]
