"""GZip on either side of the wrapper: each client gets what it can read, and no answer is compressed twice."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from tests.transparency.driver import Connection, exchange, http
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import ASGIApp, Receive, Scope, Send

TEXT = b"JOB7 READY\n" * 200
GZIP = (b"accept-encoding", b"gzip")


def whole() -> ASGIApp:
    """Return an app that answers in one message."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(TEXT)(scope, receive, send)

    return app


def streamed() -> ASGIApp:
    """Return an app that answers in ten messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(TEXT[at : at + 220] for at in range(0, len(TEXT), 220))(scope, receive, send)

    return app


def fields(connection: Connection) -> dict[bytes, bytes]:
    """Return the header of the answer; no name occurs twice in it."""
    lines = connection.sent[0]["headers"]
    assert len(lines) == len(dict(lines))
    return dict(lines)


@pytest.mark.parametrize("make", [whole, streamed])
@pytest.mark.parametrize("around", [True, False], ids=["gzip around", "gzip inside"])
async def test_each_client_gets_what_it_can_read(wrap: Wrap, make: Callable[[], ASGIApp], around: bool) -> None:
    """In whatever order clients come, those that take gzip get it, once, and the others get plain text."""
    app = GZipMiddleware(wrap(make())) if around else wrap(GZipMiddleware(make()))
    for compressed in (True, False, True, True, False):
        connection = await exchange(app, http(headers=[GZIP] if compressed else []))
        header = fields(connection)
        assert TEXT == (gzip.decompress(connection.body) if compressed else connection.body)
        assert (b"gzip" if compressed else None) == header.get(b"content-encoding")
        assert b"accept-encoding" in header[b"vary"].lower()
        if b"content-length" in header:
            assert len(connection.body) == int(header[b"content-length"])


async def test_gzip_inside_compresses_as_without_the_wrapper(wrap: Wrap) -> None:
    """The first answer through a compressing app is, message by message, the one of the bare app."""
    expected = await exchange(GZipMiddleware(streamed()), http(headers=[GZIP]))
    actual = await exchange(wrap(GZipMiddleware(streamed())), http(headers=[GZIP]))

    assert expected.sent == actual.sent
