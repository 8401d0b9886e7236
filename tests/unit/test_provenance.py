"""What answers are built from: learned while handlers run, kept with what is stored, and never of another request."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.caching import FRESH, Cached, cached, turns

from asgi_resync import BreakerRule, CacheRule, Resync, Settings, Upstream
from asgi_resync._asgi import ASGIApp, Receive, Scope, Send
from asgi_resync.breaker.guard import BreakerGuard
from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.provenance import built_from
from asgi_resync.cache.rules import upstream_tag
from asgi_resync.events import Event, Stored
from asgi_resync.noted import Notes, note, note_value, notes_here
from asgi_resync.testing import ManualClock, Response, request

Work: TypeAlias = Callable[[Scope], Awaitable[object]]

UPSTREAMS = ("tws", "crm", "geo", "pay")


def handler(work: Work, *, headers: dict[str, str] | None = None) -> ASGIApp:
    """Return an app that does *work* and answers with the number of its call."""
    calls = 0
    lines = [(name.encode(), value.encode()) for name, value in (FRESH if headers is None else headers).items()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        number = calls
        await work(scope)
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": str(number).encode()})

    return app


def noting(*names: str) -> Work:
    """Return work that calls the upstreams *names*."""

    async def work(_: Scope) -> None:
        for name in names:
            note(name)

    return work


def upstreams_of(record: StoredResponse) -> set[str]:
    """Return the upstreams that *record* was built from."""
    return {tag.removeprefix(upstream_tag("")) for tag in record.built_from}


def stored(subject: Cached) -> StoredResponse:
    """Return what was stored last."""
    key = [event.key for event in subject.events if isinstance(event, Stored)][-1]
    record = subject.cache.near(key)
    assert isinstance(record, StoredResponse)
    return record


async def test_a_purge_of_an_upstream_drops_what_was_built_from_it() -> None:
    """Nobody has said what needs what: it was seen."""
    subject = cached(handler(noting("tws")))
    await subject.get()

    await subject.cache.purge(upstreams=["tws"])

    assert b"2" == (await subject.get()).body


async def test_a_purge_of_an_upstream_leaves_what_was_built_from_another() -> None:
    """Exactly its dependants go."""
    subject = cached(handler(noting("crm")))
    await subject.get()

    await subject.cache.purge(upstreams=["tws"])

    assert b"1" == (await subject.get()).body


async def test_a_soft_purge_of_an_upstream_marks_its_dependants_stale() -> None:
    """As a soft purge of a tag does."""
    subject = cached(handler(noting("tws"), headers={"cache-control": "max-age=60, stale-while-revalidate=60"}))
    await subject.get()

    await subject.cache.purge(upstreams=["tws"], soft=True)
    await subject.get()
    await turns()

    assert b"2" == (await subject.get()).body


async def test_what_is_called_between_start_and_end_of_the_body_counts() -> None:
    """A response is built until it is complete; what is called behind it, in a background task, is no part of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        note("tws")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        note("crm")
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        note("geo")
        await send({"type": "http.response.body", "body": b"b"})
        note("pay")

    subject = cached(app)
    await subject.get()

    assert {"tws", "crm", "geo"} == upstreams_of(stored(subject))


async def test_a_purge_during_the_call_concerns_its_answer() -> None:
    """Who called the upstream before it was purged has the old data."""
    gate = asyncio.Event()

    async def work(_: Scope) -> None:
        note("tws")
        await gate.wait()

    subject = cached(handler(work))
    first = asyncio.ensure_future(subject.get())
    await turns()
    await subject.cache.purge(upstreams=["tws"])
    gate.set()
    await first

    assert b"2" == (await subject.get()).body


async def test_a_validation_keeps_what_the_body_was_built_from_and_adds_what_it_called() -> None:
    """A 304 says that the body of then still holds: it is built from both."""
    calls = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        headers = [(b"cache-control", b"max-age=60"), (b"etag", b'"a"')]
        note("tws" if calls == 1 else "crm")
        status = 304 if any(name == b"if-none-match" for name, _ in scope["headers"]) else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if status == 304 else b"x"})

    subject = cached(app)
    await subject.get()
    subject.clock.advance(61)
    await subject.get()
    record = stored(subject)

    assert 2 == calls
    assert {upstream_tag("tws"), upstream_tag("crm")} == set(record.built_from)
    assert set(record.built_from) <= set(record.tags)


async def test_a_refresh_is_built_from_what_it_called() -> None:
    """What the answer before was built from is forgotten with its body."""
    names = ["tws", "crm"]

    async def work(_: Scope) -> None:
        note(names.pop(0))

    subject = cached(handler(work, headers={"cache-control": "max-age=60, stale-while-revalidate=60"}))
    await subject.get()
    subject.clock.advance(61)
    await subject.get()
    await turns()

    assert {"crm"} == upstreams_of(stored(subject))


