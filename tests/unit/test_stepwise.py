"""Waits are bounded where there is something to wait for, and cost nothing where there is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from typing import TypeVar

import pytest

from asgi_resync.client.stepwise import where_it_waits

T = TypeVar("T")


class Guard:
    """Counts what it is given, and bounds it by *seconds*."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.calls = 0

    async def __call__(self, work: Awaitable[T]) -> T:
        self.calls += 1
        async with asyncio.timeout(self.seconds):
            return await work


async def at_once(value: object) -> object:
    if isinstance(value, BaseException):
        raise value
    return value


async def later(value: object, turns: int = 3) -> object:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await at_once(value)


class Iterated:
    """An awaitable whose iterator is no generator."""

    def __await__(self) -> Generator[None, None, int]:
        return iter((None,))  # type: ignore[return-value]


async def test_what_does_not_wait_is_not_guarded() -> None:
    """Its value, or what it raises, comes as it is."""
    guard = Guard()

    assert await where_it_waits(at_once(7), guard) == 7
    with pytest.raises(KeyError):
        await where_it_waits(at_once(KeyError()), guard)
    assert guard.calls == 0


async def test_what_waits_is_guarded_and_goes_on() -> None:
    """Where it was, through as many waits as it has; futures, and iterators that are no generators, too."""
    guard = Guard()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 9)

    assert await where_it_waits(future, guard) == 9
    assert await where_it_waits(later(7), guard) == 7
    with pytest.raises(KeyError):
        await where_it_waits(later(KeyError()), guard)
    assert await where_it_waits(Iterated(), guard) is None
    assert guard.calls == 4


async def test_the_end_of_an_iterator_comes_through() -> None:
    """As `anext` raises it, at once and after a wait."""

    async def chunks(*, waits: bool) -> AsyncIterator[int]:
        for one in (1, 2):
            yield one
        if waits:
            await asyncio.sleep(0)

    for waits in (False, True):
        iterator, guard = chunks(waits=waits), Guard()
        assert [await where_it_waits(anext(iterator), guard) for _ in range(2)] == [1, 2]
        with pytest.raises(StopAsyncIteration):
            await where_it_waits(anext(iterator), guard)
        assert guard.calls == waits


async def test_a_guard_ends_it_and_it_may_clean_up() -> None:
    """With the guard's exception outside, and CancelledError inside."""
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned")
            raise

    with pytest.raises(TimeoutError):
        await where_it_waits(work(), Guard(0))
    assert seen == ["cleaned"]


async def test_a_cancellation_reaches_it() -> None:
    """And what it makes of that is its answer."""

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "stayed"
        return "never"

    async def caller() -> str:
        return await where_it_waits(stubborn(), Guard())

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()

    assert await task == "stayed"


def test_closed_in_its_wait_it_is_closed_within() -> None:
    """As a coroutine is that nobody awaits any more."""
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            seen.append("closed")

    async def passed(rest: Awaitable[T]) -> T:
        return await rest

    async def caller() -> None:
        await where_it_waits(work(), passed)

    coroutine = caller()
    coroutine.send(None)
    coroutine.close()

    assert seen == ["closed"]
