"""A breaker in use: blocks and permits, who is refused and how, events, and tasks and threads that share it."""

from __future__ import annotations

import asyncio
import gc
import pickle
import subprocess
import sys
import threading
import traceback
from typing import Any

import pytest

from asgi_resync.breaker.breaker import Breaker
from asgi_resync.breaker.guard import BreakerGuard
from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.breaker.state import Heard, State
from asgi_resync.cache.l2 import ports
from asgi_resync.errors import BreakerOpen, RuleError
from asgi_resync.events import (
    BreakerChanged,
    Event,
    UpstreamFailed,
    UpstreamRecovered,
    UpstreamRefused,
)
from asgi_resync.testing import ManualClock

LIMITS = BreakerLimits(fail_max=2, reset_timeout=10, jitter=0)


class HTTPError(Exception):
    """Like those of HTTP clients."""

    def __init__(self, status: int) -> None:
        self.response = type("Response", (), {"status_code": status})()


class PoolTimeout(Exception):
    """Named like httpx's."""


def breaker(clock: ManualClock | None = None, events: list[Event] | None = None, **limits: Any) -> Breaker:
    """Return a breaker that opens after two failures for ten seconds, unless *limits* say otherwise."""
    return Breaker(
        "tws",
        BreakerLimits(**{"fail_max": 2, "reset_timeout": 10, "jitter": 0, **limits}),
        clock=clock or ManualClock(0),
        wall=ManualClock(1000),
        on_event=None if events is None else events.append,
    )


def broken_listener(event: Event) -> None:
    """Raise on each event."""
    raise ZeroDivisionError


async def call(subject: Breaker, error: BaseException | None = None) -> None:
    """Make one call, which raises *error*; what it raises is dropped."""
    try:
        async with subject:
            if error is not None:
                raise error
    except BaseException as raised:
        if raised is not error:
            raise


async def opened(clock: ManualClock | None = None, **more: Any) -> Breaker:
    """Return a breaker that has opened."""
    subject = breaker(clock, **more)
    for _ in range(subject.limits.fail_max):
        await call(subject, OSError())
    assert State.OPEN == subject.state
    return subject


async def test_a_rejection_says_who_how_long_and_since_when() -> None:
    """Each is another exception, hashable, and can be sent to another process."""
    clock = ManualClock(0)
    subject = await opened(clock)
    clock.advance(4)
    with pytest.raises(BreakerOpen) as first:
        await call(subject)
    with pytest.raises(BreakerOpen) as second:
        subject.admit()
    copy = pickle.loads(pickle.dumps(BreakerOpen("tws", 6, 996)))

    assert ("tws", 6, 996) == (first.value.upstream, first.value.retry_after, first.value.since)
    assert ("tws", 6, 996) == (copy.upstream, copy.retry_after, copy.since)
    assert 2 == len({first.value, second.value})
    assert "Try again in 6.0 s" in str(first.value)


async def test_ten_thousand_rejections_leave_memory_flat_and_tracebacks_short() -> None:
    """Nothing is kept of them."""
    subject = await opened()
    lengths: set[int] = set()
    for _ in range(10):
        await rejected(subject, lengths)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(10_000):
        await rejected(subject, lengths)
    gc.collect()

    assert len(gc.get_objects()) - before < 50
    assert {3} == lengths


async def rejected(subject: Breaker, lengths: set[int]) -> None:
    """Be rejected, and note how long the traceback is."""
    try:
        async with subject:
            raise AssertionError
    except BreakerOpen as error:
        lengths.add(len(traceback.extract_tb(error.__traceback__)))


async def test_a_thousand_cancelled_calls_open_nothing() -> None:
    """Neither does anything else that is no Exception."""
    subject = breaker()

    async def hang() -> None:
        async with subject:
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(hang()) for _ in range(1000)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await call(subject, GeneratorExit())

    assert State.CLOSED == subject.state
    assert (0, 0) == (subject.report().calls, subject.report().row)


