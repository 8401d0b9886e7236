"""What an app raises reaches the server as it was raised, whenever it happens; nothing half-done is kept."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import suppress

import pytest
from tests.transparency.driver import Connection, body, exchange, replying, start
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send

STAGES: dict[str, list[Message]] = {
    "before the start": [],
    "after the start": [start(200, [(b"x-a", b"1")])],
    "in mid-body": [start(), body(b"half", more_body=True)],
    "after the end": [start(), body(b"whole")],
    "after early hints": [{"type": "http.response.early_hint", "links": []}],
    "before the trailers": [start(trailers=True), body(b"whole")],
}
"""What an app has sent by the time it fails."""


class OperatorError(Exception):
    """An exception with a shape of its own: it cannot be made again from its message."""

    def __init__(self, job: str, code: int) -> None:
        super().__init__(job, code)
        self.job = job


def failing(error: BaseException, sent: list[Message]) -> ASGIApp:
    """Return an app that sends *sent* and raises *error* from a function named `deep_in_the_app`."""

    async def deep_in_the_app() -> None:
        raise error

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(dict(message))
        await deep_in_the_app()

    return app


@pytest.mark.parametrize("sent", STAGES.values(), ids=STAGES)
async def test_an_exception_reaches_the_server_as_it_was_raised(wrap: Wrap, sent: list[Message]) -> None:
    """It is the same object, with the app's frames in its traceback, and with no cause or context added."""
    error = OperatorError("JOB7", 12)
    connection = Connection()
    with pytest.raises(OperatorError) as caught:
        await connection.run(wrap(failing(error, sent)))

    assert error is caught.value
    assert (None, None, False) == (error.__cause__, error.__context__, error.__suppress_context__)
    assert not getattr(error, "__notes__", [])
    assert ["app", "deep_in_the_app"] == [frame.name for frame in traceback.extract_tb(error.__traceback__)][-2:]
    assert sent == connection.sent


@pytest.mark.parametrize("sent", [value for name, value in STAGES.items() if name != "after the end"], ids=repr)
async def test_a_failed_answer_is_not_kept(wrap: Wrap, sent: list[Message]) -> None:
    """After a failure the next request calls the app again, and gets its whole answer."""
    healthy = replying(start(), body(b"well"))
    broken = failing(RuntimeError("first"), sent)
    calls: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(1)
        await (broken if len(calls) == 1 else healthy)(scope, receive, send)

    wrapped = wrap(app)
    with pytest.raises(RuntimeError, match="first"):
        await exchange(wrapped)
    second = await exchange(wrapped)

    assert 2 == len(calls)
    assert [start(), body(b"well")] == second.sent


async def test_a_chain_of_causes_stays_what_it_was(wrap: Wrap) -> None:
    """`raise ... from ...` within the app keeps its cause and its context, each the same object."""
    cause, context = ValueError("cause"), KeyError("context")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            raise context
        except KeyError:
            raise OperatorError("JOB7", 12) from cause

    with pytest.raises(OperatorError) as caught:
        await exchange(wrap(app))

    assert cause is caught.value.__cause__
    assert context is caught.value.__context__
    assert context.__context__ is None
    assert cause.__context__ is None


async def test_an_exception_group_stays_a_group(wrap: Wrap) -> None:
    """A group is neither unpacked nor put into another one."""
    group = ExceptionGroup("two jobs", [ValueError("a"), ExceptionGroup("inner", [OperatorError("JOB7", 12)])])
    members = group.exceptions
    with pytest.raises(ExceptionGroup) as caught:
        await exchange(wrap(failing(group, [])))

    assert group is caught.value
    assert members == caught.value.exceptions


async def test_an_exception_raised_many_times_does_not_grow(wrap: Wrap) -> None:
    """One exception object raised by every request, as some libraries do, gathers no chain from the wrapper."""
    error = OperatorError("JOB7", 12)
    app = wrap(failing(error, []))
    for _ in range(3):
        with pytest.raises(OperatorError):
            await exchange(app)

    assert (None, None) == (error.__cause__, error.__context__)


class Halt(BaseException):
    """Neither an error nor a cancellation."""


@pytest.mark.parametrize(
    "sent", [[], STAGES["in mid-body"], STAGES["after the end"]], ids=["before", "within", "after"]
)
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, Halt, asyncio.CancelledError])
def test_what_is_no_exception_reaches_the_server_too(
    wrap: Wrap, kind: type[BaseException], sent: list[Message]
) -> None:
    """SystemExit, KeyboardInterrupt and their like pass through the call itself: code around the app can catch them."""
    error = kind("stop")
    caught: list[BaseException] = []
    connection_sent: list[list[Message]] = []

    async def main() -> None:
        connection = Connection()
        try:
            await connection.run(wrap(failing(error, sent)))
        except kind as raised:
            caught.append(raised)
        connection_sent.append(connection.sent)

    # If it ends the loop instead, it does not end the tests.
    with suppress(kind):
        asyncio.run(main())

    assert [error] == caught
    assert [sent] == connection_sent


async def test_a_cancellation_that_the_app_raises_is_not_kept(wrap: Wrap) -> None:
    """After an app that raised CancelledError on its own, the next request is answered."""
    calls: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise asyncio.CancelledError
        await send(start())
        await send(body(b"well"))

    wrapped = wrap(app)
    with pytest.raises(asyncio.CancelledError):
        await exchange(wrapped)
    second = await exchange(wrapped)

    assert [start(), body(b"well")] == second.sent
