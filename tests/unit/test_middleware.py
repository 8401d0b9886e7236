"""What the middleware hands on, what it answers at once, which requests share a key, and what unsafe methods drop."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import FRESH, cached, into

from asgi_resync import Cache, CacheMiddleware, CacheRule, RuleError, cache_for
from asgi_resync._asgi import Message, Receive, Scope, Send
from asgi_resync.testing import ManualClock, Reply, ScriptedApp, http_scope, request


async def test_a_hit_is_the_stored_response_with_age_and_status() -> None:
    """A hit is one start and one body, byte for byte what was stored, plus Age and Cache-Status."""
    app = ScriptedApp(Reply(headers={**FRESH, "content-type": "text/plain"}, body=[b"hel", b"lo"]))
    site = cached(app)

    await site.get()
    site.clock.advance(7)
    hit = await site.get()

    assert ["http.response.start", "http.response.body"] == [message["type"] for message in hit.messages]
    assert (200, b"hello", "7") == (hit.status, hit.body, hit.header("age"))
    assert "resync; hit; ttl=53; detail=l1" == hit.header("cache-status")
    assert ("max-age=60", "text/plain", "5") == tuple(
        hit.header(name) for name in ("cache-control", "content-type", "content-length")
    )
    assert 1 == app.calls


async def test_events_tell_miss_store_and_hit_in_order() -> None:
    """A miss that is stored tells CacheMiss and Stored; a hit tells CacheHit and no more."""
    site = cached(ScriptedApp(Reply(headers=FRESH)))

    await site.get()

    assert ["CacheMiss", "Stored"] == site.told

    await site.get()

    assert ["CacheHit"] == site.told


async def test_the_first_answer_carries_the_etag_that_hits_will_carry() -> None:
    """Where the app gives no validator, the miss and the hit have the same strong ETag."""
    site = cached(ScriptedApp(Reply(headers=FRESH, body=b"x")))

    miss, hit = await site.get(), await site.get()

    assert (etag := miss.header("etag")) is not None
    assert etag.startswith('"')
    assert etag == hit.header("etag")
    assert "resync; fwd=uri-miss; stored" == miss.header("cache-status")


async def test_a_hit_ends_with_the_lifetime() -> None:
    """At the very second of the lifetime the app is asked again."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app)
    await site.get()

    site.clock.advance(59.9)
    await site.get()
    assert 1 == app.calls

    site.clock.advance(0.1)
    await site.get()
    assert 2 == app.calls


async def test_head_is_answered_from_a_stored_get_without_its_body() -> None:
    """HEAD has the fields of the GET, content-length included, and no bytes."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"hello"))
    site = cached(app)
    await site.get()

    head = await site.ask("HEAD")

    assert (b"", "5", 1) == (head.body, head.header("content-length"), app.calls)


async def test_nothing_is_stored_unless_the_app_opted_in() -> None:
    """Without freshness, rule or marker, every request reaches the app, and its answer goes on as it is."""
    app = ScriptedApp(Reply(headers={"content-type": "text/plain"}, body=b"x"))
    site = cached(app)

    first, second = await site.get(), await site.get()

    assert 2 == app.calls
    assert ((b"content-type", b"text/plain"),) == first.headers == second.headers


async def test_a_rule_opts_in_what_states_nothing() -> None:
    """A rule's ttl counts where the response states no lifetime, from the moment it is complete."""
    app = ScriptedApp(Reply(body=b"x"))
    site = cached(app, CacheRule("/plan/{rest:path}", ttl=10))

    await site.get("/plan/a")
    await site.get("/plan/a")
    assert 1 == app.calls

    site.clock.advance(10)
    await site.get("/plan/a")
    await site.get("/other")
    assert 3 == app.calls


