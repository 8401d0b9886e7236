"""One call of the app: which messages go out when, what is copied of them, and what makes it stop copying."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.caching import FRESH, cached, into, turns

from asgi_resync import CacheRule, cache_for, events
from asgi_resync._asgi import Message, Receive, Scope, Send
from asgi_resync.testing import Reply, ScriptedApp


def start(headers: dict[str, str], **more: Any) -> Message:
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": lines, **more}


@pytest.mark.parametrize(
    "headers",
    [{}, {"cache-control": "no-store"}, {"cache-control": "private"}, FRESH | {"content-type": "text/event-stream"}],
)
async def test_the_start_of_what_is_not_stored_is_not_delayed(headers: dict[str, str]) -> None:
    """It has reached the client before the app goes on, and so has every part of the body."""
    sent: list[Message] = []
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers))
        seen.append(len(sent))
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        seen.append(len(sent))
        await send({"type": "http.response.body", "body": b"b"})
        seen.append(len(sent))

    await cached(app).get(on_send=into(sent))

    assert [1, 2, 3] == seen


async def test_what_is_stored_flows_while_it_is_copied() -> None:
    """With a validator of the app the start goes at once, and each part with it."""
    sent: list[Message] = []
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (
            start(FRESH | {"etag": '"a"'}),
            {"type": "http.response.body", "body": b"a", "more_body": True},
            {"type": "http.response.body", "body": b"b", "more_body": False},
        ):
            await send(message)
            seen.append(len(sent))

    site = cached(app)
    await site.get(on_send=into(sent))

    assert [1, 2, 3] == seen
    assert b"ab" == (await site.get()).body


async def test_the_start_waits_for_the_first_part_where_the_etag_is_ours() -> None:
    """A body in one message gets the ETag with its start; a stream starts with its first part, and without."""
    whole = cached(ScriptedApp(Reply(headers=FRESH, body=b"ab")))
    stream = cached(ScriptedApp(Reply(headers=FRESH, body=[b"a", b"b"])))

    one, parts = await whole.get(), await stream.get()

    assert one.header("etag") is not None
    assert parts.header("etag") is None
    assert [None, b"a", b"b"] == [message.get("body") for message in parts.messages]
    assert one.header("etag") == (await stream.get()).header("etag")


async def test_a_body_that_has_come_to_its_length_gets_its_etag_before_its_end_is_said() -> None:
    """As from Quart, which says the end in a message of its own: the miss can be asked for again as a hit can."""
    ended = cached(ScriptedApp(Reply(headers=FRESH | {"content-length": "2"}, body=[b"ab", b""])))
    longer = cached(ScriptedApp(Reply(headers=FRESH | {"content-length": "2"}, body=[b"a", b"b"])))
    miss, hit, unknown = await ended.get(), await ended.get(), await longer.get()

    assert miss.header("etag") is not None
    assert miss.header("etag") == hit.header("etag")
    assert [None, b"ab", b""] == [message.get("body") for message in miss.messages]
    assert unknown.header("etag") is None


async def test_a_body_that_outgrows_the_cap_goes_on_flowing() -> None:
    """It is stored no more, its parts go out one by one as before, and it is told."""
    sent: list[Message] = []
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH))
        for number in range(5):
            await send({"type": "http.response.body", "body": b"1234", "more_body": number < 4})
            seen.append(len(sent))

    site = cached(app, max_body=10)
    answer = await site.get(on_send=into(sent))

    assert b"1234" * 5 == answer.body
    assert [2, 3, 4, 5, 6] == seen
    assert ["too-large"] == [event.reason for event in site.events if isinstance(event, events.NotStored)]
    assert ["CacheMiss", "NotStored"] == site.told


async def test_a_declared_length_over_the_cap_is_not_copied_at_all() -> None:
    """What says that it is too large is decided on at the start."""
    site = cached(ScriptedApp(Reply(headers=FRESH | {"content-length": "20"}, body=b"x" * 20)), max_body=10)

    answer = await site.get()

    assert b"x" * 20 == answer.body
    assert ["CacheMiss", "NotStored"] == site.told


@pytest.mark.parametrize("length", ["1", "3"])
async def test_a_body_of_another_length_than_declared_is_not_stored(length: str) -> None:
    """RFC 9111 §3: neither an incomplete response nor one that says more than it declared."""
    app = ScriptedApp(Reply(headers=FRESH | {"content-length": length}, body=b"ab"))
    site = cached(app)

    assert b"ab" == (await site.get()).body
    await site.get()
    assert 2 == app.calls


@pytest.mark.parametrize("error", [None, RuntimeError("boom")])
async def test_an_unfinished_response_is_not_stored(error: Exception | None) -> None:
    """What was sent reaches the client, and no more; the next request calls the app."""

    async def unfinished(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH))
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        if error is not None:
            raise error

    sent: list[Message] = []
    app = ScriptedApp(unfinished, Reply(headers=FRESH, body=b"whole"))
    site = cached(app)

    await asyncio.gather(site.get(on_send=into(sent)), return_exceptions=True)

    assert ["http.response.start", "http.response.body"] == [message["type"] for message in sent]
    assert b"whole" == (await site.get()).body


async def test_a_start_without_a_body_is_sent_all_the_same() -> None:
    """A start that waited for its ETag goes out when the app ends without a body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH))

    sent: list[Message] = []
    await cached(app).get(on_send=into(sent))

    assert ["http.response.start"] == [message["type"] for message in sent]


