"""Whatever an app sends, and wherever it fails: hypothesis writes the apps, and the bare one is the judge."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transparency.driver import Connection, body, http, start
from tests.transparency.wrappings import WRAPPINGS, Wrap, bare

from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send

LINES = [
    (b"content-type", b"text/plain"),
    (b"content-type", b"text/event-stream"),
    (b"content-length", b"3"),
    (b"cache-control", b"max-age=60"),
    (b"cache-control", b"no-store"),
    (b"cache-control", b"private"),
    (b"cache-control", b'no-cache="x-a", s-maxage=5, stale-while-revalidate=3'),
    (b"Cache-Control", b"max-age=0, must-revalidate"),
    (b"cache-control", b"max-age=\xff, ,=,;"),
    (b"expires", b"Thu, 01 Jan 2037 00:00:00 GMT"),
    (b"age", b"30"),
    (b"date", b"Mon, 23 Nov 2026 05:00:00 GMT"),
    (b"vary", b"accept-encoding, Accept-Language"),
    (b"vary", b"*"),
    (b"set-cookie", b"a=b"),
    (b"etag", b'"app"'),
    (b"etag", b"broken"),
    (b"last-modified", b"Mon, 23 Nov 2020 05:00:00 GMT"),
    (b"cdn-cache-control", b"max-age=9"),
    (b"surrogate-key", b"a b"),
    (b"x-a", b"1"),
    (b"x-a", b"2"),
    (b"connection", b"x-a"),
    (b"content-range", b"bytes 0-1/3"),
]
STATUSES = [200, 200, 200, 201, 204, 206, 301, 302, 304, 404, 410, 416, 500, 503]
EXTRAS: list[Message] = [
    {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]},
    {"type": "http.response.debug", "info": {}},
    {"type": "http.response.pathsend", "path": "/x"},
    {"type": "http.response.zerocopysend", "file": 3},
    {"type": "http.response.trailers", "headers": [], "more_trailers": False},
    {"type": "org.example.note"},
]

starts = st.builds(
    start,
    st.sampled_from(STATUSES),
    st.lists(st.sampled_from(LINES), max_size=5),
    trailers=st.sampled_from([False, False, False, True]),
)
pieces = st.builds(body, st.sampled_from([b"", b"a", b"bcd"]), more_body=st.booleans())
well_formed = st.builds(
    lambda first, parts, last: [first, *[body(part, more_body=True) for part in parts], body(last, more_body=False)],
    starts,
    st.lists(st.sampled_from([b"", b"a", b"bcd"]), max_size=3),
    st.sampled_from([b"", b"z"]),
)
anything = st.lists(st.one_of(starts, pieces, st.sampled_from(EXTRAS)), max_size=6)
messages = st.one_of(well_formed, anything)
failures = st.sampled_from([None, None, None, ValueError("app"), ExceptionGroup("group", [ValueError("app")])])
REQUESTS: list[dict[str, Any]] = [
    {},
    {"method": "HEAD"},
    {"method": "POST"},
    {"headers": [(b"authorization", b"Basic YTpi")]},
    {"headers": [(b"cache-control", b"no-store")]},
    {"headers": [(b"accept-encoding", b"gzip")]},
    {"path": "/plan?a=1"},
]


def playing(sent: list[Message], failure: Exception | None) -> ASGIApp:
    """Return an app that sends *sent* and raises *failure*, if there is one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(dict(message))
        if failure is not None:
            raise failure

    return app


async def outcome(app: ASGIApp, asked: dict[str, Any]) -> tuple[list[Message], BaseException | None, bytes]:
    """Call *app* once; return what it sent, what it raised, and its Cache-Status."""
    connection = Connection(http(**asked))
    error: BaseException | None = None
    try:
        async with asyncio.timeout(10):
            await connection.run(app)
    except Exception as raised:
        error = raised
    return connection.sent, error, connection.cache_status


def whole_part(sent: list[Message]) -> list[Message]:
    """Return the first whole response in *sent*; what an app says before or after it is no part of it."""
    starts = [at for at, message in enumerate(sent) if message["type"] == "http.response.start"]
    bodies = [at for at, message in enumerate(sent) if message["type"] == "http.response.body" and at > starts[0]]
    end = next(at for at in bodies if not sent[at]["more_body"])
    return sent[starts[0] : end + 1]


@pytest.mark.parametrize("wrap", list(WRAPPINGS.values()), ids=list(WRAPPINGS))
@given(sent=messages, failure=failures, asked=st.sampled_from(REQUESTS))
async def test_the_first_answer_is_the_apps(
    wrap: Wrap, sent: list[Message], failure: Exception | None, asked: dict[str, Any]
) -> None:
    """On a first request, messages and exception are those of the bare app, and nothing is kept that is not whole."""
    expected = await outcome(bare(playing(sent, failure)), asked)
    actual = await outcome(wrap(playing(sent, failure)), asked)

    assert expected[:2] == actual[:2]


@pytest.mark.parametrize("wrap", list(WRAPPINGS.values()), ids=list(WRAPPINGS))
@given(sent=messages, failure=failures, asked=st.lists(st.sampled_from(REQUESTS), min_size=2, max_size=4))
async def test_later_answers_are_the_apps_or_stored_ones(
    wrap: Wrap, sent: list[Message], failure: Exception | None, asked: list[dict[str, Any]]
) -> None:
    """An answer that is not out of the cache is the bare app's; one that is has the app's status and whole body."""
    app = wrap(playing(sent, failure))
    for each in asked:
        expected, error, _ = await outcome(bare(playing(sent, failure)), each)
        actual, raised, status = await outcome(app, each)
        if b"; hit" in status:
            assert ["http.response.start", "http.response.body"] == [message["type"] for message in actual]
            expected = whole_part(expected)
            assert [message["status"] for message in expected if "status" in message] == [actual[0]["status"]]
            whole = b"".join(message.get("body", b"") for message in expected)
            assert (b"" if each.get("method") == "HEAD" else whole) == actual[1]["body"]
            assert raised is None
        else:
            assert (expected, error) == (actual, raised)
