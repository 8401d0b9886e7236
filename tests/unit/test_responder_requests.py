"""What the request says: preconditions, ranges, directives, HEAD, Authorization; and which variant it gets."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import FRESH, cached, turns

from asgi_resync import CacheRule
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.testing import Reply, ScriptedApp

TAGGED = FRESH | {"etag": '"a"', "last-modified": "Mon, 13 Nov 2023 00:00:00 GMT"}
AFTER = "Tue, 14 Nov 2023 00:00:00 GMT"
BEFORE = "Sun, 12 Nov 2023 00:00:00 GMT"


FOR_CACHES: list[tuple[dict[str, str], int]] = [
    ({"if-none-match": '"a"'}, 304),
    ({"if-none-match": 'W/"a"'}, 304),
    ({"if-none-match": '"x", "a"'}, 304),
    ({"if-none-match": "*"}, 304),
    ({"if-none-match": '"x"'}, 200),
    ({"if-none-match": '"x"', "if-modified-since": AFTER}, 200),
    ({"if-modified-since": AFTER}, 304),
    ({"if-modified-since": BEFORE}, 200),
    ({"if-modified-since": "yesterday"}, 200),
    ({"if-match": '"a"'}, 200),
    ({"if-unmodified-since": AFTER}, 200),
]
PRECONDITIONS: list[tuple[dict[str, str], int]] = [
    *FOR_CACHES,
    ({"if-match": 'W/"a"'}, 412),
    ({"if-match": '"x"'}, 412),
    ({"if-unmodified-since": BEFORE}, 412),
    ({"if-match": '"x"', "if-none-match": '"a"'}, 412),
]
"""As they are evaluated on what the app gives."""
FROM_THE_STORE = [
    *FOR_CACHES,
    ({"if-match": 'W/"a"'}, 200),
    ({"if-match": '"x"'}, 200),
    ({"if-unmodified-since": BEFORE}, 200),
    ({"if-match": '"x"', "if-none-match": '"a"'}, 304),
]


@pytest.mark.parametrize(("asked", "status"), FROM_THE_STORE)
async def test_preconditions_are_answered_from_the_store(asked: dict[str, str], status: int) -> None:
    """RFC 9111 §4.3.2: in the order of RFC 9110 §13.2.2, but for what is for the origin alone."""
    app = ScriptedApp(Reply(headers=TAGGED | {"content-type": "text/plain"}, body=b"x"))
    site = cached(app)
    await site.get()

    answer = await site.get(headers=asked)

    assert (status, 1) == (answer.status, app.calls)
    assert (b"x" if status == 200 else b"") == answer.body
    if status == 304:
        assert ('"a"', None, None) == tuple(answer.header(n) for n in ("etag", "content-type", "content-length"))


async def test_a_miss_under_a_rule_answers_the_clients_question_itself() -> None:
    """The app is asked for the whole, which is stored; the client that has it already gets a 304."""
    app = ScriptedApp(Reply(headers=TAGGED, body=b"x"))
    site = cached(app, CacheRule("/"))

    answer = await site.get(headers={"if-none-match": '"a"'})

    assert app.requests[0].header("if-none-match") is None
    assert (304, "resync; fwd=uri-miss; fwd-status=200; stored") == (answer.status, answer.header("cache-status"))
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in answer.messages]
    assert b"x" == (await site.get()).body


@pytest.mark.parametrize(("asked", "status"), PRECONDITIONS)
async def test_what_a_rule_names_and_may_not_be_kept_heeds_the_clients_question(
    asked: dict[str, str], status: int
) -> None:
    """The app was asked without it, so what it would have made of it is for us to say, body and all."""
    headers = TAGGED | {"cache-control": "no-store", "set-cookie": "a=b"}
    app = ScriptedApp(Reply(headers=headers, body=[b"x", b"y"]))
    site = cached(app, CacheRule("/"))

    answer = await site.get(headers=asked)

    assert status == answer.status
    assert (b"xy" if status == 200 else b"") == answer.body
    assert answer.messages[-1].get("more_body", False) is False
    if status == 304:
        assert ('"a"', "a=b") == (answer.header("etag"), answer.header("set-cookie"))


@pytest.mark.parametrize("reply", [Reply(body=b"x"), Reply(status=404, headers={"etag": '"a"'}, body=b"x")])
async def test_an_app_that_compares_no_validators_is_not_improved_upon(reply: Reply) -> None:
    """RFC 9110 §13.2.1: preconditions count where the answer would be 2xx, and here there is nothing to compare."""
    site = cached(ScriptedApp(reply), CacheRule("/", ttl=None))

    answer = await site.get(headers={"if-none-match": '"a"', "if-match": '"x"'})

    assert (reply.status, b"x") == (answer.status, answer.body)


async def test_what_lately_proved_uncacheable_is_asked_as_the_client_asks() -> None:
    """The app's own 304 goes on, as without us."""
    app = ScriptedApp(Reply(headers={"cache-control": "no-store"}), Reply(status=304, headers={"etag": '"a"'}))
    site = cached(app, CacheRule("/"))
    await site.get()

    answer = await site.get(headers={"if-none-match": '"a"'})

    assert ('"a"', 304) == (app.requests[1].header("if-none-match"), answer.status)


