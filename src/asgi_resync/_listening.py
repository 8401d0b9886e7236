"""What listeners want to be told, and a guard that lets none of them do harm. It knows no event by name."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

E = TypeVar("E")

_log = logging.getLogger("asgi_resync")

_LOGGED_COUNTS = frozenset(10**power for power in range(10))
_MOST_FAULTS = 100
"""Classes of exceptions that are counted for one listener."""
_UNAWAITED = "an awaitable"
"""What stands among them for what was returned and not raised."""


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
    A coroutine that it returns is closed, since nobody awaits it, and that is logged once.
    """
    if getattr(listener, "never_raises", False):
        return listener
    times: dict[str, int] = {}
    call: Callable[[E], object] = listener

    def tell(event: E) -> None:
        try:
            returned = call(event)
            if returned is not None:
                _look_at(returned, times, event)
        except (KeyboardInterrupt, SystemExit):
            raise
        # Of all kinds: it was called, not awaited, so a CancelledError is its own and cancels no task that told it.
        except BaseException as error:
            _log_fault(times, event, error)

    tell.wants = wanted_by(listener)  # type: ignore[attr-defined] # a function may have attributes; a call of it is cheapest
    tell.never_raises = True  # type: ignore[attr-defined] # as above
    return tell


def _look_at(returned: object, times: dict[str, int], event: object) -> None:
    """Close what nobody will await, and log it the first time. A task or future needs nobody."""
    if not isinstance(returned, Awaitable) or hasattr(returned, "add_done_callback"):
        return
    if isinstance(returned, Coroutine):
        returned.close()
    if _UNAWAITED not in times:
        times[_UNAWAITED] = 1
        _log.error(
            "An event listener returned %s on %s, which nobody awaits, so it does nothing: give a function that is not "
            "async, and have it make a task, or hand over to a queue, what must be awaited.",
            type(returned).__name__,
            type(event).__name__,
        )


def _log_fault(times: dict[str, int], event: object, error: BaseException) -> None:
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
