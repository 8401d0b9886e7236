"""A call of the app in the background, for a stored response that was served stale (RFC 5861 §3)."""

from __future__ import annotations

import asyncio

from .._asgi import ASGIApp, Scope
from ..noted import notes_here
from .asking import ask, request_of
from .entry import StoredResponse
from .exchange import Exchange
from .policy.validation import PRECONDITIONS


async def refresh(exchange: Exchange, entry: StoredResponse, app: ASGIApp, scope: Scope, body: bytes) -> None:
    """Run *exchange* as the request of *scope* and *body* would; what goes wrong is told, and never raised.

    The app gets a scope of its own, without what the client asked of its own copy, and without extensions: they would
    let it answer by other means than bytes.
    """
    # What it calls is no part of the request that was answered without it.
    notes_here.set(None)
    cache = exchange.cache
    headers = [pair for pair in scope["headers"] if pair[0] not in PRECONDITIONS and pair[0] != b"range"]
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    own = {**scope, "method": method, "headers": headers, "extensions": {}}
    try:
        async with asyncio.timeout(cache.options.refresh_timeout):
            await ask(exchange, app, own, request_of(body), body=body, asks_whole=False)
        if exchange.stored is None:
            cache.refresh_failed(exchange.asked.key, entry, "not stored")
    except Exception as error:
        cache.refresh_failed(exchange.asked.key, entry, type(error).__name__)
