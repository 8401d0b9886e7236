"""The example that scales: by one process, by two workers, and by two over a cluster, it makes one report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.servers.cluster import redis_cluster
from tests.servers.server import redis_server
from tests.transparency.servers import ROOT, Process, ask, free_port, process, until

CROWD = 12


@contextmanager
def scaled(environ: Mapping[str, str]) -> Iterator[Process]:
    """Run the example with *environ*."""
    port = free_port()
    command = [str(ROOT / "examples" / "scale_out.py")]
    with process(command, port, {"PORT": str(port), **environ}) as running:
        until(running.answers, "it answers")
        until(
            lambda: running.output().count("startup complete") >= int(environ.get("WORKERS", "1")), "all have started"
        )
        yield running


@contextmanager
def redis_url(kind: str) -> Iterator[str]:
    """Run what *kind* says, and give its URL."""
    if kind == "cluster":
        with redis_cluster() as cluster:
            yield "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes[:2])
    else:
        with redis_server() as server:
            yield server.url


def test_one_process_needs_no_redis() -> None:
    """A miss, a hit, and a purge that is local."""
    with scaled({}) as running:
        bodies = [ask(running.port, "/reports/daily").body for _ in range(2)]
        purged = json.loads(ask(running.port, "/orders", method="POST").body)

    assert bodies[0] == bodies[1]
    assert "local" == purged["purge"]


@pytest.mark.parametrize("kind", ["server", "cluster"])
def test_two_workers_make_one_report(kind: str) -> None:
    """Both answer, one made it; a purge reaches both."""
    with redis_url(kind) as url, scaled({"WORKERS": "2", "RESYNC_REDIS_URL": url, "RESYNC_REDIS_TIMEOUT": "2s"}) as at:
        until(lambda: _purge(at.port)["purge"] == "delivered", "purges are delivered")
        made = _made_by(at.port)
        until(lambda: len({_purge(at.port)["answered_by"] for _ in range(8)}) == 2, "both workers answer")
        # One that is partial may reach the other worker while that makes the report, which is then made once more.
        until(lambda: _purge(at.port)["purge"] == "delivered", "the last purge is delivered")
        again = _made_by(at.port)

    assert 1 == len(made)
    assert 1 == len(again)


def _purge(port: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(ask(port, "/orders", method="POST").body)
    return found


def _made_by(port: int) -> set[bytes]:
    """Return the bodies that many who ask at once are given."""
    with ThreadPoolExecutor(CROWD) as pool:
        return set(pool.map(lambda _: ask(port, "/reports/daily").body, range(CROWD)))
