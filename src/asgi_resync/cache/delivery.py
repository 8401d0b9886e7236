"""The way of an app's messages to the client that made it be called. It reads none of them.

The app feels its client's pace, as ever, unless others wait for the same answer: then messages go by the outbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from .._asgi import Message, RawHeaders, Send
from .entry import StoredResponse
from .flight import Flight
from .outbox import Outbox

Reason: TypeAlias = Literal["validated", "confirmed", "if-error"]
"""Why the store answers: the app said that what is stored is good, and it was kept; it said so, to this request alone;
or it failed."""
Action: TypeAlias = Literal["pass", "copy", "validated", "fallback"]
"""What becomes of a response: passed on, copied, taken for a 304 to our question, or replaced by the fallback."""

Reply: TypeAlias = Callable[[StoredResponse, Reason, RawHeaders], Awaitable[None]]
"""Answers the client of an exchange out of the store, with header lines that are for this client alone."""


class Delivery:
    """Sends to *client*, None for a call in the background or once the client has been answered or has gone."""

    __slots__ = ("_flight", "client", "outbox")

    def __init__(self, client: Send | None, flight: Flight[StoredResponse] | None) -> None:
        self.client = client
        self.outbox = Outbox(flight.loop) if flight is not None else None
        self._flight = flight

    async def send(self, message: Message, *, copying: bool) -> None:
        """Send *message*. While *copying*, a client that has gone harms nobody as long as others wait."""
        client, flight, outbox = self.client, self._flight, self.outbox
        if client is None:
            return
        if flight is None or outbox is None:
            await client(message)
        elif copying and (flight.followers or outbox.is_used):
            try:
                outbox.put(message)
            except Exception:
                if not flight.followers:
                    raise
                self.client = None
        elif outbox.is_used:
            await outbox.through(message)
        else:
            flight.is_sending = True
            try:
                await client(message)
            finally:
                flight.is_sending = False
