"""What a 304, a HEAD or a slow answer may do to what is stored: bring in nothing of another user, and nothing older."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import cached

from asgi_resync import CacheRule
from asgi_resync.testing import Reply, ScriptedApp

PUBLIC = {"cache-control": "public, max-age=10", "etag": '"1"'}
BOB = {"authorization": "bob"}


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
async def test_what_one_user_is_told_vouches_for_itself(method: str, status: int) -> None:
    """RFC 9111 §3.5: the `public` that is stored permits nothing that an authorized request is answered with later."""
    own = Reply(status=status, headers={"etag": '"1"', "x-user": "bob"})
    site = cached(ScriptedApp(Reply(headers=PUBLIC, body=b"A"), own, Reply(status=304, headers={"etag": '"1"'})))
    await site.get()
    site.clock.advance(11)

    bobs = await site.ask(method, headers=BOB)
    others = await site.get()

    assert "bob" == bobs.header("x-user")
    assert (b"A", None) == (others.body, others.header("x-user"))
    assert "resync; fwd=stale; fwd-status=304; stored" == others.header("cache-status")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
async def test_what_says_itself_that_it_is_for_all_is(method: str, status: int) -> None:
    """§3.5 as ever: `public` in the update."""
    told = Reply(status=status, headers=PUBLIC | {"x-version": "2"})
    site = cached(ScriptedApp(Reply(headers=PUBLIC, body=b"A"), told))
    await site.get()
    site.clock.advance(11)
    await site.ask(method, headers=BOB)
    other = await site.get()

    assert (b"A", "2") == (other.body, other.header("x-version"))
    assert "hit" in str(other.header("cache-status"))


async def test_a_slow_answer_does_not_take_the_place_of_a_later_one() -> None:
    """§4: the most recent response is the one to use. The slow one is told to be superseded."""
    gate = asyncio.Event()
    headers = {"cache-control": "max-age=100"}
    app = ScriptedApp(Reply(headers=headers, body=b"old", hold=gate), Reply(headers=headers, body=b"new"))
    site = cached(app)
    slow = asyncio.create_task(site.get(headers={"range": "bytes=0-"}))
    await app.until_called(1)
    site.clock.advance(5)
    await site.get()
    gate.set()
    await slow

    assert b"new" == (await site.get()).body
    assert "superseded" in [getattr(event, "reason", None) for event in site.events]


async def test_a_clock_that_is_set_back_keeps_nothing_from_being_stored() -> None:
    """What was stored before seems to be of the future, and is not taken for newer."""
    control = {"cache-control": "no-cache"}
    app = ScriptedApp(*[Reply(headers=control | {"etag": f'"{number}"'}) for number in range(3)])
    site = cached(app, CacheRule("/"))
    await site.get()
    site.clock.advance(-3600)
    await site.get()
    await site.get()

    assert [b'"0"', b'"1"'] == [dict(seen.scope["headers"])[b"if-none-match"] for seen in app.requests[1:]]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_what_is_no_longer_stored_is_not_updated(method: str) -> None:
    """§4.3.4 and §4.3.5 speak of the stored response, which another has taken the place of meanwhile."""
    gate = asyncio.Event()
    first = {"cache-control": "max-age=10" if method == "HEAD" else "no-cache", "etag": '"1"'}
    told = Reply(status=200 if method == "HEAD" else 304, headers=first | {"cache-control": "max-age=100"}, hold=gate)
    second = Reply(headers={"cache-control": "max-age=100", "etag": '"2"'}, body=b"v2")
    app = ScriptedApp(Reply(headers=first, body=b"v1"), told, second)
    site = cached(app)
    await site.get()
    site.clock.advance(20)
    slow = asyncio.create_task(site.ask(method))
    await app.until_called(2)
    site.clock.advance(1)
    await site.get()
    gate.set()
    await slow
    after = await site.get()

    assert (b"v2", '"2"') == (after.body, after.header("etag"))
    assert 3 == app.calls


async def test_a_head_asked_later_that_answers_of_what_was_before_updates_nothing() -> None:
    """The app looked before the change, whenever it was asked."""
    slow, gate = asyncio.Event(), asyncio.Event()
    aged = {"cache-control": "max-age=10", "etag": '"1"'}
    app = ScriptedApp(
        Reply(headers=aged, body=b"v1"),
        Reply(headers={"cache-control": "max-age=100", "etag": '"2"'}, body=b"v2", hold=slow),
        Reply(headers=aged | {"cache-control": "max-age=100"}, hold=gate),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(20)
    get = asyncio.create_task(site.get())
    await app.until_called(2)
    site.clock.advance(1)
    head = asyncio.create_task(site.ask("HEAD"))
    await app.until_called(3)
    slow.set()
    await get
    gate.set()
    await head

    assert b"v2" == (await site.get()).body


async def test_a_tag_of_the_app_is_none_of_ours() -> None:
    """§4.3.5: a HEAD with an ETag, where the stored response has one that we made, speaks of another representation."""
    tagged = {"etag": '"v2"', "cache-control": "max-age=100"}
    app = ScriptedApp(
        Reply(headers={"cache-control": "max-age=10"}, body=b"v1"),
        Reply(headers=tagged),
        Reply(headers=tagged, body=b"v2"),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(20)
    await site.ask("HEAD")

    assert b"v2" == (await site.get()).body


async def test_a_head_without_a_validator_does_not_validate() -> None:
    """What is stored with no-cache goes on to be asked for."""
    app = ScriptedApp(
        Reply(headers={"cache-control": "no-cache", "etag": '"1"'}, body=b"A"),
        Reply(headers={"cache-control": "max-age=60"}),
        Reply(headers={"cache-control": "no-cache", "etag": '"2"'}, body=b"B"),
    )
    site = cached(app)
    await site.get()
    await site.ask("HEAD")

    assert b"B" == (await site.get()).body


@pytest.mark.parametrize("control", ["no-store", "private"])
async def test_the_status_does_not_say_stored_of_what_a_304_has_taken_back(control: str) -> None:
    """RFC 9211 §2.5."""
    app = ScriptedApp(
        Reply(headers=PUBLIC, body=b"A"), Reply(status=304, headers={"etag": '"1"', "cache-control": control})
    )
    site = cached(app)
    await site.get()
    site.clock.advance(11)

    assert "resync; fwd=stale; fwd-status=304" == (await site.get()).header("cache-status")


async def test_a_304_without_a_date_is_dated_by_its_receipt() -> None:
    """RFC 9110 §6.6.1: else a cache further down took the answer for as old as the first one."""
    headers = PUBLIC | {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}
    site = cached(ScriptedApp(Reply(headers=headers, body=b"A"), Reply(status=304, headers={"etag": '"1"'})))
    await site.get()
    site.clock.advance(11)
    renewed = await site.get()
    hit = await site.get()

    assert renewed.header("date") == hit.header("date") != headers["date"]
    assert 1 == len(hit.values("date"))


async def test_nobody_gets_the_body_of_another_by_a_weak_tag_that_all_variants_have() -> None:
    """One made of the version of a row: the app would say 304 to whoever asks with it."""
    weak = {"cache-control": "max-age=60", "etag": 'W/"5"', "vary": "cookie"}
    app = ScriptedApp(Reply(headers=weak, body=b"A"), Reply(headers=weak, body=b"B"))
    site = cached(app, CacheRule("/"))
    await site.get(headers={"cookie": "a"})

    assert b"B" == (await site.get(headers={"cookie": "b"})).body
    assert b"if-none-match" not in dict(app.requests[1].scope["headers"])
