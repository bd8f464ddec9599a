"""The checkers of chapter 10 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import pytest
import torch
from answers import hold, refuses
from conftest import ROOT

from faceattr.exercises import chapter10 as chapter
from faceattr.sparse import inverse_link, link, soft_threshold
from faceattr.sparse.groups import assemble

SOLUTIONS = ROOT / "book" / "solutions" / "10_known_groups.py"


def test_every_solution_is_right(solutions):
    hold(solutions, chapter)


def stacked(groups, bases, some):
    return torch.cat([b @ s for b, s in zip(bases, some, strict=True)], dim=1)


def by_place(groups, bases, some):
    found = torch.empty(len(bases[0]), sum(map(len, groups)))
    for group, base, each in zip(groups, bases, some, strict=True):
        found[:, group] = base @ each
    return found


def test_weights_takes_every_right_way():
    assert chapter.check_weights(by_place)
    assert chapter.check_weights(assemble)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (stacked, "at its attribute's own place"),
        (lambda g, b, s: stacked(g, b, s)[:, [j for k in g for j in k]], "wrong way round"),
        (lambda g, b, s: by_place(g, b, s).T, "upside down"),
        (lambda g, b, s: 2 * by_place(g, b, s), "is off by"),
        (lambda g, b: 0, "raises TypeError"),
        (torch.zeros(4, 5), "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_weights_explains_what_is_wrong(answer, why):
    refuses(chapter.check_weights(answer), why)


def uv(matrix):
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    return u @ vh


def printed(matrix):
    values, vectors = torch.linalg.eigh(matrix.T @ matrix)
    return matrix @ (vectors * values.rsqrt()) @ vectors.T


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda m: m, "half the squared Frobenius norm"),
        (lambda m: torch.linalg.svd(m, full_matrices=False)[0]
         @ torch.linalg.svd(m, full_matrices=False)[2].T, "U V, not U V.T"),
        (printed, "not defined where|off by|above 1"),
        (lambda m: uv(m) if torch.linalg.matrix_rank(m) == 3 else 0 * m, "off by"),
        (lambda m: uv(m) if torch.linalg.matrix_rank(m) == 3 else 2 * uv(m), "above 1"),
        (lambda m: 2 * uv(m), "is off by"),
        (3.0, "the function itself"),
        (None, "no answer yet"),
    ],
)  # fmt: skip
def test_subgradient_explains_what_is_wrong(answer, why):
    refuses(chapter.check_subgradient(answer), why)


def cut(at):
    """Keeps the singular values above a number that does not depend on the matrix."""

    def answer(matrix):
        u, sigma, vh = torch.linalg.svd(matrix, full_matrices=False)
        return u[:, sigma > at] @ vh[sigma > at]

    return answer


@pytest.mark.parametrize("at", [2, 0.1, 0.01, 5e-3])
def test_what_counts_as_0_depends_on_the_matrix(at):
    refuses(chapter.check_subgradient(cut(at)), "small, but not 0.*not with a fixed number")


def test_a_cut_too_large_for_any_matrix_is_no_matter_of_small_values():
    only_large = cut(50)
    refuses(
        chapter.check_subgradient(lambda m: uv(m) if m[0].norm() < 3 else only_large(m)), "off by"
    )


def test_a_subgradient_has_its_matrix_s_shape():
    refuses(
        chapter.check_subgradient(lambda m: uv(m) if m.abs().max() < 4 else uv(m).T),
        r"of shape \(3, 6\)",
    )


def test_any_subgradient_is_right():
    assert chapter.check_subgradient(uv), "up to 1 in the directions that L lacks"


def step(theta, gradient, r, lam, p):
    theta = soft_threshold(theta - r * gradient, r * lam)
    return theta, inverse_link(theta, p)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda t, g, r, lam, p: (soft_threshold(t - r * g, lam), t), "takes off r times lambda"),
        (lambda t, g, r, lam, p: (t - r * g, t), "after line 3"),
        (lambda t, g, r, lam, p: (lambda m: (m * (m.abs() > r * lam), t))(t - r * g),
         "hard thresholding"),
        (lambda t, g, r, lam, p: step(t, -g, r, lam, p), "downhill"),
        (lambda t, g, r, lam, p: ((t - r * g) - r * lam * (t - r * g).sign(), t), "change their"),
        (lambda t, g, r, lam, p: (step(t, g, r, lam, p)[0],) * 2, "you returned theta"),
        (
            lambda t, g, r, lam, p: (a := step(t, g, r, lam, p)[0], link(a, p)),
            "its inverse stands in line 5",
        ),
        (
            lambda t, g, r, lam, p: (
                a := step(t, g, r, lam, p)[0], a.sign() * a.abs() ** (p - 1),
            ),
            "left it out",
        ),
        (lambda t, g, r, lam, p: [s.abs() if k else s for k, s in
                                  enumerate(step(t, g, r, lam, p))], "keeps the sign"),
        (lambda t, g, r, lam, p: step(t, g, r, lam, p)[1], "Return two things"),
        (lambda t, g, r, lam, p: (lambda a: (a, a.sign() * a.abs() ** (p - 1)
                                             / a.norm(p) ** (p - 2)))(step(t, g, r, lam, p)[0]),
         "no NaN"),
        ((1, 2), "the function itself"),
        (None, "no answer yet"),
    ],
)  # fmt: skip
def test_smidas_step_explains_what_is_wrong(answer, why):
    refuses(chapter.check_smidas_step(answer), why)


@pytest.mark.parametrize("place", [0, 1])
def test_a_vector_is_not_called_by_the_name_of_a_matrix(place):
    def off(*given):
        return [x + (k == place) for k, x in enumerate(step(*given))]

    refuses(chapter.check_smidas_step(off), f"^The new {('theta', 's')[place]} is off")


def test_a_subgradient_in_single_precision_is_one():
    def single(matrix):
        u, sigma, vh = torch.linalg.svd(matrix.float(), full_matrices=False)
        return u[:, sigma > 1e-5] @ vh[sigma > 1e-5]

    assert chapter.check_subgradient(single)
