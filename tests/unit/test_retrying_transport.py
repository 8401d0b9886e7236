"""A transport that retries with manners, over httpx2 and httpx the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
from tests.unit.libraries import Rig, Sleeps, over_both

from asgi_resync import MissingExtra, RetryBudget, RetryPolicy, RuleError, deadline, retrying_transport
from asgi_resync._headers import format_http_date
from asgi_resync.errors import DeadlineExceeded
from asgi_resync.events import RetriesEnded, RetryBudgetSpent, RetryScheduled
from asgi_resync.testing import ManualClock

pytestmark = over_both


async def test_a_first_answer_is_handed_on(lib: ModuleType) -> None:
    """Nothing is waited for, told or counted."""
    async with Rig(lib, 200) as rig:
        assert (await rig.client.get("/")).status_code == 200

    assert ([], [], 1) == (rig.sleeps, rig.events, rig.calls)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_passing_status_is_retried(lib: ModuleType, status: int) -> None:
    """And the answer of the attempt that went well is the one the caller gets."""
    async with Rig(lib, status, status, 200) as rig:
        assert (await rig.client.get("/")).status_code == 200

    assert rig.calls == 3
    assert [1, 2] == [event.attempt for event in rig.events if isinstance(event, RetryScheduled)]
    assert {str(status)} == {event.cause for event in rig.events if isinstance(event, RetryScheduled)}


@pytest.mark.parametrize("status", [301, 400, 404, 408, 425, 500, 501])
async def test_other_statuses_are_not(lib: ModuleType, status: int) -> None:
    """They are no better the second time."""
    async with Rig(lib, status) as rig:
        assert (await rig.client.get("/")).status_code == status

    assert ([], 1) == (rig.events, rig.calls)


@pytest.mark.parametrize("error", ["ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError", "RemoteProtocolError"])
async def test_errors_of_the_network_are_retried(lib: ModuleType, error: str) -> None:
    """Those of either library, by their own classes."""
    async with Rig(lib, getattr(lib, error), 200) as rig:
        assert (await rig.client.get("/")).status_code == 200

    assert rig.calls == 2


@pytest.mark.parametrize("error", ["PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"])
async def test_errors_of_our_own_making_are_not(lib: ModuleType, error: str) -> None:
    """A full pool gets no emptier by asking again."""
    async with Rig(lib, getattr(lib, error)) as rig:
        with pytest.raises(getattr(lib, error)):
            await rig.client.get("/")

    assert ([], 1) == (rig.events, rig.calls)


async def test_exceptions_that_are_no_transport_errors_pass(lib: ModuleType) -> None:
    """A bug in a transport is not retried."""
    async with Rig(lib, ZeroDivisionError) as rig:
        with pytest.raises(ZeroDivisionError):
            await rig.client.get("/")

    assert rig.calls == 1


@pytest.mark.parametrize(
    ("method", "options", "error", "calls"),
    [
        ("POST", {}, "ReadTimeout", 1),
        ("POST", {}, "ConnectError", 3),
        ("PATCH", {}, "ConnectTimeout", 3),
        ("POST", {"headers": {"Idempotency-Key": "1"}}, "ReadTimeout", 3),
        ("POST", {"extensions": {"resync.retry": True}}, "ReadTimeout", 3),
        ("GET", {"extensions": {"resync.retry": False}}, "ConnectError", 1),
        ("QUERY", {}, "ReadTimeout", 3),
        ("DELETE", {}, "ReadTimeout", 3),
    ],
)
async def test_which_requests_are_sent_again(
    lib: ModuleType, method: str, options: dict[str, Any], error: str, calls: int
) -> None:
    """Those that do no harm twice, those that say so, and those of which the upstream saw nothing."""
    async with Rig(lib, getattr(lib, error)) as rig:
        with pytest.raises(getattr(lib, error)):
            await rig.client.request(method, "/", content=b"x", **options)

    assert calls == rig.calls


async def test_the_last_failure_is_what_the_caller_gets(lib: ModuleType) -> None:
    """The library's own error or answer, wrapped in nothing."""
    async with Rig(lib, 503, lib.ReadError, 504) as rig:
        assert (await rig.client.get("/")).status_code == 504

    assert RetriesEnded(upstream="", attempts=3, reason="attempts", cause="504") == rig.events[-1]


