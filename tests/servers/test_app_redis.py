"""The app's own use of Redis: behind the breaker that the cache has, on real servers."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.exceptions
from redis.asyncio import RedisCluster
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.servers.cluster import Cluster
from tests.servers.sentinel import Watched
from tests.servers.server import Server, free_port
from tests.unit.libraries import until

from asgi_resync import BreakerOpen, CacheRule, DeadlineExceeded, Resync, RuleError, deadline
from asgi_resync.testing import request


@asynccontextmanager
async def running(url: str, **environ: str) -> AsyncIterator[Resync]:
    """Run a Resync for the app's own use of Redis; its cache looks at Redis too, so failures there are patient."""
    resync = Resync.from_env({"RESYNC_REDIS_URL": url, "RESYNC_REDIS_TIMEOUT": "5s", **environ})
    try:
        yield resync
    finally:
        await resync.stop()


def row(resync: Resync) -> tuple[str, int, int]:
    """The state of the breaker, the calls and the failures it has counted."""
    report = resync.upstreams["redis"].breaker.report()
    return report.state, report.calls, report.failures


async def test_commands_pipelines_and_scripts_are_calls_of_the_breaker(server: Server) -> None:
    """A pipeline is one, whatever it sends within; an error reply is an answer."""
    async with running(server.url) as resync:
        client: Any = resync.redis()
        assert resync.redis() is client
        assert await client.set("a", "1")
        assert b"1" == await client.get("a")
        assert "1" == await resync.redis(decode_responses=True).get("a")
        async with client.pipeline() as pipe:
            pipe.incr("a")
            pipe.incr("a")
            assert [2, 3] == await pipe.execute()
        script = client.register_script("return redis.call('INCR', KEYS[1])")
        async with client.pipeline() as pipe:
            await script(keys=["a"], client=pipe)
            assert [4] == await pipe.execute()
        assert 5 == await script(keys=["a"])

        async def bump(pipe: Any) -> None:
            value = int(await pipe.get("a"))
            pipe.multi()
            pipe.set("a", value + 1)

        await client.transaction(bump, "a")
        assert b"6" == await client.get("a")
        async with client.client() as single:
            assert b"6" == await single.get("a")

        state, calls, failures = row(resync)
        assert ("closed", 0) == (state, failures)
        with pytest.raises(redis.exceptions.ResponseError):
            await client.lpush("a", "x")
        assert ("closed", calls + 1, 0) == row(resync)


async def test_what_goes_wrong_in_this_process_says_nothing(server: Server) -> None:
    """A value that cannot be sent, a full pool, a command that waits on purpose, and a caller who goes."""
    async with running(f"{server.url}?max_connections=1", RESYNC_UPSTREAM_REDIS_FAIL_MAX="1") as resync:
        client: Any = resync.redis()
        with pytest.raises(redis.exceptions.DataError):
            await client.set("a", object())
        waiting = asyncio.create_task(client.blpop(["nobody"], timeout=0))
        await until(lambda: int(server.info("clients")["blocked_clients"]) == 1)
        with pytest.raises(redis.exceptions.MaxConnectionsError):
            await client.get("a")
        for _ in range(10):
            await asyncio.sleep(0)  # until it reads: before, wait_for of Python 3.11 may swallow a cancellation
        waiting.cancel()
        await asyncio.wait({waiting})

        assert ("closed", 0, 0) == row(resync)


async def test_while_redis_is_away_nobody_asks_it_and_it_is_back_by_itself(own_server: Server) -> None:
    """Failures of the app open the breaker that the cache has too; it is asked again once its time is over."""
    async with running(own_server.url, RESYNC_UPSTREAM_REDIS_RESET_TIMEOUT="100ms") as resync:
        client: Any = resync.redis()
        breaker = resync.upstreams["redis"].breaker
        await client.set("a", "1")
        own_server.kill()
        for _ in range(3):
            with pytest.raises(redis.exceptions.ConnectionError):
                await client.get("a")
        with pytest.raises(BreakerOpen) as caught:
            await client.get("a")
        with pytest.raises(BreakerOpen):
            async with client.pipeline() as pipe:
                await pipe.get("a").execute()
        assert "redis" == caught.value.upstream

        own_server.start()
        async with asyncio.timeout(20):
            while breaker.state.value != "closed":
                try:
                    await client.set("a", "2")
                except BreakerOpen as error:
                    await asyncio.sleep(error.retry_after)
        assert b"2" == await client.get("a")


async def test_a_deadline_bounds_a_command(own_server: Server) -> None:
    """A frozen Redis costs what the caller has, and counts as its failure; a spent deadline asks nobody."""
    async with running(own_server.url, RESYNC_UPSTREAM_REDIS_FAIL_MAX="1") as resync:
        client: Any = resync.redis()
        await client.set("a", "1")
        with deadline(0), pytest.raises(DeadlineExceeded):
            await client.get("a")
        assert "closed" == row(resync)[0]
        own_server.freeze()
        try:
            with deadline(0.05), pytest.raises(DeadlineExceeded, match="redis"):
                await client.get("a")
        finally:
            own_server.thaw()

        assert "open" == row(resync)[0]


async def test_a_cluster_is_used_the_same_way(cluster: Cluster) -> None:
    """And one of which no node answers is away."""
    async with running(cluster.url.replace("redis://", "redis+cluster://")) as resync:
        client: Any = resync.redis()
        assert isinstance(client, RedisCluster)
        assert await client.set("a", "1")
        async with client.pipeline() as pipe:
            pipe.set("b", "1")
            pipe.get("a")
            assert [True, b"1"] == await pipe.execute()
        assert ("closed", 2, 0) == row(resync)

    async with running(f"redis+cluster://127.0.0.1:{free_port()}") as resync:
        for _ in range(3):
            with pytest.raises(redis.exceptions.ConnectionError):
                await resync.redis().get("a")
        with pytest.raises(BreakerOpen):
            await resync.redis().get("a")


