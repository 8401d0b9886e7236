"""The short way for what lately proved uncacheable."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import FRESH, cached, into, turns

from asgi_resync import cache_for
from asgi_resync._asgi import Message, Receive, Scope, Send
from asgi_resync.cache.opening import may_opt_in
from asgi_resync.cache.passes import MAX_PASSES
from asgi_resync.testing import Reply, ScriptedApp

PRIVATE = {"cache-control": "private"}


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ([], False),
        ([(b"content-type", b"text/plain")], False),
        ([(b"cache-control", b"no-store")], False),
        ([(b"cache-control", b"private, max-age=9")], False),
        ([(b"cache-control", b"max-age=9")], True),
        ([(b"Cache-Control", b"max-age=9")], True),
        ([(b"cache-control", b'private="x", max-age=9')], True),
        ([(b"cache-control", b"no-store, must-understand, max-age=9")], True),
        ([(b"expires", b"0")], True),
        ([(b"cache-control", b"no-store"), (b"resync-cache-control", b"max-age=9")], True),
        ([(b"cache-control", b"no-store"), (b"Resync-Cache-Control", b"max-age=9")], True),
        ([(b"cdn-cache-control", b"max-age=9")], True),
    ],
)
def test_only_what_cannot_be_stored_takes_the_short_way(headers: list[tuple[bytes, bytes]], may: bool) -> None:
    """Whatever could be storable without a rule is looked at properly."""
    assert may == may_opt_in(headers, (b"cdn-cache-control",))


async def test_what_passes_is_handed_on_as_it_is() -> None:
    """The very same messages, in their order, each before the app goes on; no event is told."""
    sent: list[Message] = []
    app = ScriptedApp(Reply(headers=PRIVATE, body=[b"a", b"b"]))
    site = cached(app)
    await site.get()
    site.events.clear()

    answer = await site.get(on_send=into(sent))

    assert ((b"cache-control", b"private"),) == answer.headers
    assert ["http.response.start", "http.response.body", "http.response.body"] == [m["type"] for m in sent]
    assert [] == site.told


async def test_what_becomes_cacheable_is_stored_at_once() -> None:
    """The memory of passing is no reason to miss a response that may be kept."""
    app = ScriptedApp(Reply(headers=PRIVATE), Reply(headers=FRESH, body=[b"a", b"b"]))
    site = cached(app)

    await site.get()
    await site.get()

    assert b"ab" == (await site.get()).body
    assert 2 == app.calls
    assert 0 == len(site.cache.passing)


@pytest.mark.parametrize("refusal", [Reply(status=429), Reply(status=401, headers=PRIVATE), Reply(headers=PRIVATE)])
async def test_a_refusal_in_front_of_a_marked_handler_does_not_end_its_caching(refusal: Reply) -> None:
    """A layer that limits rates answers without the handler, and so without its mark; the next call shows it."""

    @cache_for(60)
    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(body=b"x")(scope, receive, send)

    app = ScriptedApp(refusal, handler)
    site = cached(app)

    answers = [await site.get() for _ in range(3)]

    assert [b"", b"x", b"x"] == [answer.body for answer in answers]
    assert 2 == app.calls


@pytest.mark.parametrize(("status", "remembered"), [(200, 1), (302, 1), (404, 0), (429, 0), (500, 0)])
async def test_only_what_succeeds_without_a_lifetime_is_remembered(status: int, remembered: int) -> None:
    """A refusal is of the moment."""
    site = cached(ScriptedApp(Reply(status=status)))

    await site.get()

    assert remembered == len(site.cache.passing)


async def test_a_body_that_nothing_announced_keeps_the_answer_from_the_store() -> None:
    """HTTP/2 needs no Content-Length: no key says what the app made of the body, on the short way neither."""
    app = ScriptedApp(Reply(headers=PRIVATE), Reply(headers=FRESH, body=b"x"))
    site = cached(app)
    await site.get()

    for _ in range(2):
        assert b"x" == (await site.get(body=b"poison")).body

    assert 3 == app.calls


async def test_an_error_of_the_app_comes_through() -> None:
    """Also where an exchange has taken over, and nothing is stored then."""
    error = RuntimeError("boom")
    app = ScriptedApp(
        Reply(headers=PRIVATE), Reply(headers=FRESH, body=[b"a", b"b"], error=error), Reply(headers=FRESH, body=b"x")
    )
    site = cached(app)
    await site.get()

    with pytest.raises(RuntimeError) as caught:
        await site.get()

    assert error is caught.value
    assert b"x" == (await site.get()).body


async def test_our_own_target_is_consumed() -> None:
    """It is for this cache alone, also where it forbids storing."""
    app = ScriptedApp(Reply(headers={"resync-cache-control": "no-store"}))
    site = cached(app)

    for _ in range(3):
        assert (await site.get()).header("resync-cache-control") is None


@pytest.mark.parametrize("how", ["tag", "url", "everything"])
async def test_a_purge_counts_from_the_moment_the_app_was_asked(how: str) -> None:
    """What the app read before the purge is not kept after it."""
    gate = asyncio.Event()
    tagged = FRESH | {"cache-tag": "plan"}
    app = ScriptedApp(
        Reply(headers=PRIVATE), Reply(headers=tagged, body=b"old", hold=gate), Reply(headers=tagged, body=b"new")
    )
    site = cached(app)
    await site.get()
    task = asyncio.create_task(site.get())
    await app.until_called(2)

    if how == "tag":
        await site.cache.purge(tags=["plan"])
    elif how == "url":
        await site.cache.purge(urls=["http://testserver/"])
    else:
        await site.cache.purge(everything=True)
    gate.set()
    await task

    assert b"new" == (await site.get()).body


async def test_the_time_that_the_app_takes_counts_as_age() -> None:
    """RFC 9111 §4.2.3: the response delay is part of the age, on the short way too."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        site.clock.advance(5)
        await Reply(headers=FRESH)(scope, receive, send)

    site = cached(ScriptedApp(Reply(headers=PRIVATE), slow))
    await site.get()
    await site.get()

    assert "5" == (await site.get()).header("age")


async def test_the_memory_is_bounded() -> None:
    """Full, it is emptied, which costs one wait per key and no more."""
    site = cached(ScriptedApp(Reply(headers=PRIVATE)))

    for number in range(MAX_PASSES + 2):
        await site.get(f"/{number}")

    assert 2 == len(site.cache.passing)


async def test_many_pass_side_by_side() -> None:
    """Nobody waits for anybody."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=PRIVATE), Reply(headers=PRIVATE, hold=gate))
    site = cached(app)
    await site.get()

    tasks = [asyncio.create_task(site.get()) for _ in range(50)]
    await turns()

    assert 51 == app.calls
    gate.set()
    await asyncio.gather(*tasks)