async def test_a_response_that_lately_proved_uncacheable_is_noted_as_others_are() -> None:
    """The short way for what passes learns too, since it may be kept after all."""
    lines = [[(b"cache-control", b"no-store")], [(b"cache-control", b"max-age=60")]]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        note("tws")
        await send({"type": "http.response.start", "status": 200, "headers": lines.pop(0)})
        await send({"type": "http.response.body", "body": b"x"})

    subject = cached(app)
    await subject.get()
    await subject.get()

    assert {"tws"} == upstreams_of(stored(subject))


async def test_nothing_stays_open_behind_a_request() -> None:
    """What is called later in the same task is for nobody."""
    subject = cached(handler(noting("tws")))

    await subject.get()

    assert notes_here.get() is None


# Values


@pytest.fixture
def resync() -> Resync:
    return Resync(Settings(), upstreams=[Upstream("tws"), Upstream("crm")], clock=ManualClock())


async def test_a_value_is_purged_with_the_upstream_it_was_built_from(resync: Resync) -> None:
    """As a response is."""
    made = 0

    @resync.cached("jobs", ttl=60)
    async def jobs() -> int:
        nonlocal made
        made += 1
        async with resync.upstreams["tws"].breaker:
            return made

    await jobs()
    await resync.purge(upstream="crm")
    assert 1 == await jobs()

    await resync.purge(upstream="tws")

    assert 2 == await jobs()


async def test_a_function_in_a_thread_is_noted(resync: Resync) -> None:
    """The thread has the context of the call."""
    made = 0

    @resync.cached("jobs", ttl=60)
    def jobs() -> int:
        nonlocal made
        made += 1
        resync.upstreams["tws"].breaker.admit().succeeded()
        return made

    await jobs()
    await resync.purge(upstream="tws")

    assert 2 == await jobs()