async def test_the_responses_own_lifetime_wins_over_marker_and_marker_over_rule() -> None:
    """Precedence is response, marker, rule."""

    @cache_for(20)
    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(headers=FRESH if scope["path"] == "/own" else {})(scope, receive, send)

    site = cached(ScriptedApp(marked), CacheRule("/{rest:path}", ttl=10))

    await site.get("/own")
    await site.get("/marked")

    own, by_marker = await site.get("/own"), await site.get("/marked")
    assert "resync; hit; ttl=60; detail=l1" == own.header("cache-status")
    assert "resync; hit; ttl=20; detail=l1" == by_marker.header("cache-status")


async def test_the_first_rule_that_matches_applies() -> None:
    """Rules are tried in order."""
    site = cached(ScriptedApp(Reply()), CacheRule("/a", ttl=5), CacheRule("/{rest:path}", ttl=50))

    await site.get("/a")
    await site.get("/b")

    assert "resync; hit; ttl=5; detail=l1" == (await site.get("/a")).header("cache-status")
    assert "resync; hit; ttl=50; detail=l1" == (await site.get("/b")).header("cache-status")


async def test_a_rule_matches_below_the_mount_point() -> None:
    """Patterns speak of the path that the app sees under its root_path."""
    app = ScriptedApp(Reply())
    site = cached(app, CacheRule("/plan", ttl=5))

    await site.get("/api/plan", root_path="/api")
    await site.get("/api/plan", root_path="/api")

    assert 1 == app.calls


async def test_a_rule_remembered_for_a_path_is_not_that_of_a_mount() -> None:
    """One middleware may serve the same full path with a root path and without."""
    app = ScriptedApp(Reply(body=b"x"))
    site = cached(app, CacheRule("/plan", ttl=60))
    await site.get("/api/plan")
    await site.get("/api/plan", root_path="/api")
    await site.get("/api/plan", root_path="/api")

    assert 2 == app.calls


async def test_apps_mounted_at_two_places_answer_each_for_itself() -> None:
    """Also where the framework strips the mount point from path and raw path alike."""
    app = ScriptedApp(Reply(body=b"one"), Reply(body=b"two"))
    site = cached(app, CacheRule("/plan", ttl=5))

    async def get(root_path: str) -> bytes:
        return (await site.get("/plan", root_path=root_path)).body

    assert [b"one", b"two", b"one", b"two"] == [await get("/a"), await get("/b"), await get("/a"), await get("/b")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a", "//a"),
        ("/a", "/a/"),
        ("/a", "/A"),
        ("/a", "/a;x"),
        ("/a", "/a?"[:-1] + "?x"),
        ("/a/b", "/a%2Fb"),
        ("/a/../b", "/b"),
        ("/%61", "/a"),
        ("/a%2eb", "/a.b"),
        ("/a?b=1&c=2", "/a?c=2&b=1"),
        ("/a?b=1", "/a?b=1&b=1"),
        ("/a?b=1&b=2", "/a?b=2&b=1"),
        ("/a?b", "/a?b="),
        ("/a%3Fb", "/a?b"),
        ("/a%00", "/a"),
    ],
)
async def test_what_a_server_may_tell_apart_shares_no_key(one: str, other: str) -> None:
    """Paths and queries count as sent: nobody is answered with what another spelling brought."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"one"), Reply(headers=FRESH, body=b"other"))
    site = cached(app)

    await site.get(one)

    assert b"other" == (await site.get(other)).body
    assert b"one" == (await site.get(one)).body


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"host": "evil.example"}},
        {"scheme": "https"},
        {"headers": {"x-forwarded-host": "evil.example"}},
        {"headers": {"x-forwarded-proto": "https"}},
        {"headers": {"x-original-url": "/admin"}},
        {"headers": {"forwarded": "host=evil.example"}},
        {"headers": {"x-http-method-override": "DELETE"}},
    ],
)
async def test_what_apps_build_links_from_poisons_nobody(more: dict[str, object]) -> None:
    """An answer made with another host, scheme or forwarded field is not given to those who sent none, nor back."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"poisoned"), Reply(headers=FRESH, body=b"clean"))
    site = cached(app)

    await site.get("/", **more)
    assert b"clean" == (await site.get()).body

    assert b"poisoned" == (await site.get("/", **more)).body
    assert b"clean" == (await site.get()).body


