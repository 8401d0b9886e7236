"""The link to a server that is well: what it answers, what an error reply means, and who is asked before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme
from tests.servers.guards import Book
from tests.servers.linking import PATIENT, linked, unreachable
from tests.servers.proxy import Proxy
from tests.servers.server import Server, redis_server

from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.ports import Script
from asgi_resync.errors import SettingsError


def commands(server: Server) -> dict[str, int]:
    """Return how often each command was run."""
    stats = server.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(value.split("=")[1].split(",")[0]) for name, value in stats.items()}


async def test_a_value_comes_back_as_it_was_sent(server: Server) -> None:
    """Bytes of any kind and length; None for what is not there."""
    async with linked(server.url) as link:
        for value in [b"", b"\r\n", bytes(range(256)), b"x" * 300_000]:
            assert await link.execute("SET", "name", value) == b"OK"
            assert value == await link.get("name")
        assert await link.get("nothing") is None


async def test_replies_are_what_came(server: Server) -> None:
    """Nothing is made of them: no True for OK, no text for bytes."""
    async with linked(server.url) as link:
        assert await link.execute("PING") == b"PONG"
        assert await link.execute("SET", "name", 1.5, "PX", 100_000) == b"OK"
        assert await link.execute("SET", "name", "x", "NX") is None
        assert await link.execute("INCRBY", "number", 7) == 7
        assert await link.execute("MGET", "name", "nothing") == [b"1.5", None]
        assert await link.execute("HELLO") == {**await hello(link)}


async def hello(link: RedisLink) -> dict[bytes, object]:
    """Return what the server says of itself."""
    found = await link.execute("HELLO")
    assert isinstance(found, dict)
    assert found[b"proto"] == 3
    return found


async def test_a_script_is_sent_once(server: Server) -> None:
    """Its digest is enough from then on; who forgot it is told again."""
    script = Script("return {KEYS[1], ARGV[1], ARGV[2]}")
    server.execute("SCRIPT", "FLUSH")
    server.execute("CONFIG", "RESETSTAT")
    async with linked(server.url) as link:
        for _ in range(3):
            assert [b"name", b"7", b"\xff"] == await link.script(script, ["name"], [7, b"\xff"])
        server.execute("SCRIPT", "FLUSH")
        assert [b"name", b"1", b"2"] == await link.script(script, ["name"], [1, "2"])
        assert await link.script(Script("return 'none'"), [], []) == b"none"

    ran = commands(server)
    assert ran["eval"] == 3
    assert ran["evalsha"] == 5


async def test_gets_of_one_turn_are_one_attempt(server: Server) -> None:
    """Fifty at once are asked for with one permit, on one connection."""
    for number in range(50):
        server.execute("SET", f"name{number}", f"value{number}")
    guard = Book()
    async with linked(server.url, guard=guard) as link:
        await link.get("name0")
        connected = server.info("clients")["connected_clients"]
        values = await asyncio.gather(*[link.get(f"name{number}") for number in range(50)])

        assert connected == server.info("clients")["connected_clients"]
    assert [f"value{number}".encode() for number in range(50)] == values
    assert ["succeeded"] * 2 == guard.outcomes


async def test_an_open_guard_costs_nothing(server: Server) -> None:
    """Nothing is tried, and nothing waits."""
    guard = Book(is_closed=False)
    async with linked(server.url, guard=guard) as link:
        server.execute("CONFIG", "RESETSTAT")
        for attempt in [link.get("name"), link.execute("GET", "name"), link.script(Script("return 1"), ["name"], [])]:
            with unreachable("open"):
                await attempt

        assert "get" not in commands(server)
    assert [] == guard.outcomes


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (("LPUSH", "text", "x"), "ResponseError"),
        (("NO SUCH COMMAND",), "ResponseError"),
        (("EVAL", "return redis.error_reply('ERR no')", 0), "ResponseError"),
    ],
)
async def test_an_error_reply_is_no_failure_of_redis(server: Server, command: tuple[str, ...], cause: str) -> None:
    """A server that says what is wrong with a command is well, and the connection goes on."""
    guard = Book()
    server.execute("SET", "text", "x")
    async with linked(server.url, guard=guard) as link:
        with unreachable(cause):
            await link.execute(*command)
        assert await link.get("text") == b"x"
    assert ["succeeded", "succeeded"] == guard.outcomes


async def test_a_full_server_still_reads(own_server: Server) -> None:
    """Only the write fails."""
    guard = Book()
    own_server.execute("SET", "name", "x")
    own_server.config("maxmemory", "1")
    async with linked(own_server.url, guard=guard) as link:
        with unreachable("OutOfMemoryError"):
            await link.execute("SET", "other", b"x" * 1000)
        assert await link.get("name") == b"x"
    assert ["succeeded", "succeeded"] == guard.outcomes


@pytest.mark.parametrize("user", ["", "other"])
async def test_a_password_is_used(user: str) -> None:
    """Of the default user, or of one of an ACL."""
    with redis_server(password="p@ss/word") as server:
        server.execute("ACL", "SETUSER", "other", "on", ">p@ss/word", "+@all", "~*", "&*")
        async with linked(f"redis://{user}:p%40ss%2Fword@127.0.0.1:{server.port}/1") as link:
            assert await link.execute("SET", "name", "x") == b"OK"

        assert server.info("keyspace").keys() == {"db1"}


async def test_a_wrong_password_is_a_failure(own_server: Server) -> None:
    """And the right one helps as soon as the server takes it."""
    guard = Book()
    own_server.execute("ACL", "SETUSER", "app", "on", ">right", "+@all", "~*")
    async with linked(f"redis://app:wrong@127.0.0.1:{own_server.port}", guard=guard) as link:
        with unreachable("AuthenticationError"):
            await link.get("name")
        own_server.execute("ACL", "SETUSER", "app", ">wrong")
        assert await link.get("name") is None
    assert ["AuthenticationError", "succeeded"] == guard.outcomes


async def test_a_socket_is_a_place(server: Server) -> None:
    """`unix:///path?db=2`."""
    async with linked(f"{server.unix_url}?db=2") as link:
        assert await link.execute("SET", "name", "x") == b"OK"

    assert "db2" in server.info("keyspace")


async def test_tls_trusts_whom_the_url_says(tls_proxy: Proxy, authority: tuple[trustme.CA, Path]) -> None:
    """`rediss` checks the certificate, against the authority that the URL names."""
    async with linked(f"{tls_proxy.url}?ssl_ca_certs={authority[1]}") as link:
        assert await link.execute("SET", "name", "x" * 100_000) == b"OK"
        assert await link.get("name") == b"x" * 100_000
    async with linked(tls_proxy.url) as link:
        with unreachable("ConnectionError"):
            await link.get("name")


async def test_the_server_is_told_who_asks(server: Server) -> None:
    """`CLIENT LIST` names this library."""
    async with linked(server.url) as link:
        clients = await link.execute("CLIENT", "LIST")

    assert isinstance(clients, bytes)
    if b"lib-name" in clients:  # from 7.2 on
        assert b"lib-name=redis-py(asgi-resync_v" in clients


@pytest.mark.parametrize(
    "url",
    [
        "http://user:sEcReT@host",
        "redis://user:sEcReT@host:port",
        "redis://:sEcReT@h1,h2",
        "redis://host?passwort=sEcReT",
        "rediss://:sEcReT@host?ssl_ca_certs=/no/such/file",
        "redis+sentinel://:sEcReT@host",
        "redis+cluster://:sEcReT@host/3",
        "redis+other://:sEcReT@host",
        "unix://",
        "sEcReT",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    """The error names the setting, and hides what may be secret."""
    with pytest.raises(SettingsError) as caught:
        RedisLink(url)

    assert "RESYNC_REDIS_URL=" in str(caught.value)
    assert "sEcReT" not in str(caught.value)


async def test_a_link_may_be_closed_and_used_again(server: Server) -> None:
    """Closing twice is closing once."""
    link = RedisLink(server.url, deadline=PATIENT)
    await link.aclose()
    assert await link.get("name") is None
    await link.aclose()
    await link.aclose()
    assert await link.get("name") is None
    await link.aclose()


def test_a_link_serves_one_loop_after_another(server: Server) -> None:
    """Each has connections of its own, and a loop that is closed is forgotten."""
    link = RedisLink(server.url, deadline=PATIENT)

    async def use(is_closing: bool) -> bytes | None:
        await link.execute("SET", "name", "x")
        found = await link.get("name")
        if is_closing:
            await link.aclose()
        return found

    assert asyncio.run(use(False)) == b"x"
    assert asyncio.run(use(False)) == b"x"
    assert asyncio.run(use(True)) == b"x"
    assert 0 == len(link._sessions)


async def test_what_is_on_its_way_ends_with_the_link(own_server: Server) -> None:
    """Who waits is told, and Redis is not blamed."""
    guard = Book()
    link = RedisLink(own_server.url, guard=guard, deadline=PATIENT)
    await link.get("name")
    own_server.freeze()
    waiting = asyncio.ensure_future(link.get("name"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await link.aclose()
    own_server.thaw()

    with unreachable("closed"):
        await waiting
    assert ["succeeded", "withdrawn"] == guard.outcomes
