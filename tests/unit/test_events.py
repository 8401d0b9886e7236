"""Events are frozen values of facts, and a listener can do no harm."""

from __future__ import annotations

import dataclasses
import logging

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
    """What it raises reaches the log with the kind of event, and nobody else."""
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("listener")

    tell = guarded(broken)
    with caplog.at_level(logging.ERROR, logger="asgi_resync"):
        tell(Event())
        tell(Event())

    assert 2 == len(calls)
    assert 2 == len(caplog.records)
    assert "Event" in caplog.text
    assert "RuntimeError: listener" in caplog.text


def test_what_ends_the_process_is_not_swallowed() -> None:
    """KeyboardInterrupt in a listener is the user's, not the listener's."""

    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(interrupted)(Event())
