"""What the lifespan of the application that this library was distilled from did wrong, each by its name.

And what a Resync makes of resources: `test_supervisor.py` has what they do by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from tests.transparency.life import SHUTDOWN, STARTED, STARTUP, STOPPED, Life, recording
from tests.unit.house import House, until
from tests.unit.virtual_time import run_at_once

from asgi_resync import CacheRule, Resource, ResourceFailed, Resync, RuleError, Settings, Upstream
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.events import ResourceDown
from asgi_resync.testing import Reply, ScriptedApp, request


def resync_of(
    house: House, *resources: Resource, startup_timeout: float = 30.0, shutdown_timeout: float = 10.0
) -> Resync:
    settings = Settings(startup_timeout=startup_timeout, shutdown_timeout=shutdown_timeout)
    return Resync(settings, resources=resources, on_event=house.events.append)


def test_a_failure_in_the_first_phase_is_not_masked() -> None:
    """The original's `finally` used a name that was not bound yet, so the cause was lost."""

    async def test() -> None:
        house = House()
        house.failing["first"] = [OSError("the cause")] * 100
        resync = resync_of(house, house.make("first"), house.make("second", "first"), startup_timeout=2)
        with pytest.raises(ResourceFailed, match="the cause") as caught:
            await resync.start()

        assert isinstance(caught.value.__cause__, OSError)
        assert "start second" not in house.order

    run_at_once(test())


async def test_what_is_wrapped_twice_is_started_once() -> None:
    """The original injected everything twice; here starts are counted, and the last stop stops."""
    house = House()
    resync = resync_of(house, house.make("db"))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with resync.lifespan(app):
            house.order.append("serving")
            yield
        house.order.append("app stopped")

    life = Life(resync(Starlette(lifespan=lifespan)))
    assert await life.tell(STARTUP) == STARTED
    assert await life.tell(SHUTDOWN) == STOPPED

    assert ["start db", "db is up", "serving", "app stopped", "stop db"] == house.order


async def test_what_the_serving_app_raises_is_no_failed_start() -> None:
    """The original turned it into SystemExit, "failure during startup"."""
    house = House()
    error = RuntimeError("while serving")
    resync = resync_of(house, house.make("db"))
    with pytest.raises(RuntimeError) as caught:
        async with resync.lifespan():
            raise error

    assert error is caught.value
    assert "stop db" == house.order[-1]


async def test_resources_are_up_while_the_app_serves() -> None:
    """The original left the block of its resources before the first request."""
    house = House()
    resync = resync_of(house, house.make("db"))
    app = resync(recording(house.order))
    life = Life(app)
    await life.tell(STARTUP)
    response = await request(app, "GET", "/plan", state=life.state)
    assert 200 == response.status
    assert resync.resources["db"].is_up
    await life.tell(SHUTDOWN)

    assert ["start db", "db is up", "start", "stop", "stop db"] == house.order


def test_serving_is_not_under_the_start_up_timeout() -> None:
    """The original's time-out enclosed the yield, so a healthy server would have been ended after it."""

    async def test() -> None:
        house = House()
        resync = resync_of(house, house.make("db"), startup_timeout=1)
        async with resync.lifespan():
            await asyncio.sleep(10_000)
            assert resync.resources["db"].is_up

    run_at_once(test())


def test_a_start_is_tried_again_and_has_an_end() -> None:
    """The original tried each thing once, and none of it had a time-out."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [OSError()] * 3
        house.gates["index"] = asyncio.Event()
        resync = resync_of(house, house.make("db"), house.make("index", critical=False), startup_timeout=60)
        await resync.start()
        assert 4 == house.order.count("start db")
        await resync.stop()

    run_at_once(test())


def test_a_shutdown_has_an_end() -> None:
    """The original waited for each step for as long as it took."""

    async def test() -> None:
        house = House()
        house.stuck = {"db", "graph"}
        resync = resync_of(house, house.make("db"), house.make("graph", "db"), shutdown_timeout=4)
        await resync.start()
        began = asyncio.get_running_loop().time()
        await resync.stop()

        assert asyncio.get_running_loop().time() - began < 4.2
        assert ["stop graph", "stop db"] == house.order[-2:]

    run_at_once(test())


async def test_a_dead_watcher_is_noticed_when_it_dies() -> None:
    """The original looked at its background tasks when it stopped, and not before."""
    house = House()

    async def run() -> None:
        raise FileNotFoundError

    resync = resync_of(house, house.make("watcher", run=run, critical=False))
    await resync.start()
    await until(lambda: house.told(ResourceDown))
    assert "FileNotFoundError" == resync.resources["watcher"].cause
    await resync.stop()


def test_no_failure_ends_the_process_by_itself() -> None:
    """The original called `sys.exit` within a context manager; here the server is told, and ends as it does."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [OSError("refused")] * 100
        resync = resync_of(house, house.make("db"), startup_timeout=1)
        life = Life(resync(recording(house.order)))
        answer = await life.tell(STARTUP)
        await life.end()

        assert answer is not None
        assert "lifespan.startup.failed" == answer["type"]
        assert "'db' did not start" in answer["message"]
        assert "start" not in house.order

    run_at_once(test())


async def test_a_cancelled_lifespan_stops_everything() -> None:
    """A server that cancels the lifespan finds all stopped, in order."""
    house = House()
    resync = resync_of(house, house.make("db"), house.make("graph", "db"))
    life = Life(resync(recording(house.order)))
    await life.tell(STARTUP)
    assert life.call is not None
    life.call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life.call

    assert ["stop graph", "stop db"] == house.order[-2:]


