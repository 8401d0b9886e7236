"""What an app sends arrives as it was sent: the same messages, in the same order, with the same contents."""

from __future__ import annotations

import pytest
from tests.transparency.driver import Connection, body, exchange, http, replying, start
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import Message, Receive, Scope, Send

TEXT = (b"content-type", b"text/plain")

RESPONSES: dict[str, list[Message]] = {
    "one body message": [start(200, [TEXT, (b"content-length", b"2")]), body(b"ok")],
    "two body messages": [start(200, [TEXT]), body(b"a", more_body=True), body(b"b")],
    "an empty last message": [start(200, [TEXT]), body(b"all", more_body=True), body()],
    "empty messages in between": [
        start(),
        body(more_body=True),
        body(b"a", more_body=True),
        body(more_body=True),
        body(),
    ],
    "an empty body": [start(200, [(b"content-length", b"0")]), body()],
    "a body message without a body": [start(), {"type": "http.response.body"}],
    "a start without header lines": [{"type": "http.response.start", "status": 200, "headers": []}, body(b"ok")],
    "204": [start(204), body()],
    "205": [start(205), body()],
    "206": [start(206, [(b"content-range", b"bytes 0-1/10")]), body(b"ab")],
    "304": [start(304, [(b"etag", b'"1"')]), body()],
    "301": [start(301, [(b"location", b"/elsewhere")]), body()],
    "404": [start(404, [TEXT]), body(b"no")],
    "418": [start(418), body(b"teapot")],
    "500": [start(500, [TEXT]), body(b"broken")],
    "599": [start(599), body(b"odd")],
    "101": [start(101, [(b"upgrade", b"h2c")]), body()],
    "duplicate lines": [start(200, [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"1"), (b"x-a", b"3")]), body(b"ok")],
    "cookies": [start(200, [(b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2")]), body(b"ok")],
    "mixed-case names": [start(200, [(b"Content-Type", b"text/plain"), (b"X-MiXeD", b"Kept")]), body(b"ok")],
    "odd bytes": [start(200, [(b"x-\xff\xfe", b"\xe4\xf6\x00\x7f"), (b"", b""), (b"x a", b" padded ")]), body(b"ok")],
    "no-store": [start(200, [(b"cache-control", b"no-store")]), body(b"mine")],
    "private": [start(200, [(b"cache-control", b"private, max-age=5")]), body(b"mine")],
    "contradicting fields": [
        start(200, [(b"age", b"x"), (b"date", b"never"), (b"expires", b"0"), (b"vary", b"*")]),
        body(),
    ],
    "own cache fields": [start(200, [(b"etag", b'W/"x"'), (b"age", b"7"), (b"vary", b"accept, Cookie")]), body(b"ok")],
    "an event stream": [
        start(200, [(b"content-type", b"text/event-stream")]),
        body(b"data: 1\n\n", more_body=True),
        body(),
    ],
    "a wrong content-length": [start(200, [(b"content-length", b"9")]), body(b"short")],
    "unknown keys": [start(200, [TEXT], reason=b"Fine"), body(b"ok", note="kept")],
    "early hints": [
        {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]},
        {"type": "http.response.early_hint", "links": [b"</c.css>; rel=preload"]},
        start(200, [TEXT]),
        body(b"ok"),
    ],
    "server push": [
        {"type": "http.response.push", "path": "/a.css", "headers": [(b"accept", b"text/css")]},
        start(200, [TEXT]),
        {"type": "http.response.push", "path": "/b.css", "headers": []},
        body(b"ok"),
    ],
    "debug information": [
        {"type": "http.response.debug", "info": {"template": "plan.html"}},
        start(200, [TEXT]),
        body(b"ok"),
    ],
    "a path to send": [start(200, [TEXT]), {"type": "http.response.pathsend", "path": "/plan.txt"}],
    "a file to send": [
        start(200, [TEXT]),
        {"type": "http.response.zerocopysend", "file": 7, "offset": 0, "count": 5, "more_body": True},
        {"type": "http.response.zerocopysend", "file": 7, "offset": 5},
    ],
    "a file between bytes": [
        start(200, [TEXT]),
        body(b"<", more_body=True),
        {"type": "http.response.zerocopysend", "file": 7, "more_body": True},
        body(b">"),
    ],
    "trailers": [
        start(200, [TEXT, (b"trailer", b"x-sum")], trailers=True),
        body(b"a", more_body=True),
        body(b"b"),
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [(b"x-end", b"2")], "more_trailers": False},
    ],
    "trailers after a path": [
        start(200, [TEXT], trailers=True),
        {"type": "http.response.pathsend", "path": "/plan.txt"},
        {"type": "http.response.trailers", "headers": [], "more_trailers": False},
    ],
    "messages nobody knows": [
        {"type": "http.response.future", "n": 1},
        start(200, [TEXT]),
        {"type": "http.response.future", "n": 2},
        body(b"a", more_body=True),
        {"type": "org.example.note", "n": 3},
        body(b"b"),
        {"type": "org.example.note", "n": 4},
    ],
}
"""What apps send; each must arrive unchanged."""

ADVISORY_TYPES = {f"http.response.{kind}" for kind in ("early_hint", "push", "debug")}
STORABLE_TYPES = {"http.response.start", "http.response.body", *ADVISORY_TYPES}
"""A stored answer may do without advice. One that was sent in any other way is not to be stored at all."""


@pytest.mark.parametrize("messages", RESPONSES.values(), ids=RESPONSES)
async def test_what_the_app_sends_arrives_unchanged(wrap: Wrap, messages: list[Message]) -> None:
    """Every message of the app reaches the server, unchanged and in order."""
    connection = await exchange(wrap(replying(*messages)))

    assert messages == connection.sent


@pytest.mark.parametrize("messages", RESPONSES.values(), ids=RESPONSES)
async def test_a_repeated_request_gets_the_same_answer(wrap: Wrap, messages: list[Message]) -> None:
    """Whether or not it was stored, the second answer has the status and the body of the first."""
    app = wrap(replying(*messages))
    first = await exchange(app)
    second = await exchange(app)

    if b"hit" in second.cache_status:
        assert first.body == second.body
        assert [message["status"] for message in first.sent if "status" in message] == [second.sent[0]["status"]]
        assert set(first.sent_types) <= STORABLE_TYPES
    else:
        assert messages == second.sent


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE", "get", "M-SEARCH", ""]
)
async def test_any_method_reaches_the_app_as_it_is(wrap: Wrap, method: str) -> None:
    """The app is called once with the method of the request, and its answer arrives unchanged."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["method"])
        await send(start(200, [(b"content-length", b"4")]))
        await send(body(b"" if method == "HEAD" else b"plan"))

    connection = await exchange(wrap(app), http(method=method))

    assert [method] == seen
    assert [start(200, [(b"content-length", b"4")]), body(b"" if method == "HEAD" else b"plan")] == connection.sent


async def test_a_thousand_chunks_arrive_one_by_one(wrap: Wrap) -> None:
    """A body in a thousand messages stays a thousand messages."""
    chunks = [body(b"%d," % number, more_body=number < 999) for number in range(1000)]

    connection = await exchange(wrap(replying(start(200, [TEXT]), *chunks)))

    assert [start(200, [TEXT]), *chunks] == connection.sent


async def test_a_body_above_every_cap_flows_on(wrap: Wrap) -> None:
    """A body of 64 MiB, more than is ever stored, arrives whole and in its own pieces."""
    chunk = bytes(1024 * 1024)
    sizes: list[int] = []

    async def count(message: Message) -> None:
        sizes.append(len(message.get("body", b"")))
        message.pop("body", None)

    connection = Connection(on_send=count)
    await connection.run(wrap(replying(start(), *[body(chunk, more_body=True)] * 64, body())))

    assert [0, *[len(chunk)] * 64, 0] == sizes


async def test_header_lines_may_be_any_iterable(wrap: Wrap) -> None:
    """Lines given as lists, tuples or a generator, and a missing header, all arrive as the app meant them."""
    lines = [(b"content-type", b"text/plain"), (b"x-a", b"1")]
    forms: list[Message] = [
        {"headers": [list(line) for line in lines]},
        {"headers": tuple(lines)},
        {"headers": (line for line in lines)},
    ]

    for form in forms:
        connection = await exchange(wrap(replying({"type": "http.response.start", "status": 200, **form}, body(b"ok"))))
        assert [start(200, lines), body(b"ok")] == connection.sent

    connection = await exchange(wrap(replying({"type": "http.response.start", "status": 200}, body(b"ok"))))
    assert [200, b"ok", []] == [connection.sent[0]["status"], connection.body, connection.sent[0].get("headers", [])]


async def test_a_buffer_may_be_used_again_by_the_app(wrap: Wrap) -> None:
    """An app may send views of a buffer that it overwrites afterwards; answers now and later are what was sent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        buffer = bytearray(b"first ")
        await send(start(200, [TEXT]))
        await send({"type": "http.response.body", "body": memoryview(buffer), "more_body": True})
        buffer[:] = b"second"
        await send({"type": "http.response.body", "body": bytes(buffer)})
        buffer[:] = b"spoilt"

    received: list[bytes] = []

    async def copy(message: Message) -> None:
        received.append(bytes(message.get("body", b"")))

    wrapped = wrap(app)
    for _ in range(2):
        await Connection(on_send=copy).run(wrapped)

    assert b"first second" * 2 == b"".join(received)


