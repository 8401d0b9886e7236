"""What a call books at the breaker and holds of the bulkhead, over httpx2 and httpx the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
from tests.unit.libraries import Booked, Rig, Sleeps, ToyBreaker, over_both, until

from asgi_resync import (
    Breaker,
    BreakerLimits,
    BreakerOpen,
    Bulkhead,
    BulkheadFull,
    RetryPolicy,
    deadline,
    retrying_transport,
)
from asgi_resync.events import BreakerChanged, Event, RetriesEnded, UpstreamRefused
from asgi_resync.testing import ManualClock

pytestmark = over_both


class Body:
    """Makes response bodies that give *parts* and then wait, raise or end."""

    def __init__(self, lib: ModuleType, *parts: bytes, error: str | None = None, hold: bool = False) -> None:
        class Stream(lib.AsyncByteStream):  # type: ignore[misc,name-defined] # of a module that is a parameter
            async def __aiter__(self) -> AsyncIterator[bytes]:
                for part in parts:
                    yield part
                if hold:
                    await asyncio.Event().wait()
                if error is not None:
                    raise getattr(lib, error)("scripted")

        self.response = lib.Response(200, stream=Stream())


@pytest.mark.parametrize(
    ("step", "booked"),
    [
        (200, "succeeded"),
        (404, "succeeded"),
        (500, "failed: 500"),
        ("ReadError", "raised: ReadError"),
        ("ReadTimeout", "raised: ReadTimeout"),
        ("ConnectError", "raised: ConnectError"),
        ("PoolTimeout", "withdrawn"),
        ("LocalProtocolError", "withdrawn"),
        ("UnsupportedProtocol", "withdrawn"),
        (ZeroDivisionError, "withdrawn"),
        (asyncio.CancelledError, "withdrawn"),
    ],
)
async def test_what_is_booked(lib: ModuleType, step: Any, booked: str) -> None:
    """Once each, and nothing for what is not the upstream's doing."""
    breaker = ToyBreaker()
    step = getattr(lib, step) if isinstance(step, str) else step
    async with Rig(lib, step, breaker=breaker, policy=RetryPolicy(attempts=1)) as rig:
        try:
            await rig.client.get("/")
        except (lib.TransportError, ZeroDivisionError, asyncio.CancelledError):
            pass

    assert [booked] == breaker.booked


async def test_each_attempt_is_booked_for_itself(lib: ModuleType) -> None:
    """Two failures and a success are what the upstream did."""
    breaker = ToyBreaker()
    async with Rig(lib, 503, lib.ReadError, 200, breaker=breaker) as rig:
        await rig.client.get("/")

    assert ["failed: 503", "raised: ReadError", "succeeded"] == breaker.booked


async def test_an_open_breaker_is_not_retried(lib: ModuleType) -> None:
    """The refusal comes out, and no attempt, wait or event follows it."""
    breaker = ToyBreaker()
    breaker.is_open = True
    async with Rig(lib, 200, breaker=breaker) as rig:
        with pytest.raises(Booked):
            await rig.client.get("/")

    assert ([], [], 0) == (rig.sleeps, rig.events, rig.calls)


async def test_a_breaker_that_opens_meanwhile_ends_the_retries(lib: ModuleType) -> None:
    """As soon as it has, whatever the policy allows, and before anybody waits: what was answered is what is told."""
    breaker = Breaker("up", BreakerLimits(fail_max=2), clock=ManualClock(0))
    async with Rig(lib, 503, breaker=breaker, policy=RetryPolicy(attempts=9)) as rig:
        answer = await rig.client.get("/")
        with pytest.raises(BreakerOpen) as caught:
            await rig.client.get("/")

    assert (503, 2) == (answer.status_code, rig.calls)
    assert caught.value.upstream == "up"
    ended = [event for event in rig.events if isinstance(event, RetriesEnded)]
    assert [("breaker", 2)] == [(event.reason, event.attempts) for event in ended]


async def test_a_predicate_that_raises_counts_as_a_failure_and_holds_nothing(lib: ModuleType) -> None:
    """Neither a place nor a permit."""

    def broken(status: int) -> bool:
        raise LookupError

    breaker = Breaker("up", BreakerLimits(fail_max=9), is_failed_status=broken, clock=ManualClock(0))
    bulkhead = Bulkhead(1)
    async with Rig(lib, 200, breaker=breaker, bulkhead=bulkhead) as rig:
        for _ in range(2):
            assert 200 == (await rig.client.get("/")).status_code

    assert (0, 2) == (bulkhead.in_flight, breaker.report().failures)


