"""A life is begun and ended on any loop, any number of times, whoever is in a hurry."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import pytest
import trio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.unit.house import House, heedless, until
from tests.unit.virtual_time import run_at_once

from asgi_resync import Resync, Settings
from asgi_resync.cache.cache import Cache
from asgi_resync.resources.hangup import Hangup
from asgi_resync.resources.life import Life
from asgi_resync.resources.resource import Resource
from asgi_resync.testing import request


async def _sweep() -> None:
    await asyncio.Event().wait()


def life_of(*resources: Resource, shutdown: float = 10) -> Life:
    return Life(Cache(), _sweep, resources, timeout=30, wait=0, shutdown=shutdown)


def test_a_cancelled_stop_stops_everything_all_the_same() -> None:
    """Whenever it is cancelled; and whoever stops beside it waits for it."""

    async def test() -> None:
        house = House()
        life = life_of(house.make("db"))
        await life.start()
        stopping = asyncio.create_task(life.stop())
        await asyncio.sleep(0)
        beside = asyncio.create_task(life.stop())
        stopping.cancel()
        await beside
        assert "stop db" == house.order[-1]
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert 1 == len(asyncio.all_tasks())

    run_at_once(test())


def test_a_start_beside_a_stop_begins_after_it() -> None:
    """It does not wait in vain for what is being stopped."""

    async def test() -> None:
        house = House()
        house.stuck = {"db"}
        life = life_of(house.make("db"))
        await life.start()
        stopping = asyncio.create_task(life.stop())
        await asyncio.sleep(0.1)
        await life.start()
        assert life.resources["db"].is_up
        assert ["start db", "db is up", "stop db", "start db", "db is up"] == house.order
        assert asyncio.get_running_loop().time() < 11
        await stopping
        await life.stop()

    run_at_once(test())


def test_a_check_that_heeds_no_cancellation_is_within_the_deadline() -> None:
    async def test() -> None:
        house = House()
        free = asyncio.Event()
        life = life_of(house.make("db", check=lambda: heedless(free)), shutdown=8)
        await life.start()
        life.own(asyncio.create_task(life.resources.look("db")))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await life.stop()

        assert asyncio.get_running_loop().time() - began <= 8.1
        assert "stop db" == house.order[-1]
        free.set()
        await asyncio.sleep(1)

    run_at_once(test())


def test_a_late_start_works_on_each_loop() -> None:
    """As where tests run one loop each, or a server forks after a life has ended."""
    house = House()
    resync = Resync(Settings(), resources=[house.make("db")])
    app = resync(Starlette(routes=[Route("/", lambda request: PlainTextResponse("there"))]))

    async def serve() -> None:
        assert 200 == (await request(app, path="/")).status
        assert resync.resources["db"].is_up

    for _ in range(2):
        asyncio.run(serve())

    assert ["start db", "db is up", "stop db"] * 2 == house.order


def test_what_was_stopped_in_order_is_not_started_by_the_last_requests() -> None:
    async def test() -> None:
        house = House()
        resync = Resync(Settings(), resources=[house.make("db")])
        app = resync(Starlette(routes=[Route("/", lambda request: PlainTextResponse("there"))]))
        await resync.start()
        await resync.stop()
        assert 200 == (await request(app, path="/")).status
        assert "stop db" == house.order[-1]

    asyncio.run(test())


def test_requests_pass_on_another_kind_of_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Resources run on asyncio alone, and the log says that none is started."""
    house = House()
    resync = Resync(Settings(health_path="/health"), resources=[house.make("db")])

    async def there(request: object) -> PlainTextResponse:
        return PlainTextResponse("there")

    app = resync(Starlette(routes=[Route("/", there)]))

    async def serve() -> None:
        await resync.start()
        assert 200 == (await request(app, path="/")).status
        assert 503 == (await request(app, path="/health/readyz")).status
        await resync.stop()

    with caplog.at_level(logging.WARNING, "asgi_resync"):
        trio.run(serve)
    assert "asyncio" in caplog.text
    assert not house.order


async def test_two_lives_take_a_hangup_in_any_order() -> None:
    """Whoever is installed again after another has given the signal back does not come before itself."""
    acts: list[str] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: acts.append("app"))
    try:
        one, other = Hangup(lambda: acts.append("one")), Hangup(lambda: acts.append("other"))
        one.install()
        other.install()
        one.remove()
        other.remove()
        one.install()
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: acts)
        one.remove()
        assert ["one", "app"] == acts
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_stop_without_any_time_leaves_no_task() -> None:
    """RESYNC_SHUTDOWN_TIMEOUT=0 is allowed; what is only cancelled ends all the same."""

    async def test() -> None:
        life = life_of(shutdown=0)
        await life.start()
        await asyncio.sleep(1)
        await life.stop()
        assert 1 == len(asyncio.all_tasks())

    run_at_once(test())