# Where the server plays no lifespan


async def test_without_a_lifespan_the_first_request_starts_them() -> None:
    """All that come meanwhile wait for the same start; afterwards nothing stands between."""
    house = House()
    house.gates["db"] = asyncio.Event()
    resync = resync_of(house, house.make("db"))
    app = resync(ScriptedApp(Reply(body=b"served")))
    crowd = [asyncio.create_task(request(app, "GET", f"/{number}")) for number in range(10)]
    await until(lambda: house.order)
    assert not any(task.done() for task in crowd)
    house.gates["db"].set()
    answers = await asyncio.gather(*crowd)

    assert [b"served"] * 10 == [answer.body for answer in answers]
    assert 1 == house.order.count("start db")
    await resync.resources.stop(1)


def test_a_late_start_that_fails_refuses_until_it_succeeds() -> None:
    """Nobody can be told that the start-up failed, so requests are: 503, at once after the first has waited."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [OSError("secret")] * 10
        resync = resync_of(house, house.make("db"), startup_timeout=3)
        app = resync(ScriptedApp(Reply(body=b"served")))
        loop = asyncio.get_running_loop()
        first = await request(app, "GET", "/a")
        waited = loop.time()
        second = await request(app, "GET", "/b")
        assert (503, 503) == (first.status, second.status)
        assert waited == loop.time()
        assert "5" == first.header("retry-after")
        assert b"secret" not in first.body

        closed = []

        async def send(message: object) -> None:
            closed.append(message)

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
        assert [{"type": "websocket.close", "code": 1013}] == closed

        await until(lambda: resync.resources.is_ready, step=1)
        assert 200 == (await request(app, "GET", "/c")).status
        await resync.resources.stop(1)

    run_at_once(test())


def test_a_late_start_that_fails_is_no_failure_of_an_upstream() -> None:
    """What refuses for want of a resource says nothing of the upstreams that the route needs."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [OSError()] * 100
        resync = Resync(
            Settings(startup_timeout=1),
            rules=[CacheRule("/plan", ttl=1, upstreams=["tws"])],
            upstreams=[Upstream("tws")],
            resources=[house.make("db")],
        )
        app = resync(ScriptedApp())
        assert 503 == (await request(app, path="/plan")).status
        assert 0 == resync.upstreams["tws"].breaker.report().calls
        await resync.resources.stop(1)

    run_at_once(test())


async def test_a_hit_waits_for_no_late_start() -> None:
    """What is in memory needs no resource; nor does an app whose Resync was started."""
    house = House()
    resync = resync_of(house, house.make("db"))
    app = resync(ScriptedApp(Reply(headers={"cache-control": "max-age=60"})))
    async with resync.lifespan():
        await request(app, "GET", "/")
    response = await request(app, "GET", "/")

    assert "hit" in (response.header("cache-status") or "")
    assert 1 == house.order.count("start db")


async def test_an_app_that_is_mounted_starts_late_too() -> None:
    """Starlette tells a mounted app of no lifespan, nor does `add_middleware`."""
    house = House()
    resync = resync_of(house, house.make("db"))
    app = resync.middleware(ScriptedApp())

    assert 200 == (await request(app)).status
    assert resync.resources["db"].is_up
    await resync.resources.stop(1)


# Several of them


async def test_two_in_one_process_do_not_meet() -> None:
    """Each has its own resources, also of the same name."""
    one, other = House(), House()
    first, second = resync_of(one, one.make("db")), resync_of(other, other.make("db"))
    await first.start()
    assert "idle" == second.resources["db"].state
    await second.start()
    await first.stop()

    assert ["start db", "db is up", "stop db"] == one.order
    assert ["start db", "db is up"] == other.order
    await second.stop()


def test_it_can_live_in_one_loop_after_the_other() -> None:
    """As in tests, and in a server that makes a loop anew; one that was left unstopped is in nobody's way."""
    house = House()
    resync = resync_of(house, house.make("db"))

    async def serve(*, stops: bool) -> None:
        await resync.start()
        assert resync.resources["db"].is_up
        if stops:
            await resync.stop()

    for stops in (True, False, True):
        asyncio.run(serve(stops=stops))

    assert ["start db", "db is up", "stop db"] * 3 == house.order


def test_a_second_loop_at_the_same_time_leaves_them_where_they_are() -> None:
    """They belong to the loop that started them; the other is served all the same."""
    house = House()
    resync = resync_of(house, house.make("db"))

    async def serve() -> None:
        await resync.start()
        await asyncio.to_thread(asyncio.run, other())
        assert resync.resources["db"].is_up
        await resync.stop()

    async def other() -> None:
        await resync.start()
        await resync.stop()

    asyncio.run(serve())

    assert ["start db", "db is up", "stop db"] == house.order


def test_a_resource_that_needs_what_is_not_there_is_refused_when_it_is_made() -> None:
    """And so is one of a name that the library uses itself."""
    with pytest.raises(RuleError, match="graph needs it"):
        Resync(resources=[Resource("graph", depends_on=["redis"])])
    with pytest.raises(RuleError, match="it is there twice"):
        Resync.from_env({"RESYNC_REDIS_URL": "redis://localhost"}, resources=[Resource("redis")])


async def test_an_app_without_resources_is_not_wrapped_once_more() -> None:
    """What nobody uses costs nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Never called."""

    wrapped = Resync()(app)

    assert wrapped.app is app
