"""Stale responses: served while refreshed, served instead of errors, validated, and never where it is forbidden."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import Cached, cached, turns

from asgi_resync import CacheRule, events
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.testing import Reply, ScriptedApp

REVALIDATE = {"cache-control": "max-age=10, stale-while-revalidate=30"}
IF_ERROR = {"cache-control": "max-age=10, stale-if-error=30"}
TAGGED = {"cache-control": "max-age=10", "etag": '"a"'}


async def settled(site: Cached) -> None:
    """Let what goes on in the background come to its end."""
    await site.cache.settle(5)


async def test_stale_is_served_at_once_and_refreshed_behind_it() -> None:
    """The client gets the old answer though the app takes its time; the next one gets the new."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=REVALIDATE, body=b"old"), Reply(headers=REVALIDATE, body=b"new", hold=gate))
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    assert ["CacheMiss", "Stored"] == site.told

    stale = await site.get()
    assert (b"old", "15", "resync; hit; ttl=-5; detail=stale-while-revalidate") == (
        stale.body,
        stale.header("age"),
        stale.header("cache-status"),
    )
    assert ["StaleServed"] == site.told

    gate.set()
    await settled(site)
    assert ["Stored", "Refreshed"] == site.told
    assert b"new" == (await site.get()).body
    assert 2 == app.calls


async def test_one_refresh_at_a_time() -> None:
    """However many hits a stale response gets, the app is asked once."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=REVALIDATE), Reply(headers=REVALIDATE, hold=gate))
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    for _ in range(10):
        await site.get()
        await turns()
    assert 2 == app.calls

    gate.set()
    await settled(site)


async def test_a_refresh_survives_the_disconnect_of_the_client_that_caused_it() -> None:
    """It has a receive of its own: the request of its client is over and says nothing any more."""
    gate, gone = asyncio.Event(), asyncio.Event()
    heard: list[str] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        listener = asyncio.ensure_future(receive())
        await gate.wait()
        heard.extend(["disconnect"] if listener.done() else [])
        listener.cancel()
        await Reply(headers=REVALIDATE, body=b"new")(scope, receive, send)

    site = cached(ScriptedApp(Reply(headers=REVALIDATE), listening))
    await site.get()
    site.clock.advance(15)

    await site.get(disconnect=gone)
    gone.set()
    await turns()
    gate.set()
    await settled(site)

    assert [] == heard
    assert b"new" == (await site.get()).body


async def test_a_refresh_asks_the_full_question() -> None:
    """The app sees a GET without the client's range and preconditions, and with our own where it gave a validator."""
    app = ScriptedApp(Reply(headers=REVALIDATE | {"etag": '"a"'}, body=b"abc"), Reply(headers=REVALIDATE, body=b"new"))
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    partial = await site.ask(
        "HEAD",
        headers={"range": "bytes=0-0", "if-match": "*", "if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    )
    await settled(site)

    asked = app.requests[1]
    assert 200 == partial.status
    assert "GET" == asked.scope["method"]
    assert [("host", "testserver"), ("if-none-match", '"a"')] == [
        (name.decode(), value.decode()) for name, value in asked.scope["headers"]
    ]
    assert {} == asked.scope["extensions"]
    assert b"new" == (await site.get()).body


@pytest.mark.parametrize("asked", [{"range": "bytes=0-0"}, {"if-none-match": '"x"'}, {"if-match": '"x"'}])
async def test_a_refresh_without_a_validator_asks_without_conditions_too(asked: dict[str, str]) -> None:
    """What the client asked of its own copy is not asked for the store: its answer would not fit there."""
    app = ScriptedApp(Reply(headers=REVALIDATE, body=b"abc"))
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    await site.get(headers=asked)
    await settled(site)

    assert 2 == app.calls
    assert [] == [name for name, _ in app.requests[1].scope["headers"] if name.decode() in asked]


async def test_a_request_that_forbids_storing_causes_no_refresh() -> None:
    """RFC 9111 §5.2.1.5: what it brings must not be stored, so it is not asked for the store."""
    app = ScriptedApp(Reply(headers=REVALIDATE))
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    await site.get(headers={"cache-control": "no-store"})
    await settled(site)

    assert 1 == app.calls


async def test_a_refresh_has_a_timeout() -> None:
    """An app that does not answer is cancelled, told of, and what is stored stays."""
    app = ScriptedApp(Reply(headers=REVALIDATE, body=b"old"), Reply(hold=asyncio.Event()))
    site = cached(app, refresh_timeout=0.01)
    await site.get()
    site.clock.advance(15)
    await site.get()

    await settled(site)

    assert 1 == app.cancelled
    failed = [event for event in site.events if isinstance(event, events.RefreshFailed)]
    assert ["TimeoutError"] == [event.cause for event in failed]
    assert b"old" == (await site.get()).body


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(body=None, error=RuntimeError("boom")), "RuntimeError"),
        (Reply(status=500), "not stored"),
        (Reply(headers={"cache-control": "private"}), "not stored"),
    ],
)
async def test_a_refresh_that_fails_keeps_what_is_stored_and_pauses(reply: Reply, cause: str) -> None:
    """The stale response is served on, and the weak app is left alone for a second."""
    app = ScriptedApp(Reply(headers=REVALIDATE, body=b"old"), reply)
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    for _ in range(3):
        assert b"old" == (await site.get()).body
        await settled(site)
    assert 2 == app.calls
    assert [cause] == [event.cause for event in site.events if isinstance(event, events.RefreshFailed)]

    site.clock.advance(1)
    await site.get()
    await settled(site)
    assert 3 == app.calls


