"""`python -m asgi_resync demo` shows what README says it shows."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.transparency.servers import Process, ask, free_port, process, until

from asgi_resync import demo
from asgi_resync.demo import JOBS, Job, Scheduler

STORED = b"resync; fwd=uri-miss; stored"


@pytest.fixture
def served() -> Iterator[Process]:
    """Run the demo with a scheduler that takes a tenth of a second."""
    port = free_port()
    with process(["asgi_resync", "demo", "--port", str(port), "--latency", "0.1"], port) as running:
        until(running.answers, "the demo answers")
        yield running


def test_twice_is_a_miss_and_a_hit(served: Process) -> None:
    """The first answer waits for the scheduler; the second has its body and ETag, an Age, and says that it is a hit."""
    began = time.monotonic()
    miss = ask(served.port, "/plan/current")
    between = time.monotonic()
    hit = ask(served.port, "/plan/current")

    assert between - began >= 0.1
    assert (200, 200) == (miss.status, hit.status)
    assert [STORED] == miss.values("cache-status")
    assert re.fullmatch(rb"resync; hit; ttl=(9|10); detail=l1", hit.values("cache-status")[0])
    assert hit.values("age") in ([b"0"], [b"1"])
    assert miss.values("etag") == hit.values("etag") != []
    assert miss.body == hit.body
    assert len(JOBS) == len(json.loads(hit.body)["jobs"])


def test_the_etag_gives_304(served: Process) -> None:
    """With the ETag of the last answer there is nothing to send."""
    etag = ask(served.port, "/plan/current").values("etag")[0].decode()
    answer = ask(served.port, "/plan/current", lines=(f"if-none-match: {etag}",))

    assert (304, b"") == (answer.status, answer.rest)


def test_a_rerun_purges_the_plan(served: Process) -> None:
    """After POST /plan/rerun the scheduler is asked again."""
    first = ask(served.port, "/plan/current")
    assert 200 == ask(served.port, "/plan/rerun", method="POST").status
    again = ask(served.port, "/plan/current")

    assert [STORED] == again.values("cache-status")
    assert [1, 2] == [json.loads(answer.body)["call"] for answer in (first, again)]


def test_a_stopped_scheduler_is_an_error_only_for_what_is_not_stored(served: Process) -> None:
    """What is fresh goes on being served; with nothing stored there is an honest 503, until the scheduler is back."""
    ask(served.port, "/plan/current")
    ask(served.port, "/scheduler/stop", method="POST")
    stored = ask(served.port, "/plan/current")
    ask(served.port, "/plan/rerun", method="POST")
    nothing = ask(served.port, "/plan/current")
    ask(served.port, "/scheduler/start", method="POST")
    back = ask(served.port, "/plan/current")

    assert [200, 503, 200] == [stored.status, nothing.status, back.status]
    assert b"hit" in stored.values("cache-status")[0]


def test_the_page_needs_nothing_from_elsewhere(served: Process) -> None:
    """The page is HTML, asks for the plan by itself, knows dark and light, and loads nothing from another host."""
    answer = ask(served.port, "/")
    text = answer.body.decode()

    assert [b"text/html; charset=utf-8"] == answer.values("content-type")
    assert 'fetch("/plan/current"' in text
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"""(?:src|href|url|import)\s*[=(]\s*["']?(?:https?:)?//""", text)


def test_what_it_prints_can_be_tried(served: Process) -> None:
    """It prints commands with its own address; each URL among them is answered."""
    until(lambda: "Ctrl-C" in served.output(), "the guide is printed")
    urls = set(re.findall(rf"http://127\.0\.0\.1:{served.port}(/[^\s;]*)", served.output()))

    assert {"/", "/plan/current", "/plan/rerun", "/scheduler/stop", "/scheduler/start"} == urls
    for path in ("/", "/plan/current"):
        assert 200 == ask(served.port, path).status


def test_an_interrupt_ends_it_quietly(served: Process) -> None:
    """Ctrl-C ends the demo with status 0 and without a traceback."""
    served.popen.send_signal(signal.SIGINT)

    assert 0 == served.popen.wait(20)
    assert "Traceback" not in served.output()


def run(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    port = free_port()
    with process(["asgi_resync", "demo", *arguments], port, environ) as running:
        status = running.popen.wait(20)
        return subprocess.CompletedProcess(arguments, status, stdout=running.output())


def test_a_port_in_use_is_one_clear_line() -> None:
    """If the port is taken it says so, says how to choose another, and ends with 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--port", str(port))

    assert 2 == ended.returncode
    assert 1 == len(ended.stdout.splitlines())
    assert f"127.0.0.1:{port}" in ended.stdout
    assert re.search(r"python -m asgi_resync demo --port \d+", ended.stdout)


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--port", "x"), ("--latency", "-1"), ("--latency", "nan")])
def test_an_argument_that_cannot_be_used_is_named(arguments: tuple[str, str]) -> None:
    """A wrong port or duration is named with what would be right, and ends with 2."""
    ended = run(*arguments)

    assert 2 == ended.returncode
    assert repr(arguments[1]) in ended.stdout
    assert "give" in ended.stdout


def test_a_setting_that_cannot_be_used_is_named() -> None:
    """The demo reads RESYNC_*; a value that cannot be used is named, and ends with 2."""
    ended = run(environ={"RESYNC_CACHE_NUM_SHARDS": "many"})

    assert 2 == ended.returncode
    assert "RESYNC_CACHE_NUM_SHARDS" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_a_missing_uvicorn_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without uvicorn it says what to install, and ends with 2."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status = demo.main(["--port", "0"])
    printed = capsys.readouterr().err

    assert 2 == status
    assert "The demo needs uvicorn: pip install 'asgi-resync[demo]'\n" == printed


async def test_jobs_go_from_ready_over_exec_to_succ() -> None:
    """The plan moves with time, and a rerun begins it again."""
    now = [0.0]
    scheduler = Scheduler(latency=0, clock=lambda: now[0])
    job = Job(name="A", workstation="B", begins=5, lasts=10)
    seen = []
    for now[0] in (0.0, 1000.0):
        plan = await scheduler.plan()
        assert isinstance(plan["jobs"], list)
        seen.append({entry["status"] for entry in plan["jobs"]})
    scheduler.rerun()

    assert ["READY", "EXEC", "EXEC", "SUCC"] == [job.status(elapsed) for elapsed in (4.9, 5.0, 14.9, 15.0)]
    assert [{"READY", "EXEC"}, {"SUCC"}] == seen
    assert 0 == (await scheduler.plan())["second"]
