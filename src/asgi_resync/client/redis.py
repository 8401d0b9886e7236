"""Clients of redis-py whose commands go through a breaker. Nothing else imports this, since it loads redis."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.cluster import ClusterNode, ClusterPipeline, ClusterPubSub
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisClusterException
from redis.maint_notifications import MaintNotificationsConfig

from ..breaker.breaker import Breaker
from ..cache.l2.link.place import place_of
from .redis_guard import Guard


class GuardedPubSub(PubSub):
    """redis-py's subscriptions: to connect and to subscribe is a call of the breaker's, to listen is none."""

    guard: Guard

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        execute = super().execute_command
        if _is_connecting.get():
            return await execute(*args, **options)
        return await self.guard.call(lambda: execute(*args, **options), args)

    async def on_connect(self, connection: Any) -> None:  # noqa: ANN401 - as redis-py has it
        """Subscribe again, as a part of the call that connects."""
        token = _is_connecting.set(True)
        try:
            await super().on_connect(connection)
        finally:
            _is_connecting.reset(token)

    async def parse_response(self, block: bool = True, timeout: float = 0) -> Any:  # noqa: ANN401 - as redis-py has it
        parse = super().parse_response
        connection: Any = self.connection
        if connection is not None and not connection.is_connected:
            await self.guard.call(connection.connect)
        return await self.guard.listening(lambda: parse(block, timeout))


class GuardedClusterPubSub(GuardedPubSub, ClusterPubSub):
    """The same to a cluster. What is read from the nodes of sharded channels is not booked."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        cluster = self.cluster
        assert isinstance(cluster, GuardedCluster)
        if cluster.is_new:
            await self.guard.call(cluster._reached)
        return await super().execute_command(*args, **options)


_is_connecting: ContextVar[bool] = ContextVar("asgi_resync.subscribing_again", default=False)


class GuardedRedis(Redis):
    """redis-py's client, of which each command and each pipeline is a call of the breaker's, and each subscription."""

    guard: Guard

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        execute = super().execute_command
        return await self.guard.call(lambda: execute(*args, **options), args)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> GuardedPipeline:
        pipeline = GuardedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.guard = self.guard
        return pipeline

    def pubsub(self, **options: Any) -> GuardedPubSub:  # noqa: ANN401 - as redis-py has it
        pubsub = GuardedPubSub(self.connection_pool, event_dispatcher=self._event_dispatcher, **options)
        pubsub.guard = self.guard
        return pubsub

    def client(self) -> GuardedRedis:
        client = super().client()
        assert isinstance(client, GuardedRedis)
        client.guard = self.guard
        return client


class GuardedPipeline(Pipeline):
    """redis-py's pipeline, of which each round trip is a call of the breaker's."""

    guard: Guard
    _is_admitted = False

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        execute = super().execute
        self._is_admitted = True  # what it sends within, to load scripts, is of the same call
        try:
            return await self.guard.call(lambda: execute(raise_on_error))
        finally:
            self._is_admitted = False

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        execute = super().immediate_execute_command
        if self._is_admitted:
            return await execute(*args, **options)  # type: ignore[no-untyped-call]
        return await self.guard.call(lambda: execute(*args, **options), args)  # type: ignore[no-untyped-call]


class GuardedCluster(RedisCluster):
    """redis-py's client of a cluster, guarded in the same way."""

    guard: Guard

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        execute = super().execute_command

        async def work() -> Any:  # noqa: ANN401 - as redis-py has it
            await self._reached()
            return await execute(*args, **options)

        return await self.guard.call(work, args)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> GuardedClusterPipeline:  # noqa: ANN401
        return GuardedClusterPipeline(self, transaction)  # type: ignore[abstract]  # redis-py declares one it sets

    def pubsub(self, node: Any = None, host: Any = None, port: Any = None, **options: Any) -> GuardedClusterPubSub:  # noqa: ANN401 - as redis-py has it
        pubsub = GuardedClusterPubSub(self, node, host, port, **options)
        pubsub.guard = self.guard
        return pubsub

    @property
    def is_new(self) -> bool:
        """Whether it knows no node yet."""
        return bool(self._initialize)

    async def _reached(self) -> None:
        try:
            await self.initialize()
        except RedisClusterException as error:  # no node answers: what redis-py raises for many other things too
            raise ConnectionError(str(error)) from error


class GuardedClusterPipeline(ClusterPipeline):
    """redis-py's pipeline to a cluster, of which each round trip is a call of the breaker's."""

    def __init__(self, client: GuardedCluster, transaction: bool | None) -> None:
        super().__init__(client, transaction)
        self._client = client

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        execute = super().execute

        async def work() -> list[Any]:
            await self._client._reached()
            return await execute(raise_on_error, allow_redirections)

        return await self._client.guard.call(work)

    async def watch(self, *names: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - as redis-py has it
        watch = super().watch

        async def work() -> Any:  # noqa: ANN401 - as redis-py has it
            # Here: where redis-py has to, it does so in another thread, on a loop that ends at once.
            await self._client._reached()
            return await watch(*names)  # type: ignore[no-untyped-call]

        return await self._client.guard.call(work, ("WATCH",))

    async def unwatch(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - as redis-py has it
        return await self._client.guard.call(super().unwatch, ("UNWATCH",))

    def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        result: Any = super().execute_command(*args, **options)
        # What is watched is read at once: redis-py returns what sends it.
        return self._sent(result, args) if inspect.iscoroutine(result) else result

    async def _sent(self, sending: Coroutine[Any, Any, Any], command: tuple[object, ...]) -> Any:  # noqa: ANN401
        try:
            return await self._client.guard.call(lambda: sending, command)
        finally:
            sending.close()  # where the breaker has refused it


def open_redis(url: str, breaker: Breaker, *, decode_responses: bool) -> tuple[Redis, Callable[[], Awaitable[None]]]:
    """Return a client of what *url* names, behind *breaker*, and what closes it. It connects at its first command.

    Nothing is sent twice: an INCR that was carried out must not be, so there is no retry but the caller's own.
    """
    place = place_of(url)
    options: dict[str, Any] = {
        "decode_responses": decode_responses,
        "retry": Retry(NoBackoff(), 0),
        # A server could else stretch timeouts to 10 s.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    client: Any
    if place.kind == "server":
        client = GuardedRedis.from_pool(ConnectionPool.from_url(place.base, **options))
        client.guard = Guard(breaker)
        return client, client.aclose
    options |= parse_url(place.base)
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    for name in ("host", "port"):
        options.pop(name, None)
    if place.kind == "cluster":
        options.pop("db", None)
        nodes = [ClusterNode(host, port) for host, port in place.seeds]
        client = GuardedCluster(startup_nodes=nodes, **options)
        client.guard = Guard(breaker)
        return client, client.aclose
    auth = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    tls = {name: value for name, value in options.items() if name.startswith("ssl")}
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        place.seeds, sentinel_kwargs={**tls, **auth, "socket_timeout": 1.0, "retry": options["retry"]}
    )
    client = sentinels.master_for(place.service, GuardedRedis, **options)
    client.guard = Guard(breaker)

    async def close() -> None:
        await client.aclose()
        for sentinel in sentinels.sentinels:
            await sentinel.aclose()

    return client, close
