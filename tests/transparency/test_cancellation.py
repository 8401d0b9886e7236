"""Deadlines, cancellation and task groups, in the app and around it, reach as far as they do without the wrapper."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest
from tests.transparency.driver import Connection, body, exchange, start
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import Message, Receive, Scope, Send


async def test_a_deadline_within_the_app_is_the_apps(wrap: Wrap) -> None:
    """`asyncio.timeout` in the app cancels what is in it, and the app goes on."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        except TimeoutError:
            await send(start(504))
            await send(body(b"slow"))

    connection = await exchange(wrap(app))

    assert [start(504), body(b"slow")] == connection.sent


async def test_a_deadline_that_runs_out_while_sending_is_the_apps(wrap: Wrap) -> None:
    """A deadline in the app also covers its `send`: it does not wait for ever for a slow client."""
    seen: list[str] = []

    async def never_take(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            async with asyncio.timeout(0.01):
                await send(body(b"1", more_body=True))
        except TimeoutError:
            seen.append("gave up")

    async with asyncio.timeout(5):
        connection = await Connection(on_send=never_take).run(wrap(app))

    assert ["gave up"] == seen
    assert [start()] == connection.sent


async def test_a_deadline_around_the_app_cancels_it(wrap: Wrap) -> None:
    """A server or middleware that gives up is heard in the app, which may clean up before the call ends."""
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            order.append("cleaned up")
            raise

    async def limited() -> None:
        try:
            async with asyncio.timeout(0.01):
                await exchange(wrap(app))
        finally:
            order.append("call ended")

    with pytest.raises(TimeoutError):
        await limited()

    assert ["cleaned up", "call ended"] == order


async def test_an_app_may_refuse_to_be_cancelled(wrap: Wrap) -> None:
    """An app that answers cancellation with a last message gets to send it."""
    ready = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        ready.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send(body(b"bye"))

    connection = Connection()
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(wrap(app)))
        await ready.wait()
        call.cancel()
        await call

    assert [start(), body(b"bye")] == connection.sent


async def test_task_groups_of_the_app_work(wrap: Wrap) -> None:
    """The app may send from the tasks of an anyio group and cancel its own scopes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sent = anyio.Event()

        async def answer() -> None:
            await send(start())
            await send(body(b"from a task", more_body=True))
            sent.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            tasks.start_soon(anyio.sleep_forever)
            await sent.wait()
            tasks.cancel_scope.cancel()
        with anyio.CancelScope() as cancelled:
            cancelled.cancel()
            await anyio.sleep_forever()
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        await send(body())

    connection = await exchange(wrap(app))

    assert [start(), body(b"from a task", more_body=True), body()] == connection.sent


async def test_a_scope_around_the_app_cancels_it(wrap: Wrap) -> None:
    """A cancelled anyio scope around the call ends it, though the app waits in groups and shields of its own."""
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                ended.append("closed")

    with anyio.move_on_after(0.01) as around:
        await exchange(wrap(app))

    assert around.cancelled_caught
    assert ["closed"] == ended


async def test_an_error_in_a_task_group_of_the_app_is_a_group(wrap: Wrap) -> None:
    """The exception group of the app's own task group reaches the server with one member, the error itself."""
    boom = ValueError("JOB7")

    async def fail() -> None:
        raise boom

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)

    with pytest.raises(ExceptionGroup) as caught:
        await exchange(wrap(app))

    assert (boom,) == caught.value.exceptions


async def test_the_app_runs_in_the_task_that_called_it_or_in_one_of_its_own(wrap: Wrap) -> None:
    """The app may cancel the task it runs in, as some shutdown hooks do: the call ends cancelled and nothing leaks."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    before = asyncio.all_tasks()
    call = asyncio.ensure_future(exchange(wrap(app)))
    with pytest.raises(asyncio.CancelledError):
        await call

    assert before == asyncio.all_tasks()
