"""The command `python -m asgi_resync demo`: its arguments, what it prints, and serving until it is interrupted."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import socket
import sys
from collections.abc import Sequence

from .._asgi import ASGIApp
from ..errors import MissingExtra, SettingsError
from .app import LIFETIME, STALE, build
from .scheduler import Scheduler

HOST = "127.0.0.1"


def main(argv: Sequence[str]) -> int:
    """Serve the demo until it is interrupted; 0, or 2 with one line of explanation if it cannot be served."""
    options = _parser().parse_args(argv)
    try:
        if importlib.util.find_spec("uvicorn") is None:
            raise MissingExtra("The demo", "uvicorn", "demo")
        interrupted = contextlib.suppress(KeyboardInterrupt)
        with _listen(options.port) as listener, interrupted, Scheduler(options.latency) as scheduler:
            app = build(scheduler, lifetime=options.ttl, stale=options.stale)
            url = f"http://{HOST}:{listener.getsockname()[1]}"
            if options.json:
                print(_facts(url, scheduler), flush=True)
            else:
                print(_guide(url, scheduler, options.ttl, options.stale), flush=True)
            _serve(app, listener)
    except (MissingExtra, PortTaken, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m asgi_resync demo", description="A slow scheduler, cached.")
    parser.add_argument("--port", type=_port, default=8000, help="where to listen; 0 takes any free port (8000)")
    parser.add_argument("--latency", type=_seconds, default=1.5, help="seconds a call of the scheduler takes (1.5)")
    parser.add_argument("--ttl", type=_seconds, default=LIFETIME, help="seconds for which a plan is fresh (10)")
    parser.add_argument("--stale", type=_seconds, default=STALE, help="seconds for which it may be stale then (60)")
    parser.add_argument("--json", action="store_true", help="a line of JSON in place of the guide: what is where")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number of 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) <= 3600:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no duration; give seconds of 0 to 3600")


class PortTaken(Exception):
    """The demo cannot listen where it was asked to."""

    def __init__(self, port: int, cause: OSError) -> None:
        other = port + 1 if 1024 <= port < 65535 else 8000
        super().__init__(
            f"Cannot listen on {HOST}:{port} ({cause.strerror or cause}). "
            f"Choose another port: python -m asgi_resync demo --port {other}"
        )


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        # Only elsewhere: on Windows this option would let two servers share a port.
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortTaken(port, error) from error
    return listener


def _facts(url: str, scheduler: Scheduler) -> str:
    """Return one line of JSON: what is where."""
    of_scheduler = {"url": f"http://{HOST}:{scheduler.port}", "pid": scheduler.pid}
    return json.dumps({"url": url, "console": f"{url}/resync/", "scheduler": of_scheduler})


def _guide(url: str, scheduler: Scheduler, lifetime: float, stale: float) -> str:
    outage = FREEZING if scheduler.can_freeze else ""
    times = {"later": f"{lifetime + 1:g}", "soon": f"{4 * lifetime:g}", "stale": f"{stale:g}"}
    return (GUIDE + outage + END).format(url=url, pid=scheduler.pid, ttl=f"{lifetime:g}", **times)


def _serve(app: ASGIApp, listener: socket.socket) -> None:
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


GUIDE = """\
A slow scheduler, wrapped in one line, serves its plan at {url}/plan/current
The scheduler is process {pid}.

  Twice: the first call waits for the scheduler, the second comes from memory.
    curl -i {url}/plan/current

  With the ETag of the last answer: 304, and no body.
    curl -i -H 'If-None-Match: "..."' {url}/plan/current

  After {ttl} seconds, and within {soon}: the stale plan at once, a new one for whoever asks next.
    sleep {later}; curl -i {url}/plan/current; sleep 2; curl -i {url}/plan/current

  What has ended runs again, and what was stored of the plan is purged by its tag.
    curl -i -X POST {url}/plan/rerun
"""

FREEZING = """
  The scheduler freezes: the last plan it gave is served for {stale} seconds more, then what stands in for it; a page of
  which nothing is stored, and for which nothing stands in, is 503 with Retry-After. Then it goes on, and so does all.
    kill -STOP {pid}
    curl -i {url}/plan/current
    curl -i {url}/jobs/PAYROLL-CALC/log
    kill -CONT {pid}
"""

END = """
Or watch it in a browser: {url}/
Its console, for a browser or for a terminal (asgi-resync top --console …): {url}/resync/
Ctrl-C ends the demo.
"""
