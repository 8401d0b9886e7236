"""`status` and `purge` against a real console under uvicorn, and against what is none."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme
from tests.servers.proxy import redis_proxy
from tests.transparency.servers import Process, ask, free_port, serving
from tests.unit.states import health, state, told

from asgi_resync.cli import purge, status
from asgi_resync.testing import Reply, ScriptedApp, serve

TOKEN = "not-a-secret-of-yours"
BEARER = f"authorization: Bearer {TOKEN}"


@pytest.fixture(scope="module")
def running() -> Iterator[Process]:
    """Serve an app with a console."""
    with serving("uvicorn-h11", "tests.servers.console_app:app", {"RESYNC_CONSOLE_TOKEN": TOKEN}) as process:
        yield process


@pytest.fixture
def environ(running: Process) -> Mapping[str, str]:
    """Name the console, and the token."""
    return {"RESYNC_CONSOLE_URL": f"http://127.0.0.1:{running.port}/resync", "RESYNC_CONSOLE_TOKEN": TOKEN}


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program as one does, with no wish for colour but that of *environ*."""
    command = [sys.executable, "-m", "asgi_resync", *arguments]
    plain = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(command, env={**plain, **environ}, capture_output=True, text=True, check=False)


def test_an_app_that_is_up(running: Process, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """0, and what there is to see."""
    ask(running.port, "/plan/a")
    ask(running.port, "/plan/a")
    ended = status.main([], environ)
    printed = capsys.readouterr().out

    assert 0 == ended
    assert printed.startswith("up  asgi-resync ")
    assert "l1 1" in printed
    assert "database" in printed
    assert "tws" in printed


def test_as_json_it_is_what_the_console_says(environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """The graph too."""
    assert 0 == status.main(["--json"], environ)
    found = json.loads(capsys.readouterr().out)

    assert {"version", "process", "health", "recording", "graph"} == set(found)
    assert {"kind": "upstream", "name": "tws"} in found["graph"]["nodes"]


def test_what_is_forced_open_is_told_first(running: Process, environ: Mapping[str, str]) -> None:
    """As a program, in colour if that is forced; degraded is 0."""
    lines = (BEARER, "content-type: application/json")
    path = "/resync/api/breakers/tws"
    ask(running.port, path, method="POST", lines=lines, body=b'{"to": "forced-open"}')
    done = program("status", **environ, FORCE_COLOR="1")
    ask(running.port, path, method="POST", lines=lines, body=b'{"to": "released"}')

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("\x1b[33mdegraded\x1b[0m")
    assert "\x1b[31mforced-open\x1b[0m" in done.stdout
    assert "tws is out: " in done.stdout
    assert "routes /plan/{name}" in done.stdout


def test_a_purge_makes_the_app_be_asked_again(
    running: Process, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By tag, by URL, by upstream, and of everything."""
    url = f"http://testserver{'/plan/b'}"
    bodies = []
    for what in (["--tag", "plan"], ["--url", url], ["--upstream", "tws"], ["--everything", "--yes"]):
        bodies.append(ask(running.port, "/plan/b").body)
        assert bodies[-1] == ask(running.port, "/plan/b").body
        assert 0 == purge.main(what, environ)
    bodies.append(ask(running.port, "/plan/b").body)

    assert len(bodies) == len(set(bodies))
    assert 4 == capsys.readouterr().out.count("Purged in the process that answered; there is no Redis")


def test_a_purge_tells_programs_how_far_it_got(environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """As the console says it."""
    assert 0 == purge.main(["--tag", "plan", "--soft", "--json"], environ)
    assert {"state": "local", "confirmed": 0, "unconfirmed": 0} == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("what", "why"), [(["--upstream", "nobody"], "'nobody' is none of"), (["--url", "no url"], "Nothing was purged")]
)
def test_a_purge_that_is_refused_is_wrong(
    what: list[str], why: str, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """1, with what the console says."""
    assert 1 == purge.main(what, environ)
    printed = capsys.readouterr()

    assert "" == printed.out
    assert why in printed.err


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"RESYNC_CONSOLE_TOKEN": ""}, "asks for a token: set RESYNC_CONSOLE_TOKEN"),
        ({"RESYNC_CONSOLE_TOKEN": "another-token-than-this"}, "does not know this token"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_do(
    given: Mapping[str, str], why: str, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """3, and no token is shown."""
    assert 3 == status.main([], {**environ, **given})
    printed = capsys.readouterr().err

    assert why in printed
    assert "another-token" not in printed


def test_a_token_may_stand_in_a_file(environ: Mapping[str, str], tmp_path: Path) -> None:
    """No argument holds it, which others on the machine could read; it wins over the environment."""
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    given = {**environ, "RESYNC_CONSOLE_TOKEN": "another-token-than-this"}

    assert 0 == status.main(["--token-file", str(path)], given)


def test_the_config_file_may_say_where_the_console_is(environ: Mapping[str, str], tmp_path: Path) -> None:
    """With the names of the environment."""
    path = tmp_path / "resync.toml"
    path.write_text("\n".join(f'{name} = "{text}"' for name, text in environ.items()))

    assert 0 == status.main([], {"RESYNC_CONFIG_FILE": str(path)})


def test_settings_of_the_app_that_are_wrong_do_not_keep_one_from_asking(environ: Mapping[str, str]) -> None:
    """That is when one asks."""
    assert 0 == status.main([], {**environ, "RESYNC_CACHE_NUM_SHARDS": "none"})


@pytest.mark.parametrize("path", ["", "/resync/nowhere", "/plan"])
def test_another_path_is_no_console(
    path: str, running: Process, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """3, and where it may be."""
    assert 3 == status.main(["--console", f"http://127.0.0.1:{running.port}{path}"], environ)
    assert "is no console: give the path where the app mounts it" in capsys.readouterr().err


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """3, at once."""
    assert 3 == status.main(["--console", f"http://127.0.0.1:{free_port()}"], {})
    assert "refuses the connection: is it running, and is this its port?" in capsys.readouterr().err


def test_one_that_is_silent_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """As long as was said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert 3 == status.main(["--console", f"http://127.0.0.1:{port}", "--timeout", "0.1"], {})

    assert "does not answer within 0.1 s" in capsys.readouterr().err


def test_tls_is_not_taken_for_http(running: Process, capsys: pytest.CaptureFixture[str]) -> None:
    """The scheme is what is wrong."""
    assert 3 == status.main(["--console", f"https://127.0.0.1:{running.port}/resync"], {})
    assert "speaks no TLS that is understood" in capsys.readouterr().err


def test_a_certificate_is_checked(
    running: Process, environ: Mapping[str, str], authority: tuple[trustme.CA, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the system does not trust, SSL_CERT_FILE may; a token goes to nobody else."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority[0].issue_cert("127.0.0.1").configure_cert(context)
    with redis_proxy(running.port, context) as proxy:
        named = {**environ, "RESYNC_CONSOLE_URL": f"https://127.0.0.1:{proxy.port}/resync"}
        assert 3 == status.main([], named)
        trusted = program("status", **named, SSL_CERT_FILE=str(authority[1]))

    assert "has a certificate that is not trusted (" in capsys.readouterr().err
    assert (0, "") == (trusted.returncode, trusted.stderr)


JSON = ("content-type", "application/json")
PROBLEM = ("content-type", "application/problem+json")


@pytest.mark.parametrize(
    ("reply", "ends", "why"),
    [
        (Reply(status=200, headers=[JSON], body=told(state(health("down")))), 1, ""),
        (Reply(status=200, headers=[JSON], body=b"{}"), 3, "says what this version does not understand"),
        (Reply(status=200, headers=[("content-type", "text/html")], body=b"<p>"), 3, "is no console"),
        (Reply(status=302, headers=[("location", "http://elsewhere.example/")]), 3, "leads elsewhere (302)"),
        (
            Reply(status=403, headers=[PROBLEM], body=b'{"title": "No\\u001b[2J", "detail": 7}'),
            3,
            "does not let you in: No\\x1b[2J",
        ),
        (Reply(status=503, headers=[PROBLEM], body=b"[]"), 3, "answers 503, and no more"),
        (Reply(status=500, headers=[("content-type", "text/plain")], body=b"hunter2"), 3, "answers 500, and no more"),
    ],
    ids=["down", "empty", "page", "redirect", "forbidden", "bad-problem", "text"],
)
async def test_what_else_may_be_answered(reply: Reply, ends: int, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Down is 1; the rest is no answer, and of its text only problem details are shown."""
    async with serve(ScriptedApp(reply)) as server:
        ended = await asyncio.to_thread(status.main, ["--console", server.url], {"RESYNC_CONSOLE_TOKEN": TOKEN})
    printed = capsys.readouterr()

    assert ends == ended
    assert why in printed.err
    assert "hunter2" not in printed.err
    assert "\x1b" not in printed.err


async def test_loopback_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment names."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    async with serve(ScriptedApp(Reply(status=200, headers=[JSON], body=told(state())))) as server:
        assert 0 == await asyncio.to_thread(status.main, ["--console", server.url], {})
