"""Starlette's idiom: terms for a route, or for all that is mounted somewhere, as middleware of it.

For an endpoint that is a function or a method, `cache_for` above it says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from starlette.middleware import Middleware

from .._asgi import ASGIApp
from ..cache.marker import cache_for

__all__ = ["cached_for"]

P = ParamSpec("P")


def _as_middleware(mark: Callable[P, Callable[[ASGIApp], ASGIApp]]) -> Callable[P, Middleware]:
    def cached_for(*args: P.args, **kwargs: P.kwargs) -> Middleware:
        """Return middleware for `Route`, `Mount` or `Router`: what is below it is cached as `cache_for` says.

        `Mount("/static", StaticFiles(directory="static"), middleware=[cached_for(3600)])`. It takes the arguments of
        `cache_for`, and raises RuleError as that does. Marks further inside win, `cache_for` above an endpoint too.
        """
        marking = mark(*args, **kwargs)

        def marked(app: ASGIApp) -> ASGIApp:
            return marking(app)

        return Middleware(marked)

    return cached_for


cached_for = _as_middleware(cache_for)
