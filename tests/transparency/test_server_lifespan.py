"""Start and stop under real servers: with lifespan and without, by apps that have one, have none, or refuse."""

from __future__ import annotations

import pytest
from tests.transparency.servers import COMMANDS, ask, free_port, process, serving, until
from tests.transparency.wrappings import WRAPPINGS

TARGET = "tests.transparency.served:app"
SERVERS = ["uvicorn-httptools", "uvicorn-on", "granian", "hypercorn"]


@pytest.mark.parametrize("wrapping", ["bare", "rule"])
@pytest.mark.parametrize("server", SERVERS)
def test_an_app_starts_before_it_serves_and_stops_after(server: str, wrapping: str) -> None:
    """The app is started once, serves with its state, and is stopped once; the server ends without an error."""
    with serving(server, TARGET, {"WRAPPING": wrapping}) as running:
        assert b"from start-up" in ask(running.port, "/notes").body
        assert b"JOB7" in ask(running.port, "/plan").body
        status = running.stop()
        output = running.output()

    assert (1, 1) == (output.count("app started"), output.count("app stopped"))
    assert "Traceback" not in output
    assert status in (0, -15)


@pytest.mark.parametrize("wrapping", list(WRAPPINGS))
@pytest.mark.parametrize("server", ["uvicorn-off", "granian-off"])
def test_an_app_serves_without_a_lifespan(server: str, wrapping: str) -> None:
    """Where the server plays no lifespan, nothing starts, and every request is answered all the same."""
    with serving(server, TARGET, {"WRAPPING": wrapping}) as running:
        answers = [ask(running.port, "/plan") for _ in range(3)]
        running.stop()
        output = running.output()

    assert [200] * 3 == [answer.status for answer in answers]
    assert 1 == len({answer.body for answer in answers})
    assert "app started" not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("wrapping", ["bare", "rule"])
@pytest.mark.parametrize("server", ["uvicorn-httptools", "granian", "hypercorn"])
def test_an_app_that_raises_on_the_lifespan_is_served(server: str, wrapping: str) -> None:
    """An app without a lifespan is served as it is without the wrapper."""
    with serving(server, TARGET, {"WRAPPING": wrapping, "SERVED": "no lifespan"}) as running:
        answers = [ask(running.port, "/plan") for _ in range(2)]
        running.stop()

    assert [200, 200] == [answer.status for answer in answers]


def test_an_app_that_raises_on_the_lifespan_is_served_where_one_is_demanded() -> None:
    """Wrapped, it also runs under `--lifespan on`: the wrapper starts and stops in its place."""
    with serving("uvicorn-on", TARGET, {"WRAPPING": "rule", "SERVED": "no lifespan"}) as running:
        answer = ask(running.port, "/plan")
        running.stop()
        output = running.output()

    assert 200 == answer.status
    assert "Application startup complete" in output
    assert "Application shutdown complete" in output


@pytest.mark.parametrize("wrapping", ["bare", "rule"])
@pytest.mark.parametrize("server", ["uvicorn-httptools", "hypercorn"])
def test_an_app_that_refuses_to_start_is_not_served(server: str, wrapping: str) -> None:
    """A failed start-up ends the server, with the app's reason in its log."""
    port = free_port()
    with process(COMMANDS[server](TARGET, port), port, {"WRAPPING": wrapping, "SERVED": "refusing"}) as running:
        until(lambda: running.popen.poll() is not None, "the server ends")

    assert running.popen.returncode != 0 or server == "hypercorn"
