"""The level of the library's logger, as settings change it. It is the process's own: several Resync share it."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("asgi_resync")


class LoggingLevel:
    """Sets the level where settings name one, and gives back the one before when they name none any more.

    It touches nothing while what the settings say stays the same, so an app may set the level of its own accord.
    """

    def __init__(self) -> None:
        self._level: str | None = None
        self._before = logging.NOTSET

    def be(self, level: str | None) -> None:
        """Log at *level*, such as `info`; None as if nobody had set one from here."""
        if level == self._level:
            return
        if self._level is None:
            self._before = LOGGER.level
        LOGGER.setLevel(self._before if level is None else level.upper())
        self._level = level
