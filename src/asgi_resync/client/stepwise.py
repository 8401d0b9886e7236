"""Beginning to wait for something, and doing about it what costs time only if it has to be waited for."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[Any, Any, T]  # what goes between a coroutine and its loop is theirs


@types.coroutine
def where_it_waits(work: Awaitable[T], guard: Callable[[Awaitable[T]], Awaitable[T]]) -> Steps[T]:
    """Return what *work* gives. If it has to wait, *guard* gets the rest of it, to await that in its own way.

    Three of four waits of a client are for bytes that are there already; a timer for each took a twentieth of a call.
    """
    steps = work.__await__()
    send = getattr(steps, "send", None)
    if send is None:  # An iterator will do for an awaitable, and cannot be continued by another.
        return (yield from guard(work).__await__())
    try:
        first = send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    return (yield from guard(_rest(first, steps)).__await__())


@types.coroutine
def _rest(first: object, steps: Steps[T]) -> Steps[T]:
    """Go on with *steps*, the first of which gave *first*."""
    try:
        while True:
            try:
                sent = yield first
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                first = steps.throw(error)
            else:
                first = steps.send(sent)
    except StopIteration as end:
        value: T = end.value
        return value
