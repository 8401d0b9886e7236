"""Whether a response may be stored (RFC 9111 §3), with the reason where not."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync.cache.policy.fields import ResponseFields, read_fields
from asgi_resync.cache.policy.freshness import freshness_lifetime
from asgi_resync.cache.policy.storability import (
    NEVER,
    UNDERSTOOD,
    NotStorable,
    Storable,
    StorageLimits,
    may_share_with_authorization,
    storability,
)
from asgi_resync.cache.rules import NO_TERMS, Terms

NOW = 1_700_000_000.0
MAX_BODY = 1000
RULE = Terms(ttl=30)
FRESH = (b"cache-control", b"max-age=60")

Policy = Literal["refuse", "strip", "store"]


def cc(value: bytes) -> tuple[bytes, bytes]:
    return (b"cache-control", value)


def read(*headers: tuple[bytes, bytes], status: int = 200) -> ResponseFields:
    return read_fields(status, list(headers), now=NOW)


def decide(
    fields: ResponseFields,
    terms: Terms = NO_TERMS,
    *,
    set_cookie: Policy = "refuse",
    authorized: bool = False,
    keeps_stale: bool = False,
    has_trailers: bool = False,
    heuristic: bool = False,
) -> str | tuple[bytes, ...]:
    """Return the reason not to store, or what to vary by."""
    found = storability(
        fields,
        freshness_lifetime(fields, terms, response_time=NOW, response_delay=0.0, heuristic=heuristic),
        terms,
        StorageLimits(max_body=MAX_BODY, set_cookie=set_cookie),
        has_authorization=authorized,
        keeps_stale=keeps_stale,
        has_trailers=has_trailers,
    )
    return found.vary if isinstance(found, Storable) else found.reason


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # §3: an explicit lifetime, in any of its forms
        ([cc(b"max-age=60")], ()),
        ([cc(b"s-maxage=60")], ()),
        ([(b"expires", b"Fri, 01 Jan 2100 00:00:00 GMT")], ()),
        ([(b"resync-cache-control", b"max-age=60")], ()),
        # none, or none left
        ([], "no-lifetime"),
        ([cc(b"public")], "no-lifetime"),
        ([cc(b"max-age=0")], "no-lifetime"),
        ([(b"expires", b"0")], "no-lifetime"),
        # §5.2.2.5
        ([cc(b"no-store, max-age=60")], "no-store"),
        ([cc(b"max-age=60"), cc(b"No-Store")], "no-store"),
        ([cc(b"public, no-store=1, max-age=60")], "no-store"),
        # §5.2.2.7
        ([cc(b"private, max-age=60")], "private"),
        ([cc(b"public, private, s-maxage=60")], "private"),
        ([cc(b"private=, max-age=60")], "private"),
        ([cc(b'private="x-user", max-age=60')], ()),
        ([cc(b'private="x-user", private, max-age=60')], "private"),
        # RFC 9213 §2.2: the target alone counts.
        ([cc(b"no-store"), (b"resync-cache-control", b"max-age=60")], ()),
        ([cc(b"max-age=60"), (b"resync-cache-control", b"no-store")], "no-store"),
        ([cc(b"max-age=60"), (b"resync-cache-control", b"private")], "private"),
    ],
)
def test_a_lifetime_permits_and_directives_forbid(headers: RawHeaders, expected: object) -> None:
    """§3: no lifetime, no storing; no-store and private forbid it whatever else is said."""
    assert expected == decide(read(*headers))


@pytest.mark.parametrize(
    ("control", "keeps_stale", "expected"),
    [
        (b"no-cache", True, ()),
        (b"no-cache", False, "no-lifetime"),
        (b"no-cache, max-age=60", False, ()),
        (b"max-age=0", True, ()),
        (b"public", True, "no-lifetime"),
        (b'no-cache="x-user"', True, "no-lifetime"),
    ],
)
def test_what_can_be_validated_is_kept_without_a_lifetime(control: bytes, keeps_stale: bool, expected: object) -> None:
    """§5.2.2.4: no-cache lets a response be stored that is asked about each time, if there is a way to ask."""
    assert expected == decide(read(cc(control)), keeps_stale=keeps_stale)


@pytest.mark.parametrize("status", [100, 101, 103, 199, *sorted(NEVER)])
def test_what_answers_one_request_only_is_never_stored(status: int) -> None:
    """§3: interim responses, parts, and answers to preconditions are not for others."""
    assert "status" == decide(read(FRESH, status=status), RULE)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 418, 500, 599, 600, 999])
def test_any_final_status_is_stored_with_an_explicit_lifetime(status: int) -> None:
    """§3: which statuses are understood matters to must-understand only."""
    assert () == decide(read(FRESH, status=status))


@pytest.mark.parametrize(
    ("status", "control", "expected"),
    [
        # §5.2.2.3
        (200, b"must-understand, no-store, max-age=60", ()),
        (200, b"must-understand, max-age=60", ()),
        (599, b"must-understand, no-store, max-age=60", "must-understand"),
        (599, b"must-understand, max-age=60", "must-understand"),
        (599, b"max-age=60", ()),
        (200, b"must-understand, no-store, private, max-age=60", "private"),
        (200, b"must-understand, no-store", "no-lifetime"),
        (206, b"must-understand, no-store, max-age=60", "status"),
        # with an argument it is another directive
        (200, b"must-understand=1, no-store, max-age=60", "no-store"),
    ],
)
def test_must_understand_overrides_no_store_for_what_is_understood(
    status: int, control: bytes, expected: object
) -> None:
    """§5.2.2.3: for an understood status no-store is ignored, for another nothing is stored."""
    assert expected == decide(read(cc(control), status=status))


def test_every_status_understood_is_final_and_none_is_for_one_request() -> None:
    """What is never stored is not claimed to be understood as a stored response, but for 412 and 416."""
    assert all(200 <= status < 600 for status in UNDERSTOOD)
    assert {206, 304}.isdisjoint(UNDERSTOOD)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        # §3.5
        (b"max-age=60", "authorization"),
        (b"public, max-age=60", ()),
        (b"s-maxage=60", ()),
        (b"must-revalidate, max-age=60", ()),
        (b"proxy-revalidate, max-age=60", "authorization"),
        (b"no-cache, max-age=60", "authorization"),
        (b"public=1, max-age=60", "authorization"),
        (b"public, private, max-age=60", "private"),
    ],
)
def test_authorization_needs_a_directive_that_permits(control: bytes, expected: object) -> None:
    """§3.5: must-revalidate, public and s-maxage let others have it, and nothing else does."""
    fields = read(cc(control))

    assert expected == decide(fields, authorized=True)
    assert (expected != "authorization") == may_share_with_authorization(fields)


def test_a_rule_does_not_make_answers_to_authorization_common() -> None:
    """§3.5: only the response can permit it."""
    assert "authorization" == decide(read(), RULE, authorized=True)


@pytest.mark.parametrize(
    ("control", "setting", "ruled", "expected"),
    [
        (b"max-age=60", "refuse", None, "set-cookie"),
        (b"max-age=60", "strip", None, ()),
        (b"max-age=60", "store", None, ()),
        (b"max-age=60", "refuse", "strip", ()),
        (b"max-age=60", "refuse", "store", ()),
        (b"max-age=60", "store", "refuse", "set-cookie"),
        (b'max-age=60, private="Set-Cookie"', "refuse", None, ()),
        (b'max-age=60, no-cache="set-cookie"', "refuse", None, ()),
        (b'max-age=60, private="x-user"', "refuse", None, "set-cookie"),
    ],
)
def test_cookies_are_refused_unless_somebody_decided_otherwise(
    control: bytes, setting: Policy, ruled: Policy | None, expected: object
) -> None:
    """§7.3: the setting, the rule before it, and a response that says that the cookie is not to be kept."""
    fields = read(cc(control), (b"set-cookie", b"a=1"))

    assert expected == decide(fields, Terms(set_cookie=ruled), set_cookie=setting)


@pytest.mark.parametrize(
    ("headers", "trailers", "expected"),
    [
        ([(b"content-type", b"text/event-stream")], False, "event-stream"),
        ([(b"content-type", b"Text/Event-Stream; charset=utf-8")], False, "event-stream"),
        ([(b"content-type", b"text/plain")], False, ()),
        ([(b"content-length", b"1000")], False, ()),
        ([(b"content-length", b"1001")], False, "too-large"),
        ([], True, "trailers"),
    ],
)
def test_what_cannot_be_kept_whole_is_not_begun(headers: RawHeaders, trailers: bool, expected: object) -> None:
    """§3.3: streams without end, bodies over the cap and trailers are passed on at once."""
    assert expected == decide(read(FRESH, *headers), has_trailers=trailers)


@pytest.mark.parametrize(
    ("vary", "ruled", "expected"),
    [
        ([], (), ()),
        ([b"Accept"], (), (b"accept",)),
        ([b"B, a", b"A"], (), (b"a", b"b")),
        ([b""], (), ()),
        ([], ("X-Tenant",), (b"x-tenant",)),
        ([b"accept"], ("X-Tenant", "Accept"), (b"accept", b"x-tenant")),
        # §4.1: a star never matches, in any company and spelling.
        ([b"*"], (), "vary-star"),
        ([b" * "], (), "vary-star"),
        ([b"accept, *"], (), "vary-star"),
        ([b"accept", b"*"], (), "vary-star"),
        ([b"*,*"], (), "vary-star"),
        ([b"*"], ("x-tenant",), "vary-star"),
        # What is no name cannot be looked at.
        ([b"accept encoding"], (), "vary-star"),
        ([b"a:b"], (), "vary-star"),
    ],
)
def test_vary_names_what_tells_variants_apart(vary: list[bytes], ruled: tuple[str, ...], expected: object) -> None:
    """§4.1: names are sorted and in lower case, with those of the rule."""
    fields = read(FRESH, *((b"vary", line) for line in vary))

    assert expected == decide(fields, Terms(vary=ruled))


@given(
    directives=st.lists(
        st.sampled_from(
            ["max-age=60", "s-maxage=60", "public", "must-revalidate", "must-understand", "no-cache", "foo=bar"]
        )
    ),
    forbidding=st.sampled_from(["no-store", "private", "NO-STORE", 'no-store="x"', 'private=""', "private;a"]),
    place=st.integers(min_value=0, max_value=10),
    split=st.booleans(),
)
def test_nothing_permits_what_is_forbidden(directives: list[str], forbidding: str, place: int, *, split: bool) -> None:
    """§3 and §5.2: no company, order, line or spelling makes a directive that forbids ineffective."""
    directives.insert(min(place, len(directives)), forbidding)
    texts = directives if split else [", ".join(directives)]
    found = decide(read(*(cc(text.encode()) for text in texts)), RULE, keeps_stale=True)

    expected = () if "must-understand" in directives and forbidding.lower().startswith("no-store") else None
    assert (found == expected) if expected is not None else isinstance(found, str)


def test_decisions_are_values() -> None:
    """They compare by what they say."""
    assert Storable((b"a",)) == Storable((b"a",))
    assert NotStorable("private") != NotStorable("no-store")
