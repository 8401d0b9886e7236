"""Real servers in processes of their own, and raw sockets to talk to them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0
"""Seconds to wait for what must happen; long, since machines are busy."""


def _uvicorn(*options: str) -> Callable[[str, int], list[str]]:
    return lambda target, port: ["uvicorn", target, "--port", str(port), *options]


def _granian(interface: str) -> Callable[[str, int], list[str]]:
    return lambda target, port: ["granian", target, "--port", str(port), "--interface", interface, "--loop", "asyncio"]


def _hypercorn(target: str, port: int) -> list[str]:
    return ["hypercorn", target, "--bind", f"127.0.0.1:{port}"]


COMMANDS: dict[str, Callable[[str, int], list[str]]] = {
    "uvicorn-httptools": _uvicorn("--http", "httptools"),
    "uvicorn-h11": _uvicorn("--http", "h11"),
    "uvicorn-off": _uvicorn("--lifespan", "off"),
    "uvicorn-on": _uvicorn("--lifespan", "on"),
    "granian": _granian("asgi"),
    "granian-off": _granian("asginl"),
    "hypercorn": _hypercorn,
}
"""How each server is started: what is run of `python -m`, by target and port. `-off`: without lifespan."""


def inherited() -> dict[str, str]:
    """Return this process's environment without RESYNC_*: what steers tests is no setting, and nobody's own count."""
    return {name: text for name, text in os.environ.items() if not name.startswith("RESYNC_")}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Return once *condition* holds; fail if it does not within *patience* seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Process:
    """A server that runs, or did: its port, and all that it has printed."""

    port: int
    popen: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def answers(self) -> bool:
        """Return whether it accepts connections; fail if it has ended."""
        if self.popen.poll() is not None:
            raise AssertionError(f"the server has ended with {self.popen.returncode}:\n{self.output()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> int:
        """Ask it to stop, wait for that, and return its exit status."""
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"the server does not stop:\n{self.output()}") from None


@contextmanager
def process(
    command: list[str], port: int, environ: Mapping[str, str] | None = None, *, python: str = sys.executable
) -> Iterator[Process]:
    """Run *command*, a module or a script and its arguments, by *python*, and end it at the end.

    *environ* comes on top of this process's environment.
    """
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [python, *(command if command[0].endswith(".py") else ["-m", *command])],
                env={**inherited(), "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **(environ or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
            )
        running = Process(port, popen, log)
        try:
            yield running
        finally:
            if popen.poll() is None:
                popen.terminate()
                try:
                    popen.wait(10)
                except subprocess.TimeoutExpired:
                    popen.kill()
                    popen.wait()


@contextmanager
def serving(
    server: str,
    target: str,
    environ: Mapping[str, str] | None = None,
    *,
    python: str = sys.executable,
    patience: float = PATIENCE,
) -> Iterator[Process]:
    """Serve *target* by the *server* of `COMMANDS`, installed for *python*, and give it once it answers.

    It has *patience* seconds to begin.
    """
    port = free_port()
    with process(COMMANDS[server](target, port), port, environ, python=python) as running:
        until(running.answers, f"{server} answers", patience)
        yield running


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came over the wire. `lines` have lower-case names; `rest` is what followed the header."""

    status: int
    lines: list[tuple[bytes, bytes]]
    rest: bytes

    def values(self, name: str) -> list[bytes]:
        return [value for line, value in self.lines if line == name.encode()]

    def without(self, *names: str) -> list[tuple[bytes, bytes]]:
        """Return the lines whose names are not among *names*."""
        return [(name, value) for name, value in self.lines if name.decode() not in names]

    @property
    def body(self) -> bytes:
        """The body without the framing of chunks."""
        if self.values("transfer-encoding") != [b"chunked"]:
            return self.rest
        body, rest = b"", self.rest
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return body


def parse(raw: bytes) -> Answer:
    """Return the answer in *raw*, which has the header at least."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    pairs = [line.split(b":", 1) for line in lines]
    return Answer(int(first.split()[1]), [(name.lower(), value.strip()) for name, value in pairs], rest)


def request(target: str, *, method: str = "GET", lines: tuple[str, ...] = (), body: bytes = b"") -> bytes:
    """Return a request as bytes, after whose answer the server closes."""
    length = [f"content-length: {len(body)}"] if body else []
    head = [f"{method} {target} HTTP/1.1", "host: testserver", "connection: close", *lines, *length, "", ""]
    return "\r\n".join(head).encode() + body


def connect(port: int) -> socket.socket:
    """Return a connection to *port*."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the server closes; a reset ends it as well."""
    parts: list[bytes] = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """Return what comes until *mark* is in it."""
    got = b""
    while mark not in got:
        part = connection.recv(1 << 16)
        if not part:
            raise AssertionError(f"closed before {mark!r}: {got!r}")
        got += part
    return got


def ask(port: int, target: str, *, method: str = "GET", lines: tuple[str, ...] = (), body: bytes = b"") -> Answer:
    """Send one request and return its answer."""
    with connect(port) as connection:
        connection.sendall(request(target, method=method, lines=lines, body=body))
        return parse(read_all(connection))
