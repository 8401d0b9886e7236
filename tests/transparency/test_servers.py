"""Over real sockets, under each server, a wrapped app and the bare one give the same bytes at the same moments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
from tests.transparency.driver import is_ours
from tests.transparency.served import CHUNK, CHUNKS, EVERY_METHOD
from tests.transparency.servers import (
    Answer,
    Process,
    ask,
    connect,
    parse,
    read_all,
    read_until,
    request,
    serving,
    until,
)
from tests.transparency.wrappings import WRAPPINGS
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_websocket

Site = dict[str, Process]
"""The same app under the same server, by the name of its wrapping."""


@pytest.fixture(scope="module", params=["uvicorn-httptools", "uvicorn-h11", "granian", "hypercorn"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Serve the app bare and in each wrapping."""
    with ExitStack() as stack:
        target = "tests.transparency.served:app"
        yield {name: stack.enter_context(serving(request.param, target, {"WRAPPING": name})) for name in WRAPPINGS}


@pytest.fixture(params=list(WRAPPINGS))
def wrapping(request: pytest.FixtureRequest) -> str:
    """Name a wrapping."""
    return cast(str, request.param)


def once(path: str) -> str:
    """Return *path* with a query that nobody has asked for yet."""
    return f"{path}?{uuid.uuid4().hex}"


def notes(port: int) -> dict[str, Any]:
    """Return what the app has noted."""
    return cast("dict[str, Any]", json.loads(ask(port, "/notes").body))


def name_of(line: tuple[bytes, bytes]) -> bytes:
    """Return the name in a header line."""
    return line[0]


def comparable(answer: Answer) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the answer without its date and without what the wrapper may add."""
    return answer.status, [line for line in answer.without("date") if not is_ours(*line)], answer.rest


@pytest.mark.parametrize(
    "path", ["/plan", "/chunks", "/file", "/status/204", "/status/304", "/status/404", "/status/500", "/nowhere"]
)
def test_an_answer_is_the_same_bytes(site: Site, wrapping: str, path: str) -> None:
    """Status, header lines in their order, framing and body are those of the bare app."""
    target = once(path)
    expected = ask(site["bare"].port, target)
    actual = ask(site[wrapping].port, target)

    assert comparable(expected) == comparable(actual)


@pytest.mark.parametrize("stage", ["before", "within", "after"])
def test_a_failure_looks_the_same(site: Site, wrapping: str, stage: str) -> None:
    """A failing app gives the server's own error answer, or an answer that breaks off, as without the wrapper."""
    target = once(f"/fail/{stage}")
    expected = ask(site["bare"].port, target)
    actual = ask(site[wrapping].port, target)

    assert comparable(expected) == comparable(actual)
    until(lambda: "JOB7" in site[wrapping].output(), "the server logs the traceback")
    assert "deep" not in actual.rest.decode()


def test_an_app_that_returns_without_an_answer_looks_the_same(site: Site, wrapping: str) -> None:
    """The server gives its own error answer in the app's place."""
    target = once("/silent/x")

    assert comparable(ask(site["bare"].port, target)) == comparable(ask(site[wrapping].port, target))


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_any_method_gets_its_answer(site: Site, wrapping: str, method: str) -> None:
    """Each method reaches the app, and its answer is the bare one's."""
    target = once("/method")
    expected = ask(site["bare"].port, target, method=method)
    actual = ask(site[wrapping].port, target, method=method)

    assert comparable(expected) == comparable(actual)
    assert (b"" if method == "HEAD" else method.encode()) == actual.body


def test_a_repeated_answer_is_the_same_but_for_its_age(site: Site, wrapping: str) -> None:
    """Asked three times, status, lines and body stay what they were."""
    target = once("/plan")
    first, *later = [ask(site[wrapping].port, target) for _ in range(3)]

    status, lines, body = comparable(first)
    for answer in later:
        again = [line for line in comparable(answer)[1] if line[0] != b"age"]
        # Lines of different names may change places (RFC 9110 §5.3), those of one name not.
        assert sorted(lines, key=name_of) == sorted(again, key=name_of)
        assert (status, body) == (answer.status, answer.rest)


