"""Labels that behave as CelebA's do: sampled from a Gaussian copula, no picture needed.

A face ``f`` of person ``p`` has one latent number per attribute, its *propensity*

    ``z = u_p + e_f``,  ``u ~ N(0, R_person)``,  ``e ~ N(0, R_image)``

with ``diag(R_person + R_image) = 1``, and wears attribute ``j`` when ``z_j`` exceeds a threshold
``t_j``. The thresholds carry CelebA's prevalences, ``R = R_person + R_image`` the correlations
within a picture, and the share of ``R_person`` how much two pictures of one person agree. Three
things are settled jointly, because no correlation matrix can say them:

- **Rivals** (:data:`RIVALS`: hair colours, straight and wavy, bald and hair on top, ...) exclude
  each other. Of two that both exceed their thresholds only the one with the larger margin
  ``z - t`` stays, so hair colour is one choice among black, blond, brown, gray and none. CelebA
  gives 1.4% of its faces two colours; here such a face gets the stronger one, every colour keeps
  its own prevalence, and "none" gives way (0.366 of the faces instead of 0.380).
- **No_Beard** is derived: never with :data:`BEARD_WORDS`, and otherwise by its own propensity,
  which leaves room for beards that none of the words names (2.2% of CelebA). A five-o'clock
  shadow does not rule it out: CelebA says No_Beard of 28% of the shadowed faces.
- **Attractive** describes the annotators, not the face. It is a noisy function of the other
  labels, ``w . x + taste > t``: its ``z`` is that taste, independent of all else, whose person
  part is how far annotators agree about the same person.

What CelebA merely hardly ever shows stays a matter of correlation, and there the model errs most:
7% of the goatees sampled come without Male, 0.1% in CelebA. Male is nearly constant within a
person and a goatee is not, and no Gaussian pair can be so and also all but imply each other.
The numbers come from :mod:`faceattr.data.fit_labels`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faceattr.attributes import ATTRIBUTES, index, indices, pretty
from faceattr.errors import DataError

#: The fitted table: aggregates of CelebA and the parameters of the copula.
TABLE = Path(__file__).with_name("celeba_labels.json")

HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")

#: Kinds of beard that contradict No_Beard.
BEARD_WORDS = ("Goatee", "Mustache", "Sideburns")

#: Pairs that no face wears together. A bald head may keep gray hair at the sides (a quarter of
#: CelebA's bald heads do), a receding hairline and sideburns; a hat hides the hairline.
RIVALS: tuple[tuple[str, str], ...] = (
    *((a, b) for i, a in enumerate(HAIR_COLOURS) for b in HAIR_COLOURS[i + 1 :]),
    ("Straight_Hair", "Wavy_Hair"),
    *(("Bald", hair) for hair in ("Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair")),
    ("Bald", "Straight_Hair"),
    ("Bald", "Wavy_Hair"),
    ("Bald", "Wearing_Hat"),
    ("Receding_Hairline", "Bangs"),
    ("Receding_Hairline", "Wearing_Hat"),
)


def contradictions(attributes) -> dict[str, int]:
    """Count the faces that break each rule: 0 everywhere in our samples, not in CelebA.

    Args:
        attributes: ``(N, M)`` or ``(M,)`` in {0, 1}, array or CPU tensor.

    Returns:
        ``{"Bald and Bangs": 0, ...}``, one entry per rule.
    """
    worn = np.atleast_2d(np.asarray(attributes)) > 0.5
    rules = (*RIVALS, *((word, "No_Beard") for word in BEARD_WORDS))
    return {
        f"{pretty(a)} and {pretty(b)}": int((worn[:, index(a)] & worn[:, index(b)]).sum())
        for a, b in rules
    }


def decide(margin: np.ndarray, attractive_weight: np.ndarray) -> np.ndarray:
    """Turn margins into labels, settling rivals, No_Beard and Attractive as described above.

    Args:
        margin: ``z - t``, ``(N, M)``.
        attractive_weight: ``w``, ``(M,)``; zero for Attractive itself.

    Returns:
        ``(N, M)`` bool without contradictions.
    """
    above = margin > 0
    worn = above.copy()
    for a, b in (indices(pair) for pair in RIVALS):
        both = above[:, a] & above[:, b]
        first = margin[:, a] > margin[:, b]
        worn[:, a] &= ~both | first
        worn[:, b] &= ~both | ~first
    worn[:, index("No_Beard")] &= ~worn[:, indices(BEARD_WORDS)].any(axis=1)
    taste = margin[:, index("Attractive")]
    worn[:, index("Attractive")] = worn @ attractive_weight + taste > 0
    return worn


def covariance_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root ``S`` with ``S S = covariance``, rounding's negative eigenvalues at 0.

    Unlike eigenvectors it is unique, so every machine draws the same faces.
    """
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


