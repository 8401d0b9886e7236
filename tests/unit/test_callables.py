"""Values of functions in the cache: which calls share one, who makes it, and what becomes of failures and purges."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, date, datetime
from enum import Enum, IntFlag
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.caching import turns

from asgi_resync import Resync, RuleError, Settings
from asgi_resync.cache.callable_key import KeyTemplate
from asgi_resync.errors import BreakerOpen
from asgi_resync.events import CacheHit, CacheMiss, Event, StaleServed
from asgi_resync.testing import ManualClock


class Job(msgspec.Struct):
    """What a scheduler knows of a job."""

    name: str
    status: str = "READY"


class Colour(Enum):
    """An argument that is a member of an enum."""

    RED = 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def resync(clock: ManualClock, events: list[Event]) -> Resync:
    return Resync(Settings(), clock=clock, on_event=events.append)


class Calls:
    """Counts calls, waits at a gate if it has one, and raises what it is told to."""

    def __init__(self, *errors: BaseException | None, gate: asyncio.Event | None = None) -> None:
        self.count = 0
        self.errors = errors
        self.gate = gate

    async def __call__(self) -> int:
        self.count += 1
        number = self.count
        if self.gate is not None:
            await self.gate.wait()
        if number <= len(self.errors) and (error := self.errors[number - 1]) is not None:
            raise error
        return number


async def test_a_value_is_made_once_and_comes_back_as_its_type(resync: Resync, events: list[Event]) -> None:
    """Each caller gets one of its own, so that none can change what another has."""
    calls = []

    @resync.cached("jobs:{status}", ttl=10, tags=["plan"])
    async def jobs(status: str) -> list[Job]:
        calls.append(status)
        return [Job("PAYROLL", status)]

    first, second = await jobs("READY"), await jobs(status="READY")
    first.append(Job("MINE"))
    third = await jobs("READY")

    assert [Job("PAYROLL", "READY")] == second == third
    assert ["READY"] == calls
    assert ["CacheMiss", "Stored"][:1] == [type(event).__name__ for event in events if isinstance(event, CacheMiss)]
    assert 2 == sum(isinstance(event, CacheHit) for event in events)
    assert "jobs:{status}" == next(event.route for event in events if isinstance(event, CacheHit))


@pytest.mark.parametrize("value", [None, [], {}, "", 0, False])
async def test_nothing_is_a_value_too(resync: Resync, value: object) -> None:
    """None and what is empty are kept as any other."""
    calls = 0

    def factory() -> object:
        nonlocal calls
        calls += 1
        return value

    found = [await resync.cache.get_or_set("nothing", factory, ttl=10) for _ in range(3)]

    assert [value] * 3 == found
    assert 1 == calls


async def test_a_sync_function_runs_in_a_thread(resync: Resync) -> None:
    """It becomes async, and the event loop goes on meanwhile."""

    @resync.cached(ttl=10)
    def thread() -> int:
        return threading.get_ident()

    assert threading.get_ident() != await thread() == await thread()


async def test_however_many_ask_one_call_is_made(resync: Resync) -> None:
    """And whoever gives up, the first one too, harms nobody."""
    calls = Calls(gate=asyncio.Event())
    asking = [asyncio.create_task(resync.cache.get_or_set("n", calls, ttl=10, type=int)) for _ in range(100)]
    await turns()
    for task in asking[::2]:
        task.cancel()
    await turns()
    assert calls.gate is not None
    calls.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)

    assert 1 == calls.count
    assert [1] * 50 == found[1::2]


async def test_after_a_failure_one_tries_again_and_then_each_meets_its_own(resync: Resync) -> None:
    """A failure is no reason to let everybody at the upstream at once, and it is never kept."""
    once = Calls(ValueError("1"))
    found = await asyncio.gather(
        *(resync.cache.get_or_set("once", once, ttl=10) for _ in range(10)), return_exceptions=True
    )
    always = Calls(*(ValueError(str(number)) for number in range(20)))
    met = await asyncio.gather(
        *(resync.cache.get_or_set("always", always, ttl=10) for _ in range(10)), return_exceptions=True
    )

    assert 2 == once.count
    assert [2] * 9 == [value for value in found if not isinstance(value, ValueError)]
    assert 10 == always.count
    assert 10 == len({id(error) for error in met if isinstance(error, ValueError)})
    assert 11 == await resync.cache.get_or_set("always", Calls(*[None] * 11), ttl=10) + 10


async def test_stale_is_served_while_one_refreshes_and_in_place_of_errors(
    resync: Resync, clock: ManualClock, events: list[Event]
) -> None:
    """RFC 5861's windows, for values: an open breaker is an error as any other."""
    calls = Calls(None, BreakerOpen("tws", retry_after=1.0, since=0.0), None)
    terms: dict[str, Any] = {"ttl": 10, "stale_while_revalidate": 10, "stale_if_error": 100}

    async def ask() -> object:
        return await resync.cache.get_or_set("n", calls, **terms)

    assert 1 == await ask()
    clock.advance(30)
    assert 1 == await ask(), "in place of the error"
    clock.advance(5)
    assert 3 == await ask()
    clock.advance(15)
    assert 3 == await ask(), "while it is refreshed"
    await resync.cache.settle(5)
    assert 4 == await ask()
    assert any(isinstance(event, StaleServed) for event in events)


