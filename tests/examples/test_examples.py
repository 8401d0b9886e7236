"""Each example runs as its header says, and shows what it promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.transparency.servers import ROOT, Answer, ask, free_port, process, until

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGE = 60


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
