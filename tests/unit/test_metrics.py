"""Metrics: which event counts where, in Prometheus's and OpenTelemetry's own registries, and in memory."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.unit.caching import turns

from asgi_resync import CacheRule, MissingExtra, Resync, events, telemetry
from asgi_resync.events import (
    BackplaneCaughtUp,
    BackplaneLost,
    BreakerChanged,
    CacheHit,
    CacheMiss,
    Collapsed,
    DegradedAnswer,
    Event,
    Evicted,
    MessageIgnored,
    Purged,
    ResourceDown,
    ResourceUp,
    StaleServed,
    TierAnswered,
    UpstreamAnswered,
)
from asgi_resync.telemetry import metrics
from asgi_resync.telemetry.metrics import COUNTED, METRICS, MOST_SERIES, samples_of
from asgi_resync.telemetry.opentelemetry import to_opentelemetry
from asgi_resync.telemetry.prometheus import to_prometheus
from asgi_resync.telemetry.recorder import SLOT_SECONDS, SLOTS, Recorder
from asgi_resync.testing import ManualClock, Reply, ScriptedApp, request

KEY = ("http", b"a")
HIT = CacheHit(key=KEY, route="/plan", tier="l1", age=1.0)
MISS = CacheMiss(key=KEY, route="/plan", reason="uri-miss")
OPENED = BreakerChanged(upstream="tws", before="closed", after="open", cause="failures", open_for=60.0)
HEARD = {"Event", "CacheEvent", "UpstreamEvent", "ResourceEvent", "UpstreamRecovered", "ResourceStopped"}
"""Kinds that count in no metric: bases, and what others say already."""


def test_of_every_kind_of_event_it_is_decided_whether_it_counts() -> None:
    """A new one must be put in its place."""
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]

    assert {kind.__name__ for kind in kinds if kind not in COUNTED} == HEARD


def test_every_metric_has_a_name_of_its_own_and_labels_that_are_filled() -> None:
    """As Prometheus and OpenTelemetry want them: dots, lower case, no unit and no `total` in the name."""
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)
    assert all(name.replace(".", "").replace("_", "").islower() for name in names)
    assert not [name for name in names if name.endswith(("total", "seconds", "bytes"))]
    for event in (HIT, MISS, OPENED, Evicted(count=3, reason="size"), BackplaneLost(cause="silence")):
        for metric, labels, _ in samples_of(event):
            assert len(labels) == len(metric.labels)


def test_no_key_and_no_path_is_a_label() -> None:
    """Label values are bounded: a million URLs are one series."""
    assert not {"key", "path", "url"} & {label for metric in METRICS for label in metric.labels}
    for event in (HIT, MISS):
        assert all(set(labels) <= {"/plan", "l1", "uri-miss"} for _, labels, _ in samples_of(event))


def test_prometheus_shows_what_happened() -> None:
    """Under names by its conventions: total for counters, base units, and a gauge for each state."""
    registry = CollectorRegistry()
    listener = to_prometheus(registry)
    for event in (HIT, HIT, MISS, OPENED, Evicted(count=3, reason="size")):
        listener(event)
    listener(TierAnswered(operation="get", seconds=0.002))
    for outcome in ("200", "204", "503", "ReadTimeout"):
        listener(UpstreamAnswered(upstream="tws", seconds=0.2, outcome=outcome))
    listener(BackplaneCaughtUp(missed=False))
    listener(ResourceUp(resource="database", attempts=1, seconds=0.1))
    listener(ResourceDown(resource="search", cause="OSError", critical=False))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"asgi_resync_{name}", labels)

    assert 2 == value("cache_hits_total", route="/plan", tier="l1")
    assert 1 == value("cache_misses_total", route="/plan", reason="uri-miss")
    assert 3 == value("cache_evictions_total", reason="size")
    assert 1 == value("redis_duration_seconds_count", operation="get")
    assert 0 == value("redis_duration_seconds_bucket", operation="get", le="0.001")
    assert 1 == value("redis_duration_seconds_bucket", operation="get", le="0.0025")
    assert (1, 0) == tuple(value("breaker_state", upstream="tws", state=state) for state in ("open", "closed"))
    results = {"2xx": 2, "5xx": 1, "error": 1}
    for result, count in results.items():
        assert count == value("upstream_duration_seconds_count", upstream="tws", result=result)
    assert 1 == value("backplane_up")
    assert (1, 0) == tuple(value("resource_up", resource=name) for name in ("database", "search"))


def test_what_is_not_used_is_not_down() -> None:
    """Without Redis there is no backplane, which is no reason for an alert."""
    registry = CollectorRegistry()
    listener = to_prometheus(registry)
    listener(HIT)
    before = registry.get_sample_value("asgi_resync_backplane_up")
    for other in (listener, to_prometheus(registry)):
        other(BackplaneLost(cause="silence"))

    assert before is None
    assert 0 == registry.get_sample_value("asgi_resync_backplane_up")


def test_two_listeners_of_one_registry_feed_the_same_metrics() -> None:
    """Two Resync in one process, say; another namespace is apart."""
    registry = CollectorRegistry()
    for listener in (to_prometheus(registry), to_prometheus(registry), to_prometheus(registry, namespace="shop")):
        listener(HIT)

    labels = {"route": "/plan", "tier": "l1"}
    assert 2 == registry.get_sample_value("asgi_resync_cache_hits_total", labels)
    assert 1 == registry.get_sample_value("shop_cache_hits_total", labels)


def test_series_are_bounded() -> None:
    """Whoever makes up ever new labels gets them summed up."""
    registry = CollectorRegistry()
    listener = to_prometheus(registry)
    for number in range(MOST_SERIES + 500):
        listener(CacheHit(key=KEY, route=f"/{number}", tier="l1", age=0.0))

    family = [sample for sample in next(iter(registry.collect())).samples if sample.name.endswith("_total")]
    assert MOST_SERIES + 1 == len(family)
    assert 500 == registry.get_sample_value("asgi_resync_cache_hits_total", {"route": "other", "tier": "other"})


def test_opentelemetry_shows_what_happened() -> None:
    """Under its own names, in seconds and bytes."""
    reader = InMemoryMetricReader()
    listener = to_opentelemetry(MeterProvider([reader]))
    for event in (HIT, HIT, OPENED, TierAnswered(operation="get", seconds=0.002)):
        listener(event)
    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}

    points: dict[str, list[Any]] = {name: list(metric.data.data_points) for name, metric in found.items()}
    (hits,) = points["asgi_resync.cache.hits"]
    assert (2, {"asgi_resync.route": "/plan", "asgi_resync.tier": "l1"}) == (hits.value, dict(hits.attributes))
    assert "s" == found["asgi_resync.redis.duration"].unit
    (took,) = points["asgi_resync.redis.duration"]
    assert (1, 0.002) == (took.count, took.sum)
    assert {1.0, 0.0} == {point.value for point in points["asgi_resync.breaker.state"]}


def test_two_listeners_of_one_provider_feed_the_same_instruments() -> None:
    """Two Resync in one process, say; and each collection sees what there is by then."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    listeners = [to_opentelemetry(provider), to_opentelemetry(provider)]
    seen: list[float] = []
    for listener in listeners:
        listener(HIT)
        data = reader.get_metrics_data()
        assert data is not None
        metrics_seen = data.resource_metrics[0].scope_metrics[0].metrics
        (points,) = (metric.data.data_points for metric in metrics_seen if metric.name == "asgi_resync.cache.hits")
        seen += [point.value for point in points if isinstance(point, NumberDataPoint)]

    assert [1, 2] == seen


