"""Draw the sheet of faces that the welcome page and the README show.

Nobody is in it: the faces are SynthFaces', drawn from a seed. Run it when the drawing changes.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from faceattr.data.labels import LabelModel
from faceattr.data.synthetic import draw_face

SHEET = Path(__file__).resolve().parents[1] / "_static" / "faces.png"
ROWS, COLUMNS, SIZE, GAP, SEED = 3, 8, 112, 4, 7
MAX_BYTES = 150_000


def sheet() -> Image.Image:
    """``ROWS`` x ``COLUMNS`` faces of different people, labels as common as CelebA's."""
    labels, _ = LabelModel.load().sample(ROWS * COLUMNS, 1, SEED)
    step = SIZE + GAP
    canvas = Image.new("RGB", (COLUMNS * step + GAP, ROWS * step + GAP), "white")
    for number, attributes in enumerate(labels):
        face = draw_face(attributes, person=number, seed=SEED, size=SIZE)
        pixels = (face.images.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)  # (H, W, 3)
        row, column = divmod(number, COLUMNS)
        canvas.paste(Image.fromarray(pixels), (GAP + column * step, GAP + row * step))
    return canvas


def main() -> None:
    """Write the sheet in one step, in as few colours as keep it small."""
    drawn = sheet()
    handle, temporary = tempfile.mkstemp(dir=SHEET.parent, suffix=".png")
    os.close(handle)
    for colours in (256, 128, 64, 32):
        drawn.quantize(colours, dither=Image.Dither.NONE).save(temporary, optimize=True)
        if os.path.getsize(temporary) < MAX_BYTES:
            break
    os.chmod(temporary, 0o644)
    os.replace(temporary, SHEET)
    print(f"{SHEET.name}: {SHEET.stat().st_size / 1000:.0f} kB, {colours} colours")


if __name__ == "__main__":
    main()
