"""Loads a server over HTTP and counts what it answers: by wrk where it is installed, otherwise by itself.

    python -m tests.benchmarks.load PORT PATH CONNECTIONS SECONDS

prints the requests per second. On its own it is slower than a fast server, so ratios come out flatter than they are:
never compare numbers of the two generators.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import cast

from .browser import HEADERS

CONNECTIONS = 32
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
NUMBERS = itertools.count(int(time.time()) % 100_000 * 10_000_000, 10_000_000)
"""Where each run's request numbers begin, so that no two runs ask for the same new URL."""


class LoadFailed(Exception):
    """A server did not answer as it should; *report* says what was seen."""

    def __init__(self, report: str) -> None:
        super().__init__(f"the server did not answer every request with 200: {report.strip()[-500:]}")


def generator() -> str:
    """Return the name of the load generator that `measure` uses here."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def measure(port: int, path: str, seconds: float, pin: list[str]) -> float:
    """Return the requests per second that the server on *port* answers. *pin* goes before the command.

    Raises LoadFailed if any answer is not 200.
    """
    if generator() == "asyncio":
        command = [*pin, sys.executable, "-m", "tests.benchmarks.load", str(port), path, str(CONNECTIONS), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
        if done.returncode:
            raise LoadFailed(done.stderr)
        return float(done.stdout)
    return _wrk(port, path, seconds, pin)


def _wrk(port: int, path: str, seconds: float, pin: list[str]) -> float:
    headers = [argument for name, value in HEADERS for argument in ("-H", f"{name}: {value}")]
    # wrk takes whole seconds.
    command = [*pin, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *headers]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if "{n}" in path:
            front, back = path.split("{n}")
            script.write(
                f"local n = {next(NUMBERS)}\n"
                "function request()\n"
                "  n = n + 1\n"
                f'  return wrk.format("GET", "{front}" .. string.format("%d", n) .. "{back}")\n'
                "end\n"
            )
            script.flush()
            command += ["-s", script.name]
        url = f"http://127.0.0.1:{port}{path.replace('{n}', '0')}"
        done = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds + 60, check=False)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    failed = re.search(r"Non-2xx|Socket errors: connect [1-9]|read [1-9]|timeout [1-9]", done.stdout)
    if done.returncode or rate is None or failed:
        raise LoadFailed(done.stdout + done.stderr)
    return float(rate[1])


class Connection(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it is answered, until `stopped`."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.buffer = bytearray()
        self.missing = -1
        self.answered = 0
        self.stopped = False
        self.error = ""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # Not isinstance: uvloop's transports are no subclass of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        """Count an answer when it is whole."""
        if self.missing >= 0:
            self.missing -= len(data)
        else:
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(self.buffer, 0, end)
            if not self.buffer.startswith(b"HTTP/1.1 200") or length is None:
                self.error, self.stopped = bytes(self.buffer[:200]).decode("latin-1"), True
                return
            self.missing = int(length[1]) - (len(self.buffer) - end - 4)
        if self.missing <= 0 and not self.stopped:
            self.answered += 1
            self.missing = -1
            self.buffer.clear()
            assert self.transport is not None
            self.transport.write(next(self.requests))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note what the server should not have done."""
        if not self.stopped:
            self.error, self.stopped = f"connection lost: {exc}", True


async def load(port: int, path: str, connections: int, seconds: float) -> float:
    """Return the requests per second that the server on *port* answers. Raises LoadFailed."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    tail = f" HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{lines}\r\n".encode()
    front, number, back = path.partition("{n}")
    base = next(NUMBERS)
    requests: Iterator[bytes]
    if number:
        requests = (f"GET {front}{n}{back}".encode() + tail for n in itertools.count(base))
    else:
        requests = itertools.repeat(f"GET {path}".encode() + tail)
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    open_ones = [
        (await loop.create_connection(lambda: Connection(requests), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    took = time.perf_counter() - begun
    for connection in open_ones:
        if connection.error:
            raise LoadFailed(connection.error)
        connection.stopped = True
        assert connection.transport is not None
        connection.transport.close()
    return sum(connection.answered for connection in open_ones) / took


def main(port: str, path: str, connections: str, seconds: str) -> None:
    """Print the requests per second."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(runner.run(load(int(port), path, int(connections), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
