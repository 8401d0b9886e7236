"""Prometheus as a listener. It needs the extra `prometheus`."""

from __future__ import annotations

from typing import Literal
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from .metrics import BUCKETS, METRICS, Metric
from .series import Feed, MetricsListener

_made: WeakKeyDictionary[CollectorRegistry, dict[str, dict[Metric, Counter | Gauge | Histogram]]] = WeakKeyDictionary()
"""By registry and namespace: two Resync of one process feed the same metrics, which a registry has but once."""


def to_prometheus(registry: CollectorRegistry | None = None, *, namespace: str = "asgi_resync") -> MetricsListener:
    """Return a listener that feeds metrics in *registry*, by default prometheus_client's own, under *namespace*.

    They are named as Prometheus asks: `asgi_resync_cache_hits_total`, `asgi_resync_redis_duration_seconds`. Those of
    several listeners for one registry are the same. prometheus_client's ways to show them, and to sum them up over
    processes (PROMETHEUS_MULTIPROC_DIR), apply.
    """
    place = REGISTRY if registry is None else registry
    known = _made.setdefault(place, {})
    if namespace not in known:
        # A gauge without labels is 0 from its beginning, so it begins when something sets it: what is not used is not
        # down.
        eager = (metric for metric in METRICS if metric.labels or metric.kind != "gauge")
        known[namespace] = {metric: _make(metric, place, namespace) for metric in eager}
    metrics = known[namespace]

    def open_series(metric: Metric, labels: tuple[str, ...]) -> Feed:
        family = metrics.get(metric)
        if family is None:
            family = metrics[metric] = _make(metric, place, namespace)
        series = family.labels(*labels) if labels else family
        if isinstance(series, Counter):
            return series.inc
        return series.set if isinstance(series, Gauge) else series.observe

    return MetricsListener(open_series)


def _make(metric: Metric, registry: CollectorRegistry, namespace: str) -> Counter | Gauge | Histogram:
    name, unit = metric.name.replace(".", "_"), metric.unit
    if metric.kind == "counter":
        return Counter(name, metric.help, metric.labels, namespace=namespace, unit=unit, registry=registry)
    if metric.kind == "gauge":
        # Of several processes one that is down, or open, must show; one that has ended (mark_process_dead) must not.
        mode: Literal["livemin", "livemax"] = "livemin" if name.endswith("up") else "livemax"
        return Gauge(name, metric.help, metric.labels, namespace, registry=registry, multiprocess_mode=mode)
    return Histogram(name, metric.help, metric.labels, namespace, unit=unit, registry=registry, buckets=BUCKETS)
