"""Clients of redis-py whose commands go through a breaker. Nothing else imports this, since it loads redis.

What an answer says of Redis: a connection that breaks, is refused or is silent is a failure, an error reply is an
answer, and what went wrong in this process, a full pool or a command that cannot be sent, says nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterNode, ClusterPipeline
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MaxConnectionsError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
)
from redis.maint_notifications import MaintNotificationsConfig

from .._deadline import current
from ..breaker.breaker import Breaker
from ..cache.l2.link.place import place_of
from ..errors import DeadlineExceeded

T = TypeVar("T")

FAILURES = (ConnectionError, TimeoutError, ClusterDownError, OSError)

PATIENT = frozenset(
    {"BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT", "WAITAOF"}
)
"""Commands that wait on purpose, so that the time they take says nothing."""


class Guard:
    """Books calls with *breaker*, within the deadline that is in force."""

    __slots__ = ("_breaker",)

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    async def call(self, work: Callable[[], Awaitable[T]], command: tuple[object, ...] = ()) -> T:
        """Return what *work* does. Raises BreakerOpen, DeadlineExceeded, and what *work* raises."""
        limit = current.get()
        remaining = math.inf if limit is None else limit.remaining()
        if limit is not None and remaining <= 0:
            raise DeadlineExceeded(self._breaker.name, limit.seconds)
        permit = self._breaker.admit()
        scope = asyncio.timeout(remaining if remaining < math.inf else None)
        try:
            async with scope:
                result = await work()
        except BaseException as error:
            if limit is not None and scope.expired():
                late = DeadlineExceeded(self._breaker.name, limit.seconds)
                # One that was nearly spent elsewhere when this call began says nothing of Redis.
                if remaining >= limit.seconds / 2 and not _waits(command):
                    permit.failed(late)
                else:
                    permit.withdrawn()
                raise late from error
            if isinstance(error, FAILURES) and not isinstance(error, MaxConnectionsError):
                if isinstance(error, TimeoutError) and _waits(command):
                    permit.withdrawn()
                else:
                    permit.raised(error)
            elif isinstance(error, ResponseError):
                permit.succeeded()
            else:
                permit.withdrawn()
            raise
        if _waits(command):
            permit.withdrawn()
        else:
            permit.succeeded()
        return result


class GuardedRedis(Redis):
    """redis-py's client, of which each command and each pipeline is a call of the breaker's. Subscriptions are not."""

    guard: Guard

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        execute = super().execute_command
        return await self.guard.call(lambda: execute(*args, **options), args)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> GuardedPipeline:
        pipeline = GuardedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.guard = self.guard
        return pipeline

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

    async def _reached(self) -> None:
        try:
            await self.initialize()
        except RedisClusterException as error:  # no node answers: what redis-py raises for many other things too
            raise ConnectionError(str(error)) from error


class GuardedClusterPipeline(ClusterPipeline):
    """redis-py's pipeline to a cluster, of which `execute` is a call of the breaker's."""

    def __init__(self, client: GuardedCluster, transaction: bool | None) -> None:
        super().__init__(client, transaction)
        self._client = client

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        execute = super().execute

        async def work() -> list[Any]:
            await self._client._reached()
            return await execute(raise_on_error, allow_redirections)

        return await self._client.guard.call(work)


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


def _waits(command: tuple[object, ...]) -> bool:
    if not command:
        return False
    name = str(command[0]).upper()
    return name in PATIENT or (name.startswith("XREAD") and any(part in (b"BLOCK", "BLOCK") for part in command))
