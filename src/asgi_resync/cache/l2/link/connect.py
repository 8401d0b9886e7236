"""Connections of redis-py to a place: made without I/O, and opened within a bound. It shares none of its pools."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from redis.asyncio import Connection
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.maint_notifications import MaintNotificationsConfig

from .place import Address, Place
from .wire import Wire

READ_SIZE = 256 * 2**10
"""Bytes read at once: what asyncio takes from a socket at most."""

_OURS = {
    "connection_class",
    "decode_responses",
    "encoding",
    "encoding_errors",
    "health_check_interval",
    "host",
    "legacy_responses",
    "max_connections",
    "port",
    "protocol",
    "retry_on_timeout",
    "socket_connect_timeout",
    "socket_read_size",
    "socket_timeout",
    "timeout",
}
"""What a URL may say to redis-py and is decided here."""


class Connector:
    """Knows how to connect to *place*. *timeout* is in seconds, and bounds one attempt as a whole.

    Raises ValueError if an option of the URL is unknown or cannot be, such as a file of certificates that is not there.
    It is bound to no event loop; `on` gives what is.
    """

    def __init__(self, place: Place, timeout: float, version: str) -> None:
        self.place = place
        self.timeout = timeout
        asked = cast(dict[str, Any], parse_url(place.base))
        self.database = int(asked.get("db") or 0)
        self._class: Any = asked.get("connection_class", Connection)
        self._sentinel_auth = {
            name: asked.pop(f"sentinel_{name}") for name in ("username", "password") if f"sentinel_{name}" in asked
        }
        own = {name: value for name, value in asked.items() if name not in _OURS}
        # No timeouts of redis-py but ours, which bound more than it does; no second try but the next call; and none
        # of the notifications by which a server may stretch timeouts to 10 s.
        self._options: dict[str, Any] = {
            **own,
            "protocol": 3,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": None,
            "socket_connect_timeout": timeout,
            "socket_read_size": READ_SIZE,
            "driver_info": DriverInfo().add_upstream_driver("asgi-resync", version),
        }
        self._tls: Any = None
        try:
            sample = self._class(**self._options)
            if isinstance(sample, SSLConnection):
                sample.ssl_context.get()  # reads the certificates, which takes too long for every connection
                self._tls = sample.ssl_context
        except TypeError as error:
            raise ValueError(str(error).rpartition(") ")[2]) from None
        except Exception as error:
            raise ValueError(f"its options cannot be used: {error}") from error

    def on(self) -> Opener:
        """Return what opens connections on the running event loop."""
        return Opener(self, self._sentinel_pool() if self.place.kind == "sentinel" else None)

    def wire(self, address: Address | None, pool: SentinelConnectionPool | None) -> Wire:
        """Return a connection that is not connected yet."""
        if pool is not None:
            connection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py has no types here
        else:
            where = {} if address is None else {"host": address[0], "port": address[1]}
            connection = self._class(**self._options, **where)
        if self._tls is not None:
            connection.ssl_context = self._tls
        return cast(Wire, connection)

    def _sentinel_pool(self) -> SentinelConnectionPool:
        tls = {name: value for name, value in self._options.items() if name.startswith("ssl_")}
        if self._tls is not None:
            tls["ssl"] = True
        # A sentinel that is silent must leave time for the next one.
        patience = self.timeout / (len(self.place.seeds) + 1)
        maintenance = MaintNotificationsConfig(enabled=False)
        to_sentinels = {
            **tls,
            **self._sentinel_auth,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "maint_notifications_config": maintenance,
        }
        sentinel = Sentinel(self.place.seeds, sentinel_kwargs=to_sentinels)  # type: ignore[no-untyped-call] # as above
        options = {**self._options, "maint_notifications_config": maintenance, "ssl": self._tls is not None}
        return SentinelConnectionPool(self.place.service, sentinel, **options)  # type: ignore[no-untyped-call] # as above


class Opener:
    """Opens connections on one event loop."""

    def __init__(self, connector: Connector, pool: SentinelConnectionPool | None) -> None:
        self._connector = connector
        self._pool = pool

    async def open(self, address: Address | None) -> Wire:
        """Return a connection to *address*, or to what the URL names if that is None. Raises what hindered it."""
        wire = self._connector.wire(address, self._pool)
        try:
            async with asyncio.timeout(self._connector.timeout):
                await wire.connect()
        except BaseException:
            await closed(wire)
            raise
        return wire

    async def aclose(self) -> None:
        """Close the connections to sentinels."""
        if self._pool is not None:
            for sentinel in self._pool.sentinel_manager.sentinels:
                await sentinel.aclose()


async def closed(wire: Wire) -> None:
    """Close *wire*; it does not matter what hinders that."""
    try:
        await wire.disconnect(nowait=True)
    except Exception:
        pass
