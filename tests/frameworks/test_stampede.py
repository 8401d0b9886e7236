"""Two hundred requests at once for what nobody has stored yet: the handler is called once, whoever gives up."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable

import anyio
import pytest
from tests.frameworks.building import running
from tests.frameworks.forms import Form, resync_for
from tests.frameworks.site import Site
from tests.frameworks.traits import FRAMEWORKS
from tests.transparency.driver import Connection, body, exchange, http, start
from tests.transparency.servers import parse, request

from asgi_resync._asgi import ASGIApp, Receive, Scope, Send
from asgi_resync.events import Collapsed, Event

CROWD = 200


def gated(gate: asyncio.Event, calls: list[int]) -> ASGIApp:
    """Return an app that notes its calls and answers once the gate is open."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(1)
        await gate.wait()
        await send(start(200, [(b"content-type", b"text/plain")]))
        await send(body(b"plan", more_body=True))
        await send(body(b" of today"))

    return app


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("form", ["rule", "header", "marker"])
async def test_a_crowd_calls_the_handler_once(framework: str, form: Form) -> None:
    """200 requests at once on a cold URL, with a handler that takes 50 ms, are one call and 200 equal answers."""
    events: list[Event] = []
    async with running(framework, form, events) as app:
        answers = await asyncio.gather(*[exchange(app, http("/slow")) for _ in range(CROWD)])

    assert [b'{"call":1}'] * CROWD == [answer.body for answer in answers]
    assert [200] * CROWD == [answer.sent[0]["status"] for answer in answers]
    assert CROWD - 1 == sum(isinstance(event, Collapsed) for event in events)
    assert CROWD - 1 == sum(b"collapsed" in answer.cache_status for answer in answers)


@pytest.mark.parametrize("leader", ["cancelled", "kept"])
async def test_a_crowd_of_which_half_gives_up_calls_the_app_once(leader: str) -> None:
    """100 of 200 requests are cancelled half-way, the first one among them or not: one call, 100 answers."""
    gate, calls = asyncio.Event(), list[int]()
    app = resync_for("rule")(gated(gate, calls))
    requests = [asyncio.ensure_future(exchange(app)) for _ in range(CROWD)]
    await anyio.wait_all_tasks_blocked()
    given_up = requests[::2] if leader == "cancelled" else requests[1::2]
    for task in given_up:
        task.cancel()
    await anyio.wait_all_tasks_blocked()
    gate.set()
    kept = [task for task in requests if task not in given_up]
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*kept)
        outcomes = await asyncio.gather(*given_up, return_exceptions=True)

    assert 1 == len(calls)
    assert [b"plan of today"] * (CROWD // 2) == [answer.body for answer in answers]
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert b"hit" in (await exchange(app)).cache_status


async def test_a_crowd_that_gives_up_altogether_harms_nobody() -> None:
    """When all 200 are cancelled the app is cancelled, and the next request is answered by a new call."""
    gate, calls = asyncio.Event(), list[int]()
    app = resync_for("rule")(gated(gate, calls))
    requests = [asyncio.ensure_future(exchange(app)) for _ in range(CROWD)]
    await anyio.wait_all_tasks_blocked()
    for task in requests:
        task.cancel()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
        gate.set()
        answer = await exchange(app)

    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert b"plan of today" == answer.body
    assert len(calls) <= 2


async def test_a_crowd_whose_leader_fails_calls_the_app_a_bounded_number_of_times_at_once() -> None:
    """If the first call fails, one of those who wait tries again, and its answer serves the rest."""
    gate, calls = asyncio.Event(), list[int]()
    healthy = gated(gate, calls)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not calls:
            calls.append(1)
            await anyio.wait_all_tasks_blocked()
            raise RuntimeError("first")
        gate.set()
        await healthy(scope, receive, send)

    wrapped = resync_for("rule")(app)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*[exchange(wrapped) for _ in range(CROWD)], return_exceptions=True)

    errors = [result for result in results if isinstance(result, BaseException)]
    assert ["first"] == [str(error) for error in errors]
    assert 2 == len(calls)
    assert {b"plan of today"} == {result.body for result in results if isinstance(result, Connection)}


async def test_crowds_for_different_urls_do_not_wait_for_each_other() -> None:
    """One call per URL: a slow one holds up its own crowd only."""
    gates = {"/plan": asyncio.Event(), "/items/1": asyncio.Event()}
    calls: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await gated(gates[scope["path"]], calls)(scope, receive, send)

    wrapped = resync_for("rule")(app)
    slow = [asyncio.ensure_future(exchange(wrapped, http("/plan"))) for _ in range(10)]
    quick = [asyncio.ensure_future(exchange(wrapped, http("/items/1"))) for _ in range(10)]
    gates["/items/1"].set()
    async with asyncio.timeout(10):
        await asyncio.gather(*quick)
        assert not any(task.done() for task in slow)
        gates["/plan"].set()
        await asyncio.gather(*slow)

    assert 2 == len(calls)


@pytest.fixture(params=FRAMEWORKS)
def crowded(request: pytest.FixtureRequest, sites: Callable[[Form], dict[str, Site]]) -> Site:
    """Give the app of each framework, cached by a rule."""
    return sites("rule")[request.param]


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to *port*."""
    return await asyncio.open_connection("127.0.0.1", port)


async def test_a_crowd_over_sockets_calls_the_handler_once(crowded: Site) -> None:
    """200 connections ask at once; the server's app is called once and answers all of them."""
    target = f"/slow?{uuid.uuid4().hex}"
    before = json.loads((await asyncio.to_thread(crowded.ask, "/count")).body)["slow"]
    connections = [await connect(crowded.port) for _ in range(CROWD)]
    for _, writer in connections:
        writer.write(request(target))
    answers = [parse(await reader.read()) for reader, _ in connections]
    for _, writer in connections:
        writer.close()
    after = json.loads((await asyncio.to_thread(crowded.ask, "/count")).body)["slow"]

    assert before + 1 == after
    assert [200] * CROWD == [answer.status for answer in answers]
    assert 1 == len({answer.rest for answer in answers})


async def test_a_crowd_over_sockets_of_which_half_leaves_calls_the_handler_once(crowded: Site) -> None:
    """100 of 200 connections are closed while the handler runs, the first one among them; the others get the answer."""
    target = f"/slow?{uuid.uuid4().hex}"
    before = json.loads((await asyncio.to_thread(crowded.ask, "/count")).body)["slow"]
    connections = [await connect(crowded.port) for _ in range(CROWD)]
    for _, writer in connections:
        writer.write(request(target))
    # Half of the 50 ms that the handler takes.
    await asyncio.sleep(0.025)
    for _, writer in connections[::2]:
        writer.transport.abort()
    answers = [parse(await reader.read()) for reader, _ in connections[1::2]]
    for _, writer in connections[1::2]:
        writer.close()
    after = json.loads((await asyncio.to_thread(crowded.ask, "/count")).body)["slow"]

    assert before + 1 == after
    assert [200] * (CROWD // 2) == [answer.status for answer in answers]
    assert 1 == len({answer.rest for answer in answers})
    assert all(re.search(rb"stored|collapsed|hit", answer.values("cache-status")[0]) for answer in answers)
