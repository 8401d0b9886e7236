"""The same small API in three frameworks, asked for caching in four ways, behaves the same under a real server."""

from __future__ import annotations

import json
import re
import uuid
from typing import cast

import pytest
from tests.frameworks.forms import Form, headers
from tests.transparency.servers import ask
from websockets.sync.client import connect

MISS = b"resync; fwd=uri-miss; stored"
HIT = rb"resync; hit; ttl=(9|10); detail=l1"


def once(path: str) -> str:
    """Return *path* with a query that nobody has asked for yet."""
    return f"{path}?{uuid.uuid4().hex}"


def counted(port: int, name: str) -> int:
    """Return how often the handler *name* was called."""
    return cast(int, json.loads(ask(port, "/count").body)[name])


@pytest.mark.parametrize("path", ["/plan", "/items/1", "/slow"])
def test_the_first_request_is_a_miss_and_the_second_a_hit(port: int, path: str) -> None:
    """The hit has the body and the ETag of the miss, an Age, and says in Cache-Status what it is."""
    target = once(path)
    miss, hit = ask(port, target), ask(port, target)

    assert (200, 200) == (miss.status, hit.status)
    assert [MISS] == miss.values("cache-status")
    assert re.fullmatch(HIT, hit.values("cache-status")[0])
    assert [] == miss.values("age")
    assert hit.values("age") in ([b"0"], [b"1"])
    assert 1 == len(hit.values("etag"))
    assert re.fullmatch(rb'"[^"]+"', hit.values("etag")[0])
    assert miss.values("etag") == hit.values("etag")
    assert miss.body == hit.body


def test_a_hit_has_the_fields_of_the_miss_and_its_own(port: int, form: Form) -> None:
    """Nothing is lost or doubled: a hit has every line of the miss, and an Age besides."""
    target = once("/plan")
    miss, hit = ask(port, target), ask(port, target)

    assert sorted(miss.without("date", "cache-status")) == sorted(hit.without("date", "cache-status", "age"))
    assert len(hit.lines) == len({name for name, _ in hit.lines})
    for name, value in headers(form).items():
        assert [value.encode()] == hit.values(name)


def test_hits_are_the_same_bytes_in_every_framework(ports: dict[str, int]) -> None:
    """But for dates, the three frameworks serve a hit with the same lines and the same body, byte for byte."""
    target = once("/items/2")
    for port in ports.values():
        ask(port, target)
    hits = [ask(port, target) for port in ports.values()]

    assert all(re.fullmatch(HIT, hit.values("cache-status")[0]) for hit in hits)
    first, *others = hits
    for other in others:
        # In which order lines of different names stand is the framework's choice, and says nothing (RFC 9110 §5.3).
        assert sorted(first.without("date")) == sorted(other.without("date"))
        assert first.rest == other.rest


def test_a_client_that_has_the_answer_gets_304(port: int) -> None:
    """If-None-Match with the ETag of a hit gives 304 with the fields RFC 9110 §15.4.5 asks for, and no body."""
    target = once("/plan")
    full = [ask(port, target), ask(port, target)][-1]
    etag = full.values("etag")[0].decode()
    before = counted(port, "plan")
    same = ask(port, target, lines=(f"if-none-match: {etag}",))
    weak = ask(port, target, lines=(f'if-none-match: "other", W/{etag}',))
    other = ask(port, target, lines=('if-none-match: "other"',))

    assert (304, 304, 200) == (same.status, weak.status, other.status)
    assert (b"", b"", full.body) == (same.rest, weak.rest, other.body)
    for name in ("etag", "cache-control", "vary", "expires"):
        assert full.values(name) == same.values(name)
    assert 1 == len(same.values("date"))
    assert before == counted(port, "plan")


def test_head_is_answered_from_what_get_stored(port: int, framework: str, form: Form) -> None:
    """HEAD gives the lines of the hit, its content-length included, no body, and does not call the app."""
    target = once("/plan")
    ask(port, target)
    full = ask(port, target)
    before = counted(port, "plan")
    head = ask(port, target, method="HEAD")

    if (framework, form) == ("litestar", "added"):
        # Litestar routes before its middleware runs, and knows no HEAD for a handler of GET.
        assert 405 == head.status
        return
    assert (200, b"") == (head.status, head.rest)
    assert full.without("date", "age", "cache-status") == head.without("date", "age", "cache-status")
    assert re.fullmatch(HIT, head.values("cache-status")[0])
    assert before == counted(port, "plan")


def test_queries_are_told_apart(port: int) -> None:
    """Each URL has its own answer, also where only the query differs, or one of two equal names in it."""
    targets = [once("/plan") + more for more in ("", "&a=1", "&a=1&a=2", "&a=2")]
    before = counted(port, "plan")
    for _ in range(2):
        for target in targets:
            ask(port, target)

    assert before + 4 == counted(port, "plan")


def test_an_error_is_not_kept(port: int) -> None:
    """A 404 of the framework reaches the client each time from the app."""
    before = counted(port, "item")
    answers = [ask(port, "/items/99") for _ in range(3)]

    assert [404] * 3 == [answer.status for answer in answers]
    assert before + 3 == counted(port, "item")


def test_a_post_makes_the_next_get_call_the_app(port: int) -> None:
    """A successful POST to a URL invalidates what is stored for it (RFC 9111 §4.4), and a failed one does not."""
    ask(port, "/plan")
    stored = ask(port, "/plan")
    json_type = "content-type: application/json"
    failed = ask(port, "/plan", method="POST", lines=(json_type,), body=b"{")
    kept = ask(port, "/plan")
    changed = ask(port, "/plan", method="POST", lines=(json_type,), body=b'{"job": "JOB8"}')
    fresh = ask(port, "/plan")

    assert failed.status >= 400
    assert stored.body == kept.body
    assert (201, b'{"changed":true}') == (changed.status, changed.body)
    assert [MISS] == fresh.values("cache-status")
    assert json.loads(stored.body)["call"] < json.loads(fresh.body)["call"]


def test_a_purge_by_tag_reaches_every_url_that_has_it(port: int) -> None:
    """After `await resync.purge(tags=["plan"])` in a handler, the plan and the items come from the app again."""
    targets = [once("/plan"), once("/items/1")]
    first = [ask(port, target).body for target in targets]
    assert first == [ask(port, target).body for target in targets]
    assert 201 == ask(port, "/purge", method="POST").status
    again = [ask(port, target) for target in targets]

    assert [[MISS]] * 2 == [answer.values("cache-status") for answer in again]
    assert first[0] != again[0].body


def test_a_streamed_answer_is_stored_whole(port: int) -> None:
    """A body in pieces comes through as it is, and as a hit with a content-length."""
    target = once("/stream")
    miss, hit = ask(port, target), ask(port, target)

    assert [b"chunked"] == miss.values("transfer-encoding")
    assert b"0,1,2," == miss.body == hit.rest
    assert [b"6"] == hit.values("content-length")
    assert re.fullmatch(HIT, hit.values("cache-status")[0])


def test_a_websocket_works(port: int) -> None:
    """A websocket goes to the framework."""
    with connect(f"ws://127.0.0.1:{port}/shout", proxy=None) as session:
        session.send("ready")
        assert "READY" == session.recv(timeout=20)


def test_answers_to_authorization_stay_with_who_asked(port: int) -> None:
    """A request with Authorization is not answered from what was stored for others, and its answer is not stored."""
    target = once("/plan")
    lines = ("authorization: Basic YTpi",)
    answers = [ask(port, target, lines=lines) for _ in range(2)]
    public = ask(port, target)

    assert 3 == len({answer.body for answer in [*answers, public]})