async def test_settle_waits_for_refreshes_and_cancels_the_late() -> None:
    """At shutdown a refresh may end within the bound; beyond it, it is cancelled and seen to end."""
    app = ScriptedApp(Reply(headers=REVALIDATE), Reply(headers=REVALIDATE, hold=asyncio.Event()))
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    await site.get()
    await turns()

    await site.cache.settle(0)

    assert 1 == app.cancelled
    assert 0 == len(site.cache.flights)


async def test_a_miss_waits_for_the_refresh_under_way() -> None:
    """A request that comes when the window has closed follows the refresh in place of a second call."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=REVALIDATE, body=b"old"), Reply(headers=REVALIDATE, body=b"new", hold=gate))
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    await site.get()
    site.clock.advance(30)

    late = asyncio.create_task(site.get())
    await turns()
    gate.set()

    assert b"new" == (await late).body
    assert 2 == app.calls


async def test_a_refresh_of_a_post_sends_its_body_again() -> None:
    """A POST whose body is in the key is refreshed with that body and method."""
    rule = CacheRule("/", ttl=10, stale_while_revalidate=30, methods=["POST"], body_in_key=True)
    app = ScriptedApp(Reply(body=b"old"), Reply(body=b"new"))
    site = cached(app, rule)
    await site.ask("POST", body=[b"a=", b"1"])
    site.clock.advance(15)

    stale = await site.ask("POST", body=b"a=1")
    await settled(site)

    assert b"old" == stale.body
    assert ("POST", b"a=1") == (app.requests[1].scope["method"], app.requests[1].body)
    assert b"new" == (await site.ask("POST", body=b"a=1")).body


async def test_a_stale_post_is_asked_for_without_conditions() -> None:
    """RFC 9110 §13.1.2: to a POST, If-None-Match that matches makes 412, not 304, so it is not sent."""
    rule = CacheRule("/", ttl=10, methods=["POST"], body_in_key=True)
    app = ScriptedApp(Reply(headers={"etag": '"a"'}, body=b"x"))
    site = cached(app, rule)
    await site.ask("POST", body=b"q")
    site.clock.advance(15)

    await site.ask("POST", body=b"q")

    assert 2 == app.calls
    assert app.requests[1].header("if-none-match") is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, body=b"secret"),
        Reply(status=502),
        Reply(status=503),
        Reply(status=504),
        Reply(body=None, error=RuntimeError("boom")),
        Reply(body=None),
    ],
)
async def test_stale_if_error_answers_in_place_of_an_error(reply: Reply) -> None:
    """A 5xx, an exception or no answer at all gives the stale one within its window, with nothing of the error."""
    app = ScriptedApp(Reply(headers=IF_ERROR, body=b"old"), reply)
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    assert ["CacheMiss", "Stored"] == site.told

    answer = await site.get()

    assert (200, b"old", "15") == (answer.status, answer.body, answer.header("age"))
    assert "resync; hit; ttl=-5; detail=stale-if-error" == answer.header("cache-status")
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in answer.messages]
    assert ["CacheMiss", "RefreshFailed", "StaleServed"] == site.told


async def test_all_who_wait_get_the_stale_answer_of_one_failed_call() -> None:
    """An outage costs one call per wave, not one per request."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=IF_ERROR, body=b"old"), Reply(status=503, hold=gate))
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    tasks = [asyncio.create_task(site.get()) for _ in range(20)]
    await turns()
    gate.set()

    assert {b"old"} == {answer.body for answer in await asyncio.gather(*tasks)}
    assert 2 == app.calls


