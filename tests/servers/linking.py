"""What the tests of the link share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import pytest
from tests.servers.guards import Book

from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.ports import Unreachable

PATIENT = 10.0
"""Seconds; a deadline that a busy machine does not miss."""
SHORT = 0.1
"""Seconds; one that is missed on purpose."""


@asynccontextmanager
async def linked(
    url: str, *, guard: Book | None = None, deadline: float = PATIENT, keepalive: float = 1.0
) -> AsyncIterator[RedisLink]:
    """Give a link, and close it."""
    link = RedisLink(url, guard=guard, deadline=deadline, keepalive=keepalive, connect_timeout=1.0)
    try:
        yield link
    finally:
        await link.aclose()


@contextmanager
def unreachable(*causes: str) -> Iterator[None]:
    """Expect that Redis cannot be asked, because of one of *causes*."""
    with pytest.raises(Unreachable) as caught:
        yield
    assert caught.value.cause in causes


async def reached(link: RedisLink, name: str = "name", patience: float = 20.0) -> bytes | None:
    """Ask until there is an answer; return it."""
    with anyio.fail_after(patience):
        while True:
            try:
                return await link.get(name)
            except Unreachable:
                await anyio.sleep(0.01)
