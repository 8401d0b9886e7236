"""Every public name as users write it, for mypy: what it takes, and what it gives. Nothing here runs.

A name is public only if it is in `asgi_resync.__all__` and stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_type

import httpx
import httpx2
import redis.asyncio
from fastapi import Depends, FastAPI
from litestar import Litestar
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import Mount

import asgi_resync
from asgi_resync import (
    TWS,
    AlreadyWrapped,
    Backoff,
    BadAnswer,
    Breaker,
    BreakerLimits,
    BreakerMiddleware,
    BreakerOpen,
    BreakerRule,
    Bulkhead,
    BulkheadFull,
    Cache,
    CacheMiddleware,
    CacheOptions,
    CacheRule,
    ClientOptions,
    DeadlineExceeded,
    Degradable,
    Delivery,
    Edge,
    Fallback,
    Graph,
    Health,
    MemoryStore,
    MissingExtra,
    Node,
    RedisStore,
    Resource,
    ResourceFailed,
    ResourceUnavailable,
    Resync,
    ResyncError,
    RetryBudget,
    RetryPolicy,
    RuleError,
    Settings,
    SettingsError,
    Store,
    StoredResponse,
    TieredStore,
    Upstream,
    Upstreams,
    cache_for,
    deadline,
    events,
    retrying_transport,
    telemetry,
)
from asgi_resync._asgi import ASGIApp, Receive, Scope, Send
from asgi_resync.console import Console
from asgi_resync.contrib import fastapi as in_fastapi
from asgi_resync.contrib import starlette as in_starlette
from asgi_resync.contrib.litestar import ResyncPlugin
from asgi_resync.errors import SettingProblem
from asgi_resync.testing import FakeTWS, Fault, ManualClock, Reply, Request, Response, ScriptedApp, request


async def plain_app(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app as a function."""


def on_event(event: events.Event) -> None:
    """A listener tells events apart by their type."""
    match event:
        case events.CacheHit():
            assert_type(event.tier, str)
            assert_type(event.age, float)
        case events.CacheMiss() | events.NotStored():
            assert_type(event.reason, str)
            assert_type(event.route, str)
        case events.Stored():
            assert_type(event.size, int)
        case events.WriteDropped() | events.RecordBroken():
            assert_type(event.reason, str)
        case events.TierUnreachable():
            assert_type(event.operation, str)
            assert_type(event.cause, str)
        case events.StaleServed():
            assert_type(event.staleness, float)
        case events.Refreshed():
            assert_type(event.validated, bool)
        case events.RefreshFailed():
            assert_type(event.cause, str)
        case events.Collapsed() | events.Invalidated():
            assert_type(event.key, tuple[object, ...])
        case events.Purged():
            assert_type(event.scope, str)
        case events.Evicted():
            assert_type(event.count, int)
        case events.BreakerChanged():
            assert_type(event.before, str)
            assert_type(event.after, str)
            assert_type(event.open_for, float)
        case events.UpstreamAnswered() | events.TierAnswered():
            pass
        case events.UpstreamFailed():
            assert_type(event.cause, str)
            assert_type(event.row, int)
        case events.UpstreamRefused():
            assert_type(event.retry_after, float)
        case events.DegradedAnswer():
            assert_type(event.route, str)
            assert_type(event.by, str)
        case events.UpstreamRecovered():
            assert_type(event.upstream, str)
        case events.RetryScheduled():
            assert_type(event.upstream, str)
            assert_type(event.attempt, int)
            assert_type(event.wait, float)
        case events.RetriesEnded():
            assert_type(event.attempts, int)
            assert_type(event.reason, str)
        case events.RetryBudgetSpent():
            assert_type(event.cause, str)
        case events.ResourceUp():
            assert_type(event.attempts, int)
            assert_type(event.seconds, float)
        case events.ResourceDown():
            assert_type(event.cause, str)
            assert_type(event.critical, bool)
        case events.ResourceRetryScheduled():
            assert_type(event.wait, float)
        case events.ResourceStopped() | events.ResourceAbandoned():
            assert_type(event.resource, str)
        case events.InternalFailure():
            assert_type(event.error, BaseException)
        case _:
            pass


def telling() -> Resync:
    """One listener, or several, of which some declare what they want."""
    aside = telemetry.aside(on_event, limit=100)
    assert_type(aside.dropped, int)
    assert_type(aside.flush(1.0), bool)
    recorder = telemetry.Recorder(clock=ManualClock())
    Resync(on_event=[recorder, telemetry.to_prometheus(namespace="shop"), telemetry.to_opentelemetry()])
    assert_type(recorder.recording().answers.hit_ratio, float | None)
    together = telemetry.all_of(telemetry.to_logging("app.cache", interval=10, clock=ManualClock()), aside)
    Resync(on_event=together)
    return Resync.from_env({}, on_event=[on_event, together])


