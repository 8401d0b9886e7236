"""How the app is: what it says, when it is ready, what a probe costs, and what it keeps to itself.

The last part has the defects of the original's health pages, each by its name.
"""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from tests.unit.house import House, until
from tests.unit.virtual_time import run_at_once

from asgi_resync import Backoff, BreakerRule, Cache, CacheRule, Health, Resource, Resync, Settings, Upstream
from asgi_resync.knowledge import Knowledge
from asgi_resync.resources.graph import Graph
from asgi_resync.testing import ManualClock, Reply, Response, ScriptedApp, request

SECRET = "hunter2-hunter2-hunter2"


class Checked:
    """A resource whose checks are counted, and answer what they are told."""

    def __init__(self, name: str = "db", *, critical: bool = True) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.resource = Resource(name, check=self.check, critical=critical)

    async def check(self) -> None:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error


def ready(response: Response) -> tuple[int, object]:
    return response.status, json.loads(response.body)["status"]


async def test_the_shape_is_the_documented_one() -> None:
    """Names are added to it, none is changed: whoever reads it by a machine may rely on that."""
    clock = ManualClock()
    house = House()
    resync = Resync(resources=[house.make("db"), house.make("graph", "db", critical=False)], clock=clock)
    async with resync.lifespan():
        await until(lambda: resync.resources.is_whole)
        health = await resync.health()

    assert {
        "status": "up",
        "ready": True,
        "at": clock.now,
        "resources": {
            "db": {
                "state": "up",
                "critical": True,
                "since": clock.now,
                "attempts": 0,
                "cause": None,
                "latency": health.resources["db"].latency,
                "depends_on": [],
            },
            "graph": {
                "state": "up",
                "critical": False,
                "since": clock.now,
                "attempts": 0,
                "cause": None,
                "latency": health.resources["graph"].latency,
                "depends_on": ["db"],
            },
        },
        "breakers": {
            name: {"state": "closed", "calls": 0, "failures": 0, "retry_after": 0.0} for name in ("redis", "tws")
        },
        "cache": {"l1": {"entries": 0, "bytes": 0, "max_entries": 5000, "max_bytes": 64 * 2**20}, "l2": None},
        "impact": {},
    } == json.loads(msgspec.json.encode(health))
    assert msgspec.json.decode(msgspec.json.encode(health), type=Health) == health


async def test_what_is_not_critical_degrades_and_what_is_takes_down() -> None:
    """Degraded is ready; down is not, and says for what it waits."""
    db, graph = Checked("db"), Checked("graph", critical=False)
    resync = Resync(Settings(health_interval=0), resources=[db.resource, graph.resource])
    seen = []
    async with resync.lifespan():
        for first, second in ((None, None), (None, OSError()), (OSError(), OSError()), (OSError(), None), (None, None)):
            db.error, graph.error = first, second
            health = await request(resync.health_app, path="/healthz")
            seen.append((*ready(await request(resync.health_app, path="/readyz")), health.status))
            if first:
                waits_for = json.loads((await request(resync.health_app, path="/readyz")).body)["waits_for"]
                assert ["db"] == waits_for
            assert 200 == (await request(resync.health_app, path="/livez")).status

    up, degraded, down = (200, "up", 200), (200, "degraded", 200), (503, "down", 503)
    assert [up, degraded, down, down, up] == seen


async def test_an_open_breaker_degrades() -> None:
    """The app answers without that upstream, so it is ready."""
    resync = Resync()
    resync.upstreams["tws"].breaker.force_open()
    health = await resync.health()

    assert ("degraded", True) == (health.status, health.ready)
    assert "forced-open" == health.breakers["tws"].state


async def test_a_storm_of_probes_is_one_check() -> None:
    """However many ask, and at once: within the interval they share the result."""
    db = Checked()
    resync = Resync(resources=[db.resource])
    async with resync.lifespan():
        await asyncio.gather(*(resync.health() for _ in range(500)))
        for _ in range(500):
            await request(resync.health_app, path="/readyz")

    assert 1 == db.calls


def test_a_check_that_hangs_keeps_no_probe_waiting() -> None:
    """The probe tells what is known; the check goes on to its own time-out, and no second one joins it."""

    async def test() -> None:
        db = Checked()
        db.gate = asyncio.Event()
        resync = Resync(Settings(health_interval=0), resources=[db.resource])
        loop = asyncio.get_running_loop()
        async with resync.lifespan():
            for _ in range(5):
                began = loop.time()
                assert "up" == (await resync.health()).status
                assert loop.time() - began < 0.6
            assert 1 == db.calls
            await asyncio.sleep(10)
            assert ("down", "TimeoutError") == (resync.resources["db"].state, resync.resources["db"].cause)
        assert 1 == len(asyncio.all_tasks())

    run_at_once(test())


