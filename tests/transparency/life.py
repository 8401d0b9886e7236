"""The lifespan of an app, as a server plays it, and an app that notes its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_resync._asgi import ASGIApp, Message, Scope

STARTUP: Message = {"type": "lifespan.startup"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}
STARTED: Message = {"type": "lifespan.startup.complete"}
STOPPED: Message = {"type": "lifespan.shutdown.complete"}


class Life:
    """The lifespan of an app as a server plays it. `sent` has what the app said."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self.sent: list[Message] = []
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self.call: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        await self._said.put(message)

    async def tell(self, message: Message) -> Message | None:
        """Tell the app *message* and return its answer; None if the call ended without one."""
        if self.call is None:
            scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
            self.call = asyncio.ensure_future(self._run(scope))
        await self._heard.put(message)
        answer = asyncio.ensure_future(self._said.get())
        async with asyncio.timeout(10):
            await asyncio.wait([answer, self.call], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    async def _run(self, scope: Scope) -> None:
        await self.app(scope, self._heard.get, self.send)

    async def end(self) -> None:
        """Wait for the end of the call; what it raised is raised."""
        assert self.call is not None
        async with asyncio.timeout(10):
            await self.call


def recording(
    order: list[str], *, at_startup: BaseException | None = None, at_shutdown: BaseException | None = None
) -> ASGIApp:
    """Return a Starlette app that notes its start and stop in *order*, and fails there if told so."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        order.append("start")
        if at_startup is not None:
            raise at_startup
        yield {"pool": order}
        order.append("stop")
        if at_shutdown is not None:
            raise at_shutdown

    async def plan(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"pool={request.state.pool is order}")

    return Starlette(routes=[Route("/plan", plan)], lifespan=lifespan)
