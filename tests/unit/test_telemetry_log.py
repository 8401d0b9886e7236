"""The log: quiet while all is well, one line when something changes."""

from __future__ import annotations

import logging

import pytest

from asgi_resync import telemetry
from asgi_resync.events import (
    BackplaneCaughtUp,
    BackplaneLost,
    BreakerChanged,
    CacheHit,
    ConfigApplied,
    ConfigRefused,
    Event,
    InternalFailure,
    MessageIgnored,
    PurgeDelivered,
    PurgeQueued,
    RecordBroken,
    ResourceAbandoned,
    ResourceDown,
    ResourceUp,
    RetryBudgetSpent,
    SettingChange,
    TierUnreachable,
    UpstreamFailed,
    WriteDropped,
)
from asgi_resync.telemetry.lines import LOGGED, Line, line_of
from asgi_resync.telemetry.pace import _KNOWN, Pace
from asgi_resync.testing import ManualClock

NAME = "tests.telemetry"
KEY = ("http", b"secret\nhost")


def changed(after: str, cause: str = "failures", open_for: float = 0.0) -> BreakerChanged:
    """Return a change of the breaker of tws."""
    return BreakerChanged(upstream="tws", before="closed", after=after, cause=cause, open_for=open_for)


LINES: list[tuple[Event, int, str]] = [
    (
        ConfigApplied(changes=(SettingChange(name="A", before="", after="1s"),)),
        20,
        "Settings in force: A unset -> 1s.",
    ),
    (
        ConfigApplied(at_restart=(SettingChange(name="B", before="x", after=""),)),
        30,
        "Settings that take a restart: B x -> unset.",
    ),
    (
        ConfigRefused(problems=("A='x': expected a duration", "B")),
        40,
        "The settings cannot be used, so the last good ones stay in force: A='x': expected a duration; B",
    ),
    (changed("open", open_for=60.0), 30, "tws is not called for 60 s: its breaker opened (failures)."),
    (changed("closed", "successes"), 20, "tws is called again: its breaker closed (successes)."),
    (changed("half-open", "time"), 10, "tws is probed: its breaker is half-open (time)."),
    (changed("forced-open", "operator"), 30, "tws is not called until its breaker is reset: it was forced open."),
    (
        changed("forced-closed", "operator"),
        30,
        "tws is called whatever happens until its breaker is reset: it was forced closed.",
    ),
    (changed("metrics-only", "operator"), 30, "The breaker of tws went from closed to metrics-only (operator)."),
    (
        TierUnreachable(operation="get", cause="TimeoutError"),
        30,
        "Redis did not get (TimeoutError); requests go on without it.",
    ),
    (
        BackplaneLost(cause="silence"),
        30,
        "Purges of other processes may be missed from now on (silence); what is held here counts as stale.",
    ),
    (BackplaneCaughtUp(missed=False), 20, "Purges of other processes are heard again."),
    (
        BackplaneCaughtUp(missed=True),
        30,
        "Purges of other processes are heard again; some can never be known, so what was held stays stale.",
    ),
    (
        PurgeQueued(count=1),
        30,
        "Redis is away: 1 tag or key purged here will be told to other processes when it is back.",
    ),
    (PurgeDelivered(count=2), 20, "Redis has heard of 2 tags and keys that were purged while it was away."),
    (
        RetryBudgetSpent(upstream="tws", attempts=1, cause="503"),
        30,
        "tws is not called again after failures (503): its budget of retries is spent.",
    ),
    (WriteDropped(key=KEY, reason="queue-full"), 30, "A response was not written to Redis: queue-full."),
    (RecordBroken(key=KEY, reason="signature"), 30, "A record in Redis cannot be used, which is a miss: signature."),
    (MessageIgnored(reason="version"), 30, "A message of another process cannot be used: version."),
    (
        ResourceDown(resource="database", cause="OSError", critical=True),
        30,
        "database is down (OSError): the app is not ready until it is back, and it is tried again for ever.",
    ),
    (
        ResourceDown(resource="search", cause="OSError", critical=False),
        30,
        "search is down (OSError): the app goes on without, and it is tried again for ever.",
    ),
    (ResourceUp(resource="database", attempts=1, seconds=0.1), 20, "database is up again."),
    (ResourceUp(resource="database", attempts=3, seconds=0.1), 20, "database is up after 3 attempts."),
    (
        ResourceAbandoned(resource="database", phase="stopping", cause="TimeoutError"),
        30,
        "database was left behind while it was stopping: it did not stop as it should (TimeoutError).",
    ),
    (
        InternalFailure(where="store.get", error=OSError("a\nb")),
        40,
        "asgi-resync failed at store.get and stepped aside (OSError); the request went on.",
    ),
]


