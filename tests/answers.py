"""What the tests of every chapter's exercises ask of its checkers and solutions."""

import re
from types import ModuleType

from faceattr.exercises import Verdict


def refuses(verdict: Verdict, why: str) -> None:
    """The checker says no, and its reason matches ``why``."""
    assert not verdict
    assert re.search(why, verdict.reason), verdict.reason


def hold(solutions: ModuleType, chapter: ModuleType) -> None:
    """Each checker of a chapter has a solution, and says yes to it."""
    checks = {value for name, value in vars(chapter).items() if name.startswith("check_")}
    assert set(solutions.ANSWERS) == checks, "each checker has a solution"
    for check, answer in solutions.ANSWERS.items():
        verdict = check(answer)
        assert verdict, verdict.reason
