"""One call of the app among processes: caches that share a store and a desk of claims stand for processes."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import FRESH, turns

from asgi_resync import Cache, CacheMiddleware, CacheRule
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.cache.claims import Claim
from asgi_resync.cache.store import Record
from asgi_resync.events import CacheKey
from asgi_resync.testing import Headers, ManualClock, Reply, Response, ScriptedApp, request

RULE = CacheRule("/{rest:path}", ttl=60, stale_while_revalidate=60)


class Shared:
    """A store that all processes read and write, and that none has in its own memory."""

    is_remote = True

    def __init__(self) -> None:
        self.records: dict[CacheKey, Record] = {}

    def near(self, key: CacheKey) -> None:
        """Nothing is near."""

    async def get(self, key: CacheKey) -> Record | None:
        await asyncio.sleep(0)
        return self.records.get(key)

    async def set(self, key: CacheKey, record: Record) -> None:
        self.records[key] = record

    async def delete(self, key: CacheKey) -> None:
        self.records.pop(key, None)

    async def clear(self) -> None:
        self.records.clear()

    async def aclose(self) -> None:
        """Nothing to close."""


class Desk:
    """Claims without Redis: whoever comes second waits for the first, or goes after its patience."""

    longest = 5.0

    def __init__(self) -> None:
        self.held: dict[CacheKey, asyncio.Future[None]] = {}
        self.asked: list[tuple[CacheKey, float | None, bool]] = []
        self.ended: list[bool] = []

    async def claim(self, key: CacheKey, patience: float | None, *, is_absent: bool) -> Claim | None:
        self.asked.append((key, patience, is_absent))
        await asyncio.sleep(0)
        if (holder := self.held.get(key)) is not None:
            if patience != 0:
                await asyncio.shield(holder)
            return None
        self.held[key] = asyncio.get_running_loop().create_future()
        return Held(self, key)


class Held:
    """A claim on a key."""

    def __init__(self, desk: Desk, key: CacheKey) -> None:
        self.desk = desk
        self.key = key

    def end(self, *, is_stored: bool) -> None:
        if (holder := self.desk.held.pop(self.key, None)) is not None:
            self.desk.ended.append(is_stored)
            holder.set_result(None)


class Site:
    """Processes that serve *app*, on one clock."""

    def __init__(self, app: ScriptedApp, *rules: CacheRule, processes: int = 2) -> None:
        self.clock = ManualClock()
        self.desk = Desk()
        store = Shared()
        self.caches = [Cache(store, clock=self.clock) for _ in range(processes)]
        for cache in self.caches:
            cache.claims = self.desk
        self.apps = [CacheMiddleware(app, cache=cache, rules=rules) for cache in self.caches]

    def ask(self, process: int, count: int = 1, headers: Headers = ()) -> list[asyncio.Task[Response]]:
        """Begin *count* requests to one process."""
        return [asyncio.create_task(request(self.apps[process], headers=headers)) for _ in range(count)]


@pytest.mark.parametrize("rules", [(RULE,), ()], ids=["rule", "header"])
async def test_two_processes_make_one_call(rules: tuple[CacheRule, ...]) -> None:
    """A hundred requests to each of two processes are one call, whether a rule or the response opts in."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"plan", hold=gate))
    site = Site(app, *rules)

    tasks = site.ask(0, 100) + site.ask(1, 100)
    await app.until_called()
    await turns()
    gate.set()
    answers = await asyncio.gather(*tasks)

    assert 1 == app.calls
    assert [b"plan"] * 200 == [answer.body for answer in answers]
    assert 1 == sum("stored" in (answer.header("cache-status") or "") for answer in answers)
    assert [True] == site.desk.ended
    assert {True} == {is_absent for _, _, is_absent in site.desk.asked}


