"""Whether a stored response may answer a request now (RFC 9111 §4). It does not find the stored response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..entry import StoredResponse
from .control import RequestControl


@dataclass(frozen=True, slots=True)
class Fresh:
    """Serve it as it is."""


@dataclass(frozen=True, slots=True)
class ServeStale:
    """Serve it though it is stale; with `refresh`, ask the app in the background (RFC 5861 §3)."""

    reason: Literal["while-revalidate", "max-stale"]
    refresh: bool


@dataclass(frozen=True, slots=True)
class AskApp:
    """The app must be asked; `forward` is the `fwd` token of RFC 9211 §2.2."""

    forward: Literal["stale", "request"]


Reuse = Fresh | ServeStale | AskApp

ERROR_STATUSES = frozenset({500, 502, 503, 504})
"""What counts as an error for stale-if-error (RFC 5861 §4)."""

FRESH = Fresh()
WHILE_REVALIDATE = ServeStale("while-revalidate", refresh=True)
MAX_STALE = ServeStale("max-stale", refresh=False)
STALE = AskApp("stale")
REQUESTED = AskApp("request")


def current_age(entry: StoredResponse, now: float) -> float:
    """Return the age in seconds (§4.2.3)."""
    return max(0.0, now - entry.born)


def reuse(
    entry: StoredResponse, now: float, request: RequestControl | None, *, marked_stale_at: float | None = None
) -> Reuse:
    """Decide on *entry*; *request* holds the directives of the request if the operator honours them, else None.

    A softly purged entry is stale since *marked_stale_at*, whatever its lifetime was.
    """
    fresh_until = entry.fresh_until if marked_stale_at is None else min(entry.fresh_until, marked_stale_at)
    fresh = now < fresh_until and not entry.always_validate
    if request is None:
        if fresh:
            return FRESH
        return WHILE_REVALIDATE if _within_window(entry, now, fresh_until) else STALE
    if request.no_cache:
        return REQUESTED
    # §5.2.1.1 and .3: not older than max-age, and fresh for at least min-fresh more. What is too old stays so:
    # max-stale excuses that a lifetime is exceeded, and no more.
    too_old = request.max_age is not None and current_age(entry, now) > request.max_age
    if fresh:
        if too_old or (request.min_fresh is not None and fresh_until - now < request.min_fresh):
            return REQUESTED
        return FRESH
    if request.max_age is None and request.min_fresh is None and request.max_stale is None:
        return WHILE_REVALIDATE if _within_window(entry, now, fresh_until) else STALE
    # A client that states what it takes gets nothing staler than that in the name of speed.
    if request.max_stale is None or request.min_fresh is not None or too_old:
        return STALE
    if not entry.may_serve_stale or entry.always_validate:
        return STALE
    return MAX_STALE if now - fresh_until <= request.max_stale else STALE


def _within_window(entry: StoredResponse, now: float, fresh_until: float) -> bool:
    if not entry.may_serve_stale or entry.always_validate:
        return False
    return now < fresh_until + entry.stale_while_revalidate


def may_serve_if_error(
    entry: StoredResponse, now: float, request: RequestControl | None, *, marked_stale_at: float | None = None
) -> bool:
    """Return whether *entry* may answer in place of an error (RFC 5861 §4), which a request may also ask for."""
    if not entry.may_serve_stale or entry.always_validate:
        return False
    fresh_until = entry.fresh_until if marked_stale_at is None else min(entry.fresh_until, marked_stale_at)
    window = entry.stale_if_error
    if request is not None and request.stale_if_error is not None:
        window = max(window, request.stale_if_error)
    return now < fresh_until + window
