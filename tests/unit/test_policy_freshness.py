"""Lifetime, age and windows (RFC 9111 §4.2, RFC 5861), row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync._headers import format_http_date
from asgi_resync.cache.policy.fields import ResponseFields, read_fields
from asgi_resync.cache.policy.freshness import (
    HEURISTIC_CAP,
    HEURISTICALLY_CACHEABLE,
    Lifetime,
    corrected_initial_age,
    freshness_lifetime,
    may_serve_stale,
    windows,
)
from asgi_resync.cache.rules import NO_TERMS, Terms

NOW = 1_700_000_000.0
RULE = Terms(ttl=30)
SECONDS = st.floats(min_value=0, max_value=1e6)


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def read(*headers: tuple[bytes, bytes], status: int = 200) -> ResponseFields:
    return read_fields(status, list(headers), now=NOW)


def cc(value: bytes) -> tuple[bytes, bytes]:
    return (b"cache-control", value)


def lifetime(
    fields: ResponseFields, terms: Terms = NO_TERMS, *, delay: float = 0.0, heuristic: bool = False
) -> Lifetime | None:
    return freshness_lifetime(fields, terms, response_time=NOW, response_delay=delay, heuristic=heuristic)


OWN = (b"resync-cache-control", b"max-age=5")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # §4.2.1, in its order; RFC 9213 §2.2 before all.
        ([cc(b"s-maxage=1, max-age=2"), (b"expires", at(3)), OWN], Lifetime(5.0, "targeted")),
        ([cc(b"max-age=2"), (b"resync-cache-control", b"max-age=5, s-maxage=4")], Lifetime(4.0, "targeted")),
        ([cc(b"s-maxage=1, max-age=2"), (b"expires", at(3))], Lifetime(1.0, "s-maxage")),
        ([cc(b"max-age=2"), (b"expires", at(3))], Lifetime(2.0, "max-age")),
        ([(b"expires", at(3))], Lifetime(3.0, "expires")),
        ([], Lifetime(30.0, "rule")),
        ([cc(b"public")], Lifetime(30.0, "rule")),
        # 0 is a statement, not an absence.
        ([cc(b"s-maxage=0, max-age=2")], Lifetime(0.0, "s-maxage")),
        ([cc(b"max-age=0"), (b"expires", at(3))], Lifetime(0.0, "max-age")),
        # §4.2.1: invalid freshness information is best taken as stale.
        ([cc(b"max-age=x"), (b"expires", at(3))], Lifetime(0.0, "max-age")),
        ([cc(b"max-age=9, max-age=2")], Lifetime(2.0, "max-age")),
        ([(b"expires", b"0")], Lifetime(0.0, "expires")),
        ([(b"expires", at(3)), (b"expires", b"never")], Lifetime(0.0, "expires")),
        # §5.3: Expires counts from Date, also where Date is wrong; without one, from the moment of receipt.
        ([(b"date", at(-10)), (b"expires", at(3))], Lifetime(13.0, "expires")),
        ([(b"date", at(10)), (b"expires", at(3))], Lifetime(0.0, "expires")),
        ([(b"date", b"today"), (b"expires", at(3))], Lifetime(3.0, "expires")),
        ([(b"expires", at(-1))], Lifetime(0.0, "expires")),
        # RFC 9213 §2.2: a target hides Expires, so that the rule is asked next.
        ([(b"resync-cache-control", b"public"), (b"expires", at(3))], Lifetime(30.0, "rule")),
        # §1.2.2
        ([cc(b"max-age=99999999999999999999")], Lifetime(2.0**31, "max-age")),
    ],
)
def test_the_lifetime_comes_from_the_first_that_states_one(headers: RawHeaders, expected: Lifetime) -> None:
    """§4.2.1: targeted, s-maxage, max-age, Expires − Date; then the rule."""
    assert expected == lifetime(read(*headers), RULE)


@pytest.mark.parametrize(
    ("terms", "status", "delay", "expected"),
    [
        (NO_TERMS, 200, 0.0, None),
        (Terms(ttl=30), 200, 2.5, Lifetime(32.5, "rule")),
        (Terms(ttl=30), 404, 0.0, None),
        (Terms(ttl=30, statuses=(200, 404)), 404, 0.0, Lifetime(30.0, "rule")),
        (Terms(ttl=0), 200, 2.5, Lifetime(0.0, "rule")),
        (Terms(ttl=30, statuses=(404,)), 200, 0.0, None),
    ],
)
def test_a_rule_speaks_for_its_statuses_from_completion(
    terms: Terms, status: int, delay: float, expected: Lifetime | None
) -> None:
    """A slow handler does not spend the rule's lifetime, and a lifetime of 0 stays 0."""
    assert expected == lifetime(read(status=status), terms, delay=delay)


