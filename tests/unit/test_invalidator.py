"""What unsafe requests and purges make of responses that are kept by request body, and of the GET of their URI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from tests.unit.caching import FRESH, Cached, cached

from asgi_resync import CacheRule
from asgi_resync.cache.undelivered import Delivery
from asgi_resync.events import CacheKey
from asgi_resync.testing import Reply, ScriptedApp

READS = CacheRule("/find", ttl=60, methods=["POST", "QUERY"], body_in_key=True, max_key_body=4)


async def is_stored(site: Cached, method: str = "GET", **more: Any) -> bool:
    """Whether the request is answered without the app."""
    return (await site.ask(method, "/find", headers={"cache-control": "only-if-cached"}, **more)).status != 504


@pytest.mark.parametrize(
    ("method", "body", "status", "kept"),
    [
        ("POST", b"b", 200, False),
        ("POST", b"longer than the key takes", 200, False),
        ("POST", b"b", 303, False),
        ("POST", b"b", 404, True),
        ("QUERY", b"b", 200, True),
        ("QUERY", b"longer than the key takes", 200, True),
    ],
)
async def test_a_post_that_a_rule_reads_is_unsafe_all_the_same(
    method: str, body: bytes, status: int, kept: bool
) -> None:
    """RFC 9111 §4.4: one that reaches the app and succeeds invalidates the URI; QUERY is safe."""
    site = cached(ScriptedApp(Reply(headers=FRESH), Reply(status=status)), READS)
    await site.get("/find")

    await site.ask(method, "/find", body=body)

    assert kept is await is_stored(site)


async def test_a_post_answered_from_the_cache_invalidates_nothing() -> None:
    """It does not reach the app, so nothing can have changed."""
    site = cached(ScriptedApp(Reply(), Reply(headers=FRESH)), READS)
    await site.ask("POST", "/find", body=b"a")
    await site.get("/find")

    assert "hit" in ((await site.ask("POST", "/find", body=b"a")).header("cache-status") or "")
    assert await is_stored(site)


async def test_bodies_do_not_throw_each_other_out() -> None:
    """The rule says that they read; else the second would always cost the first."""
    site = cached(ScriptedApp(Reply()), READS)

    await site.ask("POST", "/find", body=b"a")
    await site.ask("POST", "/find", body=b"b")

    assert await is_stored(site, "POST", body=b"a")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_an_unsafe_method_drops_what_is_kept_by_body_too(method: str) -> None:
    """RFC 9111 §4.4: the URI is theirs as well."""
    site = cached(ScriptedApp(Reply(headers=FRESH)), READS)
    await site.ask("POST", "/find", body=b"a")
    await site.ask("QUERY", "/find?sorted=1", body=b"a")

    await site.ask(method, "/find")

    assert not await is_stored(site, "POST", body=b"a")
    assert not await is_stored(site, "QUERY", body=b"a")


async def test_location_drops_what_is_kept_by_body_under_the_root_of_the_app() -> None:
    """RFC 9111 §4.4; patterns are written without the root under which the app is mounted."""
    rules = [CacheRule("/find", ttl=60, methods=["GET"], query="sort"), READS]
    site = cached(ScriptedApp(Reply(), Reply(), Reply(status=201, headers={"location": "/v1/find?b=2&a=1"})), *rules)
    await site.ask("POST", "/v1/find", body=b"a", root_path="/v1")
    await site.get("/v1/find?a=1&b=2", root_path="/v1")

    await site.ask("PUT", "/v1/other", root_path="/v1")

    only = {"cache-control": "only-if-cached"}
    assert 504 == (await site.ask("POST", "/v1/find", body=b"a", headers=only, root_path="/v1")).status
    assert 504 == (await site.get("/v1/find?a=1&b=2", headers=only, root_path="/v1")).status


async def test_a_purged_url_is_gone_for_every_body() -> None:
    """A purge of a URL needs to know neither methods nor bodies; other URLs stay."""
    site = cached(ScriptedApp(Reply(headers=FRESH)), READS, CacheRule("/far", methods=["POST"], body_in_key=True))
    await site.ask("POST", "/find", body=b"a")
    await site.ask("QUERY", "/find", body=b"a")
    await site.ask("POST", "/far", body=b"a")

    await site.cache.purge(urls=["http://testserver/find"])

    assert not await is_stored(site, "POST", body=b"a")
    assert not await is_stored(site, "QUERY", body=b"a")
    assert "hit" in ((await site.ask("POST", "/far", body=b"a")).header("cache-status") or "")


async def test_a_purged_body_stays_purged_after_a_304() -> None:
    """What a 304 made fresh is found by its URL as before."""
    tagged = Reply(headers={"cache-control": "max-age=5", "etag": '"a"'})
    site = cached(ScriptedApp(tagged, Reply(status=304, headers={"etag": '"a"'})), READS)
    await site.ask("QUERY", "/find", body=b"a")
    site.clock.advance(6)
    await site.ask("QUERY", "/find", body=b"a")
    assert await is_stored(site, "QUERY", body=b"a")

    await site.cache.purge(urls=["http://testserver/find"])

    assert not await is_stored(site, "QUERY", body=b"a")


async def test_urls_cost_the_ledger_nothing_where_nothing_is_kept_by_body() -> None:
    """A site that purges by URL all day does not fill a ledger that it has no use for."""
    site = cached(ScriptedApp(Reply(headers=FRESH)), CacheRule("/{rest:path}"))
    await site.get("/find")

    await site.cache.purge(urls=["http://testserver/find"])
    await site.ask("PUT", "/find")

    assert 0 == site.cache.ledger.version


@pytest.mark.parametrize(("condition", "value"), [("if-none-match", "*"), ("if-match", '"a"')])
async def test_a_post_with_a_precondition_is_the_apps(condition: str, value: str) -> None:
    """RFC 9110 §13.1: it is about the resource, of whose state what is kept for a body says nothing."""
    site = cached(ScriptedApp(Reply(), Reply(status=412)), READS)
    await site.ask("POST", "/find", body=b"a")

    assert 412 == (await site.ask("POST", "/find", body=b"a", headers={condition: value})).status


async def test_a_post_has_no_ranges() -> None:
    """RFC 9110 §14.2: Range is defined for GET alone, so it is ignored, and If-Range with it."""
    app = ScriptedApp(Reply(headers={"etag": '"a"'}, body=b"hello"))
    site = cached(app, READS)
    asked = {"range": "bytes=0-1", "if-range": '"a"'}

    answers = [await site.ask("POST", "/find", body=b"a", headers=asked) for _ in range(2)]

    assert [(200, b"hello")] * 2 == [(answer.status, answer.body) for answer in answers]
    assert 1 == app.calls


async def test_invalidation_is_told_where_something_was_stored() -> None:
    """An API of nothing but POSTs tells nothing."""
    site = cached(ScriptedApp(Reply(status=204)))

    await site.ask("POST", "/find")

    assert [] == site.told


async def test_the_default_port_is_no_other_url() -> None:
    """RFC 9111 §4.4 with RFC 9110 §4.2.3: a POST to `example.com:80`, or a purge of it, drops `example.com` too."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app)
    for act in ("post", "purge"):
        await site.get(headers={"host": "example.com"})
        if act == "post":
            await site.ask("POST", headers={"host": "example.com:80"})
        else:
            await site.cache.purge(urls=["http://example.com:80/"])
        before = app.calls
        await site.get(headers={"host": "example.com"})
        assert before + 1 == app.calls, act


async def test_all_that_one_request_made_invalid_is_told_at_once() -> None:
    """Who waits for the others to be told waits once, however many URLs the answer names."""

    class Told:
        """What the other processes are told."""

        def __init__(self) -> None:
            self.keys: list[list[CacheKey]] = []

        async def purge(
            self, tags: Iterable[str] = (), keys: Iterable[CacheKey] = (), *, soft: bool = False, confirm: bool = True
        ) -> Delivery:
            self.keys.append(list(keys))
            return Delivery(state="queued")

    moved = [(b"location", b"/jobs/7"), (b"content-location", b"/jobs/latest")]
    site = cached(ScriptedApp(Reply(status=201, headers=moved)))
    site.cache.plane = told = Told()
    await site.ask("PUT", "/find")

    assert 1 == len(told.keys)
    assert {"/find", "/jobs/7", "/jobs/latest"} <= {str(key[3]) for key in told.keys[0]}