@pytest.mark.parametrize(
    "hosts", [["testserver", "evil.example"], ["evil.example", "testserver"], [b"", b"testserver"]]
)
async def test_two_hosts_are_passed_by(hosts: list[str | bytes]) -> None:
    """A request with two Host lines has no key: the app decides, and nothing is kept of it."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"poisoned"), Reply(headers=FRESH, body=b"clean"))
    site = cached(app)
    await site.get("/", headers=[("host", host) for host in hosts])

    assert b"clean" == (await site.get()).body


async def test_hosts_are_compared_without_case() -> None:
    """RFC 9110 §4.2.3: a host is case-insensitive."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app)

    await site.get("/", headers={"host": "Example.COM"})
    await site.get("/", headers={"host": "example.com"})

    assert 1 == app.calls


async def test_a_get_with_a_body_is_passed_by() -> None:
    """A fat GET has no key: what the app makes of its body poisons nobody."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"poisoned"), Reply(headers=FRESH, body=b"clean"))
    site = cached(app)

    await site.get("/", headers={"content-length": "3"}, body=b"a=1")

    assert b"a=1" == app.requests[0].body
    assert b"clean" == (await site.get()).body


async def test_the_query_is_kept_sorted_or_filtered_as_the_rule_says() -> None:
    """`sort` puts parameters in order and keeps repeated ones in theirs; `query_drop` leaves names out."""
    app = ScriptedApp(Reply())
    site = cached(
        app, CacheRule("/sort", ttl=9, query="sort"), CacheRule("/drop", ttl=9, query_drop=["utm_*"], query="keep")
    )

    for path in ("/sort?a=1&b=2", "/sort?b=2&a=1", "/drop?a=1&utm_source=x", "/drop?a=1"):
        await site.get(path)
    assert 2 == app.calls

    await site.get("/sort?a=1&a=2")
    await site.get("/sort?a=2&a=1")
    assert 4 == app.calls


async def test_huge_fields_harm_nobody() -> None:
    """A request field of a megabyte makes a variant of its own and takes no more room than any other."""
    app = ScriptedApp(Reply(headers={**FRESH, "vary": "accept-language"}, body=b"x"))
    site = cached(app)

    huge = await site.get("/", headers={"accept-language": "a" * 2**20})
    small = await site.get("/", headers={"accept-language": "de"})

    assert (b"x", b"x", 2) == (huge.body, small.body, app.calls)


async def test_post_with_the_body_in_the_key_is_replayed_to_the_app() -> None:
    """The app gets every chunk of the body as it was sent, and equal bodies share one answer."""
    app = ScriptedApp(Reply(body=b"one"), Reply(body=b"two"))
    site = cached(app, CacheRule("/", ttl=9, methods=["POST"], body_in_key=True))

    first = await site.ask("POST", body=[b"a=", b"1"])
    again = await site.ask("POST", body=[b"a=1"])
    other = await site.ask("POST", body=b"a=2")

    assert (b"one", b"one", b"two") == (first.body, again.body, other.body)
    assert [b"a=1", b"a=2"] == [seen.body for seen in app.requests]


async def test_get_and_post_share_nothing() -> None:
    """The method is part of the key where the body is."""
    app = ScriptedApp(Reply(body=b"post"), Reply(body=b"get"))
    site = cached(app, CacheRule("/", ttl=9, methods=["GET", "POST"], body_in_key=True))

    for _ in range(2):
        assert b"post" == (await site.ask("POST")).body
        assert b"get" == (await site.get()).body
    assert 2 == app.calls


async def test_a_content_type_cannot_pose_as_a_content_encoding() -> None:
    """What is in one field and what is split over two make different keys: an app reads them differently."""
    app = ScriptedApp(Reply(body=b"poisoned"), Reply(body=b"clean"))
    site = cached(app, CacheRule("/", ttl=9, methods=["POST"], body_in_key=True))

    await site.ask("POST", headers={"content-type": "text/plain, gzip"}, body=b"x")
    second = await site.ask("POST", headers={"content-type": "text/plain", "content-encoding": "gzip"}, body=b"x")

    assert b"clean" == second.body


async def test_post_with_two_hosts_is_passed_by() -> None:
    """As with GET: nobody knows which host the app believes."""
    app = ScriptedApp(Reply(body=b"poisoned"), Reply(body=b"clean"))
    site = cached(app, CacheRule("/", ttl=9, methods=["POST"], body_in_key=True))

    await site.ask("POST", headers=[("host", "testserver"), ("host", "evil.example")], body=b"x")

    assert b"clean" == (await site.ask("POST", body=b"x")).body


async def test_a_body_over_the_cap_goes_to_the_app_whole() -> None:
    """A body that is too large for a key is neither cut nor cached."""
    app = ScriptedApp(Reply())
    site = cached(app, CacheRule("/", ttl=9, methods=["POST"], body_in_key=True, max_key_body=4))

    for _ in range(2):
        await site.ask("POST", body=[b"123", b"456", b"789"])

    assert [b"123456789"] * 2 == [seen.body for seen in app.requests]


async def test_a_disconnect_in_mid_body_reaches_the_app() -> None:
    """The app sees the part that came and then the disconnect, as without the cache, and nothing is stored."""
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([await receive(), await receive()])

    incoming: list[Message] = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]
    rule = CacheRule("/", ttl=9, methods=["POST"], body_in_key=True)
    middleware = CacheMiddleware(app, cache=Cache(clock=ManualClock()), rules=[rule])

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError("nobody is there")

    await middleware(http_scope("POST"), receive, send)

    assert ["http.request", "http.disconnect"] == [message["type"] for message in seen]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
async def test_an_unsafe_method_that_succeeds_drops_the_uri(method: str) -> None:
    """RFC 9111 §4.4, for unknown methods too: the next GET reaches the app."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"old"), Reply(status=204), Reply(headers=FRESH, body=b"new"))
    site = cached(app)
    await site.get()

    await site.ask(method)

    assert b"new" == (await site.get()).body
    assert "Invalidated" in site.told