@pytest.mark.parametrize(("event", "level", "text"), LINES, ids=[text for _, _, text in LINES])
def test_what_changes_is_one_line(event: Event, level: int, text: str) -> None:
    """It names what happened and what follows from it, and has nothing in it that a client chose."""
    line = line_of(event)

    assert line is not None
    assert (level, text) == (line.level, line.text)
    assert "\n" not in line.text


def test_every_kind_that_is_wanted_has_its_line() -> None:
    """And no kind else is told."""

    assert {*LOGGED} == {type(event) for event, _, _ in LINES}


@pytest.mark.parametrize(
    "event",
    [
        CacheHit(key=KEY, tier="l1", age=1.0),
        UpstreamFailed(upstream="tws", cause="503", row=1),
        TierUnreachable(operation="get", cause="open"),
        WriteDropped(key=KEY, reason="superseded"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_is_ordinary_or_said_elsewhere_is_no_line(event: Event) -> None:
    """Metrics count it."""
    line: Line | None = line_of(event)

    assert line is None


def test_what_repeats_itself_is_told_once_in_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    """The next line says how many there were."""
    clock = ManualClock()
    listener = telemetry.to_logging(NAME, interval=60, clock=clock)
    for _ in range(1000):
        listener(TierUnreachable(operation="get", cause="TimeoutError"))
    listener(TierUnreachable(operation="get", cause="ConnectionError"))
    clock.advance(60)
    listener(TierUnreachable(operation="set", cause="TimeoutError"))

    assert [
        "Redis did not get (TimeoutError); requests go on without it.",
        "Redis did not get (ConnectionError); requests go on without it.",
        "Redis did not set (TimeoutError); requests go on without it. (999 more like it since the last line)",
    ] == caplog.messages


def test_changes_are_told_as_they_come_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """A breaker that opens and closes all the time is bounded too."""
    caplog.set_level(logging.INFO, NAME)
    listener = telemetry.to_logging(NAME, clock=ManualClock())
    for _ in range(50):
        listener(changed("open"))
        listener(changed("closed"))

    assert 20 == len(caplog.messages)


def test_a_purge_that_was_delivered_at_once_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Only one that had to wait is."""
    caplog.set_level(logging.INFO, NAME)
    listener = telemetry.to_logging(NAME, clock=ManualClock())
    listener(PurgeDelivered(count=1))
    listener(PurgeQueued(count=1))
    listener(PurgeDelivered(count=1))
    listener(PurgeDelivered(count=1))

    assert ["WARNING", "INFO"] == [record.levelname for record in caplog.records]


def test_what_begins_and_ends_as_it_should_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """The first connection and the last word are not told; what comes back after a loss is."""
    caplog.set_level(logging.INFO, NAME)
    listener = telemetry.to_logging(NAME, clock=ManualClock())
    listener(BackplaneCaughtUp(missed=False))
    listener(BackplaneLost(cause="silence"))
    listener(BackplaneCaughtUp(missed=False))
    listener(BackplaneLost(cause="stopped"))
    listener(ResourceUp(resource="database", attempts=1, seconds=0.1))
    listener(ResourceDown(resource="database", cause="OSError", critical=False))
    listener(ResourceUp(resource="database", attempts=1, seconds=0.1))

    assert ["WARNING", "INFO"] * 2 == [record.levelname for record in caplog.records]


def test_the_level_of_the_logger_holds(caplog: pytest.LogCaptureFixture) -> None:
    """What it is not to show counts as not said, so that lowering the level shows the next one."""
    caplog.set_level(logging.ERROR, NAME)
    listener = telemetry.to_logging(logging.getLogger(NAME), clock=ManualClock())
    listener(MessageIgnored(reason="version"))
    caplog.set_level(logging.WARNING, NAME)
    listener(MessageIgnored(reason="version"))

    assert ["A message of another process cannot be used: version."] == caplog.messages


def test_a_fault_within_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """It is what a report of it needs."""
    error = OSError("gone")
    telemetry.to_logging(NAME)(InternalFailure(where="store.get", error=error))
    (record,) = caplog.records

    assert record.exc_info is not None
    assert error is record.exc_info[1]


def test_what_is_remembered_is_bounded() -> None:
    """Whoever makes up ever new things gets more lines, and no more memory."""
    pace = Pace(60)
    for number in range(_KNOWN + 1):
        assert 0 == pace.admit(number, 0.0)

    assert 1 == len(pace._said)
    assert 0 == pace.admit(0, 0.0)


def test_a_clock_that_goes_back_silences_nothing() -> None:
    """The interval begins anew."""
    pace = Pace(60)

    assert [0, None, 1] == [pace.admit("a", now) for now in (100.0, 110.0, 50.0)]
