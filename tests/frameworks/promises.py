"""What each of the apps promises over a socket, whatever framework, form and server: one function, one promise.

Those that need what a framework does not have do nothing for it; `traits.py` says which that are.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import cast

from tests.frameworks.forms import headers
from tests.frameworks.site import Site
from tests.transparency.servers import until
from websockets.sync.client import connect

MISS = b"resync; fwd=uri-miss; stored"
# Nothing here takes a second, but on a machine that is busy with other things.
HIT = rb"resync; hit; ttl=([5-9]|10); detail=l1"


def once(path: str) -> str:
    """Return *path* with a query that nobody has asked for yet."""
    return f"{path}?{uuid.uuid4().hex}"


def counted(site: Site, name: str) -> int:
    """Return how often the handler *name* was called."""
    return cast(int, json.loads(site.ask("/count").body)[name])


def the_first_request_is_a_miss_and_the_second_a_hit(site: Site) -> None:
    """The hit has the body and the ETag of the miss, an Age, and says in Cache-Status what it is."""
    for path in ("/plan", "/items/1", "/slow"):
        target = once(path)
        miss, hit = site.ask(target), site.ask(target)

        assert (200, 200) == (miss.status, hit.status)
        assert [MISS] == miss.values("cache-status")
        assert re.fullmatch(HIT, hit.values("cache-status")[0])
        assert [] == miss.values("age")
        assert hit.values("age")[0] in b"01234"
        assert 1 == len(hit.values("etag"))
        assert re.fullmatch(rb'"[^"]+"', hit.values("etag")[0])
        assert miss.values("etag") == hit.values("etag")
        assert miss.body == hit.body


def a_hit_has_the_fields_of_the_miss_and_its_own(site: Site) -> None:
    """Nothing is lost or doubled: a hit has every line of the miss, and an Age besides."""
    target = once("/plan")
    miss, hit = site.ask(target), site.ask(target)

    assert sorted(miss.without("date", "cache-status")) == sorted(hit.without("date", "cache-status", "age"))
    assert len(hit.lines) == len({name for name, _ in hit.lines})
    for name, value in headers(site.form).items():
        assert [value.encode()] == hit.values(name)


def a_client_that_has_the_answer_gets_304(site: Site) -> None:
    """If-None-Match with the ETag of a hit gives 304 with the fields RFC 9110 §15.4.5 asks for, and no body."""
    target = once("/plan")
    full = [site.ask(target), site.ask(target)][-1]
    etag = full.values("etag")[0].decode()
    before = counted(site, "plan")
    same = site.ask(target, lines=(f"if-none-match: {etag}",))
    weak = site.ask(target, lines=(f'if-none-match: "other", W/{etag}',))
    other = site.ask(target, lines=('if-none-match: "other"',))

    assert (304, 304, 200) == (same.status, weak.status, other.status)
    assert (b"", b"", full.body) == (same.rest, weak.rest, other.body)
    for name in ("etag", "cache-control", "vary", "expires"):
        assert full.values(name) == same.values(name)
    assert 1 == len(same.values("date"))
    assert before == counted(site, "plan")


def head_is_answered_from_what_get_stored(site: Site) -> None:
    """HEAD gives the lines of the hit, its content-length included, no body, and does not call the app."""
    target = once("/plan")
    site.ask(target)
    full = site.ask(target)
    before = counted(site, "plan")
    head = site.ask(target, method="HEAD")

    if (site.framework, site.form) == ("litestar", "added"):
        # Litestar routes before its middleware runs, and knows no HEAD for a handler of GET.
        assert 405 == head.status
        return
    assert (200, b"") == (head.status, head.rest)
    assert full.without("date", "age", "cache-status") == head.without("date", "age", "cache-status")
    assert re.fullmatch(HIT, head.values("cache-status")[0])
    assert before == counted(site, "plan")


def queries_are_told_apart(site: Site) -> None:
    """Each URL has its own answer, also where only the query differs, or one of two equal names in it."""
    targets = [once("/plan") + more for more in ("", "&a=1", "&a=1&a=2", "&a=2")]
    before = counted(site, "plan")
    for _ in range(2):
        for target in targets:
            site.ask(target)

    assert before + 4 == counted(site, "plan")


def an_error_is_not_kept(site: Site) -> None:
    """A 404 of the framework reaches the client each time from the app."""
    before = counted(site, "item")
    answers = [site.ask("/items/99") for _ in range(3)]

    assert [404] * 3 == [answer.status for answer in answers]
    assert before + 3 == counted(site, "item")


def a_post_makes_the_next_get_call_the_app(site: Site) -> None:
    """A successful POST to a URL invalidates what is stored for it (RFC 9111 §4.4), and a failed one does not."""
    site.ask("/plan")
    stored = site.ask("/plan")
    json_type = "content-type: application/json"
    failed = site.ask("/plan", method="POST", lines=(json_type,), body=b"{")
    kept = site.ask("/plan")
    changed = site.ask("/plan", method="POST", lines=(json_type,), body=b'{"job": "JOB8"}')
    fresh = site.ask("/plan")

    assert failed.status >= 400
    assert stored.body == kept.body
    assert (201, b'{"changed":true}') == (changed.status, changed.body)
    assert [MISS] == fresh.values("cache-status")
    assert json.loads(stored.body)["call"] < json.loads(fresh.body)["call"]


def a_purge_by_tag_reaches_every_url_that_has_it(site: Site) -> None:
    """After `await resync.purge(tags=["plan"])` in a handler, the plan and the items come from the app again."""
    targets = [once("/plan"), once("/items/1")]
    first = [site.ask(target).body for target in targets]
    assert first == [site.ask(target).body for target in targets]
    assert 201 == site.ask("/purge", method="POST").status
    again = [site.ask(target) for target in targets]

    assert [[MISS]] * 2 == [answer.values("cache-status") for answer in again]
    assert first[0] != again[0].body


def a_streamed_answer_is_stored_whole(site: Site) -> None:
    """A body in pieces comes through as it is, and as a hit with a content-length."""
    target = once("/stream")
    miss, hit = site.ask(target), site.ask(target)

    assert [] == miss.values("content-length")
    assert b"0,1,2," == miss.body == hit.body
    assert [b"6"] == hit.values("content-length")
    assert re.fullmatch(HIT, hit.values("cache-status")[0])


def a_websocket_works(site: Site) -> None:
    """A websocket goes to the framework."""
    if not site.traits.websockets:
        return
    with connect(f"ws://127.0.0.1:{site.port}/shout", proxy=None) as session:
        session.send("ready")
        assert "READY" == session.recv(timeout=20)


def answers_to_authorization_stay_with_who_asked(site: Site) -> None:
    """A request with Authorization is not answered from what was stored for others, and its answer is not stored."""
    target = once("/plan")
    lines = ("authorization: Basic YTpi",)
    answers = [site.ask(target, lines=lines) for _ in range(2)]
    public = site.ask(target)

    assert 3 == len({answer.body for answer in [*answers, public]})


def an_exception_is_the_frameworks(site: Site) -> None:
    """A handler that raises gives 500 each time, which is not kept; what reaches the server is logged by it, whole."""
    before = counted(site, "broken")
    answers = [site.ask("/broken") for _ in range(2)]

    assert [500, 500] == [answer.status for answer in answers]
    assert before + 2 == counted(site, "broken")
    if site.traits.raises:
        until(lambda: "RuntimeError: broken on purpose" in site.output(), "the exception is logged")
        assert re.search(r'_api.py", line \d+, in broken', site.output())


def background_work_delays_no_answer(site: Site) -> None:
    """The answer is there, and a hit, while what the handler left to be done waits; it is done once."""
    if not site.traits.background:
        return
    target, before = once("/later"), counted(site, "done")
    first, second = site.ask(target), site.ask(target)
    waiting = counted(site, "done")
    gone = site.ask("/go", method="POST")

    assert (200, 200, 201) == (first.status, second.status, gone.status)
    assert re.fullmatch(HIT, second.values("cache-status")[0])
    assert before == waiting or before > 0
    until(lambda: counted(site, "done") == before + 1, "the work is done")


def the_lifespans_run(site: Site) -> None:
    """That of the app and that of the Resync around it, each once."""
    assert site.traits.lifespan == counted(site, "started")
    assert 1 == site.output().count(f"{site.framework}: the resource starts")


PROMISES: tuple[Callable[[Site], None], ...] = (
    the_first_request_is_a_miss_and_the_second_a_hit,
    a_hit_has_the_fields_of_the_miss_and_its_own,
    a_client_that_has_the_answer_gets_304,
    head_is_answered_from_what_get_stored,
    queries_are_told_apart,
    an_error_is_not_kept,
    a_post_makes_the_next_get_call_the_app,
    a_purge_by_tag_reaches_every_url_that_has_it,
    a_streamed_answer_is_stored_whole,
    a_websocket_works,
    answers_to_authorization_stay_with_who_asked,
    an_exception_is_the_frameworks,
    background_work_delays_no_answer,
    the_lifespans_run,
)
"""All that hold while it is served. They may share the site in any order."""


def the_end_is_in_order(site: Site) -> None:
    """After the server has stopped: both lifespans have ended, and nothing was raised through us but on purpose."""
    output = site.output()

    assert 1 == output.count(f"{site.framework}: the resource stops")
    assert site.traits.lifespan == output.count(f"{site.framework}: the app stops")
    assert "asgi-resync" not in output
    # Some servers raise for themselves: Hypercorn, where an app answers before it has read the request (HTTP/2).
    raised = output.split("Traceback (most recent call last):")[1:]
    assert not [one for one in raised if "asgi_resync" in one and "broken on purpose" not in one], output
