"""A resource that the app can do without: reads fall back, writes say so, and no default is kept as an answer."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.unit.caching import turns
from tests.unit.house import until

from asgi_resync import CacheRule, Degradable, ResourceUnavailable, Resync, RuleError, Settings
from asgi_resync.events import Event, NotStored
from asgi_resync.testing import ManualClock, request

Known = dict[str, list[str]]


class Site:
    """An app that reads a graph, which comes up once `gate` is set."""

    def __init__(self, stale_if_error: float = 0) -> None:
        self.gate = asyncio.Event()
        self.broken: list[Exception] = []
        self.closed: list[Known] = []
        self.events: list[Event] = []
        self.clock = ManualClock()
        self.graph = Degradable("graph", start=self.open, stop=self.closed.append, check=self.check)
        self.resync = Resync(
            Settings(health_interval=0),
            rules=[CacheRule("/after", ttl=60, stale_if_error=stale_if_error)],
            resources=[self.graph],
            on_event=self.events.append,
            clock=self.clock,
        )
        self.app = self.resync(Starlette(routes=[Route("/after", self.after), Route("/plain", self.plain)]))

    async def open(self) -> Known:
        await self.gate.wait()
        return {"REPORT": ["PAYROLL"]}

    def check(self, known: Known) -> bool:
        return not self.broken

    async def after(self, request: Request) -> JSONResponse:
        return JSONResponse(await self.read())

    async def plain(self, request: Request) -> JSONResponse:
        return JSONResponse([])

    async def read(self) -> list[str]:
        def look(known: Known) -> list[str]:
            if self.broken:
                raise self.broken[0]
            return known["REPORT"]

        return await self.graph.read(look, default=[])


async def test_reads_fall_back_until_it_comes_and_no_default_is_kept() -> None:
    """The answer says so, and the first one with the graph is the first that is stored."""
    site = Site()
    async with site.resync.lifespan():
        degraded = [await request(site.app, path="/after") for _ in range(2)]
        plain = await request(site.app, path="/plain")
        site.gate.set()
        await until(lambda: site.graph.is_up)
        whole = [await request(site.app, path="/after") for _ in range(2)]

    assert [b"[]", b"[]"] == [answer.body for answer in degraded]
    assert ["graph", "graph"] == [answer.header("resync-degraded") for answer in degraded]
    assert not any("hit" in (answer.header("cache-status") or "") for answer in degraded)
    assert [b'["PAYROLL"]'] * 2 == [answer.body for answer in whole]
    assert "hit" in (whole[1].header("cache-status") or "")
    assert (None, None) == (whole[0].header("resync-degraded"), plain.header("resync-degraded"))
    assert [{"REPORT": ["PAYROLL"]}] == site.closed
    assert not site.graph.is_up


async def test_a_stored_answer_stands_in_for_one_made_of_a_default() -> None:
    """The order of an outage: fresh, stale within its window, and only then the default."""
    site = Site(stale_if_error=600)
    site.gate.set()
    async with site.resync.lifespan():
        await until(lambda: site.graph.is_up)
        await request(site.app, path="/after")
        site.broken = [ConnectionResetError()]
        site.clock.advance(120)
        stale = await request(site.app, path="/after")

    assert b'["PAYROLL"]' == stale.body
    assert "graph" == stale.header("resync-degraded")


async def test_a_read_that_cannot_reach_it_falls_back_and_one_that_is_wrong_does_not() -> None:
    """A mistake in the reader's own code is not an outage."""
    site = Site()
    site.gate.set()
    async with site.resync.lifespan():
        await until(lambda: site.graph.is_up)
        site.broken = [ConnectionResetError()]
        assert [] == await site.read()
        site.broken = [KeyError("REPORT")]
        with pytest.raises(KeyError):
            await site.read()


async def test_a_check_that_fails_lets_reads_fall_back_at_once() -> None:
    """It is not asked while it is known to be down, and asked again when a check succeeds."""
    site = Site()
    site.gate.set()
    async with site.resync.lifespan():
        await until(lambda: site.graph.is_up)
        site.broken = [OSError()]
        health = await site.resync.health()
        assert ("degraded", "down") == (health.status, health.resources["graph"].state)
        assert "graph" in health.impact
        site.broken = []
        assert [] == await site.read()
        assert "up" == (await site.resync.health()).status
        assert ["PAYROLL"] == await site.read()


async def test_writes_raise_while_it_is_not_up() -> None:
    """Nothing pretends to have been written."""
    site = Site()
    async with site.resync.lifespan():
        with pytest.raises(ResourceUnavailable, match="Nothing was written to graph") as caught:
            await site.graph.write(lambda known: known.clear())
        site.gate.set()
        await until(lambda: site.graph.is_up)
        await site.graph.write(lambda known: known["REPORT"].append("BACKUP"))
        assert ["PAYROLL", "BACKUP"] == await site.read()

    assert "graph" == pickle.loads(pickle.dumps(caught.value)).resource


async def test_a_value_made_of_a_default_is_not_kept() -> None:
    """Nor is the answer that used it."""
    site = Site()
    cached = site.resync.cached(ttl=60)(site.read)
    async with site.resync.lifespan():
        assert [] == await cached()
        site.gate.set()
        await until(lambda: site.graph.is_up)
        assert ["PAYROLL"] == await cached()

    assert ["degraded"] == [event.reason for event in site.events if isinstance(event, NotStored)]


async def test_all_who_waited_for_a_value_made_of_a_default_say_so() -> None:
    """Not only the one whose call it was."""
    site = Site()
    gate = asyncio.Event()

    async def slowly() -> list[str]:
        await gate.wait()
        return await site.read()

    cached = site.resync.cached("slowly", ttl=60)(slowly)

    async def page(request: Request) -> JSONResponse:
        return JSONResponse(await cached())

    app = site.resync(Starlette(routes=[Route("/{name}", page)]))
    async with site.resync.lifespan():
        asking = [asyncio.create_task(request(app, path=f"/{name}")) for name in "abc"]
        await turns()
        gate.set()
        answers = await asyncio.gather(*asking)

    assert ["graph"] * 3 == [answer.header("resync-degraded") for answer in answers]


async def test_what_was_built_from_it_is_purged_by_its_name() -> None:
    """As for an upstream."""
    site = Site()
    site.gate.set()
    async with site.resync.lifespan():
        await until(lambda: site.graph.is_up)
        await request(site.app, path="/after")
        await site.resync.purge(upstream="graph")
        again = await request(site.app, path="/after")

    assert "fwd" in (again.header("cache-status") or "")


def test_what_cannot_work_is_refused() -> None:
    """When it is made."""
    with pytest.raises(RuleError, match="give an async function"):
        Degradable("graph", start=None)  # type: ignore[arg-type]  # on purpose
    assert "Degradable('graph')" == repr(Degradable("graph", start=Site().open))