async def test_after_the_window_the_error_is_the_answer() -> None:
    """RFC 5861 §4: beyond stale-if-error the client gets what the app says."""
    app = ScriptedApp(Reply(headers=IF_ERROR), Reply(status=503))
    site = cached(app)
    await site.get()
    site.clock.advance(40)

    assert 503 == (await site.get()).status


@pytest.mark.parametrize("forbids", ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=10"])
async def test_nothing_stale_is_served_where_the_response_forbids_it(forbids: str) -> None:
    """RFC 9111 §4.2.4: neither while it is refreshed nor instead of an error."""
    control = f"max-age=10, stale-while-revalidate=30, stale-if-error=30, {forbids}"
    app = ScriptedApp(Reply(headers={"cache-control": control, "etag": '"a"'}), Reply(status=503))
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    assert 503 == (await site.get()).status


async def test_a_304_makes_the_stored_response_fresh_again() -> None:
    """The client gets the whole stored response, updated by the fields of the 304; the app got the question."""
    not_modified = Reply(status=304, headers={"cache-control": "max-age=20", "etag": '"a"', "x-new": "1"})
    app = ScriptedApp(Reply(headers=TAGGED, body=b"body"), not_modified)
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    assert ["CacheMiss", "Stored"] == site.told

    validated = await site.get()

    assert '"a"' == app.requests[1].header("if-none-match")
    assert (200, b"body", "1", "0") == (
        validated.status,
        validated.body,
        validated.header("x-new"),
        validated.header("age"),
    )
    assert "resync; fwd=stale; fwd-status=304; stored" == validated.header("cache-status")
    assert ["CacheMiss", "Refreshed"] == site.told
    hit = await site.get()
    assert (b"body", "resync; hit; ttl=20; detail=l1") == (hit.body, hit.header("cache-status"))
    assert 2 == app.calls


async def test_a_new_response_replaces_the_stale_one() -> None:
    """A 200 to our question is the new answer, and it is told as a refresh."""
    app = ScriptedApp(Reply(headers=TAGGED, body=b"old"), Reply(headers=TAGGED | {"etag": '"b"'}, body=b"new"))
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    site.events.clear()

    assert b"new" == (await site.get()).body
    assert ["CacheMiss", "Stored", "Refreshed"] == site.told
    assert b"new" == (await site.get()).body


async def test_a_first_answer_is_no_refresh() -> None:
    """Nothing was stored before, so nothing became fresh again, also where the client had a copy."""
    site = cached(ScriptedApp(Reply(headers=TAGGED, body=b"x")))

    answer = await site.get(headers={"if-none-match": '"a"'})

    assert 304 == answer.status
    assert ["CacheMiss", "Stored"] == site.told


async def test_a_304_about_something_else_is_asked_again_without_conditions() -> None:
    """RFC 9111 §4.3.3: a 304 that names another representation is no answer, so the question is put anew."""
    app = ScriptedApp(
        Reply(headers=TAGGED, body=b"old"),
        Reply(status=304, headers={"etag": '"other"'}),
        Reply(headers=TAGGED | {"etag": '"b"'}, body=b"new"),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    answer = await site.get()

    assert (200, b"new") == (answer.status, answer.body)
    assert [None, '"a"', None] == [seen.header("if-none-match") for seen in app.requests]


async def test_revalidation_can_be_switched_off_by_rule() -> None:
    """With `revalidate=False` the app is asked plainly."""
    app = ScriptedApp(Reply(headers={"etag": '"a"'}, body=b"x"))
    site = cached(app, CacheRule("/", ttl=10, revalidate=False))
    await site.get()
    site.clock.advance(15)

    await site.get()

    assert app.requests[1].header("if-none-match") is None


@pytest.mark.parametrize("control", ["private, max-age=10", "no-store"])
async def test_a_304_that_takes_back_the_permission_is_obeyed(control: str) -> None:
    """RFC 9111 §4.3.4: the update counts, so what was stored is gone, and nothing of the update reaches another."""
    app = ScriptedApp(
        Reply(headers=TAGGED, body=b"x"),
        Reply(status=304, headers={"etag": '"a"', "cache-control": control, "x-user": "alice"}),
        Reply(headers=TAGGED, body=b"y"),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    mine, theirs = await site.get(), await site.get()

    assert (b"x", "alice") == (mine.body, mine.header("x-user"))
    assert (b"y", None) == (theirs.body, theirs.header("x-user"))


async def test_a_cookie_in_a_304_is_for_the_one_who_asked() -> None:
    """It reaches its own client and no other, as nothing of that 304 does; and what is stored stays of use."""
    app = ScriptedApp(
        Reply(headers=TAGGED, body=b"x"),
        Reply(status=304, headers={**TAGGED, "set-cookie": "session=alice", "x-user": "alice"}),
        Reply(status=304, headers=TAGGED),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(15)

    mine, theirs = await site.get(), await site.get()

    assert (["session=alice"], []) == (mine.values("set-cookie"), theirs.values("set-cookie"))
    assert ("alice", None) == (mine.header("x-user"), theirs.header("x-user"))
    assert "resync; fwd=stale; fwd-status=304" == mine.header("cache-status")
    assert b"x" == mine.body == theirs.body


async def test_fields_named_private_stay_out_of_the_store_after_a_304_too() -> None:
    """`private="x-user"` of the stored response counts for the update that does not repeat it (RFC 9111 §5.2.2.7)."""
    app = ScriptedApp(
        Reply(headers={"cache-control": 'max-age=10, private="x-user"', "etag": '"a"', "x-user": "alice"}, body=b"x"),
        Reply(status=304, headers={"etag": '"a"', "x-user": "bob"}),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    await site.get()

    assert (await site.get()).header("x-user") is None


async def test_a_soft_purge_makes_stale_and_the_windows_run_from_then() -> None:
    """What is softly purged is served while it is refreshed, as if it had expired at that moment."""
    tagged = {"cache-control": "max-age=100, stale-while-revalidate=10", "cache-tag": "plan"}
    app = ScriptedApp(Reply(headers=tagged, body=b"old"), Reply(headers=tagged, body=b"new"))
    site = cached(app)
    await site.get()

    await site.cache.purge(tags=["plan"], soft=True)
    site.clock.advance(5)
    assert b"old" == (await site.get()).body
    await settled(site)
    assert b"new" == (await site.get()).body

    await site.cache.purge(tags=["plan"], soft=True)
    site.clock.advance(10)
    await site.get()
    assert 3 == app.calls


@pytest.mark.parametrize("what", ["time", "url", "tag"])
async def test_a_window_that_closes_while_the_app_fails_is_closed(what: str) -> None:
    """What may answer in place of an error is decided when the error comes, not when the app was asked."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=IF_ERROR | {"cache-tag": "plan"}, body=b"old"), Reply(status=503, hold=gate))
    site = cached(app)
    await site.get()
    site.clock.advance(15)
    task = asyncio.create_task(site.get())
    await app.until_called(2)

    if what == "time":
        site.clock.advance(30)
    elif what == "url":
        await site.cache.purge(urls=["http://testserver/"])
    else:
        await site.cache.purge(tags=["plan"])
    gate.set()

    assert 503 == (await task).status