async def test_a_probe_that_is_cancelled_harms_no_other() -> None:
    """The check goes on for those who wait with it."""
    db = Checked()
    db.gate = asyncio.Event()
    resync = Resync(resources=[db.resource])
    async with resync.lifespan():
        one, other = (asyncio.create_task(resync.health()) for _ in range(2))
        await until(lambda: db.calls)
        one.cancel()
        db.gate.set()
        assert "up" == (await other).status

    assert 1 == db.calls


async def test_nothing_of_a_secret_or_of_another_service_is_told() -> None:
    """No address, no text of an error, no password; only what the app's author has named."""
    db = Checked(critical=False)
    db.error = RuntimeError(f"postgres://user:{SECRET}@db.internal/plan")
    url = f"redis://:{SECRET}@localhost:1/0"
    resync = Resync.from_env(
        {"RESYNC_REDIS_URL": url, "RESYNC_CACHE_SIGNING_KEY": SECRET},
        upstreams=[Upstream("api", url=f"https://user:{SECRET}@api.internal/")],
        resources=[db.resource],
    )
    async with resync.lifespan():
        body = (await request(resync.health_app, path="/healthz")).body.decode()

    assert "RuntimeError" in body
    for hidden in (SECRET, "internal", "localhost", "postgres", "://"):
        assert hidden not in body


