"""What is measured: apps that answer constant bytes, bare and behind each cache. It measures nothing itself.

It is imported in environments that have one peer and not this library, so each builder imports what it needs.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from asgi_resync._asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send

Kind = Literal["floor", "hit", "miss", "pass"]

OPTED_IN = (b"cache-control", b"public, max-age=3600")
REFUSED = (b"cache-control", b"no-store")


@dataclass(slots=True)
class Origin:
    """Where answers come from. `counted` counts calls, which only checks want: it costs what is measured; then it also
    takes `delay` seconds over each."""

    size: int
    counted: bool = False
    delay: float = 0.0
    calls: int = 0
    body: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.body = b"x" * self.size

    async def answer(self) -> bytes:
        """Return the body, for handlers of frameworks."""
        self.calls += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.body

    def app(self, *more: tuple[bytes, bytes]) -> ASGIApp:
        """Return an app that sends the body with the header lines *more*."""
        headers: RawHeaders = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % self.size),
            *more,
        ]
        content = self.body

        async def bare(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            self.calls += 1
            await asyncio.sleep(self.delay)
            await bare(scope, receive, send)

        return counting if self.counted else bare


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One row. `path` may hold `{n}`, which is another number in each request. `peer` names its environment."""

    name: str
    kind: Kind
    path: str
    make: Callable[[Origin], ASGIApp]
    peer: str | None = None
    over_http: bool = True


def _bare(origin: Origin) -> ASGIApp:
    return origin.app()


def _no_op(origin: Origin) -> ASGIApp:
    class NoOp:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await self.app(scope, receive, send)
                return
            await self.app(scope, receive, send)

    return NoOp(origin.app())


def _wrapped_send(origin: Origin) -> ASGIApp:
    class WrappedSend:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def forward(message: Message) -> None:
                await send(message)

            await self.app(scope, receive, forward)

    return WrappedSend(origin.app())


def _resync(*more: tuple[bytes, bytes]) -> Callable[[Origin], ASGIApp]:
    def make(origin: Origin) -> ASGIApp:
        from asgi_resync import CacheRule, Resync, Settings

        return Resync(Settings(), rules=[CacheRule("/hit", ttl=3600), CacheRule("/miss/{n}", ttl=3600)])(
            origin.app(*more)
        )

    return make


def _hishel(origin: Origin) -> ASGIApp:
    from hishel import AsyncSqliteStorage
    from hishel.asgi import ASGICacheMiddleware

    database = Path(tempfile.mkdtemp(prefix="hishel-")) / "cache.db"
    app: ASGIApp = ASGICacheMiddleware(origin.app(OPTED_IN), storage=AsyncSqliteStorage(database_path=database))
    return app


def _cashews(origin: Origin, *, lock: bool = False) -> ASGIApp:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://", size=5000)
    headers: RawHeaders = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % origin.size)]

    @cache(ttl="1h", key="path:{path}", lock=lock)  # type: ignore[untyped-decorator, unused-ignore] # absent where types are checked
    async def content(path: str) -> bytes:
        return await origin.answer()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await content(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _starlette_caches(origin: Origin) -> ASGIApp:
    from aiocache import Cache
    from starlette_caches.middleware import CacheMiddleware

    app: ASGIApp = CacheMiddleware(origin.app(), cache=Cache(ttl=3600))
    return app


def _fastapi_cache2(origin: Origin) -> ASGIApp:
    from fastapi import FastAPI, Response
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.coder import PickleCoder
    from fastapi_cache.decorator import cache

    FastAPICache.reset()
    FastAPICache.init(InMemoryBackend(), coder=PickleCoder)
    app = FastAPI()

    @app.get("/hit")
    @app.get("/miss/{n}")
    @cache(expire=3600)  # type: ignore[untyped-decorator, unused-ignore] # absent where types are checked
    async def content(n: int = 0) -> Response:
        return Response(await origin.answer(), media_type="application/octet-stream")

    return app


def _litestar(origin: Origin) -> ASGIApp:
    from litestar import Litestar, get

    # Its handlers are inspected at run time and see no names of this function, so these types are no texts.
    async def fixed() -> bytes:
        return await origin.answer()

    async def numbered(n: int) -> bytes:
        return await origin.answer()

    fixed.__annotations__ = {"return": bytes}
    numbered.__annotations__ = {"n": int, "return": bytes}
    binary = "application/octet-stream"
    handlers = [
        get("/hit", cache=3600, media_type=binary)(fixed),
        get("/miss/{n:int}", cache=3600, media_type=binary)(numbered),
    ]
    return cast("ASGIApp", Litestar(handlers, openapi_config=None))


def _peer(name: str, make: Callable[[Origin], ASGIApp]) -> list[Subject]:
    return [
        Subject(name=f"{name}: hit", kind="hit", path="/hit", make=make, peer=name),
        Subject(name=f"{name}: miss", kind="miss", path="/miss/{n}", make=make, peer=name, over_http=False),
    ]


BARE = Subject(name="bare", kind="floor", path="/bare", make=_bare)

SUBJECTS = [
    BARE,
    Subject(name="no-op middleware", kind="floor", path="/bare", make=_no_op),
    Subject(name="wrapped send", kind="floor", path="/bare", make=_wrapped_send, over_http=False),
    Subject(name="asgi-resync: hit", kind="hit", path="/hit", make=_resync()),
    Subject(name="asgi-resync: miss and store", kind="miss", path="/miss/{n}", make=_resync()),
    Subject(name="asgi-resync: pass-through", kind="pass", path="/pass", make=_resync(REFUSED)),
    Subject(name="asgi-resync: pass-through, new URLs", kind="pass", path="/pass/{n}", make=_resync(REFUSED)),
    *_peer("litestar", _litestar),
    *_peer("cashews", _cashews),
    *_peer("starlette-caches", _starlette_caches),
    *_peer("fastapi-cache2", _fastapi_cache2),
    *_peer("hishel", _hishel),
]

CROWDED = [
    *(one for one in SUBJECTS if one.kind == "hit"),
    Subject(name="cashews with lock", kind="hit", path="/hit", make=partial(_cashews, lock=True), peer="cashews"),
]
"""What a stampede is let loose on."""

REQUIREMENTS = {
    "litestar": ["litestar>=2.25"],
    "cashews": ["cashews>=7"],
    "starlette-caches": ["starlette-caches"],
    "fastapi-cache2": ["fastapi-cache2", "jinja2"],
    "hishel": ["hishel[async]>=2"],
}
"""What to install for each peer, in an environment of its own: their requirements exclude each other."""


def by_name(name: str) -> Subject:
    """Return the subject of that name."""
    return next(subject for subject in (*SUBJECTS, *CROWDED) if subject.name == name)