async def test_an_unsafe_method_that_fails_drops_nothing() -> None:
    """RFC 9111 §4.4: only a non-error answer invalidates."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"old"), Reply(status=403))
    site = cached(app)
    await site.get()

    await site.ask("POST")

    assert b"old" == (await site.get()).body


async def test_location_drops_uris_of_the_same_origin_only() -> None:
    """RFC 9111 §4.4: Location and Content-Location count, but not for another origin."""
    made = Reply(status=201, headers={"location": "/made", "content-location": "http://other.example/far"})
    app = ScriptedApp(Reply(headers=FRESH), Reply(headers=FRESH), made, Reply(headers=FRESH))
    site = cached(app)
    await site.get("/made")
    await site.get("/far", headers={"host": "other.example"})

    await site.ask("POST", "/")
    await site.get("/made")
    await site.get("/far", headers={"host": "other.example"})

    assert 4 == app.calls


async def test_location_is_dropped_under_the_key_that_its_rule_makes() -> None:
    """A rule that sorts or drops parameters counts for the URIs an unsafe request names, too."""
    made = Reply(status=201, headers={"location": "/list?b=2&a=1"})
    app = ScriptedApp(Reply(), made, Reply(body=b"new"))
    site = cached(app, CacheRule("/list", ttl=9, query="sort"))
    await site.get("/list?b=2&a=1")

    await site.ask("POST", "/")

    assert b"new" == (await site.get("/list?a=1&b=2")).body


async def test_other_scopes_are_the_apps_with_the_same_objects() -> None:
    """What is not HTTP is handed on untouched."""
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([scope, receive, send])

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        return None

    scope: Scope = {"type": "websocket"}
    await CacheMiddleware(app, cache=Cache())(scope, receive, send)

    assert scope is seen[0]
    assert [receive, send] == seen[1:]


async def test_nested_middlewares_on_one_cache_do_not_wait_for_each_other() -> None:
    """A request that passes the cache twice is cached by the outermost, and never joins itself."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"x"))
    site = cached(app)
    outer = CacheMiddleware(site.app, cache=site.cache)

    async with asyncio.timeout(5):
        first = await request(outer)
        second = await request(outer)

    assert (b"x", b"x", 1) == (first.body, second.body, app.calls)
    assert ["resync; fwd=uri-miss; stored"] == first.values("cache-status")


