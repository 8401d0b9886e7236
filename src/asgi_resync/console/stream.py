"""What the console sends by itself: server-sent events, of what has changed since the last.

One that cannot look ends, after a line in the log, and is opened again later. Any other ends after `LASTS` seconds and
the browser opens the next, since a server that is to stop waits for streams to end, and nothing tells an app that it is
to stop while one lasts.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec
from anyio import sleep

_log = logging.getLogger("asgi_resync")

INTERVAL = 1.0
"""Seconds between two looks."""
LASTS = 5.0
_AGAIN = b"retry: 500\n\n"
"""Milliseconds after which a browser opens the next stream."""
_LATER = b"retry: 5000\n\n"
"""The same, of a stream that could not look."""


def event(name: str, data: bytes) -> bytes:
    """Return one event; *data* is one line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


async def sections(look: Callable[[], Awaitable[Mapping[str, str]]]) -> AsyncIterator[bytes]:
    """Yield events `sections`: of what *look* returns, the texts by name that have changed."""
    seen: Mapping[str, str] = {}

    async def changed() -> bytes:
        nonlocal seen
        now = await look()
        news = {name: text for name, text in now.items() if seen.get(name) != text}
        seen = now
        return msgspec.json.encode(news)

    async for chunk in _events("sections", changed):
        yield chunk


async def statuses(look: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    """Yield events `status`, each with all that *look* returns."""
    async for chunk in _events("status", look):
        yield chunk


async def _events(name: str, look: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    yield _AGAIN
    for _ in range(int(LASTS / INTERVAL)):
        try:
            data = await look()
        except Exception as error:
            _log.error("The console could not look (%s); its stream ended.", type(error).__name__, exc_info=error)
            yield _LATER
            return
        yield event(name, data)
        await sleep(INTERVAL)
