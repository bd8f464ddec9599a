"""Figures: what they draw is checked against the data, what they say against the figure."""

from __future__ import annotations

import base64
import io

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib._pylab_helpers import Gcf
from matplotlib.colors import to_rgb
from PIL import Image

from faceattr import theme
from faceattr.attributes import ATTRIBUTES, pretty
from faceattr.errors import DataError, MissingDependencyError
from faceattr.optional import require
from faceattr.plots import (
    Picture,
    alt,
    cluster_order,
    plot_accuracy,
    plot_agreement,
    plot_calibration,
    plot_correlation,
    plot_gallery,
    plot_heatmaps,
    plot_history,
    plot_localization,
    plot_prevalence,
)

M = len(ATTRIBUTES)


def generator():
    return torch.Generator().manual_seed(0)


def history(epochs=5) -> pd.DataFrame:
    falling = np.exp(-np.arange(epochs) / 4)
    columns = {
        "loss": falling, "attributes": falling, "lr": 1e-3, "valid_loss": falling + 0.2,
        "valid_accuracy": 1 - falling / 2, "seconds": 3.0, "images_per_second": 400.0,
    }  # fmt: skip
    return pd.DataFrame(columns, index=pd.RangeIndex(1, epochs + 1, name="epoch"))


def report() -> pd.DataFrame:
    accuracy = np.linspace(0.7, 0.98, M)
    frame = pd.DataFrame(
        {
            "accuracy": accuracy, "accuracy_low": accuracy - 0.02, "accuracy_high": accuracy + 0.02,
            "majority_accuracy": accuracy - 0.1,
        },
        index=list(ATTRIBUTES),
    )  # fmt: skip
    frame.iloc[:3, 3] = 0.99  # three attributes where the network loses to the majority
    frame.loc["mean"] = frame.mean()
    return frame


def localization() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["pointing", "energy"], [*ATTRIBUTES, "mean"]])
    values = np.linspace(0.2, 0.9, len(index))
    columns = {"model": values, "centre": 0.4, "mean_map": 0.35, "gain": values - 0.4}
    frame = pd.DataFrame(columns, index=index)
    for name in columns:
        frame[f"{name}_low"], frame[f"{name}_high"] = frame[name] - 0.05, frame[name] + 0.05
    frame.loc[("pointing", "Bald"), "model"] = np.nan  # no face had it
    return frame


def bins() -> pd.DataFrame:
    edges = np.linspace(0, 1, 6)
    return pd.DataFrame(
        {
            "low": edges[:-1], "high": edges[1:], "faces": [50, 30, 0, 10, 10],
            "probability": [0.1, 0.3, np.nan, 0.7, 0.9], "positives": [0.1, 0.2, np.nan, 0.7, 0.8],
        }
    )  # fmt: skip


def figures() -> dict[str, Picture]:
    shares = torch.rand(M, generator=generator())
    square = torch.rand(M, M, generator=generator()) * 2 - 1
    images = torch.linspace(0, 1, 320).view(20, 16).expand(4, 3, 20, 16)
    maps = torch.randn(4, 2, 5, 4, generator=generator())
    truth = torch.zeros(4, 2, 10, 8, dtype=torch.bool)
    truth[:, :, 2:5, 2:5] = True
    return {
        "prevalence": plot_prevalence({"CelebA": shares, "SynthFaces": shares / 2}),
        "agreement": plot_agreement(shares),
        "correlation": plot_correlation({"CelebA": square, "SynthFaces": square / 2}),
        "history": plot_history(history()),
        "histories": plot_history({"SNet3": history(), "ResNet-18": history(8)}),
        "accuracy": plot_accuracy(report()),
        "localization": plot_localization(localization()),
        "calibration": plot_calibration({"SNet3": bins(), "ResNet-18": bins()}),
        "gallery": plot_gallery(images, wrong=[True, False, True, True], captions=["a"] * 4),
        "heatmaps": plot_heatmaps(
            images, maps, names=("Smiling", "Bangs"), truth=truth, title="Where?"
        ),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Picture]:
    return figures()


