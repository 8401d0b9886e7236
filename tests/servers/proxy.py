"""A TCP proxy in a thread of its own, which spoils what goes through it: on command, and from one byte to the next."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from tests.servers.server import free_port

T = TypeVar("T")
_PIECE = 1 << 16


@dataclass(slots=True)
class Faults:
    """What the proxy does to replies. Set by the test's thread at any time; each applies from the next piece on."""

    delay: float = 0.0
    """Seconds each piece of a reply is held back."""
    is_blackhole: bool = False
    """Nothing passes in either direction and nothing is closed; what came is passed on when this ends."""
    is_refusing: bool = False
    """New connections are closed at once."""
    cut_after: int | None = None
    """After so many more bytes of replies, all connections together, the connection they came on is reset."""
    corrupt: Callable[[bytes], bytes] | None = None
    """Makes other bytes of a piece of a reply."""


@dataclass(slots=True)
class Proxy:
    """Listens on `port` of 127.0.0.1, with TLS if it has *tls*, and passes all on to *target*."""

    target: int
    tls: ssl.SSLContext | None = None
    faults: Faults = field(default_factory=Faults)
    port: int = field(default_factory=free_port)
    connections: int = 0
    """How many it has accepted so far."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _clear: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The URL of the server behind it, by way of it."""
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._writers) // 2

    def drop(self) -> None:
        """Reset all connections."""
        self.call(self._drop())

    def heal(self) -> None:
        """Do no more harm."""
        self.call(self._heal())

    def blackhole(self) -> None:
        """Let nothing pass, and close nothing, until `heal`."""
        self.faults.is_blackhole = True
        self._clear.clear()

    def stall(self) -> None:
        """Let nothing pass any more by the connections that are there; those made later work."""
        self.call(self._stall())

    def call(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run *coroutine* in the proxy's thread and return what it does."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _stall(self) -> None:
        self._clear.clear()
        self._clear = asyncio.Event()
        self._clear.set()

    async def _heal(self) -> None:
        self.faults = Faults()
        self._clear.set()

    async def start(self) -> None:
        self._clear.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls, backlog=1024)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        gate = self._clear
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.faults.is_refusing:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(far_writer)
            try:
                there = asyncio.ensure_future(self._pass_on(reader, far_writer, gate))
                back = asyncio.ensure_future(self._reply(far_reader, writer, gate))
                try:
                    await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    there.cancel()
                    back.cancel()
                    await asyncio.gather(there, back, return_exceptions=True)
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass  # nobody listens there: the client sees a connection that is closed
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        while piece := await reader.read(_PIECE):
            await gate.wait()
            writer.write(piece)
            await writer.drain()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        while piece := await reader.read(_PIECE):
            if self.faults.delay:
                await asyncio.sleep(self.faults.delay)
            await gate.wait()
            faults = self.faults
            if faults.corrupt is not None:
                piece = faults.corrupt(piece)
            if faults.cut_after is not None:
                passed, faults.cut_after = piece[: faults.cut_after], faults.cut_after - len(piece)
                if faults.cut_after < 0:
                    faults.cut_after = None
                    writer.write(passed)
                    await asyncio.sleep(0.01)  # so that it arrives before the connection ends
                    return
            writer.write(piece)
            await writer.drain()


@contextmanager
def redis_proxy(target: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy before port *target* until the end."""
    proxy = Proxy(target, tls)
    thread = threading.Thread(target=proxy._loop.run_forever, daemon=True)
    thread.start()
    try:
        proxy.call(proxy.start())
        yield proxy
        proxy.call(proxy.stop())
    finally:
        proxy._loop.call_soon_threadsafe(proxy._loop.stop)
        thread.join(10)
        proxy._loop.close()