async def test_a_miss_without_a_rule_leaves_the_question_to_the_app() -> None:
    """Nobody knows yet that it is ours to cache, so the app's own 304 goes on to the client as it is."""
    app = ScriptedApp(Reply(status=304, headers={"etag": '"a"'}))
    site = cached(app)

    answer = await site.get(headers={"if-none-match": '"a"'})

    assert '"a"' == app.requests[0].header("if-none-match")
    assert (304, ((b"etag", b'"a"'),)) == (answer.status, answer.headers)


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ({"range": "bytes=0-1"}, 206, b"he", "bytes 0-1/5"),
        ({"range": "bytes=-2"}, 206, b"lo", "bytes 3-4/5"),
        ({"range": "bytes=3-"}, 206, b"lo", "bytes 3-4/5"),
        ({"range": "bytes=9-"}, 416, b"", "bytes */5"),
        ({"range": "bytes=0-0,2-2"}, 200, b"hello", None),
        ({"range": "lines=0-1"}, 200, b"hello", None),
        ({"range": "bytes=0-1", "if-range": '"a"'}, 206, b"he", "bytes 0-1/5"),
        ({"range": "bytes=0-1", "if-range": '"x"'}, 200, b"hello", None),
        ({"range": "bytes=0-1", "if-range": 'W/"a"'}, 200, b"hello", None),
    ],
)
async def test_ranges_are_cut_from_the_stored_whole(
    asked: dict[str, str], status: int, body: bytes, content_range: str | None
) -> None:
    """One range that is valid is answered with a part; everything else with the whole (RFC 9110 §14.2)."""
    app = ScriptedApp(Reply(headers=TAGGED, body=b"hello"))
    site = cached(app)
    await site.get()

    answer = await site.get(headers=asked)

    assert (status, body, content_range) == (answer.status, answer.body, answer.header("content-range"))
    assert str(len(body)) == answer.header("content-length")
    assert 1 == app.calls


async def test_a_part_is_passed_on_and_never_stored() -> None:
    """A 206 of the app's own reaches its client, and the next GET gets the whole from the app."""
    part = Reply(status=206, headers=FRESH | {"content-range": "bytes 0-0/2"}, body=b"a")
    app = ScriptedApp(part, Reply(headers=FRESH, body=b"ab"))
    site = cached(app)

    assert (206, b"a") == ((answer := await site.get(headers={"range": "bytes=0-0"})).status, answer.body)
    assert b"ab" == (await site.get()).body