async def test_time_in_our_own_queue_makes_no_slow_call(lib: ModuleType) -> None:
    """Whoever has waited for a place begins then; and where the breaker has opened meanwhile it does not begin."""
    clock = ManualClock(0)
    limits = BreakerLimits(slow_call=1, slow_call_rate=0.1, minimum_calls=1)
    breaker, bulkhead = Breaker("up", limits, clock=clock), Bulkhead(1, 1)
    async with Rig(lib, 200, breaker=breaker, bulkhead=bulkhead) as rig:
        for is_open in (False, True):
            assert bulkhead.enter_at_once()
            waiting = asyncio.ensure_future(rig.client.get("/"))
            await until(lambda: bulkhead.waiting == 1)
            clock.advance(5)
            if is_open:
                breaker.force_open()
            bulkhead.leave()
            await asyncio.wait({waiting})
            assert is_open == isinstance(waiting.exception(), BreakerOpen)
            assert ("forced-open" if is_open else "closed") == breaker.report().state

    assert (1, 0) == (rig.calls, bulkhead.in_flight)


async def test_a_slow_reader_makes_no_slow_call(lib: ModuleType) -> None:
    """The upstream waits for it, and not it for the upstream."""
    clock = ManualClock(0)
    limits = BreakerLimits(slow_call=1, slow_call_rate=0.1, minimum_calls=1)
    breaker = Breaker("up", limits, clock=clock)
    rig = Rig(lib, Body(lib, b"a", b"b").response, breaker=breaker)
    async with rig, rig.client.stream("GET", "/") as response:
        async for _ in response.aiter_raw():
            clock.advance(5)

    assert ("closed", 1) == (breaker.report().state, breaker.report().calls)


async def test_a_stall_in_the_body_counts_whatever_the_policy_allowed_for_its_beginning(lib: ModuleType) -> None:
    """The deadline that ends it is the caller's, of which it had all when it began."""
    breaker, policy = ToyBreaker(), RetryPolicy(timeout=0.01)
    async with Rig(lib, Body(lib, b"a", hold=True).response, breaker=breaker, policy=policy) as rig:
        with pytest.raises(lib.TimeoutException), deadline(0.1):
            await rig.client.get("/")

    assert 1 == len(breaker.booked)
    assert breaker.booked[0].startswith("raised: ")


async def test_a_body_is_booked_when_it_has_ended(lib: ModuleType) -> None:
    """Not when the header came."""
    breaker = ToyBreaker()
    rig = Rig(lib, Body(lib, b"a", b"b").response, breaker=breaker)
    async with rig, rig.client.stream("GET", "/") as response:
        assert [] == breaker.booked
        assert b"ab" == await response.aread()
        assert ["succeeded"] == breaker.booked

    assert ["succeeded"] == breaker.booked


async def test_a_body_that_breaks_off_is_a_failure(lib: ModuleType) -> None:
    """And is not retried, as the caller may have had some of it."""
    breaker = ToyBreaker()
    async with Rig(lib, Body(lib, b"a", error="RemoteProtocolError").response, breaker=breaker) as rig:
        with pytest.raises(lib.RemoteProtocolError):
            await rig.client.get("/")

    assert (["raised: RemoteProtocolError"], 1) == (breaker.booked, rig.calls)


async def test_a_body_closed_early_by_choice_is_a_success(lib: ModuleType) -> None:
    """The upstream did what it was asked, as far as anyone looked."""
    breaker = ToyBreaker()
    async with (
        Rig(lib, Body(lib, b"a", hold=True).response, breaker=breaker) as rig,
        rig.client.stream("GET", "/") as response,
    ):
        async for _ in response.aiter_raw():
            break

    assert ["succeeded"] == breaker.booked


async def test_a_reader_that_is_cancelled_books_nothing(lib: ModuleType) -> None:
    """A client that hangs up says nothing of the upstream, and its place and permit come back."""
    breaker, bulkhead = ToyBreaker(), Bulkhead(1)
    async with Rig(lib, Body(lib, b"a", hold=True).response, breaker=breaker, bulkhead=bulkhead) as rig:
        task = asyncio.ensure_future(rig.client.get("/"))
        await until(lambda: bulkhead.in_flight > 0)
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (["withdrawn"], 0) == (breaker.booked, bulkhead.in_flight)


