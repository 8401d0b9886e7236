"""A primary with a replica, and the sentinel that watches them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.server import Server, redis_server, until

SERVICE = "resync"


class Sentinel(Server):
    """A server that watches others instead of keeping data."""

    def _command(self) -> list[str]:
        binary, *rest = super()._command()
        path = self.directory / "sentinel.conf"
        if not path.exists():
            path.write_text("")
        drop = ("--save", "--appendonly", "--repl-diskless-sync-delay")
        pairs = zip(rest[::2], rest[1::2], strict=True)
        return [binary, str(path), *[word for pair in pairs if pair[0] not in drop for word in pair], "--sentinel"]


@dataclass(frozen=True, slots=True)
class Watched:
    """The sentinel and what it watches."""

    sentinel: Server
    primary: Server
    replica: Server

    @property
    def url(self) -> str:
        """The URL that names the sentinel and the service."""
        password = f":{self.primary.password}@" if self.primary.password else ""
        return f"redis+sentinel://{password}127.0.0.1:{self.sentinel.port}/{SERVICE}/0"

    def primary_port(self) -> int:
        """Return the port of the server that the sentinel takes for the primary."""
        found = self.sentinel.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(found[1])

    def failover(self) -> None:
        """Let the sentinel make the replica the primary, and return once both are what they are to be."""
        until(lambda: self.sentinel.execute("SENTINEL", "FAILOVER", SERVICE), "the sentinel finds the replica good")
        until(lambda: self.primary_port() == self.replica.port, "the sentinel names the replica")
        until(lambda: self.replica.info("replication")["role"] == "master", "the replica is primary")
        # The sentinel does this too, but takes ten seconds to look; and it would close the connections of clients.
        self.primary.execute("REPLICAOF", "127.0.0.1", self.replica.port)


@contextmanager
def redis_sentinel(password: str | None = None) -> Iterator[Watched]:
    """Run a primary, a replica and a sentinel that fails over after a silence of 0.3 s."""
    with (
        redis_server(password=password) as primary,
        redis_server("--replicaof", f"127.0.0.1 {primary.port}", password=password) as replica,
        tempfile.TemporaryDirectory(prefix="redis-") as directory,
    ):
        replica.wait_until_it_follows()
        sentinel = Sentinel(Path(directory))
        try:
            sentinel.start()
            sentinel.execute("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", primary.port, 1)
            for name, value in [("down-after-milliseconds", 300), ("failover-timeout", 2000)]:
                sentinel.execute("SENTINEL", "SET", SERVICE, name, value)
            if password:
                sentinel.execute("SENTINEL", "SET", SERVICE, "auth-pass", password)
            until(lambda: "slaves=1" in sentinel.info("sentinel")["master0"], "it knows the replica")
            yield Watched(sentinel, primary, replica)
        finally:
            sentinel.kill()