@pytest.mark.parametrize("control", ["no-cache", "max-age=0", "no-cache, max-age=0", "min-fresh=100"])
async def test_a_clients_directives_are_ignored_by_default(control: str) -> None:
    """RFC 9111 §5.2.1 makes them advisory: no client can aim traffic at the app."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app)
    await site.get()

    await site.get(headers={"cache-control": control, "pragma": "no-cache"})

    assert 1 == app.calls


@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ({"cache-control": "no-cache"}, 2),
        ({"pragma": "no-cache"}, 2),
        ({"pragma": "no-cache", "cache-control": "max-age=60"}, 1),
        ({"cache-control": "max-age=10"}, 1),
        ({"cache-control": "max-age=4"}, 2),
        ({"cache-control": "min-fresh=55"}, 1),
        ({"cache-control": "min-fresh=56"}, 2),
        ({"cache-control": "max-stale"}, 1),
    ],
)
async def test_a_clients_directives_are_honoured_by_setting(asked: dict[str, str], calls: int) -> None:
    """With `honours_client` they count, for an answer that is five seconds old and fresh for 55 more."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app, honours_client=True)
    await site.get()
    site.clock.advance(5)

    await site.get(headers=asked)

    assert calls == app.calls


async def test_max_stale_is_honoured_by_setting() -> None:
    """A client that takes what is stale gets it, as stale as it says."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app, honours_client=True)
    await site.get()
    site.clock.advance(70)

    stale = await site.get(headers={"cache-control": "max-stale=20"})
    assert ("resync; hit; ttl=-10; detail=stale-max-stale", 1) == (stale.header("cache-status"), app.calls)

    await site.get(headers={"cache-control": "max-stale=5"})
    assert 2 == app.calls


async def test_what_a_client_refuses_is_not_served_as_if_there_were_an_error() -> None:
    """A follower whose directives the answer does not meet calls the app itself, stale-if-error or not."""
    gate = asyncio.Event()
    old = FRESH | {"cache-control": "max-age=60, stale-if-error=60", "age": "30"}
    app = ScriptedApp(Reply(headers=old, body=b"old", hold=gate), Reply(headers=FRESH, body=b"new"))
    site = cached(app, honours_client=True)
    leader = asyncio.create_task(site.get())
    await app.until_called()
    follower = asyncio.create_task(site.get(headers={"cache-control": "max-age=5"}))
    await turns()
    gate.set()

    assert (b"old", b"new") == ((await leader).body, (await follower).body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_only_if_cached_never_reaches_the_app(method: str) -> None:
    """RFC 9111 §5.2.1.7: what is not stored is 504, whatever the setting."""
    app = ScriptedApp(Reply(headers=FRESH))
    site = cached(app)

    answer = await site.ask(method, headers={"cache-control": "only-if-cached"})

    assert (504, 0) == (answer.status, app.calls)
    assert "resync; detail=only-if-cached" == answer.header("cache-status")
    assert (method == "HEAD") == (answer.body == b"")

    await site.get()
    assert 200 == (await site.get(headers={"cache-control": "only-if-cached"})).status


async def test_a_request_that_says_no_store_is_answered_and_nothing_is_kept() -> None:
    """RFC 9111 §5.2.1.5: it may be answered from the store, and what it brings is not stored."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"1"), Reply(headers=FRESH, body=b"2"))
    site = cached(app)

    await site.get(headers={"cache-control": "no-store"})
    assert b"2" == (await site.get()).body
    assert b"2" == (await site.get(headers={"cache-control": "no-store"})).body


@pytest.mark.parametrize(
    ("control", "shared"),
    [("max-age=60", False), ("public, max-age=60", True), ("s-maxage=60", True), ("max-age=60, must-revalidate", True)],
)
async def test_answers_to_authorization_are_shared_with_permission_only(control: str, shared: bool) -> None:
    """RFC 9111 §3.5, both ways: what one user got, and what a user may get of what was stored without."""
    app = ScriptedApp(Reply(headers={"cache-control": control}, body=b"1"), Reply(headers={"cache-control": control}))
    site = cached(app)

    await site.get(headers={"authorization": "Bearer alice"})
    await site.get(headers={"authorization": "Bearer bob"})
    await site.get()

    assert (1 if shared else 3) == app.calls


