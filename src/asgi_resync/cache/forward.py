"""How messages of the app are passed on when nothing is to be kept of them."""

from __future__ import annotations

from .._asgi import Message, RawHeaders, Send
from .policy.fields import OWN_TARGET


def header_lines(start: Message) -> tuple[Message, RawHeaders]:
    """Return the message *start* and its header lines as a list. ASGI lets apps give any iterable of pairs.

    The message is the same object, unless its lines could be read only once.
    """
    given = start.get("headers", ())
    if type(given) is list:
        return start, given
    lines = list(given)
    return ({**start, "headers": lines} if iter(given) is given else start), lines


def without_target(start: Message) -> Message:
    """Return the message *start* without our targeted field, which is for this cache alone (RFC 9213)."""
    start, headers = header_lines(start)
    for name, _ in headers:
        if len(name) == 20 and name.lower() == OWN_TARGET:
            return {**start, "headers": [pair for pair in headers if pair[0].lower() != OWN_TARGET]}
    return start


def consume_target(send: Send) -> Send:
    """Return a `send` that drops our targeted field and changes nothing else."""

    async def consume(message: Message) -> None:
        await send(without_target(message) if message["type"] == "http.response.start" else message)

    return consume


def adding(send: Send, member: bytes) -> Send:
    """Return a `send` that adds the Cache-Status *member* to the response."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            message, headers = header_lines(message)
            message = {**message, "headers": [*headers, (b"cache-status", member)]}
        await send(message)

    return add
