"""A deadline bounds what is under it, and an inner one can only shorten it."""

from __future__ import annotations

import asyncio
import math

import pytest

from asgi_resync import DeadlineExceeded, RuleError, deadline
from asgi_resync._deadline import current
from asgi_resync.testing import ManualClock


def test_the_earlier_of_nested_deadlines_counts() -> None:
    """And each ends with its block."""
    clock = ManualClock(0)
    with deadline(5, clock=clock) as outer:
        clock.advance(1)
        with deadline(10, clock=clock) as longer:
            assert longer is outer
        with deadline(2, clock=clock) as shorter:
            assert shorter.remaining() == 2
            clock.advance(3)
            assert shorter.remaining() == -1
        assert current.get() is outer
        assert outer.remaining() == 1

    assert current.get() is None


async def test_tasks_that_are_started_within_have_it_too() -> None:
    """And nobody else has."""

    async def look() -> bool:
        return current.get() is not None

    outside = asyncio.ensure_future(look())
    with deadline(5):
        inside = asyncio.ensure_future(look())

    assert not await outside
    assert await inside


def test_it_ends_when_its_block_raises() -> None:
    """As context managers do."""
    with pytest.raises(KeyError), deadline(5):
        raise KeyError

    assert current.get() is None


@pytest.mark.parametrize("seconds", [math.nan, "5", None, True])
def test_what_is_no_number_is_refused(seconds: float) -> None:
    """Before anything is bounded by it."""
    with pytest.raises(RuleError), deadline(seconds):
        pass


def test_the_error_is_a_timeout() -> None:
    """So handlers of timeouts catch it, and it says whose and how long."""
    error = DeadlineExceeded("tws", 2.0)

    assert isinstance(error, TimeoutError)
    assert "tws has not answered within the 2 s" in str(error)
