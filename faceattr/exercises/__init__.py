"""Checkers of the exercises: each answers yes or no, and after a no, why.

One small file a chapter. A checker is a function of the reader's answer that returns a
:class:`Verdict`; it computes what is right afresh, on inputs of its own, so that no answer stands
anywhere to be read off. Decorated with :func:`checker` it may let the answer fail: an exception
becomes a "not yet" that quotes it. :func:`compare` does the comparing and explains the usual
slips.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """Yes or no, with a reason. It is true where the answer is right.

    Attributes:
        right: whether the answer is right.
        reason: one or two sentences: what was checked, or what to look at again.
    """

    right: bool
    reason: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{'Yes.' if self.right else 'Not yet.'} {self.reason}"

    def _repr_html_(self) -> str:
        word = "✓ Yes." if self.right else "✗ Not yet."
        return f"<b>{word}</b> {html.escape(self.reason)}"


def yes(reason: str) -> Verdict:
    """The answer is right."""
    return Verdict(True, reason)


def no(reason: str) -> Verdict:
    """The answer is not right yet, and why."""
    return Verdict(False, reason)


def checker(check: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """Let a checker take any answer: none at all and one that raises are a "not yet", too."""

    @functools.wraps(check)
    def checked(answer, *more, **options) -> Verdict:
        if answer is None:
            return no("There is no answer yet: put yours where the cell says None.")
        try:
            return check(answer, *more, **options)
        except Exception as error:  # the reader's code may fail in any way: it is quoted to them
            return no(f"Your answer raises {type(error).__name__}: {error}")

    return checked


def compare(
    answer,
    expected,
    *,
    what: str,
    tolerance: float = 1e-6,
    slips: Sequence[tuple[str, object]] | Mapping[str, object] = (),
    names: Sequence[str] | None = None,
) -> Verdict:
    """Compare numbers with what they should be.

    A no is false, so ``compare(...) and yes("...")`` says more where the numbers agree.

    Args:
        answer: a number, list, array or tensor.
        expected: the same, right.
        what: what the numbers are, for the reason: ``"the mean accuracy"``.
        tolerance: largest absolute difference that counts as equal.
        slips: wrong answers that are easily given, as ``reason: numbers``; an answer equal to one
            gets its reason instead of the bare difference.
        names: names of the entries, to say which one is furthest off.
    """
    expected, subject = np.asarray(expected, dtype=float), what[:1].upper() + what[1:]
    if answer is None:
        return no(f"{subject} should be numbers, and this is None: does your function return it?")
    if callable(answer):
        return no(f"{subject} should be numbers; this is a function: call it.")
    try:
        given = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        return no(f"{subject} should be numbers, not {type(answer).__name__}.")
    if given.shape == expected.shape and np.allclose(
        given, expected, rtol=0, atol=tolerance, equal_nan=True
    ):
        return yes(f"{subject} agrees.")
    for reason, wrong in slips.items() if isinstance(slips, Mapping) else slips:
        wrong = np.asarray(wrong, dtype=float)
        if given.shape == wrong.shape and np.allclose(given, wrong, rtol=0, atol=tolerance):
            return no(reason)
    if given.shape != expected.shape:
        return no(
            f"{subject} should have shape {expected.shape or 'of one number'}, "
            f"yours has {given.shape or 'that of one number'}."
        )
    if np.isnan(given).any() and not np.isnan(expected).any():
        return no(f"{subject} should hold no NaN: somewhere you divide 0 by 0.")
    off = np.abs(np.nan_to_num(given) - np.nan_to_num(expected))
    place = np.unravel_index(off.argmax(), off.shape)
    where = ""
    if off.shape:
        label = names[place[0]] if names is not None else ", ".join(map(str, place))
        where = f" at {label}"
    return no(
        f"{subject} is off by {off[place]:.3g}{where}: "
        f"yours is {given[place]:.4g}, and that is too "
        f"{'high' if given[place] > expected[place] else 'low'}."
    )