async def test_an_error_comes_as_it_was_raised(lib: ModuleType) -> None:
    """The same object, so that its traceback and its request are there."""
    errors = [lib.ReadError("1"), lib.ReadError("2"), lib.ReadError("3")]
    async with Rig(lib, *errors) as rig:
        with pytest.raises(lib.ReadError) as caught:
            await rig.client.get("/")

    assert caught.value is errors[2]
    assert str(caught.value.request.url) == "http://up/"


async def test_backoff_is_full_jitter_within_a_doubling_window(lib: ModuleType) -> None:
    """Between 0 and the window, which stops at its cap."""
    policy = RetryPolicy(attempts=6, backoff=1.0, backoff_max=3.0)
    budget = RetryBudget(floor=1000)
    drawn: list[list[float]] = []
    for _ in range(50):
        async with Rig(lib, 503, policy=policy, budget=budget) as rig:
            await rig.client.get("/")
        drawn.append(rig.sleeps)

    longest = [max(waits) for waits in zip(*drawn, strict=True)]
    shortest = [min(waits) for waits in zip(*drawn, strict=True)]
    assert all(longest[place] <= window for place, window in enumerate([1, 2, 3, 3, 3]))
    assert all(longest[place] > window * 0.5 for place, window in enumerate([1, 2, 3, 3, 3]))
    assert all(wait < 0.5 for wait in shortest)


@pytest.mark.parametrize(("value", "expected"), [("7", 7.0), (format_http_date(1_700_000_007).decode(), 7.0)])
async def test_retry_after_is_obeyed(lib: ModuleType, value: str, expected: float) -> None:
    """In seconds, and as a date by the wall clock."""
    busy = lib.Response(429, headers={"Retry-After": value})
    async with Rig(lib, busy, 200, wall_clock=ManualClock(1_700_000_000)) as rig:
        assert (await rig.client.get("/")).status_code == 200

    assert [expected] == rig.sleeps


async def test_too_long_a_retry_after_ends_it_at_once(lib: ModuleType) -> None:
    """The caller gets the answer with its Retry-After, and nobody waits."""
    async with Rig(lib, lib.Response(503, headers={"Retry-After": "3600"}, content=b"later")) as rig:
        response = await rig.client.get("/")

    assert ("3600", b"later") == (response.headers["retry-after"], response.content)
    assert ([], 1) == (rig.sleeps, rig.calls)
    assert RetriesEnded(upstream="", attempts=1, reason="retry-after", cause="503") == rig.events[-1]


async def test_failed_responses_are_closed_before_the_wait(lib: ModuleType) -> None:
    """They would hold a connection of the pool for as long as nobody needs them."""
    order: list[str] = []

    class Body(lib.AsyncByteStream):  # type: ignore[misc,name-defined] # of a module that is a parameter
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"busy"

        async def aclose(self) -> None:
            order.append("closed")

    async def sleep(seconds: float) -> None:
        order.append("waited")

    async with Rig(lib, lib.Response(503, stream=Body()), 200, sleep=sleep) as rig:
        await rig.client.get("/")

    assert ["closed", "waited"] == order


async def test_a_response_that_cannot_even_be_closed_does_no_harm(lib: ModuleType) -> None:
    """It failed before."""

    class Body(lib.AsyncByteStream):  # type: ignore[misc,name-defined] # of a module that is a parameter
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b""

        async def aclose(self) -> None:
            raise lib.CloseError("closed badly")

    async with Rig(lib, lib.Response(503, stream=Body()), 200) as rig:
        assert (await rig.client.get("/")).status_code == 200


async def chunks() -> AsyncIterator[bytes]:
    """A body that can be sent once."""
    yield b"a"
    yield b"b"


