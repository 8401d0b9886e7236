"""The per-endpoint marker: terms stated where the handler is written, in any framework.

It cannot change the key, since it is read when the handler runs: query handling and bodies in keys take a CacheRule.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, ParamSpec, TypeVar, cast

from ..errors import RuleError
from ..noted import NONE, Notes, notes_here
from .rules import Terms

P = ParamSpec("P")
R = TypeVar("R")


class Mark(Notes):
    """Where a handler leaves its terms, and what it calls is noted, for the middleware around it. One per request."""

    __slots__ = ("_told", "terms")

    def __init__(self, told: Callable[[], None] | None = None) -> None:
        # Notes.__init__ written out: there is one for each request that a hit does not answer.
        self.called, self.tags, self.values, self.missing, self.outer = set(), set(), set(), NONE, None
        self._told = told
        self.terms: Terms | None = None

    def leave(self, terms: Terms) -> None:
        """Take *terms*, in whatever thread the handler runs, and call *told*."""
        self.terms = terms
        if self._told is not None:
            self._told()

    def begin_again(self) -> None:
        """Forget what was left and noted, for a second call of the app."""
        self.terms = None
        self.called, self.tags, self.values, self.missing = set(), set(), set(), NONE


def mark_here() -> Mark | None:
    """Return the innermost mark that is open."""
    notes = notes_here.get()
    while notes is not None and not isinstance(notes, Mark):
        notes = notes.outer
    return notes


TERMS = "__resync_terms__"


def terms_of_handler(handler: object) -> Terms | None:
    """Return the terms that *handler* was marked with, also through decorators that keep what they wrap."""
    terms: Terms | None = getattr(handler, TERMS, None)
    return terms


def leave_terms(terms: Terms) -> None:
    """Leave *terms* for the response that is being made; of several, the last ones count."""
    mark = mark_here()
    if mark is not None:
        mark.leave(terms)


def cache_for(
    ttl: float | None = None,
    *,
    stale_while_revalidate: float | None = None,
    stale_if_error: float | None = None,
    statuses: Sequence[int] = (200,),
    vary: Sequence[str] = (),
    tags: Sequence[str] = (),
    upstreams: Sequence[str] = (),
    etag: bool | None = None,
    set_cookie: Literal["refuse", "strip", "store"] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a handler, sync or async, so that its responses are cached for *ttl* seconds; see `Terms` for the rest.

    Put it directly above the function or method, below the framework's own decorators; an object that can be called
    will do, a class will not. It wins over a CacheRule that also
    matches, and the response's own Cache-Control wins over both. Without a Resync around the app it does nothing.
    Raises RuleError at decoration for what cannot work.
    """
    if callable(ttl):
        raise RuleError("ttl", ttl, "write @cache_for(10), with parentheses and a lifetime")
    terms = Terms(
        ttl=ttl,
        stale_while_revalidate=stale_while_revalidate,
        stale_if_error=stale_if_error,
        statuses=statuses,
        vary=vary,
        tags=tags,
        upstreams=upstreams,
        etag=etag,
        set_cookie=set_cookie,
    )

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        given: object = handler
        if isinstance(given, (staticmethod, classmethod)):
            return cast("Callable[P, R]", type(given)(decorate(given.__func__)))
        if inspect.isclass(given) or not callable(given):
            raise RuleError("cache_for", given, "put it above a function: of a class, above the method that answers")
        # An object is called by the method of its class.
        if inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(type(given).__call__):

            @functools.wraps(handler)
            async def marked_async(*args: P.args, **kwargs: P.kwargs) -> object:
                leave_terms(terms)
                return await cast("Callable[P, Awaitable[object]]", handler)(*args, **kwargs)

            setattr(marked_async, TERMS, terms)
            return cast("Callable[P, R]", marked_async)

        @functools.wraps(handler)
        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            leave_terms(terms)
            return handler(*args, **kwargs)

        setattr(marked, TERMS, terms)
        return marked

    return decorate
