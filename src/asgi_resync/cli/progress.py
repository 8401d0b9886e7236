"""Says on stderr what is waited for, where that takes more than a second; on a terminal only, and leaves no trace."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

DELAY = 1.0
"""Seconds before it says anything."""
BEAT = 0.1
"""Seconds between two of its pictures."""
WHEEL = "|/-\\"
CLEAR = "\r\x1b[2K"


def picture(what: str, seconds: float) -> str:
    """Return what is shown after *seconds* of waiting for *what*."""
    return f"{WHEEL[int(seconds / BEAT) % len(WHEEL)]} {what} … {seconds:.0f} s"


@contextmanager
def progress(
    what: str | Callable[[], str],
    *,
    environ: Mapping[str, str],
    stream: TextIO | None = None,
    delay: float = DELAY,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Say on *stream*, by default stderr, that *what* is waited for, as long as the block lasts."""
    out = sys.stderr if stream is None else stream
    if not out.isatty() or environ.get("TERM") == "dumb":
        yield
        return
    is_over = threading.Event()
    began = clock()

    def show() -> None:
        if is_over.wait(delay):
            return
        while True:
            said = what if isinstance(what, str) else what()
            text = picture(said, clock() - began)
            out.write(CLEAR + text.encode(out.encoding or "ascii", "replace").decode(out.encoding or "ascii"))
            out.flush()
            if is_over.wait(BEAT):
                break
        out.write(CLEAR)
        out.flush()

    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    try:
        yield
    finally:
        is_over.set()
        shower.join()
