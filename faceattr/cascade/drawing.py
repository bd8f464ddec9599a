"""A picture with the faces that were found in it: boxes, landmarks, the surest attributes."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from faceattr.attributes import pretty
from faceattr.cascade.detector import FoundFaces

#: Colours of boxes, landmarks and the ground that words stand on.
BOX, POINT, GROUND, INK = (255, 196, 0), (0, 220, 255), (20, 20, 20), (255, 255, 255)


def draw_faces(picture: Image.Image, found: FoundFaces, words: int = 4) -> Image.Image:
    """A copy of a picture on which found faces are drawn.

    Args:
        picture: RGB. found: its faces, in its pixels.
        words: of each face so many attributes are written, the most probable of those above one
            half; 0 for none.
    """
    shown = picture.convert("RGB").copy()
    pen = ImageDraw.Draw(shown)
    unit = max(1, round(max(shown.size) / 320))  # thickness of a line
    font = ImageFont.load_default(size=10 * unit)
    for k in range(len(found)):
        box = found.boxes[k].tolist()
        pen.rectangle(box, outline=BOX, width=unit)
        for x, y in [] if found.landmarks is None else found.landmarks[k].tolist():
            pen.ellipse([x - unit, y - unit, x + unit, y + unit], fill=POINT)
        told = found.probabilities[k]
        best = [j for j in told.argsort(descending=True).tolist()[:words] if told[j] > 0.5]
        lines = [f"{found.scores[k].item():.2f}", *(pretty(found.names[j]) for j in best)]
        words_at = (max(0, box[0]), min(max(0, box[3]), shown.height - 12 * unit * len(lines)))
        text = "\n".join(lines)
        pen.rectangle(pen.textbbox(words_at, text, font=font), fill=GROUND)
        pen.text(words_at, text, font=font, fill=INK)
    return shown