async def test_trailers_are_forwarded_and_nothing_is_stored() -> None:
    """A response that is more than status, fields and bytes is its own client's."""

    async def trailing(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH, trailers=True))
        await send({"type": "http.response.body", "body": b"a"})
        await send({"type": "http.response.trailers", "headers": [(b"x", b"1")], "more_trailers": False})

    app = ScriptedApp(trailing)
    site = cached(app)

    for _ in range(2):
        answer = await site.get()
        assert ["start", "body", "trailers"] == [message["type"].rpartition(".")[2] for message in answer.messages]
    assert 2 == app.calls


async def test_pathsend_is_forwarded_and_nothing_is_stored() -> None:
    """The start that waited for its ETag goes first."""

    async def pathsend(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH))
        await send({"type": "http.response.pathsend", "path": "/tmp/x"})

    app = ScriptedApp(pathsend)
    site = cached(app)

    for _ in range(2):
        answer = await site.get()
        assert ["start", "pathsend"] == [message["type"].rpartition(".")[2] for message in answer.messages]
    assert 2 == app.calls


async def test_messages_before_the_start_go_on_at_once() -> None:
    """Early hints and the like are for the client that is there."""

    async def hinting(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": [b"</a>"]})
        await Reply(headers=FRESH, body=b"x")(scope, receive, send)

    answer = await cached(ScriptedApp(hinting)).get()

    assert ["early_hint", "start", "body"] == [message["type"].rpartition(".")[2] for message in answer.messages]


async def test_messages_after_the_end_go_to_the_server() -> None:
    """It is the server's to refuse them, as without the cache."""

    async def talkative(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(headers=FRESH, body=b"x")(scope, receive, send)
        await send({"type": "http.response.body", "body": b"late"})

    site = cached(ScriptedApp(talkative))

    assert 3 == len((await site.get()).messages)
    assert b"x" == (await site.get()).body


@pytest.mark.parametrize("body", [bytearray(b"ab"), memoryview(b"ab")])
async def test_bodies_that_may_change_later_are_copied(body: bytearray | memoryview) -> None:
    """An app may reuse its buffer once `send` has returned."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH))
        await send({"type": "http.response.body", "body": body})
        if isinstance(body, bytearray):
            body[:] = b"zz"

    site = cached(app)
    await site.get()

    assert b"ab" == (await site.get()).body


async def test_header_lines_in_any_iterable_are_understood() -> None:
    """Tuples, lists of lists and generators are header lines, and none at all is none."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = start({})
        if scope["path"] == "/none":
            del message["headers"]
        elif scope["path"] == "/tuple":
            message["headers"] = ((b"cache-control", b"max-age=60"),)
        else:
            message["headers"] = ([name, value] for name, value in [(b"Cache-Control", b"max-age=60")])
        await send(message)
        await send({"type": "http.response.body", "body": b"x"})

    site = cached(app)

    for path, stored in (("/none", False), ("/tuple", True), ("/generator", True)):
        await site.get(path)
        assert stored == ((await site.get(path)).header("age") is not None)


async def test_a_store_that_fails_breaks_no_request() -> None:
    """The client gets its answer, those who wait theirs, and the failure is told."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"x", hold=gate))
    site = cached(app)

    class Broken(type(site.cache.store)):  # type: ignore[misc] # a store of the same kind
        async def set(self, key: object, record: object) -> None:
            raise OSError("disk on fire")

    site.cache.store = Broken()
    tasks = [asyncio.create_task(site.get()) for _ in range(3)]
    await turns()
    gate.set()

    assert {b"x"} == {answer.body for answer in await asyncio.gather(*tasks)}
    assert 1 == app.calls
    assert "store.set" in [event.where for event in site.events if isinstance(event, events.InternalFailure)]


async def test_a_listener_that_raises_breaks_no_request() -> None:
    """It is logged and dropped."""
    site = cached(ScriptedApp(Reply(headers=FRESH, body=b"x")))

    def broken(event: events.Event) -> None:
        raise RuntimeError("listener")

    site.cache.emit = events.guarded(broken)

    assert b"x" == (await site.get()).body
    assert b"x" == (await site.get()).body


async def test_a_handler_that_marks_only_some_answers_is_asked_each_time() -> None:
    """Only running it shows its terms, so what was not stored is not remembered against it."""

    @cache_for(10)
    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        status = 200 if scope["query_string"] != b"" or len(app.requests) > 1 else 404
        await Reply(status=status, body=b"x")(scope, receive, send)

    app = ScriptedApp(marked)
    site = cached(app)

    assert [404, 200, 200] == [(await site.get()).status for _ in range(3)]
    assert 2 == app.calls


@pytest.mark.parametrize("status", [201, 203, 301, 404, 410, 500, 501])
async def test_an_explicit_lifetime_counts_for_any_final_status(status: int) -> None:
    """RFC 9111 §3: freshness that the response states makes it storable, whatever its status."""
    app = ScriptedApp(Reply(status=status, headers=FRESH))
    site = cached(app)

    await site.get()

    assert (status, 1) == ((await site.get()).status, app.calls)


async def test_a_rule_covers_the_statuses_it_names() -> None:
    """A 404 under a rule for 200 is not stored, and says why; under a rule that names it, it is."""
    app = ScriptedApp(Reply(status=404))
    site = cached(app, CacheRule("/a", ttl=9), CacheRule("/b", ttl=9, statuses=[404]))

    first = await site.get("/a")
    await site.get("/a")
    assert (2, "resync; fwd=uri-miss; detail=no-lifetime") == (app.calls, first.header("cache-status"))

    await site.get("/b")
    await site.get("/b")
    assert 3 == app.calls


async def test_what_a_field_injects_reaches_neither_keys_nor_lines() -> None:
    """A tag with line breaks is a tag of that name at most: the header lines that go out are those that came in."""
    app = ScriptedApp(Reply(headers=FRESH | {"cache-tag": "a\r\nset-cookie:x=1, b"}))
    site = cached(app)
    await site.get()

    hit = await site.get()
    assert {b"cache-control", b"cache-tag", b"content-length", b"etag", b"age", b"cache-status"} == {
        name for name, _ in hit.headers
    }

    await site.cache.purge(tags=["b"])
    await site.get()
    assert 2 == app.calls


@pytest.mark.parametrize(
    ("parts", "declared", "reason"),
    [([b"x" * 2000], None, b"too-large"), ([b"x"], "2", b"incomplete"), ([], None, b"incomplete")],
)
async def test_what_is_found_unfit_before_its_start_has_gone_out_does_not_say_that_it_is_stored(
    parts: list[bytes], declared: str | None, reason: bytes
) -> None:
    """The start waits for the first part, for an ETag of ours: what that part says is told as well."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH | ({} if declared is None else {"content-length": declared})))
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": False})

    await cached(app, max_body=1000).get(on_send=into(sent))

    assert (b"cache-status", b"resync; fwd=uri-miss; detail=" + reason) in sent[0]["headers"]


async def test_a_body_that_ends_in_a_message_of_its_own_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ETag goes out with the start, and is the one that is stored."""
    digested: list[bytes] = []

    def counted(body: bytes) -> bytes:
        digested.append(body)
        return b'"made"'

    monkeypatch.setattr("asgi_resync.cache.copying.strong_etag", counted)
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(FRESH | {"content-length": "2"}))
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    site = cached(app)
    await site.get(on_send=into(sent))
    hit = await site.get()

    assert [b"ab"] == digested
    assert (b"etag", b'"made"') in sent[0]["headers"]
    assert '"made"' == hit.header("etag")