@pytest.mark.parametrize("kind", ["text-event-stream", "text-plain"])
def test_a_stream_arrives_as_it_is_made(site: Site, wrapping: str, kind: str) -> None:
    """The first piece reaches the client while the app still waits for the second."""
    port = site[wrapping].port
    name = uuid.uuid4().hex
    with connect(port) as connection:
        connection.sendall(request(f"/held/{kind}?{name}"))
        first = read_until(connection, b"READY\n\n")
        assert 204 == ask(port, f"/release?{name}", method="POST").status
        answer = parse(first + read_all(connection))

    assert b"data: READY\n\ndata: SUCC\n\n" == answer.body


def test_a_request_body_arrives_as_it_is_sent(site: Site, wrapping: str) -> None:
    """The app answers the first piece of a chunked request before the second one is sent."""
    with connect(site[wrapping].port) as connection:
        head = b"POST /echo/x HTTP/1.1\r\nhost: testserver\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head + b"5\r\nfirst\r\n")
        got = read_until(connection, b"FIRST")
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        answer = parse(got + read_all(connection))

    assert b"FIRSTSECOND" == answer.body


def test_a_slow_reader_slows_the_app_down(site: Site, wrapping: str) -> None:
    """While the client reads nothing, the app gets only so far; then everything arrives."""
    port = site[wrapping].port
    with connect(port) as connection:
        connection.sendall(request(once("/flood")))
        read_until(connection, b"\r\n\r\n")
        seen = [-1]

        def at_rest() -> bool:
            seen.append(notes(port)["flooded"])
            return len(seen) > 5 and len(set(seen[-5:])) == 1

        until(at_rest, "the app waits for the client")
        assert seen[-1] < CHUNKS
        received = sum(len(part) for part in iter(lambda: connection.recv(1 << 20), b""))

    assert received > len(CHUNK) * (CHUNKS - 1)
    until(lambda: notes(port)["flooded"] == CHUNKS, "the app has sent everything")


def test_an_app_hears_that_its_client_has_gone(site: Site, wrapping: str) -> None:
    """When the client closes before the answer, `http.disconnect` reaches the app that waits for it."""
    port = site[wrapping].port
    before = notes(port)
    with connect(port) as connection:
        connection.sendall(request(once("/patient/x")).replace(b"connection: close\r\n", b""))
        until(lambda: notes(port).get("waiting", 0) == before.get("waiting", 0) + 1, "the app waits")

    until(lambda: notes(port)["disconnected"] == before["disconnected"] + 1, "the app hears of it")


def test_a_background_task_runs_after_the_answer(site: Site, wrapping: str) -> None:
    """The client has the whole answer while the task still waits, and the task comes to its end."""
    port = site[wrapping].port
    name = uuid.uuid4().hex
    before = notes(port)["background"]
    with connect(port) as connection:
        connection.sendall(request(f"/background?{name}").replace(b"connection: close\r\n", b""))
        read_until(connection, b"plan")
        assert before == notes(port)["background"]
        ask(port, f"/release?{name}", method="POST")
        until(lambda: notes(port)["background"] == before + 1, "the task ends")


def test_the_state_of_the_lifespan_is_there(site: Site, wrapping: str) -> None:
    """Requests see the state that start-up yielded, and the app was started once."""
    assert "from start-up" == notes(site[wrapping].port)["pool"]
    assert 1 == site[wrapping].output().count("app started")


def test_a_websocket_works(site: Site, wrapping: str) -> None:
    """Handshake, texts, subprotocol and close code are the app's."""
    with connect_websocket(f"ws://127.0.0.1:{site[wrapping].port}/shout", subprotocols=["v1"], proxy=None) as session:  # type: ignore[list-item]  # a NewType of str
        session.send("ready")
        assert "READY" == session.recv(timeout=30)
        assert "v1" == session.subprotocol
        session.send("bye")
        with pytest.raises(ConnectionClosed) as closed:
            session.recv(timeout=30)

    assert closed.value.rcvd is not None
    assert 4000 == closed.value.rcvd.code


def test_a_refused_websocket_is_refused(site: Site, wrapping: str) -> None:
    """A handshake that the app refuses ends with 403, each time."""
    for _ in range(2):
        with pytest.raises(InvalidStatus) as refused:
            connect_websocket(f"ws://127.0.0.1:{site[wrapping].port}/shout?refuse", proxy=None)
        assert 403 == refused.value.response.status_code