async def test_only_what_is_asked_for_is_answered() -> None:
    """GET and HEAD of three paths, never to be stored; and no other scope."""
    app = Resync().health_app
    head = await request(app, "HEAD", "/healthz")
    get = await request(app, "GET", "/healthz")
    post = await request(app, "POST", "/readyz")
    other = await request(app, "GET", "/healthz/")
    mounted = await request(app, "GET", "/-/livez", root_path="/-")

    assert (200, b"", get.header("content-type")) == (head.status, head.body, "application/json")
    assert "no-store" == get.header("cache-control")
    assert (405, "GET, HEAD") == (post.status, post.header("allow"))
    assert (404, 200) == (other.status, mounted.status)
    with pytest.raises(RuntimeError, match="no lifespan"):
        await app({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # neither is used


@pytest.mark.parametrize(("path", "prefix"), [("/", ""), ("/-", "/-"), ("/-/", "/-")])
async def test_a_setting_adds_the_pages_to_the_app(path: str, prefix: str) -> None:
    """They stand before breakers and rules; every other path is the app's."""
    app = ScriptedApp(Reply(body=b"the app's", headers={"cache-control": "max-age=60"}))
    rules: list[CacheRule | BreakerRule] = [
        CacheRule("/{rest:path}", ttl=60),
        BreakerRule("/{rest:path}", upstreams=["tws"]),
    ]
    resync = Resync(Settings(health_path=path), rules=rules, upstreams=[Upstream("tws", fallback="down")])
    wrapped = resync(app)
    resync.upstreams["tws"].breaker.force_open()
    pages = [await request(wrapped, path=f"{prefix}/{name}") for name in ("livez", "readyz", "healthz") * 2]
    resync.upstreams["tws"].breaker.reset()
    other = await request(wrapped, path=f"{prefix}/livez/x")

    assert [200] * 6 == [page.status for page in pages]
    assert not any("hit" in (page.header("cache-status") or "") for page in pages)
    assert b"the app's" == other.body


async def test_without_a_lifespan_a_probe_starts_what_it_asks_for() -> None:
    """A load balancer that sends nothing before the app is ready must not wait for ever."""
    house = House()
    house.gates["db"] = asyncio.Event()
    resync = Resync(Settings(health_path="/"), resources=[house.make("db")])
    app = resync(ScriptedApp())
    first = await request(app, path="/readyz")
    alive = await request(app, path="/livez")
    await until(lambda: house.order)
    house.gates["db"].set()
    await until(lambda: resync.resources.is_ready)
    second = await request(app, path="/readyz")
    await resync.resources.stop(1)

    assert [(503, "down"), (200, "up")] == [ready(first), ready(second)]
    assert 200 == alive.status


async def test_after_its_stop_an_app_is_not_ready_and_nothing_starts_again() -> None:
    """Probes go on while a server drains."""
    house = House()
    resync = Resync(resources=[house.make("db")])
    async with resync.lifespan():
        pass

    assert "down" == (await resync.health()).status
    assert 1 == house.order.count("start db")


# What the original's health pages did wrong


async def test_health_that_cannot_serve_is_not_200() -> None:
    """It answered 200 even when unhealthy, in two of its generations."""
    db = Checked()
    db.error = OSError()
    resync = Resync(resources=[db.resource])
    async with resync.lifespan():
        assert 503 == (await request(resync.health_app, path="/healthz")).status


async def test_degraded_is_ready() -> None:
    """It took a degraded app out of service."""
    graph = Checked(critical=False)
    graph.error = OSError()
    resync = Resync(resources=[graph.resource])
    async with resync.lifespan():
        assert "degraded" == (await resync.health()).status
        assert (200, "degraded") == ready(await request(resync.health_app, path="/readyz"))


async def test_a_probe_runs_only_the_checks_that_it_is_about() -> None:
    """Each of its probes ran every check in full."""
    db, graph = Checked(), Checked("graph", critical=False)
    resync = Resync(Settings(health_interval=0), resources=[db.resource, graph.resource])
    async with resync.lifespan():
        await request(resync.health_app, path="/livez")
        await request(resync.health_app, path="/readyz")

    assert (1, 0) == (db.calls, graph.calls)


async def test_a_refusal_keeps_its_details() -> None:
    """Its own 503 was caught again and rewritten, and what had failed was lost."""
    db = Checked()
    db.error = ConnectionRefusedError()
    resync = Resync(resources=[db.resource])
    async with resync.lifespan():
        answer = await request(resync.health_app, path="/healthz")

    assert 503 == answer.status
    assert "ConnectionRefusedError" == json.loads(answer.body)["resources"]["db"]["cause"]


async def test_a_process_that_nobody_probes_stays_alive() -> None:
    """It called itself dead after five minutes without a check, and was killed for it."""
    clock = ManualClock()
    resync = Resync(resources=[Checked().resource], clock=clock)
    async with resync.lifespan():
        await resync.health()
        clock.advance(3600)
        assert 200 == (await request(resync.health_app, path="/livez")).status
        assert 200 == (await request(resync.health_app, path="/readyz")).status


async def test_the_pages_answer_at_all() -> None:
    """One used a module that it had not imported, and was a 500 each time."""
    resync = Resync()
    answers = [await request(resync.health_app, path=path) for path in ("/livez", "/readyz", "/healthz")]

    assert [200] * 3 == [answer.status for answer in answers]


async def test_what_nobody_has_built_is_not_called_healthy() -> None:
    """It reported a part as "not implemented" and itself as healthy: here what never started is not up."""
    house = House()
    house.gates["graph"] = asyncio.Event()
    resync = Resync(resources=[house.make("graph", critical=False)])
    async with resync.lifespan():
        health = await resync.health()

    assert ("degraded", "starting") == (health.status, health.resources["graph"].state)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["livez", "readyz", "healthz"])
async def test_a_probe_asks_no_second_tier(method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is frozen must not make an orchestrator kill the app; neither by a rule that covers all paths."""

    async def fetch(cache: Cache, key: object) -> None:
        raise AssertionError("the second tier was asked")

    monkeypatch.setattr(Cache, "fetch", fetch)
    settings = Settings.from_env({"RESYNC_REDIS_URL": "redis://127.0.0.1:1", "RESYNC_HEALTH_PATH": "/-"})
    resync = Resync(settings, rules=[CacheRule("/{rest:path}", ttl=60)])
    try:
        answer = await request(resync(ScriptedApp()), method, f"/-/{path}")
    finally:
        await resync.stop()

    assert 200 == answer.status
    assert answer.header("cache-status") is None


async def test_an_answer_draws_the_graph_once_however_much_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where much was learned it takes milliseconds, and much is out when many ask."""
    drawn: list[None] = []
    draw = Knowledge.graph

    def counted(knowledge: Knowledge) -> Graph:
        drawn.append(None)
        return draw(knowledge)

    monkeypatch.setattr(Knowledge, "graph", counted)
    house = House()
    house.failing = {f"db{number}": [OSError()] for number in range(9)}
    slow = Backoff(first=1000, most=1000)
    resync = Resync(resources=[house.make(name, critical=False, retry=slow) for name in house.failing])
    async with resync.lifespan():
        await until(lambda: 9 == len(house.order))
        for _ in range(5):
            assert 9 == len((await resync.health()).impact)

    assert 1 == len(drawn)