@pytest.mark.parametrize("probes", [1, 2])
async def test_of_a_hundred_callers_as_many_probe_as_may(probes: int) -> None:
    """And the others are told at once."""
    clock = ManualClock(0)
    subject = await opened(clock, probes=probes, successes=probes)
    clock.advance(10)
    reached, go = 0, asyncio.Event()

    async def caller() -> str:
        nonlocal reached
        try:
            async with subject:
                reached += 1
                await go.wait()
                return "reached"
        except BreakerOpen:
            return "refused"

    tasks = [asyncio.create_task(caller()) for _ in range(100)]
    await asyncio.sleep(0)
    before = reached
    go.set()
    results = await asyncio.gather(*tasks)

    assert (probes, probes) == (before, results.count("reached"))
    assert State.CLOSED == subject.state


async def test_a_cancelled_probe_lets_the_next_one_go() -> None:
    """It has not failed, and has not succeeded."""
    clock = ManualClock(0)
    subject = await opened(clock)
    clock.advance(10)
    await call(subject, asyncio.CancelledError())
    before = subject.state
    await call(subject)

    assert (State.HALF_OPEN, State.CLOSED) == (before, subject.state)


async def test_a_call_from_before_it_opened_closes_nothing() -> None:
    """Though it ends well while a probe is out."""
    clock = ManualClock(0)
    subject = breaker(clock)
    late = subject.admit()
    await call(subject, OSError())
    await call(subject, OSError())
    clock.advance(10)
    probe = subject.admit()
    late.succeeded()
    during = subject.state
    probe.failed(OSError())

    assert (State.HALF_OPEN, State.OPEN) == (during, subject.state)


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (OSError(), 1), (TimeoutError(), 1), (HTTPError(503), 1), (HTTPError(429), 1), (HTTPError(404), 0),
        (HTTPError(401), 0), (BreakerOpen("other", 1, 0), 0), (PoolTimeout(), 0), (KeyboardInterrupt(), 0),
    ],
)  # fmt: skip
async def test_what_counts_as_a_failure(error: BaseException, row: int) -> None:
    """Not the caller's own mistakes, another breaker, or a pool that was empty."""
    subject = breaker()
    await call(subject, error)

    assert row == subject.report().row


async def test_a_predicate_may_say_otherwise() -> None:
    """Of exceptions, and of statuses. One that raises is logged, and the call counts as failed."""
    lenient = Breaker("a", LIMITS, is_failure=lambda error: isinstance(error, OSError))
    strict = Breaker("b", LIMITS, is_failed_status=lambda status: status >= 400)
    broken = Breaker("c", LIMITS, is_failure=lambda error: bool(1 / 0))
    await call(lenient, KeyError())
    await call(strict, HTTPError(404))
    strict.admit().answered(404)
    await call(broken, KeyError())

    assert [0, 1] == [lenient.report().row, broken.report().row]
    assert State.OPEN == strict.state


async def test_blocks_of_tasks_that_share_a_breaker_are_told_apart() -> None:
    """The one that began before it opened, and ends after the other, counts for nothing."""
    clock = ManualClock(0)
    subject = breaker(clock, fail_max=1)
    go = asyncio.Event()

    async def slow() -> None:
        async with subject:
            await go.wait()

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    await call(subject, OSError())
    clock.advance(10)
    async with subject:
        go.set()
        await task
        during = subject.state

    assert (State.HALF_OPEN, State.CLOSED) == (during, subject.state)


async def test_blocks_may_nest_and_end_in_any_order() -> None:
    """Each breaker gets its own results."""
    one, other = breaker(), breaker()
    one.enter()
    other.enter()
    one.leave(OSError())
    other.leave(None)
    async with one, one:
        pass

    assert (3, 1) == (one.report().calls, one.report().failures)
    assert (1, 0) == (other.report().calls, other.report().failures)


async def test_a_block_that_ends_in_another_task_counts_for_nothing() -> None:
    """As an async generator that is closed elsewhere."""
    subject = breaker()

    async def enter() -> None:
        subject.enter()

    await asyncio.create_task(enter())
    subject.leave(OSError())

    assert 0 == subject.report().calls


