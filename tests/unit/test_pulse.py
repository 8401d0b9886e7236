"""Whether Redis is worth asking, as calls and the backplane show."""

from __future__ import annotations

from tests.servers.guards import Book

from asgi_resync.cache.l2.pulse import Pulse


def test_after_a_failure_nothing_is_tried_while_redis_is_away() -> None:
    """The backplane finds out when it is back."""
    book, is_live = Book(), False
    pulse = Pulse(book, lambda: is_live)
    first = pulse.admit()
    assert first is not None
    first.failed(TimeoutError())

    assert pulse.admit() is None
    assert 1 == book.admitted

    is_live = True
    second = pulse.admit()
    assert second is not None
    second.succeeded()

    assert pulse.is_well


def test_it_is_not_well_while_its_guard_refuses() -> None:
    """Though a call under way succeeded after it closed: else nobody would look whether Redis is back."""
    book = Book()
    pulse = Pulse(book, lambda: True)
    late = pulse.admit()
    assert late is not None
    book.is_closed = False
    late.succeeded()

    assert pulse.admit() is None
    assert not pulse.is_well


def test_without_a_guard_it_is_the_backplane_alone() -> None:
    """What is withdrawn says nothing."""
    pulse = Pulse(None, lambda: False)
    permit = pulse.admit()
    assert permit is not None
    permit.withdrawn()

    assert pulse.is_well
