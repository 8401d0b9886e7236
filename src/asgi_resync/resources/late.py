"""Starts what nobody has started, at the first request that reaches the app: for `--lifespan off`, and mounted apps."""

from __future__ import annotations

import logging

from .._asgi import ASGIApp, Receive, Scope, Send
from ..breaker.fallback import problem
from ..errors import ResourceFailed
from .life import Life

_log = logging.getLogger("asgi_resync")

RETRY_AFTER = 5.0
TRY_AGAIN_LATER = 1013
"""The close code of a websocket (RFC 6455 §7.4.1, and its registry at IANA)."""


class LateStart:
    """Lets nothing through to *app* before the resources of *life* are up, if nobody has started them.

    Where something critical is not up in time, requests are answered 503 until it is.
    """

    def __init__(self, app: ASGIApp, life: Life) -> None:
        self._app = app
        self._life = life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if self._life.is_unstarted and scope["type"] in ("http", "websocket"):
            try:
                await self._life.start_late()
            except ResourceFailed as error:
                _log.error("A request was refused: %s", error)
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
                else:
                    await problem(RETRY_AFTER)(scope, receive, send)
                return
        await self._app(scope, receive, send)
