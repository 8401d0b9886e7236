"""Entries made of responses and of updates: all that a hit needs is in them (RFC 9111 §3.1, §3.2, §4.2, §4.3.4)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync._headers import format_http_date
from asgi_resync.cache.build import Call, build_entry, freshened, stripped_names, strong_etag
from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.options import CacheOptions
from asgi_resync.cache.policy.fields import read_fields
from asgi_resync.cache.rules import NO_TERMS, Terms, upstream_tag

NOW = 1_700_000_000.0
OPTIONS = CacheOptions(stale_while_revalidate=7, stale_if_error=8, keep=30)
FRESH = (b"cache-control", b"max-age=60")
OWN = b"resync-cache-control"


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def called(terms: Terms = NO_TERMS, options: CacheOptions = OPTIONS, *, delay: float = 0.0, now: float = NOW) -> Call:
    return Call(terms=terms, options=options, route="/r", epoch=3, request_time=now - delay, response_time=now)


def built(
    *headers: tuple[bytes, bytes],
    terms: Terms = NO_TERMS,
    options: CacheOptions = OPTIONS,
    status: int = 200,
    body: bytes = b"body",
    delay: float = 0.0,
    etag: bytes | None = None,
) -> StoredResponse:
    call = called(terms, options, delay=delay)
    fields = read_fields(status, list(headers), now=NOW, tag_fields=options.tag_fields)
    call.read(fields)
    return build_entry(fields, list(headers), body, call, key=("k",), vary=(b"accept",), variant=(b"x",), etag=etag)


def updated(
    entry: StoredResponse,
    *update: tuple[bytes, bytes],
    terms: Terms = NO_TERMS,
    options: CacheOptions = OPTIONS,
    delay: float = 0.0,
) -> StoredResponse:
    return freshened(entry, list(update), called(terms, options, delay=delay, now=NOW + 100))[0]


# Validators of our own


def test_an_etag_of_ours_is_strong_quoted_and_depends_on_the_body_alone() -> None:
    """RFC 9110 §8.8.3: the same in every process, so it is spelled out here."""
    assert b'"47DEQpj8HBSa+/TI"' == strong_etag(b"")
    assert strong_etag(b"a") == strong_etag(b"a") != strong_etag(b"b")


@pytest.mark.parametrize(
    ("headers", "etag", "expected", "from_app", "kept"),
    [
        ([], None, None, False, 0.0),
        ([], b'"ours"', b'"ours"', False, 0.0),
        ([(b"etag", b'"app"')], None, b'"app"', True, 30.0),
        ([(b"last-modified", at(-5))], None, None, True, 30.0),
        ([(b"last-modified", at(-5))], b'"ours"', b'"ours"', True, 30.0),
        ([(b"last-modified", b"0")], None, None, False, 0.0),
    ],
)
def test_only_what_the_app_can_be_asked_about_is_kept_for_that(
    headers: RawHeaders, etag: bytes | None, expected: bytes | None, from_app: bool, kept: float
) -> None:
    """§4.3.1: the app knows its own validators, not ours."""
    entry = built(FRESH, *headers, etag=etag)

    assert (expected, from_app, kept) == (entry.etag, entry.app_validator, entry.keep)
    assert ((b"etag", etag) in entry.headers) == (etag is not None)


def test_a_rule_that_forbids_to_ask_keeps_nothing_for_it() -> None:
    """There is no use in a stale response that nobody may validate."""
    assert 0.0 == built(FRESH, (b"etag", b'"app"'), terms=Terms(revalidate=False)).keep


# What the entry says


def test_an_entry_has_all_facts_of_its_response() -> None:
    """§4.2: what a hit asks for was worked out when it was stored."""
    terms = Terms(tags=["t"], upstreams=["tws"])
    entry = built(
        (b"cache-control", b"max-age=60, stale-if-error=9"),
        (b"date", at(-10)),
        (b"age", b"20"),
        (b"last-modified", at(-500)),
        (b"surrogate-key", b"a b"),
        terms=terms,
        delay=2,
        status=404,
    )

    assert (404, b"body", NOW, NOW - 10) == (entry.status, entry.body, entry.stored_at, entry.date)
    assert (NOW - 22, 60.0, NOW + 38) == (entry.born, entry.lifetime, entry.fresh_until)
    assert (7.0, 9.0) == (entry.stale_while_revalidate, entry.stale_if_error)
    assert (True, False, False) == (entry.may_serve_stale, entry.always_validate, entry.shared_with_authorization)
    assert (NOW - 500, True, 30.0) == (entry.last_modified, entry.app_validator, entry.keep)
    assert ("t", upstream_tag("tws"), "a", "b") == entry.tags
    assert ("/r", 3, ("k",), (b"accept",), (b"x",)) == (entry.route, entry.epoch, entry.key, entry.vary, entry.variant)
    assert NOW + 38 + 30 == entry.keep_until


@pytest.mark.parametrize(
    ("control", "may_serve_stale", "always_validate", "shared"),
    [
        (b"max-age=1", True, False, False),
        (b"max-age=1, public", True, False, True),
        (b"max-age=1, must-revalidate", False, False, True),
        (b"max-age=1, proxy-revalidate", False, False, False),
        (b"s-maxage=1", False, False, True),
        (b"no-cache, max-age=1", False, True, False),
        (b'no-cache="x-a", max-age=1', True, False, False),
    ],
)
def test_directives_become_facts(control: bytes, may_serve_stale: bool, always_validate: bool, shared: bool) -> None:
    """§5.2.2 in the three questions that a later request asks."""
    entry = built((b"cache-control", control))

    assert (may_serve_stale, always_validate, shared) == (
        entry.may_serve_stale,
        entry.always_validate,
        entry.shared_with_authorization,
    )
    assert (entry.fresh_until == -math.inf) == always_validate


def test_a_response_without_a_date_is_of_the_moment_it_came() -> None:
    """RFC 9110 §6.6.1; §4.2.3 has the delay count as age."""
    entry = built(FRESH, delay=2)

    assert (NOW, NOW - 2) == (entry.date, entry.born)


def test_a_rule_gives_its_lifetime_whole() -> None:
    """The time that the handler took is age, and is added to the rule's lifetime."""
    entry = built(terms=Terms(ttl=10), delay=5)

    assert NOW + 10 == entry.fresh_until


