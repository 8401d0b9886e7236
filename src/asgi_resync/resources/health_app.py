"""The health of an app over HTTP: `/livez`, `/readyz` and `/healthz`, as an app to mount. It decides nothing itself.

`/livez` says that the process answers, and asks nobody: a process is not to be killed for what fails elsewhere.
`/readyz` is 200 if everything critical is up, 503 if not. `/healthz` has the same status, and all the details.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from .._asgi import AnyASGIApp, Receive, Scope, Send
from .._rulebook import route_path
from .probes import Probes

ALIVE = b'{"status":"up"}'
PATHS = ("/livez", "/readyz", "/healthz")

Answer: TypeAlias = tuple[int, bytes]


class HealthApp:
    """Answers the paths of `PATHS` beneath wherever it is mounted, by *probes*. Anything else is 404."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._answers: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/livez": self._alive,
            "/readyz": self._ready,
            "/healthz": self._health,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the health of an app has no {scope['type']}")
        await self.answer(route_path(scope["path"], scope.get("root_path", "")), scope, send)

    async def answer(self, path: str, scope: Scope, send: Send) -> None:
        """Answer the request of *scope* for one of `PATHS`."""
        find = self._answers.get(path)
        more: list[tuple[bytes, bytes]] = []
        if find is None:
            status, body = 404, b'{"title":"Not Found","status":404}'
        elif scope["method"] not in ("GET", "HEAD"):
            status, body = 405, b'{"title":"Method Not Allowed","status":405}'
            more = [(b"allow", b"GET, HEAD")]
        else:
            status, body = await find()
        kind = b"application/json" if status in (200, 503) else b"application/problem+json"
        headers = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _alive(self) -> Answer:
        return 200, ALIVE

    async def _ready(self) -> Answer:
        readiness = await self._probes.readiness()
        return 200 if readiness.ready else 503, msgspec.json.encode(readiness)

    async def _health(self) -> Answer:
        health = await self._probes.health()
        return 200 if health.ready else 503, msgspec.json.encode(health)


def probe_paths(prefix: str | None) -> tuple[str, ...]:
    """Return where `PATHS` are answered below *prefix*; nowhere without one."""
    return () if prefix is None else tuple(prefix.rstrip("/") + path for path in PATHS)


class HealthRoutes:
    """Answers *health*'s paths under *prefix*, and hands everything else to *app*."""

    def __init__(self, app: AnyASGIApp, health: HealthApp, prefix: str) -> None:
        self._app = app
        self._health = health
        self._paths = dict(zip(probe_paths(prefix), PATHS, strict=True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            path = scope["path"]
            if root := scope.get("root_path", ""):
                path = route_path(path, root)
            if path in self._paths:
                await self._health.answer(self._paths[path], scope, send)
                return
        await self._app(scope, receive, send)
