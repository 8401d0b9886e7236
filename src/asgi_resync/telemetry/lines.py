"""What an event is worth in a log: a line, or nothing where all is well. It writes nothing.

What stops working is a warning, what works again is for information, and a fault of this library is an error. What
every request may bring is never a line: metrics count it. No text of a client's stands in a line.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ..events import (
    BackplaneCaughtUp,
    BackplaneLost,
    BreakerChanged,
    ConfigApplied,
    ConfigRefused,
    Event,
    InternalFailure,
    MessageIgnored,
    PurgeDelivered,
    PurgeQueued,
    RecordBroken,
    ResourceAbandoned,
    ResourceDown,
    ResourceUp,
    RetryBudgetSpent,
    TierUnreachable,
    WriteDropped,
)

LOGGED: tuple[type[Event], ...] = (
    BackplaneCaughtUp, BackplaneLost, BreakerChanged, ConfigApplied, ConfigRefused, InternalFailure, MessageIgnored,
    PurgeDelivered, PurgeQueued, RecordBroken, ResourceAbandoned, ResourceDown, ResourceUp, RetryBudgetSpent,
    TierUnreachable, WriteDropped,
)  # fmt: skip
"""The kinds of events that are worth a line."""

CHANGES = 10
"""Lines about changes of one thing before they are counted only: what changes to and fro may be told for a while."""

_SUPERSEDED = "superseded"
_STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its *level* of `logging`, what it is *about* (the same for lines that repeat each other), its text.

    *burst* is how many may follow each other within the interval of the log; *error* has a traceback worth showing.
    """

    level: int
    about: tuple[str, ...]
    text: str
    burst: int = 1
    error: BaseException | None = None


def line_of(event: Event) -> Line | None:
    """Return the line that *event* is worth; None if it is worth none."""
    match event:
        case BreakerChanged():
            return _of_breaker(event)
        case TierUnreachable(operation=operation, cause=cause) if cause != "open":
            # Where the breaker did not let it try, the line about the breaker has said so.
            text = f"Redis did not {operation} ({cause}); requests go on without it."
            return Line(level=logging.WARNING, about=("tier", cause), text=text)
        case BackplaneLost(cause=cause) if cause != _STOPPED:
            text = f"Purges of other processes may be missed from now on ({cause}); what is held here counts as stale."
            return Line(level=logging.WARNING, about=("backplane",), text=text, burst=CHANGES)
        case BackplaneCaughtUp(missed=missed):
            rest = "; some can never be known, so what was held stays stale." if missed else "."
            text = f"Purges of other processes are heard again{rest}"
            level = logging.WARNING if missed else logging.INFO
            return Line(level=level, about=("backplane",), text=text, burst=CHANGES)
        case PurgeQueued(count=count):
            text = f"Redis is away: {_things(count)} purged here will be told to other processes when it is back."
            return Line(level=logging.WARNING, about=("purge queued",), text=text)
        case PurgeDelivered(count=count):
            text = f"Redis has heard of {_things(count)} that were purged while it was away."
            return Line(level=logging.INFO, about=("purge delivered",), text=text)
        case RetryBudgetSpent(upstream=upstream, cause=cause):
            text = f"{upstream} is not called again after failures ({cause}): its budget of retries is spent."
            return Line(level=logging.WARNING, about=("budget", upstream), text=text)
        case WriteDropped(reason=reason) if reason != _SUPERSEDED:
            text = f"A response was not written to Redis: {reason}."
            return Line(level=logging.WARNING, about=("write", reason), text=text)
        case RecordBroken(reason=reason):
            text = f"A record in Redis cannot be used, which is a miss: {reason}."
            return Line(level=logging.WARNING, about=("record", reason), text=text)
        case MessageIgnored(reason=reason):
            text = f"A message of another process cannot be used: {reason}."
            return Line(level=logging.WARNING, about=("message", reason), text=text)
        case ResourceDown(resource=resource, cause=cause, critical=critical):
            rest = "the app is not ready until it is back" if critical else "the app goes on without"
            text = f"{resource} is down ({cause}): {rest}, and it is tried again for ever."
            return Line(level=logging.WARNING, about=("resource", resource), text=text, burst=CHANGES)
        case ResourceUp(resource=resource, attempts=attempts):
            text = f"{resource} is up after {attempts} attempts." if attempts > 1 else f"{resource} is up again."
            return Line(level=logging.INFO, about=("resource", resource), text=text, burst=CHANGES)
        case ResourceAbandoned(resource=resource, phase=phase, cause=cause):
            text = f"{resource} was left behind while it was {phase}: it did not stop as it should ({cause})."
            return Line(level=logging.WARNING, about=("abandoned", resource), text=text)
        case ConfigRefused(problems=problems):
            text = f"The settings cannot be used, so the last good ones stay in force: {'; '.join(problems)}"
            return Line(level=logging.ERROR, about=("config", text), text=text)
        case ConfigApplied(changes=changes, at_restart=later):
            now_said = f"Settings in force: {', '.join(map(str, changes))}." if changes else ""
            later_said = f"Settings that take a restart: {', '.join(map(str, later))}." if later else ""
            level = logging.WARNING if later else logging.INFO
            return Line(level=level, about=("config",), text=f"{now_said} {later_said}".strip(), burst=CHANGES)
        case InternalFailure(where=where, error=error):
            kind = type(error).__name__
            text = f"asgi-resync failed at {where} and stepped aside ({kind}); the request went on."
            return Line(level=logging.ERROR, about=("internal", where, kind), text=text, error=error)
        case _:
            return None


def _of_breaker(event: BreakerChanged) -> Line:
    name = event.upstream
    level = logging.WARNING
    match event.after:
        case "open":
            text = f"{name} is not called for {event.open_for:.3g} s: its breaker opened ({event.cause})."
        case "closed":
            level, text = logging.INFO, f"{name} is called again: its breaker closed ({event.cause})."
        case "half-open":
            level, text = logging.DEBUG, f"{name} is probed: its breaker is half-open ({event.cause})."
        case "forced-open":
            text = f"{name} is not called until its breaker is reset: it was forced open."
        case "forced-closed":
            text = f"{name} is called whatever happens until its breaker is reset: it was forced closed."
        case state:
            text = f"The breaker of {name} went from {event.before} to {state} ({event.cause})."
    return Line(level=level, about=("breaker", name, event.after), text=text, burst=CHANGES)


def _things(count: int) -> str:
    return "1 tag or key" if count == 1 else f"{count} tags and keys"