async def test_what_was_stored_for_all_is_not_for_authorization_without_permission() -> None:
    """An app may answer those it knows differently, so they are not served what others got."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"anonymous"), Reply(headers=FRESH, body=b"alice"))
    site = cached(app)

    await site.get()

    assert b"alice" == (await site.get(headers={"authorization": "Bearer alice"})).body
    assert b"anonymous" == (await site.get()).body


@pytest.mark.parametrize(
    ("policy", "calls", "cookies"), [("refuse", 2, ["a=1"]), ("strip", 1, []), ("store", 1, ["a=1"])]
)
async def test_set_cookie_follows_the_policy(policy: str, calls: int, cookies: list[str]) -> None:
    """`refuse` stores nothing, `strip` stores without it, `store` keeps it; its own client always gets it."""
    app = ScriptedApp(Reply(headers=FRESH | {"set-cookie": "a=1"}))
    site = cached(app, set_cookie=policy)

    assert ["a=1"] == (await site.get()).values("set-cookie")
    assert cookies == (await site.get()).values("set-cookie")
    assert calls == app.calls


async def test_several_lines_of_one_name_stay_several() -> None:
    """Cookies that are stored by setting come out line by line, in their order."""
    lines = [("cache-control", "max-age=60"), ("set-cookie", "a=1"), ("link", "<a>"), ("set-cookie", "b=2")]
    site = cached(ScriptedApp(Reply(headers=lines)), set_cookie="store")
    await site.get()

    assert ["a=1", "b=2"] == (await site.get()).values("set-cookie")


async def test_our_own_target_is_obeyed_and_never_sent_on() -> None:
    """RFC 9213: Resync-Cache-Control wins over Cache-Control, and neither miss, hit nor refusal shows it."""
    both = {"cache-control": "no-store", "resync-cache-control": "max-age=60"}
    refused = {"cache-control": "max-age=60", "resync-cache-control": "no-store"}
    app = ScriptedApp(Reply(headers=both), Reply(headers=refused))
    site = cached(app)

    answers = [await site.get("/a"), await site.get("/a"), await site.get("/b"), await site.get("/b")]

    assert 3 == app.calls
    assert {None} == {answer.header("resync-cache-control") for answer in answers}
    assert "no-store" == answers[1].header("cache-control")


async def test_targeted_fields_are_obeyed_by_setting_and_sent_on() -> None:
    """CDN-Cache-Control counts where the option names it."""
    headers = {"cache-control": "no-store", "cdn-cache-control": "max-age=60"}
    app = ScriptedApp(Reply(headers=headers))
    site = cached(app, targets=(b"cdn-cache-control",))

    await site.get()
    hit = await site.get()

    assert (1, "max-age=60") == (app.calls, hit.header("cdn-cache-control"))


async def test_hop_by_hop_fields_are_not_stored() -> None:
    """RFC 9111 §3.1: neither those of the list nor those that Connection names."""
    headers = FRESH | {"connection": "x-hop", "x-hop": "1", "keep-alive": "timeout=5", "x-end": "1"}
    site = cached(ScriptedApp(Reply(headers=headers)))
    await site.get()

    hit = await site.get()

    assert (None, None, None, "1") == tuple(hit.header(n) for n in ("connection", "x-hop", "keep-alive", "x-end"))


async def test_cache_status_is_appended_to_one_already_there() -> None:
    """RFC 9211 §2: each cache adds its member after those nearer to the origin."""
    site = cached(ScriptedApp(Reply(headers=FRESH | {"cache-status": "origin; hit"})), name="ours")

    assert ["origin; hit", "ours; fwd=uri-miss; stored"] == (await site.get()).values("cache-status")
    assert ["origin; hit", "ours; hit; ttl=60; detail=l1"] == (await site.get()).values("cache-status")


async def test_cache_status_and_etag_can_be_switched_off() -> None:
    """Then a miss and a hit add nothing but Age."""
    site = cached(ScriptedApp(Reply(headers=FRESH, body=b"x")), status_field=False, etag=False)

    miss, hit = await site.get(), await site.get()

    assert {b"cache-control"} == {name for name, _ in miss.headers}
    assert {b"cache-control", b"content-length", b"age"} == {name for name, _ in hit.headers}


async def test_head_is_passed_on_where_nothing_is_stored() -> None:
    """The app's own answer to HEAD goes to the client, and is not kept for GET."""
    app = ScriptedApp(Reply(headers=FRESH | {"content-length": "5"}), Reply(headers=FRESH, body=b"hello"))
    site = cached(app)

    assert "5" == (await site.ask("HEAD")).header("content-length")
    assert "HEAD" == app.requests[0].scope["method"]
    assert b"hello" == (await site.get()).body