MODIFIED = (b"last-modified", at(-1000))


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ([MODIFIED], 200, Lifetime(100.0, "heuristic")),
        ([MODIFIED, (b"date", at(-500))], 200, Lifetime(50.0, "heuristic")),
        # §4.2.2: not where an explicit time is there.
        ([MODIFIED, cc(b"max-age=7")], 200, Lifetime(7.0, "max-age")),
        ([MODIFIED, (b"expires", b"0")], 200, Lifetime(0.0, "expires")),
        # §4.2.2: only statuses defined as heuristically cacheable, or what is public.
        ([MODIFIED], 201, None),
        ([MODIFIED], 302, None),
        ([MODIFIED], 500, None),
        ([MODIFIED, cc(b"public")], 201, Lifetime(100.0, "heuristic")),
        *(([MODIFIED], status, Lifetime(100.0, "heuristic")) for status in sorted(HEURISTICALLY_CACHEABLE)),
        # There is nothing to guess from.
        ([], 200, None),
        ([cc(b"public")], 200, None),
        ([(b"last-modified", b"0")], 200, None),
        # Not negative for what was modified in the future, and not for ever.
        ([(b"last-modified", at(1000))], 200, Lifetime(0.0, "heuristic")),
        ([(b"last-modified", at(-1e8))], 200, Lifetime(HEURISTIC_CAP, "heuristic")),
    ],
)
def test_a_guess_is_a_tenth_of_the_time_since_the_change(
    headers: RawHeaders, status: int, expected: Lifetime | None
) -> None:
    """§4.2.2: by setting, and only where nothing explicit is there."""
    fields = read(*headers, status=status)

    assert expected == lifetime(fields, heuristic=True)
    assert (expected if expected and expected.source != "heuristic" else None) == lifetime(fields)


def test_a_rule_goes_before_a_guess() -> None:
    """What the operator says is no guess."""
    assert Lifetime(30.0, "rule") == lifetime(read(MODIFIED), RULE, heuristic=True)


@pytest.mark.parametrize(
    ("headers", "delay", "expected"),
    [
        ([], 0.0, 0.0),
        # corrected_age_value = age_value + response_delay
        ([], 3.0, 3.0),
        ([(b"age", b"10")], 0.0, 10.0),
        ([(b"age", b"10")], 3.0, 13.0),
        # apparent_age = max(0, response_time - date_value)
        ([(b"date", at(-20))], 0.0, 20.0),
        ([(b"date", at(20))], 0.0, 0.0),
        ([(b"date", b"?")], 0.0, 0.0),
        # corrected_initial_age = max(apparent_age, corrected_age_value)
        ([(b"date", at(-20)), (b"age", b"10")], 3.0, 20.0),
        ([(b"date", at(-5)), (b"age", b"10")], 3.0, 13.0),
        ([(b"date", at(20)), (b"age", b"10")], 3.0, 13.0),
        ([(b"age", b"99999999999")], 0.0, 2.0**31),
        ([(b"age", b"old")], 0.0, 0.0),
    ],
)
def test_the_initial_age_is_the_larger_of_both_ways_to_know_it(
    headers: RawHeaders, delay: float, expected: float
) -> None:
    """§4.2.3, by its formula."""
    assert expected == corrected_initial_age(read(*headers), response_time=NOW, response_delay=delay)