@pytest.mark.parametrize("purge", ["upstream", "tag"])
async def test_a_response_is_built_from_what_its_values_are(resync: Resync, purge: str) -> None:
    """Made, found, or waited for: whoever uses a value goes with it."""
    made = 0

    @resync.cached("jobs", ttl=60, tags=["plan"])
    async def jobs() -> int:
        nonlocal made
        made += 1
        async with resync.upstreams["tws"].breaker:
            await asyncio.sleep(0)
            return made

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = str(await jobs()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        await send({"type": "http.response.body", "body": body})

    wrapped = resync(app)

    async def bodies() -> list[bytes]:
        together: list[Response] = await asyncio.gather(*(request(wrapped, path=f"/{n}") for n in range(3)))
        later = await request(wrapped, path="/later")
        return [answer.body for answer in (*together, later)]

    assert [b"1"] * 4 == await bodies()
    await (resync.purge(upstream="tws") if purge == "upstream" else resync.purge(tags=["plan"]))

    assert [b"2"] * 4 == await bodies()


async def test_values_of_values_pass_on_what_they_are_built_from(resync: Resync) -> None:
    """However deep."""
    rounds = 0

    @resync.cached("inner", ttl=600)
    async def inner() -> int:
        async with resync.upstreams["tws"].breaker:
            return 1

    @resync.cached("outer", ttl=60)
    async def outer() -> int:
        nonlocal rounds
        rounds += 1
        await inner()
        return rounds

    await inner()
    await outer()
    await resync.purge(upstream="tws")

    assert 2 == await outer()


async def test_a_refresh_of_a_value_is_no_part_of_the_request_that_did_without_it() -> None:
    """The request is built from the value of then, not from what its refresh calls."""
    clock = ManualClock()
    resync = Resync(Settings(), clock=clock)
    names = ["tws", "crm"]

    @resync.cached("jobs", ttl=10, stale_while_revalidate=60)
    async def jobs() -> int:
        note(names.pop(0))
        return len(names)

    await jobs()
    clock.advance(11)
    notes = Notes()
    notes_here.set(notes)
    await jobs()
    await turns()

    assert [] == names
    assert (upstream_tag("tws"),) == built_from(notes)


async def test_the_second_tier_is_nothing_that_answers_are_built_from() -> None:
    """Its breaker is asked while handlers run, and says nothing of what they answer, nor that it is degraded."""
    upstream = Upstream("redis")
    notes = Notes()
    notes_here.set(notes)

    permit = BreakerGuard(upstream.breaker).admit()
    upstream.breaker.force_open()
    refused = BreakerGuard(upstream.breaker).admit()

    assert permit is not None
    assert refused is None
    assert () == built_from(notes)
    assert notes is notes_here.get()


async def test_the_permit_of_a_route_is_for_the_function_that_its_handler_uses() -> None:
    """A rule's probe is taken over by the call that a kept function makes: it is not asked for a second time."""
    clock = ManualClock()
    resync = Resync(Settings(), upstreams=[Upstream("tws")], rules=[BreakerRule("/", upstreams=["tws"])], clock=clock)

    @resync.cached("jobs", ttl=60)
    async def jobs() -> int:
        async with resync.upstreams["tws"].breaker:
            return 1

    async def work(_: Scope) -> None:
        await jobs()

    breaker = resync.upstreams["tws"].breaker
    for _ in range(5):
        breaker.admit().failed(OSError())
    assert not breaker.is_admitting
    clock.advance(61)

    answer = await request(resync(handler(work)))

    assert 200 == answer.status
    assert "closed" == breaker.state.value


# Concurrency: how a handler calls, drawn at random

Calls = st.recursive(
    st.sampled_from(UPSTREAMS),
    lambda inner: st.tuples(
        st.sampled_from(["in turn", "gather", "group", "thread", "executor", "value"]), st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


def named(plan: object) -> set[str]:
    """Return the upstreams that *plan* calls."""
    if isinstance(plan, str):
        return {plan}
    assert isinstance(plan, tuple)
    return {name for inner in plan[1] for name in named(inner)}


class Runner:
    """Carries plans out: each step gives way to other requests before and after it calls."""

    def __init__(self, resync: Resync, pool: ThreadPoolExecutor) -> None:
        self.resync = resync
        self.pool = pool

    async def run(self, plan: object) -> None:
        await asyncio.sleep(0)
        if isinstance(plan, str):
            async with self.resync.upstreams[plan].breaker:
                await asyncio.sleep(0)
            return
        assert isinstance(plan, tuple)
        how, parts = plan
        if how == "in turn":
            for part in parts:
                await self.run(part)
        elif how == "gather":
            await asyncio.gather(*map(self.run, parts))
        elif how == "group":
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self.run(part))
        elif how == "value":
            # The same plan is the same value, whichever requests use it.
            await self.resync.cache.get_or_set(repr(plan), lambda: self.run(("gather", parts)), ttl=600)
        elif how == "thread":
            await asyncio.to_thread(self.call, named(plan))
        else:
            context = contextvars.copy_context()
            work = self.pool.submit(context.run, self.call, named(plan))
            await asyncio.wrap_future(work)

    def call(self, names: set[str]) -> None:
        for name in sorted(names):
            self.resync.upstreams[name].breaker.admit().succeeded()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@given(plans=st.lists(Calls, min_size=2, max_size=5))
@settings(max_examples=60, deadline=None)
def test_what_one_request_calls_is_never_of_another(pool: ThreadPoolExecutor, plans: list[object]) -> None:
    """Many requests at once, in tasks, groups, threads and shared values: each is tagged with what it called."""

    async def all_at_once() -> list[set[str]]:
        told: list[Event] = []
        resync = Resync(
            Settings(),
            upstreams=map(Upstream, UPSTREAMS),
            rules=[CacheRule("/{n}", ttl=60)],
            on_event=told.append,
        )
        runner = Runner(resync, pool)

        async def work(scope: Scope) -> None:
            await runner.run(plans[int(scope["path"][1:])])

        wrapped = resync(handler(work, headers={}))
        await asyncio.gather(*(request(wrapped, path=f"/{n}") for n in range(len(plans))))
        keys = {event.key for event in told if isinstance(event, Stored) and event.route == "/{n}"}
        records = [record for key in keys if isinstance(record := resync.cache.near(key), StoredResponse)]
        by_url = sorted((str(record.key), upstreams_of(record)) for record in records)
        return [found for _, found in by_url]

    assert [named(plan) for plan in plans] == asyncio.run(all_at_once())


def test_notes_are_read_while_a_thread_adds_to_them() -> None:
    """A thread that a handler left behind harms nobody."""
    notes = Notes()
    stop = threading.Event()

    def add() -> None:
        number = 0
        while not stop.is_set():
            notes.called.add(str(number))
            number = (number + 1) % 5000

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(100):
            built_from(notes)
    finally:
        stop.set()
        thread.join()

    assert notes.called


def test_notes_reach_all_that_are_around_them() -> None:
    """Tags as well as names."""
    outer, inner = Notes(), Notes()
    inner.outer = outer
    context = contextvars.copy_context()
    context.run(notes_here.set, inner)

    context.run(note, "tws")
    context.run(note_value, "jobs", ["plan"])

    assert ({"tws"}, {"plan"}) == (outer.called, outer.tags)
    assert ({"tws"}, {"plan"}) == (inner.called, inner.tags)


async def test_a_handler_collected_elsewhere_takes_nobodys_notes_away() -> None:
    """What closes in a context that never knew of it leaves the notes that are open there."""
    early, here = Notes(), Notes()
    contextvars.copy_context().run(early.open)
    here.open()

    early.close()

    assert notes_here.get() is here


async def test_a_refresh_is_no_part_of_what_is_around_its_cache() -> None:
    """Whoever was given the stale answer is not built from what the refresh calls."""
    subject = cached(handler(noting("tws"), headers={"cache-control": "max-age=60, stale-while-revalidate=60"}))
    await subject.get()
    subject.clock.advance(61)
    around = Notes()
    around.open()

    await subject.get()
    await turns()

    assert b"2" == (await subject.get()).body
    assert () == built_from(around)