async def test_head_makes_a_stale_get_fresh_if_they_are_of_one_representation() -> None:
    """RFC 9111 §4.3.5: its fields update the stored response."""
    app = ScriptedApp(Reply(headers=TAGGED, body=b"hello"), Reply(headers=TAGGED | {"x-new": "1"}))
    site = cached(app)
    await site.get()
    site.clock.advance(70)

    await site.ask("HEAD")
    hit = await site.get()

    assert (b"hello", "1", 2) == (hit.body, hit.header("x-new"), app.calls)


@pytest.mark.parametrize("update", [{"etag": '"b"'}, {"content-length": "6"}])
async def test_head_of_another_representation_drops_the_stored_get(update: dict[str, str]) -> None:
    """RFC 9111 §4.3.5: what HEAD describes is not what is stored."""
    stored = FRESH | {"etag": '"a"', "cache-control": "max-age=60, stale-while-revalidate=600"}
    app = ScriptedApp(Reply(headers=stored, body=b"hello"), Reply(headers=stored | update), Reply(body=b"new"))
    site = cached(app)
    await site.get()
    site.clock.advance(700)

    await site.ask("HEAD")

    assert b"new" == (await site.get()).body
    assert app.requests[2].header("if-none-match") is None


@pytest.mark.parametrize("update", [{"cache-control": "private, max-age=60"}, {"cache-control": "no-store"}])
async def test_head_that_takes_back_the_permission_is_obeyed(update: dict[str, str]) -> None:
    """Nothing that HEAD marked for one user reaches another."""
    app = ScriptedApp(Reply(headers=TAGGED, body=b"1"), Reply(headers=TAGGED | update | {"x-user": "alice"}), Reply())
    site = cached(app)
    await site.get()
    site.clock.advance(70)

    assert "alice" == (await site.ask("HEAD")).header("x-user")
    assert (await site.get()).header("x-user") is None
    assert 3 == app.calls


async def test_a_cookie_on_head_is_for_the_one_who_asked() -> None:
    """The stored response takes none of its fields."""
    app = ScriptedApp(
        Reply(headers=TAGGED, body=b"1"),
        Reply(headers=TAGGED | {"set-cookie": "session=alice", "x-user": "alice"}),
        Reply(status=304),
    )
    site = cached(app)
    await site.get()
    site.clock.advance(70)

    assert ["session=alice"] == (await site.ask("HEAD")).values("set-cookie")
    theirs = await site.get()
    assert ([], None) == (theirs.values("set-cookie"), theirs.header("x-user"))


