"""Listeners: which events they are told of, and that none harms another or a request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from asgi_resync import Cache, CacheRule, MemoryStore, Resync, RuleError, events, telemetry
from asgi_resync.cache import middleware
from asgi_resync.events import CacheEvent, CacheHit, Event, InternalFailure, Purged, guarded, wants
from asgi_resync.telemetry.lines import LOGGED
from asgi_resync.testing import Reply, ScriptedApp, request

HIT = CacheHit(key=("a",), tier="l1", age=1.0)
PURGED = Purged(scope="all", name="", soft=False)


class Picky:
    """A listener that wants some kinds, and notes what it is told."""

    def __init__(self, *kinds: type[Event]) -> None:
        self.wants = kinds
        self.told: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.told.append(event)


def test_a_listener_wants_every_event_unless_it_declares_some() -> None:
    """By its kinds, those above and those below them."""
    told: list[Event] = []

    assert wants(told.append, CacheHit)
    assert wants(Picky(CacheHit), CacheHit, Purged)
    assert wants(Picky(CacheHit), CacheEvent)
    assert wants(Picky(CacheEvent), CacheHit)
    assert not wants(Picky(Purged), CacheHit)
    assert not wants(guarded(Picky(Purged)), CacheHit)


def test_several_listeners_are_each_told_what_they_want() -> None:
    """In order; together they want what any of them wants."""
    hits, purges, everything = Picky(CacheHit), Picky(Purged), list[Event]()
    some = telemetry.all_of(hits, purges)
    every = telemetry.all_of(some, everything.append)
    every(HIT)
    every(PURGED)

    assert [HIT] == hits.told
    assert [PURGED] == purges.told
    assert [HIT, PURGED] == everything
    assert (CacheHit, Purged) == some.wants
    assert every.wants is None


def test_a_listener_that_raises_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next one is told."""
    told: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("listener")

    telemetry.all_of(broken, told.append)(HIT)

    assert [HIT] == told
    assert "RuntimeError: listener" in caplog.text


async def _later(event: Event) -> None:
    """No listener."""


class _Later:
    async def __call__(self, event: Event) -> None:
        """No listener either."""


@pytest.mark.parametrize(
    "wrong",
    [1, "log", _later, _Later(), [_later], [None], {print}],
    ids=["number", "text", "async function", "async object", "list of async", "list of none", "set"],
)
def test_what_is_no_listener_is_refused(wrong: object) -> None:
    """When it is given, and not when something happens."""
    with pytest.raises(RuleError, match="on_event"):
        Resync(on_event=wrong)  # type: ignore[arg-type] # it must not work


def test_what_is_no_listener_is_refused_among_several() -> None:
    """As by Resync."""
    with pytest.raises(RuleError, match="on_event"):
        telemetry.all_of(print, _later)  # type: ignore[arg-type] # it must not work


async def test_a_hit_makes_no_event_where_only_the_log_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody wants is not even made."""
    resync = Resync(rules=[CacheRule("/", ttl=10)])
    app = resync(ScriptedApp(Reply(body=[b"a"])))
    await request(app, "GET", "/")

    def made(**_: object) -> None:
        raise AssertionError("an event was made")

    monkeypatch.setattr(middleware, "CacheHit", made)
    response = await request(app, "GET", "/")

    assert "hit" in (response.header("cache-status") or "")
    assert resync.cache.emit is None
    assert resync.cache.tell is not None


async def test_several_listeners_of_a_resync_hear_of_hits() -> None:
    """A list will do, beside the log."""
    one, other = list[Event](), list[Event]()
    resync = Resync(rules=[CacheRule("/", ttl=10)], on_event=[one.append, other.append])
    app = resync(ScriptedApp(Reply(body=[b"a"])))
    await request(app, "GET", "/")
    await request(app, "GET", "/")

    assert ["CacheMiss", "Stored", "CacheHit"] == [type(event).__name__ for event in one]
    assert one == other


async def test_a_failure_within_goes_to_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    """By the listener of a Resync, and by the cache itself where no listener wants it."""
    Resync().cache.failed("store.get", OSError("gone"))
    Cache(MemoryStore()).failed("store.get", OSError("gone"))
    Cache(MemoryStore(), on_event=Picky(Purged)).failed("store.get", OSError("gone"))
    told: list[Event] = []
    Cache(MemoryStore(), on_event=told.append).failed("store.get", OSError("gone"))

    assert [logging.ERROR, logging.WARNING, logging.WARNING] == [record.levelno for record in caplog.records]
    assert [InternalFailure] == [type(event) for event in told]


async def test_a_log_whose_handler_raises_harms_no_request() -> None:
    """Not when a listener writes to it, and not when it is told that one has raised."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("no space left")

    def raising(event: Event) -> None:
        raise RuntimeError("listener")

    handler, logger = Broken(), logging.getLogger("asgi_resync")
    logger.addHandler(handler)
    try:
        resync = Resync(rules=[CacheRule("/", ttl=10)], on_event=raising)
        response = await request(resync(ScriptedApp(Reply(body=[b"a"]))), "GET", "/")
        resync.upstreams["tws"].breaker.force_open()
        resync.cache.failed("store.get", OSError("gone"))
    finally:
        logger.removeHandler(handler)

    assert 200 == response.status


