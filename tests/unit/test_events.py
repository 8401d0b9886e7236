"""Events are frozen values of facts, and a listener can do no harm."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import warnings
from collections.abc import Awaitable

import pytest

from asgi_resync import events
from asgi_resync.events import CacheHit, Event, Purged, guarded

ALL = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]


@pytest.mark.parametrize("kind", ALL)
def test_every_event_is_a_frozen_value_that_says_what_happened(kind: type[Event]) -> None:
    """It has a docstring, no dictionary, and cannot be changed by a listener."""
    assert kind.__doc__
    assert dataclasses.is_dataclass(kind)
    assert not hasattr(object.__new__(kind), "__dict__")
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
        object.__new__(kind).anything = 1  # type: ignore[attr-defined] # it must not work


def test_events_compare_by_value() -> None:
    """So tests can say what they expect."""
    assert CacheHit(key=("a",), tier="l1", age=1.0) == CacheHit(key=("a",), tier="l1", age=1.0)
    assert Purged(scope="tag", name="a", soft=True) != Purged(scope="tag", name="a", soft=False)


def test_a_guarded_listener_gets_every_event() -> None:
    """In order, and the very objects."""
    told: list[Event] = []
    event = Event()

    guarded(told.append)(event)

    assert [event] == told
    assert event is told[0]


def test_a_listener_that_raises_is_logged_and_goes_on_being_called(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises reaches the log with the kind of event, less and less often, and nobody else."""
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("listener")

    tell = guarded(broken)
    with caplog.at_level(logging.ERROR, logger="asgi_resync"):
        for _ in range(1000):
            tell(Event())

    assert 1000 == len(calls)
    assert ["time 1", "time 10", "time 100", "time 1000"] == re.findall(r"time \d+", caplog.text)
    assert "Event" in caplog.text
    assert "RuntimeError: listener" in caplog.text


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_not_swallowed(fault: type[BaseException]) -> None:
    """KeyboardInterrupt in a listener is the user's, not the listener's."""

    def interrupted(event: Event) -> None:
        raise fault

    with pytest.raises(fault):
        guarded(interrupted)(Event())


def test_a_cancellation_that_a_listener_raises_cancels_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is called, not awaited: what it raises so is its own fault, as of a future whose result it asked for."""

    def broken(event: Event) -> None:
        raise asyncio.CancelledError

    guarded(broken)(Event())

    assert ["CancelledError"] == re.findall(r"\((\w+), time 1\)", caplog.text)


async def _later(event: Event) -> None:
    raise AssertionError("nobody awaits it")


def test_a_coroutine_that_a_listener_returns_is_closed_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """As that of a lambda around an async function, which cannot be told from another before it is called."""
    tell = guarded(lambda event: _later(event))  # type: ignore[arg-type] # as users write it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            tell(Event())

    (record,) = caplog.records
    assert "returned coroutine on Event, which nobody awaits" in record.getMessage()


async def test_a_task_that_a_listener_returns_runs_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """It is left alone, and so is what is no awaitable."""
    told: list[Awaitable[int]] = []

    def starts(event: Event) -> Awaitable[int]:
        told.append(asyncio.ensure_future(asyncio.sleep(0, 7)))
        return told[0]

    guarded(starts)(Event())  # type: ignore[arg-type] # as users write it
    guarded(lambda event: 1)(Event())  # type: ignore[arg-type] # as above

    assert 7 == await told[0]
    assert [] == caplog.records


def test_each_class_of_what_a_listener_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Also where a listener makes up ever new ones: what is remembered is bounded."""

    def broken(event: Event) -> None:
        raise type(f"Fault{len(caplog.records)}", (Exception,), {})

    tell = guarded(broken)
    for _ in range(300):
        tell(Event())

    assert 300 == len(caplog.records)


def test_a_guarded_listener_is_not_guarded_again() -> None:
    """It never raises already."""
    tell = guarded(print)

    assert tell is guarded(tell)
