"""`python -m asgi_resync demo` shows what README says it shows."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.transparency.servers import PATIENCE, Answer, Process, ask, free_port, process, until

from asgi_resync import demo
from asgi_resync.cli import purge, status
from asgi_resync.demo.scheduler import JOBS, Scheduler, plan_at

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


def test_its_console_is_there(served: Process, capsys: pytest.CaptureFixture[str]) -> None:
    """For whoever is on this machine; `purge` makes the scheduler be asked again."""
    ask(served.port, "/plan/current")
    console = ["--console", f"http://127.0.0.1:{served.port}/resync"]
    assert 0 == status.main(console, {})
    assert 0 == purge.main(["--tag", "plan", *console], {})
    printed = capsys.readouterr().out

    assert "misses 1" in printed
    assert "scheduler" in printed
    assert [STORED] == ask(served.port, "/plan/current").values("cache-status")


def test_a_frozen_scheduler_goes_on_where_it_stood(served: Process) -> None:
    """By the buttons of the page; what is fresh is served meanwhile."""
    ask(served.port, "/plan/current")
    frozen = ask(served.port, "/scheduler/stop", method="POST")
    stored = ask(served.port, "/plan/current")
    ask(served.port, "/scheduler/start", method="POST")
    back = ask(served.port, "/jobs/EXTRACT-ORDERS/log")

    assert b'{"scheduler":"frozen"}' == frozen.body
    assert [200, 200] == [stored.status, back.status]
    assert b"hit" in stored.values("cache-status")[0]


def test_a_job_that_is_not_there_is_404(served: Process) -> None:
    """What the scheduler refuses is no outage, and none of its text is told."""
    answer = ask(served.port, "/jobs/NOBODY/log")

    assert (404, b'{"title":"The scheduler refuses"}') == (answer.status, answer.body)


@dataclass(frozen=True, slots=True)
class Step:
    """A line of README's console: a command, and what it shows."""

    command: str
    shown: list[str]

    def shows(self, answer: Answer) -> bool:
        """Return whether all that README shows of it is in *answer*; numbers may differ."""
        status, *lines = self.shown
        said = [_unnumbered(f"{name.decode()}: {value.decode()}") for name, value in answer.lines]
        text = answer.body.decode()
        found = [_unnumbered(line) in said or text.startswith(line.removesuffix(" …")) for line in lines]
        return int(status.split()[1]) == answer.status and all(found)


def _unnumbered(line: str) -> str:
    return re.sub(r"-?\d+", "N", line)


def steps() -> list[Step]:
    """Return what README tells of the outage."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- outage -->\n```console\n(.*?)```", readme, flags=re.DOTALL)
    assert block is not None
    parts = [part.splitlines() for part in block[1].split("$ ")[1:]]
    return [Step(command, [line for line in lines if line]) for command, *lines in parts]


def test_the_outage_that_readme_shows() -> None:
    """In its order, with shorter times: stale within its window, what stands in, 503; and well again once it goes on.

    At no time is there an error of the scheduler's, and all answers but a probe's come at once.
    """
    port, stale, reset = free_port(), 2.5, 1.0
    environ = {
        "RESYNC_UPSTREAM_SCHEDULER_RESET_TIMEOUT": f"{reset}s",
        "RESYNC_UPSTREAM_SCHEDULER_READ_TIMEOUT": "1s",
    }
    command = ["asgi_resync", "demo", "--port", str(port), "--latency", "0", "--ttl", "0.5", "--stale", str(stale)]
    with process(command, port, environ) as running:
        until(lambda: "Ctrl-C" in running.output(), "the guide is printed")
        found = re.search(r"The scheduler is process (\d+)\.", running.output())
        assert found is not None
        scheduler, reached, statuses = int(found[1]), [], set()
        assert 200 == ask(port, "/plan/current").status
        stored = time.monotonic()
        for step in steps():
            if sent := re.search(r"kill -(STOP|CONT)", step.command):
                os.kill(scheduler, getattr(signal, f"SIG{sent[1]}"))
            path = re.search(r"http://127\.0\.0\.1:8000(\S+)", step.command)
            assert path is not None

            def is_shown(step: Step = step, target: str = path[1]) -> bool:
                answer = ask(port, target)
                statuses.add(answer.status)
                return step.shows(answer)

            until(is_shown, f"{step.command} shows {step.shown}")
            reached.append(time.monotonic() - stored)

    assert 4 == len(reached)
    assert reached[0] < stale < reached[1]
    assert {200, 503} == statuses
    # The reset time, and the patience of a probe that was out when it went on.
    assert reached[3] - reached[2] < reset + 1 + PATIENCE / 10


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

    assert {"/", "/resync/", "/plan/current", "/plan/rerun", "/jobs/PAYROLL-CALC/log"} == urls
    for path in ("/", "/plan/current", "/jobs/EXTRACT-ORDERS/log"):
        assert 200 == ask(served.port, path).status


def test_as_json_it_says_what_is_where() -> None:
    """By its first line, once it listens: a program waits for no more than that."""
    port = free_port()
    with process(["asgi_resync", "demo", "--json", "--port", str(port), "--latency", "0"], port) as running:
        until(lambda: "\n" in running.output(), "a line is printed")
        told = json.loads(running.output().partition("\n")[0])
        answer = ask(port, "/plan/current")
        of_scheduler = ask(urlsplit(told["scheduler"]["url"]).port or 0, "/")
        os.kill(told["scheduler"]["pid"], 0)

    assert (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/resync/") == (told["url"], told["console"])
    assert 200 == answer.status
    assert of_scheduler.status


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


@pytest.mark.parametrize(
    "arguments", [("--port", "70000"), ("--port", "x"), ("--latency", "-1"), ("--latency", "nan"), ("--stale", "x")]
)
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


def test_the_scheduler_ends_with_the_demo_even_if_it_is_frozen() -> None:
    """No process is left behind."""
    with Scheduler(latency=0) as scheduler:
        scheduler.freeze()

    with pytest.raises(ProcessLookupError):
        os.kill(scheduler.pid, 0)


def test_jobs_go_from_ready_over_exec_to_succ() -> None:
    """The plan moves with time."""
    plan = plan_at(1000)
    seen = [{job.state(now) for job in plan.jobs} for now in (1000, 2000)]

    assert [{"READY", "EXEC"}, {"SUCC"}] == seen
