"""Cache-Control in requests and responses (RFC 9111 §5.2), and that no parser of directives can be hurt."""

from __future__ import annotations

import math
from dataclasses import fields
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._headers import DELTA_SECONDS_MAX
from asgi_resync.cache.policy.control import (
    Control,
    RequestControl,
    parse_request_control,
    parse_response_control,
    parse_targeted,
)

COOKIE = frozenset({b"set-cookie"})


def response(*, present: bool = True, **stated: object) -> Control:
    """Return a `Control` of what is *stated*."""
    return Control(present=present, **stated)  # type: ignore[arg-type]  # the tables spell field names


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), response(present=False)),
        ((b"", b" , "), response(present=False)),
        ((b"foo",), response()),
        ((b"no-store",), response(no_store=True)),
        ((b"No-Store, PUBLIC",), response(no_store=True, public=True)),
        ((b"must-revalidate", b"proxy-revalidate"), response(must_revalidate=True, proxy_revalidate=True)),
        ((b"no-transform, immutable",), response(no_transform=True, immutable=True)),
        ((b"no-store, must-understand",), response(no_store=True, must_understand=True)),
        (
            (b"max-age=60, s-maxage=10,stale-while-revalidate=5 , stale-if-error=7",),
            response(max_age=60, s_maxage=10, stale_while_revalidate=5, stale_if_error=7),
        ),
        ((b"foo=bar, max-age=60, a-max-age=1",), response(max_age=60)),
        ((b", ,max-age=60, ,",), response(max_age=60)),
    ],
)
def test_directives_of_a_response(lines: tuple[bytes, ...], expected: Control) -> None:
    """§5.2: case-insensitive, over any number of lines, unknown ones ignored (§5.2.3)."""
    assert expected == parse_response_control(lines)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"max-age=0", 0),
        (b"max-age=003600", 3600),
        (b'max-age="3600"', 3600),
        (b'max-age="36\\00"', 3600),
        (b"max-age=2147483648", DELTA_SECONDS_MAX),
        (b"max-age=99999999999999999999", DELTA_SECONDS_MAX),
        *(
            (b"max-age" + bad, 0)
            for bad in (
                *(b"", b"=", b"=-1", b"=+1", b"=1.5", b"=3600.0", b"=100a", b"=a100", b"=0x10", b"='100'", b'=""'),
                *(b' =" 100"', b'="100', b'="1" 0', b"= 100", b" =100", b" = 100", b"=100;", b"=100; foo", b"=10 0"),
                b"=\xb2",
            )
        ),
        (b'max-age=" 100 "', 0),
        (b'extension="max-age=100"', None),
        (b'extension="a, max-age=100, b"', None),
        (b'extension="\\", max-age=100"', None),
        (b"max-age-extra=100", None),
    ],
)
def test_a_lifetime_is_a_plain_number_or_nothing_is_fresh(line: bytes, expected: int | None) -> None:
    """§4.2.1: what has invalid freshness information is better taken as stale. §5.2: both argument forms are."""
    control = parse_response_control((line,))

    assert expected == control.max_age
    assert expected == parse_response_control((line.replace(b"max-age", b"s-maxage"),)).s_maxage


@pytest.mark.parametrize(
    "lines",
    [
        (b"max-age=1, max-age=1800",),
        (b"max-age=1800, max-age=1",),
        (b"max-age=1800", b"max-age=1"),
        (b'max-age=1, max-age="1"',),
        (b"max-age=1800, MAX-AGE=1",),
    ],
)
def test_of_repeated_lifetimes_the_smallest_counts(lines: tuple[bytes, ...]) -> None:
    """§4.2.1: the first one, or stale; the smallest is never fresher than either allows."""
    assert 1 == parse_response_control(lines).max_age


