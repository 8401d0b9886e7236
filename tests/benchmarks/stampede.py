"""How often an app is called when 200 ask at once for what nobody has: in one process, and in two that share a Redis.

    python -m tests.benchmarks.stampede SUBJECT

prints the calls of one subject in this process.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .subjects import CROWDED, Origin, Subject, by_name
from .worker import drop, requests, running

if TYPE_CHECKING:
    from .report import Row
    from .run import Bench

CROWD = 200
SECONDS = 0.05
"""How long the app takes over an answer."""


async def calls(subject: Subject) -> int:
    """Return how often the app is called for the crowd's one URL."""
    origin = Origin(1024, counted=True, delay=SECONDS)
    app = subject.make(origin)
    async with running(app):
        origin.calls = 0
        crowd = requests(subject.path, CROWD, iter(range(CROWD)))
        await asyncio.gather(*[app(scope, receive, drop) for scope, receive in crowd])
    return origin.calls


async def calls_in_two() -> int:
    """Return how often the app is called when half of the crowd is at each of two processes with one Redis."""
    import httpx2
    from tests.chaos.origin import Origin as SharedOrigin
    from tests.chaos.workers import CLIENT, Load, workers
    from tests.servers.server import redis_server

    with tempfile.TemporaryDirectory() as folder, redis_server() as server:
        # On a busy machine the default of 50 ms would be a test of that.
        environ = {"RESYNC_REDIS_URL": server.url, "RESYNC_REDIS_TIMEOUT": "5s"}
        with workers(Path(folder), environ) as found:
            origin = SharedOrigin(Path(folder))
            await Load(found, origin).until_delivered()
            async with httpx2.AsyncClient(**CLIENT, limits=httpx2.Limits(max_connections=CROWD)) as client:
                urls = [worker.url + "/page/cold" for worker in found for _ in range(CROWD // len(found))]
                answers = await asyncio.gather(*[client.get(url) for url in urls])
                assert {answer.status_code for answer in answers} == {200}
            return origin.calls("/page/cold")


def rows(bench: Bench) -> Iterator[Row]:
    """Yield a row for each subject in one process, and ours in two."""
    from .report import Bar, Row
    from .run import ROOT

    rounds = 3 if bench.plan.work == 1 else 1
    for subject in bench.present(CROWDED):
        bench.tell(f"a stampede on {subject.name.removesuffix(': hit')}")
        command = [str(bench.pythons[subject.peer]), "-m", "tests.benchmarks.stampede", subject.name]
        name = subject.name.removesuffix(": hit")
        bar = Bar(at_most=1) if subject.peer is None else None
        found = []
        for _ in range(rounds):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode:
                yield Row(subject=name, where="one process", note=(done.stderr.strip().splitlines() or ["?"])[-1][:200])
                break
            found.append(float(done.stdout))
        else:
            yield Row(subject=name, where="one process", values=found, bar=bar)
    bench.tell("a stampede on two processes")
    found = [float(asyncio.run(calls_in_two())) for _ in range(rounds)]
    yield Row(subject="asgi-resync", where="two processes with Redis", values=found, bar=Bar(at_most=1))


if __name__ == "__main__":
    print(asyncio.run(calls(by_name(sys.argv[1]))))
