"""Each example runs as its header says, and shows what it promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.transparency.servers import ROOT, Answer, ask, free_port, process, until

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGE = 66
"""Lines on a sheet of paper."""


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[str], int]]:
    """Give a function that starts an example by name, once, and returns its port."""
    ports: dict[str, int] = {}
    with ExitStack() as stack:

        def start(name: str) -> int:
            if name not in ports:
                port = free_port()
                command = [str(ROOT / "examples" / name)]
                running = stack.enter_context(process(command, port, {"PORT": str(port)}))
                until(running.answers, f"{name} answers")
                ports[name] = port
            return ports[name]

        yield start


def cache_status(answer: Answer) -> bytes:
    """Return the Cache-Status of *answer*, or nothing."""
    return b", ".join(answer.values("cache-status"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.name))
def test_an_example_is_short_and_says_how_to_run_it(path: Path) -> None:
    """It fits on a page, and its header has the command that runs it."""
    text = path.read_text()

    assert len(text.splitlines()) <= PAGE
    assert f"python examples/{path.name}" in text.split('"""')[1]


def test_the_starlette_example_caches_by_rule_and_purges_by_tag(run: Callable[[str], int]) -> None:
    """A miss, a hit, an order, and a new report that counts it."""
    port = run("starlette_app.py")
    miss, hit = ask(port, "/reports/daily"), ask(port, "/reports/daily")
    ordered = ask(port, "/orders", method="POST")
    again = ask(port, "/reports/daily")

    assert b"resync; fwd=uri-miss; stored" == cache_status(miss)
    assert cache_status(hit).startswith(b"resync; hit")
    assert miss.body == hit.body
    assert 201 == ordered.status
    assert b"resync; fwd=uri-miss; stored" == cache_status(again)
    assert [2, 3] == [json.loads(answer.body)["orders"] for answer in (miss, again)]


@pytest.mark.parametrize("path", ["/jobs", "/workstations", "/plan/current"])
def test_the_fastapi_example_caches_in_three_ways(run: Callable[[str], int], path: str) -> None:
    """By the response, by the endpoint and by a rule: a miss, then a hit with Age and ETag."""
    port = run("fastapi_app.py")
    miss, hit = ask(port, path), ask(port, path)

    assert b"resync; fwd=uri-miss; stored" == cache_status(miss)
    assert cache_status(hit).startswith(b"resync; hit")
    assert miss.body == hit.body
    assert (1, 1) == (len(hit.values("age")), len(hit.values("etag")))


def test_the_fastapi_example_invalidates_by_put_and_leaves_the_rest_alone(run: Callable[[str], int]) -> None:
    """PUT to a URL makes its next GET a miss; what nobody declared is called each time."""
    port = run("fastapi_app.py")
    before = ask(port, "/plan/next")
    assert 204 == ask(port, "/plan/next", method="PUT").status
    after = ask(port, "/plan/next")
    mine = [ask(port, "/me").body for _ in range(2)]

    assert before.body != after.body
    assert mine[0] != mine[1]


def test_the_graph_example_serves_without_its_graph_and_joins_it_when_it_comes(tmp_path: Path) -> None:
    """Defaults that say so, writes that are refused, and health that names what is touched; then the real thing."""
    port, jobs = free_port(), tmp_path / "jobs.ttl"
    command = [str(ROOT / "examples" / "knowledge_graph.py")]
    with process(command, port, {"PORT": str(port), "JOBS": str(jobs)}) as running:
        until(running.answers, "the example answers")
        without = ask(port, "/jobs/REPORT")
        health = json.loads(ask(port, "/-/healthz").body)
        refused = ask(port, "/jobs/REPORT/after/BACKUP", method="POST")
        jobs.write_text("<urn:job:REPORT> <urn:after> <urn:job:PAYROLL> .")
        until(lambda: json.loads(ask(port, "/-/healthz").body)["status"] == "up", "the graph is up")
        found = ask(port, "/jobs/REPORT")
        written = ask(port, "/jobs/REPORT/after/BACKUP", method="POST")
        again = ask(port, "/jobs/REPORT")

    assert ([], [b"graph"]) == (json.loads(without.body)["after"], without.values("resync-degraded"))
    assert ("degraded", True) == (health["status"], health["ready"])
    assert "FileNotFoundError" == health["resources"]["graph"]["cause"]
    assert {"route": ["/jobs/{name}"]} == health["impact"]["graph"]
    assert (503, 201) == (refused.status, written.status)
    assert ["PAYROLL"] == json.loads(found.body)["after"]
    assert ["BACKUP", "PAYROLL"] == json.loads(again.body)["after"]


