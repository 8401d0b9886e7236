"""Two processes with one Redis, and an upstream that one of them finds out about first."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio.lowlevel
from tests.servers.proxy import Proxy
from tests.servers.server import Server, until
from tests.transparency.servers import ROOT

from asgi_resync import BreakerLimits, Resync, Upstream
from asgi_resync.breaker.breaker import Breaker
from asgi_resync.breaker.state import Heard, State
from asgi_resync.events import BackplaneCaughtUp, BackplaneLost, BreakerChanged, Event


class Process:
    """A Resync whose breaker opens at the third failure."""

    def __init__(self, url: str, **environ: str) -> None:
        self.events: list[Event] = []
        self.resync = Resync.from_env(
            {"RESYNC_REDIS_URL": url, "RESYNC_UPSTREAM_UP_FAIL_MAX": "3", **environ},
            upstreams=[Upstream("up", limits=BreakerLimits(reset_timeout=60, jitter=0))],
            on_event=self.events.append,
        )

    @property
    def breaker(self) -> Breaker:
        """Of the upstream."""
        return self.resync.upstreams["up"].breaker

    def changes(self) -> list[tuple[str, str]]:
        """Return what its breaker went to, and why."""
        return [(event.after, event.cause) for event in self.events if isinstance(event, BreakerChanged)]

    def fail(self) -> None:
        """Let it find out that the upstream is out."""
        for _ in range(3):
            self.breaker.admit().failed(503)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until *condition* holds."""
        async with asyncio.timeout(20):
            while not condition():
                await anyio.lowlevel.checkpoint()

    async def heard(self, kind: type[Event], times: int = 1) -> None:
        """Wait until so many such events have been told."""
        await self.until(lambda: sum(isinstance(event, kind) for event in self.events) >= times)


@asynccontextmanager
async def processes(*urls: str, **environ: str) -> AsyncIterator[list[Process]]:
    """Run one for each of *urls*."""
    found = [Process(url, **environ) for url in urls]
    for one in found:
        await one.resync.start()
        await one.heard(BackplaneCaughtUp)
    try:
        yield found
    finally:
        for one in found:
            await one.resync.stop()


async def test_one_opens_and_so_does_the_other_until_a_probe_is_well(server: Server) -> None:
    """The other has asked nothing; it closes by a probe of its own and not by hearsay."""
    async with processes(server.url, server.url) as (one, other):
        one.fail()
        await other.until(lambda: other.breaker.state == "open")
        assert 50 < other.breaker.retry_after <= 60
        assert other.breaker.ask() is None

        one.breaker.hear(_closed())
        one.breaker.admit().succeeded()
        await other.until(lambda: other.breaker.is_admitting)
        state = other.breaker.state
        other.breaker.admit().succeeded()

    assert "open" == state
    assert [("open", "heard"), ("half-open", "time"), ("closed", "successes")] == other.changes()


async def test_who_keeps_to_himself_hears_and_says_nothing(server: Server) -> None:
    """By the setting. Messages arrive in order, so that of a later change shows that none came before."""
    async with processes(server.url, server.url, RESYNC_UPSTREAM_UP_SHARED="no") as (one, other):
        one.fail()
        for _ in range(5):
            one.resync.upstreams["tws"].breaker.admit().failed(503)
        await other.until(lambda: other.resync.upstreams["tws"].breaker.state == "open")

    assert "closed" == other.breaker.state


async def test_other_databases_of_the_server_hear_nothing(server: Server) -> None:
    """They may be another app's, and pub/sub knows no databases. What is said later shows that nothing came before."""
    elsewhere = f"{server.url}/1"
    async with processes(server.url, server.url, elsewhere, elsewhere) as (one, other, third, fourth):
        one.fail()
        await other.until(lambda: other.breaker.state == "open")
        for _ in range(5):
            third.resync.upstreams["tws"].breaker.admit().failed(503)
        await fourth.until(lambda: fourth.resync.upstreams["tws"].breaker.state == "open")

        assert ["closed", "closed"] == [third.breaker.state, fourth.breaker.state]
        assert "closed" == other.resync.upstreams["tws"].breaker.state


async def test_without_redis_each_finds_out_alone_and_tells_when_it_is_back(server: Server, proxy: Proxy) -> None:
    """Nobody waits for it: a call is admitted or refused at once, and what has changed meanwhile is told afterwards."""
    async with processes(proxy.url, server.url) as (one, other):
        proxy.drop()
        await one.heard(BackplaneLost)
        one.fail()
        assert one.breaker.ask() is None
        assert other.breaker.ask() is not None

        proxy.heal()
        await one.heard(BackplaneCaughtUp, 2)
        await other.until(lambda: other.breaker.state == "open")


Say = Callable[[str], str]


@contextmanager
def process(url: str) -> Iterator[Say]:
    """Run a process of `breaker_process`; yield what tells it a word and returns its answer."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.servers.breaker_process", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        out, into = running.stdout, running.stdin

        def say(word: str) -> str:
            into.write(f"{word}\n")
            into.flush()
            return out.readline().strip()

        try:
            assert out.readline().strip() == "joined"
            yield say
        finally:
            into.close()


def test_of_two_processes_one_probes_and_the_other_leaves_it_to_it(server: Server) -> None:
    """Each in an interpreter of its own: one call reaches the upstream, and what it finds holds for both."""
    with process(server.url) as one, process(server.url) as other:
        assert "admitted" == one("ask")
        assert "open" == one("ill")
        until(lambda: other("state") == "open", "the other has heard")

        # The time is over for both at about the same moment; whoever asks first has the probe.
        until(lambda: one("ask") == "admitted", "it may probe")
        until(lambda: float(other("left")) > 1, "the other has heard of the probe")
        assert ["refused"] * 20 == [other("ask") for _ in range(20)]
        assert ["refused"] * 20 == [one("ask") for _ in range(20)]

        assert "closed" == one("well")
        until(lambda: other("ask") == "admitted", "the other probes at once")
        assert "closed" == other("well")


def _closed() -> Heard:
    """Return what lets the next call be a probe."""
    return Heard(state=State.CLOSED)
