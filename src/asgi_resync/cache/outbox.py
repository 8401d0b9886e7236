"""Messages on their way to the client of a flight's leader while others wait for the same answer.

A slow client must hold up the app, as ever, but not those who wait. So the app's task sends to the client itself until
somebody else waits; from then on messages are left here, at most as many bytes as a body may have, and the request that
leads sends them. Once the copy is complete, each is waited for, so that the app feels its client's pace again.
"""

from __future__ import annotations

import asyncio
from collections import deque

from .._asgi import Message, Send


class Outbox:
    """Filled by the task that calls the app, emptied by the request that leads."""

    __slots__ = ("_error", "_loop", "_messages", "_wakeup", "is_used")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[tuple[Message, asyncio.Future[None] | None]] = deque()
        self._wakeup: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.is_used = False
        """True once a message went this way: the later ones must follow it."""

    def put(self, message: Message) -> None:
        """Leave *message* to be sent. Raises what sending an earlier one raised."""
        self._check()
        self.is_used = True
        if "body" in message:
            # The app may use its buffer again as soon as it goes on.
            message = {**message, "body": bytes(message["body"])}
        self._messages.append((message, None))
        self.wake()

    async def through(self, message: Message) -> None:
        """Leave *message* and wait until it is sent. Raises what sending it, or an earlier one, raised."""
        self._check()
        sent: asyncio.Future[None] = self._loop.create_future()
        self._messages.append((message, sent))
        self.wake()
        await sent
        self._check()

    def wake(self) -> None:
        """Let the leader look again."""
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    async def drain(self, send: Send, task: asyncio.Task[None]) -> None:
        """Send what comes until *task* has ended and nothing is left."""
        while True:
            while self._messages:
                message, sent = self._messages.popleft()
                try:
                    if self._error is None:
                        await send(message)
                except Exception as error:
                    self._error = error
                finally:
                    if sent is not None and not sent.done():
                        sent.set_result(None)
            if task.done():
                return
            self._wakeup = self._loop.create_future()
            await self._wakeup

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
