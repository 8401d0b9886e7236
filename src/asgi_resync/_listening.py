"""What listeners want to be told, and a guard that lets none of them do harm. It knows no event by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

E = TypeVar("E")

_log = logging.getLogger("asgi_resync")

_LOGGED_COUNTS = frozenset(10**power for power in range(10))
_MOST_FAULTS = 100
"""Classes of exceptions that are counted for one listener."""


def wanted_by(listener: Callable[[E], None]) -> tuple[type, ...] | None:
    """Return the kinds of events that *listener* declares in `wants`; None if it wants them all."""
    kinds: object = getattr(listener, "wants", None)
    return kinds if isinstance(kinds, tuple) else None


def wants(listener: Callable[[E], None], *kinds: type) -> bool:
    """Return whether *listener* wants events of any of *kinds*, or of a kind of one of these."""
    wanted = wanted_by(listener)
    return wanted is None or any(issubclass(a, b) or issubclass(b, a) for a in wanted for b in kinds)


def guarded(listener: Callable[[E], None]) -> Callable[[E], None]:
    """Return a listener that never raises, and wants what *listener* wants; *listener* itself if it is one.

    What *listener* raises is logged and dropped: of each class of exceptions the 1st, the 10th, the 100th and so on.
    """
    if getattr(listener, "never_raises", False):
        return listener
    times: dict[str, int] = {}

    def tell(event: E) -> None:
        try:
            listener(event)
        except Exception as error:
            _log_fault(times, event, error)

    tell.wants = wanted_by(listener)  # type: ignore[attr-defined] # a function may have attributes; a call of it is cheapest
    tell.never_raises = True  # type: ignore[attr-defined] # as above
    return tell


def _log_fault(times: dict[str, int], event: object, error: Exception) -> None:
    kind = type(error).__name__
    if kind not in times and len(times) >= _MOST_FAULTS:
        times.clear()
    count = times[kind] = times.get(kind, 0) + 1
    if count not in _LOGGED_COUNTS:
        return
    try:
        _log.error(
            "An event listener raised on %s (%s, time %d); the request was not affected.",
            type(event).__name__,
            kind,
            count,
            exc_info=error,
        )
    except Exception:
        # A handler of the log raised, perhaps the very listener's: there is nobody left to tell.
        return
