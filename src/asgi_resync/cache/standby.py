"""A call of the app of which nothing is kept, for which a stored response stands by (RFC 5861 §4)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .._asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from .cache import Cache
from .entry import StoredResponse
from .opening import degraded_lines, is_error
from .policy.control import RequestControl
from .policy.reuse import may_serve_if_error
from .tags import MarkedStale

_log = logging.getLogger("asgi_resync")

StandIn: TypeAlias = Callable[[str, RawHeaders], Awaitable[bool]]
"""Answers in place of the app that failed as the text and the header lines say; False if it may not."""


def may_stand_in(cache: Cache, entry: StoredResponse, control: RequestControl | None = None) -> bool:
    """Return whether *entry* may answer at this moment in place of an error; *control* is what the request says."""
    standing = cache.ledger.standing(entry)
    if standing == "purged":
        return False
    marked = standing.at if isinstance(standing, MarkedStale) else None
    return may_serve_if_error(entry, cache.clock(), control, marked_stale_at=marked)


async def call_with_standby(app: ASGIApp, scope: Scope, receive: Receive, send: Send, stand_in: StandIn) -> None:
    """Call *app*; if it fails before it has answered, let *stand_in* answer. Raises what the app raises otherwise."""
    is_answered = is_replaced = False

    async def watch(message: Message) -> None:
        nonlocal is_answered, is_replaced
        if is_replaced:
            return
        if not is_answered and message["type"] == "http.response.start":
            is_answered = True
            status, headers = message["status"], list(message.get("headers", ()))
            if is_error(status, headers) and await stand_in(str(status), degraded_lines(headers)):
                is_replaced = True
                return
        await send(message)

    try:
        await app(scope, receive, watch)
    except Exception as error:
        if not is_replaced and (is_answered or not await stand_in(type(error).__name__, [])):
            raise
        # The server would have logged it: whoever runs the app must still learn what broke.
        _log.error("The app raised; its client is answered from the store.", exc_info=error)
    else:
        if not is_answered:
            await stand_in("incomplete", [])