def test_threads_share_it() -> None:
    """Each call counts once."""
    subject = breaker(fail_max=10_000, failure_rate=None)

    def work() -> None:
        for number in range(500):
            try:
                with subject.admit():
                    if number % 5 == 0:
                        raise OSError
            except OSError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (2000, 400) == (subject.report().calls, subject.report().failures)


def test_what_is_said_first_of_a_permit_counts() -> None:
    """Once."""
    subject = breaker()
    permit = subject.admit()
    permit.succeeded()
    permit.failed(OSError())
    permit.raised(OSError())
    permit.withdrawn()

    assert (1, 0) == (subject.report().calls, subject.report().failures)


def test_a_guard_gives_a_permit_or_none() -> None:
    """It is what the second tier asks for, and notices recovery though nobody failed in between."""
    clock = ManualClock(0)
    guard: ports.Guard = BreakerGuard(breaker(clock))
    for _ in range(2):
        permit: ports.Permit | None = guard.admit()
        assert permit is not None
        permit.failed(TimeoutError())
    refused = guard.admit()
    clock.advance(10)
    probe = guard.admit()
    assert probe is not None
    probe.succeeded()

    assert refused is None
    assert guard.admit() is not None


async def test_each_thing_that_happens_is_an_event() -> None:
    """In order, and with what another process needs to act on it. A listener that raises harms nobody."""
    events: list[Event] = []
    clock = ManualClock(0)
    subject = breaker(clock, events)
    subject.listen(broken_listener)
    await call(subject, HTTPError(503))
    await call(subject)
    await call(subject, OSError())
    subject.admit().failed(502)
    assert subject.ask() is None
    clock.advance(10)
    await call(subject)
    subject.force_open()

    assert [
        UpstreamFailed(upstream="tws", cause="HTTPError", row=1),
        UpstreamRecovered(upstream="tws"),
        UpstreamFailed(upstream="tws", cause="OSError", row=1),
        UpstreamFailed(upstream="tws", cause="502", row=2),
        BreakerChanged(upstream="tws", before="closed", after="open", cause="failures", open_for=10),
        UpstreamRefused(upstream="tws", retry_after=10),
        BreakerChanged(upstream="tws", before="open", after="half-open", cause="time"),
        BreakerChanged(upstream="tws", before="half-open", after="closed", cause="successes"),
        BreakerChanged(upstream="tws", before="closed", after="forced-open", cause="operator"),
    ] == events


async def test_operators_force_it() -> None:
    """Open, closed, or to count only; and reset it."""
    subject = breaker()
    subject.force_open()
    forced = subject.state, subject.is_admitting, subject.retry_after, subject.since
    subject.force_closed()
    await call(subject, OSError())
    subject.metrics_only()
    for _ in range(5):
        await call(subject, OSError())
    counted = subject.state, subject.is_admitting, subject.report().failures, subject.since
    subject.reset()

    assert (State.FORCED_OPEN, False, 10, 1000) == forced
    assert (State.METRICS_ONLY, True, 5, None) == counted
    assert (State.CLOSED, 0, 0) == (subject.state, subject.report().failures, subject.retry_after)


async def test_what_another_process_says_opens_it_early() -> None:
    """Without a call of its own."""
    clock = ManualClock(0)
    subject = breaker(clock)
    subject.hear(Heard(state=State.OPEN, open_for=5))
    report = subject.report()
    clock.advance(5)

    assert ("open", 5) == (report.state, report.retry_after)
    assert subject.is_admitting


def test_limits_of_the_wrong_kind_are_refused() -> None:
    """At once."""
    wrong: Any = {"fail_max": 3}
    with pytest.raises(RuleError, match="BreakerLimits"):
        Breaker("tws", wrong)


def test_no_breaker_needs_purgatory() -> None:
    """Which loads redis, and costs more than all the rest."""
    code = (
        "import sys\n"
        "from asgi_resync.breaker.breaker import Breaker\n"
        "b = Breaker('tws'); b.force_open()\n"
        "try: b.admit()\n"
        "except Exception as error: print(type(error).__name__)\n"
        "print('purgatory' in sys.modules, 'redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert "BreakerOpen\nFalse False\n" == done.stdout
