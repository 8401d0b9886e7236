"""The marker on handlers: it leaves its terms with the cache around, and changes nothing else about them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.unit.caching import cached

from asgi_resync import RuleError, cache_for
from asgi_resync.cache.marker import Mark


@contextmanager
def marks() -> Iterator[Mark]:
    """Give the mark that a cache around the handler would read."""
    mark = Mark()
    mark.open()
    try:
        yield mark
    finally:
        mark.close()


def plain(number: int, *, name: str = "x") -> str:
    """Say both."""
    return f"{number}{name}"


async def waiting(number: int, *, name: str = "x") -> str:
    """Say both, later."""
    await asyncio.sleep(0)
    return f"{number}{name}"


@pytest.mark.parametrize("handler", [plain, waiting])
def test_a_marked_handler_looks_as_before(handler: object) -> None:
    """Frameworks read signature, names, annotations and documentation; all are those of the handler."""
    assert callable(handler)
    marked = cache_for(10)(handler)

    assert inspect.signature(handler) == inspect.signature(marked)
    assert inspect.get_annotations(handler) == inspect.get_annotations(marked)
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(handler, name) == getattr(marked, name)
    assert inspect.unwrap(marked) is handler
    assert inspect.iscoroutinefunction(handler) == inspect.iscoroutinefunction(marked)


def test_a_partial_of_an_async_handler_is_async() -> None:
    """Starlette takes partials as endpoints."""
    assert inspect.iscoroutinefunction(cache_for(10)(functools.partial(waiting, name="y")))


async def test_terms_are_left_before_the_handler_runs() -> None:
    """Arguments, result and exceptions are the handler's own."""
    with marks() as mark:
        assert "1y" == cache_for(10, tags=["t"])(plain)(1, name="y")
        assert mark.terms is not None
        assert (10.0, ("t",)) == (mark.terms.ttl, mark.terms.tags)

        assert "2x" == await cache_for(20)(waiting)(2)
        assert 20.0 == mark.terms.ttl

    @cache_for(30)
    def failing() -> None:
        assert mark.terms is not None
        assert 30.0 == mark.terms.ttl
        raise KeyError("own")

    with marks() as mark, pytest.raises(KeyError, match="own"):
        failing()


async def test_what_a_generator_yields_comes_through() -> None:
    """FastAPI has handlers that yield; the terms are left when they are called."""

    @cache_for(10)
    async def counting() -> AsyncIterator[int]:
        yield 1
        yield 2

    @cache_for(20)
    def counting_at_once() -> Iterator[int]:
        yield 3

    with marks() as mark:
        assert [1, 2] == [number async for number in counting()]
        assert mark.terms is not None
        assert 10.0 == mark.terms.ttl
        assert [3] == list(counting_at_once())
        assert 20.0 == mark.terms.ttl


class Methods:
    """Handlers of other kinds."""

    @staticmethod
    @cache_for(10)
    async def static() -> str:
        return "static"

    @classmethod
    @cache_for(10)
    async def of_class(cls) -> str:
        return cls.__name__

    @cache_for(10)
    async def bound(self) -> str:
        return type(self).__name__

    @cache_for(10)
    @staticmethod
    async def above_static() -> str:
        return "static"

    @cache_for(10)
    @classmethod
    async def above_class(cls) -> str:
        return cls.__name__

    async def __call__(self) -> str:
        return type(self).__name__


@pytest.mark.parametrize(
    "handler",
    [
        Methods.static,
        Methods.of_class,
        Methods().bound,
        Methods.above_static,
        Methods().above_static,
        Methods.above_class,
        cache_for(10)(Methods()),
    ],
    ids=["static", "class", "own", "above-static", "above-static-of-object", "above-class", "object"],
)
async def test_methods_can_be_marked(handler: Callable[[], Awaitable[str]]) -> None:
    """Beneath or above `staticmethod` and `classmethod`, bound to an object, and objects that can be called."""
    assert inspect.iscoroutinefunction(handler)
    with marks() as mark:
        assert await handler() in ("static", "Methods")

    assert mark.terms is not None


async def test_without_a_cache_around_it_does_nothing() -> None:
    """A marked handler can be called anywhere."""
    assert "1x" == cache_for(10)(plain)(1)
    assert "1x" == await cache_for(10)(waiting)(1)


async def test_the_last_marked_handler_counts() -> None:
    """Of several that run for one request, the one that began last has the word: the innermost."""

    @cache_for(1)
    async def inner() -> None:
        pass

    @cache_for(2)
    async def outer() -> None:
        await inner()

    with marks() as mark:
        await outer()

    assert mark.terms is not None
    assert 1.0 == mark.terms.ttl


async def test_requests_at_one_time_have_their_own_marks() -> None:
    """What is left in one task is not seen in another."""

    async def asked(ttl: float) -> float | None:
        with marks() as mark:
            await asyncio.gather(*(cache_for(ttl)(waiting)(1) for _ in range(3)))
            return mark.terms.ttl if mark.terms is not None else None

    assert [1.0, 2.0, 3.0] == list(await asyncio.gather(asked(1), asked(2), asked(3)))


async def test_a_handler_in_a_thread_leaves_its_terms_too() -> None:
    """Frameworks run sync handlers in threads, with the context of the request."""

    @cache_for(10)
    def threaded() -> int:
        return threading.get_ident()

    with marks() as mark:
        assert threading.get_ident() != await asyncio.to_thread(threaded)

    assert mark.terms is not None


def test_terms_that_cannot_work_are_refused_at_decoration() -> None:
    """No request is needed to find out."""
    with pytest.raises(RuleError, match="ttl=-1"):
        cache_for(-1)


@pytest.mark.parametrize("what", [Methods, HTTPEndpoint, property(lambda self: 1), 7])
def test_what_is_no_handler_is_refused_at_decoration(what: object) -> None:
    """Of a class nobody knows which method answers."""
    with pytest.raises(RuleError, match="above the method that answers"):
        cache_for(10)(what)  # type: ignore[arg-type]  # What a newcomer may try.


def test_the_same_marker_serves_several_handlers() -> None:
    """Terms are values: one decorator may be kept and used again."""
    marker = cache_for(10)

    with marks() as mark:
        marker(plain)(1)
        terms = mark.terms
        marker(plain)(2)

    assert mark.terms is terms


class Endpoint(HTTPEndpoint):
    """Answers with a number that grows."""

    calls = 0

    @cache_for(10)
    async def get(self, request: Request) -> PlainTextResponse:
        type(self).calls += 1
        return PlainTextResponse(str(self.calls))

    @cache_for(10)
    def options(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse("sync")


async def test_methods_of_an_endpoint_class_can_be_marked() -> None:
    """HTTPEndpoint's methods are handlers like any other."""
    site = cached(Starlette(routes=[Route("/", Endpoint)]))

    first, second = await site.get(), await site.get()
    other = await site.ask("OPTIONS")

    assert (b"1", b"1", "0") == (first.body, second.body, second.header("age"))
    assert b"sync" == other.body


async def test_the_terms_of_a_marker_are_those_that_apply() -> None:
    """Lifetime, vary and statuses do what a rule's do."""

    @cache_for(10, vary=["accept"], statuses=[404])
    def missing(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers["accept"], 404)

    site = cached(Starlette(routes=[Route("/", missing)]))
    await site.get(headers={"accept": "a"})
    hit, other = await site.get(headers={"accept": "a"}), await site.get(headers={"accept": "b"})

    assert ("0", "accept", b"a") == (hit.header("age"), hit.header("vary"), hit.body)
    assert (None, b"b") == (other.header("age"), other.body)
