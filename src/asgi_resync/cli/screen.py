"""A terminal that is drawn on: the other screen and single keys while it lasts, and all as it was after it.

It tells of keys, of changes of its size, and of signals; it decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

if sys.platform != "win32":  # which has neither; Ctrl-C ends it there
    import termios
    import tty

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, TO_THE_END_OF_LINE, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
USUAL_SIZE = (80, 24)


class Screen:
    """The terminal behind *out* and *inp*. It is used by one thread, within `with`."""

    def __init__(self, out: TextIO, inp: TextIO) -> None:
        self._out = out
        self._inp = inp
        self._before: list[Any] | None = None
        self._is_entered = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        try:
            columns, rows = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            return USUAL_SIZE
        return columns or USUAL_SIZE[0], rows or USUAL_SIZE[1]

    @property
    def has_keys(self) -> bool:
        """Whether keys can be read one by one."""
        return sys.platform != "win32" and self._inp.isatty()

    def __enter__(self) -> Screen:
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> None:
        """Take the terminal."""
        if self.has_keys:
            self._before = termios.tcgetattr(self._inp)
            tty.setcbreak(self._inp, termios.TCSANOW)
        self._is_entered = True
        self._write(ENTER)

    def leave(self) -> None:
        """Give it back as it was. Idempotent."""
        if not self._is_entered:
            return
        self._is_entered = False
        # What hinders it is a terminal that is gone.
        with contextlib.suppress(OSError):
            self._write(LEAVE)
        if self._before is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._inp, termios.TCSANOW, self._before)

    def draw(self, lines: Sequence[str]) -> None:
        """Show *lines*, which fit, and nothing else."""
        self._write(HOME + "\r\n".join(f"{line}{TO_THE_END_OF_LINE}" for line in lines) + BELOW)

    def watch_keys(self, tell: Callable[[bytes], None]) -> None:
        """Have *tell* called with what is typed, in a thread of its own, which ends with the program."""
        if not self.has_keys:
            return
        source = self._inp.fileno()

        def read() -> None:
            with contextlib.suppress(OSError):
                while typed := os.read(source, 64):
                    tell(typed)

        threading.Thread(target=read, name="keys", daemon=True).start()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Give the terminal back while the block lasts."""
        self.leave()
        try:
            yield
        finally:
            self.enter()

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def signals_of_a_terminal() -> Sequence[int]:
    """Return those that say something about a terminal, or end a program, where there are any."""
    names = ("SIGINT", "SIGWINCH", "SIGTSTP", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextlib.contextmanager
def told_of_signals(tell: Callable[[int], None]) -> Iterator[None]:
    """Have *tell* called with the number of each signal of a terminal, while the block lasts.

    It is called between any two steps of the main thread, so it must do nothing that may wait.
    """
    before = {number: signal.signal(number, lambda given, _: tell(given)) for number in signals_of_a_terminal()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_here() -> None:
    """Do as Ctrl-Z does to programs that do not mind it; return when the program goes on."""
    if sys.platform != "win32":
        mine = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, mine)
