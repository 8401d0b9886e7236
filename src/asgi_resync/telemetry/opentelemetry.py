"""OpenTelemetry as a listener: metrics, and what became of a request on the span that is current. Extra `otel`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeAlias
from weakref import WeakKeyDictionary

from opentelemetry import metrics as otel
from opentelemetry import trace

from ..events import CacheHit, CacheMiss, Collapsed, DegradedAnswer, Event, StaleServed
from .metrics import BUCKETS, COUNTED, METRICS, Metric
from .series import Feed, MetricsListener

UNITS = {"": "1", "seconds": "s", "bytes": "By"}
ATTRIBUTES = {"error_type": "error.type"}
"""Labels that OpenTelemetry's conventions have a name for; the others are attributes of ours.

A rule is no `http.route`: that is what the framework has found, and values have a name of a function there.
"""

Attributes: TypeAlias = dict[str, str]
Open: TypeAlias = Callable[[Attributes], Feed]
"""Opens the series with these attributes."""

_made: WeakKeyDictionary[otel.MeterProvider, dict[Metric, Open]] = WeakKeyDictionary()
"""By provider: two Resync of one process feed the same instruments."""


class OpenTelemetryListener:
    """A listener that feeds metrics, and marks spans; see `to_opentelemetry`."""

    wants = COUNTED

    def __init__(self, feed: MetricsListener) -> None:
        self._feed = feed

    def __call__(self, event: Event) -> None:
        """Feed what *event* counts in, and mark the span of the request that it is about."""
        self._feed(event)
        if isinstance(event, (CacheHit, CacheMiss, Collapsed, StaleServed, DegradedAnswer)):
            span = trace.get_current_span()
            if span.is_recording():
                span.set_attributes(attributes_of(event))


def attributes_of(event: CacheHit | CacheMiss | Collapsed | StaleServed | DegradedAnswer) -> dict[str, str | float]:
    """Return what a span says of *event*."""
    match event:
        case CacheHit(tier=tier, age=age):
            return {"asgi_resync.cache.status": "hit", "asgi_resync.cache.tier": tier, "asgi_resync.cache.age": age}
        case CacheMiss(reason=reason):
            return {"asgi_resync.cache.status": "miss", "asgi_resync.cache.reason": reason}
        case Collapsed():
            return {"asgi_resync.cache.status": "collapsed"}
        case StaleServed(reason=reason):
            return {"asgi_resync.cache.status": "stale", "asgi_resync.cache.reason": reason}
        case DegradedAnswer(upstream=upstream, by=by):
            return {"asgi_resync.degraded.upstream": upstream, "asgi_resync.degraded.by": by}


def to_opentelemetry(provider: otel.MeterProvider | None = None) -> OpenTelemetryListener:
    """Return a listener that feeds instruments of *provider*, by default the global one, and marks current spans.

    Instruments are called `asgi_resync.cache.hits` and so on, in seconds and bytes; `asgi_resync.route` is the pattern
    of the rule, `error.type` the class of an exception or a status. A span that is current where the cache answers,
    such as that of an instrumentation around it, gets `asgi_resync.cache.status` (`hit`, `miss`, `stale`,
    `collapsed`), tier, age and reason.
    """
    place = otel.get_meter_provider() if provider is None else provider
    made = _made.get(place)
    if made is None:
        meter = otel.get_meter("asgi_resync", meter_provider=provider)
        made = _made[place] = {metric: _make(meter, metric) for metric in METRICS}

    def open_series(metric: Metric, labels: tuple[str, ...]) -> Feed:
        names = (ATTRIBUTES.get(label, f"asgi_resync.{label}") for label in metric.labels)
        return made[metric](dict(zip(names, labels, strict=True)))

    return OpenTelemetryListener(MetricsListener(open_series))


class Total:
    """The value of one series, for whoever collects it."""

    __slots__ = ("attributes", "lock", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value = 0.0
        self.lock = threading.Lock()

    def add(self, value: float) -> None:
        """Add *value*, in any thread."""
        with self.lock:
            self.value += value

    def set(self, value: float) -> None:
        """Be *value*."""
        self.value = value


def _make(meter: otel.Meter, metric: Metric) -> Open:
    name, unit = f"asgi_resync.{metric.name}", UNITS[metric.unit]
    if metric.kind == "histogram":
        histogram = meter.create_histogram(name, unit, metric.help, explicit_bucket_boundaries_advisory=list(BUCKETS))
        return lambda attributes: lambda value: histogram.record(value, attributes)

    # Summed up here and read when somebody collects: an instrument's own `add` takes longer than five hits.
    totals: dict[tuple[str, ...], Total] = {}

    def observe(options: otel.CallbackOptions) -> Iterable[otel.Observation]:
        return [otel.Observation(total.value, total.attributes) for total in list(totals.values())]

    is_counter = metric.kind == "counter"
    create = meter.create_observable_counter if is_counter else meter.create_observable_gauge
    create(name, [observe], unit, metric.help)

    def open_total(attributes: Attributes) -> Feed:
        total = totals.setdefault(tuple(attributes.values()), Total(attributes))
        return total.add if is_counter else total.set

    return open_total
