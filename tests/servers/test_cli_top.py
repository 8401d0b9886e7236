"""`top` and the question of `purge` on a real terminal, with a real console."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
from tests.servers.terminal import Terminal, on_a_terminal
from tests.transparency.servers import Process, ask, free_port, process, serving, until

from asgi_resync.cli import top
from asgi_resync.cli.look import cells
from asgi_resync.cli.screen import ENTER, HOME, LEAVE

if sys.platform == "win32":
    pytest.skip("terminals of this kind are not there", allow_module_level=True)

TOKEN = "not-a-secret-of-yours"
TARGET = "tests.servers.console_app:app"
BELOW = "\x1b[J"


@pytest.fixture(scope="module")
def running() -> Iterator[Process]:
    """Serve an app with a console."""
    with serving("uvicorn-h11", TARGET, {"RESYNC_CONSOLE_TOKEN": TOKEN}) as process:
        yield process


@pytest.fixture
def environ(running: Process) -> Mapping[str, str]:
    """Name the console, and the token."""
    return named(running.port)


def named(port: int) -> Mapping[str, str]:
    return {"RESYNC_CONSOLE_URL": f"http://127.0.0.1:{port}/resync", "RESYNC_CONSOLE_TOKEN": TOKEN}


def last_picture(terminal: Terminal) -> list[str]:
    """Return the lines of the last picture that was drawn whole, without tones."""
    whole = terminal.text.rpartition(BELOW)[0].rpartition(HOME)[2]
    return [re.sub(r"\x1b\[[0-9;]*[mK]", "", line.strip("\r")) for line in whole.split("\n")]


@pytest.mark.parametrize("end", ["q", "ctrl-c", "term", "hangup"])
def test_the_terminal_is_left_as_it_was(end: str, environ: Mapping[str, str]) -> None:
    """By `q`, Ctrl-C and signals: the other screen is gone, the cursor is back, and lines are edited again."""
    with on_a_terminal("asgi_resync", "top", environ=environ) as terminal:
        before = terminal.modes()
        terminal.wait_for("q ends")
        assert before != terminal.modes()
        if end == "q":
            terminal.press(b"x\x1b[A")  # what means nothing does nothing
            terminal.press(b"q")
        elif end == "ctrl-c":
            terminal.press(b"\x03")
        else:
            terminal.popen.send_signal(signal.SIGTERM if end == "term" else signal.SIGHUP)
        status = terminal.ended()

        assert {"q": 0, "ctrl-c": 130, "term": 143, "hangup": 129}[end] == status
        assert before == terminal.modes()
    assert terminal.text.startswith(ENTER)
    assert terminal.text.endswith(LEAVE)
    assert "Traceback" not in terminal.text


def test_it_lives(running: Process, environ: Mapping[str, str]) -> None:
    """What changes in the app is seen, and another size of the terminal is drawn for at once; Ctrl-Z gives it back."""
    with on_a_terminal("asgi_resync", "top", environ=environ) as terminal:
        seen = terminal.wait_for("q ends")
        ask(
            running.port,
            "/resync/api/breakers/tws",
            method="POST",
            lines=(f"authorization: Bearer {TOKEN}", "content-type: application/json"),
            body=b'{"to": "metrics-only"}',
        )
        seen = terminal.wait_for("\x1b[33mmetrics-only\x1b[0m", seen)
        terminal.resize(30, 12)
        seen = terminal.wait_for("q ends", terminal.wait_for("\x1b[2m…", seen))
        seen = terminal.wait_for(BELOW, seen)
        lines = last_picture(terminal)
        assert 12 == len(lines)
        assert all(cells(line) <= 30 for line in lines)
        terminal.press(b"\x1a")
        seen = terminal.wait_for(ENTER, terminal.wait_for(LEAVE, seen))
        terminal.wait_for("q ends", seen)
        terminal.press(b"q")

        assert 0 == terminal.ended()


def test_an_app_that_goes_away_and_comes_back() -> None:
    """What was known stays there, with the reason why there is nothing newer."""
    port = free_port()
    command = ["uvicorn", TARGET, "--port", str(port)]
    with process(command, port, {"RESYNC_CONSOLE_TOKEN": TOKEN}) as first:
        until(first.answers, "it answers")
        with on_a_terminal("asgi_resync", "top", environ=named(port)) as terminal:
            seen = terminal.wait_for("q ends")
            first.popen.kill()
            first.popen.wait()
            seen = terminal.wait_for("trying again: ", seen)
            assert "database" in terminal.text[terminal.text.rindex(HOME) :]
            with process(command, port, {"RESYNC_CONSOLE_TOKEN": TOKEN}):
                terminal.wait_for("\x1b[2mq ends", seen)
                terminal.press(b"q")

                assert 0 == terminal.ended()


def test_without_a_terminal_there_are_lines(environ: Mapping[str, str]) -> None:
    """One each second, until the reader goes away."""
    command = [sys.executable, "-m", "asgi_resync", "top"]
    with subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(2)]
        running.stdout.close()

        assert 141 == running.wait(20)
    assert all(re.match(r"\d\d:\d\d:\d\d  (up|degraded)  hit ratio ", line) for line in lines)


def test_programs_get_a_line_of_json_each_second(environ: Mapping[str, str]) -> None:
    """And Ctrl-C ends it without a traceback."""
    command = [sys.executable, "-m", "asgi_resync", "top", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **environ}, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        found = json.loads(running.stdout.readline())
        running.send_signal(signal.SIGINT)

        assert (130, "") == (running.wait(20), running.stderr.read())
    assert "health" in found


def test_once_is_one_picture(environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """On the screen that there is, without control characters; or one object."""
    assert 0 == top.main(["--once"], environ)
    printed = capsys.readouterr().out
    assert 0 == top.main(["--once", "--json"], environ)

    assert "database" in printed
    assert "q ends" not in printed
    assert "\x1b" not in printed
    assert "health" in json.loads(capsys.readouterr().out)


def test_a_console_that_is_not_there_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """3, and the terminal is not touched."""
    assert 3 == top.main([], named(free_port()))
    assert "refuses the connection" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "status", "said"), [(b"y\r", 0, "Purged in"), (b"\r", 1, "Nothing was purged.")])
def test_on_a_terminal_everything_is_purged_after_a_yes(
    answer: bytes, status: int, said: str, environ: Mapping[str, str]
) -> None:
    """The question names the app; whatever is no yes is a no."""
    with on_a_terminal("asgi_resync", "purge", "--everything", environ=environ) as terminal:
        terminal.wait_for(f"Purge everything that the app at {environ['RESYNC_CONSOLE_URL']} has stored? [y/N] ")
        terminal.press(answer)

        assert status == terminal.ended()
    assert said in terminal.text
