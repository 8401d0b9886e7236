"""How messages of the app are passed on when nothing is to be kept of them."""

from __future__ import annotations

from .._asgi import Message, Send
from .policy.fields import OWN_TARGET


def without_target(start: Message) -> Message:
    """Return the message *start* without our targeted field, which is for this cache alone (RFC 9213)."""
    headers = start.get("headers", ())
    if type(headers) is not list:
        start = {**start, "headers": (headers := list(headers))}
    for name, _ in headers:
        if len(name) == 20 and name.lower() == OWN_TARGET:
            return {**start, "headers": [pair for pair in headers if pair[0].lower() != OWN_TARGET]}
    return start


def consume_target(send: Send) -> Send:
    """Return a `send` that drops our targeted field and changes nothing else."""

    async def consume(message: Message) -> None:
        await send(without_target(message) if message["type"] == "http.response.start" else message)

    return consume
