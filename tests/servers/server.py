"""One Redis server in a process of its own, which a test may kill, freeze and start again."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.servers.binary import server_binary

PATIENCE = 20.0
"""Seconds to wait for what must happen; long, since machines are busy."""
_PORTS = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on.

    It lies below those that the kernel gives to outgoing connections, so that a server which was killed finds it free.
    """
    while True:
        port = _PORTS.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Return once *condition* holds; fail if it does not within *patience* seconds. A Redis error means: not yet."""
    deadline = time.monotonic() + patience
    while True:
        try:
            if condition():
                return
        except (redis.RedisError, OSError, LookupError):
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.002)


class Server:
    """A server on a port of 127.0.0.1 and on a Unix socket. It keeps nothing on disk: started again, it is empty."""

    def __init__(self, directory: Path, *options: str, password: str | None = None) -> None:
        self.directory = directory
        self.options = options
        self.password = password
        self.port = free_port()
        self.socket = directory / "s"
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL with the password it was started with."""
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    @property
    def unix_url(self) -> str:
        """The URL of its Unix socket."""
        return f"unix://{f':{self.password}@' if self.password else ''}{self.socket}"

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._popen is not None
        return self._popen.pid

    def start(self) -> None:
        """Start it, and return once it answers PING."""
        with (self.directory / "log").open("ab") as log:
            self._popen = subprocess.Popen(self._command(), stdout=log, stderr=subprocess.STDOUT, cwd=self.directory)
        until(self._answers, f"the server answers:\n{self.log()}")

    def _command(self) -> list[str]:
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket), "--daemonize", "no"]
        own += ["--save", "", "--appendonly", "no", "--dir", str(self.directory), "--enable-debug-command", "local"]
        own += ["--repl-diskless-sync-delay", "0"]
        own += ["--requirepass", self.password, "--masterauth", self.password] if self.password else []
        return [server_binary(), *own, *self.options]

    def _answers(self) -> bool:
        assert self._popen is not None
        if self._popen.poll() is not None:
            raise AssertionError(f"the server has ended with {self._popen.returncode}:\n{self.log()}")
        return bool(self.execute("PING"))

    def log(self) -> str:
        """Return what it printed."""
        return (self.directory / "log").read_text(errors="replace")

    def execute(self, *command: str | bytes | int | float) -> Any:
        """Return the bare reply to one command, run as an administrator on a connection of its own; blocks."""
        connection: Any = redis.Connection(  # type: ignore[no-untyped-call]  # redis-py has no types here
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=5,
            protocol=2,
        )
        try:
            connection.send_command(*command)
            return connection.read_response()
        finally:
            connection.disconnect()

    def info(self, section: str) -> dict[str, str]:
        """Return a section of INFO."""
        lines = self.execute("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def wait_until_it_follows(self) -> None:
        """Return once it is the replica of another and has what that one has."""
        until(lambda: self.info("replication")["master_link_status"] == "up", "the replica follows")

    def config(self, name: str, value: str) -> None:
        """CONFIG SET *name* to *value*."""
        self.execute("CONFIG", "SET", name, value)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash does."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()

    def freeze(self) -> None:
        """Stop it by SIGSTOP: it accepts connections, and answers nothing."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it if it runs, and start it on the same port; it is empty then."""
        self.kill()
        self.start()


@contextmanager
def redis_server(*options: str, password: str | None = None) -> Iterator[Server]:
    """Run a server with these *options* of its command line, and end it at the end."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = Server(Path(directory), *options, password=password)
        try:
            server.start()
            yield server
        finally:
            server.kill()
