"""SIGHUP as a request to read the settings again. It takes the signal from nobody: who had it before is called too."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from types import FrameType

_log = logging.getLogger("asgi_resync")


class Hangup:
    """Calls *act* when SIGHUP comes, between `install` and `remove`, and then whatever was called before.

    *act* is called as signal handlers are, in the main thread, so it must be quick.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] = act
        self._is_on = False
        self._before: Callable[[int, FrameType | None], object] | int | None = None

    def install(self) -> None:
        """Handle the signal from now on. Where that cannot be, the log says so, and nothing is raised."""
        number = getattr(signal, "SIGHUP", None)
        if number is None or self._is_on:
            return
        before = signal.getsignal(number)
        try:
            if before is None:
                raise ValueError("its handler was not installed by Python")
            signal.signal(number, self._handle)
        except ValueError as error:
            _log.warning("SIGHUP does not have the settings read again: %s.", error)
            return
        if before != self._handle:
            self._before = before
        # Else another that was installed since has given it back: what was before this one still is.
        self._is_on = True

    def remove(self) -> None:
        """Leave the signal to whom it was left before; to whoever has taken it since, if somebody has."""
        if not self._is_on:
            return
        self._is_on = False
        if signal.getsignal(signal.SIGHUP) != self._handle:
            # Who has taken it since may call this one, which does nothing any more but call the one before.
            return
        try:
            signal.signal(signal.SIGHUP, self._before)
        except ValueError as error:
            _log.warning("SIGHUP is not given back: %s.", error)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_on:
            self._act()
        if callable(self._before):
            self._before(number, frame)
