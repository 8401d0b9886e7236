"""Values of functions at the edges: other types, other processes, functions that reach themselves, too much."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.caching import turns
from tests.unit.test_turn import Desk, Shared

from asgi_resync import Cache, DeadlineExceeded, Resync, RuleError, Settings, deadline
from asgi_resync._deadline import current
from asgi_resync.cache.callable_key import KeyTemplate
from asgi_resync.cache.l2.names import key_bytes
from asgi_resync.cache.options import CacheOptions
from asgi_resync.cache.turn import patiences
from asgi_resync.events import CacheEvent, Collapsed, Event, NotStored, Stored
from asgi_resync.testing import ManualClock


class Processes:
    """Two caches that share a store and a desk of claims."""

    def __init__(self) -> None:
        clock, desk, store = ManualClock(), Desk(), Shared()
        self.desk = desk
        self.one, self.other = (Cache(store, clock=clock) for _ in range(2))
        self.one.claims = self.other.claims = desk


async def held(gate: asyncio.Event, value: object, calls: list[object]) -> object:
    """Return *value* once *gate* is open."""
    calls.append(value)
    await gate.wait()
    return value


async def test_a_value_of_another_type_from_another_process_is_a_miss() -> None:
    """As during a rollout: each version of the app makes its own."""
    site, gate, calls = Processes(), asyncio.Event(), list[object]()

    older = asyncio.create_task(site.one.get_or_set("n", lambda: held(gate, "old", calls), ttl=10, type=str))
    await turns()
    newer = asyncio.create_task(site.other.get_or_set("n", lambda: held(gate, 2, calls), ttl=10, type=int))
    await turns()
    gate.set()

    answers: list[object] = [*await asyncio.wait_for(asyncio.gather(older, newer), 5)]
    assert ["old", 2] == answers


async def test_after_a_purge_the_processes_still_make_one_call() -> None:
    """What is purged lies in the store yet, and is not what a process waits for."""
    site, gate, calls = Processes(), asyncio.Event(), list[object]()
    await site.one.get_or_set("n", lambda: 1, ttl=10, tags=["plan"])
    for cache in (site.one, site.other):
        await cache.purge(tags=["plan"])
    site.desk.asked.clear()

    tasks = [
        asyncio.create_task(cache.get_or_set("n", lambda: held(gate, 2, calls), ttl=10, tags=["plan"]))
        for cache in (site.one, site.other)
    ]
    await turns()
    gate.set()

    assert [2, 2] == await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert [2] == calls
    assert {False} == {is_absent for _, _, is_absent in site.desk.asked}


async def test_what_does_not_fit_its_annotation_reaches_the_caller_and_is_not_kept() -> None:
    """Those who wait get it too; the next call makes it anew."""
    events: list[Event] = []
    resync, gate, calls = Resync(Settings(), on_event=events.append), asyncio.Event(), list[object]()

    @resync.cached(ttl=10)
    async def count() -> int:
        return await held(gate, "three", calls)  # type: ignore[return-value]  # what is tried

    tasks = [asyncio.create_task(count()) for _ in range(2)]
    await turns()
    gate.set()

    answers: list[object] = [*await asyncio.wait_for(asyncio.gather(*tasks), 5)]
    assert ["three", "three"] == answers
    assert ["other-type"] == [event.reason for event in events if isinstance(event, NotStored)]
    assert "three" == await count()  # type: ignore[comparison-overlap]  # what is tried
    assert 2 == len(calls)


async def test_who_asks_for_another_type_does_not_get_what_is_made_for_the_first() -> None:
    """One call serves those who read it as one type."""
    cache, gate, calls = Cache(), asyncio.Event(), list[object]()

    one = asyncio.create_task(cache.get_or_set("n", lambda: held(gate, "a", calls), ttl=10, type=str))
    await turns()
    other = asyncio.create_task(cache.get_or_set("n", lambda: held(gate, 1, calls), ttl=10, type=int))
    await turns()
    gate.set()

    answers: list[object] = [*await asyncio.wait_for(asyncio.gather(one, other), 5)]
    assert ["a", 1] == answers


@pytest.mark.parametrize("is_direct", [True, False])
async def test_a_function_that_asks_for_its_own_value_is_told(is_direct: bool) -> None:
    """It would wait for itself for ever, itself or by way of another."""
    cache = Cache()

    async def other() -> Any:
        return await cache.get_or_set("other", own, ttl=10)

    async def own() -> Any:
        return await cache.get_or_set("own", own if is_direct else other, ttl=10)

    with pytest.raises(RuleError, match=r"'own'.*asks for the value"):
        await asyncio.wait_for(cache.get_or_set("own", own, ttl=10), 5)


@pytest.mark.parametrize("names", ["ab", "abc", "abcdefgh"])
async def test_functions_that_wait_for_each_other_in_different_tasks_are_told(names: str) -> None:
    """Each is asked for by somebody, and each asks for the next, round in a circle: nobody waits for ever."""
    cache = Cache()
    begun: set[str] = set()
    all_begun = asyncio.Event()

    def maker(name: str) -> Any:
        following = names[(names.index(name) + 1) % len(names)]

        async def make() -> str:
            begun.add(name)
            if len(begun) == len(names):
                all_begun.set()
            await all_begun.wait()
            found: str = await cache.get_or_set(following, maker(following), ttl=10)
            return name + found

        return make

    asked = [cache.get_or_set(name, maker(name), ttl=10) for name in names]
    found = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)

    assert [RuleError] * len(names) == [type(one) for one in found]
    assert {} == cache.values._makings


async def test_one_that_can_do_without_the_other_breaks_the_circle() -> None:
    """Whoever would close it is told, and everybody else has what they asked for."""
    cache = Cache()
    gate = asyncio.Event()
    told: list[str] = []

    async def a() -> str:
        await gate.wait()
        return "a" + await cache.get_or_set("b", b, ttl=10)

    async def b() -> str:
        gate.set()
        await turns()
        try:
            return "b" + await cache.get_or_set("a", a, ttl=10)
        except RuleError as error:
            told.append(str(error))
            return "b"

    found = await asyncio.wait_for(
        asyncio.gather(cache.get_or_set("a", a, ttl=10), cache.get_or_set("b", b, ttl=10)), 5
    )

    assert ["ab", "b"] == list(found)
    assert "'a'" in told[0]
    assert "'b'" in told[0]


async def test_those_who_wait_side_by_side_are_no_circle() -> None:
    """Two that need the same third, and one that needs both, wait for what is made once."""
    cache = Cache()
    calls: list[str] = []

    async def below() -> str:
        calls.append("below")
        await turns()
        return "d"

    async def left() -> str:
        return "l" + await cache.get_or_set("below", below, ttl=10)

    async def right() -> str:
        return "r" + await cache.get_or_set("below", below, ttl=10)

    async def top() -> str:
        both = cache.get_or_set("left", left, ttl=10), cache.get_or_set("right", right, ttl=10)
        return "".join(await asyncio.gather(*both))

    tops = [cache.get_or_set("top", top, ttl=10), cache.get_or_set("right", right, ttl=10)]
    assert ["ldrd", "rd"] == await asyncio.wait_for(asyncio.gather(*tops), 5)
    assert ["below"] == calls


async def test_a_refresh_may_ask_for_what_asked_for_it() -> None:
    """That has the stale value already, and waits for no refresh."""
    clock = ManualClock()
    cache = Cache(clock=clock)
    a_may_end = asyncio.Event()
    found: list[Any] = []

    async def a() -> str:
        got = await cache.get_or_set("b", b, ttl=10, stale_while_revalidate=100)
        await a_may_end.wait()
        return "a" + got

    async def first() -> str:
        return "old"

    async def b() -> str:
        found.append(await cache.get_or_set("a", a, ttl=10))
        return "new"

    await cache.get_or_set("b", first, ttl=10, stale_while_revalidate=100)
    clock.advance(20)
    asking = asyncio.ensure_future(cache.get_or_set("a", a, ttl=10))
    await turns()
    a_may_end.set()

    assert "aold" == await asyncio.wait_for(asking, 5)
    await cache.settle(5)
    assert ["aold"] == found


async def test_values_are_told_as_responses_are() -> None:
    """What was stored, and who was answered by the call of another."""
    events: list[Event] = []
    resync, gate = Resync(Settings(), on_event=events.append), asyncio.Event()

    tasks = [asyncio.create_task(resync.cache.get_or_set("n", lambda: held(gate, "a", []), ttl=10)) for _ in range(3)]
    await turns()
    gate.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)

    assert [(10.0, 2)] == [(event.lifetime, event.size) for event in events if isinstance(event, Stored)]
    assert 2 == sum(isinstance(event, Collapsed) for event in events)


async def test_windows_and_sizes_are_those_of_the_settings() -> None:
    """A window that is given counts, even one of nothing."""
    clock, events = ManualClock(), list[Event]()
    options = CacheOptions(max_body=10, stale_if_error=100)
    cache = Cache(clock=clock, options=options, on_event=events.append)

    assert "x" * 20 == await cache.get_or_set("large", lambda: "x" * 20, ttl=10)
    assert ["too-large"] == [event.reason for event in events if isinstance(event, NotStored)]
    for key, window in (("default", None), ("none", 0.0)):
        await cache.get_or_set(key, lambda: 1, ttl=10, stale_if_error=window)
    clock.advance(50)

    assert 1 == await cache.get_or_set("default", lambda: 1 // 0, ttl=10)
    with pytest.raises(ZeroDivisionError):
        await cache.get_or_set("none", lambda: 1 // 0, ttl=10)


def test_large_numbers_have_keys_in_redis() -> None:
    """More than 64 bits are no number to it, and are told apart from texts of the same digits."""

    def jobs(number: object) -> None: ...

    template = KeyTemplate(jobs, None, ())
    numbers = [2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**6000, hex(2**64)]

    assert len(numbers) == len({key_bytes(template.of((number,), {})[0]) for number in numbers})


async def test_each_who_waits_is_held_to_its_own_deadline_and_the_call_to_none() -> None:
    """The first is told in time that it is over; the second gets the value; the call itself has no deadline."""
    cache, gate, seen = Cache(clock=ManualClock()), asyncio.Event(), list[object]()

    async def factory() -> int:
        seen.append(current.get())
        await gate.wait()
        return 1

    async def ask(seconds: float) -> int:
        with deadline(seconds):
            return await cache.get_or_set("n", factory, ttl=10, type=int)

    hasty = asyncio.create_task(ask(0.0))
    patient = asyncio.create_task(ask(60.0))
    with pytest.raises(DeadlineExceeded):
        await hasty
    gate.set()

    assert 1 == await patient
    assert [None] == seen


async def test_turns_together_take_no_longer_than_one_claim_lasts() -> None:
    """Others that end without a value, one after another, hold nobody up for longer than one that never ends."""
    now = [0.0]
    desk, loop = Desk(), asyncio.get_running_loop()
    loop.time = lambda: now[0]  # type: ignore[method-assign]  # as if it took long
    try:
        left = []
        for patience in patiences(desk, None):
            left.append(patience)
            now[0] += 3.0
    finally:
        del loop.time

    assert [None, 2.0] == left


async def test_values_made_under_keys_of_the_moment_have_one_label_and_no_place_in_the_graph() -> None:
    """A million keys of get_or_set are one label; a function's values have the name of their template."""
    told: list[Event] = []
    resync = Resync(on_event=told.append)

    @resync.cached("jobs:{status}", ttl=10)
    async def jobs(status: str) -> int:
        return await resync.cache.get_or_set(f"count-{status}", lambda: 1, ttl=10, type=int)

    for status in ("a", "b"):
        await jobs(status)
        await jobs(status)
    await resync.cache.get_or_set("count-a", lambda: 1, ttl=10, type=int)

    assert {"jobs:{status}", "get_or_set"} == {event.route for event in told if isinstance(event, CacheEvent)}
    assert "get_or_set" not in {node.name for node in resync.graph.nodes}


class Job(msgspec.Struct):
    """What an older version of the app kept, and this one does not take."""

    status: str

    def __post_init__(self) -> None:
        if self.status not in {"READY", "ABEND"}:
            raise KeyError(self.status)


async def test_a_value_that_its_type_refuses_is_made_anew() -> None:
    """Whatever the type's own checks raise."""
    cache = Cache()
    await cache.get_or_set("job", lambda: {"status": "GONE"}, ttl=60, type=dict)

    assert Job("READY") == await cache.get_or_set("job", lambda: Job("READY"), ttl=60, type=Job)
    assert Job("READY") == await cache.get_or_set("job", lambda: Job("ABEND"), ttl=60, type=Job)


async def test_a_value_that_holds_itself_is_refused_by_name() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(RuleError, match="loop"):
        await Cache().get_or_set("loop", lambda: value, ttl=60)