def test_a_clock_that_was_set_back_makes_no_negative_delay() -> None:
    """§4.2.3: neither the age nor a rule's lifetime suffers."""
    entry = built(terms=Terms(ttl=10), delay=-3600)

    assert (0.0, NOW, 10.0) == (called(delay=-3600).delay, entry.born, entry.lifetime)


# The lines that are kept


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ([(b"x-a", b"1")], 200, [(b"x-a", b"1"), (b"content-length", b"4")]),
        ([(b"content-length", b"4")], 200, [(b"content-length", b"4")]),
        # RFC 9110 §8.6
        ([], 204, []),
        ([(b"Transfer-Encoding", b"chunked")], 200, [(b"content-length", b"4")]),
        # §3.1
        (
            [(b"connection", b"x-a"), (b"x-a", b"1"), (b"age", b"3"), (b"X-B", b"2")],
            200,
            [(b"x-b", b"2"), (b"content-length", b"4")],
        ),
    ],
)
def test_lines_are_kept_but_for_those_of_one_connection(headers: RawHeaders, status: int, expected: RawHeaders) -> None:
    """§3.1, and a length where the app gave none, so that hits need no chunks."""
    assert [FRESH, *expected] == built(FRESH, *headers, status=status).headers


@pytest.mark.parametrize(
    ("control", "setting", "ruled", "expected"),
    [
        (b"max-age=60", "store", None, {OWN}),
        (b"max-age=60", "strip", None, {OWN, b"set-cookie"}),
        (b"max-age=60", "store", "strip", {OWN, b"set-cookie"}),
        (b"max-age=60", "strip", "store", {OWN}),
        # §5.2.2.4 and §5.2.2.7
        (b'private="X-A", no-cache="x-b, x-c"', "store", None, {OWN, b"x-a", b"x-b", b"x-c"}),
        (b'private="X-A"', "strip", None, {OWN, b"x-a", b"set-cookie"}),
    ],
)
def test_fields_that_directives_name_are_stripped(
    control: bytes, setting: str, ruled: str | None, expected: set[bytes]
) -> None:
    """Named by private or no-cache, cookies by setting or rule, and our own target always."""
    options = replace(OPTIONS, set_cookie=setting)  # type: ignore[arg-type]  # one of the table's
    terms = Terms(set_cookie=ruled)  # type: ignore[arg-type]  # one of the table's
    fields = read_fields(200, [(b"cache-control", control), (b"set-cookie", b"a=1")], now=NOW)

    assert expected == stripped_names(fields, terms, options)


