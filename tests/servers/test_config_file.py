"""The config file of an app under real servers: a change, a bad one, SIGHUP, and a start without lifespan."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.transparency.servers import ask, serving, until

TARGET = "tests.servers.lifecycle_app:app"


def name(port: int) -> str:
    """Return what the cache of the app calls itself."""
    (status,) = ask(port, "/plan").values("cache-status")
    return status.decode().partition(";")[0]


@pytest.mark.parametrize("server", ["uvicorn-httptools", "granian", "hypercorn", "uvicorn-off"])
def test_a_change_of_the_file_is_in_force_without_a_restart(server: str, tmp_path: Path) -> None:
    """A bad one between changes nothing, and the log says why."""
    path = tmp_path / "resync.toml"
    path.write_text("cache_name = 'one'")
    with serving(server, TARGET, {"RESYNC_CONFIG_FILE": str(path)}) as running:
        assert "one" == name(running.port)
        path.write_text("cache_name = 'two'")
        until(lambda: name(running.port) == "two", "the change is in force")
        path.write_text("cache_name = 'not a token'")
        until(lambda: "the last good ones stay in force" in running.output(), "the log tells of it")
        assert "two" == name(running.port)
        beside = tmp_path / ".resync.toml.swp"
        beside.write_text("cache_name = 'three'")
        beside.replace(path)
        until(lambda: name(running.port) == "three", "the file that was renamed into its place is in force")
        running.stop()
        assert "Traceback" not in running.output()


def test_a_hangup_has_the_file_read_and_does_not_end_the_server(tmp_path: Path) -> None:
    """Without the setting the signal would end it, as it ends any process."""
    path = tmp_path / "resync.toml"
    path.write_text("cache_name = 'one'")
    environ = {"RESYNC_CONFIG_FILE": str(path), "RESYNC_RELOAD_ON_SIGHUP": "true"}
    with serving("uvicorn-httptools", TARGET, environ) as running:
        assert "one" == name(running.port)
        path.write_text("cache_name = 'two'")
        os.kill(running.popen.pid, signal.SIGHUP)
        until(lambda: name(running.port) == "two", "the change is in force")
        running.stop()