async def test_one_message_may_start_many_responses(wrap: Wrap) -> None:
    """An app may keep one start message for all its responses: what is added for one is not in the next."""
    message = start(200, [TEXT])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)
        await send(body(scope["path"].encode()))

    wrapped = wrap(app)
    for path in ("/a", "/b", "/a", "/b"):
        connection = await exchange(wrapped, http(path))
        names = [name for way, sent in connection.log if "headers" in sent for name, _ in sent["headers"]]
        assert len(names) == len(set(names))
        assert path.encode() == connection.body

    assert start(200, [TEXT]) == message


async def test_the_header_that_was_sent_is_not_changed_behind_the_apps_back(wrap: Wrap) -> None:
    """An app may keep one list of header lines for all its responses; the wrapper does not write to it."""
    lines = [TEXT]
    message = start(200, lines)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)
        await send(body(b"ok"))

    wrapped = wrap(app)
    await exchange(wrapped)
    await exchange(wrapped, http(method="POST"))

    assert [TEXT] == lines
    assert start(200, [TEXT]) == message


async def test_a_server_may_change_the_messages_it_gets(wrap: Wrap) -> None:
    """What an outer middleware does to a message, such as GZip to the body, does not reach later answers."""

    async def spoil(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"x-spoilt", b"1")]
        elif message["type"] == "http.response.body":
            message["body"] = b"spoilt"

    app = wrap(replying(start(200, [TEXT]), body(b"plan")))
    await Connection(on_send=spoil).run(app)
    second = await exchange(app)

    assert b"plan" == second.body
    assert (b"x-spoilt", b"1") not in second.sent[0]["headers"]


async def test_the_list_of_lines_may_be_changed_by_an_outer_middleware(wrap: Wrap) -> None:
    """A middleware that appends to the list of lines in place, as many do, changes that one answer only."""

    async def append(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-request-id", b"1"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [TEXT]))
        await send(body(b"plan"))

    wrapped = wrap(app)
    await Connection(on_send=append).run(wrapped)
    await Connection(on_send=append).run(wrapped)
    last = await Connection(on_send=append).run(wrapped)

    assert 1 == sum(name == b"x-request-id" for name, _ in last.sent[0]["headers"])
