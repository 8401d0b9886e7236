"""What a 304 of the app does to what is stored (RFC 9111 §4.3.4)."""

from __future__ import annotations

import asyncio

from tests.unit.caching import cached

from asgi_resync import events
from asgi_resync._asgi import Message, Receive, Scope, Send
from asgi_resync.testing import Reply, ScriptedApp

VARIED = {"cache-control": "max-age=10", "vary": "accept", "etag": '"a"'}
ONLY = {"cache-control": "only-if-cached"}


async def test_a_304_renews_all_that_have_its_strong_tag() -> None:
    """§4.3.4: one answer of the app is as good as one for each variant of the same content."""
    app = ScriptedApp(
        Reply(headers=VARIED),
        Reply(headers=VARIED),
        Reply(headers=VARIED | {"etag": '"b"'}),
        Reply(status=304, headers=VARIED | {"x-new": "1"}),
    )
    site = cached(app)
    for accept in ("a", "b", "c"):
        await site.get(headers={"accept": accept})
    site.clock.advance(15)

    await site.get(headers={"accept": "a"})

    answers = [await site.get(headers=ONLY | {"accept": accept}) for accept in ("a", "b", "c")]
    assert [(200, "1"), (200, "1"), (504, None)] == [(answer.status, answer.header("x-new")) for answer in answers]


async def test_a_304_that_chose_another_variant_renews_that_one_too() -> None:
    """The app may say that what it gave for one Accept is right for another: then both are fresh."""
    app = ScriptedApp(Reply(headers=VARIED, body=b"x"), Reply(status=304, headers=VARIED))
    site = cached(app)
    await site.get(headers={"accept": "a"})
    site.clock.advance(15)

    assert b"x" == (await site.get(headers={"accept": "b"})).body

    assert [200, 200] == [(await site.get(headers=ONLY | {"accept": accept})).status for accept in ("a", "b")]


async def test_a_304_with_another_last_modified_is_about_something_else() -> None:
    """§4.3.4: it must not freshen what is stored; the question is put again without conditions."""
    old = {"cache-control": "max-age=10", "last-modified": "Mon, 13 Nov 2023 00:00:00 GMT"}
    new = {"cache-control": "max-age=10", "last-modified": "Tue, 14 Nov 2023 00:00:00 GMT"}
    site = cached(ScriptedApp(Reply(headers=old, body=b"old"), Reply(status=304, headers=new), Reply(body=b"new")))
    await site.get()
    site.clock.advance(15)

    assert b"new" == (await site.get()).body


async def test_a_304_for_one_user_takes_nothing_from_all() -> None:
    """§3.5: it answers that user, and what was stored for everybody stays as it was."""
    app = ScriptedApp(Reply(headers=VARIED, body=b"x"), Reply(status=304, headers={"etag": '"a"'}))
    site = cached(app)
    await site.get(headers={"accept": "a"})

    alice = await site.get(headers={"accept": "b", "authorization": "Bearer alice"})

    assert (200, b"x", 2) == (alice.status, alice.body, app.calls)
    assert 200 == (await site.get(headers=ONLY | {"accept": "a"})).status
    assert 504 == (await site.get(headers=ONLY | {"accept": "b"})).status


async def test_a_304_that_cannot_be_read_still_validates() -> None:
    """The failure is told; the client gets what the app has just said to be good."""
    calls: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(scope)
        tag = (b"etag", b'"a"')
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [tag, (b"cache-control", b"max-age=9")],
        }
        if len(calls) > 1:
            start = {"type": "http.response.start", "status": 304, "headers": [tag, (b"x-number", 1)]}
        await send(start)
        await send({"type": "http.response.body", "body": b"x" if len(calls) == 1 else b""})

    site = cached(app)
    await site.get()
    site.clock.advance(15)

    answer = await site.get()

    assert (200, b"x") == (answer.status, answer.body)
    assert ["exchange.validated"] == [event.where for event in site.events if isinstance(event, events.InternalFailure)]


async def test_what_is_dropped_meanwhile_does_not_come_back() -> None:
    """A 304 that was under way during a purge renews nothing."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=VARIED), Reply(headers=VARIED), Reply(status=304, headers=VARIED, hold=gate))
    site = cached(app)
    await site.get(headers={"accept": "a"})
    await site.get(headers={"accept": "b"})
    site.clock.advance(15)
    asking = asyncio.create_task(site.get(headers={"accept": "a"}))
    await app.until_called(3)

    await site.cache.purge(urls=["http://testserver/"])
    gate.set()
    await asking

    assert [504, 504] == [(await site.get(headers=ONLY | {"accept": accept})).status for accept in ("a", "b")]
