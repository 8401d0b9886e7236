"""What clients have left open is closed with the app."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest
from tests.unit.libraries import over_both

from asgi_resync import Resync, Upstream
from asgi_resync.events import Event, ResourceAbandoned
from asgi_resync.testing import FakeTWS


def connections(client: Any) -> list[object]:
    """Return the connections that *client* has open."""
    return list(client._transport._transport._pool.connections)


@over_both
async def test_the_end_closes_what_clients_have_left_open_and_they_go_on_after_it(lib: ModuleType) -> None:
    """A client that is made once, for the life of the process, serves an app that is started again."""
    async with FakeTWS().serve() as server:
        resync = Resync(upstreams=[Upstream("up", url=server.url)])
        upstream = resync.upstreams["up"]
        client: Any = upstream.client() if lib.__name__ == "httpx2" else upstream.client(library="httpx")
        left = []
        for _ in range(2):
            async with resync.lifespan():
                await client.get("/")
                left.append(len(connections(client)))
            left.append(len(connections(client)))
        await client.aclose()

    assert [1, 0, 1, 0] == left


@over_both
async def test_connections_of_others_are_left_alone(lib: ModuleType) -> None:
    """Those of a transport that the app has made, and those that are in use on another loop."""
    async with FakeTWS().serve() as server:
        resync = Resync(upstreams=[Upstream("up", url=server.url)])
        given: Any = resync.upstreams["up"].client(lib.AsyncHTTPTransport())
        own: Any = resync.upstreams["up"].client()
        await given.get("/")
        await own.get("/")

        async def elsewhere() -> None:
            async with resync.lifespan():
                pass

        await asyncio.to_thread(asyncio.run, elsewhere())
        mine = len(connections(own))
        async with resync.lifespan():
            pass
        left = [mine, len(connections(given)), len(connections(own))]
        await given.aclose()
        await own.aclose()

    assert [1, 1, 0] == left


@pytest.mark.parametrize(("ends", "cause"), [(False, "TimeoutError"), (True, "OSError")])
async def test_what_does_not_close_is_named_and_abandoned(ends: bool, cause: str) -> None:
    """The stop takes no longer for it."""
    events: list[Event] = []
    resync = Resync.from_env(
        {"RESYNC_SHUTDOWN_TIMEOUT": "10ms"}, upstreams=[Upstream("up"), Upstream("well")], on_event=events.append
    )
    released: list[str] = []

    class Stuck:
        async def release(self) -> None:
            if ends:
                raise OSError("broken")
            await asyncio.Event().wait()

    class Good(Stuck):
        async def release(self) -> None:
            released.append("well")

    stuck, good = Stuck(), Good()
    resync.upstreams["up"]._own.add(stuck)  # type: ignore[arg-type]  # all that is asked of it
    resync.upstreams["well"]._own.add(good)  # type: ignore[arg-type]
    async with asyncio.timeout(5), resync.lifespan():
        pass

    assert ["well"] == released
    assert [ResourceAbandoned(resource="up", phase="clients", cause=cause)] == [
        event for event in events if isinstance(event, ResourceAbandoned)
    ]