def test_without_a_cookie_there_is_none_to_strip() -> None:
    """The setting is for responses that have one."""
    fields = read_fields(200, [FRESH], now=NOW)

    assert {OWN} == stripped_names(fields, NO_TERMS, replace(OPTIONS, set_cookie="strip"))


@pytest.mark.parametrize(
    ("vary", "ruled", "expected"),
    [
        ([], (), []),
        ([b"Accept"], (), [b"Accept"]),
        ([b"Accept"], ("accept",), [b"Accept"]),
        ([b"Accept"], ("x-b", "Accept", "x-a"), [b"Accept", b"x-a, x-b"]),
        ([], ("x-a",), [b"x-a"]),
        ([b"*"], ("x-a",), [b"*", b"x-a"]),
    ],
)
def test_caches_further_down_learn_what_the_rule_tells_apart(
    vary: list[bytes], ruled: tuple[str, ...], expected: list[bytes]
) -> None:
    """RFC 9110 §12.5.5: a Vary line of its own has the names that the response lacks."""
    entry = built(FRESH, *((b"vary", line) for line in vary), terms=Terms(vary=ruled))

    assert expected == [value for name, value in entry.headers if name == b"vary"]


def test_our_own_target_is_hidden_and_not_lost() -> None:
    """RFC 9213: it is consumed, and still governs the entry after a 304 that does not repeat it."""
    entry = built((OWN.title(), b"max-age=5"), (OWN, b"s-maxage=9"), FRESH)
    assert [(OWN, b"max-age=5"), (OWN, b"s-maxage=9")] == entry.hidden
    assert OWN not in {name for name, _ in entry.headers}
    assert 9.0 == entry.lifetime

    assert (9.0, entry.hidden) == ((again := updated(entry)).lifetime, again.hidden)

    other = updated(entry, (OWN, b"max-age=2"))
    assert (2.0, [(OWN, b"max-age=2")]) == (other.lifetime, other.hidden)
    assert OWN not in {name for name, _ in other.headers}


# Updates by 304 and HEAD, §4.3.4 and §4.3.5


def test_an_update_makes_the_entry_of_the_moment() -> None:
    """Lifetime, age and date are worked out anew from the fields that the entry has then."""
    entry = built(FRESH, (b"etag", b'"a"'), (b"date", at(-50)), (b"age", b"55"), (b"x-a", b"1"))
    renewed = updated(entry, (b"Cache-Control", b"max-age=9"), (b"x-b", b"2"), (b"age", b"4"), delay=1)

    assert (entry.key, entry.body, entry.vary, entry.variant) == (
        renewed.key,
        renewed.body,
        renewed.vary,
        renewed.variant,
    )
    assert (NOW + 100, NOW + 100, NOW + 95, 9.0) == (renewed.stored_at, renewed.date, renewed.born, renewed.lifetime)
    assert (b'"a"', True) == (renewed.etag, renewed.app_validator)
    # RFC 9110 §6.6.1: an update without a Date is of the moment at which it came.
    assert [(b"etag", b'"a"'), (b"date", at(100)), (b"x-a", b"1")] == renewed.headers[:3]
    assert [(b"cache-control", b"max-age=9"), (b"x-b", b"2")] == renewed.headers[-2:]
    assert FRESH in entry.headers


