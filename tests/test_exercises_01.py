"""The checkers of chapter 1 say yes to right answers, and no, with a reason, to wrong ones."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
from conftest import ROOT
from sklearn.metrics import f1_score

from faceattr.data.labels import LabelModel
from faceattr.exercises import Verdict, checker, compare, no, yes
from faceattr.exercises import chapter01 as chapter

SOLUTIONS = ROOT / "book" / "solutions" / "01_faces_and_labels.py"


@pytest.fixture(scope="module")
def solutions():
    """The solutions, as a module."""
    spec = importlib.util.spec_from_file_location("solutions_01", SOLUTIONS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_solution_is_right(solutions):
    checks = {value for name, value in vars(chapter).items() if name.startswith("check_")}
    assert set(solutions.ANSWERS) == checks, "each checker has a solution"
    for check, answer in solutions.ANSWERS.items():
        verdict = check(answer)
        assert verdict, verdict.reason
        assert repr(verdict).startswith("Yes.")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda p: np.maximum(p, 1 - p), "majority label"),
        (lambda p: p**2, "right in two ways"),
        (lambda p: 2 * p * (1 - p), "differ"),
        (lambda p: (p**2 + (1 - p) ** 2).mean(), "one number for each"),
        (lambda p: p[:3], "shape"),
        (lambda p: p**2 + (1 - p) ** 2 + 0.01, "too high"),
        (lambda p: p**2 + (1 - p) ** 2 - 0.01 * (np.arange(40) == 20), "at Male.*too low"),
        (lambda p: p * np.nan, "NaN"),
        (lambda p: "half", "numbers, not str"),
        (lambda p: lambda: p, "call it"),
        (lambda p: p / "2", "raises"),
        (0.7, "the function itself"),
        (None, "no answer yet"),
    ],
)
def test_guessing_explains_what_is_wrong(answer, why):
    refuses(chapter.check_guessing(answer), why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda p: p, "precision"),
        (lambda p: (1 + p) / 2, "harmonic"),
        (lambda p: 0 * p, "saying no"),
        (lambda p: p * p, "too low"),
        (0.5, "the function itself"),
    ],
)
def test_constant_f1_explains_what_is_wrong(answer, why):
    refuses(chapter.check_constant_f1(answer), why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda p, e: p * (1 - e) / (p * (1 - e) + (1 - p) * e), "the recall"),
        (lambda p, e: 1 - e, "the precision"),
        (lambda p, e: 1.0, "too high"),
        (lambda p: 1.0, "raises TypeError"),
        (0.5, "the function itself"),
    ],
)
def test_noise_explains_what_is_wrong(answer, why):
    refuses(chapter.check_noise(answer), why)


def over_all_pictures(worn, count):
    both = (worn * (worn - 1)).sum() / (count * (count - 1)).sum()
    p = worn.sum() / count.sum()
    return (both - p * p) / (p * (1 - p))


def with_itself(worn, count):
    pairs = (count * (count - 1)).sum()
    p = (worn * (count - 1)).sum() / pairs
    return ((worn**2).sum() / pairs - p * p) / (p * (1 - p))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (over_all_pictures, "pictures in pairs"),
        (with_itself, "not paired with itself"),
        (
            lambda worn, count: (worn * (worn - 1)).sum() / (count * (count - 1)).sum(),
            "what chance alone",
        ),
        (lambda worn, count: worn / count, "shape"),
        (0.3, "the function itself"),
    ],
)
def test_agreement_explains_what_is_wrong(answer, why):
    refuses(chapter.check_agreement(answer), why)


def test_right_answers_agree_with_scikit_learn(solutions):
    """The solutions against a library that neither they nor the checkers use."""
    rng = np.random.default_rng(0)
    truth = rng.random(200_000) < 0.05
    noisy = truth ^ (rng.random(len(truth)) < 0.1)
    said = np.ones_like(truth)
    assert f1_score(noisy, truth) == pytest.approx(solutions.f1_of_the_truth(0.05, 0.1), abs=0.01)
    assert f1_score(truth, said) == pytest.approx(solutions.always_yes_f1(truth.mean()))
    guess = rng.random(len(truth)) < 0.05
    assert (guess == truth).mean() == pytest.approx(solutions.guessing_accuracy(0.05), abs=0.005)


def test_numbers_in_a_yes_are_the_tables(solutions):
    p = LabelModel.load().prevalence
    assert (
        f"{np.maximum(p, 1 - p).mean():.3f}"
        in chapter.check_guessing(solutions.guessing_accuracy).reason
    )


# What all chapters' checkers share ---------------------------------------------------------------


def refuses(verdict: Verdict, why: str) -> None:
    assert not verdict
    assert re.search(why, verdict.reason), verdict.reason
    assert repr(verdict).startswith("Not yet.")


def test_a_verdict_shows_itself_as_words_and_as_safe_html():
    assert yes("a")
    assert not no("b")
    assert "&lt;b&gt;" in no("<b>")._repr_html_()
    assert "Yes" in yes("fine")._repr_html_()


def test_compare_agrees_only_on_equality():
    assert compare([1.0, 2.0], np.array([1.0, 2.0]), what="x")
    assert compare(1, 1.0, what="x")
    assert not compare(1.1, 1.0, what="x")
    assert compare(1.1, 1.0, what="x", tolerance=0.2)
    refuses(compare([[1, 2], [3, 5]], [[1, 2], [3, 4]], what="x"), "at 1, 1: yours is 5")
    refuses(compare([1, 2], 1.0, what="x"), "shape of one number")
    nan = [np.nan, 1.0]
    assert compare(nan, nan, what="x")
    refuses(compare([np.nan, 2.0], nan, what="x"), "off by 1")


def test_checker_quotes_what_an_answer_raises():
    @checker
    def check(answer):
        return yes("fine") if answer() else no("zero")

    assert check(lambda: 1)
    refuses(check(lambda: 1 / 0), "ZeroDivisionError")
    refuses(check(None), "no answer yet")