@pytest.mark.parametrize(
    ("event", "attributes"),
    [
        (HIT, {"cache.status": "hit", "cache.tier": "l1", "cache.age": 1.0}),
        (MISS, {"cache.status": "miss", "cache.reason": "uri-miss"}),
        (Collapsed(key=KEY), {"cache.status": "collapsed"}),
        (StaleServed(key=KEY, reason="if-error", staleness=3.0), {"cache.status": "stale", "cache.reason": "if-error"}),
        (
            DegradedAnswer(upstream="tws", route="/plan", by="refusal"),
            {"degraded.upstream": "tws", "degraded.by": "refusal"},
        ),
        (OPENED, {}),
    ],
    ids=lambda given: type(given).__name__,
)
def test_the_span_of_a_request_says_what_became_of_it(event: Event, attributes: dict[str, object]) -> None:
    """The one that is current; without one nothing happens."""
    listener = to_opentelemetry(MeterProvider([]))
    listener(event)
    with TracerProvider().get_tracer("test").start_as_current_span("GET /plan") as span:
        listener(event)

    assert {f"asgi_resync.{name}": value for name, value in attributes.items()} == dict(span.attributes or {})  # type: ignore[attr-defined]  # the sdk's


@pytest.mark.parametrize("name", ["to_prometheus", "to_opentelemetry"])
def test_what_is_not_installed_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is asked for, and not before."""
    package = {"to_prometheus": "prometheus", "to_opentelemetry": "opentelemetry"}[name]
    monkeypatch.delitem(vars(telemetry), name, raising=False)
    monkeypatch.delitem(sys.modules, f"asgi_resync.telemetry.{package}", raising=False)
    for module in [module for module in sys.modules if module.split(".")[0] in ("prometheus_client", "opentelemetry")]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match="pip install"):
        getattr(telemetry, name)


async def test_a_resync_feeds_them() -> None:
    """By the events of real requests."""
    registry, recorder = CollectorRegistry(), Recorder()
    resync = Resync(rules=[CacheRule("/plan/{name}", ttl=10)], on_event=[to_prometheus(registry), recorder])
    app = resync(ScriptedApp())
    for _ in range(3):
        await request(app, "GET", "/plan/a")

    labels = {"route": "/plan/{name}"}
    assert 2 == registry.get_sample_value("asgi_resync_cache_hits_total", {**labels, "tier": "l1"})
    assert 1 == registry.get_sample_value("asgi_resync_cache_stored_total", labels)
    assert 2 / 3 == recorder.recording().answers.hit_ratio


# In memory


def test_a_recorder_knows_the_last_minutes() -> None:
    """In slots, which go one after another; what is older counts no more."""
    clock = ManualClock(1_000_000.0)
    recorder = Recorder(clock=clock)
    for event in (HIT, HIT, MISS, StaleServed(key=KEY, reason="while-revalidate", staleness=1.0)):
        recorder(event)
    clock.advance(SLOT_SECONDS)
    recorder(CacheHit(key=KEY, tier="l2", age=1.0))
    now = recorder.recording()

    assert (2, 1, 1, 1, 0.8) == (
        now.answers.l1, now.answers.l2, now.answers.stale, now.answers.misses, now.answers.hit_ratio,
    )  # fmt: skip
    assert [0.75, 1.0] == now.hit_ratios[-2:]
    assert [None] * (SLOTS - 2) == now.hit_ratios[:-2]
    clock.advance(SLOTS * SLOT_SECONDS)
    assert recorder.recording().answers.hit_ratio is None


async def test_a_recorder_counts_each_request_once() -> None:
    """Whether it was fresh, shared the call of another, or called the app; a failed call that was mended is both."""
    clock = ManualClock()
    recorder = Recorder(clock=clock)
    resync = Resync(rules=[CacheRule("/plan", ttl=10, stale_if_error=60)], on_event=recorder, clock=clock)
    gate = asyncio.Event()
    app = resync(ScriptedApp(Reply(body=[b"a"], hold=gate), Reply(status=500)))
    waiting = [asyncio.create_task(request(app, "GET", "/plan")) for _ in range(5)]
    await turns()
    gate.set()
    await asyncio.gather(*waiting)
    await request(app, "GET", "/plan")
    clock.advance(20)
    await request(app, "GET", "/plan")
    answers = recorder.recording().answers

    assert (1, 4, 2, 1) == (answers.l1, answers.collapsed, answers.misses, answers.rescued)
    assert 5 / 7 == answers.hit_ratio


async def test_what_nobody_marked_is_no_miss() -> None:
    """The ratio is of what may be kept: pages that never are would drown it."""
    recorder = Recorder(clock=ManualClock())
    resync = Resync(rules=[CacheRule("/plan", ttl=10)], on_event=recorder, clock=ManualClock())
    app = resync(ScriptedApp(*[Reply() for _ in range(9)]))
    for path in ("/plan", "/plan", "/metrics", "/login", "/plan"):
        await request(app, "GET", path)
    answers = recorder.recording().answers

    assert (2, 1, 2) == (answers.l1, answers.misses, answers.passed)
    assert 2 / 3 == answers.hit_ratio


def test_a_recorder_bears_a_clock_that_is_set_back() -> None:
    """What comes then counts as what came last."""
    clock = ManualClock(1_000_000.0)
    recorder = Recorder(clock=clock)
    recorder(HIT)
    clock.advance(-2 * SLOT_SECONDS)
    recorder(HIT)
    clock.advance(2 * SLOT_SECONDS)

    assert 2 == recorder.recording().answers.l1


def test_a_recorder_knows_how_long_redis_takes() -> None:
    """By buckets: half of the answers, and all but one in a hundred."""
    recorder = Recorder(clock=ManualClock())
    for _ in range(95):
        recorder(TierAnswered(operation="get", seconds=0.0008))
    for _ in range(5):
        recorder(TierAnswered(operation="get", seconds=0.04))
    recorder(TierAnswered(operation="set", seconds=70.0))
    latency = recorder.recording().latency

    assert (100, 0.001, 0.05) == (latency["get"].count, latency["get"].p50, latency["get"].p99)
    assert latency["set"].p50 is None


def test_a_recorder_knows_how_long_upstreams_take() -> None:
    """Each by its name, apart from Redis."""
    recorder = Recorder(clock=ManualClock())
    recorder(UpstreamAnswered(upstream="get", seconds=0.3, outcome="200"))
    now = recorder.recording()

    assert {} == now.latency
    assert (1, 0.5) == (now.upstreams["get"].count, now.upstreams["get"].p50)


def test_a_recorder_knows_what_changed() -> None:
    """The latest first, with the history of each breaker; both are bounded."""
    clock = ManualClock(5.0)
    recorder = Recorder(clock=clock)
    recorder(Purged(scope="tag", name="plan", soft=True))
    recorder(Purged(scope="all", name="", soft=False))
    for _ in range(500):
        clock.advance(SLOTS * SLOT_SECONDS)
        recorder(OPENED)
    for _ in range(500):
        recorder(MessageIgnored(reason="version"))
    now = recorder.recording()

    assert 100 == len(now.changes)
    assert ("warning", clock()) == (now.changes[0].level, now.changes[0].at)
    assert 99 == sum("tws" in change.text for change in now.changes)
    assert 20 == len(now.breakers["tws"])
    few = Recorder(clock=clock)
    few(Purged(scope="tag", name="plan", soft=True))
    few(Purged(scope="all", name="", soft=False))
    changes = [change.text for change in few.recording().changes]
    assert ["Everything was purged.", "Tag plan was marked stale."] == changes


def test_states_of_breakers_are_those_that_there_are() -> None:
    """A state that is not among them would show as none."""
    from asgi_resync.breaker.state import State

    assert {state.value for state in State} == set(metrics.STATES)


async def test_a_page_of_metrics_beside_the_app_is_never_a_cached_one() -> None:
    """What prometheus_client serves shows each request before it, though all of the app is cached."""
    registry = CollectorRegistry()
    resync = Resync(rules=[CacheRule("/plan", ttl=60)], on_event=to_prometheus(registry))
    app = resync(
        Starlette(
            routes=[Route("/plan", lambda request: PlainTextResponse("a")), Mount("/metrics", make_asgi_app(registry))]
        )
    )
    pages = []
    for _ in range(3):
        await request(app, "GET", "/plan")
        pages.append((await request(app, "GET", "/metrics/")).body.decode())

    series = 'asgi_resync_cache_hits_total{route="/plan",tier="l1"}'
    assert f"{series} 2.0" in pages[2]
    assert f"{series} 1.0" in pages[1]