async def test_a_head_that_was_asked_before_a_purge_brings_nothing_back() -> None:
    """What was purged while the app answered stays purged."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=TAGGED, body=b"old"), Reply(headers=TAGGED, hold=gate), Reply(body=b"new"))
    site = cached(app)
    await site.get()
    site.clock.advance(70)
    head = asyncio.create_task(site.ask("HEAD"))
    await app.until_called(2)

    await site.cache.purge(urls=["http://testserver/"])
    gate.set()
    await head

    assert b"new" == (await site.get()).body


async def by_language(scope: Scope, receive: Receive, send: Send) -> None:
    language = dict(scope["headers"]).get(b"accept-language", b"none")
    await Reply(headers=FRESH | {"vary": "accept-language"}, body=language)(scope, receive, send)


async def test_each_variant_gets_its_own_answer() -> None:
    """RFC 9111 §4.1: absent, empty and other values are told apart, and equal meanings are not."""
    app = ScriptedApp(by_language)
    site = cached(app)
    asked: list[dict[str, str]] = [{}, {"accept-language": "de"}, {"accept-language": ""}, {"accept-language": "fr"}]

    for _ in range(2):
        bodies = [(await site.get(headers=headers)).body for headers in asked]
        assert [b"none", b"de", b"", b"fr"] == bodies
    assert 4 == app.calls

    assert b"de" == (await site.get(headers={"accept-language": " de "})).body
    assert 4 == app.calls


async def test_a_miss_among_variants_says_so() -> None:
    """Its Cache-Status is `fwd=vary-miss` (RFC 9211 §2.2)."""
    site = cached(ScriptedApp(by_language))
    await site.get(headers={"accept-language": "de"})

    other = await site.get(headers={"accept-language": "fr"})

    assert "resync; fwd=vary-miss; stored" == other.header("cache-status")


async def test_a_rules_vary_makes_variants_and_names_them() -> None:
    """Caches further down must tell apart what the rule tells apart."""
    app = ScriptedApp(Reply(body=b"a"), Reply(body=b"b"))
    site = cached(app, CacheRule("/", ttl=9, vary=["X-Tenant"]))

    await site.get(headers={"x-tenant": "a"})
    await site.get(headers={"x-tenant": "b"})
    hit = await site.get(headers={"x-tenant": "a"})

    assert (b"a", "x-tenant", 2) == (hit.body, hit.header("vary"), app.calls)


async def test_vary_star_is_never_stored() -> None:
    """RFC 9111 §4.1, in whatever company."""
    app = ScriptedApp(Reply(headers=FRESH | {"vary": "accept, *"}))
    site = cached(app)

    await site.get()
    await site.get()

    assert 2 == app.calls
    assert "NotStored" in site.told


async def test_one_304_can_speak_of_another_variant() -> None:
    """RFC 9111 §4.3.1: all stored variants are offered, and the one that the app names is the answer."""
    answers = [
        Reply(headers=FRESH | {"vary": "accept-language", "etag": f'"{name}"'}, body=name.encode())
        for name in ("de", "fr")
    ]
    app = ScriptedApp(*answers, Reply(status=304, headers={"etag": '"de"', "cache-control": "max-age=60"}))
    site = cached(app)
    await site.get(headers={"accept-language": "de"})
    await site.get(headers={"accept-language": "fr"})

    swiss = await site.get(headers={"accept-language": "de-ch"})

    assert (200, b"de", '"fr", "de"') == (swiss.status, swiss.body, app.requests[2].header("if-none-match"))
    assert b"de" == (await site.get(headers={"accept-language": "de-ch"})).body
    assert 3 == app.calls


async def test_a_stored_answer_goes_out_under_the_cap_of_variants() -> None:
    """The oldest variant goes first."""
    app = ScriptedApp(by_language)
    site = cached(app, max_variants=2)

    for name in ("a", "b", "c"):
        await site.get(headers={"accept-language": name})
    await site.get(headers={"accept-language": "c"})
    await site.get(headers={"accept-language": "b"})
    assert 3 == app.calls

    await site.get(headers={"accept-language": "a"})
    assert 4 == app.calls