@pytest.mark.parametrize(
    ("expires", "date"),
    [
        (b"Thu, 01 Jan 1970 00:00:00 GMT", b"Mon, 01 Jan 1900 00:00:00 GMT"),
        (b"0", b"Mon, 01 Jan 1900 00:00:00 GMT"),
        (at(-1), b"Mon, 01 Jan 0001 00:00:00 GMT"),
    ],
)
def test_what_expired_in_the_past_is_stale_however_old_its_date(expires: bytes, date: bytes) -> None:
    """§5.3: a date long ago makes the lifetime long, and the age longer; neither is capped before the other."""
    fields = read((b"expires", expires), (b"date", date))
    found = lifetime(fields)
    assert found is not None

    assert corrected_initial_age(fields, response_time=NOW, response_delay=0.0) >= found.seconds


@given(
    age=st.one_of(st.none(), st.integers(min_value=0, max_value=10**12)),
    date=st.one_of(st.none(), st.integers(min_value=-(10**9), max_value=10**9)),
    expires=st.one_of(st.none(), st.integers(min_value=-(10**9), max_value=10**9)),
    ttl=st.one_of(st.none(), SECONDS),
    delay=SECONDS,
    heuristic=st.booleans(),
)
def test_neither_age_nor_lifetime_is_negative(
    age: int | None, date: int | None, expires: int | None, ttl: float | None, delay: float, *, heuristic: bool
) -> None:
    """§4.2: whatever the clocks of others say, age and lifetime are 0 or more, and the age no less than the delay."""
    stated = {b"age": age and b"%d" % age, b"date": date and at(date), b"expires": expires and at(expires)}
    fields = read(MODIFIED, *((name, value) for name, value in stated.items() if isinstance(value, bytes)))
    found = lifetime(fields, Terms(ttl=ttl), delay=delay, heuristic=heuristic)

    assert corrected_initial_age(fields, response_time=NOW, response_delay=delay) >= delay
    assert found is None or found.seconds >= 0


@pytest.mark.parametrize(
    ("control", "terms", "expected"),
    [
        (b"max-age=1", NO_TERMS, (7.0, 8.0)),
        (b"max-age=1", Terms(stale_while_revalidate=3, stale_if_error=4), (3.0, 4.0)),
        (b"max-age=1", Terms(stale_while_revalidate=0), (0.0, 8.0)),
        (b"stale-while-revalidate=1", Terms(stale_while_revalidate=3, stale_if_error=4), (1.0, 4.0)),
        (b"stale-if-error=2", Terms(stale_while_revalidate=3, stale_if_error=4), (3.0, 2.0)),
        (b"stale-while-revalidate=0, stale-if-error=0", Terms(stale_while_revalidate=3), (0.0, 0.0)),
        (b"stale-while-revalidate=x, stale-if-error", NO_TERMS, (0.0, 0.0)),
        (b"stale-while-revalidate=9, stale-while-revalidate=1", NO_TERMS, (1.0, 8.0)),
    ],
)
def test_windows_are_the_responses_then_the_rules_then_the_settings(
    control: bytes, terms: Terms, expected: tuple[float, float]
) -> None:
    """RFC 5861 §3 and §4; 0 is a statement, and what is malformed is 0."""
    assert expected == windows(read(cc(control)), terms, (7.0, 8.0))


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (b"max-age=1", True),
        (b"max-age=1, stale-while-revalidate=5", True),
        (b"no-cache=x-user", True),
        # §4.2.4 with §5.2.2.2, .8, .10 and .4
        (b"must-revalidate", False),
        (b"proxy-revalidate", False),
        (b"s-maxage=1", False),
        (b"s-maxage=1, stale-while-revalidate=5", False),
        (b"no-cache", False),
        (b"must-revalidate=1", False),
    ],
)
def test_directives_that_forbid_stale_win(control: bytes, expected: bool) -> None:
    """§4.2.4: no stale response where an explicit directive forbids it."""
    assert expected is may_serve_stale(read(cc(control)))


def test_a_target_says_whether_stale_may_be_served() -> None:
    """RFC 9213 §2.2: the field that applies is the only one that counts."""
    fields = read(cc(b"must-revalidate"), OWN)

    assert may_serve_stale(fields)
