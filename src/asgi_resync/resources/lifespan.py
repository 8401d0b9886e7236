"""The lifespan scope around an app's own: ours starts before it and stops after it, whatever the app does.

It uses no task and no event loop, so that it works on any loop and sees exactly what the app sees.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from .._asgi import ASGIApp, Message, Receive, Scope, Send
from ..errors import ResourceFailed

_log = logging.getLogger("asgi_resync")

Step = Callable[[], Awaitable[None]]


class LifespanResponder:
    """Runs *start* before the app's start-up and *stop* after its shutdown, for one lifespan scope.

    An app that has no lifespan, that is, returns or raises before it has answered, gets one all the same: the scope is
    answered for it, and the log says what it raised, if it had begun to listen. A start-up that the app declares
    failed is passed on, after *stop*. If *start* itself raises ResourceFailed, the server is told that the start-up
    failed, and why, and the app is not called.
    """

    def __init__(self, app: ASGIApp, *, start: Step, stop: Step) -> None:
        self._app = app
        self._start = start
        self._stop = stop
        self._started = False
        self._answered: Literal["nothing", "startup", "failed", "shutdown"] = "nothing"
        self._received: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the scope to its end. Raises what the app raises, unless it merely has no lifespan."""

        async def listen() -> Message:
            message = await receive()
            self._received.add(message["type"])
            return message

        async def tell(message: Message) -> None:
            kind = message["type"]
            if kind == "lifespan.startup.complete":
                self._answered = "startup"
            elif kind == "lifespan.startup.failed":
                self._answered = "failed"
                await self._stop_once()
            elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                self._answered = "shutdown"
                await self._stop_once()
            await send(message)

        self._started = True
        try:
            await self._start()
        except ResourceFailed as error:
            # A server takes what is raised here for an app without lifespan, and would serve all the same.
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        try:
            try:
                await self._app(scope, listen, tell)
            except Exception as error:
                if self._answered != "nothing":
                    raise
                self._log_unsupported(error)
            if self._answered in ("nothing", "startup"):
                await self._alone(receive, send)
        finally:
            # Also where the server cancels the scope.
            await self._stop_once()

    def _log_unsupported(self, error: Exception) -> None:
        if self._received:
            text = "The app raised in its lifespan before it answered; it is served as one that has none."
            _log.warning(text, exc_info=error)
            return
        # So the specification has an app say that it knows no such scope, and Django does: nothing is wrong.
        _log.info("The app has no lifespan of its own (%s).", error)

    async def _alone(self, receive: Receive, send: Send) -> None:
        """Answer what the app left unanswered."""
        if self._answered == "nothing":
            if "lifespan.startup" not in self._received:
                await receive()
            await send({"type": "lifespan.startup.complete"})
        if "lifespan.shutdown" not in self._received:
            await receive()
        await self._stop_once()
        await send({"type": "lifespan.shutdown.complete"})

    async def _stop_once(self) -> None:
        if self._started:
            self._started = False
            await self._stop()
