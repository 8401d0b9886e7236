"""A listener that takes its time, in a thread of its own. What it cannot keep up with is dropped, not waited for."""

from __future__ import annotations

import os
import threading
from collections import deque

from ..errors import RuleError
from ..events import Event, Listener, guarded, wanted_by

_LINGER = 5.0
"""Seconds for which an idle thread waits for the next event before it ends."""


class Aside:
    """A listener that hands events to *listener* in a thread; see `aside`. `dropped` is how many it had no room for."""

    def __init__(self, listener: Listener, limit: int) -> None:
        self.wants = wanted_by(listener)
        self.dropped = 0
        self._tell = guarded(listener)
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._is_running = False
        self._is_telling = False

    def __call__(self, event: Event) -> None:
        """Put *event* behind those that wait, or drop it. It never waits for the listener."""
        if os.getpid() != self._process:
            # A fork took the state along and not the thread.
            self._begin()
        with self._changed:
            if len(self._waiting) >= self._limit:
                self.dropped += 1
                return
            self._waiting.append(event)
            if self._is_running:
                self._changed.notify_all()
                return
            self._is_running = True
        threading.Thread(target=self._run, name="asgi-resync-listener", daemon=True).start()

    def flush(self, timeout: float) -> bool:
        """Wait until the listener was told of all there is, for *timeout* seconds at most; return whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._is_telling, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_telling = False
                self._changed.notify_all()
                if not self._changed.wait_for(lambda: bool(self._waiting), _LINGER):
                    self._is_running = False
                    return
                event = self._waiting.popleft()
                self._is_telling = True
            self._tell(event)


def aside(listener: Listener, *, limit: int = 10_000) -> Aside:
    """Return a listener that tells *listener* in a thread of its own, so that a slow one holds up no request.

    At most *limit* events wait; what comes then is dropped and counted in `dropped`. What waits when the process ends
    is lost, unless `flush(timeout)` was called. *listener* must not need the event loop, nor the span of the request.

    Raises RuleError for a *limit* below 1.
    """
    if limit < 1:
        raise RuleError("limit", limit, "give 1 or more")
    return Aside(listener, limit)