def test_an_invalid_lifetime_beside_a_valid_one_is_stale() -> None:
    """§4.2.1 again: conflicting directives."""
    assert 0 == parse_response_control((b"max-age=60, max-age=a",)).max_age


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"private", response(private=True)),
        (b"no-cache", response(no_cache=True)),
        (b'private="Set-Cookie"', response(private_fields=COOKIE)),
        (b'no-cache="Set-Cookie"', response(no_cache_fields=COOKIE)),
        (b"no-cache=Set-Cookie", response(no_cache_fields=COOKIE)),
        (b'private=" set-cookie ,, X-A "', response(private_fields=COOKIE | {b"x-a"})),
        (b'private="set-cookie", private=x-a', response(private_fields=COOKIE | {b"x-a"})),
        (b'private="set-cookie", private', response(private=True)),
        (b'no-cache, no-cache="set-cookie"', response(no_cache=True)),
        *(
            (b"private=" + bad, response(private=True))
            for bad in (b"", b'""', b'","', b'"set-cookie', b'"a b"', b'"a" b', b'"a\\"b"', b"a b", b"a/b", b"\xff")
        ),
        *((b"no-cache=" + bad, response(no_cache=True)) for bad in (b"", b'"', b'""', b'"set-cookie', b'"("')),
    ],
)
def test_field_names_qualify_or_the_whole_response_is_meant(line: bytes, expected: Control) -> None:
    """§5.2.2.4 and §5.2.2.7: in doubt the unqualified form, and then no field is listed."""
    assert expected == parse_response_control((line,))


@pytest.mark.parametrize(
    "line",
    [
        b"max-age=60; no-store; private; no-cache",
        b"no-store private no-cache max-age=60",
        b"no-store; max-age=60, private; no-cache",
        b'foo="bar, no-store, private, no-cache, max-age=',
        b'foo="\\", no-store, private, no-cache, max-age=\\',
        b"no-store=?, private=(, no-cache=[, max-age=60/",
        b"no-store = 1, private = 1, no-cache = 1, max-age = 60",
        b"NO-STORE;Private;no-CACHE;Max-Age",
    ],
)
def test_wrong_separators_and_open_quotes_hide_nothing_that_forbids(line: bytes) -> None:
    """A member that is no directive counts with each of its words, as malformed."""
    control = parse_response_control((line,))

    assert (True, True, True, 0) == (control.no_store, control.private, control.no_cache, control.max_age)


@pytest.mark.parametrize(
    "line", [b'foo="no-store"', b'foo="a, no-store", bar', b'foo="\\", no-store"', b'"no-store" bar']
)
def test_what_is_quoted_is_no_directive(line: bytes) -> None:
    """A quoted-string is an argument, whatever it holds (RFC 9110 §5.6.4)."""
    assert not parse_response_control((line,)).no_store


def test_a_quoted_argument_hides_no_later_directive() -> None:
    """The list goes on after the quote."""
    assert parse_response_control((b'foo="a\\"b, c", no-store',)).no_store


@pytest.mark.parametrize(
    "line", [b"public=1", b'public="x"', b"public;", b"immutable=1, must-understand=1", b"public public"]
)
def test_what_permits_counts_only_as_defined(line: bytes) -> None:
    """public, immutable and must-understand take no argument; malformed they permit nothing."""
    assert response() == parse_response_control((line,))


