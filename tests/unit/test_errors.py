"""Errors carry facts, say what to do, and can be caught by what they are."""

from __future__ import annotations

import inspect

import pytest

from asgi_resync import errors
from asgi_resync.errors import (
    AlreadyWrapped,
    MissingExtra,
    ResyncError,
    RuleError,
    SettingProblem,
    SettingsError,
    StoreClosed,
)

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BaseException)]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_in_the_tree_and_in_its_picture(kind: type[BaseException]) -> None:
    """One root to catch them all, and the docstring of the module draws each of them."""
    assert issubclass(kind, ResyncError)
    assert kind.__doc__
    assert kind.__name__ in (inspect.getdoc(errors) or "")


@pytest.mark.parametrize(
    ("error", "family", "words"),
    [
        (RuleError("ttl", -1, "give seconds"), ValueError, ["ttl=-1", "give seconds"]),
        (MissingExtra("The client", "httpx2", "httpx2"), ImportError, ["pip install 'asgi-resync[httpx2]'"]),
        (AlreadyWrapped(), RuntimeError, ["already wrapped", "once"]),
        (StoreClosed("MemoryStore"), RuntimeError, ["MemoryStore is closed"]),
    ],
)
def test_each_is_also_of_the_family_that_others_catch(
    error: ResyncError, family: type[Exception], words: list[str]
) -> None:
    """A wrong value is a ValueError, a missing package an ImportError; the message says what to do."""
    assert isinstance(error, family)
    assert all(word in str(error) for word in words)


def test_settings_errors_list_every_problem() -> None:
    """Each on its line, with the name, the value and what would be right."""
    problems = [SettingProblem("A", "x", "a number"), SettingProblem("B", "y", "a list")]

    one, two = SettingsError(problems[:1]), SettingsError(problems)

    assert tuple(problems) == two.problems
    assert "1 setting cannot be used:\n  A='x': a number" == str(one)
    assert "2 settings cannot be used:\n  A='x': a number\n  B='y': a list" == str(two)
    assert isinstance(two, ValueError)


def test_rule_errors_keep_their_facts() -> None:
    """For those who want to tell an operator in their own words."""
    error = RuleError("vary", "*", "name the fields")

    assert ("vary", "*", "name the fields") == (error.argument, error.value, error.remedy)
