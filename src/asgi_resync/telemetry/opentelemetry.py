"""OpenTelemetry as a listener: metrics, and what became of a request on the span that is current. Extra `otel`."""

from __future__ import annotations

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
    meter = otel.get_meter("asgi_resync", meter_provider=provider)
    made = {metric: _make(meter, metric) for metric in METRICS}

    def open_series(metric: Metric, labels: tuple[str, ...]) -> Feed:
        names = (ATTRIBUTES.get(label, f"asgi_resync.{label}") for label in metric.labels)
        attributes = dict(zip(names, labels, strict=True))
        instrument = made[metric]
        if isinstance(instrument, otel.Counter):
            return lambda value: instrument.add(value, attributes)
        if isinstance(instrument, otel.Histogram):
            return lambda value: instrument.record(value, attributes)
        return lambda value: instrument.set(value, attributes)

    return OpenTelemetryListener(MetricsListener(open_series))


def _make(meter: otel.Meter, metric: Metric) -> otel.Counter | otel.Histogram | otel._Gauge:
    name, unit = f"asgi_resync.{metric.name}", UNITS[metric.unit]
    if metric.kind == "counter":
        return meter.create_counter(name, unit, metric.help)
    if metric.kind == "gauge":
        return meter.create_gauge(name, unit, metric.help)
    return meter.create_histogram(name, unit, metric.help, explicit_bucket_boundaries_advisory=list(BUCKETS))
