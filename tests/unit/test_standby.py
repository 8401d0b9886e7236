"""A stored response in place of an error, for requests whose answers are not kept; and why each went to the app."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.caching import FRESH, cached

from asgi_resync import CacheRule
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.testing import Reply, ScriptedApp

IF_ERROR = {"cache-control": "max-age=10, stale-if-error=60"}
HEAD: tuple[str, dict[str, str]] = ("HEAD", {})
NO_STORE = ("GET", {"cache-control": "no-store"})
RULE = CacheRule("/", ttl=9, methods=["GET", "POST"], body_in_key=True, max_key_body=1)


class Crash(Exception):
    """What the app raises."""


async def crashing(scope: Scope, receive: Receive, send: Send) -> None:
    raise Crash


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def crashing_late(scope: Scope, receive: Receive, send: Send) -> None:
    await Reply(status=503)(scope, receive, send)
    raise Crash


@pytest.mark.parametrize(("method", "headers"), [HEAD, NO_STORE])
@pytest.mark.parametrize("failure", [Reply(status=503, body=b"broken"), crashing, crashing_late, silent])
async def test_a_stale_answer_stands_by(method: str, headers: dict[str, str], failure: Reply) -> None:
    """RFC 5861 §4: for HEAD, which GET's answer serves, and for a request that forbids only storing."""
    site = cached(ScriptedApp(Reply(headers=IF_ERROR, body=b"x"), failure))
    await site.get()
    site.clock.advance(15)

    answer = await site.ask(method, headers=headers)

    assert (200, b"" if method == "HEAD" else b"x") == (answer.status, answer.body)
    assert "resync; hit; ttl=-5; detail=stale-if-error" == answer.header("cache-status")


async def test_a_stale_answer_stands_by_for_a_part_of_it() -> None:
    """RFC 5861 §4: it is complete, so a range out of it can be given."""
    site = cached(ScriptedApp(Reply(headers=IF_ERROR, body=b"hello"), Reply(status=503)))
    await site.get()
    site.clock.advance(15)

    answer = await site.get(headers={"range": "bytes=0-1"})

    assert (206, b"he") == (answer.status, answer.body)


@pytest.mark.parametrize(("method", "headers"), [HEAD, NO_STORE])
async def test_beyond_its_window_the_error_goes_on(method: str, headers: dict[str, str]) -> None:
    """What may not stand in leaves everything as the app said it."""
    site = cached(ScriptedApp(Reply(headers=IF_ERROR), Reply(status=503), crashing))
    await site.get()
    site.clock.advance(71)

    assert 503 == (await site.ask(method, headers=headers)).status
    with pytest.raises(Crash):
        await site.ask(method, headers=headers)


async def test_a_softly_purged_answer_has_no_lifetime_left() -> None:
    """RFC 9211 §2.4: its ttl is not what it would have been."""
    tagged = {"cache-control": "max-age=100, stale-while-revalidate=10", "cache-tag": "plan"}
    site = cached(ScriptedApp(Reply(headers=tagged)))
    await site.get()

    await site.cache.purge(tags=["plan"], soft=True)

    assert "resync; hit; ttl=0; detail=stale-while-revalidate" == (await site.get()).header("cache-status")


@pytest.mark.parametrize(
    ("method", "more", "member"),
    [
        ("PUT", {}, "fwd=method"),
        ("OPTIONS", {}, "fwd=method"),
        ("POST", {"body": b"too large"}, "fwd=bypass"),
        ("POST", {"headers": {"if-match": '"a"'}}, "fwd=bypass"),
        ("HEAD", {"path": "/?other"}, "fwd=uri-miss"),
        ("GET", {"path": "/?other", "headers": {"cache-control": "no-store"}}, "fwd=uri-miss; detail=no-store"),
        ("GET", {"headers": {"authorization": "Bearer a"}}, "fwd=request; detail=authorization"),
    ],
)
async def test_where_a_rule_wants_caching_the_answer_says_why_there_was_none(
    method: str, more: dict[str, Any], member: str
) -> None:
    """RFC 9211 §2.2: each request that goes to the app by its nature has a token of its own."""
    site = cached(ScriptedApp(Reply()), RULE)
    await site.get()

    answer = await site.ask(method, **more)

    assert f"resync; {member}" == answer.header("cache-status")


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "HEAD"])
async def test_where_no_rule_is_nothing_is_written_on_answers_of_no_concern(method: str) -> None:
    """The cache has no part in them."""
    site = cached(ScriptedApp(Reply(headers={"x": "y"})))

    assert None is (await site.ask(method)).header("cache-status")


async def test_a_stale_answer_that_authorization_forbids_is_told_as_stale() -> None:
    """RFC 9211 §2.2: `request` is for what was fresh."""
    site = cached(ScriptedApp(Reply(headers=FRESH)), CacheRule("/"))
    await site.get()
    site.clock.advance(61)

    answer = await site.get(headers={"authorization": "Bearer a"})

    assert "resync; fwd=stale; detail=authorization" == answer.header("cache-status")
