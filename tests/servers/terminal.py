"""The program on a terminal: what it writes there, with keys to press, a size to change, and a look at what is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.server import PATIENCE

# The terminal must be that of the process, or Ctrl-C would be for nobody.
_TAKE = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


class Terminal:
    """A process on a terminal of its own; `text` is all that it has written."""

    def __init__(self, popen: subprocess.Popen[bytes], master: int, slave: int) -> None:
        self.popen = popen
        self.text = ""
        self._master = master
        self._slave = slave

    def wait_for(self, what: str, after: int = 0) -> int:
        """Return where *what* ends in `text`, once it is there at *after* or later; fail if it does not come."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.text.find(what, after)) < 0:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{what!r} did not come: {self.text[-3000:]!r}")
        return found + len(what)

    def press(self, keys: bytes) -> None:
        """Type *keys*."""
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size; the kernel tells the process."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[Any]:
        """Return how the terminal treats what is typed."""
        return termios.tcgetattr(self._slave)

    def ended(self) -> int:
        """Return its exit status, once it has ended and all it wrote is read."""
        deadline = time.monotonic() + PATIENCE
        while self.popen.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        status = self.popen.wait(1)
        while self._read(0.05):
            pass
        return status

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return False
        self.text += os.read(self._master, 65536).decode(errors="replace")
        return True


@contextlib.contextmanager
def on_a_terminal(*arguments: str, environ: Mapping[str, str], size: tuple[int, int] = (90, 30)) -> Iterator[Terminal]:
    """Run `python -m` with *arguments* on a terminal of *size*, columns and rows, and end it at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    plain = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    popen = subprocess.Popen(
        [sys.executable, "-c", _TAKE, "-m", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**plain, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environ},
        start_new_session=True,
    )
    try:
        yield Terminal(popen, master, slave)
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()
        os.close(master)
        os.close(slave)