NAMES = [
    "prevalence", "agreement", "correlation", "history", "histories", "accuracy", "localization",
    "calibration", "gallery", "heatmaps",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_opaque_and_describes_itself(drawn, name):
    picture = drawn[name]
    assert isinstance(picture, matplotlib.figure.Figure)
    assert len(alt(picture)) > 20
    assert alt(picture).endswith(".")
    assert "nan" not in alt(picture)
    mime, data = picture.encode()
    assert len(data) < 300_000
    image = Image.open(io.BytesIO(data))
    assert "transparency" not in image.info
    corner = np.array(image.convert("RGB"))[0, 0] / 255
    assert np.abs(corner - to_rgb(theme.PAPER)).max() < 0.02
    width, height = picture.get_size_inches() * theme.CSS_DPI
    assert image.width == pytest.approx(width * picture.sharpness, abs=1)
    assert width <= theme.WIDTH * theme.CSS_DPI


def test_text_is_readable_on_paper():
    def luminance(colour):
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    for colour, least in ((theme.INK, 7), (theme.MUTED, 4.5)):
        assert (luminance(theme.PAPER) + 0.05) / (luminance(colour) + 0.05) >= least


def test_pyplot_is_left_alone(drawn):
    assert not Gcf.get_all_fig_managers()  # nothing for a notebook to show a second time
    with matplotlib.rc_context({"font.size": 31.0, "figure.facecolor": "black"}):
        same = plot_agreement(torch.rand(M, generator=generator()))
        assert matplotlib.rcParams["font.size"] == 31.0
    assert same.encode() == drawn["agreement"].encode()


def test_bars_show_the_numbers():
    shares = torch.rand(M, generator=generator())
    axes = plot_prevalence(shares).axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx(sorted(shares.tolist()))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [pretty(ATTRIBUTES[j]) for j in shares.argsort()]
    assert f"{int((shares < 0.1).sum())} of 40" in alt(plot_prevalence(shares))


def test_correlation_puts_each_source_in_its_triangle():
    first, second = torch.full((3, 3), 0.5), torch.full((3, 3), -0.25)
    picture = plot_correlation({"a": first, "b": second}, names=("x", "y", "z"), order=(0, 1, 2))
    shown = picture.axes[0].images[0].get_array()
    assert shown[2, 0] == 0.5
    assert shown[0, 2] == -0.25
    assert "differ by 0.75 on average" in picture.alt


def test_cluster_order_joins_blocks():
    block = torch.eye(6)
    for a, b in ((0, 3), (1, 4), (2, 5)):
        block[a, b] = block[b, a] = -0.9  # strength counts, not sign
    order = cluster_order(block)
    assert sorted(order) == list(range(6))
    assert all(abs(order.index(a) - order.index(a + 3)) == 1 for a in range(3))


def test_history_draws_what_was_measured():
    loss, metric = plot_history(history()).axes
    assert [line.get_label() for line in loss.lines] == ["loss", "loss (validation)"]
    assert [line.get_label() for line in metric.lines] == ["accuracy"]
    np.testing.assert_allclose(metric.lines[0].get_ydata(), history()["valid_accuracy"])
    assert len(plot_history(history()[["loss"]]).axes) == 1
    several = plot_history(history().assign(hint=0.1)).axes[0]
    assert {"attributes", "hint"} <= {line.get_label() for line in several.lines}

    class Run:
        def frame(self):
            return history()

    assert plot_history(Run()).alt == plot_history(history()).alt


def test_accuracy_counts_who_beats_the_majority():
    picture = plot_accuracy(report())
    assert "37 of 40 attributes lie above the majority label" in picture.alt
    dots = picture.axes[0].lines[0].get_xdata()
    assert dots[0] == pytest.approx(report().loc["mean", "accuracy"])


def test_localization_leaves_out_what_nobody_has():
    picture = plot_localization(localization())
    labels = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert "Bald" not in labels
    assert len(labels) == M
    group = localization().loc[["pointing"]].iloc[:1].rename(index={ATTRIBUTES[0]: "Hair"}, level=1)
    with_group = pd.concat([localization().loc[["pointing"]], group])
    assert plot_localization(with_group).alt == picture.alt


def test_localization_leaves_out_means_of_groups():
    report = localization()
    report.loc[("pointing", "local"), :] = report.loc[("pointing", "mean")]
    order = {name: k for k, name in enumerate([*ATTRIBUTES, "mean", "local"])}
    report = report.sort_index(level=1, key=lambda level: level.map(order), sort_remaining=False)
    labels = [tick.get_text() for tick in plot_localization(report).axes[0].get_yticklabels()]
    assert labels[0] == "mean"
    assert "local" not in labels


def test_calibration_error_is_the_weighted_gap():
    expected = (0.1 * 30 + 0.1 * 10) / 100
    assert f"calibration error of {expected:.3f}" in plot_calibration(bins()).alt


def test_gallery_marks_errors():
    images = torch.randint(0, 256, (3, 3, 10, 10), dtype=torch.uint8)
    picture = plot_gallery(images, captions=["a", "b", "c"], wrong=torch.tensor([1, 0, 0]) > 0)
    texts = [axes.get_xlabel() for axes in picture.axes]
    assert texts == ["✗ a", "✓ b", "✓ c"]
    assert "1 of them answered wrongly" in picture.alt
    np.testing.assert_allclose(
        picture.axes[0].images[0].get_array(), images[0].permute(1, 2, 0) / 255, atol=1e-6
    )
    labels = torch.zeros(3, M)
    labels[0, 15] = labels[1, :7] = 1
    words = [axes.get_xlabel() for axes in plot_gallery(images, labels=labels).axes]
    assert words[0] == "Eyeglasses"
    assert words[1].count("\n") == 5
    assert words[1].endswith("…")


def test_heatmap_of_an_absent_attribute_stays_empty():
    images = torch.rand(1, 3, 12, 12)
    maps = torch.stack([torch.full((4, 4), -1.0), torch.rand(4, 4)])[None]
    picture = plot_heatmaps(images, maps, names=("Bald", "Smiling"))
    heat = [axes.images[1].get_array() for axes in picture.axes[1:]]
    assert heat[0].max() == 0
    assert heat[1].max() == pytest.approx(1, abs=1e-6)


def test_bad_input():
    images, maps = torch.rand(2, 3, 8, 8), torch.rand(2, 1, 4, 4)
    for call, words in (
        (lambda: plot_prevalence(torch.rand(7)), "one value for each of 40"),
        (lambda: plot_correlation(torch.rand(4, 4)), "matrices of 40 x 40"),
        (lambda: plot_history(history(0)), "holds no epoch"),
        (lambda: plot_history(history(), metrics=["f2"]), "no column 'f2'"),
        (lambda: plot_accuracy(report(), metric="f2"), "no column 'f2'"),
        (lambda: plot_accuracy(report().loc[["mean"]]), "no attribute"),
        (lambda: plot_localization(localization(), score="iou"), "no score 'iou'"),
        (lambda: plot_calibration(bins().assign(faces=0)), "no answers"),
        (lambda: plot_gallery(images[:0]), "one face or more"),
        (lambda: plot_gallery(images, captions=["a"]), "one for each"),
        (lambda: plot_heatmaps(images, maps), "2 faces and 40 names"),
        (lambda: plot_heatmaps(images, maps, names="a", truth=maps[:1] > 0), "do not belong"),
    ):
        with pytest.raises(DataError, match=words):
            call()


def test_missing_package_names_the_pip_line():
    with pytest.raises(MissingDependencyError, match="figures need no-such.*pip install no-such$"):
        require("nosuch.part", purpose="figures", package="no-such")


# --- descriptions on their way into the book ------------------------------------------------------


def notebook(*pictures: Picture):
    """A notebook with one executed cell a figure, as the kernel would write it."""
    cells = []
    for picture in pictures:
        data, metadata = DisplayFormatter().format(picture)
        output = nbformat.v4.new_output("execute_result", data, metadata=metadata)
        cells.append(nbformat.v4.new_code_cell("figure", outputs=[output]))
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def small() -> dict[str, Picture]:
    bars = plot_agreement(torch.tensor([0.2, 0.4]), names=("a", "b"))
    return {"bars": bars, "curve": plot_history(history()[["loss"]]),
            "faces": plot_gallery(torch.rand(1, 3, 8, 8))}  # fmt: skip


@pytest.mark.parametrize("name", ["bars", "faces"])
def test_description_travels_with_the_output(small, name):
    data, metadata = DisplayFormatter().format(small[name])
    mime, encoded = small[name].encode()
    assert mime == {"bars": "image/png", "faces": "image/jpeg"}[name]
    assert base64.b64decode(data[mime]) == encoded
    assert [key for key in data if key.startswith("image/")] == [mime]
    assert metadata[mime]["alt"] == data["text/plain"] == small[name].alt
    book = notebook(small[name])
    assert theme.carry_alt(book) == 1
    assert book.cells[0].metadata["mystnb"]["image"]["alt"] == small[name].alt
    nbformat.validate(book)


def test_carrying_renews_its_own_text_and_keeps_a_hand_written_one(small):
    book = notebook(small["bars"])
    theme.carry_alt(book)
    book.cells[0].outputs = notebook(small["curve"]).cells[0].outputs
    theme.carry_alt(book)
    assert book.cells[0].metadata["mystnb"]["image"]["alt"] == small["curve"].alt
    book = notebook(small["bars"])
    book.cells[0].metadata["mystnb"] = {"image": {"alt": "By hand."}, "figure": {"caption": "C"}}
    assert theme.carry_alt(book) == 1
    assert book.cells[0].metadata["mystnb"] == {
        "image": {"alt": "By hand."}, "figure": {"caption": "C"},
    }  # fmt: skip


def test_two_figures_in_a_cell_are_reported(small):
    book = notebook(small["bars"], small["curve"])
    book.cells[0].outputs += book.cells[1].outputs
    with pytest.warns(UserWarning, match="cell 0 shows 2 figures"):
        theme.carry_alt(book)
