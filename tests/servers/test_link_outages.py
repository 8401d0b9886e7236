"""The link to a server that dies, freezes, drops connections, is slow or answers garbage."""

from __future__ import annotations

import asyncio
import random
import time

import anyio
import pytest
import redis
from tests.servers.guards import Book
from tests.servers.linking import PATIENT, SHORT, linked, reached, unreachable
from tests.servers.proxy import Proxy
from tests.servers.server import Server, free_port, until

from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.ports import Unreachable


async def outcome(link: RedisLink, name: str) -> bytes | str | None:
    """Return the value of *name*, or why there is none."""
    try:
        return await link.get(name)
    except Unreachable as error:
        return error.cause


async def test_a_server_that_is_not_there_is_found_out_at_once() -> None:
    """A refused connection does not wait for the deadline, and the next call tries again."""
    guard = Book()
    async with linked(f"redis://127.0.0.1:{free_port()}", guard=guard) as link:
        for _ in range(3):
            with anyio.fail_after(PATIENT / 2), unreachable("ConnectionError"):
                await link.get("name")
    assert ["ConnectionError"] * 3 == guard.outcomes


async def test_a_server_that_restarts_between_calls_is_not_noticed(own_server: Server) -> None:
    """The closed connection was seen to be closed: no call is spent on it."""
    guard = Book()
    async with linked(own_server.url, guard=guard) as link:
        await link.get("name")
        await asyncio.to_thread(own_server.restart)
        assert await link.get("name") is None
    assert ["succeeded", "succeeded"] == guard.outcomes


async def test_a_server_that_is_killed_fails_those_on_their_way(own_server: Server) -> None:
    """And is used again once it is back."""
    async with linked(own_server.url) as link:
        await link.get("name")
        own_server.freeze()
        waiting = [asyncio.ensure_future(outcome(link, f"name{number}")) for number in range(20)]
        await anyio.wait_all_tasks_blocked()
        own_server.kill()
        with anyio.fail_after(PATIENT / 2):
            assert {"ConnectionError"} == set(await asyncio.gather(*waiting))
            with unreachable("ConnectionError"):
                await link.get("name")
        await asyncio.to_thread(own_server.start)
        assert await link.get("name") is None


async def test_a_frozen_server_holds_nobody_beyond_the_deadline(own_server: Server) -> None:
    """Each turn is one failure; and once it thaws, it is used again."""
    guard = Book()
    own_server.execute("SET", "name", "x")
    async with linked(own_server.url, guard=guard, deadline=SHORT) as link:
        await reached(link)
        guard.outcomes.clear()
        own_server.freeze()
        for _ in range(5):
            before = time.monotonic()
            assert {"TimeoutError"} == set(await asyncio.gather(*[outcome(link, "name") for _ in range(20)]))
            assert time.monotonic() - before < SHORT + 0.5
        assert ["TimeoutError"] * 5 == guard.outcomes
        own_server.thaw()
        assert await reached(link) == b"x"


async def test_connections_to_a_silent_server_are_bounded(proxy: Proxy) -> None:
    """What owes a reply is replaced by another, but only so often."""
    async with linked(proxy.url, deadline=0.01) as link:
        await reached(link)
        proxy.blackhole()
        for _ in range(60):
            with unreachable("TimeoutError"):
                await link.get("name")

        assert proxy.connections < 20
        assert proxy.open_connections <= 8


async def test_a_connection_that_died_without_a_word_is_replaced(server: Server, proxy: Proxy) -> None:
    """The call after the one that found it out goes by another connection."""
    server.execute("SET", "name", "x")
    async with linked(proxy.url, deadline=SHORT) as link:
        await reached(link)
        proxy.stall()
        with unreachable("TimeoutError"):
            await link.get("name")
        assert await reached(link) == b"x"


async def test_a_cut_in_mid_reply_gives_nobody_the_reply_of_another(server: Server, proxy: Proxy) -> None:
    """Whenever the connection breaks: each gets its own value, or is told that there is none."""
    names = [f"name{number}" for number in range(50)]
    for name in names:
        server.execute("SET", name, name * random.Random(name).randrange(1, 200))
    right = {name: name.encode() * random.Random(name).randrange(1, 200) for name in names}
    chance = random.Random(1)
    cut = 0
    async with linked(proxy.url) as link:
        for _ in range(40):
            proxy.faults.cut_after = chance.randrange(20_000)
            found = await asyncio.gather(*[outcome(link, name) for name in names])
            for name, value in zip(names, found, strict=True):
                assert value in (right[name], "ConnectionError")
            cut += "ConnectionError" in found
        proxy.heal()
        assert right["name0"] == await reached(link, "name0")
    assert cut > 10


async def test_garbage_ends_the_connection(server: Server, proxy: Proxy) -> None:
    """What is no reply fails who waits, and the next call goes by another connection."""
    server.execute("SET", "name", "x")
    async with linked(proxy.url) as link:
        await reached(link)
        for garbage in [b"garbage\r\n", b"\x00", b"$1\r\nx\r\n$1\r\ny\r\n", b"*99999999999999999999\r\n", b":1\r\n"]:
            proxy.faults.corrupt = lambda _, garbage=garbage: garbage
            try:
                assert await link.get("name") == b"x"
            except Unreachable:
                pass
            proxy.heal()
            assert await reached(link) == b"x"