async def test_nested_middlewares_with_caches_of_their_own_both_answer() -> None:
    """Each cache appends its own member to Cache-Status, the outer one last (RFC 9211 §2)."""
    inner = cached(ScriptedApp(Reply(headers=FRESH)), name="inner")
    outer = cached(inner.app, name="outer")

    first = await outer.get()

    assert ["inner; fwd=uri-miss; stored", "outer; fwd=uri-miss; stored"] == first.values("cache-status")


async def test_an_app_that_sends_the_same_message_objects_gets_them_back_unchanged() -> None:
    """What we add to a response is added to a copy, so it does not pile up in an app's constants."""
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]}
    body: Message = {"type": "http.response.body", "body": b"x"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send(body)

    site = cached(app)

    await site.get("/a")
    second = await site.get("/b")

    assert [(b"cache-control", b"max-age=60")] == start["headers"]
    assert (1, 1) == (len(second.values("etag")), len(second.values("cache-status")))


async def test_a_head_that_is_passed_on_is_never_stored_for_get() -> None:
    """After a response that could not be stored, a HEAD without bytes must not become the answer to GET."""
    app = ScriptedApp(
        Reply(headers={"cache-control": "no-store"}, body=b"hello"),
        Reply(headers=FRESH, body=b""),
        Reply(headers=FRESH, body=b"hello"),
    )
    site = cached(app)

    await site.get()
    await site.ask("HEAD")

    assert b"hello" == (await site.get()).body
    assert b"hello" == (await site.get()).body
    assert 3 == app.calls


async def test_hits_need_no_asyncio() -> None:
    """The pure path awaits nothing but `send`: a coroutine that never yields can be run by hand."""
    site = cached(ScriptedApp(Reply(headers=FRESH)))
    await site.get()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("a hit reads nothing")

    with pytest.raises(StopIteration):
        site.app(http_scope(), receive, send).send(None)
    assert 2 == len(sent)


async def test_rules_are_checked_when_the_middleware_is_made() -> None:
    """What is no rule is refused at once, with what to write instead."""
    with pytest.raises(RuleError, match="CacheRule"):
        CacheMiddleware(ScriptedApp(), cache=Cache(), rules=["/plan"])  # type: ignore[list-item] # the mistake


async def test_a_server_without_raw_path_and_host_is_understood() -> None:
    """HTTP/1.0 and minimal servers: the address of the server stands for the host, the path for what was sent."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app)
    bare = {"raw_path": None, "headers": [("host", "")]}

    await site.get("/ä".encode().decode("latin-1"), **bare)
    await site.get("/ä".encode().decode("latin-1"), **bare)
    assert 1 == app.calls

    await site.get("/ä".encode().decode("latin-1"), **bare, server=("elsewhere", 80))
    assert 2 == app.calls


async def test_an_exception_of_the_app_reaches_the_caller_as_it_is() -> None:
    """The very same object, after the messages that came before it."""
    error = RuntimeError("boom")
    app = ScriptedApp(Reply(headers=FRESH, body=[b"a", b"b"], error=error))
    site = cached(app)
    sent: list[Message] = []

    with pytest.raises(RuntimeError) as caught:
        await site.get("/", on_send=into(sent))

    assert error is caught.value
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in sent]
    assert b"a" == sent[1]["body"]
