"""A Resync's life under real servers, with real signals: the start without Redis, the stop under load, no lifespan."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.servers.lifecycle_app import BODY
from tests.servers.server import Server
from tests.transparency.servers import (
    COMMANDS,
    PATIENCE,
    ROOT,
    Answer,
    ask,
    connect,
    free_port,
    parse,
    process,
    read_all,
    request,
    serving,
    until,
)

TARGET = "tests.servers.lifecycle_app:app"
SERVERS = ["uvicorn-httptools", "granian", "hypercorn"]
CROWD = 12


def health(port: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(ask(port, "/healthz").body)
    return found


def l2(port: int) -> object:
    cache = health(port)["cache"]
    assert isinstance(cache, dict)
    return cache["l2"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_start_without_redis_serves_at_once_and_joins_when_it_comes(server: str, own_server: Server) -> None:
    """The app is degraded and ready without it, and needs no restart."""
    own_server.kill()
    with serving(server, TARGET, {"RESYNC_REDIS_URL": own_server.url}) as running:
        assert b"plan" == ask(running.port, "/plan").body
        assert ("degraded", True, "down") == (*_standing(running.port), l2(running.port))
        assert 200 == ask(running.port, "/readyz").status
        own_server.start()
        until(lambda: l2(running.port) == "up", "Redis has joined")
        assert ("up", True) == _standing(running.port)
        running.stop()
        output = running.output()

    assert "Traceback" not in output
    assert ["stop graph", "stop database"] == [line for line in output.splitlines() if line.startswith("stop")]


def _standing(port: int) -> tuple[object, object]:
    found = health(port)
    return found["status"], found["ready"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_stop_under_load_cuts_no_request_and_stops_in_order(server: str) -> None:
    """What is under way when SIGTERM comes is answered whole, then the resources are stopped, within the deadline."""
    with serving(server, TARGET) as running, ThreadPoolExecutor(CROWD) as crowd:
        answers = [crowd.submit(ask, running.port, f"/slow?n={number}") for number in range(CROWD)]
        until(lambda: running.output().count("begin") == CROWD, "all are under way")
        began = time.monotonic()
        status = running.stop()
        took = time.monotonic() - began
        found: list[Answer] = [answer.result(PATIENCE) for answer in answers]
        output = running.output()

    assert [(200, BODY.encode())] * CROWD == [(answer.status, answer.body) for answer in found]
    lines = output.splitlines()
    assert ["stop graph", "stop database"] == [line for line in lines if line.startswith("stop")]
    assert lines.index("stop graph") > max(index for index, line in enumerate(lines) if line.startswith("end"))
    assert took < 10
    assert status in (0, -signal.SIGTERM)


@pytest.mark.parametrize("server", SERVERS)
def test_whoever_comes_during_a_stop_gets_a_whole_answer_or_none(server: str) -> None:
    """New connections keep coming when SIGTERM does: whatever the app has begun is answered whole, nothing in part.

    hypercorn may close a connection whose request it has only just handed on: then the answer does not come at all.
    """
    answers: dict[int, bytes] = {}
    is_over = threading.Event()

    def come(first: int) -> None:
        for number in range(first, first + 10_000):
            if is_over.is_set():
                return
            try:
                with connect(running.port) as connection:
                    connection.sendall(request(f"/quick?n={number}"))
                    answers[number] = read_all(connection)
            except OSError:  # nobody listens any more
                time.sleep(0.005)

    with serving(server, TARGET) as running, ThreadPoolExecutor(CROWD) as crowd:
        crowding = [crowd.submit(come, 10_000 * (number + 1)) for number in range(CROWD)]
        try:
            until(lambda: len(answers) > 5 * CROWD, "the load is there")
            running.stop()
        finally:
            is_over.set()
        for each in crowding:
            each.result(PATIENCE)
        output = running.output()

    lines = output.splitlines()
    begun = {int(line.split()[1]) for line in lines if line.startswith("begin")}
    whole = {number for number, raw in answers.items() if raw and parse(raw).body == BODY.encode()}
    assert begun == whole or (server == "hypercorn" and whole < begun and len(begun - whole) <= CROWD)
    assert whole == {number for number, raw in answers.items() if raw}
    assert ["stop graph", "stop database"] == [line for line in lines if line.startswith("stop")]
    assert lines.index("stop graph") > max(index for index, line in enumerate(lines) if line.startswith("end"))


@pytest.mark.parametrize("server", ["uvicorn-off", "granian-off"])
def test_without_a_lifespan_the_first_request_starts_them(server: str) -> None:
    """Nothing starts before; a probe alone starts them too, and says when they are up."""
    with serving(server, TARGET) as running:
        assert "start" not in running.output()
        until(lambda: ask(running.port, "/readyz").status == 200, "the resources are up")
        assert b"plan" == ask(running.port, "/plan").body
        # At SIGTERM uvicorn ends before its loop does; after SIGINT its loop ends in order.
        running.popen.send_signal(signal.SIGINT)
        running.popen.wait(PATIENCE)
        output = running.output()

    assert 1 == output.count("start database")
    assert output.index("start database") < output.index("start graph")
    if server == "uvicorn-off":
        # The end of the loop stops what nobody else does.
        assert ["stop graph", "stop database"] == [line for line in output.splitlines() if line.startswith("stop")]


@pytest.mark.parametrize("server", SERVERS)
def test_a_start_that_fails_is_told_and_nothing_is_served(server: str) -> None:
    """The server ends by itself, and its log has the one error."""
    port = free_port()
    with process(COMMANDS[server](TARGET, port), port, {"CRITICAL_FAILS": "1"}) as running:
        until(lambda: "did not start" in running.output(), "the failure is told")
        if server != "granian":  # which starts a new worker for one that failed
            until(lambda: running.popen.poll() is not None, "the server ends")
            assert running.popen.returncode != 0 or server == "hypercorn"
        output = running.output()

    assert "'database' did not start" in output
    assert "the database refuses" in output
    assert "start graph" not in output


FORKED = """
import asyncio, os
from tests.servers.lifecycle_app import app, resync
from asgi_resync.testing import request

async def live():
    async with resync.lifespan():
        answer = await request(app, path="/plan")
        assert answer.body == b"plan" and resync.resources.is_whole

def child():
    asyncio.run(live())
    os._exit(0)

if START_FIRST:
    asyncio.run(live())
pids = []
for _ in range(2):
    if (pid := os.fork()) == 0:
        child()
    pids.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("started", [False, True])
def test_what_was_made_before_a_fork_lives_in_each_process(started: bool) -> None:
    """As under a server that loads the app, and forks its workers; also where it was in use before."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", f"START_FIRST = {started}\n{FORKED}"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    times = 3 if started else 2
    assert [times] * 4 == [
        done.stdout.count(f"{act} {what}") for act in ("start", "stop") for what in ("database", "graph")
    ]
