"""Each framework's own way to say what is cached: middleware of routes, dependencies, decorators of class views."""

from __future__ import annotations

import itertools
import json
import re
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from tests.frameworks import django_api  # noqa: F401 - which sets Django up

from asgi_resync import BreakerRule, CacheRule, Resync, RuleError, Settings, Upstream, cache_for
from asgi_resync._asgi import AnyASGIApp
from asgi_resync.contrib import fastapi as in_fastapi
from asgi_resync.contrib import starlette as in_starlette
from asgi_resync.contrib.openapi import paths_like
from asgi_resync.testing import request

calls = itertools.count()


async def number(request: Request) -> Response:
    """Answer with the number of the call."""
    return PlainTextResponse(str(next(calls)))


async def lifetimes(app: AnyASGIApp, *paths: str) -> list[str]:
    """Return how long the second answer of each path lives, out of its Cache-Status; nothing if it is no hit."""
    wrapped = Resync(Settings())(app)
    first = [await request(wrapped, "GET", path) for path in paths]
    again = [await request(wrapped, "GET", path) for path in paths]
    assert [200] * len(paths) == [answer.status for answer in first]
    found = [re.search(r"; hit; ttl=(\d+)", answer.header("cache-status") or "") for answer in again]
    return [hit[1] if hit is not None else "" for hit in found]


async def test_starlette_takes_terms_as_middleware_of_routes_and_mounts() -> None:
    """All that is mounted is cached, a route's own terms win over those of its mount, and the rest is not cached."""
    inner = [Route("/a", number), Route("/b", number, middleware=[in_starlette.cached_for(30)])]
    app = Starlette(
        routes=[
            Mount("/sub", routes=inner, middleware=[in_starlette.cached_for(10, tags=["sub"])]),
            Route("/own", number, middleware=[in_starlette.cached_for(20)]),
            Route("/none", number),
        ]
    )

    assert ["10", "30", "20", ""] == await lifetimes(app, "/sub/a", "/sub/b", "/own", "/none")


async def test_fastapi_takes_terms_as_dependencies() -> None:
    """Of an endpoint, of a router, of the app; the endpoint wins over the router, and `cache_for` over both."""
    router = APIRouter(prefix="/sub", dependencies=[Depends(in_fastapi.cached_for(10))])
    app = FastAPI(dependencies=[Depends(in_fastapi.cached_for(5))])
    own = [Depends(in_fastapi.cached_for(30))]

    @app.get("/app")
    async def first() -> int:
        return next(calls)

    @router.get("/router")
    def second() -> int:
        return next(calls)

    @router.get("/own", dependencies=own)
    async def third(times: Annotated[int, Depends(lambda: 1)]) -> int:
        return next(calls) * times

    @router.get("/marked", dependencies=own)
    @cache_for(40)
    async def fourth() -> int:
        return next(calls)

    app.include_router(router)

    assert ["5", "10", "30", "40"] == await lifetimes(app, "/app", "/sub/router", "/sub/own", "/sub/marked")


def test_terms_that_cannot_work_are_refused_where_they_are_written() -> None:
    """As `cache_for` refuses them."""
    with pytest.raises(RuleError):
        in_fastapi.cached_for(-1)
    with pytest.raises(RuleError):
        in_starlette.cached_for(tags="plan")


def described_app() -> tuple[FastAPI, Resync]:
    """Return an app with endpoints that are cached or guarded in all ways, and its Resync."""
    app, router = FastAPI(), APIRouter(prefix="/sub", dependencies=[Depends(in_fastapi.cached_for(10))])

    @app.get("/marked")
    @cache_for(10)
    async def marked() -> int:
        return 1

    @app.get("/items/{number}")
    @app.post("/items/{number}", responses={503: {"description": "ours"}})
    async def item(number: int) -> int:
        return number

    @router.get("/depending")
    async def depending() -> int:
        return 1

    @app.get("/plain")
    async def plain() -> int:
        return 1

    app.include_router(router)
    rules: list[CacheRule | BreakerRule] = [
        CacheRule("/items/{id:int}", ttl=10),
        BreakerRule("/items/{id:int}", upstreams=["tws"]),
    ]
    return app, Resync(Settings(), rules=rules, upstreams=[Upstream("tws")])


