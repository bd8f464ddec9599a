"""Losses against torch's own, and what unknown labels do to them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceattr.data.faces import UNKNOWN, Faces
from faceattr.errors import DataError
from faceattr.models import Outputs
from faceattr.objectives import attribute_loss, cross_entropy, weighted


class Given(nn.Module):
    """A model that answers with given logits."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return Outputs(self.logits)


@pytest.fixture
def logits():
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def faces():
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (6, 4), generator=generator).float()
    return Faces(images=torch.zeros(6, 3, 2, 2), attributes=labels)


def test_equals_torch_and_has_one_name(logits, faces):
    losses = attribute_loss(Given(logits), faces)
    assert list(losses) == ["attributes"]
    theirs = F.binary_cross_entropy_with_logits(logits, faces.attributes)
    torch.testing.assert_close(losses["attributes"].detach(), theirs)


def test_is_minus_the_papers_log_likelihood(logits, faces):
    y, o = faces.attributes, logits.sigmoid()
    printed = (y * o.log() + (1 - y) * (1 - o).log()).sum(1)  # PaW's L_attr of each face
    loss = attribute_loss(Given(logits), faces)["attributes"].detach()
    torch.testing.assert_close(loss, -printed.mean() / 4)
    perfect = attribute_loss(Given(20 * (2 * y - 1)), faces)["attributes"]
    assert perfect < loss


def test_unknown_labels_are_left_out(logits, faces):
    known = torch.rand(6, 4, generator=torch.Generator().manual_seed(2)) > 0.4
    theirs = F.binary_cross_entropy_with_logits(logits[known], faces.attributes[known])
    faces.attributes[~known] = UNKNOWN
    model = Given(logits)
    loss = attribute_loss(model, faces)["attributes"]
    torch.testing.assert_close(loss.detach(), theirs)
    loss.backward()
    assert (model.logits.grad[~known] == 0).all()
    assert (model.logits.grad[known] != 0).all()


def test_a_batch_without_a_known_label_moves_nothing(logits, faces):
    faces.attributes.fill_(UNKNOWN)
    model = Given(logits)
    loss = attribute_loss(model, faces)["attributes"]
    loss.backward()
    assert loss == 0
    assert (model.logits.grad == 0).all()


def test_a_diverged_model_is_not_hidden(logits, faces):
    logits[2, 1] = float("nan")
    assert attribute_loss(Given(logits), faces)["attributes"].isnan()


def test_weights_equal_torch_and_vanish_at_strength_0(logits, faces):
    prevalence = torch.tensor([0.05, 0.5, 0.2, 0.9])
    theirs = F.binary_cross_entropy_with_logits(
        logits, faces.attributes, pos_weight=(1 - prevalence) / prevalence
    )
    ours = weighted(prevalence)(Given(logits), faces)["attributes"].detach()
    torch.testing.assert_close(ours, theirs)
    plain = attribute_loss(Given(logits), faces)["attributes"]
    torch.testing.assert_close(weighted(prevalence, 0)(Given(logits), faces)["attributes"], plain)


def test_what_cannot_be_learnt_from(logits, faces):
    with pytest.raises(DataError, match="num_attributes=4"):
        cross_entropy(logits[:, :3], faces.attributes)
    faces.attributes = None
    with pytest.raises(DataError, match="no attribute labels"):
        attribute_loss(Given(logits), faces)
    with pytest.raises(DataError, match="clamp"):
        weighted(torch.tensor([0.0, 0.5]))
