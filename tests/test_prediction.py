"""A photo with a real, public-domain face: scikit-image's astronaut (NASA)."""

import pytest
import torch
from PIL import Image

from faceattr.errors import CheckpointError, DataError
from faceattr.models import WholeImage
from faceattr.prediction import Predictor

data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed")


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load("snet3-celeba", device="cpu")


@pytest.fixture(scope="module")
def astronaut():
    return Image.fromarray(data.astronaut())


def test_the_astronaut(predictor, astronaut):
    (face,) = predictor(astronaut)
    assert face.box.tolist() == pytest.approx([181, 62, 268, 172], abs=6)
    p = dict(zip(face.names, face.probabilities.tolist(), strict=True))
    present = ("Smiling", "Mouth_Slightly_Open", "High_Cheekbones", "No_Beard")
    absent = ("Bald", "Wearing_Hat", "Eyeglasses", "Gray_Hair", "Blurry", "Mustache")
    assert {name: p[name] for name in present if p[name] < 0.9} == {}
    assert {name: p[name] for name in absent if p[name] > 0.1} == {}


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_mode_of_image(predictor, astronaut, mode):
    (face,) = predictor(astronaut.convert(mode))
    assert face.crop.shape == (3, *predictor.size)


def test_two_faces_the_largest_first(predictor, astronaut):
    wide = Image.new("RGB", (900, 512))
    wide.paste(astronaut.resize((300, 300)), (0, 0))
    wide.paste(astronaut, (388, 0))
    faces = predictor(wide)
    assert len(faces) == 2
    assert faces[0].box[0] > faces[1].box[0]


def test_an_answer_that_is_not_finite(astronaut):
    model = WholeImage.small()
    model.head.bias.data.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="answers NaN"):
        Predictor(model, size=(32, 32))(astronaut)


def test_a_picture_without_pixels(predictor):
    with pytest.raises(DataError, match="0 x 5"):
        predictor(Image.new("RGB", (0, 5)), find=False)


def test_no_face(predictor):
    with pytest.raises(DataError, match="no face found"):
        predictor(Image.new("RGB", (200, 200), "grey"))


def test_heatmap_has_the_shape_of_the_last_convolution(predictor, astronaut):
    (face,) = predictor(astronaut)
    heat = predictor.heatmap(face, 31)
    assert heat.ndim == 2
    assert torch.isfinite(heat).all()