def test_the_litestar_example_tells_languages_apart(run: Callable[[str], int]) -> None:
    """Each language has its own stored answer, and a purge throws both away."""
    port = run("litestar_app.py")
    german = ("accept-language: de",)
    first = [ask(port, "/plan/current"), ask(port, "/plan/current", lines=german)]
    second = [ask(port, "/plan/current"), ask(port, "/plan/current", lines=german)]
    assert 201 == ask(port, "/purge", method="POST").status
    third = [ask(port, "/plan/current"), ask(port, "/plan/current", lines=german)]

    assert ["current", "aktuell"] == [json.loads(answer.body)["plan"] for answer in first]
    assert [answer.body for answer in first] == [answer.body for answer in second]
    assert all(cache_status(answer).startswith(b"resync; hit") for answer in second)
    assert not any(b"hit" in cache_status(answer) for answer in third)


def test_the_purging_example_purges_what_a_write_has_changed(run: Callable[[str], int]) -> None:
    """What carries the tag is gone; what was purged softly is served once more, and made anew behind it."""
    port = run("purge_on_write.py")
    ask(port, "/products/lamp")
    old = ask(port, "/catalogue")
    hits = [cache_status(ask(port, path)) for path in ("/products/lamp", "/catalogue")]
    changed = ask(port, "/products/lamp?price=30", method="PUT")
    product, stale = ask(port, "/products/lamp"), ask(port, "/catalogue")
    until(lambda: json.loads(ask(port, "/catalogue").body)["lamp"] == 30, "the catalogue is made anew")

    assert all(status.startswith(b"resync; hit") for status in hits)
    assert {"purge": "local"} == json.loads(changed.body)
    assert 30 == json.loads(product.body)["price"]
    assert old.body == stale.body
    assert b"stale-while-revalidate" in cache_status(stale)


def test_the_example_of_callables_prints_what_it_promises() -> None:
    """One call for a hundred, a list for each, a purge, and a stale value instead of an error."""
    printed = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "cached_callable.py")], capture_output=True, text=True, check=True
    ).stdout.splitlines()

    job = "[Job(name='PAYROLL', status='EXEC')]"
    assert [
        f"100 asked, 1 call: {job}",
        f"the next one gets {job}",
        "purged, and asked again: 2 calls",
        f"stale instead of an error: {job}",
        "without a decorator: 42",
    ] == printed


def test_the_dashboard_stays_up_while_the_scheduler_is_frozen() -> None:
    """The page as it was, with the time of it; actions are refused; and it is fresh again when the scheduler is."""
    port, behind = free_port(), free_port()
    command = [str(ROOT / "examples" / "tws_dashboard.py")]
    with (
        process(["asgi_resync.testing", "--port", str(behind)], behind) as scheduler,
        process(command, port, {"PORT": str(port), "TWS_HOST": f"http://127.0.0.1:{behind}"}) as dashboard,
    ):
        until(scheduler.answers, "the scheduler answers")
        until(dashboard.answers, "the dashboard answers")
        first = ask(port, "/")
        scheduler.popen.send_signal(signal.SIGSTOP)
        try:
            refused = [ask(port, "/jobs/TRANSFORM/rerun", method="POST").status for _ in range(3)]
            until(lambda: b"hit; ttl=-" in cache_status(ask(port, "/")), "the page is stale")
            stale = ask(port, "/")
        finally:
            scheduler.popen.send_signal(signal.SIGCONT)
        until(lambda: ask(port, "/jobs/TRANSFORM/rerun", method="POST").status == 202, "the scheduler is asked again")
        fresh = ask(port, "/")

    assert b"TRANSFORM on FTA1: ABEND" in first.body
    assert b"FTA2 FTA DOWN" in first.body
    assert 503 == refused[-1]
    assert (200, first.body) == (stale.status, stale.body)
    assert b"stale-while-revalidate" in cache_status(stale)
    assert 200 == fresh.status
    assert fresh.body != first.body