def console() -> Console:
    """Mounted, or in front of an app."""
    resync = Resync.from_env({})
    app: ASGIApp = Console(resync, token="0123456789abcdef").around(resync(plain_app), "/-/console")
    given: ASGIApp = Console(resync, auth=lambda request: True)

    async def auth(request: HTTPConnection) -> bool:
        return app is not given

    return Console(resync, recorder=telemetry.Recorder(), auth=auth, insecure=False)


def facade() -> Resync:
    """One line that wraps, with everything it can be told."""
    rule = CacheRule(
        "/plan/{rest:path}",
        ttl=10,
        stale_while_revalidate=30,
        stale_if_error=300,
        methods=["GET", "POST"],
        body_in_key=True,
        statuses=(200, 404),
        vary=["accept-language"],
        tags=["plan"],
        upstreams=["tws"],
        query="sort",
        query_drop=["utm_*"],
        etag=False,
        set_cookie="strip",
    )
    assert_type(rule.ttl, float | None)
    resync = Resync(
        Settings(shutdown_timeout=5),
        rules=[rule],
        upstreams=[Upstream("tws")],
        on_event=on_event,
        clock=ManualClock(),
    )
    wrapped = resync(plain_app)
    assert_type(wrapped.resync, Resync)
    resync.middleware(plain_app)
    assert_type(resync.cache, Cache)
    assert_type(resync.settings, Settings)
    return Resync.from_env({"RESYNC_PROFILE": "production"}, rules=(rule,))


async def life(resync: Resync) -> None:
    """Started, purged and stopped by hand or by a framework."""
    async with resync.lifespan(object()) as nothing:
        assert_type(nothing, None)
    await resync.start()
    graph: Graph = resync.graph
    touched: tuple[Node, ...] = graph.dependents("tws")
    edges: tuple[Edge, ...] = graph.edges
    assert_type(graph.impact(touched[0])["route"], tuple[str, ...])
    assert_type(graph.text() + graph.mermaid() + graph.as_json(), str)
    assert_type(edges[0].is_learned, bool)
    delivery: Delivery = await resync.purge(tags=["plan"], urls=["http://example.com/"], upstream="tws", soft=True)
    await resync.purge(everything=True)
    assert_type(delivery.unconfirmed, int)

    @resync.cached("jobs:{status}", ttl=10, tags=["plan"], upstreams=["tws"])
    async def jobs(status: str) -> list[str]:
        return [status]

    @resync.cached(ttl=10)
    def count(status: str) -> int:
        return len(status)

    assert_type(await jobs("READY"), list[str])
    assert_type(await count(status="READY"), int)
    assert_type(await resync.cache.get_or_set("n", lambda: 1, ttl=10, type=int), int)
    await resync.stop()


async def open_database() -> object:
    """What a start returns is of no matter."""
    return object()


async def resources() -> None:
    """What an app needs while it runs."""
    database = Resource(
        "database",
        start=open_database,
        stop=lambda: None,
        run=open_database,
        check=lambda: True,
        depends_on=["redis"],
        critical=False,
        timeout=5,
        retry=Backoff(first=0.5, most=60),
    )
    resync = Resync.from_env({"RESYNC_REDIS_URL": "redis://localhost"}, resources=[database])
    assert_type(resync.resources["database"].state == "up", bool)
    assert_type(resync.resources["database"].cause, str | None)
    assert_type(resync.resources.is_ready, bool)
    assert_type(await resync.reload(), events.ConfigApplied | events.ConfigRefused)
    health = await resync.health()
    assert_type(health, Health)
    assert_type(health.resources["database"].cause, str | None)
    assert_type(health.breakers["tws"].retry_after, float)
    assert_type(health.cache.l1.entries, int)
    Mount("/-", resync.health_app)


async def open_graph() -> dict[str, list[str]]:
    """What is used is what its start returns."""
    return {}


async def degradable() -> None:
    """Reads with a default, writes that say so; async or not."""
    graph = Degradable(
        "graph", start=open_graph, stop=dict.clear, check=bool, depends_on=["redis"], failures=(KeyError,)
    )
    assert_type(graph, Degradable[dict[str, list[str]]])
    after: list[str] = await graph.read(lambda known: known["JOB7"], default=[])
    assert_type(await graph.read(lambda known: len(known), default=0), int)
    assert_type(after, list[str])
    await graph.write(lambda known: known.update({"JOB7": []}))
    assert_type(graph.is_up, bool)
    Resync(resources=[graph, Resource("database")])


