"""`RedisLink`: the link on redis-py. It decides nothing about what is kept in Redis."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ....errors import SettingProblem, SettingsError
from ..ports import Guard, Permit, Script, Unreachable
from .connect import Connector, closed
from .packing import packed
from .place import masked, place_of
from .session import Session
from .subscription import messages, subscribed


class _Open:
    """Lets everything pass."""

    def admit(self) -> Permit:
        return self

    def succeeded(self) -> None:
        """See `Permit`."""

    def failed(self, cause: BaseException) -> None:
        """See `Permit`."""

    def withdrawn(self) -> None:
        """See `Permit`."""


class RedisLink:
    """Speaks RESP3 to the Redis or Valkey at *url* (see `place`): a server, a cluster, or what sentinels watch.

    Nothing connects before the first call. A call ends within *deadline* seconds, connecting included, and raises
    nothing but Unreachable; a connection that takes longer is made all the same, within *connect_timeout*, for the
    calls that come later. There are at most *connections* to one server, and some more while others are late.

    *guard* is asked once for all GETs that travel together, and once for each other call, and told what came of it.
    An error reply of a server that is well, such as one that is out of memory, is no failure of Redis.

    Commands that change a connection, or that wait (SELECT, MULTI, SUBSCRIBE, BLPOP …), must not be sent.

    It may be used on several event loops, and has connections on each. A loop that ends without `aclose` on it leaves
    the closing of its connections to Python.

    Raises SettingsError if *url* cannot be used, with nothing in it that may be secret.
    """

    def __init__(
        self,
        url: str,
        *,
        guard: Guard | None = None,
        deadline: float = 0.05,
        connections: int = 4,
        connect_timeout: float = 1.0,
        keepalive: float = 1.0,
        version: str = "0",
    ) -> None:
        try:
            self._connector = Connector(place_of(url), connect_timeout, version)
        except ValueError as error:
            raise SettingsError([SettingProblem("RESYNC_REDIS_URL", masked(url), str(error))]) from None
        self.database = self._connector.database
        """The number of the database that the URL names."""
        self._guard: Guard = _Open() if guard is None else guard
        self._deadline = deadline
        self._connections = connections
        self._keepalive = keepalive
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}

    def adjust(self, deadline: float) -> None:
        """Have later calls end within *deadline* seconds."""
        self._deadline = deadline
        for session in list(self._sessions.values()):
            session.adjust(deadline)

    async def get(self, name: str) -> bytes | None:
        """Return the value of *name*."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            session = self._begin(loop)
        value = await session.get(name)
        if value is None or type(value) is bytes:
            return value
        raise Unreachable("InvalidResponse")

    async def execute(self, *command: str | bytes | int | float) -> object:
        """Return the reply to *command* as it came: `OK` is `b"OK"`. In a cluster its second word decides the node."""
        word = command[1] if len(command) > 1 else None
        name = word if word is None or isinstance(word, (str, bytes)) else str(word)
        return await self._session().send(packed(command), name)

    async def script(self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        """Return what *script* returns. Its source is sent only where it is not known yet."""
        rest = [len(names), *names, *arguments]
        digest = hashlib.sha1(script.source.encode(), usedforsecurity=False).hexdigest()
        first = names[0] if names else None
        source = packed(["EVAL", script.source, *rest])
        return await self._session().send(packed(["EVALSHA", digest, *rest]), first, source)

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Subscribe to *channel*; the iterator raises Unreachable when the connection is lost.

        One that died without a word is noticed within *keepalive* seconds. The guard is not asked.
        """
        session = self._session()
        wire = await subscribed(session.opener, session.addresses(), channel, self._connector.timeout)
        listening = session.listening
        listening.add(wire)
        try:
            yield messages(wire, self._keepalive)
        finally:
            listening.discard(wire)
            await closed(wire)

    async def aclose(self) -> None:
        """Close all connections of this event loop. Idempotent; who calls later connects again."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.aclose()

    def _session(self) -> Session:
        loop = asyncio.get_running_loop()
        return self._sessions.get(loop) or self._begin(loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Session:
        for other in [other for other in self._sessions if other.is_closed()]:
            self._sessions.pop(other, None)
        session = Session(loop, self._connector, self._guard, deadline=self._deadline, most=self._connections)
        self._sessions[loop] = session
        return session