async def test_a_failing_status_with_a_body_is_booked_once(lib: ModuleType) -> None:
    """By its status, and its body changes nothing."""
    breaker, bulkhead = ToyBreaker(), Bulkhead(1)
    response = Body(lib, b"sorry").response
    response.status_code = 500
    async with Rig(lib, response, breaker=breaker, bulkhead=bulkhead) as rig:
        assert (await rig.client.get("/")).content == b"sorry"

    assert (["failed: 500"], 0) == (breaker.booked, bulkhead.in_flight)


@pytest.mark.parametrize(("spent", "booked"), [(0.0, "raised: Late"), (0.9, "withdrawn")])
async def test_a_deadline_counts_against_an_upstream_that_had_most_of_it(
    lib: ModuleType, spent: float, booked: str
) -> None:
    """One that was spent elsewhere does not."""

    async def hang(request: Any) -> Any:
        await asyncio.Event().wait()

    clock, breaker = ManualClock(0), ToyBreaker()
    async with Rig(lib, hang, breaker=breaker, clock=clock) as rig:
        with deadline(0.05, clock=clock):
            clock.advance(0.05 * spent)
            with pytest.raises(lib.TimeoutException):
                await rig.client.get("/")

    assert [booked] == breaker.booked


async def test_only_so_many_are_in_flight_and_so_many_wait(lib: ModuleType) -> None:
    """One more is refused at once, books nothing and is not retried; those who wait go in order."""
    gate, order = asyncio.Event(), []

    async def slow(request: Any) -> Any:
        order.append(str(request.url.path))
        await gate.wait()
        return lib.Response(200)

    breaker, bulkhead = ToyBreaker(), Bulkhead(2, 1, upstream="tws")
    async with Rig(lib, slow, breaker=breaker, bulkhead=bulkhead) as rig:
        tasks = [asyncio.ensure_future(rig.client.get(f"/{number}")) for number in range(3)]
        await until(lambda: bulkhead.waiting > 0)
        with pytest.raises(BulkheadFull) as caught:
            await rig.client.get("/3")
        assert ["/0", "/1"] == order
        assert ["withdrawn"] * 2 == breaker.booked  # the one that waits, until it has a place, and the one too many
        gate.set()
        await asyncio.gather(*tasks)

    assert [UpstreamRefused(upstream="toy", retry_after=0.0, by="bulkhead")] == rig.events
    assert ["/0", "/1", "/2"] == order
    assert ("tws", 2, 1) == (caught.value.upstream, caught.value.limit, caught.value.waiting)
    assert (0, 0) == (bulkhead.in_flight, bulkhead.waiting)


async def test_a_place_is_held_until_the_body_is_read(lib: ModuleType) -> None:
    """A response that is being read is a call in flight; and one that waits before a retry is not."""
    bulkhead = Bulkhead(1)
    held: list[int] = []

    async def sleep(seconds: float) -> None:
        held.append(bulkhead.in_flight)

    busy = Body(lib, b"busy").response
    busy.status_code = 503
    rig = Rig(lib, busy, Body(lib, b"a").response, bulkhead=bulkhead, sleep=sleep)
    async with rig, rig.client.stream("GET", "/") as response:
        assert bulkhead.in_flight == 1
        with pytest.raises(BulkheadFull):
            await rig.client.get("/")
        await response.aread()
        assert bulkhead.in_flight == 0

    assert [0] == held


async def test_one_who_waits_and_is_cancelled_leaves_the_queue(lib: ModuleType) -> None:
    """Also in the very moment in which the place is given: it goes to the next."""
    bulkhead = Bulkhead(1, 4)
    await bulkhead.enter()
    first, second, third, fourth = (asyncio.ensure_future(bulkhead.enter()) for _ in range(4))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    assert bulkhead.waiting == 3

    second.cancel()  # it is still in the queue, cancelled, when the place is given
    bulkhead.leave()
    third.cancel()  # it has the place, and has not run yet
    await fourth

    assert second.cancelled()
    assert third.cancelled()
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 0)
    bulkhead.leave()
    assert bulkhead.in_flight == 0