async def parts(store: Store, key: tuple[object, ...]) -> None:
    """The middleware and the cache without the facade."""
    cache = Cache(
        store, options=CacheOptions(name="edge", max_body=1024, targets=(b"cdn-cache-control",)), on_event=on_event
    )
    CacheMiddleware(plain_app, cache=cache, rules=[CacheRule("/", ttl=1)])
    await cache.purge(tags=("a",), upstreams=["tws"], urls=[], soft=False)
    await cache.aclose(timeout=1.0)
    memory: Store = MemoryStore(shards=2, max_entries=10, max_bytes=10_000, on_event=on_event)
    assert_type(memory.is_remote, bool)
    far = RedisStore(
        "redis://localhost", prefix="app:", timeout=0.1, ttl=60, jitter=0.2, signing_keys=["k" * 16], on_event=on_event
    )
    tiered = TieredStore(MemoryStore(), far, near_ttl=10, queue_records=10, queue_bytes=1000, on_event=on_event)
    await tiered.flush(1.0)
    either: Sequence[Store] = (far, tiered)
    Cache(either[0])
    record = await memory.get(key)
    if isinstance(record, StoredResponse):
        assert_type(record.body, bytes)
        assert_type(record.lifetime, float)
        await memory.set(key, record)
    await memory.delete(key)


@cache_for(10, stale_while_revalidate=30, tags=["plan"], vary=["accept"], upstreams=["tws"], etag=True)
async def handler(number: int, *, text: str = "") -> list[str]:
    """A marked handler keeps its signature, async or not."""
    return [text] * number


@cache_for(stale_if_error=60)
def sync_handler(number: int) -> str:
    return str(number)


async def marked() -> None:
    assert_type(await handler(1, text="a"), list[str])
    assert_type(sync_handler(1), str)


def errors(error: ResyncError) -> Sequence[SettingProblem]:
    """Each error with its facts."""
    match error:
        case SettingsError():
            return error.problems
        case RuleError():
            assert_type(error.argument, str)
            assert_type(error.remedy, str)
        case MissingExtra():
            assert_type(error.extra, str)
        case AlreadyWrapped():
            pass
        case ResourceFailed():
            assert_type(error.resource, str)
            assert_type(error.attempts, int)
            assert_type(error.others, tuple[str, ...])
        case ResourceUnavailable():
            assert_type(error.resource, str)
        case BreakerOpen():
            assert_type(error.upstream, str)
            assert_type(error.retry_after, float)
            assert_type(error.since, float)
        case DeadlineExceeded():
            assert_type(error.seconds, float)
            assert_type(error.upstream, str)
        case BadAnswer():
            assert_type(error.reason, str)
        case BulkheadFull():
            assert_type(error.limit, int)
    return ()


async def breakers() -> None:
    """A breaker by itself, in a block, by a permit, and by hand."""
    limits = BreakerLimits(
        fail_max=3,
        reset_timeout=30,
        failure_rate=None,
        minimum_calls=20,
        window=60,
        slow_call=5,
        slow_call_rate=0.8,
        probes=2,
        successes=3,
        probe_timeout=10,
        max_open_time=600,
        jitter=0.2,
    )
    breaker = Breaker(
        "tws",
        limits,
        is_failure=lambda error: isinstance(error, OSError),
        is_failed_status=lambda status: status >= 500,
        on_event=on_event,
    )
    async with breaker as entered:
        assert_type(entered, Breaker)
    with breaker.admit() as permit:
        permit.answered(200)
    breaker.force_open()
    breaker.force_closed()
    breaker.metrics_only()
    breaker.reset()
    assert_type(breaker.is_admitting, bool)
    assert_type(breaker.retry_after, float)
    assert_type(breaker.report().failures, int)