@dataclass(frozen=True, eq=False)
class LabelModel:
    """CelebA's label statistics and a copula that samples labels with the same ones.

    Attributes:
        prevalence, correlation, agreement: CelebA's measured values as in
            :class:`~faceattr.data.label_statistics.LabelStatistics`, over all images.
        threshold: ``t (M,)``.
        person: ``R_person (M, M)``.
        total: ``R = R_person + R_image (M, M)``, ones on the diagonal.
        attractive_weight: ``w (M,)`` of Attractive's rule.
        attractive_latent: ``(M,)`` correlation of ``w . x + taste`` with each propensity.
        facts: measured facts of CelebA that the model does not use: ``faces``, ``people``,
            ``splits`` (faces, people and prevalence of train, valid, test), ``images_per_person``.
        provenance: how the table was made.
    """

    prevalence: np.ndarray
    correlation: np.ndarray
    agreement: np.ndarray
    threshold: np.ndarray
    person: np.ndarray
    total: np.ndarray
    attractive_weight: np.ndarray
    attractive_latent: np.ndarray
    facts: dict = field(repr=False)
    provenance: dict = field(repr=False)

    @staticmethod
    def load(path: str | Path = TABLE) -> LabelModel:
        """Read a fitted table, the shipped one by default.

        Raises:
            DataError: the file is missing, torn, or of other attributes.
        """
        remedy = "reinstall faceattr, or make it anew with python -m faceattr.data.fit_labels"
        try:
            table = json.loads(Path(path).read_text(encoding="utf-8"))
            if tuple(table["names"]) != ATTRIBUTES:
                raise ValueError("its attribute names are not faceattr.ATTRIBUTES")
            size, celeba, model = len(ATTRIBUTES), table["celeba"], table["model"]
            shapes = dict.fromkeys(("correlation", "person", "total"), (size, size))
            arrays = {}
            for part, names in (
                (celeba, ("prevalence", "correlation", "agreement")),
                (model, ("threshold", "person", "total", "attractive_weight", "attractive_latent")),
            ):
                for name in names:
                    arrays[name] = np.array(part[name], dtype=np.float64)
                    if arrays[name].shape != shapes.get(name, (size,)):
                        raise ValueError(f"{name} has shape {arrays[name].shape}")
            facts = {
                name: celeba[name] for name in ("faces", "people", "splits", "images_per_person")
            }
            return LabelModel(**arrays, facts=facts, provenance=table["provenance"])
        except OSError as error:
            raise DataError(f"cannot read the label table {path} ({error}): {remedy}") from error
        except KeyError as error:
            raise DataError(f"the label table {path} lacks {error}: {remedy}") from error
        except (ValueError, TypeError) as error:
            raise DataError(f"the label table {path} is torn ({error}): {remedy}") from error

    def sample(
        self, num_people: int, faces_per_person: int, seed: int, person_strength: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the labels of ``N = num_people * faces_per_person`` faces, person by person.

        The same arguments give the same faces, and more people of the same seed begin with the
        same faces. ``person_strength`` moves latent variance between person and picture;
        prevalences and correlations within a picture stay as they are. At 0 labels know nothing of
        identity, 1 is CelebA, at 2 all pictures of a person carry the same labels.

        Returns:
            attributes ``(N, M)`` float32 in {0, 1}, and identity ``(N,)`` int64 from 0.

        Raises:
            DataError: a count below 1, a negative seed, a strength outside [0, 2].
        """
        if num_people < 1 or faces_per_person < 1 or seed < 0:
            raise DataError(
                f"cannot sample {num_people} people with {faces_per_person} faces each from seed "
                f"{seed}: give at least 1 and 1, and a seed of 0 or more"
            )
        if not 0 <= person_strength <= 2:
            raise DataError(
                f"person_strength is {person_strength}: choose 0 (labels independent of identity) "
                "to 1 (as CelebA) to 2 (every picture of a person alike)"
            )
        kept, moved = min(person_strength, 1.0), max(person_strength - 1.0, 0.0)
        image = self.total - self.person
        person_part = covariance_root(kept * self.person + moved * image)
        image_part = covariance_root((1 - kept) * self.person + (1 - moved) * image)
        people_rng, faces_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
        identity = np.repeat(np.arange(num_people, dtype=np.int64), faces_per_person)
        size = len(self.threshold)
        latent = faces_rng.standard_normal((len(identity), size)) @ image_part  # (N, M)
        latent += (people_rng.standard_normal((num_people, size)) @ person_part)[identity]
        worn = decide(latent - self.threshold, self.attractive_weight)
        return worn.astype(np.float32), identity

    @property
    def latent_correlation(self) -> np.ndarray:
        """``(M, M)`` correlation of the propensities in one picture, the copula's ``R``.

        Attractive's row is that of ``w . x + taste``, since its own ``z`` depends on nothing.
        """
        latent, j = self.total.copy(), index("Attractive")
        latent[j] = latent[:, j] = self.attractive_latent
        return latent

    def graph(self, threshold: float) -> np.ndarray:
        """The true graph of attributes: ``(M, M)`` bool, no self-loops.

        An edge joins two attributes whose *marginal* latent correlation exceeds ``threshold`` in
        absolute value. Latent, because phi shrinks towards 0 as an attribute gets rare. Rivals are
        tied by exclusion on top of it, so their latent correlation may even be positive.
        """
        edges = np.abs(self.latent_correlation) > threshold
        np.fill_diagonal(edges, False)
        return edges