async def test_corrupted_bytes_harm_no_later_call(server: Server, proxy: Proxy) -> None:
    """Bytes that change on the way may change a value; they never shift one to another name for good."""
    names = [f"name{number}" for number in range(30)]
    for name in names:
        server.execute("SET", name, name)
    chance = random.Random(2)

    def corrupt(piece: bytes) -> bytes:
        spoilt = bytearray(piece)
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        return bytes(spoilt)

    async with linked(proxy.url, deadline=SHORT) as link:
        await reached(link)
        for _ in range(30):
            proxy.faults.corrupt = corrupt
            await asyncio.gather(*[outcome(link, name) for name in names])
            proxy.heal()
        proxy.drop()
        for name in names:
            assert name.encode() == await reached(link, name)


async def test_callers_that_give_up_cost_no_connection(server: Server, proxy: Proxy) -> None:
    """A storm of cancellations: those who stay get their own values, by the connections that were there."""
    names = [f"name{number}" for number in range(50)]
    for name in names:
        server.execute("SET", name, name)
    guard = Book()
    async with linked(proxy.url, guard=guard) as link:
        await asyncio.gather(*[link.get(name) for name in names])
        for round_ in range(60):
            tasks = [asyncio.ensure_future(link.get(name)) for name in names]
            for _ in range(round_ % 7):
                await asyncio.sleep(0)
            for task in tasks[round_ % 2 :: 2]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            for name, value in zip(names, found, strict=True):
                assert isinstance(value, asyncio.CancelledError) or value == name.encode()
        assert proxy.connections <= 4
    assert {"succeeded"} == set(guard.outcomes)
    assert guard.admitted == len(guard.outcomes)


async def test_who_all_give_up_before_it_is_sent_say_nothing(server: Server) -> None:
    """The permit is withdrawn, and Redis is not asked."""
    guard = Book()
    async with linked(server.url, guard=guard) as link:
        await link.get("name")
        task = asyncio.ensure_future(link.get("name"))
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        await anyio.wait_all_tasks_blocked()
    assert ["succeeded", "withdrawn"] == guard.outcomes


async def test_a_loop_that_was_held_up_blames_itself(server: Server) -> None:
    """A reply that came while the loop did something else is in time."""
    server.execute("SET", "name", "x")
    guard = Book()
    async with linked(server.url, guard=guard, deadline=SHORT) as link:
        await reached(link)
        guard.outcomes.clear()
        waiting = asyncio.ensure_future(link.get("name"))
        for _ in range(3):
            await asyncio.sleep(0)
        time.sleep(3 * SHORT)  # noqa: ASYNC251  # somebody's handler that blocks
        assert await waiting == b"x"
    assert ["succeeded"] == guard.outcomes


async def test_a_server_that_loads_is_a_failure(server: Server, proxy: Proxy) -> None:
    """Whatever it is asked, it has nothing to say yet."""
    guard = Book()
    async with linked(proxy.url, guard=guard) as link:
        await link.get("name")
        proxy.faults.corrupt = lambda _: b"-LOADING Redis is loading the dataset in memory\r\n"
        with unreachable("BusyLoadingError"):
            await link.get("name")
    assert ["succeeded", "BusyLoadingError"] == guard.outcomes


async def test_a_server_busy_with_a_script_is_a_failure(own_server: Server) -> None:
    """It answers BUSY until the script is killed."""
    guard = Book()
    own_server.config("busy-reply-threshold", "1")
    async with linked(own_server.url, guard=guard) as link:
        await link.get("name")
        endless = asyncio.create_task(asyncio.to_thread(own_server.execute, "EVAL", "while true do end", 0))
        await asyncio.to_thread(until, lambda: is_busy(own_server), "it is busy")
        with unreachable("ResponseError"):
            await link.get("name")
        own_server.execute("SCRIPT", "KILL")
        with pytest.raises(redis.ResponseError):
            await endless
        assert await link.get("name") is None
    assert ["succeeded", "ResponseError", "succeeded"] == guard.outcomes


def is_busy(server: Server) -> bool:
    """Return whether *server* answers nothing but BUSY."""
    try:
        server.execute("GET", "name")
    except Exception as error:
        return "BUSY" in str(error)
    return False


async def test_a_slow_reply_holds_up_only_its_own_connection(server: Server, proxy: Proxy) -> None:
    """Those who come later take another."""
    server.execute("SET", "name", "x")
    async with linked(proxy.url, deadline=SHORT) as link:
        await asyncio.gather(*[reached(link) for _ in range(3)])
        proxy.stall()
        slow = asyncio.ensure_future(outcome(link, "name"))
        await anyio.wait_all_tasks_blocked()
        assert "TimeoutError" == await slow
        before = time.monotonic()
        assert await reached(link) == b"x"
        assert time.monotonic() - before < 1.0
