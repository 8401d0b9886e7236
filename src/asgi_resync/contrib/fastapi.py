"""FastAPI's idiom: terms as a dependency of endpoints, routers or the app, and an OpenAPI document that shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ParamSpec

from fastapi import FastAPI, routing

from ..cache.marker import cache_for, terms_of_handler
from ..cache.rules import Terms
from ..errors import RuleError
from .openapi import Ruled, cached_statuses, describe_operation, is_guarded

__all__ = ["cached_for", "describe"]

P = ParamSpec("P")
Dependency = Callable[[], Awaitable[None]]


def _as_dependency(mark: Callable[P, Callable[[Dependency], Dependency]]) -> Callable[P, Dependency]:
    def cached_for(*args: P.args, **kwargs: P.kwargs) -> Dependency:
        """Return a dependency: what depends on it is cached as `cache_for` says.

        `APIRouter(dependencies=[Depends(cached_for(10, tags=["plan"]))])`. It takes the arguments of `cache_for`, and
        raises RuleError as that does. An endpoint's own wins over its router's, and `cache_for` above it over both.
        """

        @mark(*args, **kwargs)
        async def dependency() -> None:
            return None

        return dependency

    return cached_for


cached_for = _as_dependency(cache_for)


def describe(app: FastAPI, resync: Ruled) -> None:
    """Let the OpenAPI document of *app* show what *resync* answers.

    Of routes that a mark, a dependency or a rule has cached: Cache-Status, Age, ETag and 304. Of routes that need an
    upstream: 503 as problem details. What the app says itself stays. Call it before `app = resync(app)`.

    Raises RuleError if *app* is no FastAPI app, such as one that is wrapped already.
    """
    if not isinstance(app, FastAPI):
        raise RuleError("app", app, "give the FastAPI app itself, before app = resync(app)")
    plain = app.openapi
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        nonlocal described
        document = plain()
        if document is not described:
            _describe_all(app, document, resync)
            described = document
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation says


def _describe_all(app: FastAPI, document: dict[str, Any], resync: Ruled) -> None:
    paths = document.get("paths", {})
    for route in _routes(app):
        path: str = getattr(route, "path_format", "")
        for method in getattr(route, "methods", None) or ():
            operation = paths.get(path, {}).get(method.lower())
            if operation is not None:
                cached = cached_statuses(path, _terms(route), resync) if method == "GET" else ()
                describe_operation(operation, cached=cached, guarded=is_guarded(path, method, resync))


def _routes(app: FastAPI) -> Iterator[object]:
    # Newer versions keep routers as they are included, and tell by this what comes of them.
    flat: Callable[[Any], Iterator[object]] = getattr(routing, "iter_route_contexts", iter)
    return flat(app.routes)


def _terms(route: object) -> Terms | None:
    """Return the terms that are in force for *route*: those left last."""
    terms = terms_of_handler(getattr(route, "endpoint", None))
    if terms is not None:
        return terms
    # FastAPI calls each once, however many depend on it.
    calls = list(dict.fromkeys(_calls(getattr(route, "dependant", None))))
    return next((terms for call in reversed(calls) if (terms := terms_of_handler(call)) is not None), None)


def _calls(dependant: object) -> Iterator[object]:
    """Yield what *dependant* depends on, in the order in which FastAPI calls it: first what that itself depends on."""
    for dependency in getattr(dependant, "dependencies", ()):
        yield from _calls(dependency)
        yield getattr(dependency, "call", None)
