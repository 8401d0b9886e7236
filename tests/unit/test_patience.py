"""How long requests wait for a call of which nothing says that its answer is for others too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.unit.caching import FRESH, Cached, cached, turns
from tests.unit.virtual_time import run_at_once

from asgi_resync import cache_for
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.cache.responder import UNASKED_SECONDS
from asgi_resync.testing import Reply, Response, ScriptedApp


class Slow:
    """An app whose calls take as many seconds as *takes* says, the last for ever after."""

    def __init__(self, takes: Sequence[float], reply: Reply) -> None:
        self.takes = takes
        self.reply = reply
        self.began: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = len(self.began)
        self.began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes[min(number, len(self.takes) - 1)])
        reply = Reply(status=self.reply.status, headers=self.reply.headers, body=b"%d" % number)
        await reply(scope, receive, send)


async def crowd(site: Cached, count: int) -> list[Response]:
    return list(await asyncio.gather(*(site.get() for _ in range(count))))


def test_a_slow_call_lets_the_others_go_by_and_by() -> None:
    """One after a round of waiting, then two, then four; all that still wait get the first answer."""
    app = Slow([3.5 * UNASKED_SECONDS], Reply(headers=FRESH))

    async def test() -> None:
        answers = await crowd(cached(app), 200)
        assert {200} == {answer.status for answer in answers}

    run_at_once(test())

    rounds = [round(at / UNASKED_SECONDS, 3) for at in app.began]
    assert [0, 1, 2, 2, 3, 3, 3, 3] == rounds


def test_who_went_first_and_is_faster_answers_all() -> None:
    """The first call hangs; the next is quick, and nobody waits any longer."""
    app = Slow([500.0, 0.5], Reply(headers=FRESH))

    async def test() -> None:
        site = cached(app)
        leader = asyncio.create_task(site.get())
        await turns()
        answers = await crowd(site, 200)
        assert {b"1"} == {answer.body for answer in answers}
        assert UNASKED_SECONDS + 0.5 == round(asyncio.get_running_loop().time(), 3)
        assert b"1" == (await site.get()).body
        assert b"0" == (await leader).body
        assert 0 == len(site.cache.flights)

    run_at_once(test())

    assert 2 == len(app.began)


def test_who_went_first_and_proves_it_uncacheable_releases_all() -> None:
    """A long poll holds nobody longer than it takes to see what it is."""
    app = Slow([500.0, 0.5], Reply())

    async def test() -> None:
        site = cached(app)
        leader = asyncio.create_task(site.get())
        await turns()
        await crowd(site, 20)
        assert UNASKED_SECONDS + 1 == round(asyncio.get_running_loop().time(), 3)
        leader.cancel()

    run_at_once(test())

    assert 21 == len(app.began)


def test_calls_that_never_end_hold_nobody_for_long() -> None:
    """Twice as many go after each round: a thousand within ten."""
    app = Slow([1000.0], Reply())

    async def test() -> None:
        tasks = [asyncio.create_task(cached_site.get()) for _ in range(1000)]
        await asyncio.sleep(10 * UNASKED_SECONDS + 0.1)
        assert 1000 == len(app.began)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    cached_site = cached(app)
    run_at_once(test())


def test_a_successor_that_fails_leaves_the_others_waiting() -> None:
    """A failure of one that went early says nothing about the call that is under way."""

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("boom")

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(UNASKED_SECONDS + 1)
        await Reply(headers=FRESH, body=b"x")(scope, receive, send)

    app = ScriptedApp(slow, failing)

    async def test() -> None:
        site = cached(app)
        ended = await asyncio.gather(*(site.get() for _ in range(20)), return_exceptions=True)
        assert 1 == len([error for error in ended if isinstance(error, RuntimeError)])
        assert [b"x"] * 19 == [answer.body for answer in ended if isinstance(answer, Response)]

    run_at_once(test())

    assert 2 == app.calls


def test_a_marked_handler_is_waited_for_from_the_moment_it_runs() -> None:
    """Its terms are left before it answers, so those who wait know that the answer is theirs."""

    @cache_for(60)
    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(100)
        await Reply(body=b"x")(scope, receive, send)

    app = ScriptedApp(handler)

    async def test() -> None:
        answers = await crowd(cached(app), 50)
        assert {b"x"} == {answer.body for answer in answers}

    run_at_once(test())

    assert 1 == app.calls