async def test_the_document_of_fastapi_shows_what_is_cached_and_what_is_guarded() -> None:
    """Fields and 304 of what is cached, by mark, dependency or rule; 503 of what needs an upstream; nothing else."""
    app, resync = described_app()
    in_fastapi.describe(app, resync)
    paths = json.loads((await request(resync(app), "GET", "/openapi.json")).body)["paths"]

    cached = {path for path, methods in paths.items() if "304" in methods["get"]["responses"]}
    assert {"/marked", "/items/{number}", "/sub/depending"} == cached
    for path in cached:
        assert {"Cache-Status", "Age", "ETag"} == set(paths[path]["get"]["responses"]["200"]["headers"])
    assert "headers" not in paths["/plain"]["get"]["responses"]["200"]
    assert {"200", "422"} < set(paths["/items/{number}"]["post"]["responses"])
    assert "304" not in paths["/items/{number}"]["post"]["responses"]
    assert "ours" == paths["/items/{number}"]["post"]["responses"]["503"]["description"]
    unavailable = paths["/items/{number}"]["get"]["responses"]["503"]
    assert {"Retry-After", "Resync-Degraded"} == set(unavailable["headers"])
    assert ["application/problem+json"] == list(unavailable["content"])
    assert ["/items/{number}"] == [path for path, methods in paths.items() if "503" in methods["get"]["responses"]]


async def outer(terms: Annotated[None, Depends(in_fastapi.cached_for(9))]) -> None:
    """Depend on terms, as one dependency of several does in larger apps."""


async def test_the_document_shows_what_is_cached_and_guarded_in_less_plain_ways() -> None:
    """By rules of several converters, by a dependency of a dependency, and with a success other than 200."""
    app = FastAPI()

    @app.get("/x/{number}/{key}")
    async def by_converters(number: int, key: str) -> int:
        return next(calls)

    @app.get("/nested", dependencies=[Depends(outer)])
    async def nested() -> int:
        return next(calls)

    @app.get("/changed", status_code=203)
    @cache_for(5, statuses=[203])
    async def changed() -> int:
        return next(calls)

    @app.get("/other", status_code=203)
    @cache_for(5)
    async def other() -> int:
        return next(calls)

    pattern = "/x/{i:int}/{u:uuid}"
    rules: list[CacheRule | BreakerRule] = [CacheRule(pattern, ttl=5), BreakerRule(pattern, upstreams=["tws"])]
    resync = Resync(Settings(), rules=rules, upstreams=[Upstream("tws")])
    in_fastapi.describe(app, resync)
    answers = {path: item["get"]["responses"] for path, item in app.openapi()["paths"].items()}

    assert ["9"] == await lifetimes(app, "/nested")
    assert {"/x/{number}/{key}", "/nested", "/changed"} == {path for path, said in answers.items() if "304" in said}
    assert "Age" in answers["/changed"]["203"]["headers"]
    assert ["/x/{number}/{key}"] == [path for path, said in answers.items() if "503" in said]


def test_a_route_of_very_many_parameters_takes_no_time() -> None:
    """What is tried for it is bounded; a path without any is itself."""
    assert 4096 == len(list(paths_like("/{a}" * 12)))
    assert ["/x"] == list(paths_like("/x"))


def test_the_document_is_made_anew_with_the_app() -> None:
    """A route that comes later is described too, and a second look changes nothing."""
    app, resync = described_app()
    in_fastapi.describe(app, resync)
    before = app.openapi()
    assert before is app.openapi()
    app.add_api_route("/later", lambda: 1, dependencies=[Depends(in_fastapi.cached_for(10))])
    app.openapi_schema = None

    assert "304" in app.openapi()["paths"]["/later"]["get"]["responses"]


def test_only_a_fastapi_app_has_a_document_to_describe() -> None:
    """One that is wrapped already is told so."""
    app, resync = described_app()
    with pytest.raises(RuleError, match="before app = resync"):
        in_fastapi.describe(resync(app), resync)  # type: ignore[arg-type]  # as a user might


async def test_class_based_views_of_django_take_the_mark_above_their_methods() -> None:
    """Sync and async; or above `dispatch` by `method_decorator`, as Django has it. Nothing else is needed."""
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path
    from django.utils.decorators import method_decorator
    from django.views import View

    @method_decorator(cache_for(10), name="dispatch")
    class Sync(View):  # type: ignore[misc]  # Django has no types
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(str(next(calls)))

    class Async(View):  # type: ignore[misc]  # as above
        @cache_for(20)
        async def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(str(next(calls)))

    settings.ROOT_URLCONF = (path("sync", Sync.as_view()), path("async", Async.as_view()))

    assert ["10", "20"] == await lifetimes(get_asgi_application(), "/sync", "/async")
