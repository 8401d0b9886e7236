"""Follows what a console says of its app, from one stream of events to the next, for as long as somebody listens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .remote import Away, Refused, Remote
from .state import State, state_of

EVENTS, NAME = "api/events", "status"
PAUSE = 1.0
"""Seconds before a console that gave nothing is asked again."""


class Follower:
    """Tells *tell* each state that *remote* sends, with its JSON, and why there is none. In a thread of its own."""

    def __init__(
        self, remote: Remote, tell: Callable[[tuple[State, bytes] | Away], None], *, pause: float = PAUSE
    ) -> None:
        self._remote = remote
        self._tell = tell
        self._pause = pause
        self._is_over = threading.Event()

    def start(self) -> None:
        """Begin. The thread ends with the program, or soon after `stop`."""
        threading.Thread(target=self._run, name="console", daemon=True).start()

    def stop(self) -> None:
        """Tell nothing more."""
        self._is_over.set()

    def _run(self) -> None:
        while not self._is_over.is_set():
            # A stream that ends by itself is opened again at once: consoles end them after some seconds.
            if not self._followed():
                self._is_over.wait(self._pause)

    def _followed(self) -> bool:
        """Follow one stream; return whether it gave anything."""
        gave = False
        try:
            for raw in self._remote.events(EVENTS, NAME):
                if self._is_over.is_set():
                    break
                self._tell((self._understood(raw), raw))
                gave = True
        except Away as error:
            self._tell(error)
            return False
        except Refused as error:
            self._tell(Away(str(error)))
            return False
        return gave

    def _understood(self, raw: bytes) -> State:
        try:
            return state_of(raw)
        except ValueError:
            raise self._remote.not_understood() from None
