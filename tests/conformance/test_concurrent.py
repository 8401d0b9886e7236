"""What no sequence of exchanges can show: requests that are under way together (RFC 9111 §4)."""

from __future__ import annotations

import asyncio

import pytest

from asgi_resync import Resync
from asgi_resync._asgi import Message, RawHeaders, Receive, Scope, Send

USERS = 20


class SlowApp:
    """Tells each request which call it is, once `go` is set, under the given fields."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers: RawHeaders = [*headers, (b"content-length", b"4")]
        self.calls = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        body = b"%04d" % self.calls
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def ask_together(app: SlowApp) -> list[bytes]:
    """Return the bodies that as many users get who ask at the same time."""
    wrapped = Resync()(app)

    async def ask(user: int) -> bytes:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"cache.test"), (b"cookie", b"user=%d" % user)]
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "", "headers": headers,
            "client": ("192.0.2.1", user), "server": ("cache.test", 80),
        }  # fmt: skip
        await wrapped(scope, receive, send)
        return b"".join(message.get("body", b"") for message in sent)

    tasks = [asyncio.create_task(ask(user)) for user in range(USERS)]
    await asyncio.sleep(0.01)
    app.go.set()
    return list(await asyncio.gather(*tasks))


async def test_requests_under_way_together_share_one_response() -> None:
    """§4 lets one response satisfy several requests: the app is asked once."""
    app = SlowApp((b"cache-control", b"max-age=60"))

    bodies = await ask_together(app)

    assert bodies == [b"0001"] * USERS
    assert app.calls == 1


@pytest.mark.parametrize(
    "field",
    [
        (b"cache-control", b"private, max-age=60"),
        (b"cache-control", b"no-store"),
        (b"cache-control", b"no-cache"),
        (b"set-cookie", b"user=1"),
        (b"vary", b"*"),
        (b"vary", b"cookie"),
    ],
)
async def test_what_may_not_be_shared_is_not_shared_with_those_who_wait(field: tuple[bytes, bytes]) -> None:
    """A response that may not answer a second request answers no request that was waiting for it either."""
    control = () if field[0] == b"cache-control" else ((b"cache-control", b"max-age=60"),)
    app = SlowApp(field, *control)

    bodies = await ask_together(app)

    assert len(set(bodies)) == USERS
    assert app.calls == USERS
