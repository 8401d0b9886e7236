"""Requests that come, wait, give up and fail in any order: who stays gets the right answer, and nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transparency.driver import Connection, body, http, start
from tests.transparency.wrappings import WRAPPINGS, Wrap

from asgi_resync._asgi import ASGIApp, Receive, Scope, Send

PATHS = ("/a", "/b")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: a request is made, cancelled or left by its client, or the app gets one step further."""

    act: str
    which: int


class Stage:
    """An app whose calls stop at three places and go on when told; some of them fail. It gives up with its client."""

    def __init__(self, failing: Sequence[bool]) -> None:
        self.calls = 0
        self.waiting: list[asyncio.Event] = []
        self._failing = failing

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self.calls
        self.calls += 1
        while (await receive())["type"] != "http.request":
            pass
        # As Starlette's StreamingResponse does: the answer stops when the client has gone.
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(listen)
            await self._answer(call, scope, send)
            tasks.cancel_scope.cancel()

    async def _answer(self, call: int, scope: Scope, send: Send) -> None:
        await self._pause()
        if call < len(self._failing) and self._failing[call]:
            raise ValueError(call)
        await send(start(200, [(b"content-type", b"text/plain"), (b"x-call", b"%d" % call)]))
        await self._pause()
        await send(body(b"%s " % scope["path"].encode(), more_body=True))
        await self._pause()
        await send(body(b"%d" % call))

    async def _pause(self) -> None:
        event = asyncio.Event()
        self.waiting.append(event)
        await event.wait()

    def go_on(self, which: int) -> None:
        """Let one of the calls that wait go on."""
        if self.waiting:
            self.waiting.pop(which % len(self.waiting)).set()

    async def finish(self, tasks: Sequence[asyncio.Task[Connection]]) -> None:
        """Let everything go on until all *tasks* have ended."""
        while not all(task.done() for task in tasks):
            self.go_on(0)
            await settle()


async def settle() -> None:
    """Let every task run as far as it gets. Each turn is 100 times cheaper than anyio's `wait_all_tasks_blocked`."""
    for _ in range(25):
        await asyncio.sleep(0)


steps = st.lists(
    st.builds(Step, st.sampled_from(["ask", "ask", "go", "cancel", "leave"]), st.integers(0, 7)), max_size=24
)


async def play(
    app: ASGIApp, stage: Stage, script: Sequence[Step]
) -> list[tuple[str, Connection, BaseException | None]]:
    """Carry out *script* and return each request that was neither cancelled nor left, with what it raised."""
    connections: list[Connection] = []
    tasks: list[asyncio.Task[Connection]] = []
    gone: set[int] = set()
    for step in script:
        if step.act == "ask":
            connections.append(Connection(http(PATHS[step.which % 2])))
            tasks.append(asyncio.ensure_future(connections[-1].run(app)))
        elif step.act == "go":
            stage.go_on(step.which)
        elif tasks:
            at = step.which % len(tasks)
            gone.add(at)
            if step.act == "cancel":
                tasks[at].cancel()
            else:
                connections[at].disconnect()
        await settle()
    await stage.finish(tasks)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [
        (connection.scope["path"], connection, result if isinstance(result, BaseException) else None)
        for at, (connection, result) in enumerate(zip(connections, results, strict=True))
        if at not in gone
    ]


@pytest.mark.parametrize("wrap", list(WRAPPINGS.values()), ids=list(WRAPPINGS))
@given(script=steps, failing=st.lists(st.booleans(), max_size=4))
async def test_who_stays_gets_a_whole_answer(wrap: Wrap, script: list[Step], failing: list[bool]) -> None:
    """Each request that stays gets one call's whole answer for its own path, or the very error of a call of its own."""
    stage = Stage(failing)
    async with asyncio.timeout(30):
        outcomes = await play(wrap(stage.app), stage, script)

    for path, connection, error in outcomes:
        if error is not None:
            assert isinstance(error, ExceptionGroup)
            assert connection.sent == []
            continue
        first = connection.sent[0]
        call = dict(first["headers"])[b"x-call"]
        assert path.encode() + b" " + call == connection.body
        assert connection.sent_types == ["http.response.start"] + ["http.response.body"] * (len(connection.sent) - 1)
        assert not connection.sent[-1].get("more_body", False)
    failures = [error.exceptions[0].args for _, _, error in outcomes if isinstance(error, ExceptionGroup)]
    assert len(failures) == len(set(failures))