@pytest.mark.parametrize("soft", [False, True])
async def test_purges_are_obeyed(resync: Resync, soft: bool) -> None:
    """By tags, those with arguments in them too."""

    calls = 0

    @resync.cached(ttl=10, tags=["job:{name}"], stale_if_error=100)
    async def job(name: str) -> str:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError("gone")
        return name

    await job("a")
    await job("b")
    await resync.purge(tags=["job:a"], soft=soft)

    assert "b" == await job("b")
    if soft:
        assert "a" == await job("a")
    else:
        with pytest.raises(OSError, match="gone"):
            await job("a")
    assert 3 == calls


async def test_a_purge_while_it_is_made_keeps_it_from_being_stored(resync: Resync) -> None:
    """Those who asked before get it, and those after do not."""
    calls = Calls(gate=asyncio.Event())

    async def ask() -> object:
        return await resync.cache.get_or_set("n", calls, ttl=10, tags=["plan"])

    early = asyncio.create_task(ask())
    await turns()
    await resync.purge(tags=["plan"])
    late = asyncio.create_task(ask())
    await turns()
    assert calls.gate is not None
    calls.gate.set()

    assert (1, 2) == (await early, await late)


async def test_a_value_of_an_older_version_of_the_app_is_made_anew(resync: Resync) -> None:
    """What cannot be read as the type that is wanted now is a miss."""
    await resync.cache.get_or_set("job", lambda: "PAYROLL", ttl=10)

    assert Job("PAYROLL") == await resync.cache.get_or_set("job", lambda: Job("PAYROLL"), ttl=10, type=Job)


async def test_what_cannot_work_is_refused_by_name(resync: Resync) -> None:
    """One clear error, as early as it can be known."""

    async def jobs(status: str) -> list[Job]:
        return []

    with pytest.raises(RuleError, match=r"no parameter 'state'.*status"):
        resync.cached("jobs:{state}", ttl=10)(jobs)
    with pytest.raises(RuleError, match="ttl"):
        resync.cached(ttl=-1)
    with pytest.raises(RuleError, match="tags"):
        resync.cached(ttl=1, tags="plan")
    with pytest.raises(RuleError, match="Upstream"):
        resync.cached(ttl=1, upstreams=["nobody"])
    with pytest.raises(RuleError, match=r"status.*no text"):
        await resync.cached(ttl=1)(jobs)(object())  # type: ignore[arg-type]  # what is refused
    with pytest.raises(RuleError, match="msgspec"):
        await resync.cache.get_or_set("object", object, ttl=1)


async def test_a_method_says_what_tells_its_owners_apart(resync: Resync) -> None:
    """Otherwise one owner would get what was made for another."""

    async def jobs(self: object, status: str) -> str:
        return status

    with pytest.raises(RuleError, match="method"):
        resync.cached(ttl=10)(jobs)
    named = resync.cached("jobs:{status}", ttl=10)(jobs)

    assert ["a", "a"] == [await named(object(), "a"), await named(object(), "a")]


async def test_two_functions_with_one_template_share_nothing(resync: Resync) -> None:
    """Nor do a function and a value that is known by the same text."""

    @resync.cached("n", ttl=10)
    async def one() -> int:
        return 1

    @resync.cached("n", ttl=10)
    async def two() -> int:
        return 2

    assert (1, 2, 3) == (await one(), await two(), await resync.cache.get_or_set("n", lambda: 3, ttl=10))


async def test_annotations_of_parameters_may_name_what_is_not_there(resync: Resync) -> None:
    """As those do that are imported for type checkers only."""

    async def jobs(status: str) -> list[Job]:
        return [Job(status)]

    jobs.__annotations__.update(status="NotHere", **{"return": "list[Job]"})

    assert [Job("a")] * 2 == [(await resync.cached(ttl=10)(jobs)("a"))[0] for _ in range(2)]


def example(one: object, other: object = None) -> None:
    """Has two parameters."""


ARGUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)


def typed(value: object) -> object:
    """Return what tells *value* apart from those that are merely equal to it."""
    if isinstance(value, (list, tuple)):
        return (type(value), *map(typed, value))
    return (type(value), repr(value))


@given(st.tuples(ARGUMENTS, ARGUMENTS), st.tuples(ARGUMENTS, ARGUMENTS))
def test_only_equal_arguments_share_a_key(one: tuple[object, object], other: tuple[object, object]) -> None:
    """However alike they are written."""
    template = KeyTemplate(example, None, ())

    assert (typed(one) == typed(other)) == (template.of(one, {})[0] == template.of(other, {})[0])


def test_defaults_keywords_and_positions_are_one_call() -> None:
    """A key is made of what the function gets, not of how it was written; and dates and enums have a text."""
    template = KeyTemplate(example, "x:{one}:{other}", ())
    member, day = template.of((Colour.RED, date(2026, 11, 23)), {})[0], template.of((UUID(int=1),), {})[0]

    assert template.of((1,), {}) == template.of((), {"one": 1, "other": None})
    assert member != day


class Rights(IntFlag):
    """A mask of which some bits have no name."""

    READ = 1


def test_bits_without_a_name_and_zones_tell_keys_apart() -> None:
    """What is written alike is not always the same."""
    template = KeyTemplate(example, None, ())
    moments = [datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=UTC) for fold in (0, 1)]
    values = [Rights(8), Rights(16), *moments, datetime(2026, 10, 25, 2, 30)]

    assert 5 == len({template.of((value,), {})[0] for value in values})


async def test_a_function_that_stops_iterating_is_answered(resync: Resync) -> None:
    """No future holds a StopIteration, so that those who wait would wait for ever."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await resync.cache.get_or_set("next", lambda: next(iter(())), ttl=10)
