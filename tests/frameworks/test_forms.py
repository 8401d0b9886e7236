"""The idioms of each framework, in one process: markers wherever handlers may stand, lifespans, and wrapped apps."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from litestar import Controller, Litestar, get
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from asgi_resync import CacheMiddleware, CacheRule, Resync, Settings, cache_for
from asgi_resync._asgi import ASGIApp

calls = itertools.count()


@cache_for(10)
async def marked_async(request: Request) -> Response:
    """Answer with the number of the call."""
    return PlainTextResponse(str(next(calls)))


@cache_for(10)
def marked_sync(request: Request) -> Response:
    """Answer with the number of the call, from a thread."""
    return PlainTextResponse(str(next(calls)))


class Endpoint(HTTPEndpoint):
    """A class with a marked method."""

    @cache_for(10)
    async def get(self, request: Request) -> Response:
        """Answer with the number of the call."""
        return PlainTextResponse(str(next(calls)))


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Do nothing, in a task of its own."""
    return await call_next(request)


def in_starlette(*middleware: Middleware) -> Callable[[], ASGIApp]:
    """Return a function that makes a Starlette app with marked handlers of all kinds."""

    def make() -> ASGIApp:
        routes = [Route("/async", marked_async), Route("/sync", marked_sync), Route("/class", Endpoint)]
        return Starlette(routes=[*routes, Mount("/sub", app=Starlette(routes=routes))], middleware=middleware)

    return make


def number() -> int:
    """Return the number of the call; a dependency."""
    return next(calls)


def in_fastapi() -> ASGIApp:
    """Return a FastAPI app with marked handlers that have parameters and dependencies."""
    app, router = FastAPI(), APIRouter(prefix="/sub")

    @app.get("/async")
    @cache_for(10)
    async def first(number: Annotated[int, Depends(number)], size: int = 1) -> int:
        return number * size

    @app.get("/sync")
    @router.get("/sync")
    @router.get("/async")
    @cache_for(10)
    def second(number: Annotated[int, Depends(number)]) -> int:
        return number

    @app.get("/class")
    @cache_for(10)
    async def third() -> AsyncIterator[int]:
        yield next(calls)

    app.include_router(router)
    return app


def in_litestar() -> ASGIApp:
    """Return a Litestar app with marked functions, and a marked method of a controller."""

    @get(["/async", "/sub/async"])
    @cache_for(10)
    async def first() -> int:
        return next(calls)

    @get(["/sync", "/sub/sync"], sync_to_thread=True)
    @cache_for(10)
    def second() -> int:
        return next(calls)

    class Plans(Controller):
        path = "/class"

        @get()
        @cache_for(10)
        async def third(self) -> int:
            return next(calls)

    app: ASGIApp = Litestar([first, second, Plans])  # type: ignore[assignment]  # its scopes are TypedDicts
    return app


MAKERS: dict[str, Callable[[], ASGIApp]] = {
    "starlette": in_starlette(),
    "starlette with a base middleware": in_starlette(Middleware(BaseHTTPMiddleware, dispatch=pass_on)),
    "fastapi": in_fastapi,
    "litestar": in_litestar,
}


@pytest.mark.parametrize("path", ["/async", "/sync", "/class", "/sub/async", "/sub/sync"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_marked_handler_is_cached_wherever_it_stands(make: Callable[[], ASGIApp], path: str) -> None:
    """Functions, threads, methods, dependencies, mounts and middleware between: the second answer is the first one."""
    with TestClient(Resync(Settings())(make())) as client:
        first, second = client.get(path), client.get(path)

    assert (200, 200) == (first.status_code, second.status_code)
    assert "fwd=uri-miss; stored" in first.headers["cache-status"]
    assert "hit" in second.headers["cache-status"]
    assert first.content == second.content


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_marker_without_a_resync_does_nothing(make: Callable[[], ASGIApp]) -> None:
    """The same app, not wrapped, calls its handler each time."""
    with TestClient(make()) as client:
        first, second = client.get("/async"), client.get("/async")

    assert first.content != second.content
    assert "cache-status" not in first.headers


def started(resync: Resync, app: ASGIApp) -> list[str]:
    """Return the outcomes of two requests within a lifespan of *app*."""
    with TestClient(app) as client:
        return [client.get("/plan").headers["cache-status"].split(";")[1].strip() for _ in range(2)]


RULES = [CacheRule("/plan", ttl=10)]


def test_fastapi_takes_its_lifespan() -> None:
    """`FastAPI(lifespan=resync.lifespan)` with the middleware added starts, caches and stops, again and again."""
    resync = Resync(Settings(), rules=RULES)
    app = FastAPI(lifespan=resync.lifespan)
    app.add_middleware(CacheMiddleware, cache=resync.cache, rules=resync.rules)
    app.add_api_route("/plan", lambda: "plan")

    assert ["fwd=uri-miss", "hit"] == started(resync, app)
    assert ["hit", "hit"] == started(resync, app)


def test_litestar_takes_its_lifespan() -> None:
    """`Litestar(lifespan=[resync.lifespan], middleware=[resync.middleware])` does the same."""
    resync = Resync(Settings(), rules=RULES)

    @get("/plan")
    async def plan() -> str:
        return "plan"

    app: ASGIApp = Litestar([plan], lifespan=[resync.lifespan], middleware=[resync.middleware])  # type: ignore[assignment]  # as above

    assert ["fwd=uri-miss", "hit"] == started(resync, app)


def test_an_app_with_a_lifespan_of_its_own_may_be_wrapped_twice_over() -> None:
    """The app's lifespan, the one of Resync within it and the wrapper around it all run, each once."""
    resync = Resync(Settings(), rules=RULES)
    order: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with resync.lifespan(app):
            order.append("start")
            yield
            order.append("stop")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(CacheMiddleware, cache=resync.cache, rules=resync.rules)
    app.add_api_route("/plan", lambda: "plan")

    assert ["fwd=uri-miss", "hit"] == started(resync, resync(app))
    assert ["start", "stop"] == order


def test_routes_may_be_added_through_the_wrapper() -> None:
    """What the app has is reached through the wrapper: routes, state and overrides."""
    resync = Resync(Settings(), rules=RULES)
    inner = FastAPI()
    app = resync(inner)
    app.add_api_route("/plan", lambda: "plan")
    app.state.pool = "kept"

    assert ["fwd=uri-miss", "hit"] == started(resync, app)
    assert "kept" == inner.state.pool
