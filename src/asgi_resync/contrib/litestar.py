"""Litestar's idiom: a plugin that starts, caches and stops, and takes over what handlers say by `cache=`.

Litestar's own response cache would keep an answer without its age, for whoever asks; with the plugin one of the two
caches keeps it, never both.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from litestar.config.response_cache import (
    CACHE_FOREVER,
    ResponseCacheConfig,
    default_cache_key_builder,
    default_do_cache_predicate,
)
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.plugins import InitPlugin
from litestar.plugins.base import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from .._asgi import AnyASGIApp, ASGIApp, Message, Receive, Scope, Send
from .._headers import DELTA_SECONDS_MAX
from ..cache.marker import leave_terms, terms_of_handler
from ..cache.rules import Terms
from .openapi import CACHE_HEADERS, NOT_MODIFIED, PROBLEM, UNAVAILABLE, Ruled, cached_statuses, is_guarded

if TYPE_CHECKING:
    from litestar.config.app import AppConfig
    from litestar.handlers import HTTPRouteHandler

__all__ = ["ResyncPlugin"]

TERMS = "resync_terms"
OWN = "resync_litestar_caches"
"""Options (`opt`) of handlers: the terms that stand for `cache=`; or that Litestar goes on to cache their answers."""

STATUSES = (*(status for status in range(200, 300) if status != 206), 301, 308)
"""Those that Litestar keeps, without that of a part."""


class Plugged(Ruled, Protocol):
    """A Resync, as the plugin sees it."""

    def lifespan(self, app: object = None) -> AbstractAsyncContextManager[None]: ...

    def middleware(self, app: AnyASGIApp) -> AnyASGIApp: ...


class ResyncPlugin(InitPlugin, ReceiveRoutePlugin):
    """`Litestar(..., plugins=[ResyncPlugin(resync)])`: *resync* starts and stops with the app and caches inside it.

    Handlers with `cache=True`, seconds or `CACHE_FOREVER` are cached by *resync* for as long: with an age, an ETag,
    one call for many who ask, purges, and never for those whom an answer is not for. Where Litestar alone can tell
    what is alike (a handler's or the app's own key builder or filter, or another method than GET), Litestar goes on
    to cache, and *resync* keeps nothing of it. `cache_for` and rules work as everywhere, and `cache_for` wins over
    `cache=`.

    The OpenAPI document shows the fields and the 304 of cached handlers, and the 503 of those that need an upstream.
    """

    __slots__ = ("_config", "_resync")

    def __init__(self, resync: Plugged) -> None:
        self._resync = resync
        self._config = ResponseCacheConfig()

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Put lifespan and middleware of the Resync around those of the app."""
        self._config = app_config.response_cache_config
        app_config.lifespan = [cast(Any, self._resync.lifespan), *app_config.lifespan]
        inside = [self._resync.middleware, _HandlersTerms]
        app_config.middleware = [*cast("list[Any]", inside), *app_config.middleware]
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Take over `cache=` of the handlers of *route*, and describe them."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                self._take_over(handler)
                self._describe(route.path_format, handler)

    def _take_over(self, handler: HTTPRouteHandler) -> None:
        seconds = _seconds(handler.cache, self._config)
        if seconds is None:
            return
        if not _is_plain(handler, self._config):
            handler.opt[OWN] = True
            return
        handler.cache = False
        handler.opt[TERMS] = Terms(ttl=seconds, statuses=STATUSES)

    def _describe(self, path: str, handler: HTTPRouteHandler) -> None:
        more: dict[int, ResponseSpec] = {}
        terms = terms_of_handler(handler.fn) or handler.opt.get(TERMS)
        cached = cached_statuses(path, terms, self._resync) if OWN not in handler.opt else ()
        if "GET" in handler.http_methods and handler.status_code in cached:
            fields = [
                ResponseHeader(name=name, documentation_only=True, value="", description=description)
                for name, description in CACHE_HEADERS.items()
            ]
            handler.response_headers = [*fields, *(handler.response_headers or ())]
            more[304] = ResponseSpec(None, generate_examples=False, description=NOT_MODIFIED)
        if any(is_guarded(path, method, self._resync) for method in handler.http_methods):
            more[503] = ResponseSpec(Problem, generate_examples=False, description=UNAVAILABLE, media_type=PROBLEM)
        if more:
            handler.responses = {**more, **(handler.responses or {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class _HandlersTerms:
    """Leaves the terms that stand for `cache=`, and keeps out of the way where Litestar caches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opt = scope["route_handler"].opt
        terms = opt.get(TERMS)
        if terms is not None:
            leave_terms(terms)
        await self._app(scope, receive, _unkept(send) if OWN in opt else send)


def _unkept(send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            # Litestar plays back what it keeps without an age: kept again, it would live twice as long.
            message = {**message, "headers": [*message["headers"], (b"resync-cache-control", b"no-store")]}
        await send(message)

    return tell


def _seconds(cache: object, config: ResponseCacheConfig) -> float | None:
    """Return for how long *cache* asks; None if it asks for nothing."""
    if cache is CACHE_FOREVER:
        return DELTA_SECONDS_MAX
    if cache is True:
        return DELTA_SECONDS_MAX if config.default_expiration is None else config.default_expiration
    return cache if isinstance(cache, int) and cache > 0 else None


def _is_plain(handler: HTTPRouteHandler, config: ResponseCacheConfig) -> bool:
    """Return whether what is alike to Litestar is so by method, path and query alone."""
    return (
        set(handler.http_methods) <= {"GET", "HEAD"}
        and handler.cache_key_builder is None
        and config.key_builder is default_cache_key_builder
        and config.cache_response_filter is default_do_cache_predicate
    )
