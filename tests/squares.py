"""Pictures small enough to train on in a moment, and how to train on them quietly."""

import torch

from faceattr.data.faces import FaceDataset, Faces

NAMES = ("Bald", "Bangs", "Male")
QUIET = {"device": "cpu", "progress": False}
SHORT = {"preset": "small", "epochs": 1, "batch_size": 16, "crop": 16, **QUIET}


def squares(count=48, seed=0, size=32):
    """Pictures in which attribute j is a bright channel j in the lower half."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, 3, generator=generator) < 0.4).float()
    images = 80 * torch.rand(count, 3, size, size, generator=generator)
    images[:, :, size // 2 :] += 120 * labels[:, :, None, None]
    faces = Faces(images=images.to(torch.uint8), attributes=labels)
    return FaceDataset(faces, names=NAMES, source=f"squares {seed}")


def same(one, other):
    """Whether two networks hold the same numbers."""
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)
