"""What policy reads of a header section: which line counts, and what is as good as absent (RFC 9111 §5)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync._headers import format_http_date
from asgi_resync.cache.policy.fields import ResponseFields, read_fields

NOW = 1_700_000_000.0
DATE = format_http_date(NOW)
LATER = format_http_date(NOW + 60)
LATEST = format_http_date(NOW + 600)

NAMES = st.sampled_from(
    [
        *(b"cache-control", b"age", b"date", b"expires", b"etag", b"last-modified", b"content-length", b"content-type"),
        *(b"vary", b"set-cookie", b"resync-cache-control", b"cdn-cache-control", b"surrogate-key", b"x-other"),
    ]
)
VALUES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([DATE, LATER, b"0", b"-1", b"9" * 5000, b"max-age=60", b"*", b'"a"', b"no-store, private", b""]),
)
SECTIONS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def read(*headers: tuple[bytes, bytes], status: int = 200, targets: tuple[bytes, ...] = ()) -> ResponseFields:
    return read_fields(status, list(headers), now=NOW, targets=targets, tag_fields=(b"surrogate-key", b"cache-tag"))


def test_nothing_is_read_from_nothing() -> None:
    """A response without fields states nothing, and its status is all there is."""
    fields = read(status=404)

    assert (404, False, False) == (fields.status, fields.control.present, fields.targeted)
    assert (None, None, 0) == (fields.date, fields.expires, fields.age)
    assert (None, None, None, b"") == (fields.etag, fields.last_modified, fields.content_length, fields.content_type)
    assert ([], False, False, ()) == (list(fields.vary), fields.has_set_cookie, fields.has_own_target, fields.tags)
    assert {} == fields.lines


def test_names_count_in_any_case_and_lines_stay_lines() -> None:
    """RFC 9110 §5.1 and §5.3: names are case-insensitive, and lines of one name keep their order."""
    fields = read((b"Set-Cookie", b"a=1"), (b"Vary", b"a"), (b"set-cookie", b"b=2"), (b"VARY", b"b"))

    assert [b"a=1", b"b=2"] == fields.lines[b"set-cookie"]
    assert [b"a", b"b"] == list(fields.vary)
    assert fields.has_set_cookie


@pytest.mark.parametrize("line", [("age", b"1"), (b"age", "1"), (bytearray(b"age"), b"1")])
def test_what_is_not_bytes_is_refused(line: object) -> None:
    """ASGI has bytes in header lines; what else an app gives is left for the server to refuse."""
    with pytest.raises(TypeError, match="is not bytes"):
        read_fields(200, [line], now=NOW)  # type: ignore[list-item]  # what an app without types gives


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], 0),
        ([b"0"], 0),
        ([b"10"], 10),
        ([b" 10 "], 10),
        ([b"007"], 7),
        # §5.1: a list is no age, but its first member counts, whatever follows.
        ([b"10, 20"], 10),
        ([b"10", b"20"], 10),
        ([b"", b"20"], 20),
        ([b"10, x"], 10),
        # §5.1: what is not a non-negative integer is ignored.
        *(([bad], 0) for bad in (b"", b"-1", b"+1", b"1.5", b"abc", b"x, 10", b"1 0", b'"10"', b"0x10", b"10;a=1")),
        # §1.2.2
        ([b"2147483648"], 2**31),
        ([b"2147483649"], 2**31),
        ([b"9" * 5000], 2**31),
    ],
)
def test_age_is_the_first_member_if_it_is_a_number(lines: list[bytes], expected: int) -> None:
    """§5.1 and §1.2.2: the first member counts, what is no number is ignored, what is too large is capped."""
    assert expected == read(*((b"age", line) for line in lines)).age


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([LATER], NOW + 60),
        # §4.2.1: of conflicting lines the least fresh.
        ([LATEST, LATER], NOW + 60),
        ([LATER, LATEST], NOW + 60),
        # §5.3: invalid dates, and "0" above all, are in the past.
        *(([bad], -math.inf) for bad in (b"", b"0", b"-1", b"soon", DATE + b"x", DATE + b", " + DATE)),
        ([LATER, b"0"], -math.inf),
        ([b"0", LATER], -math.inf),
    ],
)
def test_expires_is_the_least_and_invalid_is_past(lines: list[bytes], expected: float | None) -> None:
    """§5.3 and §4.2.1: an invalid date means expired, and of several lines the earliest counts."""
    assert expected == read(*((b"expires", line) for line in lines)).expires


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([], None), ([DATE], NOW), ([b"yesterday"], None), ([b""], None), ([DATE, LATER], NOW)],
)
def test_date_is_the_first_if_it_can_be_read(lines: list[bytes], expected: float | None) -> None:
    """RFC 9110 §6.6.1: a date that cannot be read is none."""
    assert expected == read(*((b"date", line) for line in lines)).date


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([], None), ([b'"a"'], b'"a"'), ([b'W/"a"'], b'W/"a"'), ([b"a"], b"a"), ([b""], None), ([b'"a"', b'"a"'], None)],
)
def test_two_etags_or_an_empty_one_are_none(lines: list[bytes], expected: bytes | None) -> None:
    """RFC 9110 §8.8.3: a representation has one tag."""
    fields = read(*((b"etag", line) for line in lines))

    assert expected == fields.etag
    assert bool(lines) == (b"etag" in fields.lines)


@pytest.mark.parametrize(
    ("lines", "expected"), [([], None), ([DATE], NOW), ([b"0"], None), ([DATE, DATE], None), ([b""], None)]
)
def test_last_modified_is_one_valid_date_or_none(lines: list[bytes], expected: float | None) -> None:
    """RFC 9110 §8.8.2: one date, no list."""
    assert expected == read(*((b"last-modified", line) for line in lines)).last_modified


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([b"0"], 0),
        ([b"42"], 42),
        ([b"9" * 18], 10**18 - 1),
        *(([bad], -1) for bad in (b"", b"-1", b"+1", b"4 2", b"0x1", b"4,4", b"\xb2", b"9" * 19, b"9" * 5000)),
        ([b"4", b"4"], -1),
        ([b"4", b"5"], -1),
    ],
)
def test_a_length_that_is_not_one_number_is_that_of_no_body(lines: list[bytes], expected: int | None) -> None:
    """RFC 9110 §8.6: no body can complete a response whose length cannot be known, so it is not kept."""
    assert expected == read(*((b"content-length", line) for line in lines)).content_length


@pytest.mark.parametrize(
    ("headers", "targets", "targeted", "max_age"),
    [
        ([(b"cache-control", b"max-age=1")], (), False, 1),
        # RFC 9213 §2.2: the first field of the target list that is there and valid applies.
        ([(b"cache-control", b"max-age=1"), (b"cdn-cache-control", b"max-age=2")], (), False, 1),
        ([(b"cache-control", b"max-age=1"), (b"cdn-cache-control", b"max-age=2")], (b"cdn-cache-control",), True, 2),
        ([(b"a-cc", b"max-age=1"), (b"b-cc", b"max-age=2")], (b"b-cc", b"a-cc"), True, 2),
        ([(b"a-cc", b"max-age=1"), (b"b-cc", b"max-age=2, ?")], (b"b-cc", b"a-cc"), True, 1),
        ([(b"a-cc", b"max-age=1"), (b"b-cc", b"")], (b"b-cc", b"a-cc"), True, 1),
        ([(b"cache-control", b"max-age=1"), (b"b-cc", b"no store")], (b"b-cc",), False, 1),
        # RFC 9213 §2.1: several lines are one dictionary.
        ([(b"b-cc", b"max-age=1"), (b"b-cc", b"max-age=2")], (b"b-cc",), True, 2),
        # Our own goes before all others.
        ([(b"b-cc", b"max-age=2"), (b"Resync-Cache-Control", b"max-age=3")], (b"b-cc",), True, 3),
        ([(b"b-cc", b"max-age=2"), (b"resync-cache-control", b"MAX-AGE=3")], (b"b-cc",), True, 2),
        ([(b"cache-control", b"max-age=1"), (b"resync-cache-control", b"")], (), False, 1),
    ],
)
def test_the_first_valid_target_applies(
    headers: RawHeaders, targets: tuple[bytes, ...], targeted: bool, max_age: int
) -> None:
    """RFC 9213 §2.2: one field applies, wholly; what is empty or malformed is as if it were not there."""
    fields = read(*headers, targets=targets)

    assert (targeted, max_age) == (fields.targeted, fields.control.max_age)


def test_a_target_makes_cache_control_and_expires_count_for_nothing() -> None:
    """RFC 9213 §2.2: with a targeted field, Cache-Control and Expires MUST be ignored."""
    fields = read((b"cache-control", b"no-store"), (b"expires", LATER), (b"resync-cache-control", b"public"))

    assert (True, True) == (fields.has_own_target, fields.control.public)
    assert (False, None) == (fields.control.no_store, fields.expires)


def test_tags_are_those_of_all_tag_fields() -> None:
    """Both separators that CDNs use part tags, and every line counts."""
    fields = read(
        (b"surrogate-key", b"a b"), (b"cache-tag", b"c,d , e"), (b"surrogate-key", b" f"), (b"cache-tag", b"")
    )

    assert ("a", "b", "f", "c", "d", "e") == fields.tags


@given(SECTIONS)
def test_no_header_section_is_too_strange(headers: RawHeaders) -> None:
    """Whatever bytes the lines hold, they are read; ages are no less than 0, lengths no less than -1."""
    fields = read_fields(200, headers, now=NOW, targets=(b"cdn-cache-control",), tag_fields=(b"surrogate-key",))

    assert 0 <= fields.age <= 2**31
    assert fields.content_length is None or fields.content_length >= -1
    assert len(headers) == sum(map(len, fields.lines.values()))
    assert all(fields.tags)
