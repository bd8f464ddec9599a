"""Figures of regions: heat maps with the squares cut round their peaks, and how much those hold."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.patches import Rectangle
from torch import Tensor

from faceattr import theme
from faceattr.attributes import pretty
from faceattr.errors import DataError
from faceattr.localization import normalize_maps, upsample
from faceattr.models.regions import cut
from faceattr.plots.learning import _intervals
from faceattr.plots.picture import Picture, join, styled


@styled
def plot_squares(
    images: Tensor,
    boxes: Tensor,
    names: Sequence[str],
    *,
    maps: Tensor | None = None,
    truth: Tensor | None = None,
    captions: Sequence[Sequence[str]] | None = None,
    title: str | None = None,
) -> Picture:
    """Draw each face with a square for each attribute, and below what is inside the square.

    See whether the outline of the true region lies inside.

    Args:
        images: ``(B, 3, H, W)`` float in [0, 1] or uint8.
        boxes: ``(B, K, 4)`` int xyxy in pixels, all of one size.
        names: of the K attributes.
        maps: ``(B, K, h, w)`` heat maps to lay over the faces, as
            :func:`~faceattr.plots.plot_heatmaps` does.
        truth: ``(B, K, h', w')`` bool, drawn as an outline.
        captions: B x K texts below the squares.
        title: of the figure.

    Raises:
        DataError: boxes, maps, regions or captions that do not belong together.
    """
    wanted = (len(images), len(names))
    for what, given in (("boxes", boxes), ("maps", maps), ("regions", truth)):
        if given is not None and tuple(given.shape[:2]) != wanted:
            raise DataError(
                f"{what} {tuple(given.shape)} for {wanted[0]} faces and {wanted[1]} names: give "
                "one for each face and name"
            )
    if captions is not None and [len(row) for row in captions] != [wanted[1]] * wanted[0]:
        raise DataError(f"captions must be {wanted[0]} rows of {wanted[1]} texts")
    pixels = images.detach().cpu().float() / (1 if images.is_floating_point() else 255)
    size = tuple(pixels.shape[-2:])
    wide, high = (int(boxes[0, 0, k + 2] - boxes[0, 0, k]) for k in (0, 1))
    crops = cut(pixels, boxes.long(), (high, wide)).movedim(2, -1).clamp(0, 1).numpy()
    pixels = pixels.movedim(1, -1).clamp(0, 1).numpy()
    heat = None if maps is None else normalize_maps(upsample(maps.detach().float(), size), "relu")
    lines = None if truth is None else upsample(truth.float(), size, "nearest").numpy()
    below = 0.17 if captions is not None else 0.03
    side = theme.WIDTH / max(len(names), 4)
    rows = side * size[0] / size[1] + side * high / wide + below
    picture = Picture(
        side * len(names), wanted[0] * rows + (0.5 if title else 0.25), photographic=True
    )
    picture.sharpness = 1.25  # many small pictures: a chapter has room for two such figures
    cells = picture.subplots(
        2 * wanted[0],
        len(names),
        squeeze=False,
        height_ratios=[size[0] / size[1], high / wide] * wanted[0],
    )
    for b in range(wanted[0]):
        for k in range(wanted[1]):
            above, inside = cells[2 * b, k], cells[2 * b + 1, k]
            x, y = boxes[b, k, :2].tolist()
            for axes in (above, inside):
                axes.set(xticks=[], yticks=[])
                axes.grid(False)
                axes.spines[:].set_visible(False)
            if heat is None:
                above.imshow(pixels[b], interpolation="bilinear")
            else:
                above.imshow(pixels[b].mean(-1), cmap="gray", vmin=0, vmax=1)
                shown = heat[b, k].numpy()
                above.imshow(shown, cmap=theme.HEAT, vmin=0, vmax=1, alpha=0.85 * shown**0.6)
            inside.imshow(crops[b, k], interpolation="bilinear")
            if lines is not None and lines[b, k].any():
                for axes, part in (
                    (above, lines[b, k]),
                    (inside, lines[b, k][y : y + high, x : x + wide]),
                ):
                    if 0 < part.mean() < 1:
                        axes.contour(part, [0.5], colors="white", linewidths=2.2)
                        axes.contour(part, [0.5], colors=theme.SERIES[0], linewidths=1.1)
            for ink, line in (("white", 2.8), (theme.SERIES[1], 1.5)):
                above.add_patch(
                    Rectangle((x - 0.5, y - 0.5), wide, high, fill=False, ec=ink, lw=line)
                )
            inside.spines[:].set(visible=True, color=theme.SERIES[1], linewidth=1.5)
            if captions is not None:
                inside.set_xlabel(captions[b][k], fontsize=8, labelpad=2)
    for axes, name in zip(cells[0], names, strict=True):
        axes.set_title(pretty(name), fontsize=8.5, loc="center", fontweight="normal")
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    share = wide * high / (size[0] * size[1])
    picture.alt = (
        f"{wanted[0]} faces, each with a square ({share:.0%} of the picture) for "
        f"{join([pretty(name) for name in names])}"
        + (", on its heat map" if maps is not None else "")
        + ", and below each what is inside the square"
        + ("; the true regions are outlined." if truth is not None else ".")
    )
    return picture


@styled
def plot_inside(report: pd.DataFrame, *, title: str | None = None) -> Picture:
    """Draw how much of each true region a square holds, beside two that know less and the limit.

    See which dots of the model stand right of the square that all attributes of a face share.

    Args:
        report: from :func:`faceattr.localization.crop_report`.
        title: of the figure.

    Raises:
        DataError: another report.
    """
    if "crop" not in report.index.get_level_values(0):
        raise DataError("no score 'crop' in this report: make it with crop_report")
    frame = report.loc["crop"].loc[:"mean"].dropna(subset=["model"])  # groups come after the mean
    order = ["mean", *frame.drop(index="mean").sort_values("model", kind="stable").index]
    sources = {"round its own peak": "model", "one for the face": "face", "middle": "centre"}
    points = {name: (frame.loc[order], column) for name, column in sources.items()}
    limit = frame.loc[order, "best"].rename("best place there is")
    picture = _intervals(order, points, "share of the true region inside the square", limit)
    axes = picture.axes[0]
    axes.set_title(title or "Is the attribute in its square?")
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    axes.set_xlim(left=0)
    rows = frame.drop(index="mean")
    clear = int((rows["gain_low"] > 0).sum())
    picture.alt += f" {clear} of {len(rows)} attributes lie clearly above every blind square."
    return picture