class Reading:
    """A transport's method that reads a request's body as a socket does, then fails; or fails before it."""

    def __init__(self, lib: ModuleType, *, reads: bool, error: str) -> None:
        self.lib, self.reads, self.error = lib, reads, error
        self.bodies: list[bytes] = []

    def transport(self) -> Any:
        """Return it as a transport of the library."""
        outer = self

        class Transport(self.lib.AsyncBaseTransport):  # type: ignore[misc,name-defined] # of a module that is a parameter
            async def handle_async_request(self, request: Any) -> Any:
                outer.bodies.append(b"".join([chunk async for chunk in request.stream]) if outer.reads else b"")
                raise getattr(outer.lib, outer.error)("scripted")

        return Transport()


async def test_a_body_that_was_begun_is_not_sent_again(lib: ModuleType) -> None:
    """It would be sent cut off, or not at all."""
    reading = Reading(lib, reads=True, error="ReadError")
    async with Rig(lib, transport=reading.transport()) as rig:
        with pytest.raises(lib.ReadError):
            await rig.client.put("/", content=chunks())

    assert [b"ab"] == reading.bodies
    assert [RetriesEnded(upstream="", attempts=1, reason="body", cause="ReadError")] == rig.events


async def test_a_body_that_nobody_began_is(lib: ModuleType) -> None:
    """No connection was made, so it is whole."""
    reading = Reading(lib, reads=False, error="ConnectError")
    async with Rig(lib, transport=reading.transport()) as rig:
        with pytest.raises(lib.ConnectError):
            await rig.client.post("/", content=chunks())

    assert len(reading.bodies) == 3


async def test_bytes_are_sent_again_whole(lib: ModuleType) -> None:
    """Each time."""
    reading = Reading(lib, reads=True, error="ReadError")
    async with Rig(lib, transport=reading.transport()) as rig:
        with pytest.raises(lib.ReadError):
            await rig.client.put("/", json={"a": 1})

    assert [b'{"a":1}'] * 3 == reading.bodies


async def test_a_spent_budget_returns_the_first_failure_at_once(lib: ModuleType) -> None:
    """As it came, and says so."""
    budget = RetryBudget(share=0, floor=1)
    async with Rig(lib, 503, budget=budget, upstream="tws") as rig:
        await rig.client.get("/")  # one retry is all there is
        rig.events.clear()
        rig.sleeps.clear()
        response = await rig.client.get("/")

    assert (503, [], 3) == (response.status_code, rig.sleeps, rig.calls)
    assert [RetryBudgetSpent(upstream="tws", attempts=1, cause="503")] == rig.events


async def test_without_attempts_nothing_is_retried(lib: ModuleType) -> None:
    """One attempt is one."""
    async with Rig(lib, 503, policy=RetryPolicy(attempts=1)) as rig:
        assert (await rig.client.get("/")).status_code == 503

    assert rig.calls == 1


async def test_no_attempt_starts_past_a_deadline(lib: ModuleType) -> None:
    """Nor is waited for one that could not start in time: the last failure comes at once."""
    clock = ManualClock(0)
    sleeps = Sleeps(clock.advance)
    busy = lib.Response(503, headers={"Retry-After": "3"})
    async with Rig(lib, busy, clock=clock, sleep=sleeps, policy=RetryPolicy(attempts=10)) as rig:
        with deadline(7, clock=clock):
            assert (await rig.client.get("/")).status_code == 503

    assert ([3.0, 3.0], 3) == (sleeps, rig.calls)
    assert clock() < 7
    assert RetriesEnded(upstream="", attempts=3, reason="deadline", cause="503") == rig.events[-1]


async def test_the_policy_has_a_deadline_of_its_own(lib: ModuleType) -> None:
    """Per call."""
    clock = ManualClock(0)
    sleeps = Sleeps(clock.advance)
    busy = lib.Response(503, headers={"Retry-After": "3"})
    policy = RetryPolicy(attempts=10, timeout=5)
    async with Rig(lib, busy, clock=clock, sleep=sleeps, policy=policy) as rig:
        for _ in range(2):
            await rig.client.get("/")

    assert ([3.0, 3.0], 4) == (sleeps, rig.calls)


