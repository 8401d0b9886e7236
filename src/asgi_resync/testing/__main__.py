"""`python -m asgi_resync.testing`: a FakeTWS in a process of its own, that can be frozen and killed as a real one can.

It prints its URL, without a path, as its first line. It knows no faults: signals are what it is for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import threading

from .tws import FakeTWS


async def serve_fake(fake: FakeTWS, *, port: int = 0, until_eof: bool = False) -> None:
    """Serve *fake* until a signal ends it, or with *until_eof* the end of standard input: of whoever started it."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C is an exception
            loop.add_signal_handler(number, ended.set)

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            while sys.stdin.buffer.read(1024):
                pass
        with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
            loop.call_soon_threadsafe(ended.set)

    if until_eof:
        # A daemon, since nothing can wake it at the end.
        threading.Thread(target=watch, daemon=True).start()
    async with fake.serve(port=port) as server:
        print(server.url, flush=True)
        await ended.wait()


def main() -> None:
    """Serve one with the plan and the credentials that a FakeTWS has by default."""
    parser = argparse.ArgumentParser(prog="python -m asgi_resync.testing", description="A FakeTWS on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes any free port (0)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer (0)")
    parser.add_argument("--until-eof", action="store_true", help="end with the standard input")
    options = parser.parse_args()
    fake = FakeTWS()
    if options.latency:
        fake.fail(latency=options.latency)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve_fake(fake, port=options.port, until_eof=options.until_eof))


if __name__ == "__main__":
    main()