async def test_the_claim_ends_when_the_response_is_stored() -> None:
    """What the app does after its response, such as a background task, holds up no other process."""
    gate, late = asyncio.Event(), asyncio.Event()

    reply = Reply(headers=FRESH, body=b"plan", hold=gate)

    async def lingering(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(scope, receive, send)
        await late.wait()

    app = ScriptedApp(lingering)
    site = Site(app, RULE)
    (first,) = site.ask(0)
    await app.until_called()
    (second,) = site.ask(1)
    await turns()
    gate.set()
    answer = await second

    assert b"plan" == answer.body
    assert 1 == app.calls
    late.set()
    await first


async def test_what_proves_uncacheable_lets_the_others_go_at_its_start() -> None:
    """No process waits for the body of a response that is not for it."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers={"cache-control": "no-store"}, body=[b"a", b"b"], hold_body=gate))
    site = Site(app)
    tasks = site.ask(0) + site.ask(1)
    await app.until_called(2)
    gate.set()
    answers = await asyncio.gather(*tasks)

    assert 2 == app.calls
    assert [b"ab", b"ab"] == [answer.body for answer in answers]
    assert {False} == set(site.desk.ended)


async def test_after_a_failure_the_next_process_tries() -> None:
    """One after another, and each client gets what its own process was told."""
    app = ScriptedApp(Reply(status=503), Reply(headers=FRESH, body=b"plan"))
    site = Site(app, RULE)

    answers = await asyncio.gather(*site.ask(0), *site.ask(1))

    assert [200, 503] == sorted(answer.status for answer in answers)
    assert [False, True] == site.desk.ended
    assert {} == site.desk.held


async def test_who_goes_while_waiting_for_its_turn_harms_nobody() -> None:
    """A client that leaves before its process's turn has come leaves no claim and no flight."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"plan", hold=gate))
    site = Site(app, RULE)
    (first,) = site.ask(0)
    await app.until_called()
    leader, follower = site.ask(1, 2)
    await turns()
    leader.cancel()
    await turns()
    gate.set()
    answers = await asyncio.gather(first, follower)

    assert 1 == app.calls
    assert [b"plan"] * 2 == [answer.body for answer in answers]
    assert 0 == len(site.caches[1].flights)
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_one_process_refreshes_for_all() -> None:
    """A stale response is refreshed by one process at a time; the others serve it stale meanwhile."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"old"), Reply(headers=FRESH, body=b"new", hold=gate))
    site = Site(app, RULE)
    await asyncio.gather(*site.ask(0))
    site.clock.advance(61)

    answers = await asyncio.gather(*site.ask(0), *site.ask(1))
    await turns()
    served = await asyncio.gather(*site.ask(1))
    gate.set()
    await site.caches[0].settle(5)
    await site.caches[1].settle(5)

    assert [b"old"] * 3 == [answer.body for answer in (*answers, *served)]
    assert 2 == app.calls
    assert b"new" == (await asyncio.gather(*site.ask(1)))[0].body


async def test_variants_are_claimed_apart() -> None:
    """A response for another language is no answer: the process makes a call of its own, and claims that one."""
    gate = asyncio.Event()
    varied = {**FRESH, "vary": "accept-language"}
    app = ScriptedApp(Reply(headers=varied, body=b"de", hold=gate), Reply(headers=varied, body=b"fr"))
    site = Site(app, RULE)
    (german,) = site.ask(0, headers={"accept-language": "de"})
    await app.until_called()
    (french,) = site.ask(1, headers={"accept-language": "fr"})
    await turns()
    gate.set()

    assert [b"de", b"fr"] == [answer.body for answer in await asyncio.gather(german, french)]
    assert 2 == app.calls
    assert 2 == len({key for key, _, _ in site.desk.asked})


async def test_waiting_for_a_turn_is_no_age() -> None:
    """The second process asks the app after the first has failed for long, and keeps what it gets (RFC 9111 §4.2.3)."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(status=503, hold=gate), Reply(headers={"cache-control": "max-age=10"}, body=b"plan"))
    site = Site(app, RULE)
    first = site.ask(0)
    await app.until_called()
    second = site.ask(1)
    await turns()
    site.clock.advance(20)
    gate.set()
    await asyncio.gather(*first, *second)
    (third,) = await asyncio.gather(*site.ask(0))

    assert (b"plan", "0") == (third.body, third.header("age"))
    assert 2 == app.calls