async def test_past_its_deadline_a_call_reaches_nobody(lib: ModuleType) -> None:
    """It is refused before it begins, with what handlers of either kind catch."""
    async with Rig(lib, 200, upstream="tws") as rig:
        with deadline(0), pytest.raises(DeadlineExceeded) as caught:
            await rig.client.get("/")

    assert rig.calls == 0
    assert isinstance(caught.value, lib.TimeoutException)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.upstream == "tws"
    assert str(caught.value.request.url) == "http://up/"  # type: ignore[attr-defined] # of the library


async def test_a_deadline_ends_an_attempt_that_hangs(lib: ModuleType) -> None:
    """Once, without another attempt."""

    async def hang(request: Any) -> Any:
        await asyncio.Event().wait()

    async with Rig(lib, hang) as rig:
        began = time.monotonic()
        with deadline(0.02), pytest.raises(lib.TimeoutException):
            await rig.client.get("/")

    assert time.monotonic() - began < 5
    assert rig.calls == 1


async def test_a_deadline_ends_a_body_that_hangs(lib: ModuleType) -> None:
    """What has come by then is not taken for the whole."""

    class Body(lib.AsyncByteStream):  # type: ignore[misc,name-defined] # of a module that is a parameter
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"some"
            await asyncio.Event().wait()

    async with Rig(lib, lib.Response(200, stream=Body())) as rig:
        with deadline(0.02), pytest.raises(DeadlineExceeded):
            await rig.client.get("/")


async def test_the_deadline_can_be_sent_on(lib: ModuleType) -> None:
    """In whole milliseconds, less what the attempts before took."""
    seen: list[str] = []

    async def note(request: Any) -> Any:
        seen.append(request.headers.get("x-time-left", "none"))
        clock.advance(0.5)
        return lib.Response(503 if len(seen) == 1 else 200)

    clock = ManualClock(0)
    sleeps = Sleeps()
    async with Rig(lib, note, clock=clock, sleep=sleeps, deadline_header="X-Time-Left") as rig:
        with deadline(2, clock=clock):
            await rig.client.get("/")
        await rig.client.get("/")

    assert ["2000", "1500", "none"] == seen


async def test_cancelled_while_it_waits_it_sends_nothing_more(lib: ModuleType) -> None:
    """The cancellation comes out as what it is."""
    waits = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    async with Rig(lib, 503, sleep=sleep) as rig:
        task = asyncio.ensure_future(rig.client.get("/"))
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert rig.calls == 1


async def test_a_listener_that_raises_harms_no_request(lib: ModuleType) -> None:
    """As everywhere."""

    def broken(event: object) -> None:
        raise RuntimeError

    transport: Any = retrying_transport(lib.MockTransport(Rig(lib, 503, 200).script), on_event=broken, sleep=Sleeps())
    async with lib.AsyncClient(transport=transport) as client:
        assert (await client.get("http://up/")).status_code == 200


async def test_closing_closes_what_it_wraps(lib: ModuleType) -> None:
    """The client owns its transport, and this one owns the next."""
    closed: list[bool] = []

    class Transport(lib.AsyncBaseTransport):  # type: ignore[misc,name-defined] # of a module that is a parameter
        async def aclose(self) -> None:
            closed.append(True)

    async with lib.AsyncClient(transport=retrying_transport(Transport())):
        pass

    assert [True] == closed


async def test_what_is_no_transport_is_refused(lib: ModuleType) -> None:
    """A class instead of an instance, or one for calls that block."""
    for wrong in (lib.AsyncHTTPTransport, lib.HTTPTransport(), "http://up"):
        with pytest.raises(RuleError):
            retrying_transport(wrong)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize("argument", ["policy", "budget", "breaker", "bulkhead"])
def test_arguments_of_another_kind_are_refused_at_once(lib: ModuleType, argument: str) -> None:
    """By name, and not when the first call fails."""
    transport = lib.MockTransport(lambda request: lib.Response(200))
    with pytest.raises(RuleError, match=f"^{argument}=3 cannot work: give a"):
        retrying_transport(transport, **{argument: 3})  # type: ignore[call-overload] # that is the point


async def test_without_a_transport_it_is_that_of_httpx2(lib: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """And if that is not installed, the error says how to."""
    default = retrying_transport()
    await default.aclose()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(MissingExtra, match=r"asgi-resync\[httpx2\]"):
        retrying_transport()
