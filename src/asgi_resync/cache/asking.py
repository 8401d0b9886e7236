"""Calling the app for an exchange, with its conditions, and again without when its 304 spoke of something else."""

from __future__ import annotations

import asyncio

from .._asgi import ASGIApp, Message, Receive, Scope
from .exchange import Exchange
from .policy.validation import conditional_headers


async def ask(
    exchange: Exchange, app: ASGIApp, scope: Scope, receive: Receive, *, body: bytes, asks_whole: bool
) -> None:
    """Run *exchange*, asking *app* about its candidates (RFC 9111 §4.3.1). Raises what the app raises.

    *body* is that of the request, should it have to be told twice. With *asks_whole* the client's own preconditions
    are kept from the app, since the full answer is wanted.
    """
    if not exchange.candidates and not asks_whole:
        await exchange.run(app, scope, receive)
        return
    # The scope stays the same object, since those around us may read what the app leaves in it.
    headers = scope["headers"]
    scope["headers"] = conditional_headers(headers, exchange.candidates)
    exchange.took_preconditions = True
    try:
        await exchange.run(app, scope, receive)
        if exchange.must_repeat:
            exchange.begin_again()
            scope["headers"] = conditional_headers(headers, ())
            await exchange.run(app, scope, request_of(body, receive))
    finally:
        scope["headers"] = headers


def request_of(body: bytes, then: Receive | None = None) -> Receive:
    """Return a `receive` that gives *body*, and after that what *then* gives, or nothing for ever."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        if then is not None:
            return await then()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return receive
