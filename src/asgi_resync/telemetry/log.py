"""Standard logging as a listener: quiet while all is well, one line when something changes.

Which event is worth which line is decided in `lines.py`. It sets no level and no handler: those are the application's.
"""

from __future__ import annotations

import logging
import threading
import time

from .._asgi import Clock
from ..events import Event
from .lines import LOGGED
from .news import News


class LoggingListener:
    """A listener that logs what changes. It may be told in several threads; see `to_logging`."""

    wants = LOGGED

    def __init__(self, logger: logging.Logger, interval: float, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._news = News(interval)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Log *event* if it is worth a line, and if there were not too many like it of late."""
        line = self._news.line(event)
        if line is None or not self._logger.isEnabledFor(line.level):
            return
        with self._lock:
            hidden = self._news.admit(line, self._clock())
        if hidden is None:
            return
        more = f" ({hidden} more like it since the last line)" if hidden else ""
        self._logger.log(line.level, "%s%s", line.text, more, exc_info=line.error)


def to_logging(
    logger: logging.Logger | str = "asgi_resync", *, interval: float = 60.0, clock: Clock = time.monotonic
) -> LoggingListener:
    """Return the listener that every Resync has, to be given to `on_event` instead of that one with other arguments.

    It logs to *logger*: warnings for what stops working, information for what works again, errors for faults of this
    library. What repeats itself is one line in *interval* seconds, which says how many there were. Its level is that
    of the logger: `logging.getLogger("asgi_resync").setLevel("ERROR")`.
    """
    return LoggingListener(logging.getLogger(logger) if isinstance(logger, str) else logger, interval, clock)