@pytest.mark.parametrize("line", [b"no-store=1", b'must-revalidate=""', b"proxy-revalidate=x, no-transform=y"])
def test_what_forbids_counts_with_any_argument(line: bytes) -> None:
    """Unexpected arguments weaken nothing."""
    control = parse_response_control((line,))

    assert control.no_store or control.must_revalidate or (control.proxy_revalidate and control.no_transform)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), RequestControl()),
        (
            (b"No-Store, no-cache", b"no-transform,only-if-cached"),
            RequestControl(no_store=True, no_cache=True, no_transform=True, only_if_cached=True),
        ),
        ((b"max-age=0, min-fresh=5, stale-if-error=9",), RequestControl(max_age=0, min_fresh=5, stale_if_error=9)),
        ((b"max-stale",), RequestControl(max_stale=math.inf)),
        ((b"max-stale=5",), RequestControl(max_stale=5.0)),
        ((b"max-stale, max-stale=5, max-stale=7",), RequestControl(max_stale=5.0)),
        ((b"max-age=5, max-age=3",), RequestControl(max_age=3)),
        ((b"min-fresh=5, min-fresh=9",), RequestControl(min_fresh=9)),
        ((b"stale-if-error=5, stale-if-error=9",), RequestControl(stale_if_error=5)),
        ((b'max-age="5"',), RequestControl(max_age=5)),
        ((b"max-age=x",), RequestControl(max_age=0)),
        (
            (b'max-stale=x, max-stale="", min-fresh=-1, min-fresh, stale-if-error=1.5, stale-if-error',),
            RequestControl(),
        ),
        ((b"only-if-cached=1; no-cache",), RequestControl(no_cache=True)),
        ((b"foo" * 100 + b", no-store",), RequestControl(no_store=True)),
    ],
)
def test_directives_of_a_request(lines: tuple[bytes, ...], expected: RequestControl) -> None:
    """§5.2.1: of repeated ones the most demanding counts; a malformed wish is none, a malformed max-age is 0."""
    assert expected == parse_request_control(lines)


WORDS = [spelled for field in fields(Control) if (spelled := field.name.replace("_", "-").encode())]
DIRECTIVES = st.tuples(
    st.sampled_from([*WORDS, b"s-maxage", b"max-stale", b"min-fresh", b"foo"]),
    st.sampled_from(
        [b"", b"=", b"=1", b"=60", b'="60"', b'="a, no-store"', b'="', b" = 1", b";", b"=-1", b"=?0", b"=\xff"]
    ),
).map(b"".join)
LINES = st.lists(st.one_of(st.binary(max_size=40), st.lists(DIRECTIVES, max_size=4).map(b", ".join)), max_size=3).map(
    tuple
)


@given(LINES)
def test_no_bytes_crash_a_parser(lines: tuple[bytes, ...]) -> None:
    """Every parser is total, and each lifetime within its bounds."""
    parse_request_control(lines)
    for control in (parse_response_control(lines), parse_targeted(lines) or Control()):
        for seconds in (control.max_age, control.s_maxage, control.stale_while_revalidate, control.stale_if_error):
            assert seconds is None or 0 <= seconds <= DELTA_SECONDS_MAX
        assert not (control.private and control.private_fields)
        assert not (control.no_cache and control.no_cache_fields)


@given(LINES, LINES)
def test_more_lines_never_undo_what_one_forbids(lines: tuple[bytes, ...], more: tuple[bytes, ...]) -> None:
    """Adding directives can only restrict what those that forbid and those that last say."""
    alone, together = parse_response_control(lines), parse_response_control(lines + more)

    assert together.no_store >= alone.no_store
    assert together.private >= alone.private
    assert together.no_cache >= alone.no_cache
    assert together.must_revalidate >= alone.must_revalidate
    if alone.max_age is not None:
        assert together.max_age is not None
        assert together.max_age <= alone.max_age


@given(st.lists(DIRECTIVES.filter(lambda directive: not directive.endswith(b'"') or directive.count(b'"') == 2)))
def test_how_directives_are_spread_over_lines_does_not_matter(directives: list[bytes]) -> None:
    """RFC 9110 §5.3: lines of one name are one list."""
    assert (
        parse_response_control((b", ".join(directives),)).max_age == parse_response_control(tuple(directives)).max_age
    )


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b",", b" ", b"=", b"a", b"a=", b'a="', b'"" ', b";a", b"\\"])
@pytest.mark.parametrize("end", [b"", b"\\", b'"'])
def test_hostile_values_take_linear_time(unit: bytes, end: bytes) -> None:
    """A header section of any server's size is parsed at once; the quadratic way would take many seconds."""
    value = b'"' + unit * (100_000 // len(unit)) + end
    started = perf_counter()
    parse_response_control((value,))
    parse_request_control((value,))
    parse_targeted((b"a=" + value,))

    assert perf_counter() - started < 10.0
