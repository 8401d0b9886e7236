"""What the console sends by itself: server-sent events, of what has changed since the last.

A stream ends after `LASTS` seconds and the browser opens the next, since a server that is to stop waits for streams
to end, and nothing tells an app that it is to stop while one lasts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec
from anyio import sleep

INTERVAL = 1.0
"""Seconds between two looks."""
LASTS = 5.0
_AGAIN = b"retry: 500\n\n"
"""Milliseconds after which a browser opens the next stream."""


def event(name: str, data: bytes) -> bytes:
    """Return one event; *data* is one line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


async def sections(look: Callable[[], Awaitable[Mapping[str, str]]]) -> AsyncIterator[bytes]:
    """Yield events `sections`: of what *look* returns, the texts by name that have changed."""
    seen: Mapping[str, str] = {}
    yield _AGAIN
    for _ in range(int(LASTS / INTERVAL)):
        now = await look()
        changed = {name: text for name, text in now.items() if seen.get(name) != text}
        seen = now
        yield event("sections", msgspec.json.encode(changed))
        await sleep(INTERVAL)


async def statuses(look: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    """Yield events `status`, each with all that *look* returns."""
    yield _AGAIN
    for _ in range(int(LASTS / INTERVAL)):
        yield event("status", await look())
        await sleep(INTERVAL)
