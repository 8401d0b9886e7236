"""Several workers, and reloads, under real servers: what starts in a process stops in it, once, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.servers.server import Server
from tests.transparency.servers import COMMANDS, ROOT, Process, ask, free_port, process, until

SERVERS = ["uvicorn-httptools", "granian", "hypercorn"]
LEFT = ("Traceback", "Task was destroyed", "ResourceWarning", "never awaited")
"""What Python says in its development mode of what was left behind."""


def pids(running: Process, word: str) -> list[int]:
    """Return the processes that said *word*, in order."""
    lines = [line.split() for line in running.output().splitlines()]
    return [int(line[1]) for line in lines if len(line) == 2 and line[0] == word]


def left_behind(running: Process) -> list[str]:
    """Return the lines that tell of something left behind, but for the socket that the server itself listens on."""
    lines = [line for line in running.output().splitlines() if any(word in line for word in LEFT)]
    return [line for line in lines if f"{running.port})>" not in line and "Enable tracemalloc" not in line]


def clients(server: Server) -> int:
    """Return how many connections Redis has, but the one that asks."""
    return int(server.info("clients")["connected_clients"]) - 1


def environ(server: Server, *paths: Path) -> dict[str, str]:
    """Return the environment of a server whose apps are found in *paths* too."""
    every = [*map(str, paths), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONDEVMODE": "1", "PYTHONPATH": os.pathsep.join(every), "RESYNC_REDIS_URL": server.url}


@pytest.mark.parametrize("name", SERVERS)
def test_each_worker_starts_and_stops_once(name: str, own_server: Server) -> None:
    """And shares the cache with the others; when all are gone, no connection to Redis is left."""
    port = free_port()
    command = [*COMMANDS[name]("tests.servers.workers_app:app", port), "--workers", "2"]
    with process(command, port, environ(own_server)) as running:
        until(lambda: len(pids(running, "start")) == 2, "both have started")
        until(running.answers, "somebody answers")
        until(lambda: ask(port, "/page").status == 200, "the page is there")
        until(lambda: clients(own_server) >= 2, "both are connected")
        running.stop()
        started, stopped = pids(running, "start"), pids(running, "stop")
        left = left_behind(running)

    assert len(set(started)) == 2
    if name == "hypercorn":
        # Its parent ends by SIGTERM, which its workers leave as it is, whoever has not stopped when the first has.
        assert set(stopped) <= set(started)
        assert 1 <= len(stopped) == len(set(stopped))
    else:
        assert sorted(started) == sorted(stopped)
    assert [] == left
    assert 0 == clients(own_server)


@pytest.mark.parametrize("name", SERVERS)
def test_a_reload_stops_the_old_before_the_new_starts(name: str, own_server: Server, tmp_path: Path) -> None:
    """A file that is touched has the server begin anew, as while one writes the app."""
    path = tmp_path / "reloaded.py"
    path.write_text("from tests.servers.workers_app import app as app\n")
    port = free_port()
    watching = {"uvicorn-httptools": ["--reload-dir", str(tmp_path)], "granian": ["--reload-paths", str(tmp_path)]}
    command = [*COMMANDS[name]("reloaded:app", port), "--reload", *watching.get(name, [])]
    with process(command, port, environ(own_server, tmp_path)) as running:
        until(lambda: pids(running, "start"), "it has started")
        until(running.answers, "it answers")
        path.write_text(path.read_text() + "\n")
        until(lambda: len(pids(running, "start")) == 2, "it has started again")
        until(lambda: _is_there(port), "it answers again")
        running.stop()
        words = [line for line in running.output().splitlines() if line.startswith(("start ", "stop "))]
        left = left_behind(running)

    assert 4 == len(words)
    assert words[::2] == [line.replace("stop", "start") for line in words[1::2]]
    assert [] == left
    assert 0 == clients(own_server)


def _is_there(port: int) -> bool:
    try:
        return ask(port, "/page").status == 200
    except (OSError, IndexError):
        return False