def test_the_log_is_there_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever gives one of their own gets no second one."""
    own = telemetry.to_logging("own")

    nested = telemetry.all_of(own, print)
    for given in (own, [own], nested, [nested]):
        Resync(on_event=given).cache.failed("store.get", OSError("gone"))

    assert {"own"} == {record.name for record in caplog.records}


def test_a_slow_listener_holds_up_nobody() -> None:
    """It is told in another thread, in order; what it has no room for is dropped and counted."""
    entered, may_go = threading.Event(), threading.Event()
    told: list[tuple[Event, str]] = []

    def slow(event: Event) -> None:
        entered.set()
        assert may_go.wait(10)
        told.append((event, threading.current_thread().name))

    listener = telemetry.aside(slow, limit=2)
    listener(HIT)
    assert entered.wait(10)
    for _ in range(5):
        listener(PURGED)

    assert [] == told
    assert 3 == listener.dropped
    assert not listener.flush(0)
    may_go.set()
    assert listener.flush(10)
    assert [HIT, PURGED, PURGED] == [event for event, _ in told]
    assert {"asgi-resync-listener"} == {name for _, name in told}


def test_what_is_told_aside_is_what_its_listener_wants() -> None:
    """So that a hit makes no event for it either."""

    assert (Purged,) == telemetry.aside(Picky(Purged)).wants
    with pytest.raises(RuleError, match="limit"):
        telemetry.aside(print, limit=0)


def test_the_thread_of_a_listener_ends_when_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """And another one begins with the next event; after a fork too, which takes no thread along."""
    monkeypatch.setattr("asgi_resync.telemetry.threaded._LINGER", 0.0)
    ended: list[threading.Thread] = []
    told: list[Event] = []

    def note(event: Event) -> None:
        told.append(event)
        ended.append(threading.current_thread())

    listener = telemetry.aside(note)
    for pid in (None, None, 1):
        if pid is not None:
            monkeypatch.setattr("asgi_resync.telemetry.threaded.os.getpid", lambda: 1)
        listener(HIT)
        assert listener.flush(10)
        ended[-1].join(10)

    assert 3 == len(told)
    assert not any(thread.is_alive() for thread in ended)


QUIET = {
    "Event", "CacheEvent", "UpstreamEvent", "CacheHit", "CacheMiss", "Stored", "NotStored", "StaleServed", "Refreshed",
    "RefreshFailed", "TierAnswered", "Collapsed", "Invalidated", "Purged", "Evicted", "UpstreamFailed",
    "UpstreamAnswered",
    "UpstreamRecovered",
    "UpstreamRefused", "RetryScheduled", "RetriesEnded", "DegradedAnswer", "ResourceEvent", "ResourceRetryScheduled",
    "ResourceStopped",
}  # fmt: skip
"""What is not worth a line: every request may bring it, or another line says it."""


def kinds_where(is_wanted: Callable[[type[Event]], bool]) -> set[str]:
    """Return the names of the kinds of events for which *is_wanted* holds."""
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]
    return {kind.__name__ for kind in kinds if is_wanted(kind)}


def test_of_every_kind_of_event_it_is_decided_whether_it_is_logged() -> None:
    """A new one must be put in its place."""

    assert QUIET == kinds_where(lambda kind: kind not in LOGGED)
    assert not {*events.OF_REQUESTS} & {*LOGGED}
