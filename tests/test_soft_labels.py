"""Soft labels: the loss that is smallest where a student answers as its teacher does."""

from __future__ import annotations

import torch
from torch.distributions import Bernoulli, kl_divergence

from faceattr.data.faces import FaceDataset, Faces
from faceattr.models import WholeImage
from faceattr.objectives.soft import SoftLabels
from faceattr.training import fit

SIZES = {"num_attributes": 3, "maps_per_attribute": 2}


def pair() -> tuple[WholeImage, WholeImage, Faces]:
    torch.manual_seed(0)
    teacher, student = WholeImage("snet3", **SIZES), WholeImage("snet3", **SIZES)
    images = torch.rand(16, 3, 16, 16)
    teacher(images)  # batch norm gathers its statistics
    return teacher.eval(), student.eval(), Faces(images=images, attributes=torch.zeros(16, 3))


def test_it_is_the_divergence_from_the_teacher_but_for_a_constant():
    teacher, student, faces = pair()
    found = SoftLabels(teacher)(student, faces)
    assert list(found) == ["soft"]
    said, answered = (Bernoulli(logits=net(faces.images).logits) for net in (teacher, student))
    right = (kl_divergence(said, answered) + said.entropy()).mean()
    torch.testing.assert_close(found["soft"], right)


def test_the_teacher_itself_has_no_gradient_left_and_is_never_trained():
    teacher, student, faces = pair()
    student.load_state_dict(teacher.state_dict())
    SoftLabels(teacher)(student, faces)["soft"].backward()
    assert max(p.grad.abs().max().item() for p in student.parameters()) < 1e-6
    assert not any(p.requires_grad for p in teacher.parameters())


def test_labels_are_not_looked_at_and_training_approaches_the_teacher():
    teacher, student, faces = pair()
    data = FaceDataset(faces, names=("Bald", "Bangs", "Young"))
    with torch.no_grad():
        before = (student(faces.images).logits - teacher(faces.images).logits).abs().mean()
    fit(student, data, SoftLabels(teacher), epochs=30, batch_size=16, lr=0.01, progress=False)
    with torch.no_grad():
        after = (student(faces.images).logits - teacher(faces.images).logits).abs().mean()
    assert after < before / 2
