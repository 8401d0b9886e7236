"""How an app is, as lines to look at: a part for each of its parts. Pure; the time is the one the app's answer has.

All that the app says is shown by `printable`: names and URLs in it may come from anybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..resources.health import OPEN
from ..telemetry.units import size, took
from .command import listed
from .look import Line, Span, Tone, printable, table

if TYPE_CHECKING:
    from ..resources.health import BreakerHealth, Health, ResourceHealth
    from ..telemetry.recorder import Latency, Recording
    from .state import State

Stamp: TypeAlias = Callable[[float], str]
"""Makes a time of day of seconds since the epoch."""
Part: TypeAlias = list[Line]

NONE = Span("–", "dim")
TONES: Mapping[str, Tone] = {
    "up": "good", "degraded": "warn", "down": "bad", "abandoned": "bad",
    "closed": "good", "open": "bad", "half-open": "warn", "forced-open": "bad", "forced-closed": "warn",
    "metrics-only": "warn", "debug": "dim", "info": "", "warning": "warn", "error": "bad", "critical": "bad",
}  # fmt: skip
_BARS = "▁▂▃▄▅▆▇█"
_KINDS = {"route": "routes", "callable": "callables", "resource": "resources", "tag": "tags", "upstream": "upstreams"}
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def lasting(seconds: float) -> str:
    """Return how long *seconds* are, roughly: `4 s`, `3 min`, `2 h`, `5 d`."""
    if not math.isfinite(seconds):
        return "–"
    for unit, least in _UNITS:
        if seconds >= least:
            return f"{seconds / least:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def number(count: int) -> str:
    """Return *count* in groups of three digits."""
    return f"{count:,}".replace(",", " ")


def share(ratio: float | None) -> str:
    """Return *ratio* in per cent. It is 100 % only where it is all."""
    if ratio is None:
        return "–"
    return "100 %" if ratio >= 1 else f"{min(ratio * 100, 99.9):.1f} %"


def sparkline(ratios: Sequence[float | None], columns: int) -> str:
    """Return the last *columns* of *ratios* as bars, from 0 to 1; a space where there was nothing."""
    shown = ratios[-columns:] if columns > 0 else ()
    return "".join(" " if one is None else _BARS[min(max(int(one * len(_BARS)), 0), len(_BARS) - 1)] for one in shown)


def head(state: State) -> Part:
    """Return the line that says how it is, and which process answered."""
    health, process = state.health, state.process
    facts = f"  asgi-resync {state.version}, process {process.pid} on {process.host}"
    for_long = f", for {lasting(health.at - process.since)}"
    ready = "" if health.ready else ", not ready"
    return [[Span(health.status, TONES.get(health.status, "bad")), Span(printable(facts + for_long + ready))]]


def answers(recording: Recording | None, columns: int) -> Part:
    """Return how requests were answered of late."""
    if recording is None:
        return [[Span("No telemetry.Recorder listens, so nothing is known of the last minutes.", "dim")]]
    found = recording.answers
    counts = {
        "l1": found.l1, "l2": found.l2, "stale": found.stale, "collapsed": found.collapsed,
        "misses": found.misses, "rescued": found.rescued,
    }  # fmt: skip
    ratio = f"hit ratio  {share(found.hit_ratio):<8}"
    said = [span for what, count in counts.items() for span in (Span(f"{what} ", "dim"), Span(f"{number(count)}  "))]
    return [
        [
            Span(ratio[:11], "dim"),
            Span(ratio[11:], "bold"),
            Span(sparkline(recording.hit_ratios, columns - len(ratio))),
        ],
        [Span(f"{'in ' + lasting(recording.seconds):<11}", "dim"), *said],
    ]


def tiers(health: Health, recording: Recording | None) -> Part:
    """Return what the tiers hold, and how long Redis takes."""
    l1, l2 = health.cache.l1, health.cache.l2
    held = f"{number(l1.entries)} of {number(l1.max_entries)} entries, {size(l1.bytes)} of {size(l1.max_bytes)}"
    lines: Part = [
        [Span("l1  ", "dim"), Span(held)],
        [Span("l2  ", "dim"), Span("no Redis", "dim") if l2 is None else Span(printable(l2), TONES.get(l2, "bad"))],
    ]
    if recording is not None and recording.latency:
        rows = [[Span(printable(name)), *_times(one)] for name, one in recording.latency.items()]
        lines += table(["redis", "answers", "p50", "p99"], rows, right={1, 2, 3})
    return lines


def resources(health: Health, limit: int | None = None) -> Part:
    """Return how the resources stand, what is not up first; at most *limit* of them."""
    found = sorted(health.resources.items(), key=lambda item: item[1].state == "up")
    rows = [_resource(name, one, health.at) for name, one in found]
    return _limited(table(["resource", "state", "for", "last took", ""], rows[:limit], right={2, 3}), len(rows), limit)


def _resource(name: str, one: ResourceHealth, now: float) -> Sequence[Span]:
    why = [printable(one.cause)] if one.cause is not None else []
    why += [f"tried {one.attempts} times"] if one.state != "up" and one.attempts > 1 else []
    why += ["the app is not ready without it"] if one.critical and one.state != "up" else []
    return [
        Span(printable(name)),
        Span(printable(one.state), TONES.get(one.state, "warn")),
        NONE if one.since is None else Span(lasting(now - one.since)),
        NONE if one.latency is None else Span(took(one.latency)),
        Span(", ".join(why), "dim"),
    ]


def breakers(health: Health, recording: Recording | None, limit: int | None = None) -> Part:
    """Return how the breakers stand, with the latency of their upstreams; those that are not closed first."""
    times = {} if recording is None else recording.upstreams
    changes = {} if recording is None else recording.breakers
    found = sorted(health.breakers.items(), key=lambda item: (item[1].state == "closed", -item[1].calls))
    rows = []
    for name, one in found:
        last = changes.get(name)
        why = "" if one.state == "closed" or not last else printable(last[-1].cause)
        rows.append([Span(printable(name)), *_breaker(one), *_times(times.get(name)), Span(why, "dim")])
    head = ["upstream", "breaker", "calls", "failed", "probed in", "answers", "p50", "p99", ""]
    return _limited(table(head, rows[:limit], right={2, 3, 4, 5, 6, 7}), len(rows), limit)


def _breaker(one: BreakerHealth) -> Sequence[Span]:
    return [
        Span(printable(one.state), TONES.get(one.state, "warn")),
        Span(number(one.calls)),
        Span(number(one.failures), "bad" if one.failures else ""),
        Span(took(one.retry_after)) if one.state == "open" and one.retry_after else NONE,
    ]


def _times(one: Latency | None) -> Sequence[Span]:
    if one is None or not one.count:
        return [NONE, NONE, NONE]
    return [Span(number(one.count)), *(Span("> 10 s" if at is None else took(at)) for at in (one.p50, one.p99))]


def impact(health: Health) -> Part:
    """Return what is touched by what is out."""
    lines: Part = []
    for name, touched in health.impact.items():
        said = [f"{_KINDS.get(kind, kind)} {', '.join(names)}" for kind, names in touched.items()]
        if said:
            lines.append([Span(f"{printable(name)} is out: ", "warn"), Span(printable("; ".join(said)))])
    return lines


def changes(recording: Recording | None, stamp: Stamp, limit: int | None = None) -> Part:
    """Return what changed of late, the latest first; at most *limit* of it."""
    if recording is None:
        return []
    return [
        [Span(stamp(change.at), "dim"), Span("  "), Span(printable(change.text), TONES.get(change.level, ""))]
        for change in recording.changes[:limit]
    ]


def report(state: State, stamp: Stamp, columns: int) -> list[Line]:
    """Return all there is to say of *state*, part after part."""
    health, recording = state.health, state.recording
    parts = [
        head(state),
        answers(recording, columns),
        tiers(health, recording),
        breakers(health, recording) if health.breakers else [],
        resources(health) if health.resources else [],
        impact(health),
        changes(recording, stamp, 10),
    ]
    return joined(parts)


def joined(parts: Iterable[Part]) -> list[Line]:
    """Return the lines of *parts* with an empty one between."""
    lines: list[Line] = []
    for part in parts:
        if part:
            lines += [*([[]] if lines else []), *part]
    return lines


def in_a_line(state: State, stamp: Stamp) -> Line:
    """Return *state* in one line, for a log."""
    health, recording = state.health, state.recording
    ratio = None if recording is None else recording.answers.hit_ratio
    l1 = health.cache.l1
    out = [f"{name} {one.state}" for name, one in health.resources.items() if one.state != "up"]
    out += [f"breaker {name} {one.state}" for name, one in health.breakers.items() if one.state in OPEN]
    said = f"hit ratio {share(ratio)}  l1 {number(l1.entries)} entries, {size(l1.bytes)}  process {state.process.pid}"
    return [
        Span(stamp(health.at), "dim"),
        Span("  "),
        Span(health.status, TONES.get(health.status, "bad")),
        Span(f"  {said}  "),
        Span(printable(listed(out)) or "all well", "warn" if out else "dim"),
    ]


def _limited(lines: Part, count: int, limit: int | None) -> Part:
    if limit is not None and count > limit:
        lines.append([Span(f"and {count - limit} more", "dim")])
    return lines