async def clients(on_event: events.Listener) -> None:
    """The transport for either library, with all it can be told."""
    budget = RetryBudget(share=0.2, floor=10, window=10)
    policy = RetryPolicy(
        attempts=3,
        backoff=0.1,
        backoff_max=2,
        retry_after_max=30,
        timeout=None,
        statuses={429, 503},
        methods=["GET", "QUERY"],
    )
    transport = retrying_transport(
        httpx2.AsyncHTTPTransport(),
        policy=policy,
        budget=budget,
        bulkhead=Bulkhead(20, 10, upstream="tws"),
        upstream="tws",
        deadline_header="X-Time-Left",
        breaker=Breaker("tws"),
        on_event=on_event,
    )
    async with httpx2.AsyncClient(base_url="https://tws.example:31116/twsd/") as engine:
        tws = TWS(engine)
        jobs = await tws.jobs("*", stream="NIGHTLY", workstation="FTA1", columns=["name"], how_many=50)
        assert_type(jobs[0].status.internal_status, str)
        assert_type(await tws.job_log(jobs[0].id), str)
        await tws.act(jobs[0].id, "rerun")
    async with httpx.AsyncClient() as old_engine:
        assert_type((await TWS(old_engine).workstations())[0].name, str)
    upstream = Upstream(
        "tws", url="https://tws.example:31116/twsd/", retries=policy, budget=budget, bulkhead=Bulkhead(9)
    )
    options = ClientOptions(user="u", password="p", ca_file="ca.pem", read_timeout=30, deadline_header="Left-Ms")
    preset = Upstream.tws("tws.example", port=31116, http=options, retries=policy, fallback={"status": "unknown"})
    assert_type(preset.base_url, str | None)
    assert_type(preset.client(library="httpx"), httpx.AsyncClient)
    assert_type(preset.client(library="httpx2"), httpx2.AsyncClient)
    await preset.check()
    assert_type(upstream.client(timeout=5), httpx2.AsyncClient)
    assert_type(upstream.client(httpx.AsyncHTTPTransport()), httpx.AsyncClient)
    with deadline(2.0) as limit:
        assert_type(limit.remaining(), float)
        async with httpx2.AsyncClient(transport=transport) as client:
            await client.get("http://tws.example/", extensions={"resync.retry": True})
    async with httpx.AsyncClient(transport=retrying_transport(httpx.AsyncHTTPTransport())) as other:
        await other.get("http://tws.example/")
    httpx2.AsyncClient(transport=retrying_transport())


async def outages(resync: Resync) -> None:
    """Upstreams with what stands in for them, rules for the routes that need them, and purgatory's API."""
    tws = Upstream(
        "tws",
        fallback=Fallback(content={"status": "unknown"}, status=203, headers={"x-from": "fallback"}),
        url="https://tws.example:31116",
        limits=BreakerLimits(fail_max=3),
        is_failure=lambda error: isinstance(error, OSError),
        is_failed_status=lambda status: status >= 500,
    )
    rules = [
        BreakerRule("/help/{rest:path}", upstreams=["tws"], policy="read-only"),
        BreakerRule("/plan/{rest:path}", upstreams=["tws"], policy="best-effort", methods=["GET"], fallback="later"),
    ]
    BreakerMiddleware(plain_app, upstreams=[tws], rules=rules, on_event=on_event)
    BreakerMiddleware(plain_app, upstreams=resync.upstreams)
    Resync(rules=[CacheRule("/", ttl=1), *rules], upstreams=[tws])
    assert_type(resync.upstreams, Upstreams)
    assert_type(resync.upstreams["tws"], Upstream)
    async with resync.upstreams["tws"].breaker:
        pass
    assert_type(resync.redis(decode_responses=True), redis.asyncio.Redis)
    factory = resync.upstreams.circuits()
    async with await factory.get_breaker("tws"):
        pass


def idioms(resync: Resync) -> None:
    """What the idioms of frameworks take beyond the wrapper."""
    app = FastAPI(dependencies=[Depends(in_fastapi.cached_for(10, tags=["plan"]))])
    in_fastapi.describe(app, resync)
    assert_type(in_starlette.cached_for(3600, statuses=[200, 404]), Middleware)
    Litestar([], plugins=[ResyncPlugin(resync)])


async def aids() -> None:
    """The aids for tests."""
    clock = ManualClock(1_700_000_000)
    clock.advance(5)
    assert_type(clock(), float)
    app = ScriptedApp(Reply(status=201, headers={"etag": '"a"'}, body=[b"a", b"b"]), plain_app)
    response = await request(app, "POST", "/?q=1", headers=[("accept", "*/*")], body=b"x")
    assert_type(response, Response)
    assert_type(response.header("etag"), str | None)
    assert_type(response.values("set-cookie"), list[str])
    assert_type(app.requests, list[Request])
    await app.until_called()
    fake = FakeTWS(user="u", password="p", token="t", clock=clock)
    fake.fail(status=503, retry_after=2, times=3, path="/plan/*")
    fake.fail(Fault(hang=True))
    fake.heal()
    async with fake.serve() as server:
        assert_type(server.url, str)
        await server.refuse()
    assert_type(fake.calls["GET /plan/current"], int)


assert_type(asgi_resync.__version__, str)
