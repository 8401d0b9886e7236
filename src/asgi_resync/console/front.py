"""The console in front of an app, where no rule of the app's reaches it."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from .._asgi import AnyASGIApp, Receive, Scope, Send
from .._rulebook import route_path
from ..errors import RuleError


class Purging(Protocol):
    """A console: an app, that answers PURGE too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
    async def purge_url(self, request: Request) -> Response: ...


class Front:
    """Hands *console* what is for it, and everything else to *app*."""

    def __init__(self, console: Purging, app: AnyASGIApp, path: str) -> None:
        if not path.startswith("/") or not path.strip("/"):
            raise RuleError("path", path, "give a path that begins with /, such as /resync")
        self._console = console
        self.wrapped = app
        self._path = path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            root = scope.get("root_path", "")
            path = route_path(scope["path"], root) if root else scope["path"]
            if path == self._path or path.startswith(self._path + "/"):
                outer = root if path != scope["path"] else ""
                await self._console({**scope, "root_path": outer.rstrip("/") + self._path}, receive, send)
                return
            if scope["method"] == "PURGE":
                response = await self._console.purge_url(Request(scope, receive))
                await response(scope, receive, send)
                return
        await self.wrapped(scope, receive, send)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the app has
        if name == "wrapped":
            # Asked before it is set, as by copy and pickle.
            raise AttributeError(name)
        return getattr(self.wrapped, name)