async def test_who_waits_for_a_place_waits_no_longer_than_the_deadline(lib: ModuleType) -> None:
    """And says nothing of the upstream."""
    bulkhead, breaker = Bulkhead(1, 1), ToyBreaker()
    await bulkhead.enter()
    async with Rig(lib, 200, breaker=breaker, bulkhead=bulkhead) as rig:
        with deadline(0.5), pytest.raises(lib.TimeoutException):
            await rig.client.get("/")

    assert (["withdrawn"], 0, 0) == (breaker.booked, bulkhead.waiting, rig.calls)


async def test_a_thousand_clients_that_hang_up_open_nothing(lib: ModuleType) -> None:
    """And leave neither permits nor places behind."""

    async def hang(request: Any) -> Any:
        await asyncio.Event().wait()

    breaker, bulkhead = Breaker("up", BreakerLimits(fail_max=1)), Bulkhead(2000)
    async with Rig(lib, hang, breaker=breaker, bulkhead=bulkhead) as rig:
        tasks = [asyncio.ensure_future(rig.client.get("/")) for _ in range(1000)]
        await until(lambda: bulkhead.in_flight == 1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert ("closed", 0, 0) == (breaker.report().state, breaker.report().failures, bulkhead.in_flight)


async def test_a_hundred_callers_at_a_half_open_breaker_reach_the_upstream_as_often_as_it_probes(
    lib: ModuleType,
) -> None:
    """The others are refused, and do not retry."""
    gate = asyncio.Event()

    async def slow(request: Any) -> Any:
        await gate.wait()
        return lib.Response(200)

    clock = ManualClock(0)
    breaker = Breaker("up", BreakerLimits(fail_max=1, probes=3, successes=3, reset_timeout=10), clock=clock)
    policy = RetryPolicy(attempts=1)
    async with Rig(lib, 503, slow, breaker=breaker, policy=policy, sleep=Sleeps()) as rig:
        await rig.client.get("/")
        clock.advance(11)
        tasks = [asyncio.ensure_future(rig.client.get("/")) for _ in range(100)]
        await until(lambda: sum(task.done() for task in tasks) == 97)
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)

    assert rig.calls == 1 + 3
    assert sum(isinstance(result, BreakerOpen) for result in results) == 97
    assert breaker.report().state == "closed"


async def test_the_policys_timeout_ends_where_the_response_begins(lib: ModuleType) -> None:
    """A long download is not cut off by it; a deadline without end cuts off nothing either."""
    clock = ManualClock(0)

    class Stream(lib.AsyncByteStream):  # type: ignore[misc,name-defined] # of a module that is a parameter
        async def __aiter__(self) -> AsyncIterator[bytes]:
            clock.advance(100)
            await asyncio.sleep(0)
            yield b"late"

    for limit in (float("inf"), 1000):
        response = lib.Response(200, stream=Stream())
        async with Rig(lib, response, policy=RetryPolicy(timeout=5), breaker=ToyBreaker(), clock=clock) as rig:
            with deadline(limit, clock=clock):
                assert (await rig.client.get("/")).content == b"late"


async def test_how_long_each_attempt_took_is_told(lib: ModuleType) -> None:
    """Without what it waited for in between; also of one that brought no answer."""
    clock = ManualClock()

    def slow(status: int) -> Any:
        async def step(request: Any) -> Any:
            clock.advance(0.5)
            if not status:
                raise lib.ReadTimeout("scripted")
            return lib.Response(status)

        return step

    async with Rig(lib, slow(503), slow(0), slow(200), upstream="tws", clock=clock) as rig:
        await rig.client.get("/")

    assert [("503", 0.5), ("ReadTimeout", 0.5), ("200", 0.5)] == [
        (event.outcome, event.seconds) for event in rig.answers
    ]
    assert {"tws"} == {event.upstream for event in rig.answers}


async def test_a_transport_whose_listener_does_not_want_to_know_measures_nothing(lib: ModuleType) -> None:
    """It calls what it wraps, and nothing in between."""

    def pick(event: Event) -> None:
        raise AssertionError(event)

    pick.wants = (BreakerChanged,)  # type: ignore[attr-defined] # a function may have attributes
    inner = lib.MockTransport(lambda request: lib.Response(200))
    transport: Any = retrying_transport(inner, on_event=pick)

    await transport.handle_async_request(lib.Request("GET", "http://up"))
    assert inner.handle_async_request == transport._send