async def test_a_transaction_in_a_cluster_is_of_the_breaker_too(cluster: Cluster) -> None:
    """What is watched, what is read then, and the transaction are a call each; while it is open, none is made."""
    async with running(cluster.url.replace("redis://", "redis+cluster://")) as resync:
        client: Any = resync.redis()
        async with client.pipeline(transaction=True) as pipe:
            await pipe.watch("{a}1")
            assert await pipe.get("{a}1") is None
            pipe.multi()
            pipe.set("{a}1", "1")
            pipe.set("{a}2", "2")
            assert [True, True] == await pipe.execute()
            assert ("closed", 3, 0) == row(resync)
            await pipe.watch("{a}1")
            await pipe.unwatch()
            await pipe.watch("{a}1")
            resync.upstreams["redis"].breaker.force_open()
            with pytest.raises(BreakerOpen):
                await pipe.get("{a}1")
            with pytest.raises(BreakerOpen):
                await pipe.watch("{a}1")


async def next_message(pubsub: Any) -> Any:
    """Return the next message that is no answer to a subscription."""
    async with asyncio.timeout(20):
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is not None:
                return message["data"]


@pytest.mark.parametrize("kind", ["server", "cluster"])
async def test_who_subscribes_is_admitted_and_who_listens_waits_in_peace(
    kind: str, server: Server, request: pytest.FixtureRequest
) -> None:
    """To subscribe is a call; to listen is none, so that it is neither slow nor in the way of a probe."""
    url = server.url
    if kind == "cluster":
        url = request.getfixturevalue("cluster").url.replace("redis://", "redis+cluster://")
    async with running(url) as resync:
        client: Any = resync.redis()
        breaker = resync.upstreams["redis"].breaker
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            calls = row(resync)[1]
            assert calls in (1, 2)  # in a cluster, to ask for its nodes is the first
            listening = asyncio.create_task(next_message(pubsub))
            await client.publish("news", "one")
            assert b"one" == await listening
            with deadline(0.05), pytest.raises(DeadlineExceeded):
                await pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
            assert ("closed", calls + 1, 0) == row(resync)
            breaker.force_open()
            with pytest.raises(BreakerOpen):
                await pubsub.subscribe("other")
            assert pubsub.connection.is_connected


async def test_a_subscription_that_breaks_is_a_failure_and_comes_back_when_it_may(own_server: Server) -> None:
    """While the breaker is open nobody connects; then it is subscribed to what it was, as a part of one probe."""
    environ = {"RESYNC_UPSTREAM_REDIS_FAIL_MAX": "1", "RESYNC_UPSTREAM_REDIS_RESET_TIMEOUT": "100ms"}
    async with running(own_server.url, **environ) as resync:
        client: Any = resync.redis()
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            listening = asyncio.create_task(next_message(pubsub))
            for _ in range(10):
                await asyncio.sleep(0)
            own_server.kill()
            with pytest.raises(redis.exceptions.ConnectionError):
                await listening
            assert "open" == row(resync)[0]
            with pytest.raises(BreakerOpen):
                await pubsub.get_message(timeout=1)

            own_server.start()
            heard: asyncio.Task[Any] | None = None
            async with asyncio.timeout(20):
                while heard is None:
                    try:
                        await pubsub.get_message(ignore_subscribe_messages=True, timeout=0)
                        heard = asyncio.create_task(next_message(pubsub))
                    except BreakerOpen as error:
                        await asyncio.sleep(error.retry_after)
            await until(lambda: own_server.execute("PUBSUB", "NUMSUB", "news") == [b"news", 1])
            await client.publish("news", "back")
            assert b"back" == await heard


async def test_what_sentinels_watch_is_used_the_same_way(watched: Watched) -> None:
    """They are asked where the primary is."""
    async with running(watched.url) as resync:
        client: Any = resync.redis()
        assert await client.set("a", "1")
        assert b"1" == await client.get("a")


async def test_a_response_that_was_built_with_it_is_of_the_upstream(server: Server) -> None:
    """Learned, as for any other upstream: a purge of `redis` drops it."""
    values: list[object] = []

    async def page(_: Request) -> PlainTextResponse:
        values.append(await resync.redis().get("a"))
        return PlainTextResponse("page")

    async with running(server.url) as resync:
        resync = Resync(resync.settings, rules=[CacheRule("/", ttl=60)])
        app = resync(Starlette(routes=[Route("/", page)]))
        async with resync.lifespan():
            for _ in range(2):
                await request(app, "GET", "/")
            assert 1 == len(values)
            await resync.purge(upstream="redis")
            await request(app, "GET", "/")

        assert 2 == len(values)


async def test_each_loop_has_its_own_and_stop_closes_it(server: Server) -> None:
    """Nothing is left open, also where nobody has started anything."""
    async with running(server.url) as resync:
        here = resync.redis()
        await here.ping()
        await resync.start()

        async def elsewhere() -> int:
            client: Any = resync.redis()
            await client.ping()
            await resync.stop()
            return id(client)

        assert id(here) != await asyncio.to_thread(asyncio.run, elsewhere())
        assert resync.redis() is here
        await resync.stop()
        assert resync.redis() is not here
    gc.collect()  # a connection that was left open would warn, which is an error


def test_without_a_url_or_a_loop_it_says_so() -> None:
    """At once, and by the name of the setting."""
    with pytest.raises(RuleError, match="RESYNC_REDIS_URL"):
        Resync().redis()
    with pytest.raises(RuntimeError):
        Resync.from_env({"RESYNC_REDIS_URL": "redis://127.0.0.1:1"}).redis()