def test_an_update_without_directives_renews_the_stored_lifetime() -> None:
    """§4.3.4: what the 304 omits is as it was stored."""
    entry = built(FRESH, (b"etag", b'"a"'))
    renewed = updated(entry)

    assert (60.0, NOW + 160) == (renewed.lifetime, renewed.fresh_until)


def test_expires_counts_from_the_date_of_the_update() -> None:
    """§5.3: the Date of the message that is stored is of no meaning for one that came later."""
    entry = built((b"expires", at(60)), (b"date", at(0)), (b"etag", b'"a"'))

    assert 0.0 == updated(entry).lifetime
    assert 50.0 == updated(entry, (b"expires", at(150)), (b"date", at(100))).lifetime


@pytest.mark.parametrize(("setting", "expected"), [("refuse", []), ("strip", []), ("store", [(b"set-cookie", b"a=1")])])
def test_a_cookie_of_an_update_is_for_the_one_who_asked(setting: str, expected: RawHeaders) -> None:
    """§7.3: it goes into what is stored only where cookies do."""
    options = replace(OPTIONS, set_cookie=setting)  # type: ignore[arg-type]  # one of the table's
    renewed = updated(built(FRESH, (b"etag", b'"a"')), (b"set-cookie", b"a=1"), options=options)

    assert expected == [pair for pair in renewed.headers if pair[0] == b"set-cookie"]


def test_what_an_update_makes_private_leaves_the_store() -> None:
    """§5.2.2.7: a field that the 304 calls private is not sent to others, whether it has it or not."""
    entry = built(FRESH, (b"etag", b'"a"'), (b"x-user", b"ann"))
    renewed = updated(entry, (b"cache-control", b'max-age=60, private="x-user"'))

    assert b"x-user" not in {name for name, _ in renewed.headers}


def test_an_update_can_forbid_what_was_permitted() -> None:
    """§3.2: the fields returned are those to decide with."""
    entry = built((b"cache-control", b"public, max-age=60"), (b"etag", b'"a"'))
    renewed, fields = freshened(entry, [(b"cache-control", b"no-cache, private")], called(now=NOW + 100))

    assert (True, True) == (fields.control.private, renewed.always_validate)
    assert not renewed.shared_with_authorization


def test_tags_and_targets_are_those_of_the_entry_then() -> None:
    """Tag fields and targets of the update take the place of the stored ones."""
    options = replace(OPTIONS, targets=(b"cdn-cache-control",))
    entry = built(FRESH, (b"cache-tag", b"a"), (b"cdn-cache-control", b"max-age=5"), options=options)
    renewed = updated(entry, (b"cache-tag", b"b"), (b"cdn-cache-control", b"max-age=6"), options=options)

    assert (("b",), 6.0) == (renewed.tags, renewed.lifetime)


# Weight


@given(
    body=st.binary(max_size=50),
    headers=st.lists(st.tuples(st.sampled_from([b"x-a", b"x-b"]), st.binary(max_size=10)), max_size=5),
)
def test_an_entry_weighs_more_than_its_bytes(body: bytes, headers: RawHeaders) -> None:
    """Nothing that a client or an app can make longer is free."""
    entry = built(FRESH, *headers, body=body)

    assert entry.size > len(body) + sum(len(name) + len(value) for name, value in entry.headers)
    assert entry.keep_until >= entry.born + entry.lifetime
